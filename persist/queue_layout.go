package persist

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The bucket "queue" holds
//
//	totals                                        -> totals of jobs, waiting and running
//	due       function 00 uint64(due) uint64(seq) -> Job, without its payload
//	running   uint64(seq)                         -> the same, while it is leased
//	payloads  uint64(seq)                         -> payload
//
// and the bucket "deadletters"
//
//	totals                  -> totals of dead letters
//	letters   uint64(seq)   -> DeadLetter, without its payload
//	payloads  uint64(seq)   -> payload
//
// Payloads lie apart because a job moves with each lease and each retry, and
// flash should not be written for what does not change. Jobs of a function lie
// together in the order in which they are due, so that one with a long backlog
// is passed over with one seek. A due time is in Unix milliseconds.
const (
	queueDue      = "due"
	queueRunning  = "running"
	queuePayloads = "payloads"
	queueLetters  = "letters"
	keyTotals     = "totals"
)

// jobOverhead is about what a job costs in bytes apart from its payload.
const jobOverhead = 512

// totals are kept with the jobs, because counting them takes a walk.
type totals struct {
	Jobs    uint64
	Bytes   uint64 // of payloads
	Dropped uint64 // dead letters that made room, ever
}

func readTotals(b *bolt.Bucket) (t totals) {
	if v := b.Get([]byte(keyTotals)); len(v) == 24 {
		t.Jobs = binary.BigEndian.Uint64(v)
		t.Bytes = binary.BigEndian.Uint64(v[8:])
		t.Dropped = binary.BigEndian.Uint64(v[16:])
	}
	return t
}

func (t *totals) add(payload []byte) {
	t.Jobs++
	t.Bytes += uint64(len(payload))
}

// remove never goes below zero: totals that were lost to damage must not make
// the queue look full for ever.
func (t *totals) remove(payload []byte) {
	t.Jobs -= min(t.Jobs, 1)
	t.Bytes -= min(t.Bytes, uint64(len(payload)))
}

func (t *totals) saveTo(b *bolt.Bucket) error {
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 24), t.Jobs)
	v = binary.BigEndian.AppendUint64(v, t.Bytes)
	v = binary.BigEndian.AppendUint64(v, t.Dropped)
	if err := b.Put([]byte(keyTotals), v); err != nil {
		return fmt.Errorf("write totals: %w", err)
	}
	return nil
}

// queueBuckets are the queue in one transaction. The buckets in it are nil as
// long as no job was ever queued.
type queueBuckets struct {
	totals
	root, due, running, payloads *bolt.Bucket
}

func queueOf(tx *bolt.Tx) *queueBuckets {
	root := tx.Bucket([]byte(bucketQueue))
	return &queueBuckets{
		totals: readTotals(root), root: root,
		due: root.Bucket([]byte(queueDue)), running: root.Bucket([]byte(queueRunning)),
		payloads: root.Bucket([]byte(queuePayloads)),
	}
}

// create makes what is missing of the buckets.
func (q *queueBuckets) create() (err error) {
	for name, b := range map[string]**bolt.Bucket{queueDue: &q.due, queueRunning: &q.running, queuePayloads: &q.payloads} {
		if *b, err = q.root.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("create bucket %s of the queue: %w", name, err)
		}
	}
	return nil
}

func (q *queueBuckets) save() error { return q.saveTo(q.root) }

func (q *queueBuckets) putDue(job Job) error {
	return putRecord(q.due, dueKey(job), job)
}

func (q *queueBuckets) putRunning(job Job) error {
	return putRecord(q.running, sequenceKey(job.sequence), job)
}

// dueKey sorts the jobs of a function by when they are due, those of one
// millisecond by when they were queued.
func dueKey(job Job) []byte {
	key := append(memberPrefix(job.Function), dueBytes(job.Due)...)
	return binary.BigEndian.AppendUint64(key, job.sequence)
}

func dueBytes(due time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(due.UnixMilli(), 0)))
}

// splitDueKey undoes dueKey. The error is ErrDamaged.
func splitDueKey(key []byte) (function string, due time.Time, sequence uint64, err error) {
	if len(key) < 18 || key[len(key)-17] != 0 {
		return "", time.Time{}, 0, fmt.Errorf("%w: queue key %q", ErrDamaged, key)
	}
	numbers := key[len(key)-16:]
	due = time.UnixMilli(int64(binary.BigEndian.Uint64(numbers))).UTC()
	return string(key[:len(key)-17]), due, binary.BigEndian.Uint64(numbers[8:]), nil
}

// functions returns the functions that have jobs waiting, in order, with one
// seek each. damaged are keys that make no sense.
func (q *queueBuckets) functions() (names []string, damaged [][]byte) {
	if q.due == nil {
		return nil, nil
	}
	c := q.due.Cursor()
	for k, _ := c.First(); k != nil; {
		name, _, _, err := splitDueKey(k)
		if err != nil {
			damaged = append(damaged, bytes.Clone(k))
			k, _ = c.Next()
			continue
		}
		names = append(names, name)
		k, _ = c.Seek(memberEnd(name))
	}
	return names, damaged
}

// copyPayload returns a copy of a payload; a missing one is empty.
func copyPayload(b *bolt.Bucket, sequence uint64) []byte {
	v := b.Get(sequenceKey(sequence))
	return append(make([]byte, 0, len(v)), v...)
}
