package persist

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A queue that drops the oldest when it is full removes jobs that wait, those of the
// lowest priority first and of these those that were due first, and none of a higher
// priority than the event that wants the room. What runs stays. A job that is dropped
// becomes a dead letter as long as no other has to make room for it, and is counted.
// Jobs that are held behind another of their OrderKey are dropped only where no others
// wait.

// maxVictims bounds how many jobs make room for one, maxHeldSeen how many of those that
// are held are looked at for that. Where so many are not enough, because the limits were
// lowered since the jobs came, the event is taken all the same as long as it leaves the
// queue smaller than it was.
const (
	maxVictims  = 64
	maxHeldSeen = 1000
)

// makeRoom returns the keys of the jobs that are to make room for a job: none where the
// queue has room. It changes nothing.
func (q *queueBuckets) makeRoom(job Job, limits QueueLimits) (victims [][]byte, err error) {
	if q.idsFull(job) {
		return nil, fmt.Errorf("%w: it remembers %d deduplication ids", ErrQueueFull, q.ids.Sequence())
	}
	jobs, size := uint64(max(limits.Jobs, 0)), uint64(max(limits.Bytes, 0))
	needed := uint64(len(job.Payload))
	jobsLeft, bytesLeft := q.Jobs, q.Bytes
	full := func() error {
		if jobsLeft >= jobs {
			return fmt.Errorf("%w: it holds %d events", ErrQueueFull, q.Jobs)
		}
		if bytesLeft+needed > size {
			return fmt.Errorf("%w: it holds %d bytes of %d", ErrQueueFull, q.Bytes, limits.Bytes)
		}
		return nil
	}
	err = full()
	if err == nil || limits.WhenFull != QueueDropOldest || jobs == 0 || needed > size || q.due == nil {
		return nil, err
	}
	next := q.oldestFirst(job.Priority)
	for err != nil && len(victims) < maxVictims {
		key, sequence := next()
		if key == nil {
			return nil, err
		}
		victims = append(victims, key)
		jobsLeft -= min(jobsLeft, 1)
		bytesLeft -= min(bytesLeft, uint64(len(q.payloads.Get(sequenceKey(sequence)))))
		err = full()
	}
	if err != nil && bytesLeft+needed > q.Bytes { // jobs there are fewer
		return nil, err
	}
	return victims, nil
}

// oldestFirst returns a function that gives the keys of jobs that wait, one after the
// other in the order in which they are dropped, and nil after the last. highest is the
// highest priority among them.
func (q *queueBuckets) oldestFirst(highest int) (next func() (key []byte, sequence uint64)) {
	names, _ := q.functions()
	band := bandOf(0)
	at := make([]*bandCursor, 0, len(names))
	open := func() {
		at = at[:0]
		for _, name := range names {
			if c := q.band(name, band); c.key != nil {
				at = append(at, c)
			}
		}
	}
	open()
	held := q.held.Cursor()
	k, v := held.First()
	seen := 0
	return func() ([]byte, uint64) {
		for {
			var oldest *bandCursor
			for _, c := range at {
				if c.key != nil && (oldest == nil || c.due.Before(oldest.due) || c.due.Equal(oldest.due) && c.sequence < oldest.sequence) {
					oldest = c
				}
			}
			if oldest != nil {
				key, sequence := oldest.key, oldest.sequence
				oldest.next()
				return key, sequence
			}
			if band == bandOf(highest) {
				break
			}
			band--
			open()
		}
		for ; k != nil && seen < maxHeldSeen; seen++ {
			key := bytes.Clone(k)
			job, err := decodeJob(queueHeld, k, v)
			k, v = held.Next()
			if err == nil && job.Priority <= highest {
				return key, job.sequence
			}
		}
		return nil, 0
	}
}

// bandCursor walks the jobs of a function that have one priority. key is nil at the end.
type bandCursor struct {
	cursor   *bolt.Cursor
	prefix   []byte
	key      []byte
	due      time.Time
	sequence uint64
}

func (q *queueBuckets) band(function string, band byte) *bandCursor {
	c := &bandCursor{cursor: q.due.Cursor(), prefix: append(memberPrefix(function), band)}
	k, _ := c.cursor.Seek(c.prefix)
	c.set(k)
	return c
}

func (c *bandCursor) next() {
	k, _ := c.cursor.Next()
	c.set(k)
}

func (c *bandCursor) set(k []byte) {
	for ; k != nil && bytes.HasPrefix(k, c.prefix); k, _ = c.cursor.Next() {
		key, err := splitDueKey(k)
		if err == nil {
			c.key, c.due, c.sequence = bytes.Clone(k), key.due, key.sequence
			return
		}
	}
	c.key = nil
}

// errDropped is why a job that made room was given up.
var errDropped = errors.New("the queue was full, and later events needed the room")

// dropVictims removes the jobs that makeRoom chose.
func (c *change) dropVictims(q *queueBuckets, keys [][]byte, now time.Time) error {
	for _, key := range keys {
		from := q.due
		if from.Get(key) == nil {
			from = q.held
		}
		if from.Get(key) == nil { // it was behind one that was dropped, and was let go
			continue
		}
		job, err := decodeJob(queueDue, key, from.Get(key))
		if err != nil {
			if err := c.setAsideJobs(q, from, [][]byte{key}); err != nil {
				return err
			}
			continue
		}
		job.Payload = copyPayload(q.payloads, job.sequence)
		if err := c.discard(q, from, key, job, errDropped.Error(), now); err != nil {
			return err
		}
		q.Dropped++
		letter := DeadLetter{Reason: errDropped.Error(), Buried: milli(now), Job: job}
		if dead := lettersOf(c.tx); dead.hasRoom(job.Payload) {
			if err := c.bury(letter, job.Payload); err != nil {
				return err
			}
		}
	}
	return nil
}

// discard removes a job that waits, and has the next one of its key go.
func (c *change) discard(q *queueBuckets, from *bolt.Bucket, key []byte, job Job, why string, now time.Time) error {
	c.wrote = true
	if err := from.Delete(key); err != nil {
		return fmt.Errorf("delete job: %w", err)
	}
	job.LastError = why
	if err := c.scheduleRan(job, RunFailed, now); err != nil {
		return err
	}
	if err := q.forget(job.sequence); err != nil {
		return err
	}
	return c.letNextGo(q, job)
}
