package persist

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

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
		Isolation: "reuse", AllowHosts: []string{"example.com"}, AllowInvoke: []string{"*"}, AllowPublish: []string{"a/#"}, AllowBuckets: []string{"b:read"}, NoSnapshot: true,
		Architectures: []string{"arm64"}, SnapStart: "PublishedVersions",
		Layers: []LayerRef{{Name: "libs", Version: 3, Size: 99}}, LayerHash: strings.Repeat("cd", 32),
		Tags: map[string]string{"team": "edge"},
	}
}
