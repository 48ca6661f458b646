package persist

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkOpen opens stores of different sizes: what an event or a value adds to a
// store must not add to the time that a node takes to start. "check" is the page
// check of a start alone, "check-all" that of the whole file, which is for a store
// that was noted as suspect and for backups.
func BenchmarkOpen(b *testing.B) {
	for _, c := range []struct {
		name            string
		jobs, schedules int
		bytes           int // of an event
	}{
		{"empty", 0, 0, 0},
		{"schedules=100000", 0, 100_000, 0},
		{"jobs=1000000", 1_000_000, 0, 200},
		{"jobs=1000-of-1MB", 1000, 0, 1 << 20},
	} {
		dir := b.TempDir()
		fillLarge(b, dir, c.jobs, c.schedules, c.bytes)
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				s, err := Open(dir, Options{})
				noErr(b, err)
				_, err = s.Load()
				noErr(b, err)
				noErr(b, s.Close())
			}
		})
		for name, most := range map[string]int{"check": startPages, "check-all": allPages} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				f, err := os.Open(filepath.Join(dir, databaseFile))
				noErr(b, err)
				defer f.Close()
				info, err := f.Stat()
				noErr(b, err)
				for b.Loop() {
					noErr(b, checkFile(f, info.Size(), most))
				}
				b.ReportMetric(float64(info.Size())/1e6, "MB")
			})
		}
		b.Run(c.name+"/backup", func(b *testing.B) {
			s := openStore(b, dir, Options{})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				_, err := s.Backup(b.Context())
				noErr(b, err)
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapSys-min(after.HeapSys, before.HeapSys))/1e6, "MB-heap-grown")
		})
	}
}

// fillLarge fills a store from many callers at once.
func fillLarge(b *testing.B, dir string, jobs, schedules, size int) {
	b.Helper()
	s := openStore(b, dir, Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(b, err)
	limits := QueueLimits{Jobs: 1 << 30, Bytes: 1 << 40}
	payload := make([]byte, size)
	var next atomic.Int64
	var all sync.WaitGroup
	for range maxBatchWrites {
		all.Go(func() {
			for i := next.Add(1); i <= int64(jobs); i = next.Add(1) {
				if _, err := s.Enqueue(Job{ID: fmt.Sprint(i), Function: "f", Payload: payload}, limits, false); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	at := milli(time.Now())
	for from := 0; from < schedules; from += 1000 {
		noErr(b, s.update(0, func(c *change) error {
			for i := range 1000 {
				name := fmt.Sprintf("schedule-%06d", from+i)
				record := Schedule{Group: "default", Name: name, Revision: newRevision(), Created: at, LastModified: at,
					Expression: "rate(1 hour)", State: "ENABLED", Target: ScheduleTarget{Function: "f", Input: `{"n":1}`}}
				if err := c.put(bucketSchedules, memberKey(record.Group, name), record); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	closeStore(b, s)
}
