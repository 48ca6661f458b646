package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// countingFeedStore counts what is read.
type countingFeedStore struct {
	*persist.Store
	reads atomic.Int64
}

func (s *countingFeedStore) Changes(bucket string, after uint64, limit, maxBytes int) ([]persist.Change, bool, error) {
	s.reads.Add(1)
	return s.Store.Changes(bucket, after, limit, maxBytes)
}

// crashingFeedStore loses what is settled while the node is going down.
type crashingFeedStore struct {
	*persist.Store
	down atomic.Bool
}

func (s *crashingFeedStore) SettleFeed(step persist.FeedStep) error {
	if s.down.Load() {
		return persist.ErrClosed
	}
	return s.Store.SettleFeed(step)
}

func TestFeedRetries(t *testing.T) {
	feedBubble(t, poisoned, func(t *feedTest) {
		t.add(persist.EventSourceMapping{BatchSize: 2, MaxRetries: 2})
		t.write("a", "poison", "c")
		time.Sleep(time.Minute)
		synctest.Wait()
		t.wantRan("f a,poison 0s", "f a,poison 1s", "f a,poison 3s", "f c 3s")
		letters := t.letters()
		if len(letters) != 1 || letters[0].Reason != "the function failed 3 times" || letters[0].Job.Attempts != 3 || letters[0].Job.Function != "f" ||
			letters[0].Job.Depth != 1 || !strings.Contains(letters[0].Job.LastError, "ValueError: no") || !slices.Equal(lettersOf(t), []string{"a", "poison"}) {
			t.Errorf("dead letters %+v", letters)
		}
		if feed := t.feed("m-"); feed.GivenUp != 2 || feed.Delivered != 1 || feed.Lanes[0] != (persist.FeedLane{After: 3}) {
			t.Errorf("feed %+v", feed)
		}
	})
}

// TestFeedBisect: the one bad change among a hundred is found, and costs itself alone.
func TestFeedBisect(t *testing.T) {
	for _, at := range []int{0, 1, 49, 50, 74, 98, 99} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			feedBubble(t, poisoned, func(t *feedTest) {
				t.add(persist.EventSourceMapping{BisectBatch: true, MaxRetries: 1})
				keys := numbered(130)
				keys[at] = "poison"
				t.writeTo("b", 0, keys[:100]...)
				t.writeTo("b", 0, keys[100:]...)
				time.Sleep(time.Minute)
				synctest.Wait()
				good := slices.Delete(slices.Clone(keys), at, at+1)
				if got := t.engine.took("f"); !slices.Equal(got, good) {
					t.Errorf("took %v", got)
				}
				if got := lettersOf(t); !slices.Equal(got, []string{"poison"}) {
					t.Errorf("gave up %v", got)
				}
				if n := len(t.engine.ran()); n > 18 {
					t.Errorf("it took %d attempts: %v", n, t.engine.ran())
				}
			})
		})
	}
}

// TestFeedBisectRestart: a restart in the middle goes on with the half.
func TestFeedBisectRestart(t *testing.T) {
	feedBubble(t, poisoned, func(t *feedTest) {
		t.add(persist.EventSourceMapping{BisectBatch: true, MaxRetries: -1})
		t.write("a", "b", "poison", "d")
		time.Sleep(10 * time.Second)
		t.restart()
		synctest.Wait()
		if got := t.feed("m-").Lanes[0]; got.After != 2 || got.Until != 3 {
			t.Errorf("lane %+v", got)
		}
		if ran := t.engine.ran(); !strings.HasPrefix(ran[len(ran)-1], "f poison ") {
			t.Errorf("ran %v", ran)
		}
	})
}

func TestFeedPartial(t *testing.T) {
	for _, test := range []struct {
		name, reply string
		bisect      bool
		retries     int
		want        []string
		letters     []string
	}{
		{"none failed", `{"batchItemFailures":[]}`, false, 2, []string{"a,b,c,d"}, nil},
		{"null", `null`, false, 2, []string{"a,b,c,d"}, nil},
		{"the lowest counts", `{"batchItemFailures":[{"itemIdentifier":"4"},{"itemIdentifier":"3"}]}`, false, 2, []string{"a,b,c,d", "c,d"}, nil},
		{"with bisection", `{"batchItemFailures":[{"itemIdentifier":"3"}]}`, true, 0, []string{"a,b,c,d", "c,d"}, nil},
		{"without retries", `{"batchItemFailures":[{"itemIdentifier":"3"}]}`, false, 0, []string{"a,b,c,d"}, []string{"c", "d"}},
		{"the first", `{"batchItemFailures":[{"itemIdentifier":"1"}]}`, false, 2, []string{"a,b,c,d", "a,b,c,d"}, nil},
		{"malformed", `{"batchItemFailures":[{"itemIdentifier":""}]}`, true, 2, []string{"a,b,c,d", "a,b", "c,d"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			replies := []string{test.reply}
			serve := func(_ context.Context, _ *engine.Invocation, _ []feedRecord, res *engine.Result) error {
				if len(replies) > 0 {
					res.Payload = []byte(replies[0])
					replies = replies[1:]
				}
				return nil
			}
			feedBubble(t, serve, func(t *feedTest) {
				t.add(persist.EventSourceMapping{ReportItemFailures: true, BisectBatch: test.bisect, MaxRetries: test.retries})
				t.write("a", "b", "c", "d")
				time.Sleep(time.Minute)
				synctest.Wait()
				var got []string
				for _, run := range t.engine.ran() {
					got = append(got, strings.Fields(run)[1])
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("ran %v, want %v", got, test.want)
				}
				if got := lettersOf(t); !slices.Equal(got, test.letters) {
					t.Errorf("gave up %v, want %v", got, test.letters)
				}
				if feed := t.feed("m-"); feed.Delivered+feed.GivenUp != 4 || feed.Passed() != 4 {
					t.Errorf("feed %+v", feed)
				}
			})
		})
	}
}

func TestFailedItem(t *testing.T) {
	changes := []persist.Change{{Sequence: 10}, {Sequence: 12}, {Sequence: 15}}
	for reply, want := range map[string]int{
		"": -1, " ": -1, "null": -1, "{}": -1, `{"batchItemFailures":null}`: -1, `{"batchItemFailures":[]}`: -1, `{"other":1}`: -1,
		`{"batchItemFailures":[{"itemIdentifier":"12"}]}`:                         1,
		`{"batchItemFailures":[{"itemIdentifier":"15"},{"itemIdentifier":"12"}]}`: 1,
		`{"batchItemFailures":[{"itemIdentifier":"15"},{"itemIdentifier":null}]}`: 0,
		`{"batchItemFailures":[{"itemIdentifier":""}]}`:                           0,
		`{"batchItemFailures":[{"id":"15"}]}`:                                     0,
		`{"batchItemFailures":[{"itemIdentifier":"11"}]}`:                         0,
		`{"batchItemFailures":["15"]}`:                                            0,
		`{"batchItemFailures":[{"itemIdentifier":15}]}`:                           0,
		`"ok"`:     0,
		`not json`: 0,
		`{"batchItemFailures":[{"itemIdentifier":"15"},{"itemIdentifier":"x\"<"}]}`: 0,
	} {
		if got, why := failedItem([]byte(reply), changes); got != want || (why == "") != (want < 0) {
			t.Errorf("%s: got %d %q, want %d", reply, got, why, want)
		}
	}
}

// TestFeedAge: what fails for ever is given up after a day, or after what the mapping
// says, and what is young enough stays.
func TestFeedAge(t *testing.T) {
	feedBubble(t, poisoned, func(t *feedTest) {
		t.add(persist.EventSourceMapping{Function: "f", MaxRetries: -1, MaxAgeSeconds: 120})
		t.add(persist.EventSourceMapping{Function: "g", MaxRetries: -1, MaxAgeSeconds: -1})
		t.write("poison")
		time.Sleep(100 * time.Second)
		t.write("young")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := t.engine.took("f"); !slices.Equal(got, []string{"young"}) {
			t.Errorf("f took %v", got)
		}
		letters := t.letters()
		if len(letters) != 1 || letters[0].Job.Function != "f" || !strings.Contains(letters[0].Reason, "within 2m0s") {
			t.Errorf("dead letters %+v", letters)
		}
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if len(t.letters()) != 1 || len(t.engine.took("g")) != 0 {
			t.Errorf("g gave up early: %+v", t.letters())
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		// By then both are older than a day, and were tried in one batch.
		if letters := t.letters(); len(letters) != 2 || !strings.Contains(letters[1].Reason, "within 24h0m0s") {
			t.Errorf("dead letters %+v", letters)
		}
		if feed := t.feed("m-g"); feed.GivenUp+feed.Delivered != 2 || feed.Passed() != 2 {
			t.Errorf("feed %+v", feed)
		}
	})
}

// TestFeedAgeClock is the table of clocks that are set.
func TestFeedAgeClock(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, test := range []struct {
		name                  string
		written, wall, steady time.Duration // after the start
		want                  time.Duration
	}{
		{"a clock that is right", 1, time.Hour + 1, time.Hour + 1, time.Hour},
		{"set forward after the write", time.Minute, 3*day + 2*time.Minute, 2 * time.Minute, time.Minute},
		{"set forward before the write", 3*day + time.Minute, 3*day + time.Hour, time.Hour, 59 * time.Minute},
		{"set back after the write", time.Minute, -2 * day, time.Hour, 59 * time.Minute},
		{"set back before the write", -2 * day, -2*day + time.Hour, 2 * time.Hour, time.Hour},
		{"set back and forward", 5 * day, 2 * day, time.Hour, 0},
	} {
		if got := feedAge(start.Add(test.written), start.Add(test.wall), start.Add(test.steady)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	clock := feedClock{start}
	old, young := persist.Change{Time: start.Add(-9 * day)}, persist.Change{Time: start.Add(time.Second)}
	for _, test := range []struct {
		changes []persist.Change
		after   time.Duration
		want    int
	}{
		{[]persist.Change{old, young}, time.Minute, 0}, // it may be the clock that is wrong
		{[]persist.Change{old, young}, 2 * time.Hour, 1},
		{[]persist.Change{young, young}, 2 * day, 2},
		{nil, day, 0},
	} {
		if got := clock.expired(test.changes, day, start.Add(test.after)); got != test.want {
			t.Errorf("%d of %d are too old after %v, want %d", got, len(test.changes), test.after, test.want)
		}
	}
}

// TestFeedRefused: a function that cannot be run is not to blame.
func TestFeedRefused(t *testing.T) {
	refusals := 6
	serve := func(_ context.Context, inv *engine.Invocation, _ []feedRecord, _ *engine.Result) error {
		if inv.Function == "f" && refusals > 0 {
			refusals--
			return fmt.Errorf("f: %w", []error{engine.ErrThrottled, engine.ErrOverloaded, engine.ErrNotFound, errors.New("odd")}[refusals%4])
		}
		return nil
	}
	feedBubble(t, serve, func(t *feedTest) {
		t.add(persist.EventSourceMapping{Function: "f", MaxRetries: 0})
		t.add(persist.EventSourceMapping{Function: "g", MaxRetries: 0})
		t.write("a")
		if feed := t.feed("m-f"); !strings.HasPrefix(feed.LastResult, "PROBLEM: Function call could not be made: ") || feed.Lanes[0].Failures != 0 || feed.Lanes[0].Starts != 0 {
			t.Errorf("feed %+v", feed)
		}
		if got := t.engine.took("g"); len(got) != 1 {
			t.Errorf("g took %v", got)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := t.engine.took("f"); len(got) != 1 || len(t.letters()) != 0 {
			t.Errorf("f took %v, dead letters %+v", got, t.letters())
		}
		if feed := t.feed("m-f"); feed.LastResult != "OK" || feed.Lanes[0].LastError != "" {
			t.Errorf("feed %+v", feed)
		}
	})
}

// TestFeedTooLarge: a batch that the function does not take is halved, and a change
// that it does not take given up.
func TestFeedTooLarge(t *testing.T) {
	serve := func(_ context.Context, _ *engine.Invocation, records []feedRecord, _ *engine.Result) error {
		if len(records) > 2 || records[0].key() == "big" {
			return fmt.Errorf("f: %w", engine.ErrTooLarge)
		}
		return nil
	}
	feedBubble(t, serve, func(t *feedTest) {
		t.add(persist.EventSourceMapping{MaxRetries: -1})
		t.write("a", "b", "big", "c", "d")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := lettersOf(t); !slices.Equal(got, []string{"big"}) {
			t.Errorf("gave up %v", got)
		}
		if got := t.engine.took("f"); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
			t.Errorf("took %v", got)
		}
	})
}

// TestFeedLargeLetters: a batch that is larger than a dead letter may be becomes
// several, and a change that is, one without images.
func TestFeedLargeLetters(t *testing.T) {
	serve := func(context.Context, *engine.Invocation, []feedRecord, *engine.Result) error { return valueError() }
	feedBubble(t, serve, func(t *feedTest) {
		t.add(persist.EventSourceMapping{MaxRetries: 0})
		value := make([]byte, 700<<10)
		for i := range value {
			value[i] = byte(rand.Uint32())
		}
		for _, w := range []persist.Write{
			{Key: "small", Value: []byte("x")},
			{Key: "first", Value: value}, {Key: "second", Value: value},
			{Key: "huge", Value: slices.Concat(value, value[:300<<10])},
		} {
			w.Bucket, w.Kind = "b", persist.WritePut
			if _, err := t.store.Data().Write(persist.Origin{}, []persist.Write{w}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := lettersOf(t); !slices.Equal(got, []string{"small", "first", "second", "huge"}) {
			t.Errorf("gave up %v", got)
		}
		bare := 0
		for _, l := range t.letters() {
			if strings.Contains(l.Reason, "no images") {
				bare++
			}
		}
		if bare != 1 {
			t.Errorf("%d dead letters have no images", bare)
		}
		if feed := t.feed("m-"); feed.GivenUp != 4 {
			t.Errorf("feed %+v", feed)
		}
	})
}

func TestFeedDestination(t *testing.T) {
	woken := 0
	feedBubble(t, poisoned, func(t *feedTest) {
		t.close()
		t.cfg.Wake = func() { woken++ }
		t.open()
		m := t.add(persist.EventSourceMapping{Qualifier: "", MaxRetries: 0, OnFailure: "arn:aws:lambda:local:000000000000:function:g"})
		t.write("a", "poison")
		leased, err := t.store.Lease(persist.LeaseRequest{Now: time.Now(), Limit: 10, PerFunction: 10})
		if err != nil || len(leased.Jobs) != 1 || woken != 1 {
			t.Fatalf("jobs %+v, %v; woken %d", leased, err, woken)
		}
		var record struct {
			RequestContext  struct{ Condition, FunctionArn string }
			ResponseContext struct{ FunctionError, ExecutedVersion string }
			Batch           struct {
				StartSequenceNumber, EndSequenceNumber string
				BatchSize                              int
				StreamArn                              string
			} `json:"DDBStreamBatchInfo"`
			Payload string
		}
		job := leased.Jobs[0]
		if err := json.Unmarshal(job.Payload, &record); err != nil {
			t.Fatal(err)
		}
		if job.Function != "g" || job.Depth != 1 || record.RequestContext.Condition != "RetryAttemptsExhausted" || record.ResponseContext.FunctionError != "Unhandled" ||
			record.RequestContext.FunctionArn != "arn:aws:lambda:local:000000000000:function:f:$LATEST" || record.ResponseContext.ExecutedVersion != "3" ||
			record.Batch.StartSequenceNumber != "1" || record.Batch.EndSequenceNumber != "2" || record.Batch.BatchSize != 2 || record.Batch.StreamArn != m.Source ||
			!strings.HasPrefix(record.Payload, `{"Records":[{`) {
			t.Errorf("job %+v, record %s", job, job.Payload)
		}
		// A destination that is gone does not hold the feed up.
		if _, err := t.store.DeleteFunction("g"); err != nil {
			t.Fatal(err)
		}
		t.write("poison")
		if letters := t.letters(); len(letters) != 1 || !strings.Contains(letters[0].Reason, "destination") {
			t.Errorf("dead letters %+v", letters)
		}
		if feed := t.feed(m.ID); feed.GivenUp != 3 || feed.Passed() != 3 {
			t.Errorf("feed %+v", feed)
		}
	})
}

// TestFeedDisk: where the disk fails the feed tries again and delivers nothing twice.
func TestFeedDisk(t *testing.T) {
	feedBubble(t, taken, func(t *feedTest) {
		failing := &failingFeedStore{}
		t.wrap = func(s *persist.Store) FeedStore { failing.Store = s; return failing }
		t.restart()
		t.add(persist.EventSourceMapping{})
		t.write("a")
		failing.fails.Store(4) // two readings, and then two writes
		t.write("b")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := t.engine.took("f"); !slices.Equal(got, []string{"a", "b"}) || failing.fails.Load() > 0 {
			t.Errorf("took %v", got)
		}
	})
}

// failingFeedStore fails reads and writes, as often as it is told.
type failingFeedStore struct {
	*persist.Store
	fails atomic.Int64
}

func (s *failingFeedStore) fail() error {
	if s.fails.Add(-1) >= 0 {
		return errors.New("disk full")
	}
	return nil
}

func (s *failingFeedStore) Changes(bucket string, after uint64, limit, maxBytes int) ([]persist.Change, bool, error) {
	if s.fails.Load() > 2 {
		if err := s.fail(); err != nil {
			return nil, false, err
		}
	}
	return s.Store.Changes(bucket, after, limit, maxBytes)
}

func (s *failingFeedStore) SettleFeed(step persist.FeedStep) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.Store.SettleFeed(step)
}
