package engine

import (
	"fmt"
	"sync/atomic"
)

// quota counts the Invocations of one function that are under way. All versions of a
// function share one, as on AWS Lambda, also those that were replaced and end their
// last Invocations.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
type quota struct {
	running atomic.Int64
	limit   atomic.Int64 // NoConcurrency: none may run
}

// enter counts an Invocation in. It returns false where the limit is reached.
func (q *quota) enter() bool {
	for {
		n := q.running.Load()
		if n >= q.limit.Load() {
			return false
		}
		if q.running.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave counts an Invocation out.
func (q *quota) leave() { q.running.Add(-1) }

// instances is how many Instances can have work.
func (q *quota) instances() int64 { return max(q.limit.Load(), 0) }

func validConcurrency(n int) bool { return n == NoConcurrency || n >= 1 && n <= MaxConcurrency }

func invalidConcurrency(n int) error {
	return invalid("concurrency", fmt.Sprintf("%d is out of range", n), fmt.Sprintf("use 1 to %d, or %d to throttle every invocation", MaxConcurrency, NoConcurrency))
}

// SetConcurrency sets how many Invocations of a function may run at the same time, of
// all its live versions together: 1 to MaxConcurrency, NoConcurrency, or 0 for the
// default. It holds from the next Invocation on; those under way end as they would.
// It lasts until the function's Latest is deployed or registered, whose Limits say it
// again; those of a published version count only where no other version was there
// first. It returns ErrNotFound where the function is not live, and a *DeployError for
// any other number.
func (r *Runtime) SetConcurrency(name string, n int) error {
	if n == 0 {
		n = DefaultLimits().Concurrency
	}
	if !validConcurrency(n) {
		return invalidConcurrency(n)
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	w := r.table.view(name)
	if w == nil {
		return fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	w.quota.limit.Store(int64(n))
	w.each((*version).replenish)
	r.reaper.expect() // there may be more Instances than can have work
	return nil
}
