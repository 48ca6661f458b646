package scheduler

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"ledge/engine"
	"ledge/persist"
)

const (
	// AWS Lambda's defaults
	// (https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html).
	defaultMaxAge  = 6 * time.Hour
	defaultRetries = 2

	// firstRetry is the wait after the first error of a function; the second
	// time it is twice as long.
	firstRetry = time.Minute

	// maxInterrupted is how often the node may go down while it works on an event, or
	// a worker get stuck on it, before the event is taken for the cause.
	maxInterrupted = 5

	// maxDepth is how many destinations in a row an event may lead to. AWS stops
	// loops at about as many
	// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html).
	maxDepth = 16
)

// Conditions of an invocation record.
const (
	conditionSuccess   = "Success"
	conditionExhausted = "RetriesExhausted"
	conditionTooOld    = "EventAgeExceeded"
)

// delivery is what a worker does: it has a function called once.
type delivery struct {
	jobs  []persist.Job // of one function and qualifier
	batch bool          // else it is one job, whose payload is the event
}

func single(job persist.Job) delivery { return delivery{jobs: []persist.Job{job}} }

func (d *delivery) function() string { return d.jobs[0].Function }

// work makes one attempt at leased events and settles them.
func (q *Queue) work(ctx context.Context, d delivery) {
	config, err := q.config(d.jobs[0])
	if err != nil {
		q.keepLease(d)
		q.settle(ctx, retryAll(d.jobs, q.refused(d.function()), err))
		return
	}
	jobs, ends := q.stillWanted(d.jobs, config)
	if len(jobs) == 0 {
		q.keepLease(d)
		q.settle(ctx, ends)
		return
	}
	var res engine.Result
	for {
		err = q.invoke(ctx, jobs, d.batch, &res)
		if len(jobs) == 1 || !errors.Is(err, engine.ErrTooLarge) {
			break
		}
		// It takes smaller events than AWS's functions: no fault of any of these.
		half := len(jobs) / 2
		q.settle(ctx, handBack(jobs[half:], err))
		jobs = jobs[:half]
	}
	if !q.keepLease(d) {
		return // they are another worker's now
	}
	q.settle(ctx, append(ends, q.verdict(ctx, jobs, d.batch, config, &res, err)...))
}

// stillWanted gives up the events that are not run any more: those that are too old, and
// those that seem to bring the node down. jobs are the others.
func (q *Queue) stillWanted(all []persist.Job, config policy) (jobs []persist.Job, ends []ending) {
	now := wallClock()
	for _, job := range all {
		p := config.narrowedBy(job)
		o := outcome{}
		switch {
		case job.Interrupted > maxInterrupted:
			o.condition = conditionExhausted
			o.reason = fmt.Sprintf("the node went down, or the function never came back, %d times while it worked on the event", job.Interrupted)
		case now.Sub(job.Enqueued) > p.maxAge:
			o.condition = conditionTooOld
			o.reason = fmt.Sprintf("the event is older than %s", p.maxAge)
		default:
			jobs = append(jobs, job)
			continue
		}
		job.Attempts-- // it is not run this time
		ends = append(ends, q.giveUp(job, p, o))
	}
	return jobs, ends
}

// invoke calls the function of jobs once.
func (q *Queue) invoke(ctx context.Context, jobs []persist.Job, batch bool, res *engine.Result) error {
	first := jobs[0]
	inv := engine.Invocation{
		Function: first.Function, Qualifier: first.Qualifier, Source: sourceOf(first),
		RequestID: requestID(first.ID), Payload: first.Payload, Depth: first.Depth,
	}
	if batch {
		var err error
		inv.Source, inv.RequestID = engine.SourceAsync, engine.NewRequestID()
		if inv.Payload, err = q.batchEvent(jobs); err != nil {
			return err
		}
		for _, job := range jobs {
			inv.Depth = max(inv.Depth, job.Depth)
		}
	}
	return q.cfg.Invoker.Invoke(ctx, &inv, res)
}

// verdict says how the events of an attempt end of which res and err came.
func (q *Queue) verdict(ctx context.Context, jobs []persist.Job, batch bool, config policy, res *engine.Result, err error) []ending {
	if err == nil {
		q.passed(jobs[0].Function)
		return q.served(jobs, batch, config, res)
	}
	ends := make([]ending, 0, len(jobs))
	each := func(end func(persist.Job, policy) ending) []ending {
		for _, job := range jobs {
			job.LastError = err.Error()
			ends = append(ends, end(job, config.narrowedBy(job)))
		}
		return ends
	}
	failed, isFunctions := engine.AsFunctionError(err)
	switch {
	case isFunctions:
		q.passed(jobs[0].Function)
		o := outcome{version: res.Version, failed: true, reply: replyFor(batch, failed.AppendJSON(nil))}
		return each(func(job persist.Job, p policy) ending { return q.failed(job, p, o) })
	case ctx.Err() != nil: // the node stops: the next one goes on
		return handBack(jobs, err)
	case errors.Is(err, engine.ErrNotFound):
		q.passed(jobs[0].Function)
		return each(func(job persist.Job, _ policy) ending {
			return bury(job, "there is no such function or version: "+err.Error())
		})
	case errors.Is(err, engine.ErrTooLarge):
		o := outcome{condition: conditionExhausted, reason: "the function does not take the event: " + err.Error()}
		return each(func(job persist.Job, p policy) ending { return q.giveUp(job, p, o) })
	case errors.Is(err, engine.ErrThrottled) && q.switchedOff(jobs[0]):
		// As AWS: no retries, since nobody says that it will ever run again
		// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html).
		q.passed(jobs[0].Function)
		o := outcome{condition: conditionExhausted, reason: "the function's reserved concurrency is 0"}
		return each(func(job persist.Job, p policy) ending { return q.giveUp(job, p, o) })
	}
	// Throttled, no memory, or the node's fault.
	return retryAll(jobs, q.refused(jobs[0].Function), err)
}

// served says how the events end that a function has returned from. Of a batch it may
// have said that some failed.
func (q *Queue) served(jobs []persist.Job, batch bool, config policy, res *engine.Result) []ending {
	var failed map[string]bool
	var why string
	if batch {
		failed, why = failedJobs(res.Payload, jobs)
	}
	reply := replyFor(batch, res.Payload)
	ends := make([]ending, 0, len(jobs))
	for _, job := range jobs {
		p := config.narrowedBy(job)
		if why == "" && !failed[job.ID] {
			ends = append(ends, q.succeeded(job, p, outcome{
				condition: conditionSuccess, invoked: true, version: res.Version, reply: reply, reason: "the function succeeded",
			}))
			continue
		}
		job.LastError = cmp.Or(why, "the function said that it failed (batchItemFailures)")
		ends = append(ends, q.failed(job, p, outcome{version: res.Version, failed: true, reply: reply}))
	}
	return ends
}

// maxBatchReply bounds what the records of a batch's events have of its reply, in bytes:
// it would be stored as often as there are events.
const maxBatchReply = 4 << 10

func replyFor(batch bool, reply []byte) []byte {
	if batch && len(reply) > maxBatchReply {
		return nil
	}
	return reply
}

// switchedOff reports whether the function of a job may not run at all.
func (q *Queue) switchedOff(job persist.Job) bool {
	fn, err := q.cfg.Store.GetFunction(job.Function, persist.Latest)
	return err == nil && fn.Concurrency == engine.NoConcurrency
}

// policy is an AsyncConfig with its defaults.
type policy struct {
	maxAge    time.Duration
	retries   int
	onSuccess string
	onFailure string
}

// config returns what applies to the function and qualifier of a job.
func (q *Queue) config(job persist.Job) (policy, error) {
	p := policy{maxAge: defaultMaxAge, retries: defaultRetries}
	config, err := q.cfg.Store.GetAsyncConfig(job.Function, job.Qualifier)
	switch {
	case errors.Is(err, persist.ErrNotFound):
	case err != nil:
		return policy{}, fmt.Errorf("read asynchronous configuration: %w", err)
	default:
		p.onSuccess, p.onFailure = config.OnSuccess, config.OnFailure
		if config.MaxAgeSeconds > 0 {
			p.maxAge = time.Duration(config.MaxAgeSeconds) * time.Second
		}
		if config.MaxRetries != nil {
			p.retries = *config.MaxRetries
		}
	}
	return p, nil
}

// narrowedBy returns the policy for one job.
func (p policy) narrowedBy(job persist.Job) policy {
	if job.MaxAgeSeconds > 0 {
		p.maxAge = min(p.maxAge, time.Duration(job.MaxAgeSeconds)*time.Second)
	}
	if job.OnFailure != "" {
		p.onFailure = job.OnFailure
	}
	if job.MaxRetries != nil {
		p.retries = min(p.retries, *job.MaxRetries)
	}
	return p
}

// sourceOf names the cause of a job to the engine.
func sourceOf(job persist.Job) engine.Source {
	for _, source := range []engine.Source{engine.SourceCron, engine.SourceChange, engine.SourceMQTT} {
		if job.Source == source.String() {
			return source
		}
	}
	return engine.SourceAsync
}

// requestID reads the canonical form of a UUID. One that is not is zero: the
// engine then chooses another.
func requestID(text string) (id engine.RequestID) {
	digits, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err == nil && len(digits) == len(id) {
		copy(id[:], digits)
	}
	return id
}
