package persist

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

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
