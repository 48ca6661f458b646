package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// settled returns when no Instances of the version are being made, and then what
// Provisioned says.
func settled(t *testing.T, r *Runtime, name, number string) string {
	t.Helper()
	if w := r.table.view(name); w != nil && w.version(number) != nil {
		v := w.version(number)
		for {
			v.mu.Lock()
			making := v.provision.making
			v.mu.Unlock()
			if making == nil {
				break
			}
			<-making
		}
	}
	requested, available, allocated, reason := r.Provisioned(name, number)
	return strings.TrimSpace(fmt.Sprint(requested, available, allocated, " ", reason))
}

func setProvisioned(t *testing.T, r *Runtime, name, number string, n int) {
	t.Helper()
	if err := r.SetProvisioned(name, number, n); err != nil {
		t.Fatal(err)
	}
}

// heldData answers no Get before it is released.
type heldData struct {
	memoryData
	asked    chan struct{}
	released chan struct{}
}

func (k *heldData) Get(bucket, key string) (Item, error) {
	k.asked <- struct{}{}
	<-k.released
	return Item{}, nil
}

// meetModule asks for a variable and replies with nothing. Its initialisation runs in
// each Instance.
const meetModule = `(module ` + kernel + `
  (func (export "_initialize"))
  (func (export "handle") (result i32) (drop (call $get (call $event))) (i32.const 0)))`

// As many requests as are provisioned find a warm Instance, the first time that the
// function is asked at all, and one more does not.
func TestProvisioned(t *testing.T) {
	const n = 3
	ask := pair{
		"import ledge\ndef handler(event, context):\n    ledge.kv.get('x')\n",
		"export const handler = async () => { await ledge.kv.get('x'); };",
	}
	meet := function(t, "f", meetModule)
	meet.NoSnapshot = true
	for _, f := range []Function{meet, pythonFunction(t, ask.python), javaScriptFunction(t, ask.javaScript)} {
		t.Run(f.Runtime, func(t *testing.T) {
			kv := &heldData{asked: make(chan struct{}), released: make(chan struct{})}
			cfg := testConfig(t)
			cfg.Data = kv
			r := open(t, cfg)
			f.Version = "1"
			if err := r.Register(f); err != nil {
				t.Fatal(err)
			}
			if got := settled(t, r, "f", "1"); got != "0 0 0" {
				t.Errorf("before: %s", got)
			}
			setProvisioned(t, r, "f", "1", n)
			if got := settled(t, r, "f", "1"); got != "3 3 3" {
				t.Fatalf("provisioned: %s", got)
			}
			results := make([]Result, n+1)
			var wg sync.WaitGroup
			for i := range results {
				wg.Go(func() {
					if err := r.Invoke(context.Background(), &Invocation{Function: "f", Qualifier: "1", Payload: []byte("0")}, &results[i]); err != nil {
						t.Error(err)
					}
				})
				<-kv.asked // it runs, and so do those before it
			}
			if got := settled(t, r, "f", "1"); got != "3 3 3" {
				t.Errorf("while they run: %s", got)
			}
			close(kv.released)
			wg.Wait()
			for i, res := range results {
				if warm := res.Report.Init == 0; warm != (i < n) {
					t.Errorf("invocation %d: init took %s", i, res.Report.Init)
				}
			}
		})
	}
}

// Instances that are put back wait for fresh Invocations. The first one shows which
// pages that takes and leaves none.
func TestProvisionedFresh(t *testing.T) {
	for _, f := range []Function{
		pythonFunction(t, "seen = []\ndef handler(event, context):\n    seen.append(1)\n    return len(seen)\n"),
		javaScriptFunction(t, "let seen = 0; export const handler = async () => ++seen;"),
	} {
		t.Run(f.Runtime, func(t *testing.T) {
			r := open(t, testConfig(t))
			f.Isolation = IsolationFresh
			deploy(t, r, f)
			setProvisioned(t, r, "f", Latest, 2)
			for i := range 5 {
				if got := settled(t, r, "f", Latest); got != "2 2 2" {
					t.Fatalf("before invocation %d: %s", i, got)
				}
				if got, err := invoke(r, "f", "0"); err != nil || got != "1" {
					t.Errorf("%s, %v", got, err)
				}
			}
			if n := r.Stats().Instances; n != 2 {
				t.Errorf("%d instances", n)
			}
		})
	}
}

// Of a command, which is a new Instance each time, the code is loaded.
func TestProvisionedCommand(t *testing.T) {
	r := open(t, testConfig(t))
	f := function(t, "f", commandModule)
	f.Runtime = RuntimeWASI
	if err := r.Register(f); err != nil {
		t.Fatal(err)
	}
	setProvisioned(t, r, "f", Latest, 5)
	if got := settled(t, r, "f", Latest); got != "5 5 5" {
		t.Error(got)
	}
	if n := r.Stats().Instances; n != 0 || r.table.view("f").latest.program.Load() == nil {
		t.Errorf("%d instances", n)
	}
	if got, err := invoke(r, "f", ""); err != nil || got != "hi edge!" {
		t.Errorf("%q, %v", got, err)
	}
}

// The reaper leaves what is provisioned, goes to sleep over it, and takes the rest.
func TestProvisionedStaysIdle(t *testing.T) {
	cfg := testConfig(t)
	cfg.IdleTimeout = time.Nanosecond
	r := open(t, cfg)
	deploy(t, r, function(t, "f", echoModule))
	deploy(t, r, function(t, "other", echoModule))
	setProvisioned(t, r, "f", Latest, 3)
	if got := settled(t, r, "f", Latest); got != "3 3 3" {
		t.Fatal(got)
	}
	for range 2 {
		r.reaper.reap()
		if n := r.Stats().Instances; n != 3 {
			t.Errorf("%d instances are left of 3", n)
		}
	}
	if r.reaper.armed.Load() {
		t.Error("an idle node has a timer")
	}
	setProvisioned(t, r, "f", Latest, 1)
	r.reaper.reap()
	if n := r.Stats().Instances; n != 1 {
		t.Errorf("%d instances are left of 1", n)
	}
	setProvisioned(t, r, "f", Latest, 0)
	r.reaper.reap()
	if n := r.Stats().Instances; n != 0 {
		t.Errorf("%d instances are left of none", n)
	}
	if n := r.provisions.Load(); n != 0 {
		t.Errorf("%d versions are still provisioned", n)
	}
}

// Other idle Instances make room first. Where there is nothing else provisioned ones
// do, and are made again when there is room.
func TestProvisionedGoesLast(t *testing.T) {
	cfg := testConfig(t)
	cfg.MaxInstances = 3
	kv := &heldData{asked: make(chan struct{}), released: make(chan struct{})}
	cfg.Data = kv
	r := open(t, cfg)
	deploy(t, r, function(t, "kept", echoModule))
	setProvisioned(t, r, "kept", Latest, 2)
	if got := settled(t, r, "kept", Latest); got != "2 2 2" {
		t.Fatal(got)
	}
	for _, name := range []string{"a", "b", "c", "a"} { // one after the other in the third place
		deploy(t, r, function(t, name, echoModule))
		if got := settled(t, r, "kept", Latest); got != "2 2 2" {
			t.Errorf("after %s: %s", name, got)
		}
	}
	busy := function(t, "busy", meetModule)
	busy.Limits.Timeout = time.Minute
	deploy(t, r, busy)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := invoke(r, "busy", "x"); err != nil {
				t.Error(err)
			}
		})
		<-kv.asked
	}
	if got := settled(t, r, "kept", Latest); !strings.HasPrefix(got, "2 1 1 other functions needed the memory") {
		t.Errorf("under pressure: %s", got)
	}
	close(kv.released)
	wg.Wait()
	if err := r.Remove("busy", ""); err != nil {
		t.Fatal(err)
	}
	if got := settled(t, r, "kept", Latest); got != "2 2 2" {
		t.Errorf("with room again: %s", got)
	}
}

// An Instance that others had to go for may fail: those are made again at once, and
// not only when somebody asks for them.
func TestProvisionedAfterAFailure(t *testing.T) {
	const fails = `(module ` + kernel + `
  (func (export "handle") (result i32) (drop (call $get (call $event))) unreachable))`
	for _, isolation := range []Isolation{IsolationReuse, IsolationFresh} {
		t.Run(string(isolation), func(t *testing.T) {
			cfg := testConfig(t)
			cfg.MaxInstances = 2
			kv := &heldData{asked: make(chan struct{}), released: make(chan struct{})}
			cfg.Data = kv
			r := open(t, cfg)
			busy := function(t, "busy", fails)
			busy.Limits.Timeout = time.Minute
			busy.Isolation = isolation
			deploy(t, r, busy)
			deploy(t, r, function(t, "kept", echoModule))
			setProvisioned(t, r, "kept", Latest, 2)
			if got := settled(t, r, "kept", Latest); got != "2 2 2" {
				t.Fatal(got)
			}
			ended := make(chan error, 1)
			go func() {
				_, err := invoke(r, "busy", "x")
				ended <- err
			}()
			<-kv.asked
			if got := settled(t, r, "kept", Latest); !strings.HasPrefix(got, "2 1 1 ") {
				t.Errorf("under pressure: %s", got)
			}
			close(kv.released)
			var trap *TrapError
			if err := <-ended; !errors.As(err, &trap) {
				t.Errorf("the guest did not trap: %v", err)
			}
			if got := settled(t, r, "kept", Latest); got != "2 2 2" {
				t.Errorf("with room again: %s", got)
			}
		})
	}
}

// What stands in the way is told, and more are made when it is gone.
func TestProvisionedBudget(t *testing.T) {
	cfg := testConfig(t)
	cfg.MemoryBudget = 4 * pageSize
	r := open(t, cfg)
	deploy(t, r, function(t, "first", echoModule))
	deploy(t, r, function(t, "f", echoModule))
	setProvisioned(t, r, "first", Latest, 1)
	setProvisioned(t, r, "f", Latest, 10)
	if got := settled(t, r, "f", Latest); !strings.HasPrefix(got, "10 3 3") || !strings.Contains(got, ErrOverloaded.Error()) {
		t.Errorf("with too little memory: %s", got)
	}
	if got := settled(t, r, "first", Latest); got != "1 1 1" {
		t.Errorf("what another has provisioned was taken: %s", got)
	}
	if err := r.Remove("first", ""); err != nil {
		t.Fatal(err)
	}
	if got := settled(t, r, "f", Latest); !strings.HasPrefix(got, "10 4 4") {
		t.Errorf("with more memory: %s", got)
	}
	setProvisioned(t, r, "f", Latest, 2)
	if got := settled(t, r, "f", Latest); got != "2 2 2" {
		t.Errorf("with fewer: %s", got)
	}
}

// One that a guest has broken is replaced, and no more of them are made than the
// function's concurrency can use.
func TestProvisionedAgain(t *testing.T) {
	r := open(t, testConfig(t))
	deploy(t, r, function(t, "f", `(module (func (export "handle") (result i32) unreachable))`))
	setProvisioned(t, r, "f", Latest, 2)
	settled(t, r, "f", Latest)
	for range 3 {
		var trap *TrapError
		if _, err := invoke(r, "f", ""); !errors.As(err, &trap) {
			t.Errorf("the guest did not trap: %v", err)
		}
		if got := settled(t, r, "f", Latest); got != "2 2 2" {
			t.Errorf("after a trap: %s", got)
		}
	}
	if err := r.SetConcurrency("f", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := invoke(r, "f", ""); err == nil {
		t.Error("the guest did not trap")
	}
	if got := settled(t, r, "f", Latest); !strings.HasPrefix(got, "2 1 1 ") || !strings.Contains(got, "concurrency is less") {
		t.Errorf("with concurrency 1: %s", got)
	}
	if err := r.SetConcurrency("f", 2); err != nil {
		t.Fatal(err)
	}
	if got := settled(t, r, "f", Latest); got != "2 2 2" {
		t.Errorf("with concurrency 2: %s", got)
	}
}
