package awsapi

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// MaxConnections is how many clients a LimitListener of the control plane serves
// at the same time.
const MaxConnections = 512

// LimitListener returns l with at most n connections open: others wait in the
// system's queue until one is closed. Anybody on the network may open connections,
// and each takes memory, also before it is known who is there.
func LimitListener(l net.Listener, n int) net.Listener {
	return &limitedListener{Listener: l, open: make(chan struct{}, n), closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	open   chan struct{} // has one for each connection
	once   sync.Once
	closed chan struct{}
}

// Accept waits for room first, so that a connection is not taken which nobody
// serves.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &limitedConn{Conn: c, leave: sync.OnceFunc(func() { <-l.open })}, nil
}

// Close ends an Accept that waits for room, too.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn
	leave func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.leave()
	return err
}

// NewServer returns a server for one of the doors that New made. Its requests end
// with ctx, which outlives Shutdown. There is no WriteTimeout: invocations and
// followed logs take their time.
func NewServer(ctx context.Context, handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute, // ends where a body is read that is wanted
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10, // anybody may send them
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       ConnContext(),
	}
}
