package edge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ledge/edge/gateway"
	"ledge/persist"
)

// ChangeAPIs makes one change of API Gateway's APIs, keys and plans. edit reads
// what it needs from the store and adds to the change; it runs in this change's
// turn, so what it read is still so when the change is stored, and it must not
// call the Reconciler.
//
// The change is proved (the gateway can serve everything that it touches),
// stored in one transaction, and live when ChangeAPIs returns. An error of the
// proof is a *gateway.APIError, and nothing has changed. One that puts only
// drafts is stored and nothing else.
func (r *Reconciler) ChangeAPIs(ctx context.Context, edit func(*persist.APIChange) error) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	var ch persist.APIChange
	if err := edit(&ch); err != nil {
		return err
	}
	switch {
	case ch.Writes() == 0:
		return nil
	case ch.DraftsOnly():
		return r.store.ChangeAPIs(ch)
	}
	live, err := r.store.LiveAPIs(ch)
	if err != nil {
		return err
	}
	if err := proveDeployments(ch, live); err != nil {
		return err
	}
	urls, err := r.functionURLs()
	if err != nil {
		return err
	}
	apis, err := r.newAPIs(live, urls, touchedBy(ch))
	if err != nil {
		return err
	}
	if err := r.store.ChangeAPIs(ch); err != nil {
		return err
	}
	r.gateway.SetAPIs(apis)
	return nil
}

// touchedBy returns whether a change is about an API or a key, so that it must
// not be made where that cannot be served.
func touchedBy(ch persist.APIChange) func(id string) bool {
	if len(ch.PutKeySets)+len(ch.DeleteKeySets) > 0 {
		return func(string) bool { return true } // any API may rest on them
	}
	touched := make(map[string]bool)
	for _, a := range ch.PutAPIs {
		touched[a.ID] = true
	}
	for _, d := range ch.PutDeployments {
		touched[d.API] = true
	}
	for _, st := range ch.PutStages {
		touched[st.API] = true
	}
	for _, k := range ch.PutKeys {
		touched[k.ID] = true
	}
	for _, p := range ch.PutPlans {
		for _, key := range p.Keys {
			touched[key] = true
		}
	}
	if ch.Root != nil {
		touched[ch.Root.API] = true
	}
	return func(id string) bool { return touched[id] }
}

// proveDeployments looks at the new deployments that no stage names yet: they
// too must be such that the gateway can serve them.
func proveDeployments(ch persist.APIChange, live persist.LiveAPIs) error {
	for _, d := range ch.PutDeployments {
		at := slices.IndexFunc(live.APIs, func(a persist.API) bool { return a.ID == d.API })
		named := slices.ContainsFunc(live.Stages, func(st persist.APIStage) bool { return st.API == d.API && st.Deployment == d.ID })
		if d.ID == "" || named || at < 0 {
			continue
		}
		api := live.APIs[at]
		alone := live
		alone.Deployments = []persist.APIDeployment{d}
		alone.Stages = []persist.APIStage{{API: d.API, Name: "proof", Deployment: d.ID}}
		served, err := newTranslation(alone).api(api)
		if err != nil {
			return &gateway.APIError{API: d.API, Err: err}
		}
		if _, err := gateway.NewAPIs(gateway.Published{APIs: []gateway.API{served}}); err != nil {
			return err
		}
	}
	return nil
}

// serveStoredAPIs makes the live APIs and function URLs equal to the stored ones,
// at boot and after some were removed.
func (r *Reconciler) serveStoredAPIs() error {
	live, err := r.store.LiveAPIs(persist.APIChange{})
	if err != nil {
		return err
	}
	urls, err := r.functionURLs()
	if err != nil {
		return err
	}
	apis, err := r.newAPIs(live, urls, func(string) bool { return false })
	if err != nil {
		return err
	}
	r.gateway.SetAPIs(apis)
	return nil
}

func (r *Reconciler) functionURLs() ([]persist.FunctionURL, error) {
	urls, err := r.store.FunctionURLs()
	if err != nil {
		return nil, fmt.Errorf("read function URLs: %w", err)
	}
	return urls, nil
}

// newAPIs builds the gateway's APIs from stored ones and function URLs, and proves
// them by it. What cannot be served is an error where mustServe says so of its ID.
// Everything else was proved before it was stored, so it comes from a newer or a
// damaged store, or another node's; it is logged and left out, and must not keep
// the rest from serving.
func (r *Reconciler) newAPIs(live persist.LiveAPIs, urls []persist.FunctionURL, mustServe func(id string) bool) (*gateway.APIs, error) {
	served := make(map[string]gateway.API, len(live.APIs)+len(urls))
	t := newTranslation(live)
	for _, a := range live.APIs {
		api, err := t.api(a)
		if err == nil {
			served[a.ID] = api
			continue
		}
		if mustServe(a.ID) {
			return nil, &gateway.APIError{API: a.ID, Err: err}
		}
		r.log.Error("API skipped", "api", a.ID, "name", a.Name, "error", err)
	}
	for _, u := range urls {
		served[u.ID] = urlAPI(u)
	}
	left := make(map[string]bool) // out: keys
	for {
		var p gateway.Published
		for _, id := range slices.Sorted(maps.Keys(served)) {
			p.APIs = append(p.APIs, served[id])
		}
		p.Keys = slices.DeleteFunc(keysFor(live, p.APIs), func(k gateway.Key) bool { return left[k.ID] })
		p.Root = rootFor(live.Root, p.APIs)
		apis, err := gateway.NewAPIs(p)
		if err == nil {
			return apis, nil
		}
		var bad *gateway.APIError
		if !errors.As(err, &bad) || mustServe(bad.API) {
			return nil, err
		}
		if _, isAPI := served[bad.API]; !isAPI && left[bad.API] {
			return nil, err // leaving it out does not help
		}
		r.log.Error("API or API key skipped", "id", bad.API, "error", err)
		delete(served, bad.API)
		left[bad.API] = true
	}
}
