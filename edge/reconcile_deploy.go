package edge

import (
	"context"
	"errors"
	"fmt"

	"ledge/edge/gateway"
	"ledge/engine"
	"ledge/persist"
)

// Mode says whether a Change may meet a function that exists.
type Mode uint8

const (
	CreateOrUpdate Mode = iota
	CreateOnly          // persist.ErrExists where the function exists
	UpdateOnly          // persist.ErrNotFound where it does not
)

// Change is one atomic change of a function's $LATEST: its code, its settings
// and its routes are all live after Deploy, or none of them is.
type Change struct {
	Name string
	Mode Mode
	// Revision, where not empty, is the RevisionID that the function must have;
	// otherwise Deploy returns ErrRevision.
	Revision string
	// Code is a zip or a Wasm module as uploaded; nil keeps the present code.
	// It is borrowed until Deploy returns.
	Code []byte
	// Edit changes the settings of the present record, or of one with the
	// defaults where the function is new. It runs once, in this Change's turn,
	// and must not call the Reconciler. Layers that it names must exist, unless the
	// function has them already. Nil keeps the settings.
	Edit func(*persist.Function) error
	// Routes are added to the function's routes; one with a key that the
	// function has replaces it. Function is filled in.
	Routes []persist.Route
	// Publish makes a version of the result. The version is a step of its own
	// after the change: where it fails, $LATEST is changed already, and the
	// error says so.
	Publish bool
	// DryRun compiles and starts the function, and changes nothing.
	DryRun bool
}

// Deployed is what a Change led to.
type Deployed struct {
	Function   persist.Function // the version if one was published, else $LATEST
	Created    bool             // the function is new
	Deployment engine.Deployment
	Routes     []persist.Route // all routes of the function
}

// errDryRun leaves the engine's Deploy at the point where it would commit.
var errDryRun = errors.New("dry run")

// Deploy makes a Change. The error is a *engine.DeployError or a
// *persist.ArchiveError for what is wrong with the function or its code, a
// *gateway.RouteError for a route, persist.ErrConflict for a route that belongs
// to another function, a *ProvisionedError, ErrRevision, persist.ErrExists or
// persist.ErrNotFound. Unless it says otherwise, nothing was changed.
func (r *Reconciler) Deploy(ctx context.Context, c Change) (Deployed, error) {
	if !engine.ValidName(c.Name) {
		return Deployed{}, &engine.DeployError{Op: "name", Why: fmt.Sprintf("%q is not a function name", c.Name),
			Hint: "use 1 to 64 letters, digits, - and _"}
	}
	if err := r.begin(ctx); err != nil {
		return Deployed{}, err
	}
	defer r.end()

	old, err := r.present(c)
	if err != nil {
		return Deployed{}, err
	}
	table, routes, err := r.tableWith(c.Name, c.Routes)
	if err != nil {
		return Deployed{}, err
	}
	fn := old
	if c.Edit != nil {
		if err := c.Edit(&fn); err != nil {
			return Deployed{}, err
		}
		fn.Name, fn.Version = old.Name, old.Version // not for Edit to change
	}
	if fn.Concurrency != old.Concurrency && old.RevisionID != "" {
		if err := r.checkConcurrency(c.Name, fn.Concurrency); err != nil {
			return Deployed{}, err
		}
	}
	choice, err := chooseRuntime(fn.RequestedRuntime)
	if err == nil {
		err = choice.checkHandler(fn)
	}
	if err != nil {
		return Deployed{}, err
	}
	if c.Code != nil {
		r.makeRoom()
		info, err := r.code.Put(c.Code, choice.code)
		if err != nil {
			return Deployed{}, fmt.Errorf("store code of %s: %w", c.Name, err)
		}
		fn.CodeHash, fn.CodeSha256, fn.CodeSize = info.Hash, info.Sha256Base64, info.Size
	}
	if fn.CodeHash == "" {
		return Deployed{}, &engine.DeployError{Op: "code", Why: c.Name + " has no code", Hint: "send a zip or a Wasm module"}
	}
	if err := r.mergeLayers(&fn, old); err != nil {
		return Deployed{}, err
	}
	if fn.Runtime, err = choice.find(r.code.Path(fn.CodeHash)); err != nil {
		return Deployed{}, err
	}

	expect := old.RevisionID
	if expect == "" {
		expect = persist.MustNotExist
	}
	commit := func() error {
		if c.DryRun {
			return errDryRun
		}
		stored, err := r.store.PutFunction(fn, expect, routes.changed)
		if err != nil {
			return err
		}
		fn = stored
		return nil
	}
	deployment, err := r.engine.Deploy(ctx, r.engineFunction(fn), commit)
	deployment.Notes = append(choice.notes(fn), deployment.Notes...)
	if c.DryRun && errors.Is(err, errDryRun) {
		return Deployed{Function: fn, Created: old.RevisionID == "", Deployment: deployment, Routes: routes.all}, nil
	}
	if err != nil {
		return Deployed{}, err
	}
	if len(c.Routes) > 0 {
		r.gateway.SetTable(table)
	}
	if old.CodeHash != "" && (old.CodeHash != fn.CodeHash || old.LayerHash != fn.LayerHash) {
		r.retire(old)
	}
	done := Deployed{Function: fn, Created: old.RevisionID == "", Deployment: deployment, Routes: routes.all}
	if c.Publish {
		if done.Function, err = r.publish(ctx, fn.Name, fn.Description); err != nil {
			return Deployed{}, fmt.Errorf("%s is deployed as $LATEST, but no version was published: %w", c.Name, err)
		}
	}
	return done, nil
}

// present returns the record that c changes: the stored one, or one with the
// defaults and no RevisionID.
func (r *Reconciler) present(c Change) (persist.Function, error) {
	fn, err := r.store.GetFunction(c.Name, persist.Latest)
	switch {
	case errors.Is(err, persist.ErrNotFound) && c.Mode != UpdateOnly && c.Revision == "":
		limits := engine.DefaultLimits()
		return persist.Function{
			Name:          c.Name,
			Version:       persist.Latest,
			MemoryMB:      int(limits.Memory >> 20),
			TimeoutMillis: limits.Timeout.Milliseconds(),
			Isolation:     string(engine.IsolationReuse),
		}, nil
	case err != nil:
		return fn, err
	case c.Mode == CreateOnly:
		return fn, fmt.Errorf("function %s: %w", c.Name, persist.ErrExists)
	case c.Revision != "" && c.Revision != fn.RevisionID:
		return fn, fmt.Errorf("function %s: %w", c.Name, ErrRevision)
	}
	return fn, nil
}

// functionRoutes are the routes of one function after a change.
type functionRoutes struct {
	changed []persist.Route // those that the change brings
	all     []persist.Route
}

// tableWith returns the route table as it would be with routes added to those
// of function.
func (r *Reconciler) tableWith(function string, routes []persist.Route) (*gateway.Table, functionRoutes, error) {
	stored, err := r.store.Routes()
	if err != nil {
		return nil, functionRoutes{}, fmt.Errorf("read routes: %w", err)
	}
	of := functionRoutes{changed: make([]persist.Route, len(routes))}
	replaced := make(map[string]bool, len(routes))
	for i, route := range routes {
		of.changed[i] = normal(route)
		of.changed[i].Function = function
		replaced[of.changed[i].Key()] = true
	}
	would := make([]persist.Route, 0, len(stored)+len(routes))
	for _, route := range stored {
		if !replaced[route.Key()] {
			would = append(would, route)
		} else if route.Function != function {
			return nil, of, fmt.Errorf("route %q belongs to function %s: %w", route.Key(), route.Function, persist.ErrConflict)
		}
	}
	would = append(would, of.changed...)
	for _, route := range would {
		if route.Function == function {
			of.all = append(of.all, route)
		}
	}
	if len(routes) == 0 { // nothing to prove, and a table of many routes is not free
		return nil, of, nil
	}
	table, err := newTable(would)
	return table, of, err
}
