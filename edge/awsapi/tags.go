package awsapi

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// Bounds of tags, in number and characters
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html).
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

var tagPattern = regexp.MustCompile(`^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`)

// checkTags holds what would be all the tags of something to Lambda's rules.
func checkTags(tags map[string]string) error {
	var bad violations
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		bad.Length(key, "tags.key", 1, maxTagKey)
		bad.Length(tags[key], "tags.value", 0, maxTagValue)
		bad.Matches(key, "tags.key", tagPattern)
		bad.Matches(tags[key], "tags.value", tagPattern)
		if len(bad) > 0 {
			return bad.Err()
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return invalid("Tag keys must not begin with aws:, which is reserved: " + key)
		}
	}
	if len(tags) > maxTags {
		return invalid(fmt.Sprintf("Tag quota exceeded: %d tags are more than %d", len(tags), maxTags))
	}
	return nil
}

var mappingArnPattern = regexp.MustCompile(`^arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:event-source-mapping:([a-fA-F0-9-]{36})$`)

// tagged is what a request on tags is about: a mapping, or the function of that
// name where mapping is nil.
type tagged struct {
	function string
	mapping  *persist.EventSourceMapping
}

func (a *api) taggedBy(r *http.Request) (tagged, error) {
	arn := r.PathValue("resource")
	if found := mappingArnPattern.FindStringSubmatch(arn); found != nil {
		m, err := a.mapping(r, found[1])
		return tagged{mapping: &m}, err
	}
	if !strings.HasPrefix(arn, "arn:") {
		var bad violations
		bad.Add(arn, "resource", "Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|event-source-mapping:[a-z0-9]{8}-[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{12})")
		return tagged{}, bad.Err()
	}
	name, qualifier, err := parseName(arn)
	if err != nil {
		return tagged{}, err
	}
	if qualifier != "" {
		return tagged{}, invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return tagged{function: name}, restjson.Permit(r.Context(), name)
}

// retag sets and removes tags.
func (a *api) retag(r *http.Request, what tagged, set map[string]string, remove []string) error {
	if what.mapping != nil {
		return mappingNotFound(a.Store.TagMapping(what.mapping.ID, set, remove, checkTags))
	}
	return a.functionNotFound(a.Reconciler.Tag(r.Context(), what.function, set, remove, checkTags), what.function, "")
}

func (a *api) tagResource(w http.ResponseWriter, r *http.Request) error {
	what, err := a.taggedBy(r)
	if err != nil {
		return err
	}
	var req struct{ Tags map[string]string }
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	var bad violations
	bad.Required(req.Tags != nil, "tags")
	if err := bad.Err(); err != nil {
		return err
	}
	if err := checkTags(req.Tags); err != nil {
		return err
	}
	if err := a.retag(r, what, req.Tags, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) untagResource(w http.ResponseWriter, r *http.Request) error {
	what, err := a.taggedBy(r)
	if err != nil {
		return err
	}
	keys := r.URL.Query()["tagKeys"]
	var bad violations
	bad.Required(len(keys) > 0, "tagKeys")
	if err := bad.Err(); err != nil {
		return err
	}
	if err := a.retag(r, what, nil, keys); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) listTags(w http.ResponseWriter, r *http.Request) error {
	what, err := a.taggedBy(r)
	if err != nil {
		return err
	}
	var tags map[string]string
	if what.mapping != nil {
		tags = what.mapping.Tags
	} else {
		fn, err := a.Store.GetFunction(what.function, persist.Latest)
		if err != nil {
			return a.functionNotFound(err, what.function, "")
		}
		tags = fn.Tags
	}
	if tags == nil {
		tags = map[string]string{}
	}
	return restjson.WriteJSON(w, http.StatusOK, struct{ Tags map[string]string }{tags})
}
