package scheduler

import (
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

// work makes one attempt at a leased event and settles it.
func (q *Queue) work(ctx context.Context, job persist.Job) {
	config, err := q.config(job)
	if err != nil {
		q.keepLease(job)
		job.LastError = err.Error()
		q.settle(ctx, job, q.retry(job, q.refused(job.Function)))
		return
	}
	switch now := wallClock(); {
	case job.Interrupted > maxInterrupted:
		q.keepLease(job)
		job.Attempts-- // it is not run this time
		q.giveUp(ctx, job, config, outcome{
			condition: conditionExhausted,
			reason:    fmt.Sprintf("the node went down, or the function never came back, %d times while it worked on the event", job.Interrupted),
		})
		return
	case now.Sub(job.Enqueued) > config.maxAge:
		q.keepLease(job)
		job.Attempts--
		q.giveUp(ctx, job, config, outcome{
			condition: conditionTooOld,
			reason:    fmt.Sprintf("the event is older than %s", config.maxAge),
		})
		return
	}

	var res engine.Result
	err = q.cfg.Invoker.Invoke(ctx, &engine.Invocation{
		Function: job.Function, Qualifier: job.Qualifier, Source: sourceOf(job),
		RequestID: requestID(job.ID), Payload: job.Payload, Depth: job.Depth,
	}, &res)
	if !q.keepLease(job) {
		return // it is another worker's now
	}
	failed, isFunctions := engine.AsFunctionError(err)
	if err != nil {
		job.LastError = err.Error()
	}
	switch {
	case err == nil:
		q.passed(job.Function)
		q.succeed(ctx, job, config, res)
	case isFunctions:
		q.passed(job.Function)
		job.Failures++
		if job.Failures <= config.retries {
			due := wallClock().Add(jitter(backOff(job.Failures-1, firstRetry)))
			q.settle(ctx, job, q.retry(job, due))
			return
		}
		q.giveUp(ctx, job, config, outcome{
			condition: conditionExhausted, invoked: true, version: res.Version,
			failed: true, reply: failed.AppendJSON(nil),
			reason: fmt.Sprintf("the function failed %d times", job.Failures),
		})
	case ctx.Err() != nil: // the node stops: the next one goes on
		q.settle(ctx, job, q.retry(job, job.Due))
	case errors.Is(err, engine.ErrNotFound):
		q.passed(job.Function)
		q.settle(ctx, job, q.bury(job, "there is no such function or version: "+err.Error()))
	case errors.Is(err, engine.ErrTooLarge):
		q.giveUp(ctx, job, config, outcome{condition: conditionExhausted, reason: "the function does not take the event: " + err.Error()})
	case errors.Is(err, engine.ErrThrottled) && q.switchedOff(job):
		// As AWS: no retries, since nobody says that it will ever run again
		// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html).
		q.passed(job.Function)
		q.giveUp(ctx, job, config, outcome{condition: conditionExhausted, reason: "the function's reserved concurrency is 0"})
	default: // throttled, no memory, or the node's fault
		q.settle(ctx, job, q.retry(job, q.refused(job.Function)))
	}
}

// switchedOff reports whether the function of a job may not run at all.
func (q *Queue) switchedOff(job persist.Job) bool {
	fn, err := q.cfg.Store.GetFunction(job.Function, persist.Latest)
	return err == nil && fn.Concurrency == engine.NoConcurrency
}

// policy is an AsyncConfig with its defaults, and narrowed by the job.
type policy struct {
	maxAge    time.Duration
	retries   int
	onSuccess string
	onFailure string
}

// config returns what applies to a job.
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
	if job.MaxAgeSeconds > 0 {
		p.maxAge = min(p.maxAge, time.Duration(job.MaxAgeSeconds)*time.Second)
	}
	if job.OnFailure != "" {
		p.onFailure = job.OnFailure
	}
	if job.MaxRetries != nil {
		p.retries = min(p.retries, *job.MaxRetries)
	}
	return p, nil
}

// succeed ends an event that its function has served.
func (q *Queue) succeed(ctx context.Context, job persist.Job, p policy, res engine.Result) {
	if p.onSuccess == "" {
		q.settle(ctx, job, func() error { return q.cfg.Store.Ack(job) })
		return
	}
	q.send(ctx, job, p.onSuccess, outcome{
		condition: conditionSuccess, invoked: true, version: res.Version, reply: res.Payload,
		reason: "the function succeeded",
	})
}

// giveUp ends an event that is not tried again.
func (q *Queue) giveUp(ctx context.Context, job persist.Job, p policy, o outcome) {
	if p.onFailure == "" {
		q.settle(ctx, job, q.bury(job, o.reason))
		return
	}
	q.send(ctx, job, p.onFailure, o)
}

// send queues the invocation record for a destination, in the same transaction
// in which the event ends.
func (q *Queue) send(ctx context.Context, job persist.Job, destination string, o outcome) {
	function, qualifier, ok := functionOfARN(destination)
	switch {
	case !ok:
		q.settle(ctx, job, q.bury(job, fmt.Sprintf("%s, and the destination %s is no function of this node", o.reason, destination)))
		return
	case job.Depth >= maxDepth:
		q.settle(ctx, job, q.bury(job, fmt.Sprintf("%s, and %d destinations in a row led here: %s is not called, for it may be a loop", o.reason, job.Depth, destination)))
		return
	}
	next := persist.Job{
		ID: engine.NewRequestID().String(), Function: function, Qualifier: qualifier,
		Source: engine.SourceAsync.String(), Depth: job.Depth + 1, Priority: job.Priority,
		Payload: q.record(job, o, wallClock()),
	}
	q.settle(ctx, job, func() error {
		err := q.cfg.Store.Forward(job, next, o.condition == conditionSuccess)
		var size *persist.SizeError
		switch {
		case errors.Is(err, persist.ErrNotFound):
			return q.bury(job, fmt.Sprintf("%s, and there is no destination %s", o.reason, destination))()
		case errors.Is(err, persist.ErrInvalid) || errors.As(err, &size): // it would be refused for ever
			return q.bury(job, fmt.Sprintf("%s, and the destination cannot be told: %s", o.reason, err))()
		case err == nil:
			q.Wake()
		}
		return err
	})
}

func (q *Queue) retry(job persist.Job, due time.Time) func() error {
	return func() error {
		if err := q.cfg.Store.Retry(job, due); err != nil {
			return err
		}
		q.Wake() // for the timer
		return nil
	}
}

func (q *Queue) bury(job persist.Job, reason string) func() error {
	return func() error {
		if err := q.cfg.Store.Bury(job, reason); err != nil {
			return err
		}
		q.log.Warn("an event was given up", "function", job.Function, "id", job.ID, "reason", reason, "error", job.LastError)
		return nil
	}
}

// settle ends a lease. Where the disk fails it goes on trying, or the event
// would stay leased until the node starts again; so it does where ctx ends.
func (q *Queue) settle(ctx context.Context, job persist.Job, end func() error) {
	for n := 0; ; n++ {
		err := end()
		if err == nil {
			if job.OrderKey != "" { // the next of its order may go
				q.Wake()
			}
			return
		}
		if errors.Is(err, persist.ErrClosed) || ctx.Err() != nil {
			q.log.Error("what became of an event could not be stored; it will run again when the node starts", "function", job.Function, "id", job.ID, "error", err)
			return
		}
		wait := backOff(n, time.Second)
		q.log.Error("what became of an event could not be stored; it is tried again", "function", job.Function, "id", job.ID, "in", wait, "error", err)
		pause(ctx, wait)
	}
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
