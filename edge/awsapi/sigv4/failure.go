package sigv4

import "fmt"

// Codes of errors, as AWS spells them
// (https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html). All of them
// are answered with status 403. SDKs that get CodeInvalid correct their clock by
// the response's Date header where it is more than five minutes off, and try
// again.
const (
	CodeMissing    = "MissingAuthenticationTokenException"
	CodeIncomplete = "IncompleteSignatureException"
	CodeInvalid    = "InvalidSignatureException"
)

// Reason tells why a signature was refused, for counting.
type Reason uint8

const (
	Missing   Reason = iota + 1 // there is none
	Malformed                   // it cannot be understood
	Skewed                      // it is too old, or from the future
	Misscoped                   // it is for another service, or another date
	Mismatch                    // it was not made with this secret for this request
)

// Error says why a request is not accepted, in AWS's words where those are known.
type Error struct {
	Code    string // one of the constants
	Message string // for the client; it tells nothing that the client did not send
	Reason  Reason
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func incomplete(format string, args ...any) *Error {
	return &Error{Code: CodeIncomplete, Message: fmt.Sprintf(format, args...), Reason: Malformed}
}

func invalid(reason Reason, format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf(format, args...), Reason: reason}
}

// mismatch is what everybody is told whose signature is another one.
func mismatch() *Error {
	return invalid(Mismatch, "The request signature we calculated does not match the signature you provided. "+
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}
