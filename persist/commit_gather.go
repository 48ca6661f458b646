package persist

import "time"

// Callers that were just released often come back at once: a worker of the queue
// settles an event and leases the next, a client sends one event after the other.
// If the next commit began without them, they would come while it is at the disk,
// and a crowd would go on in two halves, each with an fsync of its own. So after a
// commit that a crowd shared, the next one gives those that were released a moment
// to come back.
//
// A lone writer never waits: there is no crowd. A crowd that does not come back
// costs those that wait already a moment, and then the moment is left out for a
// while.
const (
	// gatherPart is which part of the last commit's time a moment has at most. It
	// costs less than what it may save, a commit.
	gatherPart = 4
	// gatherLongest bounds a moment after a commit of a disk that is very slow.
	gatherLongest = 2 * time.Millisecond
	// gatherRest is how many batches go without a moment after one that brought
	// less than half of the crowd. It doubles each time up to gatherLongestRest.
	gatherRest        = 2
	gatherLongestRest = 64
)

// gathering is what is known of the last batch, for the next one.
type gathering struct {
	released int           // writers of the last batch
	waited   int           // for the next one, when those were released
	took     time.Duration // its commit
	rest     int           // batches to go without a moment
	lastRest int           // how many there were to go the last time
}

// committed notes a batch before its writers are released.
func (g *gathering) committed(writers, waiting int, took time.Duration) {
	g.released, g.waited, g.took = writers, waiting, took
}

// moment returns for how many writers the next batch waits, and how long at most,
// where waiting of them are there. It returns 0 where the batch is not to wait.
func (g *gathering) moment(waiting int) (crowd int, longest time.Duration) {
	crowd = min(g.waited+g.released, maxBatchWrites)
	if crowd < 2 || crowd <= waiting {
		return 0, 0
	}
	if g.rest > 0 {
		g.rest--
		return 0, 0
	}
	return crowd, min(g.took/gatherPart, gatherLongest)
}

// ended notes how many wait after a moment for a crowd.
func (g *gathering) ended(crowd, waiting int) {
	if 2*(waiting-g.waited) >= crowd-g.waited {
		g.lastRest = 0
		return
	}
	g.lastRest = min(max(2*g.lastRest, gatherRest), gatherLongestRest)
	g.rest = g.lastRest
}

// waiting returns how many writers wait for the next batch.
func (s *Store) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// gather waits until the crowd of the last batch is back, or for a moment.
func (s *Store) gather() {
	s.mu.Lock()
	crowd, longest := s.gathering.moment(len(s.queue))
	if crowd == 0 || longest <= 0 || s.closed {
		s.mu.Unlock()
		return
	}
	s.crowd = crowd
	s.mu.Unlock()

	timer := time.NewTimer(longest)
	select {
	case <-s.gathered:
	case <-timer.C:
	}
	timer.Stop()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.crowd = 0
	select { // the crowd was there just as the moment was over
	case <-s.gathered:
	default:
	}
	s.gathering.ended(crowd, len(s.queue))
}
