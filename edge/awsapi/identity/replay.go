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
	of       map[string]int // how many of them each key has; none are left out
	purged   time.Time
	capacity int // 0 means maxSightings
}

type sighting struct {
	key        string // its ID
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

// admit remembers a signature of a key that is valid until then, unless it was
// seen on another connection. A key has half of the room, so that who fills it
// does not keep all others from changing anything. Connection 0 is none that is known, and not the same as
// another 0.
func (r *replays) admit(signature [32]byte, key string, connection uint64, until, now time.Time) admission {
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
	if len(r.seen) >= capacity || r.of[key] >= (capacity+1)/2 {
		return noRoom
	}
	r.seen[signature] = sighting{key, connection, until}
	r.of[key]++
	return admitted
}

// forget lets a signature be used once more.
func (r *replays) forget(signature [32]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(signature)
}

// drop removes a signature. Caller holds mu.
func (r *replays) drop(signature [32]byte) {
	s, found := r.seen[signature]
	if !found {
		return
	}
	delete(r.seen, signature)
	if r.of[s.key]--; r.of[s.key] <= 0 {
		delete(r.of, s.key)
	}
}

// purge removes what is refused for its age. Caller holds mu.
func (r *replays) purge(now time.Time) {
	r.purged = now
	if r.seen == nil {
		r.seen, r.of = map[[32]byte]sighting{}, map[string]int{}
	}
	for signature, s := range r.seen {
		if s.until.Before(now) {
			r.drop(signature)
		}
	}
}
