package edge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ledge/edge/gateway"
	"ledge/persist"
)

// MaxPathDepth bounds how deep the resources of a REST API lie.
const MaxPathDepth = gateway.MaxSegments

// ResourcePaths returns the path of each resource of a REST API by its ID.
func ResourcePaths(resources []persist.APIResource) (map[string]string, error) {
	byID := make(map[string]*persist.APIResource, len(resources))
	for i := range resources {
		byID[resources[i].ID] = &resources[i]
	}
	paths := make(map[string]string, len(resources))
	for i := range resources {
		at := &resources[i]
		path := ""
		for depth := 0; at.Parent != ""; depth++ {
			parent := byID[at.Parent]
			if parent == nil || depth == MaxPathDepth {
				return nil, fmt.Errorf("resource %s has no way to the root", resources[i].ID)
			}
			path = "/" + at.PathPart + path
			at = parent
		}
		paths[resources[i].ID] = cmp.Or(path, "/")
	}
	return paths, nil
}

// restRoutes turns the methods of a deployment of a REST API into routes.
func (t *translation) restRoutes(def *persist.APIDefinition, stage *persist.APIStage) ([]gateway.Route, error) {
	paths, err := ResourcePaths(def.Resources)
	if err != nil {
		return nil, err
	}
	var routes []gateway.Route
	for _, resource := range def.Resources {
		path := paths[resource.ID]
		for name, method := range resource.Methods {
			route := gateway.Route{
				Method: name, Path: path, Payload: gateway.PayloadV1,
				KeyRequired: method.KeyRequired, Operation: method.OperationName, ResourceID: resource.ID,
				Throttle: throttleOf(stage.Settings, strings.TrimPrefix(path, "/")+"/"+name, "*/*"),
			}
			authorizer, err := t.authorizer(def, stage, method.AuthorizationType, method.AuthorizerID)
			if err != nil {
				return nil, fmt.Errorf("authorizer of %s %s: %w", name, path, err)
			}
			route.Authorizer = authorizer
			if err := t.integrate(&route, method.Integration, stage); err != nil {
				return nil, fmt.Errorf("integration of %s %s: %w", name, path, err)
			}
			routes = append(routes, route)
		}
	}
	slices.SortFunc(routes, func(a, b gateway.Route) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return routes, nil
}

// httpRoutes turns the routes of a deployment of an HTTP API into routes.
func (t *translation) httpRoutes(def *persist.APIDefinition, stage *persist.APIStage) ([]gateway.Route, error) {
	var routes []gateway.Route
	for _, r := range def.Routes {
		method, path, err := gateway.ParseRoute(r.Key)
		if err != nil {
			return nil, err
		}
		route := gateway.Route{
			Method: method, Path: path, Scopes: r.Scopes, Operation: r.OperationName,
			Throttle: throttleOf(stage.Settings, r.Key, "*"),
		}
		if route.Authorizer, err = t.authorizer(def, stage, r.AuthorizationType, r.AuthorizerID); err != nil {
			return nil, fmt.Errorf("authorizer of route %q: %w", r.Key, err)
		}
		at := slices.IndexFunc(def.Integrations, func(in persist.APIIntegration) bool { return in.ID == r.Target })
		var in *persist.APIIntegration
		if at >= 0 {
			in = &def.Integrations[at]
			route.Payload = payloadOf(in.PayloadFormat)
		}
		if err := t.integrate(&route, in, stage); err != nil {
			return nil, fmt.Errorf("integration of route %q: %w", r.Key, err)
		}
		routes = append(routes, route)
	}
	return routes, nil
}

// payloadOf returns the payload format of an HTTP API's integration.
func payloadOf(format string) gateway.Payload {
	if format == "1.0" {
		return gateway.PayloadV1
	}
	return gateway.PayloadV2
}

// integrate sets what stands behind route. Where that is not known, requests
// are answered with 500.
func (t *translation) integrate(route *gateway.Route, in *persist.APIIntegration, stage *persist.APIStage) error {
	if in == nil {
		route.Mock = unanswerable()
		return nil
	}
	if in.Type == "MOCK" {
		route.Mock = mockOf(in)
		return nil
	}
	name, qualifier, err := FunctionOf(in.URI, stage.Variables)
	if err != nil && strings.Contains(in.URI, "${") {
		route.Mock = unanswerable() // the stage's variables do not fit, which may change
		return nil
	}
	if err != nil {
		return err
	}
	route.Function, route.Qualifier = name, qualifier
	route.Timeout = time.Duration(in.TimeoutMillis) * time.Millisecond
	return nil
}

// throttleOf returns the limits of one method or route: its own settings, else
// those for all.
func throttleOf(settings map[string]persist.MethodSettings, own, all string) gateway.Throttle {
	rate := cmp.Or(settings[own].Rate, settings[all].Rate)
	burst := cmp.Or(settings[own].Burst, settings[all].Burst)
	return throttle(rate, burst)
}

// Limits that AWS gives an account, where only one of the two is set
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
const (
	defaultRate  = 10000
	defaultBurst = 5000
)

// throttle makes a token bucket of a rate and a burst. What is nil or negative
// is not limited.
func throttle(rate *float64, burst *int) gateway.Throttle {
	noRate, noBurst := rate == nil || *rate < 0, burst == nil || *burst < 0
	switch {
	case noRate && noBurst:
		return gateway.Throttle{}
	case noRate:
		return gateway.Throttle{Rate: defaultRate, Burst: *burst}
	case noBurst:
		return gateway.Throttle{Rate: *rate, Burst: defaultBurst}
	case *rate == 0 && *burst == 0:
		return gateway.Throttle{Rate: 1} // both zero would be no limit; without a burst nothing passes
	}
	return gateway.Throttle{Rate: *rate, Burst: *burst}
}
