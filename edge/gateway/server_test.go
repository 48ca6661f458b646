package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ledge/engine"

	"github.com/valyala/fasthttp/fasthttputil"
)

// patience is how long a test waits for what should come at once before it
// fails. No test passes for having waited.
const patience = 20 * time.Second

// listen serves s until the test ends and returns its address.
func listen(t *testing.T, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, s, l)
	return l.Addr().String()
}

func serve(t *testing.T, s *Server, l net.Listener) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what still runs at the end of a test is not waited for
		if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("shut down: %v", err)
		}
		if err := await(t, done); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// await receives from c.
func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

// wire is a raw connection to a server.
type wire struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{c, bufio.NewReader(c)}
}

func (w *wire) send(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// receive reads one response to a request of the method.
func (w *wire) receive(t *testing.T, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(w.r, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// ends reports whether the server closed the connection.
func (w *wire) ends(t *testing.T) {
	t.Helper()
	if b, err := w.r.ReadByte(); err == nil {
		t.Errorf("the connection goes on with %q", b)
	} else if errors.Is(err, context.DeadlineExceeded) {
		t.Error("the connection stays open")
	}
}

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
		if resp, _ := w.receive(t, "POST"); resp.StatusCode != 413 {
			t.Errorf("got %d", resp.StatusCode)
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

// polling is an engine whose one function runs until its context ends.
type polling struct {
	started chan struct{}
	ended   chan error
	release chan struct{} // closed: the function ends by itself
}

func newPolling() *polling {
	return &polling{make(chan struct{}, 8), make(chan error, 8), make(chan struct{})}
}

func (p *polling) Invoke(ctx context.Context, _ *engine.Invocation, res *engine.Result) error {
	p.started <- struct{}{}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.release:
			res.Payload = append(res.Payload[:0], "done"...)
			p.ended <- nil
			return nil
		case <-tick.C:
			if err := ctx.Err(); err != nil {
				p.ended <- err
				return err
			}
		}
	}
}

func TestHangUpCancels(t *testing.T) {
	p := newPolling()
	s := newServer(t, Config{Invoker: p, ReadTimeout: 10 * time.Millisecond}, raw(route(t, "ANY /")))
	w := dial(t, listen(t, s))
	w.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	await(t, p.started)
	w.Close()
	if err := await(t, p.ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestResetCancels(t *testing.T) {
	p := newPolling()
	w := dial(t, listen(t, newServer(t, Config{Invoker: p}, raw(route(t, "ANY /")))))
	if err := w.Conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	w.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	await(t, p.started)
	w.Close()
	if err := await(t, p.ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestHangUpOverTLSCancels: the alert with which TLS ends looks like data.
func TestHangUpOverTLSCancels(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	t.Cleanup(certs.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newPolling()
	s := newServer(t, Config{Invoker: p}, raw(route(t, "ANY /")))
	serve(t, s, tls.NewListener(l, &tls.Config{Certificates: certs.TLS.Certificates}))
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // the certificate is the test's own
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	await(t, p.started)
	c.Close()
	if err := await(t, p.ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestPipelinedClientIsAlive: a request that waits is no hang-up, nor is a
// read deadline that is over.
func TestPipelinedClientIsAlive(t *testing.T) {
	asked := make(chan struct{})
	s := newServer(t, Config{ReadTimeout: time.Millisecond, Invoker: invokerFunc(func(ctx context.Context, inv *engine.Invocation, res *engine.Result) error {
		<-asked
		if err := ctx.Err(); err != nil {
			return err
		}
		return echo(ctx, inv, res)
	})}, raw(route(t, "ANY /")))
	w := dial(t, listen(t, s))
	w.send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1")
	w.send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n2")
	close(asked)
	if resp, body := w.receive(t, "POST"); resp.StatusCode != 200 || body != "1" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}

func TestConnectionWithoutSocketIsAlive(t *testing.T) {
	l := fasthttputil.NewInmemoryListener()
	s := newServer(t, Config{Invoker: invokerFunc(func(ctx context.Context, inv *engine.Invocation, res *engine.Result) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return echo(ctx, inv, res)
	})}, raw(route(t, "ANY /")))
	serve(t, s, l)
	c, err := l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{c, bufio.NewReader(c)}
	w.send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
	if resp, body := w.receive(t, "POST"); resp.StatusCode != 200 || body != "ok" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}

func TestShutdownDrains(t *testing.T) {
	p := newPolling()
	s := newServer(t, Config{Invoker: p}, raw(route(t, "ANY /")))
	addr := listen(t, s)
	idle, busy := dial(t, addr), dial(t, addr)
	idle.send(t, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
	idle.receive(t, "GET")
	busy.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	await(t, p.started)
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	idle.ends(t) // by then it no longer accepts
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("a connection was accepted")
	}
	close(p.release)
	if resp, body := busy.receive(t, "GET"); resp.StatusCode != 200 || body != "done" || !resp.Close {
		t.Errorf("got %d %q, close %v", resp.StatusCode, body, resp.Close)
	}
	busy.ends(t)
	if err := await(t, done); err != nil {
		t.Error(err)
	}
}

func TestShutdownCancelsWhenItsContextEnds(t *testing.T) {
	p := newPolling()
	s := newServer(t, Config{Invoker: p}, raw(route(t, "ANY /")))
	addr := listen(t, s)
	busy, silent := dial(t, addr), dial(t, addr)
	busy.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	await(t, p.started)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// It waited for what it cancelled: the engine can be closed now.
	select {
	case err := <-p.ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the invocation got %v", err)
		}
	default:
		t.Error("the invocation still runs")
	}
	silent.ends(t) // it never sent anything, and is closed all the same
}

func TestServeEndsWithItsContext(t *testing.T) {
	s := newServer(t, Config{Invoker: invokerFunc(echo)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	dial(t, l.Addr().String())
	cancel()
	if err := await(t, done); err != nil {
		t.Errorf("serve: %v", err)
	}
}

// TestTableSwapFailsNoRequest swaps routes under load: every request is served
// by one of the two tables.
func TestTableSwapFailsNoRequest(t *testing.T) {
	s := newServer(t, Config{Invoker: invokerFunc(func(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
		res.Payload = append(res.Payload[:0], inv.Function...)
		return nil
	})})
	tables := [2]*Table{}
	for i, function := range []string{"old", "new"} {
		r := raw(route(t, "GET /x"))
		r.Function = function
		tables[i] = mustTable(t, r)
	}
	s.SetTable(tables[0])
	addr := listen(t, s)
	var clients sync.WaitGroup
	var seen [2]atomic.Int64
	for range 4 {
		clients.Go(func() {
			w := dial(t, addr)
			for range 300 {
				if _, err := io.WriteString(w, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
					t.Error(err)
					return
				}
				resp, err := http.ReadResponse(w.r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				switch {
				case err != nil || resp.StatusCode != 200:
					t.Errorf("got %d, %v", resp.StatusCode, err)
					return
				case bytes.Equal(body, []byte("old")):
					seen[0].Add(1)
				default:
					seen[1].Add(1)
				}
			}
		})
	}
	stop := make(chan struct{})
	swapped := make(chan struct{})
	go func() {
		defer close(swapped)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
				s.SetTable(tables[i%2])
			}
		}
	}()
	clients.Wait()
	close(stop)
	<-swapped
	if total := seen[0].Load() + seen[1].Load(); total != 1200 {
		t.Errorf("%d of 1200 requests were served", total)
	}
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
