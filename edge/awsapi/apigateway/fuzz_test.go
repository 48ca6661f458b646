package apigateway

import (
	"encoding/json"
	"testing"

	"ledge/persist"
)

// Whatever is in patch operations, what they leave is refused or can be stored
// and served.
func FuzzPatch(f *testing.F) {
	for _, seed := range []string{
		`[{"op":"replace","path":"/*/*/throttling/rateLimit","value":"1e9"}]`,
		`[{"op":"remove","path":"/~1hello/GET"},{"op":"add","path":"/variables/a~1b","value":"c"}]`,
		`[{"op":"add","path":"/apiStages","value":"a:b"},{"op":"remove","path":"/quota"}]`,
		`[{"op":"replace","path":"/requestTemplates/application~1json","value":"{\"statusCode\":200}"}]`,
		`[{"op":"replace","path":"/pathPart","value":"{x+}"},{"op":"test"}]`,
		`[{"op":"add","path":"/binaryMediaTypes/*~1*"},{"op":"replace","path":"/identitySource","value":",,"}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var operations []patchOperation
		if json.Unmarshal([]byte(body), &operations) != nil || len(operations) > maxPatches {
			return
		}
		stage := persist.APIStage{API: "a", Name: "prod"}
		if patchStage(&stage, operations) == nil && checkStage(&stage) == nil {
			for key, set := range stage.Settings {
				if checkThrottle(set.Rate, set.Burst) != nil {
					t.Errorf("settings of %q have limits that are refused elsewhere", key)
				}
			}
			encodes(t, stage, showStage(stage))
		}
		in := persist.APIIntegration{Type: typeMock, Passthrough: "WHEN_NO_MATCH", TimeoutMillis: 50}
		if patch(operations, integrationRules(&in)) == nil && checkIntegration(&in) == nil {
			encodes(t, in, showIntegration(&in, "r"))
		}
		def := persist.APIDefinition{Resources: []persist.APIResource{{ID: "r"}, {ID: "s", Parent: "r", PathPart: "x"}}}
		res := &def.Resources[1]
		if patch(operations, []patchRule{text("/pathPart", &res.PathPart), text("/parentId", &res.Parent)}) == nil && checkResource(&def, res) == nil {
			shown, err := shownResource(&def, *res, true)
			if err != nil {
				t.Errorf("a resource that was accepted has no path: %v", err)
			}
			encodes(t, def, shown)
		}
		authorizer := persist.APIAuthorizer{ID: "a", Name: "a", Type: typeToken, URI: helloURI}
		if patch(operations, authorizerRules(&authorizer)) == nil && checkAuthorizer(&def, &authorizer) == nil {
			encodes(t, authorizer, showAuthorizer(authorizer))
		}
		plan := persist.UsagePlan{Name: "p"}
		if patch(operations, planRules(&plan)) == nil {
			encodes(t, plan, showUsagePlan(plan))
		}
		api := persist.API{Name: "a", APIKeySource: "HEADER"}
		if patch(operations, restAPIRules(&api)) == nil && checkRestAPI(&api) == nil {
			encodes(t, api, showRestAPI(api))
		}
	})
}

// encodes makes sure that values can be stored and shown.
func encodes(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%+v cannot be encoded: %v", v, err)
		}
	}
}

// FuzzDocument: an OpenAPI document that is taken has no methods.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{
		`{"swagger":"2.0","info":{"title":"a","version":"1"},"paths":{"/":{}}}`,
		`{"openapi":"3.0.1","info":{"title":1},"paths":null}`,
		`{"openapi":"3.0.1","paths":{"/":{"get":{}},"/a":{}},"x-amazon-apigateway-cors":{}}`,
		`{"swagger":"2.0","Paths":{"/":{"get":{}}}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var document map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &document) != nil {
			return
		}
		about, err := blankDocument(document)
		if err != nil {
			return
		}
		var paths map[string]map[string]any
		if raw, given := document["paths"]; given && json.Unmarshal(raw, &paths) != nil {
			t.Errorf("took paths that cannot be read: %s", raw)
		}
		for path, item := range paths {
			if path != "/" || len(item) > 0 {
				t.Errorf("took the path %q with %v", path, item)
			}
		}
		encodes(t, about)
	})
}
