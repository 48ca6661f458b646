package gateway

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/valyala/fasthttp"
)

// replyMembers are the members of a reply that say what the response is, as
// JSON text, nil where they are absent. Of several of one name the last counts.
type replyMembers struct {
	statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded []byte
}

func (m *replyMembers) set(name, value []byte) {
	if string(value) == "null" {
		value = nil // as if it were absent
	}
	switch string(name) {
	case "statusCode":
		m.statusCode = value
	case "headers":
		m.headers = value
	case "multiValueHeaders":
		m.multiValueHeaders = value
	case "cookies":
		m.cookies = value
	case "body":
		m.body = value
	case "isBase64Encoded":
		m.isBase64Encoded = value
	}
}

// parseReply validates all of a reply and finds what matters in it. The value
// is the reply without white space around it.
func parseReply(reply []byte) (value []byte, m replyMembers, err error) {
	start := skipSpace(reply, 0)
	if start == len(reply) {
		return nil, m, badReply("the reply is empty")
	}
	var end int
	ok := false
	if reply[start] == '{' {
		end, ok = skipObject(reply, start, 1, &m)
	} else {
		end, ok = skipValue(reply, start, 0)
	}
	if ok {
		value = reply[start:end]
		if end = skipSpace(reply, end); end == len(reply) {
			return value, m, nil
		}
	}
	return nil, m, badReply(fmt.Sprintf("it is not JSON: byte %d of %d is wrong (a route with --payload raw takes any bytes)", end, len(reply)))
}

// badReply is why a reply cannot become a response.
type badReply string

func (e badReply) Error() string { return string(e) }

// respond makes a reply of payload format 2.0 the response, as API Gateway's
// HTTP APIs do: an object with a statusCode says what the response is, any
// other JSON value is the body of a 200, a string without its quotes. scratch
// is for its use and returned. After an error the response is not usable.
func respond(out *fasthttp.Response, reply, scratch []byte) ([]byte, error) {
	value, m, err := parseReply(reply)
	if err != nil {
		return scratch, err
	}
	if m.statusCode == nil {
		out.Header.SetContentTypeBytes(contentTypeJSON)
		if value[0] == '"' {
			scratch = appendUnquoted(scratch[:0], value[1:len(value)-1])
			value = scratch
		}
		setBody(out, value)
		return scratch, nil
	}
	return respondShaped(out, &m, scratch, contentTypeText, nil)
}

// respondShaped makes a reply with a statusCode the response. contentType is that
// of a text where the reply names none. Of the headers, those in listed are left
// out; it may be nil.
func respondShaped(out *fasthttp.Response, m *replyMembers, scratch, contentType []byte, listed *listedHeaders) ([]byte, error) {
	status, err := parseStatus(m.statusCode)
	if err != nil {
		return scratch, err
	}
	out.SetStatusCode(status)
	if scratch, err = setHeaders(&out.Header, m, scratch, listed); err != nil {
		return scratch, err
	}
	if status == fasthttp.StatusNoContent || status == fasthttp.StatusNotModified || m.body == nil {
		return scratch, nil
	}
	if m.body[0] != '"' {
		return scratch, badReply("its body is not a string")
	}
	scratch = appendUnquoted(scratch[:0], m.body[1:len(m.body)-1])
	body := scratch
	if string(m.isBase64Encoded) == "true" {
		contentType = contentTypeBinary
		n, err := base64.StdEncoding.Decode(scratch, scratch) // in place: it never grows
		if err != nil {
			return scratch, badReply("its body is not base64: " + err.Error())
		}
		body = scratch[:n]
	}
	if len(out.Header.ContentType()) == 0 && len(body) > 0 {
		out.Header.SetContentTypeBytes(contentType)
	}
	setBody(out, body)
	return scratch, nil
}

// setBody makes b, a part of one of the exchange's buffers, the body. A large
// one is not copied: keep gives such a buffer up anyway, and fasthttp does not
// keep what it did not allocate.
func setBody(out *fasthttp.Response, b []byte) {
	if len(b) > maxKept {
		out.SetBodyRaw(b)
		return
	}
	out.SetBody(b)
}

// maxReplyHeader bounds the JSON text of all header fields of a reply in bytes.
const maxReplyHeader = 64 << 10

var (
	contentTypeJSON   = []byte("application/json")
	contentTypeText   = []byte("text/plain; charset=utf-8")
	contentTypeBinary = []byte("application/octet-stream")
	setCookieHeader   = []byte("Set-Cookie")
)

// parseStatus reads a statusCode: a number, or a string of one, from 200 on,
// because a 1xx is no final response.
func parseStatus(value []byte) (int, error) {
	text := value
	if len(text) > 2 && text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	status := 0
	for _, c := range text {
		if !isDigit(c) || len(text) != 3 {
			return 0, badReply(fmt.Sprintf("its statusCode %.20s is not a status", value))
		}
		status = 10*status + int(c-'0')
	}
	if status < 200 || status > 599 {
		return 0, badReply(fmt.Sprintf("its statusCode %d is not from 200 to 599", status))
	}
	return status, nil
}

func setHeaders(out *fasthttp.ResponseHeader, m *replyMembers, scratch []byte, listed *listedHeaders) ([]byte, error) {
	var err error
	if n := len(m.headers) + len(m.multiValueHeaders) + len(m.cookies); n > maxReplyHeader {
		return scratch, badReply(fmt.Sprintf("its header fields take %d bytes, more than %d", n, maxReplyHeader))
	}
	if m.headers != nil {
		if m.headers[0] != '{' {
			return scratch, badReply("its headers are not an object")
		}
		for c := (cursor{b: m.headers}); ; {
			name, value, ok := c.next()
			if !ok {
				break
			}
			if listed.has(name, value) {
				continue
			}
			if scratch, err = addHeader(out, name, value, scratch); err != nil {
				return scratch, err
			}
		}
	}
	if m.multiValueHeaders != nil {
		if m.multiValueHeaders[0] != '{' {
			return scratch, badReply("its multiValueHeaders are not an object")
		}
		for c := (cursor{b: m.multiValueHeaders}); ; {
			name, values, ok := c.next()
			if !ok {
				break
			}
			if scratch, err = addEach(out, name, values, scratch); err != nil {
				return scratch, err
			}
		}
	}
	if m.cookies != nil {
		return addEach(out, setCookieHeader, m.cookies, scratch)
	}
	return scratch, nil
}

// addEach adds a header for each element of an array.
func addEach(out *fasthttp.ResponseHeader, name, values, scratch []byte) ([]byte, error) {
	if values[0] != '[' {
		return scratch, badReply(fmt.Sprintf("the values of %.64q are not an array", name))
	}
	var err error
	for c := (cursor{b: values}); ; {
		_, value, ok := c.next()
		if !ok {
			return scratch, nil
		}
		if scratch, err = addHeader(out, name, value, scratch); err != nil {
			return scratch, err
		}
	}
}

// addHeader adds one header, whose value is JSON text. A value that is no
// scalar, or that would end the header, is an error; null is left out.
func addHeader(out *fasthttp.ResponseHeader, name, value, scratch []byte) ([]byte, error) {
	if !isToken(name) {
		return scratch, badReply(fmt.Sprintf("%.64q is not the name of a header", name))
	}
	switch value[0] {
	case '{', '[':
		return scratch, badReply(fmt.Sprintf("the value of the header %.64s is no string", name))
	case 'n':
		return scratch, nil
	case '"':
		scratch = appendUnquoted(scratch[:0], value[1:len(value)-1])
		value = scratch
	}
	if !validFieldValue(value) {
		return scratch, badReply(fmt.Sprintf("the value of the header %.64s has control characters", name))
	}
	if !isHopByHop(name) {
		out.AddBytesKV(name, value)
	}
	return scratch, nil
}

// isHopByHop reports whether a header is about the connection and the framing
// (RFC 9110, section 7.6.1), which are the server's business.
func isHopByHop(name []byte) bool {
	for _, h := range [...]string{
		"Connection", "Content-Length", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		if len(name) == len(h) && bytes.EqualFold(name, []byte(h)) {
			return true
		}
	}
	return false
}

// fault writes an error of the gateway itself, in API Gateway's form.
func fault(out *fasthttp.Response, status int, message string) {
	faultNamed(out, status, message, false)
}

// faultNamed is fault; capital names the member Message. The text may come from
// a client.
func faultNamed(out *fasthttp.Response, status int, message string, capital bool) {
	out.ResetBody()
	out.SetStatusCode(status)
	out.Header.SetContentTypeBytes(contentTypeJSON)
	if capital {
		out.AppendBodyString(`{"Message":`)
	} else {
		out.AppendBodyString(`{"message":`)
	}
	var room [128]byte
	out.AppendBody(appendString(room[:0], []byte(message)))
	out.AppendBodyString("}\n")
}
