package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Bounds of one request.
const (
	maxRequest     = 16 << 20  // bytes of its body
	maxReply       = 16 << 20  // bytes of the reply's body, decompressed
	maxHeaders     = 100       // of a request
	maxHeaderBytes = 64 << 10  // of a request, and of a reply, each
	maxEncoded     = 512 << 10 // of a request as a function encodes it
	maxRedirects   = 5
)

// ErrNotAllowed is wrapped by the error of a request to a host that the function may
// not call.
var ErrNotAllowed = errors.New("host is not allowed")

// Client makes requests. It is safe for concurrent use.
type Client struct{ transports transports }

// New returns a Client with connections of its own. It ignores the proxy settings of
// the node's environment: what a function may reach is its list and nothing else.
func New() *Client { return &Client{} }

// Close drops idle connections.
func (c *Client) Close() { c.transports.close() }

// request is the object that Extism's PDKs encode
// (https://github.com/extism/extism, manifest/src/lib.rs, HttpRequest), and the
// modules of languages too.
type request struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
}

// Exchange makes the request that encoded describes, if it and those that it is
// redirected to match a pattern of allow. An error is meant for the function's author,
// and wraps ErrNotAllowed where a pattern would help. encoded and body are not used
// after it returns: the transport may still be sending when a server answers early, so
// it gets a copy. room is asked before more bytes are kept, and its error is returned.
func (c *Client) Exchange(ctx context.Context, allow []string, encoded, body []byte, room func(bytes int) error) (status int, header http.Header, reply []byte, err error) {
	if len(body) > maxRequest {
		return 0, nil, nil, fmt.Errorf("the body of the request has %d bytes, at most %d are sent", len(body), maxRequest)
	}
	if err := room(len(body)); err != nil {
		return 0, nil, nil, err
	}
	r, err := newRequest(ctx, encoded, body)
	if err != nil {
		return 0, nil, nil, err
	}
	patterns := make([]Pattern, 0, len(allow))
	for _, text := range allow {
		p, err := ParsePattern(text)
		if err != nil {
			continue // it was accepted once, or never: it allows nothing
		}
		patterns = append(patterns, p)
	}
	if err := permit(patterns, r.URL); err != nil {
		return 0, nil, nil, err
	}
	client := &http.Client{Transport: c.transports.of(patterns), CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		if !sameOrigin(next.URL, via[0].URL) {
			keepPlain(next.Header)
		}
		return permit(patterns, next.URL)
	}}
	answer, err := client.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer answer.Body.Close()
	if reply, err = readReply(answer.Body, room); err != nil {
		return 0, nil, nil, err
	}
	return answer.StatusCode, answer.Header, reply, nil
}

// readReply reads at most maxReply bytes, for which it asks as it goes: what a server
// says of their number may be wrong.
func readReply(body io.Reader, room func(bytes int) error) ([]byte, error) {
	reply := make([]byte, 0, 4<<10)
	for {
		n, err := body.Read(reply[len(reply):cap(reply)])
		reply = reply[:len(reply)+n]
		switch {
		case len(reply) > maxReply:
			return nil, fmt.Errorf("the reply is longer than %d MB", maxReply>>20)
		case errors.Is(err, io.EOF):
			return reply, nil
		case err != nil:
			return nil, fmt.Errorf("read reply: %w", err)
		case len(reply) < cap(reply):
			continue
		}
		more := min(cap(reply), maxReply+1-cap(reply))
		if err := room(more); err != nil {
			return nil, err
		}
		reply = append(make([]byte, 0, cap(reply)+more), reply...)
	}
}

// newRequest reads what a function wants.
func newRequest(ctx context.Context, encoded, body []byte) (*http.Request, error) {
	var want request
	if len(encoded) > maxEncoded {
		return nil, fmt.Errorf("the request has %d bytes beside its body, at most %d are read", len(encoded), maxEncoded)
	}
	if err := json.Unmarshal(encoded, &want); err != nil {
		return nil, fmt.Errorf("the request is not a JSON object with url, method and headers: %w", err)
	}
	if want.Method == "" {
		want.Method = http.MethodGet
	}
	size := len(want.URL)
	for name, value := range want.Headers {
		size += len(name) + len(value)
	}
	if len(want.Headers) > maxHeaders || size > maxHeaderBytes {
		return nil, fmt.Errorf("the request has %d headers, and with the URL %d bytes of them; at most %d and %d are sent", len(want.Headers), size, maxHeaders, maxHeaderBytes)
	}
	r, err := http.NewRequestWithContext(ctx, want.Method, want.URL, bytes.NewReader(bytes.Clone(body)))
	if err != nil {
		return nil, err
	}
	for name, value := range want.Headers {
		r.Header.Set(name, value)
	}
	return r, nil
}

// permit returns an error that says which setting would allow u, unless a pattern
// matches it.
func permit(patterns []Pattern, u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not an http or https URL", u.Redacted())
	}
	host, own := strings.ToLower(u.Hostname()), ownPort(u.Scheme)
	port := own
	if text := u.Port(); text != "" {
		number, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return fmt.Errorf("%q has no port", u.Redacted())
		}
		port = int(number)
	}
	for i := range patterns {
		if patterns[i].matchesURL(u, host, port, port == own) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s; allow it with --allow-host %s", ErrNotAllowed, u.Host, u.Host)
}

func ownPort(scheme string) int {
	if scheme == "https" {
		return 443
	}
	return 80
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host) }

// plain are the headers that say nothing of who sends them. All others stay with the
// host that they were meant for: net/http drops those only that it knows, and an API's
// key may have any name.
var plain = []string{"Accept", "Accept-Language", "Content-Language", "Content-Type", "Range", "User-Agent"}

// keepPlain removes the headers that a redirect to another host must not have.
func keepPlain(h http.Header) {
	maps.DeleteFunc(h, func(name string, _ []string) bool { return !slices.Contains(plain, name) })
}
