package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	pathSchedules    = "/schedules/"   // Amazon EventBridge Scheduler's
	pathScheduleRuns = "/v1/schedules" // the node's own
	defaultGroup     = "default"
	awsTaken         = "ConflictException" // Scheduler's
)

// scheduleName names a schedule: NAME, or GROUP/NAME outside of the group "default".
type scheduleName struct{ Group, Name string }

var schedulePart = regexp.MustCompile(`^[0-9a-zA-Z_.-]{1,64}$`)

func parseScheduleName(text string) (scheduleName, error) {
	n := scheduleName{defaultGroup, text}
	if group, name, found := strings.Cut(text, "/"); found {
		n = scheduleName{group, name}
	}
	for _, part := range []string{n.Group, n.Name} {
		// Dots alone would be another path.
		if !schedulePart.MatchString(part) || strings.Trim(part, ".") == "" {
			return scheduleName{}, &usageError{
				Message: fmt.Sprintf("%q is not the name of a schedule", text),
				Hint:    "use 1 to 64 letters, digits, ., - and _, after a group and a slash where it is in one",
			}
		}
	}
	return n, nil
}

func (n scheduleName) String() string {
	if n.Group == defaultGroup {
		return n.Name
	}
	return n.Group + "/" + n.Name
}

// path is where the node's own operations have the schedule.
func (n scheduleName) path(rest string) string {
	return pathScheduleRuns + "/" + url.PathEscape(n.Group) + "/" + url.PathEscape(n.Name) + rest
}

// missing makes the sentence for a schedule that is not there out of a reply that says
// so; other errors pass.
func (n scheduleName) missing(err error) error {
	e, missing := isCode(err, awsNotFound)
	if !missing {
		return err
	}
	return &Error{Code: e.Code, Message: "there is no schedule " + n.String(), Hint: "see which there are: ledge schedule ls", Err: err}
}

// scheduleRequest is CreateSchedule's and UpdateSchedule's body
// (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html).
type scheduleRequest struct {
	GroupName                  string
	ScheduleExpression         string
	ScheduleExpressionTimezone string   `json:",omitempty"`
	StartDate                  *float64 `json:",omitempty"` // seconds since 1970
	EndDate                    *float64 `json:",omitempty"`
	State                      string   `json:",omitempty"`
	FlexibleTimeWindow         struct{ Mode string }
	Target                     scheduleTarget
	Ledge                      *scheduleSettings `json:",omitempty"`
}

type scheduleTarget struct {
	Arn         string
	Input       *string        `json:",omitempty"`
	RetryPolicy *scheduleRetry `json:",omitempty"`
}

type scheduleRetry struct {
	MaximumEventAgeInSeconds *int `json:",omitempty"`
	MaximumRetryAttempts     *int `json:",omitempty"`
}

// scheduleSettings are the node's own.
type scheduleSettings struct {
	Missed        string `json:",omitempty"`
	MissedMax     int    `json:",omitempty"`
	Overlap       string `json:",omitempty"`
	JitterSeconds int    `json:",omitempty"`
}

// newSchedule is the request for a schedule that runs a function.
func newSchedule(n scheduleName, expression, zone string, t target) scheduleRequest {
	r := scheduleRequest{GroupName: n.Group, ScheduleExpression: expression, ScheduleExpressionTimezone: zone}
	r.FlexibleTimeWindow.Mode = "OFF"
	r.Target.Arn = t.arn()
	return r
}

// putSchedule creates a schedule, or with replace changes the one that there is, and
// returns what it did: "added" or "replaced".
func (c *client) putSchedule(ctx context.Context, n scheduleName, body scheduleRequest, replace bool) (did string, err error) {
	methods := []string{http.MethodPost}
	if replace {
		methods = []string{http.MethodPut, http.MethodPost}
	}
	for _, method := range methods {
		var r request
		if r, err = jsonRequest(method, pathSchedules+url.PathEscape(n.Name), body); err != nil {
			return "", err
		}
		did = "added"
		if method == http.MethodPut {
			did = "replaced"
		}
		_, err = c.call(ctx, r, replyTimeout, nil)
		if _, missing := isCode(err, awsNotFound); !missing {
			break // or else there is none to replace
		}
	}
	if e, taken := isCode(err, awsTaken); taken {
		return "", &Error{Code: e.Code, Message: "there is a schedule " + n.String() + " already", Hint: "look at it: ledge schedule get " + n.String() + "; replace it with --replace", Err: err}
	}
	return did, err
}

const scheduleLong = `A schedule runs a function at the times that an expression names:

  '0 8 * * MON-FRI'            cron: minute hour day month weekday
  '30 0 8 * * *'               cron with seconds first
  @hourly, '@every 90s'        names and periods; also @daily, @weekly, @monthly, @yearly
  'CRON_TZ=Asia/Tokyo @daily'  in a time zone; or with --tz
  'cron(0 8 ? * MON-FRI *)'    Amazon EventBridge Scheduler's forms
  'rate(5 minutes)', 'at(2026-12-24T18:00:00)'

Events go through the queue: a function that fails is tried again, and what is given up
is in "ledge failed". NAME may have a group before it, as in GROUP/NAME; groups are made
with AWS's tools.`

func (a *app) scheduleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "schedule",
		Short:   "Run functions by the clock",
		Long:    scheduleLong,
		Example: "  ledge schedule add nightly '0 3 * * *' cleanup --tz Europe/Berlin\n  ledge schedule ls\n  ledge schedule run nightly",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(
		a.scheduleAddCommand(), a.scheduleListCommand(), a.scheduleGetCommand(),
		a.scheduleActionCommand("pause", "Have schedules rest", "paused", "Pause schedules until they are resumed. Times that pass meanwhile are not missed."),
		a.scheduleActionCommand("resume", "Have schedules go on", "resumed", "Have schedules that were paused go on with their next time."),
		a.scheduleActionCommand("run", "Run schedules now", "queued", "Queue the event of schedules now, besides their times and also where they are paused.\nOne that forbids overlaps is refused while its last run has not ended."),
		a.scheduleRemoveCommand(),
	)
	return cmd
}

// addFlags are the flags of schedule add, as text.
type addFlags struct {
	input, zone, missed, overlap, jitter, start, end, retries, maxAge string
	paused, replace                                                   bool
}

func (a *app) scheduleAddCommand() *cobra.Command {
	var f addFlags
	cmd := &cobra.Command{
		Use:   "add NAME EXPRESSION FUNCTION[:QUALIFIER]",
		Short: "Add a schedule",
		Long:  scheduleLong + "\n\nA schedule that exists is left as it is, unless --replace is given: then it gets what\nthe command says, and the defaults where that says nothing.",
		Example: `  ledge schedule add nightly '0 3 * * *' cleanup --tz Europe/Berlin
  ledge schedule add poll '@every 90s' poll --overlap forbid --missed skip
  ledge schedule add bills '0 0 1 * *' bill:live --missed all=3 --input '{"a":1}' --replace`,
		Args: arguments("NAME", "EXPRESSION", "FUNCTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := parseScheduleName(args[0])
			if err != nil {
				return err
			}
			t, err := parseTarget(args[2])
			if err != nil {
				return err
			}
			if err := refusePast(args[1], f.zone, a.now()); err != nil {
				return err
			}
			body := newSchedule(n, args[1], f.zone, t)
			if err := f.into(&body); err != nil {
				return err
			}
			if cmd.Flags().Changed("input") {
				input, err := a.readPayload(f.input)
				if err != nil {
					return err
				}
				text := string(input)
				body.Target.Input = &text
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.scheduleAdd(cmd.Context(), c, n, body, t, f.replace)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 2 {
				return a.functionNames(cmd)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	flags := cmd.Flags()
	textFlag(flags, &f.input, "input", "JSON|@FILE|-", "the event (default: one that names the schedule and the time)")
	textFlag(flags, &f.zone, "tz", "ZONE", "time zone of the expression, such as Europe/Berlin (default UTC)")
	textFlag(flags, &f.missed, "missed", "POLICY", "of times that passed while the node was off: skip, once (the last), all or all=N (default once; N: 10)")
	textFlag(flags, &f.overlap, "overlap", "POLICY", "allow, or forbid: leave a time out while the run before has not ended (default allow)")
	textFlag(flags, &f.jitter, "jitter", "DURATION", "run by chance within that time after each, at most 24h")
	textFlag(flags, &f.start, "start", "TIME", "not before: 2026-12-01T00:00:00Z")
	textFlag(flags, &f.end, "end", "TIME", "before")
	textFlag(flags, &f.retries, "retries", "N", "times that a failed run is tried again, 0 to 185, if the function's own settings allow as many")
	textFlag(flags, &f.maxAge, "max-age", "DURATION", "give a run up after that time, 1m to 24h")
	flags.BoolVar(&f.paused, "paused", false, "add it paused")
	flags.BoolVar(&f.replace, "replace", false, "replace the schedule where it exists")
	choices(cmd, "missed", "skip", "once", "all")
	choices(cmd, "overlap", "allow", "forbid")
	return cmd
}

// Bounds of what a schedule may be told, as the node has them.
const (
	maxJitter          = 24 * time.Hour
	maxScheduleRetries = 185
	minScheduleAge     = time.Minute
	maxScheduleAge     = 24 * time.Hour
)

// into puts what flags say into a request. What only the node can judge it leaves to that.
func (f addFlags) into(body *scheduleRequest) error {
	if !strings.HasPrefix(f.missed, "all=") {
		if err := oneOf("missed", f.missed, "skip", "once", "all", "all=N"); err != nil {
			return err
		}
	}
	if err := oneOf("overlap", f.overlap, "allow", "forbid"); err != nil {
		return err
	}
	settings := scheduleSettings{Missed: f.missed, Overlap: f.overlap}
	if n, found := strings.CutPrefix(f.missed, "all="); found {
		settings.Missed = "all"
		if err := setInteger(&settings.MissedMax, n, 1, 1000); err != nil {
			return usagef("--missed: %s", err)
		}
	}
	if jitter, err := wholeSeconds("jitter", f.jitter, 0, maxJitter); err != nil {
		return err
	} else if jitter != nil {
		settings.JitterSeconds = *jitter
	}
	body.Ledge = &settings
	for flag, date := range map[string]struct {
		text string
		into **float64
	}{"start": {f.start, &body.StartDate}, "end": {f.end, &body.EndDate}} {
		if date.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, date.text)
		if err != nil {
			return usagef("--%s: %q is not a time; write 2026-12-01T08:00:00Z or 2026-12-01T08:00:00+01:00", flag, date.text)
		}
		seconds := float64(at.UnixMilli()) / 1000
		*date.into = &seconds
	}
	var retry scheduleRetry
	if f.retries != "" {
		var n int
		if err := setInteger(&n, f.retries, 0, maxScheduleRetries); err != nil {
			return usagef("--retries: %s", err)
		}
		retry.MaximumRetryAttempts = &n
	}
	var err error
	if retry.MaximumEventAgeInSeconds, err = wholeSeconds("max-age", f.maxAge, minScheduleAge, maxScheduleAge); err != nil {
		return err
	}
	if retry != (scheduleRetry{}) {
		body.Target.RetryPolicy = &retry
	}
	if f.paused {
		body.State = "DISABLED"
	}
	return nil
}

// refusePast refuses an at(...) whose time has passed: AWS's operations take it, and
// the schedule never runs. What cannot be understood is the node's to refuse.
func refusePast(expression, zone string, now time.Time) error {
	const layout = "2006-01-02T15:04:05"
	text, once := strings.CutPrefix(expression, "at(")
	text, closed := strings.CutSuffix(text, ")")
	location, err := time.LoadLocation(zone) // "" is UTC
	if !once || !closed || err != nil {
		return nil
	}
	at, err := time.ParseInLocation(layout, text, location)
	if err != nil || at.After(now) {
		return nil
	}
	return &usageError{
		Message: fmt.Sprintf("%s has passed: it is %s in %s now, and the schedule would never run", expression, now.In(location).Format(layout), location),
		Hint:    "give a later time; --tz names the time zone that it is in",
	}
}

func (a *app) scheduleAdd(ctx context.Context, c *client, n scheduleName, body scheduleRequest, t target, replace bool) error {
	// A schedule may wait for a function that is yet to come; here it is rather a
	// mistake in writing.
	function, err := c.present(ctx, t.Name)
	if err != nil {
		return err
	}
	if function == nil {
		return &Error{Code: awsNotFound, Message: "function " + t.Name + " not found", Hint: "see what is there: ledge ls"}
	}
	if t.Qualifier != "" {
		path, query := functionPath(t, "/configuration")
		_, err := c.call(ctx, request{method: http.MethodGet, path: path, query: query}, replyTimeout, nil)
		if e, missing := isCode(err, awsNotFound); missing {
			return &Error{Code: e.Code, Message: "function " + t.Name + " has no version or alias " + t.Qualifier,
				Hint: "see its versions: ledge ls " + t.Name + "; its aliases: ledge alias ls " + t.Name, Err: err}
		}
		if err != nil {
			return err
		}
	}
	did, err := c.putSchedule(ctx, n, body, replace)
	if err != nil {
		return err
	}
	var shown scheduleRuns
	raw, err := c.call(ctx, request{method: http.MethodGet, path: n.path("")}, replyTimeout, &shown)
	if err != nil {
		return n.missing(err)
	}
	if a.json {
		return a.writeJSON(json.RawMessage(raw))
	}
	return a.write([]byte(did + " schedule " + n.String() + " for " + t.String() + ", next run " + shown.next() + "\n"))
}
