package persist

import (
	"bytes"
	"encoding/binary"
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
				if b == nil {
					continue
				}
				b.ForEach(func(_, _ []byte) error { n++; return nil })
			}
			if told != counted || n != int(counted.Jobs) {
				t.Errorf("%s: the totals are %+v, counted %+v and %d records", what, told, counted, n)
			}
		}
		q, dead := queueOf(tx), lettersOf(tx)
		check("queue", q.totals, q.payloads, q.due, q.held, q.running)
		checkOrder(t, q)
		checkIDs(t, q)
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

// checkOrder looks whether each key with jobs has one head, which is before all others,
// and whether nobody is held without one.
func checkOrder(t testing.TB, q *queueBuckets) {
	t.Helper()
	if q.heads == nil {
		return
	}
	heads := map[string]uint64{}
	q.heads.ForEach(func(k, v []byte) error { heads[string(k)] = binary.BigEndian.Uint64(v); return nil })
	seen := map[string]bool{}
	q.held.ForEach(func(k, v []byte) error {
		job, err := decodeJob(queueHeld, k, v)
		if err != nil {
			t.Error(err)
			return nil
		}
		if head, ok := heads[string(headKey(job))]; !ok || head >= job.sequence {
			t.Errorf("%s is held behind %d, which is there %t", job.ID, head, ok)
		}
		return nil
	})
	note := func(k, v []byte) error {
		job, err := decodeJob(queueDue, k, v)
		if err != nil || job.OrderKey == "" {
			return err
		}
		if key := string(headKey(job)); heads[key] != job.sequence || seen[key] {
			t.Errorf("%s may run, but the head of its key is %d", job.ID, heads[key])
		} else {
			seen[key] = true
		}
		return nil
	}
	for _, b := range []*bolt.Bucket{q.due, q.running} {
		if err := b.ForEach(note); err != nil {
			t.Error(err)
		}
	}
	if len(seen) != len(heads) {
		t.Errorf("there are %d heads for %d keys with jobs", len(heads), len(seen))
	}
}

// checkIDs looks whether the two buckets of deduplication ids fit together.
func checkIDs(t testing.TB, q *queueBuckets) {
	t.Helper()
	if q.ids == nil {
		return
	}
	n := 0
	q.ids.ForEach(func(k, v []byte) error {
		n++
		if q.idTimes.Get(append(bytes.Clone(v[:8]), k...)) == nil {
			t.Errorf("the id %q is never forgotten", k)
		}
		return nil
	})
	if times := countKeys(q.idTimes); times != n || q.ids.Sequence() != uint64(n) {
		t.Errorf("%d ids, %d times of them, counted %d", n, times, q.ids.Sequence())
	}
}
