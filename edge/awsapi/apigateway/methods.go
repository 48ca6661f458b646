package apigateway

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"ledge/persist"
)

// method is API Gateway's Method
// (https://docs.aws.amazon.com/apigateway/latest/api/API_Method.html).
type method struct {
	HTTPMethod          string                    `json:"httpMethod"`
	AuthorizationType   string                    `json:"authorizationType"`
	AuthorizerID        string                    `json:"authorizerId,omitempty"`
	APIKeyRequired      bool                      `json:"apiKeyRequired"`
	OperationName       string                    `json:"operationName,omitempty"`
	RequestParameters   map[string]bool           `json:"requestParameters,omitempty"`
	RequestModels       map[string]string         `json:"requestModels,omitempty"`
	MethodResponses     map[string]methodResponse `json:"methodResponses,omitempty"`
	MethodIntegration   *integration              `json:"methodIntegration,omitempty"`
	AuthorizationScopes []string                  `json:"authorizationScopes,omitempty"`
}

// methodResponse is API Gateway's MethodResponse.
type methodResponse struct {
	StatusCode         string            `json:"statusCode"`
	ResponseParameters map[string]bool   `json:"responseParameters,omitempty"`
	ResponseModels     map[string]string `json:"responseModels,omitempty"`
}

func showMethod(name string, m *persist.APIMethod, resourceID string) method {
	shown := method{
		HTTPMethod: name, AuthorizationType: m.AuthorizationType, AuthorizerID: m.AuthorizerID,
		APIKeyRequired: m.KeyRequired, OperationName: m.OperationName,
		RequestParameters: m.RequestParameters, RequestModels: m.RequestModels,
		AuthorizationScopes: m.Scopes,
	}
	for code, response := range m.Responses {
		if shown.MethodResponses == nil {
			shown.MethodResponses = make(map[string]methodResponse)
		}
		shown.MethodResponses[code] = showMethodResponse(code, response)
	}
	if m.Integration != nil {
		in := showIntegration(m.Integration, resourceID)
		shown.MethodIntegration = &in
	}
	return shown
}

func showMethodResponse(code string, response persist.APIMethodResponse) methodResponse {
	return methodResponse{code, response.Parameters, response.Models}
}

// editingMethod is one change of a method.
type editingMethod struct {
	*editing
	resource *persist.APIResource
	name     string
	method   persist.APIMethod // put back after the change
}

// editMethod changes the method that a request names.
func (s *service) editMethod(r *http.Request, change func(e *editingMethod) error) error {
	return s.edit(r, persist.ProtocolREST, func(e *editing) error {
		res, name, m, err := methodOf(r, e.def)
		if err != nil {
			return err
		}
		em := &editingMethod{e, res, name, m}
		if err := change(em); err != nil {
			return err
		}
		res.Methods[name] = em.method
		return nil
	})
}

// methodOf returns the method of a definition that a request names.
func methodOf(r *http.Request, def *persist.APIDefinition) (*persist.APIResource, string, persist.APIMethod, error) {
	name := r.PathValue("method")
	res, err := resourceOf(r, def)
	if err != nil {
		return nil, name, persist.APIMethod{}, err
	}
	m, found := res.Methods[name]
	if !found {
		return nil, name, m, notFound("Invalid Method identifier specified")
	}
	return res, name, m, nil
}

// viewMethod returns the method that a request names.
func (s *service) viewMethod(r *http.Request) (*persist.APIResource, string, persist.APIMethod, error) {
	_, draft, err := s.draftOf(r, persist.ProtocolREST)
	if err != nil {
		return nil, "", persist.APIMethod{}, err
	}
	return methodOf(r, &draft.Definition)
}

func (s *service) putMethod(r *http.Request) (any, error) {
	var req struct {
		AuthorizationType, AuthorizerID, OperationName, RequestValidatorID string
		APIKeyRequired                                                     bool
		AuthorizationScopes                                                []string
		RequestParameters                                                  map[string]bool
		RequestModels                                                      map[string]string
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if err := refuse(refusal{"requestValidatorId", req.RequestValidatorID != "", whyNoValidators}); err != nil {
		return nil, err
	}
	name := r.PathValue("method")
	if !slices.Contains(methodNames(), name) {
		return nil, badRequest("Invalid HttpMethod specified. Valid options are %s", strings.Join(methodNames(), ","))
	}
	m := persist.APIMethod{
		AuthorizationType: req.AuthorizationType, AuthorizerID: req.AuthorizerID, Scopes: req.AuthorizationScopes,
		KeyRequired: req.APIKeyRequired, OperationName: req.OperationName,
		RequestParameters: req.RequestParameters, RequestModels: req.RequestModels,
	}
	var shown method
	err := s.edit(r, persist.ProtocolREST, func(e *editing) error {
		res, err := resourceOf(r, e.def)
		if err != nil {
			return err
		}
		if _, taken := res.Methods[name]; taken {
			return conflict("Method already exists for this resource")
		}
		if err := checkMethod(e.def, &m); err != nil {
			return err
		}
		if res.Methods == nil {
			res.Methods = make(map[string]persist.APIMethod)
		}
		res.Methods[name] = m
		shown = showMethod(name, &m, res.ID)
		return nil
	})
	return shown, err
}

const whyNoValidators = "there are no request validators and models; let the function look at the request"

// checkMethod looks at everything of a method but what stands behind it.
func checkMethod(def *persist.APIDefinition, m *persist.APIMethod) error {
	switch m.AuthorizationType {
	case "NONE", "AWS_IAM":
		if m.AuthorizerID != "" {
			return badRequest("Invalid authorizer ID specified. An authorizer goes with the authorization type CUSTOM")
		}
	case "CUSTOM":
		if !slices.ContainsFunc(def.Authorizers, func(a persist.APIAuthorizer) bool { return a.ID == m.AuthorizerID }) {
			return badRequest("Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.")
		}
	case "COGNITO_USER_POOLS":
		return notImplemented("authorization type COGNITO_USER_POOLS is not supported by this node: %s", whyNoCognito)
	default:
		return badRequest("Invalid authorization type specified. Must be one of: [NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS]")
	}
	if err := refuse(refusal{"authorizationScopes", len(m.Scopes) > 0, "scopes go with Cognito user pools; HTTP APIs have them with JWT authorizers"}); err != nil {
		return err
	}
	for name := range m.RequestParameters {
		if !requestParameter.MatchString(name) {
			return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %.200s]", name)
		}
	}
	if err := checkModels(m.RequestModels); err != nil {
		return err
	}
	if len(m.OperationName) > 64 {
		return badRequest("The operation name has %d bytes: use at most 64", len(m.OperationName))
	}
	return nil
}

const whyNoCognito = "there is no Cognito on a node; use a TOKEN or REQUEST authorizer, or an HTTP API with a JWT authorizer"

var (
	requestParameter  = regexp.MustCompile(`^method\.request\.(?:path|header|querystring|multivaluequerystring|multivalueheader)\.[a-zA-Z0-9._$\[\]-]{1,256}$`)
	responseParameter = regexp.MustCompile(`^method\.response\.header\.([!#$%&'*+.^_` + "`" + `|~0-9a-zA-Z-]{1,256})$`)
	statusCode        = regexp.MustCompile(`^[1-5]\d\d$`)
)

// checkModels accepts the models that every REST API of AWS has, which allow
// everything: tools name them.
func checkModels(models map[string]string) error {
	for _, model := range models {
		if model != "Empty" && model != "Error" {
			return notFound("Invalid model identifier specified: %.200s", model)
		}
	}
	return nil
}

func (s *service) getMethod(r *http.Request) (any, error) {
	res, name, m, err := s.viewMethod(r)
	if err != nil {
		return nil, err
	}
	return showMethod(name, &m, res.ID), nil
}

func (s *service) updateMethod(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var shown method
	err = s.editMethod(r, func(e *editingMethod) error {
		if err := patch(patches, methodRules(&e.method)); err != nil {
			return err
		}
		e.method.AuthorizationType = cmp.Or(e.method.AuthorizationType, "NONE")
		if e.method.AuthorizationType != "CUSTOM" && e.method.AuthorizationType != "COGNITO_USER_POOLS" {
			e.method.AuthorizerID = ""
		}
		shown = showMethod(e.name, &e.method, e.resource.ID)
		return checkMethod(e.def, &e.method)
	})
	return shown, err
}

func methodRules(m *persist.APIMethod) []patchRule {
	return []patchRule{
		text("/authorizationType", &m.AuthorizationType), text("/authorizerId", &m.AuthorizerID),
		flag("/apiKeyRequired", &m.KeyRequired), text("/operationName", &m.OperationName),
		flags("/requestParameters/*", &m.RequestParameters), texts("/requestModels/*", &m.RequestModels),
		refused("/requestValidatorId", whyNoValidators),
		refused("/authorizationScopes", "scopes go with Cognito user pools"),
	}
}

func (s *service) deleteMethod(r *http.Request) (any, error) {
	return nil, s.edit(r, persist.ProtocolREST, func(e *editing) error {
		res, name, _, err := methodOf(r, e.def)
		if err != nil {
			return err
		}
		delete(res.Methods, name)
		return nil
	})
}

// checkDeployable returns the errors that API Gateway has at a deployment: no
// method at all, or one with nothing behind it.
func checkDeployable(def *persist.APIDefinition) error {
	methods := 0
	for _, res := range def.Resources {
		for _, name := range slices.Sorted(maps.Keys(res.Methods)) {
			methods++
			if res.Methods[name].Integration == nil {
				return badRequest("No integration defined for method")
			}
		}
	}
	if methods == 0 {
		return badRequest("The REST API doesn't contain any methods")
	}
	return nil
}
