package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ledge/engine"
)

func TestServeOverHTTP(t *testing.T) {
	s := newServer(t, Config{Invoker: invokerFunc(func(ctx context.Context, inv *engine.Invocation, res *engine.Result) error {
		if inv.Source != engine.SourceHTTP || inv.RequestID == (engine.RequestID{}) || ctx.Err() != nil {
			return fmt.Errorf("invocation %+v, context %v", inv, ctx.Err())
		}
		switch inv.Function {
		case "echo":
			return echo(ctx, inv, res)
		case "made":
			res.Payload = append(res.Payload[:0], `{"statusCode":201,"headers":{"x-a":"b"},"cookies":["a=1","b=2"],"body":"AAH/","isBase64Encoded":true}`...)
			return nil
		case "missing":
			return engine.ErrNotFound
		case "busy":
			return engine.ErrOverloaded
		case "text":
			res.Payload = append(res.Payload[:0], "not JSON"...)
			return nil
		case "faulty":
			panic("as an engine never should")
		}
		return &engine.FunctionError{Type: "KeyError", Message: "secret"}
	}), ServerName: "Ledge"},
		Route{Method: "ANY", Path: "/echo", Function: "echo", Payload: PayloadRaw},
		Route{Method: "POST", Path: "/typed", Function: "echo", Payload: PayloadRaw, ContentType: "text/csv"},
		Route{Method: "GET", Path: "/made", Function: "made"},
		Route{Method: "GET", Path: "/missing", Function: "missing"},
		Route{Method: "GET", Path: "/busy", Function: "busy"},
		Route{Method: "GET", Path: "/text", Function: "text"},
		Route{Method: "GET", Path: "/faulty", Function: "faulty"},
		Route{Method: "GET", Path: "/raises", Function: "raises"},
	)
	base := "http://" + listen(t, s)
	binary := strings.Repeat("\x00\xff\r\n", 50_000)
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
		headers            string // Name: value|...
	}{
		{"POST", "/echo", "a\x00\xff", 200, "a\x00\xff", "Content-Type: application/octet-stream|Server: Ledge"},
		{"PUT", "/echo", binary, 200, binary, ""},
		{"POST", "/typed", "1;2", 200, "1;2", "Content-Type: text/csv"},
		{"GET", "/made", "", 201, "\x00\x01\xff", "X-A: b|Content-Type: application/octet-stream"},
		{"HEAD", "/made", "", 201, "", "Content-Length: 3"},
		{"GET", "/none", "", 404, `{"message":"Not Found"}`, "Content-Type: application/json"},
		{"POST", "/made", "", 404, `{"message":"Not Found"}`, ""},
		{"GET", "/missing", "", 404, `{"message":"Not Found"}`, ""},
		{"GET", "/busy", "", 503, `{"message":"Service Unavailable"}`, "Retry-After: 1"},
		{"GET", "/text", "", 502, `{"message":"Internal Server Error"}`, "Content-Type: application/json"},
		{"GET", "/raises", "", 502, `{"message":"Internal Server Error"}`, ""},
		{"GET", "/faulty", "", 500, `{"message":"Internal Server Error"}`, ""},
	} {
		req, err := http.NewRequest(test.method, base+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", test.method, test.path, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		got := strings.TrimSuffix(string(body), "\n")
		if err != nil || resp.StatusCode != test.status || got != strings.TrimSuffix(test.want, "\n") {
			t.Errorf("%s %s: got %d, %d bytes %.60q, %v; want %d %.60q", test.method, test.path, resp.StatusCode, len(got), got, err, test.status, test.want)
		}
		if len(resp.Header.Get("X-Amzn-Requestid")) != 36 {
			t.Errorf("%s %s: no request ID", test.method, test.path)
		}
		if resp.Header.Get("Date") == "" {
			t.Errorf("%s %s: no Date", test.method, test.path)
		}
		for field := range strings.SplitSeq(test.headers, "|") {
			if name, value, ok := strings.Cut(field, ": "); ok && resp.Header.Get(name) != value {
				t.Errorf("%s %s: %s is %q, want %q", test.method, test.path, name, resp.Header.Get(name), value)
			}
		}
		if cookies := resp.Header.Values("Set-Cookie"); test.path == "/made" && test.status == 201 && !slices.Equal(cookies, []string{"a=1", "b=2"}) {
			t.Errorf("cookies: %q", cookies)
		}
	}
}

// TestBadReplyIsTold: the client learns nothing of why, the function's log does.
func TestBadReplyIsTold(t *testing.T) {
	told := make(chan string, 1)
	s := newServer(t, Config{Invoker: replies(`{"statusCode":200,"headers":{"x-kept":"no"},"body":1}`),
		OnBadReply: func(function string, id engine.RequestID, reason string) {
			told <- function + " " + id.String() + " " + reason
		}}, route(t, "GET /"))
	resp, err := http.Get("http://" + listen(t, s) + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 502 || resp.Header.Get("X-Kept") != "" {
		t.Errorf("got %d with headers %v", resp.StatusCode, resp.Header)
	}
	got := await(t, told)
	if !strings.HasPrefix(got, "f "+resp.Header.Get("X-Amzn-Requestid")+" ") || !strings.Contains(got, "body") {
		t.Errorf("told %q", got)
	}
}

func TestWire(t *testing.T) {
	s := newServer(t, Config{Invoker: invokerFunc(echo), MaxBody: 100, MaxHeader: 2048, Logf: t.Logf}, raw(route(t, "ANY /{p+}")))
	addr := listen(t, s)
	const host = " HTTP/1.1\r\nHost: a\r\n"

	t.Run("keep-alive and pipelining", func(t *testing.T) {
		w := dial(t, addr)
		w.send(t, "POST /a"+host+"Content-Length: 1\r\n\r\n1POST /a"+host+"Content-Length: 1\r\n\r\n2")
		for _, want := range []string{"1", "2"} {
			if resp, body := w.receive(t, "POST"); resp.StatusCode != 200 || body != want || resp.Close {
				t.Errorf("got %d %q, want %q", resp.StatusCode, body, want)
			}
		}
		w.send(t, "POST /a"+host+"Content-Length: 1\r\nConnection: close\r\n\r\n3")
		if resp, body := w.receive(t, "POST"); body != "3" || !resp.Close {
			t.Errorf("got %q, close %v", body, resp.Close)
		}
		w.ends(t)
	})
	t.Run("chunked", func(t *testing.T) {
		w := dial(t, addr)
		w.send(t, "POST /a"+host+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
		if resp, body := w.receive(t, "POST"); resp.StatusCode != 200 || body != "abcde" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
	})
	t.Run("HEAD", func(t *testing.T) {
		w := dial(t, addr)
		w.send(t, "HEAD /a"+host+"Content-Length: 2\r\n\r\nok")
		w.send(t, "GET /a"+host+"Content-Length: 2\r\n\r\nok")
		if resp, _ := w.receive(t, "HEAD"); resp.ContentLength != 2 {
			t.Errorf("HEAD says %d bytes", resp.ContentLength)
		}
		if _, body := w.receive(t, "GET"); body != "ok" {
			t.Errorf("after HEAD comes %q", body)
		}
	})
	t.Run("absolute form", func(t *testing.T) {
		w := dial(t, addr)
		w.send(t, "POST http://a/b%2Fc"+host+"Content-Length: 2\r\n\r\nok")
		if resp, body := w.receive(t, "POST"); resp.StatusCode != 200 || body != "ok" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
	})
	t.Run("HTTP/1.0", func(t *testing.T) {
		w := dial(t, addr)
		w.send(t, "POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nok")
		if resp, body := w.receive(t, "POST"); resp.StatusCode != 200 || body != "ok" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
		w.ends(t)
	})
	t.Run("expect", func(t *testing.T) {
		w := dial(t, addr)
		w.send(t, "POST /a"+host+"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
		if resp, _ := w.receive(t, "POST"); resp.StatusCode != 100 {
			t.Fatalf("got %d", resp.StatusCode)
		}
		w.send(t, "ok")
		if resp, body := w.receive(t, "POST"); resp.StatusCode != 200 || body != "ok" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
	})
	t.Run("expect too much", func(t *testing.T) {
		w := dial(t, addr)
		w.send(t, "POST /a"+host+"Content-Length: 101\r\nExpect: 100-continue\r\n\r\n")
		resp, body := w.receive(t, "POST")
		if resp.StatusCode != 413 || !strings.HasPrefix(body, `{"message":"`) || resp.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("got %d %v %q", resp.StatusCode, resp.Header, body)
		}
		w.ends(t)
	})
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"body at the limit":     {"POST /a" + host + "Content-Length: 100\r\n\r\n" + strings.Repeat("x", 100), 200},
		"body over the limit":   {"POST /a" + host + "Content-Length: 101\r\n\r\n", 413},
		"chunks over the limit": {"POST /a" + host + "Transfer-Encoding: chunked\r\n\r\n65\r\n", 413},
		"header over the limit": {"GET /a" + host + "X: " + strings.Repeat("x", 2048) + "\r\n\r\n", 431},
		"no request":            {"hello\r\n\r\n", 400},
		"no host":               {"GET /a HTTP/1.1\r\n\r\n", 400},
		"two lengths":           {"POST /a" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
		"bad chunk":             {"POST /a" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		"unknown coding":        {"POST /a" + host + "Transfer-Encoding: gzip\r\n\r\n", 400},
		"trace":                 {"TRACE /a" + host + "\r\n", 404},
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, addr)
			w.send(t, test.request)
			resp, body := w.receive(t, "POST")
			if resp.StatusCode != test.status || test.status != 200 && !strings.HasPrefix(body, `{"message":"`) {
				t.Errorf("got %d %q, want %d", resp.StatusCode, body, test.status)
			}
			if len(resp.Header.Get("X-Amzn-Requestid")) != 36 {
				t.Error("no request ID")
			}
		})
	}
}

// TestBadRequestsAreNotLogged: whoever reaches the port could fill the disk, and
// what a client sent may be a secret.
func TestBadRequestsAreNotLogged(t *testing.T) {
	var log logged
	s := newServer(t, Config{Invoker: invokerFunc(echo), MaxBody: 10, Logf: log.printf}, raw(route(t, "ANY /")))
	addr := listen(t, s)
	for request, status := range map[string]int{
		"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer hunter2\r\nTransfer-Encoding: hunter2\r\n\r\n": 400,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n":                                         413,
	} {
		w := dial(t, addr)
		w.send(t, request)
		if resp, _ := w.receive(t, "GET"); resp.StatusCode != status {
			t.Errorf("got %d, want %d", resp.StatusCode, status)
		}
		w.ends(t) // fasthttp logs before it closes the connection
	}
	if lines := log.lines(); len(lines) > 0 {
		t.Errorf("logged: %q", lines)
	}
	// What is the server's own trouble is not kept back.
	printf(log.printf).Printf("Permanent error when accepting new connections: %v", errors.New("disaster"))
	if lines := log.lines(); len(lines) != 1 || !strings.HasSuffix(lines[0], "disaster") {
		t.Errorf("logged: %q", lines)
	}
}

// logged is what a server logged.
type logged struct {
	mu  sync.Mutex
	all []string
}

func (l *logged) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf(format, args...))
}

func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// TestSlowClientIsCutOff: a client that sends a request for ever gets 408.
func TestSlowClientIsCutOff(t *testing.T) {
	s := newServer(t, Config{Invoker: invokerFunc(echo), ReadTimeout: 50 * time.Millisecond}, raw(route(t, "ANY /")))
	w := dial(t, listen(t, s))
	w.send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
	if resp, _ := w.receive(t, "POST"); resp.StatusCode != 408 {
		t.Errorf("got %d", resp.StatusCode)
	}
	w.ends(t)
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"invoker":     {},
		"MaxBody":     {MaxBody: -1},
		"MaxHeader":   {MaxHeader: 1},
		"timeout":     {ReadTimeout: -1},
		"MaxConns":    {MaxConns: -1},
		"server name": {ServerName: "a\r\nb"},
	} {
		if name != "invoker" {
			cfg.Invoker = invokerFunc(echo)
		}
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
