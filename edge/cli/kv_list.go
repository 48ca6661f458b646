package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
)

const (
	listedKeys = 1000   // where --limit does not say
	maxListed  = 100000 // of --limit: all are in memory
)

// listing is what kv list is asked for.
type listing struct {
	prefix, from, to, after string
	limit                   int
	values, reverse         bool
}

func (a *app) kvListCommand() *cobra.Command {
	var at place
	var want listing
	cmd := &cobra.Command{
		Use:   "list [PREFIX]",
		Short: "List keys",
		Long: `List the keys of a bucket in the order of their bytes, or those that begin with
PREFIX. What is not printable is shown escaped; --json has the keys as they are, in
base64 where they are not text.`,
		Example: "  ledge kv list --bucket orders 2026/\n  ledge kv list --function hello --values\n  ledge kv list --bucket orders --from 2026/ --to 2027/ --limit 10 --reverse",
		Args:    arguments("[PREFIX]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			bucket, err := at.name()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				want.prefix = args[0]
			}
			if want.limit < 1 || want.limit > maxListed {
				return usagef("--limit: %d is not 1 to %d", want.limit, maxListed)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.kvList(cmd.Context(), c, &at, bucket, want)
		},
	}
	a.placeFlags(cmd, &at)
	textFlag(cmd.Flags(), &want.from, "from", "KEY", "the first key, in the order of bytes")
	textFlag(cmd.Flags(), &want.to, "to", "KEY", "the first key beyond")
	textFlag(cmd.Flags(), &want.after, "after", "KEY", "only what comes after this key, the last one of another list")
	cmd.Flags().IntVar(&want.limit, "limit", listedKeys, "at most `N` keys")
	cmd.Flags().BoolVar(&want.values, "values", false, "the values too")
	cmd.Flags().BoolVar(&want.reverse, "reverse", false, "the last key first")
	return cmd
}

func (w *listing) query() url.Values {
	query := url.Values{"limit": {strconv.Itoa(min(w.limit, listedKeys))}}
	for name, value := range map[string]string{"prefix": w.prefix, "from": w.from, "to": w.to, "after": w.after} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, on := range map[string]bool{"values": w.values, "reverse": w.reverse} {
		if on {
			query.Set(name, "1")
		}
	}
	return query
}

// items returns the items that are wanted, each as the node sent it too. A page
// may be short for the size of its values, so it is the node that says whether
// there are more.
func (c *client) items(ctx context.Context, bucket string, want listing) (raw []json.RawMessage, items []item, more bool, err error) {
	raw = []json.RawMessage{} // a list even where it is empty, not null
	for range maxPages {
		var page struct {
			Items []json.RawMessage
			More  bool
		}
		text, err := c.call(ctx, request{method: http.MethodGet, path: bucketPath(bucket) + "/", query: want.query()}, replyTimeout, &page)
		if err != nil {
			return nil, nil, false, err
		}
		list, err := decodeEach[item](c, page.Items)
		if err != nil {
			return nil, nil, false, err
		}
		raw, items = append(raw, page.Items...), append(items, list...)
		want.limit -= len(list)
		if !page.More || want.limit <= 0 {
			return raw, items, page.More, nil
		}
		if len(list) == 0 || list[len(list)-1].key() == want.after {
			return nil, nil, false, c.notAList(text, nil)
		}
		want.after = list[len(list)-1].key()
	}
	return nil, nil, false, &Error{Code: codeBadAnswer, Message: "the list of keys of " + c.node + " does not end"}
}

func (a *app) kvList(ctx context.Context, c *client, at *place, bucket string, want listing) error {
	raw, items, more, err := c.items(ctx, bucket, want)
	if err != nil {
		if e, missing := isCode(err, awsNotFound); missing {
			told := e.explain()
			told.Hint = "a bucket comes to be with its first key; see which there are: ledge kv buckets"
			if at.function != "" {
				told.Hint = "a bucket comes to be with its first key; see which functions there are: ledge ls"
			}
			return told
		}
		return err
	}
	if a.json {
		return a.writeJSON(map[string]any{"Items": raw, "More": more})
	}
	if len(items) == 0 {
		a.note("no such keys in %s", bucket)
		return nil
	}
	list := listKeys
	if want.values {
		list = listValues
	}
	if err := a.write(list(items)); err != nil {
		return err
	}
	if more {
		last := items[len(items)-1].key()
		a.note("there are more: --limit N, or --after %s", shellQuote(last))
	}
	return nil
}

func listKeys(items []item) (lines []byte) {
	for _, i := range items {
		lines = append(lines, oneLine(i.key())+"\n"...)
	}
	return lines
}

func listValues(items []item) []byte {
	rows := [][]string{{"KEY", "VALUE"}}
	for _, i := range items {
		value := i.value()
		if !isText(value) {
			value = fmt.Appendf(nil, "(%s, not text)", formatSize(int64(len(value))))
		}
		rows = append(rows, []string{i.key(), string(value)})
	}
	return table(rows)
}
