package engine

import (
	"context"
	"testing"
)

// helloModule replies with a constant, as a warm function does that has its
// answer ready.
const helloModule = `(module ` + kernel + `
  (func (export "handle") (result i32) (local $at i64)
    (local.set $at (call $alloc (i64.const 8)))
    (call $store64 (local.get $at) (i64.const 0x2165676465206968))
    (call $reply (local.get $at)) (i32.const 0)))`

// commandModule writes a constant to standard output.
const commandModule = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\08\00\00\00hi edge!")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))`

func BenchmarkInvoke(b *testing.B) {
	warm, fresh, command := function(b, "warm", helloModule), function(b, "fresh", helloModule), function(b, "command", commandModule)
	fresh.Isolation = IsolationFresh
	command.Runtime = RuntimeWASI
	restored := function(b, "restored", counterModule)
	restored.Isolation = IsolationFresh
	r := open(b, testConfig(b))
	for _, f := range []Function{warm, fresh, command, restored} {
		deploy(b, r, f)
		b.Run(f.Name, func(b *testing.B) {
			inv := Invocation{Function: f.Name, Payload: []byte(`{"name":"edge"}`)}
			var res Result
			b.ReportAllocs()
			for b.Loop() {
				inv.RequestID = RequestID{}
				if err := r.Invoke(context.Background(), &inv, &res); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkInvokeTogether is the warm function for many callers at once, who share its
// counters.
func BenchmarkInvokeTogether(b *testing.B) {
	r := open(b, testConfig(b))
	deploy(b, r, function(b, "warm", helloModule))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		inv := Invocation{Function: "warm", Payload: []byte(`{"name":"edge"}`)}
		var res Result
		for pb.Next() {
			inv.RequestID = RequestID{}
			if err := r.Invoke(context.Background(), &inv, &res); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// A warm Invocation allocates nothing on the host's side.
func TestInvokeAllocatesNothing(t *testing.T) {
	r := open(t, testConfig(t))
	deploy(t, r, function(t, "warm", helloModule))
	inv := Invocation{Function: "warm", Payload: []byte("{}")}
	var res Result
	n := testing.AllocsPerRun(1000, func() {
		inv.RequestID = RequestID{}
		if err := r.Invoke(context.Background(), &inv, &res); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 || string(res.Payload) != "hi edge!" {
		t.Errorf("%v allocations, reply %q", n, res.Payload)
	}
}
