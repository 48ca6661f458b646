package persist

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// fsyncsPerCommit: bbolt syncs the pages, then the meta page that makes them count.
const fsyncsPerCommit = 2

// BenchmarkGroupCommit queues events from callers that send the next one when the
// one before is on disk. events/commit says how many share a transaction, and
// events/fsync how many share one fsync: bbolt has two in each.
func BenchmarkGroupCommit(b *testing.B) {
	for _, callers := range []int{1, 2, 8, 32, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			var commits atomic.Int64
			s := openStore(b, b.TempDir(), Options{faults: &faults{before: func(at step) error {
				if at == stepCommit {
					commits.Add(1)
				}
				return nil
			}}})
			_, err := s.PutFunction(testFunction("f"), "", nil)
			noErr(b, err)
			limits := QueueLimits{Jobs: 1 << 30, Bytes: 1 << 40}
			payload := make([]byte, 256)
			commits.Store(0)
			b.ResetTimer()
			took := fromCallers(b, callers, func(i int) error {
				_, err := s.Enqueue(Job{ID: fmt.Sprint(i), Function: "f", Payload: payload}, limits, false)
				return err
			})
			b.StopTimer()
			each := float64(b.N) / float64(max(commits.Load(), 1))
			b.ReportMetric(each, "events/commit")
			b.ReportMetric(each/fsyncsPerCommit, "events/fsync")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		})
	}
}

// BenchmarkPlainCommit is what BenchmarkGroupCommit is compared with: bbolt with a
// transaction for each of the same bytes.
func BenchmarkPlainCommit(b *testing.B) {
	db, err := bolt.Open(b.TempDir()+"/plain.db", 0o600, nil)
	noErr(b, err)
	defer db.Close()
	noErr(b, db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err }))
	payload := make([]byte, 256)
	took := fromCallers(b, 1, func(i int) error {
		return db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("b")).Put(sequenceKey(uint64(i)), payload) })
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
}

// fromCallers has callers call do b.N times in all, and returns how long each call
// took, sorted.
func fromCallers(b *testing.B, callers int, do func(i int) error) []time.Duration {
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				began := time.Now()
				if err := do(int(i)); err != nil {
					b.Error(err)
					return
				}
				took[i-1] = time.Since(began)
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}
