package capi

import (
	"strings"
	"testing"
	"time"
)

// detailsGuest puts the details where its event, four bytes, says and replies with all
// that they are.
const detailsGuest = `(module
  (import "ledge" "input_read" (func $read (param i32)))
  (import "ledge" "output" (func $output (param i32 i32)))
  (import "ledge" "request" (func $request (param i32) (result i32)))
  (import "ledge" "details" (func $details (param i32)))
  (memory (export "memory") 1)
  (func (export "entry") (local $n i32)
    (call $read (i32.const 0))
    (local.set $n (call $request (i32.const 8)))
    (call $details (i32.load (i32.const 0)))
    (call $output (i32.load (i32.const 0)) (local.get $n))))`

// A guest reads the details of its own call and no others, and cannot have them written
// outside of its memory.
func TestDetails(t *testing.T) {
	engine := newEngine(t)
	in := instance(t, template(t, engine, NewNode(0, false), TemplateConfig{ABI: Language, Code: compile(t, engine, detailsGuest), Entry: "entry"}), noHost{})
	const end = "\x00\x00\x01\x00" // of the memory
	for i, test := range []struct {
		details, at string
		want        Outcome
	}{
		{"", "\x40\x00\x00\x00", OK},
		{"one", "\x40\x00\x00\x00", OK},
		{strings.Repeat("long", 1000), "\x40\x00\x00\x00", OK},
		{"two", "\x40\x00\x00\x00", OK},
		{"", "\x40\x00\x00\x00", OK},
		{"four", "\xfc\xff\x00\x00", OK},
		{"", end, OK},
		{"fives", "\xfc\xff\x00\x00", Trapped},
		{"four", end, Trapped},
		{"four", "\xff\xff\xff\xff", Trapped},
		{strings.Repeat("x", 100000), "\x00\x00\x00\x00", Trapped},
		{"again", "\x40\x00\x00\x00", OK},
	} {
		if got := in.Instantiate(time.Second); got != OK {
			t.Fatal(got, in.Message())
		}
		if room := in.Details(len(test.details)); copy(room, test.details) != len(test.details) {
			t.Fatalf("%d bytes of room for %d", len(room), len(test.details))
		}
		got := in.Call([]byte(test.at), time.Second)
		if got != test.want || got == OK && string(in.Reply()) != test.details {
			t.Errorf("call %d: %v %s, reply %.20q", i, got, in.Message(), in.Reply())
		}
		in.Drop()
	}
}
