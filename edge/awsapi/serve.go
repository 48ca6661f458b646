package awsapi

import (
	"errors"
	"net/http"

	"ledge/edge/awsapi/restjson"
)

// admission says who sends a request and reads its body, which it does with read.
type admission func(w http.ResponseWriter, r *http.Request, op *restjson.Operation, read func() ([]byte, error)) (admitted, error)

// admitted is a request that may be served.
type admitted struct {
	caller restjson.Caller
	keyID  string // empty on the socket
	name   string // the key's
	body   []byte
	done   func(status int) // called once, when the operation has ended
}

// serve is the way of every request: who sends it, may they do that, the note
// in the audit log, then the operation, and its outcome in the audit log.
func (a *api) serve(w http.ResponseWriter, r *http.Request, op *restjson.Operation, admit admission) (err error) {
	leave := func() {}
	defer func() { leave() }() // when what was made of the body is not needed either
	// Nobody waits for room, or takes some, before what can be known of a request
	// without its body is known.
	who, err := admit(w, r, op, func() (body []byte, err error) {
		if leave, err = a.rooms.enter(r.Context(), r, maxBody(op)); err != nil {
			w.Header().Set("Connection", "close")
			return nil, err
		}
		return readBody(w, r, op, a.bodyPause)
	})
	if err != nil {
		return err
	}
	function := ""
	if op.Function != nil {
		function = op.Function(r)
	}
	status := http.StatusInternalServerError // as a panic leaves it
	defer func() { who.done(status) }()
	r = restjson.WithRequest(r, who.caller, who.body, op)
	who.body = nil // the operation's
	restjson.About(r.Context(), function)
	if !op.InBody && op.Access != 0 && !who.caller.Allows(op.Access, function) {
		err = restjson.Denied(who.caller, op, function)
	} else {
		err = a.audited(w, r, op, who, function)
	}
	status = http.StatusOK
	if err != nil {
		status = faultOf(err).Status
	}
	return err
}

// audited runs op, on the record where it changes something.
func (a *api) audited(w http.ResponseWriter, r *http.Request, op *restjson.Operation, who admitted, resource string) error {
	if !op.Changes() {
		return op.Answer(w, r)
	}
	record, err := a.beginAudit(w, r, op, who, resource)
	if err != nil {
		return err
	}
	err = errPanic
	defer func() { a.endAudit(r, record, err) }()
	err = op.Answer(w, r)
	return err
}

// errPanic is what the audit log says of an operation that neither succeeded nor
// failed. It may have changed something.
var errPanic = errors.New("the operation ended in a panic, a mistake in the node")

func maxBody(op *restjson.Operation) int64 {
	if op.MaxBody > 0 {
		return op.MaxBody
	}
	return restjson.MaxSettings
}

// trust admits everybody: whoever can open the node's socket is its user.
func (a *api) trust(_ http.ResponseWriter, _ *http.Request, _ *restjson.Operation, read func() ([]byte, error)) (admitted, error) {
	body, err := read()
	return admitted{caller: owner{}, name: "socket", body: body, done: func(int) {}}, err
}

// owner is the user whom the node belongs to, on its socket.
type owner struct{}

func (owner) ARN() string                         { return "arn:aws:iam::" + accountID + ":root" }
func (owner) Allows(restjson.Access, string) bool { return true }
