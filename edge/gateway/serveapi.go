package gateway

import (
	"fmt"
	"time"

	"github.com/valyala/fasthttp"
)

// serveAPI serves a request that arrived at x.at, a place in the published APIs.
func (s *Server) serveAPI(ctx *fasthttp.RequestCtx, x *exchange, query []byte) {
	out, header, at := &ctx.Response, &ctx.Request.Header, &x.at
	if at.stage == nil {
		at.api.kind.unmatched(out, false)
		return
	}
	cors := at.stage.cors
	if cors != nil && header.IsOptions() {
		// As API Gateway does: of a stage with CORS, every path answers, whether
		// it has a route or not, and without an authorizer.
		if _, ok := isPreflight(header); ok {
			cors.preflight(&out.Header, header.Peek("Origin"))
			return
		}
	}
	if t := at.stage.table.match(methodOf(header.Method()), at.path, &x.params); t != nil {
		s.serveRoute(ctx, x, t, query)
	} else {
		at.api.kind.unmatched(out, true)
	}
	if cors != nil {
		cors.apply(&out.Header, header.Peek("Origin"))
	}
}

// serveRoute serves a request with a route of an API.
func (s *Server) serveRoute(ctx *fasthttp.RequestCtx, x *exchange, t *target, query []byte) {
	s.describe(ctx, x, t, x.at.raw, query)
	x.source.short, x.source.who = x.at.path, &x.who
	if t.wantsRaw() {
		x.raw = append(x.raw[:0], ctx.Request.Header.RawHeaders()...)
		x.source.raw = x.raw
	}
	x.caller = caller{conn: ctx.Conn(), closed: &s.closed}
	if t.guard != nil {
		if no := s.admit(ctx, x, t); no.status != 0 {
			no.answer(&ctx.Response)
			return
		}
	}
	if t.route.Mock != nil {
		t.route.Mock.answer(&ctx.Response)
		return
	}
	if t.route.Timeout > 0 {
		x.caller.deadline = time.Now().Add(t.route.Timeout)
	}
	s.invoke(ctx, x, t)
}

// wantsRaw reports whether payload format 1.0 is written for a route or its
// authorizer, which needs the spelling of headers.
func (t *target) wantsRaw() bool {
	return t.route.Payload == PayloadV1 ||
		t.guard != nil && t.guard.view != nil && t.guard.view.route.Payload == PayloadV1
}

// check returns what is wrong with the mock of a route.
func (m *Mock) check(route string) error {
	if m.Status < 200 || m.Status > 599 {
		return &RouteError{route, fmt.Sprintf("the mock's status %d is out of range", m.Status), "use 200 to 599"}
	}
	for _, h := range m.Headers {
		switch {
		case !isToken([]byte(h[0])):
			return &RouteError{route, fmt.Sprintf("%q is not the name of a header", h[0]), "use letters, digits and -"}
		case !validFieldValue([]byte(h[1])):
			return &RouteError{route, fmt.Sprintf("the mock's header %s has control characters", h[0]), "remove them"}
		}
	}
	return nil
}

// answer makes m the response.
func (m *Mock) answer(out *fasthttp.Response) {
	out.SetStatusCode(m.Status)
	for _, h := range m.Headers {
		if !isHopByHop([]byte(h[0])) {
			out.Header.Add(h[0], h[1])
		}
	}
	if m.Status == fasthttp.StatusNoContent || m.Status == fasthttp.StatusNotModified {
		return
	}
	if len(out.Header.ContentType()) == 0 && len(m.Body) > 0 {
		out.Header.SetContentTypeBytes(contentTypeJSON)
	}
	out.SetBody(m.Body)
}
