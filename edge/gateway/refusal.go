package gateway

import (
	"context"
	"errors"

	"ledge/engine"

	"github.com/valyala/fasthttp"
)

// refusal is how an API answers what may not pass. The zero value lets it pass.
type refusal struct {
	status    int
	message   string
	kind      Kind
	challenge string // the value of WWW-Authenticate; empty: none
	// capital writes "Message", as REST APIs do where an authorizer said no and
	// function URLs do everywhere.
	capital bool
}

// answer makes the refusal the response.
func (no refusal) answer(out *fasthttp.Response) {
	if no.challenge != "" {
		out.Header.Set("Www-Authenticate", no.challenge)
	}
	faultNamed(out, no.status, no.message, no.capital || no.kind == KindURL)
	if no.kind == KindHTTP {
		return
	}
	if name := errorType(no.status, no.message); name != "" {
		out.Header.Set("X-Amzn-Errortype", name)
	}
}

// errorType is the name that REST APIs give a refusal in x-amzn-ErrorType
// (docs.aws.amazon.com, "API Gateway gateway response types").
func errorType(status int, message string) string {
	switch status {
	case fasthttp.StatusUnauthorized:
		return "UnauthorizedException"
	case fasthttp.StatusForbidden:
		switch message {
		case missingToken:
			return "MissingAuthenticationTokenException"
		case forbidden:
			return "ForbiddenException"
		}
		return "AccessDeniedException"
	case fasthttp.StatusTooManyRequests:
		if message == limitExceeded {
			return "LimitExceededException"
		}
		return "TooManyRequestsException"
	case fasthttp.StatusInternalServerError, fasthttp.StatusBadGateway:
		return "InternalServerErrorException"
	}
	return ""
}

// Messages of API Gateway that clients look for.
const (
	unauthorized    = "Unauthorized"
	forbidden       = "Forbidden"
	missingToken    = "Missing Authentication Token"
	tooManyRequests = "Too Many Requests"
	limitExceeded   = "Limit Exceeded"
	notAuthorized   = "User is not authorized to access this resource"
	explicitDeny    = notAuthorized + " with an explicit deny"
)

func (k Kind) refuse(status int, message string) refusal {
	return refusal{status: status, message: message, kind: k}
}

// failed is the answer where something behind the API failed, spelled as each
// kind of API does.
func (k Kind) failed(status int) refusal {
	if k == KindREST {
		return k.refuse(status, "Internal server error")
	}
	return k.refuse(status, "Internal Server Error")
}

// unmatched answers where no route matches, or where the API has no stage for
// the path.
func (k Kind) unmatched(out *fasthttp.Response, staged bool) {
	switch {
	case k == KindREST && staged:
		k.refuse(fasthttp.StatusForbidden, missingToken).answer(out)
	case k == KindREST:
		k.refuse(fasthttp.StatusForbidden, forbidden).answer(out)
	default:
		k.refuse(fasthttp.StatusNotFound, "Not Found").answer(out)
	}
}

// ofError is the answer to an error of Invoke, as each kind of API gives it:
// where the function failed, a REST API says 502 and an HTTP API 500; where the
// integration's timeout is over, 504 and 503. The rest is statusOf's.
func (k Kind) ofError(err error) (no refusal, ours bool) {
	_, failed := engine.AsFunctionError(err)
	failed = failed || errors.Is(err, engine.ErrTimeout)
	status, message, ours := statusOf(err)
	switch {
	case k == KindURL:
		return k.refuse(status, message), ours
	case failed || errors.Is(err, engine.ErrNotFound):
		return k.badReply(), false
	case errors.Is(err, context.DeadlineExceeded) && k == KindREST:
		return k.refuse(fasthttp.StatusGatewayTimeout, "Endpoint request timed out"), false
	case errors.Is(err, context.DeadlineExceeded):
		return k.refuse(fasthttp.StatusServiceUnavailable, "Service Unavailable"), false
	case ours:
		return k.failed(status), true
	}
	return k.refuse(status, message), false
}

// badReply is the answer where a function's reply cannot be a response.
func (k Kind) badReply() refusal {
	if k == KindHTTP {
		return k.failed(fasthttp.StatusInternalServerError)
	}
	return k.failed(fasthttp.StatusBadGateway)
}
