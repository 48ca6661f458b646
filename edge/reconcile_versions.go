package edge

import (
	"context"
	"errors"
	"fmt"

	"ledge/engine"
	"ledge/persist"
)

// Delete removes a function with all that belongs to it, and returns what it
// removed. Invocations under way run to their end; later ones find
// nothing. persist.ErrNotFound.
func (r *Reconciler) Delete(ctx context.Context, name string) (persist.State, error) {
	if err := r.begin(ctx); err != nil {
		return persist.State{}, err
	}
	defer r.end()
	removed, err := r.store.DeleteFunction(name)
	if err != nil {
		return persist.State{}, err
	}
	for _, fn := range removed.Functions {
		r.retire(fn)
	}
	// The function is deleted now; what is left must be tried to the end.
	var routes, urls error
	if len(removed.Routes) > 0 {
		routes = r.serveStoredRoutes()
	}
	if len(removed.URLs) > 0 {
		urls = r.serveStoredAPIs()
	}
	return removed, errors.Join(routes, urls, r.takeOff(name, ""))
}

// DeleteVersion removes one published version. persist.ErrConflict where an
// alias points at it; persist.ErrNotFound.
func (r *Reconciler) DeleteVersion(ctx context.Context, name, version string) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	fn, err := r.store.GetFunction(name, version)
	if err != nil {
		return err
	}
	if err := r.store.DeleteVersion(name, version); err != nil {
		return err
	}
	r.retire(fn)
	return r.takeOff(name, version)
}

// takeOff takes a version, or all where version is empty, out of service. One
// that was not in service, because Boot skipped it, is no error.
func (r *Reconciler) takeOff(name, version string) error {
	err := r.engine.Remove(name, version)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return fmt.Errorf("take %s out of service: %w", name, err)
	}
	return nil
}

// Publish makes a numbered version of $LATEST, or returns the newest version
// where $LATEST is the same. An empty description means that of $LATEST; an
// empty revision means any, otherwise ErrRevision. codeSha256, where not empty,
// must be that of $LATEST: persist.ErrConflict. persist.ErrNotFound.
func (r *Reconciler) Publish(ctx context.Context, name, description, revision, codeSha256 string) (persist.Function, error) {
	if err := r.begin(ctx); err != nil {
		return persist.Function{}, err
	}
	defer r.end()
	latest, err := r.store.GetFunction(name, persist.Latest)
	switch {
	case err != nil:
		return persist.Function{}, err
	case revision != "" && revision != latest.RevisionID:
		return persist.Function{}, fmt.Errorf("function %s: %w", name, ErrRevision)
	case codeSha256 != "" && codeSha256 != latest.CodeSha256:
		return persist.Function{}, fmt.Errorf("code of %s is %s, not %s: %w", name, latest.CodeSha256, codeSha256, persist.ErrConflict)
	}
	return r.publish(ctx, name, description)
}

// publish is Publish in the caller's turn. The number of a version is known
// only once it is stored, so the store comes first here; a version that the
// engine then refuses is removed again, and its number stays unused.
func (r *Reconciler) publish(ctx context.Context, name, description string) (persist.Function, error) {
	fn, created, err := r.store.Publish(name, description, "")
	if err != nil || !created {
		return fn, err
	}
	if _, err := r.engine.Deploy(ctx, r.engineFunction(fn), nil); err != nil {
		if undo := r.store.DeleteVersion(name, fn.Version); undo != nil {
			err = errors.Join(err, fmt.Errorf("remove version %s again: %w", fn.Version, undo))
		}
		return persist.Function{}, fmt.Errorf("publish %s: %w", name, err)
	}
	return fn, nil
}

// CreateAlias stores an alias of an existing version and makes it live.
// persist.ErrExists; persist.ErrNotFound where the function or a version that
// the alias names does not exist; persist.ErrInvalid.
func (r *Reconciler) CreateAlias(ctx context.Context, a persist.Alias) (persist.Alias, error) {
	if err := r.begin(ctx); err != nil {
		return persist.Alias{}, err
	}
	defer r.end()
	return r.putAlias(a, persist.MustNotExist)
}

// UpdateAlias changes an alias. edit runs once, in this change's turn, and must
// not call the Reconciler. An empty revision means any, otherwise ErrRevision.
// persist.ErrNotFound as for CreateAlias, and where the alias does not exist.
func (r *Reconciler) UpdateAlias(ctx context.Context, function, name, revision string, edit func(*persist.Alias) error) (persist.Alias, error) {
	if err := r.begin(ctx); err != nil {
		return persist.Alias{}, err
	}
	defer r.end()
	a, err := r.store.GetAlias(function, name)
	if err != nil {
		return persist.Alias{}, err
	}
	if revision != "" && revision != a.RevisionID {
		return persist.Alias{}, fmt.Errorf("alias %s of %s: %w", name, function, ErrRevision)
	}
	current := a.RevisionID
	if err := edit(&a); err != nil {
		return persist.Alias{}, err
	}
	a.Function, a.Name = function, name // not for edit to change
	return r.putAlias(a, current)
}

func (r *Reconciler) putAlias(a persist.Alias, expect string) (persist.Alias, error) {
	old, err := r.store.GetAlias(a.Function, a.Name)
	existed := err == nil
	if err != nil && !errors.Is(err, persist.ErrNotFound) {
		return persist.Alias{}, err
	}
	stored, err := r.store.PutAlias(a, expect)
	if err != nil {
		return persist.Alias{}, err
	}
	if err := r.engine.SetAlias(a.Function, a.Name, a.Version, a.Weights); err != nil {
		return persist.Alias{}, errors.Join(
			fmt.Errorf("make alias %s of %s live: %w", a.Name, a.Function, err),
			r.restoreAlias(stored, old, existed))
	}
	if old.Version != stored.Version {
		r.reprovision(a.Function)
	}
	return stored, nil
}

// restoreAlias puts back what was stored before an alias that the engine
// refused, so that the store keeps saying what is live.
func (r *Reconciler) restoreAlias(refused, old persist.Alias, existed bool) error {
	var err error
	if existed {
		_, err = r.store.PutAlias(old, "")
	} else {
		err = r.store.DeleteAlias(refused.Function, refused.Name)
	}
	if err != nil {
		return fmt.Errorf("restore alias %s of %s: %w", refused.Name, refused.Function, err)
	}
	return nil
}

// DeleteAlias removes an alias. persist.ErrNotFound.
func (r *Reconciler) DeleteAlias(ctx context.Context, function, name string) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	_, err := r.store.GetFunctionURL(function, name)
	hadURL := err == nil
	if err := r.store.DeleteAlias(function, name); err != nil {
		return err
	}
	// The alias is deleted now; what is left must be tried to the end.
	r.reprovision(function)
	var urls error
	if hadURL {
		urls = r.serveStoredAPIs()
	}
	if err := r.engine.RemoveAlias(function, name); err != nil && !errors.Is(err, engine.ErrNotFound) {
		return errors.Join(urls, fmt.Errorf("take alias %s of %s out of service: %w", name, function, err))
	}
	return urls
}
