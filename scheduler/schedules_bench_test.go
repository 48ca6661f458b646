package scheduler

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ledge/persist"
)

// BenchmarkSchedules is what persist.MaxSchedules cost: to open the store, to plan them
// all, in memory, and for one and a thousand that are due.
func BenchmarkSchedules(b *testing.B) {
	const number = persist.MaxSchedules
	dir := b.TempDir()
	open := func() *persist.Store {
		store, err := persist.Open(dir, persist.Options{})
		if err != nil {
			b.Fatal(err)
		}
		return store
	}
	store := open()
	if _, err := store.PutFunction(persist.Function{Name: "f"}, "", nil); err != nil {
		b.Fatal(err)
	}
	// At 3:00 a thousand of them are due, at other times hardly any.
	far := time.Now().AddDate(0, 0, 5)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 512 {
		all.Go(func() {
			for i := next.Add(1); i <= number; i = next.Add(1) {
				expression := fmt.Sprintf("%d %d %d %d ?", i%60, i/60%24, far.Day(), far.Month())
				if i <= 1000 {
					expression = fmt.Sprintf("0 3 %d %d ?", far.Day(), far.Month())
				}
				_, err := store.CreateSchedule(persist.Schedule{Group: "default", Name: fmt.Sprintf("schedule-%06d", i), State: persist.ScheduleEnabled,
					Expression: expression, Timezone: "Europe/Berlin", Target: persist.ScheduleTarget{Function: "f", Input: `{"key":"value"}`}})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}

	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if err := open().Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	store = open()
	defer store.Close()
	planned := func(b *testing.B, clock Clock) *Schedules {
		s := NewSchedules(SchedulesConfig{Store: store, Wake: func() {}, Clock: clock, Limits: persist.QueueLimits{Jobs: 1 << 30, Bytes: 1 << 40}})
		if err := s.load(b.Context()); err != nil {
			b.Fatal(err)
		}
		return s
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	b.Run("load", func(b *testing.B) {
		var bytes uint64
		for b.Loop() {
			b.StopTimer()
			before := heap()
			b.StartTimer()
			s := planned(b, SystemClock{})
			b.StopTimer()
			bytes = heap() - before
			if n := s.agenda.Len(); n != number {
				b.Fatalf("%d are planned", n)
			}
			b.StartTimer()
		}
		b.ReportMetric(float64(bytes)/number, "B/schedule")
	})
	b.Run("look", func(b *testing.B) {
		s := planned(b, SystemClock{})
		for b.Loop() {
			s.actAll(b.Context())
		}
	})
	for _, due := range []struct {
		name  string
		first int
		n     int
	}{{"tick", 2000, 1}, {"1000 ticks", 1, 1000}} {
		b.Run(due.name, func(b *testing.B) {
			clock := &testClock{}
			s := planned(b, clock)
			at := far.Truncate(time.Second)
			for b.Loop() {
				// As if all of them had an expression that names this second.
				b.StopTimer()
				at = at.AddDate(1, 0, 0)
				clock.offset = time.Until(at)
				now := s.cfg.Clock.Now()
				var names []persist.ScheduleName
				for i := range due.n {
					names = append(names, persist.ScheduleName{Group: "default", Name: fmt.Sprintf("schedule-%06d", due.first+i)})
				}
				b.StartTimer()
				for len(names) > 0 {
					n := min(len(names), pageSize)
					s.act(names[:n], now)
					names = names[n:]
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*due.n), "ns/schedule")
		})
	}
}
