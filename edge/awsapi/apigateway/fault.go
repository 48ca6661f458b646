package apigateway

import (
	"errors"
	"fmt"
	"net/http"

	"ledge/edge"
	"ledge/edge/awsapi/restjson"
	"ledge/edge/gateway"
	"ledge/persist"
)

// Codes of API Gateway's errors
// (https://docs.aws.amazon.com/apigateway/latest/api/CommonErrors.html).
const (
	codeBadRequest    = "BadRequestException"
	codeConflict      = "ConflictException"
	codeLimit         = "LimitExceededException"
	codeNotFound      = "NotFoundException"
	codeSerialization = "SerializationException"
)

func badRequest(format string, args ...any) error {
	return &restjson.Fault{Status: http.StatusBadRequest, Code: codeBadRequest, Message: fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &restjson.Fault{Status: http.StatusConflict, Code: codeConflict, Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &restjson.Fault{Status: http.StatusNotFound, Code: codeNotFound, Message: fmt.Sprintf(format, args...)}
}

func limitExceeded(format string, args ...any) error {
	return &restjson.Fault{Status: http.StatusTooManyRequests, Code: codeLimit, Message: fmt.Sprintf(format, args...)}
}

func notImplemented(format string, args ...any) error {
	return restjson.NotImplemented(fmt.Sprintf(format, args...))
}

// missing turns persist.ErrNotFound into API Gateway's error with that message.
func missing(err error, format string, args ...any) error {
	if errors.Is(err, persist.ErrNotFound) {
		return notFound(format, args...)
	}
	return err
}

// faultOf translates the errors of the parts below that say what is wrong with a
// request. Others are the front's to judge.
func faultOf(err error) error {
	var (
		known  *restjson.Fault
		api    *gateway.APIError
		route  *gateway.RouteError
		keySet *edge.KeySetError
	)
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &keySet):
		return badRequest("%s", keySet.Error())
	case errors.As(err, &api):
		return badRequest("the node cannot serve that: %s", api.Error())
	case errors.As(err, &route):
		return badRequest("%s", route.Error())
	case errors.Is(err, persist.ErrInvalid):
		return limitExceeded("%s", err.Error())
	case errors.Is(err, persist.ErrNotFound):
		return notFound("%s", err.Error())
	}
	return err
}

// read decodes the body of a request into v.
func read(r *http.Request, v any) error {
	err := restjson.ReadJSON(r, v)
	var fault *restjson.Fault
	if errors.As(err, &fault) {
		return &restjson.Fault{Status: fault.Status, Code: codeSerialization, Message: fault.Message}
	}
	return err
}

// refusal is a member of a request that this node does not support.
type refusal struct {
	member string
	given  bool
	why    string
}

// refuse returns the error for the first refusal that is given.
func refuse(members ...refusal) error {
	for _, m := range members {
		if m.given {
			return notImplemented("%s is not supported by this node: %s", m.member, m.why)
		}
	}
	return nil
}
