package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// place says in which bucket a command works.
type place struct{ bucket, function string }

func (a *app) placeFlags(cmd *cobra.Command, p *place) {
	textFlag(cmd.Flags(), &p.bucket, "bucket", "NAME", "the shared bucket with that name")
	textFlag(cmd.Flags(), &p.function, "function", "NAME", "the function's own bucket")
	completions(cmd, "function", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.functionNames(cmd)
	})
	completions(cmd, "bucket", a.completeBuckets)
}

// name returns the bucket's name as the node has it.
func (p *place) name() (string, error) {
	switch {
	case p.bucket != "" && p.function != "":
		return "", usagef("--bucket and --function name two buckets; give one of them")
	case p.function != "":
		name, err := parseName(p.function)
		return ownBucket + name, err
	case p.bucket != "":
		return p.bucket, checkBucket(p.bucket)
	}
	return "", &usageError{Message: "it is not said which bucket", Hint: "give --bucket NAME, or --function NAME for a function's own"}
}

// flags are those that name the bucket, for hints.
func (p *place) flags() string {
	if p.function != "" {
		return "--function " + p.function
	}
	return "--bucket " + p.bucket
}

// others are the buckets among which the one that is meant may be, for hints.
func (p *place) others() string {
	if p.function != "" {
		return "functions: ledge ls"
	}
	return "buckets: ledge kv buckets"
}

// ownBucket begins the names of functions' own buckets.
const ownBucket = "function."

// checkBucket keeps a name from becoming another path; the rest is for the node.
func checkBucket(name string) error {
	if name == "" || strings.Trim(name, ".") == "" || strings.ContainsAny(name, "/?#%") {
		return &usageError{Message: fmt.Sprintf("%q is not the name of a bucket", name), Hint: "use 1 to 63 letters, digits, _, . and -"}
	}
	return nil
}

func bucketPath(bucket string) string { return pathData + "/" + url.PathEscape(bucket) }

// itemPath writes the key so that nothing on the way cleans it: not a dot nor a
// slash is left in it.
func itemPath(bucket, key string) string {
	return bucketPath(bucket) + "/" + strings.ReplaceAll(url.PathEscape(key), ".", "%2E")
}

// checkKey refuses an empty key, which is another path.
func checkKey(key string) error {
	if key == "" {
		return usagef("a key is not empty")
	}
	return nil
}

// condition are the flags by which a write asks for what must be there.
type condition struct {
	absent   bool
	sequence sequenceFlag
}

// sequenceFlag is --if-sequence, 0 where it is not given. An explicit 0 is refused: it
// is what a script has of a key that is not there, and must not be no condition.
type sequenceFlag uint64

func (f *sequenceFlag) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return errors.New("a sequence number is a whole number from 1")
	}
	*f = sequenceFlag(n)
	return nil
}

func (f *sequenceFlag) String() string {
	if *f == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(*f), 10)
}

func (f *sequenceFlag) Type() string { return "N" }

// sequenceFlagOf adds --if-sequence to a command.
func sequenceFlagOf(cmd *cobra.Command, c *condition) {
	cmd.Flags().Var(&c.sequence, "if-sequence", "only if the last write of the key had the sequence number N")
}

func (c *condition) header() (http.Header, error) {
	switch {
	case c.absent && c.sequence > 0:
		return nil, usagef("--if-absent and --if-sequence cannot both hold")
	case c.absent:
		return http.Header{"If-None-Match": {"*"}}, nil
	case c.sequence > 0:
		return http.Header{"If-Match": {`"` + c.sequence.String() + `"`}}, nil
	}
	return http.Header{}, nil
}
