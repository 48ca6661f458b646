package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"ledge/engine"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// maxKept is the largest buffer that an exchange keeps for the next one.
const maxKept = 64 << 10

// keep returns b emptied, or nil where b is too large to wait for the next use.
func keep(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}

// exchange is one request and its response: all that the hot path needs, used
// again and again.
type exchange struct {
	caller caller
	inv    engine.Invocation
	res    engine.Result
	source source
	params captured
	pairs  pairSet
	event  []byte
	body   []byte // scratch of the response
	id     [36]byte

	// What follows is for requests of APIs only.

	at   place
	who  identity
	raw  []byte // the header fields as they were sent
	arn  []byte // of the method, for authorizers
	seen []byte // what identifies the caller, for authorizers
}

func newExchange() any { return &exchange{pairs: newPairSet()} }

// release forgets everything that the exchange borrowed.
func (x *exchange) release() {
	x.caller = caller{}
	x.inv = engine.Invocation{}
	x.res.Payload, x.res.Log = keep(x.res.Payload), keep(x.res.Log)
	x.source = source{}
	x.params = captured{}
	x.event, x.body = keep(x.event), keep(x.body)
	x.at, x.who = place{}, identity{}
	x.raw, x.arn, x.seen = keep(x.raw), keep(x.arn), keep(x.seen)
}

// caller is the context of a request: it is over when the client hung up or
// the server is closed by force. The engine polls Err while a function runs,
// which is why there is no channel to wait on.
type caller struct {
	conn     net.Conn
	closed   *atomic.Bool
	deadline time.Time // zero: the function's timeout is its deadline
}

// Deadline returns the moment when the timeout of an API's integration is over.
func (c *caller) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Done returns nil: ask Err.
func (c *caller) Done() <-chan struct{} { return nil }

// Value returns nil.
func (c *caller) Value(any) any { return nil }

// Err returns context.Canceled when nobody waits for the response any more, and
// context.DeadlineExceeded after the deadline.
func (c *caller) Err() error {
	if c.closed.Load() || hungUp(c.conn) {
		return context.Canceled
	}
	if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// hungUp looks at a connection's socket without taking anything from it. More
// requests that wait there mean that the client is alive; a connection that is
// no socket (a test's) is alive too.
func hungUp(conn net.Conn) bool {
	encrypted := false
	if t, ok := conn.(*tls.Conn); ok {
		conn, encrypted = t.NetConn(), true
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	over := false
	// Control and not Read, which fails once the read deadline of the request is
	// over: its function may take longer.
	err = raw.Control(func(fd uintptr) { over = peerClosed(int(fd), encrypted) })
	return over || err != nil
}

func peerClosed(fd int, encrypted bool) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err != nil {
		return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	}
	if n == 0 || !encrypted {
		return n == 0
	}
	// What waits may be the alert with which TLS says goodbye: only the state
	// of the TCP connection tells.
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && (info.State == unix.BPF_TCP_CLOSE_WAIT || info.State == unix.BPF_TCP_CLOSE)
}

// handle serves one request.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	out := &ctx.Response
	if s.cfg.ServerName != "" {
		out.Header.SetServer(s.cfg.ServerName)
	}
	header := &ctx.Request.Header
	path, query := splitTarget(ctx)
	x := s.exchanges.Get().(*exchange)
	defer s.finish(ctx, x)
	x.inv.RequestID = engine.NewRequestID()
	_, _ = x.inv.RequestID.AppendText(x.id[:0]) // it never fails
	apis := s.apis.Load()
	if apis != nil && apis.find(header.Host(), path, &x.at) {
		s.serveAPI(ctx, x, query)
		return
	}
	table := s.table.Load()
	if header.IsOptions() {
		// A preflight is about the route that the request after it will take,
		// which need not have an OPTIONS route beside it.
		if wanted, ok := isPreflight(header); ok {
			if next := table.match(methodOf(wanted), path, &x.params); next != nil && next.cors != nil {
				next.cors.preflight(&out.Header, header.Peek("Origin"))
				return
			}
		}
	}
	target := table.match(methodOf(header.Method()), path, &x.params)
	if target == nil {
		s.serveOther(ctx, x, apis, path, query)
		return
	}
	x.caller = caller{conn: ctx.Conn(), closed: &s.closed}
	if target.route.Payload == PayloadV2 {
		s.describe(ctx, x, target, path, query)
	}
	s.invoke(ctx, x, target)
	if target.cors != nil {
		target.cors.apply(&out.Header, header.Peek("Origin"))
	}
}

// serveOther serves what is neither for an API by its name nor for a route of
// the node: the root API, if there is one.
func (s *Server) serveOther(ctx *fasthttp.RequestCtx, x *exchange, apis *APIs, path, query []byte) {
	if id, _, _, ok := cutAPIPath(path); ok {
		const shown = 2 * maxLabel // of an ID that is none
		fault(&ctx.Response, fasthttp.StatusNotFound, "There is no API "+string(id[:min(len(id), shown)])+" at this node")
		return
	}
	if apis == nil || apis.root == nil {
		fault(&ctx.Response, fasthttp.StatusNotFound, "Not Found")
		return
	}
	apis.root.enterRoot(path, &x.at)
	s.serveAPI(ctx, x, query)
}

// describe fills in x.source, which events are made from. path is the one that
// they show.
func (s *Server) describe(ctx *fasthttp.RequestCtx, x *exchange, t *target, path, query []byte) {
	now := s.now()
	x.source = source{
		target: t, params: &x.params, header: &ctx.Request.Header, path: path, query: query, body: ctx.Request.Body(), id: x.id[:],
		client: addrPort(ctx.RemoteAddr()), server: addrPort(ctx.LocalAddr()), tls: ctx.IsTLS(),
		now: now, time: s.clock.at(now),
	}
}

// invoke runs the function of a route and makes its reply the response, or queues
// the request. For a payload that is an event, x.source is filled in.
func (s *Server) invoke(ctx *fasthttp.RequestCtx, x *exchange, t *target) {
	out := &ctx.Response
	x.inv.Function, x.inv.Qualifier = t.route.Function, t.route.Qualifier
	x.inv.Source = engine.SourceHTTP
	event, no := t.isEvent(&ctx.Request.Header)
	if no.status != 0 {
		no.answer(out)
		return
	}
	switch t.route.Payload {
	case PayloadV2:
		x.event = appendEvent(x.event[:0], &x.source, &x.pairs)
		x.inv.Payload = x.event
	case PayloadV1:
		x.event = appendEventV1(x.event[:0], &x.source, &x.pairs)
		x.inv.Payload = x.event
	default:
		x.inv.Payload = ctx.Request.Body()
	}
	if event {
		s.enqueue(ctx, x, t)
		return
	}
	err := s.cfg.Invoker.Invoke(&x.caller, &x.inv, &x.res)
	switch {
	case err != nil:
		s.fail(out, t, err)
		return
	case t.route.Payload == PayloadRaw:
		out.Header.SetContentType(t.route.ContentType)
		setBody(out, x.res.Payload)
		return
	case t.route.Payload == PayloadV1:
		x.body, err = respondV1(out, x.res.Payload, x.body, &x.pairs, t.stage.api.kind == KindREST)
	default:
		x.body, err = respond(out, x.res.Payload, x.body)
	}
	if err == nil {
		return
	}
	s.cfg.OnBadReply(t.route.Function, x.inv.RequestID, err.Error())
	out.Header.Reset()
	if t.stage != nil {
		t.stage.api.kind.badReply().answer(out)
	} else {
		fault(out, fasthttp.StatusBadGateway, "Internal Server Error")
	}
}

// finish ends every exchange. A panic costs one request and not the node, and
// what it left half done is not used again.
func (s *Server) finish(ctx *fasthttp.RequestCtx, x *exchange) {
	cause := recover()
	if cause != nil {
		s.cfg.Logf("request %s: panic: %v\n%s", x.inv.RequestID, cause, debug.Stack())
		ctx.Response.Header.Reset()
		fault(&ctx.Response, fasthttp.StatusInternalServerError, "Internal Server Error")
	}
	ctx.Response.Header.SetCanonical(requestIDHeader, x.id[:])
	ctx.Request.ReleaseBody(maxKept) // or an idle connection would hold on to it
	if cause == nil {
		x.release()
		s.exchanges.Put(x)
	}
}

var requestIDHeader = []byte("X-Amzn-Requestid")

// fail turns an error of Invoke into the response.
func (s *Server) fail(out *fasthttp.Response, target *target, err error) {
	var no refusal
	var ours bool
	if target.stage != nil {
		no, ours = target.stage.api.kind.ofError(err)
	} else {
		no.status, no.message, ours = statusOf(err)
	}
	if ours {
		s.cfg.Logf("route %q: %v", target.key, err)
	}
	if no.status == statusClientClosedRequest {
		out.SetConnectionClose()
	}
	if no.status == fasthttp.StatusServiceUnavailable {
		out.Header.Set("Retry-After", "1")
	}
	no.answer(out)
}

// splitTarget returns the path and the query of a request as they were sent
// (RFC 9112, section 3.2).
func splitTarget(ctx *fasthttp.RequestCtx) (path, query []byte) {
	path = ctx.Request.Header.RequestURI()
	if len(path) == 0 || path[0] != '/' { // the absolute form, or an asterisk
		uri := ctx.URI()
		return uri.PathOriginal(), uri.QueryString()
	}
	path, query, _ = bytes.Cut(path, []byte{'?'})
	return path, query
}

// addrPort returns the address of a socket, or the zero value for what is none.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}
