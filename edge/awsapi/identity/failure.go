package identity

import (
	"fmt"
	"net/http"
	"time"
)

// Codes of errors, as AWS spells them
// (https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html), besides those of
// package sigv4.
const (
	CodeUnrecognized = "UnrecognizedClientException"
	CodeExpired      = "ExpiredTokenException"
	CodeDenied       = "AccessDeniedException"
	CodeThrottled    = "ThrottlingException"
	CodeInvalid      = "InvalidParameterValueException"
	CodeNotFound     = "ResourceNotFoundException"
	CodeConflict     = "ResourceConflictException"
)

// Error is a refusal as the client is told it.
type Error struct {
	Status  int // of the HTTP response
	Code    string
	Message string
	Retry   time.Duration // whole seconds for Retry-After; 0 sends none
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func forbidden(code, message string) *Error {
	return &Error{Status: http.StatusForbidden, Code: code, Message: message}
}

// unrecognized is what all are told whose key is unknown, disabled or unusable, so
// that nobody learns which keys there are.
func unrecognized() *Error {
	return forbidden(CodeUnrecognized, "The security token included in the request is invalid.")
}

// throttled asks the client to come back. SDKs take the code for throttling,
// whatever the status; 429 is what everybody else understands.
func throttled(message string, retry time.Duration) *Error {
	retry = (retry + time.Second - 1).Truncate(time.Second)
	return &Error{Status: http.StatusTooManyRequests, Code: CodeThrottled, Message: message, Retry: retry}
}

func invalid(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: CodeInvalid, Message: fmt.Sprintf(format, args...)}
}

func notFound(id string) *Error {
	return &Error{Status: http.StatusNotFound, Code: CodeNotFound, Message: fmt.Sprintf("There is no access key %q.", id)}
}

func conflict(format string, args ...any) *Error {
	return &Error{Status: http.StatusConflict, Code: CodeConflict, Message: fmt.Sprintf(format, args...)}
}
