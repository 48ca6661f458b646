package persist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Jobs of a function with one OrderKey run one after the other, in the order in which
// they were queued. Only the first of them, the head, is among those that wait to be
// leased; the others are held, and each is let go when the one before it ends: when it
// is done, given up or removed. A head that is tried again stays the head. So Lease
// never sees a job that may not run, however many there are behind one.

// OrderAll is the OrderKey of all events for a function whose AsyncConfig is Ordered.
// What was queued before it became so runs beside them.
const OrderAll = "*"

// asyncConfigOf returns the configuration of a job, empty where there is none.
func (c *change) asyncConfigOf(job *Job) (AsyncConfig, error) {
	config, _, err := get[AsyncConfig](c.tx, bucketAsync, asyncKey(job.Function, job.Qualifier))
	if errors.Is(err, ErrDamaged) { // the next Open sets it aside
		return AsyncConfig{}, nil
	}
	return config, err
}

func headKey(job Job) []byte { return memberKey(job.Function, job.OrderKey) }

func heldPrefix(job Job) []byte { return append(headKey(job), 0) }

func heldKey(job Job) []byte {
	return binary.BigEndian.AppendUint64(heldPrefix(job), job.sequence)
}

// lineUp makes a job the head of its key where there is none, and says whether it may
// run.
func (q *queueBuckets) lineUp(job Job) (first bool, err error) {
	if job.OrderKey == "" {
		return true, nil
	}
	if q.heads.Get(headKey(job)) != nil {
		return false, nil
	}
	return true, q.putHead(job)
}

func (q *queueBuckets) putHead(job Job) error {
	if err := q.heads.Put(headKey(job), sequenceKey(job.sequence)); err != nil {
		return fmt.Errorf("write to %s: %w", queueHeads, err)
	}
	return nil
}

func (q *queueBuckets) putHeld(job Job) error {
	return putRecord(q.held, heldKey(job), job)
}

// letNextGo has the job behind one that has ended wait to be leased. One that was held
// itself has nobody behind it.
func (c *change) letNextGo(q *queueBuckets, ended Job) error {
	if ended.OrderKey == "" || q.heads == nil || !bytes.Equal(q.heads.Get(headKey(ended)), sequenceKey(ended.sequence)) {
		return nil
	}
	c.wrote = true
	prefix := heldPrefix(ended)
	for {
		k, v := q.held.Cursor().Seek(prefix)
		if k == nil || !bytes.HasPrefix(k, prefix) {
			if err := q.heads.Delete(headKey(ended)); err != nil {
				return fmt.Errorf("delete from %s: %w", queueHeads, err)
			}
			return nil
		}
		k = bytes.Clone(k)
		next, err := decodeJob(queueHeld, k, v)
		if err != nil {
			if err := c.setAsideJobs(q, q.held, [][]byte{k}); err != nil {
				return err
			}
			continue
		}
		if err := q.held.Delete(k); err != nil {
			return fmt.Errorf("delete from %s: %w", queueHeld, err)
		}
		if err := q.putHead(next); err != nil {
			return err
		}
		return q.putDue(next)
	}
}

// letGoBehind is letNextGo for a job whose record is damaged, of which only the number
// is known. It looks at all heads, which is what damage may cost.
func (c *change) letGoBehind(q *queueBuckets, sequence uint64) error {
	if q.heads == nil {
		return nil
	}
	cursor := q.heads.Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		function, key, ok := bytes.Cut(k, []byte{0})
		if ok && bytes.Equal(v, sequenceKey(sequence)) {
			return c.letNextGo(q, Job{Function: string(function), OrderKey: string(key), sequence: sequence})
		}
	}
	return nil
}
