package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// memoryLogs is a LogSink in memory.
type memoryLogs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *memoryLogs) AppendLog(function, version string, _ RequestID, _ time.Time, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.text, "%s %s: %s", function, version, text)
}

func (l *memoryLogs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// testConfig are settings for a Runtime in a folder of the test's own.
func testConfig(t testing.TB) Config {
	cfg := DefaultConfig()
	cfg.ArtifactDir = filepath.Join(t.TempDir(), "artifacts")
	cfg.DeviceKey[0] = 1
	cfg.MaxInstances = 64
	cfg.Data = &memoryData{}
	return cfg
}

func open(t testing.TB, cfg Config) *Runtime {
	t.Helper()
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if n := r.instances.Load(); n != 0 {
			t.Errorf("%d instances were leaked", n)
		}
		if used := r.node.Used(); used != 0 {
			t.Errorf("%d bytes are still charged", used)
		}
	})
	return r
}

// function writes the module in the text format into a folder and returns an
// Extism function for it.
func function(t testing.TB, name, wat string) Function {
	t.Helper()
	wasm, err := wasmtime.Wat2Wasm(wat)
	if err != nil {
		t.Fatal(err)
	}
	return functionOf(t, name, wasm)
}

func functionOf(t testing.TB, name string, wasm []byte) Function {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ModuleFile), wasm, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(wasm)
	return Function{Name: name, Runtime: RuntimeExtism, CodeDir: dir, CodeHash: hex.EncodeToString(sum[:])}
}

func deploy(t testing.TB, r *Runtime, f Function) Deployment {
	t.Helper()
	d, err := r.Deploy(context.Background(), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func invoke(r *Runtime, name, event string) (string, error) {
	var res Result
	err := r.Invoke(context.Background(), &Invocation{Function: name, Payload: []byte(event)}, &res)
	return string(res.Payload), err
}

// kernel are the imports that the modules of these tests use.
const kernel = `
  (import "extism:host/env" "input_length" (func $len (result i64)))
  (import "extism:host/env" "input_load_u8" (func $in (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "store_u64" (func $store64 (param i64 i64)))
  (import "extism:host/env" "load_u8" (func $load (param i64) (result i32)))
  (import "extism:host/env" "output_set" (func $out (param i64 i64)))
  (import "extism:host/env" "error_set" (func $error (param i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "var_get" (func $get (param i64) (result i64)))
  (import "extism:host/env" "var_set" (func $set (param i64 i64)))
  (import "extism:host/env" "config_get" (func $config (param i64) (result i64)))
  (import "extism:host/env" "log_info" (func $log (param i64)))
  (import "extism:host/env" "http_request" (func $http (param i64 i64) (result i64)))
  (memory (export "memory") 1)
  ;; copies the event into a block
  (func $event (result i64) (local $n i64) (local $at i64) (local $i i64)
    (local.set $at (call $alloc (local.tee $n (call $len))))
    (block $done (loop $next
      (br_if $done (i64.ge_u (local.get $i) (local.get $n)))
      (call $store (i64.add (local.get $at) (local.get $i)) (call $in (local.get $i)))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br $next)))
    (local.get $at))
  (func $reply (param $at i64) (call $out (local.get $at) (call $length (local.get $at))))`

// echoModule replies with the event.
const echoModule = `(module ` + kernel + ` (func (export "handle") (result i32) (call $reply (call $event)) (i32.const 0)))`

// counterModule replies with the number of calls that its memory has seen, as
// one digit, and starts from 5 by an expensive initialiser.
const counterModule = `(module ` + kernel + `
  (global $g (mut i32) (i32.const 0))
  (func (export "_initialize") (i32.store (i32.const 1024) (i32.const 5)) (global.set $g (i32.const 48)))
  (func (export "handle") (result i32) (local $at i64)
    (i32.store (i32.const 1024) (i32.add (i32.load (i32.const 1024)) (i32.const 1)))
    (local.set $at (call $alloc (i64.const 1)))
    (call $store (local.get $at) (i32.add (global.get $g) (i32.load (i32.const 1024))))
    (call $reply (local.get $at)) (i32.const 0)))`

func TestInvoke(t *testing.T) {
	r := open(t, testConfig(t))
	deploy(t, r, function(t, "echo", echoModule))
	for _, event := range []string{`{"a":1}`, "", strings.Repeat("x", 70000)} {
		got, err := invoke(r, "echo", event)
		if err != nil || got != event {
			t.Errorf("%d bytes: got %d, %v", len(event), len(got), err)
		}
	}
	if _, err := invoke(r, "nobody", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown function: %v", err)
	}
	if _, err := invoke(r, "echo", strings.Repeat("x", 6<<20+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("oversize event: %v", err)
	}
}

// A Snapshot is taken once; reuse keeps state between Invocations, fresh never.
func TestSnapshot(t *testing.T) {
	cfg := testConfig(t)
	for _, isolation := range []Isolation{IsolationReuse, IsolationFresh} {
		for _, noSnapshot := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %v", isolation, noSnapshot), func(t *testing.T) {
				r := open(t, cfg)
				f := function(t, "counter", counterModule)
				f.Isolation, f.NoSnapshot = isolation, noSnapshot
				if d := deploy(t, r, f); d.Snapshot == noSnapshot {
					t.Errorf("deployment %+v", d)
				}
				want := []string{"6", "7", "8"}
				if isolation == IsolationFresh {
					want = []string{"6", "6", "6"}
				}
				for i, w := range want {
					var res Result
					err := r.Invoke(context.Background(), &Invocation{Function: "counter"}, &res)
					if got := string(res.Payload); err != nil || got != w {
						t.Errorf("call %d: %q, %v; want %s", i, got, err, w)
					}
					isNew := isolation == IsolationFresh
					if p := res.Report; (p.Init > 0) != isNew || p.Restored != (isNew && !noSnapshot) || p.Duration < p.Init || p.Billed < p.Duration {
						t.Errorf("call %d: report %+v", i, p)
					}
				}
			})
		}
	}
}

// What was deployed once is not compiled or initialised again after a restart.
func TestArtifactsSurvive(t *testing.T) {
	cfg := testConfig(t)
	f := function(t, "counter", counterModule)
	r := open(t, cfg)
	if d := deploy(t, r, f); !d.Compiled || d.InitTime == 0 {
		t.Errorf("first deployment %+v", d)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, cfg)
	if err := r.Register(f); err != nil {
		t.Fatal(err)
	}
	if got, err := invoke(r, "counter", ""); err != nil || got != "6" {
		t.Errorf("%q, %v", got, err)
	}
	if d := deploy(t, r, f); d.Compiled || d.InitTime != 0 || !d.Snapshot {
		t.Errorf("second deployment %+v", d)
	}
}

// An artifact that was changed, swapped with another or cut is never loaded: it
// is made again.
func TestArtifactDamage(t *testing.T) {
	damage := map[string]func(t *testing.T, dir string, names []string){
		"flipped bit": func(t *testing.T, dir string, names []string) {
			for _, name := range names {
				data := read(t, filepath.Join(dir, name))
				data[len(data)/2] ^= 1
				write(t, filepath.Join(dir, name), data)
			}
		},
		"cut": func(t *testing.T, dir string, names []string) {
			for _, name := range names {
				write(t, filepath.Join(dir, name), read(t, filepath.Join(dir, name))[:10])
			}
		},
		"without MAC": func(t *testing.T, dir string, names []string) {
			for _, name := range names {
				if err := os.Remove(filepath.Join(dir, name+macSuffix)); err != nil {
					t.Fatal(err)
				}
			}
		},
		"another's content": func(t *testing.T, dir string, names []string) {
			for _, name := range names {
				write(t, filepath.Join(dir, name), read(t, filepath.Join(dir, names[0])))
				write(t, filepath.Join(dir, name+macSuffix), read(t, filepath.Join(dir, names[0]+macSuffix)))
			}
		},
	}
	for name, harm := range damage {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			f := function(t, "counter", counterModule)
			r := open(t, cfg)
			deploy(t, r, f)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			harm(t, cfg.ArtifactDir, artifactFiles(t, cfg.ArtifactDir))
			r = open(t, cfg)
			if err := r.Register(f); err != nil {
				t.Fatal(err)
			}
			if got, err := invoke(r, "counter", ""); err != nil || got != "6" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	t.Run("another device's key", func(t *testing.T) {
		cfg := testConfig(t)
		f := function(t, "counter", counterModule)
		r := open(t, cfg)
		deploy(t, r, f)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.DeviceKey[0]++
		r = open(t, cfg)
		if d := deploy(t, r, f); !d.Compiled {
			t.Error("an artifact with a foreign MAC was used")
		}
	})
}

func artifactFiles(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), macSuffix) {
			names = append(names, e.Name())
		}
	}
	if len(names) != 3 { // code, image, state
		t.Fatalf("artifacts %v", names)
	}
	return names
}

func read(t *testing.T, path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// New code takes over while Invocations run, and none of them fails.
func TestSwapUnderLoad(t *testing.T) {
	r := open(t, testConfig(t))
	deploy(t, r, function(t, "f", echoModule))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := invoke(r, "f", "x"); err != nil || got != "x" && got != "6" && got != "7" {
					t.Errorf("%q, %v", got, err)
					return
				}
			}
		})
	}
	for i := range 30 {
		f := function(t, "f", echoModule)
		if i%2 == 0 {
			f = function(t, "f", counterModule)
			f.Isolation = IsolationFresh
		}
		deploy(t, r, f)
	}
	close(stop)
	wg.Wait()
}

// A deploy whose commit fails, or that is wrong, leaves the running version.
func TestFailedDeployChangesNothing(t *testing.T) {
	r := open(t, testConfig(t))
	deploy(t, r, function(t, "f", echoModule))
	full := errors.New("disk full")
	if _, err := r.Deploy(context.Background(), function(t, "f", counterModule), func() error { return full }); err != full {
		t.Errorf("commit's error came back as %v", err)
	}
	f := function(t, "f", `(module (func (export "_initialize") unreachable) (func (export "handle")))`)
	committed := false
	_, err := r.Deploy(context.Background(), f, func() error { committed = true; return nil })
	var bad *DeployError
	if !errors.As(err, &bad) || committed {
		t.Errorf("%v, committed %v", err, committed)
	}
	if got, err := invoke(r, "f", "still"); err != nil || got != "still" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestVersionsAndAliases(t *testing.T) {
	r := open(t, testConfig(t))
	f := function(t, "f", echoModule)
	deploy(t, r, f)
	old := function(t, "f", counterModule)
	old.Version, old.Isolation = "1", IsolationFresh
	deploy(t, r, old)
	if err := r.SetAlias("f", "live", "1", nil); err != nil {
		t.Fatal(err)
	}
	call := func(qualifier string) string {
		var res Result
		if err := r.Invoke(context.Background(), &Invocation{Function: "f", Qualifier: qualifier, Payload: []byte("e")}, &res); err != nil {
			return err.Error()
		}
		return res.Version + " " + string(res.Payload)
	}
	for qualifier, want := range map[string]string{"": "$LATEST e", Latest: "$LATEST e", "1": "1 6", "live": "1 6", "2": "f:2: function not found"} {
		if got := call(qualifier); got != want {
			t.Errorf("%q: %q, want %q", qualifier, got, want)
		}
	}
	second := function(t, "f", echoModule)
	second.Version = "2"
	deploy(t, r, second)
	// Bounds are more than six standard deviations away: this never fails by chance.
	const calls = 2000
	for _, test := range []struct {
		weights map[string]float64
		share   map[string][2]int // of the calls, least and most
	}{
		{nil, map[string][2]int{"1 6": {calls, calls}}},
		{map[string]float64{}, map[string][2]int{"1 6": {calls, calls}}},
		{map[string]float64{Latest: 0}, map[string][2]int{"1 6": {calls, calls}}},
		{map[string]float64{Latest: 1}, map[string][2]int{"$LATEST e": {calls, calls}}},
		{map[string]float64{Latest: 0.5}, map[string][2]int{"1 6": {850, 1150}, "$LATEST e": {850, 1150}}},
		{map[string]float64{"2": 0.1}, map[string][2]int{"1 6": {1710, 1890}, "2 e": {110, 290}}},
		{map[string]float64{"2": 0.1, Latest: 0.2}, map[string][2]int{"1 6": {1260, 1540}, "2 e": {110, 290}, "$LATEST e": {280, 520}}},
		{map[string]float64{"2": 0.5, "1": 0.25}, map[string][2]int{"1 6": {850, 1150}, "2 e": {850, 1150}}},
	} {
		if err := r.SetAlias("f", "live", "1", test.weights); err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for range calls {
			seen[call("live")]++
		}
		for what, n := range seen {
			if most := test.share[what]; n < most[0] || n > most[1] {
				t.Errorf("%v: %d of %d calls gave %q, not %v", test.weights, n, calls, what, most)
			}
		}
	}
	if err := r.Remove("f", "2"); err != nil {
		t.Fatal(err)
	}
	if err := r.SetAlias("f", "live", "1", map[string]float64{"2": 1}); err != nil {
		t.Fatal(err)
	}
	if got := call("live"); got != "f:live: function not found" {
		t.Errorf("an alias of a version that is gone: %s", got)
	}
	if err := r.Remove("f", "1"); err != nil {
		t.Fatal(err)
	}
	if got := call("1"); got != "f:1: function not found" {
		t.Error(got)
	}
	if err := r.Remove("f", ""); err != nil {
		t.Fatal(err)
	}
	if got := call(""); got != "f: function not found" {
		t.Error(got)
	}
}

// Collect removes what no live function uses, and nothing else.
func TestCollect(t *testing.T) {
	cfg := testConfig(t)
	r := open(t, cfg)
	kept, gone := function(t, "kept", counterModule), function(t, "gone", echoModule)
	deploy(t, r, kept)
	deploy(t, r, gone)
	if removed, err := r.Collect(); err != nil || removed != 0 {
		t.Errorf("%d artifacts of live functions were removed, %v", removed, err)
	}
	if err := r.Remove("gone", ""); err != nil {
		t.Fatal(err)
	}
	if removed, err := r.Collect(); err != nil || removed != 2 { // module and MAC
		t.Errorf("%d artifacts were removed, %v", removed, err)
	}
	if d := deploy(t, r, kept); d.Compiled {
		t.Error("an artifact in use was removed")
	}
}

// A module's own hook runs in each Instance that was restored, and only there.
func TestAfterRestore(t *testing.T) {
	const code = `(module ` + kernel + `
	  (func (export "_initialize") (i32.store (i32.const 1024) (i32.const 53)))
	  (func (export "ledge_after_restore") (i32.store (i32.const 1024) (i32.add (i32.load (i32.const 1024)) (i32.const 1))))
	  (func (export "handle") (result i32) (local $at i64)
	    (local.set $at (call $alloc (i64.const 1)))
	    (call $store (local.get $at) (i32.load (i32.const 1024)))
	    (call $reply (local.get $at)) (i32.const 0)))`
	r := open(t, testConfig(t))
	for noSnapshot, want := range map[bool]string{false: "6", true: "5"} {
		f := function(t, "f", code)
		f.Isolation, f.NoSnapshot = IsolationFresh, noSnapshot
		deploy(t, r, f)
		for range 2 {
			if got, err := invoke(r, "f", ""); err != nil || got != want {
				t.Errorf("without snapshot %v: %q, %v", noSnapshot, got, err)
			}
		}
	}
}
