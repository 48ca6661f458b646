package persist

import (
	"fmt"
	"testing"
	"time"
)

// dedupStore opens a store with a clock that the test sets.
func dedupStore(t *testing.T) (s *Store, now *time.Time) {
	now = new(time.Time)
	*now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s = openStore(t, t.TempDir(), Options{now: func() time.Time { return *now }})
	for _, name := range []string{"f", "g"} {
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
	}
	t.Cleanup(func() { checkQueue(t, s) })
	return s, now
}

func TestDedup(t *testing.T) {
	s, now := dedupStore(t)
	once := func(function, id string) Job {
		t.Helper()
		job := testJob(function, id)
		job.DedupID = "event"
		return put(t, s, job)
	}
	first := once("f", "1")
	for _, test := range []struct {
		what     string
		after    time.Duration
		function string
		want     string // ID
	}{
		{"at once", 0, "f", "1"},
		{"of another function", 0, "g", "new"},
		{"at the end of the window", DedupWindow - time.Millisecond, "f", "1"},
		{"after the window", time.Millisecond, "f", "new"},
		{"after that", time.Minute, "f", "new"},
		{"by a clock that was set back a little", -time.Minute, "f", "new"},
		{"by a clock that was set back a lot", -time.Hour, "f", "newer"},
	} {
		*now = now.Add(test.after)
		name := test.want
		if name == "1" {
			name = "second"
		}
		got := once(test.function, name)
		if got.ID != test.want || got.Duplicate != (name != got.ID) && test.what != "after that" && test.what[:3] != "by " {
			t.Errorf("%s: got %s, duplicate %t", test.what, got.ID, got.Duplicate)
		}
	}
	if first.Duplicate {
		t.Error("the first is a duplicate")
	}
	stats, err := s.QueueStats()
	noErr(t, err)
	if stats.Jobs != 4 { // 1, new of g, new, newer
		t.Errorf("there are %d jobs", stats.Jobs)
	}
}

// A duplicate is told also when the first has run, when the node has started anew, and
// when the queue is full.
func TestDedupOutlives(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	job := testJob("f", "1")
	job.DedupID = "event"
	first, err := s.Enqueue(job, DefaultQueueLimits(), true)
	noErr(t, err)
	noErr(t, s.Ack(first))
	closeStore(t, s)
	s = openStore(t, dir, Options{})
	job.ID = "2"
	got, err := s.Enqueue(job, QueueLimits{}, true)
	noErr(t, err)
	if got.ID != "1" || !got.Duplicate || got.Leased() {
		t.Errorf("got %+v", got)
	}
	_, err = s.DeleteFunction("f")
	noErr(t, err)
	_, err = s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	if got := put(t, s, job); got.Duplicate {
		t.Error("a function has the ids of one before it")
	}
	checkQueue(t, s)
}

// What is remembered does not grow for ever, and each step of forgetting is bounded.
func TestDedupForgets(t *testing.T) {
	s, now := dedupStore(t)
	remembered := func() (n int) {
		t.Helper()
		noErr(t, s.update(0, func(c *change) error {
			n = int(queueOf(c.tx).ids.Sequence())
			return nil
		}))
		return n
	}
	send := func(n int) {
		t.Helper()
		for i := range n {
			job := testJob("f", fmt.Sprint(now.UnixNano(), i))
			job.DedupID = job.ID
			put(t, s, job)
		}
	}
	send(40)
	if n := remembered(); n != 40 {
		t.Fatalf("%d are remembered", n)
	}
	*now = now.Add(DedupWindow)
	send(1)
	if n := remembered(); n != 41-trimDedup {
		t.Errorf("one event forgot %d others", 41-n)
	}
	send(14) // one of them is that of before
	if n := remembered(); n != 14 {
		t.Errorf("%d are remembered", n)
	}
	*now = now.Add(-time.Hour) // the clock was wrong
	send(10)
	if n := remembered(); n != 10 {
		t.Errorf("%d are remembered after the clock was set back", n)
	}
}
