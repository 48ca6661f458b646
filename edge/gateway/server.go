package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Server serves the routes of a Table. It serves one listener at a time.
type Server struct {
	cfg       Config
	table     atomic.Pointer[Table]
	clock     clock
	exchanges sync.Pool
	http      *fasthttp.Server
	closed    atomic.Bool // by force: Invocations under way are cancelled
	stopping  atomic.Bool
}

// New returns a Server without routes.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg.withDefaults()}
	s.table.Store(new(Table))
	s.exchanges.New = newExchange
	s.http = &fasthttp.Server{
		Handler:               s.handle,
		ErrorHandler:          s.refuse,
		ExpectHandler:         s.expect,
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
		NoDefaultDate:         true, // it would wake an idle node up every second
		NoDefaultContentType:  true,
		// A body is bytes: whatever is in a form, the function sees it.
		DisablePreParseMultipartForm: true,
	}
	return s, nil
}

// printf makes a function fasthttp's Logger.
type printf func(format string, args ...any)

func (p printf) Printf(format string, args ...any) { p(format, args...) }

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
// closes idle connections. When ctx is done before that, it cancels what still
// runs, waits for it for a moment, and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	err := s.http.ShutdownWithContext(ctx)
	if ctx.Err() == nil {
		return err
	}
	s.closed.Store(true)
	const moment = time.Second // the engine notices within milliseconds
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), moment)
	defer cancel()
	if again := s.http.ShutdownWithContext(last); again != nil && !errors.Is(again, net.ErrClosed) {
		s.cfg.Logf("close connections: %v", again)
	}
	return ctx.Err()
}

// expect answers "Expect: 100-continue": a body that is too large is refused
// before it is sent.
func (s *Server) expect(ctx *fasthttp.RequestCtx) int {
	if ctx.Request.Header.ContentLength() > s.cfg.MaxBody {
		return fasthttp.StatusRequestEntityTooLarge
	}
	return fasthttp.StatusContinue
}

// refuse answers what is no request that can be served; the connection is
// closed after it.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, err error) {
	out := &ctx.Response
	out.Header.SetCanonical(dateHeader, s.clock.at(time.Now()).date)
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
