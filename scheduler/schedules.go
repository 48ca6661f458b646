package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// ScheduleStore is the part of persist.Store that Schedules needs.
type ScheduleStore interface {
	Schedules(persist.ScheduleQuery) (schedules []persist.Schedule, more bool, err error)
	GetSchedule(group, name string) (persist.Schedule, error)
	Tick(persist.Tick) (acted bool, err error)
}

// SchedulesConfig sets up Schedules. Store and Wake are needed.
type SchedulesConfig struct {
	Store ScheduleStore
	// Wake is called when an event was queued: Queue.Wake.
	Wake   func()
	Log    *slog.Logger
	Limits persist.QueueLimits // of the queue; zero: persist.DefaultQueueLimits
	Region string              // in ARNs; empty means engine.DefaultRegion
}

// defaultEventAge is how long Amazon EventBridge Scheduler tries to deliver
// where the schedule does not say
// (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html).
const defaultEventAge = 24 * time.Hour

// scheduleID names a schedule.
type scheduleID struct{ group, name string }

// Schedules queues events for functions at the times that schedules name. The
// package comment says what becomes of times that were missed.
type Schedules struct {
	cfg  SchedulesConfig
	log  *slog.Logger
	wake chan struct{} // changed is not empty; holds one

	mu      sync.Mutex
	changed map[scheduleID]bool

	// due is when to act on each schedule that has times left; Run's alone. Some
	// thousands are looked through faster than the disk syncs once.
	due map[scheduleID]time.Time
	// Run's alone too: when it began, when it looked last, and whether the clock is to
	// be believed.
	began, looked time.Time
	settled       bool
}

// NewSchedules returns Schedules that act in Run.
func NewSchedules(cfg SchedulesConfig) *Schedules {
	cfg.Region = cmp.Or(cfg.Region, engine.DefaultRegion)
	cfg.Limits = cmp.Or(cfg.Limits, persist.DefaultQueueLimits())
	s := &Schedules{
		cfg: cfg, log: cfg.Log, wake: make(chan struct{}, 1),
		changed: map[scheduleID]bool{}, due: map[scheduleID]time.Time{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Changed says that a schedule was created, updated or removed. Without it a new
// one is not noticed before the next start, and an old one not before its next
// time.
func (s *Schedules) Changed(group, name string) {
	s.mu.Lock()
	s.changed[scheduleID{group, name}] = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run acts on schedules until ctx is done. It fails where they cannot be read
// at the start. Call it once.
func (s *Schedules) Run(ctx context.Context) error {
	s.began = time.Now()
	// Those that change from here on come through changed.
	all, _, err := s.cfg.Store.Schedules(persist.ScheduleQuery{})
	if err != nil {
		return err
	}
	for _, schedule := range all {
		s.plan(schedule)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s.noteClock()
		s.reload()
		next := s.actAll(ctx)
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(min(max(next.Sub(wallClock()), 0), longestSleep))
		}
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// clockSlack is how far behind a time that was acted on the clock may be. Further
// behind, that time was a wrong clock's, and the schedule would wait for years; or the
// clock is wrong now, as it is on a device without a battery for it until it has asked
// the network. So nothing is changed before the node has run for an hour.
const clockSlack = 3 * time.Hour

// noteClock has planned anew what seems to be due long from now, after the clock was set
// back and when it is to be believed.
func (s *Schedules) noteClock() {
	now := wallClock()
	settled := time.Since(s.began) >= longestSleep
	if settled != s.settled || now.Before(s.looked.Add(-clockSlack)) {
		s.mu.Lock()
		for id, due := range s.due {
			if due.After(now.Add(clockSlack)) {
				s.changed[id] = true
			}
		}
		s.mu.Unlock()
	}
	s.settled, s.looked = settled, now
}

// reload plans anew what was changed.
func (s *Schedules) reload() {
	s.mu.Lock()
	changed := s.changed
	s.changed = map[scheduleID]bool{}
	s.mu.Unlock()
	for id := range changed {
		schedule, err := s.cfg.Store.GetSchedule(id.group, id.name)
		switch {
		case errors.Is(err, persist.ErrNotFound):
			delete(s.due, id)
		case err != nil:
			s.log.Error("a schedule cannot be read; it is tried again", "schedule", id.group+"/"+id.name, "in", storePause, "error", err)
			s.due[id] = wallClock().Add(storePause)
		default:
			s.plan(schedule)
		}
	}
}

// plan notes when to act on a schedule next.
func (s *Schedules) plan(schedule persist.Schedule) {
	id := scheduleID{schedule.Group, schedule.Name}
	delete(s.due, id)
	if schedule.State != persist.ScheduleEnabled {
		return
	}
	expression, err := ParseExpression(schedule.Expression, schedule.Timezone)
	if err != nil { // it was checked when it was stored; the zone may be gone since
		s.log.Error("a schedule cannot be understood and does not run; update it", "schedule", id.group+"/"+id.name, "error", err)
		return
	}
	if now := wallClock(); s.settled && !expression.Once() && ticked(schedule).After(now.Add(clockSlack)) {
		s.log.Warn("a schedule has run at a time that is yet to come, when the clock was wrong; it goes on from now", "schedule", id.group+"/"+id.name, "time", ticked(schedule))
		// LastTick is what times are counted from, so it is stored.
		tick := persist.Tick{Group: id.group, Name: id.name, Revision: schedule.Revision, After: schedule.LastTick, At: now}
		if _, err := s.cfg.Store.Tick(tick); err != nil {
			s.log.Error("a schedule could not be set right; it is tried again", "schedule", id.group+"/"+id.name, "in", storePause, "error", err)
			s.due[id] = now.Add(storePause)
			return
		}
		schedule.LastTick = now
	}
	if next := nextTick(schedule, expression, ticked(schedule)); !next.IsZero() {
		s.due[id] = next
	}
}

// actAll acts on the schedules that are due and returns when the next one is,
// zero for never.
func (s *Schedules) actAll(ctx context.Context) (next time.Time) {
	now := wallClock()
	for id, due := range s.due {
		if ctx.Err() != nil {
			return time.Time{}
		}
		if !due.After(now) {
			s.act(id, now)
		}
	}
	for _, due := range s.due {
		next = earlier(next, due)
	}
	return next
}

// act queues the event of a schedule that is due and plans the next one.
func (s *Schedules) act(id scheduleID, now time.Time) {
	schedule, err := s.cfg.Store.GetSchedule(id.group, id.name)
	if errors.Is(err, persist.ErrNotFound) {
		delete(s.due, id)
		return
	}
	if err == nil {
		s.plan(schedule)
		if due, found := s.due[id]; !found || due.After(now) { // it was changed
			return
		}
		schedule, err = s.tick(schedule, now)
	}
	if err != nil {
		s.log.Error("a schedule could not run; it is tried again", "schedule", id.group+"/"+id.name, "in", storePause, "error", err)
		s.due[id] = wallClock().Add(storePause)
		return
	}
	s.plan(schedule)
}

// tick stores that a schedule was due, with its event, and returns it as it is
// then. Of times that were missed, the last one counts and only if it is not
// too old.
func (s *Schedules) tick(schedule persist.Schedule, now time.Time) (persist.Schedule, error) {
	expression, err := ParseExpression(schedule.Expression, schedule.Timezone)
	if err != nil {
		return schedule, err
	}
	at := lastTick(schedule, expression, now)
	if at.IsZero() { // plan said otherwise
		return schedule, fmt.Errorf("no time of %s is due", expression)
	}
	tick := persist.Tick{
		Group: schedule.Group, Name: schedule.Name, Revision: schedule.Revision,
		After: schedule.LastTick, At: at, Done: nextTick(schedule, expression, at).IsZero(), Limits: s.cfg.Limits,
	}
	if late := now.Sub(at); late > eventAge(schedule) {
		s.log.Warn("a schedule was missed and is too late to be made up for", "schedule", schedule.Group+"/"+schedule.Name, "time", at, "late", late.Round(time.Second))
	} else {
		tick.Job = s.job(schedule, at, now)
	}
	_, err = s.cfg.Store.Tick(tick)
	var size *persist.SizeError
	if errors.Is(err, persist.ErrNotFound) || errors.Is(err, persist.ErrInvalid) || errors.As(err, &size) {
		s.log.Error("a schedule has run in vain", "schedule", schedule.Group+"/"+schedule.Name, "time", at, "error", err)
		tick.Job = nil
		_, err = s.cfg.Store.Tick(tick)
	}
	if err != nil {
		return schedule, err
	}
	if tick.Job != nil {
		s.cfg.Wake()
	}
	schedule.LastTick = at
	return schedule, nil
}

// job is the event of a schedule for one of its times.
func (s *Schedules) job(schedule persist.Schedule, at, now time.Time) *persist.Job {
	due := at
	if schedule.WindowMinutes > 0 {
		due = at.Add(rand.N(time.Duration(schedule.WindowMinutes) * time.Minute))
	}
	if due.Before(now) {
		due = now
	}
	id := engine.NewRequestID().String()
	target := schedule.Target
	return &persist.Job{
		ID: id, Function: target.Function, Qualifier: target.Qualifier, Source: engine.SourceCron.String(),
		Enqueued: due, Due: due, // its age is counted from when it may run
		MaxAgeSeconds: target.MaxAgeSeconds, MaxRetries: target.MaxRetries, OnFailure: target.DeadLetterARN,
		Payload: s.event(schedule, at, id),
	}
}

func eventAge(schedule persist.Schedule) time.Duration {
	if seconds := schedule.Target.MaxAgeSeconds; seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return defaultEventAge
}

// ticked returns the time after which the next one counts.
func ticked(schedule persist.Schedule) time.Time {
	if !schedule.LastTick.IsZero() {
		return schedule.LastTick
	}
	return schedule.LastModified.Add(-1) // the first time of a rate is at once
}

// rateStart is what a rate is counted from: where the clock was wrong when the
// schedule was created, the last time that it was acted on.
func rateStart(schedule persist.Schedule) time.Time {
	if !schedule.Start.IsZero() {
		return schedule.Start
	}
	if last := schedule.LastTick; !last.IsZero() && last.Before(schedule.Created) {
		return last
	}
	return schedule.Created
}

// nextTick returns the first time of a schedule after after, zero where there
// is none. One-time schedules have no start and end, as AWS says.
func nextTick(schedule persist.Schedule, expression *Expression, after time.Time) time.Time {
	if expression.Once() {
		return expression.Next(time.Time{}, after)
	}
	if start := schedule.Start.Add(-1); !schedule.Start.IsZero() && after.Before(start) {
		after = start
	}
	next := expression.Next(rateStart(schedule), after)
	if !schedule.End.IsZero() && !next.Before(schedule.End) {
		return time.Time{}
	}
	return next
}

// lastTick returns the latest time of a schedule until now that was not acted
// on, zero where there is none.
func lastTick(schedule persist.Schedule, expression *Expression, now time.Time) time.Time {
	after := ticked(schedule)
	if expression.Once() {
		return expression.Last(time.Time{}, after, now)
	}
	if start := schedule.Start.Add(-1); !schedule.Start.IsZero() && after.Before(start) {
		after = start
	}
	if end := schedule.End.Add(-1); !schedule.End.IsZero() && end.Before(now) {
		now = end
	}
	return expression.Last(rateStart(schedule), after, now)
}
