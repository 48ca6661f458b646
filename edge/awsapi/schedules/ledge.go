package schedules

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// ledgeSettings are the node's own settings of a schedule, in the member Ledge of
// CreateSchedule, UpdateSchedule and GetSchedule. AWS's clients neither send nor see it,
// so an update without it keeps what there is.
type ledgeSettings struct {
	Missed        string `json:",omitempty"` // "once" (default), "skip" or "all"
	MissedMax     int    `json:",omitempty"` // of all: 1 to 1000, 10 where it is missing
	Overlap       string `json:",omitempty"` // "allow" (default) or "forbid"
	JitterSeconds int    `json:",omitempty"` // to 86400, not beside a flexible time window
}

// into checks settings and puts them into a schedule. Nil changes nothing.
func (l *ledgeSettings) into(schedule *persist.Schedule) error {
	if l == nil {
		return nil
	}
	var bad violations
	bad.oneOf(l.Missed, "ledge.missed", persist.MissedOnce, persist.MissedSkip, persist.MissedAll)
	bad.oneOf(l.Overlap, "ledge.overlap", persist.OverlapAllow, persist.OverlapForbid)
	bad.Between(int64(l.MissedMax), "ledge.missedMax", 0, persist.MaxMissedRuns)
	bad.Between(int64(l.JitterSeconds), "ledge.jitterSeconds", 0, persist.MaxJitterSeconds)
	if err := bad.Err(); err != nil {
		return err
	}
	switch {
	case l.MissedMax > 0 && l.Missed != persist.MissedAll:
		return invalid("Ledge.MissedMax is for Ledge.Missed \"all\".")
	case l.JitterSeconds > 0 && schedule.WindowMinutes > 0:
		return invalid("Ledge.JitterSeconds must not be given when the flexible time window's mode is FLEXIBLE.")
	}
	schedule.Missed, schedule.MissedMax, schedule.Overlap, schedule.JitterSeconds = l.Missed, l.MissedMax, l.Overlap, l.JitterSeconds
	return nil
}

// ledgeOf shows the settings, nil where all are the defaults.
func ledgeOf(schedule persist.Schedule) *ledgeSettings {
	l := ledgeSettings{schedule.Missed, schedule.MissedMax, schedule.Overlap, schedule.JitterSeconds}
	if l == (ledgeSettings{}) {
		return nil
	}
	return &l
}

// keepLedge takes the settings over from a schedule that is replaced. A flexible time
// window that is new replaces the jitter.
func keepLedge(schedule *persist.Schedule, old persist.Schedule) {
	schedule.Missed, schedule.MissedMax, schedule.Overlap = old.Missed, old.MissedMax, old.Overlap
	if schedule.WindowMinutes == 0 {
		schedule.JitterSeconds = old.JitterSeconds
	}
}

// nodeOperations are those under /v1/, which AWS has not.
func (s *service) nodeOperations() []restjson.Operation {
	const one = "/v1/schedules/{Group}/{Name}"
	now := op("RunSchedule", "POST", one+"/run", s.runNow, "queues its event now, besides its times; 409 where it forbids overlaps and its last run has not ended")
	now.Access = restjson.Invoke
	operations := []restjson.Operation{
		op("ListScheduleRuns", "GET", "/v1/schedules", s.listRuns, "schedules with their next and last run; ?group=, ?prefix=, ?after=GROUP/NAME, ?limit="),
		inBody(op("GetScheduleRuns", "GET", one, s.getRuns, "a schedule with its next and last run, what was left out and counts")),
		inBody(now),
		inBody(op("PauseSchedule", "POST", one+"/pause", s.setState(persist.ScheduleDisabled), "")),
		inBody(op("ResumeSchedule", "POST", one+"/resume", s.setState(persist.ScheduleEnabled), "it goes on with its next time")),
	}
	for i := range operations {
		operations[i].Service = restjson.ServiceNode
	}
	return operations
}

// run is one time of a schedule and what became of it.
type run struct {
	Due       time.Time
	At        time.Time // when the outcome was known
	Outcome   string    // queued, ok, retrying, failed; skipped, missed
	Error     string    `json:",omitempty"`
	RequestId string    `json:",omitempty"`
}

// runs is a schedule as /v1/schedules shows it: AWS's members, and what became of it.
type runs struct {
	scheduleReply
	NextRun     *time.Time `json:",omitempty"`
	LastRun     *run       `json:",omitempty"` // the newest that was queued
	LastLeftOut *run       `json:",omitempty"` // the newest that was not
	Waiting     int        // events of it that wait or run; 100 are counted
	Ran         uint64     // successfully
	Failed      uint64
	Skipped     uint64
	Missed      uint64
}

func (s *service) runsOf(status persist.ScheduleStatus) runs {
	shown := runs{
		scheduleReply: s.show(status.Schedule),
		LastRun:       runOf(status.State.LastRun), LastLeftOut: runOf(status.State.LastLeftOut),
		Waiting: len(status.State.Pending),
		Ran:     status.State.Ran, Failed: status.State.Failed, Skipped: status.State.Skipped, Missed: status.State.Missed,
	}
	if next := s.Runner.Next(status); !next.IsZero() {
		shown.NextRun = &next
	}
	return shown
}

func runOf(kept persist.ScheduleRun) *run {
	if kept.Outcome == "" {
		return nil
	}
	return &run{kept.Due, kept.At, kept.Outcome, kept.Error, kept.RequestID}
}

// listRuns is GET /v1/schedules. A key that is restricted to some functions may not use
// it: the list is of all.
func (s *service) listRuns(r *http.Request) (any, error) {
	q := r.URL.Query()
	limit, err := restjson.Number(r, "limit", maxPage, maxPage)
	if err != nil {
		return nil, err
	}
	query := persist.ScheduleQuery{Group: q.Get("group"), Prefix: q.Get("prefix"), Limit: limit}
	query.AfterGroup, query.AfterName, _ = strings.Cut(q.Get("after"), "/")
	page, err := s.Store.ScheduleStatuses(query)
	if err != nil {
		return nil, err
	}
	reply := struct {
		Schedules []runs
		More      bool
	}{Schedules: []runs{}, More: page.More}
	for _, status := range page.Schedules {
		shown := s.runsOf(status)
		shown.Target.Input = nil // it may be large, and is not what a list is for
		reply.Schedules = append(reply.Schedules, shown)
	}
	return reply, nil
}

// named returns the schedule that the path of a request names, if the caller may do this
// with its function.
func (s *service) named(r *http.Request) (persist.ScheduleStatus, error) {
	status, err := s.Store.GetScheduleStatus(r.PathValue("Group"), r.PathValue("Name"))
	if err != nil {
		return status, faultOf(err, aSchedule, r.PathValue("Name"))
	}
	return status, permit(r, status.Schedule)
}

func (s *service) getRuns(r *http.Request) (any, error) {
	status, err := s.named(r)
	if err != nil {
		return nil, err
	}
	return s.runsOf(status), nil
}

func (s *service) runNow(r *http.Request) (any, error) {
	status, err := s.named(r)
	if err != nil {
		return nil, err
	}
	id, err := s.Runner.RunNow(status.Schedule.Group, status.Schedule.Name)
	switch {
	case errors.Is(err, persist.ErrConflict):
		return nil, &restjson.Fault{Status: http.StatusConflict, Code: codeConflict, Message: err.Error()}
	case errors.Is(err, persist.ErrNotFound):
		return nil, &restjson.Fault{Status: http.StatusNotFound, Code: codeNotFound, Message: err.Error()}
	case errors.Is(err, persist.ErrQueueFull):
		return nil, &restjson.Fault{Status: http.StatusServiceUnavailable, Code: codeQuota, Message: err.Error()}
	case err != nil:
		return nil, err
	}
	return struct{ RequestId string }{id}, nil
}

// setState pauses or resumes a schedule.
func (s *service) setState(state string) answer {
	return func(r *http.Request) (any, error) {
		status, err := s.named(r)
		if err != nil {
			return nil, err
		}
		group, name := status.Schedule.Group, status.Schedule.Name
		if _, err := s.Store.SetScheduleState(group, name, state); err != nil {
			return nil, faultOf(err, aSchedule, name)
		}
		s.Runner.Changed(group, name)
		if status, err = s.Store.GetScheduleStatus(group, name); err != nil {
			return nil, faultOf(err, aSchedule, name)
		}
		return s.runsOf(status), nil
	}
}
