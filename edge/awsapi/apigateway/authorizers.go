package apigateway

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"ledge/edge"
	"ledge/persist"
)

// Types of authorizers.
const (
	typeToken   = "TOKEN"
	typeRequest = "REQUEST"
	typeJWT     = "JWT"
)

// authorizer is API Gateway's Authorizer
// (https://docs.aws.amazon.com/apigateway/latest/api/API_Authorizer.html).
type authorizer struct {
	ID                           string `json:"id"`
	Name                         string `json:"name"`
	Type                         string `json:"type"`
	AuthType                     string `json:"authType,omitempty"`
	AuthorizerURI                string `json:"authorizerUri,omitempty"`
	AuthorizerCredentials        string `json:"authorizerCredentials,omitempty"`
	IdentitySource               string `json:"identitySource,omitempty"`
	IdentityValidationExpression string `json:"identityValidationExpression,omitempty"`
	AuthorizerResultTTLInSeconds int    `json:"authorizerResultTtlInSeconds"`
}

func showAuthorizer(a persist.APIAuthorizer) authorizer {
	return authorizer{
		ID: a.ID, Name: a.Name, Type: a.Type, AuthType: cmp.Or(a.AuthType, "custom"),
		AuthorizerURI: a.URI, AuthorizerCredentials: a.Credentials,
		IdentitySource: strings.Join(a.IdentitySources, ","), IdentityValidationExpression: a.Validation,
		AuthorizerResultTTLInSeconds: a.TTLSeconds,
	}
}

// Times to live of an authorizer's answers, in seconds.
const (
	defaultTTL = 300
	maxTTL     = 3600
)

func (s *service) createAuthorizer(r *http.Request) (any, error) {
	var req struct {
		Name, Type, AuthType, AuthorizerURI, AuthorizerCredentials string
		IdentitySource, IdentityValidationExpression               string
		ProviderARNs                                               []string
		AuthorizerResultTTLInSeconds                               *int
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if req.Type == "COGNITO_USER_POOLS" || len(req.ProviderARNs) > 0 {
		return nil, notImplemented("authorizer type COGNITO_USER_POOLS is not supported by this node: %s", whyNoCognito)
	}
	a := persist.APIAuthorizer{
		ID: newID(), Name: req.Name, Type: req.Type, AuthType: req.AuthType,
		URI: req.AuthorizerURI, Credentials: req.AuthorizerCredentials,
		IdentitySources: sources(req.IdentitySource), Validation: req.IdentityValidationExpression,
		TTLSeconds: defaultTTL,
	}
	if req.AuthorizerResultTTLInSeconds != nil {
		a.TTLSeconds = *req.AuthorizerResultTTLInSeconds
	}
	err := s.edit(r, persist.ProtocolREST, func(e *editing) error {
		if len(e.def.Authorizers) >= maxAuthorizers {
			return limitExceeded("Maximum number of authorizers for this API has been reached: %d", maxAuthorizers)
		}
		e.def.Authorizers = append(e.def.Authorizers, a)
		return checkAuthorizer(e.def, &a)
	})
	return showAuthorizer(a), err
}

// sources splits a list of identity sources.
func sources(list string) []string {
	var found []string
	for source := range strings.SplitSeq(list, ",") {
		if source = strings.TrimSpace(source); source != "" {
			found = append(found, source)
		}
	}
	return found
}

// restSource is one identity source of a REST API's authorizer.
var restSource = regexp.MustCompile(`^(?:method\.request\.(?:header|querystring)\.[a-zA-Z0-9._$-]{1,256}|context\.[a-zA-Z0-9._]{1,256}|stageVariables\.[a-zA-Z0-9_]{1,64})$`)

// maxSources bounds the identity sources of an authorizer.
const maxSources = 10

// checkAuthorizer looks at a REST API's authorizer among the others.
func checkAuthorizer(def *persist.APIDefinition, a *persist.APIAuthorizer) error {
	if err := checkAuthorizerName(def, a); err != nil {
		return err
	}
	if a.Type != typeToken && a.Type != typeRequest {
		return badRequest("Invalid authorizer type specified. Must be one of: [TOKEN, REQUEST, COGNITO_USER_POOLS]")
	}
	if err := edge.CheckFunctionURI(a.URI); err != nil {
		return badRequest("Invalid Authorizer URI: %.200s. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation. (%s)", a.URI, err)
	}
	for _, source := range a.IdentitySources {
		if !restSource.MatchString(source) {
			return badRequest("Invalid identity source specified: %.200s. Write method.request.header.NAME, method.request.querystring.NAME, context.NAME or stageVariables.NAME", source)
		}
	}
	header := len(a.IdentitySources) == 1 && strings.HasPrefix(a.IdentitySources[0], "method.request.header.")
	switch {
	case a.Type == typeToken && !header:
		return badRequest("A TOKEN authorizer has one identity source, such as method.request.header.Authorization")
	case a.Type == typeRequest && len(a.IdentitySources) == 0 && a.TTLSeconds > 0:
		return badRequest("Identity source is required when caching is enabled: name one, or set authorizerResultTtlInSeconds to 0")
	case a.Type == typeRequest && a.Validation != "":
		return badRequest("An identity validation expression goes with a TOKEN authorizer")
	}
	if _, err := regexp.Compile("^(?:" + a.Validation + ")$"); err != nil || len(a.Validation) > 1024 {
		return badRequest("Invalid identity validation expression specified: it must be a regular expression of at most 1024 bytes")
	}
	return nil
}

// checkAuthorizerName looks at what authorizers of both kinds of APIs have.
func checkAuthorizerName(def *persist.APIDefinition, a *persist.APIAuthorizer) error {
	switch {
	case a.Name == "" || len(a.Name) > 128:
		return badRequest("Authorizer name must have 1 to 128 characters")
	case a.TTLSeconds < 0 || a.TTLSeconds > maxTTL:
		return badRequest("authorizerResultTtlInSeconds must be between 0 and %d", maxTTL)
	case len(a.IdentitySources) > maxSources:
		return badRequest("An authorizer has at most %d identity sources", maxSources)
	case slices.ContainsFunc(def.Authorizers, func(other persist.APIAuthorizer) bool { return other.Name == a.Name && other.ID != a.ID }):
		return conflict("Authorizer with the same name already exists: %s", a.Name)
	}
	return nil
}

// authorizerOf returns the authorizer of a definition that a request names.
func authorizerOf(r *http.Request, def *persist.APIDefinition) (*persist.APIAuthorizer, error) {
	id := r.PathValue("authorizer")
	for i := range def.Authorizers {
		if def.Authorizers[i].ID == id {
			return &def.Authorizers[i], nil
		}
	}
	return nil, notFound("Invalid Authorizer identifier specified")
}

func (s *service) getAuthorizers(r *http.Request) (any, error) {
	_, draft, err := s.draftOf(r, persist.ProtocolREST)
	if err != nil {
		return nil, err
	}
	return listOf(r, draft.Definition.Authorizers, func(a persist.APIAuthorizer) string { return a.ID }, showAuthorizer)
}

func (s *service) getAuthorizer(r *http.Request) (any, error) {
	return show(s, r, persist.ProtocolREST, authorizerOf, showAuthorizer)
}

func (s *service) updateAuthorizer(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var shown authorizer
	err = s.edit(r, persist.ProtocolREST, func(e *editing) error {
		a, err := authorizerOf(r, e.def)
		if err != nil {
			return err
		}
		if err := patch(patches, authorizerRules(a)); err != nil {
			return err
		}
		shown = showAuthorizer(*a)
		return checkAuthorizer(e.def, a)
	})
	return shown, err
}

func authorizerRules(a *persist.APIAuthorizer) []patchRule {
	return []patchRule{
		text("/name", &a.Name), text("/authType", &a.AuthType), text("/type", &a.Type),
		text("/authorizerUri", &a.URI), text("/authorizerCredentials", &a.Credentials),
		text("/identityValidationExpression", &a.Validation),
		number("/authorizerResultTtlInSeconds", &a.TTLSeconds),
		{"/identitySource", "add replace", func(_, _, value string) error { a.IdentitySources = sources(value); return nil }},
		refused("/providerARNs", whyNoCognito),
	}
}

func (s *service) deleteAuthorizer(r *http.Request) (any, error) {
	return nil, s.edit(r, persist.ProtocolREST, func(e *editing) error {
		a, err := authorizerOf(r, e.def)
		if err != nil {
			return err
		}
		id := a.ID
		for _, res := range e.def.Resources {
			for _, name := range slices.Sorted(maps.Keys(res.Methods)) {
				if res.Methods[name].AuthorizerID == id {
					return conflict("Cannot delete authorizer '%s', is referenced in method: %s of resource %s", id, name, res.ID)
				}
			}
		}
		e.def.Authorizers = slices.DeleteFunc(e.def.Authorizers, func(other persist.APIAuthorizer) bool { return other.ID == id })
		return nil
	})
}
