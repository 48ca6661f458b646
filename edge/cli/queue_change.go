package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) queueRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NUMBER...",
		Short:   "Remove events that wait",
		Long:    "Remove events that wait, at once and without asking. It stops at the first that cannot\nbe removed, as one that runs cannot.",
		Example: "  ledge queue rm 5 6",
		Args:    arguments("NUMBER..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.removeNumbered(cmd.Context(), queued(), args)
		},
	}
}

func (a *app) queueRetryCommand() *cobra.Command {
	var all bool
	var function string
	cmd := &cobra.Command{
		Use:   "retry NUMBER... | --all [--function FUNCTION]",
		Short: "Move events that were given up back into the queue",
		Long: `Move events that were given up back into the queue, each with all of its attempts before
it. The numbers are those of "ledge failed ls". It stops at the first that cannot be
moved; with --all those whose function is gone stay, and the others are moved.`,
		Example:           "  ledge queue retry 5 6\n  ledge queue retry --all --function hello",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeLetters,
	}
	cmd.Flags().BoolVar(&all, "all", false, "all that were given up")
	textFlag(cmd.Flags(), &function, "function", "FUNCTION", "with --all: those of one function")
	completions(cmd, "function", a.completeFunction)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case all == (len(args) > 0):
			return usagef("name the events to be tried again, or give --all")
		case function != "" && !all:
			return usagef("--function goes with --all")
		}
		for _, arg := range args {
			if _, err := givenUp().pathOf(arg); err != nil {
				return err
			}
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		if all {
			if args, err = c.lettersOf(cmd.Context(), function); err != nil {
				return err
			}
		}
		return a.queueRetry(cmd.Context(), c, args, all)
	}
	return cmd
}

// lettersOf returns the numbers of the dead letters of a function, or of all.
func (c *client) lettersOf(ctx context.Context, function string) (numbers []string, err error) {
	raw, err := c.letters(ctx)
	if err != nil {
		return nil, err
	}
	list, err := decodeEach[deadLetter](c, raw)
	if err != nil {
		return nil, err
	}
	for _, l := range list {
		if function == "" || l.Function == function {
			numbers = append(numbers, strconv.FormatUint(l.Number, 10))
		}
	}
	return numbers, nil
}

// queueRetry moves dead letters. With goOn those that are not found, or whose function is
// not, keep no others: they are told of at the end.
func (a *app) queueRetry(ctx context.Context, c *client, numbers []string, goOn bool) error {
	moved := []string{}
	var failed error
	for _, number := range numbers {
		_, err := c.call(ctx, request{method: http.MethodPost, path: pathLetters + "/" + number + "/retry"}, replyTimeout, nil)
		if err == nil {
			moved = append(moved, number)
			continue
		}
		failed = cmp.Or(failed, err)
		if _, missing := isCode(err, awsNotFound); !missing || !goOn {
			failed = err
			break
		}
	}
	if failed != nil {
		if len(moved) > 0 {
			a.note("moved %d of %d events", len(moved), len(numbers))
		}
		return failed
	}
	if a.json {
		return a.writeJSON(map[string]any{"Moved": moved})
	}
	if len(moved) == 0 {
		a.note("no event was given up")
		return nil
	}
	return a.write(fmt.Appendf(nil, "moved %d back into the queue\n", len(moved)))
}

func (a *app) queuePurgeCommand() *cobra.Command {
	var function string
	var dead, yes bool
	cmd := &cobra.Command{
		Use:   "purge [--function FUNCTION] [--dead]",
		Short: "Remove all events that wait",
		Long: `Remove all events that wait; those that run stay. With --dead those that were given up
are removed instead. What is removed is gone, so it wants --yes.`,
		Example: "  ledge queue purge --function hello --yes\n  ledge queue purge --dead --yes",
		Args:    arguments(),
	}
	textFlag(cmd.Flags(), &function, "function", "FUNCTION", "only those of one function")
	cmd.Flags().BoolVar(&dead, "dead", false, "those that were given up, instead of those that wait")
	cmd.Flags().BoolVar(&yes, "yes", false, "remove them")
	completions(cmd, "function", a.completeFunction)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, query, what := pathQueue, url.Values{}, "that wait"
		var t target
		if function != "" {
			var err error
			if t, err = parseTarget(function); err != nil {
				return err
			}
			if t.Qualifier != "" {
				return usagef("the queue of a function is purged for all of its versions; leave out %q", ":"+t.Qualifier)
			}
			path += "/" + url.PathEscape(t.Name)
		}
		if dead {
			path, what = pathLetters, "that were given up"
			if function != "" {
				query.Set("function", function)
			}
		}
		if !yes {
			of := "all functions"
			if function != "" {
				of = function
			}
			return &usageError{Message: fmt.Sprintf("this removes all events of %s %s, for good", of, what), Hint: "if that is what you want, give --yes too"}
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		var reply struct{ Removed int }
		if _, err := c.call(cmd.Context(), request{method: http.MethodDelete, path: path, query: query}, purgeTimeout, &reply); err != nil {
			return missingFunction(err, t)
		}
		if a.json {
			return a.writeJSON(reply)
		}
		return a.write(fmt.Appendf(nil, "removed %d\n", reply.Removed))
	}
	return cmd
}

// purgeTimeout is long enough for a queue of a million events on a slow card.
const purgeTimeout = 10 * time.Minute

func (a *app) queueOrderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "order FUNCTION[:QUALIFIER] on|off",
		Short: "Have a function's events run one after the other, or not",
		Long: `With "on" the events that are sent to a function from now on run one after the other, in
the order in which they were queued: the next begins when the one before has succeeded
or was given up. An event that is tried again keeps those behind it waiting.`,
		Example: "  ledge queue order counter on",
		Args:    arguments("FUNCTION", "on|off"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			if args[1] != "on" && args[1] != "off" {
				return usagef("the order of a function is on or off, not %q", args[1])
			}
			settings := map[string]any{"Ordered": args[1] == "on"}
			return a.queueSet(cmd.Context(), t, settings, "order of "+t.String()+": "+args[1])
		},
		ValidArgsFunction: a.completeFunction,
	}
	return cmd
}

// queueSet changes settings of a function's queue, and says what was done.
func (a *app) queueSet(ctx context.Context, t target, settings map[string]any, done string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	req, err := jsonRequest(http.MethodPut, pathQueue+"/"+url.PathEscape(t.Name)+"/settings", settings)
	if err != nil {
		return err
	}
	if t.Qualifier != "" {
		req.query = url.Values{"Qualifier": {t.Qualifier}}
	}
	raw, err := c.call(ctx, req, replyTimeout, nil)
	if err != nil {
		return missingFunction(err, t)
	}
	if a.json {
		return a.writeJSON(json.RawMessage(raw))
	}
	return a.write([]byte(done + "\n"))
}

// Bounds of a batch, as the node has them.
const (
	maxBatchSize   = 1000
	maxBatchWindow = 300 * time.Second
)

func (a *app) queueBatchCommand() *cobra.Command {
	var window time.Duration
	cmd := &cobra.Command{
		Use:   "batch FUNCTION[:QUALIFIER] N|off",
		Short: "Have a function get its events in batches, or each as it is",
		Long: `With a number, 2 to 1000, up to so many of the events that wait for a function go to it in
one invocation, as Lambda's functions get messages from SQS: {"Records": [{"messageId":
"...", "body": "...", ...}]}, also where there is only one. A body is the event as text; one
that is not text is in base64, and has a messageAttribute Encoding that says so. A function
that answers {"batchItemFailures": [{"itemIdentifier": "MESSAGE ID"}]} says which of them
failed; an error fails all. What failed is tried again alone, so that it spoils no others.

With --window a batch waits so long, since its first event was due, for more of them.
Events of one order go one by one still: a batch has at most one of each order key. It
holds too for the events that wait already.`,
		Example: "  ledge queue batch counter 100 --window 5s\n  ledge queue batch counter off",
		Args:    arguments("FUNCTION", "N|off"),
	}
	cmd.Flags().DurationVar(&window, "window", 0, "how long a batch waits to be filled, in seconds, up to 300s")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := parseTarget(args[0])
		if err != nil {
			return err
		}
		if args[1] == "off" {
			if window != 0 {
				return usagef("--window goes with a number of events")
			}
			return a.queueSet(cmd.Context(), t, map[string]any{"BatchSize": 0}, "batches of "+t.String()+": off")
		}
		size, err := strconv.Atoi(args[1])
		if err != nil || size < 2 || size > maxBatchSize {
			return usagef("a batch has 2 to %d events, or is off, not %q", maxBatchSize, args[1])
		}
		if window < 0 || window > maxBatchWindow || window%time.Second != 0 {
			return usagef("--window must be whole seconds, up to %s, not %s", maxBatchWindow, window)
		}
		settings := map[string]any{"BatchSize": size, "BatchWindowSeconds": int(window / time.Second)}
		done := fmt.Sprintf("batches of %s: up to %d events", t, size)
		if window > 0 {
			done += fmt.Sprintf(", waiting up to %s", window)
		}
		return a.queueSet(cmd.Context(), t, settings, done)
	}
	cmd.ValidArgsFunction = a.completeFunction
	return cmd
}
