package persist

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The bucket "queue" holds
//
//	totals                                                  -> totals of jobs, waiting and running
//	waiting   function 00 band uint64(due) uint64(seq)      -> Job, without its payload
//	held      function 00 order key 00 uint64(seq)          -> the same, while one of its key is before it
//	running   uint64(seq)                                   -> the same, while it is leased
//	payloads  uint64(seq)                                   -> payload
//	heads     function 00 order key                         -> uint64(seq) of the one that waits or runs
//	ids       function 00 deduplication id                  -> see queue_dedup.go
//	idtimes   uint64(time) function 00 deduplication id     -> nothing
//
// and the bucket "deadletters"
//
//	totals                  -> totals of dead letters
//	letters   uint64(seq)   -> DeadLetter, without its payload
//	payloads  uint64(seq)   -> payload
//
// Payloads lie apart because a job moves with each lease and each retry, and
// flash should not be written for what does not change. Jobs of a function lie
// together, those of its highest priority first, and of these those that are due
// first: what is due is found with a seek for each priority and each function,
// however many jobs there are. A band is MaxPriority less the priority, one byte. A
// due time is in Unix milliseconds.
const (
	queueDue      = "waiting"
	queueHeld     = "held"
	queueRunning  = "running"
	queuePayloads = "payloads"
	queueHeads    = "heads"
	queueIDs      = "ids"
	queueIDTimes  = "idtimes"
	queueLetters  = "letters"
	keyTotals     = "totals"
)

// jobOverhead is about what a job costs in bytes apart from its payload.
const jobOverhead = 512

// totals are kept with the jobs, because counting them takes a walk.
type totals struct {
	Jobs    uint64
	Bytes   uint64 // of payloads
	Dropped uint64 // jobs, or dead letters, that made room, ever
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
	root, due, held, running, payloads, heads, ids, idTimes *bolt.Bucket
}

func queueOf(tx *bolt.Tx) *queueBuckets {
	root := tx.Bucket([]byte(bucketQueue))
	q := &queueBuckets{totals: readTotals(root), root: root}
	q.each(func(name string, b **bolt.Bucket) error {
		*b = root.Bucket([]byte(name))
		return nil
	})
	return q
}

// each calls fn with the name and the place of each bucket.
func (q *queueBuckets) each(fn func(name string, b **bolt.Bucket) error) error {
	for _, b := range [...]struct {
		name string
		at   **bolt.Bucket
	}{
		{queueDue, &q.due}, {queueHeld, &q.held}, {queueRunning, &q.running}, {queuePayloads, &q.payloads},
		{queueHeads, &q.heads}, {queueIDs, &q.ids}, {queueIDTimes, &q.idTimes},
	} {
		if err := fn(b.name, b.at); err != nil {
			return err
		}
	}
	return nil
}

// create makes what is missing of the buckets.
func (q *queueBuckets) create() error {
	return q.each(func(name string, b **bolt.Bucket) (err error) {
		if *b != nil {
			return nil
		}
		if *b, err = q.root.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("create bucket %s of the queue: %w", name, err)
		}
		return nil
	})
}

func (q *queueBuckets) save() error { return q.saveTo(q.root) }

func (q *queueBuckets) putDue(job Job) error {
	return putRecord(q.due, dueKeyOf(job), job)
}

func (q *queueBuckets) putRunning(job Job) error {
	return putRecord(q.running, sequenceKey(job.sequence), job)
}

// bandOf sorts priorities: the highest first.
func bandOf(priority int) byte { return byte(MaxPriority - min(max(priority, 0), MaxPriority)) }

// dueKeyOf sorts the jobs of a function by priority, those of one priority by when they
// are due, those of one millisecond by when they were queued.
func dueKeyOf(job Job) []byte {
	key := append(memberPrefix(job.Function), bandOf(job.Priority))
	key = append(key, dueBytes(job.Due)...)
	return binary.BigEndian.AppendUint64(key, job.sequence)
}

func dueBytes(due time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(due.UnixMilli(), 0)))
}

// dueKey is what the key of a waiting job says.
type dueKey struct {
	function string
	band     byte
	due      time.Time
	sequence uint64
}

// splitDueKey undoes dueKeyOf. The error is ErrDamaged.
func splitDueKey(key []byte) (dueKey, error) {
	at := len(key) - 18 // of the byte 0 after the name
	if at < 1 || key[at] != 0 || key[at+1] > MaxPriority || bytes.IndexByte(key[:at], 0) >= 0 {
		return dueKey{}, fmt.Errorf("%w: queue key %q", ErrDamaged, key)
	}
	return dueKey{
		function: string(key[:at]), band: key[at+1],
		due:      time.UnixMilli(int64(binary.BigEndian.Uint64(key[at+2:]))).UTC(),
		sequence: binary.BigEndian.Uint64(key[at+10:]),
	}, nil
}

// decodeJob reads a job that waits, is held or runs, without its payload: all of their
// keys end with its number.
func decodeJob(bucket string, key, value []byte) (Job, error) {
	job := Job{Priority: UsualPriority} // of jobs from before there were priorities
	if len(key) < 8 {
		return Job{}, fmt.Errorf("%w: key %q of %s", ErrDamaged, key, bucket)
	}
	if err := json.Unmarshal(value, &job); err != nil {
		return Job{}, fmt.Errorf("%w: job %q of %s: %w", ErrDamaged, key, bucket, err)
	}
	job.sequence = numberIn(key)
	return job, nil
}

// numberIn returns the number of a job, with which the keys of all of them end.
func numberIn(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// functions returns the functions that have jobs waiting, in order, with one
// seek each. damaged are keys that make no sense.
func (q *queueBuckets) functions() (names []string, damaged [][]byte) {
	if q.due == nil {
		return nil, nil
	}
	c := q.due.Cursor()
	for k, _ := c.First(); k != nil; {
		key, err := splitDueKey(k)
		if err != nil {
			damaged = append(damaged, bytes.Clone(k))
			k, _ = c.Next()
			continue
		}
		names = append(names, key.function)
		k, _ = c.Seek(memberEnd(key.function))
	}
	return names, damaged
}

// copyPayload returns a copy of a payload; a missing one is empty.
func copyPayload(b *bolt.Bucket, sequence uint64) []byte {
	v := b.Get(sequenceKey(sequence))
	return append(make([]byte, 0, len(v)), v...)
}
