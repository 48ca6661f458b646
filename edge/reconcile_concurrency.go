package edge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ledge/persist"
)

// configStore is the part of Store for what is configured of a function beside
// its code and settings.
type configStore interface {
	Versions(name, after string, limit int) (fns []persist.Function, more bool, err error)
	TagFunction(function string, set map[string]string, remove []string, check func(map[string]string) error) error
	PutConcurrency(function string, n int) error
	PutProvisioned(p persist.Provisioned) (persist.Provisioned, error)
	GetProvisioned(function, qualifier string) (persist.Provisioned, error)
	ProvisionedOf(function string) ([]persist.Provisioned, error)
	DeleteProvisioned(function, qualifier string) error
	PublishLayerVersion(l persist.LayerVersion) (persist.LayerVersion, error)
	GetLayerVersion(name string, version uint64) (persist.LayerVersion, error)
	DeleteLayerVersion(name string, version uint64) (persist.LayerVersion, error)
	PutFunctionURL(u persist.FunctionURL, replace bool) (persist.FunctionURL, error)
	GetFunctionURL(function, qualifier string) (persist.FunctionURL, error)
	DeleteFunctionURL(function, qualifier string) error
}

// Tag sets tags of a function and removes others; check sees what they would be.
// persist.ErrNotFound.
func (r *Reconciler) Tag(ctx context.Context, function string, set map[string]string, remove []string, check func(map[string]string) error) error {
	// In a turn, because Deploy writes back the record that it has read.
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	return r.store.TagFunction(function, set, remove, check)
}

// ProvisionedError refuses a concurrency that is less than what is provisioned.
type ProvisionedError struct {
	Provisioned int // Instances, of all versions and aliases of the function
}

func (e *ProvisionedError) Error() string {
	return fmt.Sprintf("the function has %d provisioned instances, and its concurrency must not be less", e.Provisioned)
}

// checkConcurrency returns a *ProvisionedError where n is less than what is
// provisioned. The default and none are always possible.
func (r *Reconciler) checkConcurrency(function string, n int) error {
	if n <= 0 {
		return nil
	}
	stored, err := r.store.ProvisionedOf(function)
	if err != nil {
		return err
	}
	total := 0
	for _, p := range stored {
		total += p.Count
	}
	if n < total {
		return &ProvisionedError{Provisioned: total}
	}
	return nil
}

// SetConcurrency bounds how many Invocations of a function may run at the same
// time, all its versions together: 0 is the engine's default,
// engine.NoConcurrency none. Invocations under way run to their end.
// persist.ErrNotFound; a *ProvisionedError where n is less than what is
// provisioned. None is always possible: it is how a function is stopped.
func (r *Reconciler) SetConcurrency(ctx context.Context, function string, n int) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	if err := r.checkConcurrency(function, n); err != nil {
		return err
	}
	if err := r.store.PutConcurrency(function, n); err != nil {
		return err
	}
	if err := r.engine.SetConcurrency(function, n); err != nil {
		return fmt.Errorf("set concurrency of %s: %w", function, err)
	}
	return nil
}

// Provision stores how many Instances of a version or an alias are kept ready,
// and has them made, which goes on after it has returned. persist.ErrNotFound;
// persist.ErrInvalid for Latest; a *engine.DeployError where the function's
// concurrency does not leave that many.
func (r *Reconciler) Provision(ctx context.Context, p persist.Provisioned) (persist.Provisioned, error) {
	if err := r.begin(ctx); err != nil {
		return persist.Provisioned{}, err
	}
	defer r.end()
	old, err := r.store.GetProvisioned(p.Function, p.Qualifier)
	existed := err == nil
	if err != nil && !errors.Is(err, persist.ErrNotFound) {
		return persist.Provisioned{}, err
	}
	p.LastModified = time.Time{} // now
	stored, err := r.store.PutProvisioned(p)
	if err != nil {
		return stored, err
	}
	if err := r.provision(p.Function); err != nil {
		return persist.Provisioned{}, errors.Join(err, r.restoreProvisioned(stored, old, existed))
	}
	return stored, nil
}

// restoreProvisioned puts back what was stored before the engine refused.
func (r *Reconciler) restoreProvisioned(refused, old persist.Provisioned, existed bool) error {
	var err error
	if existed {
		_, err = r.store.PutProvisioned(old)
	} else {
		err = r.store.DeleteProvisioned(refused.Function, refused.Qualifier)
	}
	if err == nil {
		err = r.provision(refused.Function)
	}
	if err != nil {
		return fmt.Errorf("restore provisioned concurrency of %s: %w", refused.Function, err)
	}
	return nil
}

// Provisioned returns how many Instances of a version are asked for, ready, and
// in the making or ready, and why there are no more: empty while more come.
func (r *Reconciler) Provisioned(function, version string) (requested, available, allocated int, reason string) {
	return r.engine.Provisioned(function, version)
}

// Unprovision undoes Provision. persist.ErrNotFound.
func (r *Reconciler) Unprovision(ctx context.Context, function, qualifier string) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	if err := r.store.DeleteProvisioned(function, qualifier); err != nil {
		return err
	}
	return r.provision(function)
}

// reprovision is provision after an alias or a version has changed. That change
// stands, so a failure is logged: requests are served all the same, only with a
// cold start.
func (r *Reconciler) reprovision(function string) {
	if err := r.provision(function); err != nil {
		r.log.Error("provisioned concurrency is not as stored", "function", function, "error", err)
	}
}

// provision tells the engine what is stored for all versions of a function.
func (r *Reconciler) provision(function string) error {
	stored, err := r.store.ProvisionedOf(function)
	if err != nil {
		return fmt.Errorf("read provisioned concurrency: %w", err)
	}
	versions, _, err := r.store.Versions(function, persist.Latest, 0)
	if err != nil {
		return fmt.Errorf("read versions: %w", err)
	}
	wanted := make(map[string]int, len(versions))
	for _, fn := range versions {
		wanted[fn.Version] = 0
	}
	for _, p := range stored {
		fn, err := r.store.GetFunction(function, p.Qualifier)
		if err != nil {
			return fmt.Errorf("find %s of provisioned concurrency: %w", p.Qualifier, err)
		}
		if fn.Version != persist.Latest { // an alias was moved there: nothing to keep ready
			wanted[fn.Version] += p.Count
		}
	}
	// What is given up comes first: it may be what the rest has room from.
	grows := func(version string) int {
		if requested, _, _, _ := r.engine.Provisioned(function, version); wanted[version] > requested {
			return 1
		}
		return 0
	}
	order := slices.Sorted(maps.Keys(wanted))
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(grows(a), grows(b)) })
	for _, version := range order {
		if err := r.engine.SetProvisioned(function, version, wanted[version]); err != nil {
			return fmt.Errorf("keep %d instances of version %s of %s ready: %w", wanted[version], version, function, err)
		}
	}
	return nil
}

// provisionedVersions returns how many Instances state wants ready, by function
// and version: those of a version and of the aliases that point at it add up.
func provisionedVersions(state persist.State) map[string]map[string]int {
	type aliasName struct{ function, name string }
	points := make(map[aliasName]string, len(state.Aliases))
	for _, a := range state.Aliases {
		points[aliasName{a.Function, a.Name}] = a.Version
	}
	wanted := map[string]map[string]int{}
	for _, p := range state.Provisioned {
		version := p.Qualifier
		if at, alias := points[aliasName{p.Function, p.Qualifier}]; alias {
			version = at
		}
		if version == persist.Latest {
			continue
		}
		if wanted[p.Function] == nil {
			wanted[p.Function] = map[string]int{}
		}
		wanted[p.Function][version] += p.Count
	}
	return wanted
}
