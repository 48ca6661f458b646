package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// Chore is something that the node does for itself, now and then.
type Chore struct {
	Name string
	Spec string // five fields or a descriptor, as github.com/robfig/cron/v3 reads it, in local time
	Run  func(context.Context) error
}

// longestSleep bounds how late a chore is after the clock was set forward: a
// timer does not notice that.
const longestSleep = time.Hour

// RunChores runs chores when they are due, one after the other, until ctx is
// done. It calls done after each. It returns an error at once where a Spec is
// wrong, and nil when ctx is done.
func RunChores(ctx context.Context, chores []Chore, done func(Chore, error)) error {
	schedules := make([]cron.Schedule, len(chores))
	for i, chore := range chores {
		var err error
		if schedules[i], err = cron.ParseStandard(chore.Spec); err != nil {
			return fmt.Errorf("schedule of %s: %w", chore.Name, err)
		}
	}
	due := make([]time.Time, len(chores))
	for i := range chores {
		due[i] = schedules[i].Next(wallClock())
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := wallClock()
		wait := longestSleep
		for i := range chores {
			if due[i].IsZero() { // a date that never comes, like 30 February
				continue
			}
			// By the wall clock, and from now: runs that a jump of the clock
			// skipped are not made up for.
			if !now.Before(due[i]) {
				done(chores[i], chores[i].Run(ctx))
				now = wallClock()
				due[i] = schedules[i].Next(now)
			}
			wait = min(wait, due[i].Sub(now))
		}
		timer.Reset(max(wait, 0))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}
