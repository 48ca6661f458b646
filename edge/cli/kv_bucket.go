package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// dataBucket is a bucket and what is in it.
type dataBucket struct {
	Name         string
	Function     string // whose own it is; empty: it is shared
	MaxBytes     int64
	MaxKeys      int
	Stream       bool
	StreamBytes  int64
	WhenFull     string
	Keys         int
	Bytes        int64
	Sequence     uint64
	StreamOldest uint64
	StreamNewest uint64
	StreamUsed   int64
}

// bucketSettings changes a bucket. What is nil stays as it is.
type bucketSettings struct {
	MaxBytes    *int64  `json:",omitempty"`
	MaxKeys     *int    `json:",omitempty"`
	Stream      *bool   `json:",omitempty"`
	StreamBytes *int64  `json:",omitempty"`
	WhenFull    *string `json:",omitempty"`
}

// buckets returns all buckets of the node, as it sent them too.
func (c *client) buckets(ctx context.Context) (raw []byte, list []dataBucket, err error) {
	var reply struct{ Buckets []dataBucket }
	raw, err = c.call(ctx, request{method: http.MethodGet, path: pathData}, replyTimeout, &reply)
	return raw, reply.Buckets, err
}

func (a *app) bucketListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "buckets",
		Short:   "List the buckets of data",
		Long:    "List the buckets of data with what is in them. Those called function.NAME are\nfunctions' own.",
		Example: "  ledge kv buckets",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			raw, list, err := c.buckets(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			if len(list) == 0 {
				a.note("no buckets yet; the first key makes one: ledge kv put --bucket NAME KEY VALUE")
				return nil
			}
			rows := [][]string{{"BUCKET", "KEYS", "SIZE", "QUOTA", "STREAM"}}
			for _, b := range list {
				rows = append(rows, []string{b.Name, strconv.Itoa(b.Keys), formatSize(b.Bytes), formatSize(b.MaxBytes), b.stream()})
			}
			return a.write(table(rows))
		},
	}
}

// stream says how full the log of changes is.
func (b dataBucket) stream() string {
	if !b.Stream {
		return "off"
	}
	return formatSize(b.StreamUsed) + " of " + formatSize(b.StreamBytes)
}

// bucketFlags are the flags of kv bucket as they were written.
type bucketFlags struct {
	quota, streamQuota, stream, whenFull string
	keys                                 int
}

func (f *bucketFlags) settings(given func(flag string) bool) (s bucketSettings, err error) {
	for flag, size := range map[string]struct {
		text string
		at   **int64
	}{"quota": {f.quota, &s.MaxBytes}, "stream-quota": {f.streamQuota, &s.StreamBytes}} {
		if !given(flag) {
			continue
		}
		n, err := parseSize(size.text)
		if err != nil {
			return s, usagef("--%s: %s", flag, err)
		}
		*size.at = &n
	}
	if given("keys") {
		if f.keys < 1 {
			return s, usagef("--keys: %d is less than 1", f.keys)
		}
		s.MaxKeys = &f.keys
	}
	if given("stream") {
		if err := oneOf("stream", f.stream, "on", "off"); err != nil {
			return s, err
		}
		on := f.stream == "on"
		s.Stream = &on
	}
	if given("when-full") {
		if err := oneOf("when-full", f.whenFull, "reject", "drop-oldest"); err != nil {
			return s, err
		}
		s.WhenFull = &f.whenFull
	}
	return s, nil
}

func (a *app) bucketCommand() *cobra.Command {
	var f bucketFlags
	cmd := &cobra.Command{
		Use:   "bucket NAME",
		Short: "Show a bucket, or change its settings",
		Long: `Show what is in a bucket and how it is set, or, with flags, make it or change its
settings; those that no flag gives stay as they are. NAME is function.NAME for a
function's own.

A stream keeps the changes of a bucket for the feeds that have yet to deliver them.
A feed turns it on. Where it was off and the bucket was written to, it begins anew.`,
		Example: "  ledge kv bucket orders\n  ledge kv bucket orders --quota 256MB --keys 500000 --stream on --when-full drop-oldest",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkBucket(args[0]); err != nil {
				return err
			}
			settings, err := f.settings(cmd.Flags().Changed)
			if err != nil {
				return err
			}
			r := request{method: http.MethodGet, path: bucketPath(args[0])}
			if settings != (bucketSettings{}) {
				if r, err = jsonRequest(http.MethodPut, bucketPath(args[0]), settings); err != nil {
					return err
				}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			var b dataBucket
			raw, err := c.call(cmd.Context(), r, replyTimeout, &b)
			if err != nil {
				return bucketFault(err)
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			return a.write(b.describe())
		},
		ValidArgsFunction: a.completeBucket,
	}
	flags := cmd.Flags()
	textFlag(flags, &f.quota, "quota", "SIZE", "of keys and values together, at most: 64MB")
	flags.IntVar(&f.keys, "keys", 0, "at most `N` keys")
	textFlag(flags, &f.stream, "stream", "on|off", "whether changes are kept for feeds")
	textFlag(flags, &f.streamQuota, "stream-quota", "SIZE", "of the changes that are kept, at most: 32MB")
	textFlag(flags, &f.whenFull, "when-full", "WHAT", "where a feed is so far behind that the stream is full: reject writes, or drop-oldest changes")
	choices(cmd, "stream", "on", "off")
	choices(cmd, "when-full", "reject", "drop-oldest")
	return cmd
}

// bucketFault makes the sentence for a bucket that is not there; other errors
// pass.
func bucketFault(err error) error {
	e, missing := isCode(err, awsNotFound)
	if !missing {
		return err
	}
	told := e.explain()
	told.Hint = "see which buckets there are: ledge kv buckets"
	return told
}

func (b dataBucket) describe() []byte {
	var f fields
	f.add("bucket", b.Name)
	f.add("function", b.Function)
	f.add("keys", strconv.Itoa(b.Keys)+" of "+strconv.Itoa(b.MaxKeys))
	f.add("size", formatSize(b.Bytes)+" of "+formatSize(b.MaxBytes))
	f.add("sequence", strconv.FormatUint(b.Sequence, 10))
	f.add("stream", b.stream())
	if b.Stream {
		f.add("when full", b.WhenFull)
	}
	if b.StreamOldest > 0 {
		f.add("changes", strconv.FormatUint(b.StreamOldest, 10)+" to "+strconv.FormatUint(b.StreamNewest, 10))
	}
	return f.b.Bytes()
}

func (a *app) bucketDropCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "drop NAME...",
		Short:   "Remove buckets with all that is in them",
		Long:    "Remove buckets with their settings and all their keys, at once and without asking. It\nstops at the first that cannot be removed.",
		Example: "  ledge kv drop orders\n  ledge kv drop function.hello",
		Args:    arguments("NAME..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			removals := make([]removal, len(args))
			for i, name := range args { // all of them before the first goes
				if err := checkBucket(name); err != nil {
					return err
				}
				removals[i] = removal{"bucket", name, bucketPath(name), "ledge kv buckets"}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.removeEach(cmd.Context(), c, removals)
		},
		ValidArgsFunction: a.completeBucket,
	}
}

// completeBuckets completes the names of shared buckets.
func (a *app) completeBuckets(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.bucketNames(cmd, func(name string) bool { return !strings.HasPrefix(name, ownBucket) })
}

// completeBucket completes the names of all buckets.
func (a *app) completeBucket(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && cmd.Name() == "bucket" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.bucketNames(cmd, func(string) bool { return true })
}

func (a *app) bucketNames(cmd *cobra.Command, wanted func(string) bool) ([]string, cobra.ShellCompDirective) {
	return a.ask(cmd, func(ctx context.Context, c *client) []string {
		_, list, err := c.buckets(ctx)
		if err != nil {
			return nil
		}
		var names []string
		for _, b := range list {
			if wanted(b.Name) {
				names = append(names, b.Name)
			}
		}
		return names
	})
}
