package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const pathKeys = "/v1/keys"

// key is an access key of the node, as /v1/keys has it. The two secrets are in
// the replies that make them and never again.
type key struct {
	ID              string `json:"Id"`
	Name            string
	Access          string     // "read", "invoke", "deploy" or "admin"
	Functions       []string   `json:",omitempty"` // names, * at the end of one; none: all
	Created         *time.Time `json:",omitempty"`
	Expires         *time.Time `json:",omitempty"` // nil: never
	LastUsed        *time.Time `json:",omitempty"` // nil: never
	Disabled        bool       `json:",omitempty"`
	Problem         string     `json:",omitempty"` // why the node cannot use the key
	SecretAccessKey string     `json:",omitempty"`
	Token           string     `json:",omitempty"`
}

// state is "active", or why the key is not.
func (k key) state(now time.Time) string {
	switch {
	case k.Problem != "":
		return "unusable: " + k.Problem
	case k.Disabled:
		return "disabled"
	case k.Expires != nil && !k.Expires.IsZero() && !now.Before(*k.Expires):
		return "expired"
	}
	return "active"
}

const keysLong = `Access keys are what a node asks for over TCP. A key is an access key ID and a
secret, as AWS has them, so that the AWS CLI, SDKs, Terraform and "ledge --endpoint"
sign their requests with it; or a token for "Authorization: Bearer". The node made
one at its first start that may do everything, and said where it is. The socket in
the data folder needs none.

--access says what a key may do:
  read    look at functions, APIs, logs
  invoke  invoke functions, and nothing else
  deploy  read, invoke, and change functions, APIs and schedules
  admin   everything, keys and the audit log too`

func (a *app) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "keys",
		Short:   "Create, list and revoke access keys",
		Long:    keysLong,
		Example: "  eval \"$(ledge keys create laptop --env)\"; aws lambda list-functions --endpoint-url \"$AWS_ENDPOINT_URL\"\n  ledge keys ls\n  ledge keys disable LDGE0123456789ABCDEF",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.keysCreateCommand(), a.keysListCommand(), a.keysRotateCommand(), a.keysRemoveCommand(),
		a.keysSwitchCommand("disable", true), a.keysSwitchCommand("enable", false))
	return cmd
}

func (k key) describeAccess() string {
	if len(k.Functions) == 0 {
		return k.Access
	}
	return k.Access + " on " + strings.Join(k.Functions, ", ")
}

// keys returns all keys of the node, and the reply as it came.
func (c *client) keys(ctx context.Context) ([]key, []byte, error) {
	var reply struct{ Keys []key }
	raw, err := c.call(ctx, request{method: http.MethodGet, path: pathKeys}, replyTimeout, &reply)
	return reply.Keys, raw, err
}

func (a *app) keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the keys",
		Long:    "List the keys, without their secrets. When a key was last used is known to the hour.",
		Example: "  ledge keys ls\n  ledge keys ls --json | jq -r '.Keys[] | select(.LastUsed == null).Id'",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			keys, raw, err := c.keys(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			rows := [][]string{{"ID", "NAME", "ACCESS", "STATE", "CREATED", "EXPIRES", "LAST USED"}}
			for _, k := range keys {
				rows = append(rows, []string{k.ID, k.Name, k.describeAccess(), k.state(a.now()), day(k.Created), day(k.Expires), hour(k.LastUsed)})
			}
			return a.write(table(rows))
		},
	}
}

func day(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func hour(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04Z")
}

// keysSwitchCommand is disable or enable.
func (a *app) keysSwitchCommand(verb string, disabled bool) *cobra.Command {
	long := "Make keys good for nothing until they are enabled again."
	if !disabled {
		long = "Make keys that were disabled good again."
	}
	return &cobra.Command{
		Use:     verb + " ID...",
		Short:   strings.ToUpper(verb[:1]) + verb[1:] + " keys",
		Long:    long,
		Example: "  ledge keys " + verb + " LDGE0123456789ABCDEF",
		Args:    arguments("ID..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.eachKey(cmd.Context(), args, verb+"d", func(id string) (request, error) {
				return jsonRequest(http.MethodPatch, pathKeys+"/"+url.PathEscape(id), map[string]bool{"Disabled": disabled})
			})
		},
		ValidArgsFunction: a.completeKeys,
	}
}

func (a *app) keysRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm ID...",
		Short:   "Remove keys",
		Long:    "Remove keys, at once and without asking. The last key that may do everything stays.",
		Example: "  ledge keys rm LDGE0123456789ABCDEF",
		Args:    arguments("ID..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.eachKey(cmd.Context(), args, "removed", func(id string) (request, error) {
				return request{method: http.MethodDelete, path: pathKeys + "/" + url.PathEscape(id)}, nil
			})
		},
		ValidArgsFunction: a.completeKeys,
	}
}

// eachKey sends a request for each key and stops at the first failure.
func (a *app) eachKey(ctx context.Context, ids []string, done string, ask func(id string) (request, error)) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	for _, id := range ids {
		r, err := ask(id)
		if err != nil {
			return err
		}
		if _, err := c.call(ctx, r, replyTimeout, nil); err != nil {
			return missingKey(err, r.path)
		}
		if !a.json {
			if err := a.write([]byte(done + " " + oneLine(id) + "\n")); err != nil {
				return err
			}
		}
	}
	if a.json {
		return a.writeJSON(map[string]any{"Keys": ids})
	}
	return nil
}

// missingKey makes the sentence for a key that is not there out of a reply that
// says so; other errors pass.
func missingKey(err error, path string) error {
	e, missing := isCode(err, awsNotFound)
	if !missing {
		return err
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(path, pathKeys+"/"), "/")
	return &Error{Code: e.Code, Message: fmt.Sprintf("no key %q", id), Hint: "see which there are: ledge keys ls", Err: err}
}

// completeKey completes the first argument of a command.
func (a *app) completeKey(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeKeys(cmd, args, "")
}

// completeKeys completes every argument.
func (a *app) completeKeys(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.ask(cmd, func(ctx context.Context, c *client) []string {
		keys, _, err := c.keys(ctx)
		if err != nil {
			return nil
		}
		var ids []string
		for _, k := range keys {
			if !slices.Contains(args, k.ID) {
				ids = append(ids, k.ID)
			}
		}
		return ids
	})
}
