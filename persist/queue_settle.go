package persist

import (
	"fmt"
	"time"
)

// The ways in which a lease ends. A job whose function was deleted while it ran
// went with it: then they do nothing and return nil.

// Ack removes a leased job that is done.
func (s *Store) Ack(job Job) error {
	return s.settle(job, "acknowledge", func(c *change, q *queueBuckets) error {
		return c.removeRunning(q, job)
	})
}

// Forward removes a leased job and queues next, which came of it, in one
// transaction. next takes the place of job, so the queue is never too full for
// it. ErrNotFound says that next is for a function that does not exist, a
// *SizeError that it is too large; job is leased then still.
func (s *Store) Forward(job, next Job) error {
	if err := s.checkJob(&next); err != nil {
		return fmt.Errorf("forward job %s: %w", job.ID, err)
	}
	return s.settle(job, "forward", func(c *change, q *queueBuckets) error {
		queued := next
		if err := c.enqueue(&queued, nil, false); err != nil {
			return err
		}
		return c.removeRunning(queueOf(c.tx), job) // with the totals that enqueue left
	})
}

// Retry makes a leased job due again, with what job says of its failures.
func (s *Store) Retry(job Job, due time.Time) error {
	job.Due = milli(due)
	job.LastError = clipText(job.LastError, maxErrorText)
	return s.settle(job, "put back", func(c *change, q *queueBuckets) error {
		return c.putBack(q, job)
	})
}

// settle runs fn with the queue where job is leased.
func (s *Store) settle(job Job, what string, fn func(*change, *queueBuckets) error) error {
	err := s.update(jobOverhead, func(c *change) error {
		q := queueOf(c.tx)
		if q.running == nil || q.running.Get(sequenceKey(job.sequence)) == nil {
			return nil
		}
		return fn(c, q)
	})
	if err != nil {
		return fmt.Errorf("%s job %s: %w", what, job.ID, err)
	}
	return nil
}

// removeRunning forgets a leased job.
func (c *change) removeRunning(q *queueBuckets, job Job) error {
	c.wrote = true
	if err := q.running.Delete(sequenceKey(job.sequence)); err != nil {
		return fmt.Errorf("delete from %s: %w", queueRunning, err)
	}
	return q.forget(job.sequence)
}

// forget removes the payload of a job and takes it off the totals.
func (q *queueBuckets) forget(sequence uint64) error {
	key := sequenceKey(sequence)
	q.remove(q.payloads.Get(key))
	if err := q.payloads.Delete(key); err != nil {
		return fmt.Errorf("delete from %s: %w", queuePayloads, err)
	}
	return q.save()
}

// dropJobs removes the jobs of a function, waiting or running. Dead letters stay:
// they are kept to be looked at.
func (c *change) dropJobs(function string) error {
	q := queueOf(c.tx)
	if q.due == nil {
		return nil
	}
	for _, key := range keysWith(q.due, memberPrefix(function)) {
		_, _, sequence, err := splitDueKey(key)
		if err != nil {
			continue // Lease sets it aside
		}
		c.wrote = true
		if err := q.due.Delete(key); err != nil {
			return fmt.Errorf("delete from %s: %w", queueDue, err)
		}
		if err := q.forget(sequence); err != nil {
			return err
		}
	}
	leased, _ := q.leased() // ReleaseLeases sets the damaged ones aside
	for _, job := range leased {
		if job.Function != function {
			continue
		}
		if err := c.removeRunning(q, job); err != nil {
			return err
		}
	}
	return nil
}
