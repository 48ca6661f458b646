package schedules

import (
	"net/http"

	"ledge/edge/awsapi/restjson"
)

const serviceName = "scheduler" // in signatures

// Operations returns every operation of EventBridge Scheduler, and the node's own for
// schedules.
func Operations(cfg Config) []restjson.Operation {
	s := newService(cfg)
	const schedule, group, tags = "/schedules/{Name}", "/schedule-groups/{Name}", "/tags/{ResourceArn}"
	return append([]restjson.Operation{
		inBody(op("CreateSchedule", "POST", schedule, s.createSchedule, "the target is a function of this node, other targets are refused; RoleArn may be missing; the member Ledge has the node's own settings")),
		inBody(op("GetSchedule", "GET", schedule, s.getSchedule, "")),
		inBody(op("UpdateSchedule", "PUT", schedule, s.updateSchedule, "as CreateSchedule; ClientToken is ignored; without the member Ledge its settings stay")),
		inBody(op("DeleteSchedule", "DELETE", schedule, s.deleteSchedule, "ClientToken is ignored")),
		op("ListSchedules", "GET", "/schedules", s.listSchedules, ""),
		op("CreateScheduleGroup", "POST", group, s.createGroup, ""),
		op("GetScheduleGroup", "GET", group, s.getGroup, "the group default always exists and has no dates"),
		op("DeleteScheduleGroup", "DELETE", group, s.deleteGroup, "at once, with its schedules; ClientToken is ignored"),
		op("ListScheduleGroups", "GET", "/schedule-groups", s.listGroups, ""),
		restjson.OfOwnARNs(op("TagResource", "POST", tags, s.tag, "of schedule groups"), "ResourceArn"),
		restjson.OfOwnARNs(op("UntagResource", "DELETE", tags, s.untag, "of schedule groups"), "ResourceArn"),
		restjson.OfOwnARNs(op("ListTagsForResource", "GET", tags, s.listTags, "of schedule groups"), "ResourceArn"),
	}, s.nodeOperations()...)
}

// answer makes the reply to a request, to be sent as JSON.
type answer func(r *http.Request) (any, error)

func op(name, method, path string, serve answer, note string) restjson.Operation {
	access := restjson.Deploy
	if method == http.MethodGet {
		access = restjson.Read
	}
	return restjson.Operation{
		Service: serviceName, Name: name, Method: method, Path: path, Access: access, Note: note,
		Serve: func(w http.ResponseWriter, r *http.Request) error {
			reply, err := serve(r)
			if err != nil {
				return err
			}
			return restjson.WriteJSON(w, http.StatusOK, reply)
		},
	}
}

// inBody marks an operation that learns which function it is about when it has
// read the request or the schedule: it asks restjson.Permit.
func inBody(o restjson.Operation) restjson.Operation {
	o.InBody = true
	return o
}

// empty is the reply of operations that tell nothing.
type empty struct{}
