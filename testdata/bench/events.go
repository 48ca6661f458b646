package main

import (
	"context"
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
	for _, measure := range []func() error{b.enqueue, b.handled, b.values, b.feedLag, b.startsWithEvents} {
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
// there is no other, beside the fsync that it waits for.
func (b *bench) handled() error {
	store, err := b.openStore("handled")
	if err != nil {
		return err
	}
	defer store.Close()
	called := make(chan time.Time, 1)
	queue := scheduler.NewQueue(scheduler.QueueConfig{Store: store,
		Invoker: invokerFunc(func(*engine.Invocation) { called <- time.Now() })})
	stop := running(queue.Run)
	file, err := os.Create(filepath.Join(b.dir, "fsync"))
	if err != nil {
		return errors.Join(err, stop())
	}
	defer file.Close()
	page := make([]byte, 4096)
	if _, err := file.Write(page); err != nil {
		return errors.Join(err, stop())
	}
	const pause = 20 * time.Millisecond // in which the event before is written off
	var handled, syncs []float64
	began := time.Now()
	for err == nil && time.Since(began) < b.duration*time.Duration(b.rounds) {
		time.Sleep(pause)
		at := time.Now()
		if _, err = queue.Submit(persist.Job{Function: "f", Payload: page[:256]}); err != nil {
			break
		}
		handled = append(handled, (<-called).Sub(at).Seconds()*1e3)
		time.Sleep(pause)
		at = time.Now()
		if _, err = file.WriteAt(page, 0); err == nil { // in place, as bbolt does
			err = file.Sync()
		}
		syncs = append(syncs, time.Since(at).Seconds()*1e3)
	}
	if err := errors.Join(err, stop(), b.ctx.Err()); err != nil {
		return err
	}
	b.row("| event taken durably until its function is called, one at a time: median (in process) | %.2f ms | %.2f ms an fsync of 4 KiB, of which a commit of bbolt has two | %.2f | at most 2 |",
		median(handled), median(syncs), median(handled)/median(syncs))
	return nil
}

// values compares data of functions with a plain bbolt file, which has no sequence
// numbers, no limits and no times.
func (b *bench) values() error {
	store, err := b.openStore("values")
	if err != nil {
		return err
	}
	defer store.Close()
	plain, err := bolt.Open(filepath.Join(b.dir, "plain.db"), 0o600, nil)
	if err != nil {
		return err
	}
	defer plain.Close()
	if err := plain.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err }); err != nil {
		return err
	}
	data, value := store.Data(), make([]byte, 100)
	key := func(i int64) string { return fmt.Sprintf("key %04d", i%1000) }
	rows := []struct {
		name         string
		callers      int
		ours, theirs func(i int64) error
	}{
		{"put", crowd, func(i int64) error {
			_, err := data.Write(persist.Origin{}, []persist.Write{{Bucket: "b", Key: key(i), Kind: persist.WritePut, Value: value}})
			return err
		}, func(i int64) error {
			return plain.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("b")).Put([]byte(key(i)), value) })
		}},
		{"get", 1, func(i int64) error {
			_, err := data.Get("b", key(i))
			return err
		}, func(i int64) error {
			return plain.View(func(tx *bolt.Tx) error {
				_ = append([]byte(nil), tx.Bucket([]byte("b")).Get([]byte(key(i)))...)
				return nil
			})
		}},
	}
	for _, row := range rows {
		var ours, theirs, ratios []float64
		for range b.rounds {
			mine, err := b.fromCallers(row.callers, row.ours)
			if err != nil {
				return err
			}
			other, err := b.fromCallers(row.callers, row.theirs)
			if err != nil {
				return err
			}
			ours, theirs, ratios = append(ours, mine), append(theirs, other), append(ratios, mine/other)
		}
		b.row("| %s of a value of 100 bytes, callers: %d (in process) | %.0f/s | %.0f/s plain bbolt | %.2f | |",
			row.name, row.callers, median(ours), median(theirs), median(ratios))
	}
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

// startsWithEvents measures the binary on a store with a long queue and on one with
// many schedules.
func (b *bench) startsWithEvents() error {
	var empty, emptyMemory float64
	module := filepath.Join(b.functions, "echo.wasm")
	for _, c := range []struct {
		name            string
		jobs, schedules int
	}{
		{"an empty store", 0, 0},
		{"1 000 000 queued events", 1_000_000, 0},
		{"100 000 schedules", 0, 100_000},
	} {
		data := filepath.Join(b.dir, fmt.Sprintf("start-%d-%d", c.jobs, c.schedules))
		node, _, err := b.node(data)
		if err != nil {
			return err
		}
		if err := errors.Join(b.command(data, "deploy", "f", module), b.stop(node)); err != nil {
			return err
		}
		if err := b.fill(data, c.jobs, c.schedules); err != nil {
			return err
		}
		var starts, memory []float64
		for range b.rounds {
			began := time.Now()
			node, _, err := b.node(data)
			if err != nil {
				return err
			}
			starts = append(starts, time.Since(began).Seconds()*1e3)
			time.Sleep(2 * time.Second) // for what it reads once it serves
			resident, err := residentMiB(node.Process.Pid)
			if err := errors.Join(err, b.stop(node)); err != nil {
				return err
			}
			memory = append(memory, resident)
		}
		if c.jobs+c.schedules == 0 {
			empty, emptyMemory = median(starts), median(memory)
			continue
		}
		b.row("| start with %s until the first reply | %.0f ms | %.0f ms with an empty store | %.2f | |", c.name, median(starts), empty, median(starts)/empty)
		b.row("| memory with them, 2 s later | %.1f MiB | %.1f MiB with an empty store | %.2f | |", median(memory), emptyMemory, median(memory)/emptyMemory)
	}
	return nil
}

// fill writes events that are due tomorrow, and schedules, all for the function f.
func (b *bench) fill(data string, jobs, schedules int) error {
	store, err := persist.Open(data, persist.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	var next atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, 256)
	due := time.Now().Add(20 * time.Hour)
	for range cap(failed) {
		all.Go(func() {
			for i := next.Add(1); i <= int64(jobs+schedules); i = next.Add(1) {
				var err error
				if id := fmt.Sprintf("n%07d", i); i <= int64(jobs) {
					_, err = store.Enqueue(persist.Job{ID: id, Function: "f", Payload: []byte(id), Due: due}, plentiful, false)
				} else {
					_, err = store.CreateSchedule(persist.Schedule{Group: "default", Name: id, Expression: "cron(0 3 1 1 ? 2099)",
						State: persist.ScheduleEnabled, Target: persist.ScheduleTarget{Function: "f", Input: `{"n":1}`}})
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return fmt.Errorf("fill %s: %w", data, err)
	default:
		return nil
	}
}
