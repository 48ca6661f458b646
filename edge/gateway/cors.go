package gateway

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// CORS lets pages of other origins call a route (the Fetch standard, section
// 3.3). Its fields mean what they mean in the CORS configuration of API
// Gateway's HTTP APIs: the gateway answers preflight requests without the
// function, adds the headers to every response for an allowed origin, and drops
// what the function sets of them itself.
type CORS struct {
	// AllowOrigins are origins such as "https://app.example.com", or
	// "https://*", "http://*" and "*".
	AllowOrigins []string
	// AllowMethods are methods, or "*". Empty means the route's own.
	AllowMethods []string
	// AllowHeaders are request headers beyond those that browsers always allow,
	// or "*".
	AllowHeaders []string
	// ExposeHeaders are response headers that the page may read, or "*".
	ExposeHeaders []string
	// MaxAge is how many seconds a browser may keep the preflight's answer, up
	// to 86400. Zero leaves it to the browser, -1 forbids it.
	MaxAge int
	// AllowCredentials lets the page send cookies. Browsers then take "*"
	// literally, so no list may hold it.
	AllowCredentials bool
}

// maxCORSEntries bounds each list of a CORS.
const maxCORSEntries = 100

// check returns what is wrong with c; why is empty when nothing is.
func (c *CORS) check() (why, hint string) {
	if len(c.AllowOrigins) == 0 {
		return "CORS allows no origin", `name origins, or "*" for all`
	}
	return c.checkLists()
}

// checkLists is check for an API, whose CORS may allow nothing.
func (c *CORS) checkLists() (why, hint string) {
	if c.MaxAge < -1 || c.MaxAge > 86400 {
		return fmt.Sprintf("CORS max age %d is out of range", c.MaxAge), "use -1 to 86400 seconds"
	}
	for _, origin := range c.AllowOrigins {
		if !validOrigin(origin) {
			return fmt.Sprintf("%q is not an origin", origin), "write it as https://app.example.com, without a path"
		}
	}
	for _, list := range [][]string{c.AllowOrigins, c.AllowMethods, c.AllowHeaders, c.ExposeHeaders} {
		if len(list) > maxCORSEntries {
			return "a CORS list is too long", fmt.Sprintf("use at most %d entries", maxCORSEntries)
		}
		for _, entry := range list {
			if entry == "*" && c.AllowCredentials {
				return `CORS with credentials cannot allow "*"`, "name what is allowed: browsers refuse the wildcard"
			}
		}
	}
	for _, list := range [][]string{c.AllowMethods, c.AllowHeaders, c.ExposeHeaders} {
		for _, entry := range list {
			if !isToken([]byte(entry)) {
				return fmt.Sprintf("%q cannot stand in a CORS list", entry), `use names of methods or headers, or "*"`
			}
		}
	}
	return "", ""
}

// validOrigin reports whether an entry of AllowOrigins can match anything.
func validOrigin(origin string) bool {
	if origin == "*" {
		return true
	}
	scheme, host, found := strings.Cut(origin, "://")
	if !found || scheme == "" || host == "" || len(origin) > 512 {
		return false
	}
	if host == "*" {
		return scheme == "https" || scheme == "http"
	}
	for i := range len(host) {
		if c := host[i]; !isAlphanumeric(c) && strings.IndexByte(".-:[]_", c) < 0 {
			return false
		}
	}
	return true
}

// corsHeaders is a CORS made ready to serve.
type corsHeaders struct {
	anyOrigin   bool
	prefixes    []string // "https://" for "https://*"
	origins     []string
	methods     string
	headers     string
	expose      string
	maxAge      string
	credentials bool
}

// newCORSHeaders makes c ready. own is allowed where c names no methods;
// methodNone is for none.
func newCORSHeaders(c *CORS, own method) *corsHeaders {
	h := &corsHeaders{
		methods:     strings.Join(c.AllowMethods, ","),
		headers:     strings.Join(c.AllowHeaders, ","),
		expose:      strings.Join(c.ExposeHeaders, ","),
		credentials: c.AllowCredentials,
	}
	for _, origin := range c.AllowOrigins {
		switch {
		case origin == "*":
			h.anyOrigin = true
		case strings.HasSuffix(origin, "://*"):
			h.prefixes = append(h.prefixes, strings.TrimSuffix(origin, "*"))
		default:
			h.origins = append(h.origins, origin)
		}
	}
	if h.methods == "" && own < methodCount {
		if h.methods = methodNames[own]; own == methodAny {
			h.methods = strings.Join(methodNames[:methodAny], ",")
		}
	}
	if c.MaxAge != 0 {
		h.maxAge = strconv.Itoa(c.MaxAge)
	}
	return h
}

// allows reports whether pages of origin may call the route.
func (h *corsHeaders) allows(origin []byte) bool {
	if h.anyOrigin {
		return true
	}
	for _, prefix := range h.prefixes {
		if len(origin) > len(prefix) && string(origin[:len(prefix)]) == prefix {
			return true
		}
	}
	for _, allowed := range h.origins {
		if string(origin) == allowed {
			return true
		}
	}
	return false
}

// apply sets the headers of a response for a page of origin, which may be
// empty, in place of what the function set.
func (h *corsHeaders) apply(out *fasthttp.ResponseHeader, origin []byte) {
	for _, name := range [...]string{
		"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
		"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age",
	} {
		out.Del(name)
	}
	if !h.anyOrigin {
		out.Add("Vary", "Origin") // caches must not give one origin another's answer
	}
	if len(origin) == 0 || !h.allows(origin) {
		return
	}
	if h.anyOrigin {
		out.Set("Access-Control-Allow-Origin", "*")
	} else {
		out.SetBytesV("Access-Control-Allow-Origin", origin)
	}
	if h.credentials {
		out.Set("Access-Control-Allow-Credentials", "true")
	}
	if h.expose != "" {
		out.Set("Access-Control-Expose-Headers", h.expose)
	}
}

// preflight writes the answer to a preflight request. An origin that is not
// allowed gets the same answer without the headers that would allow it.
func (h *corsHeaders) preflight(out *fasthttp.ResponseHeader, origin []byte) {
	out.SetStatusCode(fasthttp.StatusNoContent)
	h.apply(out, origin)
	if !h.allows(origin) {
		return
	}
	if h.methods != "" {
		out.Set("Access-Control-Allow-Methods", h.methods)
	}
	if h.headers != "" {
		out.Set("Access-Control-Allow-Headers", h.headers)
	}
	if h.maxAge != "" {
		out.Set("Access-Control-Max-Age", h.maxAge)
	}
}

// isPreflight reports whether an OPTIONS request asks for leave to send
// another one, and returns that one's method.
func isPreflight(h *fasthttp.RequestHeader) (wanted []byte, ok bool) {
	wanted = h.Peek("Access-Control-Request-Method")
	return bytes.TrimSpace(wanted), len(wanted) > 0 && len(h.Peek("Origin")) > 0
}
