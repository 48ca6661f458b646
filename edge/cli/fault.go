package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// Error is a failure told to a person: what happened and why, and what to do
// next. Commands return it, and so may a ServeFunc.
type Error struct {
	Code    string // for programs: an AWS error code, or one of ours such as "Unreachable"
	Message string // one sentence without a full stop
	Hint    string // what to do next; may be empty, may have several lines
	Err     error  // the cause, where there is one; it is not shown
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// Values of Error.Code for failures that no server reported.
const (
	codeUsage       = "Usage"
	codeCancelled   = "Cancelled"
	codeUnreachable = "Unreachable"
	codeTimeout     = "Timeout"
	codeBadAnswer   = "BadAnswer"
	codeBadSetting  = "BadSetting"
	codeBadCode     = "BadCode"
	codeFunction    = "FunctionError"
	codeFailed      = "Failed"
)

// usageError says that the command was called wrongly: exit code 2.
type usageError struct {
	Message string
	Hint    string
}

func (e *usageError) Error() string { return e.Message }

func usagef(format string, args ...any) error {
	return &usageError{Message: fmt.Sprintf(format, args...)}
}

// fail reports err on standard error and returns the exit code. command is the
// one that failed, or nil.
func (a *app) fail(ctx context.Context, command *cobra.Command, err error) int {
	exit := exitFailed
	shown := &Error{Code: codeFailed, Message: err.Error(), Err: err}

	var usage *usageError
	var answer *apiError
	var told *Error
	switch {
	case errors.As(err, &usage):
		exit = exitUsage
		shown.Code, shown.Hint = codeUsage, usage.Hint
		if command != nil {
			shown.Hint = joinLines(shown.Hint, "usage: "+command.UseLine(), "see: "+command.CommandPath()+" --help")
		}
	case errors.As(err, &told):
		shown = told
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		shown.Code, shown.Message = codeCancelled, "cancelled"
	case errors.As(err, &answer):
		shown = answer.explain()
	}

	text := renderError(shown)
	if a.json || wantsJSON(a.env) {
		text = renderErrorJSON(shown)
	}
	// Nothing is left to tell where standard error itself fails.
	_, _ = a.env.Stderr.Write(text)
	return exit
}

func renderError(e *Error) []byte {
	var b bytes.Buffer
	b.WriteString("ledge: " + strings.ReplaceAll(printable(e.Message), "\n", "\n  ") + "\n")
	if e.Hint != "" {
		b.WriteString("  " + strings.ReplaceAll(printable(e.Hint), "\n", "\n  ") + "\n")
	}
	return b.Bytes()
}

func renderErrorJSON(e *Error) []byte {
	var shape struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Hint    string `json:"hint"`
		} `json:"error"`
	}
	shape.Error.Code, shape.Error.Message, shape.Error.Hint = e.Code, e.Message, e.Hint
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(shape); err != nil { // strings always encode
		return renderError(e)
	}
	return b.Bytes()
}

// wantsJSON looks for --json where the flags could not be parsed, so that a
// program gets even a usage error in the form that it asked for.
func wantsJSON(env Env) bool {
	for _, arg := range env.Args {
		switch arg {
		case "--json", "--json=true":
			return true
		case "--json=false":
			return false
		}
		if arg == "--" {
			break
		}
	}
	on, err := jsonFromEnv(env.Getenv)
	return err == nil && on
}

// jsonFromEnv reads LEDGE_JSON, a boolean as Go writes it; unset means false.
func jsonFromEnv(getenv func(string) string) (bool, error) {
	text := getenv("LEDGE_JSON")
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, usagef("LEDGE_JSON: %q is neither true nor false", text)
	}
	return on, nil
}

func joinLines(lines ...string) string {
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		if line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}
