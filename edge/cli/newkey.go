package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const keysCreateLong = keysLong + `

The secret is printed now and never again; the node keeps it sealed. With --env it
is printed as lines for a shell, together with where the node is.`

const keysCreateExample = `  ledge keys create pipeline --access deploy --expires 90d
  eval "$(ledge keys create laptop --env)"; aws lambda list-functions --endpoint-url "$AWS_ENDPOINT_URL"
  ledge keys create kiosk --access invoke --function hello --function 'menu-*' --token`

// keyRequest creates a key.
type keyRequest struct {
	Name      string
	Access    string
	Functions []string   `json:",omitempty"`
	Expires   *time.Time `json:",omitempty"`
	Token     bool       `json:",omitempty"` // make a bearer token and no secret
}

func (a *app) keysCreateCommand() *cobra.Command {
	r := keyRequest{Access: "deploy"}
	var expires string
	var env bool
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Create a key and print its secret, once",
		Long:    keysCreateLong,
		Example: keysCreateExample,
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Name = args[0]
			if err := oneOf("access", r.Access, "read", "invoke", "deploy", "admin"); err != nil {
				return err
			}
			if expires != "" {
				life, err := parseDays(expires)
				if err != nil {
					return usagef("--expires: %s", err)
				}
				at := a.now().Add(life).UTC().Truncate(time.Second)
				r.Expires = &at
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.keysCreate(cmd.Context(), c, r, env)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	textFlag(flags, &r.Access, "access", "ACCESS", "read, invoke, deploy or admin")
	listFlag(flags, &r.Functions, "function", "NAME", "only this function, or those that begin so: 'shop-*'")
	textFlag(flags, &expires, "expires", "DURATION", "how long the key is good for: 12h, 90d (default: for ever)")
	flags.BoolVar(&r.Token, "token", false, "a token for Authorization: Bearer instead of a key that signs")
	flags.BoolVar(&env, "env", false, "print lines that set the environment of a shell")
	choices(cmd, "access", "read", "invoke", "deploy", "admin")
	completions(cmd, "function", a.completeFunctions)
	return cmd
}

// parseDays is parseDuration with days: "90d".
func parseDays(text string) (time.Duration, error) {
	const most = 36_500 // a century: more is a mistake
	if number, ok := strings.CutSuffix(text, "d"); ok {
		days, err := parseDecimal(number)
		if err != nil || days <= 0 || days > most {
			return 0, fmt.Errorf("%q is not a duration; write 12h or 90d", text)
		}
		return time.Duration(days * 24 * float64(time.Hour)), nil
	}
	d, err := parseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a duration; write 12h or 90d", text)
	}
	return d, nil
}

func (a *app) keysCreate(ctx context.Context, c *client, k keyRequest, env bool) error {
	r, err := jsonRequest(http.MethodPost, pathKeys, k)
	if err != nil {
		return err
	}
	err = a.newSecret(ctx, c, r, env)
	e, refused := isCode(err, awsConflict)
	switch {
	case !refused:
		return err
	case strings.Contains(e.Message, strconv.Quote(k.Name)):
		return &Error{Code: e.Code, Message: fmt.Sprintf("there is a key %q already", k.Name), Hint: "choose another name; or give that one a new secret: ledge keys rotate " + shellQuote(k.Name), Err: err}
	}
	told := e.explain() // there are as many as there may be
	told.Hint = "see which there are: ledge keys ls"
	return told
}

// newSecret sends a request whose reply has a new secret, and shows it.
func (a *app) newSecret(ctx context.Context, c *client, r request, env bool) error {
	if !isPrivate(c.base) {
		return &Error{Code: codeBadSetting,
			Message: "the new secret would come from " + c.base + " unencrypted, where anybody on the way can read and use it",
			Hint:    "run this on the node, through ssh; or use an https:// endpoint"}
	}
	var made key
	raw, err := c.call(ctx, r, replyTimeout, &made)
	if err != nil {
		return missingKey(err, r.path)
	}
	if made.SecretAccessKey == "" && made.Token == "" {
		return &Error{Code: codeBadAnswer, Message: "the answer of " + c.node + " has no secret in it", Hint: "compare the versions: ledge version"}
	}
	if a.json {
		return a.writeJSON(json.RawMessage(raw))
	}
	endpoint := c.controlURL(ctx)
	if env {
		return a.write(envLines(made, endpoint, c.as.region))
	}
	var f fields
	f.add("name", made.Name)
	f.add("id", made.ID)
	f.add("access", made.describeAccess())
	if made.Expires != nil {
		f.add("expires", made.Expires.UTC().Format(time.RFC3339))
	}
	if made.SecretAccessKey != "" {
		f.add("secret", made.SecretAccessKey)
	}
	if made.Token != "" {
		f.add("token", made.Token)
	}
	f.add("endpoint", endpoint)
	if err := a.write(f.b.Bytes()); err != nil {
		return err
	}
	a.note("The node does not show this again: keep it where secrets are kept.")
	return nil
}

// envLines are commands for a POSIX shell. Everything in them is quoted: it came
// from a node, and the shell is about to run it.
func envLines(k key, endpoint, region string) []byte {
	var b strings.Builder
	set := func(name, value string) { fmt.Fprintf(&b, "export %s=%s\n", name, shellQuote(value)) }
	if k.SecretAccessKey != "" {
		set("AWS_ACCESS_KEY_ID", k.ID)
		set("AWS_SECRET_ACCESS_KEY", k.SecretAccessKey)
		b.WriteString("unset AWS_SESSION_TOKEN AWS_PROFILE\n") // they would win over the key, or be sent with it
		set("AWS_ENDPOINT_URL", endpoint)
		if region == "" {
			region = defaultRegion
		}
		set("AWS_REGION", region)
		set("AWS_DEFAULT_REGION", region) // the AWS CLI reads only this one
	}
	if k.Token != "" {
		set("LEDGE_TOKEN", k.Token)
		set("LEDGE_ENDPOINT", endpoint)
	}
	return []byte(b.String())
}

func (a *app) keysRotateCommand() *cobra.Command {
	var env bool
	cmd := &cobra.Command{
		Use:     "rotate ID",
		Short:   "Give a key a new secret",
		Long:    "Give a key a new secret, and a new token where it has one, and print them. The old\nones are good for nothing from then on.",
		Example: "  ledge keys rotate LDGE0123456789ABCDEF",
		Args:    arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			r := request{method: http.MethodPost, path: pathKeys + "/" + url.PathEscape(args[0]) + "/rotate"}
			return a.newSecret(cmd.Context(), c, r, env)
		},
		ValidArgsFunction: a.completeKey,
	}
	cmd.Flags().BoolVar(&env, "env", false, "print lines that set the environment of a shell")
	return cmd
}
