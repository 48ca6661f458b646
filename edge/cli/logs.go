package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const logsLong = `Show what a function logged, oldest first: the time, the beginning of the
invocation's request id, and the text. With -f it goes on with what the function
logs from now on, until Ctrl-C.

--since takes how long ago (10m) or when (2026-11-23T10:00:00Z). With --json each
line is one JSON object, as the node sent it.`

const logsExample = `  ledge logs hello --since 10m
  ledge logs hello -f
  ledge logs hello --limit 100 --json | jq -r .Text`

func (a *app) logsCommand() *cobra.Command {
	var follow bool
	var since string
	var limit int
	cmd := &cobra.Command{
		Use:     "logs NAME",
		Short:   "Show what a function logged",
		Long:    logsLong,
		Example: logsExample,
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := parseName(args[0])
			if err != nil {
				return err
			}
			query := url.Values{}
			if since != "" {
				if since, err = checkSince(since); err != nil {
					return err
				}
				query.Set("since", since)
			}
			if cmd.Flags().Changed("limit") {
				if limit < 1 {
					return usagef("--limit: %d is less than 1", limit)
				}
				query.Set("limit", strconv.Itoa(limit))
			}
			if follow {
				query.Set("follow", "1")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.logs(cmd.Context(), c, name, query, follow)
		},
		ValidArgsFunction: a.completeFunction,
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new records")
	textFlag(cmd.Flags(), &since, "since", "WHEN", "only what was logged since: 10m, 24h or a time in RFC 3339")
	cmd.Flags().IntVar(&limit, "limit", 0, "only the newest `N` records (default: all that are kept)")
	return cmd
}

// checkSince leaves a duration a duration: the node's clock decides what was
// ten minutes ago, not this machine's.
func checkSince(text string) (string, error) {
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return text, nil
	}
	d, err := parseDuration(text)
	if err != nil {
		return "", usagef("--since: %q is neither a duration (10m) nor a time (2026-11-23T10:00:00Z)", text)
	}
	return d.String(), nil
}

// maxLogLine bounds one record of the stream, in bytes: the most that an
// invocation may log, and room for JSON's escapes.
const maxLogLine = 96 << 20

func (a *app) logs(ctx context.Context, c *client, name string, query url.Values, follow bool) error {
	r := request{method: http.MethodGet, path: pathDeploy + url.PathEscape(name) + "/logs", query: query}
	resp, err := c.send(ctx, r)
	if err != nil {
		if follow && errors.Is(err, context.Canceled) {
			return nil // Ctrl-C is how following ends
		}
		return missingFunction(err, target{Name: name})
	}
	defer resp.Body.Close() // read to its end or given up: nothing to lose

	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLogLine)
	records := 0
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue // keeps the connection open
		}
		text, err := a.renderLog(lines.Bytes())
		if err != nil {
			return &Error{Code: codeBadAnswer, Message: fmt.Sprintf("%s sent a log record that is none: %s", c.node, excerpt(lines.Bytes())), Err: err}
		}
		if err := a.write(text); err != nil {
			return err
		}
		records++
	}
	switch err := lines.Err(); {
	case ctx.Err() != nil && follow:
		return nil
	case err != nil:
		return c.brokenReply(ctx, err)
	case follow:
		return &Error{Code: codeUnreachable, Message: "the appliance at " + c.node + " ended the log", Hint: "it may be restarting; see its output"}
	}
	if records == 0 {
		a.note("no log records of %s", name)
	}
	return nil
}

// renderLog returns the lines for one record.
func (a *app) renderLog(line []byte) ([]byte, error) {
	var record logRecord
	if err := json.Unmarshal(line, &record); err != nil {
		return nil, err
	}
	if a.json {
		return append(line[:len(line):len(line)], '\n'), nil
	}
	prefix := record.At.UTC().Format("2006-01-02T15:04:05.000Z") + " " + oneLine(shortID(record.RequestID)) + " "
	var b strings.Builder
	for text := range strings.SplitSeq(strings.TrimRight(record.Text, "\r\n"), "\n") {
		b.WriteString(prefix)
		// Tabs are common in logs, and harmless.
		b.WriteString(printable(strings.TrimSuffix(text, "\r")))
		b.WriteByte('\n')
	}
	return []byte(b.String()), nil
}

// shortID is enough of a request id to tell invocations apart by eye.
func shortID(id string) string {
	if id == "" {
		return "-"
	}
	return id[:min(len(id), 8)]
}
