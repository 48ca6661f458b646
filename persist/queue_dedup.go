package persist

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

// DedupWindow is how long the DedupID of an event is remembered for its function: as
// long as in FIFO queues of Amazon SQS
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html).
// It is measured by the machine's clock: one that is set forward shortens it. What was
// remembered by a clock that was ahead by more than the window is forgotten.
const DedupWindow = 5 * time.Minute

// maxDedupIDs bounds the ids that are remembered on the node. More events that have
// one are refused with ErrQueueFull.
const maxDedupIDs = 200_000

// trimDedup is how many ids that are old are forgotten with each one that is
// remembered, at most: more than one, so that they become fewer.
const trimDedup = 4

// The bucket "ids" has for each function and DedupID when it is forgotten and the ID of
// the job; "idtimes" has the same keys by that time. The sequence of "ids" is their
// number.

// first returns the ID of the job that came before with the same DedupID.
func (q *queueBuckets) first(job Job) (id string, seen bool) {
	if job.DedupID == "" || q.ids == nil {
		return "", false
	}
	v := q.ids.Get(memberKey(job.Function, job.DedupID))
	if len(v) <= 8 || forgotten(v, job.received) {
		return "", false
	}
	return string(v[8:]), true
}

// forgotten says whether a value of ids, or a key of idtimes, is of no more use.
func forgotten(v []byte, now time.Time) bool {
	until := time.UnixMilli(int64(binary.BigEndian.Uint64(v)))
	return !until.After(now) || until.After(now.Add(DedupWindow))
}

// idsFull says whether no further id can be remembered, once the old ones are gone.
func (q *queueBuckets) idsFull(job Job) bool {
	if job.DedupID == "" || q.ids == nil || q.ids.Sequence() < maxDedupIDs {
		return false
	}
	first, _ := q.idTimes.Cursor().First()
	return len(first) > 8 && !forgotten(first, job.received)
}

// remember notes the DedupID of a job that is stored, and forgets some that are old.
func (q *queueBuckets) remember(job Job) error {
	if job.DedupID == "" {
		return nil
	}
	if err := q.forgetIDs(job.received); err != nil {
		return err
	}
	key := memberKey(job.Function, job.DedupID)
	until := dueBytes(job.received.Add(DedupWindow))
	added := 1
	if old := q.ids.Get(key); len(old) > 8 {
		added = 0
		if err := q.idTimes.Delete(append(bytes.Clone(old[:8]), key...)); err != nil {
			return fmt.Errorf("delete from %s: %w", queueIDTimes, err)
		}
	}
	if err := q.ids.Put(key, append(bytes.Clone(until), job.ID...)); err != nil {
		return fmt.Errorf("write to %s: %w", queueIDs, err)
	}
	if err := q.idTimes.Put(append(until, key...), nil); err != nil {
		return fmt.Errorf("write to %s: %w", queueIDTimes, err)
	}
	return q.countIDs(added)
}

// forgetIDs removes up to trimDedup ids: those whose time is over, and those of a clock
// that was ahead.
func (q *queueBuckets) forgetIDs(now time.Time) error {
	for range trimDedup {
		c := q.idTimes.Cursor()
		k, _ := c.First()
		if len(k) > 8 && !forgotten(k, now) {
			k, _ = c.Last()
		}
		if k == nil || len(k) > 8 && !forgotten(k, now) {
			return nil
		}
		k = bytes.Clone(k)
		if err := q.idTimes.Delete(k); err != nil {
			return fmt.Errorf("delete from %s: %w", queueIDTimes, err)
		}
		if len(k) <= 8 { // damaged
			continue
		}
		// One that was remembered anew since has another time.
		if v := q.ids.Get(k[8:]); len(v) > 8 && bytes.Equal(v[:8], k[:8]) {
			if err := q.dropID(k[8:]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (q *queueBuckets) dropID(key []byte) error {
	if err := q.ids.Delete(key); err != nil {
		return fmt.Errorf("delete from %s: %w", queueIDs, err)
	}
	return q.countIDs(-1)
}

func (q *queueBuckets) countIDs(more int) error {
	if more == 0 {
		return nil
	}
	if err := q.ids.SetSequence(uint64(max(int64(q.ids.Sequence())+int64(more), 0))); err != nil {
		return fmt.Errorf("count ids: %w", err)
	}
	return nil
}

// dropIDs forgets the ids of a function that is deleted: the next one of that name has
// none.
func (q *queueBuckets) dropIDs(function string) error {
	for _, key := range keysWith(q.ids, memberPrefix(function)) {
		if v := q.ids.Get(key); len(v) > 8 {
			if err := q.idTimes.Delete(append(bytes.Clone(v[:8]), key...)); err != nil {
				return fmt.Errorf("delete from %s: %w", queueIDTimes, err)
			}
		}
		if err := q.dropID(key); err != nil {
			return err
		}
	}
	return nil
}
