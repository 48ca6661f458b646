package awsapi

import (
	"net"
	"sync"
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
