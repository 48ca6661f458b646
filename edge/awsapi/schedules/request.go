package schedules

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// Values of the service model.
const (
	windowOff      = "OFF"
	windowFlexible = "FLEXIBLE"
	actionNone     = "NONE"
	actionDelete   = "DELETE"
)

// scheduleRequest is CreateSchedule's and UpdateSchedule's body
// (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html).
type scheduleRequest struct {
	ActionAfterCompletion      string
	ClientToken                string
	Description                string
	EndDate                    *float64 // seconds since 1970
	FlexibleTimeWindow         *window
	GroupName                  string
	KmsKeyArn                  string
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	StartDate                  *float64
	State                      string
	Target                     *target
	Ledge                      *ledgeSettings `json:",omitempty"`
}

// window is FlexibleTimeWindow.
type window struct {
	MaximumWindowInMinutes *int `json:",omitempty"`
	Mode                   string
}

// latestDate is the last second of the year 9999: times beyond have no usual
// form.
const latestDate = 253402300799

// schedule reads a request and returns the schedule that it asks for. settings says that
// it has Ledge's own.
func (s *service) schedule(r *http.Request) (schedule persist.Schedule, settings bool, err error) {
	var req scheduleRequest
	if err := read(r, &req); err != nil {
		return persist.Schedule{}, false, err
	}
	name := r.PathValue("Name")
	if err := req.check(name); err != nil {
		return persist.Schedule{}, false, err
	}
	if err := s.Expressions.Check(req.ScheduleExpression, req.ScheduleExpressionTimezone); err != nil {
		return persist.Schedule{}, false, invalid("Invalid Schedule Expression %s in time zone %s: %s.", req.ScheduleExpression, zoneOr(req.ScheduleExpressionTimezone), err.Error())
	}
	target, err := req.Target.stored()
	if err != nil {
		return persist.Schedule{}, false, err
	}
	schedule = persist.Schedule{
		Group: groupOr(req.GroupName), Name: name, Description: req.Description,
		Expression: req.ScheduleExpression, Timezone: req.ScheduleExpressionTimezone,
		Start: dateOf(req.StartDate), End: dateOf(req.EndDate),
		State: req.State, Target: target, DeleteAfter: req.ActionAfterCompletion == actionDelete,
		KMSKeyARN: req.KmsKeyArn, ClientToken: req.ClientToken,
	}
	if schedule.State == "" {
		schedule.State = persist.ScheduleEnabled
	}
	if n := req.FlexibleTimeWindow.MaximumWindowInMinutes; n != nil {
		schedule.WindowMinutes = *n
	}
	if err := req.Ledge.into(&schedule); err != nil {
		return persist.Schedule{}, false, err
	}
	schedule.RequestHash, err = hashOf(req)
	return schedule, req.Ledge != nil, err
}

// check holds a request to the service model.
func (q *scheduleRequest) check(name string) error {
	var bad violations
	bad.text(name, "name", 1, 64, namePattern)
	bad.optional(q.GroupName, "groupName", 1, 64, namePattern)
	bad.optional(q.ClientToken, "clientToken", 1, 64, tokenPattern)
	bad.text(q.Description, "description", 0, 512, nil)
	bad.Required(q.ScheduleExpression != "", "scheduleExpression")
	bad.optional(q.ScheduleExpression, "scheduleExpression", 1, 256, nil)
	bad.optional(q.ScheduleExpressionTimezone, "scheduleExpressionTimezone", 1, 50, nil)
	bad.oneOf(q.State, "state", persist.ScheduleEnabled, persist.ScheduleDisabled)
	bad.oneOf(q.ActionAfterCompletion, "actionAfterCompletion", actionNone, actionDelete)
	bad.optional(q.KmsKeyArn, "kmsKeyArn", 1, 2048, kmsPattern)
	bad.Required(q.FlexibleTimeWindow != nil, "flexibleTimeWindow")
	if w := q.FlexibleTimeWindow; w != nil {
		bad.Required(w.Mode != "", "flexibleTimeWindow.mode")
		bad.oneOf(w.Mode, "flexibleTimeWindow.mode", windowOff, windowFlexible)
		bad.between(w.MaximumWindowInMinutes, "flexibleTimeWindow.maximumWindowInMinutes", 1, 1440)
	}
	bad.Required(q.Target != nil, "target")
	if q.Target != nil {
		q.Target.check(&bad)
	}
	for at, date := range map[string]*float64{"startDate": q.StartDate, "endDate": q.EndDate} {
		if date != nil && (*date < 0 || *date > latestDate) {
			bad.Add(*date, at, "Member must be a timestamp from 1970 to 9999")
		}
	}
	if err := bad.Err(); err != nil {
		return err
	}
	switch w := q.FlexibleTimeWindow; {
	case w.Mode == windowOff && w.MaximumWindowInMinutes != nil:
		return invalid("MaximumWindowInMinutes must not be given when the flexible time window's mode is OFF.")
	case w.Mode == windowFlexible && w.MaximumWindowInMinutes == nil:
		return invalid("MaximumWindowInMinutes must be given when the flexible time window's mode is FLEXIBLE.")
	case q.StartDate != nil && q.EndDate != nil && *q.EndDate <= *q.StartDate:
		return invalid("The EndDate must come after the StartDate.")
	}
	return nil
}

// hashOf tells a request from others, but for its token.
func hashOf(req scheduleRequest) (string, error) {
	req.ClientToken = ""
	text, err := json.Marshal(req)
	if err != nil {
		return "", invalid("the request cannot be kept: %s", err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func groupOr(name string) string {
	if name == "" {
		return persist.DefaultScheduleGroup
	}
	return name
}

func zoneOr(name string) string {
	if name == "" {
		return "UTC"
	}
	return name
}

func dateOf(seconds *float64) time.Time {
	if seconds == nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(*seconds * 1000))).UTC()
}

// epoch is a time as restJson has it: seconds since 1970.
type epoch float64

// epochOf returns nil for the zero time: the member is then left out.
func epochOf(t time.Time) *epoch {
	if t.IsZero() {
		return nil
	}
	e := epoch(float64(t.UnixMilli()) / 1000)
	return &e
}

// permitDeadLetter asks whether the caller may invoke the function that is told
// of failures: the scheduler invokes it for the schedule.
func permitDeadLetter(r *http.Request, schedule persist.Schedule) error {
	if schedule.Target.DeadLetterARN == "" {
		return nil
	}
	function, _, err := functionOf("Target.DeadLetterConfig.Arn", schedule.Target.DeadLetterARN)
	if err != nil {
		return err
	}
	return restjson.PermitInvoke(r.Context(), function)
}

// permit asks whether the caller may do this with the function of a schedule,
// and notes which schedule the request is about.
func permit(r *http.Request, schedule persist.Schedule) error {
	if err := restjson.Permit(r.Context(), schedule.Target.Function); err != nil {
		return err
	}
	restjson.About(r.Context(), schedule.Group+"/"+schedule.Name)
	return nil
}
