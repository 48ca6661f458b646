package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What a plug-in sees of its host, as the PDKs' documentation describes it
// (https://extism.org/docs/concepts/pdk).
func TestExtism(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://localhost.example/", http.StatusFound)
			return
		}
		w.Header().Set("X-Seen", r.Method+" "+r.Header.Get("X-Sent"))
		fmt.Fprint(w, "from the server")
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")

	const status = `(import "extism:host/env" "http_status_code" (func $status (result i32)))
	  (import "extism:host/env" "http_headers" (func $headers (result i64)))
	  (import "extism:host/env" "input_load_u64" (func $in64 (param i64) (result i64)))
	  (import "extism:host/env" "load_u64" (func $load64 (param i64) (result i64)))
	  (import "extism:host/env" "input_offset" (func $offset (result i64)))
	  (import "extism:host/env" "free" (func $free (param i64)))
	  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))`
	tests := []struct {
		name, body string
		event      string
		want       string
		fails      string // the error says this
		log        string // the log has this
	}{
		{"output", `(call $reply (call $event)) (i32.const 0)`, "abc", "abc", "", ""},
		{"no output", `(i32.const 0)`, "abc", "", "", ""},
		{"output without the kernel's copy", `(call $out (call $offset) (call $len)) (i32.const 0)`, "abc", "abc", "", ""},
		{"words", `(call $store64 (local.tee $at (call $alloc (i64.const 8))) (call $in64 (i64.const 0))) (call $reply (local.get $at)) (i32.const 0)`, "12345678", "12345678", "", ""},
		{"error", `(call $error (call $event)) (i32.const 1)`, "went wrong", "", "HandlerError: went wrong", "ERROR HandlerError: went wrong"},
		{"error without a message", `(i32.const 3)`, "", "", "the handler returned 3", ""},
		{"error with success", `(call $error (call $event)) (i32.const 0)`, "still wrong", "", "still wrong", ""},
		{"config", `(call $reply (call $config (call $event))) (i32.const 0)`, "GREETING", "good day", "", ""},
		{"config that is not set", `(call $reply (call $config (call $event))) (i32.const 0)`, "NOTHING", "", "", ""},
		{"log", `(call $log (call $event)) (i32.const 0)`, "a line", "", "", "[INFO] a line\n"},
		{"standard output", `(i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const 3)) (i32.store (i32.const 8) (i32.const 0x0a6968))
			(call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64))`, "", "", "", "hi\n"},
		{"variable", `(call $set (call $event) (call $event)) (call $reply (call $get (call $event))) (i32.const 0)`, "key", "key", "", ""},
		{"variable that was deleted", `(call $set (call $event) (call $event)) (call $set (call $event) (i64.const 0)) (call $reply (call $get (call $event))) (i32.const 0)`, "key", "", "", ""},
		{"request", `(call $reply (call $http (call $event) (i64.const 0))) (i32.sub (call $status) (i32.const 200))`,
			`{"url":"` + server.URL + `/","method":"PUT","headers":{"X-Sent":"yes"}}`, "from the server", "", ""},
		{"reply's headers", `(drop (call $http (call $event) (i64.const 0))) (call $reply (call $headers)) (i32.const 0)`,
			`{"url":"` + server.URL + `/","headers":{"X-Sent":"yes"}}`, `"x-seen":"GET yes"`, "", ""},
		{"request that is not allowed", `(drop (call $http (call $event) (i64.const 0))) (i32.const 0)`,
			`{"url":"http://example.com/"}`, "", "host is not allowed: example.com; allow it with --allow-host example.com", "--allow-host"},
		{"redirect that is not allowed", `(drop (call $http (call $event) (i64.const 0))) (i32.const 0)`,
			`{"url":"` + server.URL + `/away"}`, "", "allow it with --allow-host localhost.example", ""},
		{"request that is no request", `(drop (call $http (call $event) (i64.const 0))) (i32.const 0)`, `GET /`, "", "not a JSON object", ""},
		{"request of another scheme", `(drop (call $http (call $event) (i64.const 0))) (i32.const 0)`, `{"url":"file:///etc/passwd"}`, "", "not an http", ""},
		{"wild offsets", `
			(drop (call $load (i64.const -1))) (drop (call $load64 (i64.const -8))) (drop (call $in (i64.const -1))) (drop (call $in64 (i64.const -7)))
			(call $store (i64.const 0) (i32.const 1)) (call $store64 (i64.const 0x7fffffffffffffff) (i64.const 1))
			(call $free (i64.const 12345)) (call $free (i64.const 0)) (call $log (i64.const 999)) (call $error (i64.const 0))
			(drop (call $length (i64.const -1))) (drop (call $alloc (i64.const -1))) (drop (call $alloc (i64.const 0)))
			(drop (call $config (i64.const 77))) (drop (call $get (i64.const 5))) (call $set (i64.const 5) (i64.const 6))
			(call $out (i64.const 16) (i64.const -1)) (call $out (i64.const -1) (i64.const 1))
			(i32.const 0)`, "", "", "", ""},
		{"freed blocks are used again and zeroed", `
			(local.set $at (call $alloc (i64.const 8))) (drop (call $alloc (i64.const 8)))
			(call $store64 (local.get $at) (i64.const -1)) (call $free (local.get $at)) (call $free (local.get $at))
			(if (i64.ne (call $alloc (i64.const 4)) (local.get $at)) (then unreachable))
			(if (i64.ne (call $length (local.get $at)) (i64.const 4)) (then unreachable))
			(call $load (local.get $at))`, "", "", "", ""},
	}
	logs := &memoryLogs{}
	cfg := testConfig(t)
	cfg.Logs = logs
	r := open(t, cfg)
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := fmt.Sprintf("f%d", i)
			f := function(t, name, `(module `+status+kernel+`(func (export "handle") (result i32) (local $at i64) `+test.body+`))`)
			f.Env = map[string]string{"GREETING": "good day"}
			f.AllowHosts = []string{host}
			deploy(t, r, f)
			for range 2 { // in the same Instance
				var res Result
				err := r.Invoke(context.Background(), &Invocation{Function: name, Payload: []byte(test.event)}, &res)
				if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
					t.Errorf("error %v", err)
				}
				if got := string(res.Payload); got != test.want && (test.want == "" || !strings.Contains(got, test.want)) {
					t.Errorf("reply %q", got)
				}
				if !strings.Contains(string(res.Log), test.log) || !strings.Contains(logs.String(), test.log) {
					t.Errorf("log %q", res.Log)
				}
			}
		})
	}
}

// Variables belong to the function: another does not see them, a new version
// does.
func TestVariablesAreTheFunctions(t *testing.T) {
	const code = `(module ` + kernel + `(func (export "handle") (result i32) (local $at i64)
	  (local.set $at (call $get (call $event)))
	  (call $reply (local.get $at))
	  (call $set (call $event) (call $event)) (i32.const 0)))`
	r := open(t, testConfig(t))
	for i, want := range []struct{ name, got string }{{"a", ""}, {"b", ""}, {"a", "k"}} {
		f := function(t, want.name, code)
		f.Isolation = IsolationFresh
		deploy(t, r, f)
		if got, err := invoke(r, want.name, "k"); err != nil || got != want.got {
			t.Errorf("step %d: %q, %v", i, got, err)
		}
	}
}

// An error keeps its type on the way through Invoke.
func TestFunctionErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind string
	}{
		{&FunctionError{Type: "HandlerError"}, "HandlerError"},
		{&TimeoutError{}, "Sandbox.Timedout"},
		{&ExitError{Status: 3}, "Runtime.ExitError"},
		{&TrapError{Code: "unreachable"}, "Runtime.Trap"},
		{&TrapError{Code: TrapOutOfMemory}, "Runtime.OutOfMemory"},
		{ErrThrottled, ""}, {ErrNotFound, ""}, {context.Canceled, ""}, {errors.New("other"), ""},
	} {
		fn, ok := AsFunctionError(fmt.Errorf("f: %w", test.err))
		if ok != (test.kind != "") || ok && fn.Type != test.kind {
			t.Errorf("%v became %v", test.err, fn)
		}
	}
}
