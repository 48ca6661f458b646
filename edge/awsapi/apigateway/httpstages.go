package apigateway

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"ledge/edge/gateway"
	"ledge/persist"
)

// defaultStage is the stage of an HTTP API that has no name in the path.
const defaultStage = gateway.DefaultStage

// allRoutes is the key of an HTTP stage's settings for all its routes.
const allRoutes = "*"

// httpStage is API Gateway v2's Stage
// (https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename.html).
type httpStage struct {
	APIGatewayManaged           bool                   `json:"apiGatewayManaged"`
	AutoDeploy                  bool                   `json:"autoDeploy"`
	CreatedDate                 time.Time              `json:"createdDate"`
	DefaultRouteSettings        routeLimits            `json:"defaultRouteSettings"`
	DeploymentID                string                 `json:"deploymentId,omitempty"`
	Description                 string                 `json:"description,omitempty"`
	LastDeploymentStatusMessage string                 `json:"lastDeploymentStatusMessage,omitempty"`
	LastUpdatedDate             time.Time              `json:"lastUpdatedDate"`
	RouteSettings               map[string]routeLimits `json:"routeSettings"`
	StageName                   string                 `json:"stageName"`
	StageVariables              map[string]string      `json:"stageVariables"`
	Tags                        map[string]string      `json:"tags"`
}

// routeLimits is API Gateway v2's RouteSettings.
type routeLimits struct {
	DataTraceEnabled       bool     `json:"dataTraceEnabled,omitempty"`
	DetailedMetricsEnabled bool     `json:"detailedMetricsEnabled"`
	LoggingLevel           string   `json:"loggingLevel,omitempty"`
	ThrottlingBurstLimit   *int     `json:"throttlingBurstLimit,omitempty"`
	ThrottlingRateLimit    *float64 `json:"throttlingRateLimit,omitempty"`
}

func showLimits(set persist.MethodSettings) routeLimits {
	return routeLimits{set.DataTrace, set.Metrics, set.LogLevel, set.Burst, set.Rate}
}

func (q routeLimits) stored() (persist.MethodSettings, error) {
	if !slices.Contains([]string{"", "OFF", "ERROR", "INFO"}, q.LoggingLevel) {
		return persist.MethodSettings{}, badRequest("Invalid logging level specified. Must be one of [OFF, ERROR, INFO]")
	}
	return persist.MethodSettings{
		Rate: q.ThrottlingRateLimit, Burst: q.ThrottlingBurstLimit,
		LogLevel: q.LoggingLevel, DataTrace: q.DataTraceEnabled, Metrics: q.DetailedMetricsEnabled,
	}, checkThrottle(q.ThrottlingRateLimit, q.ThrottlingBurstLimit)
}

func showHTTPStage(st persist.APIStage) httpStage {
	shown := httpStage{
		APIGatewayManaged: st.Managed, AutoDeploy: st.AutoDeploy, CreatedDate: st.Created, LastUpdatedDate: st.Updated,
		DefaultRouteSettings: showLimits(st.Settings[allRoutes]), DeploymentID: st.Deployment, Description: st.Description,
		LastDeploymentStatusMessage: st.Status, RouteSettings: map[string]routeLimits{},
		StageName: st.Name, StageVariables: map[string]string{}, Tags: map[string]string{},
	}
	maps.Copy(shown.StageVariables, st.Variables)
	maps.Copy(shown.Tags, st.Tags)
	for key, set := range st.Settings {
		if key != allRoutes {
			shown.RouteSettings[key] = showLimits(set)
		}
	}
	return shown
}

// stageSettings are the members of CreateStage and UpdateStage; nil is not given.
type stageSettings struct {
	DeploymentID, Description *string
	AutoDeploy                *bool
	StageVariables            map[string]string // added to those there are; an empty value removes one
	DefaultRouteSettings      *routeLimits
	RouteSettings             map[string]routeLimits

	AccessLogSettings   *struct{ DestinationARN, Format string }
	ClientCertificateID string
}

// apply changes a stage by the settings and checks it. The stage's deployment
// may become one that is yet to be made.
func (q *stageSettings) apply(s *service, def *persist.APIDefinition, st *persist.APIStage) error {
	logs := q.AccessLogSettings
	if err := refuse(
		refusal{"accessLogSettings", logs != nil && (logs.DestinationARN != "" || logs.Format != ""), whyNoLog},
		refusal{"clientCertificateId", q.ClientCertificateID != "", whyNoWebSocket},
	); err != nil {
		return err
	}
	set(&st.Description, q.Description)
	set(&st.AutoDeploy, q.AutoDeploy)
	st.Variables = maps.Clone(st.Variables)
	for name, value := range q.StageVariables {
		if st.Variables == nil {
			st.Variables = make(map[string]string)
		}
		if st.Variables[name] = value; value == "" {
			delete(st.Variables, name)
		}
	}
	if q.DeploymentID != nil && *q.DeploymentID != "" {
		if st.AutoDeploy {
			return badRequest("Deployment ID cannot be set for a stage with AutoDeploy: it serves what the API is now")
		}
		st.Deployment = *q.DeploymentID
		if _, err := s.deploymentByID(st.API, st.Deployment); err != nil {
			return err
		}
	}
	if st.Settings == nil {
		st.Settings = make(map[string]persist.MethodSettings)
	}
	var err error
	if q.DefaultRouteSettings != nil {
		if st.Settings[allRoutes], err = q.DefaultRouteSettings.stored(); err != nil {
			return err
		}
	}
	for key, limits := range q.RouteSettings {
		if !slices.ContainsFunc(def.Routes, func(route persist.APIRoute) bool { return route.Key == key }) {
			return notFound("Unable to find Route by key %.300s within the provided RouteSettings", key)
		}
		if st.Settings[key], err = limits.stored(); err != nil {
			return err
		}
	}
	return checkStage(st)
}

func (s *service) createHTTPStage(r *http.Request) (any, error) {
	var req struct {
		stageSettings
		StageName string
		Tags      map[string]string
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	now := s.now()
	st := persist.APIStage{Name: req.StageName, Tags: req.Tags, Created: now, Updated: now}
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		api, draft, err := s.draftOf(r, persist.ProtocolHTTP)
		if err != nil {
			return err
		}
		st.API = api.ID
		if err := req.apply(s, &draft.Definition, &st); err != nil {
			return err
		}
		if st.AutoDeploy {
			s.deployNow(ch, api, &draft.Definition, &st)
		}
		return s.addStage(ch, st)
	})
	return showHTTPStage(st), err
}

func (s *service) getHTTPStages(r *http.Request) (any, error) {
	api, err := s.apiOf(r, persist.ProtocolHTTP)
	if err != nil {
		return nil, err
	}
	stages, err := s.Store.APIStages(api.ID)
	if err != nil {
		return nil, err
	}
	return list2Of(r, stages, func(st persist.APIStage) string { return st.Name }, showHTTPStage)
}

func (s *service) getHTTPStage(r *http.Request) (any, error) {
	st, err := s.stageOf(r, persist.ProtocolHTTP)
	if err != nil {
		return nil, err
	}
	return showHTTPStage(st), nil
}

func (s *service) updateHTTPStage(r *http.Request) (any, error) {
	var req stageSettings
	if err := read(r, &req); err != nil {
		return nil, err
	}
	var st persist.APIStage
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		api, draft, err := s.draftOf(r, persist.ProtocolHTTP)
		if err != nil {
			return err
		}
		if st, err = s.stageOf(r, persist.ProtocolHTTP); err != nil {
			return err
		}
		before := st.AutoDeploy
		if err := req.apply(s, &draft.Definition, &st); err != nil {
			return err
		}
		if st.AutoDeploy && !before {
			s.deployNow(ch, api, &draft.Definition, &st)
		}
		st.Updated = s.now()
		ch.PutStages = append(ch.PutStages, st)
		return s.dropUnused(ch, api.ID)
	})
	return showHTTPStage(st), err
}

// deleteRouteSettings removes the settings of one route of a stage.
func (s *service) deleteRouteSettings(r *http.Request) (any, error) {
	return nil, s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		st, err := s.stageOf(r, persist.ProtocolHTTP)
		if err != nil {
			return err
		}
		key := r.PathValue("route")
		if _, found := st.Settings[key]; !found || key == allRoutes {
			return notFound("Unable to find Route by key %.300s within the RouteSettings of the stage", strings.TrimSpace(key))
		}
		delete(st.Settings, key)
		st.Updated = s.now()
		ch.PutStages = append(ch.PutStages, st)
		return nil
	})
}
