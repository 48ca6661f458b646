package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// userKernel are the imports of extism:host/user, and a helper that splits the event
// at line breaks into blocks: $part gives the next one, 0 for an empty one.
const userKernel = `
  (import "extism:host/user" "ledge_kv_get" (func $kget (param i64 i64) (result i64)))
  (import "extism:host/user" "ledge_kv_put" (func $kput (param i64 i64 i64 i64) (result i64)))
  (import "extism:host/user" "ledge_kv_delete" (func $kdelete (param i64 i64 i64) (result i64)))
  (import "extism:host/user" "ledge_kv_cas" (func $kcas (param i64 i64 i64 i64) (result i64)))
  (import "extism:host/user" "ledge_kv_increment" (func $kincrement (param i64 i64 i64 i64) (result i64)))
  (import "extism:host/user" "ledge_kv_list" (func $klist (param i64 i64) (result i64)))
  (import "extism:host/user" "ledge_kv_transact" (func $ktransact (param i64) (result i64)))
  (import "extism:host/user" "ledge_kv_sequence" (func $ksequence (result i64)))
  (import "extism:host/user" "ledge_publish" (func $publish (param i64 i64 i64) (result i64)))
  (import "extism:host/user" "ledge_invoke" (func $invoke (param i64 i64 i64) (result i64)))
  (import "extism:host/user" "ledge_status" (func $ustatus (result i32)))
  (import "extism:host/user" "ledge_error" (func $uerror (result i64)))
  ` + kernel + `
  (global $next (mut i64) (i64.const 0))
  (func $part (result i64) (local $from i64) (local $n i64) (local $at i64) (local $i i64)
    (local.set $from (global.get $next))
    (block $end (loop $l
      (br_if $end (i64.ge_u (global.get $next) (call $len)))
      (br_if $end (i32.eq (call $in (global.get $next)) (i32.const 10)))
      (global.set $next (i64.add (global.get $next) (i64.const 1))) (br $l)))
    (local.set $n (i64.sub (global.get $next) (local.get $from)))
    (global.set $next (i64.add (global.get $next) (i64.const 1)))
    (if (i64.eqz (local.get $n)) (then (return (i64.const 0))))
    (local.set $at (call $alloc (local.get $n)))
    (block $done (loop $l
      (br_if $done (i64.ge_u (local.get $i) (local.get $n)))
      (call $store (i64.add (local.get $at) (local.get $i)) (call $in (i64.add (local.get $from) (local.get $i))))
      (local.set $i (i64.add (local.get $i) (i64.const 1))) (br $l)))
    (local.get $at))
  ;; replies with a block, or with the status as a letter where there is none, and fails with the error
  (func $answer (param $at i64) (result i32) (local $b i64)
    (if (i64.ne (call $uerror) (i64.const 0)) (then (call $error (call $uerror)) (return (i32.const 1))))
    (if (i64.eqz (local.get $at)) (then
      (local.set $at (call $alloc (i64.const 1)))
      (call $store (local.get $at) (i32.add (i32.const 65) (call $ustatus)))))
    (call $reply (local.get $at)) (i32.const 0))
  ;; replies with a digit and the status as a letter
  (func $digit (param $n i64) (result i32) (local $at i64)
    (if (i64.ne (call $uerror) (i64.const 0)) (then (call $error (call $uerror)) (return (i32.const 1))))
    (local.set $at (call $alloc (i64.const 2)))
    (call $store (local.get $at) (i32.add (i32.const 48) (i32.wrap_i64 (local.get $n))))
    (call $store (i64.add (local.get $at) (i64.const 1)) (i32.add (i32.const 65) (call $ustatus)))
    (call $reply (local.get $at)) (i32.const 0))`

// What a plug-in sees of the node, call by call, as ledge.h describes it.
func TestUserCalls(t *testing.T) {
	cfg := testConfig(t)
	data, publisher, async := &memoryData{}, &memoryPublisher{}, &memoryAsync{}
	cfg.Data, cfg.Publisher, cfg.Async = data, publisher, async
	r := open(t, cfg)
	deploy(t, r, function(t, "echo", echoModule))
	get, put := `(call $answer (call $kget (call $part) (call $part)))`, `(call $digit (call $kput (call $part) (call $part) (call $part) (call $part)))`
	increment := `(call $digit (call $kincrement (call $part) (call $part) (i64.const 3) (call $part)))`
	cas := `(call $digit (call $kcas (call $part) (call $part) (call $part) (call $part)))`
	for i, test := range []struct {
		name, body, event string
		want              string // a digit and a letter: the result and the status (A, B)
		fails             string
	}{
		{"absent", get, "\nk", "B", ""},
		{"put", put, "\nk\nvalue", "1A", ""},
		{"get", get, "\nk", "value", ""},
		{"get and its sequence", `(drop (call $kget (call $part) (call $part))) (call $digit (call $ksequence))`, "\nk", "1A", ""},
		{"no sequence of what is absent", `(drop (call $kget (call $part) (call $part))) (drop (call $kget (i64.const 0) (call $event))) (call $digit (call $ksequence))`, "\nk", "0B", ""},
		{"put an empty value", put, "\ne", "2A", ""},
		{"get an empty value", get, "\ne", "A", ""},
		{"put if absent", put, "\nk\nother\n" + `{"ifAbsent":true}`, "0B", ""},
		{"put if it has that sequence", put, "\nk\nother\n" + `{"ifSequence":1,"ttl":60}`, "3A", ""},
		{"put with a wrong option", put, "\nk\nother\n" + `{"ifabsnt":true}`, "", "InvalidRequest"},
		{"put without a key", put, "\n\nother\n", "4A", ""}, // the store says what a key is
		{"compare and set", cas, "\nk\nother\nvalue", "5A", ""},
		{"compare and set in vain", cas, "\nk\nother\nvalue", "0B", ""},
		{"compare and set what is absent", cas, "\nnew\n\nvalue", "6A", ""},
		{"increment", increment, "\nn", "3A", ""},
		{"increment again", increment, "\nn", "6A", ""},
		{"increment what is no number", increment, "\nk", "", "InvalidRequest"},
		{"delete", `(call $digit (call $kdelete (call $part) (call $part) (call $part)))`, "\nn", "1A", ""},
		{"delete again", `(call $digit (call $kdelete (call $part) (call $part) (call $part)))`, "\nn", "0A", ""},
		{"delete on a condition", `(call $digit (call $kdelete (call $part) (call $part) (call $part)))`, "\nk\n" + `{"ifValue":"x"}`, "0B", ""},
		{"list", `(call $answer (call $klist (call $part) (call $part)))`, "\n" + `{"prefix":"n"}`, `{"keys":["new"],"more":false}`, ""},
		{"list of nothing", `(call $answer (call $klist (call $part) (call $part)))`, "\n" + `{"prefix":"zz"}`, `{"keys":[],"more":false}`, ""},
		{"list of items", `(call $answer (call $klist (call $part) (call $part)))`, "\n" + `{"items":true,"start":"k","limit":1}`,
			`{"items":[{"key":"k","value":"dmFsdWU=","sequence":5,"modified":1700000000123,"expires":0}],"more":true,"next":"aw=="}`, ""},
		{"transact", `(call $answer (call $ktransact (call $part)))`, `[{"put":"t","base64":"AP8=","ifAbsent":true},{"increment":"u","by":2,"bucket":"shared"},{"check":"k","ifPresent":true}]`,
			`[{"sequence":11,"existed":false},{"sequence":12,"value":"2","existed":false},{"sequence":5,"existed":true}]`, ""},
		{"transact in vain", `(call $answer (call $ktransact (call $part)))`, `[{"put":"t","value":"x"},{"delete":"u","ifValue":"y"}]`, "", `"ConditionFailed","message":"it is not so","index":1`},
		{"a shared bucket", get, "shared\nu", "2", ""},
		{"a bucket that is not allowed", get, "other\nu", "", "--allow-bucket other:read"},
		{"another function's bucket", get, "function.g\nu", "", "PermissionDenied"},
		{"publish", `(call $digit (call $publish (call $part) (call $part) (i64.const 1)))`, "a/b\nhi", "1A", ""},
		{"publish what is not allowed", `(call $digit (call $publish (call $part) (call $part) (i64.const 1)))`, "x\nhi", "", "--allow-publish x"},
		{"publish with a wild qos", `(call $digit (call $publish (call $part) (call $part) (i64.const -1)))`, "a/b\nhi", "", "qos"},
		{"invoke", `(call $answer (call $invoke (call $part) (call $part) (call $part)))`, "echo\nhello", "hello", ""},
		{"invoke without a reply", `(call $answer (call $invoke (call $part) (call $part) (call $part)))`, "echo", "A", ""},
		{"invoke later", `(call $answer (call $invoke (call $part) (call $part) (call $part)))`, "echo\n1\n" + `{"async":true}`, "01000000-0000-0000-0000-000000000000", ""},
		{"invoke later with what is no JSON", `(call $answer (call $invoke (call $part) (call $part) (call $part)))`, "echo\nhello\n" + `{"async":true}`, "", "no JSON"},
		{"invoke what is not allowed", `(call $answer (call $invoke (call $part) (call $part) (call $part)))`, "other\nhello", "", "--allow-invoke other"},
		{"an error goes with the next call", `(drop (call $kget (i64.const 99) (i64.const -1))) (if (i64.eqz (call $uerror)) (then unreachable)) ` + get, "\nk", "value", ""},
		{"wild offsets", `
			(drop (call $kget (i64.const -1) (i64.const 12345))) (if (i32.ne (call $ustatus) (i32.const 2)) (then unreachable))
			(drop (call $kput (i64.const 0) (i64.const 17) (i64.const -9) (i64.const 0x7fffffffffffffff))) (if (i32.ne (call $ustatus) (i32.const 2)) (then unreachable))
			(drop (call $kcas (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))) (drop (call $klist (i64.const 5) (i64.const 5)))
			(drop (call $ktransact (i64.const -1))) (drop (call $kdelete (i64.const 1) (i64.const 1) (i64.const 1)))
			(drop (call $kincrement (i64.const -1) (i64.const -1) (i64.const -1) (i64.const -1)))
			(drop (call $publish (i64.const -1) (i64.const -1) (i64.const -1))) (drop (call $invoke (i64.const -1) (i64.const -1) (i64.const -1)))
			(call $answer (i64.const 0))`, "", "", "an argument is no block of memory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := function(t, "f", `(module `+userKernel+`(func (export "handle") (result i32) (global.set $next (i64.const 0)) `+test.body+`))`)
			f.AllowBuckets, f.AllowPublish, f.AllowInvoke = []string{"shared"}, []string{"a/+"}, []string{"echo"}
			f.Isolation = bothIsolations[i%2]
			deploy(t, r, f)
			got, err := invoke(r, "f", test.event)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
	if got := fmt.Sprint(publisher.take(), async.left); got != `[f a/b "hi" 1] [echo: 1 1]` {
		t.Errorf("left behind: %s", got)
	}
}

// example returns a function of testdata/functions as the Makefile built it.
func example(t testing.TB, name string) Function {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join("..", "build", "functions", name+".wasm"))
	if err != nil {
		t.Fatalf("%v; run: make examples", err)
	}
	return functionOf(t, name, wasm)
}

// The examples of ledge.h do what their first lines say.
func TestUserExamples(t *testing.T) {
	cfg := testConfig(t)
	data := &memoryData{}
	cfg.Data = data
	r := open(t, cfg)
	visit, debounce := example(t, "kv-extism-go"), example(t, "debounce-c")
	visit.Handler, visit.AllowBuckets = "visit", []string{"readings"}
	deploy(t, r, visit)
	deploy(t, r, debounce)
	for _, test := range []struct{ name, event, want string }{
		{visit.Name, `{"id":"1","sensor":"hall","celsius":17.5}`, `{"sensor":"hall","visits":1,"new":true,"sensors":["last/hall"]}`},
		{visit.Name, `{"id":"1","sensor":"hall","celsius":17.5}`, `{"sensor":"hall","visits":2,"new":false,"sensors":["last/hall"]}`},
		{visit.Name, `{"id":"2","sensor":"attic","celsius":30}`, `{"sensor":"attic","visits":1,"new":true,"sensors":["last/attic","last/hall"]}`},
		{debounce.Name, `hall`, "alarm"},
		{debounce.Name, `hall`, "held back"},
		{debounce.Name, `attic`, "alarm"},
	} {
		if got, err := invoke(r, test.name, test.event); err != nil || got != test.want {
			t.Errorf("%s of %s: %s, %v", test.name, test.event, got, err)
		}
	}
	if total, err := data.Get("readings", "total"); err != nil || string(total.Value) != "2" {
		t.Errorf("total %s, %v", total.Value, err)
	}
	if item, err := data.Get(OwnBucket(debounce.Name), "hall"); err != nil || item.Expires.IsZero() {
		t.Errorf("%+v, %v", item, err)
	}
	visit.AllowBuckets = nil
	deploy(t, r, visit)
	if _, err := invoke(r, visit.Name, `{"id":"3","sensor":"hall"}`); err == nil || !strings.Contains(err.Error(), "allow it with --allow-bucket readings") {
		t.Errorf("without permission: %v", err)
	}
	if _, err := invoke(r, debounce.Name, ""); err == nil || !strings.Contains(err.Error(), "the name of a sensor") {
		t.Errorf("without a name: %v", err)
	}
}

// What a plug-in's error says can be read by the plug-in, whatever it holds.
func TestUserErrorIsJSON(t *testing.T) {
	cfg := testConfig(t)
	cfg.Data = &limitedData{}
	r := open(t, cfg)
	f := function(t, "f", `(module `+userKernel+`(func (export "handle") (result i32) (drop (call $kput (i64.const 0) (call $event) (call $event) (i64.const 0))) (call $reply (call $uerror)) (i32.const 0)))`)
	deploy(t, r, f)
	var res Result
	if err := r.Invoke(context.Background(), &Invocation{Function: "f", Payload: []byte("\xff\"\n")}, &res); err != nil {
		t.Fatal(err)
	}
	var failed callError
	if err := json.Unmarshal(res.Payload, &failed); err != nil || failed.Type != callLimit || !strings.Contains(failed.Message, "10 bytes") {
		t.Errorf("%s, %v", res.Payload, err)
	}
}
