package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ledge/engine/capi"
)

// version is a live function version with its Pool of Instances.
//
// users counts whoever needs it: one for being live, one for each Invocation
// under way. Nothing is freed before it is 0, and at 0 nobody can come back.
type version struct {
	runtime  *Runtime
	function Function
	users    atomic.Int64
	quota    *quota       // the function's, from when it is live on
	live     atomic.Int64 // its Instances that have a place on the node, running ones too

	program atomic.Pointer[program] // nil until it is loaded

	mu      sync.Mutex
	loading *load       // the last attempt to load it; nil: nobody has needed it yet
	idle    []*instance // live Instances, the one used last at the end
	shells  []*instance // empty ones, for fresh Instances

	provision provision
}

// maxShells bounds the empty shells that wait; each has at most what capi's Trim leaves.
const maxShells = 64

func newVersion(r *Runtime, f Function) *version {
	v := &version{runtime: r, function: f}
	v.users.Store(1)
	return v
}

// enter counts an Invocation in; exit counts it out. gone says that the version was
// replaced: look it up again.
func (v *version) enter() (gone bool, err error) {
	if !v.hold() {
		return true, nil
	}
	if !v.quota.enter() {
		v.leave()
		return false, fmt.Errorf("%s: %w", v.function.Name, ErrThrottled)
	}
	return false, nil
}

func (v *version) exit() {
	v.quota.leave()
	v.leave()
}

// hold counts a user in. It returns false where there is none any more.
func (v *version) hold() bool {
	for {
		users := v.users.Load()
		if users == 0 {
			return false
		}
		if v.users.CompareAndSwap(users, users+1) {
			return true
		}
	}
}

// retire takes the version out of service.
func (v *version) retire() {
	v.setProvisioned(0)
	v.leave()
}

// leave counts a user out; the last one frees the version.
func (v *version) leave() {
	if v.users.Add(-1) == 0 {
		v.free()
		v.runtime.versions.Done()
	}
}

func (v *version) free() {
	v.mu.Lock()
	idle, shells := v.idle, v.shells
	v.idle, v.shells = nil, nil
	v.mu.Unlock()
	for _, in := range idle {
		v.discard(in)
	}
	for _, in := range shells {
		in.close(v.runtime.ticker)
	}
	if p := v.program.Load(); p != nil {
		p.close()
		v.runtime.dropSnapshot(p.snapshot)
	}
	v.runtime.replenish() // with the room that there is now
}

// load is one attempt to build a program. Its fields are set when done is closed.
type load struct {
	done  chan struct{}
	err   error
	ended time.Duration
}

// forgetFailure is how long a load that failed is not tried again.
const forgetFailure = time.Second

// load returns the program, and builds it when this is the first use. All who wait
// share one attempt, which goes on when they go away.
func (v *version) load(ctx context.Context) (*program, error) {
	if p := v.program.Load(); p != nil {
		return p, nil
	}
	v.mu.Lock()
	l := v.loading
	if l == nil || l.failedBefore(capi.Now()-forgetFailure) {
		l = &load{done: make(chan struct{})}
		v.loading = l
		v.users.Add(1) // the caller may leave before it ends
		go func() {
			defer v.leave()
			defer close(l.done)
			l.err = v.build(context.WithoutCancel(ctx))
			l.ended = capi.Now()
		}()
	}
	v.mu.Unlock()
	select {
	case <-l.done:
		return v.program.Load(), l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// failedBefore reports whether the attempt failed before that time.
func (l *load) failedBefore(t time.Duration) bool {
	select {
	case <-l.done:
		return l.err != nil && l.ended < t
	default:
		return false
	}
}

func (v *version) build(ctx context.Context) error {
	v.runtime.building.RLock()
	defer v.runtime.building.RUnlock()
	p, _, err := v.runtime.build(ctx, &v.function)
	if err != nil {
		return fmt.Errorf("load %s: %w", v.function.Name, err)
	}
	v.program.Store(p)
	return nil
}

// fresh reports whether each Invocation gets an Instance of its own.
func (v *version) fresh(p *program) bool {
	return p.command || v.function.Isolation == IsolationFresh
}

// take returns an idle Instance, or nil.
func (v *version) take() *instance {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := len(v.idle) - 1
	if n < 0 {
		return nil
	}
	in := v.idle[n]
	v.idle[n] = nil
	v.idle = v.idle[:n]
	return in
}

// put makes in idle.
func (v *version) put(in *instance, now time.Duration) {
	in.lastUsed = now
	in.shell.Trim()
	v.mu.Lock()
	v.idle = append(v.idle, in)
	v.mu.Unlock()
	v.runtime.reaper.expect()
}

// shell returns an empty shell.
func (v *version) shell(p *program) (*instance, error) {
	v.mu.Lock()
	if n := len(v.shells) - 1; n >= 0 {
		in := v.shells[n]
		v.shells[n] = nil
		v.shells = v.shells[:n]
		v.mu.Unlock()
		return in, nil
	}
	v.mu.Unlock()
	return newInstance(p.template, v.runtime, &v.function)
}

// putShell takes an empty shell back.
func (v *version) putShell(in *instance) {
	in.shell.Trim()
	v.mu.Lock()
	if len(v.shells) < maxShells {
		v.shells = append(v.shells, in)
		in = nil
	}
	v.mu.Unlock()
	if in != nil {
		in.close(v.runtime.ticker)
	}
}

// admit takes a place for an Instance, see Runtime.admit.
func (v *version) admit(bytes int64) error {
	if err := v.runtime.admit(bytes); err != nil {
		return err
	}
	v.live.Add(1)
	return nil
}

// vacate gives a place back.
func (v *version) vacate() {
	v.live.Add(-1)
	v.runtime.leave()
}

// discard frees a live Instance and its place on the node.
func (v *version) discard(in *instance) {
	in.close(v.runtime.ticker)
	v.vacate()
}

// which says of what idle Instances one is to go.
type which bool

const (
	spareIdle which = false // those that are not provisioned
	anyIdle   which = true
)

// oldest returns when the Instance that has been idle longest was last used.
func (v *version) oldest(of which) (since time.Duration, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.idle) == 0 || of == spareIdle && !v.hasSpare() {
		return 0, false
	}
	return v.idle[0].lastUsed, true
}

// dropOldest discards the Instance that has been idle longest, if that is since
// before the given time. It returns false where there is none. Its callers are
// no users of the version: mu keeps the last user from freeing what the
// Instance still needs.
func (v *version) dropOldest(before time.Duration, of which) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.idle) == 0 || v.idle[0].lastUsed > before || of == spareIdle && !v.hasSpare() {
		return false
	}
	in := v.idle[0]
	n := copy(v.idle, v.idle[1:])
	v.idle[n] = nil
	v.idle = v.idle[:n]
	v.discard(in)
	return true
}

var _ capi.Host = (*host)(nil)
