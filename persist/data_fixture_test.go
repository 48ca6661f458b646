package persist

import (
	"errors"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// dataClock is a clock that tests move.
type dataClock struct{ now time.Time }

func newDataClock() *dataClock {
	return &dataClock{time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
}

func (c *dataClock) pass(d time.Duration) { c.now = c.now.Add(d) }

func (c *dataClock) options() Options { return Options{now: func() time.Time { return c.now }} }

// dataStore opens a store with functions f and g, whose books are checked afterwards.
func dataStore(t testing.TB) (*Store, *dataClock) {
	t.Helper()
	clock := newDataClock()
	s := openStore(t, t.TempDir(), clock.options())
	for _, name := range []string{"f", "g"} {
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
	}
	t.Cleanup(func() { checkData(t, s) })
	return s, clock
}

// checkData counts what the totals say, and compares the expiries with the values.
func checkData(t testing.TB, s *Store) {
	t.Helper()
	err := s.view(func(tx *bolt.Tx) error {
		names, err := bucketNames(tx)
		if err != nil {
			return err
		}
		for _, name := range names {
			b, err := openDataBucket(tx, name)
			if err != nil {
				return err
			}
			if b.items == nil {
				t.Errorf("bucket %s has no items", name)
				continue
			}
			told := b.bucketRecord
			b.count()
			if told != b.bucketRecord {
				t.Errorf("bucket %s: the record says %+v, counted is %+v", name, told, b.bucketRecord)
			}
			wait := map[string]bool{}
			if b.expiries != nil {
				noErr(t, b.expiries.ForEach(func(k, _ []byte) error { wait[string(k)] = true; return nil }))
			}
			noErr(t, b.items.ForEach(func(k, v []byte) error {
				r, err := decodeItem(v)
				if err != nil {
					return err
				}
				if key := string(expiryKey(r.expires, k)); r.expires != 0 {
					if !wait[key] {
						t.Errorf("bucket %s: key %q never expires", name, k)
					}
					delete(wait, key)
				}
				return nil
			}))
			for key := range wait {
				t.Errorf("bucket %s: the expiry %q has no key", name, key)
			}
		}
		for _, of := range []string{bucketExpiries, bucketChanges} {
			noErr(t, tx.Bucket([]byte(of)).ForEach(func(name, _ []byte) error {
				if tx.Bucket([]byte(bucketData)).Bucket(name) == nil {
					t.Errorf("%s has bucket %s, which is gone", of, name)
				}
				return nil
			}))
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// must does writes that must work.
func (d *Data) must(t testing.TB, writes ...Write) []Written {
	t.Helper()
	written, err := d.Write(Origin{Function: "f", Depth: 1}, writes)
	noErr(t, err)
	return written
}

// holds compares what a key holds, nil for nothing.
func (d *Data) holds(t testing.TB, bucket, key string, want []byte) Item {
	t.Helper()
	item, err := d.Get(bucket, key)
	noErr(t, err)
	if (item.Value == nil) != (want == nil) || string(item.Value) != string(want) {
		t.Errorf("%s of %s holds %q, want %q", key, bucket, item.Value, want)
	}
	return item
}

// streamOf returns the source of a mapping that reads bucket.
func streamOf(bucket string) string {
	return "arn:aws:dynamodb:local:000000000000:table/" + bucket + "/stream/x"
}

// changesOf returns the changes of a bucket in short: kind, key, old>new.
func changesOf(t testing.TB, s *Store, bucket string) string {
	t.Helper()
	changes, more, err := s.Changes(bucket, 0, 10_000, 1<<30)
	noErr(t, err)
	if more {
		t.Errorf("there are more than %d changes", len(changes))
	}
	var out []string
	for _, c := range changes {
		short := c.Kind + " " + c.Key + " " + string(c.Old) + ">" + string(c.New)
		if c.Expired {
			short += " expired"
		}
		out = append(out, short)
	}
	return strings.Join(out, ", ")
}

// putOwn stores a value in the own bucket of a function.
func (s *Store) putOwn(function, key string, value []byte) error {
	_, err := s.Data().Write(Origin{Function: function}, []Write{{Bucket: OwnBucket(function), Key: key, Value: value}})
	return err
}

// getOwn returns a value of the own bucket of a function.
func (s *Store) getOwn(function, key string) ([]byte, error) {
	item, err := s.Data().Get(OwnBucket(function), key)
	return item.Value, err
}
