package awsapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/engine"
	"ledge/persist"
)

// jobStore is the part of the Store with the events that wait or run.
type jobStore interface {
	QueueStats() (persist.QueueStats, error)
	FunctionQueues() ([]persist.FunctionQueue, error)
	Jobs(persist.JobQuery) (jobs []persist.QueuedJob, next string, err error)
	GetJob(number uint64) (persist.QueuedJob, error)
}

// jobQueue takes events and moves them: the part of scheduler.Queue that is the node's
// own.
type jobQueue interface {
	// Submit and SubmitAll return when what they took is on disk. They borrow payloads.
	Submit(persist.Job) (persist.Job, error)
	SubmitAll([]persist.Job) ([]persist.Job, []error)
	RetryDeadLetter(number uint64) (persist.Job, error)
	DeleteJob(number uint64) error
	PurgeJobs(ctx context.Context, function string) (removed int, err error)
	// Wake has it look again for what is due, after a setting that says when changed.
	Wake()
}

// queueOperations are those for events that wait or run. A key that is for some
// functions only may send and see those of these functions; what is about all of them,
// or a number that may be of any, it may not use.
func (a *api) queueOperations() []restjson.Operation {
	const read, run, deploy = restjson.Read, restjson.Invoke, restjson.Deploy
	return []restjson.Operation{
		nodeOp("GetQueue", "GET /v1/queue", read, a.getQueue, "how the queue stands, by function"),
		nodeOp("ListJobs", "GET /v1/queue-jobs", read, a.listJobs, "events that run, wait or are held behind another of their order"),
		nodeOp("GetJob", "GET /v1/queue-jobs/{number}", read, a.getJob, "with the event"),
		nodeOp("DeleteJob", "DELETE /v1/queue-jobs/{number}", deploy, a.deleteJob, "an event that waits"),
		nodeOp("PurgeQueue", "DELETE /v1/queue", deploy, a.purgeQueue, "all events that wait"),
		nodeOp("ListFunctionJobs", "GET /v1/queue/{name}", read, a.listJobs, "as ListJobs, of one function"),
		nodeOp("PurgeFunctionQueue", "DELETE /v1/queue/{name}", deploy, a.purgeQueue, "all events of a function that wait"),
		large(nodeOp("QueueEvent", "POST /v1/queue/{name}", run, a.queueEvent, "as Invoke with InvocationType Event, with order, deduplication, priority and delay"), MaxEvent),
		large(nodeOp("QueueEvents", "POST /v1/queue/{name}/batch", run, a.queueEvents, "up to 100 events in one transaction, with an outcome each"), maxEventBatch),
		nodeOp("GetQueueSettings", "GET /v1/queue/{name}/settings", read, a.getQueueSettings, ""),
		nodeOp("PutQueueSettings", "PUT /v1/queue/{name}/settings", deploy, a.putQueueSettings, "whether the events of a function run one after the other, or go to it in batches"),
	}
}

// maxEventBatch bounds the request of QueueEvents, in bytes.
const maxEventBatch = 4 << 20

// maxDelay bounds how far ahead an event may be due. Those of farther ahead the queue
// takes for mistakes of a clock.
const maxDelay = 24 * time.Hour

func noQueue() *fault {
	return restjson.NotImplemented("InvocationType Event is not implemented: this node has no queue")
}

// queueFull is persist.ErrQueueFull, which says of what there is too much.
func queueFull(err error) *fault {
	return &fault{Status: http.StatusTooManyRequests, Code: codeThrottled, Reason: "CallerRateLimitExceeded", Retry: 1,
		Message: "Rate Exceeded: " + err.Error()}
}

// eventOptions are what may be said of an event besides its payload: as parameters of
// QueueEvent, or in an entry of QueueEvents.
type eventOptions struct {
	OrderKey     string
	DedupId      string
	Priority     *int // nil: persist.UsualPriority
	DelaySeconds int
}

// job makes the job of an event. The bounds of its members the queue checks.
func (o eventOptions) job(name, qualifier string, payload []byte) (persist.Job, error) {
	job := persist.Job{
		ID: engine.NewRequestID().String(), Function: name, Qualifier: qualifier, Payload: payload,
		OrderKey: o.OrderKey, DedupID: o.DedupId, Priority: persist.UsualPriority,
	}
	if o.Priority != nil {
		job.Priority = *o.Priority
	}
	if o.DelaySeconds < 0 || o.DelaySeconds > int(maxDelay/time.Second) {
		return job, invalid(fmt.Sprintf("the delay of an event is 0 to %d seconds, not %d", int(maxDelay/time.Second), o.DelaySeconds))
	}
	if o.DelaySeconds > 0 {
		job.Due = time.Now().Add(time.Duration(o.DelaySeconds) * time.Second)
	}
	return job, nil
}

// optionsOf reads the parameters order, dedup, priority and delay.
func optionsOf(r *http.Request) (o eventOptions, err error) {
	q := r.URL.Query()
	o.OrderKey, o.DedupId = q.Get("order"), q.Get("dedup")
	for _, n := range []struct {
		name string
		set  func(int)
	}{{"priority", func(n int) { o.Priority = &n }}, {"delay", func(n int) { o.DelaySeconds = n }}} {
		text := q.Get(n.name)
		if text == "" {
			continue
		}
		number, err := strconv.Atoi(text)
		if err != nil {
			return o, invalid(fmt.Sprintf("%s must be a number, not %.40q", n.name, text))
		}
		n.set(number)
	}
	return o, nil
}

// queued is what became of an event that was taken.
type queued struct {
	RequestId string // of all attempts; of the first event where this is a duplicate
	Duplicate bool   `json:",omitempty"` // nothing was stored
}

// queueEvent is POST /v1/queue/{name}?Qualifier=Q&order=KEY&dedup=ID&priority=N&delay=SECONDS,
// with the event as its body.
func (a *api) queueEvent(w http.ResponseWriter, r *http.Request) error {
	if a.Async == nil {
		return noQueue()
	}
	c := call{payload: restjson.Body(r.Context())}
	var err error
	if c.name, c.qualifier, err = function(r); err != nil {
		return err
	}
	if len(c.payload) == 0 {
		c.payload = []byte("{}")
	}
	options, err := optionsOf(r)
	if err != nil {
		return err
	}
	job, err := a.jobOf(&c, options)
	if err != nil {
		return err
	}
	stored, err := a.Async.Submit(job)
	if err != nil {
		return a.notQueued(err, c.name, c.qualifier)
	}
	w.Header().Set(requestIDHeader, stored.ID) // the one that its logs have
	return restjson.WriteJSON(w, http.StatusAccepted, queued{stored.ID, stored.Duplicate})
}

// jobOf checks an event against its function and makes a job of it.
func (a *api) jobOf(c *call, options eventOptions) (persist.Job, error) {
	if len(c.payload) > MaxEvent {
		return persist.Job{}, &fault{Status: http.StatusRequestEntityTooLarge, Code: codeTooLarge,
			Message: fmt.Sprintf("%d byte payload is too large for the Event invocation type (limit %d bytes)", len(c.payload), MaxEvent)}
	}
	if _, err := a.Store.GetFunction(c.name, c.qualifier); err != nil {
		return persist.Job{}, a.functionNotFound(err, c.name, c.qualifier)
	}
	if err := a.checkPayload(c); err != nil {
		return persist.Job{}, err
	}
	return options.job(c.name, c.qualifier, c.payload)
}

// notQueued is why the queue did not take an event.
func (a *api) notQueued(err error, name, qualifier string) error {
	switch {
	case errors.Is(err, persist.ErrQueueFull):
		return queueFull(err)
	case errors.Is(err, persist.ErrInvalid):
		return invalid(err.Error())
	}
	return a.functionNotFound(err, name, qualifier)
}

// eventEntry is one event of QueueEvents.
type eventEntry struct {
	Payload       json.RawMessage // any JSON
	PayloadBase64 string          // any bytes, instead of Payload
	Qualifier     string
	eventOptions
}

// entryOutcome is what became of one of them: RequestId, or Error and Message.
type entryOutcome struct {
	RequestId string `json:",omitempty"`
	Duplicate bool   `json:",omitempty"`
	Error     string `json:",omitempty"`
	Message   string `json:",omitempty"`
}

// queueEvents is POST /v1/queue/{name}/batch. It answers 200 where some or all of the
// entries were refused, as SQS's SendMessageBatch does: each has its outcome.
func (a *api) queueEvents(w http.ResponseWriter, r *http.Request) error {
	if a.Async == nil {
		return noQueue()
	}
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	var req struct{ Entries []eventEntry }
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if n := len(req.Entries); n == 0 || n > persist.MaxJobBatch {
		return invalid(fmt.Sprintf("Entries must be 1 to %d events, not %d", persist.MaxJobBatch, n))
	}
	reply := struct{ Results []entryOutcome }{make([]entryOutcome, len(req.Entries))}
	var jobs []persist.Job
	var at []int // indexes of the entries that jobs are of
	for i, entry := range req.Entries {
		job, err := a.entryJob(entry, name, qualifier)
		if err != nil {
			if reply.Results[i], err = refusedEntry(err); err != nil {
				return err
			}
			continue
		}
		jobs, at = append(jobs, job), append(at, i)
	}
	stored, errs := a.Async.SubmitAll(jobs)
	for i, job := range stored {
		if errs[i] == nil {
			reply.Results[at[i]] = entryOutcome{RequestId: job.ID, Duplicate: job.Duplicate}
			continue
		}
		if reply.Results[at[i]], err = refusedEntry(a.notQueued(errs[i], name, jobs[i].Qualifier)); err != nil {
			return err // the store's: none was taken
		}
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

func (a *api) entryJob(entry eventEntry, name, qualifier string) (persist.Job, error) {
	c := call{name: name, qualifier: qualifier, payload: []byte("{}")}
	if entry.Qualifier != "" {
		if !qualifierPattern.MatchString(entry.Qualifier) {
			return persist.Job{}, invalid(fmt.Sprintf("%.128q is no qualifier", entry.Qualifier))
		}
		c.qualifier = entry.Qualifier
	}
	switch {
	case len(entry.Payload) > 0 && entry.PayloadBase64 != "":
		return persist.Job{}, invalid("an entry has Payload or PayloadBase64, not both")
	case len(entry.Payload) > 0:
		c.payload = entry.Payload
	case entry.PayloadBase64 != "":
		var err error
		if c.payload, err = base64.StdEncoding.DecodeString(entry.PayloadBase64); err != nil {
			return persist.Job{}, invalid("PayloadBase64 is not valid base64")
		}
	}
	return a.jobOf(&c, entry.eventOptions)
}

// refusedEntry is the outcome of an entry that its sender can do something about. Other
// errors it returns.
func refusedEntry(err error) (entryOutcome, error) {
	var f *fault
	if !errors.As(err, &f) || f.Status >= http.StatusInternalServerError {
		return entryOutcome{}, err
	}
	return entryOutcome{Error: f.Code, Message: f.Message}, nil
}
