package wasmbin

import (
	"errors"
	"fmt"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// FuzzInterruptible feeds damaged modules. What is valid must stay valid or be
// refused as unsupported, and must be what it was when the checks are taken out.
func FuzzInterruptible(f *testing.F) {
	for _, text := range []string{
		everything,
		bulkModule,
		fmt.Sprintf(host, "i64"),
		`(module (memory 1) (func ` + fill + `) (func) (func ` + fill + fill + `))`,
		`(module (memory 1) (tag $e (param i32)) (func (result i32) (block $h (result i32) (try_table (catch $e $h) (catch_all 0) (throw $e (i32.const 3))) ` + fill + ` i32.const 2)))`,
		`(module (memory i64 1) (func (param v128) (result v128) (i8x16.shuffle 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 (local.get 0) (v128.const i64x2 0xbfc 0xafc)) (memory.fill (i64.const 0) (i32.const 0) (i64.const 8)) (v128.load8_lane 3 (i64.const 4) (local.get 0)) i32x4.add))`,
		`(module (memory 1 1 shared) (func (result i32) ` + fill + ` atomic.fence (i32.atomic.rmw.cmpxchg offset=16 (i32.const 0) (i32.const 1) (i32.const 2))))`,
		`(module (type $t (func (result i32))) (table 1 funcref) (memory 1) (func (type $t) ` + fill + ` (return_call_indirect (type $t) (i32.const 0))) (func (type $t) ` + fill + ` (select (result i32) (i32.const 0) (i32.const 1) (i32.const 2))))`,
	} {
		f.Add(wat(f, text))
	}
	engine := allFeatures(f)
	f.Fuzz(func(t *testing.T, wasm []byte) {
		m, err := Parse(wasm)
		if err != nil {
			return
		}
		valid := wasmtime.ModuleValidate(engine, wasm) == nil
		out, changed, err := m.Interruptible(0)
		var unsupported *UnsupportedError
		switch {
		case err != nil:
			if valid && !errors.As(err, &unsupported) {
				t.Fatalf("a valid module is refused: %v", err)
			}
			return
		case len(out) > 2*len(wasm)+16:
			t.Fatalf("%d bytes became %d", len(wasm), len(out))
		case changed && len(out) == len(wasm):
			t.Fatal("changed, but not longer")
		}
		if after := wasmtime.ModuleValidate(engine, out); (after == nil) != valid {
			t.Fatalf("valid before: %t; after: %v", valid, after)
		}
	})
}
