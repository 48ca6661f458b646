package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// ScheduleStore is the part of persist.Store that Schedules needs.
type ScheduleStore interface {
	ScheduleStatuses(persist.ScheduleQuery) (persist.SchedulePage, error)
	ScheduleStatusesOf([]persist.ScheduleName) ([]persist.ScheduleStatus, error)
	Ticks([]persist.Tick) ([]persist.Ticked, error)
	RunSchedule(group, name, revision string, job persist.Job, limits persist.QueueLimits) error
	ClockSeen() (time.Time, error)
	NoteClock(time.Time) error
}

// SchedulesConfig sets up Schedules. Store and Wake are needed.
type SchedulesConfig struct {
	Store ScheduleStore
	// Wake is called when an event was queued: Queue.Wake.
	Wake   func()
	Log    *slog.Logger
	Limits persist.QueueLimits // of the queue; zero: persist.DefaultQueueLimits
	Region string              // in ARNs; empty means engine.DefaultRegion

	Clock Clock // nil: SystemClock
	// ClockWait bounds how long Run waits for a clock that is to be believed; 0 does
	// not wait.
	ClockWait time.Duration
	// Built is a time before which no clock is right: BuildTime. Zero: none.
	Built time.Time
}

// defaultEventAge is how long Amazon EventBridge Scheduler tries to deliver
// where the schedule does not say
// (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html).
const defaultEventAge = 24 * time.Hour

// Schedules queues events for functions at the times that schedules name. The
// package comment says what becomes of times that were missed.
type Schedules struct {
	cfg  SchedulesConfig
	log  *slog.Logger
	wake chan struct{} // changed is not empty; holds one

	mu      sync.Mutex
	changed map[persist.ScheduleName]bool

	// What follows is Run's alone.
	agenda *agenda
	zones  map[string]*time.Location // that were read of the database, by name
	trust  trust
	report report
}

// NewSchedules returns Schedules that act in Run.
func NewSchedules(cfg SchedulesConfig) *Schedules {
	cfg.Region = cmp.Or(cfg.Region, engine.DefaultRegion)
	cfg.Limits = cmp.Or(cfg.Limits, persist.DefaultQueueLimits())
	if cfg.Clock == nil {
		cfg.Clock = SystemClock{}
	}
	s := &Schedules{
		cfg: cfg, log: cfg.Log, wake: make(chan struct{}, 1),
		changed: map[persist.ScheduleName]bool{}, agenda: newAgenda(), zones: map[string]*time.Location{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.report = report{log: s.log, told: map[string]time.Time{}}
	return s
}

// Changed says that a schedule was created, updated or removed. Without it a new
// one is not noticed before the next start, and an old one not before its next
// time.
func (s *Schedules) Changed(group, name string) {
	s.change([]persist.ScheduleName{{Group: group, Name: name}})
}

func (s *Schedules) change(names []persist.ScheduleName) {
	if len(names) == 0 {
		return
	}
	s.mu.Lock()
	for _, name := range names {
		s.changed[name] = true
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// pageSize is how many schedules are read, and act, together.
const pageSize = 128

// Run acts on schedules until ctx is done. It fails where the store is closed at the
// start. Call it once.
func (s *Schedules) Run(ctx context.Context) error {
	s.trust.began = time.Now()
	// Those that change from here on come through changed.
	if err := s.open(ctx); err != nil {
		return err
	}
	set := s.cfg.Clock.Watch(ctx)
	s.awaitClock(ctx, set)
	defer s.noteTime(true)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s.lookAtClock()
		s.reload()
		next := s.actAll(ctx)
		timer.Stop()
		if !next.IsZero() {
			s.noteTime(false)
			timer.Reset(min(max(next.Sub(s.cfg.Clock.Now()), 0), longestSleep))
		}
		select {
		case <-s.wake:
		case <-set:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// manySchedules are so many that it is worth a collection to have loaded them.
const manySchedules = 10_000

// open plans all schedules. Where the disk fails it goes on trying until ctx is done:
// schedules that are planned already are planned once more, which changes nothing.
func (s *Schedules) open(ctx context.Context) error {
	for ctx.Err() == nil {
		err := s.load(ctx)
		switch {
		case errors.Is(err, persist.ErrClosed):
			return fmt.Errorf("schedules stop: %w", err)
		case err == nil:
			return nil
		}
		s.log.Error("schedules cannot be started; it is tried again", "in", storePause, "error", err)
		pause(ctx, storePause)
	}
	return nil
}

// load plans all schedules, page by page.
func (s *Schedules) load(ctx context.Context) error {
	q := persist.ScheduleQuery{Limit: 8 * pageSize}
	for ctx.Err() == nil {
		page, err := s.cfg.Store.ScheduleStatuses(q)
		if err != nil {
			return err
		}
		if len(page.SetAside) > 0 {
			s.log.Error("schedules could not be decoded and were set aside; create them again", "schedules", page.SetAside)
		}
		for _, status := range page.Schedules {
			s.plan(status)
		}
		n := len(page.Schedules)
		if !page.More || n == 0 {
			break
		}
		q.AfterGroup, q.AfterName = page.Schedules[n-1].Schedule.Group, page.Schedules[n-1].Schedule.Name
	}
	if s.agenda.Len() >= manySchedules {
		debug.FreeOSMemory() // decoding them left more garbage than the agenda has memory
	}
	return nil
}

// reload plans anew what was changed.
func (s *Schedules) reload() {
	s.mu.Lock()
	changed := s.changed
	s.changed = map[persist.ScheduleName]bool{}
	s.mu.Unlock()
	names := make([]persist.ScheduleName, 0, pageSize)
	plan := func() {
		found, err := s.cfg.Store.ScheduleStatusesOf(names)
		if err != nil {
			s.postpone(names, err)
		} else {
			for i, status := range found {
				s.planOrDrop(names[i], status)
			}
		}
		names = names[:0]
	}
	for name := range changed {
		if names = append(names, name); len(names) == pageSize {
			plan()
		}
	}
	if len(names) > 0 {
		plan()
	}
}

// planOrDrop plans what was read under a name, where there was something.
func (s *Schedules) planOrDrop(name persist.ScheduleName, status persist.ScheduleStatus) {
	if status.Schedule.Name == "" {
		s.agenda.drop(name)
		return
	}
	s.plan(status)
}

// plan notes when to act on a schedule next.
func (s *Schedules) plan(status persist.ScheduleStatus) {
	name := persist.ScheduleName{Group: status.Schedule.Group, Name: status.Schedule.Name}
	if status.Schedule.State != persist.ScheduleEnabled {
		s.agenda.drop(name)
		return
	}
	expression, err := s.parse(status.Schedule)
	if err != nil { // it was checked when it was stored; the zone may be gone since
		s.log.Error("a schedule cannot be understood and does not run; update it", "schedule", name, "error", err)
		s.agenda.drop(name)
		return
	}
	now := s.cfg.Clock.Now()
	ahead := isAhead(status, expression, now)
	next := nextTick(status, expression, ticked(status))
	switch {
	case ahead && s.trust.settled:
		s.agenda.set(name, now, false) // decide sets it right
	case next.IsZero():
		s.agenda.drop(name)
	default:
		s.agenda.set(name, next, ahead)
	}
}

// parse is ParseExpression that reads each time zone once: there are few of them, and
// many schedules.
func (s *Schedules) parse(schedule persist.Schedule) (*Expression, error) {
	return parseExpression(schedule.Expression, schedule.Timezone, func(name string) (*time.Location, error) {
		if zone, known := s.zones[name]; known {
			return zone, nil
		}
		zone, err := loadZone(name)
		if err == nil {
			s.zones[name] = zone
		}
		return zone, err
	})
}

// postpone has schedules tried again that the store has failed for.
func (s *Schedules) postpone(names []persist.ScheduleName, err error) {
	s.report.note(slog.LevelError, "schedules could not run, for the store fails; they are tried again", names[0], len(names), err)
	again := s.cfg.Clock.Now().Add(storePause)
	for _, name := range names {
		s.agenda.set(name, again, true)
	}
}

// Next returns when a schedule is due next, zero for never: where it is paused or has
// no times left. It may be called concurrently with all else.
func (s *Schedules) Next(status persist.ScheduleStatus) time.Time {
	if status.Schedule.State != persist.ScheduleEnabled {
		return time.Time{}
	}
	expression, err := ParseExpression(status.Schedule.Expression, status.Schedule.Timezone)
	if err != nil {
		return time.Time{}
	}
	return nextTick(status, expression, ticked(status))
}
