package wasmbin

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// machine is an instance with a memory, whole or put together from parts.
type machine struct {
	store    *wasmtime.Store
	instance *wasmtime.Instance
	memory   *wasmtime.Memory // nil when a whole module does not export it
}

// compile validates a module.
func compile(t testing.TB, engine *wasmtime.Engine, wasm []byte) *wasmtime.Module {
	t.Helper()
	module, err := wasmtime.NewModule(engine, wasm)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	t.Cleanup(module.Close)
	return module
}

// newMachine instantiates a module; image is nil for a whole one.
func newMachine(t testing.TB, engine *wasmtime.Engine, code, image *wasmtime.Module) machine {
	t.Helper()
	store := wasmtime.NewStore(engine)
	t.Cleanup(store.Close)
	linker := wasmtime.NewLinker(engine)
	defer linker.Close()
	if err := linker.DefineWasi(); err != nil {
		t.Fatal(err)
	}
	wasi := wasmtime.NewWasiConfig()
	wasi.InheritStderr()
	store.SetWasi(wasi)
	host := func(v int32) int32 { return v * 3 }
	if err := linker.FuncWrap("env", "triple", host); err != nil {
		t.Fatal(err)
	}
	m := machine{store: store}
	if image != nil {
		holder, err := linker.Instantiate(store, image)
		if err != nil {
			t.Fatalf("instantiate image: %v", err)
		}
		memory := holder.GetExport(store, MemoryExport)
		m.memory = memory.Memory()
		if err := linker.Define(store, ImportModule, ImportMemory, memory); err != nil {
			t.Fatal(err)
		}
	}
	instance, err := linker.Instantiate(store, code)
	if err != nil {
		t.Fatalf("instantiate code: %v", err)
	}
	m.instance = instance
	if e := instance.GetExport(store, "memory"); e != nil && e.Memory() != nil {
		m.memory = e.Memory()
	}
	return m
}

// call returns the results of an exported function as text, or its trap.
func (m machine) call(t testing.TB, name string, args ...any) string {
	t.Helper()
	f := m.instance.GetFunc(m.store, name)
	if f == nil {
		t.Fatalf("function %q is not exported", name)
	}
	v, err := f.Call(m.store, args...)
	var trap *wasmtime.Trap
	switch {
	case errors.As(err, &trap):
		return "trap: " + strings.SplitN(trap.Message(), "wasm trap:", 2)[1]
	case err != nil:
		t.Fatalf("call %s: %v", name, err)
	}
	return fmt.Sprint(v)
}

// capture copies the memory and the mutable globals. (wasmtime-go has no
// values of type v128, so no module here keeps state in one.)
func (m machine) capture(p *Parts) (memory []byte, globals []wasmtime.Val) {
	memory = slices.Clone(m.memory.UnsafeData(m.store))
	for _, g := range p.Globals {
		globals = append(globals, m.instance.GetExport(m.store, g.Name).Global().Get(m.store))
	}
	return memory, globals
}

// restore puts a machine together from code and what capture gave.
func restore(t testing.TB, engine *wasmtime.Engine, code *wasmtime.Module, p *Parts, memory []byte, globals []wasmtime.Val) machine {
	t.Helper()
	var maxPages *uint32
	if p.Memory.HasMax {
		pages := uint32(p.Memory.Max)
		maxPages = &pages
	}
	image, err := EncodeImage(memory, maxPages)
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(t, engine, code, compile(t, engine, image))
	for i, g := range p.Globals {
		if err := m.instance.GetExport(m.store, g.Name).Global().Set(m.store, globals[i]); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func sameMemory(t *testing.T, what string, got, want machine) {
	t.Helper()
	if got.memory == nil || want.memory == nil {
		return // not exported by the whole module: nothing to compare with
	}
	a, b := got.memory.UnsafeData(got.store), want.memory.UnsafeData(want.store)
	if len(a) != len(b) {
		t.Errorf("%s: memory of %d bytes, want %d", what, len(a), len(b))
		return
	}
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("%s: memory differs at %#x: %#x, want %#x", what, i, a[i], b[i])
			return
		}
	}
}

// checkSplit runs a module whole, split, and restored, and compares what can be
// seen. init and calls are names of exported functions without parameters.
func checkSplit(t *testing.T, engine *wasmtime.Engine, wasm []byte, init, calls []string) *Parts {
	t.Helper()
	p, err := Split(wasm)
	if err != nil {
		t.Fatalf("split: %v", err)
	}
	code := compile(t, engine, p.Code)
	whole := newMachine(t, engine, compile(t, engine, wasm), nil)
	split := newMachine(t, engine, code, compile(t, engine, p.Image))
	if p.StartExport != "" {
		split.call(t, p.StartExport)
	}
	sameMemory(t, "after start", split, whole)
	for _, name := range init {
		if got, want := split.call(t, name), whole.call(t, name); got != want {
			t.Errorf("%s gives %s, whole %s", name, got, want)
		}
	}
	memory, globals := split.capture(p)
	restored := restore(t, engine, code, p, memory, globals)
	sameMemory(t, "after restore", restored, whole)
	for _, name := range calls {
		want := whole.call(t, name)
		if got := split.call(t, name); got != want {
			t.Errorf("%s gives %s when split, %s when whole", name, got, want)
		}
		if got := restored.call(t, name); got != want {
			t.Errorf("%s gives %s when restored, %s when whole", name, got, want)
		}
	}
	sameMemory(t, "split after calls", split, whole)
	sameMemory(t, "restored after calls", restored, whole)
	return p
}

func TestSplitBehavesAsWhole(t *testing.T) {
	engine := wasmtime.NewEngine()
	for name, c := range map[string]struct {
		text        string
		init, calls []string
	}{
		"counter in memory and globals": {`(module
			(memory (export "memory") 1 4)
			(global $a (mut i32) (i32.const 5)) (global $b (mut i64) (i64.const -9)) (global $c f32 (f32.const 2))
			(global $d (mut f64) (f64.const 0.5)) (global $e (mut f32) (f32.const nan:0x200001))
			(data (i32.const 100) "\01\02\03\04")
			(func (export "next") (result i32 i64 f64 i32)
				(global.set $a (i32.add (global.get $a) (i32.load (i32.const 100))))
				(global.set $b (i64.mul (global.get $b) (i64.const 3)))
				(global.set $d (f64.add (global.get $d) (f64.const 0.25)))
				(i32.store (i32.const 100) (global.get $a))
				global.get $a global.get $b global.get $d
				(i32.reinterpret_f32 (global.get $e))))`,
			[]string{"next", "next"}, []string{"next", "next"}},

		"start function": {`(module
			(memory (export "memory") 1)
			(global $n (mut i32) (i32.const 0))
			(start $init)
			(func $init (global.set $n (i32.add (global.get $n) (i32.const 41))) (i32.store (i32.const 8) (i32.const 77)))
			(func (export "n") (result i32 i32) global.get $n (i32.load (i32.const 8))))`,
			[]string{"n"}, []string{"n"}},

		"segments overlap": {`(module
			(memory (export "memory") 1)
			(data (i32.const 10) "aaaaaaaa") (data (i32.const 4) "bbbbbbbb") (data (i32.const 12) "cc")
			(data (i32.const 18) "dd") (data (i32.const 0) "") (data (i32.const 65535) "e") (data (i32.const 65536) "")
			(func (export "sum") (result i64) (i64.add (i64.load (i32.const 4)) (i64.load (i32.const 12)))))`,
			nil, []string{"sum"}},

		"offsets of extended constants and globals": {`(module
			(global $base i32 (i32.const 256)) (memory (export "memory") 1)
			(data (i32.add (i32.const 30) (i32.mul (i32.const 4) (i32.const 5))) "x")
			(data (offset (i32.sub (i32.const 70) (i32.const 6))) "y")
			(func (export "xy") (result i32 i32) (i32.load8_u (i32.const 50)) (i32.load8_u (i32.const 64))))`,
			nil, []string{"xy"}},

		"passive and active segments by index": {`(module
			(memory (export "memory") 1)
			(data $first (i32.const 0) "active") (data $passive "passive!") (data $last (i32.const 32) "more")
			(func (export "fill") (memory.init $passive (i32.const 16) (i32.const 0) (i32.const 8)))
			(func (export "again") (memory.init $first (i32.const 64) (i32.const 0) (i32.const 3)))
			(func (export "none") (memory.init $first (i32.const 64) (i32.const 0) (i32.const 0)))
			(func (export "drop") (data.drop $last) (data.drop $first))
			(func (export "load") (result i64) (i64.load (i32.const 16))))`,
			[]string{"fill", "again"}, []string{"load", "again", "none", "drop", "again"}},

		"tables and elements": {`(module
			(type $f (func (result i32)))
			(memory (export "memory") 1)
			(table $t 4 funcref) (table $u 2 externref)
			(elem (i32.const 1) $one $two) (elem declare func $two)
			(global $at (mut i32) (i32.const 1))
			(func $one (result i32) i32.const 1) (func $two (result i32) i32.const 2)
			(func (export "next") (result i32)
				(call_indirect $t (type $f) (global.get $at))
				(global.set $at (i32.add (global.get $at) (i32.const 1)))))`,
			[]string{"next"}, []string{"next", "next"}},

		"memory grows": {`(module
			(memory (export "memory") 1 5)
			(func (export "grow") (result i32) (memory.grow (i32.const 2)))
			(func (export "size") (result i32) memory.size)
			(func (export "touch") (i32.store (i32.const 150000) (i32.const 99)))
			(func (export "far") (result i32) (i32.load (i32.const 150000))))`,
			[]string{"far", "grow", "touch"}, []string{"far", "size", "grow", "size", "grow"}},

		"imported function, names, traps": {`(module $named
			(import "env" "triple" (func $triple (param i32) (result i32)))
			(memory 1)
			(global $x (mut i32) (i32.const 2))
			(func $next (export "next") (result i32) (global.set $x (call $triple (global.get $x))) global.get $x)
			(func $boom (export "boom") unreachable))`,
			[]string{"next", "boom"}, []string{"next", "boom", "next"}},

		"nothing to export": {`(module (memory 1) (data (i32.const 0) "x") (func (export "f") (result i32) (i32.load (i32.const 0))))`,
			nil, []string{"f"}},
	} {
		t.Run(name, func(t *testing.T) { checkSplit(t, engine, wat(t, c.text), c.init, c.calls) })
	}
}

func TestSplitParts(t *testing.T) {
	p, err := Split(appendSection(wat(t, `(module
		(import "env" "triple" (func $f (param i32) (result i32)))
		(memory (export "memory") 2 9)
		(global i32 (i32.const 1)) (global $g (mut i64) (i64.const 1)) (global (mut v128) (v128.const i64x2 7 8))
		(table 1 funcref) (table 2 3 externref)
		(data (i32.const 5) "five")
		(start $s) (func $s))`), idCustom, appendName(nil, ".debug_info"), make([]byte, 1000)))
	if err != nil {
		t.Fatal(err)
	}
	if want := []GlobalExport{{"ledge:global:1", 1, I64}, {"ledge:global:2", 2, V128}}; !slices.Equal(p.Globals, want) {
		t.Errorf("globals %v, want %v", p.Globals, want)
	}
	if want := []string{"ledge:table:0", "ledge:table:1"}; !slices.Equal(p.Tables, want) {
		t.Errorf("tables %v, want %v", p.Tables, want)
	}
	if want := (Limits{Min: 2, Max: 9, HasMax: true}); p.Memory != want {
		t.Errorf("memory %v, want %v", p.Memory, want)
	}
	engine := wasmtime.NewEngine()
	compile(t, engine, p.Code)
	compile(t, engine, p.Image)
	code, err := Parse(p.Code)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Import{ImportModule, ImportMemory, KindMemory, 0, "2..9"}); code.Imports()[1] != want {
		t.Errorf("import %v, want %v", code.Imports()[1], want)
	}
	if active, passive := code.DataSegments(); code.HasStart() || active+passive != 0 {
		t.Error("the code has a start function or data segments")
	}
	for name, want := range map[string]string{"memory": "2..9", p.StartExport: "()->()", "ledge:global:1": "mut i64", "ledge:table:1": "externref 2..3"} {
		if e, ok := code.Export(name); !ok || e.Type != want {
			t.Errorf("export %q is %v, want type %s", name, e, want)
		}
	}
	if _, ok := code.Custom(".debug_info"); ok {
		t.Error("debug information was kept")
	}
	if got := code.FuncName(1); got != "s" {
		t.Errorf("function 1 is called %q in the code, want s", got)
	}
	image, err := Parse(p.Image)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := image.Export(MemoryExport); !ok || e.Type != "2..9" || len(image.Imports()) != 0 {
		t.Errorf("the image exports %v and imports %v", e, image.Imports())
	}
	if !bytes.Contains(p.Image, []byte("five")) || bytes.Contains(p.Code, []byte("five")) {
		t.Error("the data is not in the image only")
	}
}

func TestSplitRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`(module)`:                       "without a memory",
		`(module (memory 1) (memory 1))`: "2 memories",
		`(module (import "env" "memory" (memory 1)))`:                                                               "imported memory",
		`(module (import "env" "memory" (memory 1)) (memory 1))`:                                                    "2 memories",
		`(module (memory 1 1 shared))`:                                                                              "shared memory",
		`(module (memory i64 1))`:                                                                                   "64-bit memory",
		`(module (memory 1) (global (mut funcref) (ref.null func)))`:                                                "global 0 of type funcref",
		`(module (memory 1) (global (mut externref) (ref.null extern)))`:                                            "global 0 of type externref",
		`(module (import "env" "g" (global (mut i32))) (memory 1))`:                                                 "imported mutable global 0",
		`(module (import "env" "t" (table 1 funcref)) (memory 1))`:                                                  "imported table",
		`(module (import "env" "b" (global $b i32)) (memory 1) (data (global.get $b) "x"))`:                         "imported global 0",
		`(module (memory 1) (func (export "ledge:start")))`:                                                         "reserved name",
		`(module (import "ledge" "memory" (func)) (memory 1))`:                                                      "reserved name",
		`(module (import "env" "b" (global $b i32)) (memory 1) (data (i32.add (global.get $b) (i32.const 1)) "x"))`: "imported global 0",
	} {
		_, err := Split(wat(t, text))
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want an *UnsupportedError that says %q", text, err, want)
		}
	}
}

func TestSplitDataOutside(t *testing.T) {
	for text, want := range map[string]string{
		`(module (memory 1) (data (i32.const 65533) "four"))`: "segment 0 ends at 65537, past the 65536 bytes of memory",
		`(module (memory 1) (data (i32.const 65537) ""))`:     "segment 0 ends at 65537, past",
		`(module (memory 1) (data (i32.const -1) "x"))`:       "segment 0 ends at 4294967296, past",
		`(module (memory 0) (data (i32.const 0) "x"))`:        "segment 0 ends at 1, past the 0 bytes",
	} {
		_, err := Split(wat(t, text))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(syntax.Why, want) {
			t.Errorf("%s: error %v, want a *SyntaxError that says %q", text, err, want)
		}
	}
}

// TestSplitSparse has two bytes almost 4 GiB apart: Split must not make room
// for what lies between.
func TestSplitSparse(t *testing.T) {
	p, err := Split(wat(t, `(module (memory 65536) (data (i32.const -1) "z") (data (i32.const 0) "a"))`))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Image) > 200 {
		t.Errorf("the image of two bytes takes %d", len(p.Image))
	}
	m, err := Parse(p.Image)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int32{0, -1} {
		if got, err := m.evalI32(m.segments[i].offset, 0); err != nil || got != want {
			t.Errorf("segment %d is at %d, %v, want %d", i, got, err, want)
		}
	}
}

// TestSplitOwnsResult changes the input after the split.
func TestSplitOwnsResult(t *testing.T) {
	wasm := wat(t, everythingSplit)
	p, err := Split(wasm)
	if err != nil {
		t.Fatal(err)
	}
	code, image := slices.Clone(p.Code), slices.Clone(p.Image)
	clear(wasm)
	if !bytes.Equal(code, p.Code) || !bytes.Equal(image, p.Image) {
		t.Error("the parts share memory with the input")
	}
}

const everythingSplit = `(module $all
	(import "env" "triple" (func $triple (param i32) (result i32)))
	(memory (export "memory") 2 17)
	(table $t (export "table") 3 funcref)
	(global $sp (mut i32) (i32.const 1024))
	(export "sp" (global $sp))
	(tag $oops (param i32))
	(start $main)
	(elem (i32.const 1) $main)
	(func $main (global.set $sp (call $triple (i32.const 5))) (data.drop $later))
	(data (i32.const 16) "hello") (data (i32.const 18) "HELLO") (data $later "later"))`
