package wasi

import (
	"slices"
	"strings"
	"testing"

	"ledge/engine/wasmbin"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

func parse(t *testing.T, wat string) *wasmbin.Module {
	t.Helper()
	wasm, err := wasmtime.Wat2Wasm(wat)
	if err != nil {
		t.Fatal(err)
	}
	m, err := wasmbin.Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModules(t *testing.T) {
	tests := []struct {
		name, wat string
		why       string // it is no command
	}{
		{"command", `(module (func (export "_start")))`, ""},
		{"library", `(module (func (export "run")))`, "does not export _start"},
		{"start that takes something", `(module (func (export "_start") (param i32)))`, "(i32)->()"},
		{"start that is no function", `(module (memory (export "_start") 1))`, "is a memory"},
		{"command that writes", `(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))) (func (export "_start")))`, ""},
		{"command that reads its environment", `(module (import "wasi_snapshot_preview1" "environ_get" (func (param i32 i32) (result i32))) (func (export "_start")))`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := parse(t, test.wat)
			err := CheckCommand(m)
			if (err == nil) != (test.why == "") || err != nil && !strings.Contains(err.Error(), test.why) {
				t.Errorf("command: %v", err)
			}
		})
	}
}

// The same function always has the same environment: it is part of what names a
// Snapshot.
func TestEnvironment(t *testing.T) {
	own := map[string]string{"B": "2", "A": "1=1", "C": ""}
	facts := Facts{Region: "eu-north-1", Function: "f", Version: "7", Handler: "handle", Execution: "AWS_Lambda_ledge", Memory: 256 << 20}
	first := Environment(facts, own)
	for range 20 {
		if again := Environment(facts, own); !slices.Equal(first, again) {
			t.Fatalf("%v and %v", first, again)
		}
	}
	if !slices.Equal(first[:3], []string{"A=1=1", "B=2", "C="}) {
		t.Errorf("own variables %v", first[:3])
	}
	for _, want := range []string{"_HANDLER=handle", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "AWS_LAMBDA_FUNCTION_VERSION=7", "AWS_REGION=eu-north-1"} {
		if !slices.Contains(first, want) {
			t.Errorf("%s is missing in %v", want, first)
		}
	}
}
