package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ledge/engine/capi"
)

const (
	maxDepth = 8 // functions that wait for each other
	// maxCaused is how many events may lead from one to the next through functions that
	// leave events for each other. AWS Lambda stops such a loop at about 16
	// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html).
	maxCaused = 16
)

// deadline is the Invocation's context with the time that is left to it.
func (h *host) deadline() (context.Context, context.CancelFunc) {
	left := h.instance.shell.Deadline() - capi.Now()
	return context.WithTimeout(h.instance.ctx, max(left, time.Millisecond))
}

// invokeCall says which function to invoke, and how.
type invokeCall struct {
	Function, Qualifier string
	Async               bool
}

func (h *host) callInvoke(head, body []byte) ([]byte, error) {
	var want invokeCall
	if err := readCall(head, &want, maxHead); err != nil {
		return nil, err
	}
	return h.invoke(want, body)
}

// invoke returns the other function's reply, or the request id of an asynchronous
// invocation.
func (h *host) invoke(want invokeCall, event []byte) ([]byte, error) {
	if !slices.Contains(h.function.AllowInvoke, want.Function) && !slices.Contains(h.function.AllowInvoke, "*") {
		return nil, denied("%s may not invoke %s; allow it with --allow-invoke %s", h.function.Name, want.Function, want.Function)
	}
	if !h.instance.serving {
		return nil, &callError{Type: callUnavailable, Message: "a function cannot invoke others while it is being loaded: do it in the handler"}
	}
	if len(event) > MaxPayload {
		return nil, overLimit("the event has %d bytes, at most %d are sent", len(event), MaxPayload)
	}
	if want.Async {
		return h.invokeAsync(want, event)
	}
	return h.invokeNow(want, event)
}

// depth is the key of a context's number of functions that wait for each other.
type depth struct{}

func (h *host) invokeNow(want invokeCall, event []byte) ([]byte, error) {
	ctx, cancel := h.deadline()
	defer cancel()
	deep, _ := ctx.Value(depth{}).(int)
	if deep++; deep > maxDepth {
		return nil, overLimit("%d functions wait for each other already", maxDepth)
	}
	kept := held{runtime: h.runtime}
	defer kept.release()
	if err := kept.take(len(event)); err != nil {
		return nil, err
	}
	inv := Invocation{Function: want.Function, Qualifier: want.Qualifier, Source: SourceFunction, Payload: bytes.Clone(event), Depth: h.instance.depth}
	var res Result
	// On a thread of its own: guests recurse, and this one's stack already has a
	// guest on it.
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("invoke panicked: %v", p)
			}
		}()
		done <- h.runtime.Invoke(context.WithValue(ctx, depth{}, deep), &inv, &res)
	}()
	err := <-done
	if err == nil {
		return res.Payload, nil
	}
	if failed, ok := AsFunctionError(err); ok {
		return nil, &callError{Type: callInvokeError, Message: fmt.Sprintf("%s: %s: %s", want.Function, failed.Type, failed.Message),
			ErrorType: failed.Type, ErrorMessage: failed.Message}
	}
	return nil, &callError{Type: callInvokeError, Message: err.Error()}
}

// invokeAsync leaves the event for the other function and returns its request id.
func (h *host) invokeAsync(want invokeCall, event []byte) ([]byte, error) {
	if h.runtime.cfg.Async == nil {
		return nil, &callError{Type: callUnavailable, Message: "this node has no queue of asynchronous invocations"}
	}
	if len(event) > 0 && !json.Valid(event) {
		return nil, badRequest("the event is no JSON")
	}
	caused := h.instance.depth + 1
	if caused > maxCaused {
		return nil, overLimit("%d events led to this one, each caused by the one before; a function that invokes itself for ever is stopped here", h.instance.depth)
	}
	id, err := h.runtime.cfg.Async.InvokeAsync(AsyncEvent{Function: want.Function, Qualifier: want.Qualifier, Payload: event, Depth: caused})
	var limit interface{ LimitExceeded() bool }
	switch {
	case err == nil:
		return id.AppendText(nil)
	case errors.Is(err, ErrNotFound):
		return nil, &callError{Type: callInvokeError, Message: err.Error()}
	case errors.As(err, &limit):
		return nil, overLimit("%s: %s", want.Function, err)
	}
	return nil, err
}
