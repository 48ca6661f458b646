package gateway

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"ledge/engine"
)

const browserRequest = "GET /hello/J%C3%B6rg?q=1&lang=de HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
	"Accept: text/html,application/xhtml+xml;q=0.9\r\nAccept-Language: de,en;q=0.5\r\nCookie: session=abc; theme=dark\r\n\r\n"

const shapedReply = `{"statusCode":200,"headers":{"content-type":"text/html","cache-control":"no-store"},"cookies":["a=b"],"body":"<p>\"hello\"<\/p>\n"}`

func BenchmarkMatch(b *testing.B) {
	var routes []Route
	for i := range 1000 {
		routes = append(routes, route(b, fmt.Sprintf("GET /v1/things%d/{id}/parts/{part}", i)))
	}
	routes = append(routes, route(b, "ANY /{proxy+}"))
	table := mustTable(b, routes...)
	for name, path := range map[string]string{"literal": "/v1/things500/17/parts/a", "encoded": "/v1/%74hings500/17/parts/a", "greedy": "/v1/other/17/parts/a"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			p := []byte(path)
			var params captured
			for b.Loop() {
				if table.match(methodGet, p, &params) == nil {
					b.Fatal("no match")
				}
			}
		})
	}
}

func BenchmarkEvent(b *testing.B) {
	var event []byte
	s := newServer(b, Config{Invoker: invokerFunc(func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		event = append(event[:0], inv.Payload...)
		return nil
	})}, route(b, "GET /hello/{name}"))
	s.handle(newCtx(b, browserRequest))
	b.SetBytes(int64(len(event)))
	ctx := newCtx(b, browserRequest)
	x := newExchange().(*exchange)
	path, query := splitTarget(ctx)
	target := s.table.Load().match(methodGet, path, &x.params)
	b.ReportAllocs()
	for b.Loop() {
		x.source = source{target: target, params: &x.params, header: &ctx.Request.Header, path: path, query: query, id: x.id[:],
			client: addrPort(ctx.RemoteAddr()), server: addrPort(ctx.LocalAddr()), time: s.clock.at(testTime)}
		x.event = appendEvent(x.event[:0], &x.source, &x.pairs)
	}
}

func BenchmarkReply(b *testing.B) {
	for name, payload := range map[string]string{
		"bare":   `{"hello":"world"}`,
		"shaped": shapedReply,
		"64 KiB": `{"statusCode":200,"body":"` + strings.Repeat("0123456789abcde\\n", 4096) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			ctx := newCtx(b, browserRequest)
			reply := []byte(payload)
			var scratch []byte
			b.SetBytes(int64(len(reply)))
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Header.Reset()
				var err error
				if scratch, err = respond(&ctx.Response, reply, scratch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHandler(b *testing.B) {
	for name, r := range map[string]Route{"raw": raw(route(b, "GET /hello/{name}")), "2.0": route(b, "GET /hello/{name}")} {
		b.Run(name, func(b *testing.B) {
			s := newServer(b, Config{Invoker: replies(shapedReply)}, r)
			ctx := newCtx(b, browserRequest)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Header.Reset()
				s.handle(ctx)
			}
		})
	}
}
