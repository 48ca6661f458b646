package apigateway

import (
	"net/http"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// editing is one change of an API's draft.
type editing struct {
	api    persist.API
	draft  persist.APIDeployment
	def    *persist.APIDefinition // the draft's
	change *persist.APIChange
}

// apiOf returns the API that a request names, if it is of that protocol.
func (s *service) apiOf(r *http.Request, protocol string) (persist.API, error) {
	id := r.PathValue("api")
	restjson.About(r.Context(), "API "+id)
	api, err := s.Store.API(id)
	if err == nil && api.Protocol != protocol {
		err = persist.ErrNotFound // v1 and v2 do not show each other's APIs
	}
	return api, missing(err, "Invalid API identifier specified %s:%.200s", accountID, id)
}

// draftOf returns the API that a request names, and its draft.
func (s *service) draftOf(r *http.Request, protocol string) (persist.API, persist.APIDeployment, error) {
	api, err := s.apiOf(r, protocol)
	if err != nil {
		return api, persist.APIDeployment{}, err
	}
	draft, err := s.Store.APIDeployment(api.ID, "")
	return api, draft, err
}

// show replies with one thing of the draft of the API that a request names, which
// find finds in it.
func show[T, V any](s *service, r *http.Request, protocol string, find func(*http.Request, *persist.APIDefinition) (*T, error), shown func(T) V) (any, error) {
	_, draft, err := s.draftOf(r, protocol)
	if err != nil {
		return nil, err
	}
	thing, err := find(r, &draft.Definition)
	if err != nil {
		return nil, err
	}
	return shown(*thing), nil
}

// edit changes the draft of the API that a request names. Stages of an HTTP API
// that deploy automatically get the change at once.
func (s *service) edit(r *http.Request, protocol string, change func(e *editing) error) error {
	return s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		api, draft, err := s.draftOf(r, protocol)
		if err != nil {
			return err
		}
		e := &editing{api: api, draft: draft, change: ch}
		e.def = &e.draft.Definition
		if err := change(e); err != nil {
			return err
		}
		ch.PutDeployments = append(ch.PutDeployments, e.draft)
		if protocol == persist.ProtocolHTTP {
			return s.autoDeploy(e)
		}
		return nil
	})
}

// snapshot returns a deployment of the draft.
func (s *service) snapshot(api persist.API, draft *persist.APIDefinition, description string) persist.APIDeployment {
	d := persist.APIDeployment{API: api.ID, ID: newID(), Description: description, Created: s.now(), Definition: *draft}
	d.Definition.APIKeySource = api.APIKeySource
	d.Definition.BinaryTypes = api.BinaryTypes
	d.Definition.CORS = api.CORS
	return d
}
