package identity

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ledge/edge/awsapi/sigv4"
)

func TestSignedRequests(t *testing.T) {
	n := newNode(t)
	ci := n.create(t, Order{Name: "ci", Access: Deploy, Secret: true, Token: true}).credentials()
	off := n.create(t, Order{Name: "off", Access: Deploy, Secret: true})
	disabled := true
	if _, err := n.Update("off", Change{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	old := n.create(t, Order{Name: "old", Access: Deploy, Secret: true, Expires: n.clock().Add(time.Minute)})
	tokenOnly := n.create(t, Order{Name: "person", Access: Deploy, Token: true})
	n.advance(time.Hour)
	wrong := sigv4.Credentials{KeyID: ci.KeyID, Secret: "wrong"}
	unknown := sigv4.Credentials{KeyID: newID(), Secret: "x"}
	session := sigv4.Credentials{KeyID: ci.KeyID, Secret: ci.Secret, Token: "session"}

	const body = `{"FunctionName":"f"}`
	at := func(d time.Duration, c sigv4.Credentials) Request {
		r := signedPlainly(c, body, n.clock().Add(d))
		return requestOf(r, body)
	}
	presigned := func(expires time.Duration, payload string) Request {
		u, err := url.Parse("http://node:9000/2015-03-31/functions/f")
		if err != nil {
			t.Fatal(err)
		}
		u, err = sigv4.Presign("GET", u, payload, ci, "us-east-1", "lambda", n.clock(), expires)
		if err != nil {
			t.Fatal(err)
		}
		return requestOf(&sigv4.Request{Method: "GET", Path: u.EscapedPath(), RawQuery: u.RawQuery, Host: u.Host}, "")
	}
	change := func(r Request, f func(*Request)) Request { f(&r); return r }
	for name, test := range map[string]struct {
		request    Request
		code, says string // empty: accepted
		counted    string
		unread     bool // the body must not be asked for
	}{
		"hash in a header":    {request: n.signed(t, ci, body)},
		"as the AWS CLI does": {request: n.plain(ci, body)},
		"presigned":           {request: presigned(time.Hour, sigv4.EmptyPayload)},
		"presigned for a change": {request: change(presigned(time.Hour, sigv4.EmptyPayload), func(r *Request) {
			r.Changes, r.Connection = true, 1
		})},
		"unsigned body where allowed": {request: change(presigned(time.Hour, sigv4.UnsignedPayload), func(r *Request) {
			r.AllowUnsigned, r.Body = true, bodyOf("any")
		})},
		"4 minutes late": {request: at(-4*time.Minute, ci)},
		"no body":        {request: change(n.plain(ci, ""), func(r *Request) { r.Body = nil })},

		"no credentials": {request: change(n.plain(ci, body), func(r *Request) { r.Header.Del("Authorization") }),
			code: sigv4.CodeMissing, says: "Missing Authentication Token", counted: "no-credentials", unread: true},
		"malformed": {request: change(n.plain(ci, body), func(r *Request) { r.Header.Set("Authorization", "Basic eDp5") }),
			code: sigv4.CodeIncomplete, says: "algorithm", counted: "malformed", unread: true},
		"unknown key":        {request: n.plain(unknown, body), code: CodeUnrecognized, says: "The security token included in the request is invalid.", counted: "unknown-key", unread: true},
		"session token":      {request: n.signed(t, session, body), code: CodeUnrecognized, says: "is invalid", counted: "unknown-key", unread: true},
		"disabled key":       {request: n.plain(off.credentials(), body), code: CodeUnrecognized, says: "is invalid", counted: "disabled-key", unread: true},
		"key without secret": {request: n.plain(tokenOnly.credentials(), body), code: CodeUnrecognized, says: "is invalid", counted: "disabled-key", unread: true},
		"expired key":        {request: n.plain(old.credentials(), body), code: CodeExpired, says: "The security token included in the request is expired", counted: "expired-key", unread: true},
		"6 minutes late":     {request: at(-6*time.Minute, ci), code: sigv4.CodeInvalid, says: "Signature expired: 20260501T125400Z is now earlier than 20260501T125500Z (20260501T130000Z - 5 min.)", counted: "clock-skew", unread: true},
		"6 minutes early":    {request: at(6*time.Minute, ci), code: sigv4.CodeInvalid, says: "Signature not yet current: 20260501T130600Z is still later than 20260501T130500Z (20260501T130000Z + 5 min.)", counted: "clock-skew", unread: true},
		"wrong service": {request: change(n.plain(ci, body), func(r *Request) { r.Services = []string{"apigateway"} }),
			code: sigv4.CodeInvalid, says: "scoped to correct service: 'apigateway'", counted: "wrong-scope", unread: true},
		"wrong secret, hash in a header": {request: n.signed(t, wrong, body), code: sigv4.CodeInvalid, says: "does not match the signature you provided", counted: "wrong-signature", unread: true},
		"wrong secret":                   {request: n.plain(wrong, body), code: sigv4.CodeInvalid, says: "does not match the signature you provided", counted: "wrong-signature"},
		"other body":                     {request: change(n.plain(ci, body), func(r *Request) { r.Body = bodyOf("x") }), code: sigv4.CodeInvalid, says: "does not match", counted: "wrong-signature"},
		"other body, hash in a header":   {request: change(n.signed(t, ci, body), func(r *Request) { r.Body = bodyOf("x") }), code: sigv4.CodeInvalid, says: "x-amz-content-sha256", counted: "wrong-signature"},
		"body left out":                  {request: change(n.signed(t, ci, body), func(r *Request) { r.Body = nil }), code: sigv4.CodeInvalid, says: "x-amz-content-sha256", counted: "wrong-signature"},
		"unsigned body":                  {request: presigned(time.Hour, sigv4.UnsignedPayload), code: sigv4.CodeInvalid, says: "does not cover the body", counted: "unsigned-body", unread: true},
		"presigned for a change, for days": {request: change(presigned(24*time.Hour, sigv4.EmptyPayload), func(r *Request) { r.Changes = true }),
			code: sigv4.CodeInvalid, says: "at most an hour", counted: "wrong-scope", unread: true},
	} {
		t.Run(name, func(t *testing.T) {
			before := n.Refusals()
			r := test.request
			if test.unread {
				r.Body = noBody(t)
			}
			c, err := n.Authenticate(r)
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				want := []byte(nil)
				if r.Body != nil {
					want, _ = r.Body()
				}
				if c.Name != "ci" || c.Access != Deploy || c.KeyID != ci.KeyID || string(c.Body) != string(want) {
					t.Errorf("caller %+v", c)
				}
				return
			}
			wantCode(t, "Authenticate", err, 403, test.code, test.says)
			for reason, count := range n.Refusals() {
				want := before[reason]
				if reason == test.counted {
					want++
				}
				if count != want {
					t.Errorf("%s is counted %d times, want %d", reason, count, want)
				}
			}
		})
	}
}

func TestBearerTokens(t *testing.T) {
	n := newNode(t)
	disabled := true
	person := n.create(t, Order{Name: "person", Access: Read, Token: true})
	off := n.create(t, Order{Name: "off", Access: Read, Token: true})
	if _, err := n.Update("off", Change{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	old := n.create(t, Order{Name: "old", Access: Read, Token: true, Expires: n.clock().Add(time.Minute)})
	n.advance(time.Hour)
	from := func(peer netip.Addr, secure bool) Request {
		r := withToken(person.Token)
		r.Peer, r.TLS = peer, secure
		return r
	}
	lower := withToken(person.Token)
	lower.Header.Set("Authorization", "bearer  "+person.Token+" ")
	other := person.Token[:len(person.Token)-1] + string(person.Token[len(person.Token)-1]^1)
	for name, test := range map[string]struct {
		request Request
		code    string // empty: accepted
		says    string
		counted string
	}{
		"from this machine":         {request: withToken(person.Token)},
		"from this machine, IPv6":   {request: from(netip.MustParseAddr("::1"), false)},
		"from this machine, mapped": {request: from(netip.MustParseAddr("::ffff:127.0.0.1"), false)},
		"over TLS":                  {request: from(clean, true)},
		"other spelling":            {request: lower},
		"over plain HTTP":           {request: from(clean, false), code: CodeDenied, says: "others on the network can read this one", counted: "token-without-tls"},
		"from nobody knows where":   {request: from(netip.Addr{}, false), code: CodeDenied, says: "TLS", counted: "token-without-tls"},
		"another token":             {request: withToken(other), code: CodeUnrecognized, says: "is invalid", counted: "wrong-token"},
		"an unknown key":            {request: withToken(newToken(newID())), code: CodeUnrecognized, says: "is invalid", counted: "unknown-key"},
		"a key without token":       {request: withToken(newToken(n.root.KeyID)), code: CodeUnrecognized, says: "is invalid", counted: "unknown-key"},
		"no token":                  {request: withToken(""), code: CodeUnrecognized, says: "is invalid", counted: "unknown-key"},
		"a token of something else": {request: withToken("ghp_0123456789"), code: CodeUnrecognized, says: "is invalid", counted: "unknown-key"},
		"disabled":                  {request: withToken(off.Token), code: CodeUnrecognized, says: "is invalid", counted: "disabled-key"},
		"expired":                   {request: withToken(old.Token), code: CodeExpired, says: "is expired", counted: "expired-key"},
	} {
		t.Run(name, func(t *testing.T) {
			before := n.Refusals()[test.counted]
			r := test.request
			r.Body = noBody(t)
			if test.code == "" {
				r.Body = bodyOf("b")
			}
			c, err := n.Authenticate(r)
			if test.code == "" {
				if err != nil || c.Name != "person" || string(c.Body) != "b" || c.ARN != person.ARN {
					t.Errorf("caller %+v, %v", c, err)
				}
				return
			}
			wantCode(t, "Authenticate", err, 403, test.code, test.says)
			if after := n.Refusals()[test.counted]; after != before+1 {
				t.Errorf("%s is counted %d times", test.counted, after-before)
			}
		})
	}
}

// An error of the body is the caller's own.
func TestBodyError(t *testing.T) {
	n := newNode(t)
	person := n.create(t, Order{Name: "person", Access: Read, Token: true})
	tooLarge := &http.MaxBytesError{Limit: 5}
	for name, r := range map[string]Request{"plain": n.plain(n.root, "x"), "hashed": n.signed(t, n.root, "x"), "token": withToken(person.Token)} {
		r.Body = func() ([]byte, error) { return nil, tooLarge }
		_, err := n.Authenticate(r)
		if got := (*http.MaxBytesError)(nil); !errors.As(err, &got) || got != tooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// aws-chunked bodies arrive without their framing.
func TestChunkedBody(t *testing.T) {
	n := newNode(t)
	const trailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	r, err := http.NewRequest("PUT", "http://node:9000/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Decoded-Content-Length", "9")
	r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
	if err := sigv4.Sign(r, trailer, n.root, "us-east-1", "lambda", n.clock()); err != nil {
		t.Fatal(err)
	}
	sum, err := hex.DecodeString("cbf43926") // of 123456789
	if err != nil {
		t.Fatal(err)
	}
	encoded := func(text string) Request {
		request := requestOf(sigv4.FromHTTP(r), fmt.Sprintf("9\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n", text, base64.StdEncoding.EncodeToString(sum)))
		request.AllowUnsigned = true
		return request
	}
	if c, err := n.Authenticate(encoded("123456789")); err != nil || string(c.Body) != "123456789" {
		t.Errorf("body %q, %v", c.Body, err)
	}
	_, err = n.Authenticate(encoded("123456780"))
	wantCode(t, "other bytes", err, 403, sigv4.CodeInvalid, "crc32")
	refused := encoded("123456789")
	refused.AllowUnsigned, refused.Body = false, noBody(t)
	_, err = n.Authenticate(refused)
	wantCode(t, "where it is not allowed", err, 403, sigv4.CodeInvalid, "does not cover the body")
}

// TestAllow: whoever is refused makes the node neither read his body, where that
// can be avoided, nor remember his signature.
func TestAllow(t *testing.T) {
	n := newNode(t)
	denied := errors.New("denied")
	reader := n.create(t, Order{Name: "reader", Access: Read, Secret: true, Token: true})
	for name, request := range map[string]Request{
		"hashed": n.signed(t, reader.credentials(), "x"),
		"whole":  n.plain(reader.credentials(), "x"),
		"token":  withToken(reader.Token),
	} {
		if name != "whole" {
			request.Body = noBody(t)
		}
		request.Changes, request.Connection = true, 1
		var asked []string
		request.Allow = func(c Caller) error {
			asked = append(asked, c.KeyID)
			return denied
		}
		if _, err := n.Authenticate(request); err != denied {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(asked, []string{reader.ID}) || len(n.replays.seen) != 0 {
			t.Errorf("%s: asked about %q, %d signatures are remembered", name, asked, len(n.replays.seen))
		}
	}
	wrong := reader.credentials()
	wrong.Secret += "x"
	request := n.signed(t, wrong, "x")
	request.Allow = func(Caller) error { t.Error("asked about who has no credentials"); return nil }
	if _, err := n.Authenticate(request); err == nil {
		t.Error("wrong credentials are taken")
	}
}

// The whole way through net/http: over TCP, TLS and the Unix socket.
func TestOverHTTP(t *testing.T) {
	n := newNode(t)
	person := n.create(t, Order{Name: "person", Access: Read, Token: true})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := FromHTTP(r)
		request.Services = []string{"lambda"}
		request.Body = func() ([]byte, error) { return io.ReadAll(r.Body) }
		c, err := n.Authenticate(request)
		if err != nil {
			w.WriteHeader(403)
		}
		fmt.Fprint(w, c.Name, " ", string(c.Body), " ", request.Peer, " ", request.TLS)
	})
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewTLSServer(handler)
	defer secure.Close()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	socket := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
	socket.Start()
	defer socket.Close()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: secure.Client().Transport.(*http.Transport).TLSClientConfig,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "socket") {
				network, address = "unix", listener.Addr().String()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	defer client.CloseIdleConnections()
	for base, where := range map[string]string{plain.URL: "127.0.0.1 false", secure.URL: "127.0.0.1 true", "http://socket": "::1 false"} {
		for _, token := range []bool{false, true} {
			r, err := http.NewRequest("POST", base+"/a//b?c=d", strings.NewReader("text"))
			if err != nil {
				t.Fatal(err)
			}
			want := "root text " + where
			if token {
				r.Header.Set("Authorization", "Bearer "+person.Token)
				want = "person text " + where
			} else if err := sigv4.Sign(r, sigv4.HashPayload([]byte("text")), n.root, "us-east-1", "lambda", n.clock()); err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || string(got) != want {
				t.Errorf("%s: %q, %v, want %q", base, got, err, want)
			}
		}
	}
	if request := FromHTTP(&http.Request{URL: &url.URL{}, RemoteAddr: "@", TLS: &tls.ConnectionState{}}); request.Peer.IsValid() || !request.TLS {
		t.Errorf("a peer without address is %v", request.Peer)
	}
}

// Keys come and go while requests are judged; run with -race.
func TestConcurrently(t *testing.T) {
	n := newNode(t)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 20 {
				issued, err := n.Create(Order{Name: fmt.Sprintf("k%d-%d", i, j), Access: Read, Secret: true, Token: true})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := n.Authenticate(n.plain(issued.credentials(), "")); err != nil {
					t.Errorf("new key: %v", err)
				}
				rotated, err := n.Rotate(issued.ID)
				if err != nil {
					t.Error(err)
				}
				if _, err := n.Authenticate(n.plain(issued.credentials(), "")); err == nil {
					t.Error("the old secret is accepted")
				}
				if _, err := n.Authenticate(withToken(rotated.Token)); err != nil {
					t.Errorf("rotated key: %v", err)
				}
				if err := n.Delete(issued.ID); err != nil {
					t.Error(err)
				}
				if _, err := n.Authenticate(withToken(rotated.Token)); err == nil {
					t.Error("a deleted key is accepted")
				}
			}
		})
		all.Go(func() {
			for j := range 200 {
				r := n.plain(n.root, fmt.Sprint(i, " ", j))
				r.Changes, r.Connection = true, uint64(i+1)
				c, err := n.Authenticate(r)
				if err != nil {
					t.Error(err)
				}
				n.Finish(c, 200+j%2*300)
				n.List()
				n.Refusals()
				n.Problems()
			}
		})
	}
	all.Wait()
	if list := n.List(); len(list) != 1 {
		t.Errorf("%d keys are left", len(list))
	}
}

// All of what a signed request costs, but reading its body and the operation.
func BenchmarkAuthenticate(b *testing.B) {
	n := newNode(b)
	person := n.create(b, Order{Name: "person", Access: Invoke, Token: true})
	for name, r := range map[string]Request{
		"signature": n.plain(n.root, `{"key":"value"}`),
		"token":     withToken(person.Token),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := n.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "checks/s")
		})
	}
}
