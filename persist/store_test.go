package persist

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
)

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
	noErr(t, s.putOwn("f", "k", []byte("v")))
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
	if v, err := s.getOwn("f", "k"); err != nil || string(v) != "v" {
		t.Errorf("Get: %q, %v", v, err)
	}
	if s.Recovered() != "" {
		t.Errorf("Recovered: %s", s.Recovered())
	}
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
		{s.putOwn("g", "k", nil), "function g"},
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

func TestClosedStore(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	closeStore(t, s)
	closeStore(t, s)
	_, err := s.Load()
	wantErr(t, "Load", err, ErrClosed)
	wantErr(t, "PutSetting", s.PutSetting("a", "b"), ErrClosed)
	_, err = s.getOwn("f", "k")
	wantErr(t, "Data.Get", err, ErrClosed)
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
