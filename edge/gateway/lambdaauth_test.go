package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ledge/engine"
)

// asking is an engine in which the function "auth" answers as an authorizer and
// every other one with 200.
type asking struct {
	answer string
	err    error
	events [][]byte // that auth got
}

func (a *asking) Invoke(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
	if inv.Function != "auth" {
		res.Payload = append(res.Payload[:0], `{"statusCode":200}`...)
		return nil
	}
	a.events = append(a.events, bytes.Clone(inv.Payload))
	res.Payload = append(res.Payload[:0], a.answer...)
	return a.err
}

// authorized is an API whose route is guarded by l.
func authorized(t testing.TB, kind Kind, text string, l LambdaAuthorizer) Published {
	r := route(t, text)
	if kind == KindREST {
		r.Payload = PayloadV1
	}
	l.Function = "auth"
	r.Authorizer = &Authorizer{ID: "au", Lambda: &l}
	return Published{APIs: []API{{ID: "api1", Kind: kind, Stages: []Stage{{Name: "test", Routes: []Route{r}, Variables: map[string]string{"v": "1"}}}}}}
}

const (
	yes       = `{"isAuthorized":true,"context":{"exampleKey":"exampleValue","n":1,"list":[1,"a"],"none":null}}`
	allowHere = `{"principalId":"abcdef","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"arn:aws:execute-api:us-east-1:000000000000:api1/test/GET/request/*"}]},"context":{"s":"a\"b","n":1.5,"b":true}}`
)

// TestAuthorizerEvents compares what functions are asked with the examples of the
// developer guide: "Control access to HTTP APIs with AWS Lambda authorizers",
// formats 1.0 and 2.0, and "Input to an API Gateway Lambda authorizer", TOKEN and
// REQUEST.
func TestAuthorizerEvents(t *testing.T) {
	const request = "GET /test/request/a%20b?q=1&q=2|Host2: x|Authorization: user1|Cookie: c=1; d=2"
	const identityHTTP = `"identity":{"accessKey":null,"accountId":null,"caller":null,"clientCert":null,"cognitoAuthenticationProvider":null,
		"cognitoAuthenticationType":null,"cognitoIdentityId":null,"cognitoIdentityPoolId":null,"principalOrgId":null,"sourceIp":"192.0.2.7","user":null,"userAgent":"","userArn":null}`
	const members1 = `"path":%q,"httpMethod":"GET",
		"headers":{"Host":"api1","Host2":"x","Authorization":"user1","Cookie":"c=1; d=2","X-Forwarded-For":"192.0.2.7","X-Forwarded-Port":"8080","X-Forwarded-Proto":"http"},
		"multiValueHeaders":{"Host":["api1"],"Host2":["x"],"Authorization":["user1"],"Cookie":["c=1; d=2"],"X-Forwarded-For":["192.0.2.7"],"X-Forwarded-Port":["8080"],"X-Forwarded-Proto":["http"]},
		"queryStringParameters":{"q":"2"},"multiValueQueryStringParameters":{"q":["1","2"]},
		"pathParameters":{"x":"a b"},"stageVariables":{"v":"1"},
		"requestContext":{"accountId":"000000000000","apiId":"api1","stage":"test","resourceId":null,"resourcePath":"/request/{x}","domainName":"api1","domainPrefix":"api1",
			"httpMethod":"GET","path":"/test/request/a%%20b","protocol":"HTTP/1.1","requestId":"REQUEST-ID","extendedRequestId":"REQUEST-ID",
			"requestTime":"12/Mar/2020:19:03:58 +0000","requestTimeEpoch":1584039838390,%s}`
	const arn = "arn:aws:execute-api:us-east-1:000000000000:api1/test/GET/request/a b"
	for name, test := range map[string]struct {
		kind Kind
		l    LambdaAuthorizer
		want string
	}{
		"HTTP 2.0": {KindHTTP, LambdaAuthorizer{Simple: true, IdentitySources: []string{"$request.header.authorization", "$request.querystring.q", "$stageVariables.v", "$context.httpMethod"}}, `{
			"version":"2.0","type":"REQUEST","routeArn":"` + arn + `","identitySource":["user1","1,2","1","GET"],
			"routeKey":"GET /request/{x}","rawPath":"/test/request/a%20b","rawQueryString":"q=1&q=2","cookies":["c=1","d=2"],
			"headers":{"host":"api1","host2":"x","authorization":"user1","x-forwarded-for":"192.0.2.7","x-forwarded-port":"8080","x-forwarded-proto":"http"},
			"queryStringParameters":{"q":"1,2"},
			"requestContext":{"accountId":"000000000000","apiId":"api1","domainName":"api1","domainPrefix":"api1",
				"http":{"method":"GET","path":"/test/request/a%20b","protocol":"HTTP/1.1","sourceIp":"192.0.2.7","userAgent":""},
				"requestId":"REQUEST-ID","routeKey":"GET /request/{x}","stage":"test","time":"12/Mar/2020:19:03:58 +0000","timeEpoch":1584039838390},
			"pathParameters":{"x":"a b"},"stageVariables":{"v":"1"}}`},
		"HTTP 1.0": {KindHTTP, LambdaAuthorizer{Payload: PayloadV1, IdentitySources: []string{"$request.header.Authorization", "$request.querystring.q"}}, `{
			"version":"1.0","type":"REQUEST","methodArn":"` + arn + `","identitySource":"user1,1,2","authorizationToken":"user1,1,2",
			"resource":"/request/{x}",` + fmt.Sprintf(members1, "/test/request/a%20b", `"authorizer":{"claims":null,"scopes":null},`+identityHTTP) + `}`},
		"REST REQUEST": {KindREST, LambdaAuthorizer{Payload: PayloadV1}, `{"type":"REQUEST","methodArn":"` + arn + `","resource":"/request/{x}",` +
			fmt.Sprintf(members1, "/request/a%20b", strings.Replace(identityHTTP, `{`, `{"apiKey":null,"apiKeyId":null,`, 1)) + `}`},
		"REST TOKEN": {KindREST, LambdaAuthorizer{Payload: PayloadV1, Token: true, IdentitySources: []string{"method.request.header.authorization"}},
			`{"type":"TOKEN","authorizationToken":"user1","methodArn":"` + arn + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &asking{answer: allowHere}
			if test.l.Simple {
				fake.answer = yes
			}
			s := publish(t, Config{Invoker: fake}, authorized(t, test.kind, "GET /request/{x}", test.l))
			s.now = func() time.Time { return testTime }
			if status, _, body := ask(t, s, wireOf("api1", request)); status != 200 || len(fake.events) != 1 {
				t.Fatalf("got %d %s after %d questions", status, body, len(fake.events))
			}
			equalEvents(t, fake.events[0], test.want)
		})
	}
}

// TestAuthorizerContext: what the authorizer said is in the event of the route,
// as each kind of API and format has it.
func TestAuthorizerContext(t *testing.T) {
	asV1 := func(p Published) Published {
		p.APIs[0].Stages[0].Routes[0].Payload = PayloadV1
		return p
	}
	for name, test := range map[string]struct {
		p            Published
		answer, want string
	}{
		"2.0 simple": {authorized(t, KindHTTP, "GET /request/{x}", LambdaAuthorizer{Simple: true}), yes, `"authorizer":{"lambda":{"exampleKey":"exampleValue","list":[1,"a"],"n":1,"none":null}},`},
		"2.0 policy": {authorized(t, KindHTTP, "GET /request/{x}", LambdaAuthorizer{}), allowHere, `"authorizer":{"lambda":{"b":true,"n":1.5,"s":"a\"b"}},`},
		"2.0 empty":  {authorized(t, KindHTTP, "GET /request/{x}", LambdaAuthorizer{Simple: true}), `{"isAuthorized":true}`, `"authorizer":{"lambda":{}},`},
		"2.0 not UTF-8": {authorized(t, KindHTTP, "GET /request/{x}", LambdaAuthorizer{Simple: true}), "{\"isAuthorized\":true,\"context\":{\"a\":\"\xff\"}}",
			"\"authorizer\":{\"lambda\":{\"a\":\"\uFFFD\"}},"},
		"HTTP 1.0": {asV1(authorized(t, KindHTTP, "GET /request/{x}", LambdaAuthorizer{Simple: true})), yes, `"authorizer":{"principalId":"","exampleKey":"exampleValue","list":[1,"a"],"n":"1","none":null},`},
		"REST":     {authorized(t, KindREST, "GET /request/{x}", LambdaAuthorizer{Payload: PayloadV1}), allowHere, `"authorizer":{"principalId":"abcdef","b":"true","n":"1.5","s":"a\"b"},`},
	} {
		s := publish(t, Config{Invoker: replies("")}, test.p)
		var event []byte
		s.cfg.Invoker = succeeding(func(inv *engine.Invocation, res *engine.Result) {
			res.Payload = append(res.Payload[:0], test.answer...)
			if inv.Function != "auth" {
				event = bytes.Clone(inv.Payload)
				res.Payload = append(res.Payload[:0], `{"statusCode":200}`...)
			}
		})
		status, _, _ := ask(t, s, wireOf("api1", "GET /test/request/a"))
		if status != 200 || !json.Valid(event) || !strings.Contains(string(event), test.want) {
			t.Errorf("%s: got %d, %s\nwant %s", name, status, event, test.want)
		}
	}
}

func TestAuthorizerDecides(t *testing.T) {
	policy := func(statements string) string {
		return `{"principalId":"u","policyDocument":{"Version":"2012-10-17","Statement":` + statements + `}}`
	}
	const here = `"arn:aws:execute-api:us-east-1:000000000000:api1/test/GET/request/a"`
	const (
		httpNo    = `403 {"message":"Forbidden"}`
		restNo    = `403 {"Message":"User is not authorized to access this resource"}`
		restNever = `403 {"Message":"User is not authorized to access this resource with an explicit deny"}`
		http401   = `401 {"message":"Unauthorized"}`
		http500   = `500 {"message":"Internal Server Error"}`
		rest500   = `500 {"message":"Internal server error"}`
		ok        = `200 `
	)
	header := LambdaAuthorizer{Payload: PayloadV1, Token: true, IdentitySources: []string{"method.request.header.Auth"}, Validation: "tok-[0-9]+"}
	for name, test := range map[string]struct {
		kind   Kind
		l      LambdaAuthorizer
		fields string
		answer string
		err    error
		want   string
		asked  int
		log    string // what the authorizer's log has
	}{
		"simple yes":           {KindHTTP, LambdaAuthorizer{Simple: true}, "", yes, nil, ok, 1, ""},
		"simple no":            {KindHTTP, LambdaAuthorizer{Simple: true}, "", `{"isAuthorized":false}`, nil, httpNo, 1, ""},
		"simple text":          {KindHTTP, LambdaAuthorizer{Simple: true}, "", `{"isAuthorized":"true"}`, nil, http500, 1, "read the authorizer's answer"},
		"simple without":       {KindHTTP, LambdaAuthorizer{Simple: true}, "", allowHere, nil, http500, 1, "no isAuthorized"},
		"no JSON":              {KindHTTP, LambdaAuthorizer{Simple: true}, "", `yes`, nil, http500, 1, "read the authorizer's answer"},
		"huge":                 {KindHTTP, LambdaAuthorizer{Simple: true}, "", `{"isAuthorized":true,"context":{"a":"` + strings.Repeat("a", maxAnswer) + `"}}`, nil, http500, 1, "more than"},
		"allow":                {KindHTTP, LambdaAuthorizer{}, "", policy(`[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":` + here + `}]`), nil, ok, 1, ""},
		"allow, one statement": {KindREST, LambdaAuthorizer{Payload: PayloadV1}, "", policy(`{"Effect":"Allow","Action":["execute-api:Invoke"],"Resource":[` + here + `]}`), nil, ok, 1, ""},
		"allow something else": {KindREST, LambdaAuthorizer{Payload: PayloadV1}, "", policy(`[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:api1/test/POST/*"}]`), nil, restNo, 1, ""},
		"deny":                 {KindREST, LambdaAuthorizer{Payload: PayloadV1}, "", policy(`[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"execute-api:*","Resource":` + here + `}]`), nil, restNever, 1, ""},
		"deny in HTTP":         {KindHTTP, LambdaAuthorizer{}, "", policy(`[{"Effect":"Deny","Action":"execute-api:*","Resource":"*"}]`), nil, httpNo, 1, ""},
		"no policy":            {KindHTTP, LambdaAuthorizer{}, "", `{"principalId":"a"}`, nil, http500, 1, "no policyDocument"},
		"nested context":       {KindREST, LambdaAuthorizer{Payload: PayloadV1}, "", strings.Replace(allowHere, `"n":1.5`, `"n":[]`, 1), nil, rest500, 1, "strings, numbers and booleans"},
		"says Unauthorized":    {KindREST, LambdaAuthorizer{Payload: PayloadV1}, "", "", &engine.FunctionError{Type: "Error", Message: "Unauthorized"}, http401, 1, ""},
		"fails":                {KindREST, LambdaAuthorizer{Payload: PayloadV1}, "", "", &engine.FunctionError{Type: "Error", Message: "other"}, rest500, 1, ""},
		"is missing":           {KindHTTP, LambdaAuthorizer{}, "", "", engine.ErrNotFound, http500, 1, ""},
		"is throttled":         {KindHTTP, LambdaAuthorizer{}, "", "", engine.ErrThrottled, `429 {"message":"Too Many Requests"}`, 1, ""},
		"breaks":               {KindHTTP, LambdaAuthorizer{}, "", "", errors.New("disk"), http500, 1, ""},
		"source missing":       {KindHTTP, LambdaAuthorizer{Simple: true, IdentitySources: []string{"$request.header.auth"}}, "", yes, nil, http401, 0, ""},
		"source empty":         {KindHTTP, LambdaAuthorizer{Simple: true, IdentitySources: []string{"$request.header.auth"}}, "|Auth: ", yes, nil, http401, 0, ""},
		"one source missing":   {KindHTTP, LambdaAuthorizer{Simple: true, IdentitySources: []string{"$request.header.auth", "$request.querystring.x"}}, "|Auth: a", yes, nil, http401, 0, ""},
		"source there":         {KindHTTP, LambdaAuthorizer{Simple: true, IdentitySources: []string{"$request.header.auth"}}, "|Auth: a", yes, nil, ok, 1, ""},
		"token missing":        {KindREST, header, "", allowHere, nil, http401, 0, ""},
		"token refused":        {KindREST, header, "|Auth: tok-1x", allowHere, nil, http401, 0, ""},
		"token passes":         {KindREST, header, "|Auth: tok-12", allowHere, nil, ok, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &asking{answer: test.answer, err: test.err}
			if test.err != nil {
				fake.err = fmt.Errorf("auth: %w", test.err)
			}
			told := ""
			s := publish(t, Config{Invoker: fake, OnBadReply: func(function string, _ engine.RequestID, reason string) { told = function + ": " + reason }},
				authorized(t, test.kind, "GET /request/{x}", test.l))
			status, _, body := ask(t, s, wireOf("api1", "GET /test/request/a"+test.fields))
			if got := fmt.Sprint(status, " ", strings.TrimSpace(body)); got != test.want || len(fake.events) != test.asked {
				t.Errorf("got %s after %d questions, want %s after %d", got, len(fake.events), test.want, test.asked)
			}
			if (told == "") != (test.log == "") || !strings.Contains(told, test.log) {
				t.Errorf("the log has %q, want %q", told, test.log)
			}
		})
	}
}

// TestAuthorizerAnswersAreKept for an identity, as long as the TTL says, and
// decide anew about each method.
func TestAuthorizerAnswersAreKept(t *testing.T) {
	l := LambdaAuthorizer{IdentitySources: []string{"$request.header.auth", "$request.header.more"}, TTL: time.Minute}
	fake := &asking{answer: allowHere}
	p := authorized(t, KindHTTP, "GET /request/{x}", l)
	second := route(t, "GET /other")
	second.Authorizer = p.APIs[0].Stages[0].Routes[0].Authorizer
	p.APIs[0].Stages[0].Routes = append(p.APIs[0].Stages[0].Routes, second)
	s := publish(t, Config{Invoker: fake}, p)
	now := testTime
	s.now = func() time.Time { return now }
	get := func(request string, status, asked int) {
		t.Helper()
		got, _, body := ask(t, s, wireOf("api1", request))
		if got != status || len(fake.events) != asked {
			t.Errorf("%s: got %d %s after %d questions, want %d after %d", request, got, body, len(fake.events), status, asked)
		}
	}
	get("GET /test/request/a|Auth: a|More: b", 200, 1)
	get("GET /test/request/b|Auth: a|More: b", 200, 1)
	get("GET /test/other|Auth: a|More: b", 403, 1) // the kept policy does not allow it
	get("GET /test/request/a|Auth: x|More: b", 200, 2)
	get("GET /test/request/a|Auth: a|Auth: x|More: b", 200, 3) // both values are the identity
	get("GET /test/request/a|Auth: ab|More: b", 200, 4)
	get("GET /test/request/a|Auth: a|More: bb", 200, 5)
	now = now.Add(time.Minute - 1)
	get("GET /test/request/a|Auth: a|More: b", 200, 5)
	now = now.Add(1)
	get("GET /test/request/a|Auth: a|More: b", 200, 6)
	s.SetAPIs(mustAPIs(t, p))
	get("GET /test/request/a|Auth: a|More: b", 200, 6)
	l.TTL = time.Hour
	s.SetAPIs(mustAPIs(t, authorized(t, KindHTTP, "GET /request/{x}", l)))
	get("GET /test/request/a|Auth: a|More: b", 200, 7)

	fake.err = errors.New("auth: disk") // failures are not kept
	get("GET /test/request/a|Auth: c|More: b", 500, 8)
	fake.err = nil
	get("GET /test/request/a|Auth: c|More: b", 200, 9)
	l.TTL = 0
	s.SetAPIs(mustAPIs(t, authorized(t, KindHTTP, "GET /request/{x}", l)))
	get("GET /test/request/a|Auth: a|More: b", 200, 10)
	get("GET /test/request/a|Auth: a|More: b", 200, 11)
}

// TestRecent: what is asked for stays, and the rest is bounded.
func TestRecent(t *testing.T) {
	r := newRecent[int, int]()
	for i := range 20 * maxRecent {
		r.put(i, i)
		if v, ok := r.get(0); !ok || v != 0 {
			t.Fatalf("after %d entries the one in use is gone", i)
		}
		if n := len(r.now) + len(r.old); n > 2*maxRecent {
			t.Fatalf("%d entries are kept", n)
		}
	}
	if _, ok := r.get(1); ok {
		t.Error("an entry that nobody asked for is still there")
	}
}

// FuzzAnswer: whatever an authorizer's function answers, it is an error or makes
// valid JSON in events.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(yes))
	f.Add([]byte(allowHere))
	f.Add([]byte("{\"isAuthorized\":true,\"context\":{\"\xff\":\"\\ud800\",\"\":[1,{}],\"principalId\":null}}"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, l := range []*lambdaAuthorizer{
			{kind: KindHTTP, in: LambdaAuthorizer{Simple: true}}, {kind: KindHTTP}, {kind: KindREST},
		} {
			g, err := l.read(answer)
			if err != nil {
				continue
			}
			who := identity{grant: g}
			for _, text := range [][]byte{
				append(who.appendV2([]byte{'{'}), `"end":0}`...),
				append(who.appendV1([]byte(`{"start":0`), l.kind == KindREST), '}'),
			} {
				if !json.Valid(text) || !utf8.Valid(text) {
					t.Fatalf("%q made %s", answer, text)
				}
			}
		}
	})
}
