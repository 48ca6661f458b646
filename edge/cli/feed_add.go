package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const feedAddLong = feedLong + `

BUCKET is a shared bucket, or function.NAME for a function's own. With a PREFIX only
keys that begin with it are delivered; with --filter only records that match one of
the patterns, which are written as for Amazon EventBridge:

  {"eventName": ["REMOVE"]}
  {"dynamodb": {"NewImage": {"value": {"M": {"celsius": {"N": [{"numeric": [">", 80]}]}}}}}}

With --parallel several batches are delivered at a time, each of other keys.`

const feedAddExample = `  ledge feed add index orders
  ledge feed add alarm sensors/boiler/ --filter '{"eventName":["INSERT","MODIFY"]}'
  ledge feed add index orders --start oldest --batch 500 --window 5s --bisect --retries 3 --on-failure rescue`

// bucketName is the form of a bucket's name; the node knows the rest.
var bucketName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,72}$`)

// newFeed is the request that makes a feed. What is nil is the node's to choose.
type newFeed struct {
	FunctionName                   string
	EventSourceArn                 string
	StartingPosition               string
	BatchSize                      *int            `json:",omitempty"`
	MaximumBatchingWindowInSeconds *int            `json:",omitempty"`
	MaximumRetryAttempts           *int            `json:",omitempty"`
	MaximumRecordAgeInSeconds      *int            `json:",omitempty"`
	ParallelizationFactor          *int            `json:",omitempty"`
	BisectBatchOnFunctionError     bool            `json:",omitempty"`
	FunctionResponseTypes          []string        `json:",omitempty"`
	FilterCriteria                 *feedFilters    `json:",omitempty"`
	DestinationConfig              *feedOnFailures `json:",omitempty"`
}

type feedFilters struct{ Filters []feedPattern }

type feedPattern struct{ Pattern string }

type feedOnFailures struct{ OnFailure struct{ Destination string } }

// feedFlags are the flags of "ledge feed add".
type feedFlags struct {
	start, window, maxAge, onFailure string
	filters                          []string
	batch, retries, parallel         int
	bisect, partial                  bool
}

func (a *app) feedAddCommand() *cobra.Command {
	var f feedFlags
	cmd := &cobra.Command{
		Use:     "add FUNCTION[:QUALIFIER] BUCKET[/PREFIX]",
		Short:   "Run a function when a bucket changes",
		Long:    feedAddLong,
		Example: feedAddExample,
		Args:    arguments("FUNCTION", "BUCKET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			wanted, err := f.request(cmd, t, args[1])
			if err != nil {
				return err
			}
			r, err := jsonRequest(http.MethodPost, pathMappings, wanted)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			var made mapping
			raw, err := c.call(cmd.Context(), r, replyTimeout, &made)
			if e, exists := isCode(err, awsConflict); exists {
				told := e.explain()
				told.Hint = "see it with: ledge feed ls; a bucket feeds a function once, with up to five filters"
				return told
			}
			if err != nil {
				return missingFunction(err, t)
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			return a.write([]byte("added feed " + oneLine(made.UUID) + "\n"))
		},
		ValidArgsFunction: a.completeFunction,
	}
	flags := cmd.Flags()
	textFlag(flags, &f.start, "start", "WHERE", "newest (what is written from now on) or oldest (what the bucket's stream still has) (default newest)")
	flags.IntVar(&f.batch, "batch", 0, "most changes that the function gets at once, 1 to 10000 (default 100)")
	textFlag(flags, &f.window, "window", "DURATION", "how long to wait for a batch to fill, up to 5m (default 0s)")
	listFlag(flags, &f.filters, "filter", "JSON", "pattern of records that are wanted")
	flags.IntVar(&f.retries, "retries", 0, "how often a batch that fails is tried again; -1 for as long as its changes are kept (default -1)")
	textFlag(flags, &f.maxAge, "max-age", "DURATION", "how old a change may be that is tried again, 1m to 168h (default a day)")
	flags.BoolVar(&f.bisect, "bisect", false, "split a batch that fails, to find the change that is the cause")
	flags.BoolVar(&f.partial, "partial", false, "the function reports which records failed (batchItemFailures)")
	flags.IntVar(&f.parallel, "parallel", 0, "batches at a time, 1 to 10, each of other keys (default 1)")
	textFlag(flags, &f.onFailure, "on-failure", "FUNCTION", "gets what is given up, instead of the failed events")
	choices(cmd, "start", "newest", "oldest")
	completions(cmd, "on-failure", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.functionNames(cmd)
	})
	return cmd
}

// Bounds of what a feed may be told, as the node has them, which are Lambda's.
const (
	maxFeedBatch   = 10_000
	maxFeedWindow  = 5 * time.Minute
	maxFeedRetries = 10_000
	maxFeedLanes   = 10
	minFeedAge     = time.Minute
	maxFeedAge     = 7 * 24 * time.Hour
)

// request makes of the flags what the node is asked for.
func (f *feedFlags) request(cmd *cobra.Command, t target, source string) (newFeed, error) {
	bucket, prefix, _ := strings.Cut(source, "/")
	if !bucketName.MatchString(bucket) {
		return newFeed{}, &usageError{Message: fmt.Sprintf("%q is not the name of a bucket", bucket), Hint: "see which there are: ledge kv buckets"}
	}
	wanted := newFeed{
		FunctionName:               t.String(),
		EventSourceArn:             "arn:aws:dynamodb:" + defaultRegion + ":000000000000:table/" + bucket + "/stream/LATEST",
		BisectBatchOnFunctionError: f.bisect,
	}
	switch f.start {
	case "", "newest":
		wanted.StartingPosition = "LATEST"
	case "oldest":
		wanted.StartingPosition = "TRIM_HORIZON"
	default:
		return newFeed{}, usagef("a feed starts at the oldest or the newest change, not at %q", f.start)
	}
	for _, number := range []struct {
		flag               string
		value, least, most int
		at                 **int
	}{
		{"batch", f.batch, 1, maxFeedBatch, &wanted.BatchSize},
		{"retries", f.retries, -1, maxFeedRetries, &wanted.MaximumRetryAttempts},
		{"parallel", f.parallel, 1, maxFeedLanes, &wanted.ParallelizationFactor},
	} {
		switch {
		case !cmd.Flags().Changed(number.flag):
		case number.value < number.least || number.value > number.most:
			return newFeed{}, usagef("--%s: %d is not from %d to %d", number.flag, number.value, number.least, number.most)
		default:
			*number.at = &number.value
		}
	}
	var err error
	if wanted.MaximumBatchingWindowInSeconds, err = wholeSeconds("window", f.window, 0, maxFeedWindow); err != nil {
		return newFeed{}, err
	}
	if wanted.MaximumRecordAgeInSeconds, err = wholeSeconds("max-age", f.maxAge, minFeedAge, maxFeedAge); err != nil {
		return newFeed{}, err
	}
	if f.partial {
		wanted.FunctionResponseTypes = []string{"ReportBatchItemFailures"}
	}
	if wanted.FilterCriteria, err = filtersOf(f.filters, prefix); err != nil {
		return newFeed{}, err
	}
	if f.onFailure == "" {
		return wanted, nil
	}
	to, err := parseTarget(f.onFailure)
	if err != nil {
		return newFeed{}, err
	}
	wanted.DestinationConfig = new(feedOnFailures)
	wanted.DestinationConfig.OnFailure.Destination = to.arn()
	return wanted, nil
}

// wholeSeconds reads a duration in the unit that the node takes, which is held to its
// bounds; nil where the flag was not given.
func wholeSeconds(flag, text string, least, most time.Duration) (*int, error) {
	if text == "" {
		return nil, nil
	}
	d, err := parseDuration(text)
	if err != nil {
		return nil, usagef("--%s: %s", flag, err)
	}
	if d%time.Second != 0 {
		return nil, usagef("--%s: %s is not a whole number of seconds", flag, text)
	}
	if d < least || d > most {
		return nil, usagef("--%s: %s is not from %s to %s", flag, text, shortDuration(least), shortDuration(most))
	}
	seconds := int(d / time.Second)
	return &seconds, nil
}

// shortDuration writes a duration as people do: 5m, not 5m0s.
func shortDuration(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return d.String()
}

// filtersOf returns patterns, each narrowed to keys that begin with prefix; nil where
// everything is wanted.
func filtersOf(patterns []string, prefix string) (*feedFilters, error) {
	if len(patterns) == 0 && prefix == "" {
		return nil, nil
	}
	if len(patterns) == 0 {
		patterns = []string{"{}"}
	}
	filters := new(feedFilters)
	for _, text := range patterns {
		if prefix != "" {
			var err error
			if text, err = narrowed(text, prefix); err != nil {
				return nil, err
			}
		}
		filters.Filters = append(filters.Filters, feedPattern{text})
	}
	return filters, nil
}

// narrowed adds to a pattern that the key begins with prefix.
func narrowed(text, prefix string) (string, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // numbers stay as they were written
	var pattern map[string]any
	if err := decoder.Decode(&pattern); err != nil || pattern == nil || decoder.More() {
		return "", usagef("--filter: %q is not a JSON object", text)
	}
	at := pattern
	for _, name := range []string{"dynamodb", "Keys"} {
		inner, isObject := at[name].(map[string]any)
		if at[name] != nil && !isObject {
			return "", usagef("--filter: %s must be an object in a pattern", name)
		}
		if inner == nil {
			inner = map[string]any{}
			at[name] = inner
		}
		at = inner
	}
	if at["key"] != nil {
		return "", &usageError{Message: "--filter: the pattern says which keys are wanted, and so does the prefix", Hint: "leave one of the two out"}
	}
	at["key"] = map[string]any{"S": []any{map[string]string{"prefix": prefix}}}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(pattern); err != nil {
		return "", fmt.Errorf("encode filter: %w", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
