package persist

import (
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The ways in which a lease ends. A job whose function was deleted while it ran went
// with it, and one whose lease was lost is another's, or done: then they do nothing and
// return nil. A lease is told from a later one of the same job by its Attempts. Each of
// them tells the schedule that caused the job, in its transaction.

// End is a way in which a lease ends.
type End uint8

const (
	EndDone    End = iota // see Store.Ack
	EndForward            // see Store.Forward
	EndRetry              // see Store.Retry
	EndBury               // see Store.Bury
)

// Settlement is how the lease of one job ends.
type Settlement struct {
	Job       Job // with what is to be kept of its failures
	End       End
	Next      Job       // of EndForward
	Succeeded bool      // of EndForward: Job did
	Due       time.Time // of EndRetry
	Reason    string    // of EndBury
}

// Settle ends any number of leases in one transaction. Each has its own error, at its
// index: a Next that is refused keeps no others from ending. Where the store fails all of
// them have that error, and none has ended.
func (s *Store) Settle(ends []Settlement) []error {
	checked, refused := slices.Clone(ends), make([]error, len(ends))
	size := 0
	for i := range checked {
		refused[i] = s.checkEnd(&checked[i])
		size += jobOverhead + len(checked[i].Next.Payload)
	}
	var errs []error
	err := s.update(size, func(c *change) error {
		outcomes := slices.Clone(refused)
		for i := range checked {
			if outcomes[i] != nil {
				continue
			}
			err := c.settle(checked[i], s.now())
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			outcomes[i] = err
		}
		errs = outcomes
		return nil
	})
	if err != nil {
		errs = repeated(err, len(ends))
	}
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("settle job %s: %w", ends[i].Job.ID, err)
		}
	}
	return errs
}

// checkEnd completes a settlement that is to be stored.
func (s *Store) checkEnd(e *Settlement) error {
	e.Job.LastError = clipText(e.Job.LastError, maxErrorText)
	switch e.End {
	case EndForward:
		return s.checkJob(&e.Next)
	case EndRetry:
		e.Job.Due = milli(e.Due)
	}
	return nil
}

// settle ends a lease. It refuses with ErrNotFound before it writes.
func (c *change) settle(e Settlement, now time.Time) error {
	q, _, held := c.leasedAs(e.Job)
	if !held {
		return nil
	}
	switch e.End {
	case EndForward:
		if err := c.enqueue(&e.Next, nil, false); err != nil {
			return err
		}
		outcome := RunFailed
		if e.Succeeded {
			outcome = RunOK
		}
		return c.removeRunning(queueOf(c.tx), e.Job, outcome, now) // with the totals that enqueue left
	case EndRetry:
		if err := c.scheduleRan(e.Job, RunRetried, now); err != nil {
			return err
		}
		return c.putBack(q, e.Job)
	case EndBury:
		return c.buryRunning(q, e.Job, e.Reason, now)
	}
	return c.removeRunning(q, e.Job, RunOK, now)
}

// Ack removes a leased job that is done.
func (s *Store) Ack(job Job) error {
	return s.Settle([]Settlement{{Job: job, End: EndDone}})[0]
}

// Forward removes a leased job and queues next, which came of it, in one
// transaction; succeeded says whether job did. next takes the place of job, so the
// queue is never too full for it. ErrNotFound says that next is for a function that
// does not exist, a *SizeError that it is too large; job is leased then still.
func (s *Store) Forward(job, next Job, succeeded bool) error {
	return s.Settle([]Settlement{{Job: job, End: EndForward, Next: next, Succeeded: succeeded}})[0]
}

// Retry makes a leased job due again, with what job says of its failures.
func (s *Store) Retry(job Job, due time.Time) error {
	return s.Settle([]Settlement{{Job: job, End: EndRetry, Due: due}})[0]
}

// Bury moves a leased job to the dead letters, in one transaction. reason says
// why it was given up; job.LastError, how its last attempt failed.
func (s *Store) Bury(job Job, reason string) error {
	return s.Settle([]Settlement{{Job: job, End: EndBury, Reason: reason}})[0]
}

// leasedAs returns the queue and the record of a job where it is leased still, as its
// lessee was given it.
func (c *change) leasedAs(job Job) (q *queueBuckets, record Job, held bool) {
	q = queueOf(c.tx)
	key := sequenceKey(job.sequence)
	if q.running == nil || q.running.Get(key) == nil {
		return q, Job{}, false
	}
	record, err := decodeJob(queueRunning, key, q.running.Get(key))
	switch {
	case err != nil:
		record = job // it was damaged since, and goes now
	case record.Attempts != job.lease:
		return q, Job{}, false
	}
	record.lease = job.lease
	return q, record, true
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
