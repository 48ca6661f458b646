package apigateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ledge/edge/awsapi/restjson"
)

// httpAPI makes an HTTP API by quick create and returns its path.
func (n *node) httpAPI() (api string) {
	n.t.Helper()
	return "/v2/apis/" + n.want("POST", "/v2/apis", object{"name": "h", "protocolType": "HTTP", "target": helloARN}).get("apiId")
}

func TestQuickCreate(t *testing.T) {
	n := newNode(t)
	made := n.want("POST", "/v2/apis", object{
		"name": "h", "protocolType": "HTTP", "target": helloARN, "routeKey": "GET /hi", "version": "7",
		"corsConfiguration": object{"allowOrigins": []string{"*"}, "maxAge": 5},
	})
	for path, want := range map[string]string{
		"apiEndpoint":  "http://" + made.get("apiId") + ".execute-api.localhost:8080",
		"protocolType": "HTTP", "createdDate": "2026-01-02T03:04:05Z", "version": "7",
		"corsConfiguration.allowOrigins": `["*"]`, "corsConfiguration.maxAge": "5",
		"routeSelectionExpression": "$request.method $request.path", "tags": "{}",
	} {
		if got := made.get(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	api := "/v2/apis/" + made.get("apiId")
	route := n.want("GET", api+"/routes", nil)
	in := n.want("GET", api+"/integrations", nil)
	if route.get("items.0.routeKey") != "GET /hi" || route.get("items.0.target") != "integrations/"+in.get("items.0.integrationId") {
		t.Errorf("the route is %s", route.text)
	}
	for path, want := range map[string]string{
		"integrationType": "AWS_PROXY", "integrationUri": helloARN, "integrationMethod": "POST",
		"payloadFormatVersion": "2.0", "timeoutInMillis": "30000", "connectionType": "INTERNET",
	} {
		if got := in.get("items.0." + path); got != want {
			t.Errorf("integration: %s is %q, want %q", path, got, want)
		}
	}
	stage := n.want("GET", api+"/stages/$default", nil)
	if stage.get("autoDeploy") != "true" || !strings.Contains(stage.get("lastDeploymentStatusMessage"), stage.get("deploymentId")) {
		t.Errorf("the stage is %s", stage.text)
	}
	if n.gateway.apis.Len() != 1 {
		t.Errorf("%d APIs are live", n.gateway.apis.Len())
	}
	up := n.want("PATCH", api, object{"target": strings.Replace(helloARN, "hello", "other", 1), "routeKey": "$default", "name": "g"})
	if up.get("name") != "g" || n.want("GET", api+"/routes", nil).get("items.0.routeKey") != "$default" ||
		!strings.HasSuffix(n.want("GET", api+"/integrations", nil).get("items.0.integrationUri"), ":other") {
		t.Errorf("UpdateApi: %s", up.text)
	}
	if r := n.want("DELETE", api+"/cors", nil); r.status != 204 || n.want("GET", api, nil).get("corsConfiguration") != "" {
		t.Errorf("DeleteCorsConfiguration: %d", r.status)
	}
	if r := n.want("DELETE", api, nil); r.status != 204 || n.gateway.apis.Len() != 0 {
		t.Errorf("DeleteApi: %d", r.status)
	}
}

func TestAutoDeploy(t *testing.T) {
	n := newNode(t)
	api := n.httpAPI()
	before := n.want("GET", api+"/stages/$default", nil).get("deploymentId")
	in := n.want("GET", api+"/integrations", nil).get("items.0.integrationId")
	route := n.want("POST", api+"/routes", object{"routeKey": "GET /a/{b}", "target": "integrations/" + in, "authorizationType": "AWS_IAM"})
	after := n.want("GET", api+"/stages/$default", nil).get("deploymentId")
	if before == after {
		t.Error("the new route is not deployed")
	}
	if list := n.want("GET", api+"/deployments", nil); list.get("items.0.deploymentId") != after || list.get("items.0.autoDeployed") != "true" || list.get("items.1") != "" {
		t.Errorf("the deployments are %s", list.text)
	}
	// A route that the gateway cannot serve beside another is refused as a whole.
	n.refused(codeBadRequest, "same requests", "POST", api+"/routes", object{"routeKey": "GET /a/{c}"})
	// Without routes the stage goes on with what it has.
	n.want("DELETE", api+"/routes/"+route.get("routeId"), nil)
	last := n.want("GET", api+"/routes", nil).get("items.0.routeId")
	kept := n.want("GET", api+"/stages/$default", nil).get("deploymentId")
	n.want("DELETE", api+"/routes/"+last, nil)
	stage := n.want("GET", api+"/stages/$default", nil)
	if stage.get("deploymentId") != kept || !strings.Contains(stage.get("lastDeploymentStatusMessage"), "no routes exist") {
		t.Errorf("the stage is %s", stage.text)
	}
	n.refused(codeBadRequest, "no routes exist", "POST", api+"/deployments", object{})
}

func TestHTTPStagesAndDeployments(t *testing.T) {
	n := newNode(t)
	api := n.httpAPI()
	n.refused(codeBadRequest, "AutoDeploy", "POST", api+"/deployments", object{"stageName": "$default"})
	st := n.want("POST", api+"/stages", object{"stageName": "prod", "stageVariables": object{"v": "1"},
		"defaultRouteSettings": object{"throttlingRateLimit": 2, "throttlingBurstLimit": 3, "detailedMetricsEnabled": true},
		"routeSettings":        object{"$default": object{"throttlingRateLimit": 9}}})
	for path, want := range map[string]string{
		"stageName": "prod", "autoDeploy": "false", "stageVariables.v": "1", "deploymentId": "",
		"defaultRouteSettings.throttlingRateLimit": "2", "defaultRouteSettings.throttlingBurstLimit": "3",
		"defaultRouteSettings.detailedMetricsEnabled": "true", "routeSettings.$default.throttlingRateLimit": "9",
		"createdDate": "2026-01-02T03:04:05Z",
	} {
		if got := st.get(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	d := n.want("POST", api+"/deployments", object{"stageName": "prod", "description": "d"})
	if d.status != 201 || d.get("deploymentStatus") != "DEPLOYED" || n.want("GET", api+"/stages/prod", nil).get("deploymentId") != d.get("deploymentId") {
		t.Errorf("CreateDeployment: %s", d.text)
	}
	path := api + "/deployments/" + d.get("deploymentId")
	if r := n.want("PATCH", path, object{"description": "e"}); r.get("description") != "e" {
		t.Errorf("UpdateDeployment: %s", r.text)
	}
	n.refused(codeBadRequest, "Active stages", "DELETE", path, nil)
	if r := n.want("DELETE", api+"/stages/prod/routesettings/$default", nil); r.status != 204 {
		t.Errorf("DeleteRouteSettings: %d", r.status)
	}
	n.refused(codeNotFound, "Unable to find Route", "DELETE", api+"/stages/prod/routesettings/GET%20%2Fx", nil)
	for _, c := range []struct {
		code, says string
		body       object
	}{
		{codeConflict, "Stage already exists", object{"stageName": "prod"}},
		{codeBadRequest, "Stage name", object{"stageName": ""}},
		{codeNotFound, "Unable to find Route", object{"stageName": "x", "routeSettings": object{"GET /x": object{}}}},
		{codeNotFound, "Invalid Deployment", object{"stageName": "x", "deploymentId": "nope"}},
		{codeBadRequest, "AutoDeploy", object{"stageName": "x", "deploymentId": d.get("deploymentId"), "autoDeploy": true}},
		{codeBadRequest, "rate limit", object{"stageName": "x", "defaultRouteSettings": object{"throttlingRateLimit": 1e12}}},
		{codeBadRequest, "logging level", object{"stageName": "x", "defaultRouteSettings": object{"loggingLevel": "LOUD"}}},
		{restjson.CodeNotImplemented, "accessLogSettings", object{"stageName": "x", "accessLogSettings": object{"destinationArn": "arn:x"}}},
	} {
		n.refused(c.code, c.says, "POST", api+"/stages", c.body)
	}
	// Terraform sends the variables that differ, and empty ones for those that go.
	n.want("PATCH", api+"/stages/prod", object{"stageVariables": object{"more": "2", "other": "3"}})
	up := n.want("PATCH", api+"/stages/prod", object{"autoDeploy": true, "stageVariables": object{"v": "", "more": "4"}, "description": "all",
		"routeSettings": object{"$default": object{"detailedMetricsEnabled": false}}})
	if up.get("autoDeploy") != "true" || up.get("deploymentId") == d.get("deploymentId") ||
		up.get("stageVariables") != `{"more":"4","other":"3"}` || up.get("routeSettings.$default.detailedMetricsEnabled") != "false" || up.get("description") != "all" {
		t.Errorf("UpdateStage: %s", up.text)
	}
	n.want("DELETE", path, nil)
	if r := n.want("DELETE", api+"/stages/prod", nil); r.status != 204 {
		t.Errorf("DeleteStage: %d", r.status)
	}
	n.refused(codeNotFound, "Invalid stage", "GET", api+"/stages/prod", nil)
}

func TestHTTPErrors(t *testing.T) {
	n := newNode(t)
	api := n.httpAPI()
	bare := "/v2/apis/" + n.want("POST", "/v2/apis", object{"name": "bare", "protocolType": "HTTP"}).get("apiId")
	rest, _, _ := n.restAPI()
	in := n.want("GET", api+"/integrations", nil).get("items.0.integrationId")
	proxy := func(change object) object {
		body := object{"integrationType": "AWS_PROXY", "integrationUri": helloARN, "payloadFormatVersion": "2.0"}
		for k, v := range change {
			body[k] = v
		}
		return body
	}
	for _, c := range []struct {
		code, says, method, path string
		body                     any
	}{
		{codeBadRequest, "Invalid protocol", "POST", "/v2/apis", object{"name": "x"}},
		{codeBadRequest, "Name is required", "POST", "/v2/apis", object{"protocolType": "HTTP"}},
		{restjson.CodeNotImplemented, "WEBSOCKET", "POST", "/v2/apis", object{"name": "x", "protocolType": "WEBSOCKET"}},
		{restjson.CodeNotImplemented, "ipAddressType dualstack", "POST", "/v2/apis", object{"name": "x", "protocolType": "HTTP", "ipAddressType": "dualstack"}},
		{restjson.CodeNotImplemented, "disableExecuteApiEndpoint", "POST", "/v2/apis", object{"name": "x", "protocolType": "HTTP", "disableExecuteApiEndpoint": true}},
		{restjson.CodeNotImplemented, "HTTP target", "POST", "/v2/apis", object{"name": "x", "protocolType": "HTTP", "target": "https://example.com"}},
		{codeBadRequest, "go with a target", "POST", "/v2/apis", object{"name": "x", "protocolType": "HTTP", "routeKey": "GET /"}},
		{codeBadRequest, "Invalid ARN", "POST", "/v2/apis", object{"name": "x", "protocolType": "HTTP", "target": "hello"}},
		{codeBadRequest, "route key", "POST", "/v2/apis", object{"name": "x", "protocolType": "HTTP", "target": helloARN, "routeKey": "/x"}},
		{codeBadRequest, "Route selection expression", "POST", "/v2/apis", object{"name": "x", "protocolType": "HTTP", "routeSelectionExpression": "$request.body.action"}},
		{restjson.CodeNotImplemented, "ImportApi", "PUT", "/v2/apis", object{"body": "{}"}},
		{codeBadRequest, "quick create", "PATCH", bare, object{"target": helloARN}},
		{codeNotFound, "Invalid API identifier", "GET", "/v2/apis/nope", nil},
		{codeNotFound, "Invalid API identifier", "GET", "/v2/apis/" + strings.TrimPrefix(rest, "/restapis/"), nil},
		{codeNotFound, "Invalid API identifier", "GET", "/restapis/" + strings.TrimPrefix(api, "/v2/apis/"), nil},

		{codeBadRequest, "Route key is required", "POST", api + "/routes", object{}},
		{codeBadRequest, "not formatted properly", "POST", api + "/routes", object{"routeKey": "hello"}},
		{codeConflict, "Route with key $default already exists", "POST", api + "/routes", object{"routeKey": "$default"}},
		{codeNotFound, "Invalid Integration identifier", "POST", api + "/routes", object{"routeKey": "GET /x", "target": "integrations/nope"}},
		{codeBadRequest, "Invalid target", "POST", api + "/routes", object{"routeKey": "GET /x", "target": in}},
		{codeBadRequest, "authorization type", "POST", api + "/routes", object{"routeKey": "GET /x", "authorizationType": "X"}},
		{codeBadRequest, "needs one of this API", "POST", api + "/routes", object{"routeKey": "GET /x", "authorizationType": "JWT", "authorizerId": "nope"}},
		{codeBadRequest, "scopes go with", "POST", api + "/routes", object{"routeKey": "GET /x", "authorizationScopes": []string{"a"}}},
		{restjson.CodeNotImplemented, "apiKeyRequired", "POST", api + "/routes", object{"routeKey": "GET /x", "apiKeyRequired": true}},
		{codeNotFound, "Unable to find Route", "GET", api + "/routes/nope", nil},
		{codeNotFound, "Unable to find Route", "PATCH", api + "/routes/nope", object{}},

		{codeBadRequest, "Invalid integration type", "POST", api + "/integrations", object{}},
		{codeBadRequest, "Invalid ARN", "POST", api + "/integrations", proxy(object{"integrationUri": "x"})},
		{codeBadRequest, "1.0 or 2.0", "POST", api + "/integrations", proxy(object{"payloadFormatVersion": "3.0"})},
		{codeBadRequest, "between 50 ms and 30000 ms", "POST", api + "/integrations", proxy(object{"timeoutInMillis": 30001})},
		{codeBadRequest, "must be POST", "POST", api + "/integrations", proxy(object{"integrationMethod": "GET"})},
		{codeBadRequest, "MOCK is not supported for HTTP", "POST", api + "/integrations", proxy(object{"integrationType": "MOCK"})},
		{restjson.CodeNotImplemented, "HTTP_PROXY", "POST", api + "/integrations", proxy(object{"integrationType": "HTTP_PROXY", "integrationUri": "https://x"})},
		{restjson.CodeNotImplemented, "SQS-SendMessage", "POST", api + "/integrations", proxy(object{"integrationSubtype": "SQS-SendMessage"})},
		{restjson.CodeNotImplemented, "requestParameters", "POST", api + "/integrations", proxy(object{"requestParameters": object{"overwrite:path": "/x"}})},
		{restjson.CodeNotImplemented, "responseParameters", "POST", api + "/integrations", proxy(object{"responseParameters": object{"200": object{"overwrite:header.x": "y"}}})},
		{restjson.CodeNotImplemented, "passthroughBehavior NEVER", "POST", api + "/integrations", proxy(object{"passthroughBehavior": "NEVER"})},
		{restjson.CodeNotImplemented, "VPC_LINK", "POST", api + "/integrations", proxy(object{"connectionType": "VPC_LINK"})},
		{codeConflict, "the route $default of the API has it", "DELETE", api + "/integrations/" + in, nil},
		{codeNotFound, "Invalid Integration", "GET", api + "/integrations/nope", nil},

		{codeBadRequest, "is not an origin", "PATCH", api, object{"corsConfiguration": object{"allowOrigins": []string{"nope"}}}},
		{codeBadRequest, "is not an origin", "PATCH", bare, object{"corsConfiguration": object{"allowOrigins": []string{"nope"}}}},
		{restjson.CodeNotImplemented, "CreateVpcLink", "POST", "/v2/vpclinks", object{}},
		{restjson.CodeNotImplemented, "ExportApi", "GET", api + "/exports/OAS30", nil},
	} {
		n.refused(c.code, c.says, c.method, c.path, c.body)
	}
}

func TestHTTPRoutesAndIntegrations(t *testing.T) {
	n := newNode(t)
	api := n.httpAPI()
	in := n.want("POST", api+"/integrations", object{"integrationType": "AWS_PROXY", "integrationUri": helloURI, "description": "d",
		"connectionType": "INTERNET", "passthroughBehavior": "WHEN_NO_MATCH"}) // as Terraform sends
	if in.status != 201 || in.get("payloadFormatVersion") != "1.0" || in.get("description") != "d" {
		t.Errorf("CreateIntegration: %s", in.text)
	}
	path := api + "/integrations/" + in.get("integrationId")
	if r := n.want("PATCH", path, object{"payloadFormatVersion": "2.0", "timeoutInMillis": 50}); r.get("payloadFormatVersion") != "2.0" || r.get("timeoutInMillis") != "50" || r.get("description") != "d" {
		t.Errorf("UpdateIntegration: %s", r.text)
	}
	route := n.want("POST", api+"/routes", object{"routeKey": "POST /x", "operationName": "o"})
	if route.get("authorizationType") != "NONE" || route.get("target") != "" || route.get("apiKeyRequired") != "false" {
		t.Errorf("CreateRoute: %s", route.text)
	}
	at := api + "/routes/" + route.get("routeId")
	if r := n.want("PATCH", at, object{"target": "integrations/" + in.get("integrationId"), "routeKey": "PUT /x"}); r.get("routeKey") != "PUT /x" || r.get("operationName") != "o" || r.get("target") == "" {
		t.Errorf("UpdateRoute: %s", r.text)
	}
	n.want("DELETE", at, nil)
	n.want("DELETE", path, nil)
	n.refused(codeNotFound, "Unable to find Route", "GET", at, nil)
	n.refused(codeNotFound, "Invalid Integration", "GET", path, nil)
}

// jwks is a key set with one key.
func jwks(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	document, err := json.Marshal(object{"keys": []object{{"kty": "EC", "crv": "P-256", "kid": "a", "use": "sig", "alg": "ES256", "x": text(point[1:33]), "y": text(point[33:])}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

const issuer = "https://login.example.com/"

func TestHTTPAuthorizers(t *testing.T) {
	n := newNode(t)
	api := n.httpAPI()
	jwt := object{"name": "j", "authorizerType": "JWT", "identitySource": []string{"$request.header.Authorization"},
		"jwtConfiguration": object{"issuer": issuer, "audience": []string{"shop"}}}
	n.refused(codeBadRequest, "ledge api jwks put "+issuer+" FILE", "POST", api+"/authorizers", jwt)
	n.want("PUT", "/v1/jwks?issuer="+issuer, jwks(t))
	made := n.want("POST", api+"/authorizers", jwt)
	if made.status != 201 || made.get("jwtConfiguration.issuer") != issuer || made.get("identitySource.0") != "$request.header.Authorization" || made.get("authorizerResultTtlInSeconds") != "" {
		t.Errorf("CreateAuthorizer: %s", made.text)
	}
	request := n.want("POST", api+"/authorizers", object{"name": "r", "authorizerType": "REQUEST", "authorizerUri": helloURI,
		"authorizerPayloadFormatVersion": "2.0", "enableSimpleResponses": true})
	if request.get("authorizerResultTtlInSeconds") != "0" || request.get("enableSimpleResponses") != "true" {
		t.Errorf("CreateAuthorizer: %s", request.text)
	}
	for _, c := range []struct {
		code, says string
		base       object
		change     object
	}{
		{codeConflict, "same name", jwt, object{}},
		{codeBadRequest, "one identity source", jwt, object{"name": "x", "identitySource": []string{}}},
		{codeBadRequest, "one identity source", jwt, object{"name": "x", "identitySource": []string{"$context.path"}}},
		{codeBadRequest, "audiences", jwt, object{"name": "x", "jwtConfiguration": object{"issuer": issuer}}},
		{codeBadRequest, "Invalid issuer", jwt, object{"name": "x", "jwtConfiguration": object{"issuer": "login", "audience": []string{"a"}}}},
		{codeBadRequest, "authorizer type", jwt, object{"name": "x", "authorizerType": "TOKEN"}},
		{codeBadRequest, "Invalid Authorizer URI", nil, object{"name": "x", "authorizerUri": "x"}},
		{codeBadRequest, "required parameter", nil, object{"name": "x", "authorizerPayloadFormatVersion": ""}},
		{codeBadRequest, "must be 1.0 or 2.0", nil, object{"name": "x", "authorizerPayloadFormatVersion": "3"}},
		{codeBadRequest, "EnableSimpleResponses", nil, object{"name": "x", "authorizerPayloadFormatVersion": "1.0", "enableSimpleResponses": true}},
		{codeBadRequest, "required when caching", nil, object{"name": "x", "authorizerResultTtlInSeconds": 5}},
		{codeBadRequest, "Invalid identity source", nil, object{"name": "x", "identitySource": []string{"method.request.header.x"}}},
	} {
		body := object{"authorizerType": "REQUEST", "authorizerUri": helloURI, "authorizerPayloadFormatVersion": "2.0"}
		if c.base != nil {
			body = object{}
		}
		for _, o := range []object{c.base, c.change} {
			for k, v := range o {
				body[k] = v
			}
		}
		n.refused(c.code, c.says, "POST", api+"/authorizers", body)
	}
	path := api + "/authorizers/" + made.get("authorizerId")
	route := n.want("POST", api+"/routes", object{"routeKey": "GET /x", "authorizationType": "JWT", "authorizerId": made.get("authorizerId"), "authorizationScopes": []string{"read"}})
	n.refused(codeBadRequest, "is of type JWT", "POST", api+"/routes", object{"routeKey": "GET /y", "authorizationType": "CUSTOM", "authorizerId": made.get("authorizerId")})
	n.refused(codeConflict, "the route GET /x of the API uses it", "DELETE", path, nil)
	n.refused(codeConflict, "needs the keys", "DELETE", "/v1/jwks?issuer="+issuer, nil)
	n.refused(codeBadRequest, "type of an authorizer", "PATCH", path, object{"authorizerType": "REQUEST", "authorizerUri": helloURI, "authorizerPayloadFormatVersion": "2.0"})
	if r := n.want("PATCH", path, object{"name": "k"}); r.get("name") != "k" || r.get("jwtConfiguration.issuer") != issuer {
		t.Errorf("UpdateAuthorizer: %s", r.text)
	}
	if r := n.want("PATCH", api+"/routes/"+route.get("routeId"), object{"authorizationType": "NONE"}); r.get("authorizerId") != "" || r.get("authorizationScopes") != "" {
		t.Errorf("UpdateRoute: %s", r.text)
	}
	n.want("DELETE", path, nil)
	if list := n.want("GET", api+"/authorizers", nil); list.get("items.0.name") != "r" || list.get("items.1") != "" {
		t.Errorf("GetAuthorizers: %s", list.text)
	}
	n.want("DELETE", "/v1/jwks?issuer="+issuer, nil)
}

func TestLimits(t *testing.T) {
	n := newNode(t)
	api := n.httpAPI()
	for i := range maxRoutes - 1 {
		n.want("POST", api+"/routes", object{"routeKey": fmt.Sprintf("GET /%d", i)})
	}
	n.refused(codeLimit, "Maximum number of routes", "POST", api+"/routes", object{"routeKey": "GET /over"})
	rest, _, _ := n.restAPI()
	root := n.root(rest)
	for i := range maxResources - 2 {
		n.want("POST", root, object{"pathPart": fmt.Sprint(i)})
	}
	n.refused(codeLimit, "Maximum number of resources", "POST", root, object{"pathPart": "over"})
	// The draft is one record, which has a bound.
	method := root + "/methods/GET"
	n.want("PUT", method, object{"authorizationType": "NONE"})
	n.want("PUT", method+"/integration", object{"type": "MOCK"})
	large := object{"responseTemplates": object{"application/json": strings.Repeat("x", 600<<10)}}
	for _, code := range []string{"200", "201"} {
		n.want("PUT", method+"/responses/"+code, object{})
	}
	n.want("PUT", method+"/integration/responses/200", large)
	n.refused(codeLimit, "at most 1048576 are stored", "PUT", method+"/integration/responses/201", large)
	for i := range maxAuthorizers {
		n.want("POST", rest+"/authorizers", object{"name": fmt.Sprint(i), "type": "TOKEN", "authorizerUri": helloURI, "identitySource": "method.request.header.A"})
	}
	n.refused(codeLimit, "Maximum number of authorizers", "POST", rest+"/authorizers", object{"name": "over", "type": "TOKEN", "authorizerUri": helloURI, "identitySource": "method.request.header.A"})
}
