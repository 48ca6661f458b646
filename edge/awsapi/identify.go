package awsapi

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"

	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/restjson"
)

// identify admits who has a key, on the network. What can be refused without
// the body is refused before it is read.
func (a *api) identify(w http.ResponseWriter, r *http.Request, op *restjson.Operation, read func() ([]byte, error)) (admitted, error) {
	if isLink(r) {
		return a.followLink(r, op)
	}
	if a.Keys == nil {
		return admitted{}, &fault{Status: http.StatusForbidden, Code: restjson.CodeDenied, Message: "this node has no keys; use its Unix socket"}
	}
	request := identity.FromHTTP(r)
	request.Connection = connectionOf(r.Context())
	request.Changes = op.Changes()
	request.Services = signedFor(op)
	signed := request.Signed()
	request.Allow = func(c identity.Caller) error { return member{c, a.Keys, op, signed}.permit(r) }
	request.Body = read
	caller, err := a.Keys.Authenticate(request)
	if err != nil {
		w.Header().Set("Connection", "close") // what it still sends is not read
		return admitted{}, err
	}
	body := caller.Body
	caller.Body = nil // it can be large, and the caller lives as long as the request
	return admitted{
		caller: member{caller, a.Keys, op, signed}, keyID: caller.KeyID, name: caller.Name, body: body,
		done: func(status int) { a.Keys.Finish(caller, status) },
	}, nil
}

// signedFor returns the services that a request for op may be signed for. Tools
// that know no service "ledge", such as curl, sign the node's own for Lambda.
func signedFor(op *restjson.Operation) []string {
	if op.Service == restjson.ServiceNode {
		return []string{restjson.ServiceNode, serviceLambda}
	}
	return []string{op.Service}
}

// member is a caller with a key. A refusal is counted.
type member struct {
	caller identity.Caller
	keys   *identity.Keyring
	op     *restjson.Operation
	signed bool // the request has a signature, and not a token
}

func (m member) ARN() string { return m.caller.ARN }

func (m member) Allows(access restjson.Access, function string) bool {
	return m.keys.Authorize(m.caller, identity.Access(access.String()), function, m.op.Service+":"+m.op.Name, function) == nil
}

// permit refuses who may not use the operation: with the function of the path, or
// with any where the body names it. Such a request is neither read nor remembered
// nor on record, so that no key can fill what is kept of those that may.
func (m member) permit(r *http.Request) error {
	if m.op.Access == 0 {
		return nil
	}
	function := ""
	if m.op.Function != nil {
		function = m.op.Function(r)
	}
	if m.op.InBody && m.caller.Access.Covers(identity.Access(m.op.Access.String())) || m.Allows(m.op.Access, function) {
		return nil
	}
	return restjson.Denied(m, m.op, function)
}

type connectionKey struct{}

// ConnContext returns http.Server.ConnContext for the control plane: it gives
// each connection a number, by which a signature that is used again by the
// client that made it is told from one that somebody saw on the network.
func ConnContext() func(context.Context, net.Conn) context.Context {
	var last atomic.Uint64
	return func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, last.Add(1))
	}
}

func connectionOf(ctx context.Context) uint64 {
	number, _ := ctx.Value(connectionKey{}).(uint64)
	return number
}
