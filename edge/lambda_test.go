package edge_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ledge/edge"
	"ledge/engine"
	"ledge/persist"
)

// layers names layer versions in a change: "a:1".
func layers(names ...string) func(*persist.Function) error {
	return func(fn *persist.Function) error {
		fn.Layers = nil
		for _, name := range names {
			var ref persist.LayerRef
			if _, err := fmt.Sscanf(strings.Replace(name, ":", " ", 1), "%s %d", &ref.Name, &ref.Version); err != nil {
				return err
			}
			fn.Layers = append(fn.Layers, ref)
		}
		return nil
	}
}

func (n *node) publishLayer(t testing.TB, name string, names ...string) persist.LayerVersion {
	t.Helper()
	layer, err := n.PublishLayer(t.Context(), persist.LayerVersion{Name: name}, files(t, names...))
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

func TestLayersOfAFunction(t *testing.T) {
	n := newNode(t)
	a, b := n.publishLayer(t, "a", "x", "only-a"), n.publishLayer(t, "b", "x", "only-b")
	opt := func() []string {
		t.Helper()
		var names []string
		dir := n.engine.live["f:$LATEST"].LayerDir
		if dir == "" {
			return nil
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	n.deploy(t, edge.Change{Name: "f", Code: command("1"), Edit: layers("a:1")})
	if live := n.engine.live["f:$LATEST"]; live.LayerHash != a.CodeHash || live.LayerDir != n.code.Path(a.CodeHash) {
		t.Errorf("one layer is live as %+v", live)
	}
	n.deploy(t, edge.Change{Name: "f", Edit: layers("a:1", "b:1")})
	if got := opt(); !slices.Equal(got, []string{"only-a", "only-b", "x"}) {
		t.Errorf("two layers have %v", got)
	}
	if fn := n.state(t).Functions[0]; fn.Layers[1] != (persist.LayerRef{Name: "b", Version: 1, Size: b.CodeSize}) {
		t.Errorf("stored %+v", fn.Layers)
	}
	merged := n.engine.live["f:$LATEST"].LayerHash
	n.unchanged(t, func() {
		if _, err := n.Deploy(t.Context(), edge.Change{Name: "f", Edit: layers("a:2")}); !errors.Is(err, persist.ErrNotFound) || !strings.Contains(err.Error(), "no version 2 of layer a") {
			t.Errorf("a layer that is not there: %v", err)
		}
	})
	published, err := n.Publish(t.Context(), "f", "", "", "")
	if err != nil || published.LayerHash != merged {
		t.Errorf("published %+v, %v", published, err)
	}

	// Deleted layers go on for those who have them, through changes, restarts and
	// collections.
	for _, name := range []string{"a", "b"} {
		if err := n.DeleteLayer(t.Context(), name, 1); err != nil {
			t.Fatal(err)
		}
	}
	n.deploy(t, edge.Change{Name: "f", Edit: memory(256)})
	n.deploy(t, edge.Change{Name: "f", Edit: layers("a:1", "b:1")})
	n.now = n.now.Add(time.Hour)
	n.restart()
	if err := n.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := opt(); !slices.Equal(got, []string{"only-a", "only-b", "x"}) {
		t.Errorf("after the restart: %v", got)
	}
	n.check(t)

	// Without a function and a layer version that name them the files go.
	n.deploy(t, edge.Change{Name: "f", Edit: layers()})
	if live := n.engine.live["f:$LATEST"]; live.LayerDir != "" || live.LayerHash != "" {
		t.Errorf("without layers it is live as %+v", live)
	}
	if err := n.DeleteVersion(t.Context(), "f", "1"); err != nil {
		t.Fatal(err)
	}
	n.now = n.now.Add(time.Hour)
	n.reopenCode(t)
	if _, _, err := n.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(n.code.Path(merged)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the merged layers are still there: %v", err)
	}
	n.check(t)
}

// reopenCode opens the code store again, which forgets what was put lately.
func (n *node) reopenCode(t *testing.T) {
	t.Helper()
	code, err := persist.OpenCode(filepath.Dir(filepath.Dir(n.code.Path(strings.Repeat("0", 64)))), persist.CodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	n.code = code
	n.restart()
	if err := n.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A layer version keeps its files while nobody uses it.
func TestUnusedLayersStay(t *testing.T) {
	n := newNode(t)
	layer := n.publishLayer(t, "a", "x")
	n.now = n.now.Add(time.Hour)
	n.reopenCode(t)
	if _, _, err := n.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := n.WriteCode(&b, layer.CodeHash); err != nil || b.Len() == 0 {
		t.Errorf("the layer is gone: %v", err)
	}
	if err := n.DeleteLayer(t.Context(), "a", 2); !errors.Is(err, persist.ErrNotFound) {
		t.Errorf("delete what is not there: %v", err)
	}
	if _, err := n.PublishLayer(t.Context(), persist.LayerVersion{Name: "a"}, []byte("text")); !errors.As(err, new(*persist.ArchiveError)) {
		t.Errorf("publish a text: %v", err)
	}
}

func TestSharedConcurrency(t *testing.T) {
	n := newNode(t)
	n.deploy(t, edge.Change{Name: "f", Code: command("1"), Publish: true})
	if err := n.SetConcurrency(t.Context(), "f", engine.NoConcurrency); err != nil {
		t.Fatal(err)
	}
	if got := n.engine.concurrency["f"]; got != engine.NoConcurrency {
		t.Errorf("the engine has %d", got)
	}
	n.restart()
	if err := n.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, fn := range n.engine.live {
		if fn.Limits.Concurrency != engine.NoConcurrency {
			t.Errorf("%s has concurrency %d after a restart", name, fn.Limits.Concurrency)
		}
	}
	if err := n.SetConcurrency(t.Context(), "nobody", 1); !errors.Is(err, persist.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

func TestProvisionedFollowsVersions(t *testing.T) {
	n := newNode(t)
	n.deploy(t, edge.Change{Name: "f", Code: command("1"), Publish: true})
	n.deploy(t, edge.Change{Name: "f", Code: command("2"), Publish: true})
	if _, err := n.CreateAlias(t.Context(), persist.Alias{Function: "f", Name: "live", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	provision := func(qualifier string, count int) error {
		_, err := n.Provision(t.Context(), persist.Provisioned{Function: "f", Qualifier: qualifier, Count: count})
		return err
	}
	is := func(when string, want map[string]int) {
		t.Helper()
		if !maps.Equal(n.engine.provisioned, want) {
			t.Errorf("%s: %v, want %v", when, n.engine.provisioned, want)
		}
	}
	if err := errors.Join(provision("live", 6), provision("2", 4)); err != nil {
		t.Fatal(err)
	}
	is("made", map[string]int{"f:1": 6, "f:2": 4})
	if err := provision("2", 5); err == nil { // the fake has room for 10
		t.Error("more than there is room for")
	}
	is("after a refusal", map[string]int{"f:1": 6, "f:2": 4})
	if p, err := n.store.GetProvisioned("f", "2"); err != nil || p.Count != 4 {
		t.Errorf("after a refusal %+v is stored, %v", p, err)
	}
	if err := provision("1", 1); err == nil {
		t.Error("a new one of more than there is room for")
	}
	if _, err := n.store.GetProvisioned("f", "1"); !errors.Is(err, persist.ErrNotFound) {
		t.Errorf("what was refused is stored: %v", err)
	}
	// What moves away makes room for where it goes.
	move := func(version string) {
		t.Helper()
		if _, err := n.UpdateAlias(t.Context(), "f", "live", "", func(a *persist.Alias) error { a.Version = version; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	move("2")
	is("moved", map[string]int{"f:2": 10})
	n.restart()
	if err := n.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	is("after a restart", map[string]int{"f:2": 10})
	move(persist.Latest)
	is("an alias of $LATEST has none", map[string]int{"f:2": 4})
	move("2")
	if err := n.DeleteAlias(t.Context(), "f", "live"); err != nil {
		t.Fatal(err)
	}
	is("without the alias", map[string]int{"f:2": 4})
	if err := n.Unprovision(t.Context(), "f", "2"); err != nil {
		t.Fatal(err)
	}
	is("at the end", map[string]int{})
	for _, err := range []error{n.Unprovision(t.Context(), "f", "2"), provision("9", 1)} {
		if !errors.Is(err, persist.ErrNotFound) {
			t.Errorf("what is not there: %v", err)
		}
	}
	if err := provision(persist.Latest, 1); !errors.Is(err, persist.ErrInvalid) {
		t.Errorf("$LATEST: %v", err)
	}
}

func TestTagsDoNotDeploy(t *testing.T) {
	n := newNode(t)
	n.deploy(t, edge.Change{Name: "f", Code: command("1")})
	deployed := n.engine.deployed
	allow := func(map[string]string) error { return nil }
	if err := n.Tag(t.Context(), "f", map[string]string{"a": "b"}, nil, allow); err != nil {
		t.Fatal(err)
	}
	n.deploy(t, edge.Change{Name: "f", Edit: memory(64)})
	if fn := n.state(t).Functions[0]; fn.Tags["a"] != "b" || n.engine.deployed != deployed+1 {
		t.Errorf("tags %v after %d deploys", fn.Tags, n.engine.deployed-deployed)
	}
	if err := n.Tag(t.Context(), "nobody", nil, nil, allow); !errors.Is(err, persist.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

func TestFunctionURLsAreServed(t *testing.T) {
	n := newNode(t)
	n.deploy(t, edge.Change{Name: "f", Code: command("1"), Publish: true})
	if _, err := n.CreateAlias(t.Context(), persist.Alias{Function: "f", Name: "live", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	put := func(u persist.FunctionURL, replace bool) (persist.FunctionURL, error) {
		before := n.gateway.apis
		stored, err := n.PutFunctionURL(t.Context(), u, replace)
		if changed := n.gateway.apis != before; changed != (err == nil) {
			t.Errorf("%+v: the gateway was changed: %t, %v", u, changed, err)
		}
		return stored, err
	}
	u := persist.FunctionURL{ID: "abc", Function: "f", AuthType: "NONE", InvokeMode: "BUFFERED"}
	if _, err := put(u, false); err != nil {
		t.Fatal(err)
	}
	bad := u
	bad.CORS = &persist.CORS{AllowOrigins: []string{"*"}, AllowCredentials: true}
	n.unchanged(t, func() {
		for what, err := range map[string]error{
			"twice": second(put(u, false)), "for nobody": second(put(persist.FunctionURL{ID: "x", Function: "nobody"}, false)),
			"that cannot be served": second(put(bad, true)), "changed that is not there": second(put(persist.FunctionURL{ID: "x", Function: "f", Qualifier: "live"}, true)),
			"deleted that is not there": n.DeleteFunctionURL(t.Context(), "f", "live"),
		} {
			if err == nil {
				t.Errorf("a URL %s", what)
			}
		}
	})
	u.ID, u.Qualifier = "def", "live"
	if _, err := put(u, false); err != nil {
		t.Fatal(err)
	}
	// The gateway is told when a URL goes, with whatever takes it along.
	for what, remove := range map[string]func() error{
		"the alias": func() error { return n.DeleteAlias(t.Context(), "f", "live") },
		"itself":    func() error { return n.DeleteFunctionURL(t.Context(), "f", "") },
	} {
		before := n.gateway.apis
		if err := remove(); err != nil || n.gateway.apis == before {
			t.Errorf("with %s: %v", what, err)
		}
	}
	// A URL that only a newer release can serve keeps no other from coming and going.
	unknown := persist.FunctionURL{ID: "new", Function: "f", Qualifier: "1", AuthType: "NONE", CORS: bad.CORS}
	if _, err := n.store.PutFunctionURL(unknown, false); err != nil {
		t.Fatal(err)
	}
	u.ID, u.Qualifier = "ghi", ""
	if _, err := put(u, false); err != nil {
		t.Fatal(err)
	}
	served := n.gateway.apis
	if err := n.DeleteFunctionURL(t.Context(), "f", ""); err != nil || n.gateway.apis == served {
		t.Errorf("beside one that cannot be served: %v", err)
	}
	if _, err := put(u, false); err != nil {
		t.Fatal(err)
	}
	before := n.gateway.apis
	if _, err := n.Delete(t.Context(), "f"); err != nil || n.gateway.apis == before || len(n.state(t).URLs) != 0 {
		t.Errorf("with the function: %v, %+v", err, n.state(t).URLs)
	}
}

func second[T any](_ T, err error) error { return err }
