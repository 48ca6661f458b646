package persist

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// ScheduleQuery selects schedules. Its zero value selects all.
type ScheduleQuery struct {
	Group, Prefix, State string // of the group, whose name begins so, in that state; empty for any
	// AfterGroup and AfterName name the schedule after which the list begins.
	AfterGroup, AfterName string
	Limit                 int // at most; 0 for no bound
}

// ScheduleStatus is a schedule and what became of it, as of one moment.
type ScheduleStatus struct {
	Schedule Schedule
	State    ScheduleState
}

// SchedulePage is a part of the schedules, in order of group and name.
type SchedulePage struct {
	Schedules []ScheduleStatus
	More      bool // there are others
	// SetAside names records, as "group/name", that could not be decoded and are
	// now in the bucket "damaged".
	SetAside []string
}

// maxPageBytes bounds the records that one page is decoded from, if it is more than
// one of them.
const maxPageBytes = 8 << 20

// ScheduleStatuses returns the schedules that match, at most Limit of them and some
// megabytes.
//
// Open does not look at schedules, because of their number: those that cannot be
// decoded are set aside here, when they are first read.
func (s *Store) ScheduleStatuses(q ScheduleQuery) (SchedulePage, error) {
	var page SchedulePage
	var damaged [][]byte
	size := 0
	err := s.view(func(tx *bolt.Tx) error {
		return eachSchedule(tx, q, func(k, v []byte) bool {
			schedule, err := decode[Schedule](bucketSchedules, k, v)
			if err != nil {
				damaged = append(damaged, bytes.Clone(k))
				return true
			}
			if !q.matches(schedule) {
				return true
			}
			if q.Limit > 0 && len(page.Schedules) == q.Limit || size > maxPageBytes {
				page.More = true
				return false
			}
			size += len(v)
			page.Schedules = append(page.Schedules, ScheduleStatus{schedule, liveState(tx, k)})
			return true
		})
	})
	if err == nil && len(damaged) > 0 {
		page.SetAside, err = s.setAsideSchedules(damaged)
	}
	if err != nil {
		return SchedulePage{}, fmt.Errorf("list schedules: %w", err)
	}
	return page, nil
}

// Schedules is ScheduleStatuses without what became of them, and without a bound
// where the query has none.
func (s *Store) Schedules(q ScheduleQuery) (schedules []Schedule, more bool, err error) {
	page := SchedulePage{More: true}
	for page.More && (q.Limit == 0 || len(schedules) < q.Limit) {
		next := q
		if n := len(schedules); n > 0 {
			next.AfterGroup, next.AfterName = schedules[n-1].Group, schedules[n-1].Name
			next.Limit = max(q.Limit-n, 0)
		}
		if page, err = s.ScheduleStatuses(next); err != nil {
			return nil, false, err
		}
		for _, status := range page.Schedules {
			schedules = append(schedules, status.Schedule)
		}
	}
	return schedules, page.More, nil
}

// GetScheduleStatus returns one schedule with what became of it, or ErrNotFound.
func (s *Store) GetScheduleStatus(group, name string) (ScheduleStatus, error) {
	found, err := s.ScheduleStatusesOf([]ScheduleName{{group, name}})
	if err != nil {
		return ScheduleStatus{}, err
	}
	if found[0].Schedule.Name == "" {
		return ScheduleStatus{}, fmt.Errorf("schedule %s/%s: %w", group, name, ErrNotFound)
	}
	return found[0], nil
}

// ScheduleName names a schedule.
type ScheduleName struct{ Group, Name string }

func (n ScheduleName) String() string { return n.Group + "/" + n.Name }

// ScheduleStatusesOf returns the schedules of those names, in their order and as of
// one moment. Where there is none, or it cannot be decoded, the status is zero.
func (s *Store) ScheduleStatusesOf(names []ScheduleName) ([]ScheduleStatus, error) {
	found := make([]ScheduleStatus, len(names))
	err := s.view(func(tx *bolt.Tx) error {
		for i, name := range names {
			key := memberKey(name.Group, name.Name)
			schedule, ok, err := get[Schedule](tx, bucketSchedules, key)
			if err != nil && !errors.Is(err, ErrDamaged) {
				return err
			}
			if ok {
				found[i] = ScheduleStatus{schedule, liveState(tx, key)}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read schedules: %w", err)
	}
	return found, nil
}

// eachSchedule calls each with the records from where the query begins, until it
// returns false.
func eachSchedule(tx *bolt.Tx, q ScheduleQuery, each func(k, v []byte) bool) error {
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
		if !each(k, v) {
			return nil
		}
	}
	return nil
}

func (q ScheduleQuery) matches(schedule Schedule) bool {
	return strings.HasPrefix(schedule.Name, q.Prefix) && (q.State == "" || schedule.State == q.State)
}

// setAsideSchedules moves records that cannot be decoded to the bucket "damaged", as
// Open does with records of other buckets, and returns the names of those it moved.
func (s *Store) setAsideSchedules(keys [][]byte) (names []string, err error) {
	err = s.update(0, func(c *change) error {
		moved := make([]string, 0, len(keys))
		for _, key := range keys {
			value := bytes.Clone(c.tx.Bucket([]byte(bucketSchedules)).Get(key))
			if value == nil {
				continue // removed or set aside meanwhile
			}
			if _, err := decode[Schedule](bucketSchedules, key, value); err == nil {
				continue // written anew meanwhile
			}
			aside := append([]byte(bucketSchedules+"\x00"), key...)
			if err := c.putBytes(bucketDamaged, aside, value); err != nil {
				return err
			}
			if err := c.dropSchedule(key); err != nil {
				return err
			}
			moved = append(moved, strings.Replace(string(key), "\x00", "/", 1))
		}
		names = moved
		return nil
	})
	return names, err
}
