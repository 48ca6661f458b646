package scheduler

import (
	"maps"
	"math/rand/v2"
	"time"

	"ledge/persist"
)

// lane is what the Queue knows of one function's use of workers. Functions that
// have had no trouble and do not run have none.
type lane struct {
	busy int // workers
	// limit is how many workers the function may have. It is halved when the
	// function is refused for want of concurrency or memory, and grows again as
	// its events go through.
	limit    int
	streak   int       // events that went through since limit changed
	refusals int       // in a row
	hold     time.Time // until then none of its events is started; monotonic
	backlog  bool      // events that are due wait for the lane: new ones come after them
	unseen   bool      // it was full when Run looked, which knows of none that is due later
}

// maxIdleLanes bounds what is remembered of functions that do not run.
const maxIdleLanes = 1024

// growAfter is how many events go through before a lane gets one more worker.
const growAfter = 32

// share is how many workers one function may have at most: half of them, so
// that a function that is slow or stuck leaves the other half.
func (q *Queue) share() int { return max(1, q.cfg.Workers/2) }

// lane returns the lane of function; mu is held.
func (q *Queue) lane(function string) *lane {
	l := q.lanes[function]
	if l == nil {
		l = &lane{limit: q.share()}
		q.lanes[function] = l
	}
	return l
}

// promise sets a worker aside for an event of function that is about to be
// stored, where one is free and no other event waits for it.
func (q *Queue) promise(function string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open || q.leasing || q.more || q.busy >= q.cfg.Workers {
		return false
	}
	l := q.lane(function)
	if l.backlog || l.busy >= l.limit || time.Now().Before(l.hold) {
		l.backlog = true
		return false
	}
	q.busy++
	l.busy++
	return true
}

// free gives a worker back, to events that wait for one.
func (q *Queue) free(function string) {
	q.mu.Lock()
	q.busy--
	l := q.lane(function)
	l.busy--
	wanted := q.more || l.backlog || l.unseen || !q.open
	if l.busy == 0 && l.refusals == 0 && l.limit == q.share() && !l.backlog {
		delete(q.lanes, function)
	}
	q.forgetIdle()
	q.mu.Unlock()
	if wanted {
		q.Wake()
	}
}

// forgetIdle keeps the lanes from growing without end; mu is held.
func (q *Queue) forgetIdle() {
	if len(q.lanes) <= maxIdleLanes {
		return
	}
	now := time.Now()
	maps.DeleteFunc(q.lanes, func(_ string, l *lane) bool { return l.busy == 0 && !now.Before(l.hold) })
}

func (q *Queue) setOpen(open bool) {
	q.mu.Lock()
	q.open = open
	q.mu.Unlock()
}

// request says what may be leased now, and until when the first of the
// functions is held, zero for none. noteLease must follow, unless the Limit is 0.
func (q *Queue) request() (req persist.LeaseRequest, held time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	req = persist.LeaseRequest{
		Now: now.Round(0), Limit: q.cfg.Workers - q.busy, PerFunction: q.share(),
		Only: make(map[string]int, len(q.lanes)), After: q.last,
		BatchBytes: maxBatchEvent - recordRest, Weigh: weighRecord,
	}
	if req.Limit <= 0 {
		req.Limit = 0
		q.more = true // for all that we know
		return req, time.Time{}
	}
	q.leasing = true
	for name, l := range q.lanes {
		if now.Before(l.hold) {
			req.Only[name] = 0
			held = earlier(held, l.hold)
			continue
		}
		req.Only[name] = max(l.limit-l.busy, 0)
		l.unseen = req.Only[name] == 0
	}
	return req, held
}

// noteLease counts the workers that the leased events take, and notes which
// functions have others waiting. After an error it knows nothing new.
func (q *Queue) noteLease(req persist.LeaseRequest, leased persist.Leased, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leasing = false
	if err != nil {
		return
	}
	q.more, q.last = leased.More, leased.Last
	for name, limit := range req.Only {
		if l := q.lanes[name]; l != nil && limit > 0 { // of the others Lease did not look at any
			l.backlog = false
		}
	}
	for _, name := range leased.Full {
		q.lane(name).backlog = true
	}
	q.busy += len(leased.Jobs) + len(leased.Batches)
	for _, job := range leased.Jobs {
		q.lane(job.Function).busy++
	}
	for _, jobs := range leased.Batches {
		q.lane(jobs[0].Function).busy++
	}
}

// passed notes that an event of function was run, whatever came of it.
func (q *Queue) passed(function string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lane(function)
	l.refusals, l.hold = 0, time.Time{}
	if l.streak++; l.streak >= growAfter && l.limit < q.share() {
		l.streak = 0
		l.limit++
	}
}

// refused notes that function could not be run, and returns when to try again.
// The function is held until then and not only the event: otherwise each event
// of a long backlog would be tried in vain, and written to disk for it.
func (q *Queue) refused(function string) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lane(function)
	now := time.Now()
	if now.Before(l.hold) { // events that ran side by side are one refusal
		return l.hold
	}
	l.hold = now.Add(jitter(backOff(l.refusals, time.Second)))
	l.refusals++
	l.backlog = true // the event itself, at least
	l.streak = 0
	l.limit = max(1, l.limit/2)
	return l.hold
}

// longestWait is AWS Lambda's longest wait between two attempts.
const longestWait = 5 * time.Minute

// backOff doubles first n times, up to longestWait.
func backOff(n int, first time.Duration) time.Duration {
	return min(first<<min(n, 20), longestWait)
}

// jitter changes d by up to a tenth, so that what failed together is not tried
// again together.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}
