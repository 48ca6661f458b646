package gateway

import (
	"fmt"

	"ledge/engine"
)

// check looks at everything of one of the node's own routes but its method and
// path.
func (r Route) check() error {
	if r.Mock != nil || r.Authorizer != nil || len(r.Scopes) > 0 || r.KeyRequired || r.Throttle != (Throttle{}) ||
		r.Operation != "" || r.ResourceID != "" || r.Timeout != 0 || r.Payload == PayloadV1 {
		return &RouteError{r.Key(), "it has what only routes of an API have", "publish it as a route of an API"}
	}
	return r.checkFunction()
}

// checkOfAPI is check for a route of an API.
func (r Route) checkOfAPI(kind Kind) error {
	switch {
	case r.CORS != nil:
		return &RouteError{r.Key(), "CORS is set for one route of an API", "set it for the stage"}
	case r.Events != EventsOnRequest:
		return &RouteError{r.Key(), "it says whether it takes events, and is of an API", "set it for one of the node's own routes"}
	case r.Timeout < 0:
		return &RouteError{r.Key(), fmt.Sprintf("the timeout %s is negative", r.Timeout), "leave it zero for the function's own"}
	case kind == KindREST && r.Payload == PayloadV2 && r.Mock == nil:
		return &RouteError{r.Key(), "a REST API has no payload format 2.0", "use PayloadV1"}
	case len(r.Scopes) > 0 && (r.Authorizer == nil || r.Authorizer.JWT == nil):
		return &RouteError{r.Key(), "it wants scopes without a JWT authorizer", "add the authorizer, or remove the scopes"}
	case !validScopes(r.Scopes):
		return &RouteError{r.Key(), fmt.Sprintf("%q are not scopes", r.Scopes), fmt.Sprintf("use at most %d, of visible ASCII without quotes and backslashes", maxScopes)}
	case r.Mock != nil && r.Function != "":
		return &RouteError{r.Key(), "it has a function and a mock", "remove one of the two"}
	case r.Mock != nil:
		return r.Mock.check(r.Key())
	}
	return r.checkFunction()
}

func (r Route) checkFunction() error {
	switch {
	case r.Events > EventsAlways:
		return &RouteError{r.Key(), fmt.Sprintf("%d is not a way to take events", r.Events), "use EventsOnRequest, EventsNever or EventsAlways"}
	case !engine.ValidName(r.Function):
		return &RouteError{r.Key(), fmt.Sprintf("%q is not a function name", r.Function), "name a deployed function"}
	case !validQualifier(r.Qualifier):
		return &RouteError{r.Key(), fmt.Sprintf("%q is not a version or an alias", r.Qualifier), "leave it empty for " + engine.Latest}
	case r.Payload > PayloadV1:
		return &RouteError{r.Key(), fmt.Sprintf("payload format %d is unknown", r.Payload), "use PayloadV2 or PayloadRaw"}
	case r.ContentType != "" && r.Payload != PayloadRaw:
		return &RouteError{r.Key(), "a content type is set", "only raw routes have one; others set it in the reply"}
	case !validFieldValue([]byte(r.ContentType)):
		return &RouteError{r.Key(), fmt.Sprintf("%q is not a content type", r.ContentType), "write it as text/plain; charset=utf-8"}
	case r.CORS == nil:
		return nil
	}
	if why, hint := r.CORS.check(); why != "" {
		return &RouteError{r.Key(), why, hint}
	}
	return nil
}

// maxScopes bounds the scopes of one route.
const maxScopes = 100

// validScopes follows RFC 6749, section 3.3.
func validScopes(scopes []string) bool {
	for _, s := range scopes {
		if s == "" || len(s) > 256 {
			return false
		}
		for i := range len(s) {
			if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
				return false
			}
		}
	}
	return len(scopes) <= maxScopes
}

// validQualifier follows AWS Lambda's pattern for qualifiers.
func validQualifier(q string) bool {
	if q == "" || q == engine.Latest {
		return true
	}
	for i := range len(q) {
		if c := q[i]; !isAlphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return len(q) <= 128
}
