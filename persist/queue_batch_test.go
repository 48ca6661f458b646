package persist

import (
	"fmt"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// batchStore has a function f that gets batches of up to 3, which wait 10 s.
func batchStore(t *testing.T) (s *Store, req LeaseRequest) {
	t.Helper()
	s, now := queueStore(t, "f", "g")
	_, err := s.PutAsyncConfig(AsyncConfig{Function: "f", BatchSize: 3, BatchWindowSeconds: 10})
	noErr(t, err)
	return s, LeaseRequest{Now: now, Limit: 9, PerFunction: 2}
}

func wantBatches(t *testing.T, what string, leased Leased, want ...string) {
	t.Helper()
	var got []string
	for _, batch := range leased.Batches {
		got = append(got, ids(batch))
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%s: leased %q, want %q", what, got, want)
	}
}

func TestBatchBounds(t *testing.T) {
	s, req := batchStore(t)
	for i := range 8 {
		put(t, s, testJob("f", fmt.Sprint(i)))
	}
	if got, err := s.Enqueue(testJob("f", "8"), DefaultQueueLimits(), true); err != nil || got.Leased() {
		t.Errorf("leased as it was queued: %t, %v", got.Leased(), err)
	}
	put(t, s, testJob("g", "g"))
	got := lease(t, s, req)
	wantBatches(t, "two workers", got, "0 1 2", "3 4 5")
	if ids(got.Jobs) != "g" || len(got.Full) != 1 || !got.Next.IsZero() {
		t.Errorf("leased %+v", got)
	}
	req.Only = map[string]int{"f": 0}
	wantBatches(t, "no worker", lease(t, s, req))
	req.Only, req.Limit, req.BatchBytes = nil, 1, 2*len("event 6")+1
	got = lease(t, s, req)
	wantBatches(t, "as many as fit", got, "6 7")
	if !got.More {
		t.Error("there is no more")
	}
	req.BatchBytes = 1
	got = lease(t, s, req)
	wantBatches(t, "one that is too large is full", got, "8")
}

func TestBatchWindow(t *testing.T) {
	s, req := batchStore(t)
	start := req.Now
	late, far := testJob("f", "late"), testJob("f", "far")
	late.Due = start.Add(4 * time.Second)
	far.Due = start.Add(2 * farthestDue) // the clock was wrong
	put(t, s, late)
	for _, step := range []struct{ now, next time.Duration }{{0, 4 * time.Second}, {4 * time.Second, 14 * time.Second}, {13 * time.Second, 14 * time.Second}} {
		req.Now = start.Add(step.now)
		got := lease(t, s, req)
		wantBatches(t, "too soon", got)
		if want := start.Add(step.next); !got.Next.Equal(want) {
			t.Errorf("after %s: the next is at %s, want %s", step.now, got.Next, want)
		}
	}
	req.Now = start.Add(14 * time.Second)
	first := lease(t, s, req)
	wantBatches(t, "after the window", first, "late")
	put(t, s, far)
	wantBatches(t, "of a wrong clock", lease(t, s, req), "far")
}

// A restart has all jobs of a batch due again, each a batch of its own: one of them may
// be what brought the node down.
func TestBatchRestart(t *testing.T) {
	s, req := batchStore(t)
	for _, id := range []string{"a", "b", "c", "d"} {
		put(t, s, testJob("f", id))
	}
	wantBatches(t, "at first", lease(t, s, req), "a b c")
	n, err := s.ReleaseLeases()
	noErr(t, err)
	req.PerFunction = 9
	got := lease(t, s, req)
	wantBatches(t, "after a restart", got, "a", "b", "c")
	if job := got.Batches[0][0]; n != 3 || job.Interrupted != 1 || job.Attempts != 2 || !job.FirstLeased.Equal(req.Now) {
		t.Errorf("%d were released, the first is %+v", n, job)
	}
}

// A damaged job is set aside, and keeps no batch.
func TestBatchDamaged(t *testing.T) {
	s, req := batchStore(t)
	var damaged Job
	for _, id := range []string{"a", "x", "b", "c"} {
		if job := put(t, s, testJob("f", id)); id == "x" {
			damaged = job
		}
	}
	noErr(t, s.update(0, func(c *change) error {
		c.wrote = true
		return queueOf(c.tx).due.Put(dueKeyOf(damaged), []byte("{"))
	}))
	wantBatches(t, "around it", lease(t, s, req), "a b c")
	noErr(t, s.view(func(tx *bolt.Tx) error {
		if n := queueOf(tx).Jobs; n != 3 {
			t.Errorf("there are %d jobs", n)
		}
		return nil
	}))
}

// Where the jobs that a Lease may take are damaged, those behind them wait for no other
// occasion: they are due still.
func TestDamagedJobsHideNoOthers(t *testing.T) {
	for _, function := range []string{"f", "g"} { // with batches and without
		for name, jobs := range map[string][]Job{
			"due":   {testJob(function, "x"), testJob(function, "y"), testJob(function, "good")},
			"order": {{ID: "x", Function: function, OrderKey: "k"}, {ID: "good", Function: function, OrderKey: "k"}},
		} {
			t.Run(name+" "+function, func(t *testing.T) {
				s, req := batchStore(t)
				for i, job := range jobs {
					job = put(t, s, job)
					if i == len(jobs)-1 {
						break
					}
					noErr(t, s.update(0, func(c *change) error {
						c.wrote = true
						return queueOf(c.tx).due.Put(dueKeyOf(job), []byte("{"))
					}))
				}
				got := lease(t, s, req)
				if len(got.Jobs)+len(got.Batches) > 0 || !got.More {
					t.Fatalf("at first leased %+v", got)
				}
				req.Now = req.Now.Add(10 * time.Second)
				got = lease(t, s, req)
				for _, batch := range got.Batches {
					got.Jobs = append(got.Jobs, batch...)
				}
				if ids(got.Jobs) != "good" || got.More {
					t.Errorf("then leased %+v", got)
				}
			})
		}
	}
}

// Many leases end in one commit, but for those that it refuses.
func TestSettleMany(t *testing.T) {
	s, req := batchStore(t)
	var jobs []Job
	for i := range 5 {
		job, err := s.Enqueue(testJob("g", fmt.Sprint(i)), DefaultQueueLimits(), true)
		noErr(t, err)
		jobs = append(jobs, job)
	}
	before := s.commits.Load()
	errs := s.Settle([]Settlement{
		{Job: jobs[0], End: EndDone},
		{Job: jobs[1], End: EndForward, Next: testJob("nobody", "n")},
		{Job: jobs[2], End: EndForward, Next: testJob("g", "next"), Succeeded: true},
		{Job: jobs[3], End: EndRetry, Due: req.Now},
		{Job: jobs[4], End: EndBury, Reason: "no use"},
		{Job: jobs[0], End: EndDone}, // it is gone
		{Job: jobs[1], End: EndForward, Next: Job{Function: "g"}},
	})
	if n := s.commits.Load() - before; n != 1 {
		t.Errorf("it took %d commits", n)
	}
	for i, want := range []error{nil, ErrNotFound, nil, nil, nil, nil, ErrInvalid} {
		wantErr(t, fmt.Sprint("settlement ", i), errs[i], want)
	}
	stats, err := s.QueueStats()
	noErr(t, err)
	if stats.Jobs != 3 || stats.Running != 1 || stats.DeadLetters != 1 {
		t.Errorf("left is %+v", stats)
	}
	if got := ids(lease(t, s, LeaseRequest{Now: req.Now, Limit: 9, PerFunction: 9}).Jobs); got != "3 next" {
		t.Errorf("then are due %s", got)
	}
}

func TestAsyncConfigBatches(t *testing.T) {
	s, _ := queueStore(t, "f")
	for _, bad := range []AsyncConfig{{BatchSize: -1}, {BatchSize: 1001}, {BatchSize: 2, BatchWindowSeconds: 301}, {BatchSize: 2, BatchWindowSeconds: -1}, {BatchSize: 1, BatchWindowSeconds: 1}} {
		bad.Function = "f"
		_, err := s.PutAsyncConfig(bad)
		wantErr(t, fmt.Sprintf("%+v", bad), err, ErrInvalid)
	}
	_, err := s.PutAsyncConfig(AsyncConfig{Function: "f", BatchSize: MaxBatchSize, BatchWindowSeconds: 300})
	noErr(t, err)
}
