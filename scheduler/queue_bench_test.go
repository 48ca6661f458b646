package scheduler

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

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
