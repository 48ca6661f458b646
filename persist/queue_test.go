package persist

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func TestJobSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	retries := 1
	at := time.Date(2026, 5, 1, 12, 0, 0, 5e6, time.UTC)
	want := Job{
		ID: "id", Function: "f", Qualifier: "live", Source: "cron", Enqueued: at, Due: at.Add(time.Minute),
		MaxAgeSeconds: 60, MaxRetries: &retries, Depth: 2,
		OrderKey: "key", DedupID: "once", Priority: 7, Payload: []byte{0, 1, 0xff},
	}
	put(t, s, want)
	put(t, s, testJob("f", "interrupted"))
	if got := lease(t, s, LeaseRequest{Now: time.Now(), Limit: 9, PerFunction: 9}); ids(got.Jobs) != "id interrupted" {
		t.Fatalf("leased %q", ids(got.Jobs))
	}
	closeStore(t, s)

	s = openStore(t, dir, Options{})
	if got := lease(t, s, LeaseRequest{Now: time.Now(), Limit: 9, PerFunction: 9}); len(got.Jobs) != 0 {
		t.Errorf("leased %q again before the leases were released", ids(got.Jobs))
	}
	n, err := s.ReleaseLeases()
	noErr(t, err)
	got := lease(t, s, LeaseRequest{Now: time.Now(), Limit: 9, PerFunction: 9})
	if n != 2 || len(got.Jobs) != 2 {
		t.Fatalf("released %d, leased %d", n, len(got.Jobs))
	}
	want.Attempts, want.Interrupted = 2, 1
	job := got.Jobs[0]
	want.sequence, want.lease, want.LeasedUntil = job.sequence, 2, job.LeasedUntil
	if !reflect.DeepEqual(job, want) || job.LeasedUntil.IsZero() {
		t.Errorf("got %+v, want %+v", job, want)
	}
	checkQueue(t, s)
}

func TestEnqueueRefuses(t *testing.T) {
	s, _ := queueStore(t, "f")
	limits := QueueLimits{Jobs: 2, Bytes: 20}
	var size *SizeError
	_, err := s.Enqueue(Job{ID: "x", Function: "f", Payload: make([]byte, MaxJobPayload+1)}, DefaultQueueLimits(), false)
	if !errors.As(err, &size) || size.Limit != 1<<20 {
		t.Errorf("a payload that is too large: %v", err)
	}
	for _, test := range []struct {
		what string
		job  Job
		want error
	}{
		{"no id", Job{Function: "f"}, ErrInvalid},
		{"no function", Job{ID: "x"}, ErrInvalid},
		{"an order that is no text", Job{ID: "x", Function: "f", OrderKey: "a\xff"}, ErrInvalid},
		{"an order with a NUL", Job{ID: "x", Function: "f", OrderKey: "a\x00b"}, ErrInvalid},
		{"a deduplication id that is no text", Job{ID: "x", Function: "f", DedupID: "\xc3("}, ErrInvalid},
		{"unknown function", Job{ID: "x", Function: "g"}, ErrNotFound},
		{"first", Job{ID: "x", Function: "f", Payload: make([]byte, 12)}, nil},
		{"too many bytes", Job{ID: "x", Function: "f", Payload: make([]byte, 9)}, ErrQueueFull},
		{"second", Job{ID: "x", Function: "f", Payload: make([]byte, 8)}, nil},
		{"too many jobs", Job{ID: "x", Function: "f"}, ErrQueueFull},
	} {
		_, err := s.Enqueue(test.job, limits, false)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got error %v, want %v", test.what, err, test.want)
		}
	}
	stats, err := s.QueueStats()
	noErr(t, err)
	if stats.Jobs != 2 || stats.Bytes != 20 {
		t.Errorf("got %+v", stats)
	}
}

// Many functions with a backlog cost a lease no more than it takes, and all have their
// turn.
func TestLeaseOfManyFunctions(t *testing.T) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("f%02d", i))
	}
	s, now := queueStore(t, names...)
	for _, name := range names {
		put(t, s, testJob(name, name))
	}
	later := testJob("f99", "later")
	later.Due = now.Add(time.Minute)
	put(t, s, later)
	var got []Job
	req := LeaseRequest{Now: now, Limit: 8, PerFunction: 4, After: "f49"}
	for range names {
		leased := lease(t, s, req)
		got, req.After = append(got, leased.Jobs...), leased.Last
		if !leased.More {
			if !leased.Next.Equal(later.Due) {
				t.Errorf("the next is due %s", leased.Next)
			}
			break
		}
		if len(leased.Jobs) != req.Limit {
			t.Errorf("leased %q, and there are more", ids(leased.Jobs))
		}
	}
	if want := strings.Join(append(slices.Clone(names[50:]), names[:50]...), " "); ids(got) != want {
		t.Errorf("leased %q, want %q", ids(got), want)
	}
}

func TestLease(t *testing.T) {
	s, now := queueStore(t, "a", "aa", "b")
	for _, job := range []struct {
		function, id string
		due          time.Duration
	}{
		{"a", "a3", -time.Second}, {"a", "a1", -time.Minute}, {"a", "a2", -time.Minute},
		{"aa", "aa1", 0}, {"aa", "aa2", time.Hour},
		{"b", "b1", -time.Hour}, {"b", "b2", time.Minute},
	} {
		j := testJob(job.function, job.id)
		j.Due = now.Add(job.due)
		put(t, s, j)
	}
	var back []Job
	for _, test := range []struct {
		what string
		req  LeaseRequest
		want string
		more bool
		next time.Duration
		full string
	}{
		{"a turn each", LeaseRequest{Limit: 9, PerFunction: 1}, "a1 aa1 b1", false, time.Minute, "a"},
		{"all that is due", LeaseRequest{Limit: 9, PerFunction: 9}, "a1 aa1 b1 a2 a3", false, time.Minute, ""},
		{"as many as asked for", LeaseRequest{Limit: 2, PerFunction: 9}, "a1 aa1", true, time.Minute, ""},
		{"exactly all", LeaseRequest{Limit: 5, PerFunction: 9}, "a1 aa1 b1 a2 a3", false, time.Minute, ""},
		{"others begin", LeaseRequest{Limit: 2, PerFunction: 9, After: "a"}, "aa1 b1", true, time.Minute, ""},
		{"from the start again", LeaseRequest{Limit: 2, PerFunction: 9, After: "b"}, "a1 aa1", true, time.Minute, ""},
		{"without one", LeaseRequest{Limit: 9, PerFunction: 9, Only: map[string]int{"a": 0, "b": 0}}, "aa1", false, time.Hour, ""},
		{"some of one", LeaseRequest{Limit: 9, PerFunction: 0, Only: map[string]int{"a": 2}}, "a1 a2", false, 0, "a"},
	} {
		test.req.Now = now
		got := lease(t, s, test.req)
		if ids(got.Jobs) != test.want || got.More != test.more {
			t.Errorf("%s: leased %q, more %t; want %q, %t", test.what, ids(got.Jobs), got.More, test.want, test.more)
		}
		if test.next != 0 && !got.Next.Equal(now.Add(test.next)) || test.next == 0 && !got.Next.IsZero() {
			t.Errorf("%s: the next is due %v, want after %v", test.what, got.Next, test.next)
		}
		if full := strings.Join(got.Full, " "); full != test.full {
			t.Errorf("%s: full are %q, want %q", test.what, full, test.full)
		}
		back = got.Jobs
		for _, job := range back {
			if string(job.Payload) != "event "+job.ID || job.Attempts == 0 {
				t.Errorf("%s: got %+v", test.what, job)
			}
			noErr(t, s.Retry(job, job.Due))
		}
	}
	stats, err := s.QueueStats()
	noErr(t, err)
	if stats.Jobs != 7 || stats.Running != 0 || !stats.Oldest.Equal(now.Add(-time.Hour)) {
		t.Errorf("got %+v", stats)
	}
}

func TestSettle(t *testing.T) {
	s, now := queueStore(t, "f", "g")
	all := LeaseRequest{Now: now, Limit: 9, PerFunction: 9}
	one := func(id string) Job {
		t.Helper()
		job, err := s.Enqueue(testJob("f", id), DefaultQueueLimits(), true)
		noErr(t, err)
		if job.Attempts != 1 || !job.Enqueued.Equal(now) || !job.Due.Equal(now) {
			t.Fatalf("enqueued %+v", job)
		}
		if got := lease(t, s, all); len(got.Jobs) != 0 {
			t.Fatalf("what was leased when it was queued was leased again: %q", ids(got.Jobs))
		}
		return job
	}

	acked := one("acked")
	noErr(t, s.Ack(acked))
	noErr(t, s.Ack(acked)) // it is gone, which is what was asked for

	retried := one("retried")
	retried.Failures, retried.LastError = 1, strings.Repeat("é", 800)
	noErr(t, s.Retry(retried, now.Add(time.Minute)))
	if got := lease(t, s, all); len(got.Jobs) != 0 || !got.Next.Equal(now.Add(time.Minute)) {
		t.Errorf("before its time: leased %q, next %v", ids(got.Jobs), got.Next)
	}
	all.Now = now.Add(time.Minute)
	got := lease(t, s, all)
	if ids(got.Jobs) != "retried" || got.Jobs[0].Attempts != 2 || got.Jobs[0].Failures != 1 || got.Jobs[0].LastError != strings.Repeat("é", 512) {
		t.Fatalf("leased %+v", got.Jobs)
	}
	noErr(t, s.Ack(got.Jobs[0]))

	forwarded := one("forwarded")
	wantErr(t, "Forward to nobody", s.Forward(forwarded, testJob("nobody", "next"), true), ErrNotFound)
	next := testJob("g", "next")
	next.Depth = 1
	noErr(t, s.Forward(forwarded, next, true))
	got = lease(t, s, all)
	if ids(got.Jobs) != "next" || got.Jobs[0].Function != "g" || got.Jobs[0].Depth != 1 {
		t.Fatalf("leased %+v", got.Jobs)
	}

	noErr(t, s.Bury(got.Jobs[0], "it was no use"))
	noErr(t, s.Bury(got.Jobs[0], "twice"))
	letters, more, err := s.DeadLetters(0, 10)
	noErr(t, err)
	if len(letters) != 1 || more || letters[0].Reason != "it was no use" || letters[0].Job.ID != "next" || !letters[0].Buried.Equal(now) {
		t.Fatalf("dead letters %+v", letters)
	}
	letter, err := s.GetDeadLetter(letters[0].Sequence)
	noErr(t, err)
	if string(letter.Job.Payload) != "event next" {
		t.Errorf("dead letter %+v", letter)
	}
	noErr(t, s.DeleteDeadLetter(letter.Sequence))
	wantErr(t, "DeleteDeadLetter", s.DeleteDeadLetter(letter.Sequence), ErrNotFound)
	_, err = s.GetDeadLetter(letter.Sequence)
	wantErr(t, "GetDeadLetter", err, ErrNotFound)
	stats, err := s.QueueStats()
	noErr(t, err)
	if stats != (QueueStats{}) {
		t.Errorf("in the end there is %+v", stats)
	}
}

// The jobs and configurations of a function go with it, the dead letters stay,
// and a job that runs at that moment ends without a trace.
func TestFunctionTakesItsJobs(t *testing.T) {
	s, now := queueStore(t, "f", "f-", "g")
	put(t, s, testJob("f", "waits"))
	put(t, s, testJob("f-", "other"))
	running, err := s.Enqueue(testJob("f", "runs"), DefaultQueueLimits(), true)
	noErr(t, err)
	others, err := s.Enqueue(testJob("g", "runs too"), DefaultQueueLimits(), true)
	noErr(t, err)
	dead, err := s.Enqueue(testJob("f", "dead"), DefaultQueueLimits(), true)
	noErr(t, err)
	noErr(t, s.Bury(dead, "a reason"))
	_, err = s.PutAsyncConfig(AsyncConfig{Function: "f", OnFailure: "arn:aws:lambda:local:000000000000:function:g"})
	noErr(t, err)

	_, err = s.DeleteFunction("f")
	noErr(t, err)
	_, err = s.GetAsyncConfig("f", "")
	wantErr(t, "GetAsyncConfig", err, ErrNotFound)
	noErr(t, s.Retry(running, now))
	noErr(t, s.Forward(running, testJob("g", "of a deleted one"), true))
	noErr(t, s.Bury(running, "a reason"))
	noErr(t, s.Ack(others))
	got := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9})
	if ids(got.Jobs) != "other" {
		t.Errorf("left is %q", ids(got.Jobs))
	}
	stats, err := s.QueueStats()
	noErr(t, err)
	if stats.Jobs != 1 || stats.Running != 1 || stats.DeadLetters != 1 {
		t.Errorf("got %+v", stats)
	}
}

// A job that was queued while the clock was years ahead does not wait for years.
func TestJobOfAWrongClock(t *testing.T) {
	s, now := queueStore(t, "f", "g")
	for i, due := range []time.Duration{time.Second, 24 * time.Hour, farthestDue - time.Nanosecond, farthestDue, 10 * 365 * 24 * time.Hour} {
		job := testJob("f", fmt.Sprint(i))
		job.Due = now.Add(due)
		put(t, s, job)
	}
	put(t, s, testJob("g", "now"))
	got := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9})
	if ids(got.Jobs) != "3 now 4" || !got.Next.Equal(now.Add(time.Second)) {
		t.Errorf("leased %q, next %s", ids(got.Jobs), got.Next)
	}
	if got := lease(t, s, LeaseRequest{Now: now.Add(500 * time.Microsecond), Limit: 9, PerFunction: 9}); len(got.Jobs) != 0 {
		t.Errorf("leased %q", ids(got.Jobs))
	}
}

// A record that cannot be read costs itself and not the queue, nor the start of
// the queue, nor the function's removal.
func TestDamagedJobIsSetAside(t *testing.T) {
	for name, damage := range map[string]func(q *queueBuckets, waits, runs Job) error{
		"waiting": func(q *queueBuckets, waits, _ Job) error { return q.due.Put(dueKeyOf(waits), []byte("{")) },
		"running": func(q *queueBuckets, _, runs Job) error { return q.running.Put(sequenceKey(runs.sequence), nil) },
		"key of a waiting one": func(q *queueBuckets, waits, _ Job) error {
			key := dueKeyOf(waits)
			return errors.Join(q.due.Delete(key), q.due.Put(append([]byte("f"), key[len(key)-16:]...), []byte("{}")))
		},
		"key of a waiting one among good ones": func(q *queueBuckets, waits, _ Job) error {
			key := dueKeyOf(waits)
			return errors.Join(q.due.Delete(key), q.due.Put(append([]byte("f\x00\x00"), key[len(key)-8:]...), []byte("{}")))
		},
		"key of a running one": func(q *queueBuckets, _, runs Job) error {
			key := sequenceKey(runs.sequence)
			return errors.Join(q.running.Delete(key), q.running.Put(append([]byte{1}, key...), []byte("{}")))
		},
	} {
		for _, then := range []string{"run", "removed"} {
			t.Run(name+" "+then, func(t *testing.T) {
				s, now := queueStore(t, "f", "g")
				waits := put(t, s, testJob("f", "waits"))
				put(t, s, testJob("g", "waits too"))
				runs, err := s.Enqueue(testJob("f", "runs"), DefaultQueueLimits(), true)
				noErr(t, err)
				_, err = s.Enqueue(testJob("g", "runs too"), DefaultQueueLimits(), true)
				noErr(t, err)
				noErr(t, s.update(0, func(c *change) error {
					c.wrote = true
					return damage(queueOf(c.tx), waits, runs)
				}))
				_, err = s.QueueStats()
				noErr(t, err)
				want := 3
				if then == "removed" {
					_, err := s.DeleteFunction("f")
					noErr(t, err)
					want = 2
				}
				_, err = s.ReleaseLeases()
				noErr(t, err)
				if got := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9}); len(got.Jobs) != want {
					t.Errorf("leased %q", ids(got.Jobs))
				}
				noErr(t, s.view(func(tx *bolt.Tx) error {
					n := tx.Bucket([]byte(bucketDamaged)).Inspect().KeyN
					if gone := then == "removed" && name == "waiting"; n != 1 && !gone {
						t.Errorf("%d records were set aside", n)
					}
					return nil
				}))
			})
		}
	}
}
