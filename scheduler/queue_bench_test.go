package scheduler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// BenchmarkQueue sends events and runs them: each is on disk before it runs and
// is gone from there at the end.
func BenchmarkQueue(b *testing.B) {
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			store, err := persist.Open(b.TempDir(), persist.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			names := []string{"f", "g", "h"}
			for _, name := range names {
				if _, err := store.PutFunction(persist.Function{Name: name}, "", nil); err != nil {
					b.Fatal(err)
				}
			}
			var left sync.WaitGroup
			left.Add(b.N)
			queue := NewQueue(QueueConfig{Store: store, Invoker: invokerFunc(func() { left.Done() }),
				Limits: persist.QueueLimits{Jobs: 1 << 30, Bytes: 1 << 40}})
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- queue.Run(ctx) }()
			payload := make([]byte, 256)
			var next atomic.Int64
			b.ResetTimer()
			for range callers {
				go func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if err := queue.InvokeAsync(names[i%3], "", engine.RequestID{}, payload); err != nil {
							b.Error(err)
							return
						}
					}
				}()
			}
			left.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			cancel()
			if err := <-ended; err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkQueueBatch works off a backlog for a function that does nothing, with and
// without batches.
func BenchmarkQueueBatch(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			store, err := persist.Open(b.TempDir(), persist.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			if _, err := store.PutFunction(persist.Function{Name: "f"}, "", nil); err != nil {
				b.Fatal(err)
			}
			if _, err := store.PutAsyncConfig(persist.AsyncConfig{Function: "f", BatchSize: size}); err != nil {
				b.Fatal(err)
			}
			limits := persist.QueueLimits{Jobs: 1 << 30, Bytes: 1 << 40}
			payload := make([]byte, 256)
			for i := 0; i < b.N; i += persist.MaxJobBatch {
				jobs := make([]persist.Job, min(persist.MaxJobBatch, b.N-i))
				for j := range jobs {
					jobs[j] = persist.Job{ID: fmt.Sprint(i + j), Function: "f", Payload: payload}
				}
				if _, errs := store.EnqueueAll(jobs, limits); errors.Join(errs...) != nil {
					b.Fatal(errors.Join(errs...))
				}
			}
			settled := &settledStore{Store: store}
			settled.left.Add(b.N)
			queue := NewQueue(QueueConfig{Store: settled, Invoker: invokerFunc(func() {}), Limits: limits})
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			b.ResetTimer()
			go func() { ended <- queue.Run(ctx) }()
			settled.left.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			cancel()
			if err := <-ended; err != nil {
				b.Error(err)
			}
		})
	}
}

// settledStore tells when events have ended.
type settledStore struct {
	*persist.Store
	left sync.WaitGroup
}

func (s *settledStore) Settle(ends []persist.Settlement) []error {
	errs := s.Store.Settle(ends)
	s.left.Add(-len(ends))
	return errs
}

// BenchmarkQueueLatency sends one event after the other and reports the median time
// until its function is called, which it is after the event is on disk, and that of an
// fsync of what a file was appended by, between the events on the same file system:
// ratio is the first by the second.
func BenchmarkQueueLatency(b *testing.B) {
	dir := b.TempDir()
	store, err := persist.Open(dir, persist.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	if _, err := store.PutFunction(persist.Function{Name: "f"}, "", nil); err != nil {
		b.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "appended"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	called := make(chan time.Time, 1)
	queue := NewQueue(QueueConfig{Store: store, Invoker: invokerFunc(func() { called <- time.Now() })})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- queue.Run(ctx) }()
	payload, page := make([]byte, 256), make([]byte, 4096)
	var handled, synced []time.Duration
	for b.Loop() {
		start := time.Now()
		if err := queue.InvokeAsync("f", "", engine.RequestID{}, payload); err != nil {
			b.Fatal(err)
		}
		handled = append(handled, (<-called).Sub(start))
		for { // the disk is the event's until it is settled
			stats, err := store.QueueStats()
			if err != nil {
				b.Fatal(err)
			}
			if stats.Jobs == 0 {
				break
			}
			runtime.Gosched()
		}
		start = time.Now()
		if _, err := file.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			b.Fatal(err)
		}
		synced = append(synced, time.Since(start))
	}
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	slices.Sort(handled)
	slices.Sort(synced)
	p50, sync := handled[len(handled)/2], synced[len(synced)/2]
	b.ReportMetric(float64(p50.Microseconds()), "handled-p50-µs")
	b.ReportMetric(float64(sync.Microseconds()), "fsync-p50-µs")
	b.ReportMetric(float64(p50)/float64(sync), "ratio")
}
