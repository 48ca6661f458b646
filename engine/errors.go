package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors of Invoke that say why no function ran. They are wrapped with the
// function's name; test with errors.Is.
var (
	ErrNotFound      = errors.New("function not found")
	ErrThrottled     = errors.New("concurrency limit reached")      // the function's own limit
	ErrOverloaded    = errors.New("node is out of memory budget")   // the whole node: retry later
	ErrTooLarge      = errors.New("payload exceeds the size limit") // of the request
	ErrClientContext = errors.New("client context is not a JSON object within the size limit")
	ErrClosed        = errors.New("engine is closed")
)

// ErrTimeout is matched by the error of an Invocation that ran out of its
// function's Timeout. It matches context.DeadlineExceeded too.
var ErrTimeout error = &TimeoutError{}

// TimeoutError says that a function was stopped at its Timeout.
type TimeoutError struct{ After time.Duration }

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("Task timed out after %.2f seconds", e.After.Seconds())
}

// Is makes every TimeoutError match ErrTimeout and context.DeadlineExceeded.
func (e *TimeoutError) Is(target error) bool {
	_, same := target.(*TimeoutError)
	return same || target == context.DeadlineExceeded
}

// TrapError says that the guest's code was stopped by the engine: it trapped,
// left its memory, recursed without end. The Instance is gone.
type TrapError struct {
	Code    string   // for example "unreachable", "stack overflow", "out of memory"
	Message string   // the engine's sentence
	Frames  []string // guest backtrace, innermost first
}

func (e *TrapError) Error() string {
	if len(e.Frames) == 0 {
		return "trap: " + e.Message
	}
	return "trap: " + e.Message + "\n    at " + strings.Join(e.Frames, "\n    at ")
}

// ExitError says that a command ended with a status other than zero.
type ExitError struct{ Status int }

func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Status) }

// FunctionError is what a handler raised, in the shape in which AWS Lambda
// reports it.
type FunctionError struct {
	Type    string   `json:"errorType"`
	Message string   `json:"errorMessage"`
	Trace   []string `json:"stackTrace,omitempty"`
	// Object is the error object as the handler's language gave it, with all its
	// members in their order; nil where there is none.
	Object json.RawMessage `json:"-"`
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// AppendJSON appends the error as AWS Lambda's error object to b.
func (e *FunctionError) AppendJSON(b []byte) []byte {
	if e.Object != nil {
		return append(b, e.Object...)
	}
	text, err := json.Marshal(e)
	if err != nil { // strings always marshal
		return append(b, `{"errorType":"Runtime.Unknown","errorMessage":""}`...)
	}
	return append(b, text...)
}

// AsFunctionError turns an error of Invoke into what AWS Lambda would report
// as the function's own failure. It returns false where the function is not to
// blame: it did not run, or its caller went away.
func AsFunctionError(err error) (*FunctionError, bool) {
	var (
		fn      *FunctionError
		trap    *TrapError
		exit    *ExitError
		timeout *TimeoutError
	)
	switch {
	case errors.As(err, &fn):
		return fn, true
	case errors.As(err, &timeout):
		return &FunctionError{Type: "Sandbox.Timedout", Message: timeout.Error()}, true
	case errors.As(err, &exit):
		return &FunctionError{Type: "Runtime.ExitError", Message: "Runtime exited with error: " + exit.Error()}, true
	case errors.As(err, &trap):
		kind := "Runtime.Trap"
		if trap.Code == TrapOutOfMemory {
			kind = "Runtime.OutOfMemory"
		}
		return &FunctionError{Type: kind, Message: trap.Message, Trace: trap.Frames}, true
	}
	return nil, false
}

// TrapOutOfMemory is the TrapError.Code of a guest that died for want of memory.
const TrapOutOfMemory = "out of memory"

// DeployError says why a function cannot be deployed. Nothing was changed.
type DeployError struct {
	Op   string // what was looked at: "memory", "read module", "link", "initialise"
	Why  string
	Hint string // what to do next
	Err  error  // the cause, where there is one
}

func (e *DeployError) Error() string {
	text := e.Op + ": " + e.Why
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

func (e *DeployError) Unwrap() error { return e.Err }

func invalid(op, why, hint string) *DeployError { return &DeployError{Op: op, Why: why, Hint: hint} }

// ConditionError says that the Condition of a Write did not hold, and that nothing
// was written.
type ConditionError struct {
	Index int   // of the Write
	Now   Item  // what its key holds
	Err   error // in words
}

func (e *ConditionError) Error() string { return e.Err.Error() }
func (e *ConditionError) Unwrap() error { return e.Err }

// InvalidError says that a request of a function can never be served as it is.
type InvalidError struct{ Err error }

func (e *InvalidError) Error() string { return e.Err.Error() }
func (e *InvalidError) Unwrap() error { return e.Err }
