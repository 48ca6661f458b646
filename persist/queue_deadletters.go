package persist

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Bounds of the dead letters, whichever is reached first. The oldest make room.
const (
	MaxDeadLetters     = 1000
	MaxDeadLetterBytes = 32 << 20
)

// DeadLetter is a job that was given up. It is kept until an operator removes
// it or later ones need its place.
type DeadLetter struct {
	Sequence uint64    `json:"-"` // grows with each; its name
	Reason   string    `json:"reason"`
	Buried   time.Time `json:"buried"`
	Job      Job       `json:"job"`
}

// buryRunning moves a leased job to the dead letters.
func (c *change) buryRunning(q *queueBuckets, job Job, reason string, now time.Time) error {
	job.LeasedUntil = time.Time{}
	letter := DeadLetter{Reason: clipText(reason, maxErrorText), Buried: milli(now), Job: job}
	payload := copyPayload(q.payloads, job.sequence)
	if job.LastError == "" {
		job.LastError = letter.Reason // for its schedule
	}
	if err := c.removeRunning(q, job, RunFailed, now); err != nil {
		return err
	}
	return c.bury(letter, payload)
}

// letterBuckets are the dead letters in one transaction, with nil buckets as
// long as there never was one.
type letterBuckets struct {
	totals
	root, letters, payloads *bolt.Bucket
}

func lettersOf(tx *bolt.Tx) *letterBuckets {
	root := tx.Bucket([]byte(bucketDeadLetters))
	return &letterBuckets{
		totals: readTotals(root), root: root,
		letters: root.Bucket([]byte(queueLetters)), payloads: root.Bucket([]byte(queuePayloads)),
	}
}

// hasRoom says whether a letter makes no other one go.
func (d *letterBuckets) hasRoom(payload []byte) bool {
	return d.Jobs < MaxDeadLetters && d.Bytes+uint64(len(payload)) <= MaxDeadLetterBytes
}

func (c *change) bury(letter DeadLetter, payload []byte) (err error) {
	c.wrote = true
	dead := lettersOf(c.tx)
	if dead.letters, err = dead.root.CreateBucketIfNotExists([]byte(queueLetters)); err != nil {
		return fmt.Errorf("create bucket %s: %w", queueLetters, err)
	}
	if dead.payloads, err = dead.root.CreateBucketIfNotExists([]byte(queuePayloads)); err != nil {
		return fmt.Errorf("create bucket %s: %w", queuePayloads, err)
	}
	sequence, err := dead.letters.NextSequence()
	if err != nil {
		return fmt.Errorf("number dead letter: %w", err)
	}
	key := sequenceKey(sequence)
	if err := putRecord(dead.letters, key, letter); err != nil {
		return err
	}
	if err := dead.payloads.Put(key, payload); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	dead.add(payload)
	for dead.Jobs > 1 && (dead.Jobs > MaxDeadLetters || dead.Bytes > MaxDeadLetterBytes) {
		oldest, _ := dead.letters.Cursor().First()
		if oldest == nil {
			break
		}
		if err := dead.drop(oldest); err != nil {
			return err
		}
		dead.Dropped++
	}
	return dead.saveTo(dead.root)
}

// drop removes a letter and takes it off the totals, which are not saved.
func (d *letterBuckets) drop(key []byte) error {
	d.remove(d.payloads.Get(key))
	if err := d.payloads.Delete(key); err != nil {
		return fmt.Errorf("delete from %s: %w", queuePayloads, err)
	}
	if err := d.letters.Delete(key); err != nil {
		return fmt.Errorf("delete from %s: %w", queueLetters, err)
	}
	return nil
}

// DeadLetters returns the letters whose Sequence is greater than after, oldest
// first and without their payloads, at most limit of them. more says that there
// are others.
func (s *Store) DeadLetters(after uint64, limit int) (letters []DeadLetter, more bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		dead := lettersOf(tx)
		if dead.letters == nil {
			return nil
		}
		c := dead.letters.Cursor()
		for k, v := c.Seek(sequenceKey(after + 1)); k != nil; k, v = c.Next() {
			if len(letters) >= limit {
				more = true
				return nil
			}
			if len(k) == 8 {
				letters = append(letters, readLetter(k, v))
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("list dead letters: %w", err)
	}
	return letters, more, nil
}

// readLetter returns a letter without its payload. One that does not decode says so
// in its Reason: it can be looked at and removed as others can.
func readLetter(key, value []byte) DeadLetter {
	letter := DeadLetter{Job: Job{Priority: UsualPriority}} // of letters from before there were priorities
	if err := json.Unmarshal(value, &letter); err != nil {
		letter = DeadLetter{Reason: "the record of this event is damaged"}
	}
	letter.Sequence = binary.BigEndian.Uint64(key)
	return letter
}

// GetDeadLetter returns one letter with its payload, or ErrNotFound.
func (s *Store) GetDeadLetter(sequence uint64) (DeadLetter, error) {
	var letter DeadLetter
	err := s.view(func(tx *bolt.Tx) error {
		dead := lettersOf(tx)
		key := sequenceKey(sequence)
		if dead.letters == nil || dead.letters.Get(key) == nil {
			return ErrNotFound
		}
		letter = readLetter(key, dead.letters.Get(key))
		letter.Job.Payload = copyPayload(dead.payloads, sequence)
		return nil
	})
	if err != nil {
		return DeadLetter{}, fmt.Errorf("dead letter %d: %w", sequence, err)
	}
	return letter, nil
}

// DeleteDeadLetter removes a letter, or returns ErrNotFound.
func (s *Store) DeleteDeadLetter(sequence uint64) error {
	err := s.makeRoom(func(c *change) error {
		dead := lettersOf(c.tx)
		key := sequenceKey(sequence)
		if dead.letters == nil || dead.letters.Get(key) == nil {
			return ErrNotFound
		}
		c.wrote = true
		if err := dead.drop(key); err != nil {
			return err
		}
		return dead.saveTo(dead.root)
	})
	if err != nil {
		return fmt.Errorf("dead letter %d: %w", sequence, err)
	}
	return nil
}
