package gateway

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ledge/engine"
)

func TestStatusOf(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		ours   bool
	}{
		{engine.ErrNotFound, 404, false},
		{engine.ErrThrottled, 429, false},
		{engine.ErrTooLarge, 413, false},
		{engine.ErrOverloaded, 503, false},
		{engine.ErrClosed, 503, false},
		{engine.ErrTimeout, 504, false},
		{&engine.TimeoutError{After: time.Second}, 504, false},
		{&engine.FunctionError{Type: "KeyError"}, 502, false},
		{&engine.TrapError{Code: engine.TrapOutOfMemory}, 502, false},
		{&engine.ExitError{Status: 3}, 502, false},
		{context.Canceled, 499, false},
		{errors.New("the node's own trouble"), 500, true},
	} {
		status, message, ours := statusOf(fmt.Errorf("invoke f: %w", test.err))
		if status != test.status || ours != test.ours || message == "" {
			t.Errorf("%v: got %d %q %v, want %d %v", test.err, status, message, ours, test.status, test.ours)
		}
	}
}
