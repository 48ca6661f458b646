package persist

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A function may get its events in batches (AsyncConfig.BatchSize). Nothing of that is
// stored: Lease puts together what is due when it is asked, so a setting holds for all
// that was queued before it, and each job of a batch is leased and settled as any other.
//
// A batch is ready when it has as many jobs, or bytes, as it may, or when the first of
// them to be due has waited for the window. A job that has failed or was interrupted is
// a batch of its own, and waits for no window: whatever spoils a batch is thus alone
// from the second attempt on, and takes no others with it. One that was leased and could
// not be run goes in a batch again, which waits for no window either: it has waited. Of
// the jobs of one OrderKey only the head waits to be leased, so a batch has one of each
// key at most.

// Bounds of AsyncConfig.
const (
	MaxBatchSize   = 1000
	MaxBatchWindow = 300 * time.Second // AWS Lambda's of batches from SQS
)

// maxBatchScan bounds the jobs of a function that one Lease looks at to find batches.
// Where there are more in front, of many versions and aliases that all wait for their
// windows, those windows end.
const maxBatchScan = 10 * MaxBatchSize

// batches says whether a configuration has its events go in batches.
func (a AsyncConfig) batches() bool { return a.BatchSize > 1 }

// window is how long a batch waits to be filled. One of a function whose events run one
// after the other has one event and need not wait.
func (a AsyncConfig) window() time.Duration {
	if a.Ordered {
		return 0
	}
	return time.Duration(a.BatchWindowSeconds) * time.Second
}

// checkBatches refuses what a batch cannot be.
func (a AsyncConfig) checkBatches() error {
	switch most := int(MaxBatchWindow / time.Second); {
	case a.BatchSize < 0 || a.BatchSize > MaxBatchSize:
		return invalid("a batch has up to %d events, not %d", MaxBatchSize, a.BatchSize)
	case a.BatchWindowSeconds < 0 || a.BatchWindowSeconds > most:
		return invalid("the window of a batch is 0 to %d seconds, not %d", most, a.BatchWindowSeconds)
	case a.BatchWindowSeconds > 0 && !a.batches():
		return invalid("a window goes with batches of 2 or more events")
	}
	return nil
}

// batchRules returns the configurations of a function, by qualifier, that have batches:
// nil where none has. Damaged ones the next Open sets aside.
func batchRules(tx *bolt.Tx, function string) (rules map[string]AsyncConfig) {
	prefix := memberPrefix(function)
	c := tx.Bucket([]byte(bucketAsync)).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		config, err := decode[AsyncConfig](bucketAsync, k, v)
		if err != nil || !config.batches() {
			continue
		}
		if rules == nil {
			rules = map[string]AsyncConfig{}
		}
		rules[string(k[len(prefix):])] = config
	}
	return rules
}

// filling is a batch that is not full.
type filling struct {
	run    int // its index
	rule   AsyncConfig
	bytes  int
	oldest time.Time // when the first of its jobs was due
	waited bool      // one of its jobs was in a batch before
}

// gather finds up to limit runs of a function that has batches, in the order of their
// first jobs, and notes in out when the first of those that wait is ready. full says that
// others are ready. damaged are keys that make no sense.
func (q *queueBuckets) gather(function string, rules map[string]AsyncConfig, limit int, req LeaseRequest, out *Leased) (runs []run, full bool, damaged [][]byte) {
	far, most := milli(req.Now.Add(farthestDue)), req.batchBytes()
	prefix := memberPrefix(function)
	open := map[string]*filling{}
	ready, seen := 0, 0
	cursor := q.due.Cursor()
	k, v := cursor.Seek(prefix)
	var next func() (key, value []byte)
	for ; k != nil && bytes.HasPrefix(k, prefix); k, v = next() {
		next = cursor.Next
		key, err := splitDueKey(k)
		if err != nil {
			damaged = append(damaged, bytes.Clone(k))
			continue
		}
		if key.due.After(req.Now) && key.due.Before(far) {
			out.waitUntil(key.due)
			next = func() ([]byte, []byte) { return cursor.Seek(append(append(prefix, key.band), dueBytes(far)...)) }
			continue
		}
		if full = ready == limit || seen == maxBatchScan; full {
			break
		}
		seen++
		at := len(runs)
		var job struct { // what tells where it goes
			Qualifier                       string
			Attempts, Failures, Interrupted int
		}
		err = json.Unmarshal(v, &job)
		rule, batched := rules[qualifierOrLatest(job.Qualifier)]
		if err != nil || !batched || job.Failures > 0 || job.Interrupted > 0 {
			runs = append(runs, run{keys: [][]byte{bytes.Clone(k)}, batch: batched && err == nil})
			ready++
			continue
		}
		g := open[rule.Qualifier]
		if g == nil {
			g = &filling{run: at, rule: rule, oldest: key.due}
			open[rule.Qualifier] = g
			runs = append(runs, run{batch: true})
		}
		keys := append(runs[g.run].keys, bytes.Clone(k))
		runs[g.run].keys = keys
		g.bytes += len(q.payloads.Get(sequenceKey(key.sequence)))
		g.waited = g.waited || job.Attempts > 0
		if key.due.Before(g.oldest) {
			g.oldest = key.due
		}
		if len(keys) == rule.BatchSize || g.bytes >= most {
			ready++
			delete(open, rule.Qualifier)
		}
	}
	for _, g := range open {
		until := g.oldest.Add(g.rule.window())
		if seen < maxBatchScan && !g.waited && until.After(req.Now) && g.oldest.Before(far) {
			out.waitUntil(until)
			runs[g.run].keys = nil
		}
	}
	whole := runs[:0]
	for _, r := range runs {
		if r.keys != nil {
			whole = append(whole, r)
		}
	}
	if len(whole) > limit {
		whole, full = whole[:limit], true
	}
	return whole, full, damaged
}

// waitUntil notes that something is to be leased then.
func (l *Leased) waitUntil(due time.Time) {
	if l.Next.IsZero() || due.Before(l.Next) {
		l.Next = due
	}
}

func (r *LeaseRequest) batchBytes() int {
	if r.BatchBytes > 0 {
		return r.BatchBytes
	}
	return maxLeaseBytes
}

func (r *LeaseRequest) weigh(job Job) int {
	if r.Weigh != nil {
		return r.Weigh(job)
	}
	return len(job.Payload)
}

// takeBatch moves jobs to those that run, as many of them as fit into one event, and at
// least one. size is that of their payloads.
func (c *change) takeBatch(q *queueBuckets, keys [][]byte, req LeaseRequest, out *Leased) (batch []Job, size int, err error) {
	weight := 0
	for _, key := range keys {
		job, err := q.load(key)
		if errors.Is(err, ErrDamaged) {
			if err := c.setAsideWaiting(q, [][]byte{key}, out); err != nil {
				return nil, 0, err
			}
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		weight += req.weigh(job)
		if len(batch) > 0 && weight > req.batchBytes() {
			out.More = true
			break
		}
		if job.FirstLeased.IsZero() {
			job.FirstLeased = milli(req.Now)
		}
		if job, err = c.take(q, key, job, req.Now); err != nil {
			return nil, 0, err
		}
		size += len(job.Payload)
		batch = append(batch, job)
	}
	return batch, size, nil
}
