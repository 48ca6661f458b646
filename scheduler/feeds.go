// # Feeds
//
// Feeds run functions on the changes of buckets of data, as AWS Lambda runs them on
// DynamoDB Streams: a feed is an event source mapping. An event is
//
//	{"Records": [{
//	  "eventID": "…", "eventName": "INSERT" | "MODIFY" | "REMOVE", "eventVersion": "1.1",
//	  "eventSource": "aws:dynamodb", "awsRegion": "…", "eventSourceARN": "…",
//	  "dynamodb": {
//	    "ApproximateCreationDateTime": 1700000000, "Keys": {"key": {"S": "a/b"}},
//	    "NewImage": {"key": {"S": "a/b"}, "value": …}, "OldImage": …,
//	    "SequenceNumber": "111", "SizeBytes": 26, "StreamViewType": "NEW_AND_OLD_IMAGES"}}]}
//
// where value is the attribute value of what the key holds. JSON becomes M, L, N, S,
// BOOL and NULL; other UTF-8 is an S, and anything else, also in a key, a B in base64.
// Numbers keep their digits. What expired has the userIdentity of DynamoDB's time to
// live. Filters are the patterns of package pattern; in them, other than in AWS, an N
// is a number too.
//
//   - Each change that was committed is delivered at least once, or given up as said
//     below. Changes of a key come in order. With Parallel the keys are spread over
//     as many lanes, which do not wait for each other; changing it may repeat changes.
//   - A batch that fails is tried again after a second, then less and less often, down
//     to every five minutes, MaxRetries times. The lane waits meanwhile. BisectBatch
//     halves it at once instead, which is no retry; ReportItemFailures settles what is
//     before the first failed record.
//   - Where the function cannot run, because its concurrency or the node's memory is used
//     up, that is no failure, and only its feed waits.
//   - What failed, or was refused, and is older than MaxAgeSeconds or than 24 hours, is
//     given up. Age is counted by the clock and by the time since the start, and the
//     smaller one holds: a clock that is set forward makes nothing old. In the first hour
//     after a start nothing from before it is given up for its age.
//   - What is given up goes to the destination, a function, as a record that has the
//     event as "payload", or becomes dead letters with the event, which can be run again.
//     That, and the place in the stream, are one transaction.
//   - A batch that the node went down over six times, without getting further, is split
//     or given up. A node that stops in order is not counted.
//   - A change that eight events in a row led to becomes a dead letter: it may be a loop.
//     A batch has changes of one depth, so that no other is taken for one.
//
// At most 8 batches run at a time; a feed gets one more only while fewer of its own run
// than are free. Feeds read their backlog as they can run it, and do not hold up the
// start. Nothing is polled: who writes wakes the feeds of the bucket.
package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// FeedStore is the part of persist.Store that Feeds need.
type FeedStore interface {
	Mappings() ([]persist.EventSourceMapping, error)
	GetMapping(id string) (persist.EventSourceMapping, error)
	OpenFeed(mapping string) (persist.Feed, error)
	SettleFeed(persist.FeedStep) error
	Changes(bucket string, after uint64, limit, maxBytes int) (changes []persist.Change, more bool, err error)
}

// FeedsConfig sets up Feeds. Store and Invoker are needed, the zero value of the rest
// is the default.
type FeedsConfig struct {
	Store   FeedStore
	Invoker Invoker
	// Wake is called when an event for a destination was queued: Queue.Wake.
	Wake func()
	Log  *slog.Logger
	// Workers is how many batches run at the same time; 0 means 8.
	Workers int
	// Drain is how long Run waits, once it is to stop, for functions that run; then
	// they are stopped, and their batches run again when the node starts. 0 means 5 s.
	Drain time.Duration
	// Region stands in the ARNs of records for destinations; empty means
	// engine.DefaultRegion.
	Region string
}

// Feeds run functions on the changes of data, as AWS Lambda does on the records of
// DynamoDB Streams. The package comment says how.
type Feeds struct {
	cfg   FeedsConfig
	log   *slog.Logger
	slots *slots
	clock feedClock

	mu      sync.Mutex              // guards what follows; never held while the store is called
	keepers map[string]*keeper      // by mapping
	readers map[string][]*feedLane  // by bucket: the lanes that run
	keep    func(id string) *keeper // nil: Run is not running
}

// NewFeeds returns Feeds that deliver in Run.
func NewFeeds(cfg FeedsConfig) *Feeds {
	cfg.Workers = cmp.Or(cfg.Workers, 8)
	cfg.Drain = cmp.Or(cfg.Drain, 5*time.Second)
	cfg.Region = cmp.Or(cfg.Region, engine.DefaultRegion)
	if cfg.Wake == nil {
		cfg.Wake = func() {}
	}
	f := &Feeds{
		cfg: cfg, log: cfg.Log, slots: newSlots(cfg.Workers), clock: feedClock{time.Now()},
		keepers: map[string]*keeper{}, readers: map[string][]*feedLane{},
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	return f
}

// Notify says that a bucket has changed: it is for persist.Store.OnChange, and does
// not block. Nobody waits for a change otherwise: an idle feed sleeps.
func (f *Feeds) Notify(bucket string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.readers[bucket] {
		l.poke()
	}
}

// Changed says that a mapping was created, changed or removed. A batch that runs is
// brought to its end before what changed takes effect.
func (f *Feeds) Changed(mapping string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch k := f.keepers[mapping]; {
	case k != nil:
		k.poke()
	case f.keep != nil:
		f.keepers[mapping] = f.keep(mapping)
	}
}

// Status tells whether a mapping is being read, and up to which change of its bucket
// nothing is left to deliver; 0 where it is not read. A mapping that was disabled is
// read until its last batch has ended.
func (f *Feeds) Status(mapping string) (running bool, passed uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.keepers[mapping]
	if k == nil || len(k.lanes) == 0 {
		return false, 0
	}
	passed = k.lanes[0].passed.Load()
	for _, l := range k.lanes[1:] {
		passed = min(passed, l.passed.Load())
	}
	return true, passed
}

// Checkpoint has feeds store how far they have come past changes that they did not
// want, which they do only now and then: their streams can be trimmed that far. It
// does not wait for that.
func (f *Feeds) Checkpoint() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, lanes := range f.readers {
		for _, l := range lanes {
			l.checkpoint.Store(true)
			l.poke()
		}
	}
}

// Run delivers changes until ctx is done, and then until the batches that run have
// ended or were stopped. It fails where the store is closed. Call it once.
func (f *Feeds) Run(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var keepers sync.WaitGroup
	f.mu.Lock()
	f.keep = func(id string) *keeper {
		k := &keeper{feeds: f, id: id, wake: make(chan struct{}, 1)}
		keepers.Go(func() { k.run(ctx, running) })
		return k
	}
	f.mu.Unlock()
	// Mappings that change from here on come through Changed.
	err := f.open(ctx)
	if err == nil {
		<-ctx.Done()
	}
	f.mu.Lock()
	f.keep = nil
	f.mu.Unlock()
	timer := time.AfterFunc(f.cfg.Drain, stop)
	defer timer.Stop()
	if err != nil {
		stop()
	}
	keepers.Wait()
	return err
}

// open begins to read the mappings that are stored. Where the disk fails it goes on
// trying until ctx is done: somebody relies on the changes to arrive.
func (f *Feeds) open(ctx context.Context) error {
	for ctx.Err() == nil {
		mappings, err := f.cfg.Store.Mappings()
		switch {
		case errors.Is(err, persist.ErrClosed):
			return fmt.Errorf("change feeds stop: %w", err)
		case err == nil:
			for _, m := range mappings {
				f.Changed(m.ID)
			}
			return nil
		}
		f.log.Error("change feeds cannot be started; it is tried again", "in", storePause, "error", err)
		pause(ctx, storePause)
	}
	return nil
}

// keeper runs the feed of one mapping, and runs it anew when the mapping has changed.
type keeper struct {
	feeds *Feeds
	id    string
	wake  chan struct{} // the mapping changed; holds one
	lanes []*feedLane   // that run; guarded by feeds.mu
}

func (k *keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run ends with ctx, or with the mapping.
func (k *keeper) run(ctx, running context.Context) {
	for ctx.Err() == nil {
		mapping, err := k.feeds.cfg.Store.GetMapping(k.id)
		bucket, isFeed := mapping.Bucket()
		switch {
		case errors.Is(err, persist.ErrClosed):
			return
		case errors.Is(err, persist.ErrNotFound), err == nil && !isFeed:
			if k.forget() {
				return
			}
			continue
		case err == nil && mapping.Enabled:
			err = k.generation(ctx, running, mapping, bucket)
		case err == nil:
			k.sleep(ctx)
		}
		if err != nil {
			k.feeds.log.Error("a feed cannot be read; it is tried again", "mapping", k.id, "in", storePause, "error", err)
			pause(ctx, storePause)
		}
	}
}

// forget ends the keeper, unless the mapping has changed once more.
func (k *keeper) forget() bool {
	k.feeds.mu.Lock()
	defer k.feeds.mu.Unlock()
	select {
	case <-k.wake:
		return false
	default:
	}
	delete(k.feeds.keepers, k.id)
	return true
}

// sleep waits until the mapping has changed.
func (k *keeper) sleep(ctx context.Context) {
	select {
	case <-k.wake:
	case <-ctx.Done():
	}
}

// generation runs the lanes of a mapping until it has changed or ctx is done, and
// returns when all of them have ended.
func (k *keeper) generation(ctx, running context.Context, m persist.EventSourceMapping, bucket string) error {
	wanted, err := parseFilter(m.Filters)
	if err != nil { // it was checked when it was stored, by another release
		k.feeds.log.Error("the filter of a feed cannot be understood and nothing is delivered; update the mapping", "mapping", m.ID, "error", err)
		k.sleep(ctx)
		return nil
	}
	feed, err := k.feeds.cfg.Store.OpenFeed(m.ID)
	if errors.Is(err, persist.ErrNotFound) {
		return nil // run looks at what became of it
	}
	if err != nil {
		return err
	}
	taking, stop := context.WithCancel(ctx)
	defer stop()
	lanes := make([]*feedLane, len(feed.Lanes))
	for i, state := range feed.Lanes {
		lanes[i] = &feedLane{
			feeds: k.feeds, keeper: k, mapping: m, wanted: wanted,
			source: source{arn: m.Source, bucket: bucket, region: strings.Split(m.Source, ":")[3]},
			index:  i, lanes: len(lanes), state: state, result: feed.LastResult,
			wake: make(chan struct{}, 1),
		}
		lanes[i].passed.Store(state.After)
	}
	k.show(bucket, lanes)
	defer k.show(bucket, nil)
	var ended sync.WaitGroup
	for _, l := range lanes {
		ended.Go(func() { l.run(taking, running) })
	}
	k.sleep(ctx)
	stop()
	ended.Wait()
	return nil
}

// show has Notify and Status know the lanes that run.
func (k *keeper) show(bucket string, lanes []*feedLane) {
	f := k.feeds
	f.mu.Lock()
	defer f.mu.Unlock()
	others := make([]*feedLane, 0, len(f.readers[bucket])+len(lanes))
	for _, l := range f.readers[bucket] {
		if l.keeper != k {
			others = append(others, l)
		}
	}
	k.lanes = lanes
	if f.readers[bucket] = append(others, lanes...); len(f.readers[bucket]) == 0 {
		delete(f.readers, bucket)
	}
}
