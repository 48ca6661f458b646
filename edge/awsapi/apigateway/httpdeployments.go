package apigateway

import (
	"net/http"
	"slices"
	"time"

	"ledge/persist"
)

// httpDeployment is API Gateway v2's Deployment
// (https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-deployments-deploymentid.html).
type httpDeployment struct {
	AutoDeployed     bool      `json:"autoDeployed"`
	CreatedDate      time.Time `json:"createdDate"`
	DeploymentID     string    `json:"deploymentId"`
	DeploymentStatus string    `json:"deploymentStatus"`
	Description      string    `json:"description,omitempty"`
}

func showHTTPDeployment(d persist.APIDeployment) httpDeployment {
	return httpDeployment{d.AutoDeployed, d.Created, d.ID, "DEPLOYED", d.Description}
}

// Messages of automatic deployments, as on AWS.
const (
	autoDeployed = "Automatic deployment triggered by changes to the Api configuration"
	noRoutes     = "Unable to deploy API because no routes exist in this API"
)

func deployedStatus(id string) string {
	return "Successfully deployed stage with deployment ID '" + id + "'"
}

// autoDeploy makes the stages of an HTTP API that deploy automatically serve
// its draft after a change. As on AWS, an API without routes is not deployed:
// its stages go on with what they serve, and say so.
func (s *service) autoDeploy(e *editing) error {
	stages, err := s.Store.APIStages(e.api.ID)
	if err != nil {
		return err
	}
	stages = slices.DeleteFunc(stages, func(st persist.APIStage) bool { return !st.AutoDeploy })
	if len(stages) == 0 {
		return nil
	}
	for i := range stages {
		stages[i].Updated = s.now()
		s.deployNow(e.change, e.api, e.def, &stages[i])
	}
	e.change.PutStages = append(e.change.PutStages, stages...)
	return s.dropAutomatic(e.change, e.api.ID)
}

// deployNow makes a stage that deploys automatically serve the draft. Stages
// share the deployment.
func (s *service) deployNow(ch *persist.APIChange, api persist.API, def *persist.APIDefinition, st *persist.APIStage) {
	if len(def.Routes) == 0 {
		st.Status = "Deployment attempt failed: " + noRoutes
		return
	}
	at := slices.IndexFunc(ch.PutDeployments, func(d persist.APIDeployment) bool { return d.AutoDeployed && d.API == api.ID })
	if at < 0 {
		d := s.snapshot(api, def, autoDeployed)
		d.AutoDeployed = true
		at, ch.PutDeployments = len(ch.PutDeployments), append(ch.PutDeployments, d)
	}
	st.Deployment = ch.PutDeployments[at].ID
	st.Status = deployedStatus(st.Deployment)
}

// dropAutomatic deletes the automatic deployments that no stage names any more:
// nobody asked for them, so nobody goes back to them.
func (s *service) dropAutomatic(ch *persist.APIChange, api string) error {
	used, err := s.usedDeployments(ch, api)
	if err != nil {
		return err
	}
	deployments, err := s.Store.APIDeployments(api)
	if err != nil {
		return err
	}
	for _, d := range deployments {
		if d.AutoDeployed && !used[d.ID] {
			ch.DeleteDeployments = append(ch.DeleteDeployments, persist.APIDeployment{API: api, ID: d.ID})
		}
	}
	return nil
}

func (s *service) createHTTPDeployment(r *http.Request) (any, error) {
	var req struct{ Description, StageName string }
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if err := checkTexts("", req.Description, "", nil); err != nil {
		return nil, err
	}
	var made persist.APIDeployment
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		api, draft, err := s.draftOf(r, persist.ProtocolHTTP)
		if err != nil {
			return err
		}
		if len(draft.Definition.Routes) == 0 {
			return badRequest(noRoutes)
		}
		made = s.snapshot(api, &draft.Definition, req.Description)
		ch.PutDeployments = append(ch.PutDeployments, made)
		if req.StageName != "" {
			st, err := s.Store.APIStage(api.ID, req.StageName)
			if err != nil {
				return missing(err, "Unable to find Stage by name %.128s within the API", req.StageName)
			}
			if st.AutoDeploy {
				return badRequest("Deployment cannot be made for stage %s: it has AutoDeploy, and serves what the API is now", st.Name)
			}
			st.Deployment, st.Updated = made.ID, s.now()
			ch.PutStages = append(ch.PutStages, st)
		}
		return s.dropUnused(ch, api.ID)
	})
	return showHTTPDeployment(made), err
}

func (s *service) getHTTPDeployments(r *http.Request) (any, error) {
	api, err := s.apiOf(r, persist.ProtocolHTTP)
	if err != nil {
		return nil, err
	}
	deployments, err := s.Store.APIDeployments(api.ID)
	if err != nil {
		return nil, err
	}
	return list2Of(r, deployments, func(d persist.APIDeployment) string { return d.ID }, showHTTPDeployment)
}

func (s *service) getHTTPDeployment(r *http.Request) (any, error) {
	d, err := s.deploymentOf(r, persist.ProtocolHTTP)
	if err != nil {
		return nil, err
	}
	return showHTTPDeployment(d), nil
}

func (s *service) updateHTTPDeployment(r *http.Request) (any, error) {
	var req struct{ Description *string }
	if err := read(r, &req); err != nil {
		return nil, err
	}
	var d persist.APIDeployment
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) (err error) {
		if d, err = s.deploymentOf(r, persist.ProtocolHTTP); err != nil {
			return err
		}
		set(&d.Description, req.Description)
		ch.PutDeployments = append(ch.PutDeployments, d)
		return checkTexts("", d.Description, "", nil)
	})
	return showHTTPDeployment(d), err
}
