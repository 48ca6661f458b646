package apigateway

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// checkTags follows AWS's rules for tags.
func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return badRequest("%d tags are too many: use at most %d", len(tags), maxTags)
	}
	for key, value := range tags {
		switch {
		case key == "" || len(key) > 128:
			return badRequest("The key of a tag must have 1 to 128 characters")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return badRequest("The key of the tag %.128q begins with aws:, which is reserved", key)
		case len(value) > 256:
			return badRequest("The value of the tag %.128q has more than 256 characters", key)
		}
	}
	return nil
}

// tagged is something with tags, as it is in the store.
type tagged struct {
	tags *map[string]string
	put  func(*persist.APIChange)
}

// taggedBy returns what an ARN names:
// arn:aws:apigateway:REGION::/restapis/ID, /restapis/ID/stages/NAME, /apis/ID,
// /apis/ID/stages/NAME, /apikeys/ID or /usageplans/ID
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html).
func (s *service) taggedBy(arn string) (tagged, error) {
	invalid := notFound("Invalid resource ARN specified: %.300s", arn)
	_, path, _ := strings.Cut(arn, "::/")
	parts := strings.Split(path, "/")
	if len(parts) == 4 && parts[2] == "stages" {
		if _, err := s.apiByPath(parts[0], parts[1]); err != nil {
			return tagged{}, missing(err, "Invalid resource ARN specified: %.300s", arn)
		}
		st, err := s.Store.APIStage(parts[1], parts[3])
		return tagged{&st.Tags, func(ch *persist.APIChange) { ch.PutStages = append(ch.PutStages, st) }}, missing(err, "Invalid stage identifier specified")
	}
	if len(parts) != 2 {
		return tagged{}, invalid
	}
	switch parts[0] {
	case "restapis", "apis":
		api, err := s.apiByPath(parts[0], parts[1])
		return tagged{&api.Tags, func(ch *persist.APIChange) { ch.PutAPIs = append(ch.PutAPIs, api) }},
			missing(err, "Invalid API identifier specified %s:%.200s", accountID, parts[1])
	case "apikeys":
		key, err := s.Store.APIKey(parts[1])
		return tagged{&key.Tags, func(ch *persist.APIChange) { ch.PutKeys = append(ch.PutKeys, key) }},
			missing(err, "Invalid API Key identifier specified")
	case "usageplans":
		plan, err := s.Store.UsagePlan(parts[1])
		return tagged{&plan.Tags, func(ch *persist.APIChange) { ch.PutPlans = append(ch.PutPlans, plan) }},
			missing(err, "Invalid Usage Plan ID specified")
	}
	return tagged{}, invalid
}

// apiByPath returns an API by its ID under the collection of its protocol.
func (s *service) apiByPath(collection, id string) (persist.API, error) {
	api, err := s.Store.API(id)
	if err == nil && (collection == "restapis") != (api.Protocol == persist.ProtocolREST) {
		err = persist.ErrNotFound
	}
	return api, err
}

func (s *service) tagResource(r *http.Request) (any, error) {
	var req struct{ Tags map[string]string }
	if err := read(r, &req); err != nil {
		return nil, err
	}
	return nil, s.changeTags(r, func(tags map[string]string) { maps.Copy(tags, req.Tags) })
}

func (s *service) untagResource(r *http.Request) (any, error) {
	var keys []string
	for _, value := range r.URL.Query()["tagKeys"] {
		keys = append(keys, strings.Split(value, ",")...)
	}
	return nil, s.changeTags(r, func(tags map[string]string) {
		maps.DeleteFunc(tags, func(key, _ string) bool { return slices.Contains(keys, key) })
	})
}

func (s *service) changeTags(r *http.Request, change func(map[string]string)) error {
	arn := r.PathValue("arn")
	restjson.About(r.Context(), arn)
	return s.Changer.ChangeAPIs(r.Context(), func(ch *persist.APIChange) error {
		found, err := s.taggedBy(arn)
		if err != nil {
			return err
		}
		if *found.tags == nil {
			*found.tags = make(map[string]string)
		}
		change(*found.tags)
		found.put(ch)
		return checkTags(*found.tags)
	})
}

func (s *service) getTags(r *http.Request) (any, error) {
	found, err := s.taggedBy(r.PathValue("arn"))
	if err != nil {
		return nil, err
	}
	tags := *found.tags
	if tags == nil {
		tags = map[string]string{}
	}
	return struct {
		Tags map[string]string `json:"tags"`
	}{tags}, nil
}
