package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ledge/engine/capi"
	"ledge/engine/extism"
)

// The host interface of languages: the calls of ledge.kv, ledge.publish and the
// like, by the numbers that engine/python/guest and engine/javascript/guest use.
// A call is a JSON object and some bytes, and so is its reply.
const (
	callKVGet = 1 + iota
	callKVPut
	callKVDelete
	callKVList
	callKVCompareAndSet
	callPublish
	callInvoke
	callHTTP
	callLog
)

// What a guest is told of a call.
const (
	callDone   = 0
	callAbsent = 1 // no such key, or another value
	callFailed = 2 // the reply's head is a callError
)

// Types of callError, which languages make exceptions of.
const (
	callDenied      = "PermissionDenied"
	callUnavailable = "Unavailable"
	callLimit       = "LimitExceeded"
	callBadRequest  = "InvalidRequest"
	callHTTPError   = "HTTPError"
	callInvokeError = "InvokeError"
)

// callError is why a host call failed.
type callError struct {
	Type         string `json:"type"`
	Message      string `json:"message"`
	ErrorType    string `json:"errorType,omitempty"`    // of the function that was invoked
	ErrorMessage string `json:"errorMessage,omitempty"` //
}

func (e *callError) Error() string { return e.Type + ": " + e.Message }

func denied(format string, args ...any) error {
	return &callError{Type: callDenied, Message: fmt.Sprintf(format, args...)}
}

const (
	maxListed = 1000 // keys in one reply
	maxDepth  = 8    // functions that wait for each other
)

// Call answers a call of a language runtime.
func (h *host) Call(op int, head, body []byte) (capi.Reply, error) {
	reply, err := h.call(op, head, body)
	if err == nil {
		return reply, nil
	}
	if ctx := h.instance.ctx; ctx.Err() != nil {
		h.instance.shell.Cancel() // that is why, and not the guest's fault
		return capi.Reply{}, ctx.Err()
	}
	var failed *callError
	var limit interface{ LimitExceeded() bool }
	switch {
	case errors.As(err, &failed):
	case errors.As(err, &limit):
		failed = &callError{Type: callLimit, Message: err.Error()}
	default:
		failed = &callError{Type: callUnavailable, Message: err.Error()}
	}
	text, err := json.Marshal(failed)
	return capi.Reply{Status: callFailed, Head: text}, err
}

func (h *host) call(op int, head, body []byte) (capi.Reply, error) {
	switch op {
	case callKVGet, callKVPut, callKVDelete, callKVList, callKVCompareAndSet:
		return h.callKV(op, head, body)
	case callPublish:
		return capi.Reply{}, h.publish(head, body)
	case callInvoke:
		return h.invoke(head, body)
	case callHTTP:
		return h.callHTTP(head, body)
	case callLog:
		return capi.Reply{}, h.log(head, body)
	}
	return capi.Reply{}, &callError{Type: callBadRequest, Message: fmt.Sprintf("this node has no host call %d", op)}
}

// readCall decodes the JSON object of a call.
func readCall(head []byte, into any) error {
	if err := json.Unmarshal(head, into); err != nil {
		return &callError{Type: callBadRequest, Message: err.Error()}
	}
	return nil
}

func (h *host) callKV(op int, head, body []byte) (reply capi.Reply, err error) {
	var want struct {
		Key, Prefix, After string
		Limit, Expected    int
		Absent             bool
	}
	if err := readCall(head, &want); err != nil {
		return reply, err
	}
	kv, name := h.runtime.cfg.KV, h.function.Name
	if kv == nil {
		return reply, errNoKV
	}
	if !h.instance.serving {
		defer func() {
			if err != nil {
				err = fmt.Errorf("%w (a function has no data yet while it is being loaded for the first time)", err)
			}
		}()
	}
	switch op {
	case callKVGet:
		if reply.Body, err = kv.Get(name, want.Key); err == nil && reply.Body == nil {
			reply.Status = callAbsent
		}
	case callKVPut:
		err = kv.Put(name, want.Key, body)
	case callKVDelete:
		err = kv.Delete(name, want.Key)
	case callKVList:
		var page struct {
			Keys []string `json:"keys"`
			More bool     `json:"more"`
		}
		if want.Limit <= 0 || want.Limit > maxListed {
			want.Limit = maxListed
		}
		if page.Keys, page.More, err = kv.List(name, want.Prefix, want.After, want.Limit); err != nil {
			return reply, err
		}
		if page.Keys == nil {
			page.Keys = []string{}
		}
		reply.Head, err = json.Marshal(page)
	case callKVCompareAndSet:
		if want.Expected < 0 || want.Expected > len(body) {
			return reply, &callError{Type: callBadRequest, Message: "expected is longer than the call"}
		}
		var expected []byte
		if !want.Absent {
			expected = append([]byte{}, body[:want.Expected]...) // empty is not absent
		}
		var stored bool
		if stored, err = kv.CompareAndSet(name, want.Key, expected, body[want.Expected:]); err == nil && !stored {
			reply.Status = callAbsent
		}
	}
	return reply, err
}

func (h *host) publish(head, body []byte) error {
	var want struct {
		Topic string
		QoS   int
	}
	if err := readCall(head, &want); err != nil {
		return err
	}
	if err := checkTopic(want.Topic); err != nil {
		return &callError{Type: callBadRequest, Message: fmt.Sprintf("topic %q: %s", want.Topic, err)}
	}
	if want.QoS < 0 || want.QoS > 2 {
		return &callError{Type: callBadRequest, Message: fmt.Sprintf("qos %d is not 0, 1 or 2", want.QoS)}
	}
	if !slices.ContainsFunc(h.function.AllowPublish, func(filter string) bool { return matchesTopic(filter, want.Topic) }) {
		return denied("%s may not publish to %s; allow it with --allow-publish %s", h.function.Name, want.Topic, want.Topic)
	}
	if h.runtime.cfg.Publisher == nil {
		return &callError{Type: callUnavailable, Message: "this node has no message broker"}
	}
	ctx, cancel := h.deadline()
	defer cancel()
	return h.runtime.cfg.Publisher.Publish(ctx, h.function.Name, want.Topic, body, want.QoS)
}

// deadline is the Invocation's context with the time that is left to it.
func (h *host) deadline() (context.Context, context.CancelFunc) {
	left := h.instance.shell.Deadline() - capi.Now()
	return context.WithTimeout(h.instance.ctx, max(left, time.Millisecond))
}

// depth is the key of a context's number of functions that wait for each other.
type depth struct{}

func (h *host) invoke(head, body []byte) (capi.Reply, error) {
	var want struct{ Function, Qualifier string }
	if err := readCall(head, &want); err != nil {
		return capi.Reply{}, err
	}
	if !slices.Contains(h.function.AllowInvoke, want.Function) && !slices.Contains(h.function.AllowInvoke, "*") {
		return capi.Reply{}, denied("%s may not invoke %s; allow it with --allow-invoke %s", h.function.Name, want.Function, want.Function)
	}
	if !h.instance.serving {
		return capi.Reply{}, &callError{Type: callUnavailable, Message: "a function cannot invoke others while it is being loaded: do it in the handler"}
	}
	ctx, cancel := h.deadline()
	defer cancel()
	deep, _ := ctx.Value(depth{}).(int)
	if deep++; deep > maxDepth {
		return capi.Reply{}, &callError{Type: callLimit, Message: fmt.Sprintf("%d functions wait for each other already", maxDepth)}
	}
	inv := Invocation{Function: want.Function, Qualifier: want.Qualifier, Source: SourceFunction, Payload: bytes.Clone(body)}
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
		return capi.Reply{Body: res.Payload}, nil
	}
	if failed, ok := AsFunctionError(err); ok {
		return capi.Reply{}, &callError{Type: callInvokeError, Message: fmt.Sprintf("%s: %s: %s", want.Function, failed.Type, failed.Message),
			ErrorType: failed.Type, ErrorMessage: failed.Message}
	}
	return capi.Reply{}, &callError{Type: callInvokeError, Message: err.Error()}
}

func (h *host) callHTTP(head, body []byte) (capi.Reply, error) {
	ctx, cancel := h.deadline()
	defer cancel()
	status, header, reply, err := h.runtime.outbound.Exchange(ctx, h.function.AllowHosts, head, body)
	switch {
	case errors.Is(err, extism.ErrNotAllowed):
		return capi.Reply{}, denied("%s", err)
	case err != nil:
		return capi.Reply{}, &callError{Type: callHTTPError, Message: err.Error()}
	}
	answer := struct {
		Status  int                 `json:"status"`
		Headers map[string][]string `json:"headers"`
	}{status, make(map[string][]string, len(header))}
	for name, values := range header {
		answer.Headers[strings.ToLower(name)] = values
	}
	text, err := json.Marshal(answer)
	return capi.Reply{Head: text, Body: reply}, err
}

var logLevels = []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR"}

func (h *host) log(head, body []byte) error {
	var want struct{ Level string }
	if err := readCall(head, &want); err != nil {
		return err
	}
	want.Level = strings.ToUpper(want.Level)
	if !slices.Contains(logLevels, want.Level) {
		return &callError{Type: callBadRequest, Message: fmt.Sprintf("%q is not one of %s", want.Level, strings.Join(logLevels, ", "))}
	}
	line := make([]byte, 0, len(want.Level)+len(body)+4)
	line = append(append(append(line, '['), want.Level...), "] "...)
	h.instance.shell.AppendLog(append(append(line, body...), '\n'))
	return nil
}
