package awsapi

import (
	"errors"
	"net"
	"testing"
)

// TestLimitListener: a connection is accepted when there is room for it, and one
// that is closed twice makes room once.
func TestLimitListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := LimitListener(inner, 2)
	accept := func() net.Conn {
		t.Helper()
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	open := l.(*limitedListener).open
	first, second := accept(), accept()
	defer second.Close()
	if len(open) != 2 {
		t.Errorf("%d are open", len(open))
	}
	for range 2 {
		first.Close()
		if len(open) != 1 {
			t.Errorf("%d are open after one was closed", len(open))
		}
	}
	third := accept()
	defer third.Close()
	full := make(chan error)
	go func() {
		_, err := l.Accept()
		full <- err
	}()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-full; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept without room ended with %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close ended with %v", err)
	}
}
