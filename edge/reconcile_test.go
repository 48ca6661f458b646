package edge_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ledge/edge"
	"ledge/edge/gateway"
	"ledge/engine"
	"ledge/persist"
)

func TestDeploy(t *testing.T) {
	n := newNode(t)
	first := n.deploy(t, edge.Change{Name: "hello", Code: command("1"), Routes: get("/hello")})
	if !first.Created || first.Function.Runtime != engine.RuntimeWASI || first.Function.MemoryMB != 128 ||
		first.Function.TimeoutMillis != 3000 || len(first.Routes) != 1 || first.Routes[0].Function != "hello" {
		t.Errorf("created %+v", first)
	}
	n.check(t)

	second := n.deploy(t, edge.Change{Name: "hello", Code: command("2"), Edit: memory(64), Routes: get("/other")})
	if second.Created || second.Function.CodeHash == first.Function.CodeHash || second.Function.MemoryMB != 64 ||
		second.Function.RevisionID == first.Function.RevisionID || len(second.Routes) != 2 {
		t.Errorf("updated %+v", second)
	}
	n.check(t)

	third := n.deploy(t, edge.Change{Name: "hello", Revision: second.Function.RevisionID, Edit: memory(32)})
	if third.Function.CodeHash != second.Function.CodeHash || len(third.Routes) != 2 {
		t.Errorf("reconfigured %+v", third)
	}
	n.check(t)

	version := n.deploy(t, edge.Change{Name: "hello", Publish: true})
	if version.Function.Version != "1" {
		t.Errorf("published version %q", version.Function.Version)
	}
	n.check(t)
}

func TestDeployFailureChangesNothing(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	var (
		deployError *engine.DeployError
		routeError  *gateway.RouteError
		archive     *persist.ArchiveError
	)
	for _, test := range []struct {
		name   string
		ctx    context.Context
		change edge.Change
		setUp  func(*node)
		is     error
		as     any
	}{
		{name: "engine refuses", change: edge.Change{Name: "a", Code: command("x")}, is: errInjected,
			setUp: func(n *node) { n.engine.refuse = func(engine.Function) error { return errInjected } }},
		{name: "commit fails", change: edge.Change{Name: "a", Code: command("x"), Routes: get("/new")}, is: errInjected,
			setUp: func(n *node) { n.store.put = errInjected }},
		{name: "edit fails", change: edge.Change{Name: "a", Edit: func(*persist.Function) error { return errInjected }}, is: errInjected},
		{name: "cancelled", ctx: cancelled, change: edge.Change{Name: "a", Code: command("x")}, is: context.Canceled},
		{name: "exists", change: edge.Change{Name: "a", Mode: edge.CreateOnly, Code: command("x")}, is: persist.ErrExists},
		{name: "missing", change: edge.Change{Name: "c", Mode: edge.UpdateOnly, Code: command("x")}, is: persist.ErrNotFound},
		{name: "revision", change: edge.Change{Name: "a", Revision: "old", Code: command("x")}, is: edge.ErrRevision},
		{name: "revision of nothing", change: edge.Change{Name: "c", Revision: "old", Code: command("x")}, is: persist.ErrNotFound},
		{name: "other's route", change: edge.Change{Name: "a", Code: command("x"), Routes: get("/b")}, is: persist.ErrConflict},
		{name: "bad route", change: edge.Change{Name: "a", Code: command("x"), Routes: get("no-slash")}, as: &routeError},
		{name: "route twice", change: edge.Change{Name: "a", Routes: append(get("/x"), get("/x")...)}, as: &routeError},
		{name: "same shape", change: edge.Change{Name: "a", Routes: append(get("/x/{a}"), get("/x/{b}")...)}, as: &routeError},
		{name: "bad payload", change: edge.Change{Name: "a", Routes: []persist.Route{{Method: "GET", Path: "/x", Payload: "9"}}}, as: &routeError},
		{name: "bad async", change: edge.Change{Name: "a", Routes: []persist.Route{{Method: "GET", Path: "/x", Async: "often"}}}, as: &routeError},
		{name: "bad bucket", change: edge.Change{Name: "a", Edit: buckets("function.b")}, as: &deployError},
		{name: "bad name", change: edge.Change{Name: "a b", Code: command("x")}, as: &deployError},
		{name: "no code", change: edge.Change{Name: "c"}, as: &deployError},
		{name: "bad memory", change: edge.Change{Name: "a", Edit: memory(1 << 20)}, as: &deployError},
		{name: "not Wasm", change: edge.Change{Name: "a", Code: []byte("#!/bin/sh")}, as: &archive},
		{name: "damaged Wasm", change: edge.Change{Name: "a", Code: command("x")[:20]}, as: &deployError},
		{name: "no runtime", change: edge.Change{Name: "a", Code: command("x"), Edit: runtime("cobol")}, as: &deployError},
		{name: "no handler", change: edge.Change{Name: "a", Code: files(t, "app.py"), Edit: runtime("python3.13")}, as: &deployError},
		{name: "a module for a language", change: edge.Change{Name: "a", Code: command("x"), Edit: handler("python3.13", "app.run")}, as: &archive},
		{name: "files without a module", change: edge.Change{Name: "a", Code: files(t, "app.py")}, as: &archive},
		{name: "dry run that fails", change: edge.Change{Name: "a", DryRun: true, Code: command("x")}, is: errInjected,
			setUp: func(n *node) { n.engine.refuse = func(engine.Function) error { return errInjected } }},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNode(t)
			n.deploy(t, edge.Change{Name: "a", Code: command("a"), Routes: get("/a")})
			n.deploy(t, edge.Change{Name: "b", Code: command("b"), Routes: get("/b")})
			if test.setUp != nil {
				test.setUp(n)
			}
			if test.ctx == nil {
				test.ctx = t.Context()
			}
			n.unchanged(t, func() {
				_, err := n.Deploy(test.ctx, test.change)
				if test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("error %v, want %v", err, test.is)
				}
				if test.as != nil && !errors.As(err, test.as) {
					t.Errorf("error %v (%T), want a %T", err, err, test.as)
				}
			})
			n.check(t)
		})
	}
}

func TestDryRun(t *testing.T) {
	n := newNode(t)
	n.deploy(t, edge.Change{Name: "a", Code: command("a")})
	n.unchanged(t, func() {
		done, err := n.Deploy(t.Context(), edge.Change{Name: "a", Code: command("x"), Edit: memory(7), DryRun: true})
		if err != nil || done.Function.MemoryMB != 7 {
			t.Errorf("dry run: %+v, %v", done, err)
		}
	})
}

func TestPublishThatFailsIsTakenBack(t *testing.T) {
	n := newNode(t)
	n.deploy(t, edge.Change{Name: "a", Code: command("a")})
	n.engine.refuse = func(fn engine.Function) error {
		if fn.Version != engine.Latest {
			return errInjected
		}
		return nil
	}
	if _, err := n.Publish(t.Context(), "a", "", "", ""); !errors.Is(err, errInjected) {
		t.Errorf("error %v", err)
	}
	n.check(t)
	_, err := n.Deploy(t.Context(), edge.Change{Name: "a", Code: command("b"), Publish: true})
	if !errors.Is(err, errInjected) || !strings.Contains(err.Error(), "deployed as $LATEST") {
		t.Errorf("error %v", err)
	}
	n.check(t)
}

func TestVersionsAndAliases(t *testing.T) {
	n := newNode(t)
	ctx := t.Context()
	fn := n.deploy(t, edge.Change{Name: "a", Code: command("1"), Publish: true}).Function
	n.deploy(t, edge.Change{Name: "a", Code: command("2"), Publish: true})

	latest, err := n.store.GetFunction("a", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Publish(ctx, "a", "", "old", ""); !errors.Is(err, edge.ErrRevision) {
		t.Errorf("publish of another revision: %v", err)
	}
	if _, err := n.Publish(ctx, "a", "", "", fn.CodeSha256); !errors.Is(err, persist.ErrConflict) {
		t.Errorf("publish of other code: %v", err)
	}
	if same, err := n.Publish(ctx, "a", "", latest.RevisionID, latest.CodeSha256); err != nil || same.Version != "2" {
		t.Errorf("publish of the same: %v, %v", same.Version, err)
	}

	if _, err := n.CreateAlias(ctx, persist.Alias{Function: "a", Name: "live", Version: "9"}); !errors.Is(err, persist.ErrNotFound) {
		t.Errorf("alias of no version: %v", err)
	}
	live, err := n.CreateAlias(ctx, persist.Alias{Function: "a", Name: "live", Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	n.check(t)
	if _, err := n.CreateAlias(ctx, persist.Alias{Function: "a", Name: "live", Version: "2"}); !errors.Is(err, persist.ErrExists) {
		t.Errorf("alias twice: %v", err)
	}
	split := func(a *persist.Alias) error { a.Weights = map[string]float64{"2": 0.1}; return nil }
	if _, err := n.UpdateAlias(ctx, "a", "live", "old", split); !errors.Is(err, edge.ErrRevision) {
		t.Errorf("update of another revision: %v", err)
	}
	if _, err := n.UpdateAlias(ctx, "a", "live", live.RevisionID, split); err != nil {
		t.Fatal(err)
	}
	n.check(t)
	if err := n.DeleteVersion(ctx, "a", "2"); !errors.Is(err, persist.ErrConflict) {
		t.Errorf("delete of a version that an alias names: %v", err)
	}

	n.engine.alias = errInjected
	if _, err := n.UpdateAlias(ctx, "a", "live", "", func(a *persist.Alias) error { a.Version = "2"; return nil }); !errors.Is(err, errInjected) {
		t.Errorf("alias that the engine refuses: %v", err)
	}
	if _, err := n.CreateAlias(ctx, persist.Alias{Function: "a", Name: "next", Version: "2"}); !errors.Is(err, errInjected) {
		t.Errorf("alias that the engine refuses: %v", err)
	}
	n.engine.alias = nil
	n.check(t)

	if err := n.DeleteAlias(ctx, "a", "live"); err != nil {
		t.Fatal(err)
	}
	if err := n.DeleteVersion(ctx, "a", "2"); err != nil {
		t.Fatal(err)
	}
	if err := n.DeleteVersion(ctx, "a", "2"); !errors.Is(err, persist.ErrNotFound) {
		t.Errorf("delete twice: %v", err)
	}
	n.check(t)
}

func TestRoutes(t *testing.T) {
	n := newNode(t)
	ctx := t.Context()
	n.deploy(t, edge.Change{Name: "a", Code: command("a"), Routes: get("/a")})
	n.deploy(t, edge.Change{Name: "b", Code: command("b"), Routes: []persist.Route{{Method: "ANY", Path: "$default"}}})
	var routeError *gateway.RouteError
	for _, test := range []struct {
		name    string
		route   persist.Route
		replace bool
		is      error
		as      any
	}{
		{name: "exists", route: persist.Route{Method: "GET", Path: "/a", Function: "b"}, is: persist.ErrExists},
		{name: "default exists", route: persist.Route{Method: "ANY", Path: "$default", Function: "a"}, is: persist.ErrExists},
		{name: "no function", route: persist.Route{Method: "GET", Path: "/x", Function: "c"}, is: persist.ErrNotFound},
		{name: "no version", route: persist.Route{Method: "GET", Path: "/x", Function: "a", Qualifier: "7"}, is: persist.ErrNotFound},
		{name: "bad", route: persist.Route{Method: "GET", Path: "/{x", Function: "a"}, as: &routeError},
		{name: "bad async", route: persist.Route{Method: "GET", Path: "/x", Function: "a", Async: "often"}, as: &routeError},
	} {
		n.unchanged(t, func() {
			err := n.PutRoute(ctx, test.route, test.replace)
			if test.is != nil && !errors.Is(err, test.is) || test.as != nil && !errors.As(err, test.as) {
				t.Errorf("%s: %v", test.name, err)
			}
		})
	}
	if err := n.PutRoute(ctx, persist.Route{Method: "GET", Path: "/a", Function: "b"}, true); err != nil {
		t.Fatal(err)
	}
	n.check(t)
	if routes, err := n.store.FunctionRoutes("b"); err != nil || len(routes) != 2 {
		t.Errorf("routes of b: %v, %v", routes, err)
	}
	for _, key := range []string{"GET /a", "$default"} {
		if err := n.DeleteRoute(ctx, key); err != nil {
			t.Fatal(err)
		}
		n.check(t)
		if err := n.DeleteRoute(ctx, key); !errors.Is(err, persist.ErrNotFound) {
			t.Errorf("delete twice: %v", err)
		}
	}
}

func TestBoot(t *testing.T) {
	n := newNode(t)
	n.deploy(t, edge.Change{Name: "a", Code: command("a"), Routes: get("/a"), Publish: true})
	n.deploy(t, edge.Change{Name: "b", Code: module("extism:host/env", "b", "run"), Routes: get("/b")})
	if _, err := n.CreateAlias(t.Context(), persist.Alias{Function: "a", Name: "live", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	n.restart()
	for range 2 { // it is idempotent
		if err := n.Boot(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.check(t)
	}
	if n.engine.deployed != 0 {
		t.Errorf("boot deployed %d functions", n.engine.deployed)
	}
	if n.log.Len() != 0 {
		t.Errorf("boot had to say %s", n.log)
	}
}

func TestBootSkipsWhatIsBad(t *testing.T) {
	n := newNode(t)
	good := n.deploy(t, edge.Change{Name: "good", Code: command("good"), Routes: get("/good")}).Function
	bad := good
	bad.Name, bad.Runtime = "bad", "cobol"
	if _, err := n.store.PutFunction(bad, "", nil); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if err := n.store.PutRoute(persist.Route{Method: "GET", Path: fmt.Sprintf("/r%d", i), Function: "good"}, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/{", "/r7/{a+}/b"} {
		if err := n.store.PutRoute(persist.Route{Method: "GET", Path: path, Function: "good"}, false); err != nil {
			t.Fatal(err)
		}
	}
	n.restart()
	if err := n.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := n.engine.live["good:$LATEST"]; !ok || len(n.engine.live) != 1 {
		t.Errorf("live: %v", n.engine.live)
	}
	if n.gateway.table.Len() != 41 {
		t.Errorf("%d routes served, want 41", n.gateway.table.Len())
	}
	for _, want := range []string{"function=bad", `route="GET /{"`, `route="GET /r7/{a+}/b"`} {
		if !strings.Contains(n.log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, n.log)
		}
	}
}

func TestDelete(t *testing.T) {
	n := newNode(t)
	ctx := t.Context()
	n.deploy(t, edge.Change{Name: "a", Code: command("a"), Routes: get("/a"), Publish: true})
	n.deploy(t, edge.Change{Name: "b", Code: command("b"), Routes: get("/b")})
	gone, err := n.Delete(ctx, "a")
	if err != nil || len(gone.Functions) != 2 || len(gone.Routes) != 1 {
		t.Errorf("deleted %+v, %v", gone, err)
	}
	n.check(t)
	if _, err := n.Delete(ctx, "a"); !errors.Is(err, persist.ErrNotFound) {
		t.Errorf("delete twice: %v", err)
	}
	n.check(t)
}

// Whoever restores the records of a store that lost them needs their code.
func TestCodeOutlivesLostRecords(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *node){
		"damaged":  func(_ *testing.T, n *node) { n.store.lost = true },
		"new file": func(t *testing.T, n *node) { n.store.Store = openStore(t, t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			fn := n.deploy(t, edge.Change{Name: "a", Code: command("1")}).Function
			exists := func() bool { _, err := os.Stat(n.code.Path(fn.CodeHash)); return err == nil }
			if _, _, err := n.Collect(t.Context()); err != nil { // ends the code store's own grace
				t.Fatal(err)
			}
			if _, err := n.Delete(t.Context(), "a"); err != nil { // in place of the loss of its record
				t.Fatal(err)
			}
			lose(t, n)
			n.restart()
			if err := n.Boot(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, _, err := n.Collect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !exists() {
				t.Error("the code was removed")
			}
			if n.store.lost != strings.Contains(n.log.String(), "unused code is kept") {
				t.Errorf("the log is %q", n.log)
			}
		})
	}
}

func TestCodeOutlivesItsInvocations(t *testing.T) {
	n := newNode(t)
	old := n.deploy(t, edge.Change{Name: "a", Code: command("1")}).Function
	exists := func() bool { _, err := os.Stat(n.code.Path(old.CodeHash)); return err == nil }
	collect := func() {
		if _, _, err := n.Collect(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	collect() // sees it in use, which ends the store's own grace
	n.deploy(t, edge.Change{Name: "a", Code: command("2")})
	collect()
	if !exists() {
		t.Error("code was removed while an invocation may read it")
	}
	n.now = n.now.Add(time.Duration(old.TimeoutMillis)*time.Millisecond + time.Minute)
	n.deploy(t, edge.Change{Name: "a", Code: command("3")}) // makes room first
	if exists() {
		t.Error("code that nothing uses was not removed")
	}
	n.check(t)
}

// TestWaitingForATurnEnds: who gives up while another deploys is not served.
func TestWaitingForATurnEnds(t *testing.T) {
	n := newNode(t)
	inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error)
	n.engine.refuse = func(engine.Function) error {
		close(inside)
		<-leave
		return nil
	}
	go func() {
		_, err := n.Deploy(t.Context(), edge.Change{Name: "slow", Code: command("")})
		done <- err
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() { waiting <- n.DeleteRoute(ctx, "GET /x") }()
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ended with %v", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestRandomChanges: whatever happens, in whatever order, and whether or not it
// works, what is live is what is stored, also after a restart.
func TestRandomChanges(t *testing.T) {
	n := newNode(t)
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	ctx := t.Context()
	name := func() string { return string(rune('a' + rnd.IntN(3))) }
	version := func() string { return strconv.Itoa(1 + rnd.IntN(4)) }
	path := func() string { return "/" + string(rune('x'+rnd.IntN(3))) }
	succeeded := 0
	for step := range 150 {
		n.engine.refuse, n.store.put, n.engine.alias = nil, nil, nil
		switch rnd.IntN(10) {
		case 0:
			n.store.put = errInjected
		case 1:
			n.engine.refuse = func(engine.Function) error { return errInjected }
		case 2:
			n.engine.alias = errInjected
		}
		var err error
		switch rnd.IntN(9) {
		case 0, 1:
			_, err = n.Deploy(ctx, edge.Change{Name: name(), Code: command(name()), Routes: get(path()), Publish: rnd.IntN(4) == 0})
		case 2:
			_, err = n.Deploy(ctx, edge.Change{Name: name(), Mode: edge.UpdateOnly, Edit: memory(1 + rnd.IntN(9))})
		case 3:
			_, err = n.Publish(ctx, name(), "", "", "")
		case 4:
			_, err = n.CreateAlias(ctx, persist.Alias{Function: name(), Name: "live", Version: version()})
		case 5:
			to := version()
			_, err = n.UpdateAlias(ctx, name(), "live", "", func(a *persist.Alias) error { a.Version = to; return nil })
		case 6:
			err = n.PutRoute(ctx, persist.Route{Method: "ANY", Path: path(), Function: name()}, rnd.IntN(2) == 0)
		case 7:
			switch rnd.IntN(4) {
			case 0:
				_, err = n.Delete(ctx, name())
			case 1:
				err = n.DeleteVersion(ctx, name(), version())
			case 2:
				err = n.DeleteAlias(ctx, name(), "live")
			case 3:
				err = n.DeleteRoute(ctx, "GET "+path())
			}
		case 8:
			n.restart()
			err = n.Boot(ctx)
		}
		if err == nil {
			succeeded++
		}
		if n.check(t); t.Failed() {
			t.Fatalf("after step %d of seed %d, which ended with %v", step, seed, err)
		}
	}
	if succeeded < 20 {
		t.Errorf("only %d changes succeeded with seed %d", succeeded, seed)
	}
}

func BenchmarkBoot1000(b *testing.B) {
	n := newNode(b)
	fn := n.deploy(b, edge.Change{Name: "first", Code: command("")}).Function
	for i := range 999 {
		fn.Name = fmt.Sprintf("f%d", i)
		if _, err := n.store.PutFunction(fn, "", get("/"+fn.Name)); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		n.restart()
		if err := n.Boot(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
