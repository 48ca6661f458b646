package persist

import (
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

func TestQuotas(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	_, err := d.PutBucket(DataBucket{Name: "b", MaxBytes: 100, MaxKeys: 3})
	noErr(t, err)
	sized := func(key string, n int) Write { return Write{Bucket: "b", Key: key, Value: make([]byte, n)} }
	remove := func(key string) Write { return Write{Bucket: "b", Key: key, Kind: WriteDelete} }
	for _, c := range []struct {
		writes []Write
		full   string // what, where it is refused
		keys   int
		bytes  int64
	}{
		{[]Write{sized("a", 49)}, "", 1, 50},
		{[]Write{sized("b", 50)}, "bytes", 1, 50},
		{[]Write{sized("b", 49)}, "", 2, 100},
		{[]Write{sized("b", 50)}, "bytes", 2, 100},
		{[]Write{sized("b", 50), sized("a", 48)}, "", 2, 100},
		{[]Write{sized("c", 0), sized("d", 0), sized("a", 0)}, "keys", 2, 100},
		{[]Write{sized("c", 1), remove("a")}, "", 2, 53},
		{[]Write{sized("d", 1)}, "", 3, 55},
		{[]Write{sized("e", 1)}, "keys", 3, 55},
		{[]Write{sized("e", 1), remove("d")}, "", 3, 55},
	} {
		_, err := d.Write(Origin{}, c.writes)
		var full *QuotaError
		if c.full == "" {
			noErr(t, err)
		} else if !errors.As(err, &full) || full.What != c.full || full.Bucket != "b" || !full.LimitExceeded() ||
			full.Used+full.Needed <= full.Limit || !strings.Contains(err.Error(), "bucket b") {
			t.Errorf("want a quota of %s: %v, %+v", c.full, err, full)
		}
		stats, err := d.Bucket("b")
		noErr(t, err)
		if stats.Keys != c.keys || stats.Bytes != c.bytes {
			t.Errorf("there are %d keys of %d bytes, want %d of %d", stats.Keys, stats.Bytes, c.keys, c.bytes)
		}
	}
	// A bucket beyond its limits may shrink.
	_, err = d.PutBucket(DataBucket{Name: "b", MaxBytes: 10, MaxKeys: 1})
	noErr(t, err)
	d.must(t, sized("b", 40))
	d.must(t, remove("c"))
}

func TestBucketCount(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	writes := func(from, n int) (all []Write) {
		for i := range n {
			all = append(all, Write{Bucket: fmt.Sprint(from + i), Key: "k"})
		}
		return all
	}
	for i := 0; i < MaxBuckets-MaxWrites; i += MaxWrites {
		d.must(t, writes(i, MaxWrites)...)
	}
	d.must(t, writes(MaxBuckets-MaxWrites, MaxWrites-2)...)
	var many *QuotaError // two are left: not three at once
	if _, err := d.Write(Origin{}, writes(MaxBuckets-2, 3)); !errors.As(err, &many) || many.What != "buckets" {
		t.Errorf("three at once: %v", err)
	}
	d.must(t, append(writes(MaxBuckets-2, 2), Write{Bucket: OwnBucket("g"), Key: "k"})...)
	_, err := d.Write(Origin{}, []Write{{Bucket: "more", Key: "k"}})
	_, putErr := d.PutBucket(DataBucket{Name: "more"})
	for _, err := range []error{err, putErr} {
		var full *QuotaError
		if !errors.As(err, &full) || full.What != "buckets" || full.Limit != MaxBuckets {
			t.Errorf("one more: %v", err)
		}
	}
	d.must(t, Write{Bucket: "0", Key: "k"}, Write{Bucket: OwnBucket("f"), Key: "k"})
	noErr(t, d.DeleteBucket("0"))
	d.must(t, Write{Bucket: "more", Key: "k"})
}

func TestPutBucket(t *testing.T) {
	dir, clock := t.TempDir(), newDataClock()
	s := openStore(t, dir, clock.options())
	d := s.Data()
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	for what, b := range map[string]DataBucket{
		"no name": {}, "odd name": {Name: "a b"}, "bytes below zero": {Name: "b", MaxBytes: -1},
		"keys below zero": {Name: "b", MaxKeys: -1}, "stream below zero": {Name: "b", StreamBytes: -1},
		"odd policy": {Name: "b", WhenFull: "drop-newest"},
	} {
		_, err := d.PutBucket(b)
		wantErr(t, what, err, ErrInvalid)
	}
	_, err = d.PutBucket(DataBucket{Name: OwnBucket("nobody")})
	wantErr(t, "nobody's bucket", err, ErrNotFound)
	created := clock.now
	put := DataBucket{Name: "b", Stream: true, MaxBytes: 1, MaxKeys: 2, StreamBytes: 3, WhenFull: WhenFullDropOldest}
	got, err := d.PutBucket(put)
	noErr(t, err)
	put.Created, put.LastModified = created, created
	if got != put {
		t.Errorf("stored is %+v, want %+v", got, put)
	}
	clock.pass(time.Hour)
	generation := s.Generation()
	got, err = d.PutBucket(DataBucket{Name: "b"})
	noErr(t, err)
	want := DataBucket{Name: "b", MaxBytes: DefaultBucketBytes, MaxKeys: DefaultBucketKeys, StreamBytes: DefaultStreamBytes,
		WhenFull: WhenFullReject, Created: created, LastModified: clock.now}
	if got != want {
		t.Errorf("stored is %+v, want %+v", got, want)
	}
	if s.Generation() != generation+1 {
		t.Error("settings of a bucket do not count in the generation")
	}
	_, err = d.PutBucket(DataBucket{Name: OwnBucket("f"), MaxKeys: 1})
	noErr(t, err)
	generation = s.Generation()
	d.must(t, Write{Bucket: OwnBucket("f"), Key: "k"}, Write{Bucket: "b", Key: "k"})
	if s.Generation() != generation {
		t.Error("data counts in the generation")
	}
	closeStore(t, s)
	s = openStore(t, dir, clock.options())
	stats, err := s.Data().Buckets()
	noErr(t, err)
	if len(stats) != 2 || stats[0].DataBucket != want || stats[1].Name != "function.f" || stats[1].MaxKeys != 1 || stats[1].Keys != 1 {
		t.Errorf("after a restart: %+v", stats)
	}
}

// A function's data goes with it, and a shared bucket only where nobody reads it.
// Numbers are never used again.
func TestDeletedData(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	own := OwnBucket("f")
	_, err := d.PutBucket(DataBucket{Name: own, Stream: true})
	noErr(t, err)
	for _, bucket := range []string{own, OwnBucket("g"), "b"} {
		d.must(t, Write{Bucket: bucket, Key: "k", Value: []byte("v"), TTL: time.Hour})
	}
	d.must(t, Write{Bucket: own, Key: "l"})
	_, err = s.DeleteFunction("f")
	noErr(t, err)
	d.holds(t, own, "k", nil)
	d.holds(t, OwnBucket("g"), "k", []byte("v"))
	if got := changesOf(t, s, own); got != "" {
		t.Errorf("changes are left: %s", got)
	}
	_, err = d.Bucket(own)
	wantErr(t, "the bucket", err, ErrNotFound)
	_, err = d.Write(Origin{Function: "f"}, []Write{{Bucket: own, Key: "late"}})
	wantErr(t, "an invocation that outlives its function", err, ErrNotFound)
	_, err = s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	d.holds(t, own, "k", nil)
	if got := d.must(t, Write{Bucket: own, Key: "k"})[0].Sequence; got != 3 {
		t.Errorf("the sequence goes on with %d, want 3", got)
	}

	mapping, err := s.PutMapping(EventSourceMapping{ID: "m1", Function: "g", Source: streamOf("b"), Enabled: true})
	noErr(t, err)
	err = d.DeleteBucket("b")
	wantErr(t, "a bucket that a mapping reads", err, ErrConflict)
	if err != nil && (!strings.Contains(err.Error(), "m1") || !strings.Contains(err.Error(), "function g")) {
		t.Errorf("%q does not name the mapping", err)
	}
	_, err = d.PutBucket(DataBucket{Name: "b"})
	wantErr(t, "turning off a stream that a mapping reads", err, ErrConflict)
	_, err = s.DeleteMapping(mapping.ID)
	noErr(t, err)
	noErr(t, d.DeleteBucket("b"))
	wantErr(t, "a bucket that is gone", d.DeleteBucket("b"), ErrNotFound)
	wantErr(t, "no name", d.DeleteBucket(""), ErrNotFound)
}

// Deletions must be possible where nothing else is.
func TestDataOnAFullDisk(t *testing.T) {
	dir, full := t.TempDir(), false
	clock := newDataClock()
	options := clock.options()
	options.faults = &faults{before: func(at step) error {
		if _, err := os.Stat(filepath.Join(dir, reserveFile)); full && at == stepCommit && err == nil {
			return syscall.ENOSPC
		}
		return nil
	}}
	s := openStore(t, dir, options)
	d := s.Data()
	d.must(t, Write{Bucket: "a", Key: "k"}, Write{Bucket: "b", Key: "k", Value: []byte("v")}, Write{Bucket: "b", Key: "l", TTL: time.Second})
	_, err := d.PutBucket(DataBucket{Name: "s", Stream: true})
	noErr(t, err)
	d.must(t, Write{Bucket: "s", Key: "k"})
	full = true
	_, err = d.Write(Origin{}, []Write{{Bucket: "b", Key: "m"}})
	wantErr(t, "a write", err, syscall.ENOSPC)
	d.must(t, Write{Bucket: "b", Key: "k", Kind: WriteDelete})
	d.holds(t, "b", "k", nil)
	clock.pass(StreamRetention + time.Second)
	for what, chore := range map[string]func() (int, error){
		"Expire":      func() (int, error) { n, _, err := d.Expire(10); return n, err },
		"TrimChanges": func() (int, error) { return s.TrimChanges(clock.now) },
	} {
		if n, err := chore(); n != 1 || err != nil {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
	noErr(t, d.DeleteBucket("a"))
}

// A bucket that loses its record to damage is counted again, and keeps what is in it.
func TestLostBucketRecord(t *testing.T) {
	dir, clock := t.TempDir(), newDataClock()
	s := openStore(t, dir, clock.options())
	d := s.Data()
	_, err := d.PutBucket(DataBucket{Name: "b", Stream: true, MaxKeys: 5})
	noErr(t, err)
	d.must(t, Write{Bucket: "b", Key: "k", Value: []byte("v")}, Write{Bucket: "b", Key: "l", TTL: time.Hour})
	before, err := d.Bucket("b")
	noErr(t, err)
	noErr(t, s.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketDataBuckets)).Put([]byte("b"), []byte("rot"))
	}))
	_, err = d.Bucket("b")
	wantErr(t, "Bucket", err, ErrDamaged)
	d.must(t, Write{Bucket: "c", Key: "k", TTL: time.Second})
	clock.pass(time.Second)
	if removed, next, err := d.Expire(10); removed != 1 || !next.Equal(clock.now.Add(expireAgain)) || err != nil {
		t.Errorf("Expire next to the damage: %d, %v, %v", removed, next, err)
	}
	d.holds(t, "b", "k", []byte("v"))
	closeStore(t, s)

	s = openStore(t, dir, clock.options())
	d = s.Data()
	if !strings.Contains(s.Recovered(), bucketDataBuckets) {
		t.Errorf("Recovered: %q", s.Recovered())
	}
	after, err := d.Bucket("b")
	noErr(t, err)
	before.MaxKeys, before.Created, before.LastModified = DefaultBucketKeys, time.Time{}, time.Time{}
	before.StreamByFeed = true // whose it was is lost too
	if after != before {
		t.Errorf("now it is\n%+v\nwant\n%+v", after, before)
	}
	d.must(t, Write{Bucket: "b", Key: "m"})
	checkData(t, s)
	noErr(t, s.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketDataBuckets)).Put([]byte("b"), []byte("rot"))
	}))
	noErr(t, d.DeleteBucket("b"))
	checkData(t, s)
}

// A value that is lost to damage can be seen, replaced and removed, and costs itself
// alone.
func TestDamagedValue(t *testing.T) {
	s, clock := dataStore(t)
	d := s.Data()
	d.must(t, Write{Bucket: "b", Key: "k", Value: []byte("v"), TTL: time.Minute}, Write{Bucket: "b", Key: "l", Value: []byte("v")},
		Write{Bucket: "b", Key: "m", Value: []byte("v")})
	noErr(t, s.db.Update(func(tx *bolt.Tx) error {
		items := tx.Bucket([]byte(bucketData)).Bucket([]byte("b"))
		expiries := tx.Bucket([]byte(bucketExpiries)).Bucket([]byte("b"))
		return errors.Join(items.Put([]byte("k"), []byte("rot")), items.Put([]byte("l"), nil), expiries.Put([]byte{0}, nil))
	}))
	_, err := d.Get("b", "k")
	wantErr(t, "Get", err, ErrDamaged)
	_, _, err = d.List("b", Range{})
	wantErr(t, "List", err, ErrDamaged)
	_, err = d.Write(Origin{}, []Write{{Bucket: "b", Key: "k", Kind: WriteIncrement}})
	wantErr(t, "increment", err, ErrDamaged)
	_, err = d.Write(Origin{}, []Write{{Bucket: "b", Key: "k", If: Condition{Kind: IfAbsent}}})
	wantErr(t, "condition", err, ErrDamaged)
	d.holds(t, "b", "m", []byte("v"))
	d.must(t, Write{Bucket: "b", Key: "k", Value: []byte("new")}, Write{Bucket: "b", Key: "l", Kind: WriteDelete})
	d.holds(t, "b", "k", []byte("new"))
	clock.pass(time.Minute)
	if removed, next, err := d.Expire(10); err != nil || removed != 2 || !next.IsZero() { // the expiries that were left over
		t.Errorf("Expire: %d, %v, %v", removed, next, err)
	}
	d.holds(t, "b", "k", []byte("new"))
	noErr(t, s.db.Update(func(tx *bolt.Tx) error { // the books are off by what the damage took
		b, err := openDataBucket(tx, "b")
		noErr(t, err)
		b.count()
		return b.save(tx)
	}))
}
