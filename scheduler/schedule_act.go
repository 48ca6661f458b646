package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// maxTickBytes bounds the events of one transaction, if it is more than one schedule's.
const maxTickBytes = 4 << 20

// actAll acts on the schedules that are due and returns when the next one is,
// zero for never.
func (s *Schedules) actAll(ctx context.Context) (next time.Time) {
	now := s.cfg.Clock.Now()
	// What is due once more when it has been acted on waits for the next call.
	for ctx.Err() == nil {
		names := s.agenda.take(now, pageSize)
		if len(names) == 0 {
			break
		}
		s.act(names, now)
	}
	s.report.tell()
	return s.agenda.next()
}

// act queues the events of schedules that are due, in few transactions, and plans when
// they are due next.
func (s *Schedules) act(names []persist.ScheduleName, now time.Time) {
	found, err := s.cfg.Store.ScheduleStatusesOf(names)
	if err != nil {
		s.postpone(names, err)
		return
	}
	// After months without power a hundred thousand schedules are behind: to count for
	// each of them as far as for one would hold up all for an hour.
	count := max(maxCounted/len(names), minCounted)
	var due []dueSchedule
	size := 0
	for i, status := range found {
		s.planOrDrop(names[i], status)
		if next := s.agenda.of(names[i]); next == nil || next.due > now.UnixMilli() { // it was changed
			continue
		}
		d, ok := s.decide(status, now, count)
		if !ok { // plan said otherwise
			s.report.note(slog.LevelError, "schedules seem to be due and have no time; they are tried again", d.name, 1, nil)
			s.agenda.set(d.name, now.Add(storePause), true)
			continue
		}
		if size += d.size; size > maxTickBytes && len(due) > 0 {
			s.commit(due)
			due, size = nil, d.size
		}
		due = append(due, d)
	}
	if len(due) > 0 {
		s.commit(due)
	}
}

// dueSchedule is a schedule with what is to become of it.
type dueSchedule struct {
	name   persist.ScheduleName
	status persist.ScheduleStatus
	tick   persist.Tick
	size   int // bytes of its events
}

// decide says what is to become of a schedule that is due; not ok where it is not. Of
// the times that were missed it counts at most count.
func (s *Schedules) decide(status persist.ScheduleStatus, now time.Time, count int) (d dueSchedule, ok bool) {
	schedule := status.Schedule
	d = dueSchedule{name: persist.ScheduleName{Group: schedule.Group, Name: schedule.Name}, status: status}
	expression, err := s.parse(schedule)
	if err != nil {
		return d, false
	}
	if s.trust.settled && isAhead(status, expression, now) {
		s.report.note(slog.LevelWarn, "schedules have run at a time that is yet to come, when the clock was wrong; they go on from now", d.name, 1, nil)
		// LastTick is what times are counted from, so it is stored.
		d.tick = persist.Tick{Group: schedule.Group, Name: schedule.Name, Revision: schedule.Revision, After: status.State.LastTick, At: now}
		return d, true
	}
	past := pastTicks(status, expression, now, count)
	if past.last.IsZero() {
		return d, false
	}
	d.tick = persist.Tick{
		Group: schedule.Group, Name: schedule.Name, Revision: schedule.Revision, After: status.State.LastTick,
		At: past.last, RunAt: past.last, Done: nextTick(status, expression, past.last).IsZero(), Limits: s.cfg.Limits,
		Missed: past.missed, MissedAt: past.missedAt,
	}
	for _, at := range past.runs {
		job := s.job(schedule, at, now)
		d.size += len(job.Payload)
		d.tick.Jobs = append(d.tick.Jobs, job)
	}
	if past.missed > 0 {
		s.report.note(slog.LevelWarn, "schedules have missed times that are not made up for", d.name, 1, nil)
	}
	return d, true
}

// commit stores what becomes of schedules, and what becomes of those whose events the
// store refuses.
func (s *Schedules) commit(due []dueSchedule) {
	results, err := s.cfg.Store.Ticks(ticksOf(due))
	if err != nil {
		s.postpone(namesOf(due), err)
		return
	}
	var refused []dueSchedule
	for i, d := range due {
		switch result := results[i]; {
		case result.Err == nil:
			s.ticked(d, result)
		case errors.Is(result.Err, persist.ErrQueueFull):
			s.report.note(slog.LevelError, "schedules could not run, for the queue is full; they are tried again", d.name, 1, result.Err)
			s.agenda.set(d.name, s.cfg.Clock.Now().Add(storePause), true)
		default: // it would be refused for ever
			s.report.note(slog.LevelError, "schedules have run in vain", d.name, 1, result.Err)
			d.tick.Jobs, d.tick.Refused = nil, result.Err.Error()
			refused = append(refused, d)
		}
	}
	if len(refused) == 0 {
		return
	}
	if results, err = s.cfg.Store.Ticks(ticksOf(refused)); err != nil {
		s.postpone(namesOf(refused), err)
		return
	}
	for i, d := range refused {
		s.ticked(d, results[i])
	}
}

// ticked plans a schedule that has moved on.
func (s *Schedules) ticked(d dueSchedule, result persist.Ticked) {
	if result.Queued > 0 {
		s.cfg.Wake()
	}
	if !result.Acted {
		s.agenda.drop(d.name)
		s.change([]persist.ScheduleName{d.name})
		return
	}
	d.status.State.LastTick = d.tick.At
	s.plan(d.status)
}

func ticksOf(due []dueSchedule) []persist.Tick {
	ticks := make([]persist.Tick, len(due))
	for i, d := range due {
		ticks[i] = d.tick
	}
	return ticks
}

func namesOf(due []dueSchedule) []persist.ScheduleName {
	names := make([]persist.ScheduleName, len(due))
	for i, d := range due {
		names[i] = d.name
	}
	return names
}

// job is the event of a schedule for one of its times.
func (s *Schedules) job(schedule persist.Schedule, at, now time.Time) persist.Job {
	due := at
	if window := schedule.Window(); window > 0 {
		due = at.Add(rand.N(window))
	}
	if due.Before(now) {
		due = now
	}
	id := engine.NewRequestID().String()
	target := schedule.Target
	job := persist.Job{
		ID: id, Function: target.Function, Qualifier: target.Qualifier, Source: engine.SourceCron.String(), Priority: persist.UsualPriority,
		Enqueued: due, Due: due, // its age is counted from when it may run
		MaxAgeSeconds: target.MaxAgeSeconds, MaxRetries: target.MaxRetries, OnFailure: target.DeadLetterARN,
		Payload: s.event(schedule, at, id),
	}
	if schedule.Overlap == persist.OverlapForbid { // those that are made up for together
		job.OrderKey = "schedule " + schedule.Group + "/" + schedule.Name
	}
	return job
}

// RunNow queues an event of a schedule besides its times, in whatever state it is, and
// returns the request id. It may be called concurrently with all else. The errors are
// those of persist.Store.RunSchedule.
func (s *Schedules) RunNow(group, name string) (id string, err error) {
	names := []persist.ScheduleName{{Group: group, Name: name}}
	found, err := s.cfg.Store.ScheduleStatusesOf(names)
	if err != nil {
		return "", err
	}
	schedule := found[0].Schedule
	if schedule.Name == "" {
		return "", fmt.Errorf("schedule %s: %w", names[0], persist.ErrNotFound)
	}
	now := s.cfg.Clock.Now()
	schedule.WindowMinutes, schedule.JitterSeconds = 0, 0
	job := s.job(schedule, now, now)
	if err := s.cfg.Store.RunSchedule(group, name, schedule.Revision, job, s.cfg.Limits); err != nil {
		return "", err
	}
	s.cfg.Wake()
	return job.ID, nil
}
