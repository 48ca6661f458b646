package sigv4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

var alice = Credentials{KeyID: "LDGEALICE", Secret: "sesame", Token: ""}

// verifyHTTP does what a server does with r and its body, at that time.
func verifyHTTP(r *http.Request, body []byte, secret string, at time.Time) error {
	req := FromHTTP(r)
	c, err := Parse(req)
	if err != nil {
		return err
	}
	if err := c.Check(at, "lambda"); err != nil {
		return err
	}
	if err := c.Verify(req, NewKey(secret, c.Scope), HashPayload(body)); err != nil {
		return err
	}
	return c.CheckBody(body)
}

// What a Go client signs and sends is what a Go server verifies, over a real
// connection, with all that net/http adds, moves and takes out.
func TestOverHTTP(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	var result error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		result = verifyHTTP(r, body, alice.Secret, at)
	}))
	defer server.Close()
	for _, target := range []string{
		"/", "", "/2015-03-31/functions/", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Ax/invocations?Qualifier=%24LATEST",
		"/a//b/../c/./d", "/a%20b%2Fc?x=1+2&x=%2B&y&=z&&x=0", "/%E1%88%B4?%E1%88%B4=%e1%88%b4", "/?a=b;c", "/*'()!",
	} {
		for _, body := range []string{"", `{"a":1}`} {
			for _, headers := range [][]string{
				nil,
				{"Content-Type", "application/json; charset=utf-8", "X-Amz-Client-Context", "e30=", "X-Amz-Log-Type", "Tail", "User-Agent", "test"},
				{"X-Amz-Meta", "  two   spaces ", "X-Amz-Meta", "again", "Expect", "100-continue"},
			} {
				r, err := http.NewRequest("POST", server.URL+target, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				for i := 0; i < len(headers); i += 2 {
					r.Header.Add(headers[i], headers[i+1])
				}
				if err := Sign(r, HashPayload([]byte(body)), alice, "eu-west-1", "lambda", at); err != nil {
					t.Fatal(err)
				}
				send(t, r)
				if result != nil {
					t.Errorf("%s %q %q: %v", target, body, headers, result)
				}
			}
		}
		u, err := url.Parse(server.URL + target + "#fragment")
		if err != nil {
			t.Fatal(err)
		}
		for _, payload := range []string{EmptyPayload, UnsignedPayload} {
			signed, err := Presign("GET", u, payload, Credentials{alice.KeyID, alice.Secret, "to/ken="}, "eu-west-1", "lambda", at, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequest("GET", signed.String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			send(t, r)
			if result != nil {
				t.Errorf("presigned %s: %v", signed, result)
			}
		}
	}
}

func send(t *testing.T, r *http.Request) {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
}

// A header that net/http moves out of the way can be signed.
func TestHeadersThatMove(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	claim := newClaim(alice, "r", "lambda", at, []string{"host", "content-length", "transfer-encoding", "x-amz-date"})
	wire := &Request{Method: "PUT", Path: "/p", Host: "h:9000", ContentLength: -1, Header: http.Header{
		"Content-Length": {"12"}, "Transfer-Encoding": {"chunked"}, "X-Amz-Date": {at.Format(timestamp)}}}
	key := NewKey(alice.Secret, claim.Scope)
	sum, err := claim.signature(wire, &key, EmptyPayload)
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Method: "PUT", RequestURI: "http://h:9000/p", Host: "h:9000", URL: &url.URL{}, ContentLength: 12,
		TransferEncoding: []string{"chunked"}, Header: http.Header{"X-Amz-Date": {at.Format(timestamp)}}}
	r.Header.Set("Authorization", claim.header(sum[:]))
	if err := verifyHTTP(r, nil, alice.Secret, at); err != nil {
		t.Error(err)
	}
}

func TestOriginForm(t *testing.T) {
	for target, want := range map[string]string{
		"http://h/a?b": "/a?b", "http://h": "/", "http://h?b": "?b", "*": "*",
	} {
		if got := originForm(target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// signedRequest returns a request that verifyHTTP accepts with signedBody at signedAt.
func signedRequest(t testing.TB) *http.Request {
	t.Helper()
	r := httptest.NewRequest("POST", "http://node:9000/2015-03-31/functions/f/code?a=1&b=2", nil)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Amz-Invocation-Type", "Event")
	if err := Sign(r, HashPayload([]byte(someBody)), alice, "r", "lambda", someTime); err != nil {
		t.Fatal(err)
	}
	return r
}

const someBody = `{"x":1}`

var someTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestTampering(t *testing.T) {
	if err := verifyHTTP(signedRequest(t), []byte(someBody), alice.Secret, someTime); err != nil {
		t.Fatal(err)
	}
	for name, tamper := range map[string]func(r *http.Request){
		"method":         func(r *http.Request) { r.Method = "PUT" },
		"path":           func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "/f/", "/g/", 1) },
		"escaped path":   func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "/f/", "/%66/", 1) },
		"longer path":    func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "code", "code/", 1) },
		"query":          func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "a=1", "a=2", 1) },
		"query added":    func(r *http.Request) { r.RequestURI += "&c" },
		"query bad":      func(r *http.Request) { r.RequestURI += "&%zz" },
		"query cut":      func(r *http.Request) { r.RequestURI += "%2" },
		"no query":       func(r *http.Request) { r.RequestURI, _, _ = strings.Cut(r.RequestURI, "?") },
		"host":           func(r *http.Request) { r.Host = "other:9000" },
		"port":           func(r *http.Request) { r.Host = "node" },
		"content type":   func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"value added":    func(r *http.Request) { r.Header.Add("Content-Type", "text/plain") },
		"line in value":  func(r *http.Request) { r.Header.Set("Content-Type", "application/json\nhost:node") },
		"removed":        func(r *http.Request) { r.Header.Del("X-Amz-Invocation-Type") },
		"amazon's added": func(r *http.Request) { r.Header.Set("X-Amz-Log-Type", "Tail") },
		"other case":     func(r *http.Request) { r.Header["x-amz-log-type"] = []string{"Tail"} },
		"hash":           func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", EmptyPayload) },
		"unsigned":       func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", UnsignedPayload) },
		"no hash":        func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") },
		"date":           func(r *http.Request) { r.Header.Set("X-Amz-Date", someTime.Add(time.Second).Format(timestamp)) },
		"key ID kept, region changed": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/r/", "/q/", 1))
		},
		"fewer signed headers": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "content-type;", "", 1))
		},
	} {
		r := signedRequest(t)
		tamper(r)
		if failure := (*Error)(nil); !errors.As(verifyHTTP(r, []byte(someBody), alice.Secret, someTime), &failure) {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, body := range []string{"", someBody + " ", strings.ToUpper(someBody)} {
		err := verifyHTTP(signedRequest(t), []byte(body), alice.Secret, someTime)
		if failure := (*Error)(nil); !errors.As(err, &failure) || failure.Reason != Mismatch {
			t.Errorf("body %q: %v", body, err)
		}
	}
	if err := verifyHTTP(signedRequest(t), []byte(someBody), "another secret", someTime); err == nil {
		t.Error("another secret was accepted")
	}
	// What a signature does not distinguish.
	for name, change := range map[string]func(r *http.Request){
		"slashes":    func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "/f/", "//./f/x/../", 1) },
		"order":      func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "a=1&b=2", "b=2&a=1", 1) },
		"encoding":   func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "a=1", "%61=%31", 1) },
		"user agent": func(r *http.Request) { r.Header.Set("User-Agent", "x") },
	} {
		r := signedRequest(t)
		change(r)
		if err := verifyHTTP(r, []byte(someBody), alice.Secret, someTime); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	u := &url.URL{Scheme: "http", Host: "h", Path: "/", RawQuery: "%zz"}
	if err := Sign(&http.Request{URL: u}, EmptyPayload, alice, "r", "lambda", someTime); err == nil {
		t.Error("Sign: a query that makes no sense was signed")
	}
	if _, err := Presign("GET", u, EmptyPayload, alice, "r", "lambda", someTime, time.Hour); err == nil {
		t.Error("Presign: a query that makes no sense was signed")
	}
	u.RawQuery = ""
	for _, expires := range []time.Duration{0, -time.Hour, MaxExpires + time.Second} {
		if _, err := Presign("GET", u, EmptyPayload, alice, "r", "lambda", someTime, expires); err == nil {
			t.Errorf("Presign: %s was accepted", expires)
		}
	}
}

// A request can be signed again, for instance to repeat it later.
func TestSignAgain(t *testing.T) {
	r := signedRequest(t)
	r.Header.Set("X-Amz-Security-Token", "old")
	later := someTime.Add(time.Hour)
	if err := Sign(r, HashPayload([]byte(someBody)), Credentials{alice.KeyID, alice.Secret, "new"}, "r", "lambda", later); err != nil {
		t.Fatal(err)
	}
	if err := verifyHTTP(r, []byte(someBody), alice.Secret, later); err != nil {
		t.Error(err)
	}
	if c, err := Parse(FromHTTP(r)); err != nil || c.Token != "new" {
		t.Errorf("token %q, %v", c.Token, err)
	}
}

func TestCache(t *testing.T) {
	var c Cache
	for i := range 10 * cacheSize {
		s := Scope{"20260101", fmt.Sprint("region-", i%(3*cacheSize)), "lambda"}
		secret := fmt.Sprint("secret-", i%2)
		for _, how := range []string{"made", "kept"} {
			if c.Key(secret, s) != NewKey(secret, s) {
				t.Fatalf("a wrong key for %v, %s", s, how)
			}
		}
		if n := len(c.new) + len(c.old); n > 2*cacheSize {
			t.Fatalf("%d keys are kept", n)
		}
	}
	c.Clear()
	if len(c.new)+len(c.old) != 0 {
		t.Error("keys are kept after Clear")
	}
	// One that is in use survives many that are not.
	often := Scope{"20260101", "often", "lambda"}
	for i := range 10 * cacheSize {
		c.Key("s", often)
		c.Key("s", Scope{"20260101", fmt.Sprint(i), "lambda"})
	}
	_, isNew := c.new[cacheKey{"s", often}]
	_, isOld := c.old[cacheKey{"s", often}]
	if !isNew && !isOld {
		t.Error("a key that is in use was forgotten")
	}
}

// What Sign signs, Verify accepts; with one bit of what is covered flipped, it
// does not, unless both mean the same.
func FuzzRoundTrip(f *testing.F) {
	f.Add("GET", "/2015-03-31/functions/f", "a=1&b=2", "text/plain", "value", []byte("body"), uint16(3))
	f.Add("POST", "/a//../b c/%2F", "x=%20+&x", "", "  two  words ", []byte(nil), uint16(700))
	f.Fuzz(func(t *testing.T, method, path, query, contentType, value string, body []byte, flip uint16) {
		r := &http.Request{Method: method, Host: "node", URL: &url.URL{}, RequestURI: "/" + path + "?" + query, Header: http.Header{
			"Content-Type": {contentType}, "X-Amz-Value": {value}}}
		if method == "" {
			return // means GET to net/http
		}
		if err := Sign(r, HashPayload(body), alice, "r", "lambda", someTime); err != nil {
			return // the query makes no sense
		}
		if err := verifyHTTP(r, body, alice.Secret, someTime); err != nil {
			t.Fatalf("what was signed is refused: %v", err)
		}
		before := meaning(r)
		target := []byte(r.RequestURI)
		bit := byte(1) << (flip % 8)
		switch at := int(flip / 8); {
		case at < len(target):
			target[at] ^= bit
			r.RequestURI = string(target)
		case at-len(target) < len(body):
			body = bytes.Clone(body)
			body[at-len(target)] ^= bit
			if verifyHTTP(r, body, alice.Secret, someTime) == nil {
				t.Fatal("another body is accepted")
			}
			return
		default:
			signature := []byte(r.Header.Get("Authorization"))
			signature[len(signature)-1-at%64] ^= bit
			r.Header.Set("Authorization", string(signature))
			if verifyHTTP(r, body, alice.Secret, someTime) == nil {
				t.Fatal("another signature is accepted")
			}
			return
		}
		if err := verifyHTTP(r, body, alice.Secret, someTime); err == nil && meaning(r) != before {
			t.Fatalf("%s and %s have the same signature", before, meaning(r))
		}
	})
}

// meaning returns what a server makes of the request target, by other means than
// the canonical request.
func meaning(r *http.Request) string {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	var segments []string
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case segment == "" || segment == ".":
		case segment == ".." && len(segments) > 0:
			segments = segments[:len(segments)-1]
		case segment == "..":
		default:
			segments = append(segments, segment)
		}
	}
	// Every pair by itself, since ParseQuery drops those with a semicolon.
	var pairs []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if pair != "" {
			pairs = append(pairs, fmt.Sprintf("%q=%q %v %v", name, value, nameErr, valueErr))
		}
	}
	slices.Sort(pairs)
	return fmt.Sprintf("%q %t %q", segments, strings.HasSuffix(path, "/") || len(segments) == 0, pairs)
}

// Parse and the canonical request take anything without a panic, and what is
// accepted has what must be signed.
func FuzzParse(f *testing.F) {
	f.Add("/", "", goodHeader, "20150830T123600Z", "", "")
	f.Add("/a/../b", goodQuery, "", "", "", "x")
	f.Add("/", "", strings.Replace(goodHeader, "host;x", "host;x-amz-content-sha256;x", 1), "20150830T123600Z", streamingSigned, "5")
	f.Fuzz(func(t *testing.T, path, query, authorization, date, payload, length string) {
		r := &Request{Method: "GET", Path: path, RawQuery: query, Host: "h", Header: http.Header{}}
		for name, value := range map[string]string{"Authorization": authorization, "X-Amz-Date": date,
			"X-Amz-Content-Sha256": payload, "X-Amz-Decoded-Content-Length": length} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		c, err := Parse(r)
		if err != nil {
			if failure := (*Error)(nil); !errors.As(err, &failure) || failure.Reason == 0 {
				t.Fatalf("no *Error: %v", err)
			}
			return
		}
		if !slices.Contains(c.signed, "host") || c.KeyID == "" || c.Scope.Date != c.At.Format("20060102") {
			t.Fatalf("accepted %+v", c)
		}
		if err := c.Verify(r, Key{}, EmptyPayload); err == nil {
			t.Fatal("a signature was guessed")
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, example := range chunkedExamples(f) {
		f.Add([]byte(example.body[65000:]))
	}
	f.Add([]byte(chunk(3, "") + chunk(0, "") + "x-amz-checksum-crc32:8AaX7g==\r\n\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, payload := range []Payload{Chunked, ChunkedTrailer, UnsignedTrailer} {
			c := &Claim{Payload: payload, At: someTime, decodedLength: 66560, trailer: "x-amz-checksum-crc32"}
			got, err := io.ReadAll(c.Decode(Key{}, bytes.NewReader(body)))
			if payload.Signed() && (len(got) > 0 || err == nil) {
				t.Fatalf("%d bytes of what is not signed", len(got))
			}
			if len(got) > len(body) || err == nil && len(got) != 66560 {
				t.Fatalf("%d bytes of %d, %v", len(got), len(body), err)
			}
		}
	})
}

// Checks a second of a request as the AWS CLI sends it: all that a server does but
// hash the body.
func BenchmarkVerify(b *testing.B) {
	req := FromHTTP(signedRequest(b))
	for name, keyOf := range map[string]func(string, Scope) Key{"cached key": new(Cache).Key, "new key": NewKey} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, err := Parse(req)
				if err != nil {
					b.Fatal(err)
				}
				if err := c.Check(someTime, "lambda"); err != nil {
					b.Fatal(err)
				}
				if err := c.Verify(req, keyOf(alice.Secret, c.Scope), ""); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "checks/s")
		})
	}
}

func BenchmarkSign(b *testing.B) {
	r := httptest.NewRequest("POST", "http://node:9000/2015-03-31/functions/f/invocations", nil)
	for b.Loop() {
		if err := Sign(r, EmptyPayload, alice, "r", "lambda", someTime); err != nil {
			b.Fatal(err)
		}
	}
}
