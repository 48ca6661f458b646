package apigateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ledge/edge/awsapi/restjson"
)

func TestDeploymentIsASnapshot(t *testing.T) {
	n := newNode(t)
	api := n.deployed()
	first := n.want("GET", api+"/stages/prod", nil).get("deploymentId")
	res := n.want("POST", n.root(api), object{"pathPart": "more"}).get("id")
	n.want("PUT", api+"/resources/"+res+"/methods/GET", object{"authorizationType": "AWS_IAM"})
	n.want("PUT", api+"/resources/"+res+"/methods/GET/integration", object{"type": "MOCK"})
	summary := n.want("GET", api+"/deployments/"+first+"?embed=apisummary", nil)
	if got := summary.get("apiSummary"); got != `{"/hello":{"GET":{"apiKeyRequired":false,"authorizationType":"NONE"}}}` {
		t.Errorf("the first deployment has %s", got)
	}
	second := n.want("POST", api+"/deployments", object{"description": "more"}).get("id")
	if got := n.want("GET", api+"/deployments/"+second+"?embed=apisummary", nil).get("apiSummary./more.GET.authorizationType"); got != "AWS_IAM" {
		t.Errorf("the second deployment's method has authorization type %q", got)
	}
	n.refused(codeBadRequest, "Active stages", "DELETE", api+"/deployments/"+first, nil)
	if got := n.want("PATCH", api+"/stages/prod", patches("replace /deploymentId "+second)).get("deploymentId"); got != second {
		t.Errorf("the stage names %s", got)
	}
	n.refused(codeNotFound, "Invalid Deployment", "PATCH", api+"/stages/prod", patches("replace /deploymentId nope"))
	n.refused(codeNotFound, "Invalid Deployment", "PATCH", api+"/stages/prod", patches("remove /deploymentId"))
	if r := n.want("DELETE", api+"/deployments/"+first, nil); r.status != 202 {
		t.Errorf("DeleteDeployment: %d", r.status)
	}
	if got := n.want("PATCH", api+"/deployments/"+second, patches("replace /description less")).get("description"); got != "less" {
		t.Errorf("UpdateDeployment: %q", got)
	}
}

func TestUnusedDeploymentsAreDropped(t *testing.T) {
	n := newNode(t)
	api := n.deployed()
	used := n.want("GET", api+"/stages/prod", nil).get("deploymentId")
	for range maxUnused + 3 {
		n.now = n.now.Add(time.Minute)
		n.want("POST", api+"/deployments", object{})
	}
	list := n.want("GET", api+"/deployments?limit=500", nil)
	if got := strings.Count(list.text, "createdDate"); got != maxUnused+1 {
		t.Errorf("%d deployments are left", got)
	}
	n.want("GET", api+"/deployments/"+used, nil)
}

func TestStages(t *testing.T) {
	n := newNode(t)
	api := n.deployed()
	id := n.want("GET", api+"/stages/prod", nil).get("deploymentId")
	made := n.want("POST", api+"/stages", object{"stageName": "test", "deploymentId": id, "variables": object{"url": "a/b?c=d"}, "tags": object{"k": "v"}})
	if made.status != 201 || made.get("variables.url") != "a/b?c=d" || made.get("methodSettings") != "{}" || made.get("tags.k") != "v" {
		t.Errorf("CreateStage: %s", made.text)
	}
	n.refused(codeConflict, "Stage already exists", "POST", api+"/stages", object{"stageName": "test", "deploymentId": id})
	st := n.want("PATCH", api+"/stages/test", patches(
		"replace /variables/url x", "replace /variables/more y", "replace /description d",
		"replace /*/*/throttling/rateLimit 10.5", "replace /*/*/throttling/burstLimit 20",
		"replace /~1hello/GET/throttling/burstLimit 3", "replace /hello/GET/logging/loglevel INFO",
		"replace /~1hello~1{id}/ANY/metrics/enabled true", "replace /~1hello/GET/caching/ttlInSeconds 5",
	))
	for path, want := range map[string]string{
		"variables":                                     `{"more":"y","url":"x"}`,
		"description":                                   "d",
		"methodSettings.*/*.throttlingRateLimit":        "10.5",
		"methodSettings.*/*.throttlingBurstLimit":       "20",
		"methodSettings.hello/GET.throttlingBurstLimit": "3",
		"methodSettings.hello/GET.throttlingRateLimit":  "-1",
		"methodSettings.hello/GET.loggingLevel":         "INFO",
		"methodSettings.hello/{id}/ANY.metricsEnabled":  "true",
	} {
		if got := st.get(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	st = n.want("PATCH", api+"/stages/test", patches("remove /variables/url", "remove /hello/GET", "remove /*/*/throttling/rateLimit", "remove /*/*/throttling/burstLimit"))
	if st.get("variables") != `{"more":"y"}` || st.get("methodSettings.hello/GET") != "" || st.get("methodSettings.*/*") != "" {
		t.Errorf("after removing: %s", st.text)
	}
	// Terraform reads back what it wrote, defaults too, and removes it once more.
	st = n.want("PATCH", api+"/stages/test", patches("replace /*/*/logging/loglevel OFF", "replace /*/*/metrics/enabled false", "remove /accessLogSettings"))
	if st.get("methodSettings.*/*.loggingLevel") != "OFF" || st.get("methodSettings.*/*.metricsEnabled") != "false" {
		t.Errorf("default settings: %s", st.text)
	}
	if st = n.want("PATCH", api+"/stages/test", patches("remove /*/*", "remove /hello~1{id}/ANY")); st.get("methodSettings") != "{}" {
		t.Errorf("after removing all settings: %s", st.text)
	}
	for _, c := range []struct{ code, says, patch string }{
		{codeBadRequest, "Cannot remove method setting */* because there is no method setting for this method", "remove /*/*"},
		{codeBadRequest, "Cannot remove method setting hello/PUT because there is no method setting for this method", "remove /hello/PUT"},
		{codeBadRequest, "rate limit", "replace /*/*/throttling/rateLimit many"},
		{codeBadRequest, "rate limit", "replace /*/*/throttling/rateLimit NaN"},
		{codeBadRequest, "rate limit", "replace /*/*/throttling/rateLimit -Inf"},
		{codeBadRequest, "burst limit", "replace /*/*/throttling/burstLimit 1.5"},
		{codeBadRequest, "burst limit", "replace /*/*/throttling/burstLimit -2"},
		{codeBadRequest, "logging level", "replace /*/*/logging/loglevel LOUD"},
		{codeBadRequest, "Invalid patch path", "replace /hello/FETCH/metrics/enabled true"},
		{codeBadRequest, "Invalid patch operation", "copy /*/*/metrics/enabled true"},
		{restjson.CodeNotImplemented, "cache", "replace /*/*/caching/enabled true"},
		{restjson.CodeNotImplemented, "cache", "replace /cacheClusterEnabled true"},
		{restjson.CodeNotImplemented, "X-Ray", "replace /tracingEnabled true"},
		{restjson.CodeNotImplemented, "logged", "replace /accessLogSettings/destinationArn x"},
	} {
		n.refused(c.code, c.says, "PATCH", api+"/stages/test", patches(c.patch))
	}
	n.want("PATCH", api+"/stages/test", patches("replace /cacheClusterEnabled false", "replace /tracingEnabled false", "replace /*/*/caching/enabled false"))
	if got := n.want("GET", api+"/stages?deploymentId="+id, nil); got.get("item.1.stageName") != "test" || got.get("item.2") != "" {
		t.Errorf("GetStages: %s", got.text)
	}
	n.want("DELETE", api+"/stages/test/cache/data", nil)
	for i := range maxStages - 2 {
		n.want("POST", api+"/stages", object{"stageName": fmt.Sprint("s", i), "deploymentId": id})
	}
	n.refused(codeLimit, "Maximum number of stages", "POST", api+"/stages", object{"stageName": "over", "deploymentId": id})
	if r := n.want("DELETE", api+"/stages/test", nil); r.status != 202 {
		t.Errorf("DeleteStage: %d", r.status)
	}
	n.refused(codeNotFound, "Invalid stage identifier specified", "GET", api+"/stages/test", nil)
}

func TestRESTAuthorizers(t *testing.T) {
	n := newNode(t)
	api, res, method := n.restAPI()
	token := object{"name": "a", "type": "TOKEN", "authorizerUri": helloURI, "identitySource": "method.request.header.Authorization", "identityValidationExpression": "Bearer .*"}
	a := n.want("POST", api+"/authorizers", token)
	if a.status != 201 || a.get("authorizerResultTtlInSeconds") != "300" || a.get("identitySource") != token["identitySource"] || a.get("authType") != "custom" {
		t.Errorf("CreateAuthorizer: %s", a.text)
	}
	with := func(change object) object {
		made := object{}
		for _, o := range []object{token, {"name": "b"}, change} {
			for k, v := range o {
				made[k] = v
			}
		}
		return made
	}
	for _, c := range []struct {
		code, says string
		change     object
	}{
		{codeConflict, "same name", object{"name": "a"}},
		{codeBadRequest, "name must have", object{"name": ""}},
		{codeBadRequest, "authorizer type", object{"type": "X"}},
		{restjson.CodeNotImplemented, "Cognito", object{"type": "COGNITO_USER_POOLS"}},
		{codeBadRequest, "Invalid Authorizer URI", object{"authorizerUri": "x"}},
		{codeBadRequest, "one identity source", object{"identitySource": ""}},
		{codeBadRequest, "one identity source", object{"identitySource": "method.request.querystring.t"}},
		{codeBadRequest, "Invalid identity source", object{"identitySource": "$request.header.t"}},
		{codeBadRequest, "between 0 and 3600", object{"authorizerResultTtlInSeconds": 3601}},
		{codeBadRequest, "regular expression", object{"identityValidationExpression": "("}},
		{codeBadRequest, "goes with a TOKEN", object{"type": "REQUEST"}},
		{codeBadRequest, "required when caching", object{"type": "REQUEST", "identitySource": "", "identityValidationExpression": ""}},
	} {
		n.refused(c.code, c.says, "POST", api+"/authorizers", with(c.change))
	}
	n.want("POST", api+"/authorizers", object{"name": "r", "type": "REQUEST", "authorizerUri": helloURI,
		"identitySource": "method.request.header.A, context.identity.sourceIp", "authorizerResultTtlInSeconds": 0})
	path := api + "/authorizers/" + a.get("id")
	n.want("PATCH", method, patches("replace /authorizationType CUSTOM", "replace /authorizerId "+a.get("id")))
	n.refused(codeConflict, "is referenced in method: GET", "DELETE", path, nil)
	if r := n.want("PATCH", path, patches("replace /authorizerResultTtlInSeconds 0", "replace /identitySource method.request.header.X")); r.get("authorizerResultTtlInSeconds") != "0" || r.get("identitySource") != "method.request.header.X" {
		t.Errorf("UpdateAuthorizer: %s", r.text)
	}
	n.want("PUT", method+"/integration", object{"type": "AWS_PROXY", "httpMethod": "POST", "uri": strings.Replace(helloURI, "hello", "${stageVariables.f}", 1)})
	n.want("POST", api+"/deployments", object{"stageName": "prod"})
	if r := n.want("PATCH", method, patches("replace /authorizationType NONE")); r.get("authorizerId") != "" {
		t.Errorf("the method keeps its authorizer: %s", r.text)
	}
	if r := n.want("DELETE", path, nil); r.status != 202 {
		t.Errorf("DeleteAuthorizer: %d", r.status)
	}
	n.refused(codeNotFound, "Invalid Authorizer identifier", "GET", path, nil)
	if list := n.want("GET", api+"/authorizers", nil); list.get("item.0.name") != "r" || list.get("item.1") != "" {
		t.Errorf("GetAuthorizers of %s: %s", res, list.text)
	}
}

func TestUpdateRESTAPI(t *testing.T) {
	n := newNode(t)
	api, _, _ := n.restAPI()
	r := n.want("PATCH", api, patches(
		"replace /name other", "replace /description d", "add /binaryMediaTypes/image~1png", "add /binaryMediaTypes/*~1*",
		"replace /binaryMediaTypes/image~1png image/gif", "replace /apiKeySource AUTHORIZER",
		"replace /endpointConfiguration/types/EDGE REGIONAL", "replace /disableExecuteApiEndpoint false"))
	if r.get("name") != "other" || r.get("binaryMediaTypes") != `["*/*","image/gif"]` || r.get("apiKeySource") != "AUTHORIZER" ||
		r.get("endpointConfiguration.types.0") != "REGIONAL" {
		t.Errorf("UpdateRestApi: %s", r.text)
	}
	if r := n.want("PATCH", api, patches("remove /binaryMediaTypes/*~1*", "remove /description")); r.get("binaryMediaTypes") != `["image/gif"]` || r.get("description") != "" {
		t.Errorf("UpdateRestApi: %s", r.text)
	}
	n.refused(codeBadRequest, "must not be empty", "PATCH", api, patches("replace /name "))
	n.refused(restjson.CodeNotImplemented, "disableExecuteApiEndpoint", "PATCH", api, patches("replace /disableExecuteApiEndpoint true"))
	n.refused(codeBadRequest, "are too many", "PATCH", api, patches(strings.Split(strings.Repeat("replace /name x\n", maxPatches)+"replace /name x", "\n")...))
}

func TestPages(t *testing.T) {
	n := newNode(t)
	want := map[string]bool{}
	for i := range 7 {
		want[n.want("POST", "/restapis", object{"name": fmt.Sprint(i)}).get("id")] = true
	}
	n.want("POST", "/v2/apis", object{"name": "h", "protocolType": "HTTP"})
	seen, position := 0, ""
	for range 10 {
		r := n.want("GET", "/restapis?limit=3&position="+position, nil)
		for i := range 3 {
			if id := r.get(fmt.Sprintf("item.%d.id", i)); id != "" {
				if !want[id] {
					t.Errorf("%s came twice, or is not a REST API", id)
				}
				delete(want, id)
				seen++
			}
		}
		if position = r.get("position"); position == "" {
			break
		}
	}
	if seen != 7 || len(want) != 0 {
		t.Errorf("%d APIs came, missing are %v", seen, want)
	}
}
