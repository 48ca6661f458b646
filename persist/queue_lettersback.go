package persist

import (
	"bytes"
	"fmt"
)

// RetryDeadLetter makes a dead letter a job again, in one transaction, and returns it
// without its payload. It has all of its attempts before it, its age begins anew, and it
// has a new place behind others of its OrderKey. Its DedupID counts no more.
//
// ErrNotFound says that there is no such letter, or no such function any more,
// ErrQueueFull that the queue has no room, ErrDamaged that the letter cannot be read.
func (s *Store) RetryDeadLetter(sequence uint64, limits QueueLimits) (Job, error) {
	var queued Job
	limits.WhenFull = QueueReject // others are not dropped for what was given up
	err := s.update(jobOverhead, func(c *change) error {
		dead := lettersOf(c.tx)
		key := sequenceKey(sequence)
		if dead.letters == nil || dead.letters.Get(key) == nil {
			return ErrNotFound
		}
		letter := readLetter(key, dead.letters.Get(key))
		if letter.Job.ID == "" {
			return fmt.Errorf("%w: the record of this event", ErrDamaged)
		}
		job := letter.Job
		job.Payload = copyPayload(dead.payloads, sequence)
		job.Attempts, job.Failures, job.Interrupted, job.LastError = 0, 0, 0, ""
		job.DedupID = ""
		job.Enqueued, job.Due = milli(s.now()), milli(s.now())
		if err := s.checkJob(&job); err != nil {
			return err
		}
		if err := c.enqueue(&job, &limits, false); err != nil {
			return err
		}
		if err := dead.drop(key); err != nil {
			return err
		}
		queued = job
		queued.Payload = nil
		return dead.saveTo(dead.root)
	})
	if err != nil {
		return Job{}, fmt.Errorf("retry dead letter %d: %w", sequence, err)
	}
	return queued, nil
}

// PurgeDeadLetters removes the letters of a function, or all where it is empty, and
// says how many.
func (s *Store) PurgeDeadLetters(function string) (removed int, err error) {
	err = s.makeRoom(func(c *change) error {
		removed = 0
		dead := lettersOf(c.tx)
		if dead.letters == nil {
			return nil
		}
		var keys [][]byte
		cursor := dead.letters.Cursor() // there are MaxDeadLetters at most
		for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
			if len(k) == 8 && (function == "" || readLetter(k, v).Job.Function == function) {
				keys = append(keys, bytes.Clone(k))
			}
		}
		for _, key := range keys {
			c.wrote = true
			if err := dead.drop(key); err != nil {
				return err
			}
			removed++
		}
		return dead.saveTo(dead.root)
	})
	if err != nil {
		return 0, fmt.Errorf("purge dead letters: %w", err)
	}
	return removed, nil
}
