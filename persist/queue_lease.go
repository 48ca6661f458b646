package persist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// maxLeaseBytes bounds the payloads that one Lease takes into memory, if it is
// more than one job.
const maxLeaseBytes = 4 << 20

// farthestDue is further ahead than any job is due: the flexible window of a schedule
// is a day. One that seems to be was queued while the clock was wrong, and does not
// wait for years.
const farthestDue = 27 * time.Hour

// LeaseTime is how long a lease lasts at most: the longest timeout that a function may
// have, 15 minutes, and one minute to find that it is over.
const LeaseTime = 16 * time.Minute

// leaseAt makes a job its lessee's.
func (j *Job) leaseAt(now time.Time) {
	j.Attempts++
	j.lease = j.Attempts
	j.LeasedUntil = milli(now.Add(LeaseTime))
}

// LeaseRequest says which jobs its sender can run now.
type LeaseRequest struct {
	Now   time.Time // jobs that are due later are left, but for those due later than any can be
	Limit int       // jobs at most
	// PerFunction bounds the jobs of each function, apart from those in Only,
	// which says how many each of them may have: 0 leaves it out.
	PerFunction int
	Only        map[string]int
	// After is the Last of the Lease before: functions take turns.
	After string
	// BatchBytes bounds the jobs of a batch, as Weigh has them, which must be pure and
	// quick. Where they are nil and 0 it is their payloads' size, and that of a Lease.
	BatchBytes int
	Weigh      func(Job) int
}

// Leased is what Lease took.
type Leased struct {
	Jobs []Job
	// Batches are for functions that get several events at once (AsyncConfig.BatchSize),
	// each of at least one job, all of them of one function and qualifier. A batch counts
	// as one job in the bounds of the request.
	Batches [][]Job
	// Last is the function whose turn came last.
	Last string
	// More says that others are due, or may be, that only Limit, the size of the events
	// or a damaged record kept here: Full and Next are then of some functions only.
	More bool
	// Full names the functions of which others are due that their own bound kept
	// here.
	Full []string
	// Next is when the first of the jobs is due that wait for their time, or the first
	// batch is ready that waits to be filled, zero where there is none. Functions that
	// Only leaves out do not count.
	Next time.Time
}

// Lease takes jobs that are due, for its caller to run. One of each function is
// taken in turn, the longest due first, and again until there are enough, so
// that no backlog keeps other functions waiting.
//
// A lease ends with Settle, or with the process, since the store
// belongs to one process at a time: the next one calls ReleaseLeases. One that lasts
// longer than LeaseTime its holder ends with ExpireLeases. It is for the holder to
// measure that, by a clock that nobody sets; the store keeps only when it would be by
// the machine's clock, for people to see.
func (s *Store) Lease(req LeaseRequest) (Leased, error) {
	var leased Leased
	err := s.update(req.Limit*jobOverhead, func(c *change) error {
		var err error
		leased, err = c.lease(req)
		return err
	})
	if err != nil {
		return Leased{}, fmt.Errorf("lease jobs: %w", err)
	}
	return leased, nil
}

// candidates are the jobs of one function that may be leased, in order.
type candidates struct {
	function string
	runs     []run
}

// run is what one worker gets: the key of a job, or those of a batch.
type run struct {
	keys  [][]byte
	batch bool
}

func (c *change) lease(req LeaseRequest) (Leased, error) {
	q := queueOf(c.tx)
	var out Leased
	out.Last = req.After
	names, damaged := q.functions()
	if err := c.setAsideJobs(q, q.due, damaged); err != nil {
		return Leased{}, err
	}
	turns, damaged := c.candidates(q, names, req, &out)
	if err := c.setAsideWaiting(q, damaged, &out); err != nil {
		return Leased{}, err
	}
	size := 0
	for round := 0; ; round++ {
		taken := false
		for _, turn := range turns {
			if round >= len(turn.runs) {
				continue
			}
			if len(out.Jobs)+len(out.Batches) >= req.Limit || size >= maxLeaseBytes {
				out.More = true
				return out, nil
			}
			taken = true
			run := turn.runs[round]
			if run.batch {
				batch, bytes, err := c.takeBatch(q, run.keys, req, &out)
				if err != nil {
					return Leased{}, err
				}
				size += bytes
				if len(batch) > 0 { // else all of them were damaged
					out.Batches = append(out.Batches, batch)
					out.Last = turn.function
				}
				continue
			}
			job, err := q.load(run.keys[0])
			if errors.Is(err, ErrDamaged) {
				if err := c.setAsideWaiting(q, run.keys, &out); err != nil {
					return Leased{}, err
				}
				continue
			}
			if err == nil {
				job, err = c.take(q, run.keys[0], job, req.Now)
			}
			if err != nil {
				return Leased{}, err
			}
			size += len(job.Payload)
			out.Jobs = append(out.Jobs, job)
			out.Last = turn.function
		}
		if !taken {
			return out, nil
		}
	}
}

// candidates returns those of the functions that have jobs that are due, beginning
// with the one whose turn it is, and notes in out when the next of the others is
// due. damaged are keys that make no sense.
func (c *change) candidates(q *queueBuckets, names []string, req LeaseRequest, out *Leased) (turns []candidates, damaged [][]byte) {
	later := 0 // the functions after After come first
	for later < len(names) && names[later] <= req.After {
		later++
	}
	ready := 0 // functions with jobs that are due
	for i := range names {
		name := names[(later+i)%len(names)]
		limit, special := req.Only[name]
		if !special {
			limit = req.PerFunction
		}
		if limit <= 0 {
			continue
		}
		limit = min(limit, req.Limit+1) // one more tells that there are more
		turn := candidates{function: name}
		var full bool
		var bad [][]byte
		if rules := batchRules(c.tx, name); rules != nil {
			turn.runs, full, bad = q.gather(name, rules, limit, req, out)
		} else {
			turn.runs, full, bad = q.singles(name, limit, req, out)
		}
		damaged = append(damaged, bad...)
		if full && limit <= req.Limit {
			out.Full = append(out.Full, name)
		}
		turns = append(turns, turn)
		if len(turn.runs) > 0 {
			ready++
		}
		if ready > req.Limit && i < len(names)-1 { // the others get no turn now
			out.More = true
			break
		}
	}
	return turns, damaged
}

// singles finds up to limit jobs of a function that are due, and notes in out when the
// first of the others is. full says that more are. damaged are keys that make no sense.
func (q *queueBuckets) singles(function string, limit int, req LeaseRequest, out *Leased) (runs []run, full bool, damaged [][]byte) {
	far := milli(req.Now.Add(farthestDue))
	prefix := memberPrefix(function)
	cursor := q.due.Cursor()
	k, _ := cursor.Seek(prefix)
	for k != nil && bytes.HasPrefix(k, prefix) {
		key, err := splitDueKey(k)
		if err != nil {
			damaged = append(damaged, bytes.Clone(k))
			k, _ = cursor.Next()
			continue
		}
		if key.due.After(req.Now) && key.due.Before(far) {
			out.waitUntil(key.due)
			k, _ = cursor.Seek(append(append(prefix, key.band), dueBytes(far)...))
			continue
		}
		if len(runs) == limit {
			return runs, true, damaged
		}
		runs = append(runs, run{keys: [][]byte{bytes.Clone(k)}})
		k, _ = cursor.Next()
	}
	return runs, false, damaged
}

// load returns a job that waits. The error is ErrDamaged.
func (q *queueBuckets) load(key []byte) (Job, error) {
	job, err := decodeJob(queueDue, key, q.due.Get(key))
	if err != nil {
		return Job{}, err
	}
	job.Payload = copyPayload(q.payloads, job.sequence)
	return job, nil
}

// take moves a job from those that wait to those that run.
func (c *change) take(q *queueBuckets, key []byte, job Job, now time.Time) (Job, error) {
	job.leaseAt(now)
	c.wrote = true
	if err := q.due.Delete(key); err != nil {
		return Job{}, fmt.Errorf("delete from %s: %w", queueDue, err)
	}
	return job, q.putRunning(job)
}

// setAsideWaiting is setAsideJobs for those that Lease found. Others may be due in their
// place, or behind them in an order: they are for the next Lease.
func (c *change) setAsideWaiting(q *queueBuckets, keys [][]byte, out *Leased) error {
	out.More = out.More || len(keys) > 0
	return c.setAsideJobs(q, q.due, keys)
}

// setAsideJobs moves records of the queue that cannot be read to the bucket
// "damaged", as Open does with records of other buckets: one must not hold up
// those behind it, nor keep the queue from starting. Their payloads go, as far as
// the keys say which they are.
func (c *change) setAsideJobs(q *queueBuckets, from *bolt.Bucket, keys [][]byte) error {
	for _, key := range keys {
		c.wrote = true
		aside := append([]byte(bucketQueue+"\x00"), key...)
		if err := c.tx.Bucket([]byte(bucketDamaged)).Put(aside, bytes.Clone(from.Get(key))); err != nil {
			return fmt.Errorf("set job aside: %w", err)
		}
		if err := from.Delete(key); err != nil {
			return fmt.Errorf("delete damaged job: %w", err)
		}
		if len(key) < 8 {
			continue
		}
		sequence := numberIn(key)
		if err := q.forget(sequence); err != nil {
			return err
		}
		if err := c.letGoBehind(q, sequence); err != nil {
			return err
		}
	}
	return nil
}

// ReleaseLeases makes jobs due again that were leased when the process before
// ended, and says how many. Call it before the first Lease. Each of them counts
// as interrupted: an event may be what brings a node down. Those that cannot be
// read are set aside.
func (s *Store) ReleaseLeases() (released int, err error) {
	err = s.update(0, func(c *change) error {
		released = 0
		q := queueOf(c.tx)
		jobs, damaged := q.leased()
		if err := c.setAsideJobs(q, q.running, damaged); err != nil {
			return err
		}
		for _, job := range jobs {
			job.Interrupted++
			if err := c.putBack(q, job); err != nil {
				return err
			}
			released++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("release leases: %w", err)
	}
	return released, nil
}

// ExpireLeases takes jobs back from a holder that has had them for LeaseTime and is not
// going to end, in one transaction: they are due again at once, and count as interrupted.
// What that holder says of them later is ignored, as it is where a lease has ended
// already; expired counts the others.
func (s *Store) ExpireLeases(jobs []Job) (expired int, err error) {
	err = s.update(len(jobs)*jobOverhead, func(c *change) error {
		expired = 0
		for _, job := range jobs {
			q, record, held := c.leasedAs(job)
			if !held {
				continue
			}
			record.Interrupted++
			record.LastError = "its lease ran out: it was not done after " + LeaseTime.String()
			if err := c.putBack(q, record); err != nil {
				return err
			}
			expired++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("take back leases: %w", err)
	}
	return expired, nil
}

// leased returns the jobs that run, without their payloads, and the keys of those
// that cannot be read.
func (q *queueBuckets) leased() (jobs []Job, damaged [][]byte) {
	if q.running == nil {
		return nil, nil
	}
	c := q.running.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		job, err := decodeJob(queueRunning, k, v)
		if err != nil || len(k) != 8 {
			damaged = append(damaged, bytes.Clone(k))
			continue
		}
		jobs = append(jobs, job)
	}
	return jobs, damaged
}

// putBack moves a job from those that run to those that wait.
func (c *change) putBack(q *queueBuckets, job Job) error {
	c.wrote = true
	if err := q.running.Delete(sequenceKey(job.sequence)); err != nil {
		return fmt.Errorf("delete from %s: %w", queueRunning, err)
	}
	job.LeasedUntil = time.Time{}
	return q.putDue(job)
}

// putRecord stores record as JSON in a bucket of the queue.
func putRecord(b *bolt.Bucket, key []byte, record any) error {
	value, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	if err := b.Put(key, value); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}
