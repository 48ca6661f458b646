package capi

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// noHost is a Host for guests that make no host calls.
type noHost struct{ Host }

func newEngine(t testing.TB) *wasmtime.Engine { return newEngineWithStack(t, 512<<10) }

func newEngineWithStack(t testing.TB, stack uint64) *wasmtime.Engine {
	config := wasmtime.NewConfig()
	config.SetEpochInterruption(true)
	Configure(config, PoolConfig{Instances: 64, MaxMemory: 1 << 30, Reservation: 4 << 30, Guard: 32 << 20,
		KeepResident: 256 << 10, WarmSlots: 64, WasmStack: stack})
	engine := wasmtime.NewEngineWithConfig(config)
	t.Cleanup(engine.Close)
	return engine
}

// tick advances the engine's epoch until the test ends.
func tick(t testing.TB, engine *wasmtime.Engine) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				engine.IncrementEpoch()
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

func compile(t testing.TB, engine *wasmtime.Engine, wat string) *wasmtime.Module {
	t.Helper()
	wasm, err := wasmtime.Wat2Wasm(wat)
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmtime.NewModule(engine, wasm)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func template(t testing.TB, engine *wasmtime.Engine, node *Node, cfg TemplateConfig) *Template {
	t.Helper()
	linker, err := NewLinker(engine)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.MemoryLimit == 0 {
		cfg.MemoryLimit = 16 << 20
	}
	if cfg.OutputLimit == 0 {
		cfg.OutputLimit = 1 << 20
	}
	if cfg.LogLimit == 0 {
		cfg.LogLimit = 1 << 10
	}
	cfg.Argv0 = "function"
	cfg.RequestID = "LEDGE_REQUEST_ID"
	template, err := NewTemplate(linker, node, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { template.Close(); linker.Close() })
	return template
}

func instance(t testing.TB, template *Template, host Host) *Instance {
	t.Helper()
	in, err := template.NewInstance(host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Close)
	return in
}

// echo copies the event to the reply through the kernel.
const echo = `(module
  (import "extism:host/env" "input_length" (func $len (result i64)))
  (import "extism:host/env" "input_load_u8" (func $in (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $out (param i64 i64)))
  (memory (export "memory") 1)
  (func (export "handle") (result i32) (local $n i64) (local $at i64) (local $i i64)
    (local.set $n (call $len))
    (local.set $at (call $alloc (local.get $n)))
    (block $done (loop $next
      (br_if $done (i64.ge_u (local.get $i) (local.get $n)))
      (call $store (i64.add (local.get $at) (local.get $i)) (call $in (local.get $i)))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br $next)))
    (call $out (local.get $at) (local.get $n))
    (i32.const 0)))`

// hello writes a fixed text to standard output.
const hello = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "hello")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 8))
    (i32.store (i32.const 4) (i32.const 5))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))`

func TestEcho(t *testing.T) {
	engine := newEngine(t)
	node := NewNode(0, false)
	in := instance(t, template(t, engine, node, TemplateConfig{ABI: Extism, Code: compile(t, engine, echo), Entry: "handle", EntryReturns: true}), noHost{})
	if got := in.Instantiate(time.Second); got != OK {
		t.Fatal(got, in.Message())
	}
	if node.Used() != 65536+0 && node.Used() == 0 {
		t.Errorf("node uses %d bytes", node.Used())
	}
	for _, event := range []string{"a", strings.Repeat("x", 10000), "", "last"} {
		if got := in.Call([]byte(event), time.Second); got != OK {
			t.Fatal(got, in.Message())
		}
		if !bytes.Equal(in.Reply(), []byte(event)) {
			t.Errorf("%d bytes came back as %d", len(event), len(in.Reply()))
		}
	}
	in.Drop()
	if node.Used() != 0 {
		t.Errorf("an empty shell holds %d bytes", node.Used())
	}
}

func TestCommand(t *testing.T) {
	engine := newEngine(t)
	in := instance(t, template(t, engine, NewNode(0, false), TemplateConfig{ABI: Command, Code: compile(t, engine, hello), Entry: "_start"}), noHost{})
	for range 3 {
		if got := in.CallFresh([]byte("event"), time.Second); got != OK {
			t.Fatal(got, in.Message())
		}
		if string(in.Reply()) != "hello" {
			t.Errorf("reply %q", in.Reply())
		}
	}
}

// Every way in which a guest may go wrong ends the call, says what happened,
// and leaves a process that goes on.
func TestHostile(t *testing.T) {
	const wasi = `(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
	  (memory (export "memory") 1)`
	tests := []struct {
		name, body string
		want       Outcome
		message    string
	}{
		{"loop", `(func (export "_start") (loop $l (br $l)))`, TimedOut, "stopped"},
		{"sleep", `(func (export "_start")
			(i64.store (i32.const 24) (i64.const 3600000000000))
			(i32.store (i32.const 16) (i32.const 1))
			(drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))`, TimedOut, "sleeping"},
		{"recursion", `(func $f (export "_start") (call $f))`, Trapped, "stack"},
		{"trap", `(func $inner unreachable) (func (export "_start") (call $inner))`, Trapped, "unreachable"},
		{"division", `(func (export "_start") (drop (i32.div_u (i32.const 1) (i32.const 0))))`, Trapped, "divide by zero"},
		{"bounds", `(func (export "_start") (drop (i32.load (i32.const -4))))`, Trapped, "out of bounds"},
		{"exit", `(func (export "_start") (call $exit (i32.const 7)))`, Exited, ""},
		{"exit 0", `(func (export "_start") (call $exit (i32.const 0)))`, OK, ""},
		{"output", `(func (export "_start")
			(i32.store (i32.const 4) (i32.const 65000))
			(loop $l (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64))) (br $l)))`, TooLarge, ""},
		{"log", `(func (export "_start") (local $i i32)
			(i32.store (i32.const 4) (i32.const 65000))
			(loop $l (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 64)))
			  (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100)))))`, OK, ""},
		{"memory", `(func (export "_start") (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable)`, Trapped, "unreachable"},
		{"poll overflow", `(func (export "_start")
			(drop (call $poll (i32.const -1) (i32.const -1) (i32.const 1000) (i32.const -1))))`, OK, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			engine := newEngine(t)
			tick(t, engine)
			node := NewNode(0, false)
			in := instance(t, template(t, engine, node, TemplateConfig{ABI: Command,
				Code: compile(t, engine, "(module "+wasi+test.body+")"), Entry: "_start"}), noHost{})
			for range 2 {
				if got := in.CallFresh(nil, 50*time.Millisecond); got != test.want {
					t.Fatalf("outcome %d, want %d: %s", got, test.want, in.Message())
				}
				if !strings.Contains(in.Message(), test.message) {
					t.Errorf("message %q does not say %q", in.Message(), test.message)
				}
			}
			if test.name == "trap" && !strings.HasPrefix(in.Frames(), "inner ") {
				t.Errorf("backtrace %q", in.Frames())
			}
			if text, dropped := in.Log(); test.name == "log" && (len(text) != 1024 || dropped != 6500000-1024) {
				t.Errorf("log of %d bytes, %d dropped", len(text), dropped)
			}
			if node.Used() != 0 {
				t.Errorf("%d bytes are still charged", node.Used())
			}
		})
	}
}

// A guest that grows past the node's budget is stopped, though its own limit
// would allow it.
func TestNodeBudget(t *testing.T) {
	engine := newEngine(t)
	tick(t, engine)
	code := `(module (memory (export "memory") 1)
	  (func (export "handle") (drop (memory.grow (i32.const 128))) (loop $l (br $l))))`
	in := instance(t, template(t, engine, NewNode(4<<20, false), TemplateConfig{ABI: Extism, Code: compile(t, engine, code), Entry: "handle"}), noHost{})
	if got := in.CallFresh(nil, 10*time.Second); got != OutOfBudget {
		t.Fatal(got, in.Message())
	}
}

func TestCancel(t *testing.T) {
	engine := newEngine(t)
	tick(t, engine)
	code := `(module (func (export "handle") (loop $l (br $l))))`
	in := instance(t, template(t, engine, NewNode(0, CanRenice()), TemplateConfig{ABI: Extism, Code: compile(t, engine, code), Entry: "handle"}), noHost{})
	done := make(chan Outcome)
	go func() { done <- in.CallFresh(nil, time.Minute) }()
	for {
		in.Cancel() // the call may not have begun
		select {
		case got := <-done:
			if got != Cancelled {
				t.Fatal(got)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// The declarations in abi.h are those of the headers that came with the
// library: a prototype that differs does not compile.
func TestABI(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/bytecodealliance/wasmtime-go/v44").Output()
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	types := []string{"wasmtime_func_t", "wasmtime_instance_t", "wasmtime_memory_t", "wasmtime_table_t", "wasmtime_global_t",
		"wasmtime_extern_t", "wasmtime_val_t", "wasmtime_val_raw_t", "wasm_byte_vec_t", "wasm_frame_vec_t"}
	sizes := run(t, "", "#include <stdio.h>\n#include \"abi.h\"\nint main() {"+printSizes(types)+"}")
	source.WriteString("#include <stdio.h>\n#include <wasi.h>\n#include <wasmtime.h>\n#define WASMTIME_H\n#include \"abi.h\"\nint main() {" + printSizes(types) + "}")
	real := run(t, strings.TrimSpace(string(dir))+"/build/include", source.String())
	if sizes != real {
		t.Errorf("layouts differ:\nours %s\nreal %s", sizes, real)
	}
}

func printSizes(types []string) (code string) {
	for _, name := range types {
		code += fmt.Sprintf(`printf("%s %%zu %%zu\n", sizeof(%s), _Alignof(%s));`, name, name, name)
	}
	return code + `printf("of %zu %zu", offsetof(wasmtime_extern_t, of), offsetof(wasmtime_val_t, of));`
}

func run(t *testing.T, include, code string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "abi.c")
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := file + ".out"
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-o", binary, file, "-I" + here}
	if include != "" {
		args = append(args, "-I"+include)
	}
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The first field of these values of wasmtime-go is their C pointer.
func TestPointers(t *testing.T) {
	for _, v := range []any{wasmtime.Config{}, wasmtime.Engine{}, wasmtime.Module{}} {
		field := reflect.TypeOf(v).Field(0)
		if field.Name != "_ptr" || field.Type.Kind() != reflect.Pointer || field.Offset != 0 {
			t.Errorf("%T begins with %s %s", v, field.Name, field.Type)
		}
	}
}

func BenchmarkCallWarm(b *testing.B) {
	engine := newEngine(b)
	in := instance(b, template(b, engine, NewNode(0, false), TemplateConfig{ABI: Extism, Code: compile(b, engine, echo), Entry: "handle", EntryReturns: true}), noHost{})
	in.Instantiate(time.Second)
	for _, size := range []int{0, 16, 1024} {
		event := make([]byte, size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if in.Call(event, time.Second) != OK {
					b.Fatal(in.Message())
				}
			}
		})
	}
}

func BenchmarkCallFresh(b *testing.B) {
	engine := newEngine(b)
	for _, c := range []struct {
		name string
		cfg  TemplateConfig
	}{
		{"wasi", TemplateConfig{ABI: Command, Code: compile(b, engine, hello), Entry: "_start"}},
		{"extism", TemplateConfig{ABI: Extism, Code: compile(b, engine, echo), Entry: "handle", EntryReturns: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			in := instance(b, template(b, engine, NewNode(0, false), c.cfg), noHost{})
			event := []byte("event")
			b.ReportAllocs()
			for b.Loop() {
				if in.CallFresh(event, time.Second) != OK {
					b.Fatal(in.Message())
				}
			}
		})
	}
	runtime.KeepAlive(engine)
}

// A kernel that is full serves from what was freed; and an empty shell gives
// back what a call made large.
func TestKernel(t *testing.T) {
	engine := newEngine(t)
	const code = `(module
	  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
	  (import "extism:host/env" "free" (func $free (param i64)))
	  (memory (export "memory") 1)
	  (func (export "handle") (result i32) (local $at i64)
	    (local.set $at (call $alloc (i64.const 500000)))
	    (if (i64.eqz (call $alloc (i64.const 500000))) (then unreachable))
	    (if (i64.ne (call $alloc (i64.const 500000)) (i64.const 0)) (then unreachable))
	    (call $free (local.get $at))
	    (i64.ne (call $alloc (i64.const 500000)) (local.get $at))))`
	node := NewNode(0, false)
	in := instance(t, template(t, engine, node, TemplateConfig{ABI: Extism, Code: compile(t, engine, code), Entry: "handle",
		EntryReturns: true, MemoryLimit: 1 << 20}), noHost{})
	if got := in.CallFresh(nil, time.Second); got != OK {
		t.Errorf("outcome %d, status %d: %s", got, in.ExitStatus(), in.Message())
	}
	in.Trim()
	if in.c.kernel.cap != 0 || node.Used() != 0 {
		t.Errorf("an empty shell has a kernel of %d bytes; %d are charged", in.c.kernel.cap, node.Used())
	}
}
