package persist

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// queueDueBefore is the bucket of waiting jobs of schema 2:
// function 00 uint64(due) uint64(seq) -> Job.
const queueDueBefore = "due"

// addPriorities moves the jobs that wait to keys that sort by priority, which all of
// them have the usual one of. Records and payloads stay as they are. It copies some
// hundred bytes for each job; schema 2 had 100 000 of them at most.
func addPriorities(tx *bolt.Tx) error {
	q := queueOf(tx)
	before := q.root.Bucket([]byte(queueDueBefore))
	if before == nil {
		return nil
	}
	if err := q.create(); err != nil {
		return err
	}
	q.due.FillPercent = 1 // the keys come in order
	cursor := before.Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		key := k
		if at := len(k) - 17; at >= 1 && k[at] == 0 {
			key = append(append(append(make([]byte, 0, len(k)+1), k[:at+1]...), bandOf(UsualPriority)), k[at+1:]...)
		} // else it makes no sense, and Lease sets it aside
		if err := q.due.Put(key, v); err != nil {
			return fmt.Errorf("move job: %w", err)
		}
	}
	if err := q.root.DeleteBucket([]byte(queueDueBefore)); err != nil {
		return fmt.Errorf("delete bucket %s: %w", queueDueBefore, err)
	}
	return nil
}
