package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ledge/engine"
)

// wireOf makes a request of "GET /path|Name: value|...".
func wireOf(host, text string) string {
	line, fields, _ := strings.Cut(text, "|")
	wire := line + " HTTP/1.1\r\nHost: " + host + "\r\n"
	if fields != "" {
		wire += strings.ReplaceAll(fields, "|", "\r\n") + "\r\n"
	}
	return wire + "\r\n"
}

// checkHeaders compares a response's headers with "Name=value|...".
func checkHeaders(t *testing.T, header func(string) string, want string) {
	t.Helper()
	if want == "" {
		return
	}
	for field := range strings.SplitSeq(want, "|") {
		name, value, _ := strings.Cut(field, "=")
		if got := header(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func TestMock(t *testing.T) {
	mock := func(text string, m Mock) Route {
		r := route(t, text)
		r.Function, r.Mock = "", &m
		return r
	}
	s := publish(t, Config{Invoker: failing{errors.New("a function ran")}}, Published{APIs: []API{{ID: "rest1", Kind: KindREST, Stages: []Stage{{Name: "prod", Routes: []Route{
		mock("OPTIONS /hello", Mock{Status: 200, Headers: [][2]string{{"Access-Control-Allow-Origin", "*"}, {"Vary", "a"}, {"Vary", "b"}, {"Content-Length", "99"}}}),
		mock("GET /hello", Mock{Status: 418, Body: []byte(`{"a":1}`)}),
		mock("GET /text", Mock{Status: 200, Body: []byte("hi"), Headers: [][2]string{{"content-type", "text/plain"}}}),
		mock("GET /none", Mock{Status: 204, Body: []byte("hi")}),
	}}}}}})
	for _, test := range []struct {
		request string
		status  int
		body    string
		headers string
	}{
		{"OPTIONS /prod/hello|Origin: https://a.example|Access-Control-Request-Method: GET", 200, "", "Access-Control-Allow-Origin=*|Vary=a|Content-Length="},
		{"GET /prod/hello", 418, `{"a":1}`, "Content-Type=application/json"},
		{"GET /prod/text", 200, "hi", "Content-Type=text/plain"},
		{"GET /prod/none", 204, "", ""},
	} {
		status, header, body := ask(t, s, wireOf("rest1", test.request))
		if status != test.status || body != test.body {
			t.Errorf("%s: got %d %q, want %d %q", test.request, status, body, test.status, test.body)
		}
		checkHeaders(t, header, test.headers)
		if len(header("X-Amzn-Requestid")) != 36 {
			t.Error("no request ID")
		}
	}
}

// TestStageCORS: API Gateway answers preflights for every path of an HTTP API
// with CORS, and sets the headers of all its responses, errors too.
func TestStageCORS(t *testing.T) {
	locked := route(t, "GET /locked")
	locked.Authorizer = &Authorizer{ID: "iam", IAM: true}
	stage := stageOf(t, "$default", plain, "GET /hello", "OPTIONS /hello")
	stage.Routes = append(stage.Routes, locked)
	stage.CORS = &CORS{AllowOrigins: []string{"https://a.example"}, AllowMethods: []string{"GET"}, AllowHeaders: []string{"x-a"}, MaxAge: 60}
	shut := stage
	shut.Name, shut.CORS = "shut", &CORS{}
	const reply = `{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"https://evil.example"}}`
	s := publish(t, Config{Invoker: replies(reply)}, Published{APIs: []API{{ID: "web1", Stages: []Stage{stage, shut}}}, Root: Root{"web1", "$default"}})
	const preflight = "|Origin: https://a.example|Access-Control-Request-Method: GET"
	for _, test := range []struct {
		host, request string
		status        int
		headers       string
	}{
		{"web1", "OPTIONS /hello" + preflight, 204, "Access-Control-Allow-Origin=https://a.example|Access-Control-Allow-Methods=GET|Access-Control-Allow-Headers=x-a|Access-Control-Max-Age=60"},
		{"web1", "OPTIONS /no/route" + preflight, 204, "Access-Control-Allow-Origin=https://a.example"},
		{"web1", "OPTIONS /locked" + preflight, 204, "Access-Control-Allow-Origin=https://a.example"},
		{"localhost", "OPTIONS /no/route" + preflight, 204, "Access-Control-Allow-Origin=https://a.example"},
		{"web1", "OPTIONS /hello|Origin: https://b.example|Access-Control-Request-Method: GET", 204, "Access-Control-Allow-Origin=|Vary=Origin"},
		{"web1", "OPTIONS /shut/hello" + preflight, 204, "Access-Control-Allow-Origin=|Access-Control-Allow-Methods="},
		{"web1", "OPTIONS /hello", 200, "Access-Control-Allow-Origin="},
		{"web1", "GET /hello|Origin: https://a.example", 200, "Access-Control-Allow-Origin=https://a.example"},
		{"web1", "GET /hello|Origin: https://b.example", 200, "Access-Control-Allow-Origin="},
		{"web1", "GET /locked|Origin: https://a.example", 403, "Access-Control-Allow-Origin=https://a.example"},
		{"web1", "GET /no/route|Origin: https://a.example", 404, "Access-Control-Allow-Origin=https://a.example"},
	} {
		t.Run(test.host+" "+test.request, func(t *testing.T) {
			status, header, _ := ask(t, s, wireOf(test.host, test.request))
			if status != test.status {
				t.Errorf("got %d, want %d", status, test.status)
			}
			checkHeaders(t, header, test.headers)
		})
	}
}

// TestFailuresOfAPIs: each kind of API says it in its own words.
func TestFailuresOfAPIs(t *testing.T) {
	p := Published{APIs: []API{
		{ID: "rest1", Kind: KindREST, Stages: []Stage{stageOf(t, "p", v1, "GET /")}},
		{ID: "web1", Stages: []Stage{stageOf(t, "p", plain, "GET /")}},
		{ID: "url1", Kind: KindURL, Stages: []Stage{stageOf(t, "$default", plain, "$default")}},
	}}
	failed, timedOut := &engine.FunctionError{Type: "E", Message: "m"}, &engine.TimeoutError{After: time.Second}
	for _, test := range []struct {
		host   string
		err    error
		status int
		body   string
		logs   bool
	}{
		{"rest1", failed, 502, `{"message":"Internal server error"}`, false},
		{"rest1", timedOut, 502, `{"message":"Internal server error"}`, false},
		{"rest1", context.DeadlineExceeded, 504, `{"message":"Endpoint request timed out"}`, false},
		{"rest1", engine.ErrThrottled, 429, `{"message":"Too Many Requests"}`, false},
		{"rest1", errors.New("disk"), 500, `{"message":"Internal server error"}`, true},
		{"web1", failed, 500, `{"message":"Internal Server Error"}`, false},
		{"web1", timedOut, 500, `{"message":"Internal Server Error"}`, false},
		{"web1", context.DeadlineExceeded, 503, `{"message":"Service Unavailable"}`, false},
		{"web1", engine.ErrOverloaded, 503, `{"message":"Service Unavailable"}`, false},
		{"web1", engine.ErrNotFound, 500, `{"message":"Internal Server Error"}`, false},
		{"web1", errors.New("disk"), 500, `{"message":"Internal Server Error"}`, true},
		{"url1", failed, 502, `{"Message":"Internal Server Error"}`, false},
		{"url1", timedOut, 504, `{"Message":"Endpoint request timed out"}`, false},
		{"url1", engine.ErrThrottled, 429, `{"Message":"Too Many Requests"}`, false},
	} {
		var log logged
		s := publish(t, Config{Invoker: failing{fmt.Errorf("f: %w", test.err)}, Logf: log.printf}, p)
		status, _, body := ask(t, s, "GET /p HTTP/1.1\r\nHost: "+test.host+"\r\n\r\n")
		if status != test.status || strings.TrimSpace(body) != test.body {
			t.Errorf("%s, %v: got %d %s, want %d %s", test.host, test.err, status, body, test.status, test.body)
		}
		if got := len(log.lines()) > 0; got != test.logs {
			t.Errorf("%s, %v: logged %q", test.host, test.err, log.lines())
		}
	}
}

// TestIntegrationTimeout: the engine learns of the timeout from its context.
func TestIntegrationTimeout(t *testing.T) {
	r := v1(route(t, "GET /"))
	r.Timeout = time.Nanosecond
	var before bool
	s := publish(t, Config{Invoker: invokerFunc(func(ctx context.Context, _ *engine.Invocation, _ *engine.Result) error {
		_, before = ctx.Deadline()
		for ctx.Err() == nil { // one nanosecond
		}
		return fmt.Errorf("f: %w", ctx.Err())
	})}, Published{APIs: []API{{ID: "rest1", Kind: KindREST, Stages: []Stage{{Name: "p", Routes: []Route{r}}}}}})
	status, _, body := ask(t, s, "GET /p HTTP/1.1\r\nHost: rest1\r\n\r\n")
	if status != 504 || !strings.Contains(body, "Endpoint request timed out") || !before {
		t.Errorf("got %d %s, deadline %v", status, body, before)
	}
}

// TestSigned is about routes that want a signature.
func TestSigned(t *testing.T) {
	signed := func(r Route) Route { r.Authorizer = &Authorizer{ID: "iam", IAM: true}; return r }
	p := Published{APIs: []API{
		{ID: "rest1", Kind: KindREST, Stages: []Stage{stageOf(t, "p", func(r Route) Route { return v1(signed(r)) }, "POST /a/{b}")}},
		{ID: "web1", Stages: []Stage{stageOf(t, "p", signed, "POST /a/{b}")}},
		{ID: "url1", Kind: KindURL, Stages: []Stage{stageOf(t, "$default", signed, "$default")}},
	}}
	var seen IAMRequest
	var headers []string
	var answer error
	cfg := Config{Invoker: invokerFunc(echo), Region: "eu-west-3", Authorize: func(r *IAMRequest) (Caller, error) {
		seen, headers = *r, nil
		for name, value := range r.Header {
			headers = append(headers, name+": "+value)
		}
		return Caller{AccessKey: "LDGE1", UserID: "U1", ARN: "arn:aws:iam::000000000000:user/bob"}, answer
	}}
	s := publish(t, cfg, p)
	const fields = " HTTP/1.1\r\nHost: a\r\nAuthorization: AWS4\r\nX-Two: 1\r\nX-Two: 2\r\nContent-Length: 2\r\n\r\nhi"
	for _, test := range []struct{ path, service, arn string }{
		{"/_aws/execute-api/web1/p/a/%62%2Fc?x=%20", "execute-api", "arn:aws:execute-api:eu-west-3:000000000000:web1/p/POST/a/b%2Fc"},
		{"/_aws/execute-api/rest1/p/a/b?x=%20", "execute-api", "arn:aws:execute-api:eu-west-3:000000000000:rest1/p/POST/a/b"},
		{"/_aws/lambda-url/url1/p?x=%20", "lambda", ""},
	} {
		got, status := eventOf(t, s, "POST "+test.path+fields)
		if status != 200 || seen.Method != "POST" || seen.RawPath+"?"+seen.RawQuery != test.path || string(seen.Body) != "hi" ||
			seen.Peer.String() != "192.0.2.7" || seen.TLS || seen.Service != test.service || seen.ARN != test.arn || seen.Function != "f" {
			t.Errorf("%s: got %d, saw %+v", test.path, status, seen)
		}
		for _, want := range []string{"Host: a", "Authorization: AWS4", "X-Two: 1", "X-Two: 2"} {
			if !slices.Contains(headers, want) {
				t.Errorf("%s: no %q in %q", test.path, want, headers)
			}
		}
		text := string(got)
		if strings.Contains(text, `"version":"2.0"`) {
			if !strings.Contains(text, `"authorizer":{"iam":{"accessKey":"LDGE1","accountId":"000000000000","callerId":"U1","cognitoIdentity":null,"principalOrgId":null,"userArn":"arn:aws:iam::000000000000:user/bob","userId":"U1"}}`) {
				t.Errorf("%s: %s", test.path, text)
			}
		} else if !strings.Contains(text, `"identity":{"accessKey":"LDGE1","accountId":"000000000000","apiKey":null,"apiKeyId":null,"caller":"U1"`) {
			t.Errorf("%s: %s", test.path, text)
		}
	}
	for _, test := range []struct {
		path   string
		err    error
		status int
		body   string
	}{
		{"/_aws/execute-api/web1/p/a/b", errors.New("secret"), 403, `{"message":"Forbidden"}`},
		{"/_aws/execute-api/rest1/p/a/b", &Denied{403, `signature "x"`}, 403, `{"message":"signature \"x\""}`},
		{"/_aws/execute-api/rest1/p/a/b", fmt.Errorf("wrapped: %w", &Denied{429, "slow"}), 429, `{"message":"slow"}`},
		{"/_aws/execute-api/rest1/p/a/b", &Denied{200, "no"}, 403, `{"message":"Forbidden"}`},
		{"/_aws/lambda-url/url1/a", errors.New("secret"), 403, `{"Message":"Forbidden"}`},
	} {
		answer = test.err
		if status, _, body := ask(t, s, "POST "+test.path+fields); status != test.status || strings.TrimSpace(body) != test.body {
			t.Errorf("%s, %v: got %d %s", test.path, test.err, status, body)
		}
	}
	// A REST API says what is missing before it asks.
	answer, seen = nil, IAMRequest{}
	status, header, body := ask(t, s, "POST /p/a/b HTTP/1.1\r\nHost: rest1\r\n\r\n")
	if status != 403 || !strings.Contains(body, "Missing Authentication Token") || seen.Method != "" || header("X-Amzn-Errortype") != "MissingAuthenticationTokenException" {
		t.Errorf("unsigned: got %d %s", status, body)
	}
	if status, _, _ = ask(t, s, "POST /p/a/b?X-Amz-Signature=1 HTTP/1.1\r\nHost: rest1\r\n\r\n"); status != 200 || seen.Method != "POST" {
		t.Errorf("presigned: got %d", status)
	}
	cfg.Authorize = nil
	if status, _, body = ask(t, publish(t, cfg, p), "POST /_aws/execute-api/web1/p/a/b"+fields); status != 403 || !strings.Contains(body, `"Forbidden"`) {
		t.Errorf("nobody to ask: got %d %s", status, body)
	}
}

// TestPublishWhileServing: new APIs take over between two requests, and each
// request is served by one of them as a whole.
func TestPublishWhileServing(t *testing.T) {
	published := func() *APIs {
		r := route(t, "GET /{x}")
		r.KeyRequired, r.Throttle = true, Throttle{Rate: 1e6, Burst: 1e6}
		r.Authorizer = &Authorizer{ID: "au", Lambda: &LambdaAuthorizer{Function: "auth", Simple: true, IdentitySources: []string{"$request.header.a"}, TTL: time.Minute}}
		return mustAPIs(t, Published{
			APIs: []API{{ID: "web1", Stages: []Stage{{Name: "$default", Routes: []Route{r}}}}},
			Keys: []Key{{ID: "k", Value: "v", Plans: []Plan{{ID: "p", API: "web1", Stage: "$default", Quota: 1e6, Period: "MONTH"}}}},
		})
	}
	s := newServer(t, Config{Invoker: succeeding(func(inv *engine.Invocation, res *engine.Result) {
		if res.Payload = append(res.Payload[:0], `{"statusCode":200}`...); inv.Function == "auth" {
			res.Payload = append(res.Payload[:0], `{"isAuthorized":true}`...)
		}
	})})
	s.started, s.now = testTime, func() time.Time { return testTime } // within one month
	s.SetAPIs(published())
	url := "http://" + listen(t, s) + "/_aws/execute-api/web1/x"
	const clients, each = 4, 50
	done := make(chan error, clients)
	for n := range clients {
		go func() {
			for i := range each {
				req, err := http.NewRequest("GET", url, nil)
				if err != nil {
					done <- err
					return
				}
				req.Header.Set("X-Api-Key", "v")
				req.Header.Set("A", fmt.Sprint(n, i%3))
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					done <- err
					return
				}
				resp.Body.Close()
				if resp.StatusCode != 200 {
					done <- fmt.Errorf("got %s", resp.Status)
					return
				}
			}
			done <- nil
		}()
	}
	for finished := 0; finished < clients; {
		select {
		case err := <-done:
			if finished++; err != nil {
				t.Error(err)
			}
		default:
			s.SetAPIs(published())
		}
	}
	if n, _ := s.Used("k", "p"); n != clients*each {
		t.Errorf("%d of %d requests were counted", n, clients*each)
	}
}
