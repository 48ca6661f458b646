package awsapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// queuedJob is persist.QueuedJob as a client sees it.
type queuedJob struct {
	Number    uint64
	State     string // running, waiting or held
	Function  string
	Qualifier string `json:",omitempty"`
	RequestId string // of all attempts
	Source    string `json:",omitempty"` // what caused the event
	Schedule  string `json:",omitempty"`
	OrderKey  string `json:",omitempty"`
	DedupId   string `json:",omitempty"`
	Priority  int
	Depth     int    `json:",omitempty"`
	Attempts  int    // the one that runs included
	LastError string `json:",omitempty"`
	Queued    time.Time
	Due       time.Time
	Lease     time.Time `json:",omitzero"` // until then, of one that runs
	Size      int       // bytes of the event
	Payload   []byte    `json:",omitempty"` // only of one job
}

func shownJob(j persist.QueuedJob) queuedJob {
	return queuedJob{
		Number: j.Number, State: j.State, Function: j.Job.Function, Qualifier: j.Job.Qualifier, RequestId: j.Job.ID,
		Source: j.Job.Source, Schedule: j.Job.Schedule, OrderKey: j.Job.OrderKey, DedupId: j.Job.DedupID,
		Priority: j.Job.Priority, Depth: j.Job.Depth, Attempts: j.Job.Attempts, LastError: j.Job.LastError,
		Queued: j.Job.Enqueued, Due: j.Job.Due, Lease: j.Job.LeasedUntil, Size: j.Size, Payload: j.Job.Payload,
	}
}

// functionQueue is persist.FunctionQueue as a client sees it.
type functionQueue struct {
	Function string
	Waiting  int // those that are held among them
	Held     int
	Running  int
	AtLeast  bool      `json:",omitempty"` // there are more than Waiting and Held say
	NextDue  time.Time `json:",omitzero"`
}

// getQueue is GET /v1/queue.
func (a *api) getQueue(w http.ResponseWriter, _ *http.Request) error {
	stats, err := a.Store.QueueStats()
	if err != nil {
		return err
	}
	list, err := a.Store.FunctionQueues()
	if err != nil {
		return err
	}
	reply := struct {
		Jobs, Running      int
		Bytes              int64
		Dropped            uint64
		NextDue            time.Time `json:",omitzero"`
		DeadLetters        int
		DeadLetterBytes    int64
		DeadLettersDropped uint64
		Functions          []functionQueue
	}{
		Jobs: stats.Jobs, Running: stats.Running, Bytes: stats.Bytes, Dropped: stats.Dropped, NextDue: stats.Oldest,
		DeadLetters: stats.DeadLetters, DeadLetterBytes: stats.DeadLetterBytes, DeadLettersDropped: stats.DeadLetterDropped,
		Functions: []functionQueue{},
	}
	for _, f := range list {
		reply.Functions = append(reply.Functions, functionQueue{f.Function, f.Waiting, f.Held, f.Running, f.AtLeast, f.Oldest})
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

// maxJobsPage bounds a page of ListJobs.
const maxJobsPage = 1000

// listJobs is GET /v1/queue-jobs?after=CURSOR&limit=N, and GET /v1/queue/{name}.
func (a *api) listJobs(w http.ResponseWriter, r *http.Request) error {
	query := persist.JobQuery{}
	var err error
	if r.PathValue("name") != "" {
		if query.Function, err = unqualified(r); err != nil {
			return err
		}
		if _, err := a.Store.GetFunction(query.Function, ""); err != nil {
			return a.functionNotFound(err, query.Function, "")
		}
	}
	if query.Limit, err = restjson.Number(r, "limit", pageSize, maxJobsPage); err != nil {
		return err
	}
	after, err := base64.RawURLEncoding.DecodeString(r.URL.Query().Get("after"))
	if err != nil {
		return invalid("after must be the Next of the page before")
	}
	query.After = string(after)
	jobs, next, err := a.Store.Jobs(query)
	if errors.Is(err, persist.ErrInvalid) {
		return invalid("after must be the Next of the page before")
	}
	if err != nil {
		return err
	}
	reply := struct {
		Jobs []queuedJob
		Next string `json:",omitempty"`
	}{Jobs: []queuedJob{}, Next: base64.RawURLEncoding.EncodeToString([]byte(next))}
	for _, job := range jobs {
		reply.Jobs = append(reply.Jobs, shownJob(job))
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

// What the numbers in paths are of.
const (
	queuedKind     = "queued event"
	deadLetterKind = "dead letter"
)

// eventNumber reads the number in the path, of an event of that kind.
func eventNumber(r *http.Request, kind string) (uint64, error) {
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 63)
	if err != nil {
		return 0, invalid(fmt.Sprintf("a %s has a number, not %.40q", kind, r.PathValue("number")))
	}
	restjson.About(r.Context(), fmt.Sprintf("%s %d", kind, number))
	return number, nil
}

func jobFault(err error, number uint64) error {
	switch {
	case errors.Is(err, persist.ErrNotFound):
		return notFound(fmt.Sprintf("There is no event %d in the queue.", number))
	case errors.Is(err, persist.ErrConflict):
		return &fault{Status: http.StatusConflict, Code: codeConflict,
			Message: fmt.Sprintf("The event %d runs, or has just been moved; only events that wait can be removed.", number)}
	}
	return err
}

func (a *api) getJob(w http.ResponseWriter, r *http.Request) error {
	number, err := eventNumber(r, queuedKind)
	if err != nil {
		return err
	}
	job, err := a.Store.GetJob(number)
	if err != nil {
		return jobFault(err, number)
	}
	return restjson.WriteJSON(w, http.StatusOK, shownJob(job))
}

func (a *api) deleteJob(w http.ResponseWriter, r *http.Request) error {
	if a.Async == nil {
		return noQueue()
	}
	number, err := eventNumber(r, queuedKind)
	if err != nil {
		return err
	}
	if err := a.Async.DeleteJob(number); err != nil {
		return jobFault(err, number)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// purgeQueue is DELETE /v1/queue, and DELETE /v1/queue/{name}.
func (a *api) purgeQueue(w http.ResponseWriter, r *http.Request) error {
	if a.Async == nil {
		return noQueue()
	}
	name := ""
	if r.PathValue("name") != "" {
		var err error
		if name, err = unqualified(r); err != nil {
			return err
		}
		if _, err := a.Store.GetFunction(name, ""); err != nil {
			return a.functionNotFound(err, name, "")
		}
	}
	restjson.About(r.Context(), "queue of "+orAllFunctions(name))
	removed, err := a.Async.PurgeJobs(r.Context(), name)
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, purged{removed})
}

// queueSettings are the node's own of a function's asynchronous configuration, which
// AWS's operations leave as they are.
type queueSettings struct {
	Ordered            bool // its events run one after the other
	BatchSize          int  // how many events it gets at once, at most; 1 is each as it is
	BatchWindowSeconds int  // how long a batch waits to be filled
}

func settingsOf(c persist.AsyncConfig) queueSettings {
	return queueSettings{c.Ordered, max(c.BatchSize, 1), c.BatchWindowSeconds}
}

// onlyOurs returns what of a configuration AWS's operations leave as it is.
func onlyOurs(c persist.AsyncConfig) persist.AsyncConfig {
	return persist.AsyncConfig{Function: c.Function, Qualifier: c.Qualifier,
		Ordered: c.Ordered, BatchSize: c.BatchSize, BatchWindowSeconds: c.BatchWindowSeconds}
}

// hasOurs says whether a configuration has any of it.
func hasOurs(c persist.AsyncConfig) bool { return c.Ordered || c.BatchSize > 1 }

// getQueueSettings is GET /v1/queue/{name}/settings?Qualifier=Q.
func (a *api) getQueueSettings(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	c, err := a.asyncConfig(name, qualifier)
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, settingsOf(c))
}

// asyncConfig returns the configuration of a function that is there, with the defaults
// where it has none.
func (a *api) asyncConfig(name, qualifier string) (persist.AsyncConfig, error) {
	if _, err := a.Store.GetFunction(name, qualifier); err != nil {
		return persist.AsyncConfig{}, a.functionNotFound(err, name, qualifier)
	}
	c, err := a.Store.GetAsyncConfig(name, qualifier)
	if errors.Is(err, persist.ErrNotFound) {
		return persist.AsyncConfig{Function: name, Qualifier: qualifier}, nil
	}
	return c, err
}

// putQueueSettings is PUT /v1/queue/{name}/settings?Qualifier=Q. What is not named stays,
// but for the window of batches, which goes with them.
func (a *api) putQueueSettings(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	var req struct {
		Ordered                       *bool
		BatchSize, BatchWindowSeconds *int
	}
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if req.Ordered == nil && req.BatchSize == nil && req.BatchWindowSeconds == nil {
		return invalid("give Ordered, BatchSize or BatchWindowSeconds")
	}
	c, err := a.asyncConfig(name, qualifier)
	if err != nil {
		return err
	}
	if req.Ordered != nil {
		c.Ordered = *req.Ordered
	}
	if req.BatchSize != nil {
		if c.BatchSize = *req.BatchSize; c.BatchSize == 0 || c.BatchSize == 1 {
			c.BatchSize, c.BatchWindowSeconds = 0, 0
		}
	}
	if req.BatchWindowSeconds != nil {
		c.BatchWindowSeconds = *req.BatchWindowSeconds
	}
	stored, err := a.Store.PutAsyncConfig(c)
	if errors.Is(err, persist.ErrInvalid) {
		return invalid(err.Error())
	}
	if err != nil {
		return a.functionNotFound(err, name, qualifier)
	}
	if a.Async != nil {
		a.Async.Wake() // what waits for a window may be ready now
	}
	return restjson.WriteJSON(w, http.StatusOK, settingsOf(stored))
}
