package engine

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ledge/engine/capi"
)

// Admission: how many Instances the node holds, how much memory they have
// together, and which idle ones go when there is too little of either.

// admit takes a place for an Instance that starts with so many bytes. Idle
// Instances make room, the one that was used longest ago first. The caller
// gives the place back with leave.
func (r *Runtime) admit(bytes int64) error { return r.admitWhere(bytes, anyIdle) }

// admitWhere is admit that evicts only some of the idle Instances.
func (r *Runtime) admitWhere(bytes int64, of which) error {
	for {
		n := r.instances.Load()
		full := n >= int64(r.machine.layout.instances)
		if !full && (r.budget == 0 || r.node.Used()+bytes <= r.budget) {
			if r.instances.CompareAndSwap(n, n+1) {
				return nil
			}
			continue
		}
		if r.evict(of) {
			continue
		}
		if full {
			return fmt.Errorf("%w: all %d instances are busy", ErrOverloaded, r.machine.layout.instances)
		}
		return fmt.Errorf("%w: %d of %d MB are in use", ErrOverloaded, r.node.Used()>>20, r.budget>>20)
	}
}

// leave gives a place back.
func (r *Runtime) leave() { r.instances.Add(-1) }

// evict discards the idle Instance that was used longest ago; those that are
// provisioned go last, and only where all may go. It returns false where there is none.
func (r *Runtime) evict(of which) bool {
	if r.evictOldest(spareIdle) {
		return true
	}
	if of == spareIdle || !r.evictOldest(anyIdle) {
		return false
	}
	r.short.Store(true)
	return true
}

func (r *Runtime) evictOldest(of which) bool {
	for {
		var victim *version
		var oldest time.Duration
		r.table.each(func(v *version) {
			if since, ok := v.oldest(of); ok && (victim == nil || since < oldest) {
				victim, oldest = v, since
			}
		})
		if victim == nil {
			return false
		}
		if victim.dropOldest(oldest, of) {
			return true
		}
		// Somebody took it meanwhile; look again.
	}
}

// relieve evicts idle Instances while those that run need more than the budget.
func (r *Runtime) relieve() {
	for r.budget != 0 && r.node.Used() >= r.budget && r.evict(anyIdle) {
	}
}

// reaper drops Instances that have been idle for too long and are not provisioned. It
// has a timer only while there may be such: a node without work does not wake up.
type reaper struct {
	runtime *Runtime
	after   time.Duration
	armed   atomic.Bool

	mu     sync.Mutex
	closed bool
	timer  *time.Timer
}

// expect states that something became idle.
func (p *reaper) expect() {
	if !p.armed.Load() && p.armed.CompareAndSwap(false, true) {
		p.arm(p.after)
	}
}

func (p *reaper) arm(wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.timer = time.AfterFunc(wait, p.reap)
	}
}

func (p *reaper) reap() {
	limit := capi.Now() - p.after
	left, dropped := false, false
	p.runtime.table.each(func(v *version) {
		for v.dropOldest(limit, spareIdle) {
			dropped = true
		}
		if _, ok := v.oldest(spareIdle); ok {
			left = true
		}
	})
	if dropped {
		p.runtime.replenish() // with the room that there is now
	}
	if left {
		// Not exact: an Instance may stay for half as long again.
		p.arm(p.after / 2)
		return
	}
	p.armed.Store(false)
	// What became idle since the look above found the reaper armed.
	p.runtime.table.each(func(v *version) {
		if _, ok := v.oldest(spareIdle); ok {
			p.expect()
		}
	})
}

func (p *reaper) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
}
