package persist

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// What functions kept in a store of schema 2 is what their own buckets hold.
func TestMigrateKV(t *testing.T) {
	dir := t.TempDir()
	db, err := bolt.Open(filepath.Join(dir, databaseFile), 0o600, nil)
	noErr(t, err)
	big := bytes.Repeat([]byte{9}, MaxValueBytes)
	noErr(t, db.Update(func(tx *bolt.Tx) error {
		for _, step := range migrations()[:2] {
			noErr(t, step(tx))
		}
		noErr(t, tx.Bucket([]byte(bucketMeta)).Put([]byte(keySchema), sequenceKey(2)))
		for _, name := range []string{"f", "g", "empty"} {
			function, err := encode(testFunction(name))
			noErr(t, err)
			noErr(t, tx.Bucket([]byte(bucketFunctions)).Put(versionKey(name, 0), function))
			b, err := tx.Bucket([]byte(bucketKV)).CreateBucket([]byte(name))
			noErr(t, err)
			if name == "empty" {
				continue
			}
			for i := range 500 {
				noErr(t, b.Put(fmt.Append(nil, i), []byte(name)))
			}
			noErr(t, b.Put([]byte("none"), nil))
			noErr(t, b.Put([]byte("big"), big))
		}
		return nil
	}))
	noErr(t, db.Close())

	s := openStore(t, dir, Options{})
	if s.Recovered() != "" {
		t.Errorf("Recovered: %s", s.Recovered())
	}
	d := s.Data()
	for _, name := range []string{"f", "g"} {
		bucket := OwnBucket(name)
		for i := range 500 {
			d.holds(t, bucket, fmt.Sprint(i), []byte(name))
		}
		d.holds(t, bucket, "none", []byte{})
		if item := d.holds(t, bucket, "big", big); item.Sequence == 0 || !item.Modified.IsZero() {
			t.Errorf("it has sequence %d and was modified at %v", item.Sequence, item.Modified)
		}
		stats, err := d.Bucket(bucket)
		noErr(t, err)
		if stats.Keys != 502 || stats.Sequence != 502 {
			t.Errorf("%+v", stats)
		}
		if got := d.must(t, Write{Bucket: bucket, Key: "0", Value: []byte("new")})[0]; !got.Existed || got.Sequence != 503 {
			t.Errorf("a write after the migration: %+v", got)
		}
	}
	_, err = d.Bucket(OwnBucket("empty"))
	noErr(t, err)
	checkData(t, s)
	noErr(t, s.view(func(tx *bolt.Tx) error {
		if tx.Bucket([]byte(bucketKV)) != nil {
			t.Error("the old bucket is still there")
		}
		return nil
	}))
}
