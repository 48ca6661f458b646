package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"ledge/engine/capi"
)

// Provisioned concurrency: Instances of a version that are ready before somebody asks.
// https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
//
// A goroutine makes them while there are too few, and ends. Whatever takes one away
// (an Instance that is discarded) or makes room for one (something else that goes)
// calls replenish; nothing looks at them from time to time. The reaper leaves them
// alone and eviction takes them last.
//
// Not all programs have Instances that can be ready. A command is a new one for each
// Invocation, and so is a plug-in with isolation fresh that is not put back: making it
// is part of the Invocation, and takes microseconds. What is provisioned of them is
// that their code is loaded.

// provision is the part of a version that is about provisioned concurrency.
type provision struct {
	want atomic.Int64

	// The version's mu guards these.
	starting bool          // an Instance is being made
	making   chan struct{} // not nil while a goroutine makes Instances, which closes it
	err      error         // why it gave up
}

// SetProvisioned keeps n Instances of a version ready; 0 ends that. They are made in the
// background as far as the memory budget goes; Provisioned tells how far that is. A new
// deploy of the version has as many, and a version that is removed forgets them. While
// the function's concurrency is less than n, or none, there are as many as that. It
// returns ErrNotFound where the version (no alias) is not live, and a *DeployError where
// n is more than the function's concurrency leaves for this version or than the node has
// Instances.
func (r *Runtime) SetProvisioned(name, number string, n int) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	w := r.table.view(name)
	if w == nil || w.version(number) == nil {
		return fmt.Errorf("%s:%s: %w", name, number, ErrNotFound)
	}
	v := w.version(number)
	left := w.quota.limit.Load()
	if left == NoConcurrency {
		left = MaxConcurrency // they are made when there is concurrency again
	}
	left = min(left, int64(r.machine.layout.instances))
	w.each(func(other *version) {
		if other != v {
			left -= other.provision.want.Load()
		}
	})
	if n < 0 || n > 0 && int64(n) > left {
		return invalid("provisioned concurrency", fmt.Sprintf("%d is out of range", n),
			fmt.Sprintf("use 0 to %d, which is what the function's concurrency and its other versions leave", max(left, 0)))
	}
	v.setProvisioned(int64(n))
	r.reaper.expect() // those that were provisioned until now
	return nil
}

// Provisioned returns how many Instances of a version were asked for with SetProvisioned,
// how many of them are ready, running ones too, and how many have a place on the node,
// being made or ready. reason says why no more are being made where there are too few,
// and is empty otherwise: the status of AWS Lambda's GetProvisionedConcurrencyConfig is
// READY where available is requested, FAILED where there is a reason, and IN_PROGRESS
// else. All are 0 where nothing was asked for.
func (r *Runtime) Provisioned(name, number string) (requested, available, allocated int, reason string) {
	w := r.table.view(name)
	if w == nil || w.version(number) == nil {
		return 0, 0, 0, ""
	}
	v := w.version(number)
	want := v.provision.want.Load()
	if want == 0 {
		return 0, 0, 0, ""
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	p := &v.provision
	held := want
	if program := v.program.Load(); program == nil {
		held = 0
	} else if v.keeps(program) {
		held = min(held, v.live.Load())
	}
	ready := held
	if p.starting && ready > 0 && v.live.Load() <= want {
		ready--
	}
	if p.making == nil && held < want {
		switch {
		case p.err != nil:
			reason = p.err.Error()
		case v.target() < want:
			reason = "the function's concurrency is less than what is provisioned"
		case v.runtime.short.Load():
			reason = "other functions needed the memory; more are made when there is room"
		}
	}
	return int(want), int(ready), int(held), reason
}

// replenish makes Instances where versions have fewer than are provisioned.
func (r *Runtime) replenish() {
	if r.provisions.Load() > 0 && !r.closed.Load() {
		r.table.each((*version).replenish)
	}
}

// refill is called where an Instance of v has given its place back: it may have been one
// of those that are provisioned, or others had to go for it.
func (v *version) refill() {
	v.replenish()
	if r := v.runtime; r.short.Load() && r.short.CompareAndSwap(true, false) {
		r.replenish()
	}
}

// setProvisioned changes how many Instances are kept. A version that goes out of
// service is given 0.
func (v *version) setProvisioned(n int64) {
	was := v.provision.want.Swap(n)
	if was == 0 && n > 0 {
		v.runtime.provisions.Add(1)
	}
	if was > 0 && n == 0 {
		v.runtime.provisions.Add(-1)
	}
	if n > 0 {
		v.replenish()
	}
}

// hasSpare reports whether there are more Instances than are provisioned.
func (v *version) hasSpare() bool { return v.live.Load() > v.target() }

// target is how many of the provisioned Instances could have work.
func (v *version) target() int64 {
	want := v.provision.want.Load()
	if want == 0 {
		return 0
	}
	return min(want, v.quota.instances())
}

// keeps reports whether Instances wait for Invocations.
func (v *version) keeps(p *program) bool {
	return !v.fresh(p) || p.restored && p.resettable
}

// replenish begins to make Instances where there are fewer than are provisioned, unless
// that has begun.
func (v *version) replenish() {
	if v.runtime.provisions.Load() == 0 { // the usual case, without a lock
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.provision.making != nil || !v.lacks() || !v.hold() {
		return
	}
	v.provision.making = make(chan struct{})
	go v.provide()
}

// lacks reports whether there is something to provide.
func (v *version) lacks() bool {
	target := v.target()
	if target == 0 || v.runtime.closed.Load() {
		return false
	}
	p := v.program.Load()
	return p == nil || v.keeps(p) && v.live.Load() < target
}

// provide makes Instances until there are enough or one cannot be made.
func (v *version) provide() {
	defer v.leave()
	var err error
	for {
		v.mu.Lock()
		if err != nil || !v.lacks() {
			v.provision.err = err
			close(v.provision.making)
			v.provision.making = nil
			v.mu.Unlock()
			return
		}
		v.mu.Unlock()
		// Nobody waits for it: what it does is bounded by the time that starting may take.
		err = v.provideOne(context.Background())
	}
}

func (v *version) provideOne(ctx context.Context) error {
	p, err := v.load(ctx)
	if err != nil || !v.keeps(p) {
		return err
	}
	// Not at the cost of what others have provisioned.
	r := v.runtime
	if err := r.admitWhere(p.minimum, spareIdle); err != nil {
		r.short.Store(true) // whoever makes room from now on sees it; before, the next line does
		if err := r.admitWhere(p.minimum, spareIdle); err != nil {
			return err
		}
	}
	v.setStarting(true)
	defer v.setStarting(false)
	v.live.Add(1)
	begin := (*capi.Instance).Instantiate
	if v.fresh(p) {
		begin = (*capi.Instance).Restore
	}
	in, err := v.makeIdle(ctx, p, begin, true)
	if err != nil {
		return err
	}
	v.put(in, capi.Now())
	return nil
}

func (v *version) setStarting(starting bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.provision.starting = starting
}

// makeIdle makes an Instance without an Invocation, in a place that the caller has taken
// and that is given back after an error. serving says that it is for Invocations, and not
// to prove that it starts.
func (v *version) makeIdle(ctx context.Context, p *program, begin func(*capi.Instance, time.Duration) capi.Outcome, serving bool) (*instance, error) {
	r := v.runtime
	in, err := newInstance(p.template, r, &v.function)
	if err != nil {
		v.vacate()
		return nil, err
	}
	in.serving = serving
	r.ticker.begin(ctx, in)
	outcome := begin(in.shell, r.cfg.InitTimeout)
	r.ticker.end(in)
	if text, _ := in.shell.Log(); serving && len(text) > 0 && r.cfg.Logs != nil {
		r.cfg.Logs.AppendLog(v.function.Name, v.function.Version, RequestID{}, time.Now(), text)
	}
	if outcome != capi.OK {
		err := in.failure(ctx, outcome, r.cfg.InitTimeout)
		v.discard(in)
		return nil, startError("start", err)
	}
	return in, nil
}
