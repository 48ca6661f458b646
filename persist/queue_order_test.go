package persist

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// ordered queues jobs named "key1", "key2", ...: the letters of the name are the key.
func ordered(t testing.TB, s *Store, function string, names ...string) {
	t.Helper()
	for _, name := range names {
		job := testJob(function, name)
		job.OrderKey = strings.TrimRight(name, "0123456789")
		put(t, s, job)
	}
}

// One job of a key runs at a time, in order; a retry keeps those behind it and nobody
// else; every end lets the next go.
func TestOrder(t *testing.T) {
	s, now := queueStore(t, "f", "g")
	ordered(t, s, "f", "a1", "a2", "b1", "a3", "a4", "a5")
	ordered(t, s, "g", "a1")
	put(t, s, testJob("f", "free"))
	all := LeaseRequest{Now: now, Limit: 9, PerFunction: 9}
	step := func(what, want string) Job {
		t.Helper()
		got := lease(t, s, all)
		if ids(got.Jobs) != want {
			t.Fatalf("%s: leased %q, want %q", what, ids(got.Jobs), want)
		}
		checkQueue(t, s)
		if len(got.Jobs) == 0 {
			return Job{}
		}
		return got.Jobs[0]
	}
	first := step("at first", "a1 a1 b1 free")
	step("while they run", "")
	noErr(t, s.Retry(first, now.Add(time.Minute)))
	step("while it waits to be tried again", "")
	all.Now = now.Add(time.Minute)
	first = step("again", "a1")
	noErr(t, s.Ack(first))
	second := step("after it", "a2")
	noErr(t, s.Bury(second, "no use"))
	third := step("after a dead letter", "a3")
	noErr(t, s.Forward(third, testJob("g", "next"), false))
	fourth := step("after a destination", "a4 next")
	expired, err := s.ExpireLeases([]Job{fourth})
	noErr(t, err)
	if expired != 1 {
		t.Error("the lease did not expire")
	}
	fourth = step("after its lease ran out", "a4")
	noErr(t, s.Ack(fourth))
	fifth := step("the last", "a5")
	noErr(t, s.Ack(fifth))
	ordered(t, s, "f", "a6")
	step("a new one", "a6")
}

// A function that is Ordered has all of its events in one line, and only those of the
// qualifier.
func TestOrderedFunction(t *testing.T) {
	s, now := queueStore(t, "f")
	_, err := s.PutAsyncConfig(AsyncConfig{Function: "f", Ordered: true})
	noErr(t, err)
	for i := range 3 {
		put(t, s, testJob("f", fmt.Sprint(i)))
	}
	other := testJob("f", "live")
	other.Qualifier = "live"
	put(t, s, other)
	leased, err := s.Enqueue(testJob("f", "wants to run"), DefaultQueueLimits(), true)
	noErr(t, err)
	if leased.Leased() {
		t.Error("an event overtook those before it")
	}
	if got := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9}); ids(got.Jobs) != "0 live" {
		t.Errorf("leased %q", ids(got.Jobs))
	}
}

// The bounded work of a lease: a long line behind one job is not looked at.
func TestLeaseIgnoresTheLine(t *testing.T) {
	s, now := queueStore(t, "f")
	var jobs []Job
	for i := range 5000 {
		job := testJob("f", fmt.Sprint(i))
		job.OrderKey = "one"
		jobs = append(jobs, job)
	}
	for len(jobs) > 0 {
		_, errs := s.EnqueueAll(jobs[:MaxJobBatch], DefaultQueueLimits())
		noErr(t, errors.Join(errs...))
		jobs = jobs[MaxJobBatch:]
	}
	put(t, s, testJob("f", "free"))
	if got := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9}); ids(got.Jobs) != "0 free" {
		t.Errorf("leased %q", ids(got.Jobs))
	}
	noErr(t, s.view(func(tx *bolt.Tx) error {
		if n := countKeys(queueOf(tx).due); n != 0 {
			t.Errorf("%d jobs of the line lie where Lease looks", n)
		}
		return nil
	}))
}

// A damaged record in a line costs itself and not those behind it.
func TestDamagedLine(t *testing.T) {
	for _, at := range []string{"waiting", "running", "held"} {
		t.Run(at, func(t *testing.T) {
			s, now := queueStore(t, "f")
			ordered(t, s, "f", "a1", "a2", "a3")
			all := LeaseRequest{Now: now, Limit: 9, PerFunction: 9}
			want := "a2"
			var first Job
			if at != "waiting" {
				first = lease(t, s, all).Jobs[0]
			}
			noErr(t, s.update(0, func(c *change) error {
				c.wrote = true
				q := queueOf(c.tx)
				b := map[string]*bolt.Bucket{"waiting": q.due, "running": q.running, "held": q.held}[at]
				k, _ := b.Cursor().First()
				return b.Put(append([]byte(nil), k...), []byte("{"))
			}))
			switch at {
			case "held":
				noErr(t, s.Ack(first))
				want = "a3"
			case "running":
				_, err := s.ReleaseLeases()
				noErr(t, err)
			case "waiting":
				lease(t, s, all)
			}
			got := lease(t, s, all)
			if ids(got.Jobs) != want {
				t.Errorf("leased %q, want %q", ids(got.Jobs), want)
			}
		})
	}
}

func TestPriorities(t *testing.T) {
	s, now := queueStore(t, "f", "g")
	for _, job := range []struct {
		id       string
		priority int
		due      time.Duration
	}{
		{"low", 0, -time.Hour}, {"usual", 5, -time.Minute}, {"later", 9, time.Minute}, {"high", 9, 0},
		{"usual too", 5, -time.Second}, {"higher than low", 1, 0},
	} {
		j := testJob("f", job.id)
		j.Priority, j.Due = job.priority, now.Add(job.due)
		put(t, s, j)
	}
	put(t, s, testJob("g", "other"))
	stats, err := s.QueueStats()
	noErr(t, err)
	if !stats.Oldest.Equal(now.Add(-time.Hour)) {
		t.Errorf("the oldest is due %s", stats.Oldest)
	}
	got := lease(t, s, LeaseRequest{Now: now, Limit: 3, PerFunction: 9})
	if ids(got.Jobs) != "high other usual" || !got.More {
		t.Errorf("leased %q, more %t", ids(got.Jobs), got.More)
	}
	got = lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9})
	if ids(got.Jobs) != "usual too higher than low low" || !got.Next.Equal(now.Add(time.Minute)) {
		t.Errorf("leased %q, next %s", ids(got.Jobs), got.Next)
	}
	for _, bad := range []int{-1, 10} {
		job := testJob("f", "bad")
		job.Priority = bad
		_, err := s.Enqueue(job, DefaultQueueLimits(), false)
		wantErr(t, "Enqueue", err, ErrInvalid)
	}
}

// The lessee that lost its job says nothing any more.
func TestLostLease(t *testing.T) {
	s, now := queueStore(t, "f")
	stuck, err := s.Enqueue(testJob("f", "job"), DefaultQueueLimits(), true)
	noErr(t, err)
	if !stuck.Leased() || !stuck.LeasedUntil.Equal(now.Add(LeaseTime)) {
		t.Errorf("leased until %s", stuck.LeasedUntil)
	}
	for _, want := range []int{1, 0} {
		expired, err := s.ExpireLeases([]Job{stuck})
		noErr(t, err)
		if expired != want {
			t.Errorf("expired %d, want %d", expired, want)
		}
	}
	again := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9}).Jobs[0]
	if again.Interrupted != 1 || again.Attempts != 2 || !strings.Contains(again.LastError, "lease ran out") {
		t.Errorf("leased again is %+v", again)
	}
	stuck.Attempts = 2 // whatever it makes of its copy
	noErr(t, s.Ack(stuck))
	noErr(t, s.Retry(stuck, now))
	noErr(t, s.Bury(stuck, "late"))
	noErr(t, s.Forward(stuck, testJob("f", "late"), true))
	stats, err := s.QueueStats()
	noErr(t, err)
	if stats.Running != 1 || stats.Jobs != 1 || stats.DeadLetters != 0 {
		t.Errorf("there is %+v", stats)
	}
	again.Attempts-- // as the Queue does where it did not run
	noErr(t, s.Ack(again))
}
