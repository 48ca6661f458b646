package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// feedRecord is what the tests look at of a record.
type feedRecord struct {
	EventName string `json:"eventName"`
	Dynamodb  struct {
		Keys           struct{ Key struct{ S string } }
		NewImage       struct{ Value struct{ S, N string } }
		SequenceNumber string
	} `json:"dynamodb"`
}

func (r feedRecord) key() string { return r.Dynamodb.Keys.Key.S }

type feedServe func(ctx context.Context, inv *engine.Invocation, records []feedRecord, res *engine.Result) error

// feedEngine runs functions as the test says, and notes the keys of each batch.
type feedEngine struct {
	t     *testing.T
	start time.Time
	serve feedServe

	mu            sync.Mutex
	batches       []string // "function key,key after"
	keys          map[string][]string
	running, most int
}

func (f *feedEngine) Invoke(ctx context.Context, inv *engine.Invocation, res *engine.Result) error {
	var event struct{ Records []feedRecord }
	if err := json.Unmarshal(inv.Payload, &event); err != nil {
		f.t.Errorf("event %s: %v", inv.Payload, err)
	}
	var keys []string
	for _, r := range event.Records {
		keys = append(keys, r.key())
	}
	f.mu.Lock()
	f.batches = append(f.batches, fmt.Sprintf("%s %s %s", inv.Function, strings.Join(keys, ","), time.Since(f.start).Round(time.Second)))
	f.running++
	f.most = max(f.most, f.running)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.running--
		f.mu.Unlock()
	}()
	res.Version = "3"
	err := f.serve(ctx, inv, event.Records, res)
	if err == nil {
		f.mu.Lock()
		f.keys[inv.Function] = append(f.keys[inv.Function], keys...)
		f.mu.Unlock()
	}
	return err
}

func (f *feedEngine) ran() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.batches)
}

// took returns the keys that a function has taken, in order.
func (f *feedEngine) took(function string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.keys[function])
}

// feedTest is a store and feeds that run, in fake time.
type feedTest struct {
	*testing.T
	dir    string
	store  *persist.Store
	engine *feedEngine
	feeds  *Feeds
	cfg    FeedsConfig
	wrap   func(*persist.Store) FeedStore // nil: the feeds have the store itself
	stop   func()
}

func feedBubble(t *testing.T, serve feedServe, test func(*feedTest)) {
	synctest.Test(t, func(t *testing.T) {
		f := &feedTest{T: t, dir: t.TempDir()}
		f.engine = &feedEngine{t: t, start: time.Now(), serve: serve, keys: map[string][]string{}}
		f.open()
		for _, name := range []string{"f", "g", "lost"} {
			if _, err := f.store.PutFunction(persist.Function{Name: name}, "", nil); err != nil {
				t.Fatal(err)
			}
		}
		test(f)
		f.close()
	})
}

// open opens the store and has the feeds run.
func (t *feedTest) open() {
	t.Helper()
	var err error
	if t.store, err = persist.Open(t.dir, persist.Options{}); err != nil {
		t.Fatal(err)
	}
	cfg := t.cfg
	cfg.Invoker, cfg.Region = t.engine, "local"
	cfg.Store = t.store
	if t.wrap != nil {
		cfg.Store = t.wrap(t.store)
	}
	t.feeds = NewFeeds(cfg)
	t.store.OnChange(t.feeds.Notify)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- t.feeds.Run(ctx) }()
	t.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	synctest.Wait()
}

// close stops the feeds as a node does that stops.
func (t *feedTest) close() {
	t.Helper()
	t.stop()
	if err := t.store.Close(); err != nil {
		t.Error(err)
	}
}

func (t *feedTest) restart() {
	t.Helper()
	t.close()
	t.open()
}

// feedARN is the source of a bucket's feed.
func feedARN(bucket string) string {
	return "arn:aws:dynamodb:local:000000000000:table/" + bucket + "/stream/LATEST"
}

// add makes a mapping from the bucket b, or another, to f, or another, with defaults.
func (t *feedTest) add(m persist.EventSourceMapping) persist.EventSourceMapping {
	t.Helper()
	if m.ID == "" {
		m.ID = "m-" + m.Function
	}
	if m.Function == "" {
		m.Function = "f"
	}
	if m.Source == "" {
		m.Source = feedARN("b")
	}
	if m.BatchSize == 0 {
		m.BatchSize = 100
	}
	m.Enabled = true
	return t.put(m)
}

func (t *feedTest) put(m persist.EventSourceMapping) persist.EventSourceMapping {
	t.Helper()
	m, err := t.store.PutMapping(m)
	if err != nil {
		t.Fatal(err)
	}
	t.feeds.Changed(m.ID)
	synctest.Wait()
	return m
}

// write puts keys into the bucket b in one transaction.
func (t *feedTest) write(keys ...string) {
	t.Helper()
	t.writeTo("b", 0, keys...)
	synctest.Wait()
}

func (t *feedTest) writeTo(bucket string, depth int, keys ...string) {
	t.Helper()
	for part := range slices.Chunk(keys, persist.MaxWrites) {
		writes := make([]persist.Write, len(part))
		for i, key := range part {
			writes[i] = persist.Write{Bucket: bucket, Key: key, Kind: persist.WritePut, Value: []byte(key)}
		}
		if _, err := t.store.Data().Write(persist.Origin{Depth: depth}, writes); err != nil {
			t.Fatal(err)
		}
	}
}

func (t *feedTest) feed(mapping string) persist.Feed {
	t.Helper()
	feed, err := t.store.GetFeed(mapping)
	if err != nil {
		t.Fatal(err)
	}
	return feed
}

// letters returns the dead letters with their payloads.
func (t *feedTest) letters() (letters []persist.DeadLetter) {
	t.Helper()
	list, _, err := t.store.DeadLetters(0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		letter, err := t.store.GetDeadLetter(l.Sequence)
		if err != nil {
			t.Fatal(err)
		}
		letters = append(letters, letter)
	}
	return letters
}

// wantRan compares the batches that ran.
func (t *feedTest) wantRan(want ...string) {
	t.Helper()
	if got := t.engine.ran(); !slices.Equal(got, want) {
		t.Errorf("ran\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// lettersOf are the keys in dead letters.
func lettersOf(t *feedTest) (keys []string) {
	t.Helper()
	for _, l := range t.letters() {
		var event struct{ Records []feedRecord }
		if err := json.Unmarshal(l.Job.Payload, &event); err != nil {
			t.Fatal(err)
		}
		for _, r := range event.Records {
			keys = append(keys, r.key())
		}
	}
	return keys
}

func taken(context.Context, *engine.Invocation, []feedRecord, *engine.Result) error { return nil }

// poisoned fails for batches with the key "poison".
func poisoned(_ context.Context, _ *engine.Invocation, records []feedRecord, _ *engine.Result) error {
	if slices.ContainsFunc(records, func(r feedRecord) bool { return r.key() == "poison" }) {
		return valueError()
	}
	return nil
}

func numbered(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("k%03d", i))
	}
	return keys
}
