package persist

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// TestKilledQueue kills a process that queues events and works them off, at
// random moments: each event that was acknowledged must have been run, or still
// be there, and those of one order must have been run in it.
func TestKilledQueue(t *testing.T) {
	if dir := os.Getenv(crashEnv); dir != "" {
		queueForever(dir, os.Stdout)
		return
	}
	dir := t.TempDir()
	acknowledged, ran, left := map[string]bool{}, map[string]bool{}, map[string]bool{}
	last := map[string][2]int{} // of each order: when its process began, and its number
	for round := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledQueue$")
		cmd.Env = append(os.Environ(), crashEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		noErr(t, err)
		noErr(t, cmd.Start())
		lines := bufio.NewScanner(out)
		stopAt := 1 + rand.IntN(200)
		for n := 0; lines.Scan(); n++ {
			switch what, id, _ := strings.Cut(lines.Text(), " "); what {
			case "queued":
				acknowledged[id] = true
			case "ran":
				ran[id] = true
				var started, worker, i int
				if _, err := fmt.Sscanf(id, "%d-%d-%d", &started, &worker, &i); err != nil {
					t.Fatal(err)
				}
				if key := orderOfWorker(worker); key != "" {
					if before := last[key]; started < before[0] || started == before[0] && i < before[1] {
						t.Errorf("round %d: of %s event %s ran after %v", round, key, id, before)
					}
					last[key] = [2]int{started, i}
				}
			}
			if n == stopAt {
				cmd.Process.Kill() // what is in the pipe by then counts too
			}
		}
		cmd.Wait() // it was killed

		s := openStore(t, dir, Options{LockTimeout: 5 * time.Second})
		checkQueue(t, s)
		clear(left)
		noErr(t, s.view(func(tx *bolt.Tx) error {
			q := queueOf(tx)
			if q.due == nil {
				return nil
			}
			note := func(sequence uint64, id string) {
				left[id] = true
				if payload := string(copyPayload(q.payloads, sequence)); payload != "event "+id {
					t.Errorf("round %d: the event of %s is %q", round, id, payload)
				}
			}
			running, damaged := q.leased()
			for _, job := range running {
				note(job.sequence, job.ID)
			}
			if len(damaged) > 0 {
				t.Errorf("round %d: damaged are %q", round, damaged)
			}
			waiting := func(k, v []byte) error {
				job, err := decodeJob(queueDue, k, v)
				note(job.sequence, job.ID)
				return err
			}
			return errors.Join(q.due.ForEach(waiting), q.held.ForEach(waiting))
		}))
		for id := range acknowledged {
			if !ran[id] && !left[id] {
				t.Errorf("round %d: event %s was acknowledged and is lost", round, id)
			}
		}
		closeStore(t, s)
		checkDatabase(t, dir)
	}
	t.Logf("%d events were acknowledged, %d ran, %d are left", len(acknowledged), len(ran), len(left))
	if len(acknowledged) == 0 || len(ran) == 0 {
		t.Error("nothing was acknowledged, or nothing ran")
	}
}

// orderOfWorker is the OrderKey of every second worker's events.
func orderOfWorker(worker int) string {
	if worker%2 == 0 {
		return ""
	}
	return fmt.Sprint("order ", worker)
}

// queueForever queues events and works them off, and prints each event that
// was acknowledged, and each that is run before that is acknowledged, until it
// is killed.
func queueForever(dir string, out io.Writer) {
	s, err := Open(dir, Options{LockTimeout: 5 * time.Second})
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	check(err)
	_, err = s.PutFunction(Function{Name: "f"}, "", nil)
	check(err)
	started := time.Now().UnixNano()
	// Every second process, about, works off batches.
	_, err = s.PutAsyncConfig(AsyncConfig{Function: "f", BatchSize: 1 + 4*int(started/1000%2)})
	check(err)
	_, err = s.ReleaseLeases()
	check(err)
	var mu sync.Mutex
	say := func(what, id string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, what, id)
	}
	for worker := range 4 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", started, worker, i)
				job := testJob("f", id)
				job.OrderKey, job.DedupID, job.Priority = orderOfWorker(worker), id, UsualPriority
				for range 1 + i%2 { // a sender that is not sure sends it again
					got, err := s.Enqueue(job, DefaultQueueLimits(), false)
					check(err)
					say("queued", got.ID)
				}
			}
		}()
	}
	for n := 0; ; n++ {
		leased, err := s.Lease(LeaseRequest{Now: time.Now(), Limit: 4, PerFunction: 4})
		check(err)
		var settled sync.WaitGroup
		for i, job := range leased.Jobs {
			settled.Go(func() {
				if (n+i)%5 == 0 {
					check(s.Retry(job, time.Now()))
					return
				}
				say("ran", job.ID)
				check(s.Ack(job))
			})
		}
		for _, batch := range leased.Batches {
			settled.Go(func() {
				var ends []Settlement
				for i, job := range batch {
					if (n+i)%5 == 0 {
						ends = append(ends, Settlement{Job: job, End: EndRetry, Due: time.Now()})
						continue
					}
					say("ran", job.ID)
					ends = append(ends, Settlement{Job: job, End: EndDone})
				}
				check(errors.Join(s.Settle(ends)...))
			})
		}
		settled.Wait()
	}
}

// BenchmarkEnqueue queues events from many callers; each is on disk when its
// call returns. events/fsync says how many share one commit.
func BenchmarkEnqueue(b *testing.B) {
	for _, callers := range []int{1, 32, 256} {
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
			commits.Store(0)
			payload := make([]byte, 256)
			limits := QueueLimits{Jobs: 1 << 30, Bytes: 1 << 40}
			var next atomic.Int64
			b.ResetTimer()
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for {
						i := next.Add(1)
						if i > int64(b.N) {
							return
						}
						_, err := s.Enqueue(Job{ID: fmt.Sprint(i), Function: "f", Payload: payload}, limits, false)
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.N)/float64(max(commits.Load(), 1)), "events/fsync")
		})
	}
}
