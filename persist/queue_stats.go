package persist

import (
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// QueueStats says how the queue stands.
type QueueStats struct {
	Jobs    int   // waiting and running
	Bytes   int64 // of their payloads
	Running int   // leased
	// Oldest is the earliest time for which a waiting job is due: long past where
	// the queue does not keep up, in the future where all wait for their time,
	// zero where none waits.
	Oldest time.Time

	DeadLetters       int
	DeadLetterBytes   int64
	DeadLetterDropped uint64 // that made room for later ones, ever
}

// QueueStats reads how the queue stands. It looks at the first job of each
// function only.
func (s *Store) QueueStats() (QueueStats, error) {
	var stats QueueStats
	err := s.view(func(tx *bolt.Tx) error {
		q, dead := queueOf(tx), lettersOf(tx)
		stats = QueueStats{
			Jobs: int(q.Jobs), Bytes: int64(q.Bytes),
			DeadLetters: int(dead.Jobs), DeadLetterBytes: int64(dead.Bytes), DeadLetterDropped: dead.Dropped,
		}
		if q.due == nil {
			return nil
		}
		stats.Running = countKeys(q.running)
		q.eachFirst(func(due time.Time) {
			if stats.Oldest.IsZero() || due.Before(stats.Oldest) {
				stats.Oldest = due
			}
		})
		return nil
	})
	if err != nil {
		return QueueStats{}, fmt.Errorf("read state of the queue: %w", err)
	}
	return stats, nil
}

// eachFirst calls each with the due time of every function's first job.
func (q *queueBuckets) eachFirst(each func(due time.Time)) {
	names, _ := q.functions() // Lease sets the damaged ones aside
	c := q.due.Cursor()
	for _, name := range names {
		k, _ := c.Seek(memberPrefix(name))
		if _, due, _, err := splitDueKey(k); err == nil {
			each(due)
		}
	}
}
