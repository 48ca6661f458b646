package identity

import (
	"net/netip"
	"sync"
	"time"
)

// See the package comment for what these mean.
const (
	freeFailures  = 5   // of a key from an address
	manyFailures  = 100 // of a key, or of an address, after which one is free
	firstDelay    = time.Second
	longestDelay  = 5 * time.Minute
	quietTime     = 15 * time.Minute // after which failures are forgotten
	maxOffenders  = 4096
	evictionTries = 16
)

// brake slows down who guesses. It only says so; nobody waits here. A peer whose
// address is not known is not slowed down: everybody else of that kind would be,
// too.
type brake struct {
	mu       sync.Mutex
	pairs    map[pair]*failures
	peers    map[netip.Prefix]*failures
	keys     map[string]*failures // known keys only, and "" for all others
	capacity int                  // of each map; 0 means maxOffenders
}

type pair struct {
	peer netip.Prefix
	key  string
}

type failures struct {
	count int
	last  time.Time // of the last one
	until time.Time // refused before
}

// origin is what counts as one address. Whoever has an IPv6 address has a /64.
// It is not valid where peer is not.
func origin(peer netip.Addr) netip.Prefix {
	peer = peer.Unmap().WithZone("")
	bits := 64
	if peer.Is4() {
		bits = 32
	}
	p, err := peer.Prefix(bits)
	if err != nil { // it is no address
		return netip.Prefix{}
	}
	return p
}

// wait returns for how long requests with that key from peer are refused.
func (b *brake) wait(peer netip.Addr, key string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.pairs[pair{origin(peer), key}]
	if f == nil {
		return 0
	}
	wait := f.until.Sub(now)
	if wait < 0 || wait > longestDelay { // it is over, or the clock was set back
		return 0
	}
	return wait
}

// failed notes that a request with that key from peer had wrong credentials. An
// unknown key is "".
func (b *brake) failed(peer netip.Addr, key string, now time.Time) {
	from := origin(peer)
	if !from.IsValid() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pairs == nil {
		b.pairs, b.peers, b.keys = map[pair]*failures{}, map[netip.Prefix]*failures{}, map[string]*failures{}
	}
	capacity := b.capacity
	if capacity == 0 {
		capacity = maxOffenders
	}
	f := note(b.pairs, pair{from, key}, capacity, now)
	free := freeFailures
	ofPeer, ofKey := note(b.peers, from, capacity, now), note(b.keys, key, capacity, now)
	// Unknown keys are no key that is under attack.
	if ofPeer.count > manyFailures || key != "" && ofKey.count > manyFailures {
		free = 1
	}
	if excess := f.count - free; excess >= 0 {
		f.until = now.Add(min(firstDelay<<min(excess, 16), longestDelay))
	}
}

// succeeded forgets the failures with that key from peer: who has the secret now
// need not guess it.
func (b *brake) succeeded(peer netip.Addr, key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.pairs, pair{origin(peer), key})
}

// note counts one failure and makes room for it where there is none.
func note[K comparable](counters map[K]*failures, key K, capacity int, now time.Time) *failures {
	f := counters[key]
	if f == nil {
		if len(counters) >= capacity {
			evict(counters)
		}
		f = &failures{}
		counters[key] = f
	}
	if age := now.Sub(f.last); age > quietTime || age < -quietTime {
		f.count = 0
	}
	f.count++
	f.last = now
	return f
}

// evict removes the quietest of some counters that Go's random order of maps
// brings up.
func evict[K comparable](counters map[K]*failures) {
	var victim K
	var oldest *failures
	tries := 0
	for key, f := range counters {
		if oldest == nil || f.last.Before(oldest.last) {
			victim, oldest = key, f
		}
		if tries++; tries >= evictionTries {
			break
		}
	}
	delete(counters, victim)
}
