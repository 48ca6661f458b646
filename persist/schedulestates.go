package persist

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// ScheduleState is what became of a schedule so far. It is kept apart from the
// Schedule, which is configuration: it changes with every run, and does not count in
// the store's Generation. One that is lost to damage is as if the schedule had been
// updated: its times count from when it was last modified.
type ScheduleState struct {
	// LastTick is the last time that was acted on, of those that the expression
	// names; zero where none was since the schedule was last modified.
	LastTick time.Time `json:"lastTick,omitzero"`

	// Pending identifies the jobs that wait or run, oldest first, the last
	// maxPending of them. What is read of the store has only those that are there.
	Pending []uint64 `json:"pending,omitempty"`

	LastRun     ScheduleRun `json:"lastRun,omitzero"`     // the newest that was queued
	LastLeftOut ScheduleRun `json:"lastLeftOut,omitzero"` // the newest that was not

	// Counts since the schedule was created: of runs that succeeded, that were given
	// up, that were left out because the one before had not ended, and of times that
	// passed while nobody could act on them.
	Ran     uint64 `json:"ran,omitempty"`
	Failed  uint64 `json:"failed,omitempty"`
	Skipped uint64 `json:"skipped,omitempty"`
	Missed  uint64 `json:"missed,omitempty"`
}

// ScheduleRun is one time of a schedule and what became of it.
type ScheduleRun struct {
	Due       time.Time `json:"due"`                 // that the expression names; of a run by hand, when it was asked for
	At        time.Time `json:"at"`                  // when the outcome was written
	Outcome   string    `json:"outcome"`             // RunQueued and so on
	Error     string    `json:"error,omitempty"`     // of the function, or why it was left out; cut to 1 KiB
	RequestID string    `json:"requestId,omitempty"` // of its job
}

// Outcomes of a ScheduleRun.
const (
	RunQueued  = "queued"   // it waits or runs
	RunOK      = "ok"       // the function succeeded
	RunRetried = "retrying" // the function failed and is tried again
	RunFailed  = "failed"   // it was given up, or could not be queued
	RunSkipped = "skipped"  // left out: the run before had not ended
	RunMissed  = "missed"   // left out: its time had passed
)

// maxPending bounds ScheduleState.Pending. It is not the bound of a schedule's jobs:
// where overlaps are forbidden its jobs run in their order, so that it is enough to know
// the last of them.
const maxPending = 100

// stateOf returns the state of a schedule; zero where there is none.
func stateOf(tx *bolt.Tx, key []byte) (state ScheduleState) {
	v := tx.Bucket([]byte(bucketScheduleStates)).Get(key)
	if v == nil || json.Unmarshal(v, &state) != nil {
		return ScheduleState{}
	}
	return state
}

// liveState is stateOf without jobs that are gone: those of a function that was
// deleted, say, nobody settles.
func liveState(tx *bolt.Tx, key []byte) ScheduleState {
	state := stateOf(tx, key)
	if len(state.Pending) > 0 {
		q := queueOf(tx)
		state.Pending = slices.DeleteFunc(state.Pending, func(sequence uint64) bool {
			return q.payloads == nil || q.payloads.Get(sequenceKey(sequence)) == nil
		})
	}
	return state
}

// putScheduleState does not count in the store's Generation.
func (c *change) putScheduleState(key []byte, state ScheduleState) error {
	if extra := len(state.Pending) - maxPending; extra > 0 {
		state.Pending = state.Pending[extra:]
	}
	c.wrote = true
	return putRecord(c.tx.Bucket([]byte(bucketScheduleStates)), key, state)
}

// scheduleRan notes in the transaction in which a job is settled what became of it:
// RunOK, RunRetried or RunFailed, the last two with job.LastError. For jobs that no
// schedule caused, or whose schedule is gone, it does nothing.
func (c *change) scheduleRan(job Job, outcome string, now time.Time) error {
	if job.Schedule == "" {
		return nil
	}
	group, name, _ := strings.Cut(job.Schedule, "/")
	key := memberKey(group, name)
	if c.tx.Bucket([]byte(bucketSchedules)).Get(key) == nil {
		return nil
	}
	state := stateOf(c.tx, key)
	switch outcome {
	case RunOK:
		state.Ran++
	case RunFailed:
		state.Failed++
	}
	if outcome != RunRetried {
		state.Pending = slices.DeleteFunc(state.Pending, func(sequence uint64) bool { return sequence == job.sequence })
	}
	if state.LastRun.RequestID == job.ID {
		state.LastRun.Outcome, state.LastRun.At, state.LastRun.Error = outcome, milli(now), ""
		if outcome != RunOK {
			state.LastRun.Error = clipText(job.LastError, maxErrorText)
		}
	}
	return c.putScheduleState(key, state)
}

// keyClock is the key in the bucket "meta" of the time that NoteClock was told, in
// Unix milliseconds.
const keyClock = "clock"

// NoteClock keeps a time that the node's clock has shown and that was to be believed.
// A device without a battery for its clock starts before it, and so knows that the
// clock is wrong.
func (s *Store) NoteClock(now time.Time) error {
	err := s.update(0, func(c *change) error {
		c.wrote = true
		return c.tx.Bucket([]byte(bucketMeta)).Put([]byte(keyClock), binary.BigEndian.AppendUint64(nil, uint64(max(now.UnixMilli(), 0))))
	})
	if err != nil {
		return fmt.Errorf("note the time: %w", err)
	}
	return nil
}

// ClockSeen returns the time of the last NoteClock, zero where there was none.
func (s *Store) ClockSeen() (seen time.Time, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		if v := tx.Bucket([]byte(bucketMeta)).Get([]byte(keyClock)); len(v) == 8 {
			seen = time.UnixMilli(int64(binary.BigEndian.Uint64(v))).UTC()
		}
		return nil
	})
	return seen, err
}

// splitScheduleStates is a part of the migration to schema 3: it moves the last tick
// of each schedule to its state, and counts them.
func splitScheduleStates(tx *bolt.Tx) error {
	states := tx.Bucket([]byte(bucketScheduleStates))
	schedules := tx.Bucket([]byte(bucketSchedules))
	n := uint64(0)
	err := schedules.ForEach(func(k, v []byte) error {
		n++
		var old struct {
			LastTick time.Time `json:"lastTick"`
		}
		if json.Unmarshal(v, &old) != nil || old.LastTick.IsZero() {
			return nil // what is damaged is set aside when it is read
		}
		return putRecord(states, k, ScheduleState{LastTick: old.LastTick})
	})
	if err != nil {
		return fmt.Errorf("split schedules from their states: %w", err)
	}
	return schedules.SetSequence(n)
}
