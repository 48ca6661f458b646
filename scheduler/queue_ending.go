package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// ending is how an event ends.
type ending struct {
	persist.Settlement
	reason      string // of EndForward: what its destination is told for
	destination string
}

// succeeded ends an event that its function has served.
func (q *Queue) succeeded(job persist.Job, p policy, o outcome) ending {
	if p.onSuccess == "" {
		return ending{Settlement: persist.Settlement{Job: job, End: persist.EndDone}}
	}
	return q.send(job, p.onSuccess, o)
}

// failed ends an attempt in which a function failed; o says with what.
func (q *Queue) failed(job persist.Job, p policy, o outcome) ending {
	job.Failures++
	if job.Failures <= p.retries {
		return retry(job, wallClock().Add(jitter(backOff(job.Failures-1, firstRetry))))
	}
	o.condition, o.invoked = conditionExhausted, true
	o.reason = failedTimes(job.Failures)
	return q.giveUp(job, p, o)
}

// failedTimes is why something is given up on which a function failed n times.
func failedTimes(n int) string {
	if n == 1 {
		return "the function failed once"
	}
	return fmt.Sprintf("the function failed %d times", n)
}

// giveUp ends an event that is not tried again.
func (q *Queue) giveUp(job persist.Job, p policy, o outcome) ending {
	if p.onFailure == "" {
		return bury(job, o.reason)
	}
	return q.send(job, p.onFailure, o)
}

// send queues the invocation record for a destination, in the same transaction
// in which the event ends.
func (q *Queue) send(job persist.Job, destination string, o outcome) ending {
	function, qualifier, ok := functionOfARN(destination)
	switch {
	case !ok:
		return bury(job, fmt.Sprintf("%s, and the destination %s is no function of this node", o.reason, destination))
	case job.Depth >= maxDepth:
		return bury(job, fmt.Sprintf("%s, and %d destinations in a row led here: %s is not called, for it may be a loop", o.reason, job.Depth, destination))
	}
	next := persist.Job{
		ID: engine.NewRequestID().String(), Function: function, Qualifier: qualifier,
		Source: engine.SourceAsync.String(), Depth: job.Depth + 1, Priority: job.Priority,
		Payload: q.record(job, o, wallClock()),
	}
	return ending{
		Settlement: persist.Settlement{Job: job, End: persist.EndForward, Next: next, Succeeded: o.condition == conditionSuccess},
		reason:     o.reason, destination: destination,
	}
}

func retry(job persist.Job, due time.Time) ending {
	return ending{Settlement: persist.Settlement{Job: job, End: persist.EndRetry, Due: due}}
}

// retryAll has events run again that could not be run, for no fault of theirs.
func retryAll(jobs []persist.Job, due time.Time, why error) []ending {
	ends := make([]ending, len(jobs))
	for i, job := range jobs {
		job.LastError = why.Error()
		ends[i] = retry(job, due)
	}
	return ends
}

// handBack is retryAll for as soon as can be.
func handBack(jobs []persist.Job, why error) []ending {
	ends := retryAll(jobs, time.Time{}, why)
	for i, job := range jobs {
		ends[i].Due = job.Due
	}
	return ends
}

func bury(job persist.Job, reason string) ending {
	return ending{Settlement: persist.Settlement{Job: job, End: persist.EndBury, Reason: reason}}
}

// settle ends leases, all in one transaction. Where the disk fails it goes on trying, or
// the events would stay leased until the node starts again; so it does where ctx ends.
func (q *Queue) settle(ctx context.Context, ends []ending) {
	for n := 0; len(ends) > 0; n++ {
		var err error
		if ends, err = q.settleOnce(ends); err == nil {
			continue // those that are left are buried now
		}
		job := ends[0].Job
		if errors.Is(err, persist.ErrClosed) || ctx.Err() != nil {
			q.log.Error("what became of events could not be stored; they will run again when the node starts", "function", job.Function, "id", job.ID, "events", len(ends), "error", err)
			return
		}
		wait := backOff(n, time.Second)
		q.log.Error("what became of events could not be stored; it is tried again", "function", job.Function, "id", job.ID, "events", len(ends), "in", wait, "error", err)
		pause(ctx, wait)
	}
}

// settleOnce returns those that have not ended: because of err, or because their
// destinations refuse them, which are to be dead letters instead.
func (q *Queue) settleOnce(ends []ending) (left []ending, failed error) {
	settlements := make([]persist.Settlement, len(ends))
	for i := range ends {
		settlements[i] = ends[i].Settlement
	}
	wake := false
	for i, err := range q.cfg.Store.Settle(settlements) {
		e := ends[i]
		var size *persist.SizeError
		switch {
		case err == nil:
			// The timer is to be set, the destination to be run, the next of an order to go.
			wake = wake || e.End == persist.EndRetry || e.End == persist.EndForward || e.Job.OrderKey != ""
			if e.End == persist.EndBury {
				q.log.Warn("an event was given up", "function", e.Job.Function, "id", e.Job.ID, "reason", e.Reason, "error", e.Job.LastError)
			}
		case e.End == persist.EndForward && errors.Is(err, persist.ErrNotFound):
			left = append(left, bury(e.Job, fmt.Sprintf("%s, and there is no destination %s", e.reason, e.destination)))
		case e.End == persist.EndForward && (errors.Is(err, persist.ErrInvalid) || errors.As(err, &size)): // it would be refused for ever
			left = append(left, bury(e.Job, fmt.Sprintf("%s, and the destination cannot be told: %s", e.reason, err)))
		default:
			left, failed = append(left, e), err
		}
	}
	if wake {
		q.Wake()
	}
	return left, failed
}
