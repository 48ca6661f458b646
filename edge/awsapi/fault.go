package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"ledge/edge"
	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/restjson"
	"ledge/edge/gateway"
	"ledge/engine"
	"ledge/persist"
)

// Codes of AWS Lambda's errors
// (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors).
const (
	codeNotFound = "ResourceNotFoundException"
	codeConflict = "ResourceConflictException"
	codeInvalid  = restjson.CodeInvalid // for other reasons than codeValidation
	codeContent  = restjson.CodeContent
	codeTooLarge = "RequestTooLargeException" // of invocations
	// codeEntityTooLarge is not in the service model; it is what Lambda answers to
	// a body that it does not read.
	codeEntityTooLarge = "RequestEntityTooLargeException"
	codeThrottled      = "TooManyRequestsException"
	codePrecondition   = "PreconditionFailedException"
	codeService        = "ServiceException"
	codeValidation     = restjson.CodeValidation
)

// fault is an error as a client of AWS sees it.
type fault = restjson.Fault

// invalid is the fault of a parameter whose value cannot be.
func invalid(message string) *fault {
	return &fault{Status: http.StatusBadRequest, Code: codeInvalid, Message: message}
}

// faultOf is the error table of the control plane. What it does not know is a
// failure of the node.
func faultOf(err error) *fault {
	var (
		known   *fault
		refused *identity.Error
		archive *persist.ArchiveError
		route   *gateway.RouteError
		deploy  *engine.DeployError
		below   *edge.ProvisionedError
	)
	of := func(status int, code string) *fault { return &fault{Status: status, Code: code, Message: err.Error()} }
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &refused):
		return &fault{Status: refused.Status, Code: refused.Code, Message: refused.Message, Retry: int(refused.Retry / time.Second)}

	// The state of the node comes before what it was asked: the same request
	// may succeed later.
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f := of(http.StatusInsufficientStorage, "InsufficientStorageException")
		f.Message = "the disk of the data folder is full; delete functions that are not needed or make room, then try again (" + err.Error() + ")"
		return f
	case errors.Is(err, engine.ErrOverloaded):
		f := of(http.StatusServiceUnavailable, codeService)
		f.Retry = 1
		return f
	case errors.Is(err, engine.ErrClosed), errors.Is(err, persist.ErrClosed):
		f := of(http.StatusServiceUnavailable, codeService)
		f.Message, f.Retry = "the node is stopping", 5
		return f
	case errors.Is(err, engine.ErrThrottled):
		f := of(http.StatusTooManyRequests, codeThrottled)
		f.Message, f.Reason, f.Retry = "Rate Exceeded.", "ReservedFunctionConcurrentInvocationLimitExceeded", 1
		return f

	case errors.Is(err, engine.ErrTooLarge):
		return of(http.StatusRequestEntityTooLarge, codeTooLarge)
	case errors.Is(err, edge.ErrRevision):
		f := of(http.StatusPreconditionFailed, codePrecondition)
		f.Message = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
		return f
	case errors.As(err, &below):
		return invalid(fmt.Sprintf("Specified ReservedConcurrentExecutions for function should not be lower than function's total provisioned concurrency [%d].", below.Provisioned))
	case errors.As(err, &archive), errors.As(err, &route), errors.As(err, &deploy), errors.Is(err, persist.ErrInvalid):
		return of(http.StatusBadRequest, codeInvalid)
	case errors.Is(err, persist.ErrExists), errors.Is(err, persist.ErrConflict):
		return of(http.StatusConflict, codeConflict)
	case errors.Is(err, persist.ErrNotFound), errors.Is(err, engine.ErrNotFound):
		return of(http.StatusNotFound, codeNotFound)
	}
	return of(http.StatusInternalServerError, codeService)
}
