package engine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

const spin = `(module (func (export "handle") (loop $l (br $l))))`

// Each limit ends what exceeds it with an error that says which, and the
// function serves the next Invocation.
func TestLimits(t *testing.T) {
	tests := []struct {
		name, body string
		limits     Limits
		check      func(error) bool
		says       string
	}{
		{"timeout", `(func $f (loop $l (br $l)))`, Limits{Timeout: 30 * time.Millisecond},
			func(err error) bool { return errors.Is(err, ErrTimeout) && errors.Is(err, context.DeadlineExceeded) }, "timed out after 0.03 seconds"},
		{"recursion", `(func $f (call $f))`, Limits{}, isTrap("stack overflow"), "stack"},
		{"trap", `(func $deep unreachable) (func $f (call $deep))`, Limits{}, isTrap("unreachable"), "at deep "},
		{"memory", `(func $f (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable)`,
			Limits{Memory: 2 << 20}, isTrap(TrapOutOfMemory), "2 of 2 MB"},
		{"response", `(func $f (call $out (call $alloc (i64.const 2000)) (i64.const 2000)))`, Limits{ResponseBytes: 1000},
			func(err error) bool {
				fn, ok := AsFunctionError(err)
				return ok && fn.Type == "Function.ResponseSizeTooLarge"
			}, "limit"},
		{"kernel", `(func $f (loop $l (br_if $l (i64.ne (call $alloc (i64.const 100000)) (i64.const 0)))) unreachable)`,
			Limits{Memory: 2 << 20}, isTrap("unreachable"), "unreachable"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := open(t, testConfig(t))
			f := function(t, "f", `(module `+kernel+test.body+`
			  (func (export "handle") (result i32)
			    (if (i64.eqz (call $len)) (then (call $f) (return (i32.const 0))))
			    (call $reply (call $event)) (i32.const 0)))`)
			f.Limits = test.limits
			deploy(t, r, f)
			for range 2 {
				_, err := invoke(r, "f", "")
				if err == nil || !test.check(err) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("error %v", err)
				}
				if got, err := invoke(r, "f", "next"); err != nil || got != "next" {
					t.Errorf("the next invocation: %q, %v", got, err)
				}
			}
		})
	}
}

func isTrap(code string) func(error) bool {
	return func(err error) bool {
		var trap *TrapError
		return errors.As(err, &trap) && trap.Code == code
	}
}

// waitRunning returns when n Invocations are under way.
func waitRunning(t *testing.T, r *Runtime, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); r.Stats().Running != n; {
		if time.Now().After(deadline) {
			t.Fatalf("%d invocations run, not %d", r.Stats().Running, n)
		}
		time.Sleep(time.Millisecond)
	}
}

// More Invocations at a time than allowed are throttled, and a caller that goes
// away frees its place.
func TestConcurrency(t *testing.T) {
	r := open(t, testConfig(t))
	f := function(t, "f", spin)
	f.Limits = Limits{Concurrency: 2, Timeout: time.Minute}
	deploy(t, r, f)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var res Result
			if err := r.Invoke(ctx, &Invocation{Function: "f"}, &res); !errors.Is(err, context.Canceled) {
				t.Errorf("a cancelled invocation ended with %v", err)
			}
		})
	}
	waitRunning(t, r, 2)
	if _, err := invoke(r, "f", ""); !errors.Is(err, ErrThrottled) {
		t.Errorf("the third invocation: %v", err)
	}
	cancel()
	wg.Wait()
	if n := r.Stats(); n.Running != 0 || n.Instances != 0 {
		t.Errorf("after cancellation: %+v", n)
	}
}

// With all places taken idle Instances make room, oldest first; without idle
// ones the node says that it is overloaded.
func TestAdmission(t *testing.T) {
	cfg := testConfig(t)
	cfg.MaxInstances = 2
	r := open(t, cfg)
	for _, name := range []string{"a", "b", "c"} {
		deploy(t, r, function(t, name, echoModule))
	}
	for _, name := range []string{"a", "b", "c", "a"} {
		if got, err := invoke(r, name, name); err != nil || got != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if n := r.Stats().Instances; n != 2 {
		t.Errorf("%d instances with room for 2", n)
	}
	f := function(t, "spin", spin)
	f.Limits.Timeout = time.Minute
	deploy(t, r, f)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var res Result
			_ = r.Invoke(ctx, &Invocation{Function: "spin"}, &res)
		})
	}
	waitRunning(t, r, 2)
	if _, err := invoke(r, "a", ""); !errors.Is(err, ErrOverloaded) {
		t.Errorf("without a place: %v", err)
	}
	cancel()
	wg.Wait()
	if _, err := invoke(r, "a", ""); err != nil {
		t.Error(err)
	}
}

// The memory budget is the node's: a function whose own limit would allow more
// is stopped, and functions that fit go on.
func TestMemoryBudget(t *testing.T) {
	cfg := testConfig(t)
	cfg.MemoryBudget = 4 << 20
	r := open(t, cfg)
	bomb := function(t, "bomb", `(module (memory (export "memory") 1)
	  (func (export "handle") (drop (memory.grow (i32.const 100))) (loop $l (br $l))))`)
	bomb.Limits.Timeout = time.Minute
	deploy(t, r, bomb)
	deploy(t, r, function(t, "echo", echoModule))
	if _, err := invoke(r, "bomb", ""); !errors.Is(err, ErrOverloaded) {
		t.Errorf("the bomb ended with %v", err)
	}
	if got, err := invoke(r, "echo", "fine"); err != nil || got != "fine" {
		t.Errorf("%q, %v", got, err)
	}
	big := function(t, "big", `(module (memory (export "memory") 100) (func (export "handle")))`)
	if _, err := r.Deploy(context.Background(), big, nil); !errors.Is(err, ErrOverloaded) {
		t.Errorf("a function larger than the budget: %v", err)
	}
}

// Idle Instances go after the idle timeout, and the timer with them.
func TestReaper(t *testing.T) {
	cfg := testConfig(t)
	cfg.IdleTimeout = 20 * time.Millisecond
	r := open(t, cfg)
	deploy(t, r, function(t, "f", echoModule))
	if _, err := invoke(r, "f", "x"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); r.Stats().Instances != 0 || r.reaper.armed.Load(); {
		if time.Now().After(deadline) {
			t.Fatalf("still %+v, armed %v", r.Stats(), r.reaper.armed.Load())
		}
		time.Sleep(time.Millisecond)
	}
	if got, err := invoke(r, "f", "again"); err != nil || got != "again" {
		t.Errorf("%q, %v", got, err)
	}
}

// An idle node makes no wake-ups: the ticker sleeps, and wakes for a guest that
// must be stopped.
func TestTickerSleeps(t *testing.T) {
	r := open(t, testConfig(t))
	f := function(t, "spin", spin)
	f.Limits.Timeout = 20 * time.Millisecond
	deploy(t, r, f)
	for range 3 {
		for deadline := time.Now().Add(10 * time.Second); !r.ticker.asleep.Load(); {
			if time.Now().After(deadline) {
				t.Fatal("the ticker does not sleep")
			}
			time.Sleep(time.Millisecond)
		}
		if _, err := invoke(r, "spin", ""); !errors.Is(err, ErrTimeout) {
			t.Fatal(err)
		}
	}
}

func TestChooseLayout(t *testing.T) {
	upTo := func(bits uint) func(uint64) bool { return func(n uint64) bool { return n < 1<<bits } }
	tests := []struct {
		name            string
		bits, instances int
		canReserve      func(uint64) bool
		want            layout
		fails           bool
	}{
		{"a PC", 0, 0, upTo(47), wide, false},
		{"a Raspberry Pi", 0, 0, upTo(38), bounded, false},
		{"told to be a Raspberry Pi", 39, 0, upTo(47), bounded, false},
		{"few instances fit widely", 0, 20, upTo(38), layout{20, wide.maxMemory, wide.reservation, wide.guard}, false},
		{"ulimit -v", 0, 0, upTo(30), layout{}, true},
		{"36 bits", 36, 0, upTo(47), layout{}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := chooseLayout(test.bits, test.instances, test.canReserve)
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// The layout for small address spaces runs the same functions.
func TestBoundedLayout(t *testing.T) {
	cfg := testConfig(t)
	cfg.AddressBits = 39
	r := open(t, cfg)
	deploy(t, r, function(t, "counter", counterModule))
	if got, err := invoke(r, "counter", ""); err != nil || got != "6" {
		t.Errorf("%q, %v", got, err)
	}
	deploy(t, r, function(t, "bounds", `(module (memory (export "memory") 1) (func (export "handle") (drop (i32.load (i32.const -4)))))`))
	if _, err := invoke(r, "bounds", ""); !isTrap("memory out of bounds")(err) {
		t.Error(err)
	}
	f := function(t, "f", echoModule)
	f.Limits.Memory = 1 << 30
	var bad *DeployError
	if _, err := r.Deploy(context.Background(), f, nil); !errors.As(err, &bad) || bad.Op != "memory" {
		t.Errorf("a limit above what the node can give: %v", err)
	}
}

// Closing waits for what runs and refuses what comes.
func TestClose(t *testing.T) {
	r := open(t, testConfig(t))
	f := function(t, "spin", spin)
	f.Limits.Timeout = 100 * time.Millisecond
	deploy(t, r, f)
	ended := make(chan error)
	go func() {
		_, err := invoke(r, "spin", "")
		ended <- err
	}()
	waitRunning(t, r, 1)
	closed := make(chan error)
	go func() { closed <- r.Close() }()
	if err := <-ended; !errors.Is(err, ErrTimeout) {
		t.Errorf("the invocation under way: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := invoke(r, "spin", ""); !errors.Is(err, ErrClosed) {
		t.Errorf("after closing: %v", err)
	}
	if _, err := r.Deploy(context.Background(), f, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("deploy after closing: %v", err)
	}
}
