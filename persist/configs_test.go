package persist

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// configured is a function with a version, an alias and everything that can be
// configured for them.
func configured(t *testing.T, s *Store, name string) {
	t.Helper()
	_, err := s.PutFunction(testFunction(name), MustNotExist, nil)
	noErr(t, err)
	_, _, err = s.Publish(name, "", "")
	noErr(t, err)
	_, err = s.PutAlias(Alias{Function: name, Name: "live", Version: "1"}, MustNotExist)
	noErr(t, err)
	for _, qualifier := range []string{"", "1", "live"} {
		noErr(t, s.AddStatement(name, qualifier, Statement{ID: "s", Text: json.RawMessage(`{"Sid":"s"}`)}, ""))
		_, err = s.PutAsyncConfig(AsyncConfig{Function: name, Qualifier: qualifier})
		noErr(t, err)
		if qualifier == "" {
			continue
		}
		_, err = s.PutProvisioned(Provisioned{Function: name, Qualifier: qualifier, Count: 2})
		noErr(t, err)
	}
	for _, qualifier := range []string{"", "live"} {
		_, err = s.PutFunctionURL(FunctionURL{ID: name + "-" + qualifier, Function: name, Qualifier: qualifier, AuthType: "NONE", InvokeMode: "BUFFERED"}, false)
		noErr(t, err)
	}
	_, err = s.PutMapping(EventSourceMapping{ID: "m-" + name, Function: name, Qualifier: "live", Source: "arn"})
	noErr(t, err)
}

// counts is how many records there are for function.
func counts(t *testing.T, s *Store, function string) string {
	t.Helper()
	var policies, urls, provisioned, async, mappings int
	state, err := s.Load()
	noErr(t, err)
	for _, qualifier := range []string{"", "1", "live"} {
		if _, err := s.GetPolicy(function, qualifier); err == nil {
			policies++
		}
		if _, err := s.GetAsyncConfig(function, qualifier); err == nil {
			async++
		}
	}
	for _, u := range state.URLs {
		if u.Function == function {
			urls++
		}
	}
	for _, p := range state.Provisioned {
		if p.Function == function {
			provisioned++
		}
	}
	all, err := s.Mappings()
	noErr(t, err)
	for _, m := range all {
		if m.Function == function {
			mappings++
		}
	}
	return fmt.Sprintf("%d policies, %d URLs, %d provisioned, %d async, %d mappings", policies, urls, provisioned, async, mappings)
}

// What is configured goes with what it is configured for, in one transaction.
func TestConfigsGoWithTheirOwner(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	configured(t, s, "f")
	configured(t, s, "f2") // whose name begins with the other's
	const full = "3 policies, 2 URLs, 2 provisioned, 3 async, 1 mappings"
	if got := counts(t, s, "f"); got != full {
		t.Fatalf("made %s", got)
	}
	wantErr(t, "delete version", s.DeleteVersion("f", "1"), ErrConflict)
	noErr(t, s.DeleteAlias("f", "live"))
	if got := counts(t, s, "f"); got != "2 policies, 1 URLs, 1 provisioned, 2 async, 1 mappings" {
		t.Errorf("without the alias: %s", got)
	}
	noErr(t, s.DeleteVersion("f", "1"))
	if got := counts(t, s, "f"); got != "1 policies, 1 URLs, 0 provisioned, 1 async, 1 mappings" {
		t.Errorf("without the version: %s", got)
	}
	before := s.Generation()
	removed, err := s.DeleteFunction("f")
	noErr(t, err)
	if len(removed.URLs) != 1 || len(removed.Provisioned) != 0 {
		t.Errorf("removed %+v", removed)
	}
	if got := counts(t, s, "f"); got != "0 policies, 0 URLs, 0 provisioned, 0 async, 0 mappings" {
		t.Errorf("without the function: %s", got)
	}
	if got := counts(t, s, "f2"); got != full {
		t.Errorf("another function has %s", got)
	}
	if s.Generation() != before+1 {
		t.Errorf("the deletion took %d transactions", s.Generation()-before)
	}
	if removed, err = s.DeleteFunction("f2"); err != nil || len(removed.URLs) != 2 || len(removed.Provisioned) != 2 {
		t.Errorf("removed %+v, %v", removed, err)
	}
}

// TestConfigErrors is the table of what the store refuses.
func TestConfigErrors(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	configured(t, s, "f")
	_, err := s.PutAlias(Alias{Function: "f", Name: "draft", Version: Latest}, MustNotExist)
	noErr(t, err)
	statement := Statement{ID: "x", Text: json.RawMessage(`{}`)}
	for _, test := range []struct {
		name string
		run  func(function, qualifier string) error
		args [2]string
		want error
	}{
		{"policy of no function", func(f, q string) error { _, err := s.GetPolicy(f, q); return err }, [2]string{"g", ""}, ErrNotFound},
		{"policy of no version", func(f, q string) error { _, err := s.GetPolicy(f, q); return err }, [2]string{"f", "9"}, ErrNotFound},
		{"statement for no function", func(f, q string) error { return s.AddStatement(f, q, statement, "") }, [2]string{"g", ""}, ErrNotFound},
		{"statement for no alias", func(f, q string) error { return s.AddStatement(f, q, statement, "") }, [2]string{"f", "a"}, ErrNotFound},
		{"statement twice", func(f, q string) error { return s.AddStatement(f, q, Statement{ID: "s"}, "") }, [2]string{"f", Latest}, ErrExists},
		{"statement at another revision", func(f, q string) error { return s.AddStatement(f, q, statement, "r") }, [2]string{"f", ""}, ErrConflict},
		{"long policy", func(f, q string) error {
			return s.AddStatement(f, q, Statement{ID: "x", Text: json.RawMessage(`"` + strings.Repeat("x", MaxPolicyBytes) + `"`)}, "")
		}, [2]string{"f", ""}, ErrPolicyLength},
		{"remove no statement", func(f, q string) error { return s.RemoveStatement(f, q, "x", "") }, [2]string{"f", ""}, ErrNotFound},
		{"remove at another revision", func(f, q string) error { return s.RemoveStatement(f, q, "s", "r") }, [2]string{"f", ""}, ErrConflict},
		{"provision $LATEST", func(f, q string) error {
			_, err := s.PutProvisioned(Provisioned{Function: f, Qualifier: q, Count: 1})
			return err
		}, [2]string{"f", Latest}, ErrInvalid},
		{"provision an alias of $LATEST", func(f, q string) error {
			_, err := s.PutProvisioned(Provisioned{Function: f, Qualifier: q, Count: 1})
			return err
		}, [2]string{"f", "draft"}, ErrInvalid},
		{"provision none", func(f, q string) error {
			_, err := s.PutProvisioned(Provisioned{Function: f, Qualifier: q})
			return err
		}, [2]string{"f", "1"}, ErrInvalid},
		{"provision no version", func(f, q string) error {
			_, err := s.PutProvisioned(Provisioned{Function: f, Qualifier: q, Count: 1})
			return err
		}, [2]string{"f", "7"}, ErrNotFound},
		{"provisioned of no function", func(f, _ string) error { _, err := s.ProvisionedOf(f); return err }, [2]string{"g"}, ErrNotFound},
		{"delete nothing provisioned", func(f, q string) error { return s.DeleteProvisioned(f, q) }, [2]string{"f", "draft"}, ErrNotFound},
		{"URL twice", func(f, q string) error {
			_, err := s.PutFunctionURL(FunctionURL{ID: "i", Function: f, Qualifier: q}, false)
			return err
		}, [2]string{"f", Latest}, ErrExists},
		{"replace no URL", func(f, q string) error {
			_, err := s.PutFunctionURL(FunctionURL{Function: f, Qualifier: q}, true)
			return err
		}, [2]string{"f", "draft"}, ErrNotFound},
		{"URL without an ID", func(f, q string) error {
			_, err := s.PutFunctionURL(FunctionURL{Function: f, Qualifier: q}, false)
			return err
		}, [2]string{"f", "draft"}, ErrInvalid},
		{"URL of no function", func(f, q string) error { _, err := s.GetFunctionURL(f, q); return err }, [2]string{"g", ""}, ErrNotFound},
		{"delete no URL", func(f, q string) error { return s.DeleteFunctionURL(f, q) }, [2]string{"f", "draft"}, ErrNotFound},
		{"mapping to no function", func(f, _ string) error { _, err := s.PutMapping(EventSourceMapping{ID: "i", Function: f}); return err }, [2]string{"g"}, ErrNotFound},
		{"the same mapping", func(f, q string) error {
			_, err := s.PutMapping(EventSourceMapping{ID: "i", Function: f, Qualifier: q, Source: "arn"})
			return err
		}, [2]string{"f", "live"}, ErrExists},
		{"mapping without an ID", func(f, _ string) error { _, err := s.PutMapping(EventSourceMapping{Function: f}); return err }, [2]string{"f"}, ErrInvalid},
		{"no mapping", func(id, _ string) error { _, err := s.GetMapping(id); return err }, [2]string{"i"}, ErrNotFound},
		{"delete no mapping", func(id, _ string) error { _, err := s.DeleteMapping(id); return err }, [2]string{"i"}, ErrNotFound},
		{"concurrency of no function", func(f, _ string) error { return s.PutConcurrency(f, 1) }, [2]string{"g"}, ErrNotFound},
		{"tags of no function", func(f, _ string) error { return s.TagFunction(f, nil, nil, allow) }, [2]string{"g"}, ErrNotFound},
		{"tags of no mapping", func(id, _ string) error { return s.TagMapping(id, nil, nil, allow) }, [2]string{"i"}, ErrNotFound},
		{"tags that are refused", func(f, _ string) error {
			return s.TagFunction(f, map[string]string{"a": "b"}, nil, func(map[string]string) error { return errFault })
		}, [2]string{"f"}, errFault},
		{"no layer", func(name, _ string) error { _, err := s.GetLayerVersion(name, 1); return err }, [2]string{"l"}, ErrNotFound},
		{"delete no layer", func(name, _ string) error { _, err := s.DeleteLayerVersion(name, 1); return err }, [2]string{"l"}, ErrNotFound},
		{"layer without a name", func(name, _ string) error { _, err := s.PublishLayerVersion(LayerVersion{}); return err }, [2]string{}, ErrInvalid},
		{"versions after an alias", func(f, q string) error { _, _, err := s.AllVersions(f, q, 0); return err }, [2]string{"f", "live"}, ErrInvalid},
	} {
		before := s.Generation()
		wantErr(t, test.name, test.run(test.args[0], test.args[1]), test.want)
		if s.Generation() != before {
			t.Errorf("%s: something was written", test.name)
		}
	}
}

func allow(map[string]string) error { return nil }

func TestConfigsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	configured(t, s, "f")
	url, err := s.PutFunctionURL(FunctionURL{Function: "f", AuthType: "AWS_IAM", CORS: &CORS{AllowOrigins: []string{"*"}}, InvokeMode: "BUFFERED"}, true)
	noErr(t, err)
	if url.ID != "f-" || url.Created.IsZero() {
		t.Errorf("the replaced URL is %+v", url)
	}
	mapping, err := s.PutMapping(EventSourceMapping{
		ID: "m", Function: "f", Source: "arn:2", Enabled: true, BatchSize: 3, BatchWindowSeconds: 4, BisectBatch: true, Filters: []string{"{}"}, ReportItemFailures: true,
		MaxAgeSeconds: -1, MaxRetries: 5, Parallel: 6, Start: "AT_TIMESTAMP", TumblingWindowSeconds: 8, OnFailure: "arn", Tags: map[string]string{"a": "b"}})
	noErr(t, err)
	layer, err := s.PublishLayerVersion(LayerVersion{Name: "l", Description: "d", License: "MIT", Runtimes: []string{"python3.13"}, Architectures: []string{"arm64"},
		CodeHash: strings.Repeat("ab", 32), CodeSha256: "c2hh", CodeSize: 9})
	noErr(t, err)
	noErr(t, s.PutConcurrency("f", -1))
	noErr(t, s.TagFunction("f", map[string]string{"a": "1", "b": "2"}, []string{"team", "b"}, allow))
	policy, err := s.GetPolicy("f", Latest)
	noErr(t, err)
	noErr(t, s.Close())

	s = openStore(t, dir, Options{})
	same := func(what string, got any, err error, want any) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v, want %+v", what, got, err, want)
		}
	}
	gotURL, err := s.GetFunctionURL("f", Latest)
	same("URL", gotURL, err, url)
	gotMapping, err := s.GetMapping("m")
	same("mapping", gotMapping, err, mapping)
	gotLayer, err := s.GetLayerVersion("l", 1)
	same("layer", gotLayer, err, layer)
	gotPolicy, err := s.GetPolicy("f", "")
	same("policy", gotPolicy, err, policy)
	versions, _, err := s.AllVersions("", "", 0)
	noErr(t, err)
	for _, fn := range versions {
		if fn.Concurrency != -1 {
			t.Errorf("version %s has concurrency %d", fn.Version, fn.Concurrency)
		}
	}
	same("tags", versions[0].Tags, nil, map[string]string{"a": "1"})
}

// A change of $LATEST's concurrency is one of all versions: it is no setting of
// a version.
func TestConcurrencyIsShared(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	configured(t, s, "f")
	fn, err := s.GetFunction("f", "")
	noErr(t, err)
	fn.Concurrency = 77
	_, err = s.PutFunction(fn, "", nil)
	noErr(t, err)
	if v, err := s.GetFunction("f", "1"); err != nil || v.Concurrency != 77 {
		t.Errorf("version 1 has %d, %v", v.Concurrency, err)
	}
	if _, created, err := s.Publish("f", "", ""); err != nil || created {
		t.Errorf("concurrency alone made a version: %v", err)
	}
}

func TestLayerNumbers(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for _, name := range []string{"a", "a", "ab", "a"} {
		_, err := s.PublishLayerVersion(LayerVersion{Name: name})
		noErr(t, err)
	}
	gone, err := s.DeleteLayerVersion("a", 3)
	if err != nil || gone.Version != 3 {
		t.Errorf("deleted %+v, %v", gone, err)
	}
	last, err := s.PublishLayerVersion(LayerVersion{Name: "a"})
	if err != nil || last.Version != 4 {
		t.Errorf("published %+v, %v", last, err)
	}
	var numbers []string
	layers, err := s.Layers()
	noErr(t, err)
	for _, l := range layers {
		numbers = append(numbers, fmt.Sprint(l.Name, l.Version))
	}
	if got := strings.Join(numbers, " "); got != "a1 a2 a4 ab1" {
		t.Errorf("layers %s", got)
	}
	if of, err := s.LayerVersions("a"); err != nil || len(of) != 3 {
		t.Errorf("versions %+v, %v", of, err)
	}
	if of, err := s.LayerVersions("nothing"); err != nil || len(of) != 0 {
		t.Errorf("versions %+v, %v", of, err)
	}
}

func TestAllVersionsInPages(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for _, name := range []string{"a", "b", "b2"} {
		configured(t, s, name)
	}
	var got []string
	name, version, more := "", "", true
	for pages := 0; more && pages < 10; pages++ {
		fns, next, err := s.AllVersions(name, version, 2)
		noErr(t, err)
		for _, fn := range fns {
			got = append(got, fn.Name+":"+fn.Version)
			name, version = fn.Name, fn.Version
		}
		more = next
	}
	if want := "a:$LATEST a:1 b:$LATEST b:1 b2:$LATEST b2:1"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if fns, _, err := s.AllVersions("b", "", 1); err != nil || len(fns) != 1 || fns[0].Name != "b2" {
		t.Errorf("after all of b: %+v, %v", fns, err)
	}
}
