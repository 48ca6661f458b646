package edge_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"ledge/edge"
	"ledge/edge/gateway"
	"ledge/persist"
)

func TestFunctionOf(t *testing.T) {
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:hello"
	uri := func(function string) string {
		return "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + function + "/invocations"
	}
	variables := map[string]string{"f": "hello", "q": "prod", "arn": arn, "bad": "a b"}
	for _, c := range []struct {
		uri, name, qualifier, says string
		anyway                     bool // CheckFunctionURI accepts it
	}{
		{uri: arn, name: "hello", anyway: true},
		{uri: arn + ":prod", name: "hello", qualifier: "prod", anyway: true},
		{uri: arn + ":$LATEST", name: "hello", qualifier: "$LATEST", anyway: true},
		{uri: uri(arn), name: "hello", anyway: true},
		{uri: uri(arn + ":7"), name: "hello", qualifier: "7", anyway: true},
		{uri: strings.ReplaceAll(uri(arn), "arn:aws:", "arn:aws-cn:"), name: "hello", anyway: true},
		{uri: uri(strings.Replace(arn, "hello", "${stageVariables.f}", 1) + ":${stageVariables.q}"), name: "hello", qualifier: "prod", anyway: true},
		{uri: uri("${stageVariables.arn}"), name: "hello", anyway: true},
		{uri: uri(strings.Replace(arn, "hello", "${stageVariables.none}", 1)), says: "no such variable", anyway: true},
		{uri: uri(strings.Replace(arn, "hello", "${stageVariables.bad}", 1)), says: "not a function name", anyway: true},
		{uri: uri("${context.x}"), says: "not a reference to a stage variable"},
		{uri: uri("${stageVariables.f"), says: "not a reference to a stage variable"},
		{uri: uri("${stageVariables.}"), says: "not a reference to a stage variable"},
		{uri: "", says: "not the ARN of a function"},
		{uri: "hello", says: "not the ARN of a function"},
		{uri: uri("hello"), says: "not the ARN of a function"},
		{uri: arn + ":a:b", says: "not the ARN of a function"},
		{uri: arn + ":a b", says: "not a version"},
		{uri: arn + ":", says: "not a version"},
		{uri: strings.Replace(arn, "hello", "a/b", 1), says: "not a function name"},
		{uri: "arn:aws:apigateway:us-east-1:sqs:path/x", says: "not for Lambda"},
		{uri: "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + arn, says: "does not end in"},
		{uri: "arn:aws:apigateway", says: "not the ARN of a function"},
		{uri: "arn:aws:apigateway:", says: "not for Lambda"},
	} {
		name, qualifier, err := edge.FunctionOf(c.uri, variables)
		if name != c.name || qualifier != c.qualifier || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q %q %v, want %q %q and %q", c.uri, name, qualifier, err, c.name, c.qualifier, c.says)
		}
		if err := edge.CheckFunctionURI(c.uri); (err == nil) != c.anyway {
			t.Errorf("CheckFunctionURI(%s): %v", c.uri, err)
		}
	}
}

func TestMockStatus(t *testing.T) {
	for template, want := range map[string]int{
		`{"statusCode": 200}`: 200, `{statusCode:204}`: 204, "{\n  'statusCode' : 302,\n}": 302,
		`{"statusCode": 418, "more": [1]}`: 418, `{"statusCode":"201"}`: 201,
		``: 0, `{}`: 0, `{"statusCode": 99}`: 0, `{"statusCode": 600}`: 0, `{"statusCode": 200.5}`: 0, `[200]`: 0,
	} {
		if got, err := edge.MockStatus(template); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %d %v, want %d", template, got, err, want)
		}
	}
}

func TestCheckTemplate(t *testing.T) {
	for template, fixed := range map[string]bool{
		``: true, `{"a": 1}`: true, `costs $5, is #1, 100$ # x $ $`: true,
		`$input.body`: false, `${x}`: false, `$!x`: false, `#set($x = 1)`: false, `## note`: false, `#* x *#`: false, `#{else}`: false, `#@x()`: false,
	} {
		if err := edge.CheckTemplate(template); (err == nil) != fixed {
			t.Errorf("%q: %v", template, err)
		}
	}
}

// restAPI is a REST API with one method, deployed to one stage.
func restAPI(id, function string) func(*persist.APIChange) error {
	def := persist.APIDefinition{Resources: []persist.APIResource{{ID: "r", Methods: map[string]persist.APIMethod{"GET": {
		AuthorizationType: "NONE",
		Integration:       &persist.APIIntegration{Type: "AWS_PROXY", URI: "arn:aws:lambda:x:y:function:" + function, TimeoutMillis: 50},
	}}}}}
	return func(ch *persist.APIChange) error {
		ch.PutAPIs = append(ch.PutAPIs, persist.API{ID: id, Protocol: persist.ProtocolREST})
		ch.PutDeployments = append(ch.PutDeployments, persist.APIDeployment{API: id, Definition: def}, persist.APIDeployment{API: id, ID: "d", Definition: def})
		ch.PutStages = append(ch.PutStages, persist.APIStage{API: id, Name: "prod", Deployment: "d"})
		return nil
	}
}

// A change is proved, stored and then live, and a failure of a step undoes
// those before it.
func TestChangeAPIs(t *testing.T) {
	n := newNode(t)
	if err := n.ChangeAPIs(t.Context(), restAPI("a", "hello")); err != nil {
		t.Fatal(err)
	}
	if n.gateway.apis.Len() != 1 {
		t.Fatalf("%d APIs are live", n.gateway.apis.Len())
	}
	live := n.gateway.apis
	var refused *gateway.APIError
	for name, c := range map[string]struct {
		edit  func(*persist.APIChange) error
		store error
		check func(error) bool
	}{
		"edit fails":         {func(*persist.APIChange) error { return errInjected }, nil, func(err error) bool { return errors.Is(err, errInjected) }},
		"nothing to do":      {func(*persist.APIChange) error { return nil }, nil, func(err error) bool { return err == nil }},
		"cannot be served":   {restAPI("b", "a b"), nil, func(err error) bool { return errors.As(err, &refused) && refused.API == "b" }},
		"ID cannot be":       {restAPI("B", "hello"), nil, func(err error) bool { return errors.As(err, &refused) && refused.API == "B" }},
		"unknown deployment": {stageOf("a", "new", "none"), nil, func(err error) bool { return errors.As(err, &refused) && errors.Is(err, persist.ErrNotFound) }},
		"disk fails":         {restAPI("b", "hello"), errInjected, func(err error) bool { return errors.Is(err, errInjected) }},
		"no keys of issuer":  {jwtAPI("b"), nil, func(err error) bool { var k *edge.KeySetError; return errors.As(err, &k) }},
		"deployment alone cannot be served": {func(ch *persist.APIChange) error {
			err := restAPI("b", "a b")(ch)
			ch.PutStages = nil
			return err
		}, nil, func(err error) bool { return errors.As(err, &refused) }},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := n.store.LiveAPIs(persist.APIChange{})
			if err != nil {
				t.Fatal(err)
			}
			n.store.changeAPIs = c.store
			defer func() { n.store.changeAPIs = nil }()
			if err := n.ChangeAPIs(t.Context(), c.edit); !c.check(err) {
				t.Errorf("error %v", err)
			}
			after, err := n.store.LiveAPIs(persist.APIChange{})
			if err != nil {
				t.Fatal(err)
			}
			if text(t, before) != text(t, after) || n.gateway.apis != live {
				t.Error("something has changed")
			}
		})
	}

	// Drafts are stored and not served.
	if err := n.ChangeAPIs(t.Context(), func(ch *persist.APIChange) error {
		ch.PutDeployments = []persist.APIDeployment{{API: "a", Description: "new draft"}}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if d, err := n.store.APIDeployment("a", ""); err != nil || d.Description != "new draft" || n.gateway.apis != live {
		t.Errorf("the draft is %+v %v", d, err)
	}
}

func stageOf(api, name, deployment string) func(*persist.APIChange) error {
	return func(ch *persist.APIChange) error {
		ch.PutStages = append(ch.PutStages, persist.APIStage{API: api, Name: name, Deployment: deployment})
		return nil
	}
}

// jwtAPI is an HTTP API with a JWT authorizer for an issuer without keys.
func jwtAPI(id string) func(*persist.APIChange) error {
	return func(ch *persist.APIChange) error {
		ch.PutAPIs = append(ch.PutAPIs, persist.API{ID: id, Protocol: persist.ProtocolHTTP})
		ch.PutDeployments = append(ch.PutDeployments, persist.APIDeployment{API: id, ID: "d", Definition: persist.APIDefinition{
			Authorizers: []persist.APIAuthorizer{{ID: "j", Type: "JWT", Issuer: "https://x"}},
			Routes:      []persist.APIRoute{{ID: "r", Key: "$default", AuthorizationType: "JWT", AuthorizerID: "j"}},
		}})
		return stageOf(id, "$default", "d")(ch)
	}
}

func text(t testing.TB, v any) string {
	t.Helper()
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// What cannot be served any more is skipped at boot and by other changes, with
// a line in the log.
func TestBootSkipsAPIs(t *testing.T) {
	n := newNode(t)
	for _, edit := range []func(*persist.APIChange) error{
		restAPI("good", "hello"), restAPI("bad", "a b"), restAPI("NAME", "hello"), jwtAPI("keyless"), stageOf("good", "none", ""),
		func(ch *persist.APIChange) error {
			ch.PutKeys = []persist.APIKey{{ID: "k1", Value: "same", Enabled: true}, {ID: "k2", Value: "same", Enabled: true}, {ID: "off", Value: "same"}}
			ch.PutPlans = []persist.UsagePlan{{ID: "p", Keys: []string{"k1", "k2", "none"}, Stages: []persist.RootAPI{{API: "good", Stage: "prod"}, {API: "gone", Stage: "prod"}}}}
			ch.Root = &persist.RootAPI{API: "gone", Stage: "prod"}
			return nil
		},
	} {
		var ch persist.APIChange
		if err := edit(&ch); err != nil {
			t.Fatal(err)
		}
		if err := n.store.ChangeAPIs(ch); err != nil { // past the Reconciler
			t.Fatal(err)
		}
	}
	if err := n.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.gateway.apis.Len() != 1 {
		t.Errorf("%d APIs are live", n.gateway.apis.Len())
	}
	for _, id := range []string{"bad", "NAME", "keyless"} {
		if !strings.Contains(n.log.String(), id) {
			t.Errorf("%s is not in the log: %s", id, n.log)
		}
	}
	if err := n.ChangeAPIs(t.Context(), restAPI("more", "hello")); err != nil || n.gateway.apis.Len() != 2 {
		t.Errorf("a change beside them: %v, %d APIs are live", err, n.gateway.apis.Len())
	}
}

// Stored records of any content boot: what is not usable is skipped.
func FuzzBootAPIs(f *testing.F) {
	var whole persist.APIChange
	for _, edit := range []func(*persist.APIChange) error{restAPI("a", "hello"), jwtAPI("b")} {
		if err := edit(&whole); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(text(f, whole))
	f.Add(`{"PutAPIs":[{"id":"a","protocol":"REST"}],"PutStages":[{"api":"a","name":"s","deployment":"d","settings":{"*/*":{"rate":-1,"burst":0}}}],
		"PutDeployments":[{"api":"a","id":"d","definition":{"resources":[{"id":"r"},{"id":"s","parent":"s"},{"id":"t","parent":"r","pathPart":"{x+}",
		"methods":{"ANY":{"integration":{"type":"MOCK","requestTemplates":{"application/json":"{statusCode:200}"},"responses":{"200":{"selectionPattern":"(","parameters":{"method.response.header.A":"'b'"}},"x":{}}}}}}]}}]}`)
	n := newNode(f)
	f.Fuzz(func(t *testing.T, record string) {
		var ch persist.APIChange
		if json.Unmarshal([]byte(record), &ch) != nil {
			return
		}
		store := &imagined{faultyStore: n.store}
		store.live = persist.LiveAPIs{APIs: ch.PutAPIs, Stages: ch.PutStages, Deployments: ch.PutDeployments, Keys: ch.PutKeys, Plans: ch.PutPlans, KeySets: ch.PutKeySets}
		if ch.Root != nil {
			store.live.Root = *ch.Root
		}
		served := &fakeGateway{}
		r := edge.New(edge.Config{Engine: n.engine, Store: store, Code: n.code, Gateway: served})
		if err := r.Boot(t.Context()); err != nil || served.apis == nil {
			t.Errorf("boot: %v", err)
		}
	})
}

// imagined is a store whose APIs are made up.
type imagined struct {
	*faultyStore
	live persist.LiveAPIs
}

func (s *imagined) LiveAPIs(persist.APIChange) (persist.LiveAPIs, error) { return s.live, nil }
