package apigateway

import (
	"net/http"
	"slices"
	"strings"

	"ledge/edge"
	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// Bounds, see https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html.
const (
	maxAPIs          = 600 // REST and HTTP APIs of a node
	maxResources     = 300 // of a REST API
	maxRoutes        = 300 // of an HTTP API
	maxStages        = 10  // of an API
	maxAuthorizers   = 10  // of an API
	maxName          = 1024
	maxDescription   = 1024
	maxBinaryTypes   = 100
	maxTags          = 50
	maxVariables     = 100
	maxVariableValue = 512
)

// restAPI is API Gateway's RestApi
// (https://docs.aws.amazon.com/apigateway/latest/api/API_RestApi.html).
type restAPI struct {
	ID                        string            `json:"id"`
	Name                      string            `json:"name"`
	Description               string            `json:"description,omitempty"`
	CreatedDate               int64             `json:"createdDate"` // seconds since 1970
	Version                   string            `json:"version,omitempty"`
	BinaryMediaTypes          []string          `json:"binaryMediaTypes,omitempty"`
	APIKeySource              string            `json:"apiKeySource"`
	EndpointConfiguration     endpoints         `json:"endpointConfiguration"`
	Tags                      map[string]string `json:"tags,omitempty"`
	DisableExecuteAPIEndpoint bool              `json:"disableExecuteApiEndpoint"`
	RootResourceID            string            `json:"rootResourceId"`
}

type endpoints struct {
	Types          []string `json:"types,omitempty"`
	IPAddressType  string   `json:"ipAddressType,omitempty"`
	VPCEndpointIDs []string `json:"vpcEndpointIds,omitempty"`
}

func showRestAPI(a persist.API) restAPI {
	return restAPI{
		ID: a.ID, Name: a.Name, Description: a.Description, Version: a.Version,
		CreatedDate: a.Created.Unix(), BinaryMediaTypes: a.BinaryTypes, APIKeySource: a.APIKeySource,
		EndpointConfiguration: endpoints{Types: a.EndpointTypes, IPAddressType: onlyAddresses},
		Tags:                  a.Tags, RootResourceID: a.RootResource,
	}
}

func (s *service) createRestAPI(r *http.Request) (any, error) {
	var req struct {
		Name, Description, Version, CloneFrom, APIKeySource, Policy, SecurityPolicy string
		BinaryMediaTypes                                                            []string
		MinimumCompressionSize                                                      *int
		EndpointConfiguration                                                       endpoints
		Tags                                                                        map[string]string
		DisableExecuteAPIEndpoint                                                   bool
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if err := refuse(
		refusal{"cloneFrom", req.CloneFrom != "", "create the API and its resources"},
		refusal{"policy", req.Policy != "", "use an authorizer, or AWS_IAM as the authorization of methods"},
		refusal{"securityPolicy", req.SecurityPolicy != "", "an API has no TLS of its own"},
		refusal{"minimumCompressionSize", req.MinimumCompressionSize != nil, whyNoCompression},
		refusal{"disableExecuteApiEndpoint", req.DisableExecuteAPIEndpoint, whyEndpoint},
		refuseAddresses(req.EndpointConfiguration.IPAddressType),
		refusal{"endpointConfiguration.vpcEndpointIds", len(req.EndpointConfiguration.VPCEndpointIDs) > 0, whyNoVPC},
	); err != nil {
		return nil, err
	}
	api := persist.API{
		ID: newID(), Protocol: persist.ProtocolREST, Name: req.Name, Description: req.Description, Version: req.Version,
		Created: s.now(), Tags: req.Tags, EndpointTypes: req.EndpointConfiguration.Types,
		APIKeySource: req.APIKeySource, BinaryTypes: req.BinaryMediaTypes, RootResource: newID(),
	}
	if len(api.EndpointTypes) == 0 {
		api.EndpointTypes = []string{"EDGE"}
	}
	if api.APIKeySource == "" {
		api.APIKeySource = "HEADER"
	}
	if err := checkRestAPI(&api); err != nil {
		return nil, err
	}
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		restjson.About(r.Context(), "API "+api.ID)
		if err := s.roomForAPI(); err != nil {
			return err
		}
		ch.PutAPIs = append(ch.PutAPIs, api)
		ch.PutDeployments = append(ch.PutDeployments, persist.APIDeployment{
			API: api.ID, Created: api.Created,
			Definition: persist.APIDefinition{Resources: []persist.APIResource{{ID: api.RootResource}}},
		})
		return nil
	})
	return showRestAPI(api), err
}

// Reasons for refusals that several operations give.
const (
	whyNoCompression = "responses are sent as the function made them"
	whyEndpoint      = "an API has no other address than its own; delete its stages to take it out of service"
	whyNoVPC         = "a node has no virtual private cloud"
	whyAddresses     = "the node listens where it was told to"
)

// onlyAddresses is the one type of addresses that APIs are shown with.
const onlyAddresses = "ipv4"

func refuseAddresses(kind string) refusal {
	return refusal{"ipAddressType " + kind, kind != "" && kind != onlyAddresses, whyAddresses}
}

// roomForAPI refuses one API more than there may be.
func (s *service) roomForAPI() error {
	apis, err := s.Store.APIs()
	if err != nil {
		return err
	}
	if len(apis) >= maxAPIs {
		return limitExceeded("Maximum number of APIs for this account has been reached: a node has at most %d; delete some", maxAPIs)
	}
	return nil
}

func checkRestAPI(a *persist.API) error {
	switch {
	case strings.TrimSpace(a.Name) == "":
		return badRequest("Invalid API name specified: it must not be empty")
	case len(a.BinaryTypes) > maxBinaryTypes:
		return badRequest("%d binary media types are too many: use at most %d", len(a.BinaryTypes), maxBinaryTypes)
	case a.APIKeySource != "HEADER" && a.APIKeySource != "AUTHORIZER":
		return badRequest("Invalid API key source specified. Must be one of: [HEADER, AUTHORIZER]")
	}
	for _, kind := range a.EndpointTypes {
		switch kind {
		case "EDGE", "REGIONAL":
		case "PRIVATE":
			return notImplemented("endpoint type PRIVATE is not supported by this node: %s", whyNoVPC)
		default:
			return badRequest("Invalid endpoint type specified. Must be one of: [EDGE, REGIONAL, PRIVATE]")
		}
	}
	if err := edge.CheckAPI(*a); err != nil {
		return badRequest("%s", err)
	}
	return checkTexts(a.Name, a.Description, a.Version, a.Tags)
}

// checkTexts bounds what only people read.
func checkTexts(name, description, version string, tags map[string]string) error {
	switch {
	case len(name) > maxName:
		return badRequest("The name has %d bytes: use at most %d", len(name), maxName)
	case len(description) > maxDescription:
		return badRequest("The description has %d bytes: use at most %d", len(description), maxDescription)
	case len(version) > 64:
		return badRequest("The version has %d bytes: use at most 64", len(version))
	}
	return checkTags(tags)
}

func (s *service) getRestAPIs(r *http.Request) (any, error) {
	apis, err := s.apis(persist.ProtocolREST)
	if err != nil {
		return nil, err
	}
	return listOf(r, apis, func(a persist.API) string { return a.ID }, showRestAPI)
}

// apis returns the APIs of a protocol.
func (s *service) apis(protocol string) ([]persist.API, error) {
	apis, err := s.Store.APIs()
	return slices.DeleteFunc(apis, func(a persist.API) bool { return a.Protocol != protocol }), err
}

func (s *service) getRestAPI(r *http.Request) (any, error) {
	api, err := s.apiOf(r, persist.ProtocolREST)
	if err != nil {
		return nil, err
	}
	return showRestAPI(api), nil
}

func (s *service) updateRestAPI(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var api persist.API
	err = s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		if api, err = s.apiOf(r, persist.ProtocolREST); err != nil {
			return err
		}
		if err := patch(patches, restAPIRules(&api)); err != nil {
			return err
		}
		if err := checkRestAPI(&api); err != nil {
			return err
		}
		ch.PutAPIs = append(ch.PutAPIs, api)
		return nil
	})
	return showRestAPI(api), err
}

func restAPIRules(a *persist.API) []patchRule {
	return []patchRule{
		text("/name", &a.Name), text("/description", &a.Description), text("/version", &a.Version),
		text("/apiKeySource", &a.APIKeySource),
		members("/binaryMediaTypes/*", &a.BinaryTypes),
		{"/endpointConfiguration/types/*", opReplace, func(_, _, value string) error {
			a.EndpointTypes = []string{value}
			return nil
		}},
		refused("/endpointConfiguration/ipAddressType", whyAddresses, onlyAddresses),
		refused("/disableExecuteApiEndpoint", whyEndpoint, "false"),
		refused("/minimumCompressionSize", whyNoCompression),
		refused("/policy", "use an authorizer, or AWS_IAM as the authorization of methods"),
	}
}

// deleteAPI deletes an API with everything that belongs to it.
func (s *service) deleteAPI(protocol string) answer {
	return func(r *http.Request) (any, error) {
		return nil, s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
			api, err := s.apiOf(r, protocol)
			if err != nil {
				return err
			}
			ch.DeleteAPIs = append(ch.DeleteAPIs, api.ID)
			return s.forget(ch, func(at persist.RootAPI) bool { return at.API == api.ID })
		})
	}
}

// forget takes stages that are deleted out of the usage plans and, where it is
// one of them, the node's root.
func (s *service) forget(ch *persist.APIChange, gone func(persist.RootAPI) bool) error {
	root, err := s.Store.RootAPI()
	if err != nil {
		return err
	}
	if root != (persist.RootAPI{}) && gone(root) {
		ch.Root = new(persist.RootAPI)
	}
	plans, err := s.Store.UsagePlans()
	if err != nil {
		return err
	}
	for _, plan := range plans {
		if slices.ContainsFunc(plan.Stages, gone) {
			plan.Stages = slices.DeleteFunc(plan.Stages, gone)
			ch.PutPlans = append(ch.PutPlans, plan)
		}
	}
	return nil
}
