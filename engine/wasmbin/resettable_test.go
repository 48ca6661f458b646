package wasmbin

import (
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

func TestResettable(t *testing.T) {
	tests := []struct {
		name, body string
		want       bool
	}{
		{"memory and globals", `(i32.store (i32.const 0) (global.get $g)) (global.set $g (i32.const 1)) (drop (memory.grow (i32.const 1)))`, true},
		{"bulk memory", `(memory.fill (i32.const 0) (i32.const 1) (i32.const 2)) (memory.copy (i32.const 0) (i32.const 1) (i32.const 2)) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))`, true},
		{"call through a table", `(call_indirect (i32.const 0))`, true},
		{"look into a table", `(drop (table.get $t (i32.const 0))) (drop (table.size $t))`, true},
		{"a number that looks like table.set", `(drop (i32.const 0x26)) (drop (i64.const 0x0cfc))`, true},
		{"table.set", `(table.set $t (i32.const 0) (ref.null func))`, false},
		{"table.grow", `(drop (table.grow $t (ref.null func) (i32.const 1)))`, false},
		{"table.fill", `(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))`, false},
		{"table.copy", `(table.copy (i32.const 0) (i32.const 0) (i32.const 1))`, false},
		{"table.init", `(table.init $e (i32.const 0) (i32.const 0) (i32.const 1))`, false},
		{"data.drop", `(data.drop $d)`, false},
		{"elem.drop", `(elem.drop $e)`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wasm, err := wasmtime.Wat2Wasm(`(module (memory 1) (table $t 4 funcref) (global $g (mut i32) (i32.const 0))
			  (data $d "abc") (elem $e func 0) (func) (func ` + test.body + `) (func (local i64 f32) (nop)))`)
			if err != nil {
				t.Fatal(err)
			}
			m, err := Parse(wasm)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := m.Resettable(); got != test.want || err != nil {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
