package persist

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkQueueBoot fills a store with as many jobs as -benchtime says, -benchtime
// 1000000x for a million, and reports what a node with that queue waits for at its
// start: open-ms for the store, boot-ms from there until the leases of the process before
// are released and the first jobs are leased, heap-MB of memory. Half of the jobs are
// held behind others, 16 ran when the process before ended.
func BenchmarkQueueBoot(b *testing.B) {
	dir := b.TempDir()
	s := openStore(b, dir, Options{})
	for i := range 4 {
		_, err := s.PutFunction(testFunction(fmt.Sprint("f", i)), "", nil)
		noErr(b, err)
	}
	limits := QueueLimits{Jobs: 1 << 30, Bytes: 1 << 40}
	payload := make([]byte, 256)
	var next atomic.Int64
	var fill sync.WaitGroup
	for range 32 {
		fill.Go(func() {
			for {
				to := next.Add(MaxJobBatch)
				var jobs []Job
				for i := to - MaxJobBatch; i < min(to, int64(b.N)); i++ {
					job := Job{ID: fmt.Sprint(i), Function: fmt.Sprint("f", i%4), Priority: UsualPriority, Payload: payload}
					if i%2 == 0 {
						job.OrderKey = fmt.Sprint(i % 1000)
					}
					jobs = append(jobs, job)
				}
				if len(jobs) == 0 {
					return
				}
				if _, errs := s.EnqueueAll(jobs, limits); errors.Join(errs...) != nil {
					b.Error(errors.Join(errs...))
					return
				}
			}
		})
	}
	fill.Wait()
	lease(b, s, LeaseRequest{Now: time.Now(), Limit: 16, PerFunction: 8})
	closeStore(b, s)
	b.StopTimer()

	runtime.GC()
	runtime.GC() // what pools held of the first store goes with the second
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	s, err := Open(dir, Options{})
	noErr(b, err)
	opened := time.Now()
	_, err = s.ReleaseLeases()
	noErr(b, err)
	leased := lease(b, s, LeaseRequest{Now: time.Now(), Limit: 16, PerFunction: 8})
	ended := time.Now()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if len(leased.Jobs) == 0 {
		b.Error("nothing was leased")
	}
	b.ReportMetric(float64(opened.Sub(start).Microseconds())/1000, "open-ms")
	b.ReportMetric(float64(ended.Sub(opened).Microseconds())/1000, "boot-ms")
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/(1<<20), "heap-MB")

	// What operators wait for with that queue.
	start = time.Now()
	_, err = s.GetJob(uint64(b.N))
	noErr(b, err)
	b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "find-ms")
	closeStore(b, s)
}
