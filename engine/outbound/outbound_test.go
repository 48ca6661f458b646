package outbound

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

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
	c := New()
	defer c.Close()
	address := listener.Addr().String()
	c.transports.of(parse(t, address)).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &heldConn{Conn: conn, left: len(body) - 8<<10, release: release, foreign: foreign}, err
	}
	status, _, reply, err := c.Exchange(context.Background(), []string{address}, []byte(`{"url":"http://`+address+`/","method":"POST"}`), body, plenty)
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

// exchange makes a request with a client of its own.
func exchange(t *testing.T, resolver *net.Resolver, allow []string, request string, body []byte) (int, http.Header, string, error) {
	t.Helper()
	c := New()
	defer c.Close()
	c.transports.resolver = resolver
	status, header, reply, err := c.Exchange(t.Context(), allow, []byte(request), body, plenty)
	return status, header, string(reply), err
}

// A server that tells which request came.
func echoServer(t *testing.T) (address string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch to := r.URL.Query().Get("to"); {
		case to != "":
			code := http.StatusFound
			if r.URL.Query().Has("keep") {
				code = http.StatusTemporaryRedirect
			}
			http.Redirect(w, r, to, code)
		case r.URL.Path == "/zeros":
			_, _ = w.Write(make([]byte, maxReply+1))
		case r.URL.Path == "/headers":
			w.Header().Set("X-Much", strings.Repeat("x", 2*maxHeaderBytes))
		default:
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s key=%q auth=%q cookie=%q referer=%q type=%q", r.Method, body, r.Header.Get("X-Api-Key"), r.Header.Get("Authorization"),
				r.Header.Get("Cookie"), r.Header.Get("Referer"), r.Header.Get("Content-Type"))
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// plenty is the room of a node that has enough.
func plenty(int) error { return nil }

func TestExchange(t *testing.T) {
	server, other := echoServer(t), echoServer(t)
	_, port, _ := net.SplitHostPort(server)
	_, otherPort, _ := net.SplitHostPort(other)
	local := []string{server}
	const secrets = `"headers":{"X-Api-Key":"k","Authorization":"a","Cookie":"c","Content-Type":"text/x"}`
	tests := []struct {
		name, request, body string
		allow               []string
		want                string // of the reply
		fails               string // of the error
		denied              bool   // the error wraps ErrNotAllowed
	}{
		{"literal", `{"url":"http://` + server + `/"}`, "", local, `GET  key=""`, "", false},
		{"network", `{"url":"http://` + server + `/"}`, "", []string{"127.0.0.0/8:*"}, `GET  key=""`, "", false},
		{"network on its usual port", `{"url":"http://` + server + `/"}`, "", []string{"127.0.0.0/8"}, "", "allow it with --allow-host " + server, true},
		{"localhost", `{"url":"http://localhost:` + port + `/"}`, "", []string{"localhost:" + port}, `GET  key=""`, "", false},
		{"localhost by its address", `{"url":"http://` + server + `/"}`, "", []string{"localhost:" + port}, `GET  key=""`, "", false},
		{"mapped", `{"url":"http://[::ffff:127.0.0.1]:` + port + `/"}`, "", local, `GET  key=""`, "", false},
		{"mapped that is not listed", `{"url":"http://[::ffff:127.0.0.1]:` + port + `/"}`, "", []string{"[::1]:*"}, "", "--allow-host", true},
		{"only https", `{"url":"http://` + server + `/"}`, "", []string{"https://" + server}, "", "--allow-host", true},
		{"nothing", `{"url":"http://example.com/"}`, "", nil, "", "allow it with --allow-host example.com", true},
		{"secrets", `{"url":"http://` + server + `/",` + secrets + `,"method":"POST"}`, "b", local, `POST b key="k" auth="a" cookie="c" referer="" type="text/x"`, "", false},
		{"redirect within", `{"url":"http://` + server + `/?to=/x",` + secrets + `}`, "", local, `GET  key="k" auth="a" cookie="c"`, "", false},
		{"redirect to another origin", `{"url":"http://` + server + `/?to=http://` + other + `/x",` + secrets + `}`, "", []string{server, other},
			`GET  key="" auth="" cookie="" referer="" type=""`, "", false},
		{"redirect with its body", `{"url":"http://` + server + `/?keep&to=http://` + other + `/x","method":"PUT"}`, "b", []string{server, other}, `PUT b key=""`, "", false},
		{"redirect that forgets its body", `{"url":"http://` + server + `/?to=/x","method":"POST"}`, "b", local, `GET  key=""`, "", false},
		{"redirect to what is not listed", `{"url":"http://` + server + `/?to=http://` + other + `/"}`, "", local, "", "allow it with --allow-host " + other, true},
		{"redirect to a private address by name", `{"url":"http://` + server + `/?to=http://localhost.example:` + otherPort + `/"}`, "", []string{server, "localhost.example:" + otherPort},
			"", "a loopback address; allow it with --allow-host " + other, true},
		{"redirect to a file", `{"url":"http://` + server + `/?to=file:///etc/passwd"}`, "", local, "", "", false},
		{"endless redirects", `{"url":"http://` + server + `/?to=%3Fto=/"}`, "", local, `GET`, "", false},
		{"no URL", `GET /`, "", local, "", "not a JSON object", false},
		{"another scheme", `{"url":"file:///etc/passwd"}`, "", local, "", "not an http", false},
		{"no such port", `{"url":"http://127.0.0.1:99999/"}`, "", []string{"127.0.0.1:*"}, "", "has no port", false},
		{"a wild method", `{"url":"http://` + server + `/","method":"G ET"}`, "", local, "", "invalid method", false},
		{"a wild header", `{"url":"http://` + server + `/","headers":{"X":"a\r\nY: b"}}`, "", local, "", "invalid header", false},
		{"many headers", `{"url":"http://` + server + `/","headers":{` + strings.TrimPrefix(manyHeaders(), ",") + `}}`, "", local, "", "at most 100", false},
		{"large headers", `{"url":"http://` + server + `/","headers":{"X":"` + strings.Repeat("x", maxHeaderBytes) + `"}}`, "", local, "", "at most 100 and 65536", false},
		{"huge headers", `{"url":"http://` + server + `/","headers":{"X":"` + strings.Repeat("x", maxEncoded) + `"}}`, "", local, "", "at most 524288 are read", false},
		{"large body", `{"url":"http://` + server + `/","method":"POST"}`, strings.Repeat("x", maxRequest+1), local, "", "at most 16777216", false},
		{"large reply", `{"url":"http://` + server + `/zeros"}`, "", local, "", "longer than 16 MB", false},
		{"large headers of the reply", `{"url":"http://` + server + `/headers"}`, "", local, "", "response headers", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, reply, err := exchange(t, loopbackResolver(), test.allow, test.request, []byte(test.body))
			if test.want == "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) || errors.Is(err, ErrNotAllowed) != test.denied {
					t.Errorf("%d bytes, %v", len(reply), err)
				}
			} else if err != nil || !strings.HasPrefix(reply, test.want) {
				t.Errorf("%.200q, %v", reply, err)
			}
		})
	}
}

func manyHeaders() (text string) {
	for i := range maxHeaders + 1 {
		text += fmt.Sprintf(`,"X-%d":"1"`, i)
	}
	return text
}

// loopbackResolver says of each name that it is 127.0.0.1.
func loopbackResolver() *net.Resolver {
	return resolver(func() [4]byte { return [4]byte{127, 0, 0, 1} })
}

// resolver answers each question for an IPv4 address with the next one.
func resolver(next func() [4]byte) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for {
				var size [2]byte
				if _, err := io.ReadFull(server, size[:]); err != nil {
					return
				}
				question := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(server, question); err != nil {
					return
				}
				reply := answer(question, next)
				if _, err := server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
					return
				}
			}
		}()
		return client, nil
	}}
}

// answer is the message of DNS (RFC 1035, section 4) that answers a question.
func answer(question []byte, next func() [4]byte) []byte {
	end := 12
	for question[end] != 0 { // labels
		end += 1 + int(question[end])
	}
	kind := binary.BigEndian.Uint16(question[end+1:])
	end += 5
	reply := append([]byte(nil), question[:end]...)
	reply[2], reply[3] = 0x81, 0x80           // a response, recursion available
	copy(reply[6:], []byte{0, 0, 0, 0, 0, 0}) // no answers, and nothing beside
	if kind == 1 {                            // A
		reply[7] = 1
		address := next()
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		reply = append(reply, address[:]...)
	}
	return reply
}

// A name that has one address when it is looked at and another when it is called
// reaches only what is allowed, whatever the name is.
func TestRebinding(t *testing.T) {
	server := echoServer(t)
	_, port, _ := net.SplitHostPort(server)
	addresses := [][4]byte{{127, 0, 0, 1}, {127, 0, 0, 2}, {169, 254, 169, 254}, {192, 168, 1, 1}, {100, 64, 0, 1}, {0, 0, 0, 0}}
	asked := 0
	r := resolver(func() [4]byte { asked++; return addresses[(asked-1)%len(addresses)] })
	allow := []string{"device.example:" + port, server}
	request := `{"url":"http://device.example:` + port + `/"}`
	if _, _, reply, err := exchange(t, r, allow, request, nil); err != nil || !strings.HasPrefix(reply, "GET") {
		t.Fatalf("%q, %v", reply, err)
	}
	for _, address := range addresses[1:] {
		_, _, _, err := exchange(t, r, allow, request, nil)
		if !errors.Is(err, ErrNotAllowed) || !strings.Contains(err.Error(), fmt.Sprintf("%d.%d.%d.%d:%s", address[0], address[1], address[2], address[3], port)) {
			t.Errorf("%v: %v", address, err)
		}
	}
	if asked != len(addresses) {
		t.Errorf("asked %d times", asked)
	}
}

// A connection that one function may open is not lent to another that may not.
func TestConnectionsAreNotLent(t *testing.T) {
	server := echoServer(t)
	_, port, _ := net.SplitHostPort(server)
	c := New()
	defer c.Close()
	c.transports.resolver = loopbackResolver()
	request := []byte(`{"url":"http://device.example:` + port + `/"}`)
	for range 2 {
		if _, _, _, err := c.Exchange(t.Context(), []string{"device.example:" + port, "127.0.0.1:" + port}, request, nil, plenty); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := c.Exchange(t.Context(), []string{"device.example:" + port}, request, nil, plenty); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("lent: %v", err)
		}
	}
	for i := range 3 * maxTransports {
		c.transports.of(parse(t, fmt.Sprintf("127.0.0.1:%d", i+1)))
	}
	if n := len(c.transports.shared); n > maxTransports {
		t.Errorf("%d transports", n)
	}
}
