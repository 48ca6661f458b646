package extism

import (
	"slices"
	"strings"
	"testing"

	"ledge/engine/wasmbin"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

func TestFindHandler(t *testing.T) {
	tests := []struct {
		name, wat, ask string
		want           Handler
		why            string
		init           []string
	}{
		{"the only one", `(func (export "greet") (result i32) i32.const 0)`, "", Handler{"greet", true}, "", nil},
		{"one without a result", `(func (export "greet"))`, "", Handler{"greet", false}, "", nil},
		{"by name", `(func (export "a")) (func (export "b"))`, "b", Handler{"b", false}, "", nil},
		{"usual name", `(func (export "a")) (func (export "handle"))`, "", Handler{"handle", false}, "", nil},
		{"several", `(func (export "a")) (func (export "b"))`, "", Handler{}, "several", nil},
		{"none", `(func (export "a") (param i32))`, "", Handler{}, "no function", nil},
		{"missing", `(func (export "a"))`, "b", Handler{}, `"b"`, nil},
		{"reactor", `(func (export "_initialize")) (func (export "a"))`, "", Handler{"a", false}, "", []string{"_initialize"}},
		{"library", `(func (export "__wasm_call_ctors")) (func (export "a"))`, "", Handler{"a", false}, "", []string{"__wasm_call_ctors"}},
		{"both", `(func (export "__wasm_call_ctors")) (func (export "_initialize")) (func (export "a"))`, "", Handler{"a", false}, "", []string{"_initialize"}},
		{"Haskell", `(func (export "_initialize")) (func (export "hs_init") (param i32 i32)) (func (export "a"))`, "", Handler{"a", false}, "", []string{"_initialize", "hs_init"}},
		{"an initialiser of another type", `(func (export "_initialize") (param i32)) (func (export "a"))`, "", Handler{"a", false}, "", nil},
		{"a memory of that name", `(memory (export "handle") 1)`, "handle", Handler{}, "does not export a function", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wasm, err := wasmtime.Wat2Wasm("(module " + test.wat + ")")
			if err != nil {
				t.Fatal(err)
			}
			m, err := wasmbin.Parse(wasm)
			if err != nil {
				t.Fatal(err)
			}
			got, err := FindHandler(m, test.ask)
			if (err == nil) != (test.why == "") || err != nil && !strings.Contains(err.Error(), test.why) {
				t.Errorf("error %v", err)
			}
			if err == nil && got != test.want {
				t.Errorf("handler %+v", got)
			}
			if init := Initialisers(m); !slices.Equal(init, test.init) {
				t.Errorf("initialisers %v", init)
			}
		})
	}
}
