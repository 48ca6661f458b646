package apigateway

import (
	"fmt"
	"strings"
	"testing"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

func TestNodeAPIs(t *testing.T) {
	n := newNode(t)
	if r := n.want("GET", "/v1/apis", nil); r.get("Apis") != "[]" {
		t.Errorf("no APIs are %s", r.text)
	}
	rest := strings.TrimPrefix(n.deployed(), "/restapis/")
	http := strings.TrimPrefix(n.httpAPI(), "/v2/apis/")
	n.refused(codeNotFound, "Invalid API identifier", "PUT", "/v1/root", object{"ApiId": "nope"})
	n.refused(codeNotFound, "has no stage", "PUT", "/v1/root", object{"ApiId": rest})
	n.refused(codeBadRequest, "ApiId is missing", "PUT", "/v1/root", object{})
	n.want("POST", "/v2/apis/"+http+"/stages", object{"stageName": "empty"})
	n.refused(codeBadRequest, "no deployment yet", "PUT", "/v1/root", object{"ApiId": http, "Stage": "empty"})
	if r := n.want("PUT", "/v1/root", object{"ApiId": http}); r.get("Stage") != "$default" {
		t.Errorf("PutRootApi: %s", r.text)
	}
	if r := n.want("GET", "/v1/root", nil); r.get("ApiId") != http {
		t.Errorf("GetRootApi: %s", r.text)
	}
	list := n.want("GET", "/v1/apis", nil)
	for i := range 2 {
		at := []string{"Apis.0.", "Apis.1."}[i]
		want := map[string]string{
			"Kind": "HTTP", "Name": "h", "Stages.0.Name": "$default", "Stages.0.Root": "true", "Stages.1": "",
			"Stages.0.Url":     "http://" + http + ".execute-api.localhost:8080/",
			"Stages.0.PathUrl": "http://localhost:8080/_aws/execute-api/" + http + "/",
		}
		if list.get(at+"ApiId") == rest {
			want = map[string]string{
				"Kind": "REST", "Name": "shop", "Stages.0.Name": "prod", "Stages.0.Root": "false",
				"Stages.0.Url":     "http://" + rest + ".execute-api.localhost:8080/prod/",
				"Stages.0.PathUrl": "http://localhost:8080/_aws/execute-api/" + rest + "/prod/",
			}
		}
		for path, value := range want {
			if got := list.get(at + path); got != value {
				t.Errorf("%s is %q, want %q", at+path, got, value)
			}
		}
	}
	if _, err := n.store.PutFunction(persist.Function{Name: "hello"}, "", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := n.store.PutFunctionURL(persist.FunctionURL{ID: "abc", Function: "hello", AuthType: "NONE"}, false); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"ApiId": "abc", "Name": "hello", "Kind": "URL",
		"Stages.0.Url":     "http://abc.lambda-url.us-east-1.localhost:8080/",
		"Stages.0.PathUrl": "http://localhost:8080/_aws/lambda-url/abc/",
	} {
		if got := n.want("GET", "/v1/apis", nil).get("Apis.2." + path); got != want {
			t.Errorf("%s of the URL is %q, want %q", path, got, want)
		}
	}
	n.want("DELETE", "/v1/root", nil)
	n.refused(codeNotFound, "no API answers", "GET", "/v1/root", nil)
}

func TestPublicAddress(t *testing.T) {
	for public, want := range map[string]string{
		"":                "http://x.execute-api.localhost:8080",
		"gw.example:80":   "http://x.execute-api.gw.example:80",
		"127.0.0.1:99":    "http://x.execute-api.localhost:99",
		"[::]:99":         "http://x.execute-api.localhost:99",
		":99":             "http://x.execute-api.localhost:99",
		"gateway.example": "http://x.execute-api.gateway.example",
	} {
		if got := newService(Config{Public: public}).endpoint("x"); got != want {
			t.Errorf("%q: %s, want %s", public, got, want)
		}
	}
}

func TestKeySets(t *testing.T) {
	n := newNode(t)
	const path = "/v1/jwks?issuer=" + issuer
	for _, c := range []struct{ says, path, body string }{
		{"Invalid issuer", "/v1/jwks", jwks(t)},
		{"Invalid issuer", "/v1/jwks?issuer=login", jwks(t)},
		{"cannot be used", path, ""},
		{"cannot be used", path, "{}"},
		{"cannot be used", path, `{"keys":[]}`},
		{"cannot be used: read key 0", path, `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`},
		{"use at most 262144", path, `{"keys":[` + strings.Repeat(" ", 1<<18) + `]}`},
	} {
		n.refused(codeBadRequest, c.says, "PUT", c.path, c.body)
	}
	if r := n.want("PUT", path, jwks(t)); r.get("Issuer") != issuer || r.get("Keys.0.kid") != "a" {
		t.Errorf("PutKeySet: %s", r.text)
	}
	if r := n.want("GET", "/v1/jwks", nil); r.get("KeySets.0.Issuer") != issuer || r.get("KeySets.1") != "" {
		t.Errorf("GetKeySets: %s", r.text)
	}
	n.refused(codeNotFound, "no keys of the issuer", "GET", "/v1/jwks?issuer=https://other", nil)
	n.refused(codeNotFound, "no keys of the issuer", "DELETE", "/v1/jwks?issuer=https://other", nil)
	for i := range maxKeySets - 1 {
		n.want("PUT", fmt.Sprint("/v1/jwks?issuer=https://issuer-", i), jwks(t))
	}
	n.refused(codeLimit, "at most 50", "PUT", "/v1/jwks?issuer=https://one-more", jwks(t))
	n.want("PUT", path, jwks(t)) // which is there
	if r := n.want("DELETE", path, nil); r.status != 204 {
		t.Errorf("DeleteKeySet: %d", r.status)
	}
}

// Every operation is complete, and no two answer the same request.
func TestOperations(t *testing.T) {
	type place struct{ method, path string }
	seen := map[place]*restjson.Operation{}
	operations := Operations(Config{})
	for i := range operations {
		op := &operations[i]
		if op.Name == "" || op.Access == 0 || op.Method == "" || !strings.HasPrefix(op.Path, "/") {
			t.Errorf("%+v is not complete", op)
		}
		if op.Serve == nil && op.Note == "" || strings.HasSuffix(op.Note, ".") {
			t.Errorf("%s: note %q", op.Name, op.Note)
		}
		if op.Access == restjson.Deploy != op.Changes() || op.Changes() == (op.Method == "GET") {
			t.Errorf("%s %s needs %s", op.Method, op.Path, op.Access)
		}
		segments := strings.Split(op.Path, "/")
		for j, segment := range segments {
			if strings.HasPrefix(segment, "{") {
				segments[j] = "{}"
			}
		}
		at := place{op.Method, strings.Join(segments, "/")}
		if other := seen[at]; other != nil && (other.Matches == nil || op.Matches == nil) {
			t.Errorf("%s and %s are both %v", other.Name, op.Name, at)
		}
		seen[at] = op
	}
	// The clients of aws-sdk-go-v2, apigateway v1.40.2 and apigatewayv2 v1.35.2,
	// have 124 and 103 methods; the node has 7 operations of its own.
	if len(operations) != 124+103+7 {
		t.Errorf("%d operations", len(operations))
	}
}
