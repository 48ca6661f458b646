package gateway

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// This file writes payload format 1.0 in its two flavours: that of REST APIs
// (docs.aws.amazon.com, "Input format of a Lambda function for proxy
// integration") and that of HTTP APIs ("Create AWS Lambda proxy integrations for
// HTTP APIs"). In both, names of headers are spelled as the first of them was
// sent, headers and queryStringParameters hold the last of several values,
// the multi-value members hold all, and what is absent is null.

// constantsV1 sets what does not change in the events of a route.
func (t *target) constantsV1() {
	t.head = []byte{'{'}
	rest := t.stage.api.kind == KindREST
	if !rest {
		t.head = append(t.head, `"version":"1.0",`...)
	}
	t.head = append(t.head, `"resource":`...)
	t.head = appendString(t.head, []byte(t.route.Path))
	t.head = append(t.head, `,"path":`...)

	t.context = append(t.context, `,"requestContext":{"accountId":"`+accountID+`","apiId":"`+t.stage.api.id+`","stage":"`+t.stage.name+`","resourceId":`...)
	t.context = appendStringOrNull(t.context, t.route.ResourceID)
	t.context = append(t.context, `,"resourcePath":`...)
	t.context = appendString(t.context, []byte(t.route.Path))
	if t.route.Operation != "" {
		t.context = append(t.context, `,"operationName":`...)
		t.context = appendString(t.context, []byte(t.route.Operation))
	}
	t.variables = []byte(`,"stageVariables":`)
	if t.stage.shown == nil {
		t.variables = append(t.variables, "null"...)
	}
	t.variables = append(t.variables, t.stage.shown...)
}

func appendStringOrNull(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, []byte(s))
}

// appendEventV1 appends the event of a request. pairs is for its use.
func appendEventV1(b []byte, s *source, pairs *pairSet) []byte {
	b = append(b, s.target.head...)
	b = appendMembersV1(b, s, pairs)
	b = appendBodyV1(b, s)
	return append(b, '}')
}

// appendMembersV1 appends all behind the event's head but the body.
func appendMembersV1(b []byte, s *source, pairs *pairSet) []byte {
	if s.target.stage.api.kind == KindREST {
		b = appendString(b, s.short)
	} else {
		b = appendString(b, s.path)
	}
	b = append(b, `,"httpMethod":`...)
	b = appendString(b, s.header.Method())
	b = appendHeadersV1(b, s, pairs)
	b = appendQueryV1(b, s.query, pairs)
	b = appendContextV1(b, s)
	if len(s.target.names) == 0 {
		b = append(b, `,"pathParameters":null`...)
	}
	b = appendPathParameters(b, s, pairs)
	return append(b, s.target.variables...)
}

// appendHeadersV1 appends both members with headers. In the pairs, each name in
// lower case has its spelling before it, which is as long.
func appendHeadersV1(b []byte, s *source, pairs *pairSet) []byte {
	pairs.reset()
	sent := spellings{s.raw}
	for name, value := range s.header.AllInOrder() {
		pairs.addHeader(sent.next(name), value)
	}
	// The headers that a gateway adds. What the client says of its port and
	// protocol is replaced: the node knows better.
	forwarded := pairs.open("X-Forwarded-For")
	for at := pairs.find(forwarded); at >= 0; {
		pairs.text = append(append(pairs.text, pairs.value(at)...), ", "...)
		if at = pairs.list[at].next; at == 0 {
			break
		}
	}
	if s.client.IsValid() {
		pairs.text = s.client.Addr().AppendTo(pairs.text)
	}
	pairs.replace(forwarded)
	port := pairs.open("X-Forwarded-Port")
	pairs.text = strconv.AppendUint(pairs.text, uint64(s.server.Port()), 10)
	pairs.replace(port)
	proto := pairs.open("X-Forwarded-Proto")
	pairs.text = append(pairs.text, "http"...)
	if s.tls {
		pairs.text = append(pairs.text, 's')
	}
	pairs.replace(proto)

	b = append(b, `,"headers":`...)
	b = pairs.appendLast(b, true)
	b = append(b, `,"multiValueHeaders":`...)
	return pairs.appendLists(b, true)
}

func appendQueryV1(b, query []byte, pairs *pairSet) []byte {
	pairs.addQuery(query)
	if len(pairs.list) == 0 {
		return append(b, `,"queryStringParameters":null,"multiValueQueryStringParameters":null`...)
	}
	b = append(b, `,"queryStringParameters":`...)
	b = pairs.appendLast(b, false)
	b = append(b, `,"multiValueQueryStringParameters":`...)
	return pairs.appendLists(b, false)
}

func appendContextV1(b []byte, s *source) []byte {
	rest := s.target.stage.api.kind == KindREST
	b = append(b, s.target.context...)
	b = s.who.appendV1(b, rest)
	host := hostName(s.header.Host())
	b = append(b, `,"domainName":`...)
	b = appendString(b, host)
	b = append(b, `,"domainPrefix":`...)
	prefix, _, _ := bytes.Cut(host, []byte{'.'})
	b = appendString(b, prefix)
	b = append(b, `,"httpMethod":`...)
	b = appendString(b, s.header.Method())
	b = append(b, `,"path":`...)
	b = appendString(b, s.path)
	b = append(b, `,"protocol":`...)
	b = appendString(b, s.header.Protocol())
	b = append(b, `,"requestId":"`...)
	b = append(b, s.id...)
	b = append(b, `","extendedRequestId":"`...)
	b = append(b, s.id...)
	b = append(b, `","requestTime":"`...)
	b = append(b, s.time.text...)
	b = append(b, `","requestTimeEpoch":`...)
	b = strconv.AppendInt(b, s.now.UnixMilli(), 10)
	b = append(b, `,"identity":{`...)
	b = s.who.appendIdentity(b, rest)
	b = append(b, `,"sourceIp":"`...)
	if s.client.IsValid() {
		b = s.client.Addr().AppendTo(b)
	}
	b = append(b, `","userAgent":`...)
	b = appendString(b, s.header.UserAgent())
	return append(b, '}', '}')
}

// appendBodyV1 appends the body: as text where its type is not binary to the
// API and it is UTF-8, otherwise in base64. (API Gateway would turn other bytes
// of a type that is not binary into question marks; nobody wants those.)
func appendBodyV1(b []byte, s *source) []byte {
	if len(s.body) == 0 {
		return append(b, `,"body":null,"isBase64Encoded":false`...)
	}
	if s.target.stage.api.kind != KindREST {
		return appendBody(b, s)
	}
	b = append(b, `,"body":"`...)
	if !s.target.stage.binary.match(s.header.ContentType()) && utf8.Valid(s.body) {
		b = appendEscapedValid(b, s.body)
		return append(b, `","isBase64Encoded":false`...)
	}
	b = base64.StdEncoding.AppendEncode(b, s.body)
	return append(b, `","isBase64Encoded":true`...)
}
