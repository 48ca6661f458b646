package gateway

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// bucket is a token bucket without a lock, in the form of the generic cell rate
// algorithm: one number says when the bucket will be full again, and a request
// moves it by the time that one token takes.
type bucket struct {
	limit    Throttle
	interval int64 // nanoseconds that one token takes; 0 for a Rate of zero
	depth    int64 // nanoseconds that Burst tokens take
	// state is shared with the buckets that took over from this one. It is when
	// the bucket is full again, on the server's own clock; with a Rate of zero,
	// the number of tokens taken.
	state *atomic.Int64
}

// Bounds of a Throttle. maxFill keeps sums of times in an int64.
const (
	maxRate  = 1e6
	maxBurst = 1e6
	maxFill  = 1e9 // seconds that an empty bucket may take to be full
)

func newBucket(limit Throttle) (*bucket, error) {
	switch {
	case math.IsNaN(limit.Rate) || limit.Rate < 0 || limit.Rate > maxRate:
		return nil, fmt.Errorf("a rate of %v a second is out of range: use 0 to %v", limit.Rate, maxRate)
	case limit.Burst < 0 || limit.Burst > maxBurst:
		return nil, fmt.Errorf("a burst of %d is out of range: use 0 to %v", limit.Burst, maxBurst)
	case limit.Rate > 0 && float64(limit.Burst+1)/limit.Rate > maxFill:
		return nil, fmt.Errorf("a rate of %v a second never fills a burst of %d", limit.Rate, limit.Burst)
	}
	b := &bucket{limit: limit, state: new(atomic.Int64)}
	if limit.Rate > 0 {
		b.interval = int64(float64(time.Second) / limit.Rate)
		b.depth = b.interval * int64(limit.Burst)
	}
	return b, nil
}

// take takes a token and reports whether there was one. now is the time since
// some moment that does not change; it need not be monotonic between callers.
func (b *bucket) take(now time.Duration) bool {
	for {
		full := b.state.Load()
		var next int64
		if b.interval == 0 {
			if next = full + 1; next > int64(b.limit.Burst) {
				return false
			}
		} else if next = max(full, int64(now)) + b.interval; next-int64(now) > b.depth {
			return false
		}
		if b.state.CompareAndSwap(full, next) {
			return true
		}
	}
}

// inherit goes on where old is, if its limit is the same.
func (b *bucket) inherit(old *bucket) {
	if b.limit == old.limit {
		b.state = old.state
	}
}
