package scheduler

import (
	"context"
	"fmt"

	"ledge/persist"
)

// What operators do to the queue goes through the Queue and not to its store, because
// it may make other events due.

// RetryDeadLetter is persist.Store.RetryDeadLetter, within the limits of the Queue.
func (q *Queue) RetryDeadLetter(number uint64) (persist.Job, error) {
	job, err := q.cfg.Store.RetryDeadLetter(number, q.cfg.Limits)
	if err == nil {
		q.Wake()
	}
	return job, err
}

// DeleteJob removes an event that waits: see persist.Store.DeleteJob.
func (q *Queue) DeleteJob(number uint64) error {
	err := q.cfg.Store.DeleteJob(number)
	if err == nil {
		q.Wake() // for the one behind it
	}
	return err
}

// PurgeJobs removes all events of a function that wait, or of all functions where it is
// empty, and says how many, also where it fails. It removes them in steps, between which
// others go on; what comes meanwhile may go too. It stops where ctx ends.
func (q *Queue) PurgeJobs(ctx context.Context, function string) (removed int, err error) {
	defer q.Wake()
	for {
		if err := ctx.Err(); err != nil {
			return removed, fmt.Errorf("purge the queue: %w", err)
		}
		n, more, err := q.cfg.Store.PurgeJobs(function)
		removed += n
		if err != nil || !more {
			return removed, err
		}
	}
}
