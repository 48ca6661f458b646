package persist

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowDisk are faults that make each commit take that long, and count commits.
func slowDisk(commits *int, takes time.Duration) *faults {
	return &faults{before: func(at step) error {
		if at == stepCommit {
			*commits++ // by the committing goroutine alone
			time.Sleep(takes)
		}
		return nil
	}}
}

// Callers that come back at once go on together, and not in two halves.
func TestCrowdStaysTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers, rounds = 8, 10
		commits := 0
		s := openStore(t, t.TempDir(), Options{faults: slowDisk(&commits, 4*time.Millisecond)})
		began := time.Now()
		var all sync.WaitGroup
		for caller := range callers {
			all.Go(func() {
				for range rounds {
					if err := s.PutSetting(fmt.Sprint(caller), "x"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		// The first comes alone, its last round is without it.
		if commits > rounds+1 {
			t.Errorf("%d callers took %d commits for %d writes each", callers, commits, rounds)
		}
		// One moment was for those that had done.
		if took, most := time.Since(began), time.Duration(commits)*4*time.Millisecond+time.Millisecond; took > most {
			t.Errorf("it took %v, %d commits and a moment take %v: they waited although all were there", took, commits, most)
		}
	})
}

// A writer alone finds no moment to wait out, and behind a crowd at most one.
func TestLoneWriterDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = 4 * time.Millisecond
		commits := 0
		s := openStore(t, t.TempDir(), Options{faults: slowDisk(&commits, takes)})
		put := func() time.Duration {
			began := time.Now()
			if err := s.PutSetting("k", "v"); err != nil {
				t.Error(err)
			}
			return time.Since(began)
		}
		for range 3 {
			if took := put(); took != takes {
				t.Errorf("a write took %v, the commit %v", took, takes)
			}
		}
		var crowd sync.WaitGroup
		for range 5 {
			crowd.Go(func() { put() })
		}
		crowd.Wait()
		if took := put(); took > takes+takes/gatherPart {
			t.Errorf("behind a crowd that did not come back a write took %v", took)
		}
		if took := put(); took != takes {
			t.Errorf("the next took %v, the commit %v", took, takes)
		}
	})
}

func TestGatheringMoment(t *testing.T) {
	for _, c := range []struct {
		name              string
		released, waiting int
		took              time.Duration
		crowd             int
		longest           time.Duration
	}{
		{"nobody", 0, 0, time.Millisecond, 0, 0},
		{"a lone writer", 1, 0, time.Millisecond, 0, 0},
		{"two in turns", 1, 1, time.Millisecond, 2, 250 * time.Microsecond},
		{"a crowd", 16, 16, time.Millisecond, 32, 250 * time.Microsecond},
		{"a slow disk", 16, 16, time.Second, 32, gatherLongest},
		{"more than a batch holds", 200, 200, time.Millisecond, maxBatchWrites, 250 * time.Microsecond},
		{"a batch that is full", 200, maxBatchWrites, time.Millisecond, 0, 0},
	} {
		var g gathering
		g.committed(c.released, c.waiting, c.took)
		if crowd, longest := g.moment(c.waiting); crowd != c.crowd || longest != c.longest {
			t.Errorf("%s: it waits for %d, %v; want %d, %v", c.name, crowd, longest, c.crowd, c.longest)
		}
	}
}

// Moments that bring nobody become rare, and usual again with the first that does.
func TestUselessMomentsAreLeftOut(t *testing.T) {
	var g gathering
	moments := func(batches int, came int) (n int) {
		for range batches {
			g.committed(10, 2, time.Millisecond)
			if crowd, _ := g.moment(2); crowd > 0 {
				g.ended(crowd, 2+came)
				n++
			}
		}
		return n
	}
	if n := moments(1000, 1); n > 25 {
		t.Errorf("%d of 1000 batches waited for a crowd that never came", n)
	}
	if n := moments(1000, 10); n < 900 {
		t.Errorf("%d of 1000 batches waited for a crowd that comes", n)
	}
}
