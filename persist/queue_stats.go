package persist

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// QueueStats says how the queue stands.
type QueueStats struct {
	Jobs    int    // waiting and running
	Bytes   int64  // of their payloads
	Running int    // leased
	Dropped uint64 // that made room for later ones, ever
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
			Jobs: int(q.Jobs), Bytes: int64(q.Bytes), Dropped: q.Dropped,
			DeadLetters: int(dead.Jobs), DeadLetterBytes: int64(dead.Bytes), DeadLetterDropped: dead.Dropped,
		}
		if q.due == nil {
			return nil
		}
		stats.Running = countKeys(q.running)
		q.eachFirst(func(_ string, due time.Time) {
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

// eachFirst calls each with the due time of the first job of every function and
// priority.
func (q *queueBuckets) eachFirst(each func(function string, due time.Time)) {
	names, _ := q.functions() // Lease sets the damaged ones aside
	c := q.due.Cursor()
	for _, name := range names {
		prefix := memberPrefix(name)
		k, _ := c.Seek(prefix)
		for k != nil && bytes.HasPrefix(k, prefix) {
			key, err := splitDueKey(k)
			if err != nil {
				k, _ = c.Next()
				continue
			}
			each(name, key.due)
			k, _ = c.Seek(append(prefix, key.band+1))
		}
	}
}

// FunctionQueue says how the jobs of one function stand.
type FunctionQueue struct {
	Function string
	Waiting  int // those that are held among them
	Held     int
	Running  int
	AtLeast  bool      // Waiting or Held stopped counting at MaxCounted
	Oldest   time.Time // as QueueStats.Oldest
}

// MaxCounted bounds how many jobs of a function FunctionQueues counts.
const MaxCounted = 10_000

// FunctionQueues returns how the jobs of each function stand that has any, in order of
// names.
func (s *Store) FunctionQueues() ([]FunctionQueue, error) {
	var list []FunctionQueue
	err := s.view(func(tx *bolt.Tx) error {
		q := queueOf(tx)
		if q.due == nil {
			return nil
		}
		all := map[string]*FunctionQueue{}
		of := func(name string) *FunctionQueue {
			if all[name] == nil {
				all[name] = &FunctionQueue{Function: name}
			}
			return all[name]
		}
		q.eachFirst(func(name string, due time.Time) {
			if f := of(name); f.Oldest.IsZero() || due.Before(f.Oldest) {
				f.Oldest = due
			}
		})
		leased, _ := q.leased()
		for _, job := range leased {
			of(job.Function).Running++
		}
		if q.heads != nil { // who has jobs that are held has a head
			c := q.heads.Cursor()
			for k, _ := c.First(); k != nil; {
				name, _, _ := bytes.Cut(k, []byte{0})
				of(string(name))
				k, _ = c.Seek(memberEnd(string(name)))
			}
		}
		for name, f := range all {
			f.Held = countWith(q.held, memberPrefix(name), MaxCounted)
			f.Waiting = f.Held + countWith(q.due, memberPrefix(name), MaxCounted)
			f.AtLeast = f.Held == MaxCounted || f.Waiting-f.Held == MaxCounted
			list = append(list, *f)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read queues of functions: %w", err)
	}
	slices.SortFunc(list, func(a, b FunctionQueue) int { return strings.Compare(a.Function, b.Function) })
	return list, nil
}

// countWith counts keys that begin with prefix, up to limit.
func countWith(b *bolt.Bucket, prefix []byte, limit int) (n int) {
	if b == nil {
		return 0
	}
	c := b.Cursor()
	for k, _ := c.Seek(prefix); k != nil && n < limit && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		n++
	}
	return n
}
