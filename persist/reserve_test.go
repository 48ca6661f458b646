package persist

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// On a disk that is full nothing is stored, but what is not needed can be removed, and
// that is on record.
func TestFullDiskCanBeCleared(t *testing.T) {
	dir := t.TempDir()
	full := false
	s := openStore(t, dir, Options{faults: &faults{before: func(at step) error {
		if _, err := os.Stat(filepath.Join(dir, reserveFile)); full && at == stepCommit && err == nil {
			return syscall.ENOSPC
		}
		return nil
	}}})
	for _, name := range []string{"f", "g"} {
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
	}
	full = true
	_, err := s.PutFunction(testFunction("new"), "", nil)
	wantErr(t, "PutFunction", err, syscall.ENOSPC)
	_, err = s.BeginAudit(AuditRecord{Operation: "CreateFunction"})
	wantErr(t, "BeginAudit of a creation", err, syscall.ENOSPC)
	wantErr(t, "a batch", s.commitTogether(t,
		&write{fn: func(c *change) error { return c.putBytes(bucketSettings, []byte("a"), []byte("b")) }},
		&write{room: true, fn: func(c *change) error { return c.delete(bucketFunctions, versionKey("g", 0)) }}), syscall.ENOSPC)
	_, err = s.BeginAudit(AuditRecord{Operation: "DeleteFunction"})
	noErr(t, err)
	_, err = s.DeleteFunction("f")
	noErr(t, err)

	state, err := s.Load()
	noErr(t, err)
	if len(state.Functions) != 0 {
		t.Errorf("left are %+v", state.Functions)
	}
	_, err = s.Setting("a")
	wantErr(t, "Setting", err, ErrNotFound)
	if info, err := os.Stat(filepath.Join(dir, reserveFile)); err != nil || info.Size() != reserveBytes {
		t.Errorf("the reserve was not made again: %v", err)
	}
}

// commitTogether commits writes in one batch and returns the error of the first; the
// others must not have one.
func (s *Store) commitTogether(t *testing.T, writes ...*write) error {
	t.Helper()
	for _, w := range writes {
		w.done = make(chan error, 1)
	}
	s.commitBatch(writes)
	first := <-writes[0].done
	for _, w := range writes[1:] {
		noErr(t, <-w.done)
	}
	return first
}

// A reserve that cannot be made is none, and not half of one.
func TestReserve(t *testing.T) {
	r := reserveOf(t.TempDir())
	if r.give() {
		t.Error("there was one before it was made")
	}
	r.keep()
	r.keep()
	if !r.give() || r.give() {
		t.Error("it is there once")
	}
	noErr(t, os.WriteFile(r.path, []byte("cut"), 0o600))
	r.keep()
	if info, err := os.Stat(r.path); err != nil || info.Size() != reserveBytes {
		t.Errorf("a short one stays: %v", err)
	}
	gone := reserve{filepath.Join(filepath.Dir(r.path), "missing", "x")}
	gone.keep()
	if _, err := os.Stat(gone.path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
