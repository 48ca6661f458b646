package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
)

const pathKeySets = "/v1/jwks"

// maxKeySet bounds a file of keys, in bytes: an issuer has a handful.
const maxKeySet = 1 << 20

// keySet says whose keys the node has.
type keySet struct {
	Issuer string
	Keys   []json.RawMessage
}

const jwksLong = `JWT authorizers check tokens with the keys of who issued them. The node may have no
network, so it does not fetch them: it is given the issuer's key set, a JSON file
that is found at the address "jwks_uri" in ISSUER/.well-known/openid-configuration.
ISSUER is written as in the authorizer and in the tokens, to the slash.`

func (a *app) jwksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "jwks",
		Short:   "Give the node the keys of JWT issuers",
		Long:    jwksLong,
		Example: "  curl -s https://login.example/jwks | ledge api jwks put https://login.example -\n  ledge api jwks ls\n  ledge api jwks rm https://login.example",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.jwksPutCommand(), a.jwksListCommand(), a.jwksRemoveCommand())
	return cmd
}

func (a *app) jwksPutCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "put ISSUER FILE",
		Short:   "Give or replace the keys of an issuer",
		Long:    jwksLong + "\n\nFILE may be - for standard input.",
		Example: "  ledge api jwks put https://login.example jwks.json",
		Args:    arguments("ISSUER", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.readKeySet(args[1])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			r := request{method: http.MethodPut, path: pathKeySets, query: url.Values{"issuer": {args[0]}}, body: text}
			raw, err := c.call(cmd.Context(), r, replyTimeout, nil)
			if err != nil {
				return err
			}
			if a.json {
				if !json.Valid(raw) {
					return a.writeJSON(map[string]string{"Issuer": args[0]})
				}
				return a.writeJSON(json.RawMessage(raw))
			}
			return a.write([]byte("the node has the keys of " + oneLine(args[0]) + "\n"))
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.issuers(cmd, nil)
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
}

func (a *app) readKeySet(name string) ([]byte, error) {
	from := a.env.Stdin
	if name == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, unreadable(name, err)
		}
		defer f.Close() // opened for reading: closing loses nothing
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxKeySet+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	var shape struct{ Keys []json.RawMessage }
	switch {
	case len(text) > maxKeySet:
		return nil, &Error{Code: codeBadCode, Message: fmt.Sprintf("%s is larger than %s", name, formatSize(maxKeySet))}
	case json.Unmarshal(text, &shape) != nil || len(shape.Keys) == 0:
		return nil, &Error{Code: codeBadCode, Message: name + ` is no key set: it must be JSON with a list "keys" that is not empty`,
			Hint: "it is found at the address jwks_uri in ISSUER/.well-known/openid-configuration"}
	}
	return text, nil
}

// keySets returns all key sets of the node, and the reply as it came.
func (c *client) keySets(ctx context.Context) ([]keySet, []byte, error) {
	var reply struct{ KeySets []keySet }
	raw, err := c.call(ctx, request{method: http.MethodGet, path: pathKeySets}, replyTimeout, &reply)
	return reply.KeySets, raw, err
}

func (a *app) jwksListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the issuers whose keys the node has",
		Long:    "List the issuers whose keys the node has.",
		Example: "  ledge api jwks ls",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			sets, raw, err := c.keySets(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			if len(sets) == 0 {
				a.note("no key sets yet; give one with: ledge api jwks put ISSUER FILE")
				return nil
			}
			rows := [][]string{{"ISSUER", "KEYS"}}
			for _, set := range sets {
				rows = append(rows, []string{set.Issuer, strconv.Itoa(len(set.Keys))})
			}
			return a.write(table(rows))
		},
	}
}

func (a *app) jwksRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm ISSUER...",
		Short:   "Remove the keys of issuers",
		Long:    "Remove the keys of issuers. Their tokens are refused from then on.",
		Example: "  ledge api jwks rm https://login.example",
		Args:    arguments("ISSUER..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			for _, issuer := range args {
				r := request{method: http.MethodDelete, path: pathKeySets, query: url.Values{"issuer": {issuer}}}
				if _, err := c.call(cmd.Context(), r, replyTimeout, nil); err != nil {
					return err
				}
				if !a.json {
					if err := a.write([]byte("removed the keys of " + oneLine(issuer) + "\n")); err != nil {
						return err
					}
				}
			}
			if a.json {
				return a.writeJSON(map[string]any{"Removed": args})
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return a.issuers(cmd, args)
		},
	}
}

// issuers completes issuers that are not among given.
func (a *app) issuers(cmd *cobra.Command, given []string) ([]string, cobra.ShellCompDirective) {
	return a.ask(cmd, func(ctx context.Context, c *client) []string {
		sets, _, err := c.keySets(ctx)
		if err != nil {
			return nil
		}
		var names []string
		for _, set := range sets {
			if !slices.Contains(given, set.Issuer) {
				names = append(names, set.Issuer)
			}
		}
		return names
	})
}
