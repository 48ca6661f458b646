package scheduler

import (
	"time"

	"ledge/persist"
)

// A function that runs is ended by its timeout. A worker that is stuck all the same, in
// a call of the host that does not return, say, would keep its event until the node
// starts again. So a lease lasts for persist.LeaseTime by the monotonic clock, which
// nobody sets, and then the event is taken back and run again; whatever the worker says
// of it later is ignored. The worker itself stays lost until it returns, and counts
// against its function's share. The event is given up when that has happened as often
// as the node may go down while it works on one.

// lease is an event that a function is working on.
type lease struct {
	job   persist.Job
	until time.Time // monotonic
}

func (q *Queue) holdLease(job persist.Job) {
	job.Payload = nil
	q.mu.Lock()
	q.leases[job.Number()] = lease{job, time.Now().Add(persist.LeaseTime)}
	q.mu.Unlock()
}

// keepLease ends the time of a lease when its function has: what came of it may then
// take as long to store as it takes. It reports false where the lease is lost.
func (q *Queue) keepLease(job persist.Job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	held, ok := q.leases[job.Number()]
	if !ok || held.job.Attempts != job.Attempts {
		return false
	}
	delete(q.leases, job.Number())
	return true
}

// firstExpiry returns when the first lease ends, zero where none does.
func (q *Queue) firstExpiry() (first time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.leases { // as many as there are workers, at most
		first = earlier(first, l.until)
	}
	return first
}

// expireLeases takes back the events whose leases are over.
func (q *Queue) expireLeases() error {
	q.mu.Lock()
	var over []persist.Job
	now := time.Now()
	for _, l := range q.leases {
		if !l.until.After(now) {
			over = append(over, l.job)
		}
	}
	q.mu.Unlock()
	for _, job := range over {
		expired, err := q.cfg.Store.ExpireLease(job)
		if err != nil {
			return err
		}
		q.keepLease(job)
		if !expired {
			continue // it has just ended, or its function was deleted
		}
		q.log.Error("an event was taken back from a worker that is stuck; it is run again", "function", job.Function, "id", job.ID, "after", persist.LeaseTime)
	}
	return nil
}
