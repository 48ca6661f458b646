package awsapi

import (
	"net/http"

	"ledge/edge/awsapi/restjson"
)

type violations = restjson.Violations

// notFound is the fault of something that does not exist.
func notFound(message string) *fault {
	return &fault{Status: http.StatusNotFound, Code: codeNotFound, Message: message}
}

// conflict is the fault of something that exists already or is in use.
func conflict(message string) *fault {
	return &fault{Status: http.StatusConflict, Code: codeConflict, Message: message}
}

// unsupported is the fault of a member that asks for what the node has not. To
// ignore it would be to pretend.
func unsupported(member, why string) *fault {
	return invalid(member + " is not supported by this node: " + why)
}
