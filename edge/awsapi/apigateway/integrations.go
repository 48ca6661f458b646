package apigateway

import (
	"cmp"
	"net/http"
	"regexp"
	"strings"

	"ledge/edge"
	"ledge/persist"
)

// Types of integrations.
const (
	typeProxy = "AWS_PROXY"
	typeMock  = "MOCK"
)

// integration is API Gateway's Integration
// (https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html).
type integration struct {
	Type                 string                         `json:"type"`
	HTTPMethod           string                         `json:"httpMethod,omitempty"`
	URI                  string                         `json:"uri,omitempty"`
	Credentials          string                         `json:"credentials,omitempty"`
	RequestParameters    map[string]string              `json:"requestParameters,omitempty"`
	RequestTemplates     map[string]string              `json:"requestTemplates,omitempty"`
	PassthroughBehavior  string                         `json:"passthroughBehavior"`
	ContentHandling      string                         `json:"contentHandling,omitempty"`
	TimeoutInMillis      int                            `json:"timeoutInMillis"`
	CacheNamespace       string                         `json:"cacheNamespace"`
	CacheKeyParameters   []string                       `json:"cacheKeyParameters"`
	IntegrationResponses map[string]integrationResponse `json:"integrationResponses,omitempty"`
}

// integrationResponse is API Gateway's IntegrationResponse.
type integrationResponse struct {
	StatusCode         string            `json:"statusCode"`
	SelectionPattern   string            `json:"selectionPattern,omitempty"`
	ResponseParameters map[string]string `json:"responseParameters,omitempty"`
	ResponseTemplates  map[string]string `json:"responseTemplates,omitempty"`
	ContentHandling    string            `json:"contentHandling,omitempty"`
}

func showIntegration(in *persist.APIIntegration, resourceID string) integration {
	shown := integration{
		Type: in.Type, HTTPMethod: in.HTTPMethod, URI: in.URI, Credentials: in.Credentials,
		RequestParameters: in.RequestParameters, RequestTemplates: in.RequestTemplates,
		PassthroughBehavior: in.Passthrough, ContentHandling: in.ContentHandling, TimeoutInMillis: in.TimeoutMillis,
		CacheNamespace: cmp.Or(in.CacheNamespace, resourceID), CacheKeyParameters: in.CacheKeys,
	}
	if shown.CacheKeyParameters == nil {
		shown.CacheKeyParameters = []string{}
	}
	for code, response := range in.Responses {
		if shown.IntegrationResponses == nil {
			shown.IntegrationResponses = make(map[string]integrationResponse)
		}
		shown.IntegrationResponses[code] = showIntegrationResponse(code, response)
	}
	return shown
}

func showIntegrationResponse(code string, response persist.APIIntegrationResponse) integrationResponse {
	return integrationResponse{code, response.SelectionPattern, response.Parameters, response.Templates, response.ContentHandling}
}

// restTimeout is the timeout of a REST API's integration, in milliseconds, and
// its greatest: 29 s.
const restTimeout = 29000

func (s *service) putIntegration(r *http.Request) (any, error) {
	var req struct {
		Type, HTTPMethod, URI, Credentials, PassthroughBehavior, ContentHandling string
		ConnectionType, ConnectionID, CacheNamespace                             string
		IntegrationTarget, ResponseTransferMode                                  string
		RequestParameters, RequestTemplates                                      map[string]string
		CacheKeyParameters                                                       []string
		TimeoutInMillis                                                          *int
		TLSConfig                                                                *struct{ InsecureSkipVerification bool }
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if err := refuse(
		refusal{"connectionType " + req.ConnectionType, req.ConnectionType != "" && req.ConnectionType != "INTERNET", whyNoVPC},
		refusal{"connectionId", req.ConnectionID != "", whyNoVPC},
		refusal{"integrationTarget", req.IntegrationTarget != "", whyNoVPC},
		refusal{"responseTransferMode " + req.ResponseTransferMode, req.ResponseTransferMode != "" && req.ResponseTransferMode != "BUFFERED", "replies are sent when they are complete"},
		refusal{"tlsConfig", req.TLSConfig != nil && req.TLSConfig.InsecureSkipVerification, "an integration with a function has no TLS"},
	); err != nil {
		return nil, err
	}
	in := persist.APIIntegration{
		Type: req.Type, HTTPMethod: req.HTTPMethod, URI: req.URI, Credentials: req.Credentials,
		Passthrough: cmp.Or(req.PassthroughBehavior, "WHEN_NO_MATCH"), ContentHandling: req.ContentHandling,
		CacheNamespace: req.CacheNamespace, CacheKeys: req.CacheKeyParameters,
		RequestParameters: req.RequestParameters, RequestTemplates: req.RequestTemplates,
		TimeoutMillis: restTimeout,
	}
	if req.TimeoutInMillis != nil {
		in.TimeoutMillis = *req.TimeoutInMillis
	}
	if err := checkIntegration(&in); err != nil {
		return nil, err
	}
	var shown integration
	err := s.editMethod(r, func(e *editingMethod) error {
		e.method.Integration = &in
		shown = showIntegration(&in, e.resource.ID)
		return nil
	})
	return shown, err
}

// checkIntegration looks at a REST API's integration without its responses.
func checkIntegration(in *persist.APIIntegration) error {
	switch in.Type {
	case typeProxy:
		if in.HTTPMethod == "" {
			return badRequest("Enumeration value for HttpMethod must be non-empty")
		}
		if in.HTTPMethod != http.MethodPost {
			return badRequest("Integration HTTP method of a Lambda function must be POST, not %.20q: it is how API Gateway calls the function", in.HTTPMethod)
		}
		if err := edge.CheckFunctionURI(in.URI); err != nil {
			return badRequest("Invalid ARN specified in the request: %s", err)
		}
		if err := refuse(refusal{"contentHandling " + in.ContentHandling, in.ContentHandling == "CONVERT_TO_BINARY", "use binaryMediaTypes of the API"}); err != nil {
			return err
		}
	case typeMock:
		if err := checkMock(in); err != nil {
			return err
		}
	case "AWS", "HTTP", "HTTP_PROXY":
		return notImplemented("integration type %s is not supported by this node: use AWS_PROXY with a Lambda function, or MOCK", in.Type)
	default:
		return badRequest("Invalid integration type specified. Must be one of: [HTTP, AWS, MOCK, HTTP_PROXY, AWS_PROXY]")
	}
	switch {
	case in.TimeoutMillis < 50 || in.TimeoutMillis > restTimeout:
		return badRequest("Timeout should be between 50 ms and %d ms", restTimeout)
	case in.Passthrough != "WHEN_NO_MATCH" && in.Passthrough != "WHEN_NO_TEMPLATES" && in.Passthrough != "NEVER":
		return badRequest("Invalid passthrough behavior specified. Must be one of: [WHEN_NO_MATCH, NEVER, WHEN_NO_TEMPLATES]")
	case in.ContentHandling != "" && in.ContentHandling != "CONVERT_TO_TEXT" && in.ContentHandling != "CONVERT_TO_BINARY":
		return badRequest("Invalid content handling specified. Must be one of: [CONVERT_TO_BINARY, CONVERT_TO_TEXT]")
	}
	return nil
}

func checkMock(in *persist.APIIntegration) error {
	if err := refuse(refusal{"passthroughBehavior " + in.Passthrough + " of a MOCK integration", in.Passthrough != "WHEN_NO_MATCH",
		"a mock answers requests of all content types alike"}); err != nil {
		return err
	}
	for _, template := range in.RequestTemplates {
		if err := edge.CheckTemplate(template); err != nil {
			return notImplemented("%s", err)
		}
		if _, err := edge.MockStatus(template); err != nil {
			return badRequest("%s", err)
		}
	}
	return nil
}

// integrationOf returns the integration of a method, which there may be none of.
func integrationOf(m *persist.APIMethod) (*persist.APIIntegration, error) {
	if m.Integration == nil {
		return nil, notFound("Invalid Integration identifier specified")
	}
	return m.Integration, nil
}

func (s *service) getIntegration(r *http.Request) (any, error) {
	res, _, m, err := s.viewMethod(r)
	if err != nil {
		return nil, err
	}
	in, err := integrationOf(&m)
	if err != nil {
		return nil, err
	}
	return showIntegration(in, res.ID), nil
}

func (s *service) updateIntegration(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var shown integration
	err = s.editMethod(r, func(e *editingMethod) error {
		in, err := integrationOf(&e.method)
		if err != nil {
			return err
		}
		if err := patch(patches, integrationRules(in)); err != nil {
			return err
		}
		shown = showIntegration(in, e.resource.ID)
		return checkIntegration(in)
	})
	return shown, err
}

func integrationRules(in *persist.APIIntegration) []patchRule {
	return []patchRule{
		text("/uri", &in.URI), text("/httpMethod", &in.HTTPMethod), text("/credentials", &in.Credentials),
		text("/passthroughBehavior", &in.Passthrough), text("/contentHandling", &in.ContentHandling),
		number("/timeoutInMillis", &in.TimeoutMillis), text("/cacheNamespace", &in.CacheNamespace),
		texts("/requestTemplates/*", &in.RequestTemplates), texts("/requestParameters/*", &in.RequestParameters),
		members("/cacheKeyParameters/*", &in.CacheKeys),
		refused("/connectionType", whyNoVPC, "INTERNET"), refused("/connectionId", whyNoVPC),
		refused("/tlsConfig/insecureSkipVerification", "an integration with a function has no TLS", "false"),
		refused("/responseTransferMode", "replies are sent when they are complete", "BUFFERED"),
	}
}

func (s *service) deleteIntegration(r *http.Request) (any, error) {
	return nil, s.editMethod(r, func(e *editingMethod) error {
		if _, err := integrationOf(&e.method); err != nil {
			return err
		}
		e.method.Integration = nil
		return nil
	})
}

// checkIntegrationResponse looks at a response of an integration of method m.
func checkIntegrationResponse(m *persist.APIMethod, code string, response *persist.APIIntegrationResponse) error {
	declared, found := m.Responses[code]
	if !found {
		return notFound("Invalid Response status code specified")
	}
	if _, err := regexp.Compile("^(?:" + response.SelectionPattern + ")$"); err != nil || len(response.SelectionPattern) > 1024 {
		return badRequest("Invalid selection pattern specified: it must be a regular expression of at most 1024 bytes")
	}
	for name, value := range response.Parameters {
		if _, ok := declared.Parameters[name]; !ok {
			return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %.200s]", name)
		}
		if m.Integration.Type != typeMock {
			continue // kept, and not used, as on AWS
		}
		static, ok := edge.StaticValue(value)
		if !ok {
			return notImplemented("the mapping expression %.200q is not supported by this node: use a static value in single quotes, such as 'GET,POST'", value)
		}
		if strings.ContainsAny(static, "\r\n\x00") {
			return badRequest("Invalid mapping expression specified: %.200q cannot be the value of a header", value)
		}
	}
	for _, template := range response.Templates {
		if err := edge.CheckTemplate(template); err != nil && m.Integration.Type == typeMock {
			return notImplemented("%s", err)
		}
	}
	if m.Integration.Type == typeMock && code[0] == '1' {
		return badRequest("Status code %s cannot be the last answer to a request", code)
	}
	return refuse(refusal{"contentHandling " + response.ContentHandling,
		m.Integration.Type == typeMock && response.ContentHandling == "CONVERT_TO_BINARY", "a mock answers with text"})
}
