package awsapi

import (
	"errors"
	"fmt"
	"math"
	"net/http"

	"ledge/edge/awsapi/restjson"
	"ledge/engine"
	"ledge/persist"
)

// reservedConcurrency is Lambda's Concurrency.
type reservedConcurrency struct{ ReservedConcurrentExecutions int }

// reservedOf returns what is reserved for a function, or nil where it has the
// default. Here, reserving keeps no capacity from others; it is the bound of the
// function itself.
func reservedOf(fn persist.Function) *reservedConcurrency {
	switch fn.Concurrency {
	case 0:
		return nil
	case engine.NoConcurrency:
		return &reservedConcurrency{0}
	}
	return &reservedConcurrency{fn.Concurrency}
}

func (a *api) putFunctionConcurrency(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	var req struct{ ReservedConcurrentExecutions *int64 }
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	var bad violations
	bad.Required(req.ReservedConcurrentExecutions != nil, "reservedConcurrentExecutions")
	if req.ReservedConcurrentExecutions != nil {
		bad.Between(*req.ReservedConcurrentExecutions, "reservedConcurrentExecutions", 0, math.MaxInt32)
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if *req.ReservedConcurrentExecutions > engine.MaxConcurrency {
		return invalid(fmt.Sprintf("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [0]: a node has %d", engine.MaxConcurrency))
	}
	wanted := int(*req.ReservedConcurrentExecutions)
	stored := wanted
	if wanted == 0 {
		stored = engine.NoConcurrency
	}
	if err := a.Reconciler.SetConcurrency(r.Context(), name, stored); err != nil {
		return a.functionNotFound(err, name, "")
	}
	return restjson.WriteJSON(w, http.StatusOK, reservedConcurrency{wanted})
}

func (a *api) getFunctionConcurrency(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	fn, err := a.Store.GetFunction(name, persist.Latest)
	if err != nil {
		return a.functionNotFound(err, name, "")
	}
	if reserved := reservedOf(fn); reserved != nil {
		return restjson.WriteJSON(w, http.StatusOK, reserved)
	}
	return restjson.WriteJSON(w, http.StatusOK, struct{}{})
}

func (a *api) deleteFunctionConcurrency(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	if err := a.Reconciler.SetConcurrency(r.Context(), name, 0); err != nil {
		return a.functionNotFound(err, name, "")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// provisioned is Lambda's
// (https://docs.aws.amazon.com/lambda/latest/api/API_ProvisionedConcurrencyConfigListItem.html).
type provisioned struct {
	FunctionArn                              string `json:",omitempty"`
	RequestedProvisionedConcurrentExecutions int
	AvailableProvisionedConcurrentExecutions int
	AllocatedProvisionedConcurrentExecutions int
	Status                                   string
	StatusReason                             string `json:",omitempty"`
	LastModified                             string
}

// provisionedOf shows what is stored and how far the engine is with it. What is
// stored for a version and for aliases that point at it is kept together: each
// shows as much of it as it asked for.
func (a *api) provisionedOf(p persist.Provisioned) (provisioned, error) {
	fn, err := a.Store.GetFunction(p.Function, p.Qualifier)
	if err != nil {
		return provisioned{}, err
	}
	requested, available, allocated, reason := a.Reconciler.Provisioned(p.Function, fn.Version)
	shown := provisioned{
		RequestedProvisionedConcurrentExecutions: p.Count,
		AvailableProvisionedConcurrentExecutions: min(available, p.Count),
		AllocatedProvisionedConcurrentExecutions: min(allocated, p.Count),
		Status:                                   "IN_PROGRESS",
		LastModified:                             p.LastModified.UTC().Format(lastModified),
	}
	switch {
	case requested > 0 && available >= requested:
		shown.Status = "READY"
	case reason != "":
		shown.Status, shown.StatusReason = "FAILED", reason
	case requested == 0:
		shown.Status, shown.StatusReason = "FAILED", "the version that it is for is not in service"
	}
	return shown, nil
}

// qualified is function for operations that need a version or an alias.
func qualified(r *http.Request) (name, qualifier string, err error) {
	name, qualifier, err = function(r)
	if err != nil {
		return "", "", err
	}
	var bad violations
	bad.Required(qualifier != "", "qualifier")
	if err := bad.Err(); err != nil {
		return "", "", err
	}
	if qualifier == persist.Latest {
		return "", "", invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	}
	return name, qualifier, nil
}

// codeNoProvisioned is what Lambda answers where there is nothing provisioned.
const codeNoProvisioned = "ProvisionedConcurrencyConfigNotFoundException"

// provisionedNotFound tells a function or a version that does not exist from one
// for which nothing is provisioned.
func (a *api) provisionedNotFound(err error, name, qualifier string) error {
	return a.lacking(err, name, qualifier, &fault{Status: http.StatusNotFound, Code: codeNoProvisioned,
		Message: "No Provisioned Concurrency Config found for this function"})
}

func (a *api) putProvisionedConcurrency(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := qualified(r)
	if err != nil {
		return err
	}
	var req struct{ ProvisionedConcurrentExecutions *int64 }
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	var bad violations
	bad.Required(req.ProvisionedConcurrentExecutions != nil, "provisionedConcurrentExecutions")
	if req.ProvisionedConcurrentExecutions != nil {
		bad.Between(*req.ProvisionedConcurrentExecutions, "provisionedConcurrentExecutions", 1, engine.MaxConcurrency)
	}
	if err := bad.Err(); err != nil {
		return err
	}
	stored, err := a.Reconciler.Provision(r.Context(), persist.Provisioned{
		Function: name, Qualifier: qualifier, Count: int(*req.ProvisionedConcurrentExecutions),
	})
	var refused *engine.DeployError
	switch {
	case errors.As(err, &refused):
		return invalid(fmt.Sprintf("Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function: %s", refused.Error()))
	case errors.Is(err, persist.ErrInvalid):
		return invalid("Alias with $LATEST cannot have Provisioned Concurrency: " + err.Error())
	case err != nil:
		return a.functionNotFound(err, name, qualifier)
	}
	shown, err := a.provisionedOf(stored)
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusAccepted, shown)
}

func (a *api) getProvisionedConcurrency(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := qualified(r)
	if err != nil {
		return err
	}
	stored, err := a.Store.GetProvisioned(name, qualifier)
	if err != nil {
		return a.provisionedNotFound(err, name, qualifier)
	}
	shown, err := a.provisionedOf(stored)
	if err != nil {
		return a.functionNotFound(err, name, qualifier)
	}
	return restjson.WriteJSON(w, http.StatusOK, shown)
}

func (a *api) listProvisionedConcurrency(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	stored, err := a.Store.ProvisionedOf(name)
	if err != nil {
		return a.functionNotFound(err, name, "")
	}
	page, next, err := pageOf(r, stored, func(p persist.Provisioned) string { return p.Qualifier })
	if err != nil {
		return err
	}
	reply := struct {
		ProvisionedConcurrencyConfigs []provisioned
		NextMarker                    string `json:",omitempty"`
	}{ProvisionedConcurrencyConfigs: []provisioned{}, NextMarker: next}
	for _, p := range page {
		shown, err := a.provisionedOf(p)
		if errors.Is(err, persist.ErrNotFound) { // deleted since it was listed
			continue
		}
		if err != nil {
			return err
		}
		shown.FunctionArn = a.arn(name, p.Qualifier)
		reply.ProvisionedConcurrencyConfigs = append(reply.ProvisionedConcurrencyConfigs, shown)
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

// deleteProvisionedConcurrency is idempotent, as Lambda's is.
func (a *api) deleteProvisionedConcurrency(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := qualified(r)
	if err != nil {
		return err
	}
	if err := a.Reconciler.Unprovision(r.Context(), name, qualifier); err != nil {
		err = a.provisionedNotFound(err, name, qualifier)
		if f := new(fault); !errors.As(err, &f) || f.Code != codeNoProvisioned {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
