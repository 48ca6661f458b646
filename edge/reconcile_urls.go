package edge

import (
	"context"
	"errors"
	"slices"
	"time"

	"ledge/edge/gateway"
	"ledge/persist"
)

// PutFunctionURL creates the URL of a function or an alias, or with replace
// changes it, and serves it. It is proved before it is stored. It returns what it
// stored. persist.ErrExists; persist.ErrNotFound; a *gateway.APIError.
func (r *Reconciler) PutFunctionURL(ctx context.Context, u persist.FunctionURL, replace bool) (persist.FunctionURL, error) {
	if err := r.begin(ctx); err != nil {
		return persist.FunctionURL{}, err
	}
	defer r.end()
	apis, err := r.apisWithURL(&u)
	if err != nil {
		return persist.FunctionURL{}, err
	}
	u.Modified = time.Time{} // now
	stored, err := r.store.PutFunctionURL(u, replace)
	if err != nil {
		return persist.FunctionURL{}, err
	}
	r.gateway.SetAPIs(apis)
	return stored, nil
}

// apisWithURL returns what would be live with u, which gets the ID of the URL that
// it replaces. The error is a *gateway.APIError where u cannot be served.
func (r *Reconciler) apisWithURL(u *persist.FunctionURL) (*gateway.APIs, error) {
	old, err := r.store.GetFunctionURL(u.Function, u.Qualifier)
	switch {
	case err == nil:
		u.ID = old.ID
	case !errors.Is(err, persist.ErrNotFound):
		return nil, err
	}
	live, err := r.store.LiveAPIs(persist.APIChange{})
	if err != nil {
		return nil, err
	}
	urls, err := r.functionURLs()
	if err != nil {
		return nil, err
	}
	urls = slices.DeleteFunc(urls, func(other persist.FunctionURL) bool { return other.ID == u.ID })
	return r.newAPIs(live, append(urls, *u), func(id string) bool { return id == u.ID })
}

// DeleteFunctionURL removes the URL of a function or an alias. Requests under
// way are answered to the end. persist.ErrNotFound.
func (r *Reconciler) DeleteFunctionURL(ctx context.Context, function, qualifier string) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	if err := r.store.DeleteFunctionURL(function, qualifier); err != nil {
		return err
	}
	return r.serveStoredAPIs()
}
