package apigateway

import (
	"net/http"
	"slices"

	"ledge/edge"
	"ledge/persist"
)

// httpIntegration is API Gateway v2's Integration
// (https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations-integrationid.html).
type httpIntegration struct {
	APIGatewayManaged    bool   `json:"apiGatewayManaged"`
	ConnectionType       string `json:"connectionType"`
	CredentialsARN       string `json:"credentialsArn,omitempty"`
	Description          string `json:"description,omitempty"`
	IntegrationID        string `json:"integrationId"`
	IntegrationMethod    string `json:"integrationMethod"`
	IntegrationType      string `json:"integrationType"`
	IntegrationURI       string `json:"integrationUri"`
	PayloadFormatVersion string `json:"payloadFormatVersion"`
	TimeoutInMillis      int    `json:"timeoutInMillis"`
}

func showHTTPIntegration(in persist.APIIntegration) httpIntegration {
	return httpIntegration{
		APIGatewayManaged: in.Managed, ConnectionType: "INTERNET", CredentialsARN: in.Credentials,
		Description: in.Description, IntegrationID: in.ID, IntegrationMethod: in.HTTPMethod,
		IntegrationType: in.Type, IntegrationURI: in.URI, PayloadFormatVersion: in.PayloadFormat,
		TimeoutInMillis: in.TimeoutMillis,
	}
}

// httpTimeout is the timeout of an HTTP API's integration, in milliseconds, and
// its greatest: 30 s.
const httpTimeout = 30000

// Reasons for refusals that several operations give.
const (
	whyNoHTTP      = "the node forwards no requests to other servers; use AWS_PROXY with a Lambda function"
	whyNoWebSocket = "there are no WebSocket APIs, and it goes with them"
	whyNoMapping   = "requests and replies pass as they are; change them in the function"
)

// integrationSettings are the members of CreateIntegration and UpdateIntegration;
// nil is not given.
type integrationSettings struct {
	IntegrationType, IntegrationURI, IntegrationMethod, CredentialsARN, Description *string
	PayloadFormatVersion                                                            *string
	TimeoutInMillis                                                                 *int

	ConnectionType, ConnectionID, IntegrationSubtype, ContentHandlingStrategy string
	PassthroughBehavior, TemplateSelectionExpression                          string
	RequestParameters, RequestTemplates                                       map[string]string
	ResponseParameters                                                        map[string]map[string]string
	TLSConfig                                                                 *struct{ ServerNameToVerify string }
}

// apply changes an integration by the settings and checks it.
func (q *integrationSettings) apply(in *persist.APIIntegration) error {
	if err := refuse(
		refusal{"connectionType " + q.ConnectionType, q.ConnectionType != "" && q.ConnectionType != "INTERNET", whyNoVPC},
		refusal{"connectionId", q.ConnectionID != "", whyNoVPC},
		refusal{"integrationSubtype " + q.IntegrationSubtype, q.IntegrationSubtype != "", "of AWS's services a node has Lambda; call others from a function"},
		refusal{"requestParameters", len(q.RequestParameters) > 0, whyNoMapping},
		refusal{"responseParameters", len(q.ResponseParameters) > 0, whyNoMapping},
		refusal{"requestTemplates", len(q.RequestTemplates) > 0, whyNoWebSocket},
		refusal{"templateSelectionExpression", q.TemplateSelectionExpression != "", whyNoWebSocket},
		refusal{"contentHandlingStrategy", q.ContentHandlingStrategy != "", whyNoWebSocket},
		// Terraform sends the default with every integration; API Gateway ignores it.
		refusal{"passthroughBehavior " + q.PassthroughBehavior, q.PassthroughBehavior != "" && q.PassthroughBehavior != "WHEN_NO_MATCH", whyNoWebSocket},
		refusal{"tlsConfig", q.TLSConfig != nil, "an integration with a function has no TLS"},
	); err != nil {
		return err
	}
	set(&in.Type, q.IntegrationType)
	set(&in.URI, q.IntegrationURI)
	set(&in.HTTPMethod, q.IntegrationMethod)
	set(&in.Credentials, q.CredentialsARN)
	set(&in.Description, q.Description)
	set(&in.PayloadFormat, q.PayloadFormatVersion)
	set(&in.TimeoutMillis, q.TimeoutInMillis)
	return checkHTTPIntegration(in)
}

// checkHTTPIntegration looks at an HTTP API's integration.
func checkHTTPIntegration(in *persist.APIIntegration) error {
	switch in.Type {
	case typeProxy:
	case "HTTP_PROXY":
		return notImplemented("integration type HTTP_PROXY is not supported by this node: %s", whyNoHTTP)
	case "AWS", "HTTP", typeMock:
		return badRequest("Integration type %s is not supported for HTTP APIs: use AWS_PROXY", in.Type)
	default:
		return badRequest("Invalid integration type specified. Must be one of [AWS, HTTP, MOCK, HTTP_PROXY, AWS_PROXY]")
	}
	if err := edge.CheckFunctionURI(in.URI); err != nil {
		return badRequest("Invalid ARN specified in the request: %s", err)
	}
	switch {
	case in.HTTPMethod != http.MethodPost:
		return badRequest("Integration method of a Lambda function must be POST, not %.20q", in.HTTPMethod)
	case in.PayloadFormat != "1.0" && in.PayloadFormat != "2.0":
		return badRequest("PayloadFormatVersion must be 1.0 or 2.0, not %.20q", in.PayloadFormat)
	case in.TimeoutMillis < 50 || in.TimeoutMillis > httpTimeout:
		return badRequest("Timeout should be between 50 ms and %d ms", httpTimeout)
	}
	return checkTexts("", in.Description, "", nil)
}

// httpIntegrationOf returns the integration of a definition that a request
// names.
func httpIntegrationOf(r *http.Request, def *persist.APIDefinition) (*persist.APIIntegration, error) {
	id := r.PathValue("integration")
	for i := range def.Integrations {
		if def.Integrations[i].ID == id {
			return &def.Integrations[i], nil
		}
	}
	return nil, notFound("Invalid Integration identifier specified: %.100s", id)
}

func (s *service) createHTTPIntegration(r *http.Request) (any, error) {
	var req integrationSettings
	if err := read(r, &req); err != nil {
		return nil, err
	}
	in := persist.APIIntegration{ID: newID(), HTTPMethod: http.MethodPost, PayloadFormat: "1.0", TimeoutMillis: httpTimeout}
	if err := req.apply(&in); err != nil {
		return nil, err
	}
	err := s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		if len(e.def.Integrations) >= maxRoutes {
			return limitExceeded("Maximum number of integrations for this API has been reached: %d", maxRoutes)
		}
		e.def.Integrations = append(e.def.Integrations, in)
		return nil
	})
	return showHTTPIntegration(in), err
}

func (s *service) getHTTPIntegrations(r *http.Request) (any, error) {
	_, draft, err := s.draftOf(r, persist.ProtocolHTTP)
	if err != nil {
		return nil, err
	}
	return list2Of(r, draft.Definition.Integrations, func(in persist.APIIntegration) string { return in.ID }, showHTTPIntegration)
}

func (s *service) getHTTPIntegration(r *http.Request) (any, error) {
	return show(s, r, persist.ProtocolHTTP, httpIntegrationOf, showHTTPIntegration)
}

func (s *service) updateHTTPIntegration(r *http.Request) (any, error) {
	var req integrationSettings
	if err := read(r, &req); err != nil {
		return nil, err
	}
	var shown httpIntegration
	err := s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		in, err := httpIntegrationOf(r, e.def)
		if err != nil {
			return err
		}
		if err := req.apply(in); err != nil {
			return err
		}
		shown = showHTTPIntegration(*in)
		return nil
	})
	return shown, err
}

func (s *service) deleteHTTPIntegration(r *http.Request) (any, error) {
	return nil, s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		in, err := httpIntegrationOf(r, e.def)
		if err != nil {
			return err
		}
		id := in.ID
		if at := slices.IndexFunc(e.def.Routes, func(route persist.APIRoute) bool { return route.Target == id }); at >= 0 {
			return conflict("Cannot delete Integration %s: the route %s of the API has it as its target", id, e.def.Routes[at].Key)
		}
		e.def.Integrations = slices.DeleteFunc(e.def.Integrations, func(other persist.APIIntegration) bool { return other.ID == id })
		return nil
	})
}
