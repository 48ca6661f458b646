package wasmbin

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// TestSplitRandomModules checks modules whose shape and state are random: data
// that overlaps, passive data, all types of globals, tables, a start function,
// growing memory. The seed is the subtest's name.
func TestSplitRandomModules(t *testing.T) {
	engine := wasmtime.NewEngine()
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			text := randomModule(rand.New(rand.NewPCG(seed, 0)))
			checkSplit(t, engine, wat(t, text), []string{"step", "step", "fill", "step"}, []string{"step", "fill", "step", "grow", "step"})
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}

// randomModule returns the text of a module with the exports step, fill and
// grow. step reads and changes all of its state.
func randomModule(r *rand.Rand) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	chance := func(n int) bool { return r.IntN(n) == 0 }
	pages := 1 + r.IntN(3)
	address := func() int { return r.IntN(pages*PageSize - 64) }

	line(`(module $random`)
	line(`(type $f (func (result i32)))`)
	line(`(import "env" "triple" (func $triple (param i32) (result i32)))`)
	exported := ""
	if !chance(4) {
		exported = `(export "memory") `
	}
	if chance(2) {
		line(`(memory %s%d %d)`, exported, pages, pages+r.IntN(4))
	} else {
		line(`(memory %s%d)`, exported, pages)
	}

	line(`(global $acc (mut i64) (i64.const %d))`, r.Int64())
	line(`(global $slot (mut i32) (i32.const 0))`)
	var globals []string
	kinds := []string{"i32", "i64", "f32", "f64"}
	for i := range r.IntN(10) {
		kind, mutable := kinds[r.IntN(len(kinds))], !chance(4)
		kindText := kind
		if mutable {
			kindText = "(mut " + kind + ")"
			globals = append(globals, fmt.Sprintf("%d %s", i, kind))
		}
		line(`(global $g%d %s (%s.const %d))`, i, kindText, kind, r.IntN(1000))
	}

	elements := 1 + r.IntN(5)
	line(`(table $t %d funcref)`, elements)
	line(`(elem (i32.const 0) %s)`, strings.Repeat(" $one", elements))
	line(`(elem (i32.const %d) $two)`, r.IntN(elements))
	line(`(func $one (result i32) i32.const 1) (func $two (result i32) i32.const 2)`)

	var passive []int
	segments := r.IntN(30)
	near := address()
	for i := range segments {
		content := randomText(r, r.IntN(40))
		at := address()
		switch {
		case chance(5):
			passive = append(passive, i)
			line(`(data $d%d "%s")`, i, content)
			continue
		case chance(2): // close together, so that they overlap
			at = min(near+r.IntN(60), pages*PageSize-64)
		}
		line(`(data $d%d (i32.const %d) "%s")`, i, at, content)
	}

	if chance(2) {
		line(`(start $main)`)
		line(`(func $main (i64.store (i32.const %d) (i64.const %d)) (global.set $slot (call $triple (i32.const %d))))`, address(), r.Int64(), r.IntN(100))
	}
	line(`(func (export "fill")`)
	for _, i := range passive {
		line(`(memory.init $d%d (i32.const %d) (i32.const 0) (i32.const %d))`, i, address(), r.IntN(5))
		if chance(3) {
			line(`(memory.fill (i32.const %d) (i32.const %d) (i32.const %d))`, address(), r.IntN(256), r.IntN(64))
		}
	}
	line(`)`)
	line(`(func (export "grow") (result i32) (memory.grow (i32.const %d)))`, r.IntN(3))
	line(`(func (export "step") (result i64)`)
	line(`(global.set $acc (i64.add (global.get $acc) (i64.extend_i32_u (call_indirect $t (type $f) (i32.rem_u (global.get $slot) (i32.const %d))))))`, elements)
	line(`(global.set $slot (i32.add (global.get $slot) (i32.const 1)))`)
	for _, g := range globals {
		var i int
		var kind string
		fmt.Sscan(g, &i, &kind)
		line(`(global.set $g%d (%s.add (global.get $g%d) (%s.const %d)))`, i, kind, i, kind, 1+r.IntN(9))
		line(`(%s.store (i32.const %d) (global.get $g%d))`, kind, address(), i)
	}
	for range 1 + r.IntN(6) {
		line(`(global.set $acc (i64.xor (i64.rotl (global.get $acc) (i64.const 7)) (i64.load (i32.const %d))))`, address())
		line(`(i64.store (i32.const %d) (global.get $acc))`, address())
	}
	line(`global.get $acc))`)
	return b.String()
}

func randomText(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, `\%02x`, r.IntN(256))
	}
	return b.String()
}
