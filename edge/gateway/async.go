package gateway

import (
	"errors"
	"strconv"

	"ledge/engine"
	"ledge/persist"

	"github.com/valyala/fasthttp"
)

// Queue keeps events that run later; *scheduler.Queue is one.
type Queue interface {
	// Submit returns the job as it is stored, when it is on disk. It borrows the
	// payload until then. persist.ErrQueueFull says that there is no room now.
	Submit(job persist.Job) (persist.Job, error)
}

// Events says whether the requests of a route may become events: a job in the
// queue, answered with 202 before its function runs, which is tried again where
// it fails.
//
// Whoever may use a route that takes events may fill the node's queue, up to its
// limits, with what then runs for longer than they had to stay. A route for the
// public refuses them if its functions are slow.
type Events uint8

const (
	// EventsOnRequest makes those requests events that say so, as AWS Lambda's
	// Invoke does: "X-Amz-Invocation-Type: Event".
	EventsOnRequest Events = iota
	// EventsNever refuses such requests.
	EventsNever
	// EventsAlways makes every request an event: for webhooks, whose senders want
	// an answer and not the result.
	EventsAlways

	// eventsOfAWS is of routes of APIs: there the header is one like any other,
	// that the function sees, as API Gateway's proxy integrations have it.
	eventsOfAWS
)

// Headers of requests that become events.
const (
	invocationType = "X-Amz-Invocation-Type"
	dedupIDHeader  = "X-Ledge-Dedup-Id"
	orderKeyHeader = "X-Ledge-Order-Key"
)

// isEvent reports whether a request is to become an event, or why it cannot be
// served.
func (t *target) isEvent(header *fasthttp.RequestHeader) (event bool, no refusal) {
	switch t.events {
	case eventsOfAWS:
		return false, refusal{}
	case EventsAlways:
		return true, refusal{}
	}
	switch wanted := header.Peek(invocationType); string(wanted) {
	case "", "RequestResponse":
		return false, refusal{}
	case "Event":
		if t.events == EventsNever {
			return false, t.refuse(fasthttp.StatusForbidden, "This route takes no events: leave out "+invocationType)
		}
		return true, refusal{}
	}
	return false, t.refuse(fasthttp.StatusBadRequest, invocationType+" must be RequestResponse or Event")
}

// refuse is how the target's kind of API says no.
func (t *target) refuse(status int, message string) refusal {
	if t.stage != nil {
		return t.stage.api.kind.refuse(status, message)
	}
	return refusal{status: status, message: message}
}

// retryLater is how long a client should wait whose event found the queue full,
// in seconds.
const retryLater = 5

// enqueue makes the request an event, whose payload is in x.inv, and answers
// when it is on disk.
func (s *Server) enqueue(ctx *fasthttp.RequestCtx, x *exchange, t *target) {
	out, header := &ctx.Response, &ctx.Request.Header
	if s.cfg.Queue == nil {
		t.refuse(fasthttp.StatusNotImplemented, "This node has no queue for events").answer(out)
		return
	}
	if len(x.inv.Payload) > persist.MaxJobPayload {
		t.refuse(fasthttp.StatusRequestEntityTooLarge, "The event made of this request is larger than "+strconv.Itoa(persist.MaxJobPayload)+" bytes").answer(out)
		return
	}
	job, err := s.cfg.Queue.Submit(persist.Job{
		ID: string(x.id[:]), Function: x.inv.Function, Qualifier: x.inv.Qualifier, Payload: x.inv.Payload,
		DedupID: string(header.Peek(dedupIDHeader)), OrderKey: string(header.Peek(orderKeyHeader)), Priority: persist.UsualPriority,
	})
	var no refusal
	switch {
	case err == nil:
		copy(x.id[:], job.ID) // of the event that is there already, where this one is its double
		out.SetStatusCode(fasthttp.StatusAccepted)
		return
	case errors.Is(err, persist.ErrQueueFull):
		no = t.refuse(fasthttp.StatusTooManyRequests, tooManyRequests)
		out.Header.Set("Retry-After", strconv.Itoa(retryLater))
	case errors.Is(err, persist.ErrNotFound):
		no = t.refuse(fasthttp.StatusNotFound, "Not Found")
	case errors.Is(err, persist.ErrInvalid):
		no = t.refuse(fasthttp.StatusBadRequest, dedupIDHeader+" or "+orderKeyHeader+" is too long, is not UTF-8 or holds control characters")
	case errors.Is(err, persist.ErrClosed), errors.Is(err, engine.ErrClosed):
		no = t.refuse(fasthttp.StatusServiceUnavailable, "Service Unavailable")
		out.Header.Set("Retry-After", strconv.Itoa(retryLater))
	default:
		s.cfg.Logf("route %q: keep an event: %v", t.key, err)
		no = t.refuse(fasthttp.StatusInternalServerError, "Internal Server Error")
	}
	no.answer(out)
}
