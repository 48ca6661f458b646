package gateway

import "sync"

// recent keeps what was used lately, at most twice maxRecent entries: when the
// new half is full it becomes the old one, and what nobody asked for since is
// forgotten. It is safe for concurrent use.
type recent[K comparable, V any] struct {
	mu       sync.Mutex // held for a few instructions, with no other lock taken
	now, old map[K]V
}

const maxRecent = 512

func newRecent[K comparable, V any]() *recent[K, V] {
	return &recent[K, V]{now: make(map[K]V)}
}

func (r *recent[K, V]) get(key K) (v V, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, found = r.now[key]; found {
		return v, true
	}
	if v, found = r.old[key]; found {
		r.keep(key, v)
	}
	return v, found
}

func (r *recent[K, V]) put(key K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(key, v)
}

func (r *recent[K, V]) keep(key K, v V) {
	if len(r.now) >= maxRecent {
		r.now, r.old = make(map[K]V), r.now
	}
	r.now[key] = v
}
