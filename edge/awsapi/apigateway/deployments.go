package apigateway

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"ledge/edge"
	"ledge/persist"
)

// maxUnused is how many deployments of an API are kept that no stage names.
const maxUnused = 20

// deployment is API Gateway's Deployment
// (https://docs.aws.amazon.com/apigateway/latest/api/API_Deployment.html).
type deployment struct {
	ID          string                              `json:"id"`
	Description string                              `json:"description,omitempty"`
	CreatedDate int64                               `json:"createdDate"`
	APISummary  map[string]map[string]methodSummary `json:"apiSummary,omitempty"`
}

type methodSummary struct {
	AuthorizationType string `json:"authorizationType"`
	APIKeyRequired    bool   `json:"apiKeyRequired"`
}

func showDeployment(d persist.APIDeployment) deployment {
	return deployment{ID: d.ID, Description: d.Description, CreatedDate: d.Created.Unix()}
}

func (s *service) createDeployment(r *http.Request) (any, error) {
	var req struct {
		StageName, StageDescription, Description string
		Variables                                map[string]string
		TracingEnabled, CacheClusterEnabled      bool
		CanarySettings                           *struct{}
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if err := refuse(
		refusal{"cacheClusterEnabled", req.CacheClusterEnabled, whyNoCache},
		refusal{"canarySettings", req.CanarySettings != nil, whyNoCanary},
		refusal{"tracingEnabled", req.TracingEnabled, whyNoTracing},
	); err != nil {
		return nil, err
	}
	if err := checkTexts("", req.Description, "", nil); err != nil {
		return nil, err
	}
	var made persist.APIDeployment
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		api, draft, err := s.draftOf(r, persist.ProtocolREST)
		if err != nil {
			return err
		}
		if err := checkDeployable(&draft.Definition); err != nil {
			return err
		}
		made = s.snapshot(api, &draft.Definition, req.Description)
		ch.PutDeployments = append(ch.PutDeployments, made)
		if req.StageName != "" {
			if err := s.deployTo(ch, made, req.StageName, req.StageDescription, req.Variables); err != nil {
				return err
			}
		}
		return s.dropUnused(ch, api.ID)
	})
	return showDeployment(made), err
}

// deployTo makes a stage serve a new deployment, and makes the stage where it is
// new.
func (s *service) deployTo(ch *persist.APIChange, d persist.APIDeployment, name, description string, variables map[string]string) error {
	stages, err := s.Store.APIStages(d.API)
	if err != nil {
		return err
	}
	stage := persist.APIStage{API: d.API, Name: name, Created: s.now()}
	at := slices.IndexFunc(stages, func(st persist.APIStage) bool { return st.Name == name })
	if at >= 0 {
		stage = stages[at]
	} else if err := roomForStage(stages); err != nil {
		return err
	}
	stage.Deployment, stage.Updated = d.ID, s.now()
	stage.Description = cmp.Or(description, stage.Description)
	if variables != nil {
		stage.Variables = variables
	}
	ch.PutStages = append(ch.PutStages, stage)
	return checkStage(&stage)
}

// dropUnused deletes the oldest deployments that no stage names, so that maxUnused
// of them are left, new ones included. Each is a copy of the whole API.
func (s *service) dropUnused(ch *persist.APIChange, api string) error {
	deployments, err := s.Store.APIDeployments(api)
	if err != nil {
		return err
	}
	used, err := s.usedDeployments(ch, api)
	if err != nil {
		return err
	}
	for _, d := range ch.PutDeployments {
		if d.API == api && d.ID != "" {
			deployments = append(deployments, d)
		}
	}
	deployments = slices.DeleteFunc(deployments, func(d persist.APIDeployment) bool { return used[d.ID] })
	slices.SortStableFunc(deployments, func(a, b persist.APIDeployment) int { return a.Created.Compare(b.Created) })
	for _, d := range deployments[:max(0, len(deployments)-maxUnused)] {
		ch.DeleteDeployments = append(ch.DeleteDeployments, persist.APIDeployment{API: api, ID: d.ID})
	}
	return nil
}

// usedDeployments returns the IDs that the stages of an API name after a change.
func (s *service) usedDeployments(ch *persist.APIChange, api string) (map[string]bool, error) {
	stages, err := s.Store.APIStages(api)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(stages)) // of deployments, by stage
	for _, st := range stages {
		names[st.Name] = st.Deployment
	}
	for _, st := range ch.PutStages {
		if st.API == api {
			names[st.Name] = st.Deployment
		}
	}
	used := make(map[string]bool, len(names))
	for _, id := range names {
		used[id] = true
	}
	return used, nil
}

func (s *service) getDeployments(r *http.Request) (any, error) {
	api, err := s.apiOf(r, persist.ProtocolREST)
	if err != nil {
		return nil, err
	}
	deployments, err := s.Store.APIDeployments(api.ID)
	if err != nil {
		return nil, err
	}
	return listOf(r, deployments, func(d persist.APIDeployment) string { return d.ID }, showDeployment)
}

// deploymentOf returns the deployment that a request names.
func (s *service) deploymentOf(r *http.Request, protocol string) (persist.APIDeployment, error) {
	api, err := s.apiOf(r, protocol)
	if err != nil {
		return persist.APIDeployment{}, err
	}
	return s.deploymentByID(api.ID, r.PathValue("deployment"))
}

func (s *service) deploymentByID(api, id string) (persist.APIDeployment, error) {
	if id == "" { // that would be the draft
		return persist.APIDeployment{}, notFound("Invalid Deployment identifier specified")
	}
	d, err := s.Store.APIDeployment(api, id)
	return d, missing(err, "Invalid Deployment identifier specified")
}

func (s *service) getDeployment(r *http.Request) (any, error) {
	d, err := s.deploymentOf(r, persist.ProtocolREST)
	if err != nil {
		return nil, err
	}
	shown := showDeployment(d)
	if !slices.ContainsFunc(r.URL.Query()["embed"], func(v string) bool { return strings.EqualFold(v, "apisummary") }) {
		return shown, nil
	}
	paths, err := edge.ResourcePaths(d.Definition.Resources)
	if err != nil {
		return nil, err
	}
	shown.APISummary = make(map[string]map[string]methodSummary)
	for _, res := range d.Definition.Resources {
		if len(res.Methods) == 0 {
			continue
		}
		summary := make(map[string]methodSummary, len(res.Methods))
		for name, m := range res.Methods {
			summary[name] = methodSummary{m.AuthorizationType, m.KeyRequired}
		}
		shown.APISummary[paths[res.ID]] = summary
	}
	return shown, nil
}

func (s *service) updateDeployment(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var d persist.APIDeployment
	err = s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		if d, err = s.deploymentOf(r, persist.ProtocolREST); err != nil {
			return err
		}
		if err := patch(patches, []patchRule{text("/description", &d.Description)}); err != nil {
			return err
		}
		ch.PutDeployments = append(ch.PutDeployments, d)
		return checkTexts("", d.Description, "", nil)
	})
	return showDeployment(d), err
}

// deleteDeployment deletes a deployment that no stage names.
func (s *service) deleteDeployment(protocol string) answer {
	return func(r *http.Request) (any, error) {
		return nil, s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
			d, err := s.deploymentOf(r, protocol)
			if err != nil {
				return err
			}
			used, err := s.usedDeployments(ch, d.API)
			if err != nil {
				return err
			}
			if used[d.ID] {
				return badRequest("Active stages pointing to this deployment must be moved or deleted")
			}
			ch.DeleteDeployments = append(ch.DeleteDeployments, persist.APIDeployment{API: d.API, ID: d.ID})
			return nil
		})
	}
}
