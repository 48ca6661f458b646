package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ledge/engine"
	"ledge/persist"
	"ledge/scheduler"

	bolt "go.etcd.io/bbolt"
)

// The rows of this file come from the store, the queue and the feeds in this process,
// with functions that do nothing: they say what being durable costs, without HTTP and
// without Wasm. Those of starts come from the real binary.

const (
	// fsyncsPerCommit: bbolt syncs the pages, then the meta page that makes them count.
	fsyncsPerCommit = 2
	crowd           = 64 // callers, where there are many
)

var plentiful = persist.QueueLimits{Jobs: 1 << 30, Bytes: 1 << 40}

func (b *bench) events() error {
	for _, measure := range []func() error{b.enqueue, b.handled, b.values, b.reads, b.feedLag, b.startsWithEvents} {
		if err := measure(); err != nil {
			return err
		}
	}
	return nil
}

// openStore opens a new store with a function f.
func (b *bench) openStore(name string) (*persist.Store, error) {
	store, err := persist.Open(filepath.Join(b.dir, name), persist.Options{})
	if err != nil {
		return nil, err
	}
	if _, err := store.PutFunction(persist.Function{Name: "f"}, "", nil); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// fromCallers calls do from callers at once for as long as a measurement lasts, and
// returns how many calls there were in a second.
func (b *bench) fromCallers(callers int, do func(i int64) error) (float64, error) {
	var next atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, callers)
	began := time.Now()
	for range callers {
		all.Go(func() {
			for time.Since(began) < b.duration && b.ctx.Err() == nil {
				if err := do(next.Add(1)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	rate := float64(next.Load()) / time.Since(began).Seconds()
	select {
	case err := <-failed:
		return 0, err
	default:
		return rate, b.ctx.Err()
	}
}

// enqueue measures events that are on disk before their senders go on.
func (b *bench) enqueue() error {
	store, err := b.openStore("enqueue")
	if err != nil {
		return err
	}
	defer store.Close()
	payload := make([]byte, 256)
	submit := func(i int64) error {
		_, err := store.Enqueue(persist.Job{ID: strconv.FormatInt(i, 36), Function: "f", Payload: payload}, plentiful, false)
		return err
	}
	var alone, many, shared []float64
	for range b.rounds {
		one, err := b.fromCallers(1, submit)
		if err != nil {
			return err
		}
		before := store.Commits()
		rate, err := b.fromCallers(crowd, submit)
		if err != nil {
			return err
		}
		alone, many = append(alone, one), append(many, rate)
		shared = append(shared, rate*b.duration.Seconds()/float64(fsyncsPerCommit*(store.Commits()-before)))
	}
	b.row("| events of 256 bytes taken durably, %d senders (in process) | %.0f/s | %.0f/s one sender | %.1f | 5000/s |",
		crowd, median(many), median(alone), median(many)/median(alone))
	b.row("| of these, events per fsync | %.1f | | | 20 |", median(shared))
	return nil
}

// invokerFunc is a function that is called as functions are.
type invokerFunc func(*engine.Invocation)

func (f invokerFunc) Invoke(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
	f(inv)
	return nil
}

// running runs a part of the scheduler until stop is called.
func running(run func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	return func() error { cancel(); return <-ended }
}

// handled measures how long an event takes from its sender to its function, where
// there is no other, beside what it would cost in a journal, one append and one fsync,
// and beside a commit of plain bbolt: pages, fsync, meta page, fsync.
func (b *bench) handled() error {
	store, err := b.openStore("handled")
	if err != nil {
		return err
	}
	defer store.Close()
	plain, err := openPlain(filepath.Join(b.dir, "commit.db"))
	if err != nil {
		return err
	}
	defer plain.Close()
	journal, err := os.OpenFile(filepath.Join(b.dir, "journal"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer journal.Close()
	called := make(chan time.Time, 1)
	queue := scheduler.NewQueue(scheduler.QueueConfig{Store: store,
		Invoker: invokerFunc(func(*engine.Invocation) { called <- time.Now() })})
	stop := running(queue.Run)
	payload := make([]byte, 256)
	ways := []struct {
		do   func() (ended time.Time, err error)
		took []float64 // milliseconds
	}{
		{do: func() (time.Time, error) {
			if _, err := queue.Submit(persist.Job{Function: "f", Payload: payload}); err != nil {
				return time.Time{}, err
			}
			return <-called, nil
		}},
		{do: func() (time.Time, error) {
			_, err := journal.Write(payload)
			if err == nil {
				err = journal.Sync()
			}
			return time.Now(), err
		}},
		{do: func() (time.Time, error) {
			err := plain.Update(func(tx *bolt.Tx) error {
				bucket := tx.Bucket(plainBucket)
				number, err := bucket.NextSequence()
				if err != nil {
					return err
				}
				return bucket.Put(binary.BigEndian.AppendUint64(nil, number), payload)
			})
			return time.Now(), err
		}},
	}
	const pause = 20 * time.Millisecond // in which the event before is written off
	for began := time.Now(); err == nil && time.Since(began) < b.duration*time.Duration(b.rounds); {
		for i := range ways {
			time.Sleep(pause)
			at := time.Now()
			ended, failed := ways[i].do()
			if err = errors.Join(failed, b.ctx.Err()); err != nil {
				break
			}
			ways[i].took = append(ways[i].took, ended.Sub(at).Seconds()*1e3)
		}
	}
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	event, appended, committed := median(ways[0].took), median(ways[1].took), median(ways[2].took)
	const name = "| event of 256 bytes taken durably until its function is called, one at a time: median (in process)"
	b.row(name+" | %.2f ms | %.2f ms to append it to a journal, with its fsync | %.2f | at most 2 |", event, appended, event/appended)
	b.row(name+" | %.2f ms | %.2f ms a commit of plain bbolt, with its two fsyncs | %.2f | |", event, committed, event/committed)
	return nil
}

// feedLag measures how long after a write a feed hands it to its function, while
// eight writers write without a pause.
func (b *bench) feedLag() error {
	store, err := b.openStore("feed")
	if err != nil {
		return err
	}
	defer store.Close()
	// The key says when the write began: the feed's own times are whole seconds.
	key := regexp.MustCompile(`"Keys":\{"key":\{"S":"(\d+)-\d+"`)
	var mu sync.Mutex
	var lags []float64
	feeds := scheduler.NewFeeds(scheduler.FeedsConfig{Store: store, Invoker: invokerFunc(func(inv *engine.Invocation) {
		now := time.Now().UnixNano()
		mu.Lock()
		defer mu.Unlock()
		for _, match := range key.FindAllSubmatch(inv.Payload, -1) {
			at, err := strconv.ParseInt(string(match[1]), 10, 64)
			if err == nil {
				lags = append(lags, float64(now-at)/1e6)
			}
		}
	})})
	store.OnChange(feeds.Notify)
	mapping, err := store.PutMapping(persist.EventSourceMapping{
		ID: "00000000-0000-4000-8000-000000000000", Function: "f", Enabled: true,
		Source:    "arn:aws:dynamodb:us-east-1:000000000000:table/b/stream/LATEST",
		BatchSize: 100, MaxAgeSeconds: -1, MaxRetries: -1, Parallel: 1, Start: "TRIM_HORIZON",
	})
	if err != nil {
		return err
	}
	stop := running(feeds.Run)
	feeds.Changed(mapping.ID)
	data, value := store.Data(), make([]byte, 100)
	rate, err := b.fromCallers(8, func(i int64) error {
		_, err := data.Write(persist.Origin{}, []persist.Write{{
			Bucket: "b", Key: fmt.Sprintf("%d-%d", time.Now().UnixNano(), i), Kind: persist.WritePut, Value: value, TTL: time.Hour}})
		return err
	})
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	if len(lags) == 0 {
		return errors.New("the feed delivered nothing")
	}
	p50 := median(lags)
	b.row("| change feed: from the begin of a write to its function, 8 writers without a pause, median (in process) | %.2f ms | | | |", p50)
	b.row("| the same, p99, and writes meanwhile | %.2f ms | %.0f/s | | |", lags[len(lags)*99/100], rate)
	return nil
}
