package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ledge/engine"
)

// eventOf returns the event that a request to a server gives its function, and
// the response's status.
func eventOf(t testing.TB, s *Server, wire string) (text []byte, status int) {
	t.Helper()
	s.now = func() time.Time { return testTime }
	s.cfg.Invoker = succeeding(func(inv *engine.Invocation, res *engine.Result) {
		text = bytes.Clone(inv.Payload)
		res.Payload = append(res.Payload[:0], `{"statusCode":200}`...)
	})
	ctx := newCtx(t, wire)
	s.handle(ctx)
	return text, ctx.Response.StatusCode()
}

// equalEvents compares two JSON texts; where want has "REQUEST-ID", got has the
// request's own.
func equalEvents(t *testing.T, got []byte, want string) {
	t.Helper()
	var have, wanted map[string]any
	if err := json.Unmarshal(got, &have); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if inside, ok := have["requestContext"].(map[string]any); ok {
		id := fmt.Sprint(inside["requestId"])
		if len(id) != 36 {
			t.Errorf("request ID %q", id)
		}
		want = strings.ReplaceAll(want, "REQUEST-ID", id)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if !reflect.DeepEqual(have, wanted) {
		a, _ := json.MarshalIndent(have, "", " ")
		b, _ := json.MarshalIndent(wanted, "", " ")
		t.Errorf("got %s\nwant %s", a, b)
	}
}

const probeRequest = "POST /prod/hello/J%c3%b6rg%2FX?name=me&multivalueName=you&multivalueName=me%20too HTTP/1.1\r\n" +
	"Host: abc123.execute-api.localhost:8080\r\nUser-Agent: probe/1\r\nX-mANY: one\r\nx-Many: two\r\n" +
	"X-Forwarded-For: 198.51.100.9\r\nx-forwarded-for: 198.51.100.10\r\nx-forwarded-proto: gopher\r\nCookie: a=1; b=2\r\n" +
	"content-type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"

// TestEventRESTV1 follows the example of "Input format of a Lambda function for
// proxy integration" in the developer guide of API Gateway, member by member.
func TestEventRESTV1(t *testing.T) {
	r := v1(route(t, "POST /hello/{name}"))
	r.ResourceID, r.Operation = "x2kq5c", "Greet"
	s := publish(t, Config{Invoker: invokerFunc(echo)}, Published{APIs: []API{{ID: "abc123", Kind: KindREST, Stages: []Stage{
		{Name: "prod", Routes: []Route{r}, Variables: map[string]string{"table": "t\"1", "a": "b"}},
	}}}})
	got, _ := eventOf(t, s, probeRequest)
	equalEvents(t, got, `{
		"resource": "/hello/{name}",
		"path": "/hello/J%c3%b6rg%2FX",
		"httpMethod": "POST",
		"headers": {
			"Host": "abc123.execute-api.localhost:8080", "User-Agent": "probe/1", "X-mANY": "two",
			"X-Forwarded-For": "198.51.100.9, 198.51.100.10, 192.0.2.7", "X-Forwarded-Port": "8080", "X-Forwarded-Proto": "http",
			"Cookie": "a=1; b=2", "content-type": "application/json", "Content-Length": "7"
		},
		"multiValueHeaders": {
			"Host": ["abc123.execute-api.localhost:8080"], "User-Agent": ["probe/1"], "X-mANY": ["one", "two"],
			"X-Forwarded-For": ["198.51.100.9, 198.51.100.10, 192.0.2.7"], "X-Forwarded-Port": ["8080"], "X-Forwarded-Proto": ["http"],
			"Cookie": ["a=1; b=2"], "content-type": ["application/json"], "Content-Length": ["7"]
		},
		"queryStringParameters": {"name": "me", "multivalueName": "me too"},
		"multiValueQueryStringParameters": {"name": ["me"], "multivalueName": ["you", "me too"]},
		"requestContext": {
			"accountId": "000000000000", "apiId": "abc123", "stage": "prod",
			"resourceId": "x2kq5c", "resourcePath": "/hello/{name}", "operationName": "Greet",
			"domainName": "abc123.execute-api.localhost", "domainPrefix": "abc123",
			"httpMethod": "POST", "path": "/prod/hello/J%c3%b6rg%2FX", "protocol": "HTTP/1.1",
			"requestId": "REQUEST-ID", "extendedRequestId": "REQUEST-ID",
			"requestTime": "12/Mar/2020:19:03:58 +0000", "requestTimeEpoch": 1584039838390,
			"identity": {
				"accessKey": null, "accountId": null, "apiKey": null, "apiKeyId": null, "caller": null, "clientCert": null,
				"cognitoAuthenticationProvider": null, "cognitoAuthenticationType": null, "cognitoIdentityId": null,
				"cognitoIdentityPoolId": null, "principalOrgId": null, "sourceIp": "192.0.2.7", "user": null,
				"userAgent": "probe/1", "userArn": null
			}
		},
		"pathParameters": {"name": "J\u00f6rg/X"},
		"stageVariables": {"table": "t\"1", "a": "b"},
		"body": "{\"a\":1}", "isBase64Encoded": false
	}`)
}

// TestEventRESTV1Absent: what is absent is null, and functions rely on it.
func TestEventRESTV1Absent(t *testing.T) {
	s := publish(t, Config{Invoker: invokerFunc(echo)}, Published{APIs: []API{{ID: "abc123", Kind: KindREST, Stages: []Stage{stageOf(t, "prod", v1, "GET /")}}}})
	got, _ := eventOf(t, s, "GET /prod? HTTP/1.1\r\nHost: abc123\r\n\r\n")
	var members map[string]json.RawMessage
	if err := json.Unmarshal(got, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body"} {
		if string(members[name]) != "null" {
			t.Errorf("%s is %s", name, members[name])
		}
	}
	if bytes.Contains(got, []byte(`"authorizer"`)) || bytes.Contains(got, []byte(`"version"`)) || bytes.Contains(got, []byte(`"operationName"`)) {
		t.Errorf("%s", got)
	}
}

// TestEventHTTPV1 follows the example of format 1.0 in "Create AWS Lambda proxy
// integrations for HTTP APIs in API Gateway".
func TestEventHTTPV1(t *testing.T) {
	s := publish(t, Config{Invoker: invokerFunc(echo)}, Published{APIs: []API{{ID: "abc123", Stages: []Stage{stageOf(t, "prod", v1, "$default")}}}})
	got, _ := eventOf(t, s, "GET /prod/my/path?parameter1=value1&parameter1=value2&parameter2=value HTTP/1.1\r\nHost: abc123\r\nheader1: value1\r\nHeader2: value1\r\nHeader2: value2\r\n\r\n")
	equalEvents(t, got, `{
		"version": "1.0", "resource": "$default", "path": "/prod/my/path", "httpMethod": "GET",
		"headers": {"Host": "abc123", "header1": "value1", "Header2": "value2",
			"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Port": "8080", "X-Forwarded-Proto": "http"},
		"multiValueHeaders": {"Host": ["abc123"], "header1": ["value1"], "Header2": ["value1", "value2"],
			"X-Forwarded-For": ["192.0.2.7"], "X-Forwarded-Port": ["8080"], "X-Forwarded-Proto": ["http"]},
		"queryStringParameters": {"parameter1": "value2", "parameter2": "value"},
		"multiValueQueryStringParameters": {"parameter1": ["value1", "value2"], "parameter2": ["value"]},
		"requestContext": {
			"accountId": "000000000000", "apiId": "abc123", "authorizer": {"claims": null, "scopes": null},
			"domainName": "abc123", "domainPrefix": "abc123", "extendedRequestId": "REQUEST-ID", "httpMethod": "GET",
			"identity": {"accessKey": null, "accountId": null, "caller": null, "cognitoAuthenticationProvider": null,
				"cognitoAuthenticationType": null, "cognitoIdentityId": null, "cognitoIdentityPoolId": null,
				"principalOrgId": null, "sourceIp": "192.0.2.7", "user": null, "userAgent": "", "userArn": null, "clientCert": null},
			"path": "/prod/my/path", "protocol": "HTTP/1.1", "requestId": "REQUEST-ID",
			"requestTime": "12/Mar/2020:19:03:58 +0000", "requestTimeEpoch": 1584039838390,
			"resourceId": null, "resourcePath": "$default", "stage": "prod"
		},
		"pathParameters": null, "stageVariables": null, "body": null, "isBase64Encoded": false
	}`)
}

// TestEventV2OfAPI: format 2.0 of an API names it, its stage and its variables.
func TestEventV2OfAPI(t *testing.T) {
	s := publish(t, Config{Invoker: invokerFunc(echo)}, Published{APIs: []API{{ID: "abc123", Stages: []Stage{
		{Name: "prod", Routes: []Route{route(t, "POST /hello/{name}")}, Variables: map[string]string{"stageVariable1": "value1"}},
	}}}})
	got, _ := eventOf(t, s, probeRequest)
	equalEvents(t, got, `{
		"version": "2.0", "routeKey": "POST /hello/{name}", "rawPath": "/prod/hello/J%c3%b6rg%2FX",
		"rawQueryString": "name=me&multivalueName=you&multivalueName=me%20too",
		"cookies": ["a=1", "b=2"],
		"headers": {"host": "abc123.execute-api.localhost:8080", "user-agent": "probe/1", "x-many": "one,two",
			"content-type": "application/json", "content-length": "7",
			"x-forwarded-for": "198.51.100.9,198.51.100.10, 192.0.2.7", "x-forwarded-port": "8080", "x-forwarded-proto": "http"},
		"queryStringParameters": {"name": "me", "multivalueName": "you,me too"},
		"requestContext": {
			"accountId": "000000000000", "apiId": "abc123", "domainName": "abc123.execute-api.localhost", "domainPrefix": "abc123",
			"http": {"method": "POST", "path": "/prod/hello/J%c3%b6rg%2FX", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "probe/1"},
			"requestId": "REQUEST-ID", "routeKey": "POST /hello/{name}", "stage": "prod",
			"time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1584039838390
		},
		"pathParameters": {"name": "J\u00f6rg/X"}, "stageVariables": {"stageVariable1": "value1"},
		"body": "{\"a\":1}", "isBase64Encoded": false
	}`)
}

func TestBinaryTypes(t *testing.T) {
	for _, test := range []struct {
		types             []string
		contentType, body string
		encoded           bool
	}{
		{nil, "image/png", "text", false},
		{nil, "", "text", false},
		{nil, "image/png", "\xff", true}, // it could not be text
		{[]string{"image/png"}, "image/png", "text", true},
		{[]string{"image/png"}, "IMAGE/png; x=y", "text", true},
		{[]string{"image/png"}, "image/jpeg", "text", false},
		{[]string{"image/*"}, "image/jpeg", "text", true},
		{[]string{"image/*"}, "imagine/jpeg", "text", false},
		{[]string{"*/*"}, "", "text", true},
		{[]string{"*/*"}, "application/json", "{}", true},
		{[]string{"image/*"}, "image/" + strings.Repeat("x", 300), "text", false},
	} {
		stage := stageOf(t, "prod", v1, "POST /")
		stage.BinaryTypes = test.types
		s := publish(t, Config{Invoker: invokerFunc(echo)}, Published{APIs: []API{{ID: "abc123", Kind: KindREST, Stages: []Stage{stage}}}})
		got, _ := eventOf(t, s, fmt.Sprintf("POST /prod HTTP/1.1\r\nHost: abc123\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", test.contentType, len(test.body), test.body))
		e := decodeEvent(t, got)
		want := test.body
		if test.encoded {
			want = base64.StdEncoding.EncodeToString([]byte(want))
		}
		if e.Body == nil || *e.Body != want || *e.IsBase64Encoded != test.encoded {
			t.Errorf("%q of %q with %q: got %s", test.body, test.contentType, test.types, got)
		}
	}
}

// FuzzEventV1: an event of format 1.0 is valid JSON whatever the request holds,
// and both members with headers agree.
func FuzzEventV1(f *testing.F) {
	f.Add("/a/b", "q=1&q=2", "X-A", "v", "x-a", "w", []byte(`{"a":"\u0000"}`))
	f.Add("/a/%ff", "%ff=%", "Cookie", "a=\xff; b", "x-forwarded-for", "\xff", []byte{0xff, 0})
	f.Add("/a/\"", "a&&=&+", "x-forwarded-for", "\"\\\t", "X-FORWARDED-For", "b", []byte("\x1f\x8b"))
	s := publish(f, Config{Invoker: invokerFunc(echo)}, Published{APIs: []API{{ID: "abc123", Kind: KindREST, Stages: []Stage{stageOf(f, "prod", v1, "POST /a/{x}", "ANY /{p+}")}}}})
	var event []byte
	s.cfg.Invoker = succeeding(func(inv *engine.Invocation, res *engine.Result) {
		event = append(event[:0], inv.Payload...)
		res.Payload = append(res.Payload[:0], `{"statusCode":200}`...)
	})
	f.Fuzz(func(t *testing.T, path, query, name, value, name2, value2 string, body []byte) {
		var wire bytes.Buffer
		fmt.Fprintf(&wire, "POST /prod%s?%s HTTP/1.1\r\nHost: abc123\r\n%s: %s\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s",
			path, query, name, value, name2, value2, len(body), body)
		ctx := newPlainCtx()
		if err := readRequest(&ctx.Request, wire.Bytes()); err != nil {
			return // not a request
		}
		event = event[:0]
		s.handle(ctx)
		if len(event) == 0 {
			return // no route
		}
		if !json.Valid(event) || !utf8.Valid(event) {
			t.Fatalf("not JSON: %s", event)
		}
		var e struct {
			Headers           map[string]string
			MultiValueHeaders map[string][]string
		}
		if err := json.Unmarshal(event, &e); err != nil {
			t.Fatal(err)
		}
		if len(e.Headers) != len(e.MultiValueHeaders) || len(e.Headers) == 0 {
			t.Fatalf("%d and %d headers in %s", len(e.Headers), len(e.MultiValueHeaders), event)
		}
		for name, values := range e.MultiValueHeaders {
			if e.Headers[name] != values[len(values)-1] {
				t.Fatalf("%s is %q and %q", name, e.Headers[name], values)
			}
		}
	})
}

// TestReplyV1 is about what format 1.0 asks of replies.
func TestReplyV1(t *testing.T) {
	rest := API{ID: "abc123", Kind: KindREST, Stages: []Stage{stageOf(t, "prod", v1, "GET /")}}
	web := API{ID: "web1", Stages: []Stage{stageOf(t, "prod", v1, "GET /")}}
	for _, test := range []struct {
		host, reply string
		status      int
		body        string
		headers     string
	}{
		{"abc123", `{"statusCode":201,"body":"x","headers":{"a":"b"},"multiValueHeaders":{"c":["d"]}}`, 201, "x", "A=b|C=d|Content-Type=application/json"},
		{"abc123", `{"statusCode":200,"headers":{"a":"1","b":"2","Content-Type":"x/y"},"multiValueHeaders":{"A":["0","1"],"b":["3"],"content-type":["x/y"]}}`, 200, "", "A=0,1|B=2,3|Content-Type=x/y"},
		{"abc123", `{"statusCode":200,"headers":{"a":"1"},"multiValueHeaders":{"a":"1"}}`, 502, `{"message":"Internal server error"}`, ""},
		{"abc123", `{"statusCode":200,"headers":{"a":"1"},"multiValueHeaders":[]}`, 502, `{"message":"Internal server error"}`, ""},
		{"abc123", `{"statusCode":"200","body":"PGE+","isBase64Encoded":true}`, 200, "<a>", "Content-Type=application/octet-stream"},
		{"abc123", `{"statusCode":200,"cookies":["a=b"]}`, 200, "", "Set-Cookie="},
		{"abc123", `{"body":"x"}`, 502, `{"message":"Internal server error"}`, "X-Amzn-Errortype=InternalServerErrorException"},
		{"abc123", `"hello"`, 502, `{"message":"Internal server error"}`, ""},
		{"abc123", `{"statusCode":200,"body":{}}`, 502, `{"message":"Internal server error"}`, ""},
		{"abc123", ``, 502, `{"message":"Internal server error"}`, ""},
		{"web1", `{"statusCode":200,"body":"x"}`, 200, "x", "Content-Type=text/plain; charset=utf-8"},
		{"web1", `{"body":"x"}`, 500, `{"message":"Internal Server Error"}`, "X-Amzn-Errortype="},
	} {
		s := publish(t, Config{Invoker: replies(test.reply)}, Published{APIs: []API{rest, web}})
		ctx := newCtx(t, "GET /prod HTTP/1.1\r\nHost: "+test.host+"\r\n\r\n")
		s.handle(ctx)
		status, body := ctx.Response.StatusCode(), string(ctx.Response.Body())
		header := func(name string) string {
			return string(bytes.Join(ctx.Response.Header.PeekAll(name), []byte{','}))
		}
		if status != test.status || strings.TrimSuffix(body, "\n") != test.body {
			t.Errorf("%s: got %d %q, want %d %q", test.reply, status, body, test.status, test.body)
		}
		for field := range strings.SplitSeq(test.headers, "|") {
			if name, want, ok := strings.Cut(field, "="); ok && header(name) != want {
				t.Errorf("%s: %s is %q, want %q", test.reply, name, header(name), want)
			}
		}
	}
}
