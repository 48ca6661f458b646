package persist

import "time"

// Protocols of an API.
const (
	ProtocolREST = "REST" // API Gateway v1: resources and methods
	ProtocolHTTP = "HTTP" // API Gateway v2: routes
)

// API is an API of API Gateway without what it serves, see APIDeployment.
type API struct {
	ID            string            `json:"id"`
	Protocol      string            `json:"protocol"` // ProtocolREST or ProtocolHTTP
	Name          string            `json:"name"`
	Description   string            `json:"description,omitempty"`
	Version       string            `json:"version,omitempty"` // a note of the owner's
	Created       time.Time         `json:"created"`
	Tags          map[string]string `json:"tags,omitempty"`
	EndpointTypes []string          `json:"endpointTypes,omitempty"` // accepted and shown, not used
	RootResource  string            `json:"rootResource,omitempty"`  // ID, of a REST API
	// What follows is part of the API and takes effect with a deployment, which
	// has a copy in its definition.
	APIKeySource string   `json:"apiKeySource,omitempty"` // "HEADER" (default) or "AUTHORIZER"
	BinaryTypes  []string `json:"binaryTypes,omitempty"`
	CORS         *CORS    `json:"cors,omitempty"`
}

// APIDeployment is what an API serves where a stage names it. The one with the
// empty ID is the draft: what the API's owner works on, served by no stage, and
// copied by the next deployment.
type APIDeployment struct {
	API          string        `json:"api"`
	ID           string        `json:"id,omitempty"`
	Description  string        `json:"description,omitempty"`
	Created      time.Time     `json:"created"`
	AutoDeployed bool          `json:"autoDeployed,omitempty"`
	Definition   APIDefinition `json:"definition"`
}

// APIDefinition is everything of an API that a deployment takes a picture of.
type APIDefinition struct {
	APIKeySource string          `json:"apiKeySource,omitempty"` // empty in a draft, as the two that follow
	BinaryTypes  []string        `json:"binaryTypes,omitempty"`
	CORS         *CORS           `json:"cors,omitempty"`
	Authorizers  []APIAuthorizer `json:"authorizers,omitempty"`

	Resources []APIResource `json:"resources,omitempty"` // of a REST API; the root is the first

	Integrations []APIIntegration `json:"integrations,omitempty"` // of an HTTP API
	Routes       []APIRoute       `json:"routes,omitempty"`
}

// APIResource is one path of a REST API.
type APIResource struct {
	ID       string               `json:"id"`
	Parent   string               `json:"parent,omitempty"` // ID; empty for the root
	PathPart string               `json:"pathPart,omitempty"`
	Methods  map[string]APIMethod `json:"methods,omitempty"` // by HTTP method, or ANY
}

// APIMethod is one method of an APIResource.
type APIMethod struct {
	AuthorizationType string                       `json:"authorizationType"`
	AuthorizerID      string                       `json:"authorizerId,omitempty"`
	Scopes            []string                     `json:"scopes,omitempty"`
	KeyRequired       bool                         `json:"keyRequired,omitempty"`
	OperationName     string                       `json:"operationName,omitempty"`
	RequestParameters map[string]bool              `json:"requestParameters,omitempty"`
	RequestModels     map[string]string            `json:"requestModels,omitempty"`
	Responses         map[string]APIMethodResponse `json:"responses,omitempty"` // by status code
	Integration       *APIIntegration              `json:"integration,omitempty"`
}

// APIMethodResponse declares a response of a method.
type APIMethodResponse struct {
	Parameters map[string]bool   `json:"parameters,omitempty"`
	Models     map[string]string `json:"models,omitempty"`
}

// APIIntegration is what stands behind a method or a route.
type APIIntegration struct {
	ID                string                            `json:"id,omitempty"` // of an HTTP API's
	Type              string                            `json:"type"`         // "AWS_PROXY" or "MOCK"
	HTTPMethod        string                            `json:"httpMethod,omitempty"`
	URI               string                            `json:"uri,omitempty"`
	Credentials       string                            `json:"credentials,omitempty"` // accepted and shown, not used
	Description       string                            `json:"description,omitempty"`
	PayloadFormat     string                            `json:"payloadFormat,omitempty"` // "1.0" or "2.0", of an HTTP API's
	Passthrough       string                            `json:"passthrough,omitempty"`
	ContentHandling   string                            `json:"contentHandling,omitempty"`
	TimeoutMillis     int                               `json:"timeoutMillis"`
	CacheNamespace    string                            `json:"cacheNamespace,omitempty"`
	CacheKeys         []string                          `json:"cacheKeys,omitempty"`
	RequestParameters map[string]string                 `json:"requestParameters,omitempty"`
	RequestTemplates  map[string]string                 `json:"requestTemplates,omitempty"` // by content type
	Responses         map[string]APIIntegrationResponse `json:"responses,omitempty"`        // by status code
	Managed           bool                              `json:"managed,omitempty"`          // quick create made it
}

// APIIntegrationResponse turns what an integration answered into a response.
type APIIntegrationResponse struct {
	SelectionPattern string            `json:"selectionPattern,omitempty"`
	ContentHandling  string            `json:"contentHandling,omitempty"`
	Parameters       map[string]string `json:"parameters,omitempty"`
	Templates        map[string]string `json:"templates,omitempty"` // by content type
}

// APIAuthorizer decides who may call.
type APIAuthorizer struct {
	ID              string   `json:"id"`
	Name            string   `json:"name"`
	Type            string   `json:"type"` // "TOKEN", "REQUEST" or "JWT"
	AuthType        string   `json:"authType,omitempty"`
	URI             string   `json:"uri,omitempty"`
	Credentials     string   `json:"credentials,omitempty"` // accepted and shown, not used
	IdentitySources []string `json:"identitySources,omitempty"`
	Validation      string   `json:"validation,omitempty"` // regular expression for a token
	TTLSeconds      int      `json:"ttlSeconds"`
	PayloadFormat   string   `json:"payloadFormat,omitempty"` // of an HTTP API's
	Simple          bool     `json:"simple,omitempty"`
	Issuer          string   `json:"issuer,omitempty"` // of a JWT authorizer
	Audience        []string `json:"audience,omitempty"`
}

// APIRoute is one route of an HTTP API.
type APIRoute struct {
	ID                string   `json:"id"`
	Key               string   `json:"key"`              // "GET /hello" or "$default"
	Target            string   `json:"target,omitempty"` // ID of an integration
	AuthorizationType string   `json:"authorizationType"`
	AuthorizerID      string   `json:"authorizerId,omitempty"`
	Scopes            []string `json:"scopes,omitempty"`
	OperationName     string   `json:"operationName,omitempty"`
	Managed           bool     `json:"managed,omitempty"` // quick create made it
}

// APIStage is a name under which an API's deployment answers.
type APIStage struct {
	API         string            `json:"api"`
	Name        string            `json:"name"`
	Deployment  string            `json:"deployment,omitempty"` // ID; empty: nothing is served yet
	Description string            `json:"description,omitempty"`
	AutoDeploy  bool              `json:"autoDeploy,omitempty"`
	Variables   map[string]string `json:"variables,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Created     time.Time         `json:"created"`
	Updated     time.Time         `json:"updated"`
	Status      string            `json:"status,omitempty"` // of the last automatic deployment, for people
	Managed     bool              `json:"managed,omitempty"`
	// Settings of methods: "*/*" and "hello/GET" in a REST API, "*" and route
	// keys in an HTTP API.
	Settings map[string]MethodSettings `json:"settings,omitempty"`
}

// MethodSettings are a stage's settings for one method or route, or for all.
type MethodSettings struct {
	// Rate in requests a second and Burst in requests; nil: not set.
	Rate  *float64 `json:"rate,omitempty"`
	Burst *int     `json:"burst,omitempty"`
	// What follows says where AWS writes what it observes. It is shown, and
	// nothing else.
	LogLevel  string `json:"logLevel,omitempty"`
	DataTrace bool   `json:"dataTrace,omitempty"`
	Metrics   bool   `json:"metrics,omitempty"`
}

// RootAPI is the stage that answers at the node's root. The zero value: none.
type RootAPI struct {
	API   string `json:"api"`
	Stage string `json:"stage"`
}
