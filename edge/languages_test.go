package edge_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ledge/edge"
	"ledge/edge/awsapi"
	"ledge/edge/gateway"
	"ledge/engine"
	"ledge/persist"
)

// appliance is a control plane and a gateway over the real engine, whose
// interpreters make runtimes has built.
type appliance struct {
	t      testing.TB
	api    http.Handler
	public string // base URL of the gateway
}

// openAppliance makes everything live that is stored in dir, until t ends.
func openAppliance(t testing.TB, dir string) *appliance {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store := openStore(t, dir)
	code, err := persist.OpenCode(dir, persist.CodeLimits{})
	must(err)
	logs, err := persist.OpenLogs(dir, persist.LogOptions{})
	must(err)
	cfg := engine.DefaultConfig()
	cfg.ArtifactDir, cfg.DeviceKey, cfg.Data = filepath.Join(dir, "artifacts"), [32]byte{1}, edge.NewFunctionData(store.Data())
	functions, err := engine.Open(cfg)
	must(err)
	data, err := gateway.New(gateway.Config{Invoker: functions})
	must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	reconciler := edge.New(edge.Config{Engine: functions, Store: store, Code: code, Gateway: data})
	must(reconciler.Boot(t.Context()))
	served := make(chan error, 1)
	go func() { served <- data.Serve(t.Context(), listener) }()
	t.Cleanup(func() { // the context of t is done
		for _, err := range []error{<-served, functions.Close(), logs.Close()} {
			if err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	})
	_, socket := awsapi.New(awsapi.Config{Reconciler: reconciler, Store: store, Invoker: functions, Logs: logs})
	return &appliance{t: t, public: "http://" + listener.Addr().String(), api: socket}
}

// call sends a request to the control plane.
func (a *appliance) call(method, path string, body any) *http.Response {
	a.t.Helper()
	text, isText := body.(string)
	if !isText {
		encoded, err := json.Marshal(body)
		if err != nil {
			a.t.Fatal(err)
		}
		text = string(encoded)
	}
	w := httptest.NewRecorder()
	a.api.ServeHTTP(w, httptest.NewRequestWithContext(a.t.Context(), method, path, strings.NewReader(text)))
	return w.Result()
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type object = map[string]any

// deploy deploys a function of these files and returns the status and the reply.
func (a *appliance) deploy(name, runtime, handler string, files map[string]string, with object) (int, string) {
	a.t.Helper()
	request := object{"Runtime": runtime, "Handler": handler, "Code": object{"ZipFile": archive(a.t, files)}}
	maps.Copy(request, with)
	r := a.call("PUT", "/v1/functions/"+name, request)
	return r.StatusCode, body(a.t, r)
}

// deployed is deploy that must work.
func (a *appliance) deployed(name, runtime, handler string, files map[string]string, with object) string {
	a.t.Helper()
	status, reply := a.deploy(name, runtime, handler, files, with)
	if status != http.StatusOK && status != http.StatusCreated {
		a.t.Fatalf("deploy %s: %d %s", name, status, reply)
	}
	return reply
}

// invoke returns the payload of an invocation and what it says of an error.
func (a *appliance) invoke(name, event string) (payload, functionError string) {
	a.t.Helper()
	r := a.call("POST", "/2015-03-31/functions/"+name+"/invocations", event)
	if r.StatusCode != http.StatusOK {
		a.t.Fatalf("invoke %s: %d %s", name, r.StatusCode, body(a.t, r))
	}
	return body(a.t, r), r.Header.Get("X-Amz-Function-Error")
}

func archive(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// language is one of the two with the same functions written in it.
type language struct {
	runtime, other string // its name and another that is accepted
	note           string // on that
	example        string // file of testdata/functions
	file           string // of the handler
	handler        string

	counter string            // counts its invocations in memory
	caller  string            // invokes the function "callee" and gives its reply
	callee  string            // fails on {"fail":true}, else gives its event
	fails   string            // always
	errors  string            // pattern of what fails gives
	broken  map[string]string // code that cannot be deployed, by what is said about it
}

func languages() []language {
	return []language{{
		runtime: "python3.13", other: "python3.12", note: "runtime python3.12 runs on this node's Python 3.13",
		example: "hello-python/app.py", file: "app.py", handler: "app.lambda_handler",
		counter: "n = 0\ndef lambda_handler(event, context):\n    global n\n    n += 1\n    return n\n",
		caller:  "import ledge\ndef lambda_handler(event, context):\n    return ledge.invoke('callee', event)\n",
		callee:  "def lambda_handler(event, context):\n    if event.get('fail'):\n        raise KeyError('x')\n    return event\n",
		fails:   "def lambda_handler(event, context):\n    raise ValueError('no such valve')\n",
		errors: `^\{"errorMessage": "no such valve", "errorType": "ValueError", "requestId": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ` +
			`"stackTrace": \["  File \\"/var/task/app.py\\", line 2, in lambda_handler\\n    raise ValueError\('no such valve'\)\\n"\]\}$`,
		broken: map[string]string{
			"import nope\ndef lambda_handler(e, c): ...": "Runtime.ImportModuleError: Unable to import module 'app': No module named 'nope'",
			"def other(e, c): ...":                       "Runtime.HandlerNotFound: Handler 'lambda_handler' missing on module 'app'",
			"def lambda_handler(:":                       "Runtime.UserCodeSyntaxError: Syntax error in module 'app': invalid syntax",
			"raise RuntimeError('not today')":            "RuntimeError: not today",
		},
	}, {
		runtime: "javascript", other: "nodejs22.x", note: "runtime nodejs22.x runs on this node's JavaScript, which is not Node.js",
		example: "hello-javascript/index.mjs", file: "index.mjs", handler: "index.handler",
		counter: "let n = 0;\nexport const handler = async () => ++n;\n",
		caller:  "export const handler = async (event) => ledge.invoke('callee', event);\n",
		callee:  "export const handler = (event, context, done) => event.fail ? done(new RangeError('x')) : done(null, event);\n",
		fails:   "export const handler = async () => {\n  throw new TypeError('no such valve');\n};\n",
		errors:  `^\{"errorType":"TypeError","errorMessage":"no such valve","trace":\["TypeError: no such valve","    at .*index.mjs:2`,
		broken: map[string]string{
			"import 'nope';\nexport const handler = 1;": "Runtime.ImportModuleError: ",
			"export const other = 1;":                   "Runtime.HandlerNotFound: index.handler is undefined or not exported",
			"export const handler = (:":                 "Runtime.UserCodeSyntaxError: ",
			"throw new RangeError('not today')":         "RangeError: not today",
		},
	}}
}

// TestLanguages deploys, calls and breaks functions in every language through
// the API and the gateway, as users do.
func TestLanguages(t *testing.T) {
	for _, l := range languages() {
		t.Run(l.runtime, func(t *testing.T) {
			dir := t.TempDir()
			t.Run("example", func(t *testing.T) {
				t.Run("deployed", func(t *testing.T) { openAppliance(t, dir).testExample(t, l) })
				t.Run("restarted", func(t *testing.T) { openAppliance(t, dir).wantGreeting(t, 5) })
			})
			a := openAppliance(t, dir)
			code := func(text string) map[string]string { return map[string]string{l.file: text} }
			t.Run("isolation", func(t *testing.T) {
				for isolation, want := range map[string]string{"reuse": "123", "fresh": "111"} {
					a.deployed("counter", l.runtime, l.handler, code(l.counter), object{"Isolation": isolation})
					got := ""
					for range 3 {
						payload, _ := a.invoke("counter", "{}")
						got += payload
					}
					if got != want {
						t.Errorf("%s: counted %s, want %s", isolation, got, want)
					}
				}
			})
			t.Run("error", func(t *testing.T) {
				a.deployed("fails", l.runtime, l.handler, code(l.fails), object{"Routes": []object{{"Route": "GET /fails"}}})
				payload, kind := a.invoke("fails", "{}")
				if kind != "Unhandled" || !regexp.MustCompile(l.errors).MatchString(payload) {
					t.Errorf("%q %s", kind, payload)
				}
				r, err := http.Get(a.public + "/fails")
				if err != nil {
					t.Fatal(err)
				}
				if text := body(t, r); r.StatusCode != http.StatusBadGateway || strings.Contains(text, "valve") {
					t.Errorf("the gateway answers %d %s", r.StatusCode, text)
				}
			})
			t.Run("invoke", func(t *testing.T) { a.testInvoke(t, l) })
			t.Run("broken", func(t *testing.T) {
				a.deployed("kept", l.runtime, l.handler, code(l.callee), nil)
				for text, want := range l.broken {
					status, reply := a.deploy("kept", l.runtime, l.handler, code(text), nil)
					if status != http.StatusBadRequest || !strings.Contains(reply, strings.ReplaceAll(want, `"`, `\"`)) {
						t.Errorf("%q: %d %s, want %q", text, status, reply, want)
					}
					if payload, kind := a.invoke("kept", `{"a":1}`); kind != "" || !sameJSON(payload, `{"a":1}`) {
						t.Errorf("after %q the old version answers %q %s", text, kind, payload)
					}
				}
			})
		})
	}
}

// testExample deploys the example and calls it over HTTP.
func (a *appliance) testExample(t *testing.T, l language) {
	text, err := os.ReadFile(filepath.Join("..", "testdata", "functions", l.example))
	if err != nil {
		t.Fatal(err)
	}
	reply := a.deployed("hello", l.other, l.handler, map[string]string{l.file: string(text)},
		object{"Routes": []object{{"Route": "GET /hello/{name}"}}, "Environment": object{"Variables": object{"GREETING": "Hi"}}})
	var got struct {
		Function   struct{ Runtime, Handler string }
		Deployment struct {
			Snapshot bool
			Notes    []string
		}
	}
	if err := json.Unmarshal([]byte(reply), &got); err != nil {
		t.Fatal(err)
	}
	if got.Function.Runtime != l.other || got.Function.Handler != l.handler || !got.Deployment.Snapshot || !slices.Contains(got.Deployment.Notes, l.note) {
		t.Errorf("deployed %s", reply)
	}
	for n := 1; n <= 3; n++ {
		a.wantGreeting(t, n)
	}
	// Variables in the store belong to the function, not to its code.
	if reply := a.deployed("hello", l.runtime, l.handler, map[string]string{l.file: string(text)}, nil); strings.Contains(reply, l.note) {
		t.Errorf("deployed again: %s", reply)
	}
	if payload, _ := a.invoke("hello", "{}"); !strings.Contains(payload, "Hi world") || !strings.Contains(payload, `4}`) { // in the JSON text of the body
		t.Errorf("the fourth greeting is %s", payload)
	}
}

// wantGreeting calls the example over HTTP, which counts.
func (a *appliance) wantGreeting(t *testing.T, n int) {
	t.Helper()
	r, err := http.Get(a.public + "/hello/Ada")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"message":"Hi Ada","greetings":%d}`, n)
	if text := body(t, r); r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "application/json" || !sameJSON(text, want) {
		t.Errorf("%d %s, want %s", r.StatusCode, text, want)
	}
}

// testInvoke calls one function from another, which its settings must allow.
func (a *appliance) testInvoke(t *testing.T, l language) {
	a.deployed("callee", l.runtime, l.handler, map[string]string{l.file: l.callee}, nil)
	caller := map[string]string{l.file: l.caller}
	for _, c := range []struct {
		allow       []string
		event, want string // part of the payload
		fails       bool
	}{
		{[]string{}, `{"a":1}`, "--allow-invoke callee", true},
		{[]string{"other"}, `{"a":1}`, "PermissionDenied", true},
		{[]string{"other", "callee"}, `{"a":1}`, `1}`, false},
		{[]string{"*"}, `{"fail":true}`, "InvokeError", true},
	} {
		reply := a.deployed("caller", l.runtime, l.handler, caller, object{"AllowInvoke": c.allow})
		if !strings.Contains(reply, `"AllowInvoke":[`) && len(c.allow) > 0 {
			t.Errorf("deployed %s", reply)
		}
		payload, kind := a.invoke("caller", c.event)
		if (kind != "") != c.fails || !strings.Contains(payload, c.want) {
			t.Errorf("allowed %q, event %s: %q %s, want %s", c.allow, c.event, kind, payload, c.want)
		}
	}
}

func sameJSON(a, b string) bool {
	var left, right any
	if json.Unmarshal([]byte(a), &left) != nil || json.Unmarshal([]byte(b), &right) != nil {
		return false
	}
	return fmt.Sprint(left) == fmt.Sprint(right)
}
