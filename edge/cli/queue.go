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

const (
	pathQueue = "/v1/queue"
	pathJobs  = "/v1/queue-jobs"
)

const queueLong = `Events that nobody waits for, from "ledge invoke --async", schedules, change feeds and
AWS's tools, are kept in a queue on disk until their functions have run. An event that
fails is tried again; what is given up for good is kept besides: see "ledge failed".`

func (a *app) queueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "queue",
		Short:   "Show and manage events that wait for their functions",
		Long:    queueLong,
		Example: "  ledge queue stats\n  ledge queue ls hello\n  ledge queue peek 5\n  ledge queue retry --all",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.queueListCommand(), a.queuePeekCommand(), a.queueStatsCommand(), a.queueRetryCommand(),
		a.queueRemoveCommand(), a.queuePurgeCommand(), a.queueOrderCommand(), a.queueBatchCommand())
	return cmd
}

// queuedJob is an event in the queue.
type queuedJob struct {
	Number    uint64
	State     string
	Function  string
	Qualifier string
	OrderKey  string
	Priority  int
	Attempts  int
	LastError string
	Due       time.Time
	Payload   []byte // only of one event
}

func (a *app) queueListCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "ls [FUNCTION]",
		Short: "List events that run or wait",
		Long: `List events that run, then those that wait, by function in the order in which they are
going to run, then those that are held behind another event of their order.`,
		Example: "  ledge queue ls\n  ledge queue ls hello --limit 1000",
		Args:    arguments("[FUNCTION]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usagef("--limit must be 1 or more, not %d", limit)
			}
			path := pathJobs
			var t target
			if len(args) > 0 {
				var err error
				if t, err = parseTarget(args[0]); err != nil {
					return err
				}
				if t.Qualifier != "" {
					return usagef("the queue of a function is listed for all of its versions; leave out %q", ":"+t.Qualifier)
				}
				path = pathQueue + "/" + url.PathEscape(t.Name)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			err = a.queueList(cmd.Context(), c, path, limit)
			if len(args) > 0 {
				return missingFunction(err, t)
			}
			return err
		},
		ValidArgsFunction: a.completeFunction,
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "events to list, at most")
	return cmd
}

// maxJobsPage is the most events of one page, as the node has it.
const maxJobsPage = 1000

// jobs returns up to limit events, each as the node sent it. more says that there are
// others.
func (c *client) jobs(ctx context.Context, path string, limit int) (all []json.RawMessage, more bool, err error) {
	all = []json.RawMessage{} // a list even where it is empty, not null
	query := url.Values{}
	for range maxPages {
		query.Set("limit", strconv.Itoa(min(limit-len(all), maxJobsPage)))
		var page struct {
			Jobs []json.RawMessage
			Next string
		}
		raw, err := c.call(ctx, request{method: http.MethodGet, path: path, query: query}, replyTimeout, &page)
		if err != nil {
			return nil, false, err
		}
		all = append(all, page.Jobs...)
		switch {
		case page.Next == "" || len(all) >= limit:
			return all, page.Next != "", nil
		case page.Next == query.Get("after") || len(page.Jobs) == 0:
			return nil, false, c.notAList(raw, nil)
		}
		query.Set("after", page.Next)
	}
	return nil, false, &Error{Code: codeBadAnswer, Message: "the list of events of " + c.node + " does not end"}
}

func (a *app) queueList(ctx context.Context, c *client, path string, limit int) error {
	raw, more, err := c.jobs(ctx, path, limit)
	if err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(map[string]any{"Jobs": raw, "More": more})
	}
	list, err := decodeEach[queuedJob](c, raw)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		a.note("no event waits")
		return nil
	}
	rows := [][]string{{"NUMBER", "STATE", "FUNCTION", "DUE", "ATTEMPTS", "PRIORITY", "ORDER", "LAST ERROR"}}
	for _, j := range list {
		rows = append(rows, []string{
			strconv.FormatUint(j.Number, 10), j.State, target{j.Function, j.Qualifier}.String(), j.Due.UTC().Format(time.RFC3339),
			strconv.Itoa(j.Attempts), strconv.Itoa(j.Priority), j.OrderKey, j.LastError,
		})
	}
	if err := a.write(table(rows)); err != nil {
		return err
	}
	if more {
		a.note("there are more; see them with --limit")
	}
	return nil
}

func (a *app) queuePeekCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "peek NUMBER",
		Short:   "Write an event that runs or waits",
		Long:    "Write an event that runs or waits, as it is, to standard output, and leave it where it\nis; with --json, what is known of it too, and the event in base64.",
		Example: "  ledge queue peek 5\n  ledge queue peek 5 --json",
		Args:    arguments("NUMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := queued().pathOf(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			var job queuedJob
			raw, err := c.call(cmd.Context(), request{method: http.MethodGet, path: path}, replyTimeout, &job)
			if e, missing := isCode(err, awsNotFound); missing {
				return &Error{Code: e.Code, Message: "there is no event " + args[0] + " in the queue", Hint: "see which there are: ledge queue ls", Err: err}
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			return a.writePayload(job.Payload, nil)
		},
	}
}

// queueStats is how the queue stands.
type queueStats struct {
	Jobs, Running      int
	Bytes              int64
	Dropped            uint64
	DeadLetters        int
	DeadLettersDropped uint64
	Functions          []struct {
		Function               string
		Waiting, Held, Running int
		AtLeast                bool
		NextDue                time.Time
	}
}

func (a *app) queueStatsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "stats",
		Short:   "Show how the queue stands",
		Long:    "Show how many events there are, by function, and when the first of each is due.",
		Example: "  ledge queue stats",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var stats queueStats
			raw, err := c.call(cmd.Context(), request{method: http.MethodGet, path: pathQueue}, replyTimeout, &stats)
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			return a.write(append(stats.totals(), stats.table()...))
		},
	}
}

func (s *queueStats) totals() []byte {
	var f fields
	f.add("events", fmt.Sprintf("%d, %d of them running", s.Jobs, s.Running))
	f.add("size", formatSize(s.Bytes))
	f.add("given up", strconv.Itoa(s.DeadLetters))
	if s.Dropped > 0 {
		f.add("dropped", fmt.Sprintf("%d, because the queue was full", s.Dropped))
	}
	if s.DeadLettersDropped > 0 {
		f.add("forgotten", fmt.Sprintf("%d that were given up, because later ones were", s.DeadLettersDropped))
	}
	return f.b.Bytes()
}

func (s *queueStats) table() []byte {
	if len(s.Functions) == 0 {
		return nil
	}
	rows := [][]string{{"FUNCTION", "WAITING", "HELD", "RUNNING", "NEXT DUE"}}
	for _, q := range s.Functions {
		waiting, due := strconv.Itoa(q.Waiting), ""
		if q.AtLeast {
			waiting += "+"
		}
		if !q.NextDue.IsZero() {
			due = q.NextDue.UTC().Format(time.RFC3339)
		}
		rows = append(rows, []string{q.Function, waiting, strconv.Itoa(q.Held), strconv.Itoa(q.Running), due})
	}
	return append([]byte("\n"), table(rows)...)
}
