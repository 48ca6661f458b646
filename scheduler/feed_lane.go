package scheduler

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"ledge/persist"
)

// feedLane delivers the changes of some of a bucket's keys, in their order. All but
// passed, checkpoint and wake is its own goroutine's.
type feedLane struct {
	feeds   *Feeds
	keeper  *keeper
	mapping persist.EventSourceMapping
	wanted  filter
	source  source
	index   int // of lanes
	lanes   int

	state    persist.FeedLane // as it is stored
	result   string           // of the feed, as this lane stored it last
	ends     []uint64         // of the batches that Until is a part of, the largest first
	refusals int              // in a row: the function could not be run
	counted  bool             // this start of the node is in state.Starts, or need not be
	suspect  bool             // the node went down over the batch that ends belong to

	passed     atomic.Uint64 // up to here nothing is left; state.After and what is not wanted
	skipped    int           // changes between state.After and passed
	skippedKB  int           // their size
	checkpoint atomic.Bool   // passed is to be stored
	wake       chan struct{} // the bucket changed; holds one
}

// What a lane reads at once, and how far it may be past what is stored.
const (
	pageChanges = 256
	pageBytes   = 1 << 20

	maxSkipped   = 1000
	maxSkippedKB = 256
)

// errStale says that the mapping was changed or removed behind the lane's back.
var errStale = errors.New("the mapping has changed")

func (l *feedLane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run delivers until taking is done. Functions that run are stopped when running is.
func (l *feedLane) run(taking, running context.Context) {
	for taking.Err() == nil {
		wait, err := l.turn(taking, running)
		switch {
		case errors.Is(err, persist.ErrClosed):
			return
		case errors.Is(err, errStale):
			l.keeper.poke()
			return
		case err != nil && taking.Err() == nil:
			l.feeds.log.Error("changes cannot be read; it is tried again", "mapping", l.mapping.ID, "bucket", l.source.bucket, "in", storePause, "error", err)
			wait = storePause
		}
		if wait > 0 {
			pause(taking, wait)
		}
	}
}

// turn delivers one batch, or waits until there is something to look at. It returns
// how long to wait before the next.
func (l *feedLane) turn(taking, running context.Context) (wait time.Duration, err error) {
	found, err := l.look(taking)
	if err != nil {
		return 0, err
	}
	if l.skipped >= maxSkipped || l.skippedKB >= maxSkippedKB || l.checkpoint.Swap(false) && l.skipped > 0 {
		to := l.state
		if to.After = l.passed.Load(); to.Until <= to.After {
			to.Until = 0
		}
		if err := l.settle(running, persist.FeedStep{To: to}); err != nil {
			return 0, err
		}
	}
	if !found {
		select {
		case <-l.wake:
		case <-taking.Done():
		}
		return 0, nil
	}
	if err := l.window(taking); err != nil {
		return 0, err
	}
	if !l.feeds.slots.acquire(taking, l.mapping.ID) {
		return 0, nil
	}
	defer l.feeds.slots.release(l.mapping.ID)
	b, err := l.gather()
	if err != nil || len(b.changes) == 0 {
		return 0, err
	}
	return l.deliver(running, b)
}

// mine reports whether the lane delivers a change.
func (l *feedLane) mine(c *persist.Change) bool {
	return laneOf(c.Key, l.lanes) == l.index && l.wanted.wants(&l.source, c)
}

// look goes past what the lane does not deliver, to the first change that it does.
func (l *feedLane) look(ctx context.Context) (found bool, err error) {
	for ctx.Err() == nil {
		changes, more, err := l.feeds.cfg.Store.Changes(l.source.bucket, l.passed.Load(), pageChanges, pageBytes)
		if err != nil {
			return false, err
		}
		for i := range changes {
			if ctx.Err() != nil { // a filter can take a while for a large change
				break
			}
			if l.mine(&changes[i]) {
				return true, nil
			}
			l.passed.Store(changes[i].Sequence)
			l.skipped++
			l.skippedKB += (changeSize(&changes[i]) + 1<<10 - 1) >> 10
		}
		if !more && ctx.Err() == nil {
			return false, nil
		}
	}
	return false, ctx.Err()
}

// window waits until a batch is full, or for as long as the mapping says from when
// its first change was seen. A batch that is tried again waits no more.
func (l *feedLane) window(ctx context.Context) error {
	if l.mapping.BatchWindowSeconds <= 0 || l.state.Failures > 0 || l.state.Until > 0 || l.refusals > 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(l.mapping.BatchWindowSeconds) * time.Second)
	defer timer.Stop()
	n, size, after := 0, 0, l.passed.Load()
	for {
		changes, more, err := l.feeds.cfg.Store.Changes(l.source.bucket, after, pageChanges, pageBytes)
		if err != nil {
			return err
		}
		for i := range changes {
			after = changes[i].Sequence
			if !l.mine(&changes[i]) {
				continue
			}
			n++
			size += recordSize(&changes[i])
			if n >= max(l.mapping.BatchSize, 1) || size >= maxFeedEvent {
				return nil
			}
		}
		if more {
			continue
		}
		select {
		case <-l.wake:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
