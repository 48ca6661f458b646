package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"ledge/engine/capi"
)

// The host interface of languages: the calls of ledge.kv, ledge.publish and the
// like, by the numbers that engine/python/guest and engine/javascript/guest use.
// A call is a JSON object and some bytes, and so is its reply.
const (
	callKVGet = 1 + iota
	callKVList
	callKVWrite
	callPublish
	callInvoke
	callHTTP
	callLog
)

// What a guest is told of a call.
const (
	callDone   = 0
	callAbsent = 1 // no such key
	callFailed = 2 // the reply's head is a callError
)

// Types of callError, which languages make exceptions of.
const (
	callDenied      = "PermissionDenied"
	callUnavailable = "Unavailable"
	callLimit       = "LimitExceeded"
	callBadRequest  = "InvalidRequest"
	callCondition   = "ConditionFailed"
	callHTTPError   = "HTTPError"
	callInvokeError = "InvokeError"
)

// callError is why a host call failed.
type callError struct {
	Type         string `json:"type"`
	Message      string `json:"message"`
	ErrorType    string `json:"errorType,omitempty"`    // of the function that was invoked
	ErrorMessage string `json:"errorMessage,omitempty"` //
	Index        *int   `json:"index,omitempty"`        // of the write whose condition did not hold
}

func (e *callError) Error() string { return e.Type + ": " + e.Message }

func denied(format string, args ...any) error {
	return &callError{Type: callDenied, Message: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return &callError{Type: callBadRequest, Message: fmt.Sprintf(format, args...)}
}

func overLimit(format string, args ...any) error {
	return &callError{Type: callLimit, Message: fmt.Sprintf(format, args...)}
}

// Bounds of the JSON objects of calls, in bytes.
const (
	maxHead      = 512 << 10
	maxWriteHead = 8 << 20 // of writes with their values inside, in base64
)

// Call answers a call of a language runtime.
func (h *host) Call(op int, head, body []byte) (capi.Reply, error) {
	reply, err := h.call(op, head, body)
	if err == nil {
		return reply, nil
	}
	text, err := h.failure(err)
	return capi.Reply{Status: callFailed, Head: text}, err
}

// failure returns the callError that tells a guest of err. Where the Invocation is
// over the guest is told nothing any more, and err is why.
func (h *host) failure(err error) ([]byte, error) {
	if ctx := h.instance.ctx; ctx.Err() != nil {
		h.instance.shell.Cancel() // that is why, and not the guest's fault
		return nil, ctx.Err()
	}
	var failed *callError
	var condition *ConditionError
	var invalid *InvalidError
	var limit interface{ LimitExceeded() bool }
	switch {
	case errors.As(err, &failed):
	case errors.As(err, &condition):
		failed = &callError{Type: callCondition, Message: err.Error(), Index: &condition.Index}
	case errors.As(err, &invalid): // before limits: an empty key is the size of none, and exceeds nothing
		failed = &callError{Type: callBadRequest, Message: err.Error()}
	case errors.As(err, &limit):
		failed = &callError{Type: callLimit, Message: err.Error()}
	default:
		failed = &callError{Type: callUnavailable, Message: err.Error()}
	}
	return json.Marshal(failed)
}

func (h *host) call(op int, head, body []byte) (capi.Reply, error) {
	if op == callLog { // the log has a limit of its own
		return capi.Reply{}, h.log(head, body)
	}
	if err := h.count(); err != nil {
		return capi.Reply{}, err
	}
	switch op {
	case callKVGet:
		return h.callKVGet(head)
	case callKVList:
		return h.callKVList(head)
	case callKVWrite:
		return h.callKVWrite(head, body)
	case callPublish:
		return capi.Reply{}, h.callPublish(head, body)
	case callInvoke:
		reply, err := h.callInvoke(head, body)
		return capi.Reply{Body: reply}, err
	case callHTTP:
		return h.callHTTP(head, body)
	}
	return capi.Reply{}, badRequest("this node has no host call %d", op)
}

// count counts a host call. A guest that calls the node for ever would keep it busy
// up to the function's timeout, however little it computes.
func (h *host) count() error {
	if h.instance.calls++; h.instance.calls > h.function.Limits.HostCalls {
		return overLimit("%s made %d calls of the node in one invocation and may make no more; do more in each: list items, write in transactions", h.function.Name, h.function.Limits.HostCalls)
	}
	return nil
}

// readCall decodes the JSON object of a call, at most limit bytes. A member that the
// call does not have is an error: a condition that is misspelt must not be none.
func readCall(head []byte, into any, limit int) error {
	if len(head) > limit {
		return overLimit("the call has %d bytes beside its value, at most %d are read", len(head), limit)
	}
	from := json.NewDecoder(bytes.NewReader(head))
	from.DisallowUnknownFields()
	if err := from.Decode(into); err != nil {
		if failed := (*callError)(nil); errors.As(err, &failed) {
			return failed
		}
		return badRequest("%s", wrongJSON(err))
	}
	if _, err := from.Token(); !errors.Is(err, io.EOF) {
		return badRequest("the call has something behind its JSON object")
	}
	return nil
}

// wrongJSON says what is wrong with a call in the words of who made it, who has never
// heard of Go's types.
func wrongJSON(err error) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return fmt.Sprintf("the call is no JSON object as it should be: %s", err)
	}
	want := "an object"
	switch wrong.Type.Kind() {
	case reflect.Bool:
		want = "true or false"
	case reflect.String:
		want = "text"
	case reflect.Float64:
		want = "a number"
	case reflect.Int, reflect.Int64:
		want = "a whole number"
	case reflect.Uint64:
		want = "a whole number from 0"
	case reflect.Slice:
		want = "an array"
	}
	is := wrong.Value
	if is == "string" {
		is = "text"
	}
	field := cmp.Or(wrong.Field, "the call")
	if all := strings.ToLower(field); strings.ToUpper(field) == field || field == "QoS" {
		field = all
	} else {
		field = all[:1] + field[1:]
	}
	return fmt.Sprintf("%s is %s, and not %s", field, is, want)
}

func (h *host) callPublish(head, body []byte) error {
	var want struct {
		Topic string
		QoS   int
	}
	if err := readCall(head, &want, maxHead); err != nil {
		return err
	}
	return h.publish(want.Topic, body, want.QoS)
}

func (h *host) publish(topic string, payload []byte, qos int) error {
	if err := checkTopic(topic); err != nil {
		return badRequest("topic %q: %s", topic, err)
	}
	if qos < 0 || qos > 2 {
		return badRequest("qos %d is not 0, 1 or 2", qos)
	}
	if !slices.ContainsFunc(h.function.AllowPublish, func(filter string) bool { return matchesTopic(filter, topic) }) {
		return denied("%s may not publish to %s; allow it with --allow-publish %s", h.function.Name, topic, topic)
	}
	if h.runtime.cfg.Publisher == nil {
		return &callError{Type: callUnavailable, Message: "this node has no message broker"}
	}
	ctx, cancel := h.deadline()
	defer cancel()
	return h.runtime.cfg.Publisher.Publish(ctx, h.function.Name, topic, payload, qos)
}

func (h *host) callHTTP(head, body []byte) (capi.Reply, error) {
	status, header, reply, err := h.request(head, body)
	if err != nil {
		return capi.Reply{}, err
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
	if err := readCall(head, &want, maxHead); err != nil {
		return err
	}
	want.Level = strings.ToUpper(want.Level)
	if !slices.Contains(logLevels, want.Level) {
		return badRequest("%q is not one of %s", want.Level, strings.Join(logLevels, ", "))
	}
	h.instance.shell.AppendLog([]byte("[" + want.Level + "] "))
	h.instance.shell.AppendLog(body) // as it lies there: it may be large, and most of it dropped
	h.instance.shell.AppendLog([]byte("\n"))
	return nil
}
