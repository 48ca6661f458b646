package wasmbin

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// allFeatures returns an engine that accepts every instruction it knows, but
// for those of exceptions, which wasmtime-go cannot enable.
func allFeatures(t testing.TB) *wasmtime.Engine {
	t.Helper()
	config := wasmtime.NewConfig()
	config.SetWasmThreads(true)
	config.SetWasmSIMD(true)
	config.SetWasmRelaxedSIMD(true)
	config.SetWasmMultiMemory(true)
	config.SetWasmMemory64(true)
	config.SetWasmTailCall(true)
	config.SetWasmFunctionReferences(true)
	config.SetWasmGC(true)
	config.SetWasmWideArithmetic(true)
	engine := wasmtime.NewEngineWithConfig(config)
	t.Cleanup(engine.Close)
	return engine
}

// host is a module in which index 0 is good in every index space, and of which
// withBody replaces the only function's body. Memory 1 has the given type.
const host = `(module
	(type (func))
	(memory 1) (memory %s 1)
	(table 1 funcref)
	(global (mut i32) (i32.const 0))
	(func (local i32) (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0)))
	(elem func 0)
	(data "x"))`

// withBody returns the module m with one function body that consists of an i32
// local and code.
func withBody(t testing.TB, m *Module, code []byte) []byte {
	t.Helper()
	body := append([]byte{1, 1, byte(I32)}, code...)
	for place, s := range m.sections {
		if s.id == idCode {
			wasm, err := m.replaceSection(place, append(appendUnsigned([]byte{1}, uint64(len(body))), body...))
			if err != nil {
				t.Fatal(err)
			}
			return wasm
		}
	}
	t.Fatal("no code section")
	return nil
}

// TestInstructionsEndWhereTheEngineSays compares the decoder with wasmtime, for
// every instruction and many immediates. The stack before the instruction is
// that of unreachable code, which has whatever it wants. After it stands a
// memory.fill of memory 1 with 32-bit operands. Wasmtime sees that fill, and
// not part of the immediates or of another instruction, exactly if it accepts
// the function when the memory is a 32-bit one and refuses it when it is a
// 64-bit one. Interruptible must see it then and only then.
func TestInstructionsEndWhereTheEngineSays(t *testing.T) {
	engine := allFeatures(t)
	parse := func(kind string) *Module {
		m, err := Parse(wat(t, fmt.Sprintf(host, kind)))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	narrow, wide := parse("i32"), parse("i64")
	fill := []byte("\x41\x01\x41\x01\x41\x01\xfc\x0b\x01")

	// try returns whether wasmtime accepts the instruction with these
	// immediates, and whether the decoder knows it.
	try := func(op, immediates []byte) (valid, known bool) {
		before, after := "\x00", "\x00\x0b"
		switch op[0] {
		case 0x05: // else comes after if
			before, after = "\x00\x04\x40", "\x00\x0b\x00\x0b"
		case opEnd: // of a block
			before = "\x02\x40\x00"
		case 0xd6: // br_on_non_null, to a label that takes a reference
			before, after = "\x02\x70\x00", "\x00\x0b\x00\x0b"
		case 0x02, opLoop, 0x04, 0x1f:
			after = "\x00\x0b\x00\x0b"
		}
		code := bytes.Join([][]byte{[]byte(before), op, immediates, fill, []byte(after)}, nil)
		wasm := withBody(t, narrow, code)
		m, err := Parse(wasm)
		if err != nil {
			t.Fatal(err)
		}
		rewritten, changed, err := m.Interruptible(0)
		var unknown *UnsupportedError
		known = !errors.As(err, &unknown)
		if wasmtime.ModuleValidate(engine, wasm) != nil {
			return false, known
		}
		seen := wasmtime.ModuleValidate(engine, withBody(t, wide, code)) != nil
		switch {
		case !known:
		case err != nil:
			t.Errorf("% x % x is valid and refused: %v", op, immediates, err)
		case changed != seen:
			t.Errorf("% x % x: the fill is seen: %t, want %t", op, immediates, changed, seen)
		case wasmtime.ModuleValidate(engine, rewritten) != nil:
			t.Errorf("% x % x is no longer valid", op, immediates)
		}
		return true, known
	}

	for op, immediates := range opcodes() {
		valid, known := false, false
		for _, i := range immediates {
			v, k := try([]byte(op), i)
			if v && !k && !refused([]byte(op), i) {
				t.Errorf("% x % x is valid and not known", op, i)
			}
			valid, known = valid || v, known || k
		}
		if known && !valid && !untested([]byte(op)) {
			t.Errorf("% x is known, but no engine accepts it", op)
		}
	}
}

// refused reports whether it is by intention that the decoder does not know a
// valid instruction: those of the GC proposal, and a select whose type is the
// index of a type, which wasmtime takes for a reference although the format has
// no such form.
func refused(op, immediates []byte) bool {
	return op[0] == opGC || op[0] == 0xd3 || (op[0] == 0x1c && immediates[1] == 0)
}

// untested reports whether the engine does not enable a known instruction:
// throw, throw_ref and try_table. TestInstructionsOfExceptions has them.
func untested(op []byte) bool { return op[0] == 0x08 || op[0] == 0x0a || op[0] == 0x1f }

// opcodes returns all instructions, known or not, with immediates to try.
func opcodes() map[string][][]byte {
	// Zeros of every length, and short ones with another first byte.
	var numbers [][]byte
	for n := range 20 {
		zeros := make([]byte, n)
		numbers = append(numbers, zeros)
		if n > 4 {
			continue
		}
		for _, first := range []byte{1, 2, 3, 4, 0x1f, 0x40, 0x42, 0x63, 0x70, 0x80, 0xff} {
			numbers = append(numbers, append([]byte{first}, zeros...))
		}
	}
	// For types, every first byte with a few that come after.
	var types [][]byte
	for first := range 256 {
		types = append(types, []byte{byte(first)})
		for _, second := range []byte{0, 1, 0x40, 0x68, 0x69, 0x6f, 0x70, 0x73, 0x7b, 0x7f} {
			types = append(types, []byte{byte(first), second}, []byte{byte(first), second, 0}, []byte{byte(first), second, 0x70})
		}
	}

	all := map[string][][]byte{}
	for op := range 256 {
		name := string([]byte{byte(op)})
		switch byte(op) {
		case opGC, opMisc, opSIMD, opAtomic:
			for number := range uint64(0x140) {
				all[string(appendUnsigned([]byte(name), number))] = numbers
			}
		case 0x02, opLoop, 0x04, 0x1c, opRefNull: // blocks, select, ref.null
			all[name] = types
		default:
			all[name] = numbers
		}
	}
	all["\xfc\x8b\x80\x80\x00"] = numbers // memory.fill, padded
	return all
}

func TestInstructionsOfExceptions(t *testing.T) {
	const fills = 4
	wasm := wat(t, `(module (memory 1) (tag $e (param i32)) (tag $none) (type $pair (func (result i32 exnref)))
		(func (result i32)
			`+fill+`
			(block $h (result i32)
				(block $r (result exnref)
					(block $p (type $pair)
						(try_table (result i32) (catch $e $h) (catch_ref $e $p) (catch $none 3) (catch_all_ref $r)
							`+fill+` (throw $e (i32.const 0xbfc)))
						(try_table (catch_all 3) `+fill+` (throw $none))
						return)
					(throw_ref))
				(drop) (i32.const 1))
			`+fill+`))`)
	out := interruptible(t, wasm, fills-1)
	if n := bytes.Count(out, []byte(epochCheck+"\xfc\x0b\x00")); n != fills || bytes.Count(out, []byte(epochCheck)) != fills {
		t.Errorf("%d checks before memory.fill, want %d: % x", n, fills, out)
	}
}

func TestInstructionsInRealCode(t *testing.T) {
	m, err := Parse(goReactor(t))
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{data: m.body(idCode), end: len(m.body(idCode)), section: "code"}
	bulk, ends := 0, 0
	for range r.count(1, "function body count") {
		size := int(r.u32("function body size"))
		body := &Module{wasm: r.bytes(uint64(size), "function body")}
		places, err := body.bulkPlaces(nil, 0, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range places {
			if body.wasm[at] != opMisc {
				t.Errorf("byte %#x where a bulk instruction is due", body.wasm[at])
			}
		}
		bulk += len(places)
		ends++
	}
	if r.done() != nil || ends != m.Functions() || bulk == 0 {
		t.Errorf("%d bulk instructions in %d of %d functions (%v)", bulk, ends, m.Functions(), r.err)
	}
}
