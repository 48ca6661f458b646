package persist

import (
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The ways in which a lease ends. A job whose function was deleted while it ran went
// with it, and one whose lease was lost is another's, or done: then they do nothing and
// return nil. A lease is told from a later one of the same job by its Attempts. Each of
// them tells the schedule that caused the job, in its transaction.

// Ack removes a leased job that is done.
func (s *Store) Ack(job Job) error {
	return s.settle(job, "acknowledge", func(c *change, q *queueBuckets, _ Job) error {
		return c.removeRunning(q, job, RunOK, s.now())
	}, nil)
}

// Forward removes a leased job and queues next, which came of it, in one
// transaction; succeeded says whether job did. next takes the place of job, so the
// queue is never too full for it. ErrNotFound says that next is for a function that
// does not exist, a *SizeError that it is too large; job is leased then still.
func (s *Store) Forward(job, next Job, succeeded bool) error {
	if err := s.checkJob(&next); err != nil {
		return fmt.Errorf("forward job %s: %w", job.ID, err)
	}
	outcome := RunFailed
	if succeeded {
		outcome = RunOK
	}
	return s.settle(job, "forward", func(c *change, _ *queueBuckets, _ Job) error {
		queued := next
		if err := c.enqueue(&queued, nil, false); err != nil {
			return err
		}
		return c.removeRunning(queueOf(c.tx), job, outcome, s.now()) // with the totals that enqueue left
	}, nil)
}

// Retry makes a leased job due again, with what job says of its failures.
func (s *Store) Retry(job Job, due time.Time) error {
	job.Due = milli(due)
	job.LastError = clipText(job.LastError, maxErrorText)
	return s.settle(job, "put back", func(c *change, q *queueBuckets, _ Job) error {
		if err := c.scheduleRan(job, RunRetried, s.now()); err != nil {
			return err
		}
		return c.putBack(q, job)
	}, nil)
}

// settle runs fn with the queue where job is leased, and its record. done, where it is
// not nil, tells whether it was.
func (s *Store) settle(job Job, what string, fn func(*change, *queueBuckets, Job) error, done *bool) error {
	held := false
	err := s.update(jobOverhead, func(c *change) error {
		held = false
		q := queueOf(c.tx)
		key := sequenceKey(job.sequence)
		if q.running == nil || q.running.Get(key) == nil {
			return nil
		}
		record, err := decodeJob(queueRunning, key, q.running.Get(key))
		if err != nil {
			record = job // it was damaged since, and goes now
		}
		if record.Attempts != job.lease && err == nil {
			return nil
		}
		record.lease = job.lease
		held = true
		return fn(c, q, record)
	})
	if err != nil {
		return fmt.Errorf("%s job %s: %w", what, job.ID, err)
	}
	if done != nil {
		*done = held
	}
	return nil
}

// removeRunning forgets a leased job, tells its schedule, and has the next one of its
// order go.
func (c *change) removeRunning(q *queueBuckets, job Job, outcome string, now time.Time) error {
	c.wrote = true
	if err := q.running.Delete(sequenceKey(job.sequence)); err != nil {
		return fmt.Errorf("delete from %s: %w", queueRunning, err)
	}
	if err := c.scheduleRan(job, outcome, now); err != nil {
		return err
	}
	if err := q.forget(job.sequence); err != nil {
		return err
	}
	return c.letNextGo(q, job)
}

// forget removes the payload of a job and takes it off the totals, where there is such
// a job.
func (q *queueBuckets) forget(sequence uint64) error {
	key := sequenceKey(sequence)
	payload := q.payloads.Get(key)
	if payload == nil {
		return nil
	}
	q.remove(payload)
	if err := q.payloads.Delete(key); err != nil {
		return fmt.Errorf("delete from %s: %w", queuePayloads, err)
	}
	return q.save()
}

// dropJobs removes the jobs of a function, waiting or running, and what is remembered of
// them. Dead letters stay: they are kept to be looked at.
func (c *change) dropJobs(function string) error {
	q := queueOf(c.tx)
	if q.due == nil {
		return nil
	}
	c.wrote = true
	if err := q.create(); err != nil { // those that a release before had not
		return err
	}
	prefix := memberPrefix(function)
	for _, b := range []struct {
		name string
		at   *bolt.Bucket
	}{{queueDue, q.due}, {queueHeld, q.held}, {queueHeads, q.heads}} {
		for _, key := range keysWith(b.at, prefix) {
			if b.name == queueDue {
				if _, err := splitDueKey(key); err != nil {
					continue // Lease sets it aside
				}
			}
			if err := b.at.Delete(key); err != nil {
				return fmt.Errorf("delete from %s: %w", b.name, err)
			}
			if b.name == queueHeads || len(key) < 8 {
				continue
			}
			if err := q.forget(numberIn(key)); err != nil {
				return err
			}
		}
	}
	if err := q.dropIDs(function); err != nil {
		return err
	}
	leased, _ := q.leased() // ReleaseLeases sets the damaged ones aside
	for _, job := range leased {
		if job.Function != function {
			continue
		}
		if err := q.running.Delete(sequenceKey(job.sequence)); err != nil {
			return fmt.Errorf("delete from %s: %w", queueRunning, err)
		}
		if err := q.forget(job.sequence); err != nil {
			return err
		}
	}
	return nil
}
