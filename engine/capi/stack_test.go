package capi

import (
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// A guest that recurses without end is stopped where libwasmtime was told, on
// every thread and whatever ulimit -s says. The limit is set for a process of its
// own: this test again.
func TestThreadStack(t *testing.T) {
	if os.Getenv("LEDGE_TEST_STACK") != "" {
		recurse(t)
		return
	}
	for _, limit := range []string{"512", "unlimited"} {
		cmd := exec.Command("sh", "-c", "ulimit -S -s "+limit+` && exec "$0" -test.run '^TestThreadStack$'`, os.Args[0])
		cmd.Env = append(os.Environ(), "LEDGE_TEST_STACK=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("ulimit -s %s: %v\n%s", limit, err, out)
		}
	}
}

func recurse(t *testing.T) {
	engine := newEngineWithStack(t, 4<<20)
	tick(t, engine)
	template := template(t, engine, NewNode(0, false), TemplateConfig{ABI: Command, Entry: "_start", Code: compile(t, engine,
		`(module (memory (export "memory") 1) (func $down (param i64) (call $down (i64.add (local.get 0) (i64.const 1))) (drop (local.get 0)))
		  (func (export "_start") (call $down (i64.const 0))))`)})
	var wait sync.WaitGroup
	for range 16 { // more than there are processors: on threads old and new
		in := instance(t, template, noHost{})
		wait.Go(func() {
			if got := in.CallFresh(nil, 10*time.Second); got != Trapped || in.TrapCode() != 0 {
				t.Errorf("outcome %d, trap %d: %s", got, in.TrapCode(), in.Message())
			}
		})
	}
	wait.Wait()
}
