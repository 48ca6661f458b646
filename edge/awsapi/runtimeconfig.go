package awsapi

import (
	"net/http"

	"ledge/edge/awsapi/restjson"
)

// recursion is the one setting of recursive loops that the node has: functions
// that wait for each other are stopped at the eighth, whatever they want.
const recursion = "Terminate"

func (a *api) putRecursionConfig(w http.ResponseWriter, r *http.Request) error {
	name, err := a.existing(r)
	if err != nil {
		return err
	}
	var req struct{ RecursiveLoop string }
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	var bad violations
	bad.OneOf(req.RecursiveLoop, "recursiveLoop", "Allow", "Terminate")
	if err := bad.Err(); err != nil {
		return err
	}
	if req.RecursiveLoop != recursion {
		return unsupported("RecursiveLoop Allow for "+name, "recursive loops always end; use Terminate")
	}
	return restjson.WriteJSON(w, http.StatusOK, struct{ RecursiveLoop string }{recursion})
}

func (a *api) getRecursionConfig(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.existing(r); err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, struct{ RecursiveLoop string }{recursion})
}

// existing is unqualified for a function that must exist.
func (a *api) existing(r *http.Request) (name string, err error) {
	if name, err = unqualified(r); err != nil {
		return "", err
	}
	if _, err := a.Store.GetFunction(name, ""); err != nil {
		return "", a.functionNotFound(err, name, "")
	}
	return name, nil
}

// runtimeManagement is Lambda's, of which the node has Auto: its interpreters
// change when the appliance is updated.
type runtimeManagement struct {
	FunctionArn     string
	UpdateRuntimeOn string
}

func (a *api) putRuntimeManagement(w http.ResponseWriter, r *http.Request) error {
	fn, qualifier, err := a.lookUp(r)
	if err != nil {
		return err
	}
	var req struct {
		UpdateRuntimeOn   string
		RuntimeVersionArn *string
	}
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	var bad violations
	bad.OneOf(req.UpdateRuntimeOn, "updateRuntimeOn", "Auto", "Manual", "FunctionUpdate")
	if err := bad.Err(); err != nil {
		return err
	}
	if req.UpdateRuntimeOn != "Auto" || req.RuntimeVersionArn != nil && *req.RuntimeVersionArn != "" {
		return unsupported("UpdateRuntimeOn "+req.UpdateRuntimeOn, "the runtimes are part of the appliance and change with it; use Auto")
	}
	return restjson.WriteJSON(w, http.StatusOK, runtimeManagement{a.arn(fn.Name, qualifier), "Auto"})
}

func (a *api) getRuntimeManagement(w http.ResponseWriter, r *http.Request) error {
	fn, qualifier, err := a.lookUp(r)
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, runtimeManagement{a.arn(fn.Name, qualifier), "Auto"})
}

// getCodeSigning says that a function has no code signing configuration, as
// Lambda does of one without: tools ask.
func (a *api) getCodeSigning(w http.ResponseWriter, r *http.Request) error {
	name, err := a.existing(r)
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, struct{ FunctionName, CodeSigningConfigArn string }{name, ""})
}
