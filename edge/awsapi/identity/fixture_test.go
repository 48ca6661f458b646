package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ledge/edge/awsapi/sigv4"
	"ledge/persist"
)

// node is a keyring over a real store, with a clock that stands still.
type node struct {
	*Keyring
	dir   string
	store *persist.Store
	disk  *failingStore
	root  sigv4.Credentials

	mu  sync.Mutex
	now time.Time
}

var deviceSecret = []byte("0123456789abcdef0123456789abcdef")

// failingStore refuses writes when it is told to.
type failingStore struct {
	Store
	err     error
	touches atomic.Int32
}

func (s *failingStore) PutKey(k persist.Key) error {
	if s.err != nil {
		return s.err
	}
	return s.Store.PutKey(k)
}

func (s *failingStore) DeleteKey(id string) error {
	if s.err != nil {
		return s.err
	}
	return s.Store.DeleteKey(id)
}

func (s *failingStore) TouchKey(id string, at time.Time) error {
	s.touches.Add(1)
	return s.Store.TouchKey(id, at)
}

func newNode(t testing.TB) *node {
	t.Helper()
	n := &node{dir: t.TempDir(), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.FixedZone("", 0))}
	n.open(t, deviceSecret)
	if n.root = readRootKey(t, n.dir); n.root.KeyID == "" {
		t.Fatal("no root key was made")
	}
	return n
}

func (n *node) open(t testing.TB, secret []byte) (made bool) {
	t.Helper()
	store, err := persist.Open(n.dir, persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n.store, n.disk = store, &failingStore{Store: store}
	n.Keyring, made, err = Open(Config{Store: n.disk, DeviceSecret: secret, Dir: n.dir, Now: n.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.close(t) })
	return made
}

// close may be called again.
func (n *node) close(t testing.TB) {
	t.Helper()
	n.Keyring.Close()
	if err := n.store.Close(); err != nil {
		t.Error(err)
	}
}

func (n *node) clock() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

func (n *node) advance(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = n.now.Add(d)
}

func (n *node) create(t testing.TB, o Order) Issued {
	t.Helper()
	issued, err := n.Create(o)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func (i Issued) credentials() sigv4.Credentials {
	return sigv4.Credentials{KeyID: i.ID, Secret: i.SecretAccessKey}
}

// peers of requests
var (
	clean    = netip.MustParseAddr("192.0.2.1")
	loopback = netip.MustParseAddr("127.0.0.1")
)

func stranger(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
}

// noBody fails the test when it is read.
func noBody(t testing.TB) func() ([]byte, error) {
	return func() ([]byte, error) {
		t.Helper()
		t.Error("the body was read")
		return nil, errors.New("the body was read")
	}
}

func bodyOf(text string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(text), nil }
}

// signed returns a request to Lambda that c has signed now, with the body's hash in
// X-Amz-Content-Sha256.
func (n *node) signed(t testing.TB, c sigv4.Credentials, body string) Request {
	t.Helper()
	r, err := http.NewRequest("POST", "http://node:9000/2015-03-31/functions", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sigv4.Sign(r, sigv4.HashPayload([]byte(body)), c, "us-east-1", "lambda", n.clock()); err != nil {
		t.Fatal(err)
	}
	return requestOf(sigv4.FromHTTP(r), body)
}

// plain returns the same request without X-Amz-Content-Sha256.
func (n *node) plain(c sigv4.Credentials, body string) Request {
	return requestOf(signedPlainly(c, body, n.clock()), body)
}

func requestOf(r *sigv4.Request, body string) Request {
	return Request{Request: r, Peer: clean, Services: []string{"lambda"}, Body: bodyOf(body)}
}

// signedPlainly signs as the AWS CLI does for Lambda, without X-Amz-Content-Sha256.
// It is written after AWS's description and not with package sigv4.
func signedPlainly(c sigv4.Credentials, body string, at time.Time) *sigv4.Request {
	mac := func(key, text string) string {
		h := hmac.New(sha256.New, []byte(key))
		io.WriteString(h, text)
		return string(h.Sum(nil))
	}
	date, day := at.Format("20060102T150405Z"), at.Format("20060102")
	scope := day + "/us-east-1/lambda/aws4_request"
	canonical := "POST\n/2015-03-31/functions\n\nhost:node:9000\nx-amz-date:" + date + "\n\nhost;x-amz-date\n" + sigv4.HashPayload([]byte(body))
	text := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sigv4.HashPayload([]byte(canonical))
	key := mac(mac(mac(mac("AWS4"+c.Secret, day), "us-east-1"), "lambda"), "aws4_request")
	return &sigv4.Request{Method: "POST", Path: "/2015-03-31/functions", Host: "node:9000", Header: http.Header{
		"X-Amz-Date":    {date},
		"Authorization": {fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=host;x-amz-date, Signature=%x", c.KeyID, scope, mac(key, text))},
	}}
}

// withToken returns a request with a bearer token.
func withToken(token string) Request {
	return Request{
		Request:  &sigv4.Request{Method: "GET", Path: "/", Host: "node", Header: http.Header{"Authorization": {"Bearer " + token}}},
		Peer:     loopback,
		Services: []string{"lambda"},
	}
}

// wantCode checks an error's code, and that its message says something.
func wantCode(t testing.TB, what string, err error, status int, code, says string) {
	t.Helper()
	var failure *Error
	if !errors.As(err, &failure) || failure.Status != status || failure.Code != code || !strings.Contains(failure.Message, says) {
		t.Errorf("%s: got %v, want %d %s: ...%s...", what, err, status, code, says)
	}
}

func readRootKey(t testing.TB, dir string) (c sigv4.Credentials) {
	t.Helper()
	text := string(readFile(t, filepath.Join(dir, RootKeyFile)))
	if _, err := fmt.Sscanf(text[strings.Index(text, "[default]"):], "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", &c.KeyID, &c.Secret); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return c
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
