package gateway

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"testing"

	"ledge/engine"

	"github.com/valyala/fasthttp"
)

// invokerFunc is an engine that a test writes.
type invokerFunc func(ctx context.Context, inv *engine.Invocation, res *engine.Result) error

func (f invokerFunc) Invoke(ctx context.Context, inv *engine.Invocation, res *engine.Result) error {
	return f(ctx, inv, res)
}

// replies is an engine that always gives the same reply.
func replies(payload string) invokerFunc {
	return func(_ context.Context, _ *engine.Invocation, res *engine.Result) error {
		res.Payload = append(res.Payload[:0], payload...)
		return nil
	}
}

// echo is an engine that gives the payload back.
func echo(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
	res.Payload = append(res.Payload[:0], inv.Payload...)
	return nil
}

// route makes a Route of what ParseRoute reads.
func route(t testing.TB, text string) Route {
	t.Helper()
	method, path, err := ParseRoute(text)
	if err != nil {
		t.Fatal(err)
	}
	return Route{Method: method, Path: path, Function: "f"}
}

func raw(r Route) Route { r.Payload = PayloadRaw; return r }

func mustTable(t testing.TB, routes ...Route) *Table {
	t.Helper()
	table, err := NewTable(routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func newServer(t testing.TB, cfg Config, routes ...Route) *Server {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.SetTable(mustTable(t, routes...))
	return s
}

// readRequest reads a request as the server does: forms are not taken apart.
func readRequest(req *fasthttp.Request, wire []byte) error {
	r := bufio.NewReaderSize(bytes.NewReader(wire), max(4096, len(wire)))
	if err := req.Header.Read(r); err != nil {
		return err
	}
	return req.ContinueReadBody(r, 1<<20, false)
}

// readInto parses a request as it comes over the wire.
func readInto(t testing.TB, req *fasthttp.Request, wire string) {
	t.Helper()
	if err := readRequest(req, []byte(wire)); err != nil {
		t.Fatalf("read request %q: %v", wire, err)
	}
}

// addressed is a connection that has addresses and nothing else.
type addressed struct {
	net.Conn
	remote, local net.Addr
}

func (a *addressed) RemoteAddr() net.Addr { return a.remote }
func (a *addressed) LocalAddr() net.Addr  { return a.local }

type silent struct{}

func (silent) Printf(string, ...any) {}

// succeeding is an engine without errors.
func succeeding(f func(inv *engine.Invocation, res *engine.Result)) invokerFunc {
	return func(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
		f(inv, res)
		return nil
	}
}

// newCtx returns what fasthttp hands to the handler for a request.
func newCtx(t testing.TB, wire string) *fasthttp.RequestCtx {
	t.Helper()
	ctx := newPlainCtx()
	readInto(t, &ctx.Request, wire)
	return ctx
}

// newPlainCtx is newCtx without a request.
func newPlainCtx() *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(&addressed{
		remote: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711},
		local:  &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8080},
	}, silent{}, false)
	ctx.Response.Header.SetNoDefaultContentType(true) // as the server has it
	return ctx
}

// failing is an engine that always gives the same error.
type failing struct{ err error }

func (f failing) Invoke(context.Context, *engine.Invocation, *engine.Result) error { return f.err }
