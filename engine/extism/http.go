package extism

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds of one request.
const (
	maxReply     = 16 << 20 // bytes of a reply's body
	maxRedirects = 5
)

// ErrNotAllowed is wrapped by the error of a request to a host that the
// function may not call.
var ErrNotAllowed = errors.New("host is not allowed")

// Outbound makes the HTTP requests of plug-ins. It is safe for concurrent use.
type Outbound struct{ transport *http.Transport }

// NewOutbound returns an Outbound with connections of its own. It ignores the
// proxy settings of the node's environment: what a function may reach is its
// list of hosts and nothing else.
func NewOutbound() *Outbound {
	return &Outbound{transport: &http.Transport{
		MaxIdleConns:        16,
		IdleConnTimeout:     30 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
	}}
}

// Close drops idle connections.
func (o *Outbound) Close() { o.transport.CloseIdleConnections() }

// request is the object that PDKs encode
// (https://github.com/extism/extism, manifest/src/lib.rs, HttpRequest).
type request struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
}

// Do is Exchange for an Extism plug-in: headers are a JSON object with lower-case
// names.
func (o *Outbound) Do(ctx context.Context, allow []string, encoded, body []byte) (status int, headers, reply []byte, err error) {
	status, header, reply, err := o.Exchange(ctx, allow, encoded, body)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("http_request: %w", err)
	}
	flat := make(map[string]string, len(header))
	for name, values := range header {
		flat[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if headers, err = json.Marshal(flat); err != nil {
		return 0, nil, nil, fmt.Errorf("http_request: %w", err)
	}
	return status, headers, reply, nil
}

// Exchange makes the request that encoded describes, if its host and those that it
// is redirected to match allow. An error is meant for the function's author.
// encoded and body are not used after it returns: the transport may still be
// sending when a server answers early, so it gets a copy.
func (o *Outbound) Exchange(ctx context.Context, allow []string, encoded, body []byte) (status int, header http.Header, reply []byte, err error) {
	var want request
	if err := json.Unmarshal(encoded, &want); err != nil {
		return 0, nil, nil, fmt.Errorf("the request is not a JSON object with url, method and headers: %w", err)
	}
	if want.Method == "" {
		want.Method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, want.Method, want.URL, bytes.NewReader(bytes.Clone(body)))
	if err != nil {
		return 0, nil, nil, err
	}
	for name, value := range want.Headers {
		r.Header.Set(name, value)
	}
	if err := permit(allow, r.URL); err != nil {
		return 0, nil, nil, err
	}
	client := &http.Client{Transport: o.transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		return permit(allow, next.URL)
	}}
	answer, err := client.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer answer.Body.Close()
	reply, err = io.ReadAll(io.LimitReader(answer.Body, maxReply+1))
	if err != nil {
		return 0, nil, nil, fmt.Errorf("read reply: %w", err)
	}
	if len(reply) > maxReply {
		return 0, nil, nil, fmt.Errorf("the reply is longer than %d bytes", maxReply)
	}
	return answer.StatusCode, answer.Header, reply, nil
}

// permit returns an error that says which setting would allow u, unless a
// pattern of allow matches it: a host, a host with its port, or "*." and a
// domain for every host below it. A pattern without a port means the scheme's
// own.
func permit(allow []string, u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not an http or https URL", u.Redacted())
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	usual := port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https"
	host := strings.ToLower(u.Hostname())
	for _, pattern := range allow {
		name, wantPort, hasPort := strings.Cut(strings.ToLower(pattern), ":")
		if hasPort && wantPort != port || !hasPort && !usual {
			continue
		}
		if domain, wild := strings.CutPrefix(name, "*"); name == host || wild && strings.HasSuffix(host, domain) && len(host) > len(domain) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s; allow it with --allow-host %s", ErrNotAllowed, u.Host, u.Host)
}
