package persist

import (
	"errors"
	"fmt"
	"time"
)

// MaxJobPayload is the most bytes of event that a Job carries: AWS Lambda's
// limit for asynchronous invocations, 1 MB since October 2025, 256 KB before
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const MaxJobPayload = 1 << 20

// maxErrorText bounds what a Job remembers of its last failure, in bytes.
const maxErrorText = 1 << 10

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

	// Depth counts the destinations that led here from an event that was sent.
	Depth int `json:"depth,omitempty"`

	// Payload is the event. The caller of Enqueue keeps it and must not change
	// it before Enqueue returns; of a leased Job it belongs to the lessee.
	Payload []byte `json:"-"`

	sequence uint64 // identifies the job in the database
}

// QueueLimits bounds the jobs that wait or run, together.
type QueueLimits struct {
	Jobs  int   // at most
	Bytes int64 // of payloads, at most
}

// DefaultQueueLimits is what fits the flash of a small device.
func DefaultQueueLimits() QueueLimits { return QueueLimits{Jobs: 100_000, Bytes: 256 << 20} }

// Enqueue stores a job and returns it, with its times set, after it is on disk;
// calls at the same time share a commit. With lease it comes back leased, for a
// caller that runs it at once.
//
// ErrNotFound says that there is no such function, ErrQueueFull that the limits
// are reached, a *SizeError that the payload is larger than MaxJobPayload.
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

// checkJob completes a job that is to be stored.
func (s *Store) checkJob(job *Job) error {
	if err := checkName("job id", job.ID); err != nil {
		return err
	}
	if err := checkName("function name", job.Function); err != nil {
		return err
	}
	if len(job.Payload) > MaxJobPayload {
		return &SizeError{What: "event", Size: len(job.Payload), Limit: MaxJobPayload}
	}
	if job.Enqueued.IsZero() {
		job.Enqueued = s.now()
	}
	job.Enqueued = milli(job.Enqueued)
	if job.Due.IsZero() {
		job.Due = job.Enqueued
	}
	job.Due = milli(job.Due)
	return nil
}

// enqueue stores a job that checkJob has seen. Without limits it is taken
// however many there are: it then takes the place of a job that ends.
func (c *change) enqueue(job *Job, limits *QueueLimits, lease bool) error {
	// An event for a function that was deleted meanwhile must not reach the next
	// one of that name.
	if err := functionExists(c.tx, job.Function); err != nil {
		return err
	}
	q := queueOf(c.tx)
	if limits != nil {
		if q.Jobs >= uint64(max(limits.Jobs, 0)) {
			return fmt.Errorf("%w: it holds %d events", ErrQueueFull, q.Jobs)
		}
		if q.Bytes+uint64(len(job.Payload)) > uint64(max(limits.Bytes, 0)) {
			return fmt.Errorf("%w: it holds %d bytes of %d", ErrQueueFull, q.Bytes, limits.Bytes)
		}
	}
	c.wrote = true
	if err := q.create(); err != nil {
		return err
	}
	sequence, err := q.payloads.NextSequence()
	if err != nil {
		return fmt.Errorf("number job: %w", err)
	}
	job.sequence = sequence
	if err := q.payloads.Put(sequenceKey(sequence), job.Payload); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	q.add(job.Payload)
	if lease {
		job.Attempts++
		err = q.putRunning(*job)
	} else {
		err = q.putDue(*job)
	}
	if err != nil {
		return err
	}
	return q.save()
}
