package edge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ledge/edge/gateway"
	"ledge/persist"
)

// PutFunctionURL creates the URL of a function or an alias, or with replace
// changes it, and serves it. It returns what it stored. persist.ErrExists;
// persist.ErrNotFound; a *gateway.APIError.
func (r *Reconciler) PutFunctionURL(ctx context.Context, u persist.FunctionURL, replace bool) (persist.FunctionURL, error) {
	if err := r.begin(ctx); err != nil {
		return persist.FunctionURL{}, err
	}
	defer r.end()
	old, err := r.store.GetFunctionURL(u.Function, u.Qualifier)
	existed := err == nil
	if err != nil && !errors.Is(err, persist.ErrNotFound) {
		return persist.FunctionURL{}, err
	}
	proof := u
	if existed {
		proof.ID = old.ID
	}
	if _, err := gateway.NewAPIs(gateway.Published{APIs: []gateway.API{urlAPI(proof)}}); err != nil {
		return persist.FunctionURL{}, err
	}
	u.Modified = time.Time{} // now
	stored, err := r.store.PutFunctionURL(u, replace)
	if err != nil {
		return persist.FunctionURL{}, err
	}
	if err := r.publishAPIs(ctx); err != nil {
		return persist.FunctionURL{}, errors.Join(err, r.restoreURL(stored, old, existed))
	}
	return stored, nil
}

// restoreURL puts back what was stored before a URL that the gateway refused, so
// that the store keeps saying what is live.
func (r *Reconciler) restoreURL(refused, old persist.FunctionURL, existed bool) error {
	var err error
	if existed {
		_, err = r.store.PutFunctionURL(old, true)
	} else {
		err = r.store.DeleteFunctionURL(refused.Function, refused.Qualifier)
	}
	if err != nil {
		return fmt.Errorf("restore URL of %s: %w", refused.Function, err)
	}
	return nil
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
	return r.publishAPIs(ctx)
}
