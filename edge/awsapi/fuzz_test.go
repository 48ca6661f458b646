package awsapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"ledge/edge/gateway"
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
	a := &api{Config: Config{Region: DefaultRegion}}
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
		if fn := (persist.Function{}); !refused(t, decode(body, &create)) && !refused(t, create.apply(&fn)) {
			shown(t, fn)
		}
		var deploy deployRequest
		if !refused(t, decode(body, &deploy)) {
			change, err := deploy.change("hello")
			if fn := (persist.Function{}); !refused(t, err) && !refused(t, change.Edit(&fn)) {
				shown(t, fn)
				shownRoutes(change.Routes)
			}
		}
		var alias aliasRequest
		if !refused(t, decode(body, &alias)) && !refused(t, alias.check()) {
			record := persist.Alias{}
			alias.apply(&record)
			if _, err := json.Marshal(a.aliasOf(record)); err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzParseName: what is accepted is a name that can be stored, and its ARN is
// the same function again.
func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"hello", "hello:1", "hello:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:hello:live",
		"000000000000:function:hello", "function:hello", "arn:aws:s3:::x", ":", "function:function:function"} {
		f.Add(seed)
	}
	a := &api{Config: Config{Region: DefaultRegion}}
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
