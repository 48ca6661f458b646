package restjson

import (
	"fmt"
	"net/http"
	"strings"
)

// ServiceNode is the Service of a node's own operations, which AWS has not.
const ServiceNode = "ledge"

// Access is what a key must be allowed to do to use an operation.
type Access uint8

const (
	Read   Access = iota + 1 // look at something
	Invoke                   // run a function
	Deploy                   // change functions, APIs, schedules
	Admin                    // change keys, read the audit log
)

func (a Access) String() string {
	switch a {
	case Read:
		return "read"
	case Invoke:
		return "invoke"
	case Deploy:
		return "deploy"
	case Admin:
		return "admin"
	}
	return "none"
}

// Operation is one operation of a service.
type Operation struct {
	// Service is the name that requests are signed for and that policies use:
	// "lambda", "apigateway", "scheduler", "sts", ServiceNode.
	Service string
	// Name is AWS's: "CreateFunction".
	Name string
	// Method and Path are what a request has, Path in the form of
	// http.ServeMux: "/2015-03-31/functions/{name}". A final slash is optional in
	// requests. Values are percent-decoded in Request.PathValue.
	Method, Path string
	// Matches tells operations apart that have the same method and path: the
	// first that matches gets the request. Nil matches all.
	Matches func(*http.Request) bool
	// Access is what the caller's key must be allowed to do.
	Access Access
	// Function returns the name of the function that a request is about, for keys
	// that are restricted to some. Nil means that the request is about none, or
	// that it names it in its body: Serve then asks Permit.
	Function func(*http.Request) string
	// InBody says that Serve asks Permit for the function that the body names.
	InBody bool
	// MaxBody bounds the request's body in bytes; 0 means MaxSettings.
	MaxBody int64
	// Serve answers. An error that it returns is written as an AWS error. Nil
	// means that the node refuses the operation: Note says why.
	Serve Handler
	// Note says in the documentation what is different here, and to a client why
	// an operation is refused. A sentence without a full stop, or empty.
	Note string
}

// Handler answers one request. An error that it returns is written as an AWS
// error, unless the response has begun: then the connection is cut.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Changes reports whether the operation changes the node, so that it is
// audited and its signature is good for one use.
func (o *Operation) Changes() bool {
	return o.Access == Deploy || o.Access == Admin && o.Method != http.MethodGet
}

// Answer serves one request, or says why the node refuses the operation.
func (o *Operation) Answer(w http.ResponseWriter, r *http.Request) error {
	if o.Serve == nil {
		return NotImplemented(fmt.Sprintf("%s is not implemented by this node: %s", o.Name, o.Note))
	}
	return o.Serve(w, r)
}

// OfOwnARNs returns o for requests alone in which the parameter of its path is an
// ARN of its own service: services share the path "/tags/{arn}".
func OfOwnARNs(o Operation, parameter string) Operation {
	o.Matches = func(r *http.Request) bool {
		parts := strings.SplitN(r.PathValue(parameter), ":", 4)
		return len(parts) == 4 && parts[2] == o.Service
	}
	return o
}
