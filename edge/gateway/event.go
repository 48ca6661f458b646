package gateway

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"ledge/engine"
)

// What a node has in place of an AWS account and an API.
const (
	accountID = engine.AccountID
	apiID     = "ledge"
)

// source is what an event is made from. It borrows all its bytes.
type source struct {
	target      *target
	params      *captured
	header      *fasthttp.RequestHeader
	path, query []byte // as they were sent
	short       []byte // the path without an API's stage; only for routes of one
	raw         []byte // the header fields as they were sent, where format 1.0 is written
	who         *identity
	body        []byte
	id          []byte // the request's, as text
	client      netip.AddrPort
	server      netip.AddrPort
	tls         bool
	now         time.Time // when it came
	time        *stamp    // of now
}

// constantsV2 sets what does not change in the events of a route.
func (t *target) constantsV2() {
	t.head = append(t.head, `{"version":"2.0","routeKey":`...)
	t.head = appendString(t.head, []byte(t.key))
	t.head = append(t.head, `,"rawPath":`...)
	id, name := apiID, DefaultStage
	if t.stage != nil {
		id, name = t.stage.api.id, t.stage.name
		if t.stage.shown != nil {
			t.variables = append([]byte(`,"stageVariables":`), t.stage.shown...)
		}
	}
	t.context = []byte(`,"requestContext":{"accountId":"` + accountID + `","apiId":"` + id + `",`)
	t.routeStage = append(t.routeStage, `","routeKey":`...)
	t.routeStage = appendString(t.routeStage, []byte(t.key))
	t.routeStage = append(t.routeStage, `,"stage":"`+name+`","time":"`...)
}

// appendEvent appends the event of a request in API Gateway's payload format
// 2.0 (docs.aws.amazon.com, "Create AWS Lambda proxy integrations for HTTP
// APIs"). pairs is for its use. As there, names of headers are in lower case,
// cookies are apart, members without content are left out, and the client's
// address is in x-forwarded-for.
func appendEvent(b []byte, s *source, pairs *pairSet) []byte {
	b = append(b, s.target.head...)
	b = appendMembers(b, s, pairs)
	b = appendBody(b, s)
	return append(b, '}')
}

// appendMembers appends all behind the event's head but the body.
func appendMembers(b []byte, s *source, pairs *pairSet) []byte {
	b = appendString(b, s.path)
	b = append(b, `,"rawQueryString":`...)
	b = appendString(b, s.query)
	b = appendHeaders(b, s, pairs)
	b = appendQuery(b, s.query, pairs)
	b = appendContext(b, s)
	b = appendPathParameters(b, s, pairs)
	return append(b, s.target.variables...)
}

func appendHeaders(b []byte, s *source, pairs *pairSet) []byte {
	pairs.reset()
	for name, value := range s.header.AllInOrder() {
		start := len(pairs.text)
		pairs.text = appendLower(pairs.text, name)
		middle := len(pairs.text)
		pairs.text = append(pairs.text, value...)
		pairs.add(start, middle)
	}
	cookies, forwarded := int32(-1), int32(-1)
	b = append(b, `,"headers":{`...)
	for i := range pairs.list {
		at := int32(i)
		if !pairs.list[i].first {
			continue
		}
		name := pairs.name(at)
		switch string(name) {
		case "cookie":
			cookies = at
			continue
		case "x-forwarded-for":
			forwarded = at
			continue
		case "x-forwarded-port", "x-forwarded-proto":
			continue // the node knows better than the client
		}
		b = appendString(b, name)
		b = append(b, ':', '"')
		b = pairs.appendJoined(b, at)
		b = append(b, '"', ',')
	}
	b = appendForwarded(b, s, pairs, forwarded)
	b = append(b, '}')
	if cookies < 0 {
		return b
	}
	return appendCookies(b, pairs, cookies)
}

// appendForwarded appends the headers that a gateway adds. at is the first
// x-forwarded-for that the client sent, or -1.
func appendForwarded(b []byte, s *source, pairs *pairSet, at int32) []byte {
	b = append(b, `"x-forwarded-for":"`...)
	if at >= 0 {
		b = pairs.appendJoined(b, at)
	}
	if s.client.IsValid() {
		if at >= 0 {
			b = append(b, ", "...)
		}
		b = s.client.Addr().AppendTo(b)
	}
	b = append(b, `","x-forwarded-port":"`...)
	b = strconv.AppendUint(b, uint64(s.server.Port()), 10)
	b = append(b, `","x-forwarded-proto":"http`...)
	if s.tls {
		b = append(b, 's')
	}
	return append(b, '"')
}

// appendCookies appends each cookie of a chain of Cookie headers by itself.
func appendCookies(b []byte, pairs *pairSet, at int32) []byte {
	b = append(b, `,"cookies":[`...)
	for n := 0; ; {
		rest := pairs.value(at)
		for len(rest) > 0 {
			var cookie []byte
			cookie, rest, _ = bytes.Cut(rest, []byte{';'})
			if cookie = bytes.TrimSpace(cookie); len(cookie) == 0 {
				continue
			}
			if n++; n > 1 {
				b = append(b, ',')
			}
			b = appendString(b, cookie)
		}
		if at = pairs.list[at].next; at == 0 {
			return append(b, ']')
		}
	}
}

func appendQuery(b, query []byte, pairs *pairSet) []byte {
	if len(query) == 0 {
		return b
	}
	pairs.addQuery(query)
	if len(pairs.list) == 0 {
		return b
	}
	b = append(b, `,"queryStringParameters":{`...)
	for i := range pairs.list {
		if !pairs.list[i].first {
			continue
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, pairs.name(int32(i)))
		b = append(b, ':', '"')
		b = pairs.appendJoined(b, int32(i))
		b = append(b, '"')
	}
	return append(b, '}')
}

func appendContext(b []byte, s *source) []byte {
	host := hostName(s.header.Host())
	b = append(b, s.target.context...)
	if s.who != nil {
		b = s.who.appendV2(b)
	}
	b = append(b, `"domainName":`...)
	b = appendString(b, host)
	b = append(b, `,"domainPrefix":`...)
	prefix, _, _ := bytes.Cut(host, []byte{'.'})
	b = appendString(b, prefix)
	b = append(b, `,"http":{"method":`...)
	b = appendString(b, s.header.Method())
	b = append(b, `,"path":`...)
	b = appendString(b, s.path)
	b = append(b, `,"protocol":`...)
	b = appendString(b, s.header.Protocol())
	b = append(b, `,"sourceIp":"`...)
	if s.client.IsValid() {
		b = s.client.Addr().AppendTo(b)
	}
	b = append(b, `","userAgent":`...)
	b = appendString(b, s.header.UserAgent())
	b = append(b, `},"requestId":"`...)
	b = append(b, s.id...)
	b = append(b, s.target.routeStage...)
	b = append(b, s.time.text...)
	b = append(b, `","timeEpoch":`...)
	b = strconv.AppendInt(b, s.now.UnixMilli(), 10)
	return append(b, '}')
}

func appendPathParameters(b []byte, s *source, pairs *pairSet) []byte {
	if len(s.target.names) == 0 {
		return b
	}
	b = append(b, `,"pathParameters":{`...)
	for i, name := range s.target.names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, name...) // letters, digits and -._: need no escaping
		b = append(b, '"', ':')
		pairs.text = appendUnescaped(pairs.text[:0], s.params.values[i], false)
		b = appendString(b, pairs.text)
	}
	return append(b, '}')
}

// appendBody appends text as it is and everything else in base64. Text is what
// its content type says is text and what is UTF-8 besides.
func appendBody(b []byte, s *source) []byte {
	if len(s.body) == 0 {
		return append(b, `,"isBase64Encoded":false`...)
	}
	b = append(b, `,"body":"`...)
	if isText(s.header.ContentType()) && utf8.Valid(s.body) {
		b = appendEscapedValid(b, s.body)
		return append(b, `","isBase64Encoded":false`...)
	}
	b = base64.StdEncoding.AppendEncode(b, s.body)
	return append(b, `","isBase64Encoded":true`...)
}

// isText reports whether a content type is one of text. Parameters do not
// matter: whether the body really is UTF-8 is looked at besides.
func isText(contentType []byte) bool {
	media, _, _ := bytes.Cut(contentType, []byte{';'})
	media = bytes.TrimSpace(media)
	var room [64]byte
	if len(media) > len(room) {
		return false
	}
	media = appendLower(room[:0], media)
	if bytes.HasPrefix(media, []byte("text/")) ||
		bytes.HasSuffix(media, []byte("+json")) || bytes.HasSuffix(media, []byte("+xml")) {
		return true
	}
	switch string(media) {
	case "application/json", "application/xml", "application/javascript", "application/x-javascript",
		"application/ecmascript", "application/x-www-form-urlencoded":
		return true
	}
	return false
}

// hostName returns a Host header without its port.
func hostName(host []byte) []byte {
	if i := bytes.LastIndexByte(host, ':'); i >= 0 && bytes.IndexByte(host[i:], ']') < 0 {
		return host[:i]
	}
	return host
}
