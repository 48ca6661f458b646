package scheduler

import (
	"encoding/json"
	"strings"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// event returns what the function gets: the schedule's Input with the context
// attributes that are in it, or without an Input the notification that AWS
// sends (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html).
func (s *Schedules) event(schedule persist.Schedule, at time.Time, id string) []byte {
	arn := "arn:aws:scheduler:" + s.cfg.Region + ":" + engine.AccountID + ":schedule/" + schedule.Group + "/" + schedule.Name
	when := at.UTC().Format(time.RFC3339)
	if schedule.Target.Input == "" {
		return notification(scheduledEvent{
			Version: "0", ID: id, DetailType: "Scheduled Event", Source: "aws.scheduler", Account: engine.AccountID,
			Time: when, Region: s.cfg.Region, Resources: []string{arn}, Detail: "{}",
		})
	}
	// What is put in has no character that JSON would escape.
	return []byte(strings.NewReplacer(
		"<aws.scheduler.schedule-arn>", arn,
		"<aws.scheduler.scheduled-time>", when,
		"<aws.scheduler.execution-id>", id,
		"<aws.scheduler.attempt-number>", "1", // to queue it; how often the function ran is another matter
	).Replace(schedule.Target.Input))
}

// scheduledEvent is the notification of a schedule without an Input. AWS's
// Detail is a string.
type scheduledEvent struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     string   `json:"detail"`
}

func notification(event scheduledEvent) []byte {
	text, err := json.Marshal(event)
	if err != nil { // strings always marshal
		return []byte("{}")
	}
	return text
}
