package persist

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestQueueModel runs random operations on the queue and on a plain list, with
// restarts in between: no job is lost, none is there twice, and each is where it
// should be.
func TestQueueModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	options := Options{now: func() time.Time { return now }}
	s := openStore(t, dir, options)
	functions := []string{"a", "aa", "b"}
	for _, name := range functions {
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
	}
	waiting, running, dead := map[string]time.Time{}, map[string]Job{}, 0
	pick := func() (Job, bool) {
		for _, job := range running {
			return job, true
		}
		return Job{}, false
	}
	for i := range 800 {
		id := fmt.Sprint(i)
		switch random.IntN(8) {
		case 0, 1, 2:
			job := testJob(functions[random.IntN(len(functions))], id)
			job.Due = now.Add(time.Duration(random.IntN(5)-2) * time.Second)
			waiting[id] = put(t, s, job).Due
		case 3, 4:
			got := lease(t, s, LeaseRequest{Now: now, Limit: 1 + random.IntN(4), PerFunction: 1 + random.IntN(3)})
			for _, job := range got.Jobs {
				due, there := waiting[job.ID]
				if !there || due.After(now) {
					t.Fatalf("step %d: leased %s, which waits %t, due %v at %v", i, job.ID, there, due, now)
				}
				delete(waiting, job.ID)
				running[job.ID] = job
			}
			if len(got.Jobs) == 0 {
				for id, due := range waiting {
					if !due.After(now) {
						t.Fatalf("step %d: %s is due and was not leased", i, id)
					}
				}
			}
		case 5:
			if job, ok := pick(); ok {
				noErr(t, s.Ack(job))
				delete(running, job.ID)
			}
		case 6:
			if job, ok := pick(); ok {
				delete(running, job.ID)
				switch random.IntN(3) {
				case 0:
					waiting[job.ID] = now.Add(time.Second)
					noErr(t, s.Retry(job, waiting[job.ID]))
				case 1:
					noErr(t, s.Forward(job, testJob("b", id)))
					waiting[id] = now
				default:
					noErr(t, s.Bury(job, "x"))
					dead++
				}
			}
		default:
			now = now.Add(time.Second)
		}
		if i%200 == 199 {
			checkQueue(t, s)
			closeStore(t, s)
			s = openStore(t, dir, options)
			n, err := s.ReleaseLeases()
			noErr(t, err)
			if n != len(running) {
				t.Fatalf("step %d: %d leases were released of %d", i, n, len(running))
			}
			for id, job := range running {
				waiting[id] = job.Due
			}
			clear(running)
		}
		stats, err := s.QueueStats()
		noErr(t, err)
		if stats.Jobs != len(waiting)+len(running) || stats.Running != len(running) || stats.DeadLetters != dead {
			t.Fatalf("step %d: %d wait, %d run, %d are dead; got %+v", i, len(waiting), len(running), dead, stats)
		}
	}
	now = now.Add(time.Hour)
	var left []string
	for range 100 {
		got := lease(t, s, LeaseRequest{Now: now, Limit: 50, PerFunction: 50})
		if len(got.Jobs) == 0 {
			break
		}
		for _, job := range got.Jobs {
			if _, there := waiting[job.ID]; !there || slices.Contains(left, job.ID) {
				t.Errorf("%s is there and should not be, or is there twice", job.ID)
			}
			left = append(left, job.ID)
		}
	}
	if len(left) != len(waiting) {
		t.Errorf("%d jobs are left of %d", len(left), len(waiting))
	}
	checkQueue(t, s)
}
