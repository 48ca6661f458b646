package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Code that is nothing but host calls never comes to a loop where it would look
// at the epoch; the slow calls look at the deadline themselves.
func TestTimeoutInHostCalls(t *testing.T) {
	const free = `(import "extism:host/env" "free" (func $free (param i64)))`
	for name, call := range map[string]string{
		"alloc":   `(call $free (call $alloc (i64.const 0x3000000))) `,
		"var_get": `(drop (call $get (i64.const 0))) `,
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.Data = slowData{}
			r := open(t, cfg)
			f := function(t, "f", `(module `+free+kernel+`(func (export "handle") `+strings.Repeat(call, 500)+`))`)
			f.Limits.Timeout = 20 * time.Millisecond
			deploy(t, r, f)
			if _, err := invoke(r, "f", ""); !errors.Is(err, ErrTimeout) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// A request to a server that does not answer ends with the Invocation: at its
// timeout, or when its caller goes away, and is called that.
func TestHangingRequest(t *testing.T) {
	arrived := make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	r := open(t, testConfig(t))
	f := function(t, "f", `(module `+kernel+`(func (export "handle") (drop (call $http (call $event) (i64.const 0)))))`)
	f.AllowHosts = []string{strings.TrimPrefix(server.URL, "http://")}
	f.Limits.Timeout = 50 * time.Millisecond
	deploy(t, r, f)
	event := []byte(`{"url":"` + server.URL + `"}`)
	var res Result
	if err := r.Invoke(context.Background(), &Invocation{Function: "f", Payload: event}, &res); !errors.Is(err, ErrTimeout) {
		t.Errorf("at the timeout: %v", err)
	}
	<-arrived
	f.Limits.Timeout = time.Minute
	deploy(t, r, f)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-arrived; cancel() }()
	if err := r.Invoke(ctx, &Invocation{Function: "f", Payload: event}, &res); !errors.Is(err, context.Canceled) {
		t.Errorf("without its caller: %v", err)
	}
}

// A handler's message may be as long as the guest's memory; what is kept of it
// is not.
func TestLongErrorMessage(t *testing.T) {
	r := open(t, testConfig(t))
	deploy(t, r, function(t, "f", `(module `+kernel+`(func (export "handle") (local $at i64)
	  (local.set $at (call $alloc (i64.const 5000000)))
	  (call $store (i64.add (local.get $at) (i64.const 4999999)) (i32.const 33))
	  (call $error (local.get $at))))`))
	_, err := invoke(r, "f", "")
	if fn, ok := AsFunctionError(err); !ok || len(fn.Message) > 64<<10 {
		t.Errorf("ended with %T, %d bytes", err, len(fmt.Sprint(err)))
	}
}

// A reactor that exits was not unwound by its own code: its Instance goes, also
// where the status is 0.
func TestExitedReactorIsDiscarded(t *testing.T) {
	r := open(t, testConfig(t))
	deploy(t, r, function(t, "f", `(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
	  (memory (export "memory") 1) (func (export "handle") (call $exit (i32.const 0))))`))
	if _, err := invoke(r, "f", ""); err != nil {
		t.Error(err)
	}
	if n := r.Stats().Instances; n != 0 {
		t.Errorf("%d instances are left", n)
	}
}

// What an Invocation needed beside linear memory counts while it runs, and is
// given back when it ends.
func TestBuffersAreCharged(t *testing.T) {
	cfg := testConfig(t)
	cfg.MemoryBudget = 4 << 20
	r := open(t, cfg)
	deploy(t, r, function(t, "fits", `(module `+kernel+`(func (export "handle") (result i32) (i64.eqz (call $alloc (i64.const 2000000)))))`))
	if _, err := invoke(r, "fits", ""); err != nil {
		t.Error(err)
	}
	if used := r.Stats().Memory; used > 1<<20 {
		t.Errorf("an idle instance holds %d bytes", used)
	}
	deploy(t, r, function(t, "much", `(module `+kernel+`(func (export "handle") (drop (call $alloc (i64.const 50000000)))))`))
	if _, err := invoke(r, "much", ""); !errors.Is(err, ErrOverloaded) {
		t.Errorf("a plug-in that wants more than the node has: %v", err)
	}
}

// fewerData has a value for any key when the node has fewer Instances than so many.
type fewerData struct {
	memoryData
	runtime *Runtime
	than    int
}

func (k *fewerData) Get(bucket, key string) (Item, error) {
	if k.runtime.Stats().Instances < k.than {
		return Item{Value: []byte("fewer")}, nil
	}
	return Item{}, nil
}

// An Instance that grows past the node's budget does not fail while idle ones
// hold what it needs.
func TestGrowthEvictsIdle(t *testing.T) {
	kv := &fewerData{than: 3}
	cfg := testConfig(t)
	cfg.MemoryBudget = 8 << 20
	cfg.Data = kv
	r := open(t, cfg)
	kv.runtime = r
	for _, name := range []string{"a", "b"} {
		deploy(t, r, function(t, name, `(module (memory (export "memory") 48) (func (export "handle")))`))
	}
	grows := function(t, "grows", `(module `+kernel+`(func (export "handle") (local $key i64)
	    (drop (memory.grow (i32.const 60)))
	    (local.set $key (call $event))
	    (loop $l (br_if $l (i64.eqz (call $get (local.get $key)))))))`)
	grows.Limits.HostCalls = MaxHostCalls
	grows.Limits.Timeout = time.Minute // that an Instance was evicted ends it
	deploy(t, r, grows)
	if n := r.Stats().Instances; n != 3 {
		t.Fatalf("%d instances are idle", n)
	}
	if _, err := invoke(r, "grows", "key"); err != nil {
		t.Error(err)
	}
	if n := r.Stats().Instances; n != 2 {
		t.Errorf("%d instances are left", n)
	}
}

// A start function runs before the engine can see the module's memory; it is held
// to the node's budget all the same.
func TestStartFunctionGrows(t *testing.T) {
	cfg := testConfig(t)
	cfg.MemoryBudget = 4 << 20
	r := open(t, cfg)
	f := function(t, "f", `(module (memory (export "memory") 1)
	  (func $boot (drop (memory.grow (i32.const 100))) (loop $l (br $l))) (start $boot) (func (export "_start")))`)
	f.Runtime = RuntimeWASI
	if _, err := r.Deploy(context.Background(), f, nil); !errors.Is(err, ErrOverloaded) {
		t.Error(err)
	}
}

// Modules with many tables do not take those of others.
func TestTablesForAll(t *testing.T) {
	cfg := testConfig(t)
	cfg.MaxInstances = 4
	r := open(t, cfg)
	f := function(t, "f", `(module `+strings.Repeat(`(table 10 funcref)`, 8)+`(func (export "handle") (loop $l (br $l))))`)
	f.Limits.Timeout = time.Minute
	deploy(t, r, f)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var res Result
			if err := r.Invoke(ctx, &Invocation{Function: "f"}, &res); !errors.Is(err, context.Canceled) {
				t.Error(err)
				cancel()
			}
		})
	}
	for r.Stats().Running != 4 && ctx.Err() == nil {
		runtime.Gosched()
	}
	cancel()
	wg.Wait()
}

// Who evicts an Instance is no user of its version. The version's last user must
// not free it under its hands.
func TestEvictWhileFreeing(t *testing.T) {
	r := open(t, testConfig(t))
	deploy(t, r, function(t, "f", echoModule))
	v, err := r.table.find("f", "")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	r.ticker.mu.Lock() // holds the eviction up between the Pool and the Instance's end
	wg.Go(func() {
		if !v.dropOldest(time.Hour<<16, anyIdle) {
			t.Error("nothing was idle")
		}
	})
	for v.mu.TryLock() {
		taken := len(v.idle) == 0
		v.mu.Unlock()
		if taken {
			break
		}
		runtime.Gosched()
	}
	removed := make(chan struct{})
	wg.Go(func() {
		if err := r.Remove("f", ""); err != nil {
			t.Error(err)
		}
		close(removed)
	})
	for v.users.Load() != 0 {
		runtime.Gosched()
	}
	for range 10000 {
		select {
		case <-removed:
			t.Fatal("the version was freed before its instance")
		default:
			runtime.Gosched()
		}
	}
	r.ticker.mu.Unlock()
	wg.Wait()
}

// A Snapshot's memory and its globals are of the same run of the initialisation,
// also when one of them was lost.
func TestSnapshotIsOfOneRun(t *testing.T) {
	cfg := testConfig(t)
	f := function(t, "f", `(module
	  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
	  (memory (export "memory") 1) (global $g (mut i64) (i64.const 0))
	  (func (export "_initialize") (drop (call $random (i32.const 8) (i32.const 8))) (global.set $g (i64.load (i32.const 8))))
	  (func (export "handle") (result i32) (i64.ne (global.get $g) (i64.load (i32.const 8)))))`)
	r := open(t, cfg)
	deploy(t, r, f)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	states, err := filepath.Glob(filepath.Join(cfg.ArtifactDir, "*"+stateSuffix))
	if err != nil || len(states) != 1 {
		t.Fatalf("%v, %v", states, err)
	}
	if err := os.Remove(states[0]); err != nil {
		t.Fatal(err)
	}
	r = open(t, cfg)
	deploy(t, r, f)
	if _, err := invoke(r, "f", ""); err != nil {
		t.Errorf("the memory of one run came with the globals of another: %v", err)
	}
	if removed, err := r.Collect(); err != nil || removed != 2 { // the memory of the first run and its MAC
		t.Errorf("%d artifacts were removed, %v", removed, err)
	}
}

// A start that takes too long names the time that it was given.
func TestSlowStart(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitTimeout = 40 * time.Millisecond
	r := open(t, cfg)
	f := function(t, "f", `(module (import "extism:host/env" "input_length" (func $len (result i64)))
	  (memory (export "memory") 1) (func (export "_initialize") (loop $l (br $l))) (func (export "handle")))`)
	f.NoSnapshot = true
	if err := r.Register(f); err != nil {
		t.Fatal(err)
	}
	if _, err := invoke(r, "f", ""); !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "0.04 seconds") {
		t.Error(err)
	}
	cfg = testConfig(t)
	cfg.InitTimeout = time.Minute
	r = open(t, cfg)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	var bad *DeployError
	if _, err := r.Deploy(ctx, f, nil); errors.As(err, &bad) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the deadline of the deploy is held against the module: %v", err)
	}
}

// Wasmtime looks at the epoch only in loops and at the start of functions. A
// long line of instructions that each take long is stopped all the same.
func TestStraightLine(t *testing.T) {
	fill := strings.Repeat("(memory.fill (i32.const 0) (i32.const 1) (i32.const 0x6000000))\n", 2000)
	r := open(t, testConfig(t))
	f := function(t, "f", `(module (memory (export "memory") 1600) (func (export "handle") `+fill+`))`)
	f.Limits.Timeout = 50 * time.Millisecond
	deploy(t, r, f)
	if _, err := invoke(r, "f", ""); !errors.Is(err, ErrTimeout) {
		t.Errorf("2000 fills of 96 MB ended with %v", err)
	}
}
