package gateway

import (
	"fmt"
	"strings"
	"testing"
)

// TestLargeBuffersAreNotKept: what one large request needed is not held for
// the next.
func TestLargeBuffersAreNotKept(t *testing.T) {
	s := newServer(t, Config{Invoker: invokerFunc(echo)}, route(t, "POST /"), raw(route(t, "PUT /")))
	large := strings.Repeat("x", 4*maxKept)
	for _, method := range []string{"POST", "PUT"} {
		ctx := newCtx(t, fmt.Sprintf("%s / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", method, len(large), large))
		s.handle(ctx)
		if status, n := ctx.Response.StatusCode(), len(ctx.Response.Body()); status != 200 || n < len(large) {
			t.Fatalf("%s: got %d, %d bytes", method, status, n)
		}
		if n := cap(ctx.Request.SwapBody(nil)); n > maxKept {
			t.Errorf("%s: the connection keeps %d bytes of request", method, n)
		}
		ctx.Response.Reset()
		if n := cap(ctx.Response.SwapBody(nil)); n > maxKept {
			t.Errorf("%s: the connection keeps %d bytes of response", method, n)
		}
	}
	x := s.exchanges.Get().(*exchange)
	for name, b := range map[string][]byte{"event": x.event, "body": x.body, "payload": x.res.Payload, "text": x.pairs.text} {
		if cap(b) > maxKept {
			t.Errorf("the pool keeps %d bytes of %s", cap(b), name)
		}
	}
}
