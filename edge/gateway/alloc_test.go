//go:build !race

package gateway

import "testing"

// TestHandlerDoesNotAllocate guards the hot path: once its buffers are warm, a
// request costs the gateway no allocation. It is not built for the race detector,
// under which a sync.Pool forgets on purpose.
func TestHandlerDoesNotAllocate(t *testing.T) {
	for name, test := range map[string]struct {
		route   Route
		request string
		reply   string
	}{
		"raw":       {raw(route(t, "POST /raw")), "POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok", "ok"},
		"2.0":       {route(t, "GET /hello/{name}"), browserRequest, shapedReply},
		"2.0 bare":  {route(t, "GET /hello/{name}"), browserRequest, `{"hello":"J\u00f6rg"}`},
		"2.0 post":  {route(t, "$default"), "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}", shapedReply},
		"no event":  {raw(route(t, "POST /raw")), post("/raw", "X-Amz-Invocation-Type: RequestResponse", "ok"), "ok"},
		"not found": {route(t, "GET /other"), browserRequest, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, Config{Invoker: replies(test.reply)}, test.route)
			ctx := newCtx(t, test.request)
			if n := testing.AllocsPerRun(500, func() {
				ctx.Response.Header.Reset()
				ctx.Response.Header.SetNoDefaultContentType(true)
				s.handle(ctx)
			}); n != 0 {
				t.Errorf("%v allocations for a response of %d", n, ctx.Response.StatusCode())
			}
		})
	}
}

// TestAPIsDoNotAllocate: nor does a request for an API, whatever it must pass,
// once the authorizer's answer is kept.
func TestAPIsDoNotAllocate(t *testing.T) {
	s, requests := everyGuard(t)
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			ctx := newCtx(t, request)
			if n := testing.AllocsPerRun(500, func() {
				ctx.Response.Header.Reset()
				ctx.Response.Header.SetNoDefaultContentType(true)
				s.handle(ctx)
			}); n != 0 || ctx.Response.StatusCode() != 200 && name != "unmatched" {
				t.Errorf("%v allocations for a response of %d", n, ctx.Response.StatusCode())
			}
		})
	}
}
