package capi

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A fresh instance that was put back after a call is what it was when it was
// restored, whatever the call wrote and wherever; one that cannot be is not kept.
func TestPutBack(t *testing.T) {
	engine := newEngine(t)
	const pages = 8 // of 64 KiB
	image := compile(t, engine, fmt.Sprintf(`(module (memory (export "memory") %d 64) (data (i32.const 70000) "%s") (data (i32.const 400000) "end"))`,
		pages, bytes.Repeat([]byte("image"), 20000)))
	// The event is a list of writes: an offset and a byte, 8 bytes each. "grow" grows, "trap" traps.
	code := compile(t, engine, fmt.Sprintf(`(module
	  (import "ledge" "memory" (memory %d 64))
	  (import "ledge" "input_size" (func $size (result i32)))
	  (import "ledge" "input_read" (func $read (param i32)))
	  (import "ledge" "output" (func $output (param i32 i32)))
	  (global $counter (export "counter") (mut i32) (i32.const 0))
	  (func (export "entry") (local $at i32) (local $end i32)
	    (global.set $counter (i32.add (global.get $counter) (i32.const 1)))
	    (i32.store (i32.const 16) (global.get $counter))
	    (call $output (i32.const 16) (i32.const 4))
	    (call $read (i32.const 32))
	    (if (i32.eq (i32.load (i32.const 32)) (i32.const 0x776f7267)) (then (drop (memory.grow (i32.const 1))) (return)))
	    (if (i32.eq (i32.load (i32.const 32)) (i32.const 0x70617274)) (then (unreachable)))
	    (local.set $end (i32.add (i32.const 32) (call $size)))
	    (local.set $at (i32.const 32))
	    (block (loop (br_if 1 (i32.ge_u (local.get $at) (local.get $end)))
	      (i32.store8 (i32.load (local.get $at)) (i32.load (i32.add (local.get $at) (i32.const 4))))
	      (local.set $at (i32.add (local.get $at) (i32.const 8))) (br 0)))))`, pages))
	memory := Import{"ledge", "memory"}
	cfg := TemplateConfig{ABI: Language, Code: code, Image: image, Entry: "entry", MemoryImport: memory, Resettable: true,
		Imports: []Import{memory, {"ledge", "input_size"}, {"ledge", "input_read"}, {"ledge", "output"}},
		Globals: []Global{{Name: "counter", Kind: I32, Bits: [16]byte{41}}}}
	template := template(t, engine, NewNode(0, false), cfg)
	pristine := instance(t, template, noHost{})
	if outcome := pristine.Restore(time.Second); outcome != OK {
		t.Fatal(outcome, pristine.Message())
	}
	want := bytes.Clone(pristine.View())
	in := instance(t, template, noHost{})
	call := func(event []byte) Outcome {
		outcome := in.CallFresh(event, time.Second)
		if outcome == OK && !bytes.Equal(in.Reply(), []byte{42, 0, 0, 0}) {
			t.Fatalf("the counter is %v", in.Reply())
		}
		return outcome
	}
	if call(nil); in.Pristine() {
		t.Error("put back before the working set is known")
	}
	ranges := []Range{{0, 4096}, {80 << 10, 8192}, {400 << 10, 4096}}
	var content []byte
	for _, r := range ranges {
		content = append(content, want[r.Offset:r.Offset+r.Len]...)
	}
	template.Prefault(ranges, content)

	random := rand.New(rand.NewPCG(1, 2))
	for turn := range 300 {
		var event []byte
		for range random.IntN(200) {
			at := random.Uint32N(pages << 16)
			if at < 4096 {
				at += 4096 // not the event itself
			}
			event = append(event, byte(at), byte(at>>8), byte(at>>16), 0, byte(random.Uint32()), 0, 0, 0)
		}
		if outcome := call(event); outcome != OK {
			t.Fatal(outcome, in.Message())
		}
		if !in.Pristine() {
			t.Fatalf("turn %d: not put back", turn)
		}
		if got := in.View(); !bytes.Equal(got, want) {
			t.Fatalf("turn %d: the memory differs at %d", turn, mismatch(got, want))
		}
	}
	if outcome := call([]byte("grow")); outcome != OK || in.Pristine() {
		t.Errorf("outcome %d; put back: %v, though the memory has grown", outcome, in.Pristine())
	}
	if outcome := call(nil); outcome != OK || !in.Pristine() {
		t.Errorf("outcome %d; not put back after it was made anew", outcome)
	}
	if outcome := call([]byte("trap")); outcome != Trapped || in.Pristine() {
		t.Errorf("outcome %d; put back: %v, though it was unwound", outcome, in.Pristine())
	}
}
