package engine

import (
	"fmt"
	"strings"
)

// Names of artifacts. Each is made from all that its content depends on.

func (r *Runtime) moduleName(p *plan) string { return r.artifacts.name("module", p.wasm) }
func (r *Runtime) codeName(p *plan) string   { return r.artifacts.name("code", p.parts.Code) }

// imageName covers what the initialisation of a module can see and is not the
// outside world's: its code and files, its environment, its name, its memory
// limit. The function's variables, replies over HTTP, the time and randomness are
// in a Snapshot as they were when it was taken.
func (r *Runtime) imageName(f *Function, p *plan, env []string) string {
	return r.artifacts.name("image", p.wasm, f.content(), []byte(strings.Join(env, "\x00")), []byte(f.Name),
		fmt.Append(nil, f.Limits.Memory, p.init))
}

// content identifies all files that f has.
func (f *Function) content() []byte { return []byte(f.CodeHash + f.LayerHash) }

// useSnapshot counts a program in that uses the Snapshot of that name.
func (r *Runtime) useSnapshot(p *program, name string) {
	r.snapshots.Lock()
	defer r.snapshots.Unlock()
	if r.snapshots.users == nil {
		r.snapshots.users = map[string]int{}
	}
	r.snapshots.users[name]++
	p.snapshot = name
}

// dropSnapshot counts a program out, and with the last one deletes the Snapshot: its
// function was replaced or removed, and each change of code makes another. One that
// is being opened meanwhile is taken anew.
func (r *Runtime) dropSnapshot(name string) {
	if name == "" {
		return
	}
	r.snapshots.Lock()
	defer r.snapshots.Unlock()
	if r.snapshots.users[name]--; r.snapshots.users[name] > 0 {
		return
	}
	delete(r.snapshots.users, name)
	if r.closed.Load() {
		return // it is there for the next start
	}
	state, ok, err := r.artifacts.loadState(name)
	if !ok || err != nil {
		return // Collect finds what is left of it
	}
	if state.Delta != nil {
		r.artifacts.remove(name + deltaSuffix)
	} else {
		r.artifacts.remove(state.Image + artifactSuffix)
	}
	r.artifacts.remove(name + stateSuffix)
}

// Collect deletes the artifacts that no live function uses. It waits for
// deploys and loads under way and holds up new ones meanwhile.
func (r *Runtime) Collect() (removed int, err error) {
	r.building.Lock()
	defer r.building.Unlock()
	if r.closed.Load() {
		return 0, ErrClosed
	}
	if !r.making.TryLock() {
		return 0, nil // a language is being made ready, and its files look unused: another time
	}
	defer r.making.Unlock()
	keep := map[string]bool{}
	for _, l := range r.languages {
		r.keepLanguage(l, keep)
	}
	r.table.each(func(v *version) {
		if v.function.language() {
			r.keepOfLanguage(&v.function, keep)
			return
		}
		plan, err := r.inspect(&v.function)
		if err != nil {
			return // it cannot be built, so it needs nothing
		}
		keep[r.moduleName(plan)] = true
		if plan.parts != nil {
			keep[r.codeName(plan)] = true
			name := r.imageName(&v.function, plan, r.templateConfig(&v.function, plan).Env)
			keep[name] = true
			if state, ok, err := r.artifacts.loadState(name); ok && err == nil {
				keep[state.Image] = true
			}
		}
	})
	return r.artifacts.collect(keep)
}
