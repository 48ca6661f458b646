package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// letterStore is the part of the Store with the events that were given up and for
// which no destination was set.
type letterStore interface {
	DeadLetters(after uint64, limit int) (letters []persist.DeadLetter, more bool, err error)
	GetDeadLetter(sequence uint64) (persist.DeadLetter, error)
	DeleteDeadLetter(sequence uint64) error
	PurgeDeadLetters(function string) (removed int, err error)
}

// letterOperations are those for dead letters. A key that is for some functions
// only may use none of them: the letters are of all.
func (a *api) letterOperations() []restjson.Operation {
	return []restjson.Operation{
		nodeOp("ListDeadLetters", "GET /v1/dead-letters", restjson.Read, a.listDeadLetters, "events that were given up, oldest first"),
		nodeOp("GetDeadLetter", "GET /v1/dead-letters/{number}", restjson.Read, a.getDeadLetter, "with the event"),
		nodeOp("RetryDeadLetter", "POST /v1/dead-letters/{number}/retry", restjson.Deploy, a.retryDeadLetter, "the event goes back into the queue, with all of its attempts before it"),
		nodeOp("PurgeDeadLetters", "DELETE /v1/dead-letters", restjson.Deploy, a.purgeDeadLetters, "all, or those of one function"),
		nodeOp("DeleteDeadLetter", "DELETE /v1/dead-letters/{number}", restjson.Deploy, a.deleteDeadLetter, ""),
	}
}

// deadLetter is persist.DeadLetter as a client sees it.
type deadLetter struct {
	Number    uint64
	Function  string
	Qualifier string `json:",omitempty"`
	RequestId string // of all attempts
	Source    string `json:",omitempty"` // what caused the event
	Reason    string // why it was given up
	LastError string `json:",omitempty"`
	Attempts  int
	Queued    time.Time
	GivenUp   time.Time
	Payload   []byte `json:",omitempty"` // only of one letter
}

func shownLetter(l persist.DeadLetter) deadLetter {
	return deadLetter{
		Number: l.Sequence, Function: l.Job.Function, Qualifier: l.Job.Qualifier, RequestId: l.Job.ID, Source: l.Job.Source,
		Reason: l.Reason, LastError: l.Job.LastError, Attempts: l.Job.Attempts,
		Queued: l.Job.Enqueued, GivenUp: l.Buried, Payload: l.Job.Payload,
	}
}

// listDeadLetters is GET /v1/dead-letters?after=NUMBER&limit=N.
func (a *api) listDeadLetters(w http.ResponseWriter, r *http.Request) error {
	limit, err := restjson.Number(r, "limit", pageSize, persist.MaxDeadLetters)
	if err != nil {
		return err
	}
	after := uint64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		if after, err = strconv.ParseUint(text, 10, 63); err != nil {
			return invalid(fmt.Sprintf("after must be the number of a dead letter, not %.40q", text))
		}
	}
	reply := struct {
		DeadLetters []deadLetter
		More        bool
	}{DeadLetters: []deadLetter{}}
	letters, more, err := a.Store.DeadLetters(after, limit)
	if err != nil {
		return err
	}
	reply.More = more
	for _, l := range letters {
		reply.DeadLetters = append(reply.DeadLetters, shownLetter(l))
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

func letterNotFound(err error, number uint64) error {
	if errors.Is(err, persist.ErrNotFound) {
		return notFound(fmt.Sprintf("There is no dead letter %d.", number))
	}
	return err
}

func (a *api) getDeadLetter(w http.ResponseWriter, r *http.Request) error {
	number, err := eventNumber(r, deadLetterKind)
	if err != nil {
		return err
	}
	letter, err := a.Store.GetDeadLetter(number)
	if err != nil {
		return letterNotFound(err, number)
	}
	return restjson.WriteJSON(w, http.StatusOK, shownLetter(letter))
}

func (a *api) deleteDeadLetter(w http.ResponseWriter, r *http.Request) error {
	number, err := eventNumber(r, deadLetterKind)
	if err != nil {
		return err
	}
	if err := a.Store.DeleteDeadLetter(number); err != nil {
		return letterNotFound(err, number)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// retryDeadLetter is POST /v1/dead-letters/{number}/retry.
func (a *api) retryDeadLetter(w http.ResponseWriter, r *http.Request) error {
	if a.Async == nil {
		return noQueue()
	}
	number, err := eventNumber(r, deadLetterKind)
	if err != nil {
		return err
	}
	letter, err := a.Store.GetDeadLetter(number)
	if err != nil {
		return letterNotFound(err, number)
	}
	job, err := a.Async.RetryDeadLetter(number)
	switch {
	case errors.Is(err, persist.ErrNotFound):
		return notFound(fmt.Sprintf("There is no function %s any more, for which the dead letter %d is.", letter.Job.Function, number))
	case errors.Is(err, persist.ErrQueueFull):
		return queueFull(err)
	case err != nil:
		return err
	}
	return restjson.WriteJSON(w, http.StatusAccepted, struct {
		Number    uint64
		RequestId string
	}{job.Number(), job.ID})
}

// purgeDeadLetters is DELETE /v1/dead-letters?function=NAME.
func (a *api) purgeDeadLetters(w http.ResponseWriter, r *http.Request) error {
	function := r.URL.Query().Get("function")
	restjson.About(r.Context(), "dead letters of "+orAllFunctions(function))
	removed, err := a.Store.PurgeDeadLetters(function)
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, purged{removed})
}

// purged is what came of a purge.
type purged struct{ Removed int }

func orAllFunctions(function string) string {
	if function == "" {
		return "all functions"
	}
	return "function " + function
}
