package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"ledge/engine"

	"github.com/valyala/fasthttp/fasthttputil"
)

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

// TestHungUpIgnores what is no hang-up: a request that waits to be read, and a
// read deadline that is over.
func TestHungUpIgnores(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client := dial(t, l.Addr().String())
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if hungUp(conn) {
		t.Error("a client that waits counts as gone")
	}
	client.send(t, "GET")
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil {
		t.Fatal(err)
	}
	if hungUp(conn) {
		t.Error("a client that sent its next request counts as gone")
	}
	if err := conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if hungUp(conn) {
		t.Error("a client counts as gone after the read deadline")
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, 2)
	if _, err := io.ReadFull(conn, rest); err != nil || string(rest) != "ET" {
		t.Errorf("looking took bytes: %q is left, %v", rest, err)
	}
	conn.Close()
	if !hungUp(conn) {
		t.Error("a connection that the server closed goes on")
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
