package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ledge/engine"
	"ledge/persist"
)

func TestQueueRuns(t *testing.T) {
	var id engine.RequestID
	var source engine.Source
	inBubble(t, QueueConfig{}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		id, source = inv.RequestID, inv.Source
		return nil
	}, func(t *queueTest) {
		want := engine.NewRequestID()
		payload := []byte("hello")
		if err := t.queue.InvokeAsync("f", "live", want, payload); err != nil {
			t.Fatal(err)
		}
		clear(payload) // it was only lent
		synctest.Wait()
		if got := t.engine.ran(); !slices.Equal(got, []string{"f:live hello 0s"}) {
			t.Errorf("ran %q", got)
		}
		if id != want || source != engine.SourceAsync {
			t.Errorf("as request %s of source %s, want %s", id, source, want)
		}
		if got := t.stats(); got != (persist.QueueStats{}) {
			t.Errorf("left is %+v", got)
		}
		if err := t.queue.InvokeAsync("nobody", "", want, nil); !errors.Is(err, persist.ErrNotFound) {
			t.Errorf("to nobody: %v", err)
		}
	})
}

// What failed is tried again after one and after two minutes, and then it is a
// dead letter, as are events for what is not there.
func TestQueueRetries(t *testing.T) {
	inBubble(t, QueueConfig{}, fail, func(t *queueTest) {
		t.send("f", "1")
		time.Sleep(time.Hour)
		waits := t.engine.waits()
		if len(waits) != 3 {
			t.Fatalf("ran %q", t.engine.ran())
		}
		first, second := waits[1], waits[2]-waits[1]
		if waits[0] != 0 || first < 54*time.Second || first > 66*time.Second || second < 108*time.Second || second > 132*time.Second {
			t.Errorf("it waited %v and %v", first, second)
		}
		want := []string{"f 1: the function failed 3 times; f: ValueError: no"}
		if got := t.letters(); !slices.Equal(got, want) {
			t.Errorf("dead letters %q, want %q", got, want)
		}
		if got := t.stats(); got.Jobs != 0 {
			t.Errorf("left is %+v", got)
		}
	})
}

func TestQueuePolicy(t *testing.T) {
	none, one := 0, 1
	for _, test := range []struct {
		what   string
		config persist.AsyncConfig
		job    persist.Job
		err    error
		runs   int
		reason string
	}{
		{"no retries", persist.AsyncConfig{MaxRetries: &none}, persist.Job{}, valueError(), 1, "the function failed once"},
		{"one retry", persist.AsyncConfig{MaxRetries: &one}, persist.Job{}, valueError(), 2, "the function failed 2 times"},
		{"a job may narrow", persist.AsyncConfig{MaxRetries: &one}, persist.Job{MaxRetries: &none}, valueError(), 1, "the function failed once"},
		{"and not widen", persist.AsyncConfig{MaxRetries: &none}, persist.Job{MaxRetries: &one}, valueError(), 1, "the function failed once"},
		{"too old to be tried again", persist.AsyncConfig{MaxAgeSeconds: 60}, persist.Job{}, valueError(), 2, "the event is older than 1m0s"},
		{"too old for the job", persist.AsyncConfig{MaxAgeSeconds: 3600}, persist.Job{MaxAgeSeconds: 30}, valueError(), 1, "the event is older than 30s"},
		{"timeout", persist.AsyncConfig{MaxRetries: &none}, persist.Job{}, &engine.TimeoutError{After: time.Second}, 1, "the function failed once"},
		{"trap", persist.AsyncConfig{MaxRetries: &none}, persist.Job{}, &engine.TrapError{Code: "unreachable"}, 1, "the function failed once"},
		{"no such version", persist.AsyncConfig{}, persist.Job{Qualifier: "9"}, engine.ErrNotFound, 1, "there is no such function or version: function not found"},
		{"too large", persist.AsyncConfig{}, persist.Job{}, engine.ErrTooLarge, 1, "the function does not take the event: payload exceeds the size limit"},
	} {
		t.Run(test.what, func(t *testing.T) {
			inBubble(t, QueueConfig{}, func(context.Context, *engine.Invocation, *engine.Result) error { return test.err }, func(t *queueTest) {
				test.config.Function = "f"
				if _, err := t.store.PutAsyncConfig(test.config); err != nil {
					t.Fatal(err)
				}
				test.job.ID, test.job.Function = "id", "f"
				// Just young enough for one retry where the age is limited to a minute.
				test.job.Enqueued = time.Now().Add(-5 * time.Second)
				if _, err := t.store.Enqueue(test.job, persist.DefaultQueueLimits(), false); err != nil {
					t.Fatal(err)
				}
				t.queue.Wake()
				time.Sleep(7 * time.Hour)
				letters, _, err := t.store.DeadLetters(0, 9)
				if err != nil {
					t.Fatal(err)
				}
				if len(letters) != 1 || letters[0].Reason != test.reason {
					t.Errorf("dead letters %+v, want the reason %q", letters, test.reason)
				}
				// One wait of a minute, more or less, is or is not too long.
				if runs := len(t.engine.ran()); runs != test.runs && (test.config.MaxAgeSeconds != 60 || runs != 1) {
					t.Errorf("it ran %d times, want %d", runs, test.runs)
				}
			})
		})
	}
}

// A function that is refused is tried less and less often until the events are
// too old, and one event at a time: the others wait where they are.
func TestQueueRefused(t *testing.T) {
	for _, refusal := range []error{engine.ErrThrottled, engine.ErrOverloaded, errors.New("the node is to blame")} {
		t.Run(refusal.Error(), func(t *testing.T) {
			inBubble(t, QueueConfig{Workers: 8}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
				if inv.Function == "ok" {
					return nil
				}
				return refusal
			}, func(t *queueTest) {
				for i := range 20 {
					t.send("f", fmt.Sprint(i))
				}
				time.Sleep(6*time.Hour + 6*time.Minute)
				runs := t.engine.ran()
				if len(runs) < 6*60/6 || len(runs) > 100 {
					t.Errorf("20 events were tried %d times in 6 hours", len(runs))
				}
				waits := t.engine.waits()
				last := waits[len(waits)-1] - waits[len(waits)-2]
				if last < 270*time.Second || last > 330*time.Second {
					t.Errorf("in the end it waited %s", last)
				}
				if letters := t.letters(); len(letters) != 20 || !strings.Contains(letters[19], ": the event is older than 6h0m0s; "+refusal.Error()) && !strings.HasSuffix(letters[19], "6h0m0s; ") {
					t.Errorf("%d dead letters, the last is %q", len(letters), letters[len(letters)-1])
				}
				if t.send("ok", "x"); !slices.Contains(t.engine.ranAfter(synctest.Wait), "ok: x 6h6m0s") {
					t.Error("another function was held up")
				}
			})
		})
	}
}

// A function whose reserved concurrency is 0 gets nothing, and nothing waits for
// it.
func TestQueueSwitchedOff(t *testing.T) {
	inBubble(t, QueueConfig{}, func(context.Context, *engine.Invocation, *engine.Result) error { return engine.ErrThrottled }, func(t *queueTest) {
		if err := t.store.PutConcurrency("f", engine.NoConcurrency); err != nil {
			t.Fatal(err)
		}
		t.send("f", "1")
		synctest.Wait()
		want := []string{"f 1: the function's reserved concurrency is 0; concurrency limit reached"}
		if got := t.letters(); !slices.Equal(got, want) || t.stats().Jobs != 0 {
			t.Errorf("dead letters %q, want %q; left is %+v", got, want, t.stats())
		}
	})
}

// A limit on a function's concurrency that lasts is found out, not run into for
// each event.
func TestQueueFindsTheConcurrency(t *testing.T) {
	var mu sync.Mutex
	free, refused := 2, 0
	inBubble(t, QueueConfig{Workers: 16}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		mu.Lock()
		if free == 0 {
			refused++
			mu.Unlock()
			return engine.ErrThrottled
		}
		free--
		mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		mu.Lock()
		free++
		mu.Unlock()
		return nil
	}, func(t *queueTest) {
		for i := range 400 {
			t.send("f", fmt.Sprint(i))
		}
		time.Sleep(time.Minute) // it takes 20 s if both are always busy
		if left := t.stats().Jobs; left != 0 {
			t.Errorf("%d events of 400 are left", left)
		}
		if refused > 60 {
			t.Errorf("it was refused %d times", refused)
		}
	})
}

// A function that hangs has half of the workers, and the others do not wait for
// it, however long its backlog.
func TestQueueIsFair(t *testing.T) {
	var release chan struct{} // of the bubble
	inBubble(t, QueueConfig{Workers: 4}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		if inv.Function == "f" {
			<-release
		}
		return nil
	}, func(t *queueTest) {
		release = make(chan struct{})
		for i := range 50 {
			t.send("f", fmt.Sprint(i))
		}
		for i := range 50 {
			t.send("g", fmt.Sprint(i))
			t.send("ok", fmt.Sprint(i))
		}
		synctest.Wait()
		if got := t.stats(); got.Jobs != 50 || got.Running != 2 {
			t.Errorf("left is %+v, want the 50 of the function that hangs", got)
		}
		if most := t.engine.most["f"]; most != 2 {
			t.Errorf("it had %d workers of 4", most)
		}
		close(release)
		time.Sleep(time.Second)
		if got := t.stats(); got.Jobs != 0 {
			t.Errorf("left is %+v", got)
		}
		// None of them was overtaken by what was sent later: when one starts, all that are
		// older have started, but for the one that the function's other worker has just got.
		started := map[int]bool{}
		for _, run := range t.engine.ran() {
			event, ok := strings.CutPrefix(run, "f: ")
			if !ok {
				continue
			}
			number, err := strconv.Atoi(strings.Fields(event)[0])
			if err != nil {
				t.Fatal(err)
			}
			started[number] = true
			var overtaken []int
			for older := range number {
				if !started[older] {
					overtaken = append(overtaken, older)
				}
			}
			if len(overtaken) > 1 {
				t.Errorf("event %d ran before %v", number, overtaken)
			}
		}
		if len(started) != 50 {
			t.Errorf("%d of 50 ran", len(started))
		}
	})
}

// Many senders at the same time: every event runs, once, and never more of them
// than there are workers, nor of one function than its share.
func TestQueueUnderLoad(t *testing.T) {
	inBubble(t, QueueConfig{Workers: 6}, func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		time.Sleep(time.Duration(len(inv.Payload)) * time.Millisecond)
		return nil
	}, func(t *queueTest) {
		names := []string{"f", "g", "ok"}
		var senders sync.WaitGroup
		for n := range 12 {
			senders.Go(func() {
				for i := range 25 {
					if err := t.queue.InvokeAsync(names[(n+i)%3], "", engine.RequestID{}, fmt.Appendf(nil, "%d-%d", n, i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		senders.Wait()
		time.Sleep(time.Minute)
		seen := map[string]int{}
		for _, run := range t.engine.ran() {
			seen[strings.Fields(run)[1]]++
		}
		for event, n := range seen {
			if n != 1 {
				t.Errorf("event %s ran %d times", event, n)
			}
		}
		if len(seen) != 300 || t.stats().Jobs != 0 {
			t.Errorf("%d events ran of 300; left is %+v", len(seen), t.stats())
		}
		t.engine.mu.Lock()
		defer t.engine.mu.Unlock()
		if t.engine.mostAll > 6 {
			t.Errorf("%d ran at the same time with 6 workers", t.engine.mostAll)
		}
		for _, name := range names {
			if most := t.engine.most[name]; most > 3 {
				t.Errorf("%s had %d of 6 workers", name, most)
			}
		}
	})
}
