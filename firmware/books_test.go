package firmware_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"ledge/persist"
)

// books are what a store knows of events, read while no node runs.
type books struct {
	t             *testing.T
	store         *persist.Store
	ran           map[string]int // how often a function counted an event, or a key of a change
	waiting, dead map[string]bool
	scheduled     map[string]int // jobs that wait, by schedule
}

func openBooks(t *testing.T, data string) *books {
	t.Helper()
	store, err := persist.Open(data, persist.Options{LockTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if what := store.Recovered(); what != "" {
		t.Errorf("the store was damaged: %s", what)
	}
	b := &books{t: t, store: store, ran: map[string]int{}, waiting: map[string]bool{}, dead: map[string]bool{}, scheduled: map[string]int{}}
	for _, function := range []string{"tally", "clock"} {
		for _, item := range b.items(persist.OwnBucket(function)) {
			b.ran[item.Key] = len(item.Value)
		}
	}
	b.readQueue()
	b.readDeadLetters()
	return b
}

// has says whether an event has run, waits or is a dead letter.
func (b *books) has(id string) bool { return b.ran[id] > 0 || b.waiting[id] || b.dead[id] }

// items returns all that is in a bucket.
func (b *books) items(bucket string) (all []persist.Item) {
	b.t.Helper()
	for r, more := (persist.Range{Limit: 1000}), true; more; {
		var items []persist.Item
		var err error
		if items, more, err = b.store.Data().List(bucket, r); err != nil {
			b.t.Fatal(err)
		}
		all = append(all, items...)
		if len(all) > 0 {
			r.After = all[len(all)-1].Key
		}
	}
	return all
}

const many = 100 // that are read at once

// readQueue leases every job: those that a node had leased were given back.
func (b *books) readQueue() {
	b.t.Helper()
	if _, err := b.store.ReleaseLeases(); err != nil {
		b.t.Fatal(err)
	}
	soon := time.Now().Add(24 * time.Hour) // those that wait for their next attempt too
	for more := true; more; {
		leased, err := b.store.Lease(persist.LeaseRequest{Now: soon, Limit: many, PerFunction: many})
		if err != nil {
			b.t.Fatal(err)
		}
		for _, job := range leased.Jobs {
			b.waiting[string(job.Payload)] = true
			if job.Schedule != "" {
				b.scheduled[job.Schedule]++
			}
		}
		more = len(leased.Jobs) > 0
	}
}

// keyOfRecord is a changed key in the event of a feed.
var keyOfRecord = regexp.MustCompile(`"Keys":\{"key":\{"S":"([^"]*)"`)

// readDeadLetters notes dead letters by their event, and by the keys of their changes.
func (b *books) readDeadLetters() {
	b.t.Helper()
	for after, more := uint64(0), true; more; {
		letters, others, err := b.store.DeadLetters(after, many)
		if err != nil {
			b.t.Fatal(err)
		}
		more = others
		for _, letter := range letters {
			after = letter.Sequence
			if letter, err = b.store.GetDeadLetter(letter.Sequence); err != nil {
				b.t.Fatal(err)
			}
			b.dead[string(letter.Job.Payload)] = true
			for _, key := range keyOfRecord.FindAllSubmatch(letter.Job.Payload, -1) {
				b.dead[string(key[1])] = true
			}
		}
	}
}

// reconcileFeed checks the feed of the watched bucket, which has come to its end. A
// key is written once, so that keys, changes and what the feed counts are as many.
func (b *books) reconcileFeed(written map[string]bool) {
	b.t.Helper()
	there := map[string]bool{}
	for _, item := range b.items(watched) {
		there[item.Key] = true
		if string(item.Value) != item.Key {
			b.t.Errorf("%s has the value %q", item.Key, item.Value)
		}
		if b.ran[item.Key] == 0 && !b.dead[item.Key] {
			b.t.Errorf("%s is in the bucket and has not reached the feed's function", item.Key)
		}
	}
	for key := range written {
		if !there[key] {
			b.t.Errorf("%s was acknowledged and is lost", key)
		}
	}
	again := 0
	for key, times := range b.ran {
		if !strings.HasPrefix(key, "write ") {
			continue
		}
		if !there[key] {
			b.t.Errorf("the feed's function saw %s, which is not in the bucket", key)
		}
		if times > 1 {
			again++
		}
	}
	_, newest, err := b.store.StreamBounds(watched)
	if err != nil {
		b.t.Fatal(err)
	}
	feeds, err := b.store.Feeds()
	if err != nil || len(feeds) != 1 {
		b.t.Fatalf("%d feeds, %v", len(feeds), err)
	}
	feed := feeds[0]
	if newest != uint64(len(there)) || feed.Delivered+feed.GivenUp != newest || feed.Lost != 0 {
		b.t.Errorf("%d keys were written by %d changes; the feed counts %d as delivered, %d as given up, %d as lost",
			len(there), newest, feed.Delivered, feed.GivenUp, feed.Lost)
	}
	b.t.Logf("of %d writes, %d of them acknowledged, %d reached the feed's function more than once; %d were given up",
		len(there), len(written), again, feed.GivenUp)
}

// reconcileSchedule checks a schedule for each second since it was created, up to the
// last that it acted on.
//
// The sets overlap: an event that has run waits as long as that is not noted, and may
// be given up after the node went down several times while it ran. Its state counts it
// once: it waits or runs, or has succeeded, or has failed.
func (b *books) reconcileSchedule(name string) {
	b.t.Helper()
	status, err := b.store.GetScheduleStatus("default", name)
	if err != nil {
		b.t.Fatal(err)
	}
	state := status.State
	ticks := int(state.LastTick.Sub(status.Schedule.Created) / time.Second)
	there, succeeded := 0, 0
	for n := range ticks {
		at := status.Schedule.Created.Add(time.Duration(n+1) * time.Second)
		id := fmt.Sprintf(`"%s %s"`, name, at.UTC().Format(time.RFC3339))
		if b.has(id) {
			there++
		}
		if b.ran[id] > 0 {
			succeeded++
		}
	}
	pending := len(state.Pending)
	if counted := int(state.Ran+state.Failed) + pending; there != counted {
		b.t.Errorf("%s: %d of its events have run, wait or are dead letters; it counts %d", name, there, counted)
	}
	if int(state.Ran) > succeeded || b.scheduled["default/"+name] != pending {
		b.t.Errorf("%s counts %d runs and %d jobs; %d have run and %d wait", name, state.Ran, pending, succeeded, b.scheduled["default/"+name])
	}
	if there+int(state.Missed) != ticks || state.Skipped != 0 {
		b.t.Errorf("%s: of %d times %d have an event, %d were missed and %d skipped", name, ticks, there, state.Missed, state.Skipped)
	}
	if state.Missed == 0 {
		b.t.Errorf("%s has missed no time, and the node was off for longer than there is between two", name)
	}
	b.t.Logf("%s: of %d times %d have run, %d wait, %d failed, %d were missed", name, ticks, state.Ran, pending, state.Failed, state.Missed)
}
