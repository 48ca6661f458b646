package apigateway

import (
	"net/http"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// httpOperations are those of HTTP APIs, API Gateway v2, that are supported.
func (s *service) httpOperations() []restjson.Operation {
	const (
		api      = "/v2/apis/{api}"
		route    = api + "/routes/{route}"
		behind   = api + "/integrations/{integration}"
		stage    = api + "/stages/{stage}"
		deployed = api + "/deployments/{deployment}"
		authz    = api + "/authorizers/{authorizer}"
		post     = http.MethodPost
		patching = http.MethodPatch
		get      = http.MethodGet
		del      = http.MethodDelete
	)
	return []restjson.Operation{
		noted(op("CreateApi", post, "/v2/apis", created, s.createHTTPAPI), "protocol type HTTP, with quick create"),
		op("GetApis", get, "/v2/apis", ok, s.getHTTPAPIs),
		op("GetApi", get, api, ok, s.getHTTPAPI),
		op("UpdateApi", patching, api, ok, s.updateHTTPAPI),
		op("DeleteApi", del, api, empty, s.deleteAPI(persist.ProtocolHTTP)),
		op("DeleteCorsConfiguration", del, api+"/cors", empty, s.deleteCORS),

		op("CreateRoute", post, api+"/routes", created, s.createRoute),
		op("GetRoutes", get, api+"/routes", ok, s.getRoutes),
		op("GetRoute", get, route, ok, s.getRoute),
		op("UpdateRoute", patching, route, ok, s.updateRoute),
		op("DeleteRoute", del, route, empty, s.deleteRoute),

		noted(op("CreateIntegration", post, api+"/integrations", created, s.createHTTPIntegration), "AWS_PROXY to a function of this node; no permission is asked for"),
		op("GetIntegrations", get, api+"/integrations", ok, s.getHTTPIntegrations),
		op("GetIntegration", get, behind, ok, s.getHTTPIntegration),
		op("UpdateIntegration", patching, behind, ok, s.updateHTTPIntegration),
		op("DeleteIntegration", del, behind, empty, s.deleteHTTPIntegration),

		op("CreateStage", post, api+"/stages", created, s.createHTTPStage),
		op("GetStages", get, api+"/stages", ok, s.getHTTPStages),
		op("GetStage", get, stage, ok, s.getHTTPStage),
		noted(op("UpdateStage", patching, stage, ok, s.updateHTTPStage), "settings for logging and metrics are accepted and ignored: kept and shown, not used"),
		op("DeleteStage", del, stage, empty, s.deleteStage(persist.ProtocolHTTP)),
		op("DeleteRouteSettings", del, stage+"/routesettings/{route}", empty, s.deleteRouteSettings),

		op("CreateDeployment", post, api+"/deployments", created, s.createHTTPDeployment),
		op("GetDeployments", get, api+"/deployments", ok, s.getHTTPDeployments),
		op("GetDeployment", get, deployed, ok, s.getHTTPDeployment),
		op("UpdateDeployment", patching, deployed, ok, s.updateHTTPDeployment),
		op("DeleteDeployment", del, deployed, empty, s.deleteDeployment(persist.ProtocolHTTP)),

		noted(op("CreateAuthorizer", post, api+"/authorizers", created, s.createHTTPAuthorizer), "JWT, with keys that the node was given by PutKeySet, and REQUEST"),
		op("GetAuthorizers", get, api+"/authorizers", ok, s.getHTTPAuthorizers),
		op("GetAuthorizer", get, authz, ok, s.getHTTPAuthorizer),
		op("UpdateAuthorizer", patching, authz, ok, s.updateHTTPAuthorizer),
		op("DeleteAuthorizer", del, authz, empty, s.deleteHTTPAuthorizer),

		op("TagResource", post, "/v2/tags/{arn}", created, s.tagResource2),
		op("UntagResource", del, "/v2/tags/{arn}", empty, s.untagResource),
		op("GetTags", get, "/v2/tags/{arn}", ok, s.getTags),
	}
}

// tagResource2 is tagResource with the empty object that v2 replies with.
func (s *service) tagResource2(r *http.Request) (any, error) {
	_, err := s.tagResource(r)
	return struct{}{}, err
}
