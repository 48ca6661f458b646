package persist

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// MaxSchedules bounds the schedules of a node: all of them are in memory.
const MaxSchedules = 10_000

// ErrTooMany says that there are as many records of a kind as may be.
var ErrTooMany = errors.New("too many")

// States of a Schedule.
const (
	ScheduleEnabled  = "ENABLED"
	ScheduleDisabled = "DISABLED"
)

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
	DeleteAfter   bool           `json:"deleteAfter,omitempty"` // once it has no times left
	KMSKeyARN     string         `json:"kmsKeyArn,omitempty"`   // kept and shown, not used

	Created      time.Time `json:"created"`
	LastModified time.Time `json:"lastModified"`
	Revision     string    `json:"revision"` // new with every write but that of Tick

	// LastTick is the last time that was acted on, of those that the expression
	// names; zero where none was since it was last modified. Tick sets it.
	LastTick time.Time `json:"lastTick,omitzero"`

	// ClientToken and RequestHash tell a repeated request from another one.
	ClientToken string `json:"clientToken,omitempty"`
	RequestHash string `json:"requestHash,omitempty"`
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
// MaxSchedules. It does not look whether the function exists.
func (s *Store) CreateSchedule(schedule Schedule) (Schedule, error) {
	return s.putSchedule(schedule, func(c *change, exists bool) error {
		if exists {
			return ErrExists
		}
		if err := groupExists(c.tx, schedule.Group); err != nil {
			return err
		}
		if n := countKeys(c.tx.Bucket([]byte(bucketSchedules))); n >= MaxSchedules {
			return fmt.Errorf("%w schedules: there are %d", ErrTooMany, n)
		}
		return nil
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

func (s *Store) putSchedule(schedule Schedule, allowed func(c *change, exists bool) error) (Schedule, error) {
	if err := checkName("group name", schedule.Group); err != nil {
		return Schedule{}, err
	}
	if err := checkName("schedule name", schedule.Name); err != nil {
		return Schedule{}, err
	}
	schedule.LastModified = milli(s.now())
	schedule.LastTick = time.Time{}
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
		}
		next.Revision = newRevision()
		if err := c.put(bucketSchedules, key, next); err != nil {
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

// GetSchedule returns a schedule, or ErrNotFound.
func (s *Store) GetSchedule(group, name string) (Schedule, error) {
	return oneRecord[Schedule](s, bucketSchedules, memberKey(group, name), "schedule "+group+"/"+name)
}

// DeleteSchedule removes a schedule, or returns ErrNotFound.
func (s *Store) DeleteSchedule(group, name string) error {
	return s.update(0, func(c *change) error {
		key := memberKey(group, name)
		if c.tx.Bucket([]byte(bucketSchedules)).Get(key) == nil {
			return fmt.Errorf("schedule %s/%s: %w", group, name, ErrNotFound)
		}
		return c.delete(bucketSchedules, key)
	})
}

// ScheduleQuery selects schedules. Its zero value selects all.
type ScheduleQuery struct {
	Group, Prefix, State string // of the group, whose name begins so, in that state; empty for any
	// AfterGroup and AfterName name the schedule after which the list begins.
	AfterGroup, AfterName string
	Limit                 int // at most; 0 for no bound
}

// Schedules returns the schedules that match in order of group and name. more
// says that there are others.
func (s *Store) Schedules(q ScheduleQuery) (schedules []Schedule, more bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		var from, within []byte
		if q.Group != "" {
			within = memberKey(q.Group, q.Prefix)
			from = within
		}
		var after []byte
		if q.AfterGroup != "" {
			after = memberKey(q.AfterGroup, q.AfterName)
			if bytes.Compare(after, from) > 0 {
				from = after
			}
		}
		c := tx.Bucket([]byte(bucketSchedules)).Cursor()
		for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, within); k, v = c.Next() {
			if after != nil && bytes.Equal(k, after) {
				continue
			}
			schedule, err := decode[Schedule](bucketSchedules, k, v)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(schedule.Name, q.Prefix) || q.State != "" && schedule.State != q.State {
				continue
			}
			if q.Limit > 0 && len(schedules) == q.Limit {
				more = true
				return nil
			}
			schedules = append(schedules, schedule)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("list schedules: %w", err)
	}
	return schedules, more, nil
}

// Tick is what becomes of a schedule when it is due.
type Tick struct {
	Group, Name string
	Revision    string    // that the decision was made on
	After       time.Time // LastTick that the decision was made on
	At          time.Time // of those that the expression names
	Done        bool      // no other follows
	Job         *Job      // nil where the run is left out
	Limits      QueueLimits
}

// Tick notes that a schedule was due and queues its job, in one transaction: a
// crash loses neither and doubles neither. A schedule that was changed, removed
// or ticked meanwhile is left alone, and acted is false.
//
// ErrNotFound says that the function of the job does not exist, ErrQueueFull
// that the queue has no room; the schedule has not moved on then.
func (s *Store) Tick(tick Tick) (acted bool, err error) {
	var job Job
	if tick.Job != nil {
		job = *tick.Job
		if err := s.checkJob(&job); err != nil {
			return false, fmt.Errorf("tick of schedule %s/%s: %w", tick.Group, tick.Name, err)
		}
	}
	key := memberKey(tick.Group, tick.Name)
	err = s.update(len(job.Payload)+jobOverhead, func(c *change) error {
		acted = false
		schedule, found, err := get[Schedule](c.tx, bucketSchedules, key)
		if err != nil {
			return err
		}
		if !found || schedule.Revision != tick.Revision || !schedule.LastTick.Equal(tick.After) {
			return nil
		}
		if tick.Job != nil {
			queued := job
			if err := c.enqueue(&queued, &tick.Limits, false); err != nil {
				return err
			}
		}
		schedule.LastTick = tick.At.UTC()
		if tick.Done && schedule.DeleteAfter {
			err = c.delete(bucketSchedules, key)
		} else {
			err = c.put(bucketSchedules, key, schedule)
		}
		acted = err == nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("tick of schedule %s/%s: %w", tick.Group, tick.Name, err)
	}
	return acted, nil
}
