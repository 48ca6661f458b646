package scheduler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// A node that stops lets functions end, hands back what takes too long, and
// keeps what comes meanwhile.
func TestQueueStops(t *testing.T) {
	again := false
	inBubble(t, QueueConfig{Drain: 10 * time.Second}, func(ctx context.Context, inv *engine.Invocation, _ *engine.Result) error {
		wait := time.Hour
		if string(inv.Payload) == "short" || again {
			wait = 5 * time.Second
		}
		select {
		case <-time.After(wait):
			return nil
		case <-ctx.Done():
			return fmt.Errorf("f: %w", ctx.Err())
		}
	}, func(t *queueTest) {
		t.send("f", "short")
		t.send("f", "long")
		synctest.Wait()
		start := time.Now()
		if err := t.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("it took %s to stop", took)
		}
		t.send("f", "late")
		if got := t.stats(); got.Jobs != 2 || got.Running != 0 {
			t.Errorf("left is %+v", got)
		}
		again = true
		t.queue = NewQueue(QueueConfig{Store: t.store, Invoker: t.engine})
		t.run()
		time.Sleep(time.Minute)
		want := map[string]int{"short": 1, "long": 2, "late": 1}
		got := map[string]int{}
		for _, run := range t.engine.ran() {
			got[strings.Fields(run)[1]]++
		}
		if !maps.Equal(got, want) || t.stats().Jobs != 0 {
			t.Errorf("ran %v, want %v; left is %+v", got, want, t.stats())
		}
	})
}

// What was being run when the node went down is run again, but not for ever.
func TestQueueAfterACrash(t *testing.T) {
	inBubble(t, QueueConfig{}, succeed, func(t *queueTest) {
		if err := t.stop(); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if _, err := t.store.Enqueue(persist.Job{ID: "id", Function: "f", Payload: []byte("once"), Interrupted: i * 3}, persist.DefaultQueueLimits(), true); err != nil {
				t.Fatal(err)
			}
		}
		t.queue = NewQueue(QueueConfig{Store: t.store, Invoker: t.engine})
		t.run()
		if runs := t.engine.ran(); len(runs) != 2 {
			t.Errorf("ran %q", runs)
		}
		want := []string{"f once: the node went down, or the function never came back, 7 times while it worked on the event; "}
		if got := t.letters(); !slices.Equal(got, want) {
			t.Errorf("dead letters %q, want %q", got, want)
		}
	})
}

// A disk that fails holds things up and loses nothing.
func TestQueueOnAFailingDisk(t *testing.T) {
	inBubble(t, QueueConfig{}, succeed, func(t *queueTest) {
		if err := t.stop(); err != nil {
			t.Fatal(err)
		}
		store := &failingStore{Store: t.store}
		t.queue = NewQueue(QueueConfig{Store: store, Invoker: t.engine})
		t.run()
		store.failNext(3)
		t.send("f", "1")
		time.Sleep(time.Minute)
		if got := t.stats(); got.Jobs != 0 {
			t.Errorf("left is %+v", got)
		}
		if err := t.stop(); err != nil {
			t.Fatal(err)
		}
		t.send("f", "2")
		store.failNext(3) // of them ReleaseLeases, without which nothing would run
		t.run()
		time.Sleep(time.Minute)
		if got := t.stats(); got.Jobs != 0 || len(t.engine.ran()) != 2 {
			t.Errorf("left is %+v, ran %q", got, t.engine.ran())
		}
	})
}

// An idle queue sleeps: nothing wakes it but an event, or the time of one.
func TestQueueSleeps(t *testing.T) {
	leases := &countingStore{}
	inBubble(t, QueueConfig{}, succeed, func(t *queueTest) {
		if err := t.stop(); err != nil {
			t.Fatal(err)
		}
		leases.Store = t.store
		t.queue = NewQueue(QueueConfig{Store: leases, Invoker: t.engine})
		t.run()
		before := leases.leases.Load()
		time.Sleep(1000 * time.Hour)
		if n := leases.leases.Load() - before; n != 0 {
			t.Errorf("it looked %d times while there was nothing", n)
		}
		job := persist.Job{ID: "id", Function: "f", Due: time.Now().Add(30 * time.Minute)}
		if _, err := t.store.Enqueue(job, persist.DefaultQueueLimits(), false); err != nil {
			t.Fatal(err)
		}
		t.queue.Wake()
		time.Sleep(29 * time.Minute)
		if n := leases.leases.Load() - before; n != 1 {
			t.Errorf("it looked %d times before the event was due", n)
		}
		time.Sleep(time.Minute + time.Second)
		if runs := t.engine.ran(); len(runs) != 1 {
			t.Errorf("ran %q", runs)
		}
	})
}

// expiringStore counts calls of ExpireLeases, some of which it refuses. It takes the
// caller for one that never rests when there are too many.
type expiringStore struct {
	*persist.Store
	calls, fails atomic.Int64
}

func (s *expiringStore) ExpireLeases(jobs []persist.Job) (int, error) {
	if s.calls.Add(1) > 20 {
		return 0, persist.ErrClosed
	}
	if s.fails.Add(-1) >= 0 {
		return 0, errors.New("disk full")
	}
	return s.Store.ExpireLeases(jobs)
}

// A lease that is over is looked at once, or once in a while where the disk fails, also
// when the function was deleted while its worker was stuck.
func TestQueueRestsAfterALease(t *testing.T) {
	for _, test := range []struct {
		what   string
		fails  int64
		delete bool
		want   int64
	}{
		{"its function is deleted", 0, true, 1},
		{"the disk fails", 3, false, 3},
	} {
		t.Run(test.what, func(t *testing.T) {
			stuck := func(ctx context.Context, _ *engine.Invocation, _ *engine.Result) error {
				if time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) < persist.LeaseTime { // the first attempt
					time.Sleep(time.Hour)
				}
				return nil
			}
			inBubble(t, QueueConfig{}, stuck, func(t *queueTest) {
				if err := t.stop(); err != nil {
					t.Fatal(err)
				}
				store := &expiringStore{Store: t.store}
				store.fails.Store(test.fails)
				t.queue = NewQueue(QueueConfig{Store: store, Invoker: t.engine})
				t.run()
				t.send("f", "1")
				time.Sleep(time.Minute)
				if test.delete {
					if _, err := t.store.DeleteFunction("f"); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(persist.LeaseTime - time.Minute + 2*storePause + time.Second)
				if got := store.calls.Load(); got != test.want {
					t.Errorf("%d attempts to take it back, want %d", got, test.want)
				}
				time.Sleep(2 * time.Hour)
				if got := t.stats(); got.Jobs != 0 {
					t.Errorf("left is %+v", got)
				}
			})
		})
	}
}
