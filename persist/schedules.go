package persist

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of schedules. What is due when is in memory for all of them.
const (
	MaxSchedules     = 100_000
	MaxMissedRuns    = 1000         // that Schedule.Missed "all" makes up for
	MaxJitterSeconds = 24 * 60 * 60 // as AWS's flexible window; a job may be due that far ahead
)

// ErrTooMany says that there are as many records of a kind as may be.
var ErrTooMany = errors.New("too many")

// States of a Schedule.
const (
	ScheduleEnabled  = "ENABLED"
	ScheduleDisabled = "DISABLED"
)

// What becomes of times that passed while nobody could act on them (Schedule.Missed)
// and of a time at which the run before has not ended (Schedule.Overlap). Empty is
// the first of each.
const (
	MissedOnce = "once" // the latest of them runs
	MissedSkip = "skip" // none
	MissedAll  = "all"  // the latest Schedule.MissedMax, oldest first

	OverlapAllow  = "allow"
	OverlapForbid = "forbid" // it is left out
)

// defaultMissedRuns is MissedMax where a schedule does not say.
const defaultMissedRuns = 10

// Schedule says when a function is to run
// (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetSchedule.html).
type Schedule struct {
	Group         string         `json:"group"`
	Name          string         `json:"name"`
	Description   string         `json:"description,omitempty"`
	Expression    string         `json:"expression"`
	Timezone      string         `json:"timezone,omitempty"` // empty means UTC
	Start         time.Time      `json:"start,omitzero"`     // not before; zero for no bound
	End           time.Time      `json:"end,omitzero"`       // before
	WindowMinutes int            `json:"windowMinutes,omitempty"`
	State         string         `json:"state"`
	Target        ScheduleTarget `json:"target"`
	DeleteAfter   bool           `json:"deleteAfter,omitempty"` // once it has no times left, unless its last event came to nothing
	KMSKeyARN     string         `json:"kmsKeyArn,omitempty"`   // kept and shown, not used

	// Ledge's own settings.
	Missed        string `json:"missed,omitempty"`        // MissedOnce, MissedSkip or MissedAll
	MissedMax     int    `json:"missedMax,omitempty"`     // of MissedAll, 1 to MaxMissedRuns; 0: 10
	Overlap       string `json:"overlap,omitempty"`       // OverlapAllow or OverlapForbid
	JitterSeconds int    `json:"jitterSeconds,omitempty"` // a window in seconds; not beside WindowMinutes

	// Deployed says that a deploy made it for Target.Function, with which it goes. Its
	// name is a DeployedScheduleName. An update keeps it, or ends it where that has
	// another function.
	Deployed bool `json:"deployed,omitempty"`

	Created      time.Time `json:"created"`
	LastModified time.Time `json:"lastModified"`
	Revision     string    `json:"revision"` // new with every write

	// ClientToken and RequestHash tell a repeated request from another one.
	ClientToken string `json:"clientToken,omitempty"`
	RequestHash string `json:"requestHash,omitempty"`
}

// MissedRuns returns how many times that were missed are made up for, at most.
func (s Schedule) MissedRuns() int {
	switch s.Missed {
	case MissedSkip:
		return 0
	case MissedAll:
		if s.MissedMax > 0 {
			return min(s.MissedMax, MaxMissedRuns)
		}
		return defaultMissedRuns
	}
	return 1
}

// Window returns the time within which a run begins by chance.
func (s Schedule) Window() time.Duration {
	return time.Duration(s.WindowMinutes)*time.Minute + time.Duration(s.JitterSeconds)*time.Second
}

// ScheduleTarget is the function that a Schedule runs.
type ScheduleTarget struct {
	ARN           string `json:"arn"`
	Function      string `json:"function"` // that ARN names
	Qualifier     string `json:"qualifier,omitempty"`
	RoleARN       string `json:"roleArn,omitempty"` // kept and shown, not used
	Input         string `json:"input,omitempty"`   // empty: an event that names the schedule
	MaxAgeSeconds int    `json:"maxAgeSeconds,omitempty"`
	MaxRetries    *int   `json:"maxRetries,omitempty"`
	DeadLetterARN string `json:"deadLetterArn,omitempty"`
}

// CreateSchedule stores a schedule and returns it with the fields that it sets:
// times and Revision. ErrExists says that its group has one of that name,
// ErrNotFound that there is no such group, ErrTooMany that there are
// MaxSchedules. It does not look whether the function exists, unless the schedule is
// Deployed: then ErrNotFound says that too.
func (s *Store) CreateSchedule(schedule Schedule) (Schedule, error) {
	return s.putSchedule(schedule, func(c *change, exists bool) error {
		if exists {
			return ErrExists
		}
		if err := groupExists(c.tx, schedule.Group); err != nil {
			return err
		}
		if n := c.tx.Bucket([]byte(bucketSchedules)).Sequence(); n >= MaxSchedules {
			return fmt.Errorf("%w schedules: there are %d", ErrTooMany, n)
		}
		return c.checkDeployed(&schedule)
	})
}

// UpdateSchedule replaces a schedule, but for when it was created, or returns
// ErrNotFound.
func (s *Store) UpdateSchedule(schedule Schedule) (Schedule, error) {
	return s.putSchedule(schedule, func(_ *change, exists bool) error {
		if !exists {
			return ErrNotFound
		}
		return nil
	})
}

// SetScheduleState pauses a schedule with ScheduleDisabled and resumes it with
// ScheduleEnabled, or returns ErrNotFound. Times that pass meanwhile are not missed:
// it goes on with the next.
func (s *Store) SetScheduleState(group, name, state string) (Schedule, error) {
	if state != ScheduleEnabled && state != ScheduleDisabled {
		return Schedule{}, invalid("a schedule is %s or %s, not %q", ScheduleEnabled, ScheduleDisabled, state)
	}
	key := memberKey(group, name)
	now := milli(s.now())
	var stored Schedule
	err := s.update(0, func(c *change) error {
		schedule, err := one[Schedule](c.tx, bucketSchedules, key, "schedule "+group+"/"+name)
		if err != nil {
			return err
		}
		if schedule.State != state {
			schedule.State, schedule.LastModified = state, now
			if err := c.replaceSchedule(key, &schedule, true); err != nil {
				return err
			}
		}
		stored = schedule
		return nil
	})
	return stored, err
}

func (s *Store) putSchedule(schedule Schedule, allowed func(c *change, exists bool) error) (Schedule, error) {
	if err := checkSchedule(schedule); err != nil {
		return Schedule{}, err
	}
	schedule.LastModified = milli(s.now())
	key := memberKey(schedule.Group, schedule.Name)
	var stored Schedule
	err := s.update(len(schedule.Target.Input), func(c *change) error {
		old, exists, err := get[Schedule](c.tx, bucketSchedules, key)
		if err != nil {
			return err
		}
		if err := allowed(c, exists); err != nil {
			return err
		}
		next := schedule
		next.Created = next.LastModified
		if exists {
			next.Created = old.Created
			next.Deployed = old.Deployed && old.Target.Function == next.Target.Function
		}
		if err := c.replaceSchedule(key, &next, exists); err != nil {
			return err
		}
		stored = next
		return nil
	})
	if err != nil {
		return Schedule{}, fmt.Errorf("store schedule %s/%s: %w", schedule.Group, schedule.Name, err)
	}
	return stored, nil
}

func checkSchedule(schedule Schedule) error {
	if err := checkName("group name", schedule.Group); err != nil {
		return err
	}
	if err := checkName("schedule name", schedule.Name); err != nil {
		return err
	}
	switch {
	case strings.Contains(schedule.Group, "/"): // Job.Schedule has one between the two
		return invalid("the group name %q has a slash", schedule.Group)
	case schedule.Missed != "" && schedule.Missed != MissedOnce && schedule.Missed != MissedSkip && schedule.Missed != MissedAll:
		return invalid("missed runs are %s, %s or %s, not %q", MissedSkip, MissedOnce, MissedAll, schedule.Missed)
	case schedule.MissedMax < 0 || schedule.MissedMax > MaxMissedRuns || schedule.MissedMax > 0 && schedule.Missed != MissedAll:
		return invalid("%d missed runs to make up for, which %s has, are not 1 to %d", schedule.MissedMax, MissedAll, MaxMissedRuns)
	case schedule.Overlap != "" && schedule.Overlap != OverlapAllow && schedule.Overlap != OverlapForbid:
		return invalid("overlap is %s or %s, not %q", OverlapAllow, OverlapForbid, schedule.Overlap)
	case schedule.JitterSeconds < 0 || schedule.JitterSeconds > MaxJitterSeconds:
		return invalid("the jitter of %d s is not 0 to %d", schedule.JitterSeconds, MaxJitterSeconds)
	case schedule.JitterSeconds > 0 && schedule.WindowMinutes > 0:
		return invalid("it has both a flexible time window and a jitter")
	}
	return nil
}

// replaceSchedule stores a schedule under a new Revision. Its times are counted anew:
// those of the one before it may be others.
func (c *change) replaceSchedule(key []byte, schedule *Schedule, exists bool) error {
	schedule.Revision = newRevision()
	if err := c.put(bucketSchedules, key, *schedule); err != nil {
		return err
	}
	state := stateOf(c.tx, key)
	if !exists {
		state = ScheduleState{}
		if err := c.countSchedules(1); err != nil {
			return err
		}
	}
	state.LastTick = time.Time{}
	return c.putScheduleState(key, state)
}

// countSchedules keeps their number as the sequence of their bucket: counting a
// hundred thousand for each that is added would take longer than the disk.
func (c *change) countSchedules(more int) error {
	b := c.tx.Bucket([]byte(bucketSchedules))
	n := max(int64(b.Sequence())+int64(more), 0)
	c.wrote = true
	if err := b.SetSequence(uint64(n)); err != nil {
		return fmt.Errorf("count schedules: %w", err)
	}
	return nil
}

// dropSchedule removes a schedule that is there, with its state.
func (c *change) dropSchedule(key []byte) error {
	if err := c.delete(bucketSchedules, key); err != nil {
		return err
	}
	if err := c.tx.Bucket([]byte(bucketScheduleStates)).Delete(key); err != nil {
		return fmt.Errorf("delete from %s: %w", bucketScheduleStates, err)
	}
	return c.countSchedules(-1)
}

// GetSchedule returns a schedule, or ErrNotFound.
func (s *Store) GetSchedule(group, name string) (Schedule, error) {
	return oneRecord[Schedule](s, bucketSchedules, memberKey(group, name), "schedule "+group+"/"+name)
}

// DeleteSchedule removes a schedule with its state, or returns ErrNotFound. Its jobs
// that wait or run stay.
func (s *Store) DeleteSchedule(group, name string) error {
	return s.makeRoom(func(c *change) error {
		key := memberKey(group, name)
		if c.tx.Bucket([]byte(bucketSchedules)).Get(key) == nil {
			return fmt.Errorf("schedule %s/%s: %w", group, name, ErrNotFound)
		}
		return c.dropSchedule(key)
	})
}
