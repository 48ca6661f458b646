package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// Results of a feed, in the words of AWS Lambda's LastProcessingResult.
const (
	resultOK      = "OK"
	resultProblem = "PROBLEM: "
)

// deliver makes one attempt at a batch and stores what came of it. It returns how
// long to wait before the next.
func (l *feedLane) deliver(running context.Context, b batch) (wait time.Duration, err error) {
	if b.depth() >= maxFeedDepth {
		return 0, l.giveUp(running, b.changes, verdict{
			loop:   true,
			reason: fmt.Sprintf("%d events in a row led to this change: function %s does not get it, for it may be a loop", b.depth(), l.mapping.Function),
		}, persist.FeedStep{})
	}
	if l.state.Starts > maxInterrupted {
		return 0, l.split(running, b.changes, persist.FeedStep{}, verdict{
			condition: conditionAttempts, crashed: true,
			reason: fmt.Sprintf("the node went down %d times while it worked on the batch", l.state.Starts),
		})
	}
	if !l.counted {
		// What the node does not outlive is noted before it runs. It is enough to note
		// the first batch: of the others the next start of the node takes care.
		to := l.state
		to.Starts++
		if err := l.settle(running, persist.FeedStep{To: to}); err != nil {
			return 0, err
		}
		l.counted = true
	}
	var res engine.Result
	err = l.feeds.cfg.Invoker.Invoke(running, &engine.Invocation{
		Function: l.mapping.Function, Qualifier: l.mapping.Qualifier, Source: engine.SourceChange,
		Payload: b.event, Depth: b.depth() + 1,
	}, &res)
	failure, isFunctions := engine.AsFunctionError(err)
	switch {
	case err == nil:
		l.refusals = 0
		return l.succeeded(running, b, res)
	case isFunctions:
		l.refusals = 0
		return l.failed(running, b.changes, persist.FeedStep{}, verdict{
			condition: conditionAttempts, invoked: true, version: res.Version, failed: true,
			problem: "Function call failed: " + failure.Error(),
		})
	case running.Err() != nil: // the node stops: the next one goes on
		return 0, l.outlived(running)
	case errors.Is(err, engine.ErrTooLarge):
		// It would be refused for ever, and nothing but a smaller batch helps.
		return 0, l.split(running, b.changes, persist.FeedStep{}, verdict{
			condition: conditionAttempts, halve: true,
			reason:  "the function does not take the event: " + err.Error(),
			problem: "the event is too large: " + err.Error(),
		})
	}
	return l.refused(running, b, err) // throttled, no memory, no such function, or the node's fault
}

// verdict is why a batch, or a part of it, was not delivered.
type verdict struct {
	condition string // for a destination
	reason    string // for operators: why it was given up
	problem   string // of the attempt; empty: there was none
	invoked   bool
	version   string
	failed    bool // with an error of the function
	loop      bool // for the dead letters, not for a destination
	halve     bool // whatever the mapping says of bisecting
	crashed   bool // the node went down, time and again
}

func (v verdict) result() string {
	if v.problem == "" {
		return resultProblem + v.reason
	}
	return resultProblem + v.problem
}

// succeeded settles a batch that the function took, or the part of it that did not
// fail.
func (l *feedLane) succeeded(running context.Context, b batch, res engine.Result) (time.Duration, error) {
	first, why := -1, ""
	if l.mapping.ReportItemFailures {
		first, why = failedItem(res.Payload, b.changes)
	}
	if first < 0 {
		return 0, l.settle(running, persist.FeedStep{
			To: l.after(b.last()), Delivered: len(b.changes), Result: resultOK,
		})
	}
	step := persist.FeedStep{Delivered: first}
	return l.failed(running, b.changes[first:], step, verdict{
		condition: conditionAttempts, invoked: true, version: res.Version, problem: "Function call failed: " + why,
	})
}

// failed settles an attempt at changes that ended with an error of the function. step
// has what of the batch was delivered before them.
func (l *feedLane) failed(running context.Context, changes []persist.Change, step persist.FeedStep, v verdict) (time.Duration, error) {
	now := time.Now()
	failures, since := l.state.Failures+1, l.state.FirstFailed
	if step.Delivered > 0 || failures == 1 { // it is another batch than the one before
		failures, since = 1, now.UTC()
	}
	step.To.Failures = failures
	if n := l.feeds.clock.expired(changes, ageLimit(&l.mapping), now); n > 0 {
		return 0, l.tooOld(running, changes[:n], step, v)
	}
	bisect := l.mapping.BisectBatch && len(changes) > 1
	if bisect || l.mapping.MaxRetries >= 0 && failures > l.mapping.MaxRetries {
		v.reason = failedTimes(failures)
		return 0, l.split(running, changes, step, v)
	}
	step.To = l.after(changes[0].Sequence - 1)
	if step.Delivered == 0 {
		step.To = l.state
	}
	step.To.Failures, step.To.FirstFailed, step.To.LastError, step.To.Starts = failures, since, v.problem, 0
	step.Result = v.result()
	return jitter(backOff(failures-1, time.Second)), l.settle(running, step)
}

// split tries a smaller batch of changes next, or gives them up where the mapping
// does not want that, or where there is but one. Splitting is no retry.
func (l *feedLane) split(running context.Context, changes []persist.Change, step persist.FeedStep, v verdict) error {
	if len(changes) == 1 || !l.mapping.BisectBatch && !v.halve {
		return l.giveUp(running, changes, v, step)
	}
	end := changes[len(changes)-1].Sequence
	if len(l.ends) == 0 || l.ends[len(l.ends)-1] > end {
		l.ends = append(l.ends, end)
	}
	step.To = l.after(changes[0].Sequence - 1)
	step.To.Until = changes[len(changes)/2-1].Sequence
	if step.Delivered > 0 { // that is split off, which is as good
		step.To.Until = end
	} else {
		step.To.Failures, step.To.FirstFailed = l.state.Failures, l.state.FirstFailed
	}
	if v.crashed { // the next time that it does, in either half, it is split again
		step.To.Starts, l.suspect = maxInterrupted, true
	}
	step.To.LastError = v.problem
	step.Result = v.result()
	return l.settle(running, step)
}

// tooOld gives changes up that were tried in vain for as long as they may be.
func (l *feedLane) tooOld(running context.Context, changes []persist.Change, step persist.FeedStep, v verdict) error {
	v.condition = conditionAge
	v.reason = fmt.Sprintf("the changes were not delivered within %s", ageLimit(&l.mapping))
	return l.giveUp(running, changes, v, step)
}

// refused notes that the function could not be run. That is no failure of it, and
// only this feed waits.
func (l *feedLane) refused(running context.Context, b batch, cause error) (time.Duration, error) {
	wait := jitter(backOff(l.refusals, time.Second))
	l.refusals++
	v := verdict{problem: "Function call could not be made: " + cause.Error()}
	if n := l.feeds.clock.expired(b.changes, ageLimit(&l.mapping), time.Now()); n > 0 {
		return 0, l.tooOld(running, b.changes[:n], persist.FeedStep{}, v)
	}
	if result := v.result(); l.result != result || l.state.Starts > 0 { // it is not worth a write each time
		to := l.state
		to.Starts, to.LastError = 0, v.problem
		return wait, l.settle(running, persist.FeedStep{To: to, Result: result})
	}
	return wait, nil
}

// outlived takes back the note that the node may not outlive the batch.
func (l *feedLane) outlived(running context.Context) error {
	if l.state.Starts == 0 {
		return nil
	}
	to := l.state
	to.Starts = 0
	return l.settle(running, persist.FeedStep{To: to})
}

// after is the lane with all settled up to a change.
func (l *feedLane) after(sequence uint64) persist.FeedLane {
	to := persist.FeedLane{After: max(sequence, l.state.After), Until: l.state.Until}
	if to.Until > to.After {
		return to
	}
	to.Until = 0
	for i := len(l.ends) - 1; i >= 0 && to.Until == 0; i-- { // the other half of what was split
		if l.ends[i] > to.After {
			to.Until = l.ends[i]
		}
	}
	if to.Until > 0 && l.suspect {
		to.Starts = maxInterrupted
	}
	return to
}

// settle stores a step of the lane. Where the disk fails it goes on trying while the
// node runs: what the function took would otherwise be delivered again.
func (l *feedLane) settle(running context.Context, step persist.FeedStep) error {
	step.Mapping, step.Lane, step.Lanes, step.From = l.mapping.ID, l.index, l.lanes, l.state
	step.Run = time.Now()
	for n := 0; ; n++ {
		err := l.feeds.cfg.Store.SettleFeed(step)
		switch {
		case err == nil:
			l.settled(step)
			return nil
		case errors.Is(err, persist.ErrClosed):
			return err
		case len(step.Jobs) > 0 && undeliverable(err):
			return err // giveUp has another way
		case errors.Is(err, persist.ErrNotFound), errors.Is(err, persist.ErrConflict):
			return errStale
		}
		if running.Err() != nil {
			return err
		}
		wait := backOff(n, time.Second)
		l.feeds.log.Error("what became of changes could not be stored; it is tried again", "mapping", l.mapping.ID, "in", wait, "error", err)
		pause(running, wait)
	}
}

// undeliverable reports whether an event cannot be queued for a destination, however
// often it is tried.
func undeliverable(err error) bool {
	var size *persist.SizeError
	return errors.Is(err, persist.ErrNotFound) || errors.Is(err, persist.ErrInvalid) || errors.As(err, &size)
}

// settled takes over what was stored.
func (l *feedLane) settled(step persist.FeedStep) {
	l.state = step.To
	if step.Result != "" {
		l.result = step.Result
	}
	if l.state.After >= l.passed.Load() {
		l.passed.Store(l.state.After)
		l.skipped, l.skippedKB = 0, 0
	}
	if l.state.Starts == maxInterrupted {
		l.counted = false
	}
	for len(l.ends) > 0 && l.ends[len(l.ends)-1] <= l.state.After {
		l.ends = l.ends[:len(l.ends)-1]
	}
	l.suspect = l.suspect && len(l.ends) > 0
}
