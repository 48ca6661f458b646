package apigateway

import (
	"net/http"
	"regexp"
	"slices"

	"ledge/persist"
)

// stage is API Gateway's Stage
// (https://docs.aws.amazon.com/apigateway/latest/api/API_Stage.html).
type stage struct {
	StageName           string                   `json:"stageName"`
	DeploymentID        string                   `json:"deploymentId"`
	Description         string                   `json:"description,omitempty"`
	CacheClusterEnabled bool                     `json:"cacheClusterEnabled"`
	CacheClusterStatus  string                   `json:"cacheClusterStatus"`
	MethodSettings      map[string]methodSetting `json:"methodSettings"`
	Variables           map[string]string        `json:"variables,omitempty"`
	TracingEnabled      bool                     `json:"tracingEnabled"`
	Tags                map[string]string        `json:"tags,omitempty"`
	CreatedDate         int64                    `json:"createdDate"`
	LastUpdatedDate     int64                    `json:"lastUpdatedDate"`
}

// methodSetting is API Gateway's MethodSetting.
type methodSetting struct {
	MetricsEnabled                         bool    `json:"metricsEnabled"`
	LoggingLevel                           string  `json:"loggingLevel"`
	DataTraceEnabled                       bool    `json:"dataTraceEnabled"`
	ThrottlingBurstLimit                   int     `json:"throttlingBurstLimit"` // -1: none
	ThrottlingRateLimit                    float64 `json:"throttlingRateLimit"`  // -1: none
	CachingEnabled                         bool    `json:"cachingEnabled"`
	CacheTTLInSeconds                      int     `json:"cacheTtlInSeconds"`
	CacheDataEncrypted                     bool    `json:"cacheDataEncrypted"`
	RequireAuthorizationForCacheControl    bool    `json:"requireAuthorizationForCacheControl"`
	UnauthorizedCacheControlHeaderStrategy string  `json:"unauthorizedCacheControlHeaderStrategy"`
}

func showStage(st persist.APIStage) stage {
	shown := stage{
		StageName: st.Name, DeploymentID: st.Deployment, Description: st.Description,
		CacheClusterStatus: "NOT_AVAILABLE", MethodSettings: map[string]methodSetting{},
		Variables: st.Variables, Tags: st.Tags,
		CreatedDate: st.Created.Unix(), LastUpdatedDate: st.Updated.Unix(),
	}
	for key, set := range st.Settings {
		m := methodSetting{
			MetricsEnabled: set.Metrics, LoggingLevel: set.LogLevel, DataTraceEnabled: set.DataTrace,
			ThrottlingBurstLimit: -1, ThrottlingRateLimit: -1, CacheTTLInSeconds: 300,
			RequireAuthorizationForCacheControl: true, UnauthorizedCacheControlHeaderStrategy: "SUCCEED_WITH_RESPONSE_HEADER",
		}
		if m.LoggingLevel == "" {
			m.LoggingLevel = "OFF"
		}
		if set.Burst != nil {
			m.ThrottlingBurstLimit = *set.Burst
		}
		if set.Rate != nil {
			m.ThrottlingRateLimit = *set.Rate
		}
		shown.MethodSettings[key] = m
	}
	return shown
}

// Reasons for refusals that several operations give.
const (
	whyNoCache   = "a stage has no cache"
	whyNoCanary  = "a stage serves one deployment; Lambda aliases split traffic between versions"
	whyNoTracing = "there is no X-Ray on a node"
	whyNoLog     = "requests are not logged; the node's logs have what functions write"
)

var (
	stageName         = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	stageVariable     = regexp.MustCompile(`^[a-zA-Z0-9_]{1,64}$`)
	stageVariableText = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]*$`)
)

// checkStage looks at everything of a stage but its deployment.
func checkStage(st *persist.APIStage) error {
	if !stageName.MatchString(st.Name) && st.Name != defaultStage {
		return badRequest("Stage name only allows a-zA-Z0-9_-")
	}
	if len(st.Variables) > maxVariables {
		return badRequest("A stage has at most %d variables, not %d", maxVariables, len(st.Variables))
	}
	for name, value := range st.Variables {
		if !stageVariable.MatchString(name) {
			return badRequest("Invalid stage variable name: %.100s. Please use an alpha numeric name, with _", name)
		}
		if len(value) > maxVariableValue || !stageVariableText.MatchString(value) {
			return badRequest("Stage variable value of %s does not match the pattern [A-Za-z0-9-._~:/?#&=,]+, with at most %d characters", name, maxVariableValue)
		}
	}
	return checkTexts("", st.Description, "", st.Tags)
}

// roomForStage refuses one stage more than an API may have.
func roomForStage(stages []persist.APIStage) error {
	if len(stages) >= maxStages {
		return limitExceeded("Maximum number of stages for this API has been reached: %d", maxStages)
	}
	return nil
}

func (s *service) createStage(r *http.Request) (any, error) {
	var req struct {
		StageName, DeploymentID, Description, DocumentationVersion string
		CacheClusterEnabled, TracingEnabled                        bool
		CanarySettings                                             *struct{}
		Variables, Tags                                            map[string]string
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if err := refuse(
		refusal{"cacheClusterEnabled", req.CacheClusterEnabled, whyNoCache},
		refusal{"canarySettings", req.CanarySettings != nil, whyNoCanary},
		refusal{"tracingEnabled", req.TracingEnabled, whyNoTracing},
		refusal{"documentationVersion", req.DocumentationVersion != "", whyNoDocumentation},
	); err != nil {
		return nil, err
	}
	now := s.now()
	st := persist.APIStage{
		Name: req.StageName, Deployment: req.DeploymentID, Description: req.Description,
		Variables: req.Variables, Tags: req.Tags, Created: now, Updated: now,
	}
	if st.Name == defaultStage {
		return nil, badRequest("Stage name only allows a-zA-Z0-9_-")
	}
	if err := checkStage(&st); err != nil {
		return nil, err
	}
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		api, err := s.apiOf(r, persist.ProtocolREST)
		if err != nil {
			return err
		}
		st.API = api.ID
		if _, err := s.deploymentByID(api.ID, st.Deployment); err != nil {
			return err
		}
		return s.addStage(ch, st)
	})
	return showStage(st), err
}

// addStage adds a new stage to a change.
func (s *service) addStage(ch *persist.APIChange, st persist.APIStage) error {
	stages, err := s.Store.APIStages(st.API)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(stages, func(other persist.APIStage) bool { return other.Name == st.Name }) {
		return conflict("Stage already exists")
	}
	ch.PutStages = append(ch.PutStages, st)
	return roomForStage(stages)
}

// stageOf returns the stage that a request names.
func (s *service) stageOf(r *http.Request, protocol string) (persist.APIStage, error) {
	api, err := s.apiOf(r, protocol)
	if err != nil {
		return persist.APIStage{}, err
	}
	st, err := s.Store.APIStage(api.ID, r.PathValue("stage"))
	return st, missing(err, "Invalid stage identifier specified")
}

func (s *service) getStages(r *http.Request) (any, error) {
	api, err := s.apiOf(r, persist.ProtocolREST)
	if err != nil {
		return nil, err
	}
	stages, err := s.Store.APIStages(api.ID)
	if err != nil {
		return nil, err
	}
	// GetStages has no pages; it can choose the stages of a deployment.
	wanted := r.URL.Query().Get("deploymentId")
	found := []stage{}
	for _, st := range stages {
		if wanted == "" || st.Deployment == wanted {
			found = append(found, showStage(st))
		}
	}
	return list[stage]{Item: found}, nil
}

func (s *service) getStage(r *http.Request) (any, error) {
	st, err := s.stageOf(r, persist.ProtocolREST)
	if err != nil {
		return nil, err
	}
	return showStage(st), nil
}

func (s *service) updateStage(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var st persist.APIStage
	err = s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		if st, err = s.stageOf(r, persist.ProtocolREST); err != nil {
			return err
		}
		before := st.Deployment
		if err := patchStage(&st, patches); err != nil {
			return err
		}
		if st.Deployment != before {
			if _, err := s.deploymentByID(st.API, st.Deployment); err != nil {
				return err
			}
		}
		st.Updated = s.now()
		ch.PutStages = append(ch.PutStages, st)
		return checkStage(&st)
	})
	return showStage(st), err
}

// deleteStage deletes a stage. Usage plans and the node's root forget it.
func (s *service) deleteStage(protocol string) answer {
	return func(r *http.Request) (any, error) {
		return nil, s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
			st, err := s.stageOf(r, protocol)
			if err != nil {
				return err
			}
			ch.DeleteStages = append(ch.DeleteStages, persist.APIStage{API: st.API, Name: st.Name})
			return s.forget(ch, func(at persist.RootAPI) bool { return at == persist.RootAPI{API: st.API, Stage: st.Name} })
		})
	}
}

// flushCache empties the cache that a stage has not.
func (s *service) flushCache(r *http.Request) (any, error) {
	_, err := s.stageOf(r, persist.ProtocolREST)
	return nil, err
}
