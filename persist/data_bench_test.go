package persist

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// benchKeys is how many keys there are: more than a page, and less than memory.
const benchKeys = 10_000

func benchKey(i int64) string { return fmt.Sprintf("sensor/%06d", i%benchKeys) }

// benchData opens a store with the same keys in a bucket of data and, next to it in
// the same file, in a plain bucket of bbolt's.
func benchData(b *testing.B) (d *Data, plain *bolt.DB) {
	b.Helper()
	s := openStore(b, b.TempDir(), Options{})
	value := bytes.Repeat([]byte("v"), 100)
	noErr(b, s.db.Update(func(tx *bolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("plain"))
		if err != nil {
			return err
		}
		for i := range int64(benchKeys) {
			if err := bucket.Put([]byte(benchKey(i)), value); err != nil {
				return err
			}
		}
		return nil
	}))
	d = s.Data()
	for i := 0; i < benchKeys; i += MaxWrites {
		writes := make([]Write, MaxWrites)
		for j := range writes {
			writes[j] = Write{Bucket: "b", Key: benchKey(int64(i + j)), Value: value}
		}
		_, err := d.Write(Origin{}, writes)
		noErr(b, err)
	}
	return d, s.db
}

// benchCallers runs op b.N times from some callers at once. More of them than
// processors is the point: they wait for the disk.
func benchCallers(b *testing.B, callers int, op func(i int64) error) {
	b.ReportAllocs()
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range callers {
		all.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := op(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkDataGet compares Get with what it is made of: a transaction, a lookup and
// a copy.
func BenchmarkDataGet(b *testing.B) {
	d, plain := benchData(b)
	keys := make([]string, benchKeys)
	for i := range keys {
		keys[i] = benchKey(int64(i * 7919))
	}
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("ledge/callers=%d", callers), func(b *testing.B) {
			benchCallers(b, callers, func(i int64) error {
				item, err := d.Get("b", keys[i%benchKeys])
				if err == nil && len(item.Value) != 100 {
					err = fmt.Errorf("got %d bytes", len(item.Value))
				}
				return err
			})
		})
		b.Run(fmt.Sprintf("bbolt/callers=%d", callers), func(b *testing.B) {
			benchCallers(b, callers, func(i int64) error {
				var value []byte
				err := plain.View(func(tx *bolt.Tx) error {
					value = bytes.Clone(tx.Bucket([]byte("plain")).Get([]byte(keys[i%benchKeys])))
					return nil
				})
				if err == nil && len(value) != 100 {
					err = fmt.Errorf("got %d bytes", len(value))
				}
				return err
			})
		})
	}
}

// BenchmarkDataPut compares Write with bbolt's own group commit; Batch waits up to
// 10 ms for others, so one caller is compared with Update too.
func BenchmarkDataPut(b *testing.B) {
	d, plain := benchData(b)
	value := bytes.Repeat([]byte("w"), 100)
	put := func(i int64) func(tx *bolt.Tx) error {
		return func(tx *bolt.Tx) error { return tx.Bucket([]byte("plain")).Put([]byte(benchKey(i*7919)), value) }
	}
	write := func(bucket string) func(i int64) error {
		return func(i int64) error {
			_, err := d.Write(Origin{Function: "f"}, []Write{{Bucket: bucket, Key: benchKey(i * 7919), Value: value}})
			return err
		}
	}
	_, err := d.PutBucket(DataBucket{Name: "streamed", Stream: true})
	noErr(b, err)
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("ledge/callers=%d", callers), func(b *testing.B) { benchCallers(b, callers, write("b")) })
		b.Run(fmt.Sprintf("ledge-stream/callers=%d", callers), func(b *testing.B) { benchCallers(b, callers, write("streamed")) })
		b.Run(fmt.Sprintf("bbolt-batch/callers=%d", callers), func(b *testing.B) {
			benchCallers(b, callers, func(i int64) error { return plain.Batch(put(i)) })
		})
		b.Run(fmt.Sprintf("bbolt-update/callers=%d", callers), func(b *testing.B) {
			benchCallers(b, callers, func(i int64) error { return plain.Update(put(i)) })
		})
	}
}
