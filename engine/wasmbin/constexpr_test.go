package wasmbin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestEvalOffset(t *testing.T) {
	chain := func(n int) string { // $g0 is 7, each later global is the one before
		var b strings.Builder
		b.WriteString("(global $g0 i32 (i32.const 7))")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, "(global $g%d i32 (global.get $g%d))", i, i-1)
		}
		return b.String()
	}
	for _, c := range []struct {
		globals, offset string
		want            int32
		why             string // of the error
		unsupported     bool
	}{
		{"", "i32.const -2", -2, "", false},
		{"", "(i32.sub (i32.const 3) (i32.const 10))", -7, "", false},
		{"", "(i32.mul (i32.const 0x10000) (i32.const 0x10001))", 0x10000, "", false}, // wraps
		{chain(1), "(i32.add (global.get $g0) (i32.const 1))", 8, "", false},
		{chain(maxConstDepth), fmt.Sprintf("global.get $g%d", maxConstDepth-1), 7, "", false},
		{chain(maxConstDepth + 1), fmt.Sprintf("global.get $g%d", maxConstDepth), 0, "nested too deeply", true},
		{`(import "env" "g" (global $i i32))`, "global.get $i", 0, "imported global 0", true},
		{`(global $m (mut i32) (i32.const 1))`, "global.get $m", 0, "mutable", false},
		{"", "i64.const 1", 0, "does not give an i32", false},
		{"", "i32.add (i32.const 1)", 0, "operand is missing", false},
		{"", "i32.const 1 i32.const 2", 0, "2 values", false},
		{"", "", 0, "0 values", false},
		{"", "global.get 9", 0, "global 9 does not exist", false},
	} {
		m, err := Parse(wat(t, fmt.Sprintf(`(module %s (memory 1) (data (offset %s) "x"))`, c.globals, c.offset)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.evalI32(m.segments[0].offset, 0)
		var unsupported *UnsupportedError
		switch {
		case c.why == "" && (err != nil || got != c.want):
			t.Errorf("%s: got %d, %v, want %d", c.offset, got, err, c.want)
		case c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)):
			t.Errorf("%s: error %v, want one that says %q", c.offset, err, c.why)
		case errors.As(err, &unsupported) != c.unsupported:
			t.Errorf("%s: error %v is unsupported: %v, want %v", c.offset, err, !c.unsupported, c.unsupported)
		}
	}
}

// TestConstantForms has each instruction that a constant expression may hold.
func TestConstantForms(t *testing.T) {
	m, err := Parse(wat(t, `(module
		(func $f)
		(global i64 (i64.add (i64.const -1) (i64.mul (i64.const 2) (i64.sub (i64.const 3) (i64.const 4)))))
		(global f32 (f32.const 1)) (global f64 (f64.const 1)) (global v128 (v128.const i32x4 1 2 3 4))
		(global funcref (ref.func $f)) (global externref (ref.null extern)) (global funcref (ref.null func))
		(export "f" (func $f)))`))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.globals) != 7 {
		t.Errorf("%d globals, want 7", len(m.globals))
	}
}
