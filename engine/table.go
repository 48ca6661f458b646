package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// table finds the live version for a name and a qualifier. Reading takes no
// lock; whoever changes it holds Runtime.changing.
type table struct {
	names sync.Map // string -> *entry
}

// entry is what is live under one name. Its views are never modified.
type entry struct{ view atomic.Pointer[view] }

type view struct {
	quota    *quota // one for the life of the entry
	latest   *version
	versions map[string]*version // the published ones
	aliases  map[string]alias
}

type alias struct {
	version string
	weights map[string]float64 // other versions' share
}

// pick chooses between the alias's versions by their weights.
func (a alias) pick() string {
	if len(a.weights) == 0 {
		return a.version
	}
	at := rand.Float64()
	for name, weight := range a.weights {
		if at -= weight; at < 0 {
			return name
		}
	}
	return a.version
}

func (t *table) find(name, qualifier string) (*version, error) {
	if w := t.view(name); w != nil {
		if v := w.resolve(qualifier); v != nil {
			return v, nil
		}
	}
	if qualifier != "" {
		name += ":" + qualifier
	}
	return nil, fmt.Errorf("%s: %w", name, ErrNotFound)
}

func (w *view) resolve(qualifier string) *version {
	if qualifier == "" || qualifier == Latest {
		return w.latest
	}
	if v := w.versions[qualifier]; v != nil {
		return v
	}
	a, ok := w.aliases[qualifier]
	if !ok {
		return nil
	}
	return w.version(a.pick())
}

// change replaces the view of name with what edit makes of a copy. A view
// without versions is removed.
func (t *table) change(name string, edit func(*view)) {
	e, ok := t.names.Load(name)
	next := &view{quota: &quota{}, versions: map[string]*version{}, aliases: map[string]alias{}}
	if ok {
		now := e.(*entry).view.Load()
		next.quota, next.latest = now.quota, now.latest
		maps.Copy(next.versions, now.versions)
		maps.Copy(next.aliases, now.aliases)
	} else {
		e = &entry{}
	}
	edit(next)
	if next.latest == nil && len(next.versions) == 0 {
		t.names.Delete(name)
		return
	}
	e.(*entry).view.Store(next)
	t.names.Store(name, e)
}

// each calls visit with every live version.
func (t *table) each(visit func(*version)) {
	t.names.Range(func(_, e any) bool {
		e.(*entry).view.Load().each(visit)
		return true
	})
}

// each calls visit with every version.
func (w *view) each(visit func(*version)) {
	if w.latest != nil {
		visit(w.latest)
	}
	for _, v := range w.versions {
		visit(v)
	}
}

// version returns a version by its own name, or nil.
func (w *view) version(number string) *version {
	if number == Latest {
		return w.latest
	}
	return w.versions[number]
}

// view returns what is live under a name, or nil.
func (t *table) view(name string) *view {
	e, ok := t.names.Load(name)
	if !ok {
		return nil
	}
	return e.(*entry).view.Load()
}
