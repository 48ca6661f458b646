package gateway

import (
	"strings"
	"testing"

	"ledge/engine"
)

// ask sends one request through the handler.
func ask(t *testing.T, s *Server, wire string) (status int, header func(string) string, body string) {
	t.Helper()
	ctx := newCtx(t, wire)
	s.handle(ctx)
	return ctx.Response.StatusCode(), func(name string) string { return string(ctx.Response.Header.Peek(name)) }, string(ctx.Response.Body())
}

func TestCORS(t *testing.T) {
	with := func(c CORS, text string) Route {
		r := route(t, text)
		r.CORS = &c
		return r
	}
	const reply = `{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"https://evil.example"},"body":"x"}`
	s := newServer(t, Config{Invoker: replies(reply)},
		with(CORS{AllowOrigins: []string{"*"}, AllowHeaders: []string{"x-a", "x-b"}, MaxAge: 60, ExposeHeaders: []string{"x-c"}}, "POST /open"),
		with(CORS{AllowOrigins: []string{"https://a.example", "http://*"}, AllowMethods: []string{"GET", "PUT"}, AllowCredentials: true}, "GET /shut"),
		with(CORS{AllowOrigins: []string{"*"}}, "ANY /any"),
		route(t, "ANY /plain"),
	)
	for _, test := range []struct {
		name, request string
		status        int
		headers       string // Name=value|..., an empty value is none
	}{
		{"preflight", "OPTIONS /open|Origin: https://a.example|Access-Control-Request-Method: POST", 204,
			"Access-Control-Allow-Origin=*|Access-Control-Allow-Methods=POST|Access-Control-Allow-Headers=x-a,x-b|Access-Control-Max-Age=60|Access-Control-Allow-Credentials="},
		{"preflight for a method without a route", "OPTIONS /open|Origin: https://a.example|Access-Control-Request-Method: PUT", 404,
			"Access-Control-Allow-Origin="},
		{"preflight of a named origin", "OPTIONS /shut|Origin: https://a.example|Access-Control-Request-Method: GET", 204,
			"Access-Control-Allow-Origin=https://a.example|Access-Control-Allow-Methods=GET,PUT|Access-Control-Allow-Credentials=true|Vary=Origin"},
		{"preflight of a scheme", "OPTIONS /shut|Origin: http://b.example|Access-Control-Request-Method: GET", 204,
			"Access-Control-Allow-Origin=http://b.example"},
		{"preflight of another origin", "OPTIONS /shut|Origin: https://b.example|Access-Control-Request-Method: GET", 204,
			"Access-Control-Allow-Origin=|Access-Control-Allow-Methods=|Vary=Origin"},
		{"preflight of an ANY route", "OPTIONS /any|Origin: https://b.example|Access-Control-Request-Method: PATCH", 204,
			"Access-Control-Allow-Origin=*|Access-Control-Allow-Methods=GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"},
		{"OPTIONS that is no preflight", "OPTIONS /any", 200, "Access-Control-Allow-Origin="},
		{"route without CORS", "OPTIONS /plain|Origin: https://b.example|Access-Control-Request-Method: GET", 200,
			"Access-Control-Allow-Origin=https://evil.example"},
		{"request", "POST /open|Origin: https://a.example", 200, "Access-Control-Allow-Origin=*|Access-Control-Expose-Headers=x-c|Vary="},
		{"request of a named origin", "GET /shut|Origin: https://a.example", 200, "Access-Control-Allow-Origin=https://a.example|Access-Control-Allow-Credentials=true|Vary=Origin"},
		{"request of another origin", "GET /shut|Origin: https://evil.example", 200, "Access-Control-Allow-Origin="},
		{"request without an origin", "GET /shut", 200, "Access-Control-Allow-Origin=|Vary=Origin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			line, fields, _ := strings.Cut(test.request, "|")
			wire := line + " HTTP/1.1\r\nHost: a\r\n"
			if fields != "" {
				wire += strings.ReplaceAll(fields, "|", "\r\n") + "\r\n"
			}
			status, header, body := ask(t, s, wire+"\r\n")
			if status != test.status || status == 204 && body != "" {
				t.Errorf("got %d %q, want %d", status, body, test.status)
			}
			for field := range strings.SplitSeq(test.headers, "|") {
				name, want, _ := strings.Cut(field, "=")
				if got := header(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if header("X-Amzn-Requestid") == "" {
				t.Error("no request ID")
			}
		})
	}
}

// TestCORSOnFailures: a page must be able to read why its request failed.
func TestCORSOnFailures(t *testing.T) {
	r := route(t, "GET /")
	r.CORS = &CORS{AllowOrigins: []string{"*"}}
	s := newServer(t, Config{Invoker: failing{engine.ErrThrottled}}, r)
	status, header, _ := ask(t, s, "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\r\n")
	if status != 429 || header("Access-Control-Allow-Origin") != "*" {
		t.Errorf("got %d, origin %q", status, header("Access-Control-Allow-Origin"))
	}
}

func TestCORSRefuses(t *testing.T) {
	any := []string{"*"}
	for why, c := range map[string]CORS{
		"no origin":        {},
		"not an origin":    {AllowOrigins: []string{"a.example"}},
		"is not an origin": {AllowOrigins: []string{"https://a.example/path"}},
		"origin\"":         {AllowOrigins: []string{"https://a\r\nb: c"}},
		"credentials":      {AllowOrigins: any, AllowCredentials: true},
		"with credentials": {AllowOrigins: []string{"https://a.example"}, AllowHeaders: any, AllowCredentials: true},
		"out of range":     {AllowOrigins: any, MaxAge: 86401},
		"cannot stand":     {AllowOrigins: any, AllowMethods: []string{"GET, PUT"}},
		"a CORS list":      {AllowOrigins: any, ExposeHeaders: []string{"x\r\ny"}},
		"too long":         {AllowOrigins: any, AllowHeaders: strings.Split(strings.Repeat("x,", 100), ",")},
	} {
		got, hint := c.check()
		if !strings.Contains(got, strings.TrimSuffix(why, `"`)) || hint == "" {
			t.Errorf("%+v: got %q, want %q", c, got, why)
		}
	}
}
