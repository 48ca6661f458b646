package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// APIs is a Published made ready to serve: an index from IDs to stages, each
// with its own Table. It is immutable once SetAPIs has it. It belongs to one
// Server.
type APIs struct {
	byID map[string]*api
	// lengths has a bit for each length of an ID: most hosts that are no API's
	// are told by it alone.
	lengths uint64
	root    *stage // nil: none
	keys    keyring

	// What counts or remembers, by what it belongs to, for inherit.
	throttles   map[routeName]*bucket
	authorizers map[authorizerName]*authorizer
}

// routeName names a route of all APIs.
type routeName struct{ api, stage, key string }

// authorizerName names an authorizer of all APIs. Answers are kept by stage, as
// in API Gateway: a function may answer by stage variables.
type authorizerName struct{ api, stage, id string }

// api is an API made ready.
type api struct {
	all               *APIs // that it is one of
	id                string
	kind              Kind
	keyFromAuthorizer bool
	stages            map[string]*stage
}

// stage is a Stage made ready.
type stage struct {
	api       *api
	name      string
	table     *Table
	cors      *corsHeaders
	variables map[string]string
	shown     []byte // the variables as a JSON object, nil for none
	binary    binaryTypes
}

// NewAPIs checks everything of p and makes it ready. The error is an *APIError.
//
// The context variables that IdentitySources may name are accountId, apiId,
// domainName, domainPrefix, httpMethod, path, protocol, requestId,
// resourcePath, routeKey, stage, identity.sourceIp and identity.userAgent.
func NewAPIs(p Published) (*APIs, error) {
	a := &APIs{
		byID:        make(map[string]*api, len(p.APIs)),
		throttles:   make(map[routeName]*bucket),
		authorizers: make(map[authorizerName]*authorizer),
	}
	if len(p.APIs) > MaxAPIs {
		return nil, &APIError{p.APIs[MaxAPIs].ID, fmt.Errorf("it is one more than %d APIs", MaxAPIs)}
	}
	for i := range p.APIs {
		if err := a.add(&p.APIs[i]); err != nil {
			return nil, &APIError{p.APIs[i].ID, err}
		}
	}
	if p.Root != (Root{}) {
		if a.root = a.stage(p.Root.API, p.Root.Stage); a.root == nil {
			return nil, &APIError{p.Root.API, fmt.Errorf("it is the root, but has no stage %q", p.Root.Stage)}
		}
	}
	var err error
	a.keys, err = newKeyring(p.Keys, a)
	return a, err
}

// Len returns the number of APIs.
func (a *APIs) Len() int { return len(a.byID) }

// stage returns a stage by its names, or nil.
func (a *APIs) stage(id, name string) *stage {
	if found := a.byID[id]; found != nil {
		return found.stages[name]
	}
	return nil
}

func (a *APIs) add(in *API) error {
	switch {
	case !validAPIID(in.ID):
		return errors.New("its ID cannot be the first label of a host: use 1 to 63 letters in lower case, digits and -, a letter among them")
	case a.byID[in.ID] != nil:
		return errors.New("another API has its ID")
	case in.Kind > KindURL:
		return fmt.Errorf("kind %d is unknown", in.Kind)
	case len(in.Stages) > MaxStages:
		return fmt.Errorf("it has %d stages: use at most %d", len(in.Stages), MaxStages)
	case in.Kind == KindURL && (len(in.Stages) != 1 || in.Stages[0].Name != DefaultStage):
		return errors.New("a function URL has exactly one stage, named " + DefaultStage)
	}
	made := &api{all: a, id: in.ID, kind: in.Kind, keyFromAuthorizer: in.KeyFromAuthorizer, stages: make(map[string]*stage, len(in.Stages))}
	for i := range in.Stages {
		name := in.Stages[i].Name
		if made.stages[name] != nil {
			return fmt.Errorf("it has two stages %q", name)
		}
		s, err := a.newStage(made, &in.Stages[i])
		if err != nil {
			return fmt.Errorf("stage %q: %w", name, err)
		}
		made.stages[name] = s
	}
	a.byID[in.ID] = made
	a.lengths |= 1 << len(in.ID)
	return nil
}

func (a *APIs) newStage(of *api, in *Stage) (*stage, error) {
	if !validStage(in.Name) && (in.Name != DefaultStage || of.kind == KindREST) {
		return nil, errors.New("its name is none: use 1 to 128 letters, digits, - and _, or $default outside of REST APIs")
	}
	if len(in.Variables) > MaxVariables {
		return nil, fmt.Errorf("it has %d variables: use at most %d", len(in.Variables), MaxVariables)
	}
	s := &stage{api: of, name: in.Name, variables: in.Variables, shown: variablesJSON(in.Variables)}
	if in.CORS != nil {
		if of.kind == KindREST {
			return nil, errors.New("CORS of a REST API is up to its OPTIONS methods")
		}
		if why, hint := in.CORS.checkLists(); why != "" {
			return nil, fmt.Errorf("%s; %s", why, hint)
		}
		s.cors = newCORSHeaders(in.CORS, methodNone)
	}
	if len(in.BinaryTypes) > 0 && of.kind != KindREST {
		return nil, errors.New("only REST APIs have binary media types")
	}
	var err error
	if s.binary, err = newBinaryTypes(in.BinaryTypes); err != nil {
		return nil, err
	}
	s.table, err = newTable(in.Routes, func(r Route, p pattern) (*target, error) {
		if err := r.checkOfAPI(of.kind); err != nil {
			return nil, err
		}
		t := newTarget(r, p, s)
		var err error
		if t.guard, err = a.newGuard(s, t, &r); err != nil {
			return nil, &RouteError{Route: t.key, Why: err.Error()}
		}
		return t, nil
	})
	return s, err
}

// newGuard returns what requests for a route must pass, nil for nothing.
func (a *APIs) newGuard(s *stage, t *target, r *Route) (*guard, error) {
	if r.Authorizer == nil && !r.KeyRequired && r.Throttle == (Throttle{}) {
		return nil, nil
	}
	g := &guard{scopes: r.Scopes, keyed: r.KeyRequired}
	var err error
	if r.Throttle != (Throttle{}) {
		if g.bucket, err = newBucket(r.Throttle); err != nil {
			return nil, err
		}
		a.throttles[routeName{s.api.id, s.name, t.key}] = g.bucket
	}
	if r.Authorizer == nil {
		return g, nil
	}
	name := authorizerName{s.api.id, s.name, r.Authorizer.ID}
	g.authorizer = a.authorizers[name]
	if g.authorizer == nil {
		if g.authorizer, err = newAuthorizer(r.Authorizer, s.api.kind); err != nil {
			return nil, fmt.Errorf("authorizer %q: %w", r.Authorizer.ID, err)
		}
		a.authorizers[name] = g.authorizer
	} else if !g.authorizer.same(r.Authorizer) {
		return nil, fmt.Errorf("two authorizers have the ID %q", r.Authorizer.ID)
	}
	if l := g.authorizer.lambda; l != nil {
		g.view = t.as(l.in.Payload)
	}
	return g, nil
}

// inherit makes what counts and remembers in before go on in a, where its limits
// are the same. a serves nothing yet.
func (a *APIs) inherit(before *APIs) {
	for name, b := range a.throttles {
		if old := before.throttles[name]; old != nil {
			b.inherit(old)
		}
	}
	for name, auth := range a.authorizers {
		if old := before.authorizers[name]; old != nil {
			auth.inherit(old)
		}
	}
	a.keys.inherit(&before.keys)
}

// SetAPIs makes a the published APIs from now on; nil is none. Requests under
// way keep theirs. Throttles, quotas and cached answers of authorizers go on
// where nothing that they depend on has changed. a must not be given to another
// Server.
func (s *Server) SetAPIs(a *APIs) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if before := s.apis.Load(); before != nil && a != nil && before != a {
		a.inherit(before)
	}
	s.apis.Store(a)
}

// validAPIID reports whether an ID can be a label of a host name (RFC 1123) and
// is none of those that a node has anyway: numbers of addresses, localhost.
func validAPIID(id string) bool {
	if len(id) < 1 || len(id) > maxLabel || id[0] == '-' || id[len(id)-1] == '-' || id == "localhost" {
		return false
	}
	letters := 0
	for i := range len(id) {
		c := id[i]
		if 'a' <= c && c <= 'z' {
			letters++
		} else if !isDigit(c) && c != '-' {
			return false
		}
	}
	return letters > 0
}

// validStage follows API Gateway's pattern for names of stages.
func validStage(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 128
}

func variablesJSON(variables map[string]string) []byte {
	if len(variables) == 0 {
		return nil
	}
	b := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(variables)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, []byte(name))
		b = append(b, ':')
		b = appendString(b, []byte(variables[name]))
	}
	return append(b, '}')
}
