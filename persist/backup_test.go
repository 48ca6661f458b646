package persist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// fillAndBackUp writes some of everything to a store in dir, takes its backup,
// writes a function that the backup lacks, and closes it.
func fillAndBackUp(t testing.TB, dir string) BackupInfo {
	t.Helper()
	fillStore(t, dir)
	s := openStore(t, dir, Options{})
	put(t, s, testJob("f01", "waits"))
	put(t, s, testJob("f01", "runs"))
	lease(t, s, LeaseRequest{Now: time.Now(), Limit: 1, PerFunction: 1})
	info, err := s.Backup(t.Context())
	noErr(t, err)
	_, err = s.PutFunction(testFunction("later"), "", nil)
	noErr(t, err)
	closeStore(t, s)
	return info
}

// damage overwrites all of a store's database but its first bytes.
func damage(t testing.TB, dir string) {
	t.Helper()
	path := filepath.Join(dir, databaseFile)
	data, err := os.ReadFile(path)
	noErr(t, err)
	for i := 100; i < len(data); i++ {
		data[i] = 0xa5
	}
	noErr(t, os.WriteFile(path, data, 0o600))
}

// everything returns all that a database has, each value under the names that lead
// to it.
func everything(t testing.TB, s *Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	var walk func(path string, b *bolt.Bucket) error
	walk = func(path string, b *bolt.Bucket) error {
		all[path] = fmt.Sprint("bucket ", b.Sequence())
		return b.ForEach(func(k, v []byte) error {
			if v == nil {
				return walk(fmt.Sprintf("%s/%q", path, k), b.Bucket(k))
			}
			all[fmt.Sprintf("%s/%q", path, k)] = string(v)
			return nil
		})
	}
	noErr(t, s.view(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error { return walk(string(name), b) })
	}))
	return all
}

func sameContents(t testing.TB, got, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s has %.80q, want %.80q", k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("there are %d entries, want %d", len(got), len(want))
	}
}

// What comes back is all that was there, down to the numbers of buckets, and values
// that fill many parts of the copy.
func TestBackupIsWhole(t *testing.T) {
	dir := t.TempDir()
	fillStore(t, dir)
	s := openStore(t, dir, Options{})
	for i := range 12 {
		job := testJob("f02", fmt.Sprint(i))
		job.Payload = bytes.Repeat([]byte{byte(i)}, 900_000)
		put(t, s, job)
	}
	noErr(t, s.update(0, func(c *change) error { return c.putBytes(bucketSettings, []byte("empty"), nil) }))
	want := everything(t, s)
	info, err := s.Backup(t.Context())
	noErr(t, err)
	if last, err := s.LastBackup(); err != nil || last != info || info.Generation != s.Generation() || info.Bytes < 10<<20 {
		t.Errorf("LastBackup: %+v, %v; Backup: %+v", last, err, info)
	}
	closeStore(t, s)
	damage(t, dir)

	s = openStore(t, dir, Options{})
	sameContents(t, everything(t, s), want)
	if s.Generation() != info.Generation {
		t.Errorf("the generation is %d, it was %d", s.Generation(), info.Generation)
	}
	if _, err := s.LastBackup(); err != nil {
		t.Errorf("the backup is gone: %v", err)
	}
}

func TestDamagedDatabaseComesBackFromBackup(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, dir string){
		"damaged": func(t *testing.T, dir string) { damage(t, dir) },
		"missing": func(t *testing.T, dir string) { noErr(t, os.Remove(filepath.Join(dir, databaseFile))) },
		"empty":   func(t *testing.T, dir string) { noErr(t, os.Truncate(filepath.Join(dir, databaseFile), 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			info := fillAndBackUp(t, dir)
			lose(t, dir)
			s := openStore(t, dir, Options{})
			for _, says := range []string{"restored from the backup of " + info.Taken.Format(time.RFC3339), "is lost", "run again", "keys"} {
				if !strings.Contains(s.Recovered(), says) {
					t.Errorf("Recovered says %q, not %q", s.Recovered(), says)
				}
			}
			state, err := s.Load()
			noErr(t, err)
			if len(state.Functions) != 41 || state.Generation != info.Generation {
				t.Errorf("there are %d functions, generation %d", len(state.Functions), state.Generation)
			}
			// What ran then is due again.
			if released, err := s.ReleaseLeases(); err != nil || released != 1 {
				t.Errorf("released are %d, %v", released, err)
			}
			if jobs := lease(t, s, LeaseRequest{Now: time.Now(), Limit: 9, PerFunction: 9}).Jobs; len(jobs) != 2 {
				t.Errorf("of the queue there is %q", ids(jobs))
			}
			if !s.Incomplete() {
				t.Error("the store does not say that records may be missing")
			}
			closeStore(t, s)
			if s = openStore(t, dir, Options{}); s.Recovered() != "" {
				t.Errorf("the next start says %q again", s.Recovered())
			}
		})
	}
}

// A node that is killed before it could tell that it went back to the backup tells at
// the next start, and until something was written; one that did not go back never does.
func TestUntoldRestoreIsToldLater(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, dir string){
		"damaged": func(t *testing.T, dir string) { damage(t, dir) },
		"missing": func(t *testing.T, dir string) { noErr(t, os.Remove(filepath.Join(dir, databaseFile))) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			info := fillAndBackUp(t, dir)
			lose(t, dir)
			_, err := Open(dir, Options{faults: failAt(stepRestoreRenamed)})
			wantErr(t, "Open", err, errFault)
			says := "restored from the backup of " + info.Taken.Format(time.RFC3339)
			for range 2 {
				s := openStore(t, dir, Options{})
				if !strings.Contains(s.Recovered(), says) || !s.Incomplete() {
					t.Errorf("Recovered says %q, not %q; incomplete %t", s.Recovered(), says, s.Incomplete())
				}
				closeStore(t, s)
			}
			s := openStore(t, dir, Options{})
			noErr(t, s.NoteClock(time.Now()))
			closeStore(t, s)
			if s = openStore(t, dir, Options{}); s.Recovered() != "" {
				t.Errorf("with something written it says %q again", s.Recovered())
			}
		})
	}
	for _, later := range []bool{false, true} {
		dir := t.TempDir()
		s := openStore(t, dir, Options{})
		noErr(t, backUp(s))
		if later {
			noErr(t, s.NoteClock(time.Now()))
		}
		closeStore(t, s)
		if s = openStore(t, dir, Options{}); s.Recovered() != "" {
			t.Errorf("a store beside its backup, written to later %t, says %q", later, s.Recovered())
		}
	}
}

// A backup that is damaged itself is no good, wherever that is, and is kept for
// whoever can make something of it.
func TestDamagedBackupIsSetAside(t *testing.T) {
	good := t.TempDir()
	fillAndBackUp(t, good)
	database, err := os.ReadFile(filepath.Join(good, databaseFile))
	noErr(t, err)
	backup, err := os.ReadFile(filepath.Join(good, backupFile))
	noErr(t, err)
	flip := func(at int) []byte {
		b := bytes.Clone(backup)
		b[at] ^= 0x10
		return b
	}
	for name, bad := range map[string][]byte{
		"a value":         flip(len(backup) / 2),
		"a meta page":     flip(40),
		"the magic":       flip(len(backup) - sealSize),
		"the length":      flip(len(backup) - sealSize + 15),
		"the generation":  flip(len(backup) - sealSize + 23),
		"the time":        flip(len(backup) - sealSize + 39),
		"the sum":         flip(len(backup) - 1),
		"cut off":         backup[:len(backup)-1],
		"shorter":         backup[4096:],
		"shorter than it": backup[:7],
		"nothing":         {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			noErr(t, os.WriteFile(filepath.Join(dir, databaseFile), database, 0o600))
			noErr(t, os.WriteFile(filepath.Join(dir, backupFile), bad, 0o600))
			damage(t, dir)
			s := openStore(t, dir, Options{})
			if state, err := s.Load(); err != nil || len(state.Functions) != 0 {
				t.Errorf("there are %d functions, %v", len(state.Functions), err)
			}
			if !strings.Contains(s.Recovered(), "empty store (restore the backup: ") {
				t.Errorf("Recovered says %q", s.Recovered())
			}
			if kept, err := filepath.Glob(filepath.Join(dir, backupFile+asideSuffix+"*")); err != nil || len(kept) != 1 {
				t.Errorf("set aside are %v, %v", kept, err)
			}
			_, err := s.Backup(t.Context())
			noErr(t, err)
		})
	}
}

// Writers go on while a backup is made, also where the file grows meanwhile: they
// are called from within it, and it would wait for them for ever. What they write is
// not in it.
func TestWritersGoOnDuringBackup(t *testing.T) {
	dir := t.TempDir()
	var s *Store
	parts := 0
	s = openStore(t, dir, Options{faults: &faults{before: func(at step) error {
		if at == stepBackupCopy {
			parts++
			noErr(t, s.update(0, func(c *change) error {
				for i := range 100 {
					if err := c.putBytes(bucketSettings, fmt.Append(nil, "during", parts, i), make([]byte, 60<<10)); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		return nil
	}}})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	for i := range 8 {
		job := testJob("f", fmt.Sprint(i))
		job.Payload = make([]byte, 1<<20)
		put(t, s, job)
	}
	want := everything(t, s)
	_, err = s.Backup(t.Context())
	noErr(t, err)
	if parts < 4 {
		t.Errorf("8 MiB were copied in %d parts", parts)
	}
	closeStore(t, s)
	damage(t, dir)
	sameContents(t, everything(t, openStore(t, dir, Options{})), want)
}

// A backup that is given up, for whatever reason, leaves the one before and nothing
// of its own.
func TestBackupIsGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		during func(s *Store, cancel func())
		want   error
	}{
		"cancelled": {func(_ *Store, cancel func()) { cancel() }, context.Canceled},
		"closed":    {func(s *Store, _ func()) { go s.Close(); <-s.closing }, ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			before := fillAndBackUp(t, dir)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var s *Store
			s = openStore(t, dir, Options{faults: &faults{before: func(at step) error {
				if at == stepBackupCopy {
					c.during(s, cancel)
				}
				return nil
			}}})
			_, err := s.Backup(ctx)
			wantErr(t, "Backup", err, c.want)
			if after, err := s.LastBackup(); err != nil || after != before {
				t.Errorf("the backup is %+v, %v", after, err)
			}
			if _, err := os.Stat(filepath.Join(dir, backupNew)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("half of a backup is there: %v", err)
			}
			_, err = s.Backup(ctx)
			wantErr(t, "the next Backup", err, c.want)
		})
	}
}

// On a disk without room for a second copy the backup itself becomes the database.
func TestRestoreOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	fillAndBackUp(t, dir)
	damage(t, dir)
	s := openStore(t, dir, Options{faults: &faults{before: func(at step) error {
		if at == stepRestoreCopy {
			return syscall.ENOSPC
		}
		return nil
	}}})
	if state, err := s.Load(); err != nil || len(state.Functions) != 41 {
		t.Errorf("there are %d functions, %v", len(state.Functions), err)
	}
	for i := range 50 { // over the seal
		noErr(t, s.PutSetting(fmt.Sprint(i), strings.Repeat("x", 10_000)))
	}
	_, err := s.LastBackup()
	wantErr(t, "LastBackup", err, ErrNotFound)
	_, err = s.Backup(t.Context())
	noErr(t, err)
}

func TestNoRoomForBackup(t *testing.T) {
	wantErr(t, "roomFor", roomFor(filepath.Join(t.TempDir(), "x"), 1<<62), ErrNoRoom)
	noErr(t, roomFor(filepath.Join(t.TempDir(), "x"), 1))
}

// A store whose pages make no sense is not copied over the backup that is good, and
// the next start looks at all of it.
func TestDamageIsNotBackedUp(t *testing.T) {
	dir := t.TempDir()
	before := fillAndBackUp(t, dir)
	path := filepath.Join(dir, databaseFile)
	s := openStore(t, dir, Options{})
	var root uint64
	noErr(t, s.view(func(tx *bolt.Tx) error {
		root = uint64(queueOf(tx).payloads.Root())
		if root == 0 { // it lies in its parent's page
			root = uint64(tx.Bucket([]byte(bucketFunctions)).Root())
		}
		return nil
	}))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	noErr(t, err)
	_, err = f.WriteAt([]byte{0xff}, int64(root)*int64(os.Getpagesize())+8) // its kind
	noErr(t, errors.Join(err, f.Close()))
	_, err = s.Backup(t.Context())
	wantErr(t, "Backup", err, ErrDamaged)
	if after, err := s.LastBackup(); err != nil || after != before {
		t.Errorf("the backup is %+v, %v", after, err)
	}
	if _, err := os.Stat(suspectFile(dir)); err != nil {
		t.Errorf("the next start is not told: %v", err)
	}
	noErr(t, s.Close())
	if s = openStore(t, dir, Options{}); !strings.Contains(s.Recovered(), "restored from the backup") {
		t.Errorf("Recovered says %q", s.Recovered())
	}
	if _, err := os.Stat(suspectFile(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("each start is told again: %v", err)
	}
}

func TestBackupDue(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	const mb = 1 << 20
	for _, c := range []struct {
		name                string
		age                 time.Duration // of the last one; 0: there is none
		changed, configured bool
		size                int64
		due                 bool
	}{
		{"none yet", 0, true, true, mb, true},
		{"nothing changed for long", 100 * time.Hour, false, false, mb, false},
		{"events for an hour", time.Hour, true, false, mb, false},
		{"events for a day", 24 * time.Hour, true, false, mb, true},
		{"a deploy, just after", time.Minute, true, true, mb, false},
		{"a deploy", backupSoonest, true, true, mb, true},
		{"a deploy in a store of 100 MB", time.Hour, true, true, 100 * mb, false},
		{"the same, later", 150 * time.Minute, true, true, 100 * mb, true},
		{"a deploy in a store of 4 GB", 23 * time.Hour, true, true, 4096 * mb, false},
		{"the same, a day later", 24 * time.Hour, true, true, 4096 * mb, true},
		{"a clock that was ahead", -time.Hour, true, false, mb, true},
		{"the same, but nothing changed", -time.Hour, false, false, mb, false},
	} {
		var last BackupInfo
		if c.age != 0 {
			last.Taken = now.Add(-c.age)
		}
		if due := backupDue(last, c.changed, c.configured, c.size, now); due != c.due {
			t.Errorf("%s: due %t", c.name, due)
		}
	}
}

func TestBackupIfDue(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	fails := false
	s := openStore(t, t.TempDir(), Options{now: func() time.Time { return now }, faults: armed(&fails, stepBackupSync)})
	expect := func(what string, want bool) {
		t.Helper()
		if _, made, err := s.BackupIfDue(t.Context()); err != nil || made != want {
			t.Errorf("%s: made %t, %v", what, made, err)
		}
	}
	expect("the first", true)
	now = now.Add(48 * time.Hour)
	expect("nothing changed", false)
	noErr(t, s.PutSetting("a", "b"))
	expect("it changed", true)
	noErr(t, s.PutSetting("a", "c"))
	expect("changed again", false)
	now = now.Add(backupSoonest)
	fails = true
	_, made, err := s.BackupIfDue(t.Context())
	if wantErr(t, "a disk that fails", err, errFault); made {
		t.Error("it says that it was made")
	}
	fails = false
	now = now.Add(time.Minute)
	expect("just after a failure", false)
	now = now.Add(backupRetry)
	expect("later", true)
}
