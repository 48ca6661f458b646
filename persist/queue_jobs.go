package persist

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// States of a QueuedJob.
const (
	JobRunning = "running"
	JobWaiting = "waiting" // for its time, or for its turn
	JobHeld    = "held"    // behind another of its OrderKey
)

// QueuedJob is a job as people see it: without its payload, unless GetJob returned it.
type QueuedJob struct {
	Number uint64
	State  string
	Size   int // bytes of its payload
	Job    Job
}

// JobQuery selects jobs.
type JobQuery struct {
	Function string // empty for all
	After    string // the cursor that the page before returned; empty for the first
	Limit    int    // at least 1
}

// jobStates are the states in the order in which Jobs lists them, with the letter that
// a cursor begins with.
var jobStates = [...]struct {
	state  string
	cursor byte
	bucket func(*queueBuckets) *bolt.Bucket
}{
	{JobRunning, 'r', func(q *queueBuckets) *bolt.Bucket { return q.running }},
	{JobWaiting, 'w', func(q *queueBuckets) *bolt.Bucket { return q.due }},
	{JobHeld, 'h', func(q *queueBuckets) *bolt.Bucket { return q.held }},
}

// Jobs lists jobs: those that run, then those that wait by function in the order in
// which they are going to run, then those that are held. next is the cursor of the page
// that follows, any bytes; it is empty after the last. Jobs that move from one state to
// the other while somebody reads page after page may be listed twice or not at all.
// Records that are damaged are left out. ErrInvalid says that After is no cursor.
func (s *Store) Jobs(query JobQuery) (jobs []QueuedJob, next string, err error) {
	first := 0
	var after []byte
	if query.After != "" {
		for first < len(jobStates) && jobStates[first].cursor != query.After[0] {
			first++
		}
		if first == len(jobStates) {
			return nil, "", invalid("the cursor is none of this list")
		}
		after = []byte(query.After[1:])
	}
	err = s.view(func(tx *bolt.Tx) error {
		q := queueOf(tx)
		for _, of := range jobStates[first:] {
			b := of.bucket(q)
			if b == nil {
				continue
			}
			prefix := []byte{}
			if query.Function != "" && of.state != JobRunning {
				prefix = memberPrefix(query.Function)
			}
			c := b.Cursor()
			k, v := c.Seek(prefix)
			if bytes.Compare(after, prefix) > 0 {
				if k, v = c.Seek(after); bytes.Equal(k, after) {
					k, v = c.Next()
				}
			}
			after = nil
			for ; k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
				job, err := decodeJob(of.state, k, v)
				if err != nil || query.Function != "" && job.Function != query.Function {
					continue
				}
				if len(jobs) >= query.Limit {
					return nil
				}
				jobs = append(jobs, QueuedJob{Number: job.sequence, State: of.state, Size: len(q.payloads.Get(sequenceKey(job.sequence))), Job: job})
				next = string(of.cursor) + string(k)
			}
		}
		next = ""
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("list jobs: %w", err)
	}
	return jobs, next, nil
}

// find looks for a job by its number and returns where it is; from is nil where it is
// not. Numbers are not in the order of keys: it looks at all keys of jobs that wait.
func (q *queueBuckets) find(number uint64) (state string, from *bolt.Bucket, key []byte) {
	if q.payloads == nil || q.payloads.Get(sequenceKey(number)) == nil {
		return "", nil, nil
	}
	if key := sequenceKey(number); q.running.Get(key) != nil {
		return JobRunning, q.running, key
	}
	for _, of := range jobStates[1:] {
		b := of.bucket(q)
		if b == nil {
			continue
		}
		c := b.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if len(k) >= 8 && numberIn(k) == number {
				return of.state, b, bytes.Clone(k)
			}
		}
	}
	return "", nil, nil
}

// GetJob returns a job with its payload, or ErrNotFound. It takes longer the more jobs
// there are.
func (s *Store) GetJob(number uint64) (QueuedJob, error) {
	var found QueuedJob
	err := s.view(func(tx *bolt.Tx) error {
		q := queueOf(tx)
		state, from, key := q.find(number)
		if from == nil {
			return ErrNotFound
		}
		job, err := decodeJob(state, key, from.Get(key))
		if err != nil {
			return err
		}
		job.Payload = copyPayload(q.payloads, number)
		found = QueuedJob{Number: number, State: state, Size: len(job.Payload), Job: job}
		return nil
	})
	if err != nil {
		return QueuedJob{}, fmt.Errorf("job %d: %w", number, err)
	}
	return found, nil
}

const whyRemoved = "it was removed from the queue"

// DeleteJob removes a job that waits or is held. ErrNotFound says that there is none of
// that number, ErrConflict that it runs. It takes longer the more jobs there are.
func (s *Store) DeleteJob(number uint64) error {
	var found []byte
	err := s.view(func(tx *bolt.Tx) error { // writers need not wait for the search
		_, _, found = queueOf(tx).find(number)
		return nil
	})
	if err == nil {
		err = s.makeRoom(func(c *change) error {
			q := queueOf(c.tx)
			var from *bolt.Bucket
			switch key := found; {
			case key == nil || q.payloads == nil || q.payloads.Get(sequenceKey(number)) == nil:
				return ErrNotFound
			case q.running.Get(sequenceKey(number)) != nil:
				return fmt.Errorf("%w: it runs", ErrConflict)
			case q.due.Get(key) != nil:
				from = q.due
			case q.held != nil && q.held.Get(key) != nil:
				from = q.held
			default:
				return fmt.Errorf("%w: it has just been moved", ErrConflict)
			}
			job, err := decodeJob(JobWaiting, found, from.Get(found))
			if err != nil {
				return err
			}
			return c.discard(q, from, found, job, whyRemoved, s.now())
		})
	}
	if err != nil {
		return fmt.Errorf("job %d: %w", number, err)
	}
	return nil
}

// purgeStep bounds the jobs that one PurgeJobs removes.
const purgeStep = 1000

// PurgeJobs removes jobs of a function, or of all where it is empty, that wait or are
// held; those that run stay. It removes a bounded number, so that others can write in
// between; more says that there are others, and that it is to be called again.
func (s *Store) PurgeJobs(function string) (removed int, more bool, err error) {
	var prefix []byte
	if function != "" {
		prefix = memberPrefix(function)
	}
	err = s.makeRoom(func(c *change) error {
		removed, more = 0, false
		q := queueOf(c.tx)
		// Those that are held go first: they need not be let go then.
		for _, b := range []*bolt.Bucket{q.held, q.due} {
			if b == nil {
				continue
			}
			var keys [][]byte
			cursor := b.Cursor()
			for k, _ := cursor.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = cursor.Next() {
				if removed+len(keys) == purgeStep {
					more = true
					break
				}
				keys = append(keys, bytes.Clone(k))
			}
			for _, key := range keys {
				job, err := decodeJob(JobWaiting, key, b.Get(key))
				if err == nil {
					err = c.discard(q, b, key, job, whyRemoved, s.now())
				} else {
					err = c.setAsideJobs(q, b, [][]byte{key})
				}
				if err != nil {
					return err
				}
			}
			removed += len(keys)
			if more {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return 0, false, fmt.Errorf("purge the queue: %w", err)
	}
	return removed, more, nil
}

// dropAtOnce is about how many jobs the transaction that deletes their function may
// remove: some megabytes of memory, and a second of a slow card during which nobody else
// writes.
const dropAtOnce = 10_000

// thinJobs removes jobs of a function that is about to be deleted, in steps, until few
// enough are left for one transaction. It does nothing where there are few, and stops
// after as many steps as the jobs take that there are now, however many come meanwhile.
func (s *Store) thinJobs(function string) error {
	prefix := memberPrefix(function)
	var few bool
	var steps uint64
	err := s.view(func(tx *bolt.Tx) error {
		q := queueOf(tx)
		few = countWith(q.due, prefix, dropAtOnce)+countWith(q.held, prefix, dropAtOnce) < dropAtOnce
		steps = q.Jobs/purgeStep + 1
		return nil
	})
	for more := !few; more && err == nil && steps > 0; steps-- {
		_, more, err = s.PurgeJobs(function)
	}
	return err
}
