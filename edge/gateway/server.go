package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ledge/engine"

	"github.com/valyala/fasthttp"
)

// Server serves the routes of a Table, and APIs. It serves one listener at a time.
type Server struct {
	cfg       Config
	table     atomic.Pointer[Table]
	apis      atomic.Pointer[APIs] // nil: none
	clock     clock
	now       func() time.Time
	started   time.Time // what throttles count from
	exchanges sync.Pool
	http      *fasthttp.Server
	closed    atomic.Bool // by force: Invocations under way are cancelled
	stopping  atomic.Bool

	publishing sync.Mutex // held by SetAPIs, with no other lock taken

	mu    sync.Mutex // held for a few instructions, with no other lock taken
	conns map[net.Conn]struct{}
	// gone is made by abort and closed, once, when conns is empty.
	gone    chan struct{}
	emptied bool
}

// New returns a Server without routes.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg.withDefaults(), conns: make(map[net.Conn]struct{}), now: time.Now, started: time.Now()}
	s.table.Store(new(Table))
	s.exchanges.New = newExchange
	s.http = &fasthttp.Server{
		Handler:               s.handle,
		ErrorHandler:          s.refuse,
		ExpectHandler:         s.expect,
		ConnState:             s.track,
		Logger:                printf(s.cfg.Logf),
		Concurrency:           s.cfg.MaxConns,
		ReadBufferSize:        s.cfg.MaxHeader,
		MaxRequestBodySize:    s.cfg.MaxBody,
		ReadTimeout:           s.cfg.ReadTimeout,
		WriteTimeout:          s.cfg.WriteTimeout,
		IdleTimeout:           s.cfg.IdleTimeout,
		CloseOnShutdown:       true,
		LazyRequestTime:       true,
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		SecureErrorLogMessage: true, // requests hold credentials: none of it in logs
		// A body is bytes: whatever is in a form, the function sees it.
		DisablePreParseMultipartForm: true,
	}
	return s, nil
}

// printf makes a function fasthttp's Logger.
type printf func(format string, args ...any)

// Printf drops what fasthttp says of a connection that ended badly: that is the
// client's doing, refuse has told it, and whoever reaches the port could fill
// the log with it.
func (p printf) Printf(format string, args ...any) {
	if !strings.HasPrefix(format, "error when serving connection") {
		p(format, args...)
	}
}

// SetTable makes t the routes of all requests from now on. Requests under way
// keep theirs.
func (s *Server) SetTable(t *Table) { s.table.Store(t) }

// Serve serves connections of l until Shutdown, which makes it return nil, or
// until ctx is done: then Invocations under way are cancelled too. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() {
		s.closed.Store(true)
		s.stopping.Store(true)
		_ = l.Close() // Serve returns for it
	})()
	err := s.http.Serve(l)
	if s.stopping.Load() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("accept connections: %w", err)
	}
	return errors.New("accept connections: the listener was closed")
}

// Shutdown stops accepting connections, waits for the requests under way and
// closes idle connections; one that never sent a byte counts as idle 5 s after
// it was opened. When ctx is done before that, it cancels what still runs,
// closes its connections, waits for it for a moment, and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	err := s.http.ShutdownWithContext(ctx)
	if ctx.Err() == nil {
		return err
	}
	gone := s.abort()
	const moment = time.Second // the engine notices within milliseconds
	late := time.NewTimer(moment)
	defer late.Stop()
	select {
	case <-gone:
	case <-late.C:
		s.cfg.Logf("close connections: some are still served after %s", moment)
	}
	return ctx.Err()
}

// abort cancels all Invocations under way and closes all connections. The
// channel is closed when none is served any more. fasthttp has no such thing:
// its Shutdown leaves behind what it gave up on.
func (s *Server) abort() <-chan struct{} {
	s.closed.Store(true)
	s.mu.Lock()
	if s.gone == nil {
		s.gone = make(chan struct{})
		if len(s.conns) == 0 {
			s.emptied = true
			close(s.gone)
		}
	}
	gone := s.gone
	open := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // whoever serves it notices
	}
	return gone
}

// track keeps the set of connections. fasthttp calls it for each change of a
// connection's state.
func (s *Server) track(c net.Conn, state fasthttp.ConnState) {
	switch state {
	case fasthttp.StateNew:
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		if s.closed.Load() { // accepted while abort closed the others
			_ = c.Close()
		}
	case fasthttp.StateClosed:
		s.mu.Lock()
		_, known := s.conns[c]
		delete(s.conns, c)
		if known && len(s.conns) == 0 && s.gone != nil && !s.emptied {
			s.emptied = true
			close(s.gone)
		}
		s.mu.Unlock()
	}
}

// expect answers "Expect: 100-continue": a body that is too large is refused
// before it is sent.
func (s *Server) expect(ctx *fasthttp.RequestCtx) int {
	if ctx.Request.Header.ContentLength() > s.cfg.MaxBody {
		s.refuse(ctx, fasthttp.ErrBodyTooLarge)
		return fasthttp.StatusRequestEntityTooLarge
	}
	return fasthttp.StatusContinue
}

// refuse answers what is no request that can be served; the connection is
// closed after it.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, err error) {
	out := &ctx.Response
	out.Header.Set("X-Amzn-Requestid", engine.NewRequestID().String())
	var small *fasthttp.ErrSmallBuffer
	var network net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		fault(out, fasthttp.StatusRequestEntityTooLarge, "Request Entity Too Large")
	case errors.As(err, &small):
		fault(out, fasthttp.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
	case errors.As(err, &network) && network.Timeout():
		fault(out, fasthttp.StatusRequestTimeout, "Request Timeout")
	default:
		fault(out, fasthttp.StatusBadRequest, "Bad Request")
	}
}
