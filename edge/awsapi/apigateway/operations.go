package apigateway

import (
	"net/http"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

const serviceAPIGateway = "apigateway" // in signatures

// Operations returns every operation of API Gateway, v1 and v2, and the node's
// own about APIs.
func Operations(cfg Config) []restjson.Operation {
	s := newService(cfg)
	var all []restjson.Operation
	for _, group := range [][]restjson.Operation{
		s.restOperations(), s.keyOperations(), refusedREST(),
		s.httpOperations(), refusedHTTP(),
		s.nodeOperations(),
	} {
		all = append(all, group...)
	}
	return all
}

// answer makes the reply to a request: a value to send as JSON, nil for none.
type answer func(r *http.Request) (any, error)

// op declares an operation of API Gateway that replies with status.
func op(name, method, path string, status int, serve answer) restjson.Operation {
	access := restjson.Deploy
	if method == http.MethodGet {
		access = restjson.Read
	}
	return restjson.Operation{
		Service: serviceAPIGateway, Name: name, Method: method, Path: path, Access: access,
		Serve: func(w http.ResponseWriter, r *http.Request) error {
			reply, err := serve(r)
			if err != nil {
				return faultOf(err)
			}
			if reply == nil {
				w.WriteHeader(status)
				return nil
			}
			return restjson.WriteJSON(w, status, reply)
		},
	}
}

// noted adds a note to an operation.
func noted(o restjson.Operation, note string) restjson.Operation {
	o.Note = note
	return o
}

// Statuses as API Gateway uses them.
const (
	ok       = http.StatusOK
	created  = http.StatusCreated
	accepted = http.StatusAccepted
	empty    = http.StatusNoContent
)

// restOperations are those of REST APIs that are supported.
func (s *service) restOperations() []restjson.Operation {
	const (
		api      = "/restapis/{api}"
		resource = api + "/resources/{resource}"
		method   = resource + "/methods/{method}"
		response = method + "/responses/{status}"
		behind   = method + "/integration"
		result   = behind + "/responses/{status}"
		deployed = api + "/deployments/{deployment}"
		stage    = api + "/stages/{stage}"
		authz    = api + "/authorizers/{authorizer}"
		post     = http.MethodPost
		put      = http.MethodPut
		patching = http.MethodPatch
		get      = http.MethodGet
		del      = http.MethodDelete
	)
	create := op("CreateRestApi", post, "/restapis", created, s.createRestAPI)
	create.Matches = func(r *http.Request) bool { return !isImport(r) }
	return []restjson.Operation{
		create,
		op("GetRestApis", get, "/restapis", ok, s.getRestAPIs),
		op("GetRestApi", get, api, ok, s.getRestAPI),
		op("UpdateRestApi", patching, api, ok, s.updateRestAPI),
		noted(op("PutRestApi", put, api, ok, s.putRestAPI), "in mode overwrite and with an OpenAPI document (JSON) without methods, which empties the API; other documents are refused"),
		noted(op("DeleteRestApi", del, api, accepted, s.deleteAPI(persist.ProtocolREST)), "usage plans and the node's root that name it forget it"),

		op("CreateResource", post, api+"/resources/{resource}", created, s.createResource),
		op("GetResources", get, api+"/resources", ok, s.getResources),
		op("GetResource", get, resource, ok, s.getResource),
		op("UpdateResource", patching, resource, ok, s.updateResource),
		op("DeleteResource", del, resource, accepted, s.deleteResource),

		op("PutMethod", put, method, created, s.putMethod),
		op("GetMethod", get, method, ok, s.getMethod),
		op("UpdateMethod", patching, method, ok, s.updateMethod),
		op("DeleteMethod", del, method, empty, s.deleteMethod),
		op("PutMethodResponse", put, response, created, s.putMethodResponse),
		op("GetMethodResponse", get, response, ok, s.getMethodResponse),
		op("UpdateMethodResponse", patching, response, ok, s.updateMethodResponse),
		op("DeleteMethodResponse", del, response, empty, s.deleteMethodResponse),

		noted(op("PutIntegration", put, behind, created, s.putIntegration), "AWS_PROXY to a function of this node, and MOCK; no permission is asked for"),
		op("GetIntegration", get, behind, ok, s.getIntegration),
		op("UpdateIntegration", patching, behind, ok, s.updateIntegration),
		op("DeleteIntegration", del, behind, empty, s.deleteIntegration),
		noted(op("PutIntegrationResponse", put, result, created, s.putIntegrationResponse), "of MOCK integrations, with static headers and fixed templates; those of AWS_PROXY are kept and, as on AWS, not used"),
		op("GetIntegrationResponse", get, result, ok, s.getIntegrationResponse),
		op("UpdateIntegrationResponse", patching, result, ok, s.updateIntegrationResponse),
		op("DeleteIntegrationResponse", del, result, empty, s.deleteIntegrationResponse),

		noted(op("CreateDeployment", post, api+"/deployments", created, s.createDeployment), "of the deployments that no stage uses the node keeps the 20 newest"),
		op("GetDeployments", get, api+"/deployments", ok, s.getDeployments),
		op("GetDeployment", get, deployed, ok, s.getDeployment),
		op("UpdateDeployment", patching, deployed, ok, s.updateDeployment),
		op("DeleteDeployment", del, deployed, accepted, s.deleteDeployment(persist.ProtocolREST)),

		op("CreateStage", post, api+"/stages", created, s.createStage),
		op("GetStages", get, api+"/stages", ok, s.getStages),
		op("GetStage", get, stage, ok, s.getStage),
		noted(op("UpdateStage", patching, stage, ok, s.updateStage), "settings for logging and metrics are accepted and ignored: kept and shown, not used"),
		op("DeleteStage", del, stage, accepted, s.deleteStage(persist.ProtocolREST)),
		noted(op("FlushStageCache", del, stage+"/cache/data", accepted, s.flushCache), "a stage has no cache, so it is always empty"),

		noted(op("CreateAuthorizer", post, api+"/authorizers", created, s.createAuthorizer), "TOKEN and REQUEST"),
		op("GetAuthorizers", get, api+"/authorizers", ok, s.getAuthorizers),
		op("GetAuthorizer", get, authz, ok, s.getAuthorizer),
		op("UpdateAuthorizer", patching, authz, ok, s.updateAuthorizer),
		op("DeleteAuthorizer", del, authz, accepted, s.deleteAuthorizer),

		restjson.OfOwnARNs(op("TagResource", put, "/tags/{arn}", empty, s.tagResource), "arn"),
		restjson.OfOwnARNs(op("UntagResource", del, "/tags/{arn}", empty, s.untagResource), "arn"),
		restjson.OfOwnARNs(op("GetTags", get, "/tags/{arn}", ok, s.getTags), "arn"),
	}
}

const whoSeesValues = "values are shown to callers who may change APIs"

// keyOperations are those of API keys and usage plans.
func (s *service) keyOperations() []restjson.Operation {
	create := op("CreateApiKey", http.MethodPost, "/apikeys", created, s.createAPIKey)
	create.Matches = func(r *http.Request) bool { return !isImport(r) }
	return []restjson.Operation{
		create,
		noted(op("GetApiKeys", http.MethodGet, "/apikeys", ok, s.getAPIKeys), whoSeesValues),
		noted(op("GetApiKey", http.MethodGet, "/apikeys/{key}", ok, s.getAPIKey), whoSeesValues),
		op("UpdateApiKey", http.MethodPatch, "/apikeys/{key}", ok, s.updateAPIKey),
		op("DeleteApiKey", http.MethodDelete, "/apikeys/{key}", accepted, s.deleteAPIKey),

		noted(op("CreateUsagePlan", http.MethodPost, "/usageplans", created, s.createUsagePlan), "quotas are counted in memory: a node that starts again starts from zero"),
		op("GetUsagePlans", http.MethodGet, "/usageplans", ok, s.getUsagePlans),
		op("GetUsagePlan", http.MethodGet, "/usageplans/{plan}", ok, s.getUsagePlan),
		op("UpdateUsagePlan", http.MethodPatch, "/usageplans/{plan}", ok, s.updateUsagePlan),
		op("DeleteUsagePlan", http.MethodDelete, "/usageplans/{plan}", accepted, s.deleteUsagePlan),
		op("CreateUsagePlanKey", http.MethodPost, "/usageplans/{plan}/keys", created, s.createUsagePlanKey),
		op("GetUsagePlanKeys", http.MethodGet, "/usageplans/{plan}/keys", ok, s.getUsagePlanKeys),
		op("GetUsagePlanKey", http.MethodGet, "/usageplans/{plan}/keys/{key}", ok, s.getUsagePlanKey),
		op("DeleteUsagePlanKey", http.MethodDelete, "/usageplans/{plan}/keys/{key}", accepted, s.deleteUsagePlanKey),
	}
}
