package wasmbin

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// interruptible returns the rewritten module, which must differ.
func interruptible(t testing.TB, wasm []byte, most int) []byte {
	t.Helper()
	m, err := Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	out, changed, err := m.Interruptible(most)
	if err != nil {
		t.Fatal(err)
	}
	if !changed {
		t.Fatal("not changed")
	}
	return out
}

const fill = `(memory.fill (i32.const 3) (i32.const 7) (i32.const 9)) `

func TestInterruptibleThreshold(t *testing.T) {
	fills := func(n int) string { return `(func ` + strings.Repeat(fill, n) + `) ` }
	for name, c := range map[string]struct {
		text   string
		most   int
		checks int // how many are added
	}{
		"no code":                  {`(module (memory 1))`, 0, 0},
		"empty function":           {`(module (func))`, 0, 0},
		"none":                     {`(module (memory 1) ` + fills(0) + `)`, 0, 0},
		"as many":                  {`(module (memory 1) ` + fills(5) + `)`, 5, 0},
		"one more":                 {`(module (memory 1) ` + fills(6) + `)`, 5, 6},
		"zero":                     {`(module (memory 1) ` + fills(1) + `)`, 0, 1},
		"negative":                 {`(module (memory 1) (func) ` + fills(1) + `)`, -9, 1},
		"each function for itself": {`(module (memory 1) ` + fills(4) + fills(4) + `)`, 5, 0},
		"only the long ones":       {`(module (memory 1) ` + fills(9) + fills(2) + fills(0) + fills(8) + fills(3) + `)`, 5, 17},
		"other FC instructions":    {`(module (table $t 1 funcref) (func (drop (i32.trunc_sat_f32_u (f32.const 1))) (drop (table.size $t)) (elem.drop $e)) (elem $e func))`, 0, 0},
		"bytes that look alike":    {`(module (func (drop (i64.const 0x5fc)) (drop (i64.const 0x5fc))))`, 1, 0}, // fc 0b
		"alike beside real":        {`(module (memory 1) (func (drop (i64.const 0x5fc)) ` + fill + fill + `))`, 1, 2},
		"alike, too few real":      {`(module (memory 1) (func (drop (i64.const 0x5fc)) ` + fill + `))`, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			wasm := wat(t, c.text)
			m, err := Parse(wasm)
			if err != nil {
				t.Fatal(err)
			}
			before := bytes.Clone(wasm)
			out, changed, err := m.Interruptible(c.most)
			if err != nil || changed != (c.checks > 0) {
				t.Fatalf("changed %t, %v", changed, err)
			}
			if !changed && &out[0] != &wasm[0] {
				t.Error("another slice, though nothing changed")
			}
			if !bytes.Equal(wasm, before) {
				t.Error("the original was modified")
			}
			if n := bytes.Count(out, []byte(epochCheck)); n != c.checks {
				t.Errorf("%d checks, want %d", n, c.checks)
			}
			if err := wasmtime.ModuleValidate(wasmtime.NewEngine(), out); err != nil {
				t.Error(err)
			}
		})
	}
}

// All sections but the code, and all functions under the threshold, are the
// same, wherever custom sections stand and however numbers are padded.
func TestInterruptibleKeepsTheRest(t *testing.T) {
	wasm := wat(t, `(module $named
		(@custom "first" (before first) "1")
		(@custom "early" (before code) "\fc\0b")
		(@custom "late" (after code) "\fc\0b\fc\0b")
		(import "a" "b" (func $imported))
		(memory 1) (table 3 funcref) (elem (i32.const 1) $f)
		(func $f `+fill+`) (func $long `+fill+fill+`) (func $g `+fill+`)
		(func $user (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)))
		(data $d "content"))`)
	before, err := Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	// Pad the sizes of the section and of the first function.
	place := slices.IndexFunc(before.sections, func(s section) bool { return s.id == idCode })
	s := before.sections[place]
	content := append([]byte{s.body[0], s.body[1] | 0x80, 0x80, 0}, s.body[2:]...)
	head := append(bytes.Clone(wasm[:s.at-2]), idCode, byte(len(content))|0x80, 0)
	wasm = append(append(head, content...), wasm[s.at+len(s.body):]...)
	if before, err = Parse(wasm); err != nil {
		t.Fatal(err)
	}

	after, err := Parse(interruptible(t, wasm, 1))
	if err != nil {
		t.Fatal(err)
	}
	if len(after.sections) != len(before.sections) {
		t.Fatalf("%d sections, want %d", len(after.sections), len(before.sections))
	}
	for i, s := range before.sections {
		got := after.sections[i]
		if s.id != got.id || s.name != got.name || (s.id != idCode && !bytes.Equal(s.body, got.body)) {
			t.Errorf("section %d: %d %q % x, want %d %q % x", i, got.id, got.name, got.body, s.id, s.name, s.body)
		}
	}
	// The padded first function and the ones behind the long one.
	short := content[1 : 4+int(content[1]&0x7f)]
	tail := content[len(content)-25:]
	if got := after.body(idCode); !bytes.HasPrefix(got[1:], short) || !bytes.HasSuffix(got, tail) || bytes.Count(got, []byte(epochCheck)) != 2 {
		t.Errorf("code % x\nfrom % x", got, content)
	}
}

// bulkModule has every bulk instruction, in blocks, between branches, in code
// that is not reached, with values on the stack below the operands, and with
// operands out of bounds.
const bulkModule = `(module
	(memory (export "memory") 2 4)
	(table $t (export "table") 10 20 funcref)
	(table $x 2 30 externref)
	(type $n (func (result i32)))
	(elem $e func $one $two)
	(elem (i32.const 4) $one $two $one)
	(data $d "passive data")
	(data (i32.const 100) "active data")
	(func $one (result i32) i32.const 1)
	(func $two (result i32) i32.const 2)
	(func (export "fill") (result i32 i64)
		i32.const 5
		i64.const 6
		(memory.fill (i32.const 8) (i32.const 0xab) (i32.const 77))
		(memory.copy (i32.const 200) (i32.const 90) (i32.const 50))
		(memory.copy (i32.const 95) (i32.const 100) (i32.const 50))
		(memory.init $d (i32.const 300) (i32.const 2) (i32.const 8)))
	(func (export "branches") (param i32) (result i32)
		(block $out (result i32)
			(loop $again
				(memory.fill (i32.add (local.get 0) (i32.const 400)) (local.get 0) (i32.const 3))
				(local.set 0 (i32.sub (local.get 0) (i32.const 1)))
				(br_if $again (i32.gt_s (local.get 0) (i32.const 5)))
				(if (i32.eq (local.get 0) (i32.const 3))
					(then (memory.copy (i32.const 700) (i32.const 400) (i32.const 20)) (br $out (i32.const 33))
						(memory.fill (i32.const 0) (i32.const 1) (i32.const 9)))
					(else (memory.fill (i32.const 600) (local.get 0) (i32.const 9))))
				(block $a (block $b (block $c
					(br_table $a $b $c (i32.and (local.get 0) (i32.const 3))))
					(memory.fill (i32.const 610) (i32.const 1) (i32.const 9)))
					(memory.fill (i32.const 620) (i32.const 2) (i32.const 9)))
				(memory.fill (i32.const 630) (i32.const 3) (i32.const 9))
				(br_if $again (local.get 0)))
			(return (i32.const 44))))
	(func (export "tables") (result i32 i32 i32)
		(table.copy $t $t (i32.const 0) (i32.const 4) (i32.const 3))
		(table.init $t $e (i32.const 7) (i32.const 1) (i32.const 1))
		(table.fill $t (i32.const 8) (ref.func $two) (i32.const 2))
		(table.fill $x (i32.const 0) (ref.null extern) (i32.const 2))
		(table.grow $t (ref.func $one) (i32.const 3))
		(table.grow $x (ref.null extern) (i32.const 4))
		(table.grow $t (ref.null func) (i32.const 300)))
	(func (export "get") (param i32) (result i32) (call_indirect $t (type $n) (local.get 0)))
	(func (export "sizes") (result i32 i32) (table.size $t) (table.size $x))
	(func (export "beyond") (memory.fill (i32.const 9) (i32.const 9) (i32.const 9)) (memory.fill (i32.const 131000) (i32.const 9) (i32.const 900)))
	(func (export "dropped") (data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)))
	(func (export "nowhere") (table.fill $t (i32.const 99) (ref.null func) (i32.const 1)))
	(func (export "unreachable") (memory.fill (i32.const 1) (i32.const 8) (i32.const 2)) unreachable memory.fill table.copy (drop (table.grow $t)) memory.copy))`

func TestInterruptibleBehavesTheSame(t *testing.T) {
	engine := wasmtime.NewEngine()
	wasm := wat(t, bulkModule)
	out := interruptible(t, wasm, 0)
	want := newMachine(t, engine, compile(t, engine, wasm), nil)
	got := newMachine(t, engine, compile(t, engine, out), nil)
	check := func(name string, args ...any) {
		t.Helper()
		w, g := want.call(t, name, args...), got.call(t, name, args...)
		if w != g {
			t.Errorf("%s%v gives %s, want %s", name, args, g, w)
		}
		sameMemory(t, name, got, want)
	}
	for _, name := range []string{"fill", "tables", "sizes", "beyond", "nowhere", "fill", "dropped", "unreachable", "tables", "sizes"} {
		check(name)
	}
	for i := range int32(22) {
		check("branches", i)
		check("get", i)
	}
	if v := got.call(t, "sizes"); !strings.Contains(v, "16") { // 10 and twice 3
		t.Errorf("the table did not grow: %s", v)
	}
}

// Memories and tables that i64 addresses, and several of them: the check does
// not care what the operands are.
func TestInterruptibleOtherMemories(t *testing.T) {
	engine := allFeatures(t)
	wasm := wat(t, `(module
		(memory $a (export "memory") i64 1) (memory $b 1) (table $t i64 4 funcref) (elem $e func $f) (data $d "abcdef")
		(func $f (export "run") (result i64 i32)
			(memory.fill $a (i64.const 8) (i32.const 7) (i64.const 9))
			(memory.fill $b (i32.const 0) (i32.const 5) (i32.const 99))
			(memory.copy $a $b (i64.const 100) (i32.const 9) (i32.const 20))
			(memory.copy $b $a (i32.const 50) (i64.const 8) (i32.const 30))
			(memory.init $a $d (i64.const 300) (i32.const 1) (i32.const 4))
			(table.init $t $e (i64.const 1) (i32.const 0) (i32.const 1))
			(table.copy $t $t (i64.const 2) (i64.const 0) (i64.const 2))
			(table.fill $t (i64.const 0) (ref.func $f) (i64.const 1))
			(table.grow $t (ref.null func) (i64.const 3))
			(i32.load $b (i32.const 56))))`)
	want := newMachine(t, engine, compile(t, engine, wasm), nil)
	got := newMachine(t, engine, compile(t, engine, interruptible(t, wasm, 8)), nil)
	if w, g := want.call(t, "run"), got.call(t, "run"); w != g {
		t.Errorf("run gives %s, want %s", g, w)
	}
	sameMemory(t, "run", got, want)
}

// TestInterruptibleRandomModules is about modules whose shape and state are
// random, see randomModule. The seed is the subtest's name.
func TestInterruptibleRandomModules(t *testing.T) {
	engine := wasmtime.NewEngine()
	changed := 0
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			wasm := wat(t, randomModule(rand.New(rand.NewPCG(seed, 1))))
			m, err := Parse(wasm)
			if err != nil {
				t.Fatal(err)
			}
			out, rewritten, err := m.Interruptible(0)
			if err != nil {
				t.Fatal(err)
			}
			if rewritten {
				changed++
			}
			want := newMachine(t, engine, compile(t, engine, wasm), nil)
			got := newMachine(t, engine, compile(t, engine, out), nil)
			for _, name := range []string{"step", "fill", "step", "grow", "fill", "step"} {
				if w, g := want.call(t, name), got.call(t, name); w != g {
					t.Errorf("%s gives %s, want %s", name, g, w)
				}
				sameMemory(t, name, got, want)
			}
		})
	}
	if changed < 50 {
		t.Errorf("only %d modules were changed", changed)
	}
}

// interrupted runs the export "run" of a module with an epoch deadline that
// passes when the module calls env.tick. It returns the byte at address 0 of the
// memory afterwards, and whether the run was interrupted.
func interrupted(t *testing.T, wasm []byte) (marker byte, yes bool) {
	t.Helper()
	config := wasmtime.NewConfig()
	config.SetEpochInterruption(true)
	engine := wasmtime.NewEngineWithConfig(config)
	defer engine.Close()
	store := wasmtime.NewStore(engine)
	defer store.Close()
	store.SetEpochDeadline(1)
	tick := wasmtime.WrapFunc(store, engine.IncrementEpoch)
	instance, err := wasmtime.NewInstance(store, compile(t, engine, wasm), []wasmtime.AsExtern{tick})
	if err != nil {
		t.Fatal(err)
	}
	_, err = instance.GetFunc(store, "run").Call(store)
	var trap *wasmtime.Trap
	switch {
	case errors.As(err, &trap):
		if code := trap.Code(); code == nil || *code != wasmtime.Interrupt {
			t.Fatalf("another trap: %v", err)
		}
	case err != nil:
		t.Fatal(err)
	}
	return instance.GetExport(store, "memory").Memory().UnsafeData(store)[0], err != nil
}

// Thousands of fills of a memory, the deadline after the hundredth: without the
// checks all are done, with them none after the deadline.
func TestInterruptibleStopsAtTheDeadline(t *testing.T) {
	const fills, deadline = 3000, 100
	var b strings.Builder
	b.WriteString(`(module (import "env" "tick" (func $tick)) (memory (export "memory") 16) (func (export "run") `)
	for i := range fills {
		fmt.Fprintf(&b, `(memory.fill (i32.const 16) (i32.const %d) (i32.const 1048560)) (i32.store8 (i32.const 0) (i32.const %d)) `, i&0xff, min(i+1, 255))
		if i+1 == deadline {
			b.WriteString(`(call $tick) `)
		}
	}
	b.WriteString(`))`)
	wasm := wat(t, b.String())
	if marker, yes := interrupted(t, wasm); yes || marker != 255 {
		t.Errorf("without checks: interrupted %t, fill %d; the test proves nothing", yes, marker)
	}
	if marker, yes := interrupted(t, interruptible(t, wasm, 8)); !yes || marker != deadline {
		t.Errorf("with checks: interrupted %t after fill %d, want %d", yes, marker, deadline)
	}
}

// There is a check before each of the instructions.
func TestInterruptibleChecksEachInstruction(t *testing.T) {
	for _, instruction := range []string{
		`(memory.fill (i32.const 1) (i32.const 1) (i32.const 1))`,
		`(memory.fill (local.get 0) (local.get 0) (local.get 0))`,
		`(memory.copy (i32.const 1) (i32.const 2) (i32.const 1))`,
		`(memory.init $d (i32.const 1) (i32.const 0) (i32.const 1))`,
		`(table.init $t $e (i32.const 1) (i32.const 0) (i32.const 1))`,
		`(table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 1))`,
		`(table.fill $t (i32.const 1) (ref.null func) (i32.const 1))`,
		`(drop (table.grow $t (ref.null func) (i32.const 1)))`,
		`(block (block (memory.copy (i32.const 1) (i32.const 2) (i32.const 1))))`,
	} {
		t.Run(instruction, func(t *testing.T) {
			wasm := wat(t, `(module (import "env" "tick" (func $tick)) (memory (export "memory") 1) (table $t 4 funcref)
				(elem $e func $f) (data $d "data")
				(func $f (export "run") (local i32) (call $tick) `+instruction+` (i32.store8 (i32.const 0) (i32.const 9))))`)
			if marker, yes := interrupted(t, wasm); yes || marker != 9 {
				t.Errorf("without checks: interrupted %t, marker %d; the test proves nothing", yes, marker)
			}
			if marker, yes := interrupted(t, interruptible(t, wasm, 0)); !yes || marker != 0 {
				t.Errorf("with checks: interrupted %t, marker %d", yes, marker)
			}
		})
	}
}

// The instructions that follow a recursive call all run as the calls return,
// where there is neither a loop nor a function entry. Only a check before each
// of them stops that, so that a threshold above zero leaves a gap.
func TestInterruptibleStopsReturningCalls(t *testing.T) {
	const depth = 200
	wasm := wat(t, fmt.Sprintf(`(module (import "env" "tick" (func $tick)) (memory (export "memory") 1)
		(func $dive (param i32)
			(if (local.get 0) (then (call $dive (i32.sub (local.get 0) (i32.const 1)))) (else (call $tick)))
			(memory.fill (i32.const 16) (i32.const 1) (i32.const 65520))
			(i32.store8 (i32.const 0) (local.get 0)))
		(func (export "run") (call $dive (i32.const %d))))`, depth))
	m, err := Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	if _, changed, err := m.Interruptible(1); changed || err != nil {
		t.Errorf("one instruction is not more than one: changed %t, %v", changed, err)
	}
	if marker, yes := interrupted(t, wasm); yes || marker != depth {
		t.Errorf("without checks: interrupted %t, marker %d; the test proves nothing", yes, marker)
	}
	if marker, yes := interrupted(t, interruptible(t, wasm, 0)); !yes || marker != 0 {
		t.Errorf("with checks: interrupted %t, marker %d", yes, marker)
	}
}

// A number may be padded to five bytes, which must not hide an instruction.
func TestInterruptiblePaddedNumbers(t *testing.T) {
	m, err := Parse(wat(t, fmt.Sprintf(host, "i32")))
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range []string{"\x0b", "\x8b\x00", "\x8b\x80\x00", "\x8b\x80\x80\x00", "\x8b\x80\x80\x80\x00"} {
		wasm := withBody(t, m, []byte("\x41\x00\x41\x00\x41\x00\xfc"+number+"\x80\x00\x0b"))
		out := interruptible(t, wasm, 0)
		if err := wasmtime.ModuleValidate(allFeatures(t), out); err != nil || !bytes.Contains(out, []byte(epochCheck+"\xfc"+number)) {
			t.Errorf("% x: %v, % x", number, err, out)
		}
	}
}

func TestInterruptibleRefuses(t *testing.T) {
	m, err := Parse(wat(t, fmt.Sprintf(host, "i32")))
	if err != nil {
		t.Fatal(err)
	}
	const fill = "\x41\x00\x41\x00\x41\x00\xfc\x0b\x00"
	// As long as an engine takes, with the locals and the end: longer with a check.
	nops := strings.Repeat("\x01", maxFunctionSize-3-len(fill)-1)
	for name, c := range map[string]struct {
		code, why string
		syntax    bool
	}{
		"GC":                 {fill + "\xfb\x00\x00\x0b", "instruction 0xfb in function 0", false},
		"unassigned":         {fill + "\xff\x0b", "instruction 0xff in function 0", false},
		"unassigned misc":    {fill + "\xfc\x20\x0b", "instruction 0xfc 32 in function 0", false},
		"unassigned vector":  {fill + "\xfd\x9a\x01\x0b", "instruction 0xfd 154 in function 0", false},
		"unassigned atomic":  {fill + "\xfe\x4f\x0b", "instruction 0xfe 79 in function 0", false},
		"legacy exceptions":  {fill + "\x06\x40\x0b\x0b", "instruction 0x6 in function 0", false},
		"memory order":       {fill + "\x28\x20\x00\x0b", "memory access with the flags 0x20 in function 0", false},
		"type of block":      {fill + "\x02\x65\x0b\x0b", "type 0x65 in function 0", false},
		"long type of block": {fill + "\x02\x80\x7f\x0b\x0b", "block type -128 in function 0", false},
		"heap type":          {fill + "\xd0\x62\x00\x0b", "heap type -30 in function 0", false},
		"handler":            {fill + "\x1f\x40\x01\x04\x00\x0b\x0b", "exception handler 0x4 in function 0", false},
		"too long":           {fill + nops + "\x0b", "1 bulk instructions in function 0 of 7654321 bytes", false},
		"too many":           {strings.Repeat(fill, maxChecks+1) + "\x0b", "10001 bulk instructions in function 0", false},
		"truncated":          {fill + "\x41", "i32.const is missing", true},
		"truncated bulk":     {"\xfc\x0b", "index is missing", true},
		"too many labels":    {fill + "\x0e\xff\xff\xff\xff\x0f", "4294967295 entries cannot fit", true},
		"number too wide":    {fill + "\x41\xff\xff\xff\xff\xff\x00\x0b", "does not fit in 32 bits", true},
	} {
		t.Run(name, func(t *testing.T) {
			wasm := withBody(t, m, []byte(c.code))
			if err := wasmtime.ModuleValidate(allFeatures(t), wasm); name == "too long" && err != nil {
				t.Errorf("not valid without checks: %v", err)
			}
			bad, err := Parse(wasm)
			if err != nil {
				t.Fatal(err)
			}
			out, changed, err := bad.Interruptible(0)
			var unsupported *UnsupportedError
			var syntax *SyntaxError
			if out != nil || changed || err == nil || !strings.Contains(err.Error(), c.why) ||
				errors.As(err, &syntax) != c.syntax || errors.As(err, &unsupported) == c.syntax {
				t.Errorf("changed %t, %v", changed, err)
			}
			if out, changed, err := bad.Interruptible(maxChecks + 1); changed || err != nil || !bytes.Equal(out, wasm) {
				t.Errorf("a function below the threshold was not left alone: %v", err)
			}
		})
	}
}

// goReactor compiles the program reactor for WASI.
func goReactor(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(reactor), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", "reactor.wasm", "main.go")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GO111MODULE=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	wasm, err := os.ReadFile(filepath.Join(dir, "reactor.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// A Go program, in which a byte out of place would not go unnoticed.
func TestInterruptibleGoReactor(t *testing.T) {
	engine := wasmtime.NewEngine()
	wasm := goReactor(t)
	m := newMachine(t, engine, compile(t, engine, interruptible(t, wasm, 0)), nil)
	if got := m.call(t, "_initialize"); got != "<nil>" {
		t.Fatalf("_initialize: %s", got)
	}
	for _, want := range []string{"19267001101", "19268001201", "19269001301"} { // as in TestSplitGoReactor
		if got := m.call(t, "next"); got != want {
			t.Errorf("next gives %s, want %s", got, want)
		}
	}
}

// BenchmarkInterruptible is what the scan costs a module that stays as it is,
// and what rewriting costs one that does not.
func BenchmarkInterruptible(b *testing.B) {
	calm := wat(b, `(module (memory 1) (func `+strings.Repeat(`(i32.store (i32.const 4) (i32.load (i32.const -4))) `, 100_000)+`))`)
	busy := wat(b, `(module (memory 1)`+strings.Repeat(`(func `+strings.Repeat(fill, 1000)+`)`, 100)+`)`)
	for name, wasm := range map[string][]byte{"scan": calm, "rewrite": busy} {
		b.Run(name, func(b *testing.B) {
			m, err := Parse(wasm)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(wasm)))
			b.ReportAllocs()
			for b.Loop() {
				if _, changed, err := m.Interruptible(64); err != nil || changed != (name == "rewrite") {
					b.Fatal(changed, err)
				}
			}
		})
	}
}
