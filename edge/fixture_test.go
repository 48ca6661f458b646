package edge_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ledge/edge"
	"ledge/edge/gateway"
	"ledge/engine"
	"ledge/persist"
)

var errInjected = errors.New("injected failure")

// fakeEngine keeps what is live and can be told to refuse.
type fakeEngine struct {
	live     map[string]engine.Function // by name:version
	aliases  map[string]string          // name:alias to version and weights
	deployed int

	concurrency map[string]int // by function
	provisioned map[string]int // by name:version

	refuse func(engine.Function) error // of Deploy
	alias  error                       // of SetAlias
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{live: map[string]engine.Function{}, aliases: map[string]string{}}
}

func (e *fakeEngine) Deploy(ctx context.Context, fn engine.Function, commit func() error) (engine.Deployment, error) {
	if err := ctx.Err(); err != nil {
		return engine.Deployment{}, err
	}
	if err := fn.Validate(); err != nil {
		return engine.Deployment{}, err
	}
	if e.refuse != nil {
		if err := e.refuse(fn); err != nil {
			return engine.Deployment{}, err
		}
	}
	if commit != nil {
		if err := commit(); err != nil {
			return engine.Deployment{}, err
		}
	}
	e.deployed++
	e.live[fn.Name+":"+fn.Version] = fn
	return engine.Deployment{Compiled: true}, nil
}

func (e *fakeEngine) Register(fn engine.Function) error {
	if err := fn.Validate(); err != nil {
		return err
	}
	e.live[fn.Name+":"+fn.Version] = fn
	return nil
}

func (e *fakeEngine) Remove(name, version string) error {
	maps.DeleteFunc(e.live, func(key string, _ engine.Function) bool {
		return key == name+":"+version || version == "" && strings.HasPrefix(key, name+":")
	})
	if version == "" {
		maps.DeleteFunc(e.aliases, func(key, _ string) bool { return strings.HasPrefix(key, name+":") })
	}
	return nil
}

func (e *fakeEngine) SetAlias(name, alias, version string, weights map[string]float64) error {
	if e.alias != nil {
		return e.alias
	}
	e.aliases[name+":"+alias] = fmt.Sprint(version, weights)
	return nil
}

func (e *fakeEngine) RemoveAlias(name, alias string) error {
	delete(e.aliases, name+":"+alias)
	return nil
}

func (e *fakeEngine) SetConcurrency(name string, n int) error {
	if e.concurrency == nil {
		e.concurrency = map[string]int{}
	}
	e.concurrency[name] = n
	return nil
}

// SetProvisioned refuses more than room for all versions together.
func (e *fakeEngine) SetProvisioned(name, version string, n int) error {
	if e.provisioned == nil {
		e.provisioned = map[string]int{}
	}
	total := n
	for key, other := range e.provisioned {
		if key != name+":"+version {
			total += other
		}
	}
	if total > provisionedRoom {
		return &engine.DeployError{Op: "provisioned concurrency", Why: "no room"}
	}
	if e.provisioned[name+":"+version] = n; n == 0 {
		delete(e.provisioned, name+":"+version)
	}
	return nil
}

func (e *fakeEngine) Provisioned(name, version string) (requested, available, allocated int, reason string) {
	n := e.provisioned[name+":"+version]
	return n, n, n, ""
}

const provisionedRoom = 10

// fakeGateway counts the routes that it serves.
type fakeGateway struct {
	table *gateway.Table
	apis  *gateway.APIs
}

func (g *fakeGateway) SetTable(t *gateway.Table) { g.table = t }
func (g *fakeGateway) SetAPIs(a *gateway.APIs)   { g.apis = a }

// faultyStore is the real store with a switch.
type faultyStore struct {
	*persist.Store
	put        error // of PutFunction
	changeAPIs error
	lost       bool // records
}

func (s *faultyStore) Incomplete() bool { return s.lost || s.Store.Incomplete() }

func (s *faultyStore) ChangeAPIs(ch persist.APIChange) error {
	if s.changeAPIs != nil {
		return s.changeAPIs
	}
	return s.Store.ChangeAPIs(ch)
}

func (s *faultyStore) PutFunction(fn persist.Function, expect string, routes []persist.Route) (persist.Function, error) {
	if s.put != nil {
		return persist.Function{}, s.put
	}
	return s.Store.PutFunction(fn, expect, routes)
}

// node is a Reconciler with a real store and a fake engine and gateway.
type node struct {
	*edge.Reconciler
	store   *faultyStore
	code    *persist.Code
	engine  *fakeEngine
	gateway *fakeGateway
	log     *strings.Builder
	now     time.Time
}

func openStore(t testing.TB, dir string) *persist.Store {
	t.Helper()
	store, err := persist.Open(dir, persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func newNode(t testing.TB) *node {
	t.Helper()
	dir := t.TempDir()
	store := openStore(t, dir)
	code, err := persist.OpenCode(dir, persist.CodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{store: &faultyStore{Store: store}, code: code, now: time.Unix(1e9, 0)}
	n.restart()
	return n
}

// restart forgets everything that is live.
func (n *node) restart() {
	n.engine, n.gateway, n.log = newFakeEngine(), &fakeGateway{table: &gateway.Table{}}, new(strings.Builder)
	n.Reconciler = edge.New(edge.Config{
		Engine: n.engine, Store: n.store, Code: n.code, Gateway: n.gateway,
		Log: slog.New(slog.NewTextHandler(io.Writer(n.log), nil)),
		Now: func() time.Time { return n.now },
	})
}

// state is what is stored.
func (n *node) state(t testing.TB) persist.State {
	t.Helper()
	s, err := n.store.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check compares what is live with what is stored.
func (n *node) check(t testing.TB) {
	t.Helper()
	s := n.state(t)
	stored := map[string]string{}
	for _, fn := range s.Functions {
		stored[fn.Name+":"+fn.Version] = fn.CodeHash + fn.Description + fmt.Sprint(fn.MemoryMB, fn.Env)
		live, ok := n.engine.live[fn.Name+":"+fn.Version]
		if !ok {
			t.Errorf("%s:%s is stored and not live", fn.Name, fn.Version)
		}
		if live.CodeHash != fn.CodeHash || live.Limits.Memory != int64(fn.MemoryMB)<<20 || !maps.Equal(live.Env, fn.Env) ||
			live.Limits.Timeout.Milliseconds() != fn.TimeoutMillis || live.Runtime != fn.Runtime ||
			!slices.Equal(live.AllowInvoke, fn.AllowInvoke) || !slices.Equal(live.AllowPublish, fn.AllowPublish) ||
			!slices.Equal(live.AllowBuckets, fn.AllowBuckets) {
			t.Errorf("%s:%s is live as %+v, stored as %+v", fn.Name, fn.Version, live, fn)
		}
	}
	for key := range n.engine.live {
		if _, ok := stored[key]; !ok {
			t.Errorf("%s is live and not stored", key)
		}
	}
	aliases := map[string]string{}
	for _, a := range s.Aliases {
		aliases[a.Function+":"+a.Name] = fmt.Sprint(a.Version, a.Weights)
	}
	if !maps.Equal(aliases, n.engine.aliases) {
		t.Errorf("live aliases %v, stored %v", n.engine.aliases, aliases)
	}
	if n.gateway.table.Len() != len(s.Routes) {
		t.Errorf("%d routes are live, %d stored", n.gateway.table.Len(), len(s.Routes))
	}
}

// unchanged runs change and fails where it changed anything.
func (n *node) unchanged(t *testing.T, change func()) {
	t.Helper()
	before, live, table := n.state(t), maps.Clone(n.engine.live), n.gateway.table
	change()
	if after := n.state(t); !reflect.DeepEqual(before, after) {
		t.Errorf("stored state changed from %+v to %+v", before, after)
	}
	if !reflect.DeepEqual(live, n.engine.live) {
		t.Errorf("live functions changed from %v to %v", live, n.engine.live)
	}
	if table != n.gateway.table {
		t.Error("the route table was replaced")
	}
}

func (n *node) deploy(t testing.TB, c edge.Change) edge.Deployed {
	t.Helper()
	done, err := n.Deploy(t.Context(), c)
	if err != nil {
		t.Fatalf("deploy %s: %v", c.Name, err)
	}
	return done
}

func memory(mb int) func(*persist.Function) error {
	return func(fn *persist.Function) error { fn.MemoryMB = mb; return nil }
}

func runtime(name string) func(*persist.Function) error {
	return func(fn *persist.Function) error { fn.RequestedRuntime = name; return nil }
}

func handler(runtime, name string) func(*persist.Function) error {
	return func(fn *persist.Function) error { fn.RequestedRuntime, fn.Handler = runtime, name; return nil }
}

// files is a zip with empty files.
func files(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		if _, err := z.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func get(path string) []persist.Route { return []persist.Route{{Method: "GET", Path: path}} }

// command is a module that exports _start; unlike calls of it with another
// unlike are other modules.
func command(unlike string) []byte { return module("", unlike, "_start") }

// module is a Wasm module with one function ()->(), which imports one of the
// same type where from is not empty, and exports its own under names.
func module(from, unlike string, names ...string) []byte {
	section := func(id byte, content ...byte) []byte { return append([]byte{id, byte(len(content))}, content...) }
	name := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	wasm := append([]byte("\x00asm\x01\x00\x00\x00"), section(1, 1, 0x60, 0, 0)...)
	own := byte(0)
	if from != "" {
		own = 1
		wasm = append(wasm, section(2, slices.Concat([]byte{1}, name(from), name("f"), []byte{0, 0})...)...)
	}
	wasm = append(wasm, section(3, 1, 0)...)
	exports := []byte{byte(len(names))}
	for _, n := range names {
		exports = append(append(exports, name(n)...), 0, own)
	}
	wasm = append(wasm, section(7, exports...)...)
	wasm = append(wasm, section(10, 1, 2, 0, 0x0b)...)
	return append(wasm, section(0, slices.Concat(name("unlike"), []byte(unlike))...)...)
}

func buckets(names ...string) func(*persist.Function) error {
	return func(fn *persist.Function) error { fn.AllowBuckets = names; return nil }
}
