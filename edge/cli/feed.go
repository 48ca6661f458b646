package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	// pathMappings is where Lambda has event source mappings
	// (https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html):
	// a feed is one.
	pathMappings = "/2015-03-31/event-source-mappings"
	// pathFeeds is where the node tells how far feeds are.
	pathFeeds = "/v1/feeds"
)

const feedLong = `A feed runs a function when data changes: it gets what was written to a bucket and
what was removed, with the values before and after, in batches and in order per key,
in the form in which AWS Lambda gets the records of DynamoDB Streams.

A change is delivered at least once. One that fails is tried again; what is given up,
after all retries or after a day, is kept: see "ledge failed ls".`

// feed is a change feed as the node shows it.
type feed struct {
	UUID       string
	Function   string
	Qualifier  string
	Bucket     string
	State      string
	LagRecords uint64
	LagSeconds float64
	Delivered  uint64
	GivenUp    uint64
	Lost       uint64
	LastResult string
	LastError  string
	Failures   int
	LastRun    time.Time
	Lanes      []struct{ Passed uint64 }
}

// lag says how much waits, and since when.
func (f feed) lag() string {
	if f.LagRecords == 0 {
		return "none"
	}
	since := time.Duration(f.LagSeconds * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%d, %s", f.LagRecords, since)
}

func (a *app) feedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "feed",
		Short:   "Run functions when data changes",
		Long:    feedLong,
		Example: "  ledge feed add index orders/new/ --batch 10\n  ledge feed ls\n  ledge feed pause 0b8a7c1e-6a35-4d77-90cb-0eab67c7b59a",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.feedAddCommand(), a.feedListCommand(), a.feedGetCommand(),
		a.feedSwitchCommand("pause", false), a.feedSwitchCommand("resume", true), a.feedRemoveCommand())
	return cmd
}

var feedID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// feedPath is where the node has a feed.
func feedPath(id string) (string, error) {
	if !feedID.MatchString(id) {
		return "", &usageError{Message: fmt.Sprintf("%q is not a feed", id), Hint: "a feed is named by its UUID; see which there are: ledge feed ls"}
	}
	return pathMappings + "/" + id, nil
}

// missingFeed makes the sentence for a feed that is not there out of a reply that says
// so; other errors pass.
func missingFeed(err error, id string) error {
	e, missing := isCode(err, awsNotFound)
	if !missing {
		return err
	}
	return &Error{Code: e.Code, Message: "there is no feed " + id, Hint: "see which there are: ledge feed ls", Err: err}
}

// feeds returns all feeds, and the reply as it came.
func (c *client) feeds(ctx context.Context) ([]feed, []byte, error) {
	var reply struct{ Feeds []feed }
	raw, err := c.call(ctx, request{method: http.MethodGet, path: pathFeeds}, replyTimeout, &reply)
	return reply.Feeds, raw, err
}

func (a *app) feedListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the feeds",
		Long:    "List the feeds, with what waits for them: how many changes at most, and for how long\nthe oldest has.",
		Example: "  ledge feed ls\n  ledge feed ls --json | jq '.Feeds[] | select(.LagSeconds > 60)'",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			feeds, raw, err := c.feeds(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			if len(feeds) == 0 {
				a.note("no feeds; make one with: ledge feed add FUNCTION BUCKET")
				return nil
			}
			rows := [][]string{{"FEED", "BUCKET", "FUNCTION", "STATE", "WAITING", "DELIVERED", "GIVEN UP", "LAST RESULT"}}
			for _, f := range feeds {
				rows = append(rows, []string{
					f.UUID, f.Bucket, target{f.Function, f.Qualifier}.String(), f.State, f.lag(),
					strconv.FormatUint(f.Delivered, 10), strconv.FormatUint(f.GivenUp, 10), f.LastResult,
				})
			}
			return a.write(table(rows))
		},
	}
}

// mapping is AWS Lambda's EventSourceMappingConfiguration.
type mapping struct {
	UUID                           string
	EventSourceArn                 string
	FunctionArn                    string
	State                          string
	StateTransitionReason          string
	LastProcessingResult           string
	StartingPosition               string
	BatchSize                      int
	MaximumBatchingWindowInSeconds int
	BisectBatchOnFunctionError     bool
	FunctionResponseTypes          []string
	MaximumRecordAgeInSeconds      int
	MaximumRetryAttempts           *int
	ParallelizationFactor          int
	FilterCriteria                 struct{ Filters []struct{ Pattern string } }
	DestinationConfig              struct{ OnFailure struct{ Destination string } }
}

func (a *app) feedGetCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "get FEED",
		Short:   "Show a feed",
		Long:    "Show how a feed is set up, how far it is, and what it has trouble with.",
		Example: "  ledge feed get 0b8a7c1e-6a35-4d77-90cb-0eab67c7b59a",
		Args:    arguments("FEED"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := feedPath(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.feedGet(cmd.Context(), c, args[0], path)
		},
		ValidArgsFunction: a.completeFeed,
	}
}

func (a *app) feedGet(ctx context.Context, c *client, id, path string) error {
	var m mapping
	raw, err := c.call(ctx, request{method: http.MethodGet, path: path}, replyTimeout, &m)
	if err != nil {
		return missingFeed(err, id)
	}
	if a.json {
		return a.writeJSON(json.RawMessage(raw))
	}
	var shown fields
	shown.add("Feed", m.UUID)
	shown.add("Source", m.EventSourceArn)
	shown.add("Function", functionOf(m.FunctionArn))
	shown.add("State", m.State)
	if m.State == "Enabling" {
		shown.add("Why", m.StateTransitionReason)
	}
	shown.add("Last result", m.LastProcessingResult)
	shown.add("Start", map[string]string{"TRIM_HORIZON": "oldest", "LATEST": "newest"}[m.StartingPosition])
	shown.add("Batch", m.describeBatch())
	shown.add("On error", m.describeErrors())
	for _, f := range m.FilterCriteria.Filters {
		shown.add("Filter", f.Pattern)
	}
	// A key that is for some functions may not see all feeds: it is shown what it may.
	feeds, _, err := c.feeds(ctx)
	if _, denied := isCode(err, awsDenied); err != nil && !denied {
		return err
	}
	for _, f := range feeds {
		if f.UUID != m.UUID {
			continue
		}
		shown.add("Waiting", f.lag())
		shown.add("Delivered", strconv.FormatUint(f.Delivered, 10))
		shown.add("Given up", strconv.FormatUint(f.GivenUp, 10))
		if f.Lost > 0 {
			shown.add("Lost", strconv.FormatUint(f.Lost, 10))
		}
		if f.Failures > 0 {
			shown.add("Failing", fmt.Sprintf("%d times in a row: %s", f.Failures, f.LastError))
		}
	}
	return a.write(shown.b.Bytes())
}

func (m mapping) describeBatch() string {
	text := fmt.Sprintf("up to %d changes", m.BatchSize)
	if m.MaximumBatchingWindowInSeconds > 0 {
		text += fmt.Sprintf(", or those of %d s", m.MaximumBatchingWindowInSeconds)
	}
	if m.ParallelizationFactor > 1 {
		text += fmt.Sprintf(", %d at a time", m.ParallelizationFactor)
	}
	return text
}

func (m mapping) describeErrors() string {
	var parts []string
	if m.MaximumRetryAttempts != nil && *m.MaximumRetryAttempts >= 0 {
		parts = append(parts, fmt.Sprintf("%d retries", *m.MaximumRetryAttempts))
	} else {
		parts = append(parts, "retries for a day")
	}
	if m.MaximumRecordAgeInSeconds > 0 {
		parts = append(parts, fmt.Sprintf("changes up to %s old", time.Duration(m.MaximumRecordAgeInSeconds)*time.Second))
	}
	if m.BisectBatchOnFunctionError {
		parts = append(parts, "smaller batches")
	}
	if len(m.FunctionResponseTypes) > 0 {
		parts = append(parts, "what the function reports as failed")
	}
	if to := m.DestinationConfig.OnFailure.Destination; to != "" {
		parts = append(parts, "then to "+functionOf(to))
	}
	return strings.Join(parts, ", ")
}

// feedSwitchCommand is pause or resume.
func (a *app) feedSwitchCommand(verb string, enabled bool) *cobra.Command {
	long := "Pause feeds. A batch that runs is brought to its end. What changes meanwhile is\ndelivered when the feed is resumed, if that is within a day. Once the bucket's stream\nis full, it refuses writes or drops the oldest changes, as \"ledge kv bucket\" says."
	if enabled {
		long = "Resume feeds that were paused, where they were."
	}
	return &cobra.Command{
		Use:     verb + " FEED...",
		Short:   strings.ToUpper(verb[:1]) + verb[1:] + " feeds",
		Long:    long,
		Example: "  ledge feed " + verb + " 0b8a7c1e-6a35-4d77-90cb-0eab67c7b59a",
		Args:    arguments("FEED..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			paths := make([]string, len(args))
			for i, arg := range args { // all of them before the first is changed
				var err error
				if paths[i], err = feedPath(arg); err != nil {
					return err
				}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			for i, path := range paths {
				r, err := jsonRequest(http.MethodPut, path, map[string]bool{"Enabled": enabled})
				if err != nil {
					return err
				}
				if _, err := c.call(cmd.Context(), r, replyTimeout, nil); err != nil {
					return missingFeed(err, args[i])
				}
				if !a.json {
					if err := a.write([]byte(verb + "d " + args[i] + "\n")); err != nil {
						return err
					}
				}
			}
			if a.json {
				return a.writeJSON(map[string]any{"Feeds": args})
			}
			return nil
		},
		ValidArgsFunction: a.completeFeeds,
	}
}

func (a *app) feedRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm FEED...",
		Short:   "Remove feeds",
		Long:    "Remove feeds, at once and without asking. The data stays.",
		Example: "  ledge feed rm 0b8a7c1e-6a35-4d77-90cb-0eab67c7b59a",
		Args:    arguments("FEED..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			removals := make([]removal, len(args))
			for i, arg := range args { // all of them before the first goes
				path, err := feedPath(arg)
				if err != nil {
					return err
				}
				removals[i] = removal{"feed", arg, path, "ledge feed ls"}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.removeEach(cmd.Context(), c, removals)
		},
		ValidArgsFunction: a.completeFeeds,
	}
}

// completeFeed completes the first argument of a command.
func (a *app) completeFeed(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeFeeds(cmd, args, "")
}

// completeFeeds completes every argument.
func (a *app) completeFeeds(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.ask(cmd, func(ctx context.Context, c *client) []string {
		feeds, _, err := c.feeds(ctx)
		if err != nil {
			return nil
		}
		words := make([]string, len(feeds))
		for i, f := range feeds {
			words[i] = f.UUID
		}
		return words
	})
}
