package apigateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// usagePlan is API Gateway's UsagePlan
// (https://docs.aws.amazon.com/apigateway/latest/api/API_UsagePlan.html).
type usagePlan struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	APIStages   []planStage       `json:"apiStages"`
	Throttle    *planThrottle     `json:"throttle,omitempty"`
	Quota       *planQuota        `json:"quota,omitempty"`
	ProductCode string            `json:"productCode,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

type planStage struct {
	APIID    string         `json:"apiId"`
	Stage    string         `json:"stage"`
	Throttle map[string]any `json:"throttle,omitempty"` // of single methods: refused
}

type planThrottle struct {
	RateLimit  *float64 `json:"rateLimit,omitempty"`
	BurstLimit *int     `json:"burstLimit,omitempty"`
}

type planQuota struct {
	Limit  int    `json:"limit"`
	Offset int    `json:"offset"`
	Period string `json:"period"`
}

func showUsagePlan(p persist.UsagePlan) usagePlan {
	shown := usagePlan{
		ID: p.ID, Name: p.Name, Description: p.Description, ProductCode: p.ProductCode, Tags: p.Tags,
		APIStages: []planStage{},
	}
	for _, at := range p.Stages {
		shown.APIStages = append(shown.APIStages, planStage{APIID: at.API, Stage: at.Stage})
	}
	if p.Rate != nil || p.Burst != nil {
		shown.Throttle = &planThrottle{p.Rate, p.Burst}
	}
	if p.Quota > 0 {
		shown.Quota = &planQuota{Limit: p.Quota, Period: p.Period}
	}
	return shown
}

const whyNoMethodLimits = "a usage plan limits whole stages; limit single methods with the settings of the stage"

func (s *service) createUsagePlan(r *http.Request) (any, error) {
	var req struct {
		Name, Description string
		APIStages         []planStage
		Throttle          *planThrottle
		Quota             *planQuota
		Tags              map[string]string
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	plan := persist.UsagePlan{ID: newID(), Name: req.Name, Description: req.Description, Tags: req.Tags}
	for _, at := range req.APIStages {
		if err := refuse(refusal{"apiStages.throttle", len(at.Throttle) > 0, whyNoMethodLimits}); err != nil {
			return nil, err
		}
		plan.Stages = append(plan.Stages, persist.RootAPI{API: at.APIID, Stage: at.Stage})
	}
	if req.Throttle != nil {
		plan.Rate, plan.Burst = req.Throttle.RateLimit, req.Throttle.BurstLimit
	}
	if q := req.Quota; q != nil {
		if err := refuse(refusal{"quota.offset", q.Offset != 0, whyNoOffset}); err != nil {
			return nil, err
		}
		if q.Limit <= 0 {
			return nil, badRequest("Usage Plan quota limit must be greater than 0")
		}
		plan.Quota, plan.Period = q.Limit, q.Period
	}
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		restjson.About(r.Context(), "usage plan "+plan.ID)
		plans, err := s.Store.UsagePlans()
		if err != nil {
			return err
		}
		if len(plans) >= maxUsagePlans {
			return limitExceeded("Usage plans limit exceeded: a node has at most %d", maxUsagePlans)
		}
		ch.PutPlans = append(ch.PutPlans, plan)
		return s.checkPlan(&plan)
	})
	return showUsagePlan(plan), err
}

const whyNoOffset = "the first period of a quota is like the others"

// checkPlan looks at everything of a plan but its keys.
func (s *service) checkPlan(p *persist.UsagePlan) error {
	switch {
	case strings.TrimSpace(p.Name) == "":
		return badRequest("Usage Plan name is required")
	case len(p.Stages) > maxPlanStages:
		return limitExceeded("A usage plan has at most %d stages", maxPlanStages)
	case p.Quota > 0 && p.Period != "DAY" && p.Period != "WEEK" && p.Period != "MONTH":
		return badRequest("Invalid quota period specified. Must be one of: [DAY, WEEK, MONTH]")
	case p.Quota > maxRate:
		return badRequest("Usage Plan quota limit must be at most %d", int(maxRate))
	}
	if err := checkThrottle(p.Rate, p.Burst); err != nil {
		return err
	}
	seen := make(map[persist.RootAPI]bool)
	for _, at := range p.Stages {
		if seen[at] {
			return conflict("API Stage %s:%s is in the usage plan already", at.API, at.Stage)
		}
		seen[at] = true
		if _, err := s.apiByPath("restapis", at.API); err != nil {
			return missing(err, "Invalid API Stage specified: there is no REST API %.100s", at.API)
		}
		if _, err := s.Store.APIStage(at.API, at.Stage); err != nil {
			return missing(err, "Invalid API Stage specified: API %s has no stage %.100s", at.API, at.Stage)
		}
	}
	return checkTexts(p.Name, p.Description, "", p.Tags)
}

func (s *service) getUsagePlans(r *http.Request) (any, error) {
	plans, err := s.Store.UsagePlans()
	if err != nil {
		return nil, err
	}
	if key := r.URL.Query().Get("keyId"); key != "" {
		plans = slices.DeleteFunc(plans, func(p persist.UsagePlan) bool { return !slices.Contains(p.Keys, key) })
	}
	return listOf(r, plans, func(p persist.UsagePlan) string { return p.ID }, showUsagePlan)
}

// planOf returns the usage plan that a request names.
func (s *service) planOf(r *http.Request) (persist.UsagePlan, error) {
	id := r.PathValue("plan")
	restjson.About(r.Context(), "usage plan "+id)
	plan, err := s.Store.UsagePlan(id)
	return plan, missing(err, "Invalid Usage Plan ID specified")
}

func (s *service) getUsagePlan(r *http.Request) (any, error) {
	plan, err := s.planOf(r)
	if err != nil {
		return nil, err
	}
	return showUsagePlan(plan), nil
}

func (s *service) updateUsagePlan(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var plan persist.UsagePlan
	err = s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		if plan, err = s.planOf(r); err != nil {
			return err
		}
		if err := patch(patches, planRules(&plan)); err != nil {
			return err
		}
		ch.PutPlans = append(ch.PutPlans, plan)
		return s.checkPlan(&plan)
	})
	return showUsagePlan(plan), err
}

func planRules(p *persist.UsagePlan) []patchRule {
	return []patchRule{
		text("/name", &p.Name), text("/description", &p.Description), text("/productCode", &p.ProductCode),
		{"/apiStages", "add remove", func(op, _, value string) error {
			api, stage, found := strings.Cut(value, ":")
			if !found {
				return badRequest("Invalid API Stage specified: %.200q is not API:STAGE", value)
			}
			at := persist.RootAPI{API: api, Stage: stage}
			if op == "add" {
				p.Stages = append(p.Stages, at)
				return nil
			}
			if !slices.Contains(p.Stages, at) {
				return notFound("Invalid API Stage specified: %.200s is not in the usage plan", value)
			}
			p.Stages = slices.DeleteFunc(p.Stages, func(have persist.RootAPI) bool { return have == at })
			return nil
		}},
		{"/throttle/rateLimit", opAny, func(op, _, value string) (err error) {
			if p.Rate = nil; op != "remove" {
				p.Rate, err = parseRate(value)
			}
			return err
		}},
		{"/throttle/burstLimit", opAny, func(op, _, value string) (err error) {
			if p.Burst = nil; op != "remove" {
				p.Burst, err = parseBurst(value)
			}
			return err
		}},
		{"/throttle", "remove", func(_, _, _ string) error { p.Rate, p.Burst = nil, nil; return nil }},
		{"/quota/limit", "add replace", func(_, _, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil || n <= 0 {
				return badRequest("Usage Plan quota limit must be greater than 0")
			}
			p.Quota = n
			return nil
		}},
		{"/quota/period", "add replace", func(_, _, value string) error { p.Period = value; return nil }},
		refused("/quota/offset", whyNoOffset, "0"),
		{"/quota", "remove", func(_, _, _ string) error { p.Quota, p.Period = 0, ""; return nil }},
	}
}

func (s *service) deleteUsagePlan(r *http.Request) (any, error) {
	return nil, s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		plan, err := s.planOf(r)
		if err != nil {
			return err
		}
		if len(plan.Stages) > 0 {
			return badRequest("Cannot delete Usage Plan %s. All API stages must be removed before deletion", plan.ID)
		}
		ch.DeletePlans = append(ch.DeletePlans, plan.ID)
		return nil
	})
}

// usagePlanKey is API Gateway's UsagePlanKey.
type usagePlanKey struct {
	ID    string `json:"id"`
	Type  string `json:"type"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

func showUsagePlanKey(k persist.APIKey, value bool) usagePlanKey {
	shown := usagePlanKey{ID: k.ID, Type: "API_KEY", Name: k.Name}
	if value {
		shown.Value = k.Value
	}
	return shown
}

func (s *service) createUsagePlanKey(r *http.Request) (any, error) {
	var req struct{ KeyID, KeyType string }
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if req.KeyType != "API_KEY" {
		return nil, badRequest("Invalid key type specified. Must be API_KEY")
	}
	var key persist.APIKey
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		plan, err := s.planOf(r)
		if err != nil {
			return err
		}
		if key, err = s.Store.APIKey(req.KeyID); err != nil {
			return missing(err, "Invalid API Key identifier specified")
		}
		plans, err := s.Store.UsagePlans()
		if err != nil {
			return err
		}
		if err := checkPlanKey(plans, &plan, key.ID); err != nil {
			return err
		}
		plan.Keys = append(plan.Keys, key.ID)
		ch.PutPlans = append(ch.PutPlans, plan)
		return nil
	})
	return showUsagePlanKey(key, true), err
}

// checkPlanKey says whether a key can be added to a plan.
func checkPlanKey(plans []persist.UsagePlan, plan *persist.UsagePlan, key string) error {
	if slices.Contains(plan.Keys, key) {
		return conflict("Usage Plan %s already has the API Key %s", plan.ID, key)
	}
	count := 0
	for _, other := range plans {
		if !slices.Contains(other.Keys, key) {
			continue
		}
		if count++; count >= maxPlansOfKey {
			return limitExceeded("An API key has at most %d usage plans", maxPlansOfKey)
		}
		for _, at := range other.Stages {
			if slices.Contains(plan.Stages, at) {
				return conflict("Usage Plan %s cannot be added because API Key cannot reference multiple Usage Plans with the same API stage: %s:%s", plan.ID, at.API, at.Stage)
			}
		}
	}
	return nil
}

func (s *service) getUsagePlanKeys(r *http.Request) (any, error) {
	plan, err := s.planOf(r)
	if err != nil {
		return nil, err
	}
	keys, err := s.Store.APIKeys()
	if err != nil {
		return nil, err
	}
	name := r.URL.Query().Get("name")
	keys = slices.DeleteFunc(keys, func(k persist.APIKey) bool {
		return !slices.Contains(plan.Keys, k.ID) || !strings.HasPrefix(k.Name, name)
	})
	value := mayDeploy(r)
	return listOf(r, keys, func(k persist.APIKey) string { return k.ID }, func(k persist.APIKey) usagePlanKey { return showUsagePlanKey(k, value) })
}

// planKeyOf returns the plan and the key of it that a request names.
func (s *service) planKeyOf(r *http.Request) (persist.UsagePlan, persist.APIKey, error) {
	plan, err := s.planOf(r)
	if err != nil {
		return plan, persist.APIKey{}, err
	}
	id := r.PathValue("key")
	if !slices.Contains(plan.Keys, id) {
		return plan, persist.APIKey{}, notFound("Invalid API Key identifier specified")
	}
	key, err := s.Store.APIKey(id)
	return plan, key, missing(err, "Invalid API Key identifier specified")
}

func (s *service) getUsagePlanKey(r *http.Request) (any, error) {
	_, key, err := s.planKeyOf(r)
	if err != nil {
		return nil, err
	}
	return showUsagePlanKey(key, mayDeploy(r)), nil
}

func (s *service) deleteUsagePlanKey(r *http.Request) (any, error) {
	return nil, s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		plan, key, err := s.planKeyOf(r)
		if err != nil {
			return err
		}
		plan.Keys = slices.DeleteFunc(plan.Keys, func(id string) bool { return id == key.ID })
		ch.PutPlans = append(ch.PutPlans, plan)
		return nil
	})
}
