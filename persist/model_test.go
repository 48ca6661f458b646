package persist

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// model is what a Store should be, in plain maps.
type model struct {
	functions map[string]map[uint64]Function
	published map[string]uint64
	aliases   map[string]map[string]Alias
	routes    map[string]Route
}

func newModel() *model {
	return &model{
		functions: map[string]map[uint64]Function{},
		published: map[string]uint64{},
		aliases:   map[string]map[string]Alias{},
		routes:    map[string]Route{},
	}
}

func (m *model) state() State {
	var s State
	for _, name := range slices.Sorted(maps.Keys(m.functions)) {
		for _, n := range slices.Sorted(maps.Keys(m.functions[name])) {
			s.Functions = append(s.Functions, m.functions[name][n])
		}
		for _, a := range slices.Sorted(maps.Keys(m.aliases[name])) {
			s.Aliases = append(s.Aliases, m.aliases[name][a])
		}
	}
	s.Routes = slices.SortedFunc(maps.Values(m.routes), func(a, b Route) int { return cmp.Compare(a.Key(), b.Key()) })
	return s
}

// TestModel runs random operations on a store and on the model, and compares
// what they return and what is there, with restarts in between.
func TestModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	function := func() string { return pick("a", "a-", "aa", "b") }
	alias := func() string { return pick("live", "test") }
	version := func() string { return pick("1", "2", "3", "4", "5", "6") }
	route := func(fn string) Route {
		return Route{Method: pick("GET", "ANY"), Path: pick("/", "/x", "/y"), Function: fn, Qualifier: pick("", "live")}
	}
	dir := t.TempDir()
	s, m := openStore(t, dir, Options{}), newModel()

	for i := range 1500 {
		var what string
		var err, want error
		name := function()
		switch random.IntN(10) {
		case 0, 1:
			fn := testFunction(name)
			fn.MemoryMB = random.IntN(4)
			var routes []Route
			for range random.IntN(3) {
				routes = append(routes, route(name))
			}
			revision := pick("", "", MustNotExist, m.functions[name][0].RevisionID, "stale")
			what = fmt.Sprintf("PutFunction %s %q %v", name, revision, routes)
			want = m.putError(name, revision, routes)
			fn, err = s.PutFunction(fn, revision, routes)
			if err == nil && want == nil {
				m.put(name, fn, routes)
			}
		case 2:
			what = "DeleteFunction " + name
			if m.functions[name] == nil {
				want = ErrNotFound
			}
			_, err = s.DeleteFunction(name)
			delete(m.functions, name)
			delete(m.aliases, name)
			maps.DeleteFunc(m.routes, func(_ string, r Route) bool { return r.Function == name })
		case 3, 4:
			what = "Publish " + name
			var fn Function
			var created bool
			fn, created, err = s.Publish(name, "", "")
			latest, exists := m.functions[name][0]
			last, found := m.functions[name][m.published[name]]
			switch {
			case !exists:
				want = ErrNotFound
			case err == nil && found && m.published[name] > 0 && last.MemoryMB == latest.MemoryMB:
				if created || !reflect.DeepEqual(fn, last) {
					t.Fatalf("step %d, %s: made %+v of the unchanged %+v", i, what, fn, last)
				}
			case err == nil:
				m.published[name]++
				if !created || fn.Version != fmt.Sprint(m.published[name]) || !sameVersion(fn, latest) {
					t.Fatalf("step %d, %s: got %+v, created %t, of %+v", i, what, fn, created, latest)
				}
				m.functions[name][m.published[name]] = fn
			}
		case 5:
			v := version()
			what = "DeleteVersion " + name + " " + v
			n, _ := versionNumber(v)
			if _, exists := m.functions[name][n]; !exists {
				want = ErrNotFound
			}
			for _, a := range m.aliases[name] {
				if _, weighs := a.Weights[v]; want == nil && (weighs || a.Version == v) {
					want = ErrConflict
				}
			}
			err = s.DeleteVersion(name, v)
			if want == nil {
				delete(m.functions[name], n)
			}
		case 6:
			a := Alias{Function: name, Name: alias(), Version: version()}
			if random.IntN(2) == 0 {
				a.Weights = map[string]float64{version(): 0.5}
			}
			what = fmt.Sprintf("PutAlias %+v", a)
			for _, v := range append(slices.Collect(maps.Keys(a.Weights)), a.Version) {
				n, _ := versionNumber(v)
				if _, exists := m.functions[name][n]; !exists {
					want = ErrNotFound
				}
			}
			a, err = s.PutAlias(a, "")
			if want == nil {
				if m.aliases[name] == nil {
					m.aliases[name] = map[string]Alias{}
				}
				m.aliases[name][a.Name] = a
			}
		case 7:
			a := alias()
			what = "DeleteAlias " + name + " " + a
			if _, exists := m.aliases[name][a]; !exists {
				want = ErrNotFound
			}
			err = s.DeleteAlias(name, a)
			delete(m.aliases[name], a)
		case 8:
			r, replace := route(name), random.IntN(2) == 0
			what = fmt.Sprintf("PutRoute %+v %t", r, replace)
			if _, exists := m.routes[r.Key()]; exists && !replace {
				want = ErrExists
			}
			if m.functions[name] == nil {
				want = ErrNotFound
			}
			err = s.PutRoute(r, replace)
			if want == nil {
				m.routes[r.Key()] = r
			}
		case 9:
			key := route(name).Key()
			what = "DeleteRoute " + key
			if _, exists := m.routes[key]; !exists {
				want = ErrNotFound
			}
			err = s.DeleteRoute(key)
			delete(m.routes, key)
		}
		if !errors.Is(err, want) {
			t.Fatalf("step %d, %s: got error %v, want %v", i, what, err, want)
		}
		if i%300 == 299 {
			closeStore(t, s)
			s = openStore(t, dir, Options{})
		}
		if i%10 == 9 {
			got, err := s.Load()
			noErr(t, err)
			wantState := m.state()
			wantState.Generation = s.Generation()
			if !reflect.DeepEqual(got, wantState) {
				t.Fatalf("step %d, after %s: store has\n%+v\nmodel has\n%+v", i, what, got, wantState)
			}
		}
	}
}

func (m *model) putError(name, revision string, routes []Route) error {
	latest, exists := m.functions[name][0]
	switch {
	case revision == MustNotExist && exists:
		return ErrExists
	case revision == "" || revision == MustNotExist:
	case !exists:
		return ErrNotFound
	case revision != latest.RevisionID:
		return ErrConflict
	}
	for _, r := range routes {
		if owner, taken := m.routes[r.Key()]; taken && owner.Function != name {
			return ErrConflict
		}
	}
	return nil
}

func (m *model) put(name string, fn Function, routes []Route) {
	if m.functions[name] == nil {
		m.functions[name] = map[uint64]Function{}
	}
	m.functions[name][0] = fn
	for _, r := range routes {
		m.routes[r.Key()] = r
	}
}
