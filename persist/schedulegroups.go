package persist

import (
	"errors"
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// DefaultScheduleGroup is the group that always exists.
const DefaultScheduleGroup = "default"

// Bounds of groups: AWS's default quota, and of the tags of one.
const (
	MaxScheduleGroups = 500
	MaxGroupTags      = 200
)

// ScheduleGroup is a set of schedules with tags.
type ScheduleGroup struct {
	Name         string            `json:"name"`
	Tags         map[string]string `json:"tags,omitempty"`
	Created      time.Time         `json:"created,omitzero"` // zero for the default group
	LastModified time.Time         `json:"lastModified,omitzero"`
	ClientToken  string            `json:"clientToken,omitempty"` // tells a repeated request from another one
}

// groupOf returns a group; the default one also where nothing was ever stored
// of it.
func groupOf(tx *bolt.Tx, name string) (ScheduleGroup, error) {
	group, found, err := get[ScheduleGroup](tx, bucketScheduleGroups, []byte(name))
	switch {
	case err != nil || found:
		return group, err
	case name == DefaultScheduleGroup:
		return ScheduleGroup{Name: name}, nil
	}
	return ScheduleGroup{}, fmt.Errorf("schedule group %s: %w", name, ErrNotFound)
}

func groupExists(tx *bolt.Tx, name string) error {
	_, err := groupOf(tx, name)
	return err
}

// CreateScheduleGroup stores a group and returns it with its times, or ErrExists,
// or ErrTooMany where there are MaxScheduleGroups.
func (s *Store) CreateScheduleGroup(group ScheduleGroup) (ScheduleGroup, error) {
	if err := checkName("group name", group.Name); err != nil {
		return ScheduleGroup{}, err
	}
	if err := checkGroupTags(group.Tags); err != nil {
		return ScheduleGroup{}, err
	}
	group.Created = milli(s.now())
	group.LastModified = group.Created
	err := s.update(0, func(c *change) error {
		switch err := groupExists(c.tx, group.Name); {
		case err == nil:
			return ErrExists
		case !errors.Is(err, ErrNotFound):
			return err
		}
		if n := countKeys(c.tx.Bucket([]byte(bucketScheduleGroups))); n >= MaxScheduleGroups {
			return fmt.Errorf("%w groups: there are %d", ErrTooMany, n)
		}
		return c.put(bucketScheduleGroups, []byte(group.Name), group)
	})
	if err != nil {
		return ScheduleGroup{}, fmt.Errorf("store schedule group %s: %w", group.Name, err)
	}
	return group, nil
}

// GetScheduleGroup returns a group, or ErrNotFound.
func (s *Store) GetScheduleGroup(name string) (ScheduleGroup, error) {
	var group ScheduleGroup
	err := s.view(func(tx *bolt.Tx) (err error) {
		group, err = groupOf(tx, name)
		return err
	})
	return group, err
}

// DeleteScheduleGroup removes a group with its schedules in one transaction,
// or returns ErrNotFound. The default group cannot be removed: ErrInvalid.
func (s *Store) DeleteScheduleGroup(name string) error {
	if name == DefaultScheduleGroup {
		return invalid("the schedule group %s always exists", name)
	}
	return s.makeRoom(func(c *change) error {
		if err := groupExists(c.tx, name); err != nil {
			return err
		}
		for _, key := range keysWith(c.tx.Bucket([]byte(bucketSchedules)), memberPrefix(name)) {
			if err := c.dropSchedule(key); err != nil {
				return err
			}
		}
		return c.delete(bucketScheduleGroups, []byte(name))
	})
}

// ScheduleGroups returns the groups whose names begin with prefix and sort after
// after, in order, at most limit of them. more says that there are others.
func (s *Store) ScheduleGroups(prefix, after string, limit int) (groups []ScheduleGroup, more bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		stored, err := all[ScheduleGroup](tx, bucketScheduleGroups)
		if err != nil {
			return err
		}
		standard, err := groupOf(tx, DefaultScheduleGroup)
		if err != nil {
			return err
		}
		byName := func(g ScheduleGroup) string { return g.Name }
		for _, group := range putAmong(stored, []ScheduleGroup{standard}, byName) {
			if group.Name <= after || !strings.HasPrefix(group.Name, prefix) {
				continue
			}
			if len(groups) == limit {
				more = true
				return nil
			}
			groups = append(groups, group)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("list schedule groups: %w", err)
	}
	return groups, more, nil
}

func checkGroupTags(tags map[string]string) error {
	if len(tags) > MaxGroupTags {
		return fmt.Errorf("%w tags: %d", ErrTooMany, len(tags))
	}
	return nil
}

// TagScheduleGroup sets some tags of a group and removes others, or returns
// ErrNotFound, or ErrTooMany where it would have more than MaxGroupTags.
func (s *Store) TagScheduleGroup(name string, set map[string]string, remove []string) error {
	return s.update(0, func(c *change) error {
		group, err := groupOf(c.tx, name)
		if err != nil {
			return err
		}
		if group.Tags, err = retagged(group.Tags, set, remove, checkGroupTags); err != nil {
			return err
		}
		return c.put(bucketScheduleGroups, []byte(name), group)
	})
}
