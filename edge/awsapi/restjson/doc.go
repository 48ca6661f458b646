// Package restjson is AWS's REST-JSON protocol
// (https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html) as the
// services of the control plane share it: how an operation is declared, how
// requests are read, how replies and errors are written.
//
// A service is a list of Operations. An operation that the node refuses is in
// the list too, with its reason: so a client is told by name what is missing,
// and the documentation's table is made from the same list.
//
// Bodies are read once, before the operation runs, because a signature covers
// them; ReadJSON and Body give the bytes that were verified. Who sends a request
// and what that key may do is in the request's context: see Caller.
package restjson
