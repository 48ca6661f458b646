package scheduler

import (
	"ledge/persist"
)

const (
	// maxFeedEvent bounds the event of a batch, in bytes: AWS Lambda's limit for the
	// payload of a batch and the engine's for an event, which it must not exceed by
	// its braces.
	maxFeedEvent = 6<<20 - 1<<10

	// maxFeedDepth is how many events in a row may have led to a change that is
	// delivered. The function that it would run could be the one that wrote it.
	maxFeedDepth = 8
)

// batch is what is delivered together. All its changes have the same depth, or are
// too deep to be delivered: so what the function writes is not taken for the effect of
// more, or of fewer, events than led to it.
type batch struct {
	changes []persist.Change
	event   []byte
}

func (b *batch) depth() int { return b.changes[0].Depth }

func (b *batch) last() uint64 { return b.changes[len(b.changes)-1].Sequence }

// recordSize is about what the record of a change takes in an event.
func recordSize(c *persist.Change) int { return 600 + changeSize(c)*4/3 }

// gatherPages bounds how far gather looks for more than the first change. Of a long
// backlog a filter may want little, and the lane has a slot that others wait for.
const gatherPages = 16

// gather reads the next batch: up to BatchSize changes of one depth, as many as fit
// and are near, and not beyond where a bisected batch ends. It is empty where there are
// none.
func (l *feedLane) gather() (b batch, err error) {
	b.event = append(b.event, eventHead...)
	after := l.passed.Load()
	for pages := 1; ; pages++ {
		changes, more, err := l.feeds.cfg.Store.Changes(l.source.bucket, after, pageChanges, pageBytes)
		if err != nil {
			return batch{}, err
		}
		for i := range changes {
			c := &changes[i]
			after = c.Sequence
			if len(b.changes) == 0 && l.state.Until > 0 && c.Sequence > l.state.Until {
				l.state.Until = 0 // what was before it is gone
			}
			if l.state.Until > 0 && c.Sequence > l.state.Until {
				return b.closed(), nil
			}
			if !l.mine(c) {
				continue
			}
			if len(b.changes) > 0 && min(c.Depth, maxFeedDepth) != min(b.depth(), maxFeedDepth) {
				return b.closed(), nil
			}
			size := len(b.event)
			if len(b.changes) > 0 {
				b.event = append(b.event, ',')
			}
			b.event = l.source.appendRecord(b.event, c, true)
			if len(b.event) > maxFeedEvent && len(b.changes) > 0 {
				b.event = b.event[:size]
				return b.closed(), nil
			}
			b.changes = append(b.changes, *c)
			if len(b.changes) >= max(l.mapping.BatchSize, 1) {
				return b.closed(), nil
			}
		}
		if !more || pages >= gatherPages && len(b.changes) > 0 {
			return b.closed(), nil
		}
	}
}

const (
	eventHead = `{"Records":[`
	eventTail = `]}`
)

func (b batch) closed() batch {
	b.event = append(b.event, eventTail...)
	return b
}

// event returns the event of some changes, for what becomes of them when they are
// given up.
func (s *source) event(changes []persist.Change, images bool) []byte {
	event := []byte(eventHead)
	for i := range changes {
		if i > 0 {
			event = append(event, ',')
		}
		event = s.appendRecord(event, &changes[i], images)
	}
	return append(event, eventTail...)
}
