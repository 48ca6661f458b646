package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Codes of AWS Lambda's API that mean something to a command.
const (
	awsNotFound      = "ResourceNotFoundException"
	awsConflict      = "ResourceConflictException"
	awsBadContent    = "InvalidRequestContentException"
	awsTooLarge      = "RequestTooLargeException"
	awsBodyTooLarge  = "RequestEntityTooLargeException" // of a body that the node does not read
	awsThrottled     = "TooManyRequestsException"
	awsPrecondition  = "PreconditionFailedException"
	awsNotSupported  = "NotImplementedException"
	awsServiceFailed = "ServiceException"
)

// apiError is a reply of the control plane that is no success, in the shape of
// AWS Lambda's errors
// (https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html): the code
// in the header x-amzn-ErrorType, the sentence in the body.
type apiError struct {
	Status  int
	Code    string // empty: the reply had none
	Message string
	Retry   string // the header Retry-After
	Source  string // where the credentials that were sent are from; empty: none were
}

func (e *apiError) Error() string { return e.Message }

// decodeAPIError never fails: what it cannot read it shows.
func (c *client) decodeAPIError(resp *http.Response, text []byte) error {
	var body struct {
		Type    string `json:"Type"`
		Code    string `json:"__type"`
		Message string `json:"Message"` // encoding/json finds "message" too
	}
	isJSON := json.Unmarshal(text, &body) == nil
	// A code may carry a namespace or a URL: "com.amazonaws#Code", "Code:http://...".
	code, _, _ := strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	if code == "" {
		code = body.Code
	}
	code = code[strings.LastIndexByte(code, '#')+1:]

	// A node's own "not found" has a code; that of its HTTP routes, or of any
	// other server, has none.
	stranger := code == "" && resp.StatusCode == http.StatusNotFound
	if stranger || body.Message == "" && (code == "" || !isJSON) {
		return &Error{
			Code:    codeBadAnswer,
			Message: fmt.Sprintf("%s answered %d %s and not as a Ledge node does: %s", c.node, resp.StatusCode, http.StatusText(resp.StatusCode), excerpt(text)),
			Hint:    "is something else listening there, or a node of another version? ask it: ledge version",
		}
	}
	e := &apiError{Status: resp.StatusCode, Code: code, Message: body.Message, Retry: resp.Header.Get("Retry-After"), Source: c.as.source}
	if e.Message == "" {
		e.Message = "the node answered " + code
	}
	return e
}

// explain adds what to do about a failure that no command knows better.
func (e *apiError) explain() *Error {
	told := &Error{Code: e.Code, Message: withoutStop(e.Message), Err: e}
	switch {
	case e.identityHint() != "":
		told.Hint = e.identityHint()
	case e.Code == awsThrottled && strings.Contains(e.Message, "queue is full"): // the code is that of other throttles too
		told.Hint = "see what waits: ledge queue ls; remove what nobody needs: ledge queue purge;\n" +
			"or start the node with more room: ledge serve --queue-jobs N --queue-bytes SIZE, or with --queue-when-full drop-oldest"
	case e.Code == awsNotFound && strings.Contains(e.Message, "no dead letter"):
		told.Hint = "see which events were given up: ledge failed ls"
	case e.Code == awsTooLarge || e.Status == http.StatusRequestEntityTooLarge:
		told.Hint = "send less, or put large data into the function's code or behind a URL"
	case e.Code == awsThrottled:
		told.Hint = "all of the function's concurrency is in use: try again, or deploy it with a higher --concurrency"
	case e.Code == awsPrecondition:
		told.Hint = "somebody changed it in the meantime: look at it with ledge get, then try again"
	case e.Code == awsNotSupported || e.Status == http.StatusNotImplemented:
		told.Hint = "the node may be older than this command: compare them with ledge version"
	case e.Status == http.StatusServiceUnavailable:
		told.Hint = "the node is overloaded: try again"
		if e.Retry != "" {
			told.Hint += " in " + e.Retry + " s"
		}
	case e.Status == http.StatusInsufficientStorage:
		told.Hint = "make room on the disk of the data folder, then try again"
	case e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized:
		told.Hint = "the node does not take this from here; on the node itself use its socket: --data DIR"
	case e.Code == awsServiceFailed || e.Status >= 500:
		told.Hint = "this is a failure of the node, not of your request: see its output"
	}
	if told.Code == "" {
		told.Code = fmt.Sprintf("HTTP%d", e.Status)
	}
	return told
}

// withoutStop cuts the full stop of a sentence. That of "function." stays: it is a
// part of how buckets are called.
func withoutStop(message string) string {
	message = strings.TrimRight(message, "\n")
	if strings.HasSuffix(message, " "+ownBucket) {
		return message
	}
	return strings.TrimRight(message, ".")
}

// isCode reports whether err is a reply with that code.
func isCode(err error, code string) (*apiError, bool) {
	var e *apiError
	found := errors.As(err, &e) && e.Code == code
	return e, found
}

// errorOf reports whether err is a reply with that status.
func errorOf(err error, status int) (*apiError, bool) {
	var e *apiError
	found := errors.As(err, &e) && e.Status == status
	return e, found
}

// missingFunction makes the sentence for a function that is not there out of a
// reply that says so; other errors pass.
func missingFunction(err error, t target) error {
	e, missing := isCode(err, awsNotFound)
	if !missing {
		return err
	}
	told := &Error{Code: e.Code, Message: fmt.Sprintf("function %s not found", t), Hint: "see what is there: ledge ls", Err: err}
	if t.Qualifier != "" {
		told.Hint = "is there such a version or alias, and is there the function at all? see: ledge get " + t.Name
	}
	return told
}
