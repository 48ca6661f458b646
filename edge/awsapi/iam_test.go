package awsapi

import (
	"errors"
	"iter"
	"net/http"
	"net/netip"
	"testing"

	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/sigv4"
	"ledge/edge/gateway"
)

// signedURL returns a request to a function URL that c has signed, as the gateway
// hands it on.
func (g *guarded) signedURL(c sigv4.Credentials, path, function string) *gateway.IAMRequest {
	g.Helper()
	r, err := http.NewRequest("GET", "http://node:8080"+path, nil)
	if err != nil {
		g.Fatal(err)
	}
	if err := sigv4.Sign(r, sigv4.EmptyPayload, c, "us-east-1", "lambda", g.now); err != nil {
		g.Fatal(err)
	}
	r.Header.Set("Host", "node:8080")
	return &gateway.IAMRequest{
		Method: "GET", RawPath: path, Header: fieldsOf(r.Header),
		Peer: netip.MustParseAddr("192.0.2.1"), Service: "lambda", Function: function,
	}
}

func fieldsOf(h http.Header) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, values := range h {
			for _, value := range values {
				if !yield(name, value) {
					return
				}
			}
		}
	}
}

// TestAuthorizeIAM: a signature is for the function that the path leads to, and
// for no other spelling of the path.
func TestAuthorizeIAM(t *testing.T) {
	g := newGuarded(t)
	authorize := AuthorizeIAM(g.keys)
	mine := g.issue(identity.Order{Name: "mine", Access: identity.Invoke, Functions: []string{"a"}})
	status := func(r *gateway.IAMRequest) int {
		_, err := authorize(r)
		var denied *gateway.Denied
		switch {
		case err == nil:
			return http.StatusOK
		case errors.As(err, &denied):
			return denied.Status
		}
		t.Fatal(err)
		return 0
	}
	for _, path := range []string{"/", "/_aws/lambda-url/aaaa", "/_aws/lambda-url/aaaa/", "/_aws/lambda-url/aaaa/.x/..y/%2e%2e/b"} {
		if got := status(g.signedURL(mine, path, "a")); got != http.StatusOK {
			t.Errorf("%s: %d", path, got)
		}
		if got := status(g.signedURL(mine, path, "b")); got != http.StatusForbidden {
			t.Errorf("%s of another function: %d", path, got)
		}
	}
	for _, other := range []string{
		"/_aws/lambda-url/bbbb/../aaaa/x", "/_aws/lambda-url/bbbb/../../lambda-url/aaaa/x", "/_aws//lambda-url/aaaa/x",
		"//_aws/lambda-url/aaaa/x", "/./_aws/lambda-url/aaaa/x", "/_aws/lambda-url/aaaa/./x",
	} {
		seen := g.signedURL(mine, "/_aws/lambda-url/aaaa/x", "a")
		if seen.RawPath = other; status(seen) != http.StatusForbidden {
			t.Errorf("the signature of another path is good for %s", other)
		}
	}
	changed := g.signedURL(mine, "/_aws/lambda-url/aaaa/x", "a")
	if changed.Body = []byte("x"); status(changed) == http.StatusOK {
		t.Error("the signature is good for another body")
	}
	for _, path := range []string{"/_aws/lambda-url/aaaa//", "/a/..", "/a/."} {
		if got := status(g.signedURL(mine, path, "a")); got != http.StatusForbidden {
			t.Errorf("%s: %d", path, got)
		}
	}
}
