package persist

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	full := Key{ID: "LDGEAAAAAAAAAAAAAAAA", Name: "ci", Sealed: []byte{1, 2}, TokenHash: []byte{3}, Access: "deploy",
		Functions: []string{"a", "b*"}, Created: at, Expires: at.Add(time.Hour), LastUsed: at.Add(time.Minute), Disabled: true}
	for i := range reflect.TypeFor[Key]().NumField() {
		if reflect.ValueOf(full).Field(i).IsZero() {
			t.Errorf("%s has no value in this test", reflect.TypeFor[Key]().Field(i).Name)
		}
	}
	least := Key{ID: "LDGEBBBBBBBBBBBBBBBB", Access: "admin", Created: at}
	noErr(t, s.PutKey(least))
	noErr(t, s.PutKey(full))
	if s.Generation() != 0 {
		t.Errorf("keys are counted as a change of what is live")
	}
	wantErr(t, "no ID", s.PutKey(Key{}), ErrInvalid)
	wantErr(t, "too large", s.PutKey(Key{ID: "x", Name: strings.Repeat("x", maxRecordBytes)}), ErrInvalid)
	closeStore(t, s)

	s = openStore(t, dir, Options{})
	keys, err := s.Keys()
	noErr(t, err)
	if want := []Key{full, least}; !reflect.DeepEqual(keys, want) {
		t.Errorf("got\n%+v\nwant\n%+v", keys, want)
	}
	if k, err := s.Key(full.ID); err != nil || !reflect.DeepEqual(k, full) {
		t.Errorf("Key: %+v, %v", k, err)
	}
	full.Disabled = false
	noErr(t, s.PutKey(full))
	if k, err := s.Key(full.ID); err != nil || k.Disabled {
		t.Errorf("replaced: %+v, %v", k, err)
	}
	noErr(t, s.DeleteKey(full.ID))
	wantErr(t, "DeleteKey again", s.DeleteKey(full.ID), ErrNotFound)
	_, err = s.Key(full.ID)
	wantErr(t, "Key after DeleteKey", err, ErrNotFound)
}

func TestTouchKeyWritesAtMostOnceAnHour(t *testing.T) {
	commits := 0
	s := openStore(t, t.TempDir(), Options{faults: &faults{before: func(s step) error {
		if s == stepCommit {
			commits++
		}
		return nil
	}}})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	noErr(t, s.PutKey(Key{ID: "k", Created: at}))
	commits = 0
	for i := range 1000 {
		noErr(t, s.TouchKey("k", at.Add(time.Duration(i)*10*time.Second))) // nearly 3 hours
	}
	if commits != 3 {
		t.Errorf("%d writes", commits)
	}
	if k, err := s.Key("k"); err != nil || !k.LastUsed.Equal(at.Add(2*time.Hour)) {
		t.Errorf("last used %s, %v", k.LastUsed, err)
	}
	noErr(t, s.TouchKey("unknown", at))
	if commits != 3 {
		t.Error("a key that is not there was written")
	}
}
