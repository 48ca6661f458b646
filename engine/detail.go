package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"ledge/engine/capi"
)

// What a handler's context object shows of its Invocation beside the request's id: the
// ARN that was invoked and the client context. An Invocation by no alias and without a
// client context, which is nearly every one, carries no details: its context object
// shows what the Snapshot knows.

// MaxClientContext bounds Invocation.ClientContext, in bytes. AWS Lambda allows 3583
// bytes of its base64 form.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestSyntax
const MaxClientContext = 3583 / 4 * 3

func checkClientContext(text []byte) error {
	if len(text) > MaxClientContext {
		return fmt.Errorf("%d bytes: %w", len(text), ErrClientContext)
	}
	object := bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
	if !object || !json.Valid(text) || !utf8.Valid(text) {
		return ErrClientContext
	}
	return nil
}

// arn returns the ARN of a function without a qualifier.
func (r *Runtime) arn(name string) string {
	return FunctionARN(r.cfg.Region, name, "")
}

// ownQualifier is how an Invocation of this version says so, where it must.
func (f *Function) ownQualifier() string {
	if f.Version == Latest {
		return ""
	}
	return f.Version
}

// tellDetails gives the guest the details of the Invocation, in the form that ledge.h of
// the languages describes.
func (p *program) tellDetails(in *instance, f *Function, inv *Invocation) error {
	if p.arn == "" {
		return nil
	}
	q := inv.Qualifier
	if inv.ClientContext == nil && q == f.ownQualifier() {
		in.shell.Details(0)
		return nil
	}
	size := len(p.arn) + len("\n") + len(inv.ClientContext)
	if q != "" {
		size += len(":") + len(q)
	}
	to := in.shell.Details(size)
	if to == nil {
		return capi.ErrNoMemory
	}
	to = append(to[:0], p.arn...)
	if q != "" {
		to = append(append(to, ':'), q...)
	}
	_ = append(append(to, '\n'), inv.ClientContext...) // in place: there is room
	return nil
}
