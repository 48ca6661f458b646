package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"ledge/engine/capi"
	"ledge/engine/outbound"
)

// Runtime runs functions. Deploy and Invoke are its doors; all methods are
// safe for concurrent use.
type Runtime struct {
	cfg       Config
	budget    int64
	machine   *machine
	node      *capi.Node
	artifacts *artifacts
	outbound  *outbound.Client
	ticker    *ticker
	reaper    *reaper
	languages map[string]*language
	making    sync.RWMutex  // shared by those who make them ready, held alone by Collect
	closing   chan struct{} // closed when Close has begun

	// snapshots counts the programs that use a Snapshot, by its name.
	snapshots struct {
		sync.Mutex
		users map[string]int
	}

	table     table
	instances atomic.Int64 // with a function in them
	versions  sync.WaitGroup
	// provisions counts the versions that have provisioned Instances.
	provisions atomic.Int64
	// short says that provisioned Instances had to go, or could not be made, for want of room.
	short atomic.Bool

	// building is shared by those who make artifacts and held alone by Collect.
	// Lock order: building, changing, language.mu, version.mu.
	building sync.RWMutex
	changing sync.Mutex // held while the table changes
	closed   atomic.Bool
}

// Open starts an engine. Close must be called in the end.
func Open(cfg Config) (*Runtime, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("engine settings: %w", err)
	}
	cfg.Region = cmp.Or(cfg.Region, DefaultRegion)
	m, err := newMachine(cfg)
	if err != nil {
		return nil, err
	}
	r := &Runtime{cfg: cfg, machine: m, budget: cfg.MemoryBudget, outbound: outbound.New(), languages: newLanguages(), closing: make(chan struct{})}
	if r.artifacts, err = newArtifacts(cfg.ArtifactDir, cfg.DeviceKey, m); err != nil {
		m.close()
		return nil, err
	}
	if r.budget == 0 {
		r.budget = machineMemory() / 2
	}
	r.node = capi.NewNode(r.budget, capi.CanRenice())
	r.ticker = newTicker(m.engine, r.relieve)
	r.reaper = &reaper{runtime: r, after: cfg.IdleTimeout}
	return r, nil
}

// Close waits for the Invocations and deploys under way and frees everything; but it
// does not wait for a language that is being compiled, which ends with the process.
// Invoke and Deploy return ErrClosed from now on.
func (r *Runtime) Close() error {
	r.changing.Lock()
	if r.closed.Swap(true) {
		r.changing.Unlock()
		return nil
	}
	var live []*version
	r.table.each(func(v *version) { live = append(live, v) })
	r.table.names.Clear()
	close(r.closing)
	r.changing.Unlock()

	r.reaper.close()
	for _, v := range live {
		v.retire()
	}
	r.versions.Wait()
	r.building.Lock() // whoever builds from now on sees closed first
	defer r.building.Unlock()
	if !r.making.TryLock() {
		// A language is being compiled, which nothing can stop and takes a small device
		// minutes. Nothing is lost with it: let the process go.
		r.outbound.Close()
		return nil
	}
	for _, l := range r.languages {
		if l.isReady() && l.start.err == nil {
			l.start.code.Close()
		}
		for _, code := range l.codes {
			code.Close()
		}
	}
	r.ticker.close()
	r.outbound.Close()
	r.machine.close()
	return nil
}

// Deploy compiles f, captures its Snapshot and proves that it starts. Then it
// calls commit, which may be nil, and if that succeeds makes f live in place of
// what was live under its name and version; Invocations under way end where
// they began. After an error nothing has changed. What is wrong with f is a
// *DeployError.
func (r *Runtime) Deploy(ctx context.Context, f Function, commit func() error) (Deployment, error) {
	f = f.clone().withDefaults()
	if err := f.Validate(); err != nil {
		return Deployment{}, err
	}
	if err := f.checkReserved(); err != nil {
		return Deployment{}, err
	}
	r.building.RLock()
	defer r.building.RUnlock()
	if r.closed.Load() {
		return Deployment{}, ErrClosed
	}
	v := newVersion(r, f)
	p, d, err := r.build(ctx, &v.function)
	if err != nil {
		return d, err
	}
	v.program.Store(p)
	if err := r.prove(ctx, v, p); err != nil {
		v.free()
		return d, err
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	if r.closed.Load() {
		v.free()
		return d, ErrClosed
	}
	if commit != nil {
		if err := commit(); err != nil {
			v.free()
			return d, err
		}
	}
	r.swap(v)
	return d, nil
}

// prove makes one Instance and, where it can serve, leaves it in the Pool.
func (r *Runtime) prove(ctx context.Context, v *version, p *program) error {
	if err := v.admit(p.minimum); err != nil {
		return err
	}
	in, err := v.makeIdle(ctx, p, (*capi.Instance).Instantiate, false)
	if err != nil {
		return err
	}
	if v.fresh(p) {
		v.discard(in)
		return nil
	}
	v.put(in, capi.Now())
	return nil
}

// startError says why a module did not start. A node without room, or a caller
// that went away, is not the module's fault.
func startError(op string, err error) error {
	var timeout *TimeoutError
	switch {
	case errors.As(err, &timeout):
		return &DeployError{Op: op, Why: fmt.Sprintf("its start-up code did not end within %s", timeout.After), Hint: "do less before the first event", Err: err}
	case errors.Is(err, ErrOverloaded), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &DeployError{Op: op, Why: err.Error(), Hint: "its start-up code must end by itself, within its limits and without an error", Err: err}
}

// swap makes v live. The caller holds changing.
func (r *Runtime) swap(v *version) {
	var old *version
	r.versions.Add(1)
	r.table.change(v.function.Name, func(w *view) {
		v.quota = w.quota
		if first := w.latest == nil && len(w.versions) == 0; first || v.function.Version == Latest {
			w.quota.limit.Store(int64(v.function.Limits.Concurrency))
		}
		if v.function.Version == Latest {
			old, w.latest = w.latest, v
			return
		}
		old = w.versions[v.function.Version]
		w.versions[v.function.Version] = v
	})
	if old == nil {
		return
	}
	if n := old.provision.want.Load(); n > 0 {
		v.setProvisioned(n)
	}
	old.retire()
}

// Register makes f live without looking at its code, which is loaded at the
// first Invocation. It is for functions that were deployed before.
func (r *Runtime) Register(f Function) error {
	f = f.clone().withDefaults()
	if err := f.Validate(); err != nil {
		return err
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	r.swap(newVersion(r, f))
	if f.language() {
		r.expect(r.languages[f.Runtime])
	}
	return nil
}

// Remove takes a version of a function out of service, or all of them and its
// aliases where number is empty. Invocations under way end as they would. What
// is not there is no error.
func (r *Runtime) Remove(name, number string) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	var gone []*version
	r.table.change(name, func(w *view) {
		if number == "" {
			w.each(func(v *version) { gone = append(gone, v) })
			*w = view{}
			return
		}
		if v := w.version(number); v != nil {
			gone = append(gone, v)
		}
		if number == Latest {
			w.latest = nil
		} else {
			delete(w.versions, number)
		}
	})
	for _, v := range gone {
		v.retire()
	}
	return nil
}

// SetAlias points an alias at a version, and a share of its Invocations, from 0
// to 1, at others. It returns ErrNotFound where the function is not live.
func (r *Runtime) SetAlias(name, aliasName, number string, weights map[string]float64) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	if r.table.view(name) == nil {
		return fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	r.table.change(name, func(w *view) { w.aliases[aliasName] = alias{number, maps.Clone(weights)} })
	return nil
}

// RemoveAlias removes an alias. One that is not there is no error.
func (r *Runtime) RemoveAlias(name, aliasName string) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	if r.table.view(name) != nil {
		r.table.change(name, func(w *view) { delete(w.aliases, aliasName) })
	}
	return nil
}

// Stats is what the engine holds at a moment.
type Stats struct {
	Instances    int   // with a function in them, idle or running
	MaxInstances int   //
	Running      int   // Invocations under way
	Memory       int64 // bytes of linear memory of all Instances
	MemoryBudget int64 // bytes
	AddressBits  int   // 47 where Instances have 4 GiB each, else 39
}

// Stats returns what the engine holds now.
func (r *Runtime) Stats() Stats {
	bits := 39
	if r.machine.layout.reservation == wide.reservation {
		bits = 47
	}
	return Stats{
		Instances:    int(r.instances.Load()),
		MaxInstances: r.machine.layout.instances,
		Running:      int(r.ticker.running.Load()),
		Memory:       r.node.Used(),
		MemoryBudget: r.budget,
		AddressBits:  bits,
	}
}
