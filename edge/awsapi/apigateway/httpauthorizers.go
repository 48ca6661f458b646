package apigateway

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"ledge/edge"
	"ledge/persist"
)

// httpAuthorizer is API Gateway v2's Authorizer
// (https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-authorizers-authorizerid.html).
type httpAuthorizer struct {
	AuthorizerCredentialsARN       string            `json:"authorizerCredentialsArn,omitempty"`
	AuthorizerID                   string            `json:"authorizerId"`
	AuthorizerPayloadFormatVersion string            `json:"authorizerPayloadFormatVersion,omitempty"`
	AuthorizerResultTTLInSeconds   *int              `json:"authorizerResultTtlInSeconds,omitempty"`
	AuthorizerType                 string            `json:"authorizerType"`
	AuthorizerURI                  string            `json:"authorizerUri,omitempty"`
	EnableSimpleResponses          *bool             `json:"enableSimpleResponses,omitempty"`
	IdentitySource                 []string          `json:"identitySource"`
	JWTConfiguration               *jwtConfiguration `json:"jwtConfiguration,omitempty"`
	Name                           string            `json:"name"`
}

type jwtConfiguration struct {
	Audience []string `json:"audience,omitempty"`
	Issuer   string   `json:"issuer"`
}

func showHTTPAuthorizer(a persist.APIAuthorizer) httpAuthorizer {
	shown := httpAuthorizer{
		AuthorizerID: a.ID, AuthorizerType: a.Type, Name: a.Name,
		IdentitySource: append([]string{}, a.IdentitySources...),
	}
	if a.Type == typeJWT {
		shown.JWTConfiguration = &jwtConfiguration{a.Audience, a.Issuer}
		return shown
	}
	shown.AuthorizerCredentialsARN, shown.AuthorizerURI = a.Credentials, a.URI
	shown.AuthorizerPayloadFormatVersion = a.PayloadFormat
	shown.AuthorizerResultTTLInSeconds, shown.EnableSimpleResponses = &a.TTLSeconds, &a.Simple
	return shown
}

// authorizerSettings are the members of CreateAuthorizer and UpdateAuthorizer;
// nil is not given.
type authorizerSettings struct {
	Name, AuthorizerType, AuthorizerURI, AuthorizerCredentialsARN *string
	AuthorizerPayloadFormatVersion                                *string
	AuthorizerResultTTLInSeconds                                  *int
	EnableSimpleResponses                                         *bool
	IdentitySource                                                *[]string
	JWTConfiguration                                              *jwtConfiguration
	IdentityValidationExpression                                  string
}

// apply changes an authorizer by the settings and checks it.
func (q *authorizerSettings) apply(s *service, def *persist.APIDefinition, a *persist.APIAuthorizer) error {
	if err := refuse(refusal{"identityValidationExpression", q.IdentityValidationExpression != "", "HTTP APIs have none, on AWS neither"}); err != nil {
		return err
	}
	set(&a.Name, q.Name)
	set(&a.Type, q.AuthorizerType)
	set(&a.URI, q.AuthorizerURI)
	set(&a.Credentials, q.AuthorizerCredentialsARN)
	set(&a.PayloadFormat, q.AuthorizerPayloadFormatVersion)
	set(&a.TTLSeconds, q.AuthorizerResultTTLInSeconds)
	set(&a.Simple, q.EnableSimpleResponses)
	set(&a.IdentitySources, q.IdentitySource)
	if q.JWTConfiguration != nil {
		a.Issuer, a.Audience = q.JWTConfiguration.Issuer, q.JWTConfiguration.Audience
	}
	if err := checkAuthorizerName(def, a); err != nil {
		return err
	}
	switch a.Type {
	case typeJWT:
		return s.checkJWT(a)
	case typeRequest:
		return checkRequestAuthorizer(a)
	}
	return badRequest("Invalid authorizer type specified. Must be one of [REQUEST, JWT]")
}

// httpSource is one identity source of an HTTP API's authorizer.
var httpSource = regexp.MustCompile(`^\$(?:request\.(?:header|querystring)\.[a-zA-Z0-9._-]{1,256}|context\.[a-zA-Z0-9._]{1,256}|stageVariables\.[a-zA-Z0-9_]{1,64})$`)

func checkRequestAuthorizer(a *persist.APIAuthorizer) error {
	if err := edge.CheckFunctionURI(a.URI); err != nil {
		return badRequest("Invalid Authorizer URI: %.200s. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation. (%s)", a.URI, err)
	}
	for _, source := range a.IdentitySources {
		if !httpSource.MatchString(source) {
			return badRequest("Invalid identity source specified: %.200s. Write $request.header.NAME, $request.querystring.NAME, $context.NAME or $stageVariables.NAME", source)
		}
	}
	switch {
	case a.PayloadFormat == "":
		return badRequest("AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer")
	case a.PayloadFormat != "1.0" && a.PayloadFormat != "2.0":
		return badRequest("AuthorizerPayloadFormatVersion must be 1.0 or 2.0, not %.20q", a.PayloadFormat)
	case a.Simple && a.PayloadFormat == "1.0":
		return badRequest("EnableSimpleResponses goes with AuthorizerPayloadFormatVersion 2.0")
	case a.TTLSeconds > 0 && len(a.IdentitySources) == 0:
		return badRequest("Identity source is required when caching is enabled: name one, or set AuthorizerResultTtlInSeconds to 0")
	}
	return nil
}

// maxAudience bounds the audiences of a JWT authorizer.
const maxAudience = 50

func (s *service) checkJWT(a *persist.APIAuthorizer) error {
	source := ""
	if len(a.IdentitySources) == 1 {
		source = a.IdentitySources[0]
	}
	switch {
	case !strings.HasPrefix(source, "$request.") || !httpSource.MatchString(source):
		return badRequest("A JWT authorizer has one identity source, such as $request.header.Authorization")
	case len(a.Audience) == 0 || len(a.Audience) > maxAudience || slices.Contains(a.Audience, ""):
		return badRequest("A JWT authorizer has 1 to %d audiences, none of them empty", maxAudience)
	}
	if err := checkIssuer(a.Issuer); err != nil {
		return err
	}
	_, err := s.Store.KeySet(a.Issuer)
	if errors.Is(err, persist.ErrNotFound) {
		return &edge.KeySetError{Issuer: a.Issuer}
	}
	return err
}

// checkIssuer looks at the issuer of tokens, a URL that is compared as text.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(issuer) > 512 {
		return badRequest("Invalid issuer: %.512q. Issuer must be a URL such as https://issuer.example.com", issuer)
	}
	return nil
}

func (s *service) createHTTPAuthorizer(r *http.Request) (any, error) {
	var req authorizerSettings
	if err := read(r, &req); err != nil {
		return nil, err
	}
	a := persist.APIAuthorizer{ID: newID()}
	err := s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		if len(e.def.Authorizers) >= maxAuthorizers {
			return limitExceeded("Maximum number of authorizers for this API has been reached: %d", maxAuthorizers)
		}
		if err := req.apply(s, e.def, &a); err != nil {
			return err
		}
		e.def.Authorizers = append(e.def.Authorizers, a)
		return nil
	})
	return showHTTPAuthorizer(a), err
}

func (s *service) getHTTPAuthorizers(r *http.Request) (any, error) {
	_, draft, err := s.draftOf(r, persist.ProtocolHTTP)
	if err != nil {
		return nil, err
	}
	return list2Of(r, draft.Definition.Authorizers, func(a persist.APIAuthorizer) string { return a.ID }, showHTTPAuthorizer)
}

func (s *service) getHTTPAuthorizer(r *http.Request) (any, error) {
	return show(s, r, persist.ProtocolHTTP, authorizerOf, showHTTPAuthorizer)
}

func (s *service) updateHTTPAuthorizer(r *http.Request) (any, error) {
	var req authorizerSettings
	if err := read(r, &req); err != nil {
		return nil, err
	}
	var shown httpAuthorizer
	err := s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		a, err := authorizerOf(r, e.def)
		if err != nil {
			return err
		}
		before := a.Type
		if err := req.apply(s, e.def, a); err != nil {
			return err
		}
		if a.Type != before {
			return badRequest("The type of an authorizer cannot be changed: make another one")
		}
		shown = showHTTPAuthorizer(*a)
		return nil
	})
	return shown, err
}

func (s *service) deleteHTTPAuthorizer(r *http.Request) (any, error) {
	return nil, s.edit(r, persist.ProtocolHTTP, func(e *editing) error {
		a, err := authorizerOf(r, e.def)
		if err != nil {
			return err
		}
		id := a.ID
		if at := slices.IndexFunc(e.def.Routes, func(route persist.APIRoute) bool { return route.AuthorizerID == id }); at >= 0 {
			return conflict("Cannot delete authorizer %s: the route %s of the API uses it", id, e.def.Routes[at].Key)
		}
		e.def.Authorizers = slices.DeleteFunc(e.def.Authorizers, func(other persist.APIAuthorizer) bool { return other.ID == id })
		return nil
	})
}
