package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
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
}

// caller is the context of a request: it is over when the client hung up or
// the server is closed by force. The engine polls Err while a function runs,
// which is why there is no channel to wait on.
type caller struct {
	conn   net.Conn
	closed *atomic.Bool
}

// Deadline returns none: the function's timeout is its deadline.
func (c *caller) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done returns nil: ask Err.
func (c *caller) Done() <-chan struct{} { return nil }

// Value returns nil.
func (c *caller) Value(any) any { return nil }

// Err returns context.Canceled when nobody waits for the response any more.
func (c *caller) Err() error {
	if c.closed.Load() || hungUp(c.conn) {
		return context.Canceled
	}
	return nil
}

// hungUp looks at a connection's socket without taking anything from it. More
// requests that wait there mean that the client is alive; a connection that is
// no socket (a test's) is alive too.
func hungUp(conn net.Conn) bool {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
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
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		over = err == nil && n == 0 || err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	})
	return over || err != nil
}

// handle serves one request.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	now := time.Now()
	stamp := s.clock.at(now)
	out := &ctx.Response
	out.Header.SetCanonical(dateHeader, stamp.date)
	if s.cfg.ServerName != "" {
		out.Header.SetServer(s.cfg.ServerName)
	}
	header := &ctx.Request.Header
	path, query := splitTarget(ctx)
	x := s.exchanges.Get().(*exchange)
	defer func() {
		x.release()
		s.exchanges.Put(x)
	}()
	target := s.table.Load().match(methodOf(header.Method()), path, &x.params)
	x.inv.RequestID = engine.NewRequestID()
	id, _ := x.inv.RequestID.AppendText(x.id[:0]) // it never fails
	if target == nil {
		out.Header.SetCanonical(requestIDHeader, id)
		fault(out, fasthttp.StatusNotFound, "Not Found")
		return
	}
	if target.cors != nil && header.IsOptions() {
		if _, ok := isPreflight(header); ok {
			target.cors.preflight(&out.Header, header.Peek("Origin"))
			return
		}
	}
	x.caller = caller{conn: ctx.Conn(), closed: &s.closed}
	x.inv.Function, x.inv.Qualifier = target.route.Function, target.route.Qualifier
	x.inv.Source = engine.SourceHTTP
	x.inv.Payload = ctx.Request.Body()
	if target.route.Payload == PayloadV2 {
		x.source = source{
			target: target, params: &x.params, header: header, path: path, query: query, body: x.inv.Payload, id: id,
			client: addrPort(ctx.RemoteAddr()), server: addrPort(ctx.LocalAddr()), tls: ctx.IsTLS(),
			now: stamp, millis: now.UnixMilli(),
		}
		x.event = appendEvent(x.event[:0], &x.source, &x.pairs)
		x.inv.Payload = x.event
	}
	err := s.cfg.Invoker.Invoke(&x.caller, &x.inv, &x.res)
	switch {
	case err != nil:
		s.fail(out, target, err)
	case target.route.Payload == PayloadRaw:
		out.Header.SetContentType(target.route.ContentType)
		out.SetBody(x.res.Payload)
	default:
		if x.body, err = respond(out, x.res.Payload, x.body); err != nil {
			s.cfg.OnBadReply(target.route.Function, x.inv.RequestID, err.Error())
			out.Header.Reset()
			out.Header.SetCanonical(dateHeader, stamp.date)
			fault(out, fasthttp.StatusBadGateway, "Internal Server Error")
		}
	}
	out.Header.SetCanonical(requestIDHeader, id)
	if target.cors != nil {
		target.cors.apply(&out.Header, header.Peek("Origin"))
	}
}

var (
	dateHeader      = []byte("Date")
	requestIDHeader = []byte("X-Amzn-Requestid")
)

// fail turns an error of Invoke into the response.
func (s *Server) fail(out *fasthttp.Response, target *target, err error) {
	status, message, ours := statusOf(err)
	if ours {
		s.cfg.Logf("route %q: %v", target.key, err)
	}
	if status == statusClientClosedRequest {
		out.SetConnectionClose()
	}
	if status == fasthttp.StatusServiceUnavailable {
		out.Header.Set("Retry-After", "1")
	}
	fault(out, status, message)
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
