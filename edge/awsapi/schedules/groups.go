package schedules

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// group is a schedule group in replies. Groups are deleted at once, so each is
// active.
type group struct {
	Arn                  string
	CreationDate         *epoch `json:",omitempty"`
	LastModificationDate *epoch `json:",omitempty"`
	Name                 string
	State                string
}

func (s *service) showGroup(g persist.ScheduleGroup) group {
	return group{
		Arn: s.groupARN(g.Name), Name: g.Name, State: "ACTIVE",
		CreationDate: epochOf(g.Created), LastModificationDate: epochOf(g.LastModified),
	}
}

// groupName returns the name in the path.
func groupName(r *http.Request) (string, error) {
	name := r.PathValue("Name")
	var bad violations
	bad.text(name, "name", 1, 64, namePattern)
	restjson.About(r.Context(), name)
	return name, bad.Err()
}

func (s *service) createGroup(r *http.Request) (any, error) {
	name, err := groupName(r)
	if err != nil {
		return nil, err
	}
	var req struct {
		ClientToken string
		Tags        []tag
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	var bad violations
	bad.optional(req.ClientToken, "clientToken", 1, 64, tokenPattern)
	tags := tagsOf(req.Tags, &bad)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	asked := persist.ScheduleGroup{Name: name, Tags: tags, ClientToken: req.ClientToken}
	_, err = s.Store.CreateScheduleGroup(asked)
	if errors.Is(err, persist.ErrExists) && s.repeatedGroup(asked) {
		err = nil // what was asked for is there
	}
	if err != nil {
		return nil, faultOf(err, aGroup, name)
	}
	return struct{ ScheduleGroupArn string }{s.groupARN(name)}, nil
}

// repeatedGroup reports whether the same request has created the group before.
func (s *service) repeatedGroup(asked persist.ScheduleGroup) bool {
	there, err := s.Store.GetScheduleGroup(asked.Name)
	return err == nil && asked.ClientToken != "" && there.ClientToken == asked.ClientToken && maps.Equal(there.Tags, asked.Tags)
}

func (s *service) getGroup(r *http.Request) (any, error) {
	name, err := groupName(r)
	if err != nil {
		return nil, err
	}
	g, err := s.Store.GetScheduleGroup(name)
	if err != nil {
		return nil, faultOf(err, aGroup, name)
	}
	return s.showGroup(g), nil
}

func (s *service) deleteGroup(r *http.Request) (any, error) {
	name, err := groupName(r)
	if err != nil {
		return nil, err
	}
	if name == persist.DefaultScheduleGroup {
		return nil, invalid("Cannot delete the default schedule group.")
	}
	if err := s.Store.DeleteScheduleGroup(name); err != nil {
		return nil, faultOf(err, aGroup, name)
	}
	return empty{}, nil
}

func (s *service) listGroups(r *http.Request) (any, error) {
	after, limit, err := page(r, new(violations))
	if err != nil {
		return nil, err
	}
	found, more, err := s.Store.ScheduleGroups(r.URL.Query().Get("NamePrefix"), after, limit)
	if err != nil {
		return nil, err
	}
	reply := struct {
		NextToken      string `json:",omitempty"`
		ScheduleGroups []group
	}{ScheduleGroups: []group{}}
	for _, g := range found {
		reply.ScheduleGroups = append(reply.ScheduleGroups, s.showGroup(g))
	}
	if more {
		reply.NextToken = token(found[len(found)-1].Name)
	}
	return reply, nil
}

type tag struct{ Key, Value string }

// tagsOf turns a list of tags into a map and holds it to AWS's rules.
func tagsOf(list []tag, bad *violations) map[string]string {
	if len(list) > persist.MaxGroupTags {
		bad.Add(len(list), "tags", "Member must have length less than or equal to 200")
		return nil
	}
	tags := make(map[string]string, len(list))
	for _, t := range list {
		bad.text(t.Key, "tags.member.key", 1, 128, nil)
		bad.text(t.Value, "tags.member.value", 1, 256, nil)
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			bad.Add(t.Key, "tags.member.key", "Member must not begin with aws:, which is reserved")
		}
		if _, twice := tags[t.Key]; twice {
			bad.Add(t.Key, "tags.member.key", "Member must be unique")
		}
		tags[t.Key] = t.Value
	}
	return tags
}

// tagged returns the group that the ARN in the path names.
func tagged(r *http.Request) (string, error) {
	arn := r.PathValue("ResourceArn")
	var bad violations
	bad.text(arn, "resourceArn", 1, 1011, groupPattern)
	_, name, _ := strings.Cut(arn, "/")
	restjson.About(r.Context(), name)
	return name, bad.Err()
}

func (s *service) tag(r *http.Request) (any, error) {
	name, err := tagged(r)
	if err != nil {
		return nil, err
	}
	var req struct{ Tags *[]tag }
	if err := read(r, &req); err != nil {
		return nil, err
	}
	var bad violations
	bad.Required(req.Tags != nil, "tags")
	if req.Tags == nil {
		return nil, bad.Err()
	}
	tags := tagsOf(*req.Tags, &bad)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if err := s.Store.TagScheduleGroup(name, tags, nil); err != nil {
		return nil, faultOf(err, aGroup, name)
	}
	return empty{}, nil
}

func (s *service) untag(r *http.Request) (any, error) {
	name, err := tagged(r)
	if err != nil {
		return nil, err
	}
	keys := r.URL.Query()["TagKeys"]
	var bad violations
	bad.Required(len(keys) > 0, "tagKeys")
	if len(keys) > persist.MaxGroupTags {
		bad.Add(len(keys), "tagKeys", "Member must have length less than or equal to 200")
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if err := s.Store.TagScheduleGroup(name, nil, keys); err != nil {
		return nil, faultOf(err, aGroup, name)
	}
	return empty{}, nil
}

func (s *service) listTags(r *http.Request) (any, error) {
	name, err := tagged(r)
	if err != nil {
		return nil, err
	}
	g, err := s.Store.GetScheduleGroup(name)
	if err != nil {
		return nil, faultOf(err, aGroup, name)
	}
	reply := struct{ Tags []tag }{Tags: []tag{}}
	for _, key := range slices.Sorted(maps.Keys(g.Tags)) {
		reply.Tags = append(reply.Tags, tag{key, g.Tags[key]})
	}
	return reply, nil
}
