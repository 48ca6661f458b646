package awsapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// LocalOnly guards a control plane that listens on TCP as long as requests are
// not signed. It lets through only requests of programs on this machine:
//   - the peer's address is a loopback address;
//   - Host is a loopback address or localhost, since a page can make its own
//     name resolve to 127.0.0.1 (DNS rebinding);
//   - no page of another origin sent it, as far as a browser tells (Origin,
//     Sec-Fetch-Site).
//
// Anything else is answered with 403 and AccessDeniedException. It is no
// protection against other users of the machine; the Unix socket is.
func LocalOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := notLocal(r); why != "" {
			(&fault{Status: http.StatusForbidden, Code: "AccessDeniedException", Message: why}).write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// notLocal says why r is not let through, or nothing.
func notLocal(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return "the control plane answers only this machine; use the node's Unix socket or a tunnel"
	}
	if !isLoopbackHost(r.Host) {
		return "the Host of the request is not a loopback address; use 127.0.0.1 or localhost"
	}
	// same-site is another port of this machine: some other program's page.
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return "the request comes from a web page of another origin"
	}
	if origins := r.Header.Values("Origin"); len(origins) > 0 {
		origin, err := url.Parse(origins[0])
		// "null", as of a sandboxed page, has no host and is refused too.
		if err != nil || len(origins) > 1 || origin.Host == "" || !strings.EqualFold(origin.Host, r.Host) {
			return "the request comes from a web page of another origin"
		}
	}
	return ""
}

// isLoopbackHost reports whether a Host header, with or without a port, names
// this machine without asking a resolver.
func isLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" && addr.Unmap().IsLoopback()
}
