package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// scheduleRuns is a schedule with what became of it, as far as it is shown.
type scheduleRuns struct {
	GroupName                  string
	Name                       string
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	State                      string
	Target                     scheduleTarget
	Ledge                      scheduleSettings
	NextRun                    *time.Time
	LastRun                    *scheduleRun
	LastLeftOut                *scheduleRun
	Waiting                    int
	Ran                        uint64
	Failed                     uint64
	Skipped                    uint64
	Missed                     uint64
}

type scheduleRun struct {
	Due       time.Time
	Outcome   string
	Error     string
	RequestID string `json:"RequestId"`
}

func (s scheduleRuns) name() scheduleName { return scheduleName{s.GroupName, s.Name} }

// next says when the schedule runs next.
func (s scheduleRuns) next() string {
	switch {
	case s.State == "DISABLED":
		return "paused"
	case s.NextRun == nil:
		return "never"
	}
	return s.NextRun.UTC().Format(time.RFC3339)
}

// newest returns what became of the last time, whether it ran or was left out.
func (s scheduleRuns) newest() scheduleRun {
	switch {
	case s.LastRun == nil && s.LastLeftOut == nil:
		return scheduleRun{}
	case s.LastRun == nil || s.LastLeftOut != nil && s.LastLeftOut.Due.After(s.LastRun.Due):
		return *s.LastLeftOut
	}
	return *s.LastRun
}

func (r scheduleRun) due() string {
	if r.Due.IsZero() {
		return ""
	}
	return r.Due.UTC().Format(time.RFC3339)
}

// describe is due with the outcome.
func (r *scheduleRun) describe() string {
	if r == nil {
		return ""
	}
	text := r.due() + ", " + r.Outcome
	if r.Error != "" {
		text += ": " + r.Error
	}
	if r.RequestID != "" {
		text += " (request " + r.RequestID + ")"
	}
	return text
}

// schedules returns all schedules, each as the node sent it.
func (c *client) schedules(ctx context.Context) ([]json.RawMessage, error) {
	all := []json.RawMessage{} // a list even where it is empty, not null
	query := url.Values{}
	for range maxPages {
		var page struct {
			Schedules []json.RawMessage
			More      bool
		}
		raw, err := c.call(ctx, request{method: http.MethodGet, path: pathScheduleRuns, query: query}, replyTimeout, &page)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Schedules...)
		if !page.More {
			return all, nil
		}
		last := scheduleRuns{}
		if n := len(page.Schedules); n == 0 || json.Unmarshal(page.Schedules[n-1], &last) != nil || last.Name == "" {
			return nil, c.notAList(raw, nil)
		}
		query = url.Values{"after": {last.GroupName + "/" + last.Name}}
	}
	return nil, &Error{Code: codeBadAnswer, Message: "the list of schedules of " + c.node + " does not end"}
}

func (a *app) scheduleListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the schedules",
		Long:    "List the schedules with their next and last time, and what became of that: queued, ok,\nretrying or failed; skipped, because the run before had not ended; or missed. Times\nare UTC.",
		Example: "  ledge schedule ls\n  ledge schedule ls --json",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			raw, err := c.schedules(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(map[string]any{"Schedules": raw})
			}
			list, err := decodeEach[scheduleRuns](c, raw)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				a.note("no schedules yet; add one with: ledge schedule add NAME '0 8 * * *' FUNCTION")
				return nil
			}
			rows := [][]string{{"SCHEDULE", "EXPRESSION", "FUNCTION", "NEXT", "LAST", "OUTCOME"}}
			for _, s := range list {
				newest := s.newest()
				rows = append(rows, []string{s.name().String(), s.ScheduleExpression, functionOf(s.Target.Arn), s.next(), newest.due(), newest.Outcome})
			}
			return a.write(table(rows))
		},
	}
}

func (a *app) scheduleGetCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "get NAME",
		Short:   "Show a schedule",
		Long:    "Show a schedule, when it runs next and what became of its last runs. Times are UTC.",
		Example: "  ledge schedule get nightly\n  ledge schedule get nightly --json",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := parseScheduleName(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			var s scheduleRuns
			raw, err := c.call(cmd.Context(), request{method: http.MethodGet, path: n.path("")}, replyTimeout, &s)
			if err != nil {
				return n.missing(err)
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			return a.write(s.describe())
		},
		ValidArgsFunction: a.completeSchedules,
	}
}

func (s scheduleRuns) describe() []byte {
	var f fields
	f.add("Schedule", s.name().String())
	f.add("Expression", s.ScheduleExpression+" in "+s.ScheduleExpressionTimezone)
	f.add("Function", functionOf(s.Target.Arn))
	if s.Target.Input != nil {
		f.add("Input", *s.Target.Input)
	}
	missed := s.Ledge.Missed
	if s.Ledge.MissedMax > 0 {
		missed += "=" + strconv.Itoa(s.Ledge.MissedMax)
	}
	f.add("Missed", missed)
	f.add("Overlap", s.Ledge.Overlap)
	if s.Ledge.JitterSeconds > 0 {
		f.add("Jitter", (time.Duration(s.Ledge.JitterSeconds) * time.Second).String())
	}
	f.add("Next run", s.next())
	f.add("Last run", s.LastRun.describe())
	f.add("Left out", s.LastLeftOut.describe())
	f.add("So far", fmt.Sprintf("%d ok, %d failed, %d skipped, %d missed, %d waiting", s.Ran, s.Failed, s.Skipped, s.Missed, s.Waiting))
	return f.b.Bytes()
}

// scheduleActionCommand is for what the node does with one schedule at a time.
func (a *app) scheduleActionCommand(verb, short, done, long string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " NAME...",
		Short:   short,
		Long:    long + "\nIt stops at the first schedule that fails.",
		Example: "  ledge schedule " + verb + " nightly",
		Args:    arguments("NAME..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.eachSchedule(cmd.Context(), args, done, func(ctx context.Context, c *client, n scheduleName) ([]byte, error) {
				return c.call(ctx, request{method: http.MethodPost, path: n.path("/" + verb)}, replyTimeout, nil)
			})
		},
		ValidArgsFunction: a.completeSchedules,
	}
}

func (a *app) scheduleRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NAME...",
		Short:   "Remove schedules",
		Long:    "Remove schedules; their functions stay, and so do events of theirs that wait. It stops\nat the first schedule that cannot be removed.",
		Example: "  ledge schedule rm nightly",
		Args:    arguments("NAME..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.eachSchedule(cmd.Context(), args, "removed", func(ctx context.Context, c *client, n scheduleName) ([]byte, error) {
				r := request{method: http.MethodDelete, path: pathSchedules + url.PathEscape(n.Name), query: url.Values{"groupName": {n.Group}}}
				return c.call(ctx, r, replyTimeout, nil)
			})
		},
		ValidArgsFunction: a.completeSchedules,
	}
}

// eachSchedule does something with schedules one by one and says what was done. As JSON
// it is an object of the replies, by schedule.
func (a *app) eachSchedule(ctx context.Context, args []string, done string, do func(context.Context, *client, scheduleName) ([]byte, error)) error {
	names := make([]scheduleName, len(args))
	for i, arg := range args { // all of them before the first
		var err error
		if names[i], err = parseScheduleName(arg); err != nil {
			return err
		}
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	replies := map[string]json.RawMessage{}
	for _, n := range names {
		raw, err := do(ctx, c, n)
		if err != nil {
			return n.missing(err)
		}
		replies[n.String()] = raw
		if !a.json {
			if err := a.write([]byte(done + " " + n.String() + "\n")); err != nil {
				return err
			}
		}
	}
	if a.json {
		return a.writeJSON(replies)
	}
	return nil
}

// completeSchedules completes the names of schedules.
func (a *app) completeSchedules(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && cmd.Name() == "get" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.ask(cmd, func(ctx context.Context, c *client) []string {
		raw, err := c.schedules(ctx)
		if err != nil {
			return nil
		}
		list, err := decodeEach[scheduleRuns](c, raw)
		if err != nil {
			return nil
		}
		words := make([]string, len(list))
		for i, s := range list {
			words[i] = s.name().String()
		}
		return words
	})
}
