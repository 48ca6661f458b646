package apigateway

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"ledge/edge/gateway"
	"ledge/persist"
)

// httpRoute is API Gateway v2's Route
// (https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes-routeid.html).
type httpRoute struct {
	APIGatewayManaged   bool     `json:"apiGatewayManaged"`
	APIKeyRequired      bool     `json:"apiKeyRequired"`
	AuthorizationScopes []string `json:"authorizationScopes,omitempty"`
	AuthorizationType   string   `json:"authorizationType"`
	AuthorizerID        string   `json:"authorizerId,omitempty"`
	OperationName       string   `json:"operationName,omitempty"`
	RouteID             string   `json:"routeId"`
	RouteKey            string   `json:"routeKey"`
	Target              string   `json:"target,omitempty"`
}

func showRoute(route persist.APIRoute) httpRoute {
	shown := httpRoute{
		APIGatewayManaged: route.Managed, AuthorizationScopes: route.Scopes, AuthorizationType: route.AuthorizationType,
		AuthorizerID: route.AuthorizerID, OperationName: route.OperationName, RouteID: route.ID, RouteKey: route.Key,
	}
	if route.Target != "" {
		shown.Target = targetPrefix + route.Target
	}
	return shown
}

// targetPrefix stands before the ID of an integration in a route's target.
const targetPrefix = "integrations/"

// routeSettings are the members of CreateRoute and UpdateRoute; nil is not given.
type routeSettings struct {
	RouteKey, Target, AuthorizationType, AuthorizerID, OperationName *string
	AuthorizationScopes                                              *[]string

	APIKeyRequired                                             bool
	ModelSelectionExpression, RouteResponseSelectionExpression string
	RequestModels                                              map[string]string
	RequestParameters                                          map[string]any
}

// apply changes a route by the settings and checks it.
func (q *routeSettings) apply(def *persist.APIDefinition, route *persist.APIRoute) error {
	if err := refuse(
		refusal{"apiKeyRequired", q.APIKeyRequired, "HTTP APIs have no API keys, on AWS neither; use a REST API"},
		refusal{"modelSelectionExpression", q.ModelSelectionExpression != "", whyNoWebSocket},
		refusal{"routeResponseSelectionExpression", q.RouteResponseSelectionExpression != "", whyNoWebSocket},
		refusal{"requestModels", len(q.RequestModels) > 0, whyNoWebSocket},
		refusal{"requestParameters", len(q.RequestParameters) > 0, whyNoWebSocket},
	); err != nil {
		return err
	}
	set(&route.Key, q.RouteKey)
	set(&route.AuthorizationType, q.AuthorizationType)
	set(&route.AuthorizerID, q.AuthorizerID)
	set(&route.OperationName, q.OperationName)
	set(&route.Scopes, q.AuthorizationScopes)
	if q.Target != nil {
		id, ok := strings.CutPrefix(*q.Target, targetPrefix)
		if !ok && *q.Target != "" {
			return badRequest("Invalid target specified: %.200q is not integrations/INTEGRATION-ID", *q.Target)
		}
		route.Target = id
	}
	route.AuthorizationType = cmp.Or(route.AuthorizationType, "NONE")
	// What went with the authorizer before goes with it.
	if q.AuthorizerID == nil && (route.AuthorizationType == "NONE" || route.AuthorizationType == "AWS_IAM") {
		route.AuthorizerID = ""
	}
	if q.AuthorizationScopes == nil && route.AuthorizationType != typeJWT {
		route.Scopes = nil
	}
	return checkRoute(def, route)
}

// maxScopes bounds the scopes of a route.
const maxScopes = 10

// checkRoute looks at a route among the others of its API.
func checkRoute(def *persist.APIDefinition, route *persist.APIRoute) error {
	if _, _, err := gateway.ParseRoute(route.Key); err != nil {
		return badRequest("The provided route key is not formatted properly for HTTP protocol. Format should be \"<HTTP METHOD> /<RESOURCE PATH>\" or \"$default\" (%s)", err)
	}
	for i := range def.Routes {
		if other := &def.Routes[i]; other.ID != route.ID && other.Key == route.Key {
			return conflict("Route with key %s already exists for this API", route.Key)
		}
	}
	if route.Target != "" && !slices.ContainsFunc(def.Integrations, func(in persist.APIIntegration) bool { return in.ID == route.Target }) {
		return notFound("Invalid Integration identifier specified: %.100s", route.Target)
	}
	switch {
	case len(route.OperationName) > 64:
		return badRequest("The operation name has %d bytes: use at most 64", len(route.OperationName))
	case len(route.Scopes) > maxScopes:
		return badRequest("A route has at most %d scopes", maxScopes)
	case len(route.Scopes) > 0 && route.AuthorizationType != typeJWT:
		return badRequest("Authorization scopes go with the authorization type JWT")
	}
	return checkRouteAuthorizer(def, route)
}

func checkRouteAuthorizer(def *persist.APIDefinition, route *persist.APIRoute) error {
	wanted := "" // type of authorizer
	switch route.AuthorizationType {
	case "NONE", "AWS_IAM":
		if route.AuthorizerID != "" {
			return badRequest("An authorizer goes with the authorization types JWT and CUSTOM")
		}
		return nil
	case typeJWT:
		wanted = typeJWT
	case "CUSTOM":
		wanted = typeRequest
	default:
		return badRequest("Invalid authorization type specified. Must be one of [NONE, AWS_IAM, CUSTOM, JWT]")
	}
	at := slices.IndexFunc(def.Authorizers, func(a persist.APIAuthorizer) bool { return a.ID == route.AuthorizerID })
	if at < 0 {
		return badRequest("Invalid authorizer ID specified: authorization type %s needs one of this API", route.AuthorizationType)
	}
	if def.Authorizers[at].Type != wanted {
		return badRequest("Authorizer %s is of type %s, authorization type %s needs %s", route.AuthorizerID, def.Authorizers[at].Type, route.AuthorizationType, wanted)
	}
	return nil
}

// routeOf returns the route of a definition that a request names.
func routeOf(r *http.Request, def *persist.APIDefinition) (*persist.APIRoute, error) {
	id := r.PathValue("route")
	for i := range def.Routes {
		if def.Routes[i].ID == id {
			return &def.Routes[i], nil
		}
	}
	return nil, notFound("Unable to find Route by identifier %.100s within the API", id)
}

func (s *service) createRoute(r *http.Request) (any, error) {
	var req routeSettings
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if req.RouteKey == nil {
		return nil, badRequest("Route key is required: write it as \"GET /hello\" or \"$default\"")
	}
	route := persist.APIRoute{ID: newID()}
	err := s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		if len(e.def.Routes) >= maxRoutes {
			return limitExceeded("Maximum number of routes for this API has been reached: %d", maxRoutes)
		}
		if err := req.apply(e.def, &route); err != nil {
			return err
		}
		e.def.Routes = append(e.def.Routes, route)
		return nil
	})
	return showRoute(route), err
}

func (s *service) getRoutes(r *http.Request) (any, error) {
	_, draft, err := s.draftOf(r, persist.ProtocolHTTP)
	if err != nil {
		return nil, err
	}
	return list2Of(r, draft.Definition.Routes, func(route persist.APIRoute) string { return route.ID }, showRoute)
}

func (s *service) getRoute(r *http.Request) (any, error) {
	return show(s, r, persist.ProtocolHTTP, routeOf, showRoute)
}

func (s *service) updateRoute(r *http.Request) (any, error) {
	var req routeSettings
	if err := read(r, &req); err != nil {
		return nil, err
	}
	var shown httpRoute
	err := s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		route, err := routeOf(r, e.def)
		if err != nil {
			return err
		}
		if err := req.apply(e.def, route); err != nil {
			return err
		}
		shown = showRoute(*route)
		return nil
	})
	return shown, err
}

func (s *service) deleteRoute(r *http.Request) (any, error) {
	return nil, s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		route, err := routeOf(r, e.def)
		if err != nil {
			return err
		}
		id := route.ID
		e.def.Routes = slices.DeleteFunc(e.def.Routes, func(other persist.APIRoute) bool { return other.ID == id })
		return nil
	})
}
