package scheduler

import (
	"time"

	"ledge/persist"
)

// ticked returns the time after which the next one counts.
func ticked(status persist.ScheduleStatus) time.Time {
	if !status.State.LastTick.IsZero() {
		return status.State.LastTick
	}
	return status.Schedule.LastModified.Add(-1) // the first time of a rate is at once
}

// rateStart is what a rate is counted from: where the clock was wrong when the
// schedule was created, the last time that it was acted on.
func rateStart(status persist.ScheduleStatus) time.Time {
	if !status.Schedule.Start.IsZero() {
		return status.Schedule.Start
	}
	if last := status.State.LastTick; !last.IsZero() && last.Before(status.Schedule.Created) {
		return last
	}
	return status.Schedule.Created
}

// nextTick returns the first time of a schedule after after, zero where there
// is none. One-time schedules have no start and end, as AWS says.
func nextTick(status persist.ScheduleStatus, expression *Expression, after time.Time) time.Time {
	if expression.Once() {
		return expression.Next(time.Time{}, after)
	}
	schedule := status.Schedule
	if start := schedule.Start.Add(-1); !schedule.Start.IsZero() && after.Before(start) {
		after = start
	}
	next := expression.Next(rateStart(status), after)
	if !schedule.End.IsZero() && !next.Before(schedule.End) {
		return time.Time{}
	}
	return next
}

// onTime is how late a run may be that is not one that was missed: the disk, or many
// that are due together, can hold one up.
const onTime = time.Minute

// Bounds of what is made up for at once.
const (
	maxCounted    = 10_000   // times that were missed, of schedules that are due together; more are not counted
	minCounted    = 200      // of each of them
	maxRunPayload = 16 << 20 // bytes of the events of one schedule
)

// passed are the times of a schedule that have passed and were not acted on.
type passed struct {
	runs     []time.Time // to be run, oldest first
	last     time.Time   // of all
	missed   int         // that are not run
	missedAt time.Time   // the newest of them
}

// pastTicks returns the times of a schedule until now that were not acted on, and which
// of them its policy has made up for. last is zero where there are none. Of those that
// were missed it counts at most count.
func pastTicks(status persist.ScheduleStatus, expression *Expression, now time.Time, count int) (p passed) {
	schedule := status.Schedule
	start, after, until := rateStart(status), ticked(status), now
	if expression.Once() {
		start = time.Time{}
	} else {
		if first := schedule.Start.Add(-1); !schedule.Start.IsZero() && after.Before(first) {
			after = first
		}
		if end := schedule.End.Add(-1); !schedule.End.IsZero() && end.Before(until) {
			until = end
		}
	}
	if p.last = expression.Last(start, after, until); p.last.IsZero() {
		return p
	}
	limit := schedule.MissedRuns()
	if now.Sub(p.last) <= onTime {
		limit = max(limit, 1)
	}
	if size := len(schedule.Target.Input); size > 0 {
		limit = min(limit, max(maxRunPayload/size, 1))
	}
	recent := []time.Time{p.last}
	if limit != 1 {
		recent = expression.Recent(start, after, until, limit)
	}
	for _, at := range recent {
		if now.Sub(at) <= eventAge(schedule) {
			p.runs = append(p.runs, at)
		}
	}
	if len(p.runs) == 0 {
		p.missedAt = p.last
	} else {
		p.missedAt = expression.Last(start, after, p.runs[0].Add(-1))
	}
	if !p.missedAt.IsZero() {
		p.missed = expression.Count(start, after, p.missedAt, count)
	}
	return p
}

func eventAge(schedule persist.Schedule) time.Duration {
	if seconds := schedule.Target.MaxAgeSeconds; seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return defaultEventAge
}
