package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ledge/persist"
)

// scheduleTest has a store and Schedules in fake time, which begins at midnight
// of 1 January 2000, UTC.
type scheduleTest struct {
	*testing.T
	store     *tickStore
	schedules *Schedules
	clock     *testClock
	log       *bytes.Buffer
	cfg       SchedulesConfig // Store, Clock and what else is nil are filled in
	start     time.Time
	stop      func()
}

// tickStore notes ticks and refuses some.
type tickStore struct {
	*persist.Store
	mu    sync.Mutex
	start time.Time
	// name, time after the start, "-" where it was left out or a number of jobs above one
	ticks   []string
	commits int
	fails   int
	seen    []time.Time // that were noted
}

func (s *tickStore) Ticks(ticks []persist.Tick) ([]persist.Ticked, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return nil, errors.New("disk full")
	}
	s.commits++
	done, err := s.Store.Ticks(ticks)
	for i, result := range done {
		if !result.Acted {
			continue
		}
		text := ticks[i].Name + " " + ticks[i].At.Sub(s.start).String()
		switch result.Queued {
		case 0:
			text += " -"
		case 1:
		default:
			text += fmt.Sprintf(" %d", result.Queued)
		}
		s.ticks = append(s.ticks, text)
	}
	return done, err
}

// NoteClock is persist.Store's without the disk, which would be asked some thousand
// times in the years that pass here.
func (s *tickStore) NoteClock(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, now)
	return nil
}

func (s *tickStore) ClockSeen() (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == 0 {
		return time.Time{}, nil
	}
	return s.seen[len(s.seen)-1], nil
}

// testClock is the bubble's clock, set by offset.
type testClock struct {
	mu     sync.Mutex
	offset time.Duration
	synced bool
	set    chan struct{}
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return wallClock().Add(c.offset)
}

func (c *testClock) Synchronised() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.synced
}

func (c *testClock) Watch(context.Context) <-chan struct{} { return c.set }

// jump sets the clock.
func (c *testClock) jump(by time.Duration, synced bool) {
	c.mu.Lock()
	c.offset += by
	c.synced = synced
	c.mu.Unlock()
	select {
	case c.set <- struct{}{}:
	default:
	}
}

func inScheduleBubble(t *testing.T, test func(*scheduleTest)) {
	inScheduleBubbleWith(t, t.TempDir(), test)
}

// inScheduleBubbleWith runs test with the store in dir.
func inScheduleBubbleWith(t *testing.T, dir string, test func(*scheduleTest)) {
	synctest.Test(t, func(t *testing.T) {
		store, err := persist.Open(dir, persist.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}()
		if _, err := store.PutFunction(persist.Function{Name: "f"}, "", nil); err != nil {
			t.Fatal(err)
		}
		s := &scheduleTest{T: t, start: time.Now(), store: &tickStore{Store: store, start: time.Now()},
			clock: &testClock{set: make(chan struct{}, 1)}, log: new(bytes.Buffer)}
		s.run()
		test(s)
		s.stop()
	})
}

func (t *scheduleTest) run() {
	cfg := t.cfg
	cfg.Store, cfg.Clock, cfg.Wake, cfg.Region = t.store, t.clock, func() {}, "local"
	cfg.Log = slog.New(slog.NewTextHandler(t.log, nil))
	t.schedules = NewSchedules(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- t.schedules.Run(ctx) }()
	synctest.Wait()
	t.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		t.stop = func() {}
	}
}

func (t *scheduleTest) create(schedule persist.Schedule) {
	t.Helper()
	if schedule.Group == "" {
		schedule.Group = persist.DefaultScheduleGroup
	}
	if schedule.State == "" {
		schedule.State = persist.ScheduleEnabled
	}
	if schedule.Target.Function == "" {
		schedule.Target.Function = "f"
	}
	if _, err := t.store.CreateSchedule(schedule); err != nil {
		t.Fatal(err)
	}
	t.schedules.Changed(schedule.Group, schedule.Name)
	synctest.Wait()
}

func (t *scheduleTest) wantTicks(want ...string) {
	t.Helper()
	synctest.Wait()
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	if !slices.Equal(t.store.ticks, want) {
		t.Errorf("ticks %q, want %q", t.store.ticks, want)
	}
	t.store.ticks = nil
}

// forget has wantTicks begin from here.
func (t *scheduleTest) forget() {
	synctest.Wait()
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.store.ticks, t.store.commits = nil, 0
}

// wantSorted is wantTicks in any order of schedules.
func (t *scheduleTest) wantSorted(want ...string) {
	t.Helper()
	synctest.Wait()
	byName := func(a, b string) int { return strings.Compare(strings.Fields(a)[0], strings.Fields(b)[0]) }
	t.store.mu.Lock()
	slices.SortStableFunc(t.store.ticks, byName)
	t.store.mu.Unlock()
	t.wantTicks(want...)
}

// jobs leases all jobs, however far in the future they are due.
func (t *scheduleTest) jobs() []persist.Job {
	t.Helper()
	leased, err := t.store.Lease(persist.LeaseRequest{Now: time.Now().Add(1000 * time.Hour), Limit: 1000, PerFunction: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return leased.Jobs
}
