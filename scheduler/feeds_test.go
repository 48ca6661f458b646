package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// TestFeedStart: LATEST is what comes after the creation, however late the feed
// begins to read; TRIM_HORIZON what the stream holds.
func TestFeedStart(t *testing.T) {
	feedBubble(t, taken, func(t *feedTest) {
		t.writeTo("b", 0, "before the stream")
		t.add(persist.EventSourceMapping{Function: "g", Start: "LATEST"})
		t.write("first")
		t.stop()
		for _, m := range []persist.EventSourceMapping{
			{ID: "m-f", Function: "f", Start: "TRIM_HORIZON", Source: feedARN("b"), Enabled: true, BatchSize: 10},
			{ID: "m-lost", Function: "lost", Start: "LATEST", Source: feedARN("b"), Enabled: true, BatchSize: 10},
		} {
			if _, err := t.store.PutMapping(m); err != nil {
				t.Fatal(err)
			}
		}
		t.write("second") // before anybody reads
		if err := t.store.Close(); err != nil {
			t.Fatal(err)
		}
		t.open()
		for function, want := range map[string]string{"g": "first second", "f": "first second", "lost": "second"} {
			if got := strings.Join(t.engine.took(function), " "); got != want {
				t.Errorf("%s took %q, want %q", function, got, want)
			}
		}
		if feed := t.feed("m-f"); feed.Delivered != 2 || feed.LastResult != "OK" || feed.Passed() != 3 {
			t.Errorf("feed %+v", feed)
		}
		if running, passed := t.feeds.Status("m-f"); !running || passed != 3 {
			t.Errorf("status %v %d", running, passed)
		}
	})
}

func TestFeedBatches(t *testing.T) {
	feedBubble(t, taken, func(t *feedTest) {
		t.add(persist.EventSourceMapping{BatchSize: 3, BatchWindowSeconds: 10})
		t.write("a")
		time.Sleep(4 * time.Second)
		t.write("b")
		synctest.Wait()
		t.wantRan()
		time.Sleep(7 * time.Second)
		synctest.Wait()
		t.wantRan("f a,b 10s")
		t.write("c", "d", "e", "f") // three are a batch, the fourth waits
		t.wantRan("f a,b 10s", "f c,d,e 11s")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		t.wantRan("f a,b 10s", "f c,d,e 11s", "f f 21s")
		t.store.Data().Write(persist.Origin{}, []persist.Write{{Bucket: "b", Key: "a", Kind: persist.WriteDelete}})
		time.Sleep(time.Minute)
		if got := t.engine.took("f"); len(got) != 7 || got[6] != "a" {
			t.Errorf("took %v", got)
		}
	})
}

// TestFeedBatchIsNear: a lane that has a slot does not go through a long backlog to fill
// its batch.
func TestFeedBatchIsNear(t *testing.T) {
	feedBubble(t, taken, func(t *feedTest) {
		if _, err := t.store.Data().PutBucket(persist.DataBucket{Name: "b", Stream: true}); err != nil {
			t.Fatal(err)
		}
		keys := append([]string{"wanted 1", "wanted 2"}, numbered(gatherPages*pageChanges)...)
		t.writeTo("b", 0, append(keys, "wanted 3")...)
		t.add(persist.EventSourceMapping{Start: "TRIM_HORIZON", Filters: []string{`{"dynamodb":{"Keys":{"key":{"S":[{"prefix":"wanted"}]}}}}`}})
		t.wantRan("f wanted 1,wanted 2 0s", "f wanted 3 0s")
	})
}

// TestFeedOrder: with many lanes the changes of a key stay in order, and lanes do not
// wait for each other.
func TestFeedOrder(t *testing.T) {
	var order []string
	serve := func(_ context.Context, _ *engine.Invocation, records []feedRecord, _ *engine.Result) error {
		time.Sleep(time.Second)
		return nil
	}
	feedBubble(t, serve, func(t *feedTest) {
		t.engine.serve = func(ctx context.Context, inv *engine.Invocation, records []feedRecord, res *engine.Result) error {
			err := serve(ctx, inv, records, res)
			t.engine.mu.Lock()
			for _, r := range records {
				order = append(order, r.key()+" "+r.Dynamodb.NewImage.Value.N)
			}
			t.engine.mu.Unlock()
			return err
		}
		t.add(persist.EventSourceMapping{BatchSize: 2, Parallel: 10})
		for n := range 20 {
			for _, key := range numbered(10) {
				_, err := t.store.Data().Write(persist.Origin{}, []persist.Write{{Bucket: "b", Key: key, Kind: persist.WritePut, Value: fmt.Append(nil, n)}})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		last := map[string]int{}
		for _, text := range order {
			var key string
			var n int
			if _, err := fmt.Sscan(text, &key, &n); err != nil {
				t.Fatal(err)
			}
			if n != last[key] {
				t.Fatalf("%s is %d, want %d: %v", key, n, last[key], order)
			}
			last[key]++
		}
		if len(order) != 200 || t.engine.most < 2 || t.engine.most > 4 {
			t.Errorf("%d changes, %d batches at a time", len(order), t.engine.most)
		}
	})
}

// TestFeedSlow: a feed that is slow, and one that fails, hold up nobody.
func TestFeedSlow(t *testing.T) {
	serve := func(ctx context.Context, inv *engine.Invocation, _ []feedRecord, _ *engine.Result) error {
		switch inv.Function {
		case "f":
			<-ctx.Done()
			return ctx.Err()
		case "lost":
			return valueError()
		}
		return nil
	}
	feedBubble(t, serve, func(t *feedTest) {
		t.add(persist.EventSourceMapping{Function: "f", Parallel: 10, BatchSize: 1})
		t.add(persist.EventSourceMapping{Function: "lost", Parallel: 10, BatchSize: 1, MaxRetries: -1})
		t.add(persist.EventSourceMapping{Function: "g", BatchSize: 1})
		t.write(numbered(50)...)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := t.engine.took("g"); len(got) != 50 {
			t.Errorf("g took %d changes in a minute", len(got))
		}
		if t.engine.most > 8 {
			t.Errorf("%d batches ran at a time", t.engine.most)
		}
	})
}

func TestFeedPause(t *testing.T) {
	hold := 10 * time.Second
	serve := func(context.Context, *engine.Invocation, []feedRecord, *engine.Result) error {
		time.Sleep(hold)
		return nil
	}
	feedBubble(t, serve, func(t *feedTest) {
		m := t.add(persist.EventSourceMapping{BatchSize: 1})
		t.write("a", "b")
		m.Enabled = false
		t.put(m)
		if running, _ := t.feeds.Status(m.ID); !running { // its batch runs
			t.Error("it was stopped in the middle")
		}
		time.Sleep(time.Minute)
		t.wantRan("f a 0s")
		if running, _ := t.feeds.Status(m.ID); running {
			t.Error("it runs although it is paused")
		}
		m.Enabled = true
		m.Parallel = 3 // and other lanes: b comes once
		t.put(m)
		time.Sleep(time.Minute)
		t.wantRan("f a 0s", "f b 1m0s")
		if feed := t.feed(m.ID); len(feed.Lanes) != 3 || feed.Delivered != 2 {
			t.Errorf("feed %+v", feed)
		}
		if _, err := t.store.DeleteMapping(m.ID); err != nil {
			t.Fatal(err)
		}
		t.feeds.Changed(m.ID)
		t.write("c")
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(t.engine.ran()) != 2 {
			t.Errorf("ran %v", t.engine.ran())
		}
	})
}

func TestFeedFilter(t *testing.T) {
	feedBubble(t, taken, func(t *feedTest) {
		t.add(persist.EventSourceMapping{Function: "f", Filters: []string{
			`{"dynamodb":{"Keys":{"key":{"S":[{"prefix":"a/"}]}}}}`, `{"eventName":["REMOVE"]}`}})
		t.add(persist.EventSourceMapping{Function: "g", Filters: []string{`{"dynamodb":{"NewImage":{"value":{"M":{"t":{"N":[{"numeric":[">",20]}]}}}}}}`}})
		t.write("a/1", "b/1")
		for key, value := range map[string]string{"warm": `{"t": 20.5}`, "cold": `{"t": 2}`, "text": `t`} {
			if _, err := t.store.Data().Write(persist.Origin{}, []persist.Write{{Bucket: "b", Key: key, Kind: persist.WritePut, Value: []byte(value)}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := t.store.Data().Write(persist.Origin{}, []persist.Write{{Bucket: "b", Key: "b/1", Kind: persist.WriteDelete}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := t.engine.took("f"); !slices.Equal(got, []string{"a/1", "b/1"}) {
			t.Errorf("f took %v", got)
		}
		if got := t.engine.took("g"); !slices.Equal(got, []string{"warm"}) {
			t.Errorf("g took %v", got)
		}
		// What is not wanted is passed without a write for each, and on request.
		if feed := t.feed("m-g"); feed.Passed() >= 6 {
			t.Errorf("feed %+v", feed)
		}
		t.feeds.Checkpoint()
		synctest.Wait()
		if feed := t.feed("m-g"); feed.Passed() != 6 || feed.Delivered != 1 {
			t.Errorf("feed %+v", feed)
		}
		t.writeTo("b", 0, numbered(2*maxSkipped)...)
		synctest.Wait()
		if feed := t.feed("m-g"); feed.Passed() < maxSkipped {
			t.Errorf("feed %+v", feed)
		}
	})
}

// TestFeedIdle: nothing happens where nothing is written.
func TestFeedIdle(t *testing.T) {
	feedBubble(t, taken, func(t *feedTest) {
		counting := &countingFeedStore{}
		t.wrap = func(s *persist.Store) FeedStore { counting.Store = s; return counting }
		t.restart()
		t.add(persist.EventSourceMapping{Parallel: 3})
		t.write("a")
		before := counting.reads.Load()
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if n := counting.reads.Load() - before; n != 0 {
			t.Errorf("an idle feed has read %d times", n)
		}
	})
}

// TestFeedLoop: a function that writes to its own feed ends.
func TestFeedLoop(t *testing.T) {
	feedBubble(t, nil, func(t *feedTest) {
		t.engine.serve = func(_ context.Context, inv *engine.Invocation, records []feedRecord, _ *engine.Result) error {
			for _, r := range records {
				if r.key() == "once" {
					continue
				}
				write := []persist.Write{{Bucket: "b", Key: r.key(), Kind: persist.WriteIncrement, By: 1}}
				if _, err := t.store.Data().Write(persist.Origin{Function: inv.Function, Depth: inv.Depth}, write); err != nil {
					return err
				}
			}
			return nil
		}
		t.add(persist.EventSourceMapping{})
		if _, err := t.store.Data().Write(persist.Origin{}, []persist.Write{{Bucket: "b", Key: "n", Kind: persist.WriteIncrement, By: 1}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		t.write("once")
		synctest.Wait()
		if got := t.engine.took("f"); len(got) != maxFeedDepth+1 || got[maxFeedDepth] != "once" {
			t.Errorf("took %v", got)
		}
		letters := t.letters()
		if len(letters) != 1 || !strings.Contains(letters[0].Reason, "may be a loop") || letters[0].Job.Source != "change" {
			t.Errorf("dead letters %+v", letters)
		}
		if feed := t.feed("m-"); feed.GivenUp != 1 || feed.Delivered != maxFeedDepth+1 || feed.LastResult != "OK" {
			t.Errorf("feed %+v", feed)
		}
	})
}

// TestFeedDepths: what has another depth is another batch, so that the depth of what
// comes of it is right.
func TestFeedDepths(t *testing.T) {
	var depths []string
	serve := func(_ context.Context, inv *engine.Invocation, records []feedRecord, _ *engine.Result) error {
		depths = append(depths, fmt.Sprintf("%s %d %s", records[0].key(), inv.Depth, inv.Source))
		return nil
	}
	feedBubble(t, serve, func(t *feedTest) {
		t.add(persist.EventSourceMapping{BatchWindowSeconds: 1})
		t.writeTo("b", 0, "a", "b")
		t.writeTo("b", 3, "c", "d")
		t.writeTo("b", 0, "e")
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []string{"a 1 change", "c 4 change", "e 1 change"}; !slices.Equal(depths, want) {
			t.Errorf("ran %v, want %v", depths, want)
		}
	})
}

// TestFeedRestart: a batch that ran when the node went down runs again, and what was
// settled does not.
func TestFeedRestart(t *testing.T) {
	feedBubble(t, nil, func(t *feedTest) {
		t.engine.serve = func(ctx context.Context, _ *engine.Invocation, records []feedRecord, _ *engine.Result) error {
			if records[0].key() == "k003" && len(t.engine.ran()) < 6 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		t.add(persist.EventSourceMapping{BatchSize: 3})
		t.write(numbered(9)...)
		for range 3 {
			t.restart()
		}
		t.wantRan("f k000,k001,k002 0s", "f k003,k004,k005 0s", "f k003,k004,k005 5s", "f k003,k004,k005 10s", "f k003,k004,k005 15s")
		t.restart()
		time.Sleep(time.Minute)
		if got := t.engine.took("f"); !slices.Equal(got, numbered(9)) {
			t.Errorf("took %v", got)
		}
		// The node was stopped in order: that is not counted against the batch.
		if feed := t.feed("m-"); feed.Lanes[0].Starts != 0 || len(t.letters()) != 0 {
			t.Errorf("feed %+v", feed)
		}
	})
}

// TestFeedCrash: a batch that the node does not outlive is split and the change that
// is the cause given up.
func TestFeedCrash(t *testing.T) {
	feedBubble(t, nil, func(t *feedTest) {
		crashing := &crashingFeedStore{}
		t.wrap = func(s *persist.Store) FeedStore { crashing.Store = s; return crashing }
		t.restart()
		t.engine.serve = func(ctx context.Context, _ *engine.Invocation, records []feedRecord, _ *engine.Result) error {
			if err := poisoned(ctx, nil, records, nil); err != nil {
				crashing.down.Store(true) // nothing is stored any more
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		t.add(persist.EventSourceMapping{BisectBatch: true})
		t.write("a", "b", "poison", "c")
		starts := 0
		for ; crashing.down.Load() && starts < 30; starts++ {
			t.close()
			crashing.down.Store(false)
			t.open()
		}
		if got := t.engine.took("f"); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("took %v after %d starts: %v", got, starts, t.engine.ran())
		}
		letters := t.letters()
		if len(letters) != 1 || !strings.Contains(letters[0].Reason, "went down") || !slices.Equal(lettersOf(t), []string{"poison"}) {
			t.Errorf("dead letters %+v", letters)
		}
		if starts > 12 {
			t.Errorf("it took %d starts", starts)
		}
	})
}

// TestFeedEvent has a whole event, with the removal of a key that expired.
func TestFeedEvent(t *testing.T) {
	var events []string
	serve := func(_ context.Context, inv *engine.Invocation, _ []feedRecord, _ *engine.Result) error {
		events = append(events, string(inv.Payload))
		return nil
	}
	feedBubble(t, serve, func(t *feedTest) {
		t.add(persist.EventSourceMapping{})
		write := []persist.Write{{Bucket: "b", Key: "k", Kind: persist.WritePut, Value: []byte(`{"n": 1}`), TTL: time.Minute}}
		if _, err := t.store.Data().Write(persist.Origin{}, write); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if _, _, err := t.store.Data().Expire(10); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(events) != 2 {
			t.Fatalf("events %v", events)
		}
		const image = `{"key":{"S":"k"},"value":{"M":{"n":{"N":"1"}}}}`
		for i, want := range []string{
			`{"Records":[{"eventID":"*","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"local",` +
				`"dynamodb":{"ApproximateCreationDateTime":946684800,"Keys":{"key":{"S":"k"}},"NewImage":` + image +
				`,"SequenceNumber":"1","SizeBytes":9,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"` + feedARN("b") + `"}]}`,
			`{"Records":[{"eventID":"*","eventName":"REMOVE","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"local",` +
				`"dynamodb":{"ApproximateCreationDateTime":946684920,"Keys":{"key":{"S":"k"}},"OldImage":` + image +
				`,"SequenceNumber":"2","SizeBytes":9,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"` + feedARN("b") +
				`","userIdentity":{"principalId":"dynamodb.amazonaws.com","type":"Service"}}]}`,
		} {
			var event struct{ Records []struct{ EventID string } }
			if err := json.Unmarshal([]byte(events[i]), &event); err != nil || len(event.Records[0].EventID) != 32 {
				t.Errorf("event %s: %v", events[i], err)
				continue
			}
			if got := strings.Replace(events[i], event.Records[0].EventID, "*", 1); got != want {
				t.Errorf("event\n%s\nwant\n%s", got, want)
			}
		}
	})
}
