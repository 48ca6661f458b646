package apigateway

import (
	"net/http"
	"slices"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// Bounds of keys and plans.
const (
	maxAPIKeys    = 5000 // of a node, and so of a plan
	maxKeyValue   = 128  // bytes
	minKeyValue   = 20
	maxUsagePlans = 300
	maxPlansOfKey = 10 // as on AWS
	maxPlanStages = 100
)

// apiKey is API Gateway's ApiKey
// (https://docs.aws.amazon.com/apigateway/latest/api/API_ApiKey.html).
type apiKey struct {
	ID              string            `json:"id"`
	Value           string            `json:"value,omitempty"`
	Name            string            `json:"name,omitempty"`
	CustomerID      string            `json:"customerId,omitempty"`
	Description     string            `json:"description,omitempty"`
	Enabled         bool              `json:"enabled"`
	CreatedDate     int64             `json:"createdDate"`
	LastUpdatedDate int64             `json:"lastUpdatedDate"`
	StageKeys       []string          `json:"stageKeys"`
	Tags            map[string]string `json:"tags,omitempty"`
}

func showAPIKey(k persist.APIKey, value bool) apiKey {
	shown := apiKey{
		ID: k.ID, Name: k.Name, CustomerID: k.CustomerID, Description: k.Description, Enabled: k.Enabled,
		CreatedDate: k.Created.Unix(), LastUpdatedDate: k.Updated.Unix(), StageKeys: []string{}, Tags: k.Tags,
	}
	if value {
		shown.Value = k.Value
	}
	return shown
}

// wantsValue reports whether a request asks for the values of keys too. Whoever
// may only read does not get them: a value is what a client shows at the door.
func wantsValue(r *http.Request, parameter string) bool {
	return r.URL.Query().Get(parameter) == "true" && mayDeploy(r)
}

// mayDeploy reports whether the caller of a request may change APIs.
func mayDeploy(r *http.Request) bool {
	caller := restjson.CallerOf(r.Context())
	return caller == nil || caller.Allows(restjson.Deploy, "")
}

func (s *service) createAPIKey(r *http.Request) (any, error) {
	var req struct {
		Name, Description, CustomerID, Value string
		Enabled, GenerateDistinctID          bool
		StageKeys                            []struct{ RestAPIID, StageName string }
		Tags                                 map[string]string
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if err := refuse(refusal{"stageKeys", len(req.StageKeys) > 0, "AWS has replaced them too; use a usage plan"}); err != nil {
		return nil, err
	}
	now := s.now()
	key := persist.APIKey{
		ID: newID(), Name: req.Name, Description: req.Description, CustomerID: req.CustomerID, Value: req.Value,
		Enabled: req.Enabled, Tags: req.Tags, Created: now, Updated: now,
	}
	if key.Value == "" {
		key.Value = newKeyValue()
	}
	if err := checkAPIKey(&key); err != nil {
		return nil, err
	}
	err := s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		restjson.About(r.Context(), "API key "+key.ID)
		keys, err := s.Store.APIKeys()
		if err != nil {
			return err
		}
		if len(keys) >= maxAPIKeys {
			return limitExceeded("API Keys limit exceeded: a node has at most %d", maxAPIKeys)
		}
		if slices.ContainsFunc(keys, func(other persist.APIKey) bool { return other.Value == key.Value }) {
			return conflict("API Key already exists")
		}
		ch.PutKeys = append(ch.PutKeys, key)
		return nil
	})
	return showAPIKey(key, true), err
}

func checkAPIKey(k *persist.APIKey) error {
	if len(k.Value) < minKeyValue {
		return badRequest("API Key value should be at least %d characters", minKeyValue)
	}
	if len(k.Value) > maxKeyValue {
		return badRequest("API Key value should be at most %d characters", maxKeyValue)
	}
	for i := range len(k.Value) {
		if k.Value[i] <= ' ' || k.Value[i] >= 0x7f {
			return badRequest("API Key value must be printable ASCII without spaces: it is sent in a header")
		}
	}
	if len(k.CustomerID) > maxName {
		return badRequest("The customer ID has %d bytes: use at most %d", len(k.CustomerID), maxName)
	}
	return checkTexts(k.Name, k.Description, "", k.Tags)
}

func (s *service) getAPIKeys(r *http.Request) (any, error) {
	keys, err := s.Store.APIKeys()
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	keys = slices.DeleteFunc(keys, func(k persist.APIKey) bool {
		return !strings.HasPrefix(k.Name, query.Get("name")) || query.Get("customerId") != "" && k.CustomerID != query.Get("customerId")
	})
	value := wantsValue(r, "includeValues")
	return listOf(r, keys, func(k persist.APIKey) string { return k.ID }, func(k persist.APIKey) apiKey { return showAPIKey(k, value) })
}

// keyOf returns the API key that a request names.
func (s *service) keyOf(r *http.Request) (persist.APIKey, error) {
	id := r.PathValue("key")
	restjson.About(r.Context(), "API key "+id)
	key, err := s.Store.APIKey(id)
	return key, missing(err, "Invalid API Key identifier specified")
}

func (s *service) getAPIKey(r *http.Request) (any, error) {
	key, err := s.keyOf(r)
	if err != nil {
		return nil, err
	}
	return showAPIKey(key, wantsValue(r, "includeValue")), nil
}

func (s *service) updateAPIKey(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var key persist.APIKey
	err = s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		if key, err = s.keyOf(r); err != nil {
			return err
		}
		rules := []patchRule{
			text("/name", &key.Name), text("/description", &key.Description),
			text("/customerId", &key.CustomerID), flag("/enabled", &key.Enabled),
			refused("/stages", "use a usage plan"), refused("/labels", "use tags"),
		}
		if err := patch(patches, rules); err != nil {
			return err
		}
		key.Updated = s.now()
		ch.PutKeys = append(ch.PutKeys, key)
		return checkAPIKey(&key)
	})
	return showAPIKey(key, false), err
}

// deleteAPIKey deletes a key. Usage plans forget it.
func (s *service) deleteAPIKey(r *http.Request) (any, error) {
	return nil, s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		key, err := s.keyOf(r)
		if err != nil {
			return err
		}
		plans, err := s.Store.UsagePlans()
		if err != nil {
			return err
		}
		for _, plan := range plans {
			if at := slices.Index(plan.Keys, key.ID); at >= 0 {
				plan.Keys = slices.Delete(plan.Keys, at, at+1)
				ch.PutPlans = append(ch.PutPlans, plan)
			}
		}
		ch.DeleteKeys = append(ch.DeleteKeys, key.ID)
		return nil
	})
}
