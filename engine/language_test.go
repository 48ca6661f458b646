package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// languageFunction returns the function "f" with the given files as its code.
func languageFunction(t testing.TB, runtime, handler string, files map[string]string) Function {
	t.Helper()
	dir := t.TempDir()
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(sum, "%d %s %d %s", len(name), name, len(files[name]), files[name])
	}
	return Function{Name: "f", Runtime: runtime, Handler: handler, CodeDir: dir, CodeHash: hex.EncodeToString(sum.Sum(nil))}
}

// pythonFunction is a function with one file, app.py, whose handler is app.handler.
func pythonFunction(t testing.TB, code string) Function {
	t.Helper()
	return languageFunction(t, RuntimePython, "app.handler", map[string]string{"app.py": code})
}

// javaScriptFunction is a function with one ES module, app.mjs.
func javaScriptFunction(t testing.TB, code string) Function {
	t.Helper()
	return languageFunction(t, RuntimeJavaScript, "app.handler", map[string]string{"app.mjs": code})
}

var bothIsolations = []Isolation{IsolationReuse, IsolationFresh}

// knownID is the request that handlers of tables are given, and its text.
var knownID = RequestID{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x46, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}

const knownText = "00112233-4455-4677-8899-aabbccddeeff"

// clockTime is a time as both languages log it.
var clockTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)

// handlerCase is a handler, an event and exactly what comes of it.
type handlerCase struct {
	name    string
	code    string            // of app.py or app.mjs
	files   map[string]string // besides it
	handler string            // "": app.handler
	event   string
	reply   string // where it succeeds
	failure string // the error object, where it does not
	log     string // what it must contain; times are T
}

// testHandlers deploys each case's function and checks what its first and second
// event give, in both isolation modes.
func testHandlers(t *testing.T, r *Runtime, runtime, file string, cases []handlerCase) {
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			files := maps.Clone(test.files)
			if files == nil {
				files = map[string]string{}
			}
			if test.code != "" {
				files[file] = test.code
			}
			handler := test.handler
			if handler == "" {
				handler = "app.handler"
			}
			f := languageFunction(t, runtime, handler, files)
			f.Env = map[string]string{"GREETING": "hei ö"}
			for _, f.Isolation = range bothIsolations {
				deploy(t, r, f)
				for turn := range 2 {
					got, log, err := invokeKnown(r, test.event)
					if got != test.reply || failureText(err) != test.failure {
						t.Errorf("%s, event %d: got %s, %s\nwant %s, %s", f.Isolation, turn, got, failureText(err), test.reply, test.failure)
					}
					if !strings.Contains(log, test.log) {
						t.Errorf("%s, event %d: log %q\nlacks %q", f.Isolation, turn, log, test.log)
					}
				}
			}
		})
	}
}

// invokeKnown invokes f with the known request id; the times in its log are T.
func invokeKnown(r *Runtime, event string) (reply, log string, err error) {
	var res Result
	err = r.Invoke(context.Background(), &Invocation{Function: "f", RequestID: knownID, Payload: []byte(event)}, &res)
	return string(res.Payload), clockTime.ReplaceAllString(string(res.Log), "T"), err
}

// failureText returns the error object of a function's failure, "" for none.
func failureText(err error) string {
	if err == nil {
		return ""
	}
	if failed, ok := AsFunctionError(err); ok {
		return string(failed.AppendJSON(nil))
	}
	return "not the function's: " + err.Error()
}

// raisedObject returns the failure that the handler's language has described
// itself, or nil: a trap, a timeout and an exit are not one.
func raisedObject(err error) *FunctionError {
	var failed *FunctionError
	if errors.As(err, &failed) && failed.Object != nil {
		return failed
	}
	return nil
}

// wantRaised checks that err is an error object whose type is one of types,
// separated by "|", and whose message contains message.
func wantRaised(t *testing.T, err error, types, message string) {
	t.Helper()
	failed := raisedObject(err)
	if failed == nil {
		t.Errorf("ended with %T: %.2000v; want an error object %s", err, err, types)
		return
	}
	if !slices.Contains(strings.Split(types, "|"), failed.Type) || !strings.Contains(failed.Message, message) {
		t.Errorf("raised %s: %.500s; want %s: %s", failed.Type, failed.Message, types, message)
	}
}

// hostileCase is something terrible that a handler does when it gets the event
// "case_N", N being its index.
type hostileCase struct {
	name    string
	code    string
	types   string // of the error object, separated by "|"; Runtime.Trap where the Instance may die
	message string // which the error's message contains
}

// wantServes checks that f answers "ok" to the event "ok".
func wantServes(t *testing.T, r *Runtime) {
	t.Helper()
	if got, err := invoke(r, "f", `"ok"`); err != nil || got != `"ok"` {
		t.Errorf("the next event gave %.500q, %.2000v", got, err)
	}
}

// testHostile checks that every case ends with an error object, which means that
// the interpreter has survived, and that the event after it is served.
func testHostile(t *testing.T, f Function, cases []hostileCase) {
	r := open(t, testConfig(t))
	deploy(t, r, f)
	for i, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			for range 2 {
				_, err := invoke(r, "f", fmt.Sprintf(`"case_%d"`, i))
				if failed, ok := AsFunctionError(err); !ok || failed.Type != test.types || test.types != "Runtime.Trap" {
					wantRaised(t, err, test.types, test.message)
				}
				wantServes(t, r)
			}
		})
	}
}

// pair is the same handler in both languages.
type pair struct{ python, javaScript string }

// eachLanguage runs test with the handler of p in each language, in a subtest.
func eachLanguage(t *testing.T, p pair, test func(t *testing.T, f Function)) {
	t.Run("python", func(t *testing.T) { test(t, pythonFunction(t, p.python)) })
	t.Run("javascript", func(t *testing.T) { test(t, javaScriptFunction(t, p.javaScript)) })
}

// many invokes f with n events at the same time and returns their replies.
func many(t *testing.T, r *Runtime, n int, event string) []string {
	t.Helper()
	replies := make([]string, n)
	failures := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { replies[i], failures[i] = invoke(r, "f", event) })
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	return replies
}
