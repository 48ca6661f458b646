package scheduler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// submit sends an event of f.
func (t *queueTest) submit(event string, with persist.Job) persist.Job {
	t.Helper()
	with.Function, with.Payload = "f", []byte(event)
	job, err := t.queue.Submit(with)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// events returns the events that ran, in order.
func (t *queueTest) events() string {
	var events []string
	for _, run := range t.engine.ran() {
		events = append(events, strings.Fields(run)[1])
	}
	return strings.Join(events, " ")
}

// The events of a key run one at a time and in order, across retries and what is given
// up; one that waits to be tried again holds up those behind it and nobody else.
func TestQueueKeepsOrder(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	inBubble(t, QueueConfig{}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		event := string(inv.Payload)
		if event[0] != 'a' {
			return nil
		}
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		time.Sleep(time.Second)
		mu.Lock()
		running--
		mu.Unlock()
		if event == "a2" {
			return valueError()
		}
		return nil
	}, func(t *queueTest) {
		for i := range 4 {
			t.submit(fmt.Sprint("a", i), persist.Job{OrderKey: "a"})
		}
		t.submit("b0", persist.Job{OrderKey: "b"})
		t.submit("free", persist.Job{})
		time.Sleep(30 * time.Second)
		if got := t.events(); got != "a0 b0 free a1 a2" {
			t.Errorf("at first ran %q", got)
		}
		t.submit("a4", persist.Job{OrderKey: "a"})
		t.submit("b1", persist.Job{OrderKey: "b"})
		time.Sleep(time.Hour)
		if got := t.events(); got != "a0 b0 free a1 a2 b1 a2 a2 a3 a4" {
			t.Errorf("in the end ran %q", got)
		}
		mu.Lock()
		defer mu.Unlock()
		if most != 1 {
			t.Errorf("%d events of the key ran at the same time", most)
		}
		if got := t.stats(); got.Jobs != 0 || got.DeadLetters != 1 {
			t.Errorf("left is %+v", got)
		}
	})
}

// A function that is ordered has one worker, and a poison event holds it up no longer
// than its retries last.
func TestQueueOrderedFunction(t *testing.T) {
	inBubble(t, QueueConfig{}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		time.Sleep(time.Second)
		if string(inv.Payload) == "0" {
			return valueError()
		}
		return nil
	}, func(t *queueTest) {
		if _, err := t.store.PutAsyncConfig(persist.AsyncConfig{Function: "f", Ordered: true}); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			t.send("f", fmt.Sprint(i))
		}
		t.send("g", "other")
		time.Sleep(50 * time.Second) // less than the first retry waits
		if got := t.events(); got != "0 other" {
			t.Errorf("at first ran %q", got)
		}
		time.Sleep(time.Hour)
		want := "0 other 0 0"
		for i := range 19 {
			want += fmt.Sprint(" ", i+1)
		}
		if got := t.events(); got != want || t.engine.most["f"] != 1 {
			t.Errorf("ran %q, %d at the same time", got, t.engine.most["f"])
		}
	})
}

func TestQueuePriorities(t *testing.T) {
	var release chan struct{} // of the bubble
	inBubble(t, QueueConfig{Workers: 2}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		if string(inv.Payload) == "first" {
			<-release
		}
		return nil
	}, func(t *queueTest) {
		release = make(chan struct{})
		t.submit("first", persist.Job{Priority: 5})
		for _, p := range []int{3, 9, 0, 5, 9} {
			t.submit(fmt.Sprint(p), persist.Job{Priority: p})
		}
		synctest.Wait()
		close(release)
		synctest.Wait()
		if got := t.events(); got != "first 9 9 5 3 0" {
			t.Errorf("ran %q", got)
		}
	})
}

func TestQueueDedup(t *testing.T) {
	inBubble(t, QueueConfig{}, succeed, func(t *queueTest) {
		first := t.submit("1", persist.Job{DedupID: "x"})
		second := t.submit("2", persist.Job{DedupID: "x"})
		if second.ID != first.ID || !second.Duplicate || first.Duplicate {
			t.Errorf("the second is %s, duplicate %t; the first is %s", second.ID, second.Duplicate, first.ID)
		}
		synctest.Wait()
		time.Sleep(persist.DedupWindow - time.Second)
		t.submit("3", persist.Job{DedupID: "x"})
		time.Sleep(time.Second)
		t.submit("4", persist.Job{DedupID: "x"})
		synctest.Wait()
		t.submit("5", persist.Job{DedupID: "y"})
		synctest.Wait()
		if got := t.events(); got != "1 4 5" {
			t.Errorf("ran %q", got)
		}
		// A worker was promised to the duplicates, and is free again.
		t.queue.mu.Lock()
		defer t.queue.mu.Unlock()
		if t.queue.busy != 0 {
			t.Errorf("%d workers are taken", t.queue.busy)
		}
	})
}

func TestQueueDelay(t *testing.T) {
	inBubble(t, QueueConfig{}, succeed, func(t *queueTest) {
		t.submit("later", persist.Job{Due: time.Now().Add(time.Minute)})
		time.Sleep(59 * time.Second)
		if got := t.events(); got != "" {
			t.Errorf("ran %q before its time", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := t.engine.ran(); !slices.Equal(got, []string{"f: later 1m0s"}) {
			t.Errorf("ran %q", got)
		}
	})
}

func TestQueueSubmitAll(t *testing.T) {
	depths := map[string]int{}
	var mu sync.Mutex
	inBubble(t, QueueConfig{Limits: persist.QueueLimits{Jobs: 3}}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		mu.Lock()
		defer mu.Unlock()
		depths[string(inv.Payload)] = inv.Depth
		return nil
	}, func(t *queueTest) {
		jobs := []persist.Job{{Function: "f", Payload: []byte("1"), Depth: 4}, {Function: "nobody"}, {Function: "g", Payload: []byte("2")},
			{Function: "f", Payload: []byte("3")}, {Function: "f", Payload: []byte("4")}}
		stored, errs := t.queue.SubmitAll(jobs)
		synctest.Wait()
		for i, ok := range []bool{true, false, true, true, false} {
			if (errs[i] == nil) != ok || (stored[i].ID != "") != ok {
				t.Errorf("event %d: %+v, %v", i, stored[i], errs[i])
			}
		}
		if jobs[0].ID != "" {
			t.Error("the caller's events were changed")
		}
		mu.Lock()
		defer mu.Unlock()
		if fmt.Sprint(depths) != "map[1:4 2:0 3:0]" {
			t.Errorf("ran with the depths %v", depths)
		}
	})
}

// A worker that is stuck loses its event, which runs again; what it says in the end is
// ignored. The event is given up when that happens again and again.
func TestQueueTakesEventsBack(t *testing.T) {
	for _, stuck := range []int{1, 100} {
		t.Run(fmt.Sprint(stuck), func(t *testing.T) {
			var mu sync.Mutex
			n := 0
			inBubble(t, QueueConfig{Workers: 32}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
				mu.Lock()
				n++
				this := n
				mu.Unlock()
				if this <= stuck && inv.Function == "f" {
					time.Sleep(4 * time.Hour)
					return valueError()
				}
				return nil
			}, func(t *queueTest) {
				t.send("f", "1")
				time.Sleep(persist.LeaseTime - time.Second)
				if got := t.events(); got != "1" {
					t.Fatalf("ran %q", got)
				}
				time.Sleep(2 * time.Second)
				if got := t.events(); got != "1 1" {
					t.Errorf("ran %q", got)
				}
				time.Sleep(10 * time.Hour)
				got := t.stats()
				if stuck == 1 && (got != persist.QueueStats{} || t.events() != "1 1") {
					t.Errorf("ran %q, left is %+v", t.events(), got)
				}
				if stuck > 1 && (got.Jobs != 0 || got.DeadLetters != 1 || t.events() != "1 1 1 1 1 1") {
					t.Errorf("ran %q, left is %+v", t.events(), got)
				}
				t.queue.mu.Lock()
				defer t.queue.mu.Unlock()
				if t.queue.busy != 0 || len(t.queue.leases) != 0 {
					t.Errorf("%d workers are taken, %d leases are held", t.queue.busy, len(t.queue.leases))
				}
			})
		})
	}
}

// What operators do has events run that it makes due.
func TestQueueAdmin(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	inBubble(t, QueueConfig{}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		if broken.Load() {
			return valueError()
		}
		return nil
	}, func(t *queueTest) {
		head := t.submit("head", persist.Job{OrderKey: "a"})
		t.submit("next", persist.Job{OrderKey: "a"})
		synctest.Wait()
		broken.Store(false)
		if err := t.queue.DeleteJob(head.Number()); err != nil { // it waits to be tried again
			t.Fatal(err)
		}
		synctest.Wait()
		if got := t.events(); got != "head next" {
			t.Errorf("ran %q", got)
		}
		broken.Store(true)
		t.submit("dead", persist.Job{})
		time.Sleep(time.Hour)
		broken.Store(false)
		if _, err := t.queue.RetryDeadLetter(1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := t.events(); got != "head next dead dead dead dead" || t.stats() != (persist.QueueStats{}) {
			t.Errorf("ran %q, left is %+v", got, t.stats())
		}
		for i := range 10 {
			job := persist.Job{ID: fmt.Sprint(i), Function: "f", Due: time.Now().Add(time.Hour)}
			if _, err := t.store.Enqueue(job, persist.DefaultQueueLimits(), false); err != nil {
				t.Fatal(err)
			}
		}
		removed, err := t.queue.PurgeJobs(context.Background(), "f")
		if err != nil || removed != 10 || t.stats().Jobs != 0 {
			t.Errorf("purged %d, %v; left is %+v", removed, err, t.stats())
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := t.queue.PurgeJobs(ended, "f"); err == nil {
			t.Error("it purged for somebody who is gone")
		}
	})
}

// An event that becomes due later is not forgotten because its function had all of its
// workers busy when it came, and nothing else happens since.
func TestQueueFindsDelayedBehindBusy(t *testing.T) {
	inBubble(t, QueueConfig{Workers: 4}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		if string(inv.Payload) != "later" {
			time.Sleep(5 * time.Second)
		}
		return nil
	}, func(t *queueTest) {
		t.submit("a", persist.Job{})
		t.submit("b", persist.Job{})
		time.Sleep(time.Second)
		t.submit("later", persist.Job{Due: time.Now().Add(time.Minute)})
		time.Sleep(2 * time.Minute)
		if got := t.events(); got != "a b later" {
			t.Errorf("ran %q", got)
		}
	})
}
