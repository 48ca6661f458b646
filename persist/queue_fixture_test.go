package persist

import (
	"errors"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// queueStore opens a store with functions and a clock that stands still.
func queueStore(t testing.TB, functions ...string) (s *Store, now time.Time) {
	t.Helper()
	now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s = openStore(t, t.TempDir(), Options{now: func() time.Time { return now }})
	for _, name := range functions {
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
	}
	t.Cleanup(func() { checkQueue(t, s) })
	return s, now
}

// checkQueue counts what the totals say, and looks for payloads without a job.
func checkQueue(t testing.TB, s *Store) {
	t.Helper()
	err := s.view(func(tx *bolt.Tx) error {
		check := func(what string, told totals, payloads *bolt.Bucket, records ...*bolt.Bucket) {
			if payloads == nil {
				return
			}
			var counted totals
			payloads.ForEach(func(_, v []byte) error { counted.add(v); return nil })
			told.Dropped = 0
			n := 0
			for _, b := range records {
				b.ForEach(func(_, _ []byte) error { n++; return nil })
			}
			if told != counted || n != int(counted.Jobs) {
				t.Errorf("%s: the totals are %+v, counted %+v and %d records", what, told, counted, n)
			}
		}
		q, dead := queueOf(tx), lettersOf(tx)
		check("queue", q.totals, q.payloads, q.due, q.running)
		check("dead letters", dead.totals, dead.payloads, dead.letters)
		return nil
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func testJob(function, id string) Job {
	return Job{ID: id, Function: function, Payload: []byte("event " + id)}
}

func put(t testing.TB, s *Store, job Job) Job {
	t.Helper()
	job, err := s.Enqueue(job, DefaultQueueLimits(), false)
	noErr(t, err)
	return job
}

func lease(t testing.TB, s *Store, req LeaseRequest) Leased {
	t.Helper()
	leased, err := s.Lease(req)
	noErr(t, err)
	return leased
}

func ids(jobs []Job) string {
	var names []string
	for _, job := range jobs {
		names = append(names, job.ID)
	}
	return strings.Join(names, " ")
}
