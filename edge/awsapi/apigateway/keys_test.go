package apigateway

import (
	"strings"
	"testing"

	"ledge/edge/awsapi/restjson"
)

func TestAPIKeys(t *testing.T) {
	n := newNode(t)
	given := strings.Repeat("k", 20)
	key := n.want("POST", "/apikeys", object{"name": "ann", "enabled": true, "value": given, "customerId": "c"})
	if key.status != 201 || key.get("value") != given || key.get("enabled") != "true" || key.get("stageKeys") != "[]" {
		t.Errorf("CreateApiKey: %s", key.text)
	}
	other := n.want("POST", "/apikeys", object{"name": "bob"})
	if len(other.get("value")) != 40 || other.get("enabled") != "false" {
		t.Errorf("CreateApiKey without a value: %s", other.text)
	}
	for _, c := range []struct {
		code, says string
		body       object
	}{
		{codeConflict, "API Key already exists", object{"value": given}},
		{codeBadRequest, "at least 20", object{"value": "short"}},
		{codeBadRequest, "at most 128", object{"value": strings.Repeat("x", 129)}},
		{codeBadRequest, "printable", object{"value": strings.Repeat("x ", 20)}},
		{restjson.CodeNotImplemented, "stageKeys", object{"stageKeys": []object{{"restApiId": "x", "stageName": "y"}}}},
	} {
		n.refused(c.code, c.says, "POST", "/apikeys", c.body)
	}
	n.refused(restjson.CodeNotImplemented, "ImportApiKeys", "POST", "/apikeys?mode=import&format=csv", "Name,key")
	path := "/apikeys/" + key.get("id")
	if r := n.want("GET", path, nil); r.get("value") != "" {
		t.Errorf("GetApiKey shows the value: %s", r.text)
	}
	if r := n.want("GET", path+"?includeValue=true", nil); r.get("value") != given {
		t.Errorf("GetApiKey with includeValue: %s", r.text)
	}
	n.access = restjson.Read
	if r := n.want("GET", "/apikeys?includeValues=true", nil); strings.Contains(r.text, given) {
		t.Errorf("a caller who may only read sees values: %s", r.text)
	}
	n.access = restjson.Deploy
	if r := n.want("GET", "/apikeys?includeValues=true&name=a", nil); r.get("item.0.value") != given || r.get("item.1") != "" {
		t.Errorf("GetApiKeys: %s", r.text)
	}
	if r := n.want("PATCH", path, patches("replace /name eve", "replace /enabled false")); r.get("name") != "eve" || r.get("enabled") != "false" {
		t.Errorf("UpdateApiKey: %s", r.text)
	}
	n.refused(codeBadRequest, "Invalid patch path", "PATCH", path, patches("replace /value x"))
	if r := n.want("DELETE", path, nil); r.status != 202 {
		t.Errorf("DeleteApiKey: %d", r.status)
	}
	n.refused(codeNotFound, "Invalid API Key identifier specified", "GET", path, nil)
}

func TestUsagePlans(t *testing.T) {
	n := newNode(t)
	api := n.deployed()
	id := strings.TrimPrefix(api, "/restapis/")
	stage := object{"apiId": id, "stage": "prod"}
	plan := n.want("POST", "/usageplans", object{"name": "gold", "apiStages": []object{stage},
		"throttle": object{"rateLimit": 5.5, "burstLimit": 10}, "quota": object{"limit": 100, "period": "DAY"}})
	for path, want := range map[string]string{
		"name": "gold", "apiStages.0.apiId": id, "throttle.rateLimit": "5.5", "throttle.burstLimit": "10",
		"quota.limit": "100", "quota.period": "DAY", "quota.offset": "0",
	} {
		if got := plan.get(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	for _, c := range []struct {
		code, says string
		body       object
	}{
		{codeBadRequest, "name is required", object{}},
		{codeBadRequest, "quota period", object{"name": "x", "quota": object{"limit": 1, "period": "YEAR"}}},
		{codeBadRequest, "greater than 0", object{"name": "x", "quota": object{"limit": 0, "period": "DAY"}}},
		{restjson.CodeNotImplemented, "offset", object{"name": "x", "quota": object{"limit": 1, "offset": 1, "period": "DAY"}}},
		{codeBadRequest, "rate limit", object{"name": "x", "throttle": object{"rateLimit": 1e10}}},
		{codeNotFound, "no REST API", object{"name": "x", "apiStages": []object{{"apiId": "nope", "stage": "prod"}}}},
		{codeNotFound, "no stage", object{"name": "x", "apiStages": []object{{"apiId": id, "stage": "nope"}}}},
		{codeConflict, "already", object{"name": "x", "apiStages": []object{stage, stage}}},
		{restjson.CodeNotImplemented, "apiStages.throttle", object{"name": "x", "apiStages": []object{{"apiId": id, "stage": "prod", "throttle": object{"/hello/GET": object{}}}}}},
	} {
		n.refused(c.code, c.says, "POST", "/usageplans", c.body)
	}
	path := "/usageplans/" + plan.get("id")
	key := n.want("POST", "/apikeys", object{"name": "ann", "enabled": true})
	added := n.want("POST", path+"/keys", object{"keyId": key.get("id"), "keyType": "API_KEY"})
	if added.status != 201 || added.get("type") != "API_KEY" || added.get("name") != "ann" {
		t.Errorf("CreateUsagePlanKey: %s", added.text)
	}
	n.refused(codeConflict, "already has", "POST", path+"/keys", object{"keyId": key.get("id"), "keyType": "API_KEY"})
	n.refused(codeNotFound, "Invalid API Key", "POST", path+"/keys", object{"keyId": "nope", "keyType": "API_KEY"})
	n.refused(codeBadRequest, "key type", "POST", path+"/keys", object{"keyId": key.get("id"), "keyType": "X"})
	n.refused(codeNotFound, "Invalid Usage Plan", "POST", "/usageplans/nope/keys", object{"keyId": key.get("id"), "keyType": "API_KEY"})
	silver := n.want("POST", "/usageplans", object{"name": "silver", "apiStages": []object{stage}})
	n.refused(codeConflict, "cannot reference multiple Usage Plans", "POST", "/usageplans/"+silver.get("id")+"/keys", object{"keyId": key.get("id"), "keyType": "API_KEY"})
	if list := n.want("GET", "/usageplans?keyId="+key.get("id"), nil); list.get("item.0.name") != "gold" || list.get("item.1") != "" {
		t.Errorf("GetUsagePlans of a key: %s", list.text)
	}
	if list := n.want("GET", path+"/keys", nil); list.get("item.0.id") != key.get("id") {
		t.Errorf("GetUsagePlanKeys: %s", list.text)
	}
	n.want("GET", path+"/keys/"+key.get("id"), nil)
	up := n.want("PATCH", path, patches("replace /throttle/rateLimit 7", "replace /quota/period WEEK", "replace /quota/limit 9", "replace /name platinum"))
	if up.get("throttle.rateLimit") != "7" || up.get("quota.period") != "WEEK" || up.get("quota.limit") != "9" || up.get("name") != "platinum" {
		t.Errorf("UpdateUsagePlan: %s", up.text)
	}
	n.refused(codeBadRequest, "All API stages must be removed before deletion", "DELETE", path, nil)
	n.refused(codeNotFound, "not in the usage plan", "PATCH", path, patches("remove /apiStages "+id+":nope"))
	n.refused(codeConflict, "already", "PATCH", path, patches("add /apiStages "+id+":prod"))
	n.refused(codeBadRequest, "not API:STAGE", "PATCH", path, patches("add /apiStages nope"))
	up = n.want("PATCH", path, patches("remove /apiStages "+id+":prod", "remove /throttle", "remove /quota"))
	if up.get("apiStages") != "[]" || up.get("throttle") != "" || up.get("quota") != "" {
		t.Errorf("UpdateUsagePlan: %s", up.text)
	}
	n.want("PATCH", path, patches("add /apiStages "+id+":prod"))
	if r := n.want("DELETE", path+"/keys/"+key.get("id"), nil); r.status != 202 {
		t.Errorf("DeleteUsagePlanKey: %d", r.status)
	}
	n.refused(codeNotFound, "Invalid API Key", "GET", path+"/keys/"+key.get("id"), nil)

	// What is deleted is forgotten.
	n.want("POST", path+"/keys", object{"keyId": key.get("id"), "keyType": "API_KEY"})
	n.want("PUT", "/v1/root", object{"ApiId": id, "Stage": "prod"})
	n.want("DELETE", "/apikeys/"+key.get("id"), nil)
	n.want("DELETE", api, nil)
	if r := n.want("GET", path, nil); r.get("apiStages") != "[]" || n.want("GET", path+"/keys", nil).get("item") != "[]" {
		t.Errorf("the plan keeps what was deleted: %s", r.text)
	}
	n.refused(codeNotFound, "no API answers", "GET", "/v1/root", nil)
	n.want("DELETE", path, nil)
	n.refused(codeNotFound, "Invalid Usage Plan", "GET", path, nil)
}

func TestTags(t *testing.T) {
	n := newNode(t)
	api := n.deployed()
	http := n.want("POST", "/v2/apis", object{"name": "h", "protocolType": "HTTP", "target": helloARN}).get("apiId")
	key := n.want("POST", "/apikeys", object{}).get("id")
	plan := n.want("POST", "/usageplans", object{"name": "p"}).get("id")
	const before = "arn:aws:apigateway:us-east-1::"
	for _, c := range []struct{ tags, arn string }{
		{"/tags/", api}, {"/tags/", api + "/stages/prod"}, {"/tags/", "/apikeys/" + key}, {"/tags/", "/usageplans/" + plan},
		{"/v2/tags/", "/apis/" + http}, {"/v2/tags/", "/apis/" + http + "/stages/$default"},
	} {
		method := "PUT"
		if c.tags == "/v2/tags/" {
			method = "POST"
		}
		path := c.tags + strings.ReplaceAll(before+c.arn, "/", "%2F")
		n.want(method, path, object{"tags": object{"a": "1", "b": "2", "c": "3"}})
		n.want("DELETE", path+"?tagKeys=a&tagKeys=b", nil)
		if got := n.want("GET", path, nil).get("tags"); got != `{"c":"3"}` {
			t.Errorf("%s has the tags %s", c.arn, got)
		}
		n.refused(codeBadRequest, "reserved", method, path, object{"tags": object{"AWS:x": "1"}})
	}
	for _, arn := range []string{"/restapis/nope", "/restapis/" + http, "/apis/" + strings.TrimPrefix(api, "/restapis/"), "/apikeys/nope", "/usageplans/nope", "/nope/x", "", api + "/stages/nope"} {
		n.refused(codeNotFound, "Invalid", "GET", "/tags/"+strings.ReplaceAll(before+arn, "/", "%2F"), nil)
	}
}
