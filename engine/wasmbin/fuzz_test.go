package wasmbin

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// FuzzParse feeds damaged modules. Parse must not panic; what wasmtime accepts
// it must read; and what Split takes apart must stay valid in both parts.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		everything,
		everythingSplit,
		`(module)`,
		`(module (memory 1) (data (i32.const 3) "abc") (data (i32.const 4) "def"))`,
		`(module (memory 1 2) (global $g (mut f64) (f64.const 1)) (data "p") (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)) (data.drop 0)))`,
		`(module (memory 2) (global i32 (i32.const 8)) (data (i32.add (i32.const 1) (i32.const 2)) "x") (start $s) (func $s))`,
		`(module (table 2 funcref) (elem (i32.const 0) $f) (elem func $f) (func $f (export "f") (result i32 i64) i32.const 1 i64.const 2))`,
		`(module (import "a" "b" (memory i64 1)) (import "a" "c" (table 1 externref)) (import "a" "d" (global (mut i64))))`,
		`(module (tag $e (param i32)) (export "e" (tag $e)))`,
		`(component)`,
	} {
		f.Add(wat(f, text))
	}
	f.Add([]byte("\x7fELF"))
	f.Add([]byte("(module)"))
	engine := wasmtime.NewEngine()
	f.Fuzz(func(t *testing.T, wasm []byte) {
		m, err := Parse(wasm)
		valid := wasmtime.ModuleValidate(engine, wasm) == nil
		if err != nil {
			if _, syntax := err.(*SyntaxError); syntax && valid {
				t.Fatalf("a valid module is refused: %v", err)
			}
			return
		}
		for i := range m.funcs {
			m.FuncName(uint32(i))
			if i == 16 { // each call searches from the start
				break
			}
		}
		p, err := m.Split()
		if err != nil || !valid {
			return
		}
		if err := wasmtime.ModuleValidate(engine, p.Code); err != nil {
			t.Errorf("the code is not valid: %v", err)
		}
		if err := wasmtime.ModuleValidate(engine, p.Image); err != nil {
			t.Errorf("the image is not valid: %v", err)
		}
	})
}

// FuzzEncodeImage makes a memory of writes, each an offset of 3 bytes and a
// byte, and reads its image back.
func FuzzEncodeImage(f *testing.F) {
	f.Add(uint8(1), []byte{})
	f.Add(uint8(3), []byte{0, 0, 0, 1, 0, 16, 0, 1, 255, 255, 1, 9})
	f.Add(uint8(2), []byte{255, 255, 1, 1, 255, 15, 0, 1})
	f.Fuzz(func(t *testing.T, pages uint8, writes []byte) {
		memory := make([]byte, int(pages%8)*PageSize)
		for ; len(writes) >= 4 && len(memory) > 0; writes = writes[4:] {
			at := binary.LittleEndian.Uint32(writes) & 0xffffff
			memory[int(at)%len(memory)] = writes[3]
		}
		image, err := EncodeImage(memory, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := decodeImage(t, image); !bytes.Equal(got, memory) {
			t.Error("the image has other content")
		}
	})
}
