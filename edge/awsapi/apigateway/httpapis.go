package apigateway

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"ledge/edge"
	"ledge/edge/awsapi/restjson"
	"ledge/edge/gateway"
	"ledge/persist"
)

// httpAPI is API Gateway v2's Api
// (https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid.html).
type httpAPI struct {
	APIEndpoint               string            `json:"apiEndpoint"`
	APIID                     string            `json:"apiId"`
	APIKeySelectionExpression string            `json:"apiKeySelectionExpression"`
	APIGatewayManaged         bool              `json:"apiGatewayManaged"`
	CORSConfiguration         *cors             `json:"corsConfiguration,omitempty"`
	CreatedDate               time.Time         `json:"createdDate"`
	Description               string            `json:"description,omitempty"`
	DisableExecuteAPIEndpoint bool              `json:"disableExecuteApiEndpoint"`
	IPAddressType             string            `json:"ipAddressType"`
	Name                      string            `json:"name"`
	ProtocolType              string            `json:"protocolType"`
	RouteSelectionExpression  string            `json:"routeSelectionExpression"`
	Tags                      map[string]string `json:"tags"`
	Version                   string            `json:"version,omitempty"`
}

// cors is API Gateway v2's Cors.
type cors struct {
	AllowCredentials bool     `json:"allowCredentials"`
	AllowHeaders     []string `json:"allowHeaders,omitempty"`
	AllowMethods     []string `json:"allowMethods,omitempty"`
	AllowOrigins     []string `json:"allowOrigins,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	MaxAge           *int     `json:"maxAge,omitempty"`
}

// Expressions that an HTTP API always has.
const (
	routeSelection = "$request.method $request.path"
	keySelection   = "$request.header.x-api-key"
)

func (s *service) showHTTPAPI(a persist.API) httpAPI {
	shown := httpAPI{
		APIEndpoint: s.endpoint(a.ID), APIID: a.ID, APIKeySelectionExpression: keySelection,
		CreatedDate: a.Created, Description: a.Description, IPAddressType: onlyAddresses, Name: a.Name,
		ProtocolType: persist.ProtocolHTTP, RouteSelectionExpression: routeSelection,
		Tags: a.Tags, Version: a.Version,
	}
	if shown.Tags == nil {
		shown.Tags = map[string]string{}
	}
	if c := a.CORS; c != nil {
		shown.CORSConfiguration = &cors{
			AllowCredentials: c.AllowCredentials, AllowHeaders: c.AllowHeaders, AllowMethods: c.AllowMethods,
			AllowOrigins: c.AllowOrigins, ExposeHeaders: c.ExposeHeaders,
		}
		if c.MaxAgeSeconds != 0 {
			shown.CORSConfiguration.MaxAge = &c.MaxAgeSeconds
		}
	}
	return shown
}

// stored returns the CORS of an API as it is stored, nil for none.
func (c *cors) stored() *persist.CORS {
	if c == nil {
		return nil
	}
	stored := &persist.CORS{
		AllowOrigins: c.AllowOrigins, AllowMethods: c.AllowMethods, AllowHeaders: c.AllowHeaders,
		ExposeHeaders: c.ExposeHeaders, AllowCredentials: c.AllowCredentials,
	}
	if c.MaxAge != nil {
		stored.MaxAgeSeconds = *c.MaxAge
	}
	return stored
}

// apiSettings are the members that CreateApi and UpdateApi have in common; nil
// is not given.
type apiSettings struct {
	Name, Description, Version *string
	CORSConfiguration          *cors
	// Of quick create.
	Target, RouteKey, CredentialsARN *string

	APIKeySelectionExpression, RouteSelectionExpression, IPAddressType string
	DisableExecuteAPIEndpoint, DisableSchemaValidation                 bool
}

// set assigns what a request gives; nil is not given.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// apply checks the settings and changes an API by them.
func (q *apiSettings) apply(a *persist.API) error {
	if err := refuse(
		refusal{"disableExecuteApiEndpoint", q.DisableExecuteAPIEndpoint, whyEndpoint},
		refuseAddresses(q.IPAddressType),
		refusal{"disableSchemaValidation", q.DisableSchemaValidation, "it goes with WebSocket APIs"},
		refusal{"apiKeySelectionExpression", q.APIKeySelectionExpression != "" && q.APIKeySelectionExpression != keySelection, "it goes with WebSocket APIs"},
	); err != nil {
		return err
	}
	switch q.RouteSelectionExpression {
	case "", routeSelection, "${request.method} ${request.path}":
	default:
		return badRequest("Route selection expression of an HTTP API must be %s", routeSelection)
	}
	set(&a.Name, q.Name)
	set(&a.Description, q.Description)
	set(&a.Version, q.Version)
	if q.CORSConfiguration != nil {
		a.CORS = q.CORSConfiguration.stored()
	}
	if strings.TrimSpace(a.Name) == "" {
		return badRequest("Name is required: an API must have one")
	}
	if err := edge.CheckAPI(*a); err != nil {
		return badRequest("%s", err)
	}
	return checkTexts(a.Name, a.Description, a.Version, a.Tags)
}

func (s *service) createHTTPAPI(r *http.Request) (any, error) {
	var req struct {
		apiSettings
		ProtocolType string
		Tags         map[string]string
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	switch req.ProtocolType {
	case persist.ProtocolHTTP:
	case "WEBSOCKET":
		return nil, notImplemented("protocol type WEBSOCKET is not supported by this node: %s", whyNoWebSocket)
	default:
		return nil, badRequest("Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]")
	}
	api := persist.API{ID: newID(), Protocol: persist.ProtocolHTTP, Created: s.now(), Tags: req.Tags}
	if err := req.apply(&api); err != nil {
		return nil, err
	}
	draft := persist.APIDeployment{API: api.ID, Created: api.Created}
	quick, err := quickCreate(&req.apiSettings, &draft.Definition)
	if err != nil {
		return nil, err
	}
	err = s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		restjson.About(r.Context(), "API "+api.ID)
		if err := s.roomForAPI(); err != nil {
			return err
		}
		ch.PutAPIs = append(ch.PutAPIs, api)
		ch.PutDeployments = append(ch.PutDeployments, draft)
		if !quick {
			return nil
		}
		made := s.snapshot(api, &draft.Definition, autoDeployed)
		made.AutoDeployed = true
		ch.PutDeployments = append(ch.PutDeployments, made)
		ch.PutStages = append(ch.PutStages, persist.APIStage{
			API: api.ID, Name: defaultStage, Deployment: made.ID, AutoDeploy: true, Managed: true,
			Created: api.Created, Updated: api.Created, Status: deployedStatus(made.ID),
		})
		return nil
	})
	return s.showHTTPAPI(api), err
}

// quickCreate adds an integration and a route for the target of a request, if
// it has one.
func quickCreate(q *apiSettings, def *persist.APIDefinition) (bool, error) {
	if q.Target == nil {
		if q.RouteKey != nil || q.CredentialsARN != nil {
			return false, badRequest("routeKey and credentialsArn go with a target")
		}
		return false, nil
	}
	in := persist.APIIntegration{
		ID: newID(), Type: typeProxy, HTTPMethod: http.MethodPost, URI: *q.Target,
		PayloadFormat: "2.0", TimeoutMillis: httpTimeout, Managed: true,
	}
	if q.CredentialsARN != nil {
		in.Credentials = *q.CredentialsARN
	}
	if strings.HasPrefix(in.URI, "http://") || strings.HasPrefix(in.URI, "https://") {
		return false, notImplemented("an HTTP target is not supported by this node: %s", whyNoHTTP)
	}
	if err := checkHTTPIntegration(&in); err != nil {
		return false, err
	}
	route := persist.APIRoute{ID: newID(), Key: gateway.DefaultPath, Target: in.ID, AuthorizationType: "NONE", Managed: true}
	if q.RouteKey != nil {
		route.Key = *q.RouteKey
	}
	def.Integrations = append(def.Integrations, in)
	if err := checkRoute(def, &route); err != nil {
		return false, err
	}
	def.Routes = append(def.Routes, route)
	return true, nil
}

func (s *service) getHTTPAPIs(r *http.Request) (any, error) {
	apis, err := s.apis(persist.ProtocolHTTP)
	if err != nil {
		return nil, err
	}
	return list2Of(r, apis, func(a persist.API) string { return a.ID }, s.showHTTPAPI)
}

func (s *service) getHTTPAPI(r *http.Request) (any, error) {
	api, err := s.apiOf(r, persist.ProtocolHTTP)
	if err != nil {
		return nil, err
	}
	return s.showHTTPAPI(api), nil
}

func (s *service) updateHTTPAPI(r *http.Request) (any, error) {
	var req apiSettings
	if err := read(r, &req); err != nil {
		return nil, err
	}
	var api persist.API
	err := s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		if err := req.apply(&e.api); err != nil {
			return err
		}
		if err := updateQuick(&req, e.def); err != nil {
			return err
		}
		api = e.api
		e.change.PutAPIs = append(e.change.PutAPIs, api)
		return nil
	})
	return s.showHTTPAPI(api), err
}

// updateQuick changes the integration and the route that quick create made.
func updateQuick(q *apiSettings, def *persist.APIDefinition) error {
	if q.Target == nil && q.RouteKey == nil && q.CredentialsARN == nil {
		return nil
	}
	route := slices.IndexFunc(def.Routes, func(route persist.APIRoute) bool { return route.Managed })
	in := slices.IndexFunc(def.Integrations, func(in persist.APIIntegration) bool { return in.Managed })
	if route < 0 || in < 0 {
		return badRequest("target, routeKey and credentialsArn are for APIs that were made with quick create; change the routes and integrations of this one")
	}
	if q.Target != nil {
		def.Integrations[in].URI = *q.Target
		if err := edge.CheckFunctionURI(*q.Target); err != nil {
			return badRequest("Invalid ARN specified in the request: %s", err)
		}
	}
	if q.CredentialsARN != nil {
		def.Integrations[in].Credentials = *q.CredentialsARN
	}
	if q.RouteKey != nil {
		def.Routes[route].Key = *q.RouteKey
		return checkRoute(def, &def.Routes[route])
	}
	return nil
}

func (s *service) deleteCORS(r *http.Request) (any, error) {
	return nil, s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		e.api.CORS = nil
		e.change.PutAPIs = append(e.change.PutAPIs, e.api)
		return nil
	})
}
