package apigateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"ledge/edge"
	"ledge/edge/gateway"
	"ledge/engine"
)

// echo is an engine whose functions reply with what they are called, and with
// some of their event.
type echo struct{}

func (echo) Invoke(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
	if strings.HasPrefix(inv.Function, "missing") {
		return engine.ErrNotFound
	}
	var event struct {
		Version, RouteKey, Resource string
		StageVariables              map[string]string
	}
	if err := json.Unmarshal(inv.Payload, &event); err != nil {
		return err
	}
	body := fmt.Sprintf("%s:%s version %s route %s%s variables %v", inv.Function, inv.Qualifier, event.Version, event.RouteKey, event.Resource, event.StageVariables)
	reply, err := json.Marshal(object{"statusCode": 200, "body": body})
	res.Payload = append(res.Payload[:0], reply...)
	return err
}

// served is a node whose gateway is the real one.
type served struct {
	*node
	address string
}

func newServed(t *testing.T) *served {
	t.Helper()
	n := newNode(t)
	server, err := gateway.New(gateway.Config{Invoker: echo{}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = server.Shutdown(ctx) // it says that ctx is done
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	n.mux = http.NewServeMux()
	reconciler := edge.New(edge.Config{Store: n.store, Gateway: server})
	n.serve(Operations(Config{Changer: reconciler, Store: n.store, Public: l.Addr().String()}))
	return &served{n, l.Addr().String()}
}

// gets sends a request to the gateway and compares the answer's status and part
// of its body; it returns the headers.
func (s *served) gets(method, host, path string, status int, says string, headers ...string) http.Header {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.address+path, bytes.NewReader(nil))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != status || !strings.Contains(string(body), says) {
		s.t.Errorf("%s %s at %q: %d %s, want %d and %q", method, path, host, resp.StatusCode, body, status, says)
	}
	return resp.Header
}

func TestRESTAPIAnswers(t *testing.T) {
	n := newServed(t)
	api := n.deployed()
	id := strings.TrimPrefix(api, "/restapis/")
	host := id + ".execute-api.localhost"
	n.gets("GET", host, "/prod/hello", 200, "hello: version  route /hello")
	n.gets("GET", "", "/_aws/execute-api/"+id+"/prod/hello", 200, "hello:")
	n.gets("POST", host, "/prod/hello", 403, "Missing Authentication Token")
	n.gets("GET", host, "/nope/hello", 403, "Forbidden")

	// A change is served after a deployment, and not before.
	res := n.want("POST", n.root(api), object{"pathPart": "{name}"}).get("id")
	method := api + "/resources/" + res + "/methods/ANY"
	n.want("PUT", method, object{"authorizationType": "NONE"})
	n.want("PUT", method+"/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": strings.Replace(helloURI, "function:hello", "function:${stageVariables.f}", 1)})
	n.gets("GET", host, "/prod/other", 403, "Missing Authentication Token")
	n.want("POST", api+"/deployments", object{"stageName": "prod"})
	n.gets("GET", host, "/prod/other", 500, "Internal server error") // without the variable
	n.want("PATCH", api+"/stages/prod", patches("replace /variables/f missing"))
	n.gets("GET", host, "/prod/other", 502, "") // there is no such function
	n.want("PATCH", api+"/stages/prod", patches("replace /variables/f world:live"))
	n.gets("GET", host, "/prod/other", 200, "world:live version  route /{name} variables map[f:world:live]")

	// CORS as tools make it: a mock for OPTIONS.
	hello := ""
	for i := range 3 {
		if at := fmt.Sprintf("item.%d.", i); n.want("GET", api+"/resources", nil).get(at+"path") == "/hello" {
			hello = api + "/resources/" + n.want("GET", api+"/resources", nil).get(at+"id")
		}
	}
	options := hello + "/methods/OPTIONS"
	const origin = "method.response.header.Access-Control-Allow-Origin"
	n.want("PUT", options, object{"authorizationType": "NONE"})
	n.want("PUT", options+"/responses/204", object{"responseParameters": object{origin: true}})
	n.want("PUT", options+"/integration", object{"type": "MOCK", "requestTemplates": object{"application/json": "{statusCode:204}"}})
	n.want("PUT", options+"/integration/responses/204", object{"responseParameters": object{origin: "'https://app.example'"}})
	n.want("POST", api+"/deployments", object{"stageName": "prod"})
	if h := n.gets("OPTIONS", host, "/prod/hello", 204, ""); h.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("the mock's headers are %v", h)
	}

	// An API key of a usage plan.
	n.want("PATCH", hello+"/methods/GET", patches("replace /apiKeyRequired true"))
	n.want("POST", api+"/deployments", object{"stageName": "prod"})
	key := n.want("POST", "/apikeys", object{"name": "k", "enabled": true})
	n.gets("GET", host, "/prod/hello", 403, "Forbidden", "X-Api-Key", key.get("value"))
	plan := n.want("POST", "/usageplans", object{"name": "p", "apiStages": []object{{"apiId": id, "stage": "prod"}}, "quota": object{"limit": 1, "period": "MONTH"}}).get("id")
	n.want("POST", "/usageplans/"+plan+"/keys", object{"keyId": key.get("id"), "keyType": "API_KEY"})
	n.gets("GET", host, "/prod/hello", 200, "hello", "X-Api-Key", key.get("value"))
	n.gets("GET", host, "/prod/hello", 429, "Limit Exceeded", "X-Api-Key", key.get("value"))
	n.gets("GET", host, "/prod/hello", 403, "Forbidden")

	// Throttling by the stage's settings.
	n.want("PATCH", api+"/stages/prod", patches("replace /~1{name}/ANY/throttling/rateLimit 0", "replace /~1{name}/ANY/throttling/burstLimit 0"))
	n.gets("GET", host, "/prod/other", 429, "Too Many Requests")

	n.want("DELETE", api+"/stages/prod", nil)
	n.gets("GET", host, "/prod/hello", 403, "Forbidden")
}

// The answers of a mock by its templates and responses.
func TestMockAnswers(t *testing.T) {
	n := newServed(t)
	const header = "method.response.header."
	for name, c := range map[string]struct {
		template  string
		responses map[string]object
		status    int
		body      string
	}{
		"default response":  {`{"statusCode":200}`, map[string]object{"201": {"responseTemplates": object{"application/json": `{"made":1}`}}}, 201, `{"made":1}`},
		"pattern":           {`{"statusCode":404}`, map[string]object{"200": {}, "400": {"selectionPattern": "4.."}}, 400, ""},
		"pattern anchored":  {`{"statusCode":404}`, map[string]object{"200": {}, "400": {"selectionPattern": "4"}}, 200, ""},
		"no request":        {"", map[string]object{"200": {}}, 500, "Internal server error"},
		"no response":       {`{"statusCode":200}`, nil, 500, "Internal server error"},
		"no match":          {`{"statusCode":200}`, map[string]object{"400": {"selectionPattern": "4.."}}, 500, "Internal server error"},
		"other type":        {`{"statusCode":200}`, map[string]object{"200": {"responseTemplates": object{"text/html": "<p>"}}}, 200, "<p>"},
		"content type":      {`{"statusCode":200}`, map[string]object{"200": {"responseParameters": object{header + "Content-Type": "'text/x'"}}}, 200, ""},
		"first of defaults": {`{"statusCode":200}`, map[string]object{"202": {}, "201": {}}, 201, ""},
	} {
		t.Run(name, func(t *testing.T) {
			api, _, method := n.restAPI()
			templates := object{}
			if c.template != "" {
				templates["application/json"] = c.template
			}
			n.want("PUT", method+"/integration", object{"type": "MOCK", "requestTemplates": templates})
			for code, response := range c.responses {
				n.want("PUT", method+"/responses/"+code, object{"responseParameters": object{header + "Content-Type": false}})
				n.want("PUT", method+"/integration/responses/"+code, response)
			}
			n.want("POST", api+"/deployments", object{"stageName": "prod"})
			h := n.gets("GET", "", "/_aws/execute-api/"+strings.TrimPrefix(api, "/restapis/")+"/prod/hello", c.status, c.body)
			want := map[string]string{"other type": "text/html", "content type": "text/x"}[name]
			if want == "" {
				want = "application/json"
			}
			if h.Get("Content-Type") != want {
				t.Errorf("content type %q, want %q", h.Get("Content-Type"), want)
			}
		})
	}
}

func TestHTTPAPIAnswers(t *testing.T) {
	n := newServed(t)
	api := n.httpAPI()
	id := strings.TrimPrefix(api, "/v2/apis/")
	host := strings.TrimPrefix(n.want("GET", api, nil).get("apiEndpoint"), "http://")
	n.gets("GET", host, "/any/thing", 200, "hello: version 2.0 route $default")
	in := n.want("POST", api+"/integrations", object{"integrationType": "AWS_PROXY", "integrationUri": helloARN + ":7", "payloadFormatVersion": "1.0"}).get("integrationId")
	n.want("POST", api+"/routes", object{"routeKey": "GET /one", "target": "integrations/" + in})
	n.gets("GET", "", "/_aws/execute-api/"+id+"/one", 200, "hello:7 version 1.0")

	// A stage of its own serves what it was deployed with.
	n.want("POST", api+"/stages", object{"stageName": "test", "stageVariables": object{"v": "1"}})
	n.want("POST", api+"/deployments", object{"stageName": "test"})
	n.want("POST", api+"/routes", object{"routeKey": "GET /two"})
	n.gets("GET", host, "/test/one", 200, "variables map[v:1]")
	n.gets("GET", host, "/test/two", 200, "$default")
	n.gets("GET", host, "/two", 500, "") // a route without a target

	// CORS.
	n.want("PATCH", api, object{"corsConfiguration": object{"allowOrigins": []string{"https://a.example"}, "allowMethods": []string{"GET"}}})
	if h := n.gets("OPTIONS", host, "/one", 204, "", "Origin", "https://a.example", "Access-Control-Request-Method", "GET"); h.Get("Access-Control-Allow-Methods") != "GET" {
		t.Errorf("the preflight's headers are %v", h)
	}

	// JWT authorizers.
	n.want("PUT", "/v1/jwks?issuer="+issuer, jwks(t))
	jwt := n.want("POST", api+"/authorizers", object{"name": "j", "authorizerType": "JWT", "identitySource": []string{"$request.header.Authorization"},
		"jwtConfiguration": object{"issuer": issuer, "audience": []string{"shop"}}}).get("authorizerId")
	n.want("POST", api+"/routes", object{"routeKey": "GET /three", "target": "integrations/" + in, "authorizationType": "JWT", "authorizerId": jwt})
	n.gets("GET", host, "/three", 401, "Unauthorized")

	// The root of the node.
	n.gets("GET", "", "/one", 404, "")
	n.want("PUT", "/v1/root", object{"ApiId": id, "Stage": "test"})
	n.gets("GET", "", "/one", 200, "variables map[v:1]")
	n.want("DELETE", "/v1/root", nil)
	n.gets("GET", "", "/one", 404, "")

	// Throttling.
	n.want("PATCH", api+"/stages/$default", object{"routeSettings": object{"GET /one": object{"throttlingRateLimit": 0, "throttlingBurstLimit": 0}}})
	n.gets("GET", host, "/one", 429, "Too Many Requests")

	n.want("DELETE", api, nil)
	n.gets("GET", "", "/_aws/execute-api/"+id+"/one", 404, id)
}
