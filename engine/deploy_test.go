package engine

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// Bad code is refused at deploy with what is wrong, why, and what to do.
func TestDeployRefuses(t *testing.T) {
	wat := func(text string) []byte {
		wasm, err := wasmtime.Wat2Wasm(text)
		if err != nil {
			t.Fatal(err)
		}
		return wasm
	}
	good := wat(echoModule)
	tests := []struct {
		name   string
		code   []byte
		change func(*Function)
		op     string
		says   []string
	}{
		{"text", []byte("hello"), nil, "read module", []string{"not a WebAssembly module", "deploy a .wasm file"}},
		{"empty", nil, nil, "read module", []string{"the file is empty"}},
		{"truncated", good[:len(good)-10], nil, "read module", []string{"truncated", "upload it again"}},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), nil, "read module", []string{"only core modules are supported yet", "wasip1"}},
		{"invalid code", wat(`(module (func (export "handle") (result i32) (i64.const 1)))`), nil, "compile", []string{"wasm-validate"}},
		{"unknown imports", wat(`(module (import "env" "nope" (func)) (import "extism:host/env" "alloc" (func (param i64) (result i64))) (import "go" "debug" (func)) (func (export "handle")))`),
			nil, "link", []string{"env.nope, go.debug", "extism:host/env"}},
		{"imported memory", wat(`(module (import "env" "memory" (memory 1)) (func (export "handle")))`), nil, "link", []string{"env.memory", "define its memory"}},
		{"import of another type", wat(`(module (import "extism:host/env" "alloc" (func (param i32))) (func (export "handle")))`), nil, "link", []string{"alloc"}},
		{"no exports", wat(`(module)`), nil, "link", []string{"exports no function"}},
		{"several exports", wat(`(module (func (export "a")) (func (export "b")))`), nil, "link", []string{"a, b", "--handler"}},
		{"missing handler", good, func(f *Function) { f.Handler = "other" }, "link", []string{`"other"`, "it has handle"}},
		{"no command", good, func(f *Function) { f.Runtime = RuntimeWASI }, "link", []string{"_start", "--runtime extism"}},
		{"start of another type", wat(`(module (func (export "_start") (param i32)))`), func(f *Function) { f.Runtime = RuntimeWASI }, "link", []string{"(i32)->()"}},
		{"big memory", wat(`(module (memory (export "memory") 4096) (func (export "handle")))`), nil, "memory", []string{"256 MB", "128 MB", "--memory to at least 256"}},
		{"64-bit memory", wat(`(module (memory (export "memory") i64 1) (func (export "handle")))`), nil, "memory", []string{"wasm32"}},
		{"shared memory", wat(`(module (memory (export "memory") 1 2 shared) (func (export "handle")))`), nil, "memory", []string{"threads"}},
		{"hidden memory", wat(`(module (memory 1) (func (export "handle")))`), nil, "link", []string{"does not export its memory", `(export "memory")`}},
		{"trap at start", wat(`(module (memory (export "memory") 1) (func $boot unreachable) (start $boot) (func (export "handle")))`), nil, "initialise", []string{"unreachable", "boot"}},
		{"endless start", wat(`(module (memory (export "memory") 1) (func (export "_initialize") (loop $l (br $l))) (func (export "handle")))`), nil, "initialise", []string{"did not end within 50ms"}},
		{"endless start without snapshot", wat(`(module (func (export "_initialize") (loop $l (br $l))) (func (export "handle")))`), nil, "start", []string{"did not end within 50ms"}},
		{"name", good, func(f *Function) { f.Name = "a b" }, "name", []string{"letters"}},
		{"runtime", good, func(f *Function) { f.Runtime = "ruby" }, "runtime", []string{"ruby", "use wasi, extism"}},
		{"memory", good, func(f *Function) { f.Limits.Memory = 1 }, "memory", []string{"1 MB"}},
		{"timeout", good, func(f *Function) { f.Limits.Timeout = time.Hour }, "timeout", []string{"15m"}},
		{"concurrency", good, func(f *Function) { f.Limits.Concurrency = -2 }, "concurrency", []string{"1 to 1000", "-1 to throttle"}},
		{"isolation", good, func(f *Function) { f.Isolation = "some" }, "isolation", []string{"reuse or fresh"}},
		{"variable", good, func(f *Function) { f.Env = map[string]string{"A-B": ""} }, "environment", []string{"A-B"}},
		{"reserved variable", good, func(f *Function) { f.Env = map[string]string{"AWS_REGION": ""} }, "environment", []string{"reserved"}},
		{"credentials", good, func(f *Function) { f.Env = map[string]string{"AWS_SESSION_TOKEN": "x"} }, "environment", []string{"AWS_SESSION_TOKEN is reserved"}},
		{"zero in variable", good, func(f *Function) { f.Env = map[string]string{"A": "\x00"} }, "environment", []string{"zero byte"}},
		{"large environment", good, func(f *Function) { f.Env = map[string]string{"A": strings.Repeat("x", 4096)} }, "environment", []string{"4097"}},
		{"host", good, func(f *Function) { f.AllowHosts = []string{"http://x/"} }, "allowed host", []string{"example.com"}},
		{"layers without hash", good, func(f *Function) { f.LayerDir = "/" }, "layer hash", []string{"SHA-256"}},
		{"hash without layers", good, func(f *Function) { f.LayerHash = f.CodeHash }, "layer hash", []string{"SHA-256"}},
		{"hash of layers", good, func(f *Function) { f.LayerDir, f.LayerHash = "/", "ABC" }, "layer hash", []string{`"ABC"`}},
		{"no layers", good, func(f *Function) { f.LayerDir, f.LayerHash = f.CodeDir+"x", f.CodeHash }, "read layers", []string{"deploy the function again"}},
		{"no code", good, func(f *Function) { f.CodeDir += "x" }, "read module", []string{"deploy the code again"}},
	}
	cfg := testConfig(t)
	cfg.InitTimeout = 50 * time.Millisecond
	r := open(t, cfg)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := functionOf(t, "f", test.code)
			if test.change != nil {
				test.change(&f)
			}
			_, err := r.Deploy(context.Background(), f, func() error {
				t.Error("it was committed")
				return nil
			})
			var bad *DeployError
			if !errors.As(err, &bad) || bad.Op != test.op || bad.Hint == "" {
				t.Fatalf("error %v (%T)", err, err)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\x00") && test.op != "initialise" {
				t.Errorf("%q is more than a line", err)
			}
		})
	}
	if n := r.Stats(); n.Instances != 0 || n.Memory != 0 {
		t.Errorf("failed deploys left %+v", n)
	}
}

// A full disk fails the deploy, says so, and leaves no half artifact.
func TestDeployFullDisk(t *testing.T) {
	cfg := testConfig(t)
	r := open(t, cfg)
	f := function(t, "counter", counterModule)
	write := r.artifacts.write
	for step := 0; ; step++ {
		left := step
		r.artifacts.write = func(path string, data []byte) error {
			if left--; left < 0 {
				return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
			}
			return write(path, data)
		}
		_, err := r.Deploy(context.Background(), f, nil)
		if err == nil {
			if step < 4 { // what was written before stays, so later tries write less
				t.Errorf("a deploy succeeded with %d writes", step)
			}
			break
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("write %d: %v", step, err)
		}
	}
	if got, err := invoke(r, "counter", ""); err != nil || got != "6" {
		t.Errorf("%q, %v", got, err)
	}
}

// Modules that cannot be restored from a Snapshot run all the same, and the
// operator is told why they start slowly.
func TestWithoutSnapshot(t *testing.T) {
	tests := []struct{ name, code, note string }{
		{"changed table", `(module (import "extism:host/env" "output_set" (func $out (param i64 i64)))
		  (memory (export "memory") 1) (table $t 2 funcref) (elem declare func $h)
		  (func $h) (func (export "_initialize") (table.set $t (i32.const 1) (ref.func $h)))
		  (func (export "handle") (call_indirect $t (i32.const 1))))`, "changes a table"},
		{"no memory", `(module (global $g (mut i32) (i32.const 0)) (func (export "_initialize") (global.set $g (i32.const 1)))
		  (func (export "handle") (if (i32.eqz (global.get $g)) (then unreachable))))`, "without a memory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := open(t, testConfig(t))
			d := deploy(t, r, function(t, "f", test.code))
			if d.Snapshot || len(d.Notes) != 1 || !strings.Contains(d.Notes[0], test.note) {
				t.Errorf("deployment %+v", d)
			}
			if _, err := invoke(r, "f", ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
func TestReservedEnv(t *testing.T) {
	for name, reserved := range map[string]bool{
		"_HANDLER": true, "_X_AMZN_TRACE_ID": true, "AWS_DEFAULT_REGION": true, "AWS_REGION": true, "AWS_EXECUTION_ENV": true,
		"AWS_LAMBDA_FUNCTION_NAME": true, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": true, "AWS_LAMBDA_FUNCTION_VERSION": true,
		"AWS_LAMBDA_INITIALIZATION_TYPE": true, "AWS_LAMBDA_LOG_GROUP_NAME": true, "AWS_LAMBDA_LOG_STREAM_NAME": true,
		"AWS_ACCESS_KEY": true, "AWS_ACCESS_KEY_ID": true, "AWS_SECRET_ACCESS_KEY": true, "AWS_SESSION_TOKEN": true,
		"AWS_LAMBDA_RUNTIME_API": true, "LAMBDA_TASK_ROOT": true, "LAMBDA_RUNTIME_DIR": true, "LEDGE_REQUEST_ID": true,
		"PATH": false, "NODE_PATH": false, "PYTHONPATH": false, "LANG": false, "TZ": false, "LD_LIBRARY_PATH": false,
		"AWS_LAMBDA_LOG_LEVEL": false, "AWS_LAMBDA_EXEC_WRAPPER": false, "aws_region": false, "": false,
	} {
		if got := ReservedEnv(name); got != reserved {
			t.Errorf("%q is reserved: %v", name, got)
		}
	}
	// What was deployed when fewer names were reserved is served as it was.
	r := open(t, testConfig(t))
	f := function(t, "f", echoModule)
	f.Env = map[string]string{"AWS_SESSION_TOKEN": "x"}
	if err := r.Register(f); err != nil {
		t.Error(err)
	}
}

func TestRegion(t *testing.T) {
	for region, good := range map[string]bool{"": true, "us-east-1": true, "garage": true, "eu north": false, "EU": false, "a:b": false} {
		cfg := testConfig(t)
		cfg.Region = region
		if err := cfg.Validate(); (err == nil) != good {
			t.Errorf("%q: %v", region, err)
		}
	}
}
