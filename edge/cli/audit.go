package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

const pathAudit = "/v1/audit"

// auditRecord is one change of the node, or one that was refused or failed.
type auditRecord struct {
	Seq       uint64
	At        time.Time
	Caller    string // key ID; empty for the socket
	KeyName   string
	Peer      string
	Service   string
	Operation string
	Resource  string
	Outcome   string // empty: it goes on, or the node stopped meanwhile
	Status    int
	Error     string
}

// describeOutcome says what came of the change.
func (r auditRecord) describeOutcome() string {
	if r.Outcome == "" {
		return "unfinished"
	}
	text := r.Outcome
	if r.Status >= 300 {
		text += " " + strconv.Itoa(r.Status)
	}
	if r.Error != "" {
		text += ": " + r.Error
	}
	return text
}

const auditLong = `Show who changed what on the node, oldest first. A record is on disk before its
change begins; one that is "unfinished" is still going on, or the node stopped meanwhile.
The node keeps the last ten thousand or so.`

func (a *app) auditCommand() *cobra.Command {
	var since string
	newest := 50
	cmd := &cobra.Command{
		Use:     "audit",
		Short:   "Show who changed what",
		Long:    auditLong,
		Example: "  ledge audit\n  ledge audit --since 24h -n 1000\n  ledge audit -n 0 --json | jq -r 'select(.KeyName == \"pipeline\") | .Operation'",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if newest < 0 {
				return usagef("-n: %d is less than 0", newest)
			}
			var from time.Time
			if since != "" {
				var err error
				if from, err = time.Parse(time.RFC3339, since); err != nil {
					ago, err := parseDays(since)
					if err != nil {
						return usagef("--since: %q is neither a duration (24h, 7d) nor a time (2026-11-23T10:00:00Z)", since)
					}
					from = a.now().Add(-ago)
				}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.audit(cmd.Context(), c, from, newest)
		},
	}
	textFlag(cmd.Flags(), &since, "since", "WHEN", "only changes since: 24h, 7d or a time in RFC 3339")
	cmd.Flags().IntVarP(&newest, "limit", "n", newest, "only the newest `N`; 0: all that are kept")
	return cmd
}

// auditPage is how many records are asked for at once.
const auditPage = 500

// audit reads the whole log, which the node bounds, and shows its end.
func (a *app) audit(ctx context.Context, c *client, from time.Time, newest int) error {
	type entry struct {
		record auditRecord
		raw    json.RawMessage
	}
	var shown []entry
	after := uint64(0)
	for range maxPages {
		query := url.Values{"after": {strconv.FormatUint(after, 10)}, "limit": {strconv.Itoa(auditPage)}}
		var page struct{ Records []json.RawMessage }
		if _, err := c.call(ctx, request{method: http.MethodGet, path: pathAudit, query: query}, replyTimeout, &page); err != nil {
			return err
		}
		records, err := decodeEach[auditRecord](c, page.Records)
		if err != nil {
			return err
		}
		before := after
		for i, r := range records {
			after = max(after, r.Seq)
			if !r.At.Before(from) {
				shown = append(shown, entry{r, page.Records[i]})
			}
		}
		if newest > 0 && len(shown) > newest {
			shown = append(shown[:0:0], shown[len(shown)-newest:]...)
		}
		if after == before { // no newer ones
			break
		}
	}
	if a.json { // one object a line, as logs do
		for _, e := range shown {
			if err := a.write(append(e.raw[:len(e.raw):len(e.raw)], '\n')); err != nil {
				return err
			}
		}
		return nil
	}
	if len(shown) == 0 {
		a.note("nothing was changed")
		return nil
	}
	rows := [][]string{{"AT", "WHO", "FROM", "OPERATION", "OF", "OUTCOME"}}
	for _, e := range shown {
		r := e.record
		who := r.KeyName
		if who == "" {
			who = r.Caller
		}
		rows = append(rows, []string{r.At.UTC().Format("2006-01-02T15:04:05Z"), who, r.Peer, r.Service + ":" + r.Operation, r.Resource, r.describeOutcome()})
	}
	return a.write(table(rows))
}
