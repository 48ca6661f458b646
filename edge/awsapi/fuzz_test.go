package awsapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"ledge/edge/awsapi/restjson"
	"ledge/edge/gateway"
	"ledge/engine"
	"ledge/persist"
)

// FuzzDecode: whatever a client sends as a body, every request type takes it
// or refuses it with a 4xx, and what was taken can be stored and shown.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "[]", "null", `{"FunctionName":"hello","Code":{"ZipFile":"AGFzbQ=="},"Timeout":3,"MemorySize":128}`,
		`{"Environment":{"Variables":{"A":"b"}},"Ledge":{"TimeoutMillis":1500,"AllowHosts":["example.com"],"AllowInvoke":["*"],"AllowPublish":null}}`,
		`{"Routes":[{"Route":"GET /x/{id}","Payload":"raw","CORS":{"AllowOrigins":["*"],"MaxAge":1}}],"Publish":true}`,
		`{"Name":"live","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"2":0.5}}}`,
		`{"Route":"$default","Function":"a:b","Replace":true}`, `{"Timeout":"3"}`, `{"Timeout":1e99}`, "{\"Description\":\"\xff\"}",
		`{"FunctionName":"hello","EventSourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/LATEST","StartingPosition":"LATEST","BatchSize":10,"FilterCriteria":{"Filters":[{"Pattern":"{}"}]},"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:lambda:us-east-1:000000000000:function:x"}}}`,
		`{"StatementId":"s","Action":"lambda:InvokeFunction","Principal":"apigateway.amazonaws.com","SourceArn":"arn:aws:execute-api:us-east-1:000000000000:a/*"}`,
		`{"AuthType":"NONE","Cors":{"AllowOrigins":["*"],"MaxAge":1},"InvokeMode":"BUFFERED"}`, `{"MaximumRetryAttempts":1,"MaximumEventAgeInSeconds":60}`,
		`{"Layers":["arn:aws:lambda:us-east-1:000000000000:layer:a:1"],"SnapStart":{"ApplyOn":"None"},"LoggingConfig":{"LogFormat":"Text"},"DurableConfig":null}`,
		`{"Ledge":null,"Environment":null,"Code":null,"Routes":[null]}`,
	} {
		f.Add([]byte(seed))
	}
	refused := func(t *testing.T, err error) bool {
		if err == nil {
			return false
		}
		var route *gateway.RouteError
		if code := faultOf(err).Status; code < 400 || code > 499 {
			t.Errorf("%v is answered with %d", err, code)
		}
		var f *fault
		if !errors.As(err, &f) && !errors.As(err, &route) {
			t.Errorf("untyped error %v", err)
		}
		return true
	}
	a := newAPI(Config{Store: emptyStore{}, Patterns: fakePatterns{}})
	shown := func(t *testing.T, fn persist.Function) {
		if fn.MemoryMB < 0 || fn.TimeoutMillis < 0 {
			t.Errorf("settings overflowed: %+v", fn)
		}
		if _, err := json.Marshal(a.configurationOf(fn, "")); err != nil {
			t.Error(err)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var create createFunctionRequest
		if fn := (persist.Function{}); !refused(t, restjson.Decode(body, &create)) && !refused(t, create.check()) && !refused(t, a.apply(&create.settings, &fn)) {
			shown(t, fn)
		}
		var deploy deployRequest
		if !refused(t, restjson.Decode(body, &deploy)) {
			change, err := a.changeOf(&deploy, "hello")
			if fn := (persist.Function{}); !refused(t, err) && !refused(t, change.Edit(&fn)) {
				shown(t, fn)
				shownRoutes(change.Routes)
			}
		}
		var permission permissionRequest
		if !refused(t, restjson.Decode(body, &permission)) && !refused(t, permission.check()) {
			if _, err := json.Marshal(permission.statementOf(a.arn("hello", ""))); err != nil {
				t.Error(err)
			}
		}
		var mapping mappingRequest
		if !refused(t, restjson.Decode(body, &mapping)) {
			for _, kind := range []sourceKind{feedSource, topicSource} {
				m := persist.EventSourceMapping{BatchSize: 1, MaxAgeSeconds: -1}
				if refused(t, mapping.start(kind, &m)) || refused(t, a.applyMapping(t.Context(), &mapping, kind, &m)) {
					continue
				}
				if _, err := a.mappingOf(m, ""); err != nil || m.BatchSize < 1 || m.BatchSize > 10000 || len(m.Filters) > maxFilters {
					t.Errorf("mapping %+v, %v", m, err)
				}
			}
		}
		var event eventInvokeRequest
		if c := (persist.AsyncConfig{Function: "hello"}); !refused(t, restjson.Decode(body, &event)) && !refused(t, a.applyEventInvoke(t.Context(), &event, &c)) {
			if _, err := json.Marshal(a.eventInvokeOf(c)); err != nil || c.MaxRetries != nil && *c.MaxRetries > maxEventRetries {
				t.Errorf("event invoke config %+v, %v", c, err)
			}
		}
		var url urlRequest
		if !refused(t, restjson.Decode(body, &url)) && !refused(t, url.check()) {
			if _, err := json.Marshal(a.urlOf(persist.FunctionURL{CORS: url.Cors.stored()})); err != nil {
				t.Error(err)
			}
		}
		var layer publishLayerRequest
		if !refused(t, restjson.Decode(body, &layer)) {
			refused(t, layer.check())
		}
		var alias aliasRequest
		if !refused(t, restjson.Decode(body, &alias)) && !refused(t, alias.check()) {
			record := persist.Alias{}
			alias.apply(&record)
			if _, err := json.Marshal(a.aliasOf(record)); err != nil {
				t.Error(err)
			}
		}
	})
}

// emptyStore is a Store without functions and layers.
type emptyStore struct{ Store }

func (emptyStore) GetFunction(string, string) (persist.Function, error) {
	return persist.Function{}, persist.ErrNotFound
}

func (emptyStore) GetFeed(string) (persist.Feed, error) {
	return persist.Feed{}, persist.ErrNotFound
}

func (emptyStore) GetLayerVersion(string, uint64) (persist.LayerVersion, error) {
	return persist.LayerVersion{}, persist.ErrNotFound
}

// FuzzParseName: what is accepted is a name that can be stored, and its ARN is
// the same function again.
func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"hello", "hello:1", "hello:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:hello:live",
		"000000000000:function:hello", "function:hello", "arn:aws:s3:::x", ":", "function:function:function"} {
		f.Add(seed)
	}
	a := &api{Config: Config{Region: engine.DefaultRegion}}
	f.Fuzz(func(t *testing.T, text string) {
		name, qualifier, err := parseName(text)
		if err != nil {
			if faultOf(err).Status != http.StatusBadRequest {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		again, q, err := parseName(a.arn(name, qualifier))
		if err != nil || again != name || q != qualifier {
			t.Errorf("%q is %q %q, and its ARN %q %q, %v", text, name, qualifier, again, q, err)
		}
	})
}
