package persist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// fillStore writes some of everything to a store in dir, closes it, and returns
// the bytes of its file.
func fillStore(t testing.TB, dir string) []byte {
	t.Helper()
	s := openStore(t, dir, Options{})
	for i := range 40 {
		name := fmt.Sprintf("f%02d", i)
		_, err := s.PutFunction(testFunction(name), "", []Route{{Method: "GET", Path: "/" + name}})
		noErr(t, err)
	}
	_, _, err := s.Publish("f00", "", "")
	noErr(t, err)
	_, err = s.PutAlias(Alias{Function: "f00", Name: "live", Version: "1"}, "")
	noErr(t, err)
	noErr(t, s.putOwn("f00", "k", bytes.Repeat([]byte("v"), 10_000)))
	closeStore(t, s)
	data, err := os.ReadFile(filepath.Join(dir, databaseFile))
	noErr(t, err)
	return data
}

func TestDamagedDatabaseIsSetAside(t *testing.T) {
	good := fillStore(t, t.TempDir())
	m, err := newestMeta(bytes.NewReader(good), int64(len(good)))
	noErr(t, err)
	page := os.Getpagesize()
	overwrite := func(from, to int) []byte {
		b := bytes.Clone(good)
		for i := from; i < to; i++ {
			b[i] = 0xa5
		}
		return b
	}
	for name, damaged := range map[string][]byte{
		"not a database":      []byte("hello"),
		"zeros":               make([]byte, len(good)),
		"both meta pages":     overwrite(0, 2*page),
		"all but meta pages":  overwrite(2*page, len(good)),
		"cut after meta":      good[:2*page],
		"cut within a page":   good[:3*page+100],
		"cut in half":         good[:m.pages*m.pageSize/2],
		"another's database":  foreignDatabase(t),
		"one byte":            {0},
		"zeros but meta":      append(bytes.Clone(good[:2*page]), make([]byte, len(good)-2*page)...),
		"noise of a page":     []byte(strings.Repeat("\xff\x00\x13", page)),
		"meta pages of noise": append(bytes.Repeat([]byte{0xee}, 2*page), good[2*page:]...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			noErr(t, os.WriteFile(filepath.Join(dir, databaseFile), damaged, 0o600))
			now := time.Unix(1_700_000_000, 0)
			// A file set aside in the same second must not be lost.
			earlier := filepath.Join(dir, "ledge.db.damaged-1700000000")
			noErr(t, os.WriteFile(earlier, []byte("earlier"), 0o600))

			s := openStore(t, dir, Options{now: func() time.Time { return now }})
			state, err := s.Load()
			noErr(t, err)
			if len(state.Functions) != 0 {
				t.Errorf("it has %d functions", len(state.Functions))
			}
			aside := "ledge.db.damaged-1700000000-2"
			if !strings.Contains(s.Recovered(), aside) {
				t.Errorf("Recovered says %q, not %s", s.Recovered(), aside)
			}
			kept, err := os.ReadFile(filepath.Join(dir, aside))
			noErr(t, err)
			if !bytes.HasPrefix(kept, damaged) {
				t.Error("the damaged file was changed")
			}
			if kept, err := os.ReadFile(earlier); err != nil || string(kept) != "earlier" {
				t.Errorf("the file set aside before: %q, %v", kept, err)
			}
			_, err = s.PutFunction(testFunction("new"), "", nil)
			noErr(t, err)

			// The store lacks what the file has until somebody removes it.
			closeStore(t, s)
			if s = openStore(t, dir, Options{}); !s.Incomplete() || s.Recovered() != "" {
				t.Errorf("the next start: incomplete %t, recovered %q", s.Incomplete(), s.Recovered())
			}
			closeStore(t, s)
			noErr(t, errors.Join(os.Remove(earlier), os.Remove(filepath.Join(dir, aside))))
			if s = openStore(t, dir, Options{}); s.Incomplete() {
				t.Error("incomplete although nothing is set aside any more")
			}
		})
	}
}

func foreignDatabase(t testing.TB) []byte {
	path := filepath.Join(t.TempDir(), "foreign.db")
	db, err := bolt.Open(path, 0o600, nil)
	noErr(t, err)
	noErr(t, db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }))
	noErr(t, db.Close())
	data, err := os.ReadFile(path)
	noErr(t, err)
	return data
}

// One damaged meta page is what a power cut during a commit leaves. The other has
// the state before, and whichever byte it is, the store opens from that.
func TestOneMetaPageIsEnough(t *testing.T) {
	good := fillStore(t, t.TempDir())
	newest, err := newestMeta(bytes.NewReader(good), int64(len(good)))
	noErr(t, err)
	older := false
	for meta := range 2 {
		for at := range metaSize {
			dir := t.TempDir()
			b := bytes.Clone(good)
			b[meta*os.Getpagesize()+pageHead+at] ^= 0xa5
			noErr(t, os.WriteFile(filepath.Join(dir, databaseFile), b, 0o600))
			s, err := Open(dir, Options{})
			noErr(t, err)
			if s.Recovered() != "" {
				t.Errorf("byte %d of meta page %d: %s", at, meta, s.Recovered())
			}
			if state, err := s.Load(); err != nil || len(state.Functions) < 40 {
				t.Errorf("byte %d of meta page %d: %d functions, %v", at, meta, len(state.Functions), err)
			}
			if uint64(meta) == newest.tx%2 { // bbolt writes them in turn
				older = true
				noErr(t, s.PutSetting("k", "goes on from the older one"))
			}
			closeStore(t, s)
		}
	}
	if !older {
		t.Error("the newest meta page was never damaged")
	}
}

// Whatever bytes are damaged, the node starts, and then reads or says that it
// cannot.
func TestRandomDamageNeverStopsTheNode(t *testing.T) {
	good := fillStore(t, t.TempDir())
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	aside := 0
	for range 60 {
		dir := t.TempDir()
		b := bytes.Clone(good)
		for range 1 + random.IntN(20) {
			at := random.IntN(len(b))
			if random.IntN(2) == 0 { // small numbers are what page heads are made of
				at = at/os.Getpagesize()*os.Getpagesize() + random.IntN(64)
			}
			b[at] = byte(random.IntN(1 << random.IntN(9)))
		}
		noErr(t, os.WriteFile(filepath.Join(dir, databaseFile), b, 0o600))
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		if s.Recovered() != "" {
			aside++
		}
		_, err = s.Load()
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("Load: %v", err)
		}
		if _, err := s.getOwn("f00", "k"); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("Get: %v", err)
		}
		closeStore(t, s)
	}
	t.Logf("%d of 60 were noticed when opened", aside)
}

func TestDamagedRecordCostsOnlyItself(t *testing.T) {
	dir := t.TempDir()
	fillStore(t, dir)
	db, err := bolt.Open(filepath.Join(dir, databaseFile), 0o600, nil)
	noErr(t, err)
	noErr(t, db.Update(func(tx *bolt.Tx) error {
		return errors.Join(
			tx.Bucket([]byte(bucketFunctions)).Put(versionKey("f07", 0), []byte(`{"name":`)),
			tx.Bucket([]byte(bucketRoutes)).Put([]byte("GET /f09"), []byte(`{"method":7}`)))
	}))
	noErr(t, db.Close())

	s := openStore(t, dir, Options{})
	for _, says := range []string{"2 records", `functions "f07`, `routes "GET /f09"`} {
		if !strings.Contains(s.Recovered(), says) {
			t.Errorf("Recovered says %q, not %q", s.Recovered(), says)
		}
	}
	if !s.Incomplete() {
		t.Error("the store does not say that it lost records")
	}
	state, err := s.Load()
	noErr(t, err)
	if len(state.Functions) != 40 || len(state.Routes) != 39 {
		t.Errorf("left are %d functions and %d routes, want 40 and 39", len(state.Functions), len(state.Routes))
	}
	closeStore(t, s)
	if s = openStore(t, dir, Options{}); s.Recovered() != "" {
		t.Errorf("the next start says %q again", s.Recovered())
	}
}

// A damaged record of any kind is set aside, and all that boot reads is read.
func TestDamagedRecordOfEachKind(t *testing.T) {
	dir := t.TempDir()
	fillStore(t, dir)
	db, err := bolt.Open(filepath.Join(dir, databaseFile), 0o600, nil)
	noErr(t, err)
	noErr(t, db.Update(func(tx *bolt.Tx) error {
		for bucket := range recordChecks() {
			noErr(t, tx.Bucket([]byte(bucket)).Put([]byte("x\x00bad"), []byte("[")))
		}
		return nil
	}))
	noErr(t, db.Close())
	s := openStore(t, dir, Options{})
	for bucket := range recordChecks() {
		if !strings.Contains(s.Recovered(), bucket+" ") {
			t.Errorf("Recovered does not name %s: %s", bucket, s.Recovered())
		}
	}
	_, err = s.Load()
	noErr(t, err)
	_, err = s.LiveAPIs(APIChange{})
	noErr(t, err)
	_, _, err = s.Schedules(ScheduleQuery{})
	noErr(t, err)
}

// A count of versions that was lost costs no version.
func TestDamagedCounts(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for _, name := range []string{"f", "g"} { // one with neighbours and the last one
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
		_, _, err = s.Publish(name, "", "")
		noErr(t, err)
		_, err = s.PublishLayerVersion(LayerVersion{Name: name})
		noErr(t, err)
		noErr(t, s.update(0, func(c *change) error {
			return errors.Join(
				c.putBytes(bucketPublished, []byte(name), []byte("bad")),
				c.delete(bucketLayerCounts, []byte(name)))
		}))
	}
	for _, name := range []string{"f", "g"} {
		fn := testFunction(name)
		fn.MemoryMB++
		_, err := s.PutFunction(fn, "", nil)
		noErr(t, err)
		if fn, _, err := s.Publish(name, "", ""); err != nil || fn.Version != "2" {
			t.Errorf("published version %s of %s, %v", fn.Version, name, err)
		}
		if l, err := s.PublishLayerVersion(LayerVersion{Name: name}); err != nil || l.Version != 2 {
			t.Errorf("published version %d of layer %s, %v", l.Version, name, err)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	fillStore(t, dir)
	path := filepath.Join(dir, databaseFile)
	db, err := bolt.Open(path, 0o600, nil)
	noErr(t, err)
	noErr(t, db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketMeta)).Put([]byte(keySchema), binary.BigEndian.AppendUint64(nil, 1000))
	}))
	noErr(t, db.Close())
	before, err := os.ReadFile(path)
	noErr(t, err)

	_, err = Open(dir, Options{})
	var schema *SchemaError
	if !errors.As(err, &schema) || schema.Found != 1000 || schema.Supported != uint64(len(migrations())) {
		t.Fatalf("Open: %v", err)
	}
	after, err := os.ReadFile(path)
	noErr(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the refused database was changed")
	}
}

func TestMigrationsAreAllOrNone(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	noErr(t, s.PutSetting("k", "v"))
	set := func(value string) migration {
		return func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(bucketSettings)).Put([]byte("k"), []byte(value))
		}
	}
	errStep := errors.New("step")
	fail := func(*bolt.Tx) error { return errStep }

	wantErr(t, "a step that fails", migrate(s.db, append(migrations(), set("2"), fail), nil), errStep)
	if v, err := s.Setting("k"); err != nil || v != "v" {
		t.Errorf("after a failed migration the setting is %q, %v", v, err)
	}
	steps := append(migrations(), set("2"), set("3"))
	noErr(t, migrate(s.db, steps, nil))
	if v, err := s.Setting("k"); err != nil || v != "3" {
		t.Errorf("after the migration the setting is %q, %v", v, err)
	}
	noErr(t, s.PutSetting("k", "4"))
	noErr(t, migrate(s.db, steps, nil))
	if v, err := s.Setting("k"); err != nil || v != "4" {
		t.Errorf("migrating again ran a step again: %q, %v", v, err)
	}
}

func TestFaultsWhileSettingAside(t *testing.T) {
	for _, at := range []step{stepSetAside, stepSetAsideSync} {
		dir := t.TempDir()
		noErr(t, os.WriteFile(filepath.Join(dir, databaseFile), []byte("hello"), 0o600))
		_, err := Open(dir, Options{faults: failAt(at)})
		wantErr(t, string(at), err, errFault)
		s := openStore(t, dir, Options{})
		noErr(t, s.PutSetting("a", "b"))
		kept, err := filepath.Glob(filepath.Join(dir, "ledge.db.damaged-*"))
		noErr(t, err)
		if len(kept) != 1 {
			t.Errorf("%s: set aside are %v", at, kept)
		}
	}
}

var errFault = errors.New("no space left on device")

// failAt fails each time a step is reached.
func failAt(at step) *faults {
	return &faults{before: func(s step) error {
		if s == at {
			return errFault
		}
		return nil
	}}
}
