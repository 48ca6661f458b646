package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Request is what a signature can cover, as it came over the wire. It is only
// read, and not kept.
type Request struct {
	Method   string
	Path     string // of the request line, still escaped, without the query
	RawQuery string // of the request line, without the "?"
	Host     string // the Host header
	Header   http.Header

	// What net/http takes out of Header, in case that a client signed it.
	ContentLength    int64    // looked at where Header has none; negative means unknown
	TransferEncoding []string // looked at where Header has none
}

// FromHTTP returns what can be signed of r, which a server received or a client
// is about to send. It shares r's header.
func FromHTTP(r *http.Request) *Request {
	target := r.RequestURI
	if target == "" { // a client's request has none
		target = r.URL.RequestURI()
	}
	if !strings.HasPrefix(target, "/") {
		target = originForm(target)
	}
	path, query, _ := strings.Cut(target, "?")
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	return &Request{
		Method: method, Path: path, RawQuery: query, Host: host, Header: r.Header,
		ContentLength: r.ContentLength, TransferEncoding: r.TransferEncoding,
	}
}

// originForm takes scheme and host off the request target that a client sends
// to a proxy (RFC 9112, section 3.2.2).
func originForm(target string) string {
	_, rest, found := strings.Cut(target, "://")
	if !found {
		return target // "*"
	}
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		return rest[at:]
	}
	return "/"
}

// values returns the values of the header with that lower-case name.
func (r *Request) values(name string) []string {
	if name == "host" {
		return []string{r.Host}
	}
	if values := r.Header.Values(name); len(values) > 0 {
		return values
	}
	switch {
	case name == "content-length" && r.ContentLength >= 0:
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	case name == "transfer-encoding":
		return slices.Clone(r.TransferEncoding)
	}
	return nil
}

// isAmazon reports whether a header, spelt in any case, is one of AWS's that
// must be signed. X-Amzn- ones are none: they are for tracing.
func isAmazon(name string) bool {
	const prefix = "x-amz-"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}
