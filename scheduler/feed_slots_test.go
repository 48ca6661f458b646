package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
)

// TestSlots: a feed has at most half of what is free, who asked first comes first, and
// who gave up waiting takes nothing.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(8)
		got := map[string]int{}
		ctx, stop := context.WithCancel(t.Context())
		ask := func(ctx context.Context, mapping string, n int) {
			for range n {
				go func() {
					if s.acquire(ctx, mapping) {
						s.mu.Lock()
						got[mapping]++
						s.mu.Unlock()
					}
				}()
			}
			synctest.Wait()
		}
		want := func(mapping string, n int) {
			t.Helper()
			s.mu.Lock()
			defer s.mu.Unlock()
			if got[mapping] != n {
				t.Errorf("%s has %d slots, want %d", mapping, got[mapping], n)
			}
		}
		ask(ctx, "a", 10)
		want("a", 4)
		ask(t.Context(), "b", 10)
		want("b", 2)
		ask(t.Context(), "c", 1)
		want("c", 1)
		ask(t.Context(), "d", 1)
		want("d", 1)
		ask(t.Context(), "e", 1)
		want("e", 0)
		stop() // the six others of a wait no more
		synctest.Wait()
		s.release("a")
		synctest.Wait()
		want("a", 4)
		want("b", 2) // they asked before e, and have more than is free
		want("e", 1)
		for _, mapping := range []string{"a", "a", "a", "c", "d", "e"} {
			s.release(mapping)
		}
		synctest.Wait()
		want("b", 4) // and four are free
		for range 6 {
			s.release("b")
			synctest.Wait()
		}
		want("b", 10)
		for range 4 {
			s.release("b")
		}
		if s.free != 8 || len(s.busy) != 0 || len(s.waiting) != 0 {
			t.Errorf("%d free, busy %v, %d waiting", s.free, s.busy, len(s.waiting))
		}
	})
}
