package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wasiProgram is a command around body, which may print($at, $n).
func wasiProgram(body string) string {
	return `(module
	  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
	  (memory (export "memory") 2)
	  (data (i32.const 512) "data.txt../secretnew.txt")
	  (func $print (param $at i32) (param $n i32)
	    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $n))
	    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))
	  ;; opens a path below the first folder with these open flags and rights; returns the error
	  (func $try (param $at i32) (param $n i32) (param $flags i32) (param $rights i64) (result i32)
	    (call $open (i32.const 3) (i32.const 0) (local.get $at) (local.get $n) (local.get $flags)
	      (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 32)))
	  (func (export "_start") ` + body + `))`
}

func runProgram(t *testing.T, f Function, event string) (string, error) {
	t.Helper()
	f.Runtime = RuntimeWASI
	r := open(t, testConfig(t))
	deploy(t, r, f)
	var res Result
	id := RequestID{1, 2, 3}
	err := r.Invoke(context.Background(), &Invocation{Function: f.Name, RequestID: id, Payload: []byte(event)}, &res)
	return string(res.Payload), err
}

// A command sees the function's variables, AWS Lambda's and the request's id.
func TestWASIEnvironment(t *testing.T) {
	f := function(t, "env", wasiProgram(`
	  (drop (call $sizes (i32.const 8) (i32.const 12)))
	  (drop (call $environ (i32.const 1024) (i32.const 4096)))
	  (call $print (i32.const 4096) (i32.load (i32.const 12)))`))
	f.Env = map[string]string{"GREETING": "good day"}
	got, err := runProgram(t, f, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GREETING=good day", "AWS_LAMBDA_FUNCTION_NAME=env", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "LAMBDA_TASK_ROOT=/var/task", "LEDGE_REQUEST_ID=01020300-0000-0000-0000-000000000000"} {
		if !strings.Contains("\x00"+got, "\x00"+want+"\x00") {
			t.Errorf("the environment lacks %s:\n%q", want, got)
		}
	}
	if strings.Contains(got, "PATH=") {
		t.Errorf("the node's own environment shows:\n%q", got)
	}
}

// A command reads its event from standard input.
func TestWASIInput(t *testing.T) {
	got, err := runProgram(t, function(t, "cat", wasiProgram(`
	  (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const 60000))
	  (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
	  (call $print (i32.const 4096) (i32.load (i32.const 16)))`)), `{"the":"event"}`)
	if err != nil || got != `{"the":"event"}` {
		t.Errorf("%q, %v", got, err)
	}
}

// The files of the code are at /var/task, to read and for nothing else.
func TestWASIFiles(t *testing.T) {
	f := function(t, "files", wasiProgram(`
	  (if (call $try (i32.const 512) (i32.const 8) (i32.const 0) (i64.const 2)) (then unreachable))
	  (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const 100))
	  (drop (call $read (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 16)))
	  (call $print (i32.const 4096) (i32.load (i32.const 16)))
	  ;; outside of the folder, a new file, a file to write to
	  (if (i32.eqz (call $try (i32.const 520) (i32.const 9) (i32.const 0) (i64.const 2))) (then unreachable))
	  (if (i32.eqz (call $try (i32.const 529) (i32.const 7) (i32.const 1) (i64.const 64))) (then unreachable))
	  (if (i32.eqz (call $try (i32.const 512) (i32.const 8) (i32.const 8) (i64.const 64))) (then unreachable))`))
	for path, text := range map[string]string{"data.txt": "some data", "../secret": "not for guests"} {
		if err := os.WriteFile(filepath.Join(f.CodeDir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := runProgram(t, f, "")
	if err != nil || got != "some data" {
		t.Errorf("%q, %v", got, err)
	}
	if text, err := os.ReadFile(filepath.Join(f.CodeDir, "data.txt")); err != nil || string(text) != "some data" {
		t.Errorf("the code was changed: %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(f.CodeDir, "new.txt")); err == nil {
		t.Error("a guest made a file")
	}
}

// The monotonic clock of a restored instance goes on from its snapshot: what it
// noted during its initialisation is in the past, also after a restart.
func TestClockAfterRestore(t *testing.T) {
	const code = `(module
	  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
	  (memory (export "memory") 1)
	  (func (export "_initialize") (loop $l
	    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 8)))
	    (br_if $l (i64.lt_u (i64.load (i32.const 8)) (i64.const 3000000)))))
	  (func (export "handle") (result i32)
	    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 16)))
	    (i64.lt_u (i64.load (i32.const 16)) (i64.load (i32.const 8)))))`
	cfg := testConfig(t)
	f := function(t, "clock", code)
	f.Isolation = IsolationFresh
	for range 2 {
		r := open(t, cfg)
		if d := deploy(t, r, f); !d.Snapshot {
			t.Fatalf("deployment %+v", d)
		}
		if _, err := invoke(r, "clock", ""); err != nil {
			t.Errorf("the clock ran backwards: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
