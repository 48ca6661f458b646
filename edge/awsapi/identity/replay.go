package identity

import (
	"sync"
	"time"
)

const (
	maxSightings   = 32768
	purgeInterval  = time.Minute
	maxChangeValid = time.Hour // of a presigned request that changes something
)

// replays remembers the signatures of requests that changed something.
type replays struct {
	mu       sync.Mutex
	seen     map[[32]byte]sighting
	purged   time.Time
	capacity int // 0 means maxSightings
}

type sighting struct {
	connection uint64
	until      time.Time // the signature is not valid after it
}

// admission is what becomes of a signature.
type admission uint8

const (
	admitted admission = iota
	seenElsewhere
	noRoom
)

// admit remembers a signature that is valid until then, unless it was seen on
// another connection. Connection 0 is none that is known, and not the same as
// another 0.
func (r *replays) admit(signature [32]byte, connection uint64, until, now time.Time) admission {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, found := r.seen[signature]; found {
		if s.connection != connection || connection == 0 {
			return seenElsewhere
		}
		return admitted
	}
	capacity := r.capacity
	if capacity == 0 {
		capacity = maxSightings
	}
	if age := now.Sub(r.purged); age >= purgeInterval || age < 0 || r.seen == nil {
		r.purge(now)
	}
	if len(r.seen) >= capacity {
		return noRoom
	}
	r.seen[signature] = sighting{connection, until}
	return admitted
}

// forget lets a signature be used once more.
func (r *replays) forget(signature [32]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, signature)
}

// purge removes what is refused for its age. Caller holds mu.
func (r *replays) purge(now time.Time) {
	r.purged = now
	if r.seen == nil {
		r.seen = map[[32]byte]sighting{}
	}
	for signature, s := range r.seen {
		if s.until.Before(now) {
			delete(r.seen, signature)
		}
	}
}
