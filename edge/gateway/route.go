package gateway

import (
	"fmt"
	"strings"
	"time"
)

// Payload says what a function gets from a request and how its reply is read.
type Payload uint8

const (
	// PayloadV2 is API Gateway's payload format 2.0, for the event and the reply.
	PayloadV2 Payload = iota
	// PayloadRaw gives the function the request's body and the client the reply.
	PayloadRaw
	// PayloadV1 is API Gateway's payload format 1.0: in a REST API its flavour,
	// elsewhere that of HTTP APIs, which begins with "version":"1.0".
	PayloadV1
)

// Route says which function serves which requests. It is a value; NewTable
// keeps its own copy.
type Route struct {
	// Method is GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS or ANY. For
	// $default it is ANY or empty.
	Method string
	// Path is $default, or segments of the forms literal, {param} and, as the
	// last one, {proxy+}: "/users/{id}/files/{path+}".
	Path string

	Function  string
	Qualifier string // a version or an alias; empty means engine.Latest

	Payload Payload
	// ContentType is that of the responses of a PayloadRaw route. Empty means
	// application/octet-stream.
	ContentType string

	CORS *CORS // nil: the function sees OPTIONS requests and sets its own headers

	Events Events // whether requests may become events; not of a route of an API

	// What follows is for routes of an API, see NewAPIs; a Table has none of it.

	Mock        *Mock       // answers in place of a Function
	Authorizer  *Authorizer // nil: everybody may call
	Scopes      []string    // one of them must be in the JWT; empty: no matter
	KeyRequired bool        // an API key of a usage plan for the stage
	Throttle    Throttle
	Operation   string // operationName in the events of REST APIs
	ResourceID  string // resourceId in the events of REST APIs
	// Timeout is the integration's: the Invocation is cancelled after it. Zero
	// leaves it to the function's own.
	Timeout time.Duration
}

// DefaultPath is the Path of the route that serves what no other route does.
const DefaultPath = "$default"

// Key returns the route key as API Gateway writes it: "GET /hello/{name}" or
// "$default".
func (r Route) Key() string {
	if r.Path == DefaultPath {
		return DefaultPath
	}
	return r.Method + " " + r.Path
}

// RouteError says which route is wrong, why, and what would be right.
type RouteError struct {
	Route string // the route as it was written
	Why   string
	Hint  string
}

func (e *RouteError) Error() string {
	text := fmt.Sprintf("route %q: %s", e.Route, e.Why)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Bounds of what ParseRoute and NewTable accept.
const (
	MaxPathBytes    = 512   // of a route's path
	MaxSegments     = 32    // of a route's path
	MaxSegmentBytes = 255   // of one literal
	MaxParams       = 16    // of a route's path
	MaxParamName    = 64    // bytes
	MaxRoutes       = 10000 // of a Table
)

// ParseRoute reads a route as API Gateway's HTTP APIs write it, for example
// "GET /hello/{name}", "ANY /files/{proxy+}" or "$default". The method of
// $default is "ANY". The error is a *RouteError.
func ParseRoute(text string) (method, path string, err error) {
	if text == DefaultPath {
		return methodNames[methodAny], DefaultPath, nil
	}
	method, path, found := strings.Cut(text, " ")
	if !found {
		if strings.HasPrefix(text, "/") {
			return "", "", &RouteError{text, "the method is missing", "write 'ANY " + text + "' to serve every method"}
		}
		return "", "", &RouteError{text, "it is not a method and a path", "write it as 'GET /hello/{name}' or $default"}
	}
	if path == DefaultPath {
		return "", "", &RouteError{text, "$default takes no method", "write $default alone"}
	}
	if _, err := parseRoute(text, method, path); err != nil {
		return "", "", err
	}
	return method, path, nil
}

// method is an index into the endpoints of a path.
type method uint8

const (
	methodGet method = iota
	methodPost
	methodPut
	methodPatch
	methodDelete
	methodHead
	methodOptions
	methodAny
	methodCount

	methodOther // any other token; only ANY and $default serve it
	methodNone  // CONNECT and TRACE, which no route serves
)

// methodNames are the methods that a route may name, by index.
var methodNames = [methodCount]string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"}

// methodOf returns the method of a request. A request for the method "ANY" is
// for an unknown method.
func methodOf(name []byte) method {
	switch string(name) {
	case "GET":
		return methodGet
	case "POST":
		return methodPost
	case "PUT":
		return methodPut
	case "PATCH":
		return methodPatch
	case "DELETE":
		return methodDelete
	case "HEAD":
		return methodHead
	case "OPTIONS":
		return methodOptions
	case "CONNECT", "TRACE":
		return methodNone
	}
	return methodOther
}

// segmentKind orders what a segment of a route's path may be.
type segmentKind uint8

const (
	segmentLiteral segmentKind = iota
	segmentParam
	segmentGreedy
)

type segment struct {
	kind segmentKind
	text string // the literal, or the parameter's name
}

// pattern is a parsed route.
type pattern struct {
	method   method
	fallback bool // $default
	segments []segment
}

// parseRoute checks method and path; text names the route in errors.
func parseRoute(text, methodName, path string) (pattern, error) {
	var p pattern
	if path == DefaultPath {
		if methodName != "" && methodName != "ANY" {
			return p, &RouteError{text, "$default takes no method", "leave the method empty"}
		}
		return pattern{method: methodAny, fallback: true}, nil
	}
	p.method = methodCount
	for i, name := range methodNames {
		if methodName == name {
			p.method = method(i)
		}
	}
	if p.method == methodCount {
		why := fmt.Sprintf("%q is not a method", methodName)
		if upper := strings.ToUpper(methodName); upper != methodName {
			return p, &RouteError{text, why, "methods are in capitals: " + upper}
		}
		return p, &RouteError{text, why, "use GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS or ANY"}
	}
	switch {
	case !strings.HasPrefix(path, "/"):
		return p, &RouteError{text, "the path does not begin with /", "write /" + path}
	case len(path) > MaxPathBytes:
		return p, &RouteError{text, fmt.Sprintf("the path has %d bytes", len(path)), fmt.Sprintf("use at most %d", MaxPathBytes)}
	case path == "/":
		return p, nil
	}
	params := 0
	for part := range strings.SplitSeq(path[1:], "/") {
		if len(p.segments) == MaxSegments {
			return p, &RouteError{text, "the path has too many segments", fmt.Sprintf("use at most %d", MaxSegments)}
		}
		if n := len(p.segments); n > 0 && p.segments[n-1].kind == segmentGreedy {
			return p, &RouteError{text, "segments follow {" + p.segments[n-1].text + "+}", "a greedy parameter must be the last segment"}
		}
		s, why, hint := parseSegment(part)
		if why != "" {
			return p, &RouteError{text, why, hint}
		}
		if s.kind != segmentLiteral {
			if params++; params > MaxParams {
				return p, &RouteError{text, "the path has too many parameters", fmt.Sprintf("use at most %d", MaxParams)}
			}
			for _, earlier := range p.segments {
				if earlier.kind != segmentLiteral && earlier.text == s.text {
					return p, &RouteError{text, "the parameter {" + s.text + "} appears twice", "give each parameter its own name"}
				}
			}
		}
		p.segments = append(p.segments, s)
	}
	return p, nil
}

// parseSegment reads one segment; why is empty when it is right.
func parseSegment(part string) (s segment, why, hint string) {
	switch {
	case part == "":
		return s, "the path has an empty segment", "write neither // nor a / at the end"
	case part == "." || part == "..":
		return s, "the path has a dot segment", "clients resolve . and .. before they ask"
	case len(part) > MaxSegmentBytes:
		return s, fmt.Sprintf("a segment has %d bytes", len(part)), fmt.Sprintf("use at most %d", MaxSegmentBytes)
	case !strings.ContainsAny(part, "{}"):
		for i := range len(part) {
			if !isPathByte(part[i]) {
				return s, fmt.Sprintf("%q cannot stand in a segment", part[i]),
					"use letters, digits and -._~!$&'()*+,;=:@; requests are compared after percent-decoding"
			}
		}
		return segment{segmentLiteral, part}, "", ""
	}
	name, found := strings.CutPrefix(part, "{")
	name, closed := strings.CutSuffix(name, "}")
	if !found || !closed || strings.ContainsAny(name, "{}") {
		return s, fmt.Sprintf("%q is half a parameter", part), "a parameter is a whole segment: /{name}/"
	}
	s.kind = segmentParam
	if greedy, ok := strings.CutSuffix(name, "+"); ok {
		name, s.kind = greedy, segmentGreedy
	}
	if name == "" || len(name) > MaxParamName {
		return s, fmt.Sprintf("%q has no usable name", part), fmt.Sprintf("use 1 to %d letters, digits and -._:", MaxParamName)
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && !strings.ContainsRune("-._:", rune(c)) {
			return s, fmt.Sprintf("%q cannot stand in a parameter's name", c), "use letters, digits and -._:"
		}
	}
	s.text = name
	return s, "", ""
}

// isPathByte reports whether c may stand in a literal: RFC 3986's pchar
// without percent-encoding.
func isPathByte(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
