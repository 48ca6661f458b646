package gateway

import (
	"context"
	"errors"

	"ledge/engine"

	"github.com/valyala/fasthttp"
)

// statusOf is the one place where errors of Invoke become statuses. ours says
// that the error is the node's and not the function's or the client's.
func statusOf(err error) (status int, message string, ours bool) {
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return fasthttp.StatusNotFound, "Not Found", false
	case errors.Is(err, engine.ErrThrottled):
		return fasthttp.StatusTooManyRequests, "Too Many Requests", false
	case errors.Is(err, engine.ErrTooLarge):
		return fasthttp.StatusRequestEntityTooLarge, "Request Entity Too Large", false
	case errors.Is(err, engine.ErrOverloaded), errors.Is(err, engine.ErrClosed):
		return fasthttp.StatusServiceUnavailable, "Service Unavailable", false
	case errors.Is(err, engine.ErrTimeout): // before the function errors, of which it is one
		return fasthttp.StatusGatewayTimeout, "Endpoint request timed out", false
	case errors.Is(err, context.Canceled):
		return statusClientClosedRequest, "Client Closed Request", false
	}
	if _, ok := engine.AsFunctionError(err); ok {
		return fasthttp.StatusBadGateway, "Internal Server Error", false
	}
	return fasthttp.StatusInternalServerError, "Internal Server Error", true
}

// statusClientClosedRequest is nobody's to read: the client is gone. It is what
// nginx logs for it.
const statusClientClosedRequest = 499
