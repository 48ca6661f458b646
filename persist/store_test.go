package persist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// openStore opens a store for one test and checks every page of it afterwards.
func openStore(t testing.TB, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		checkDatabase(t, dir)
	})
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// checkDatabase runs bbolt's own check over the file.
func checkDatabase(t testing.TB, dir string) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, databaseFile), 0o600, &bolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Errorf("open for check: %v", err)
		return
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("check: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Errorf("check: %v", err)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testFunction has a value in every field that callers set.
func testFunction(name string) Function {
	return Function{
		Name: name, Description: "a function", Runtime: "wasi", RequestedRuntime: "provided.al2023",
		Handler: "run", Role: "arn:aws:iam::000000000000:role/none",
		CodeHash: strings.Repeat("ab", 32), CodeSha256: "c2hh", CodeSize: 1234,
		Env: map[string]string{"B": "2", "A": "1"}, MemoryMB: 128, TimeoutMillis: 3000, Concurrency: 4,
		Isolation: "reuse", AllowHosts: []string{"example.com"}, AllowInvoke: []string{"*"}, AllowPublish: []string{"a/#"}, NoSnapshot: true,
		Architectures: []string{"arm64"}, SnapStart: "PublishedVersions",
		Layers: []LayerRef{{Name: "libs", Version: 3, Size: 99}}, LayerHash: strings.Repeat("cd", 32),
		Tags: map[string]string{"team": "edge"},
	}
}

// A setting that a version does not notice would never take effect where the
// version is published.
func TestEverySettingMakesAVersion(t *testing.T) {
	unimportant := []string{"Name", "Version", "Description", "Concurrency", "Tags", "RevisionID", "Created", "LastModified"}
	full := testFunction("f")
	full.Version, full.RevisionID, full.Created, full.LastModified = "1", "r", time.Unix(1, 0), time.Unix(2, 0)
	fields := reflect.TypeFor[Function]()
	for i := range fields.NumField() {
		other, name := full, fields.Field(i).Name
		field := reflect.ValueOf(&other).Elem().Field(i)
		if field.IsZero() {
			t.Errorf("%s has no value in this test", name)
		}
		field.SetZero()
		if same := sameVersion(full, other); same != slices.Contains(unimportant, name) {
			t.Errorf("without %s it is the same version: %t", name, same)
		}
	}
}

func TestEveryFieldSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	route := Route{Method: "GET", Path: "/a/{b}", Function: "f", Qualifier: "live", Payload: "raw", ContentType: "text/plain",
		CORS: &CORS{AllowOrigins: []string{"*"}, AllowMethods: []string{"GET"}, AllowHeaders: []string{"x"},
			ExposeHeaders: []string{"y"}, MaxAgeSeconds: 5, AllowCredentials: true}}
	put, err := s.PutFunction(testFunction("f"), MustNotExist, []Route{route, {Path: "$default"}})
	noErr(t, err)
	v1, created, err := s.Publish("f", "first", put.RevisionID)
	noErr(t, err)
	if !created || v1.Version != "1" || v1.Description != "first" || v1.RevisionID == put.RevisionID {
		t.Fatalf("Publish: %+v, created %t", v1, created)
	}
	alias, err := s.PutAlias(Alias{Function: "f", Name: "live", Version: "1", Description: "d", Weights: map[string]float64{"1": 0.25}}, "")
	noErr(t, err)
	noErr(t, s.PutSetting("mode", "on"))
	noErr(t, s.KV().Put("f", "k", []byte("v")))
	before, err := s.Load()
	noErr(t, err)
	if before.Generation != s.Generation() || before.Generation == 0 {
		t.Errorf("generation of state %d, of store %d", before.Generation, s.Generation())
	}
	closeStore(t, s)

	s = openStore(t, dir, Options{})
	after, err := s.Load()
	noErr(t, err)
	if !reflect.DeepEqual(before, after) {
		t.Errorf("after restart:\n%+v\nbefore:\n%+v", after, before)
	}
	want := State{
		Functions:  []Function{put, v1},
		Aliases:    []Alias{alias},
		Routes:     []Route{{Path: "$default", Function: "f"}, route},
		Generation: before.Generation,
	}
	if !reflect.DeepEqual(after, want) {
		t.Errorf("got\n%+v\nwant\n%+v", after, want)
	}
	if mode, err := s.Setting("mode"); err != nil || mode != "on" {
		t.Errorf("Setting: %q, %v", mode, err)
	}
	if v, err := s.KV().Get("f", "k"); err != nil || string(v) != "v" {
		t.Errorf("KV.Get: %q, %v", v, err)
	}
	if s.Recovered() != "" {
		t.Errorf("Recovered: %s", s.Recovered())
	}
}

func TestPutFunctionRevisions(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	_, err := s.PutFunction(testFunction("f"), "some-revision", nil)
	wantErr(t, "revision of a function that is not there", err, ErrNotFound)
	first, err := s.PutFunction(testFunction("f"), MustNotExist, nil)
	noErr(t, err)
	_, err = s.PutFunction(testFunction("f"), MustNotExist, nil)
	wantErr(t, "create again", err, ErrExists)
	second, err := s.PutFunction(testFunction("f"), first.RevisionID, nil)
	noErr(t, err)
	if second.RevisionID == first.RevisionID {
		t.Error("the revision did not change with the write")
	}
	if !second.Created.Equal(first.Created) || second.LastModified.Before(first.LastModified) {
		t.Errorf("created %v then %v, modified %v then %v", first.Created, second.Created, first.LastModified, second.LastModified)
	}
	_, err = s.PutFunction(testFunction("f"), first.RevisionID, nil)
	wantErr(t, "old revision", err, ErrConflict)
	_, err = s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
}

func TestInvalidRecords(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	put := func(fn Function, routes ...Route) error { _, err := s.PutFunction(fn, "", routes); return err }
	alias := func(a Alias) error { _, err := s.PutAlias(a, ""); return err }
	huge := testFunction("f")
	huge.Description = strings.Repeat("x", maxRecordBytes)
	for name, err := range map[string]error{
		"no name":                  put(Function{}),
		"name with a zero byte":    put(Function{Name: "a\x00b"}),
		"long name":                put(Function{Name: strings.Repeat("n", maxNameBytes+1)}),
		"huge record":              put(huge),
		"route of another":         put(testFunction("f"), Route{Path: "/", Method: "GET", Function: "g"}),
		"route without path":       put(testFunction("f"), Route{Method: "GET"}),
		"route with an odd method": put(testFunction("f"), Route{Method: "GET /x", Path: "/"}),
		"route that hides another": s.PutRoute(Route{Path: "GET /x", Function: "f"}, true),
		"alias that is a number":   alias(Alias{Function: "f", Name: "7", Version: Latest}),
		"alias that is $LATEST":    alias(Alias{Function: "f", Name: Latest, Version: Latest}),
		"alias of no version":      alias(Alias{Function: "f", Name: "a"}),
		"alias of an alias":        alias(Alias{Function: "f", Name: "a", Version: "b"}),
		"weight above 1":           alias(Alias{Function: "f", Name: "a", Version: Latest, Weights: map[string]float64{Latest: 1.5}}),
		"delete $LATEST":           s.DeleteVersion("f", Latest),
		"delete an alias":          s.DeleteVersion("f", "live"),
		"setting without key":      s.PutSetting("", "x"),
		"huge setting":             s.PutSetting("k", strings.Repeat("x", maxSettingBytes+1)),
	} {
		wantErr(t, name, err, ErrInvalid)
	}
	state, err := s.Load()
	noErr(t, err)
	if len(state.Functions) != 1 || len(state.Routes) != 0 || len(state.Aliases) != 0 || state.Generation != 1 {
		t.Errorf("a refused write changed the store: %+v", state)
	}
}

func TestNotFoundSaysWhat(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	get := func(name, qualifier string) error { _, err := s.GetFunction(name, qualifier); return err }
	alias := func(fn, name string) error { _, err := s.GetAlias(fn, name); return err }
	for _, c := range []struct {
		err  error
		says string
	}{
		{get("g", ""), "function g"},
		{get("g", "1"), "function g"},
		{get("g", "live"), "function g"},
		{get("f", "1"), "version 1"},
		{get("f", "007"), "version 007"},
		{get("f", "99999999999999999999"), "version 9999"},
		{get("f", "live"), "alias live"},
		{alias("f", "live"), "alias live"},
		{alias("g", "live"), "function g"},
		{s.DeleteAlias("f", "live"), "alias live"},
		{s.DeleteVersion("f", "3"), "version 3"},
		{s.DeleteRoute("GET /"), "GET /"},
		{s.DeleteRoute(""), "route"},
		{s.PutRoute(Route{Method: "GET", Path: "/", Function: "g"}, true), "function g"},
		{s.KV().Put("g", "k", nil), "function g"},
		{func() error { _, err := s.DeleteFunction("g"); return err }(), "function g"},
		{func() error { _, _, err := s.Publish("g", "", ""); return err }(), "function g"},
		{func() error { _, _, err := s.Versions("g", "", 0); return err }(), "function g"},
		{func() error { _, err := s.Aliases("g"); return err }(), "function g"},
		{func() error { _, err := s.FunctionRoutes("g"); return err }(), "function g"},
		{func() error { _, err := s.Setting("none"); return err }(), "setting none"},
		{func() error { _, err := s.PutAlias(Alias{Function: "f", Name: "a", Version: "5"}, ""); return err }(), "version 5"},
	} {
		wantErr(t, c.says, c.err, ErrNotFound)
		if c.err != nil && !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%q does not say %q", c.err, c.says)
		}
	}
}

func TestVersionsAreNeverReused(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	publish := func(memory int, want string, wantCreated bool) {
		t.Helper()
		fn := testFunction("f")
		fn.MemoryMB = memory
		_, err := s.PutFunction(fn, "", nil)
		noErr(t, err)
		v, created, err := s.Publish("f", "", "")
		noErr(t, err)
		if v.Version != want || created != wantCreated {
			t.Errorf("published %s, created %t; want %s, %t", v.Version, created, want, wantCreated)
		}
	}
	publish(1, "1", true)
	publish(1, "1", false) // nothing changed
	publish(2, "2", true)
	noErr(t, s.DeleteVersion("f", "2"))
	publish(2, "3", true) // 2 is gone, and its number with it
	_, err := s.PutAlias(Alias{Function: "f", Name: "live", Version: "1", Weights: map[string]float64{"3": 0.1}}, "")
	noErr(t, err)
	wantErr(t, "delete what an alias names", s.DeleteVersion("f", "1"), ErrConflict)
	wantErr(t, "delete what an alias weighs", s.DeleteVersion("f", "3"), ErrConflict)
	removed, err := s.DeleteFunction("f")
	noErr(t, err)
	if len(removed.Functions) != 3 || len(removed.Aliases) != 1 {
		t.Errorf("removed %+v", removed)
	}
	publish(1, "4", true) // of a new function with the old name
	_, _, err = s.Publish("f", "", "not-its-revision")
	wantErr(t, "publish another revision", err, ErrConflict)
}

func TestAliasRevisions(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	a := Alias{Function: "f", Name: "live", Version: Latest}
	first, err := s.PutAlias(a, MustNotExist)
	noErr(t, err)
	_, err = s.PutAlias(a, MustNotExist)
	wantErr(t, "create again", err, ErrExists)
	_, err = s.PutAlias(a, first.RevisionID)
	noErr(t, err)
	_, err = s.PutAlias(a, first.RevisionID)
	wantErr(t, "old revision", err, ErrConflict)
	if fn, err := s.GetFunction("f", "live"); err != nil || fn.Version != Latest {
		t.Errorf("by alias: %+v, %v", fn, err)
	}
	noErr(t, s.DeleteAlias("f", "live"))
}

func TestRoutesHaveOneOwner(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	r := Route{Method: "GET", Path: "/x"}
	_, err := s.PutFunction(testFunction("f"), "", []Route{r})
	noErr(t, err)
	_, err = s.PutFunction(testFunction("g"), "", []Route{{Method: "GET", Path: "/y"}, r})
	wantErr(t, "deploy with a route of another", err, ErrConflict)
	if err != nil && !strings.Contains(err.Error(), "function f") {
		t.Errorf("%q does not name the owner", err)
	}
	_, err = s.GetFunction("g", "")
	wantErr(t, "the function of the refused deploy", err, ErrNotFound)
	_, err = s.PutFunction(testFunction("g"), "", nil)
	noErr(t, err)
	r.Function = "g"
	wantErr(t, "add what is there", s.PutRoute(r, false), ErrExists)
	noErr(t, s.PutRoute(r, true))
	routes, err := s.FunctionRoutes("g")
	noErr(t, err)
	if len(routes) != 1 || routes[0].Key() != "GET /x" {
		t.Errorf("routes of g: %+v", routes)
	}
	noErr(t, s.DeleteRoute("GET /x"))
	if routes, err = s.Routes(); err != nil || len(routes) != 0 {
		t.Errorf("routes: %+v, %v", routes, err)
	}
}

func TestPages(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	// Names of which one begins another, and characters around the separator.
	names := []string{"a", "a-", "a-b", "a0", "aa", "b"}
	for _, name := range names {
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
		_, _, err = s.Publish(name, "", "")
		noErr(t, err)
	}
	for limit := range 8 {
		var got []string
		after := ""
		for page := 0; page < 20; page++ {
			fns, more, err := s.Functions(after, limit)
			noErr(t, err)
			for _, fn := range fns {
				if fn.Version != Latest {
					t.Errorf("Functions returned version %s of %s", fn.Version, fn.Name)
				}
				got = append(got, fn.Name)
			}
			if !more {
				break
			}
			after = fns[len(fns)-1].Name
		}
		if !reflect.DeepEqual(got, names) {
			t.Errorf("limit %d: %q", limit, got)
		}
	}
	for i := range 3 {
		fn := testFunction("a")
		fn.MemoryMB = 1000 + i
		_, err := s.PutFunction(fn, "", nil)
		noErr(t, err)
		_, _, err = s.Publish("a", "", "")
		noErr(t, err)
	}
	first, more, err := s.Versions("a", "", 2)
	noErr(t, err)
	second, more2, err := s.Versions("a", first[1].Version, 3)
	noErr(t, err)
	var got []string
	for _, fn := range append(first, second...) {
		got = append(got, fn.Version)
	}
	if fmt.Sprint(got) != "[$LATEST 1 2 3 4]" || !more || more2 {
		t.Errorf("versions %v, more %t and %t", got, more, more2)
	}
	_, _, err = s.Versions("a", "alias", 0)
	wantErr(t, "page after an alias", err, ErrInvalid)
}

func TestDeleteFunctionTakesAllOfItAndNothingElse(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for _, name := range []string{"f", "f-", "g"} {
		_, err := s.PutFunction(testFunction(name), "", []Route{{Method: "GET", Path: "/" + name}})
		noErr(t, err)
		_, _, err = s.Publish(name, "", "")
		noErr(t, err)
		_, err = s.PutAlias(Alias{Function: name, Name: "live", Version: "1"}, "")
		noErr(t, err)
		noErr(t, s.KV().Put(name, "k", []byte(name)))
	}
	removed, err := s.DeleteFunction("f")
	noErr(t, err)
	if len(removed.Functions) != 2 || len(removed.Aliases) != 1 || len(removed.Routes) != 1 || removed.Routes[0].Path != "/f" {
		t.Errorf("removed %+v", removed)
	}
	left, err := s.Load()
	noErr(t, err)
	if len(left.Functions) != 4 || len(left.Aliases) != 2 || len(left.Routes) != 2 {
		t.Errorf("left %+v", left)
	}
	for name, want := range map[string]string{"f-": "f-", "g": "g"} {
		if v, err := s.KV().Get(name, "k"); err != nil || string(v) != want {
			t.Errorf("data of %s: %q, %v", name, v, err)
		}
	}
	_, err = s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	if v, err := s.KV().Get("f", "k"); err != nil || v != nil {
		t.Errorf("a new function of the old name finds data %q, %v", v, err)
	}
}

func TestGenerationCountsChanges(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	before := s.Generation()
	noErr(t, s.KV().Put("f", "k", nil))
	_, err = s.PutFunction(testFunction("f"), MustNotExist, nil)
	wantErr(t, "create again", err, ErrExists)
	if s.Generation() != before {
		t.Errorf("generation went from %d to %d although no record changed", before, s.Generation())
	}
	noErr(t, s.PutSetting("a", "b"))
	if s.Generation() != before+1 {
		t.Errorf("generation went from %d to %d with one change", before, s.Generation())
	}
	closeStore(t, s)
	if s = openStore(t, dir, Options{}); s.Generation() != before+1 {
		t.Errorf("generation after restart is %d, want %d", s.Generation(), before+1)
	}
}

func TestWritersShareCommits(t *testing.T) {
	// The first commit is held at the disk until the others have queued up.
	const writers = 100
	var (
		once    sync.Once
		commits int // only the committing goroutine counts
		held    = make(chan struct{})
		release = make(chan struct{})
		counted faults
	)
	counted.before = func(at step) error {
		if at == stepCommit {
			commits++
			once.Do(func() { close(held); <-release })
		}
		return nil
	}
	s := openStore(t, t.TempDir(), Options{faults: &counted})
	var wg sync.WaitGroup
	put := func(i int) {
		wg.Go(func() {
			if err := s.PutSetting(fmt.Sprint(i), "x"); err != nil {
				t.Error(err)
			}
		})
	}
	put(0)
	<-held
	for i := range writers {
		put(i + 1)
	}
	waitQueue(s, writers)
	close(release)
	wg.Wait()
	closeStore(t, s)
	if commits != 2 {
		t.Errorf("%d writers took %d commits, want 2", writers+1, commits)
	}
}

// waitQueue returns when n writes wait for a commit that a test holds up.
func waitQueue(s *Store, n int) {
	for {
		s.mu.Lock()
		queued := len(s.queue)
		s.mu.Unlock()
		if queued >= n {
			return
		}
		runtime.Gosched()
	}
}

func TestOneFailureDoesNotSpoilTheBatch(t *testing.T) {
	// In one batch: writes, refusals before writing, one that fails after
	// writing, one that panics.
	var once sync.Once
	held, release := make(chan struct{}), make(chan struct{})
	hold := &faults{before: func(at step) error {
		if at == stepCommit {
			once.Do(func() { close(held); <-release })
		}
		return nil
	}}
	s := openStore(t, t.TempDir(), Options{faults: hold})
	errHalfway := errors.New("halfway")
	results := make([]error, 40)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.PutSetting("first", "x"); err != nil {
			t.Error(err)
		}
	})
	<-held
	for i := range results {
		wg.Go(func() {
			results[i] = s.update(0, func(c *change) error {
				switch i % 4 {
				case 1:
					return ErrConflict
				case 2:
					if err := c.putBytes(bucketSettings, fmt.Append(nil, "half", i), []byte("x")); err != nil {
						return err
					}
					return errHalfway
				case 3:
					panic("a page that makes no sense")
				}
				return c.putBytes(bucketSettings, fmt.Append(nil, "whole", i), []byte("x"))
			})
		})
	}
	waitQueue(s, len(results))
	close(release)
	wg.Wait()
	for i, err := range results {
		want := []error{nil, ErrConflict, errHalfway, ErrDamaged}[i%4]
		if !errors.Is(err, want) {
			t.Errorf("write %d: %v, want %v", i, err, want)
		}
		if _, err := s.Setting(fmt.Sprint("half", i)); !errors.Is(err, ErrNotFound) {
			t.Errorf("half a write %d is there: %v", i, err)
		}
		if _, err := s.Setting(fmt.Sprint("whole", i)); i%4 == 0 && err != nil {
			t.Errorf("write %d is missing: %v", i, err)
		}
	}
}

func TestClosedStore(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	closeStore(t, s)
	closeStore(t, s)
	_, err := s.Load()
	wantErr(t, "Load", err, ErrClosed)
	wantErr(t, "PutSetting", s.PutSetting("a", "b"), ErrClosed)
	_, err = s.KV().Get("f", "k")
	wantErr(t, "KV.Get", err, ErrClosed)
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	openStore(t, dir, Options{})
	_, err := Open(dir, Options{LockTimeout: 1})
	wantErr(t, "second Open", err, ErrLocked)
	entries, err := os.ReadDir(dir)
	noErr(t, err)
	if len(entries) != 2 { // the database and the reserve
		t.Errorf("the refused Open left %v", entries)
	}
}

func BenchmarkLoad(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			name := fmt.Sprintf("function-%04d", i)
			if _, err := s.PutFunction(testFunction(name), "", []Route{{Method: "GET", Path: "/" + name}}); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.ReportAllocs()
	for b.Loop() {
		if state, err := s.Load(); err != nil || len(state.Functions) != 1000 {
			b.Fatal(len(state.Functions), err)
		}
	}
}

func BenchmarkPutConcurrently(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	if _, err := s.PutFunction(testFunction("f"), "", nil); err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 100)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.KV().Put("f", "key", value); err != nil {
				b.Error(err)
			}
		}
	})
}
