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

const pathLetters = "/v1/dead-letters"

// deadLetter is an event that the node gave up.
type deadLetter struct {
	Number    uint64
	Function  string
	Qualifier string
	RequestID string `json:"RequestId"`
	Reason    string
	LastError string
	Attempts  int
	GivenUp   time.Time
	Payload   []byte // only of one letter
}

const failedLong = `An event that nobody waits for, from "ledge invoke --async", a schedule or one of AWS's
tools, is tried again where its function fails. What is given up, after all retries or
because it is too old, goes to the function's on-failure destination; where there is
none it is kept here: the last thousand of them, at most 32 MB. "ledge queue retry" moves
them back into the queue.`

func (a *app) failedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "failed",
		Short:   "Show and remove events that were given up",
		Long:    failedLong,
		Example: "  ledge failed ls\n  ledge failed get 5\n  ledge queue retry 5\n  ledge failed rm 5",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.failedListCommand(), a.failedGetCommand(), a.failedRemoveCommand())
	return cmd
}

// numbered are events that have numbers: those that were given up, or those of the queue.
type numbered struct {
	what string // one of them
	path string // of all of them
	list string // the command that shows them
}

func givenUp() numbered { return numbered{"failed event", pathLetters, "ledge failed ls"} }
func queued() numbered  { return numbered{"queued event", pathJobs, "ledge queue ls"} }

// pathOf reads the number of an event, which becomes a part of a path.
func (n numbered) pathOf(text string) (string, error) {
	number, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return "", &usageError{Message: fmt.Sprintf("%q is not the number of an event", text), Hint: "see which there are: " + n.list}
	}
	return n.path + "/" + strconv.FormatUint(number, 10), nil
}

// removeNumbered removes events by their numbers, of which all are read before the first goes.
func (a *app) removeNumbered(ctx context.Context, n numbered, numbers []string) error {
	removals := make([]removal, len(numbers))
	for i, text := range numbers {
		path, err := n.pathOf(text)
		if err != nil {
			return err
		}
		removals[i] = removal{n.what, text, path, n.list}
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	return a.removeEach(ctx, c, removals)
}

func (a *app) failedListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the events that were given up",
		Long:    failedLong + "\n\nThe oldest is first.",
		Example: "  ledge failed ls",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.failedList(cmd.Context(), c)
		},
	}
}

// letters returns all dead letters, each as the node sent it.
func (c *client) letters(ctx context.Context) ([]json.RawMessage, error) {
	all := []json.RawMessage{} // a list even where it is empty, not null
	after := uint64(0)
	for range maxPages {
		var page struct {
			DeadLetters []json.RawMessage
			More        bool
		}
		query := url.Values{"after": {strconv.FormatUint(after, 10)}}
		raw, err := c.call(ctx, request{method: http.MethodGet, path: pathLetters, query: query}, replyTimeout, &page)
		if err != nil {
			return nil, err
		}
		all = append(all, page.DeadLetters...)
		if !page.More {
			return all, nil
		}
		last := deadLetter{}
		if n := len(page.DeadLetters); n == 0 || json.Unmarshal(page.DeadLetters[n-1], &last) != nil || last.Number <= after {
			return nil, c.notAList(raw, nil)
		}
		after = last.Number
	}
	return nil, &Error{Code: codeBadAnswer, Message: "the list of failed events of " + c.node + " does not end"}
}

func (a *app) failedList(ctx context.Context, c *client) error {
	raw, err := c.letters(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(map[string]any{"DeadLetters": raw})
	}
	list, err := decodeEach[deadLetter](c, raw)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		a.note("no event was given up")
		return nil
	}
	rows := [][]string{{"NUMBER", "GIVEN UP", "FUNCTION", "ATTEMPTS", "WHY", "LAST ERROR"}}
	for _, l := range list {
		rows = append(rows, []string{
			strconv.FormatUint(l.Number, 10), l.GivenUp.UTC().Format(time.RFC3339), target{l.Function, l.Qualifier}.String(),
			strconv.Itoa(l.Attempts), l.Reason, l.LastError,
		})
	}
	return a.write(table(rows))
}

func (a *app) failedGetCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "get NUMBER",
		Short:   "Write an event that was given up",
		Long:    "Write an event that was given up, as it is, to standard output; with --json, what is\nknown of it too, and the event in base64.",
		Example: "  ledge failed get 5\n  ledge failed get 5 | ledge invoke hello --async --payload -",
		Args:    arguments("NUMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := givenUp().pathOf(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			var letter deadLetter
			raw, err := c.call(cmd.Context(), request{method: http.MethodGet, path: path}, replyTimeout, &letter)
			if e, missing := isCode(err, awsNotFound); missing {
				return &Error{Code: e.Code, Message: "there is no failed event " + args[0], Hint: "see which there are: ledge failed ls", Err: err}
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			return a.writePayload(letter.Payload, nil)
		},
		ValidArgsFunction: a.completeLetters,
	}
}

func (a *app) failedRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NUMBER...",
		Short:   "Remove events that were given up",
		Long:    "Remove events that were given up, at once and without asking. It stops at the first\nthat cannot be removed.",
		Example: "  ledge failed rm 5 6",
		Args:    arguments("NUMBER..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.removeNumbered(cmd.Context(), givenUp(), args)
		},
		ValidArgsFunction: a.completeLetters,
	}
}

// completeLetters completes the numbers of dead letters.
func (a *app) completeLetters(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && cmd.Name() == "get" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.ask(cmd, func(ctx context.Context, c *client) []string {
		raw, err := c.letters(ctx)
		if err != nil {
			return nil
		}
		list, err := decodeEach[deadLetter](c, raw)
		if err != nil {
			return nil
		}
		words := make([]string, len(list))
		for i, l := range list {
			words[i] = strconv.FormatUint(l.Number, 10)
		}
		return words
	})
}
