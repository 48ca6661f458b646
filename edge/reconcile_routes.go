package edge

import (
	"context"
	"fmt"
	"slices"

	"ledge/edge/gateway"
	"ledge/persist"
)

// PutRoute stores a route and serves it. Where a route with its key exists,
// replace takes it over, also from another function; without replace that is
// persist.ErrExists. The function, at the route's qualifier, must exist:
// persist.ErrNotFound. A *gateway.RouteError says what is wrong with the route.
func (r *Reconciler) PutRoute(ctx context.Context, route persist.Route, replace bool) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	route = normal(route)
	if _, err := r.store.GetFunction(route.Function, route.Qualifier); err != nil {
		return fmt.Errorf("function %s of route %q: %w", route.Function, route.Key(), err)
	}
	stored, err := r.store.Routes()
	if err != nil {
		return fmt.Errorf("read routes: %w", err)
	}
	would := make([]persist.Route, 0, len(stored)+1)
	for _, other := range stored {
		if other.Key() != route.Key() {
			would = append(would, other)
		} else if !replace {
			return fmt.Errorf("route %q to function %s: %w", other.Key(), other.Function, persist.ErrExists)
		}
	}
	table, err := newTable(append(would, route))
	if err != nil {
		return err
	}
	if err := r.store.PutRoute(route, replace); err != nil {
		return err
	}
	r.gateway.SetTable(table)
	return nil
}

// DeleteRoute removes the route with this key, see persist.Route.Key. Requests
// that it matched before are answered to the end. persist.ErrNotFound.
func (r *Reconciler) DeleteRoute(ctx context.Context, key string) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	if err := r.store.DeleteRoute(key); err != nil {
		return err
	}
	return r.serveStoredRoutes()
}

// serveStoredRoutes makes the live table equal to the stored routes after some
// were removed.
func (r *Reconciler) serveStoredRoutes() error {
	stored, err := r.store.Routes()
	if err != nil {
		return fmt.Errorf("read routes: %w", err)
	}
	r.gateway.SetTable(r.usableTable(stored))
	return nil
}

// usableTable returns a table of those routes that make one. Every route was
// checked before it was stored, so the others come from a newer or a damaged
// store; they are logged and must not keep the rest from serving.
func (r *Reconciler) usableTable(routes []persist.Route) *gateway.Table {
	table, err := newTable(routes)
	if err == nil {
		return table
	}
	table, err = newTable(r.addUsable(nil, routes))
	if err != nil { // not after addUsable
		r.log.Error("no routes served", "error", err)
		return &gateway.Table{}
	}
	return table
}

// addUsable appends to base, which makes a table, those of routes with which
// it still does. It halves where it fails, so that one bad route of a thousand
// costs some twenty tables.
func (r *Reconciler) addUsable(base, routes []persist.Route) []persist.Route {
	both := slices.Concat(base, routes)
	_, err := newTable(both)
	switch {
	case err == nil:
		return both
	case len(routes) == 1:
		r.log.Error("route skipped", "route", routes[0].Key(), "function", routes[0].Function, "error", err)
		return base
	}
	half := len(routes) / 2
	return r.addUsable(r.addUsable(base, routes[:half]), routes[half:])
}

// normal returns the route as it is stored, so that each has one key: $default
// has no method there.
func normal(route persist.Route) persist.Route {
	if route.Path == gateway.DefaultPath && route.Method == "ANY" {
		route.Method = ""
	}
	return route
}

// newTable builds the gateway's table from stored routes, and proves them by it.
func newTable(routes []persist.Route) (*gateway.Table, error) {
	served := make([]gateway.Route, len(routes))
	for i, route := range routes {
		var err error
		if served[i], err = gatewayRoute(route); err != nil {
			return nil, err
		}
	}
	return gateway.NewTable(served)
}

// Names of the payload formats in stored routes.
const (
	PayloadV2  = "2.0" // API Gateway's payload format 2.0; the default
	PayloadRaw = "raw" // body in, body out
)

// What a stored route says of requests that become events.
const (
	AsyncAllow  = "allow" // those that say so; the default
	AsyncNever  = "never"
	AsyncAlways = "always"
)

// gatewayRoute is the one place where a stored route becomes a served one.
func gatewayRoute(route persist.Route) (gateway.Route, error) {
	served := gateway.Route{
		Method: route.Method, Path: route.Path,
		Function: route.Function, Qualifier: route.Qualifier,
		ContentType: route.ContentType, CORS: gatewayCORS(route.CORS),
	}
	switch route.Payload {
	case "", PayloadV2:
		served.Payload = gateway.PayloadV2
	case PayloadRaw:
		served.Payload = gateway.PayloadRaw
	default:
		return served, &gateway.RouteError{Route: route.Key(),
			Why: fmt.Sprintf("%q is not a payload format", route.Payload), Hint: `use "2.0" or "raw"`}
	}
	switch route.Async {
	case "", AsyncAllow:
		served.Events = gateway.EventsOnRequest
	case AsyncNever:
		served.Events = gateway.EventsNever
	case AsyncAlways:
		served.Events = gateway.EventsAlways
	default:
		return served, &gateway.RouteError{Route: route.Key(),
			Why: fmt.Sprintf("%q does not say which requests become events", route.Async), Hint: `use "allow", "never" or "always"`}
	}
	return served, nil
}
