package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ledge/engine"
)

// v1 makes a route one of payload format 1.0.
func v1(r Route) Route { r.Payload = PayloadV1; return r }

// stageOf makes a Stage of what ParseRoute reads.
func stageOf(t testing.TB, name string, change func(Route) Route, texts ...string) Stage {
	t.Helper()
	s := Stage{Name: name}
	for _, text := range texts {
		s.Routes = append(s.Routes, change(route(t, text)))
	}
	return s
}

func plain(r Route) Route { return r }

func mustAPIs(t testing.TB, p Published) *APIs {
	t.Helper()
	a, err := NewAPIs(p)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// publish returns a server of p and the routes of the node itself.
func publish(t testing.TB, cfg Config, p Published, own ...Route) *Server {
	t.Helper()
	s := newServer(t, cfg, own...)
	s.SetAPIs(mustAPIs(t, p))
	return s
}

// shown are the members of an event of either format that say how the request
// was found.
type shown struct {
	RawPath, Path, RouteKey, Resource string
	PathParameters                    map[string]string
	RequestContext                    struct{ APIID, Stage, Path string }
}

// finder answers with how the gateway found the request.
func finder(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
	var e shown
	if err := json.Unmarshal(inv.Payload, &e); err != nil {
		return err
	}
	c := e.RequestContext
	text := fmt.Sprintf("%s %s: %s%s %s%s", c.APIID, c.Stage, e.RawPath, e.Path, e.RouteKey, e.Resource)
	if c.Path != "" {
		text += " " + c.Path
	}
	body, err := json.Marshal(text)
	res.Payload = append(append(append(res.Payload[:0], `{"statusCode":200,"body":`...), body...), '}')
	return err
}

// TestFind is about which API, stage and route a request reaches, and what its
// event says of the path.
func TestFind(t *testing.T) {
	p := Published{
		APIs: []API{
			{ID: "web1", Kind: KindHTTP, Stages: []Stage{
				stageOf(t, "$default", plain, "GET /", "GET /hello/{name}", "GET /dev/shadowed"),
				stageOf(t, "dev", plain, "GET /", "GET /hello/{name}"),
			}},
			{ID: "staged", Kind: KindHTTP, Stages: []Stage{stageOf(t, "v1", plain, "$default")}},
			{ID: "old1", Kind: KindHTTP, Stages: []Stage{stageOf(t, "dev", v1, "GET /hello/{name}")}},
			{ID: "rest1", Kind: KindREST, Stages: []Stage{stageOf(t, "prod", v1, "GET /", "ANY /hello/{name}")}},
			{ID: "fn-url", Kind: KindURL, Stages: []Stage{stageOf(t, "$default", plain, "$default")}},
			{ID: "empty", Kind: KindHTTP},
		},
		Root: Root{"rest1", "prod"},
	}
	if n := mustAPIs(t, p).Len(); n != len(p.APIs) {
		t.Errorf("%d APIs", n)
	}
	s := publish(t, Config{Invoker: invokerFunc(finder)}, p, route(t, "GET /own"), route(t, "ANY /_aws/execute-api/web1/{p+}"))
	rootless := p
	rootless.Root = Root{}
	withoutRoot := publish(t, Config{Invoker: invokerFunc(finder)}, rootless, route(t, "GET /own"))
	webRoot := p
	webRoot.Root = Root{"web1", "dev"}
	withWebRoot := publish(t, Config{Invoker: invokerFunc(finder)}, webRoot, route(t, "$default"))

	const (
		notFound = `404 {"message":"Not Found"}`
		missing  = `403 {"message":"Missing Authentication Token"}`
		shut     = `403 {"message":"Forbidden"}`
	)
	for _, test := range []struct {
		server     *Server
		host, path string
		want       string
	}{
		{s, "web1.execute-api.localhost:8080", "/", "web1 $default: / GET /"},
		{s, "WEB1.localhost", "/hello/x", "web1 $default: /hello/x GET /hello/{name}"},
		{s, "web1", "/hello/x?stage=dev", "web1 $default: /hello/x GET /hello/{name}"},
		{s, "web1:80", "/dev/hello/x", "web1 dev: /dev/hello/x GET /hello/{name}"},
		{s, "web1", "/dev", "web1 dev: /dev GET /"},
		{s, "web1", "/dev/", "web1 dev: /dev/ GET /"},
		{s, "web1", "/dev/shadowed", notFound}, // the stage's name comes first
		{s, "web1", "/$default/hello/x", notFound},
		{s, "web1", "/%64ev/hello/x", notFound}, // stages are compared as they are sent
		{s, "web1", "/hello", notFound},
		{s, "x.web1.localhost", "/own", "ledge $default: /own GET /own"},
		{s, "web1x", "/own", "ledge $default: /own GET /own"},
		{s, strings.Repeat("w", 300) + ".localhost", "/own", "ledge $default: /own GET /own"},
		{s, "localhost", "/_aws/execute-api/web1/dev/hello/x", "web1 dev: /dev/hello/x GET /hello/{name}"},
		{s, "localhost", "/_aws/execute-api/web1/hello/x", "web1 $default: /hello/x GET /hello/{name}"},
		{s, "localhost", "/_aws/execute-api/web1", "web1 $default: / GET /"},
		{s, "rest1", "/_aws/execute-api/web1/", "web1 $default: / GET /"}, // the path is said on purpose
		{s, "localhost", "/_aws/execute-api/WEB1/", `404 {"message":"There is no API WEB1 at this node"}`},
		{s, "localhost", "/_aws/execute-api/a%22\"b/x", `404 {"message":"There is no API a%22\"b at this node"}`},
		{s, "localhost", "/_aws/lambda-url/web1/", `404 {"message":"There is no API web1 at this node"}`},
		{s, "localhost", "/_aws/execute-api/fn-url/", `404 {"message":"There is no API fn-url at this node"}`},
		{s, "localhost", "/_aws/execute-api/" + strings.Repeat("a", 500), `404 {"message":"There is no API ` + strings.Repeat("a", 126) + ` at this node"}`},
		{s, "staged", "/", notFound},
		{s, "staged", "/v1", "staged v1: /v1 $default"},
		{s, "staged", "/v1/a//b", "staged v1: /v1/a//b $default"},
		{s, "staged", "/v2/a", notFound},
		{s, "empty", "/", notFound},
		{s, "old1", "/dev/hello/x", "old1 dev: /dev/hello/x /hello/{name} /dev/hello/x"},
		{s, "fn-url.lambda-url.us-east-1.localhost:8080", "/$default/a", "fn-url $default: /$default/a $default"},
		{s, "localhost", "/_aws/lambda-url/fn-url/a", "fn-url $default: /a $default"},
		{s, "localhost", "/_aws/lambda-url/fn-url", "fn-url $default: / $default"},
		{s, "rest1.execute-api.localhost", "/prod/hello/x", "rest1 prod: /hello/x /hello/{name} /prod/hello/x"},
		{s, "rest1", "/prod", "rest1 prod: / / /prod"},
		{s, "rest1", "/prod/", "rest1 prod: / / /prod/"},
		{s, "rest1", "/prod/hello", missing},
		{s, "rest1", "/test/hello/x", shut},
		{s, "rest1", "/", shut},
		{s, "localhost", "/own", "ledge $default: /own GET /own"},
		// the root API has no stage in its paths
		{s, "localhost", "/hello/x", "rest1 prod: /hello/x /hello/{name} /hello/x"},
		{s, "localhost", "/", "rest1 prod: / / /"},
		{s, "localhost", "/prod/hello/x", missing},
		{withoutRoot, "localhost", "/hello/x", notFound},
		{withoutRoot, "localhost", "/_aws/execute-api/web1/hello/x", "web1 $default: /hello/x GET /hello/{name}"},
		// a $default of the node's own comes before the root
		{withWebRoot, "localhost", "/hello/x", "ledge $default: /hello/x $default"},
	} {
		status, _, body := ask(t, test.server, "GET "+test.path+" HTTP/1.1\r\nHost: "+test.host+"\r\n\r\n")
		got := strings.TrimSuffix(body, "\n")
		if status != 200 {
			got = fmt.Sprintf("%d %s", status, got)
		}
		if got != test.want {
			t.Errorf("%s%s: got %s, want %s", test.host, test.path, got, test.want)
		}
	}
}

// TestFindWithoutAPIs: a path that names an API says so in a node without any.
func TestFindWithoutAPIs(t *testing.T) {
	s := newServer(t, Config{Invoker: invokerFunc(finder)})
	status, _, body := ask(t, s, "GET /_aws/execute-api/gone/x HTTP/1.1\r\nHost: a\r\n\r\n")
	if status != 404 || !strings.Contains(body, "no API gone") {
		t.Errorf("got %d %s", status, body)
	}
	s.SetAPIs(mustAPIs(t, Published{APIs: []API{{ID: "gone", Stages: []Stage{stageOf(t, "$default", plain, "$default")}}}}))
	if status, _, body = ask(t, s, "GET /_aws/execute-api/gone/x HTTP/1.1\r\nHost: a\r\n\r\n"); status != 200 {
		t.Errorf("published: got %d %s", status, body)
	}
	s.SetAPIs(nil)
	if status, _, body = ask(t, s, "GET /_aws/execute-api/gone/x HTTP/1.1\r\nHost: a\r\n\r\n"); status != 404 {
		t.Errorf("taken back: got %d %s", status, body)
	}
}

// FuzzFind compares find with the plain way.
func FuzzFind(f *testing.F) {
	f.Add("a.localhost:80", "/dev/x")
	f.Add("B", "/_aws/execute-api/a/dev")
	f.Add("", "/_aws/lambda-url/u/%2f//")
	f.Add("[::1]:80", "/_aws/execute-api/")
	apis := mustAPIs(f, Published{APIs: []API{
		{ID: "a", Kind: KindHTTP, Stages: []Stage{{Name: "$default"}, {Name: "dev"}}},
		{ID: "b", Kind: KindREST, Stages: []Stage{{Name: "dev"}}},
		{ID: "u", Kind: KindURL, Stages: []Stage{{Name: "$default"}}},
	}})
	f.Fuzz(func(t *testing.T, host, path string) {
		var at place
		found := apis.find([]byte(host), []byte(path), &at)
		wantAPI, wantStage, wantRaw, wantPath := findPlainly(host, path)
		if !found {
			if wantAPI != "" {
				t.Fatalf("%q %q: nothing found, want %s", host, path, wantAPI)
			}
			return
		}
		stage := ""
		if at.stage != nil {
			stage = at.stage.name
		}
		if at.api.id != wantAPI || stage != wantStage || string(at.raw) != wantRaw || string(at.path) != wantPath {
			t.Fatalf("%q %q: got %s %s %q %q, want %s %s %q %q", host, path, at.api.id, stage, at.raw, at.path, wantAPI, wantStage, wantRaw, wantPath)
		}
	})
}

func findPlainly(host, path string) (api, stage, raw, rest string) {
	for id, prefix := range map[string]string{"a": "/_aws/execute-api/a", "b": "/_aws/execute-api/b", "u": "/_aws/lambda-url/u"} {
		if after, ok := strings.CutPrefix(path, prefix); ok && (after == "" || after[0] == '/') {
			if after == "" {
				after = "/"
			}
			api, raw = id, after
		}
	}
	if api == "" {
		label, _, _ := strings.Cut(host, ".")
		label, _, _ = strings.Cut(label, ":")
		var lower strings.Builder // ASCII only: a host name has no other letters
		for i := range len(label) {
			c := label[i]
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			lower.WriteByte(c)
		}
		if api, raw = lower.String(), path; api != "a" && api != "b" && api != "u" {
			return "", "", "", ""
		}
	}
	if api != "u" && (raw == "/dev" || strings.HasPrefix(raw, "/dev/")) {
		if rest = raw[len("/dev"):]; rest == "" {
			rest = "/"
		}
		return api, "dev", raw, rest
	}
	if api == "b" {
		return api, "", raw, raw
	}
	return api, "$default", raw, raw
}

func TestNewAPIsRefuses(t *testing.T) {
	web := func(change func(*API)) Published {
		a := API{ID: "web1", Stages: []Stage{stageOf(t, "$default", plain, "GET /hello")}}
		change(&a)
		return Published{APIs: []API{a}}
	}
	routed := func(kind Kind, change func(*Route)) Published {
		return web(func(a *API) {
			a.Kind = kind
			if kind == KindREST {
				a.Stages[0].Name, a.Stages[0].Routes[0].Payload = "prod", PayloadV1
			}
			change(&a.Stages[0].Routes[0])
		})
	}
	keyed := func(k Key) Published {
		p := web(func(*API) {})
		p.Keys = []Key{k}
		return p
	}
	good := Plan{ID: "p", API: "web1", Stage: "$default"}
	lambda := func(kind Kind, l LambdaAuthorizer) Published {
		return routed(kind, func(r *Route) { r.Authorizer = &Authorizer{ID: "au", Lambda: &l} })
	}
	for why, p := range map[string]Published{
		"first label":           web(func(a *API) { a.ID = "Web" }),
		"label of a host: use":  web(func(a *API) { a.ID = "127" }),
		"1 to 63 letters":       web(func(a *API) { a.ID = "localhost" }),
		"another API":           {APIs: []API{{ID: "a"}, {ID: "a"}}},
		"kind 3":                web(func(a *API) { a.Kind = 3 }),
		"51 stages":             web(func(a *API) { a.Stages = make([]Stage, 51) }),
		"two stages":            web(func(a *API) { a.Stages = append(a.Stages, a.Stages[0]) }),
		"one stage, named":      web(func(a *API) { a.Kind, a.Stages[0].Name = KindURL, "dev" }),
		"stage \"a/b\"":         web(func(a *API) { a.Stages[0].Name = "a/b" }),
		"stage \"\"":            web(func(a *API) { a.Stages[0].Name = "" }),
		"outside of REST":       web(func(a *API) { a.Kind = KindREST }),
		"OPTIONS methods":       web(func(a *API) { a.Kind, a.Stages[0] = KindREST, Stage{Name: "p", CORS: &CORS{}} }),
		"not an origin":         web(func(a *API) { a.Stages[0].CORS = &CORS{AllowOrigins: []string{"x"}} }),
		"not a media type":      web(func(a *API) { a.Kind, a.Stages[0] = KindREST, Stage{Name: "p", BinaryTypes: []string{"png"}} }),
		"REST APIs have binary": web(func(a *API) { a.Stages[0].BinaryTypes = []string{"image/png"} }),
		"same requests":         web(func(a *API) { a.Stages[0].Routes = append(a.Stages[0].Routes, a.Stages[0].Routes[0]) }),
		"not a function name":   routed(KindHTTP, func(r *Route) { r.Function = "" }),
		"set it for the stage":  routed(KindHTTP, func(r *Route) { r.CORS = &CORS{AllowOrigins: []string{"*"}} }),
		"is negative":           routed(KindHTTP, func(r *Route) { r.Timeout = -1 }),
		"no payload format 2.0": routed(KindREST, func(r *Route) { r.Payload = PayloadV2 }),
		"scopes without a JWT":  routed(KindHTTP, func(r *Route) { r.Scopes = []string{"a"} }),
		"are not scopes": routed(KindHTTP, func(r *Route) {
			r.Scopes, r.Authorizer = []string{"a\"b"}, &Authorizer{JWT: &JWT{}}
		}),
		"a function and a mock":     routed(KindHTTP, func(r *Route) { r.Mock = &Mock{Status: 200} }),
		"mock's status 100":         routed(KindREST, func(r *Route) { r.Function, r.Mock = "", &Mock{Status: 100} }),
		"name of a header":          routed(KindREST, func(r *Route) { r.Function, r.Mock = "", &Mock{Status: 200, Headers: [][2]string{{"a b", "c"}}} }),
		"control characters":        routed(KindREST, func(r *Route) { r.Function, r.Mock = "", &Mock{Status: 200, Headers: [][2]string{{"a", "\n"}}} }),
		"rate of -1":                routed(KindHTTP, func(r *Route) { r.Throttle.Rate = -1 }),
		"burst of -1":               routed(KindHTTP, func(r *Route) { r.Throttle.Burst = -1 }),
		"never fills":               routed(KindHTTP, func(r *Route) { r.Throttle = Throttle{1e-9, 5} }),
		"exactly one of":            routed(KindHTTP, func(r *Route) { r.Authorizer = &Authorizer{} }),
		"of JWT, Lambda and IAM":    routed(KindHTTP, func(r *Route) { r.Authorizer = &Authorizer{IAM: true, JWT: &JWT{}} }),
		"HTTP APIs have JWT":        routed(KindREST, func(r *Route) { r.Authorizer = &Authorizer{JWT: &JWT{}} }),
		"issuer is missing":         routed(KindHTTP, func(r *Route) { r.Authorizer = &Authorizer{JWT: &JWT{}} }),
		"audience is missing":       routed(KindHTTP, func(r *Route) { r.Authorizer = &Authorizer{JWT: &JWT{Issuer: "a"}} }),
		"\"Authorization\" is not":  lambda(KindHTTP, LambdaAuthorizer{Function: "f", IdentitySources: []string{"Authorization"}}),
		"$context.nothing":          lambda(KindHTTP, LambdaAuthorizer{Function: "f", IdentitySources: []string{"$context.nothing"}}),
		"21 identity sources":       lambda(KindHTTP, LambdaAuthorizer{Function: "f", IdentitySources: make([]string, 21)}),
		"is not a function":         lambda(KindHTTP, LambdaAuthorizer{}),
		"neither 1.0 nor 2.0":       lambda(KindHTTP, LambdaAuthorizer{Function: "f", Payload: PayloadRaw}),
		"has no payload format 2":   lambda(KindREST, LambdaAuthorizer{Function: "f"}),
		"need payload format 2.0":   lambda(KindHTTP, LambdaAuthorizer{Function: "f", Payload: PayloadV1, Simple: true}),
		"1h0m1s":                    lambda(KindHTTP, LambdaAuthorizer{Function: "f", TTL: time.Hour + time.Second}),
		"REST APIs have TOKEN":      lambda(KindHTTP, LambdaAuthorizer{Function: "f", Token: true}),
		"have a validation":         lambda(KindHTTP, LambdaAuthorizer{Function: "f", Validation: "a"}),
		"exactly one identity":      lambda(KindREST, LambdaAuthorizer{Function: "f", Payload: PayloadV1, Token: true}),
		"compile its validation":    lambda(KindREST, LambdaAuthorizer{Function: "f", Payload: PayloadV1, Token: true, Validation: "(", IdentitySources: []string{"method.request.header.A"}}),
		"has no stage \"x\"":        {APIs: []API{{ID: "a"}}, Root: Root{"a", "x"}},
		"cannot be an API key":      keyed(Key{ID: "web1"}),
		"there is no stage":         keyed(Key{ID: "web1", Value: "v", Plans: []Plan{{ID: "p", API: "web1", Stage: "x"}}}),
		"its ID is missing":         keyed(Key{ID: "web1", Value: "v", Plans: []Plan{{API: "web1", Stage: "$default"}}}),
		"both cover":                keyed(Key{ID: "web1", Value: "v", Plans: []Plan{good, {ID: "q", API: "web1", Stage: "$default"}}}),
		"period of a quota":         keyed(Key{ID: "web1", Value: "v", Plans: []Plan{{ID: "p", API: "web1", Stage: "$default", Quota: 1, Period: "YEAR"}}}),
		"quota of -1":               keyed(Key{ID: "web1", Value: "v", Plans: []Plan{{ID: "p", API: "web1", Stage: "$default", Quota: -1, Period: "DAY"}}}),
		"rate of 2e+06":             keyed(Key{ID: "web1", Value: "v", Plans: []Plan{{ID: "p", API: "web1", Stage: "$default", Throttle: Throttle{2e6, 1}}}}),
		"\"web1\" has the same val": {Keys: []Key{{ID: "web1", Value: "v"}, {ID: "k2", Value: "v"}}},
	} {
		_, err := NewAPIs(p)
		var wrong *APIError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), why) {
			t.Errorf("want %q: got %v", why, err)
		}
	}
	var inRoute *RouteError
	_, err := NewAPIs(routed(KindHTTP, func(r *Route) { r.Function = "" }))
	if !errors.As(err, &inRoute) || inRoute.Route != "GET /hello" || !strings.HasPrefix(err.Error(), `API "web1": stage "$default": route "GET /hello": `) {
		t.Errorf("a wrong route: %v", err)
	}
}

// TestOwnRoutesHaveNothingOfAPIs: a Table would not do what such a member asks.
func TestOwnRoutesHaveNothingOfAPIs(t *testing.T) {
	for name, change := range map[string]func(*Route){
		"mock":       func(r *Route) { r.Mock = &Mock{Status: 200} },
		"authorizer": func(r *Route) { r.Authorizer = &Authorizer{IAM: true} },
		"scopes":     func(r *Route) { r.Scopes = []string{"a"} },
		"key":        func(r *Route) { r.KeyRequired = true },
		"throttle":   func(r *Route) { r.Throttle.Burst = 1 },
		"timeout":    func(r *Route) { r.Timeout = 1 },
		"payload":    func(r *Route) { r.Payload = PayloadV1 },
	} {
		r := route(t, "GET /")
		change(&r)
		if _, err := NewTable([]Route{r}); err == nil || !strings.Contains(err.Error(), "only routes of an API have") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
