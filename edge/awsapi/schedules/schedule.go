package schedules

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"ledge/persist"
)

// scheduleReply is GetSchedule's.
type scheduleReply struct {
	ActionAfterCompletion      string
	Arn                        string
	CreationDate               *epoch
	Description                string `json:",omitempty"`
	EndDate                    *epoch `json:",omitempty"`
	FlexibleTimeWindow         window
	GroupName                  string
	KmsKeyArn                  string `json:",omitempty"`
	LastModificationDate       *epoch
	Name                       string
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	StartDate                  *epoch `json:",omitempty"`
	State                      string
	Target                     *target
	Ledge                      *ledgeSettings `json:",omitempty"`
}

func (s *service) show(schedule persist.Schedule) scheduleReply {
	reply := scheduleReply{
		ActionAfterCompletion: actionNone,
		Arn:                   s.scheduleARN(schedule.Group, schedule.Name),
		CreationDate:          epochOf(schedule.Created), LastModificationDate: epochOf(schedule.LastModified),
		Description: schedule.Description, EndDate: epochOf(schedule.End), StartDate: epochOf(schedule.Start),
		FlexibleTimeWindow: window{Mode: windowOff},
		GroupName:          schedule.Group, Name: schedule.Name, KmsKeyArn: schedule.KMSKeyARN,
		ScheduleExpression: schedule.Expression, ScheduleExpressionTimezone: zoneOr(schedule.Timezone),
		State: schedule.State, Target: targetOf(schedule.Target), Ledge: ledgeOf(schedule),
	}
	if schedule.DeleteAfter {
		reply.ActionAfterCompletion = actionDelete
	}
	if schedule.WindowMinutes > 0 {
		reply.FlexibleTimeWindow = window{Mode: windowFlexible, MaximumWindowInMinutes: &schedule.WindowMinutes}
	}
	return reply
}

type scheduleARNReply struct{ ScheduleArn string }

// permitted returns the schedule that a request asks for, if the caller may have
// its function invoked by it.
//
// settings says that the request has Ledge's own.
func (s *service) permitted(r *http.Request) (schedule persist.Schedule, settings bool, err error) {
	if schedule, settings, err = s.schedule(r); err != nil {
		return schedule, settings, err
	}
	if err := permit(r, schedule); err != nil {
		return schedule, settings, err
	}
	return schedule, settings, permitDeadLetter(r, schedule)
}

func (s *service) createSchedule(r *http.Request) (any, error) {
	schedule, _, err := s.permitted(r)
	if err != nil {
		return nil, err
	}
	_, err = s.Store.CreateSchedule(schedule)
	switch {
	case errors.Is(err, persist.ErrExists) && s.repeated(schedule): // what was asked for is there
	case errors.Is(err, persist.ErrNotFound):
		return nil, notFound(aGroup, schedule.Group)
	case err != nil:
		return nil, faultOf(err, aSchedule, schedule.Name)
	default:
		s.Runner.Changed(schedule.Group, schedule.Name)
	}
	return scheduleARNReply{s.scheduleARN(schedule.Group, schedule.Name)}, nil
}

// repeated reports whether the same request has created the schedule before.
func (s *service) repeated(asked persist.Schedule) bool {
	there, err := s.Store.GetSchedule(asked.Group, asked.Name)
	return err == nil && asked.ClientToken != "" && there.ClientToken == asked.ClientToken && there.RequestHash == asked.RequestHash
}

func (s *service) updateSchedule(r *http.Request) (any, error) {
	schedule, settings, err := s.permitted(r)
	if err != nil {
		return nil, err
	}
	// A key that is restricted to some functions must not take a schedule away
	// from another.
	old, err := s.Store.GetSchedule(schedule.Group, schedule.Name)
	if err != nil {
		return nil, faultOf(err, aSchedule, schedule.Name)
	}
	if err := permit(r, old); err != nil {
		return nil, err
	}
	if !settings {
		keepLedge(&schedule, old)
	}
	if _, err := s.Store.UpdateSchedule(schedule); err != nil {
		return nil, faultOf(err, aSchedule, schedule.Name)
	}
	s.Runner.Changed(schedule.Group, schedule.Name)
	return scheduleARNReply{s.scheduleARN(schedule.Group, schedule.Name)}, nil
}

// existing returns the schedule that a request names, by its path and the
// parameter groupName, if the caller may do this with it.
func (s *service) existing(r *http.Request) (persist.Schedule, error) {
	name, group := r.PathValue("Name"), r.URL.Query().Get("groupName")
	var bad violations
	bad.text(name, "name", 1, 64, namePattern)
	bad.optional(group, "groupName", 1, 64, namePattern)
	if err := bad.Err(); err != nil {
		return persist.Schedule{}, err
	}
	schedule, err := s.Store.GetSchedule(groupOr(group), name)
	if err != nil {
		return persist.Schedule{}, faultOf(err, aSchedule, name)
	}
	return schedule, permit(r, schedule)
}

func (s *service) getSchedule(r *http.Request) (any, error) {
	schedule, err := s.existing(r)
	if err != nil {
		return nil, err
	}
	return s.show(schedule), nil
}

func (s *service) deleteSchedule(r *http.Request) (any, error) {
	schedule, err := s.existing(r)
	if err != nil {
		return nil, err
	}
	if err := s.Store.DeleteSchedule(schedule.Group, schedule.Name); err != nil {
		return nil, faultOf(err, aSchedule, schedule.Name)
	}
	s.Runner.Changed(schedule.Group, schedule.Name)
	return empty{}, nil
}

// scheduleSummary is what a list tells of a schedule.
type scheduleSummary struct {
	Arn                  string
	CreationDate         *epoch
	GroupName            string
	LastModificationDate *epoch
	Name                 string
	State                string
	Target               struct{ Arn string }
}

func (s *service) listSchedules(r *http.Request) (any, error) {
	q := r.URL.Query()
	query := persist.ScheduleQuery{Group: q.Get("ScheduleGroup"), Prefix: q.Get("NamePrefix"), State: q.Get("State")}
	var bad violations
	bad.optional(query.Group, "groupName", 1, 64, namePattern)
	bad.oneOf(query.State, "state", persist.ScheduleEnabled, persist.ScheduleDisabled)
	after, limit, err := page(r, &bad)
	if err != nil {
		return nil, err
	}
	if query.Group != "" {
		if _, err := s.Store.GetScheduleGroup(query.Group); err != nil {
			return nil, faultOf(err, aGroup, query.Group)
		}
	}
	query.AfterGroup, query.AfterName, _ = strings.Cut(after, "/")
	query.Limit = limit
	found, more, err := s.Store.Schedules(query)
	if err != nil {
		return nil, err
	}
	reply := struct {
		NextToken string `json:",omitempty"`
		Schedules []scheduleSummary
	}{Schedules: []scheduleSummary{}}
	for _, schedule := range found {
		summary := scheduleSummary{
			Arn: s.scheduleARN(schedule.Group, schedule.Name), GroupName: schedule.Group, Name: schedule.Name,
			CreationDate: epochOf(schedule.Created), LastModificationDate: epochOf(schedule.LastModified), State: schedule.State,
		}
		summary.Target.Arn = schedule.Target.ARN
		reply.Schedules = append(reply.Schedules, summary)
	}
	if more {
		last := found[len(found)-1]
		reply.NextToken = token(last.Group + "/" + last.Name)
	}
	return reply, nil
}

// maxPage is the most that a page holds, and what it holds where a request does
// not say.
const maxPage = 100

// page reads NextToken, MaxResults and NamePrefix, and returns the key of the
// last item that was sent. Violations that the caller has found already count.
func page(r *http.Request, bad *violations) (after string, limit int, err error) {
	q := r.URL.Query()
	limit = maxPage
	if text := q.Get("MaxResults"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil {
			bad.Add(text, "maxResults", "Member must be a whole number")
		} else {
			bad.between(&limit, "maxResults", 1, maxPage)
		}
	}
	bad.optional(q.Get("NamePrefix"), "namePrefix", 1, 64, namePattern)
	text := q.Get("NextToken")
	bad.optional(text, "nextToken", 1, 2048, nil)
	if err := bad.Err(); err != nil {
		return "", 0, err
	}
	key, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || text != "" && !keyPattern.Match(key) {
		return "", 0, invalid("The NextToken is not valid.")
	}
	return string(key), limit, nil
}

// token is the NextToken for the page after an item.
func token(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }
