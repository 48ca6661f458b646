package awsapi

import (
	"context"
	"fmt"
	"net/http"

	"ledge/edge/awsapi/restjson"
)

// mayInvoke refuses to let a function invoke another one that the caller could
// not invoke itself: a key that is restricted to some functions would reach the
// others through their settings. An empty name means all functions.
func mayInvoke(ctx context.Context, name string) error {
	caller := restjson.CallerOf(ctx)
	if caller == nil || caller.Allows(restjson.Invoke, name) {
		return nil
	}
	what := "function " + name
	if name == "" {
		what = "all functions"
	}
	return &fault{Status: http.StatusForbidden, Code: restjson.CodeDenied,
		Message: fmt.Sprintf("User: %s is not authorized to let a function invoke %s because its key does not allow invoke there", caller.ARN(), what)}
}

// permit is mayInvoke for the functions that settings name.
func (s *ledgeSettings) permit(ctx context.Context) error {
	if s == nil || s.AllowInvoke == nil {
		return nil
	}
	for _, name := range *s.AllowInvoke {
		if name == "*" {
			name = ""
		}
		if err := mayInvoke(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
