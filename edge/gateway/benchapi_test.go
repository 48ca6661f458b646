package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// everyGuard returns a server with an API for each thing that a request may have
// to pass, and a request that passes it.
func everyGuard(t testing.TB) (*Server, map[string]string) {
	const path = "/hello/{name}"
	guarded := func(kind Kind, change func(*Route)) []Stage {
		r := route(t, "GET "+path)
		if kind == KindREST {
			r = v1(r)
		}
		if change != nil {
			change(&r)
		}
		return []Stage{{Name: "prod", Routes: []Route{r}, Variables: map[string]string{"a": "b"}}}
	}
	lambda := func(r *Route) {
		r.Authorizer = &Authorizer{ID: "au", Lambda: &LambdaAuthorizer{
			Function: "auth", Payload: PayloadV1, IdentitySources: []string{"method.request.header.Authorization"}, TTL: time.Hour}}
	}
	p := Published{
		APIs: []API{
			{ID: "web1", Stages: guarded(KindHTTP, nil)},
			{ID: "rest1", Kind: KindREST, Stages: guarded(KindREST, nil)},
			{ID: "jwt1", Stages: guarded(KindHTTP, func(r *Route) {
				r.Authorizer, r.Scopes = &Authorizer{ID: "jwt", JWT: testJWT()}, []string{"read"}
			})},
			{ID: "lambda1", Kind: KindREST, Stages: guarded(KindREST, lambda)},
			{ID: "key1", Kind: KindREST, Stages: guarded(KindREST, func(r *Route) { r.KeyRequired = true })},
			{ID: "slow1", Stages: guarded(KindHTTP, func(r *Route) { r.Throttle = Throttle{1e6, 1e6} })},
			{ID: "mock1", Kind: KindREST, Stages: guarded(KindREST, func(r *Route) { r.Function, r.Mock = "", &Mock{Status: 200, Body: []byte("{}")} })},
		},
		Keys: []Key{{ID: "k", Value: "value-1", Plans: []Plan{{ID: "p", API: "key1", Stage: "prod", Throttle: Throttle{1e6, 1e6}, Quota: 1e9, Period: "DAY"}}}},
	}
	fake := &asking{answer: `{"principalId":"u","policyDocument":{"Statement":{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:lambda1/*/GET/hello/*"}},"context":{"a":"b"}}`}
	s := publish(t, Config{Invoker: fake}, p)
	token := sign(t, "ES256", "ec", issuer().ec, with(goodClaims(), "exp", time.Now().Add(time.Hour).Unix()))
	request := func(host, fields string) string {
		return strings.Replace(strings.Replace(browserRequest, "GET /hello", "GET /prod/hello", 1), "Host: api.example.com", "Host: "+host+".localhost:8080"+fields, 1)
	}
	return s, map[string]string{
		"2.0":       request("web1", ""),
		"1.0":       request("rest1", ""),
		"JWT":       request("jwt1", "\r\nAuthorization: Bearer "+token),
		"Lambda":    request("lambda1", "\r\nAuthorization: a"),
		"key":       request("key1", "\r\nX-Api-Key: value-1"),
		"throttle":  request("slow1", ""),
		"mock":      request("mock1", ""),
		"unmatched": strings.Replace(request("rest1", ""), "/prod/hello", "/prod/goodbye", 1),
	}
}

// BenchmarkAPI is a request for each kind of API, with what it must pass.
func BenchmarkAPI(b *testing.B) {
	s, requests := everyGuard(b)
	for name, request := range requests {
		b.Run(name, func(b *testing.B) {
			ctx := newCtx(b, request)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Header.Reset()
				s.handle(ctx)
			}
		})
	}
}

// BenchmarkOwnRoute is one of the node's own routes, without APIs and beside 100
// of them.
func BenchmarkOwnRoute(b *testing.B) {
	var p Published
	for i := range 100 {
		p.APIs = append(p.APIs, API{ID: fmt.Sprintf("a%09d", i), Stages: []Stage{stageOf(b, "$default", plain, "GET /hello/{name}")}})
	}
	p.Root = Root{p.APIs[0].ID, "$default"}
	with := publish(b, Config{Invoker: replies(shapedReply)}, p, raw(route(b, "GET /hello/{name}")))
	without := newServer(b, Config{Invoker: replies(shapedReply)}, raw(route(b, "GET /hello/{name}")))
	for _, bench := range []struct {
		name string
		s    *Server
	}{{"no APIs", without}, {"100 APIs", with}} {
		b.Run(bench.name, func(b *testing.B) {
			ctx := newCtx(b, browserRequest)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Header.Reset()
				bench.s.handle(ctx)
			}
		})
	}
}

// BenchmarkJWT is the check of a token that was not seen before.
func BenchmarkJWT(b *testing.B) {
	k := issuer()
	j, err := newJWTAuthorizer(testJWT())
	if err != nil {
		b.Fatal(err)
	}
	for name, token := range map[string]string{
		"RS256": sign(b, "RS256", "rsa", k.rsa, goodClaims()), "ES256": sign(b, "ES256", "ec", k.ec, goodClaims()), "EdDSA": sign(b, "EdDSA", "ed", k.ed, goodClaims()),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := j.check(token, testTime); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
