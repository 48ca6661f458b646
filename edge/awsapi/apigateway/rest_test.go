package apigateway

import (
	"fmt"
	"strings"
	"testing"

	"ledge/edge/awsapi/restjson"
)

// The tutorial: an API, a resource, a method, a function behind it, a stage.
func TestRESTTutorial(t *testing.T) {
	n := newNode(t)
	made := n.want("POST", "/restapis", object{"name": "shop", "description": "sells", "tags": object{"a": "b"}})
	for path, want := range map[string]string{
		"name": "shop", "description": "sells", "apiKeySource": "HEADER", "createdDate": "1.767323045e+09",
		"endpointConfiguration.types.0": "EDGE", "disableExecuteApiEndpoint": "false", "tags.a": "b",
	} {
		if got := made.get(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if made.status != 201 || len(made.get("id")) != 10 || len(made.get("rootResourceId")) != 10 {
		t.Errorf("CreateRestApi: %d %s", made.status, made.text)
	}
	api := "/restapis/" + made.get("id")
	if list := n.want("GET", api+"/resources", nil); list.get("item.0.path") != "/" || list.get("item.0.parentId") != "" {
		t.Errorf("a new API has %s", list.text)
	}
	res := n.want("POST", api+"/resources/"+made.get("rootResourceId"), object{"pathPart": "hello"})
	if res.get("path") != "/hello" || res.get("parentId") != made.get("rootResourceId") || res.get("pathPart") != "hello" {
		t.Errorf("CreateResource: %s", res.text)
	}
	method := api + "/resources/" + res.get("id") + "/methods/GET"
	if m := n.want("PUT", method, object{"authorizationType": "NONE"}); m.get("httpMethod") != "GET" || m.get("apiKeyRequired") != "false" {
		t.Errorf("PutMethod: %s", m.text)
	}
	n.want("PUT", method+"/responses/200", object{"responseModels": object{"application/json": "Empty"}})
	in := n.want("PUT", method+"/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": helloURI, "credentials": "arn:aws:iam::1:role/x"})
	for path, want := range map[string]string{
		"type": "AWS_PROXY", "httpMethod": "POST", "uri": helloURI, "timeoutInMillis": "29000",
		"passthroughBehavior": "WHEN_NO_MATCH", "cacheNamespace": res.get("id"), "cacheKeyParameters": "[]",
	} {
		if got := in.get(path); got != want {
			t.Errorf("integration: %s is %q, want %q", path, got, want)
		}
	}
	if n.gateway.sets != 1 { // by CreateRestApi: drafts are not served
		t.Errorf("the gateway was given APIs %d times before the deployment", n.gateway.sets)
	}
	d := n.want("POST", api+"/deployments", object{"stageName": "prod", "stageDescription": "for all", "variables": object{"v": "1"}})
	stage := n.want("GET", api+"/stages/prod", nil)
	if stage.get("deploymentId") != d.get("id") || stage.get("variables.v") != "1" || stage.get("cacheClusterStatus") != "NOT_AVAILABLE" {
		t.Errorf("GetStage: %s", stage.text)
	}
	if n.gateway.apis.Len() != 1 {
		t.Errorf("%d APIs are live", n.gateway.apis.Len())
	}
	if r := n.want("DELETE", api, nil); r.status != 202 || n.gateway.apis.Len() != 0 {
		t.Errorf("DeleteRestApi: %d, %d APIs are live", r.status, n.gateway.apis.Len())
	}
	n.refused(codeNotFound, "Invalid API identifier specified 000000000000:", "GET", api, nil)
}

func TestRESTErrors(t *testing.T) {
	n := newNode(t)
	api, res, method := n.restAPI()
	root := n.root(api)
	unused := n.want("POST", api+"/resources/"+strings.TrimPrefix(root, api+"/resources/"), object{"pathPart": "{proxy+}"})
	greedy := api + "/resources/" + unused.get("id")
	const put, post, get = "PUT", "POST", "GET"
	for _, c := range []struct {
		code, says, method, path string
		body                     any
	}{
		{codeBadRequest, "must not be empty", post, "/restapis", object{}},
		{codeSerialization, "Could not parse", post, "/restapis", "{"},
		{codeSerialization, "must be a string, not number", post, "/restapis", object{"name": 1}},
		{codeBadRequest, "use at most 1024", post, "/restapis", object{"name": strings.Repeat("x", 1025)}},
		{codeBadRequest, "API key source", post, "/restapis", object{"name": "x", "apiKeySource": "COOKIE"}},
		{codeBadRequest, "endpoint type", post, "/restapis", object{"name": "x", "endpointConfiguration": object{"types": []string{"NEAR"}}}},
		{codeBadRequest, "png", post, "/restapis", object{"name": "x", "binaryMediaTypes": []string{"png"}}},
		{codeBadRequest, "reserved", post, "/restapis", object{"name": "x", "tags": object{"aws:x": "y"}}},
		{restjson.CodeNotImplemented, "PRIVATE", post, "/restapis", object{"name": "x", "endpointConfiguration": object{"types": []string{"PRIVATE"}}}},
		{restjson.CodeNotImplemented, "ipAddressType dualstack", post, "/restapis", object{"name": "x", "endpointConfiguration": object{"ipAddressType": "dualstack"}}},
		{restjson.CodeNotImplemented, "policy", post, "/restapis", object{"name": "x", "policy": "{}"}},
		{restjson.CodeNotImplemented, "cloneFrom", post, "/restapis", object{"name": "x", "cloneFrom": "y"}},
		{restjson.CodeNotImplemented, "minimumCompressionSize", post, "/restapis", object{"name": "x", "minimumCompressionSize": 0}},
		{restjson.CodeNotImplemented, "ImportRestApi", post, "/restapis?mode=import", object{"openapi": "3.0.1"}},

		{codeNotFound, "Invalid API identifier specified", get, "/restapis/nope", nil},
		{codeNotFound, "Invalid API identifier specified", get, "/restapis/nope/resources", nil},
		{codeNotFound, "Invalid Resource identifier specified", get, api + "/resources/nope", nil},
		{codeNotFound, "Invalid Resource identifier specified", post, api + "/resources/nope", object{"pathPart": "x"}},
		{codeConflict, "Another resource with the same parent already has this name: hello", post, root, object{"pathPart": "hello"}},
		{codeBadRequest, "A sibling ({proxy+})", post, root, object{"pathPart": "{id}"}},
		{codeBadRequest, "greedy path variable: {proxy+}", post, greedy, object{"pathPart": "x"}},
		{codeBadRequest, "Resource's path part only allow", post, root, object{"pathPart": "a/b"}},
		{codeBadRequest, "Resource's path part only allow", post, root, object{"pathPart": ""}},
		{codeBadRequest, "Resource's path part only allow", post, root, object{"pathPart": "{x"}},
		{codeBadRequest, "Resource's path part only allow", post, root, object{"pathPart": ".."}},
		{codeBadRequest, "root resource cannot be deleted", "DELETE", root, nil},
		{codeBadRequest, "root resource cannot be changed", "PATCH", root, patches("replace /pathPart x")},
		{codeNotFound, "Invalid Resource identifier", "PATCH", res, patches("replace /parentId nope")},
		{codeBadRequest, "no way to the root", "PATCH", res, patches("replace /parentId " + strings.TrimPrefix(res, api+"/resources/"))},
		{codeBadRequest, "Invalid patch path '/x' specified for op 'replace'. Must be one of: [/pathPart, /parentId]", "PATCH", res, patches("replace /x y")},
		{codeBadRequest, "Invalid patch operation", "PATCH", res, patches("become /pathPart y")},
		{codeBadRequest, "no path here takes it", "PATCH", res, patches("test /pathPart y")},

		{codeNotFound, "Invalid Method identifier specified", get, res + "/methods/POST", nil},
		{codeConflict, "Method already exists for this resource", put, method, object{"authorizationType": "NONE"}},
		{codeBadRequest, "Invalid HttpMethod specified", put, res + "/methods/FETCH", object{"authorizationType": "NONE"}},
		{codeBadRequest, "Invalid authorization type", put, res + "/methods/PUT", object{}},
		{codeBadRequest, "requires a valid authorizer", put, res + "/methods/PUT", object{"authorizationType": "CUSTOM", "authorizerId": "nope"}},
		{codeBadRequest, "goes with the authorization type CUSTOM", put, res + "/methods/PUT", object{"authorizationType": "NONE", "authorizerId": "nope"}},
		{codeBadRequest, "Invalid mapping expression", put, res + "/methods/PUT", object{"authorizationType": "NONE", "requestParameters": object{"x": true}}},
		{codeNotFound, "Invalid model", put, res + "/methods/PUT", object{"authorizationType": "NONE", "requestModels": object{"application/json": "Cat"}}},
		{restjson.CodeNotImplemented, "Cognito", put, res + "/methods/PUT", object{"authorizationType": "COGNITO_USER_POOLS"}},
		{restjson.CodeNotImplemented, "requestValidatorId", put, res + "/methods/PUT", object{"authorizationType": "NONE", "requestValidatorId": "x"}},
		{codeBadRequest, "requires a valid authorizer", "PATCH", method, patches("replace /authorizationType CUSTOM")},
		{codeBadRequest, "must be true or false", "PATCH", method, patches("replace /apiKeyRequired perhaps")},

		{codeNotFound, "Invalid Integration identifier specified", get, method + "/integration", nil},
		{codeNotFound, "Invalid Integration identifier specified", put, method + "/integration/responses/200", object{}},
		{codeBadRequest, "Invalid integration type", put, method + "/integration", object{"type": "X"}},
		{restjson.CodeNotImplemented, "HTTP_PROXY", put, method + "/integration", object{"type": "HTTP_PROXY", "httpMethod": "GET", "uri": "http://x"}},
		{restjson.CodeNotImplemented, "type AWS is", put, method + "/integration", object{"type": "AWS", "httpMethod": "POST", "uri": helloURI}},
		{restjson.CodeNotImplemented, "VPC_LINK", put, method + "/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": helloURI, "connectionType": "VPC_LINK"}},
		{restjson.CodeNotImplemented, "STREAM", put, method + "/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": helloURI, "responseTransferMode": "STREAM"}},
		{codeBadRequest, "must be non-empty", put, method + "/integration", object{"type": "AWS_PROXY", "uri": helloURI}},
		{codeBadRequest, "must be POST", put, method + "/integration", object{"type": "AWS_PROXY", "httpMethod": "GET", "uri": helloURI}},
		{codeBadRequest, "Invalid ARN", put, method + "/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": "hello"}},
		{codeBadRequest, "between 50 ms and 29000 ms", put, method + "/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": helloURI, "timeoutInMillis": 30000}},
		{codeBadRequest, "between 50 ms and 29000 ms", put, method + "/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": helloURI, "timeoutInMillis": 0}},
		{codeBadRequest, "passthrough", put, method + "/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": helloURI, "passthroughBehavior": "X"}},
		{restjson.CodeNotImplemented, "directives", put, method + "/integration", object{"type": "MOCK", "requestTemplates": object{"application/json": `#set($x = 1) {"statusCode": 200}`}}},
		{codeBadRequest, "names no status", put, method + "/integration", object{"type": "MOCK", "requestTemplates": object{"application/json": `{}`}}},
		{restjson.CodeNotImplemented, "NEVER", put, method + "/integration", object{"type": "MOCK", "passthroughBehavior": "NEVER"}},

		{codeBadRequest, "Invalid status code", put, method + "/responses/99", object{}},
		{codeNotFound, "Invalid Response status code specified", get, method + "/responses/404", nil},
		{codeBadRequest, "Invalid mapping expression", put, method + "/responses/200", object{"responseParameters": object{"method.response.body": true}}},

		{codeBadRequest, "No integration defined for method", post, api + "/deployments", object{"stageName": "prod"}},
		{codeNotFound, "Invalid Deployment identifier specified", get, api + "/deployments/nope", nil},
		{codeNotFound, "Invalid stage identifier specified", get, api + "/stages/nope", nil},
		{codeNotFound, "Invalid Deployment identifier specified", post, api + "/stages", object{"stageName": "x", "deploymentId": "nope"}},
		{codeNotFound, "Invalid Deployment identifier specified", post, api + "/stages", object{"stageName": "x"}},
		{codeBadRequest, "Stage name only allows", post, api + "/stages", object{"stageName": "a b", "deploymentId": "x"}},
		{codeBadRequest, "Stage name only allows", post, api + "/stages", object{"stageName": "$default", "deploymentId": "x"}},
		{codeBadRequest, "stage variable name", post, api + "/stages", object{"stageName": "x", "deploymentId": "y", "variables": object{"a b": "c"}}},
		{codeBadRequest, "does not match", post, api + "/stages", object{"stageName": "x", "deploymentId": "y", "variables": object{"a": "{}"}}},
		{restjson.CodeNotImplemented, "canarySettings", post, api + "/stages", object{"stageName": "x", "deploymentId": "y", "canarySettings": object{}}},
		{restjson.CodeNotImplemented, "cacheClusterEnabled", post, api + "/deployments", object{"cacheClusterEnabled": true}},
		{restjson.CodeNotImplemented, "tracingEnabled", post, api + "/deployments", object{"tracingEnabled": true}},

		{codeBadRequest, "position", get, "/restapis?position=!", nil},
		{codeBadRequest, "position", get, "/restapis?position=nonsense", nil},
		{codeBadRequest, "size of a page", get, "/restapis?limit=0", nil},
		{restjson.CodeNotImplemented, "CreateModel", post, api + "/models", object{}},
		{restjson.CodeNotImplemented, "GetUsage", get, "/usageplans/x/usage", nil},
	} {
		n.refused(c.code, c.says, c.method, c.path, c.body)
	}
	empty := "/restapis/" + n.want(post, "/restapis", object{"name": "empty"}).get("id")
	n.refused(codeBadRequest, "The REST API doesn't contain any methods", post, empty+"/deployments", object{"stageName": "prod"})
}

func TestResources(t *testing.T) {
	n := newNode(t)
	api, res, _ := n.restAPI()
	child := n.want("POST", res, object{"pathPart": "{id}"})
	n.want("POST", api+"/resources/"+child.get("id"), object{"pathPart": "{proxy+}"})
	list := n.want("GET", api+"/resources", nil)
	for i, want := range []string{"/", "/hello", "/hello/{id}", "/hello/{id}/{proxy+}"} {
		if got := list.get(fmt.Sprintf("item.%d.path", i)); got != want {
			t.Errorf("resource %d is %s, want %s", i, got, want)
		}
	}
	if got := list.get("item.1.resourceMethods.GET"); got != "{}" {
		t.Errorf("without embed a method is %s", got)
	}
	if got := n.want("GET", api+"/resources?embed=methods", nil).get("item.1.resourceMethods.GET.authorizationType"); got != "NONE" {
		t.Errorf("with embed the method's authorization type is %q", got)
	}
	moved := n.want("PATCH", api+"/resources/"+child.get("id"), patches("replace /pathPart {name}"))
	if moved.get("path") != "/hello/{name}" {
		t.Errorf("UpdateResource: %s", moved.text)
	}
	n.refused(codeBadRequest, "twice", "PATCH", api+"/resources/"+child.get("id"), patches("replace /pathPart {proxy}"))
	if r := n.want("DELETE", res, nil); r.status != 202 {
		t.Errorf("DeleteResource: %d", r.status)
	}
	if list := n.want("GET", api+"/resources", nil); list.get("item.1") != "" {
		t.Errorf("the subtree is left: %s", list.text)
	}
}

func TestMethodsAndResponses(t *testing.T) {
	n := newNode(t)
	_, _, method := n.restAPI()
	m := n.want("PATCH", method, patches("replace /apiKeyRequired true", "replace /operationName hi", "add /requestParameters/method.request.querystring.q true"))
	if m.get("apiKeyRequired") != "true" || m.get("operationName") != "hi" || m.get("requestParameters") != `{"method.request.querystring.q":true}` {
		t.Errorf("UpdateMethod: %s", m.text)
	}
	const header = "method.response.header.Access-Control-Allow-Origin"
	n.want("PUT", method+"/responses/200", object{"responseParameters": object{header: false}})
	n.refused(codeConflict, "Response already exists", "PUT", method+"/responses/200", object{})
	n.want("PUT", method+"/integration", object{"type": "MOCK", "requestTemplates": object{"application/json": "{statusCode:200}"}})
	n.refused(codeNotFound, "Invalid Response status code", "PUT", method+"/integration/responses/404", object{})
	for name, value := range map[string]string{
		"method.response.header.X": "Invalid mapping expression",
		header:                     "static value",
	} {
		code := codeBadRequest
		if name == header {
			code = restjson.CodeNotImplemented
		}
		n.refused(code, value, "PUT", method+"/integration/responses/200", object{"responseParameters": object{name: "integration.response.header.X"}})
	}
	n.refused(codeBadRequest, "cannot be the value", "PUT", method+"/integration/responses/200", object{"responseParameters": object{header: "'a\r\nb'"}})
	n.refused(codeBadRequest, "regular expression", "PUT", method+"/integration/responses/200", object{"selectionPattern": "("})
	n.refused(restjson.CodeNotImplemented, "references", "PUT", method+"/integration/responses/200", object{"responseTemplates": object{"application/json": "$input.body"}})
	set := n.want("PUT", method+"/integration/responses/200", object{
		"responseParameters": object{header: "'*'"}, "responseTemplates": object{"application/json": `{"hello":"$5 #1"}`},
	})
	if set.status != 201 || set.get("statusCode") != "200" {
		t.Errorf("PutIntegrationResponse: %s", set.text)
	}
	got := n.want("GET", method, nil)
	for path, want := range map[string]string{
		"methodIntegration.integrationResponses.200.responseTemplates.application/json": `{"hello":"$5 #1"}`,
		"methodIntegration.type":                   "MOCK",
		"methodResponses.200.statusCode":           "200",
		"methodResponses.200.responseParameters":   `{"` + header + `":false}`,
		"methodIntegration.requestTemplates":       `{"application/json":"{statusCode:200}"}`,
		"methodIntegration.integrationResponses.x": "",
	} {
		if got.get(path) != want {
			t.Errorf("%s is %q, want %q", path, got.get(path), want)
		}
	}
	updated := n.want("PATCH", method+"/integration/responses/200", patches("replace /selectionPattern 2\\d\\d", "remove /responseTemplates/application~1json"))
	if updated.get("selectionPattern") != `2\d\d` || updated.get("responseTemplates") != "" {
		t.Errorf("UpdateIntegrationResponse: %s", updated.text)
	}
	if r := n.want("PATCH", method+"/responses/200", patches("add /responseModels/application~1json Empty")); r.get("responseModels.application/json") != "Empty" {
		t.Errorf("UpdateMethodResponse: %s", r.text)
	}
	if r := n.want("PATCH", method+"/integration", patches("add /cacheKeyParameters/method.request.querystring.q", "replace /tlsConfig/insecureSkipVerification false", "replace /timeoutInMillis 500", "replace /requestTemplates/application~1json {\"statusCode\":204}")); r.get("timeoutInMillis") != "500" || r.get("cacheKeyParameters.0") != "method.request.querystring.q" {
		t.Errorf("UpdateIntegration: %s", r.text)
	}
	n.refused(codeBadRequest, "names no status", "PATCH", method+"/integration", patches("replace /requestTemplates/application~1json {}"))
	for _, path := range []string{"/integration/responses/200", "/integration", "/responses/200", ""} {
		n.want("GET", method+path, nil)
		if r := n.want("DELETE", method+path, nil); r.status != 204 || r.text != "" {
			t.Errorf("DELETE %s: %d %q", path, r.status, r.text)
		}
		n.refused(codeNotFound, "Invalid", "GET", method+path, nil)
	}
}

// TestPutRestAPI empties an API, as claudia does before it makes its resources,
// and takes no document that says more.
func TestPutRestAPI(t *testing.T) {
	n := newNode(t)
	api, _, method := n.restAPI()
	root := n.root(api)
	n.want("PUT", method+"/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": helloURI})
	n.want("POST", api+"/deployments", object{"stageName": "prod"})
	n.want("PATCH", api, patches("add /binaryMediaTypes/image~1png"))
	overwrite := api + "?mode=overwrite"
	document := func(name string, value any) object {
		return object{"swagger": "2.0", "info": object{"title": "shop", "version": "7"}, "paths": object{"/": object{}}, name: value}
	}
	for _, c := range []struct {
		code, says, path string
		body             any
	}{
		{restjson.CodeNotImplemented, `mode \"\"`, api, document("host", "x")},
		{restjson.CodeNotImplemented, `mode \"merge\"`, api + "?mode=merge", document("host", "x")},
		{restjson.CodeNotImplemented, "securityDefinitions", overwrite, document("securityDefinitions", object{})},
		{restjson.CodeNotImplemented, "x-amazon-apigateway-policy", overwrite, document("x-amazon-apigateway-policy", object{})},
		{restjson.CodeNotImplemented, "/hello", overwrite, document("paths", object{"/hello": object{}})},
		{restjson.CodeNotImplemented, `the path \"/\"`, overwrite, document("paths", object{"/": object{"get": object{}}})},
		{codeBadRequest, "malformed OpenAPI document: paths", overwrite, document("paths", []string{"/"})},
		{codeBadRequest, "malformed OpenAPI document: info", overwrite, document("info", "x")},
		{codeBadRequest, "neither swagger nor openapi", overwrite, object{"info": object{"title": "x"}}},
		{codeBadRequest, "name", overwrite, object{"openapi": "3.0.1"}},
	} {
		n.refused(c.code, c.says, "PUT", c.path, c.body)
	}
	if list := n.want("GET", api+"/resources", nil); list.get("item.1.path") == "" {
		t.Errorf("a refused document changed the API: %s", list.text)
	}
	emptied := n.want("PUT", overwrite, document("basePath", "/"))
	for path, want := range map[string]string{"name": "shop", "version": "7", "binaryMediaTypes": "", "rootResourceId": strings.TrimPrefix(root, api+"/resources/")} {
		if got := emptied.get(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if list := n.want("GET", api+"/resources", nil); list.get("item.0.path") != "/" || list.get("item.1.path") != "" {
		t.Errorf("left over: %s", list.text)
	}
	if n.want("GET", api+"/stages/prod", nil).get("deploymentId") == "" || n.gateway.apis.Len() != 1 {
		t.Error("what is deployed has gone")
	}
}
