package extism

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
)

func TestPermit(t *testing.T) {
	allow := []string{"example.com", "*.lan", "10.0.0.1:8080", "secure.example:443"}
	tests := []struct {
		url string
		ok  bool
	}{
		{"http://example.com/", true}, {"https://EXAMPLE.com:443/", true}, {"http://example.com:8080/", false},
		{"http://example.com:443/", false}, {"http://www.example.com/", false}, {"http://example.com.evil/", false},
		{"http://a.lan/", true}, {"http://a.b.lan/", true}, {"http://lan/", false}, {"http://.lan/", false}, {"http://evillan/", false},
		{"http://10.0.0.1:8080/", true}, {"http://10.0.0.1/", false}, {"http://secure.example:443/", true},
		{"http://example.com@evil/", false}, {"http://example.com\\@evil/", false}, {"ftp://example.com/", false}, {"http:///", false},
	}
	for _, test := range tests {
		u, err := url.Parse(test.url)
		if err != nil {
			if test.ok {
				t.Error(err)
			}
			continue
		}
		if err := permit(allow, u); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.url, err)
		}
	}
}

// heldConn sends the head of a request, holds the body back until it is released,
// and then looks at it.
type heldConn struct {
	net.Conn
	left    int // bytes of body, about
	release <-chan struct{}
	foreign chan<- bool // whether a byte was an x
	told    bool
}

func (c *heldConn) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("POST ")) {
		return c.Conn.Write(p)
	}
	<-c.release
	c.left -= len(p)
	if found := bytes.IndexByte(p, 'x') >= 0; !c.told && (found || c.left <= 0) {
		c.told = true
		c.foreign <- found
	}
	return len(p), nil
}

// A server may answer before it has read the request. The rest of it is sent
// after Do returned, when its bytes may be somebody else's.
func TestEarlyAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for line := ""; line != "\r\n"; {
			if line, err = in.ReadString('\n'); err != nil {
				return
			}
		}
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_, _ = io.Copy(io.Discard, in) // until the client closes
	}()
	body := bytes.Repeat([]byte("a"), 1<<20)
	release, foreign := make(chan struct{}), make(chan bool, 1)
	o := NewOutbound()
	defer o.Close()
	o.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &heldConn{Conn: conn, left: len(body) - 8<<10, release: release, foreign: foreign}, err
	}
	address := listener.Addr().String()
	status, _, reply, err := o.Do(context.Background(), []string{address}, []byte(`{"url":"http://`+address+`/","method":"POST"}`), body)
	for i := range body {
		body[i] = 'x'
	}
	close(release)
	if err != nil || status != 200 || string(reply) != "ok" {
		t.Fatalf("%d %q, %v", status, reply, err)
	}
	if <-foreign {
		t.Error("what was written after Do returned was sent")
	}
}

func TestRefusals(t *testing.T) {
	o := NewOutbound()
	defer o.Close()
	_, _, _, err := o.Do(context.Background(), nil, []byte(`{"url":"http://example.com/"}`), nil)
	if !errors.Is(err, ErrNotAllowed) || !strings.Contains(err.Error(), "--allow-host example.com") {
		t.Error(err)
	}
}
