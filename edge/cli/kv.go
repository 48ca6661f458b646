package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// pathData is where a node has buckets of data.
const pathData = "/v1/kv"

// item is a key and what it holds, as a list of the node has it: text, or base64
// where it is not UTF-8.
type item struct {
	Key         string    `json:",omitempty"`
	KeyBase64   []byte    `json:",omitempty"`
	Value       *string   `json:",omitempty"`
	ValueBase64 []byte    `json:",omitempty"`
	Sequence    uint64    `json:",omitempty"`
	Modified    time.Time `json:",omitzero"`
	Expires     time.Time `json:",omitzero"`
}

func (i item) key() string { return i.Key + string(i.KeyBase64) }

// value is what the key holds.
func (i item) value() []byte {
	if i.Value != nil {
		return []byte(*i.Value)
	}
	return i.ValueBase64
}

// keyItem is an item that has only its key.
func keyItem(key string) item {
	if isText([]byte(key)) {
		return item{Key: key}
	}
	return item{KeyBase64: []byte(key)}
}

const kvLong = `Functions keep data as keys and values, both any bytes, in buckets. Each function has
a bucket of its own, which goes with it: --function NAME. Others are shared by name:
--bucket NAME; a function uses them where it was deployed with --allow-bucket.

A bucket comes to be with its first key. A key may expire (--ttl), and each write has a
sequence number, by which another one can ask that nothing came between
(--if-sequence).`

const kvExample = `  ledge kv put --bucket orders 2026/17 '{"items":3}'
  ledge kv list --bucket orders 2026/
  ledge kv get --function hello counter
  ledge kv bucket orders --quota 256MB --stream on`

func (a *app) kvCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "kv",
		Short:   "Read and write the data of functions",
		Long:    kvLong,
		Example: kvExample,
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.kvGetCommand(), a.kvPutCommand(), a.kvDeleteCommand(), a.kvListCommand(), a.kvIncrementCommand(),
		a.bucketListCommand(), a.bucketCommand(), a.bucketDropCommand())
	return cmd
}

// itemFault makes sentences of the failures that a key has; other errors pass.
func itemFault(err error, p *place, key string) error {
	if e, missing := isCode(err, awsNotFound); missing {
		told := e.explain()
		told.Hint = "see which keys there are: ledge kv list " + p.flags() + "; and which " + p.others()
		return told
	}
	if e, tooLarge := errorOf(err, http.StatusRequestEntityTooLarge); tooLarge {
		told := e.explain()
		told.Hint = "a value has at most 1 MB and a key 1024 bytes: put what is larger under several keys"
		if e.Code == awsBodyTooLarge { // of which the node has not read more
			told.Message = "the value is larger than 1 MB"
		}
		return told
	}
	if e, changed := isCode(err, awsPrecondition); changed {
		told := e.explain()
		told.Hint = "see what it is: ledge kv get " + p.flags() + " --json " + shellQuote(key)
		return told
	}
	return err
}

// sequenceOf reads the sequence number of a reply's ETag; 0 where it has none.
func sequenceOf(h http.Header) uint64 {
	n, err := strconv.ParseUint(strings.Trim(h.Get("ETag"), `"`), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (a *app) kvGetCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:     "get KEY",
		Short:   "Write the value of a key",
		Long:    "Write the value of a key, as it is, to standard output; with --json, its sequence\nnumber and when it expires too.",
		Example: "  ledge kv get --bucket orders 2026/17\n  ledge kv get --function hello photo > photo.jpg",
		Args:    arguments("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			bucket, err := at.name()
			if err == nil {
				err = checkKey(args[0])
			}
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.kvGet(cmd.Context(), c, &at, bucket, args[0])
		},
	}
	a.placeFlags(cmd, &at)
	return cmd
}

func (a *app) kvGet(ctx context.Context, c *client, at *place, bucket, key string) error {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	resp, err := c.send(ctx, request{method: http.MethodGet, path: itemPath(bucket, key)})
	if err != nil {
		return itemFault(err, at, key)
	}
	defer resp.Body.Close() // read to its end or given up: nothing to lose
	value, err := c.readReply(ctx, resp, maxReply)
	if err != nil {
		return err
	}
	if !a.json {
		return a.writePayload(value, nil)
	}
	shown := keyItem(key)
	if text := string(value); isText(value) {
		shown.Value = &text
	} else {
		shown.ValueBase64 = value
	}
	shown.Sequence = sequenceOf(resp.Header)
	shown.Modified = headerTime(resp.Header, "Last-Modified", http.TimeFormat)
	shown.Expires = headerTime(resp.Header, "Ledge-Expires", time.RFC3339Nano)
	return a.writeJSON(shown)
}

// headerTime reads a time of a reply, zero where there is none.
func headerTime(h http.Header, name, layout string) time.Time {
	at, err := time.Parse(layout, h.Get(name))
	if err != nil {
		return time.Time{}
	}
	return at
}

func (a *app) kvPutCommand() *cobra.Command {
	var at place
	var must condition
	var ttl string
	cmd := &cobra.Command{
		Use:   "put KEY VALUE",
		Short: "Store a value under a key",
		Long: `Store a value under a key, in place of what it holds. VALUE is its text, @FILE for the
contents of a file, or - for standard input: at most 1 MB, any bytes.`,
		Example: `  ledge kv put --bucket orders 2026/17 '{"items":3}'
  ledge kv put --function hello photo @photo.jpg --ttl 24h
  ledge kv put --bucket orders leader node-7 --if-absent --ttl 30s`,
		Args: arguments("KEY", "VALUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			bucket, err := at.name()
			if err == nil {
				err = checkKey(args[0])
			}
			if err != nil {
				return err
			}
			r := request{method: http.MethodPut, path: itemPath(bucket, args[0])}
			if r.header, err = must.header(); err != nil {
				return err
			}
			if r.query, err = ttlQuery(ttl); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if r.body, err = a.readPayload(args[1]); err != nil {
				return err
			}
			return a.kvPut(cmd.Context(), c, &at, args[0], r)
		},
	}
	a.placeFlags(cmd, &at)
	cmd.Flags().BoolVar(&must.absent, "if-absent", false, "only if there is no such key")
	sequenceFlagOf(cmd, &must)
	textFlag(cmd.Flags(), &ttl, "ttl", "DURATION", "how long the key lives: 30s, 24h (default: for ever)")
	return cmd
}

// ttlQuery returns the parameter ttl, none where it is for ever.
func ttlQuery(text string) (url.Values, error) {
	if text == "" {
		return url.Values{}, nil
	}
	ttl, err := parseDuration(text)
	if err == nil && ttl < time.Millisecond {
		err = fmt.Errorf("%q is less than 1ms", text)
	}
	if err != nil {
		return nil, usagef("--ttl: %s", err)
	}
	return url.Values{"ttl": {ttl.String()}}, nil
}

func (a *app) kvPut(ctx context.Context, c *client, at *place, key string, r request) error {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	r.header.Set("Content-Type", "application/octet-stream")
	resp, err := c.send(ctx, r)
	if err != nil {
		return itemFault(err, at, key)
	}
	if err := resp.Body.Close(); err != nil {
		return c.brokenReply(ctx, err)
	}
	if a.json {
		stored := keyItem(key)
		stored.Sequence = sequenceOf(resp.Header)
		return a.writeJSON(stored)
	}
	return a.write(fmt.Appendf(nil, "stored %s, sequence %d\n", oneLine(key), sequenceOf(resp.Header)))
}

func (a *app) kvDeleteCommand() *cobra.Command {
	var at place
	var must condition
	cmd := &cobra.Command{
		Use:     "delete KEY...",
		Short:   "Remove keys",
		Long:    "Remove keys, at once and without asking. It stops at the first that cannot be\nremoved.",
		Example: "  ledge kv delete --bucket orders 2026/17",
		Args:    arguments("KEY..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			bucket, err := at.name()
			if err != nil {
				return err
			}
			for _, key := range args { // all of them before the first goes
				if err := checkKey(key); err != nil {
					return err
				}
			}
			if must.sequence > 0 && len(args) > 1 {
				return usagef("--if-sequence is for one key")
			}
			header, err := must.header()
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.kvDelete(cmd.Context(), c, &at, bucket, args, header)
		},
	}
	a.placeFlags(cmd, &at)
	sequenceFlagOf(cmd, &must)
	return cmd
}

func (a *app) kvDelete(ctx context.Context, c *client, at *place, bucket string, keys []string, header http.Header) error {
	removed := make([]item, 0, len(keys))
	for _, key := range keys {
		r := request{method: http.MethodDelete, path: itemPath(bucket, key), header: header}
		if _, err := c.call(ctx, r, replyTimeout, nil); err != nil {
			return itemFault(err, at, key)
		}
		removed = append(removed, keyItem(key))
		if !a.json {
			if err := a.write([]byte("removed " + oneLine(key) + "\n")); err != nil {
				return err
			}
		}
	}
	if a.json {
		return a.writeJSON(map[string]any{"Removed": removed})
	}
	return nil
}

func (a *app) kvIncrementCommand() *cobra.Command {
	var at place
	var ttl string
	cmd := &cobra.Command{
		Use:     "incr KEY [N]",
		Short:   "Add to the number under a key",
		Long:    "Add N, 1 where it is missing, to the number that a key holds in decimal, 0 where there\nis none, and write the sum. --ttl is for a key that is not there yet.",
		Example: "  ledge kv incr --function hello counter\n  ledge kv incr --bucket stock apples -- -3",
		Args:    arguments("KEY", "[N]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			bucket, err := at.name()
			if err == nil {
				err = checkKey(args[0])
			}
			if err != nil {
				return err
			}
			by := int64(1)
			if len(args) == 2 {
				if by, err = strconv.ParseInt(args[1], 10, 64); err != nil {
					return usagef("%q is not a whole number", args[1])
				}
			}
			query, err := ttlQuery(ttl)
			if err != nil {
				return err
			}
			query.Set("increment", strconv.FormatInt(by, 10))
			c, err := a.client()
			if err != nil {
				return err
			}
			sum, err := c.call(cmd.Context(), request{method: http.MethodPost, path: itemPath(bucket, args[0]), query: query}, replyTimeout, nil)
			if err != nil {
				return itemFault(err, &at, args[0])
			}
			number, err := strconv.ParseInt(string(sum), 10, 64)
			if err != nil {
				return &Error{Code: codeBadAnswer, Message: fmt.Sprintf("the sum that %s sent is not a number: %s", c.node, excerpt(sum)), Err: err}
			}
			if a.json {
				return a.writeJSON(map[string]int64{"Value": number})
			}
			return a.write(fmt.Appendf(nil, "%d\n", number))
		},
	}
	a.placeFlags(cmd, &at)
	textFlag(cmd.Flags(), &ttl, "ttl", "DURATION", "how long a new key lives: 30s, 24h (default: for ever)")
	return cmd
}
