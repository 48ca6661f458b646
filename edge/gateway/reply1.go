package gateway

import "github.com/valyala/fasthttp"

// respondV1 makes a reply of payload format 1.0 the response, as REST APIs do,
// and HTTP APIs but for the content type where the reply has none: an object
// with a statusCode, anything else is an error. A REST API would decode base64
// only for clients that accept one of its binary media types; here
// isBase64Encoded decides alone. pairs is for its use.
func respondV1(out *fasthttp.Response, reply, scratch []byte, pairs *pairSet, rest bool) ([]byte, error) {
	_, m, err := parseReply(reply)
	if err != nil {
		return scratch, err
	}
	if m.statusCode == nil {
		return scratch, badReply("it has no statusCode, which payload format 1.0 needs")
	}
	m.cookies = nil // of format 2.0
	contentType := contentTypeText
	if rest {
		contentType = contentTypeJSON
	}
	return respondShaped(out, &m, scratch, contentType, listHeaders(&m, pairs))
}

// listedHeaders are the headers in multiValueHeaders of a reply that has headers
// too. API Gateway merges the two, and a pair that is in both counts once; some
// frameworks always send both. The values are compared as JSON text.
type listedHeaders pairSet

// listHeaders returns nil where there is nothing to compare, or where
// respondShaped will refuse the reply for it.
func listHeaders(m *replyMembers, pairs *pairSet) *listedHeaders {
	if m.headers == nil || m.multiValueHeaders == nil || m.multiValueHeaders[0] != '{' || len(m.multiValueHeaders) > maxReplyHeader {
		return nil
	}
	pairs.reset()
	for c := (cursor{b: m.multiValueHeaders}); ; {
		name, values, ok := c.next()
		if !ok {
			return (*listedHeaders)(pairs)
		}
		if values[0] != '[' {
			return nil
		}
		for each := (cursor{b: values}); ; {
			_, value, ok := each.next()
			if !ok {
				break
			}
			start := len(pairs.text)
			pairs.text = appendPair(pairs.text, name, value)
			pairs.add(start, len(pairs.text))
		}
	}
}

// has reports whether a header is listed with this value.
func (l *listedHeaders) has(name, value []byte) bool {
	if l == nil {
		return false
	}
	pairs := (*pairSet)(l)
	start := len(pairs.text)
	pairs.text = appendPair(pairs.text, name, value)
	found := pairs.first(pairs.text[start:]) >= 0
	pairs.text = pairs.text[:start]
	return found
}

func appendPair(b, name, value []byte) []byte {
	b = appendLower(b, name)
	b = append(b, ':')
	return append(b, value...)
}
