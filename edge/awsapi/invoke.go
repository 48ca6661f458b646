package awsapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"ledge/edge/awsapi/restjson"
	"ledge/engine"
	"ledge/persist"
)

// tailBytes is how much of the end of a log X-Amz-Log-Result carries, as in
// AWS Lambda.
const tailBytes = 4 << 10

// MaxEvent bounds the payload of an asynchronous invocation, in bytes
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const MaxEvent = 1 << 20

// Kinds of invocations, as X-Amz-Invocation-Type names them.
const (
	invokeAndWait = "RequestResponse"
	invokeEvent   = "Event"
	invokeDryRun  = "DryRun"
)

// call is a request to invoke a function.
type call struct {
	name, qualifier string
	kind            string
	tail            bool // the end of the log is wanted
	payload         []byte
	client          []byte // the client context, JSON; nil: none
}

// callOf reads a request of Invoke and its relatives. The payload is borrowed
// from the request.
func (a *api) callOf(r *http.Request, kinds ...string) (c call, err error) {
	if c.name, c.qualifier, err = function(r); err != nil {
		return c, err
	}
	if c.tail, err = wantsTail(r); err != nil {
		return c, err
	}
	if c.kind = r.Header.Get("X-Amz-Invocation-Type"); c.kind == "" {
		c.kind = invokeAndWait
	}
	var bad violations
	if bad.OneOf(c.kind, "invocationType", kinds...); len(bad) > 0 {
		return c, bad.Err()
	}
	switch {
	case r.Header.Get("X-Amz-Tenant-Id") != "":
		return c, unsupported("TenantId", "functions have no tenants")
	case r.Header.Get("X-Amz-Durable-Execution-Name") != "":
		return c, unsupported("DurableExecutionName", "there are no durable executions")
	}
	if c.client, err = clientContext(r.Header.Get("X-Amz-Client-Context")); err != nil {
		return c, err
	}
	if c.payload = restjson.Body(r.Context()); len(c.payload) == 0 {
		c.payload = []byte("{}")
	}
	return c, a.checkPayload(&c)
}

// clientContext decodes what a client says of itself. The engine checks it.
func clientContext(header string) ([]byte, error) {
	if header == "" {
		return nil, nil
	}
	text, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return nil, badClientContext()
	}
	return text, nil
}

func badClientContext() *fault {
	return &fault{Status: http.StatusBadRequest, Code: codeContent, Message: "Client context must be a valid Base64-encoded JSON object."}
}

// checkPayload refuses what is no JSON for a function that takes only that:
// those of a language. Nearly all payloads are JSON, so the function is looked up
// last.
func (a *api) checkPayload(c *call) error {
	if json.Valid(c.payload) {
		return nil
	}
	fn, err := a.Store.GetFunction(c.name, c.qualifier)
	if errors.Is(err, persist.ErrNotFound) {
		return nil // for the engine to say
	}
	if err != nil {
		return err
	}
	if fn.Runtime == engine.RuntimeWASI || fn.Runtime == engine.RuntimeExtism {
		return nil
	}
	err = json.Unmarshal(c.payload, new(json.RawMessage)) // it says what is wrong
	return &fault{Status: http.StatusBadRequest, Code: codeContent,
		Message: fmt.Sprintf("Could not parse request body into json: Could not parse payload into json: %v", err)}
}

// invoke is https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
// A client that hangs up cancels the invocation, unless it is an event.
func (a *api) invoke(w http.ResponseWriter, r *http.Request) error {
	c, err := a.callOf(r, invokeAndWait, invokeEvent, invokeDryRun)
	if err != nil {
		return err
	}
	switch c.kind {
	case invokeDryRun:
		return a.dryRun(w, &c)
	case invokeEvent:
		if err := a.enqueue(w, &c); err != nil {
			return err
		}
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	done, err := a.run(w, r, &c)
	if err != nil {
		return err
	}
	h := w.Header()
	if done.failure != nil {
		h.Set("X-Amz-Function-Error", "Unhandled")
	}
	if done.log != "" {
		h.Set("X-Amz-Log-Result", done.log)
	}
	kind := "application/json"
	if !json.Valid(done.reply) {
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(done.reply)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(done.reply) // a client that is gone needs no answer
	return nil
}

// dryRun answers whether the function could be invoked by who asks.
func (a *api) dryRun(w http.ResponseWriter, c *call) error {
	if _, err := a.Store.GetFunction(c.name, c.qualifier); err != nil {
		return a.functionNotFound(err, c.name, c.qualifier)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// enqueue puts an event on disk, to be run later. The reply is not begun.
func (a *api) enqueue(w http.ResponseWriter, c *call) error {
	if len(c.payload) > MaxEvent {
		return &fault{Status: http.StatusRequestEntityTooLarge, Code: codeTooLarge,
			Message: fmt.Sprintf("%d byte payload is too large for the Event invocation type (limit %d bytes)", len(c.payload), MaxEvent)}
	}
	if a.Async == nil {
		return noQueue()
	}
	if _, err := a.Store.GetFunction(c.name, c.qualifier); err != nil {
		return a.functionNotFound(err, c.name, c.qualifier)
	}
	id := engine.NewRequestID()
	w.Header().Set(requestIDHeader, id.String()) // the one that its logs have
	err := a.Async.InvokeAsync(c.name, c.qualifier, id, c.payload)
	if errors.Is(err, persist.ErrQueueFull) {
		return queueFull(err)
	}
	return a.functionNotFound(err, c.name, c.qualifier)
}

// invokeAsync is Lambda's first form of an event
// (https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html).
func (a *api) invokeAsync(w http.ResponseWriter, r *http.Request) error {
	c, err := a.callOf(r, invokeAndWait)
	if err != nil {
		return err
	}
	if err := a.enqueue(w, &c); err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusAccepted, struct{ Status int }{http.StatusAccepted})
}

// outcome is what came of an invocation.
type outcome struct {
	reply   []byte
	failure *engine.FunctionError // nil: none; else reply is it, in JSON
	log     string                // the end of it in base64, where it was wanted
}

// run invokes the function and sets the headers that all replies have. An error
// means that the function is not to blame: nothing was run, or nobody listens.
func (a *api) run(w http.ResponseWriter, r *http.Request, c *call) (outcome, error) {
	inv := engine.Invocation{
		Function: c.name, Qualifier: c.qualifier, Source: engine.SourceAPI,
		RequestID: engine.NewRequestID(), Payload: c.payload, ClientContext: c.client,
	}
	w.Header().Set(requestIDHeader, inv.RequestID.String()) // the one that its logs have
	var res engine.Result
	err := a.Invoker.Invoke(r.Context(), &inv, &res)
	done := outcome{reply: res.Payload}
	if err != nil {
		failure, own := engine.AsFunctionError(err)
		switch {
		case errors.Is(err, engine.ErrClientContext):
			return done, badClientContext()
		case !own || r.Context().Err() != nil:
			return done, a.functionNotFound(err, c.name, c.qualifier)
		}
		done.reply, done.failure = failure.AppendJSON(nil), failure
	}
	if res.Version != "" {
		w.Header().Set("X-Amz-Executed-Version", res.Version)
	}
	if c.tail {
		log := a.invocationLog(&inv, &res)
		done.log = base64.StdEncoding.EncodeToString(log[max(0, len(log)-tailBytes):])
	}
	return done, nil
}
