package scheduler

import (
	"context"
	"slices"
	"sync"
)

// slots bounds the batches that run at the same time. Lanes get them in the order in
// which they asked, except that a feed never gets one more while it has as many as
// are free: so one feed has at most half of them, the next half of the rest, and some
// that are slow leave room for others.
type slots struct {
	mu      sync.Mutex
	free    int
	busy    map[string]int // by mapping
	waiting []*waiter
}

type waiter struct {
	mapping string
	ready   chan struct{} // closed when it has a slot
}

func newSlots(n int) *slots { return &slots{free: n, busy: map[string]int{}} }

// acquire waits for a slot; false where ctx ended before.
func (s *slots) acquire(ctx context.Context, mapping string) bool {
	w := &waiter{mapping, make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.grant()
	s.mu.Unlock()
	select {
	case <-w.ready:
		return true
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(s.waiting, w)
	if i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	}
	s.mu.Unlock()
	if i < 0 { // it came in the same moment
		s.release(mapping)
	}
	return false
}

func (s *slots) release(mapping string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	if s.busy[mapping]--; s.busy[mapping] == 0 {
		delete(s.busy, mapping)
	}
	s.grant()
}

// grant gives free slots away; mu is held.
func (s *slots) grant() {
	s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool {
		if s.busy[w.mapping] >= s.free {
			return false
		}
		s.free--
		s.busy[w.mapping]++
		close(w.ready)
		return true
	})
}
