package edge

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ledge/edge/gateway"
	"ledge/persist"
)

// KeySetError says that a JWT authorizer names an issuer whose keys the node
// was not given.
type KeySetError struct{ Issuer string }

func (e *KeySetError) Error() string {
	return fmt.Sprintf("the keys of the issuer %s are not known to this node, which does not fetch them: give them with 'ledge api jwks put %s FILE'", e.Issuer, e.Issuer)
}

// translation turns stored APIs into those of the gateway.
type translation struct {
	stages      map[string][]persist.APIStage // by API
	deployments map[[2]string]*persist.APIDeployment
	keySets     map[string][]byte // by issuer
	// authorizers of the stage that is translated: routes share them.
	authorizers map[string]*gateway.Authorizer
}

func newTranslation(live persist.LiveAPIs) *translation {
	t := &translation{
		stages:      make(map[string][]persist.APIStage),
		deployments: make(map[[2]string]*persist.APIDeployment, len(live.Deployments)),
		keySets:     make(map[string][]byte, len(live.KeySets)),
	}
	for _, st := range live.Stages {
		t.stages[st.API] = append(t.stages[st.API], st)
	}
	for i := range live.Deployments {
		d := &live.Deployments[i]
		t.deployments[[2]string{d.API, d.ID}] = d
	}
	for _, k := range live.KeySets {
		t.keySets[k.Issuer] = k.Keys
	}
	return t
}

// api translates one API with its stages. A stage without a deployment is left
// out: it answers as if it were not there.
func (t *translation) api(a persist.API) (gateway.API, error) {
	served := gateway.API{ID: a.ID, Name: a.Name, Kind: gateway.KindHTTP}
	if a.Protocol == persist.ProtocolREST {
		served.Kind = gateway.KindREST
	}
	for _, st := range t.stages[a.ID] {
		if st.Deployment == "" {
			continue
		}
		d := t.deployments[[2]string{a.ID, st.Deployment}]
		if d == nil {
			return served, fmt.Errorf("stage %s: deployment %s: %w", st.Name, st.Deployment, persist.ErrNotFound)
		}
		stage, err := t.stage(a.Protocol, &d.Definition, &st)
		if err != nil {
			return served, fmt.Errorf("stage %s: %w", st.Name, err)
		}
		served.Stages = append(served.Stages, stage)
		// The gateway has one source for all stages; deployments that differ in it
		// are rare, and the source of authorizers is the stricter one.
		served.KeyFromAuthorizer = served.KeyFromAuthorizer || d.Definition.APIKeySource == "AUTHORIZER"
	}
	return served, nil
}

func (t *translation) stage(protocol string, def *persist.APIDefinition, st *persist.APIStage) (gateway.Stage, error) {
	t.authorizers = make(map[string]*gateway.Authorizer)
	stage := gateway.Stage{Name: st.Name, Variables: st.Variables}
	var err error
	if protocol == persist.ProtocolREST {
		stage.BinaryTypes = def.BinaryTypes
		stage.Routes, err = t.restRoutes(def, st)
		return stage, err
	}
	stage.CORS = gatewayCORS(def.CORS)
	stage.Routes, err = t.httpRoutes(def, st)
	return stage, err
}

// gatewayCORS is the one place where a stored CORS becomes a served one.
func gatewayCORS(c *persist.CORS) *gateway.CORS {
	if c == nil {
		return nil
	}
	return &gateway.CORS{
		AllowOrigins: c.AllowOrigins, AllowMethods: c.AllowMethods, AllowHeaders: c.AllowHeaders,
		ExposeHeaders: c.ExposeHeaders, MaxAge: c.MaxAgeSeconds, AllowCredentials: c.AllowCredentials,
	}
}

// authorizer translates who may use a method or a route; nil is everybody.
func (t *translation) authorizer(def *persist.APIDefinition, stage *persist.APIStage, kind, id string) (*gateway.Authorizer, error) {
	switch kind {
	case "NONE", "":
		return nil, nil
	case "AWS_IAM":
		return &gateway.Authorizer{ID: "iam", Name: kind, IAM: true}, nil
	}
	if shared := t.authorizers[id]; shared != nil {
		return shared, nil
	}
	at := slices.IndexFunc(def.Authorizers, func(a persist.APIAuthorizer) bool { return a.ID == id })
	if at < 0 {
		return nil, fmt.Errorf("authorizer %q: %w", id, persist.ErrNotFound)
	}
	a := &def.Authorizers[at]
	served := &gateway.Authorizer{ID: a.ID, Name: a.Name}
	if a.Type == "JWT" {
		keys, known := t.keySets[a.Issuer]
		if !known {
			return nil, &KeySetError{a.Issuer}
		}
		served.JWT = &gateway.JWT{Issuer: a.Issuer, Audience: a.Audience, Keys: keys}
		if len(a.IdentitySources) > 0 {
			served.JWT.IdentitySource = a.IdentitySources[0]
		}
	} else {
		name, qualifier, err := FunctionOf(a.URI, stage.Variables)
		if err != nil {
			return nil, err
		}
		served.Lambda = &gateway.LambdaAuthorizer{
			Function: name, Qualifier: qualifier,
			Payload: gateway.PayloadV1, Simple: a.Simple, Token: a.Type == "TOKEN",
			IdentitySources: a.IdentitySources, Validation: a.Validation,
			TTL: time.Duration(a.TTLSeconds) * time.Second,
		}
		if a.PayloadFormat == "2.0" {
			served.Lambda.Payload = gateway.PayloadV2
		}
	}
	t.authorizers[id] = served
	return served, nil
}

// urlAPI translates a function URL.
func urlAPI(u persist.FunctionURL) gateway.API {
	route := gateway.Route{
		Method: "ANY", Path: gateway.DefaultPath,
		Function: u.Function, Qualifier: u.Qualifier, Payload: gateway.PayloadV2,
	}
	if u.AuthType == "AWS_IAM" {
		route.Authorizer = &gateway.Authorizer{ID: "iam", Name: u.AuthType, IAM: true}
	}
	return gateway.API{
		ID: u.ID, Name: "the URL of function " + u.Function, Kind: gateway.KindURL,
		Stages: []gateway.Stage{{Name: gateway.DefaultStage, Routes: []gateway.Route{route}, CORS: gatewayCORS(u.CORS)}},
	}
}

// keysFor translates the API keys that are enabled, with their plans as far as
// these cover stages of apis.
func keysFor(live persist.LiveAPIs, apis []gateway.API) []gateway.Key {
	served := make(map[persist.RootAPI]bool)
	for _, a := range apis {
		for _, st := range a.Stages {
			served[persist.RootAPI{API: a.ID, Stage: st.Name}] = true
		}
	}
	plans := make(map[string][]gateway.Plan) // by key
	for _, p := range live.Plans {
		for _, at := range p.Stages {
			if !served[at] {
				continue // deleted since, or not deployed
			}
			plan := gateway.Plan{
				ID: p.ID, API: at.API, Stage: at.Stage,
				Throttle: throttle(p.Rate, p.Burst), Quota: p.Quota, Period: p.Period,
			}
			for _, key := range p.Keys {
				plans[key] = append(plans[key], plan)
			}
		}
	}
	var keys []gateway.Key
	for _, k := range live.Keys {
		if k.Enabled {
			keys = append(keys, gateway.Key{ID: k.ID, Name: k.Name, Value: k.Value, Plans: plans[k.ID]})
		}
	}
	return keys
}

// rootFor returns the root where apis have it.
func rootFor(root persist.RootAPI, apis []gateway.API) gateway.Root {
	for _, a := range apis {
		if a.ID == root.API && slices.ContainsFunc(a.Stages, func(st gateway.Stage) bool { return st.Name == root.Stage }) {
			return gateway.Root{API: root.API, Stage: root.Stage}
		}
	}
	return gateway.Root{}
}

// CheckAPI reports what is wrong with the settings of an API for the gateway,
// whatever it is going to serve.
func CheckAPI(a persist.API) error {
	if a.Protocol == persist.ProtocolREST {
		return prove(gateway.KindREST, gateway.Stage{Name: "x", BinaryTypes: a.BinaryTypes})
	}
	return prove(gateway.KindHTTP, gateway.Stage{Name: gateway.DefaultStage, CORS: gatewayCORS(a.CORS)})
}

// prove reports what is wrong with a stage for the gateway.
func prove(kind gateway.Kind, stage gateway.Stage) error {
	_, err := gateway.NewAPIs(gateway.Published{APIs: []gateway.API{{ID: "x", Kind: kind, Stages: []gateway.Stage{stage}}}})
	return cause(err)
}

// cause strips the name of an API that was made only to prove something.
func cause(err error) error {
	var wrapped *gateway.APIError
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
