package schedules

import (
	"errors"
	"fmt"
	"net/http"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// Codes of Scheduler's errors
// (https://docs.aws.amazon.com/scheduler/latest/APIReference/CommonErrors.html).
const (
	codeConflict   = "ConflictException"
	codeNotFound   = "ResourceNotFoundException"
	codeQuota      = "ServiceQuotaExceededException"
	codeValidation = restjson.CodeValidation
)

func invalid(format string, args ...any) error {
	return &restjson.Fault{Status: http.StatusBadRequest, Code: codeValidation, Message: fmt.Sprintf(format, args...)}
}

func notFound(what, name string) error {
	return &restjson.Fault{Status: http.StatusNotFound, Code: codeNotFound, Message: fmt.Sprintf("%s %s does not exist.", what, name)}
}

func conflict(what, name string) error {
	return &restjson.Fault{Status: http.StatusConflict, Code: codeConflict, Message: fmt.Sprintf("%s %s already exists.", what, name)}
}

// notImplemented refuses what AWS has and this node has not.
func notImplemented(format string, args ...any) error {
	return restjson.NotImplemented(fmt.Sprintf(format, args...))
}

// What errors call things.
const (
	aSchedule = "Schedule"
	aGroup    = "Schedule Group"
)

// faultOf translates an error of the store about a schedule or a group. What it
// does not know is the front's to judge.
func faultOf(err error, what, name string) error {
	switch {
	case errors.Is(err, persist.ErrNotFound):
		return notFound(what, name)
	case errors.Is(err, persist.ErrExists):
		return conflict(what, name)
	case errors.Is(err, persist.ErrTooMany):
		// AWS answers 402 here.
		return &restjson.Fault{Status: http.StatusPaymentRequired, Code: codeQuota, Message: err.Error()}
	case errors.Is(err, persist.ErrInvalid):
		return invalid("%s", err.Error())
	}
	return err
}

// read decodes the body of a request into v.
func read(r *http.Request, v any) error {
	err := restjson.ReadJSON(r, v)
	var fault *restjson.Fault
	if errors.As(err, &fault) {
		return invalid("%s", fault.Message)
	}
	return err
}
