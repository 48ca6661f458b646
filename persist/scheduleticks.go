package persist

import (
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Tick is what becomes of a schedule when it is due.
type Tick struct {
	Group, Name string
	Revision    string    // that the decision was made on
	After       time.Time // LastTick that the decision was made on
	At          time.Time // of those that the expression names, the last that was decided about
	Done        bool      // no other follows

	// Jobs are queued, oldest first; the last is for RunAt. Where the schedule forbids
	// overlaps and a job of it waits or runs, they are left out and noted as skipped.
	Jobs   []Job
	RunAt  time.Time
	Limits QueueLimits

	// Missed counts the times that passed and are not made up for, the newest of
	// which was MissedAt.
	Missed   int
	MissedAt time.Time
	// Refused says why the run for At cannot be queued, ever; empty where it can.
	Refused string
}

// Ticked is what became of a Tick.
type Ticked struct {
	// Acted says that the schedule has moved on. One that was changed, removed or
	// ticked meanwhile is left alone.
	Acted  bool
	Queued int // jobs
	// Err is why the schedule has not moved on: ErrNotFound says that the function of
	// a job does not exist, ErrInvalid or a *SizeError that a job cannot be stored,
	// ErrQueueFull that the queue has no room.
	Err error
}

// Ticks notes that schedules were due and queues their jobs, all in one transaction: a
// crash loses none and doubles none, and many that are due together wait for the disk
// once. What is wrong with one of them is in its Ticked; an error is one of the store
// and means that none has moved on. Callers keep it to some hundreds of ticks and some
// megabytes of payloads.
func (s *Store) Ticks(ticks []Tick) ([]Ticked, error) {
	checked := make([][]Job, len(ticks))
	refused := make([]error, len(ticks))
	size := 0
	for i, tick := range ticks {
		for _, job := range tick.Jobs {
			job.Schedule = tick.Group + "/" + tick.Name
			if err := s.checkJob(&job); err != nil {
				refused[i] = err
				break
			}
			checked[i] = append(checked[i], job)
			size += len(job.Payload)
		}
		size += jobOverhead
	}
	now := milli(s.now())
	var results []Ticked
	err := s.update(size, func(c *change) error {
		done := make([]Ticked, len(ticks))
		for i, tick := range ticks {
			if refused[i] != nil {
				done[i] = Ticked{Err: refused[i]}
				continue
			}
			var err error
			if done[i], err = c.tick(tick, checked[i], now); err != nil {
				return fmt.Errorf("schedule %s/%s: %w", tick.Group, tick.Name, err)
			}
		}
		results = done
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("tick of %d schedules: %w", len(ticks), err)
	}
	for i := range results {
		if results[i].Err != nil {
			results[i].Err = fmt.Errorf("tick of schedule %s/%s: %w", ticks[i].Group, ticks[i].Name, results[i].Err)
		}
	}
	return results, nil
}

// tick is one Tick. An error is one after which the transaction cannot be used.
func (c *change) tick(tick Tick, jobs []Job, now time.Time) (Ticked, error) {
	key := memberKey(tick.Group, tick.Name)
	schedule, state, found, err := scheduleToTick(c.tx, key)
	if err != nil {
		return Ticked{}, err
	}
	if !found || schedule.Revision != tick.Revision || !state.LastTick.Equal(tick.After) {
		return Ticked{}, nil
	}
	var ticked Ticked
	switch {
	case len(jobs) > 0 && schedule.Overlap == OverlapForbid && len(state.Pending) > 0:
		state.Skipped += uint64(len(jobs))
		state.leftOut(RunSkipped, "the run before has not ended", tick.RunAt, now)
	case len(jobs) > 0:
		queued, err := c.queueRuns(jobs, tick.Limits)
		if len(queued) == 0 && refuses(err) {
			return Ticked{Err: err}, nil
		}
		if err != nil && !refuses(err) {
			return Ticked{}, err
		}
		state = liveState(c.tx, key) // those that made room may be its own
		state.queued(queued, tick.RunAt, now)
		if err != nil { // the queue has become full: what is in it counts
			state.Missed += uint64(len(jobs) - len(queued))
			state.leftOut(RunMissed, err.Error(), tick.RunAt, now)
		}
		ticked.Queued = len(queued)
	}
	if tick.Missed > 0 {
		state.Missed += uint64(tick.Missed)
		state.leftOut(RunMissed, "its time had passed", tick.MissedAt, now)
	}
	if tick.Refused != "" {
		state.Failed++
		state.leftOut(RunFailed, tick.Refused, tick.At, now)
	}
	state.LastTick = tick.At.UTC()
	// One whose last event came to nothing, against its policy, stays: to tell of it.
	lost := tick.Refused != "" || len(jobs) == 0 && tick.Missed > 0 && schedule.Missed != MissedSkip
	if tick.Done && schedule.DeleteAfter && !lost {
		err = c.dropSchedule(key)
	} else {
		err = c.putScheduleState(key, state)
	}
	ticked.Acted = true
	return ticked, err
}

// scheduleToTick returns a schedule with its state. One that is damaged is none.
func scheduleToTick(tx *bolt.Tx, key []byte) (schedule Schedule, state ScheduleState, found bool, err error) {
	schedule, found, err = get[Schedule](tx, bucketSchedules, key)
	if errors.Is(err, ErrDamaged) {
		return schedule, state, false, nil
	}
	if err != nil || !found {
		return schedule, state, false, err
	}
	return schedule, liveState(tx, key), true, nil
}

// refuses tells the errors with which enqueue refuses a job before it writes.
func refuses(err error) bool { return errors.Is(err, ErrNotFound) || errors.Is(err, ErrQueueFull) }

// queueRuns queues jobs of a schedule and returns those that it queued before an error.
func (c *change) queueRuns(jobs []Job, limits QueueLimits) ([]Job, error) {
	queued := make([]Job, 0, len(jobs))
	for _, job := range jobs {
		if err := c.enqueue(&job, &limits, false); err != nil {
			return queued, err
		}
		queued = append(queued, job)
	}
	return queued, nil
}

// queued notes jobs that were queued, the last of which is for due.
func (s *ScheduleState) queued(jobs []Job, due, now time.Time) {
	for _, job := range jobs {
		s.Pending = append(s.Pending, job.sequence)
		s.LastRun = ScheduleRun{Due: due.UTC(), At: now, Outcome: RunQueued, RequestID: job.ID}
	}
}

func (s *ScheduleState) leftOut(outcome, why string, due, now time.Time) {
	s.LastLeftOut = ScheduleRun{Due: due.UTC(), At: now, Outcome: outcome, Error: clipText(why, maxErrorText)}
}

// RunSchedule queues a job of a schedule besides its times, in whatever state it is.
// revision is that of the Schedule from which the job was made. ErrConflict says that
// the schedule has changed since, or forbids overlaps and a job of it waits or runs;
// ErrNotFound that it, or its function, does not exist, ErrQueueFull that the queue
// has no room.
func (s *Store) RunSchedule(group, name, revision string, job Job, limits QueueLimits) error {
	job.Schedule = group + "/" + name
	err := s.checkJob(&job)
	if err == nil {
		now := milli(s.now())
		err = s.update(len(job.Payload)+jobOverhead, func(c *change) error {
			key := memberKey(group, name)
			schedule, state, found, err := scheduleToTick(c.tx, key)
			switch {
			case err != nil:
				return err
			case !found:
				return ErrNotFound
			case schedule.Revision != revision:
				return fmt.Errorf("%w: it was changed meanwhile", ErrConflict)
			case schedule.Overlap == OverlapForbid && len(state.Pending) > 0:
				return fmt.Errorf("%w: the run before has not ended, and the schedule forbids overlaps", ErrConflict)
			}
			queued, err := c.queueRuns([]Job{job}, limits)
			if err != nil {
				return err
			}
			state = liveState(c.tx, key) // those that made room may be its own
			state.queued(queued, now, now)
			return c.putScheduleState(key, state)
		})
	}
	if err != nil {
		return fmt.Errorf("run schedule %s/%s: %w", group, name, err)
	}
	return nil
}
