package persist

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// MaxJobPayload is the most bytes of event that a Job carries: AWS Lambda's
// limit for asynchronous invocations, 1 MB since October 2025, 256 KB before
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const MaxJobPayload = 1 << 20

// maxErrorText bounds what a Job remembers of its last failure, in bytes.
const maxErrorText = 1 << 10

// Priorities of jobs.
const (
	UsualPriority = 5
	MaxPriority   = 9
)

// ErrQueueFull says that the queue holds as many jobs or bytes as it may. The
// job was not taken; whoever sent it may try again later.
var ErrQueueFull = errors.New("queue is full")

// Job is one event that waits for its function. Its payload and what has become
// of it so far survive a power cut.
type Job struct {
	// ID is the request id of all attempts. A function that must not act twice
	// on an event remembers it: a job runs at least once, not exactly once.
	ID        string `json:"id"`
	Function  string `json:"function"`
	Qualifier string `json:"qualifier,omitempty"` // version or alias; empty means Latest
	Source    string `json:"source,omitempty"`    // what caused it: "async", "cron"

	Enqueued time.Time `json:"enqueued"` // what its age is counted from; zero at Enqueue means now
	Due      time.Time `json:"due"`      // not before; zero at Enqueue means at once

	// Attempts counts how often it was leased, the present lease included.
	// Failures of them ended with an error of the function, Interrupted with the
	// end of the node.
	Attempts    int    `json:"attempts,omitempty"`
	Failures    int    `json:"failures,omitempty"`
	Interrupted int    `json:"interrupted,omitempty"`
	LastError   string `json:"lastError,omitempty"` // cut to 1 KiB

	// MaxAgeSeconds and MaxRetries narrow the function's AsyncConfig, for jobs
	// whose cause has a retry policy of its own; 0 and nil leave it as it is.
	MaxAgeSeconds int  `json:"maxAgeSeconds,omitempty"`
	MaxRetries    *int `json:"maxRetries,omitempty"`

	// OnFailure is the ARN of the destination instead of the AsyncConfig's; empty
	// leaves it to that.
	OnFailure string `json:"onFailure,omitempty"`

	// Depth counts the events that led here: the destinations, changes of data and
	// invocations in a row.
	Depth int `json:"depth,omitempty"`

	// OrderKey has the jobs of a function with the same key run one after the other,
	// in the order in which they were queued; empty keeps no order.
	OrderKey string `json:"orderKey,omitempty"`

	// DedupID names the event for its function: a second one within DedupWindow is
	// not stored. Empty tells nothing apart.
	DedupID string `json:"dedupId,omitempty"`

	// Priority is 0 to MaxPriority; of the jobs of a function that are due the highest
	// run first, strictly: lower ones wait as long as there are higher ones. An event
	// to which nobody gave one has UsualPriority, which its sender sets: the zero Job
	// has the lowest.
	Priority int `json:"priority"`

	// Schedule is "group/name" of the schedule that caused the job; empty for others.
	Schedule string `json:"schedule,omitempty"`

	// LeasedUntil is, of a job that runs, when its lease ends by the clock of the
	// machine. It is for people to see; see Lease.
	LeasedUntil time.Time `json:"leasedUntil,omitzero"`

	// FirstLeased is, of a job that has run in a batch, when it first did.
	FirstLeased time.Time `json:"firstLeased,omitzero"`

	// Duplicate says, of what Enqueue returned, that nothing was stored: ID is the one
	// of the job that came first.
	Duplicate bool `json:"-"`

	// Payload is the event. The caller of Enqueue keeps it and must not change
	// it before Enqueue returns; of a leased Job it belongs to the lessee.
	Payload []byte `json:"-"`

	sequence uint64    // identifies the job in the database
	received time.Time // when it came to the store; of a job that is being stored
	lease    int       // Attempts of the record, as its lessee was given it
}

// Number identifies a job of this node for people, who see it with Jobs.
func (j Job) Number() uint64 { return j.sequence }

// Leased reports whether a job that Enqueue returned is its caller's to run.
func (j Job) Leased() bool { return j.lease > 0 }

// What becomes of an event that comes while the queue is full.
const (
	QueueReject     = "reject"      // it is refused with ErrQueueFull
	QueueDropOldest = "drop-oldest" // others make room for it: see queue_full.go
)

// QueueLimits bounds the jobs that wait or run, together.
type QueueLimits struct {
	Jobs     int    // at most
	Bytes    int64  // of payloads, at most
	WhenFull string // QueueReject, also where it is empty, or QueueDropOldest
}

// DefaultQueueLimits is what fits the flash of a small device.
func DefaultQueueLimits() QueueLimits { return QueueLimits{Jobs: 100_000, Bytes: 256 << 20} }

// WithDefaults fills in what is 0.
func (l QueueLimits) WithDefaults() QueueLimits {
	usual := DefaultQueueLimits()
	return QueueLimits{Jobs: cmp.Or(l.Jobs, usual.Jobs), Bytes: cmp.Or(l.Bytes, usual.Bytes), WhenFull: l.WhenFull}
}

// Enqueue stores a job and returns it, with its times set, after it is on disk;
// calls at the same time share a commit. With lease it comes back leased, for a
// caller that runs it at once, where it may run at once: another one of its
// OrderKey may be before it, its time may not have come, or it may go in a batch.
//
// ErrNotFound says that there is no such function, ErrQueueFull that the limits
// are reached, ErrInvalid that a member of the job makes no sense, a *SizeError
// that the payload is larger than MaxJobPayload.
func (s *Store) Enqueue(job Job, limits QueueLimits, lease bool) (Job, error) {
	if err := s.checkJob(&job); err != nil {
		return Job{}, err
	}
	var stored Job
	err := s.update(len(job.Payload)+jobOverhead, func(c *change) error {
		next := job
		if err := c.enqueue(&next, &limits, lease); err != nil {
			return err
		}
		stored = next
		return nil
	})
	if err != nil {
		return Job{}, fmt.Errorf("queue event for %s: %w", job.Function, err)
	}
	return stored, nil
}

// MaxJobBatch is the most jobs that EnqueueAll takes.
const MaxJobBatch = 100

// EnqueueAll is Enqueue for up to MaxJobBatch jobs, none of them leased, in one
// transaction. Each has its own error: one that is refused does not keep the others
// out. Where the store fails all of them have that error.
func (s *Store) EnqueueAll(jobs []Job, limits QueueLimits) ([]Job, []error) {
	if len(jobs) > MaxJobBatch {
		err := invalid("%d events are more than the %d of a batch", len(jobs), MaxJobBatch)
		return make([]Job, len(jobs)), repeated(err, len(jobs))
	}
	checked, refused := slices.Clone(jobs), make([]error, len(jobs))
	size := 0
	for i := range checked {
		refused[i] = s.checkJob(&checked[i])
		if refused[i] == nil {
			size += len(checked[i].Payload) + jobOverhead
		}
	}
	var stored []Job
	var errs []error
	err := s.update(size, func(c *change) error {
		done, outcomes := slices.Clone(checked), slices.Clone(refused)
		for i := range done {
			if outcomes[i] != nil {
				continue
			}
			err := c.enqueue(&done[i], &limits, false)
			if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrQueueFull) {
				return err
			}
			outcomes[i] = err
		}
		stored, errs = done, outcomes
		return nil
	})
	if err != nil {
		stored, errs = make([]Job, len(jobs)), repeated(err, len(jobs))
	}
	for i, err := range errs {
		if err != nil {
			stored[i] = Job{}
			errs[i] = fmt.Errorf("queue event for %s: %w", jobs[i].Function, err)
		}
	}
	return stored, errs
}

func repeated(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// Bounds of what callers name jobs with, in bytes. Amazon SQS's MessageGroupId and
// MessageDeduplicationId have 128 characters
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html);
// an order may have the name of a schedule and its group.
const (
	MaxOrderKey = 256
	MaxDedupID  = 128
)

// checkJob completes a job that is to be stored.
func (s *Store) checkJob(job *Job) error {
	if err := checkName("job id", job.ID); err != nil {
		return err
	}
	if err := checkName("function name", job.Function); err != nil {
		return err
	}
	if job.OrderKey != "" {
		if err := checkText("order key", job.OrderKey, MaxOrderKey); err != nil {
			return err
		}
	}
	if job.DedupID != "" {
		if err := checkText("deduplication id", job.DedupID, MaxDedupID); err != nil {
			return err
		}
	}
	if job.Priority < 0 || job.Priority > MaxPriority {
		return invalid("the priority %d is not 0 to %d", job.Priority, MaxPriority)
	}
	if len(job.Payload) > MaxJobPayload {
		return &SizeError{What: "event", Size: len(job.Payload), Limit: MaxJobPayload}
	}
	job.received = milli(s.now())
	if job.Enqueued.IsZero() {
		job.Enqueued = job.received
	}
	job.Enqueued = milli(job.Enqueued)
	if job.Due.IsZero() {
		job.Due = job.Enqueued
	}
	job.Due = milli(job.Due)
	job.LeasedUntil, job.FirstLeased, job.Duplicate, job.lease, job.sequence = time.Time{}, time.Time{}, false, 0, 0
	return nil
}

// enqueue stores a job that checkJob has seen, or finds that it is there already.
// Without limits it is taken however many there are: it then takes the place of a
// job that ends. It refuses with ErrNotFound and ErrQueueFull before it writes.
func (c *change) enqueue(job *Job, limits *QueueLimits, lease bool) error {
	// An event for a function that was deleted meanwhile must not reach the next
	// one of that name.
	if err := functionExists(c.tx, job.Function); err != nil {
		return err
	}
	q := queueOf(c.tx)
	if first, seen := q.first(*job); seen {
		job.ID, job.Duplicate = first, true
		return nil
	}
	config, err := c.asyncConfigOf(job)
	if err != nil {
		return err
	}
	if config.Ordered {
		job.OrderKey = OrderAll
	}
	var victims [][]byte
	if limits != nil {
		var err error
		if victims, err = q.makeRoom(*job, *limits); err != nil {
			return err
		}
	}
	c.wrote = true
	if err := q.create(); err != nil {
		return err
	}
	if err := c.dropVictims(q, victims, job.received); err != nil {
		return err
	}
	sequence, err := q.payloads.NextSequence()
	if err != nil {
		return fmt.Errorf("number job: %w", err)
	}
	job.sequence = sequence
	if err := q.remember(*job); err != nil {
		return err
	}
	// Nil would read as no such job until the transaction ends.
	if err := q.payloads.Put(sequenceKey(sequence), append([]byte{}, job.Payload...)); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	q.add(job.Payload)
	first, err := q.lineUp(*job)
	switch {
	case err != nil:
		return err
	case !first:
		err = q.putHeld(*job)
	case lease && !config.batches() && !job.Due.After(job.received):
		job.leaseAt(job.received)
		err = q.putRunning(*job)
	default:
		err = q.putDue(*job)
	}
	if err != nil {
		return err
	}
	return q.save()
}
