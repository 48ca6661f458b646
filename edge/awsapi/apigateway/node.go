package apigateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/edge/gateway"
	"ledge/persist"
)

// maxKeySets bounds the issuers whose keys a node has.
const maxKeySets = 50

// nodeOperations are the node's own about APIs. Their members begin with capital
// letters, as Lambda's.
func (s *service) nodeOperations() []restjson.Operation {
	own := []restjson.Operation{
		noted(op("ListNodeApis", http.MethodGet, "/v1/apis", ok, s.listNodeAPIs), "all APIs and function URLs, and where they answer"),
		noted(op("PutKeySet", http.MethodPut, "/v1/jwks", ok, s.putKeySet), "the keys of the issuer ?issuer=URL: the body is a JWK Set"),
		noted(op("GetKeySets", http.MethodGet, "/v1/jwks", ok, s.getKeySets), "of all issuers, or of ?issuer=URL"),
		op("DeleteKeySet", http.MethodDelete, "/v1/jwks", empty, s.deleteKeySet),
		noted(op("PutRootApi", http.MethodPut, "/v1/root", ok, s.putRoot), "the stage that answers what no route of the node does"),
		op("GetRootApi", http.MethodGet, "/v1/root", ok, s.getRoot),
		op("DeleteRootApi", http.MethodDelete, "/v1/root", empty, s.deleteRoot),
	}
	for i := range own {
		own[i].Service = restjson.ServiceNode
	}
	return own
}

// nodeAPI is an API with the places where it answers.
type nodeAPI struct {
	APIID  string `json:"ApiId"`
	Name   string
	Kind   string // "REST", "HTTP", or "URL" for the URL of a function, which Name names
	Stages []nodeStage
}

type nodeStage struct {
	Name    string
	URL     string `json:"Url"`     // by a name of the API's own
	PathURL string `json:"PathUrl"` // by the node's name alone
	Root    bool   // it answers at the node's root too
}

func (s *service) listNodeAPIs(*http.Request) (any, error) {
	apis, err := s.Store.APIs()
	if err != nil {
		return nil, err
	}
	root, err := s.Store.RootAPI()
	if err != nil {
		return nil, err
	}
	reply := struct{ Apis []nodeAPI }{Apis: make([]nodeAPI, 0, len(apis))}
	for _, a := range apis {
		stages, err := s.Store.APIStages(a.ID)
		if err != nil {
			return nil, err
		}
		shown := nodeAPI{a.ID, a.Name, a.Protocol, make([]nodeStage, 0, len(stages))}
		for _, st := range stages {
			if st.Deployment == "" {
				continue // it does not answer yet
			}
			path := "/"
			if st.Name != defaultStage {
				path += st.Name + "/"
			}
			shown.Stages = append(shown.Stages, nodeStage{
				Name: st.Name, URL: s.endpoint(a.ID) + path, PathURL: s.plainEndpoint(a.ID) + path,
				Root: root == persist.RootAPI{API: a.ID, Stage: st.Name},
			})
		}
		reply.Apis = append(reply.Apis, shown)
	}
	urls, err := s.Store.FunctionURLs()
	if err != nil {
		return nil, err
	}
	for _, u := range urls {
		name := u.Function
		if u.Qualifier != "" {
			name += ":" + u.Qualifier
		}
		reply.Apis = append(reply.Apis, nodeAPI{u.ID, name, "URL", []nodeStage{{
			Name:    defaultStage,
			URL:     "http://" + u.ID + ".lambda-url." + s.Region + "." + s.host + "/",
			PathURL: "http://" + s.host + "/_aws/lambda-url/" + u.ID + "/",
		}}})
	}
	return reply, nil
}

// keySet is the keys of an issuer. They are public keys.
type keySet struct {
	Issuer  string
	Keys    []json.RawMessage
	Updated time.Time
}

func showKeySet(k persist.KeySet) keySet {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	_ = json.Unmarshal(k.Keys, &document) // it was one when it was stored; otherwise it has no keys
	return keySet{k.Issuer, append([]json.RawMessage{}, document.Keys...), k.Updated}
}

func (s *service) putKeySet(r *http.Request) (any, error) {
	issuer := r.URL.Query().Get("issuer")
	if err := checkIssuer(issuer); err != nil {
		return nil, err
	}
	body := restjson.Body(r.Context())
	if len(body) > gateway.MaxJWKS {
		return nil, badRequest("The key set has %d bytes: use at most %d", len(body), gateway.MaxJWKS)
	}
	if err := gateway.CheckJWKS(body); err != nil {
		return nil, badRequest("the key set of %s cannot be used: %s; it is the JSON document that the issuer publishes as its jwks_uri", issuer, err)
	}
	set := persist.KeySet{Issuer: issuer, Keys: slices.Clone(body), Updated: s.now()}
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		restjson.About(r.Context(), "keys of "+issuer)
		sets, err := s.Store.KeySets()
		if err != nil {
			return err
		}
		known := slices.ContainsFunc(sets, func(k persist.KeySet) bool { return k.Issuer == issuer })
		if !known && len(sets) >= maxKeySets {
			return limitExceeded("A node has the keys of at most %d issuers", maxKeySets)
		}
		ch.PutKeySets = append(ch.PutKeySets, set)
		return nil
	})
	return showKeySet(set), err
}

func (s *service) getKeySets(r *http.Request) (any, error) {
	reply := struct{ KeySets []keySet }{KeySets: []keySet{}}
	issuer := r.URL.Query().Get("issuer")
	sets, err := s.Store.KeySets()
	if err != nil {
		return nil, err
	}
	for _, k := range sets {
		if issuer == "" || k.Issuer == issuer {
			reply.KeySets = append(reply.KeySets, showKeySet(k))
		}
	}
	if issuer != "" && len(reply.KeySets) == 0 {
		return nil, notFound("the node has no keys of the issuer %.512q", issuer)
	}
	return reply, nil
}

// deleteKeySet removes the keys of an issuer. Where a deployed authorizer needs
// them the node could not serve its API any more, so that is refused.
func (s *service) deleteKeySet(r *http.Request) (any, error) {
	issuer := r.URL.Query().Get("issuer")
	return nil, s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		restjson.About(r.Context(), "keys of "+issuer)
		if _, err := s.Store.KeySet(issuer); err != nil {
			return missing(err, "the node has no keys of the issuer %.512q", issuer)
		}
		api, err := s.usesIssuer(issuer)
		if err != nil {
			return err
		}
		if api != "" {
			return conflict("API %s has a JWT authorizer that needs the keys of %s: delete the authorizer and deploy the API first", api, issuer)
		}
		ch.DeleteKeySets = append(ch.DeleteKeySets, issuer)
		return nil
	})
}

// usesIssuer returns an API that has an authorizer for an issuer, in its draft
// or in a deployment, or an empty ID.
func (s *service) usesIssuer(issuer string) (api string, err error) {
	apis, err := s.apis(persist.ProtocolHTTP)
	if err != nil {
		return "", err
	}
	for _, a := range apis {
		deployments, err := s.Store.APIDeployments(a.ID)
		if err != nil {
			return "", err
		}
		draft, err := s.Store.APIDeployment(a.ID, "")
		if err != nil && !errors.Is(err, persist.ErrNotFound) { // a damaged one was set aside
			return "", err
		}
		for _, d := range append(deployments, draft) {
			if slices.ContainsFunc(d.Definition.Authorizers, func(au persist.APIAuthorizer) bool { return au.Type == typeJWT && au.Issuer == issuer }) {
				return a.ID, nil
			}
		}
	}
	return "", nil
}

// rootAPI is the stage that answers at the node's root.
type rootAPI struct {
	APIID string `json:"ApiId"`
	Stage string
}

func (s *service) putRoot(r *http.Request) (any, error) {
	req := rootAPI{}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if strings.TrimSpace(req.APIID) == "" {
		return nil, badRequest("ApiId is missing: name the API that shall answer at the node's root")
	}
	if req.Stage == "" {
		req.Stage = defaultStage
	}
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		restjson.About(r.Context(), "API "+req.APIID)
		if _, err := s.Store.API(req.APIID); err != nil {
			return missing(err, "Invalid API identifier specified %s:%.200s", accountID, req.APIID)
		}
		st, err := s.Store.APIStage(req.APIID, req.Stage)
		if err != nil {
			return missing(err, "Invalid stage identifier specified: API %s has no stage %.128q; name one of its stages", req.APIID, req.Stage)
		}
		if st.Deployment == "" {
			return badRequest("stage %s of API %s has no deployment yet: deploy the API first", st.Name, st.API)
		}
		ch.Root = &persist.RootAPI{API: req.APIID, Stage: req.Stage}
		return nil
	})
	return req, err
}

func (s *service) getRoot(*http.Request) (any, error) {
	root, err := s.Store.RootAPI()
	if err != nil {
		return nil, err
	}
	if root == (persist.RootAPI{}) {
		return nil, notFound("no API answers at the node's root")
	}
	return rootAPI{root.API, root.Stage}, nil
}

func (s *service) deleteRoot(r *http.Request) (any, error) {
	return nil, s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		ch.Root = new(persist.RootAPI)
		return nil
	})
}
