package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// tickInterval is how precise timeouts are, and how soon an Invocation notices
// that its caller went away.
const tickInterval = 5 * time.Millisecond

// ticker advances the engine's epoch while anything runs. At each epoch a
// running guest looks at its deadline (in engine/capi), and the ticker looks at
// the contexts of those that have run for a whole tick. On an idle node it
// sleeps: the first Invocation wakes it, and it goes back to sleep after a tick
// in which nothing ran.
type ticker struct {
	engine  *wasmtime.Engine
	relieve func()        // called before each epoch: makes room where memory is short
	started atomic.Uint64 // Invocations begun
	running atomic.Int64
	asleep  atomic.Bool
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}

	mu        sync.Mutex
	instances []*instance
}

func newTicker(engine *wasmtime.Engine, relieve func()) *ticker {
	t := &ticker{engine: engine, relieve: relieve, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go t.run()
	return t
}

// close ends the ticker. Nothing may run any more.
func (t *ticker) close() {
	close(t.stop)
	<-t.done
}

func (t *ticker) run() {
	defer close(t.done)
	clock := time.NewTicker(tickInterval)
	defer clock.Stop()
	var before uint64
	for {
		select {
		case <-clock.C:
		case <-t.stop:
			return
		}
		t.relieve()
		t.engine.IncrementEpoch()
		t.poll()
		if started := t.started.Load(); started != before || t.running.Load() > 0 {
			before = started
			continue
		}
		clock.Stop()
		if !t.sleep(before) {
			return
		}
		clock.Reset(tickInterval)
	}
}

// sleep waits for the next Invocation. It returns false when the ticker is
// closed.
func (t *ticker) sleep(before uint64) bool {
	t.asleep.Store(true)
	// Whoever began between the last look and now may have seen a ticker awake.
	if t.started.Load() != before {
		t.asleep.Store(false)
		return true
	}
	select {
	case <-t.wake:
		return true
	case <-t.stop:
		return false
	}
}

// begin states that in runs for ctx.
func (t *ticker) begin(ctx context.Context, in *instance) {
	in.mu.Lock()
	in.ctx = ctx
	in.turn++
	in.mu.Unlock()
	t.running.Add(1)
	t.started.Add(1)
	if t.asleep.Load() && t.asleep.CompareAndSwap(true, false) {
		select {
		case t.wake <- struct{}{}:
		default: // it has a token already
		}
	}
}

// end states that in is idle. After it the ticker does not touch the context.
func (t *ticker) end(in *instance) {
	t.running.Add(-1)
	in.mu.Lock()
	in.ctx = nil
	in.mu.Unlock()
}

// poll cancels the calls whose context is over.
func (t *ticker) poll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range t.instances {
		in.mu.Lock()
		if in.ctx != nil {
			if in.seen == in.turn && in.ctx.Err() != nil {
				in.shell.Cancel()
			}
			in.seen = in.turn
		}
		in.mu.Unlock()
	}
}

func (t *ticker) add(in *instance) {
	t.mu.Lock()
	defer t.mu.Unlock()
	in.index = len(t.instances)
	t.instances = append(t.instances, in)
}

func (t *ticker) remove(in *instance) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := len(t.instances) - 1
	moved := t.instances[last]
	t.instances[in.index] = moved
	moved.index = in.index
	t.instances[last] = nil
	t.instances = t.instances[:last]
}
