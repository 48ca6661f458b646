package scheduler

import (
	"slices"
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

// lease is of the events that a worker has.
type lease struct {
	jobs  []persist.Job // without their payloads
	until time.Time     // monotonic
}

func (q *Queue) holdLease(d delivery) {
	jobs := slices.Clone(d.jobs)
	for i := range jobs {
		jobs[i].Payload = nil
	}
	q.mu.Lock()
	q.leases[jobs[0].Number()] = lease{jobs, time.Now().Add(persist.LeaseTime)}
	q.mu.Unlock()
}

// keepLease ends the time of a lease when its function has: what came of it may then
// take as long to store as it takes. It reports false where the lease is lost.
func (q *Queue) keepLease(d delivery) bool {
	first := d.jobs[0]
	q.mu.Lock()
	defer q.mu.Unlock()
	held, ok := q.leases[first.Number()]
	if !ok || held.jobs[0].Attempts != first.Attempts {
		return false
	}
	delete(q.leases, first.Number())
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
	var over [][]persist.Job
	now := time.Now()
	for _, l := range q.leases {
		if !l.until.After(now) {
			over = append(over, l.jobs)
		}
	}
	q.mu.Unlock()
	for _, jobs := range over {
		expired, err := q.cfg.Store.ExpireLeases(jobs)
		if err != nil {
			return err
		}
		q.keepLease(delivery{jobs: jobs})
		if expired == 0 {
			continue // it has just ended, or its function was deleted
		}
		q.log.Error("events were taken back from a worker that is stuck; they are run again", "function", jobs[0].Function, "id", jobs[0].ID, "events", expired, "after", persist.LeaseTime)
	}
	return nil
}
