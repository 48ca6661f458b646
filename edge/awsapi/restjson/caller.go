package restjson

import (
	"context"
	"fmt"
	"net/http"
)

// Caller is who sends a request.
type Caller interface {
	// ARN names the caller: "arn:aws:iam::000000000000:user/deploys".
	ARN() string
	// Allows reports whether the caller may do that with a function, or with
	// what is no function where name is empty.
	Allows(access Access, function string) bool
}

type contextKey int

const (
	callerKey contextKey = iota
	bodyKey
	operationKey
	resourceKey
)

// WithRequest returns r as an operation sees it: with its caller, its body,
// read and verified, and its operation. It owns the body from then on.
func WithRequest(r *http.Request, caller Caller, body []byte, op *Operation) *http.Request {
	ctx := context.WithValue(r.Context(), callerKey, caller)
	ctx = context.WithValue(ctx, bodyKey, &body)
	ctx = context.WithValue(ctx, operationKey, op)
	ctx = context.WithValue(ctx, resourceKey, new(string))
	r = r.WithContext(ctx)
	r.Body = http.NoBody
	return r
}

// CallerOf returns the caller of a request, nil where there is none.
func CallerOf(ctx context.Context) Caller {
	caller, _ := ctx.Value(callerKey).(Caller)
	return caller
}

// Permit returns an AccessDenied fault where the caller's key is restricted to
// other functions than this one. Operations call it that learn from the body
// which function they are about; the path's was checked before. It also notes
// what the request is about for the audit log.
func Permit(ctx context.Context, function string) error {
	op, _ := ctx.Value(operationKey).(*Operation)
	About(ctx, function)
	caller := CallerOf(ctx)
	if op == nil || caller == nil || caller.Allows(op.Access, function) {
		return nil
	}
	return Denied(caller, op, function)
}

// PermitInvoke returns an AccessDenied fault where the caller could not invoke
// this function itself. Operations call it before they let one function invoke
// another, as a destination or a dead-letter target: a key that is restricted to
// some functions would reach the others through them. An empty name means all
// functions.
func PermitInvoke(ctx context.Context, function string) error {
	caller := CallerOf(ctx)
	if caller == nil || caller.Allows(Invoke, function) {
		return nil
	}
	what := "function " + function
	if function == "" {
		what = "all functions"
	}
	return &Fault{Status: http.StatusForbidden, Code: CodeDenied,
		Message: fmt.Sprintf("User: %s is not authorized to let a function invoke %s because its key does not allow invoke there", caller.ARN(), what)}
}

// About notes what a request turned out to be about, for the audit log.
func About(ctx context.Context, resource string) {
	if at, ok := ctx.Value(resourceKey).(*string); ok {
		*at = resource
	}
}

// ResourceOf returns what About noted.
func ResourceOf(ctx context.Context) string {
	if at, ok := ctx.Value(resourceKey).(*string); ok {
		return *at
	}
	return ""
}

// Denied is the fault of a caller that may not use op, in AWS's words.
func Denied(caller Caller, op *Operation, function string) *Fault {
	resource := "this node"
	if function != "" {
		resource = "function " + function
	}
	return &Fault{Status: http.StatusForbidden, Code: CodeDenied,
		Message: fmt.Sprintf("User: %s is not authorized to perform: %s:%s on resource: %s because its key does not allow %s there",
			caller.ARN(), op.Service, op.Name, resource, op.Access)}
}
