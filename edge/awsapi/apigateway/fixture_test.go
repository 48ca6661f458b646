package apigateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"ledge/edge"
	"ledge/edge/awsapi/restjson"
	"ledge/edge/gateway"
	"ledge/persist"
)

// fakeGateway takes what is published.
type fakeGateway struct {
	apis *gateway.APIs
	sets int
}

func (*fakeGateway) SetTable(*gateway.Table) {}

func (g *fakeGateway) SetAPIs(a *gateway.APIs) {
	g.apis = a
	g.sets++
}

// caller may do what is in it.
type caller struct{ restjson.Access }

func (caller) ARN() string { return "arn:aws:iam::000000000000:user/tester" }

func (c caller) Allows(access restjson.Access, _ string) bool { return access <= c.Access }

// node is the service over a real store and Reconciler, and a fake gateway.
type node struct {
	t       testing.TB
	store   *persist.Store
	gateway *fakeGateway
	mux     *http.ServeMux
	access  restjson.Access
	now     time.Time
}

func newNode(t testing.TB) *node {
	t.Helper()
	store, err := persist.Open(t.TempDir(), persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	n := &node{t: t, store: store, gateway: &fakeGateway{}, mux: http.NewServeMux(), access: restjson.Admin, now: time.Unix(1767323045, 500)}
	reconciler := edge.New(edge.Config{Store: store, Gateway: n.gateway})
	n.serve(Operations(Config{Changer: reconciler, Store: store, Now: func() time.Time { return n.now }}))
	return n
}

// serve dispatches as the front does: parameters are numbered in patterns, so
// that operations may name them differently, and of those with the same method
// and path the first that matches answers.
func (n *node) serve(operations []restjson.Operation) {
	found := map[string][]*restjson.Operation{}
	for i := range operations {
		op := &operations[i]
		segments := strings.Split(op.Path, "/")
		for j, segment := range segments {
			if strings.HasPrefix(segment, "{") {
				segments[j] = "{p" + strconv.Itoa(j) + "}"
			}
		}
		pattern := op.Method + " " + strings.Join(segments, "/")
		if found[pattern] = append(found[pattern], op); len(found[pattern]) == 1 {
			n.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { n.dispatch(w, r, found[pattern]) })
		}
	}
}

func (n *node) dispatch(w http.ResponseWriter, r *http.Request, candidates []*restjson.Operation) {
	for _, op := range candidates {
		for j, segment := range strings.Split(op.Path, "/") {
			if name, ok := strings.CutPrefix(segment, "{"); ok {
				r.SetPathValue(strings.TrimSuffix(name, "}"), r.PathValue("p"+strconv.Itoa(j)))
			}
		}
		if op.Matches != nil && !op.Matches(r) {
			continue
		}
		var body bytes.Buffer
		if _, err := body.ReadFrom(r.Body); err != nil {
			n.t.Error(err)
		}
		if err := op.Answer(w, restjson.WithRequest(r, caller{n.access}, body.Bytes(), op)); err != nil {
			n.fail(w, err)
		}
		return
	}
	n.t.Errorf("%s %s matches no operation", r.Method, r.URL)
}

func (n *node) fail(w http.ResponseWriter, err error) {
	var fault *restjson.Fault
	if !errors.As(err, &fault) {
		fault = &restjson.Fault{Status: http.StatusInternalServerError, Code: "ServiceException", Message: err.Error()}
	}
	fault.Write(w)
}

// object is a JSON object.
type object = map[string]any

// reply is an answer; values of it are found by paths.
type reply struct {
	t      testing.TB
	status int
	code   string
	text   string
}

// get returns the value at a path such as "item.0.id" as text; what is not
// there is "".
func (r reply) get(path string) string {
	r.t.Helper()
	var v any
	if err := json.Unmarshal([]byte(r.text), &v); err != nil {
		r.t.Fatalf("the reply is not JSON: %v: %s", err, r.text)
	}
	for part := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case object:
			v = at[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(at) {
				return ""
			}
			v = at[i]
		default:
			return ""
		}
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64, bool:
		return fmt.Sprint(v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// call sends a request. body is sent as it is if it is a string, else as JSON.
func (n *node) call(method, path string, body any) reply {
	n.t.Helper()
	text, isText := body.(string)
	if body != nil && !isText {
		encoded, err := json.Marshal(body)
		if err != nil {
			n.t.Fatal(err)
		}
		text = string(encoded)
	}
	r := httptest.NewRequestWithContext(n.t.Context(), method, path, strings.NewReader(text))
	w := httptest.NewRecorder()
	n.mux.ServeHTTP(w, r)
	return reply{n.t, w.Code, w.Header().Get("X-Amzn-Errortype"), w.Body.String()}
}

// want is call for a success.
func (n *node) want(method, path string, body any) reply {
	n.t.Helper()
	r := n.call(method, path, body)
	if r.status >= 300 {
		n.t.Fatalf("%s %s: %d %s: %s", method, path, r.status, r.code, r.text)
	}
	return r
}

// refused is call for an error.
func (n *node) refused(code, says, method, path string, body any) {
	n.t.Helper()
	before := n.dump()
	r := n.call(method, path, body)
	if r.code != code || !strings.Contains(r.text, says) {
		n.t.Errorf("%s %s %v: %d %s %s, want %s and %q", method, path, body, r.status, r.code, r.text, code, says)
	}
	statuses := map[string]int{
		codeBadRequest: 400, codeSerialization: 400, codeNotFound: 404, codeConflict: 409, codeLimit: 429,
		restjson.CodeNotImplemented: 501,
	}
	if r.status != statuses[code] {
		n.t.Errorf("%s %s: status %d for %s", method, path, r.status, code)
	}
	if after := n.dump(); before != after {
		n.t.Errorf("%s %s was refused and changed the store", method, path)
	}
}

// dump is what is stored, as text.
func (n *node) dump() string {
	n.t.Helper()
	live, err := n.store.LiveAPIs(persist.APIChange{})
	if err != nil {
		n.t.Fatal(err)
	}
	state := []any{live}
	for _, a := range live.APIs {
		draft, err := n.store.APIDeployment(a.ID, "")
		if err != nil {
			n.t.Fatal(err)
		}
		deployments, err := n.store.APIDeployments(a.ID)
		if err != nil {
			n.t.Fatal(err)
		}
		state = append(state, draft, deployments)
	}
	text, err := json.Marshal(state)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(text)
}

const (
	helloARN = "arn:aws:lambda:us-east-1:000000000000:function:hello"
	helloURI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + helloARN + "/invocations"
)

// restAPI makes a REST API with GET /hello, and returns the paths of the API,
// the resource and the method.
func (n *node) restAPI() (api, res, method string) {
	n.t.Helper()
	made := n.want("POST", "/restapis", object{"name": "shop"})
	api = "/restapis/" + made.get("id")
	res = api + "/resources/" + n.want("POST", api+"/resources/"+made.get("rootResourceId"), object{"pathPart": "hello"}).get("id")
	method = res + "/methods/GET"
	n.want("PUT", method, object{"authorizationType": "NONE"})
	return api, res, method
}

// deployed is restAPI with GET /hello deployed to prod.
func (n *node) deployed() (api string) {
	n.t.Helper()
	api, _, method := n.restAPI()
	n.want("PUT", method+"/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": helloURI})
	n.want("POST", api+"/deployments", object{"stageName": "prod"})
	return api
}

// root returns the path of the root resource of a REST API.
func (n *node) root(api string) string {
	n.t.Helper()
	return api + "/resources/" + n.want("GET", api, nil).get("rootResourceId")
}

// patches is the body of an update.
func patches(operations ...string) object {
	var list []object
	for _, text := range operations {
		op, rest, _ := strings.Cut(text, " ")
		path, value, _ := strings.Cut(rest, " ")
		list = append(list, object{"op": op, "path": path, "value": value})
	}
	return object{"patchOperations": list}
}
