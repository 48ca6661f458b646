package persist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func TestJobs(t *testing.T) {
	s, now := queueStore(t, "f", "g")
	runs, err := s.Enqueue(testJob("f", "runs"), DefaultQueueLimits(), true)
	noErr(t, err)
	ordered(t, s, "f", "a1", "a2", "a3")
	put(t, s, testJob("g", "waits"))
	for _, test := range []struct{ function, want string }{
		{"", "running:runs waiting:a1 waiting:waits held:a2 held:a3"},
		{"f", "running:runs waiting:a1 held:a2 held:a3"},
		{"g", "waiting:waits"},
		{"nobody", ""},
	} {
		for limit := 1; limit < 7; limit++ {
			var got []string
			after := ""
			for range 10 {
				jobs, next, err := s.Jobs(JobQuery{Function: test.function, After: after, Limit: limit})
				noErr(t, err)
				if len(jobs) > limit {
					t.Errorf("a page of %d has %d", limit, len(jobs))
				}
				for _, j := range jobs {
					got = append(got, j.State+":"+j.Job.ID)
					one, err := s.GetJob(j.Number)
					noErr(t, err)
					if one.State != j.State || string(one.Job.Payload) != "event "+j.Job.ID || one.Size != j.Size || j.Size != len(one.Job.Payload) {
						t.Errorf("job %d is %+v", j.Number, one)
					}
				}
				if after = next; next == "" {
					break
				}
			}
			if list := strings.Join(got, " "); list != test.want {
				t.Errorf("of %q by %d: got %q, want %q", test.function, limit, list, test.want)
			}
		}
	}
	_, _, err = s.Jobs(JobQuery{After: "x", Limit: 1})
	wantErr(t, "Jobs", err, ErrInvalid)
	_, _, err = s.Jobs(JobQuery{After: "w\xff", Limit: 9})
	noErr(t, err)

	queues, err := s.FunctionQueues()
	noErr(t, err)
	if want := []FunctionQueue{
		{Function: "f", Waiting: 3, Held: 2, Running: 1, Oldest: now}, {Function: "g", Waiting: 1, Oldest: now},
	}; fmt.Sprint(queues) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", queues, want)
	}

	_, err = s.GetJob(99)
	wantErr(t, "GetJob", err, ErrNotFound)
	wantErr(t, "DeleteJob", s.DeleteJob(99), ErrNotFound)
	wantErr(t, "DeleteJob", s.DeleteJob(runs.Number()), ErrConflict)
	noErr(t, s.DeleteJob(runs.Number()+1)) // a1: a2 may go
	noErr(t, s.DeleteJob(runs.Number()+3)) // a3, which is held
	if got := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9}); ids(got.Jobs) != "a2 waits" {
		t.Errorf("leased %q", ids(got.Jobs))
	}
}

func TestPurge(t *testing.T) {
	s, now := queueStore(t, "f", "f-", "g")
	runs, err := s.Enqueue(testJob("f", "runs"), DefaultQueueLimits(), true)
	noErr(t, err)
	ordered(t, s, "f", "a1", "a2", "a3")
	put(t, s, testJob("f-", "other"))
	var many []Job
	for i := range 2 * purgeStep {
		many = append(many, testJob("g", fmt.Sprint(i)))
	}
	for ; len(many) > 0; many = many[MaxJobBatch:] {
		_, errs := s.EnqueueAll(many[:MaxJobBatch], DefaultQueueLimits())
		noErr(t, errors.Join(errs...))
	}
	for _, test := range []struct {
		function string
		removed  int
		more     bool
	}{{"f", 3, false}, {"f", 0, false}, {"g", purgeStep, true}, {"g", purgeStep, false}, {"", 1, false}, {"nobody", 0, false}} {
		removed, more, err := s.PurgeJobs(test.function)
		noErr(t, err)
		if removed != test.removed || more != test.more {
			t.Errorf("purged %d of %q, more %t; want %d, %t", removed, test.function, more, test.removed, test.more)
		}
		checkQueue(t, s)
	}
	noErr(t, s.Retry(runs, now))
	if got := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9}); ids(got.Jobs) != "runs" {
		t.Errorf("left is %q", ids(got.Jobs))
	}
}

// A function with a long queue is deleted in steps: no transaction is huge, and one that
// fails leaves the books in order.
func TestDeleteFunctionWithManyJobs(t *testing.T) {
	commits, failAt := 0, -1
	s := openStore(t, t.TempDir(), Options{faults: &faults{before: func(at step) error {
		if at == stepCommit {
			if commits++; commits == failAt {
				return errors.New("disk error")
			}
		}
		return nil
	}}})
	for _, name := range []string{"f", "other"} {
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
	}
	put(t, s, testJob("other", "stays"))
	const many = dropAtOnce + 2*purgeStep
	for i := 0; i < many; i += MaxJobBatch {
		jobs := make([]Job, MaxJobBatch)
		for k := range jobs {
			jobs[k] = testJob("f", fmt.Sprint(i+k))
			if k%2 == 0 {
				jobs[k].OrderKey = fmt.Sprint(k)
			}
		}
		_, errs := s.EnqueueAll(jobs, DefaultQueueLimits())
		noErr(t, errors.Join(errs...))
	}
	commits, failAt = 0, 3
	if _, err := s.DeleteFunction("f"); err == nil {
		t.Fatal("the error of the disk is lost")
	}
	checkQueue(t, s)
	stats, err := s.QueueStats()
	noErr(t, err)
	if stats.Jobs != many-2*purgeStep+1 {
		t.Errorf("after two steps there are %d jobs", stats.Jobs)
	}
	_, err = s.GetFunction("f", "")
	noErr(t, err)
	commits, failAt = 0, -1
	_, err = s.DeleteFunction("f")
	noErr(t, err)
	stats, err = s.QueueStats()
	noErr(t, err)
	if stats.Jobs != 1 || commits < 2 {
		t.Errorf("%d jobs are left after %d commits", stats.Jobs, commits)
	}
	checkQueue(t, s)
}

func TestRetryDeadLetter(t *testing.T) {
	s, now := queueStore(t, "f", "g")
	retries := 1
	job := Job{ID: "id", Function: "f", Source: "cron", OrderKey: "key", DedupID: "once", Priority: 8, Depth: 3,
		MaxRetries: &retries, Enqueued: now.Add(-time.Hour), Payload: []byte("event")}
	job, err := s.Enqueue(job, DefaultQueueLimits(), true)
	noErr(t, err)
	job.Failures, job.LastError = 2, "it failed"
	noErr(t, s.Bury(job, "no use"))
	gone, err := s.Enqueue(testJob("g", "gone"), DefaultQueueLimits(), true)
	noErr(t, err)
	noErr(t, s.Bury(gone, "no use"))

	_, err = s.RetryDeadLetter(1, QueueLimits{Jobs: 0, Bytes: 100, WhenFull: QueueDropOldest})
	wantErr(t, "RetryDeadLetter", err, ErrQueueFull)
	queued, err := s.RetryDeadLetter(1, DefaultQueueLimits())
	noErr(t, err)
	if queued.ID != "id" || queued.Number() == 0 {
		t.Errorf("queued %+v", queued)
	}
	_, err = s.RetryDeadLetter(1, DefaultQueueLimits())
	wantErr(t, "RetryDeadLetter", err, ErrNotFound)
	_, err = s.DeleteFunction("g")
	noErr(t, err)
	_, err = s.RetryDeadLetter(2, DefaultQueueLimits())
	wantErr(t, "RetryDeadLetter", err, ErrNotFound)

	got := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9}).Jobs
	if len(got) != 1 || string(got[0].Payload) != "event" || got[0].Attempts != 1 || got[0].Failures != 0 || got[0].LastError != "" ||
		!got[0].Enqueued.Equal(now) || got[0].OrderKey != "key" || got[0].Priority != 8 || got[0].Depth != 3 || got[0].DedupID != "" {
		t.Errorf("leased %+v", got)
	}
	for _, test := range []struct {
		function string
		want     int
	}{{"f", 0}, {"", 1}, {"", 0}} {
		removed, err := s.PurgeDeadLetters(test.function)
		noErr(t, err)
		if removed != test.want {
			t.Errorf("purged %d letters of %q", removed, test.function)
		}
	}
}

// Some of a batch may be refused; the store's failure is everyone's.
func TestEnqueueAll(t *testing.T) {
	s, _ := queueStore(t, "f")
	twice := testJob("f", "twice")
	twice.DedupID = "once"
	again := twice
	again.ID = "again"
	jobs := []Job{testJob("f", "1"), testJob("nobody", "2"), {Function: "f"}, twice, again,
		{ID: "large", Function: "f", Payload: make([]byte, MaxJobPayload+1)}, testJob("f", "3"), testJob("f", "4")}
	stored, errs := s.EnqueueAll(jobs, QueueLimits{Jobs: 3, Bytes: 1 << 20})
	var size *SizeError
	for i, want := range []error{nil, ErrNotFound, ErrInvalid, nil, nil, nil, nil, ErrQueueFull} {
		if i == 5 {
			if !errors.As(errs[5], &size) {
				t.Errorf("job 5: %v", errs[5])
			}
			continue
		}
		if !errors.Is(errs[i], want) || (want == nil) != (errs[i] == nil) {
			t.Errorf("job %d: got %v, want %v", i, errs[i], want)
		}
	}
	if !stored[4].Duplicate || stored[4].ID != "twice" || stored[0].Number() == 0 || stored[1].ID != "" {
		t.Errorf("stored %+v", stored)
	}
	_, errs = s.EnqueueAll(make([]Job, MaxJobBatch+1), DefaultQueueLimits())
	wantErr(t, "EnqueueAll", errs[MaxJobBatch], ErrInvalid)
	stored, errs = s.EnqueueAll(nil, DefaultQueueLimits())
	if len(stored)+len(errs) != 0 {
		t.Error("nothing became something")
	}
	closeStore(t, s)
	_, errs = s.EnqueueAll(jobs[:2], DefaultQueueLimits())
	wantErr(t, "EnqueueAll", errs[1], ErrClosed)
}

// A queue of schema 2 is as it was, with the usual priority.
func TestAddPriorities(t *testing.T) {
	s, now := queueStore(t, "a", "aa")
	for i, name := range []string{"a", "aa", "a"} {
		put(t, s, testJob(name, fmt.Sprint(i)))
	}
	noErr(t, s.update(0, func(c *change) error {
		c.wrote = true
		q := queueOf(c.tx)
		before, err := q.root.CreateBucket([]byte(queueDueBefore))
		if err != nil {
			return err
		}
		err = q.due.ForEach(func(k, v []byte) error {
			key, err := splitDueKey(k)
			if err != nil {
				return err
			}
			old := append(memberPrefix(key.function), dueBytes(key.due)...)
			v = []byte(strings.Replace(string(v), `,"priority":0`, "", 1))
			return before.Put(binary.BigEndian.AppendUint64(old, key.sequence), v)
		})
		if err == nil {
			err = before.Put([]byte("nonsense"), []byte("{}"))
		}
		for _, name := range []string{queueDue, queueHeld, queueHeads, queueIDs, queueIDTimes} {
			err = errors.Join(err, q.root.DeleteBucket([]byte(name)))
		}
		return err
	}))
	noErr(t, s.db.Update(addPriorities))
	noErr(t, s.db.Update(addPriorities)) // where there is nothing to do
	got := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9})
	if ids(got.Jobs) != "0 1 2" || got.Jobs[0].Priority != UsualPriority {
		t.Errorf("leased %+v", got.Jobs)
	}
	noErr(t, s.view(func(tx *bolt.Tx) error {
		if tx.Bucket([]byte(bucketDamaged)).Inspect().KeyN != 1 {
			t.Error("the record without a key was not set aside")
		}
		return nil
	}))
}
