package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) publishCommand() *cobra.Command {
	var description string
	cmd := &cobra.Command{
		Use:     "publish NAME",
		Short:   "Publish a function as a numbered version",
		Long:    "Publish what a function is now as its next version, which never changes again.\nWhere nothing has changed since the last version, that one is it. See the versions\nwith: ledge ls NAME.",
		Example: "  ledge publish hello\n  ledge publish hello --description 'before the move'",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := parseName(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.publish(cmd.Context(), c, name, description)
		},
		ValidArgsFunction: a.completeFunction,
	}
	textFlag(cmd.Flags(), &description, "description", "TEXT", "what is special about this version")
	return cmd
}

func (a *app) publish(ctx context.Context, c *client, name, description string) error {
	body := struct {
		Description string `json:",omitempty"`
	}{description}
	r, err := jsonRequest(http.MethodPost, pathFunctions+url.PathEscape(name)+"/versions", body)
	if err != nil {
		return err
	}
	var version configuration
	raw, err := c.call(ctx, r, 0, &version)
	if err != nil {
		return missingFunction(err, target{Name: name})
	}
	if a.json {
		return a.writeJSON(json.RawMessage(raw))
	}
	return a.write([]byte("published " + oneLine(target{name, version.Version}.String()) + "\n"))
}

// alias is AWS Lambda's AliasConfiguration.
type alias struct {
	Name            string
	FunctionVersion string
	Description     string
	RoutingConfig   struct {
		// AdditionalVersionWeights is, by version, the share of invocations that
		// goes there instead, from 0 to 1.
		AdditionalVersionWeights map[string]float64
	}
}

// weights shows "2=0.1", by version.
func (a alias) weights() string {
	var shares []string
	for version, share := range a.RoutingConfig.AdditionalVersionWeights {
		shares = append(shares, version+"="+strconv.FormatFloat(share, 'g', -1, 64))
	}
	slices.Sort(shares)
	return strings.Join(shares, ", ")
}

func (a *app) aliasCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "alias",
		Short:   "Point names at versions of a function",
		Long:    "An alias is a name for a version, such as \"live\": routes and callers use\nNAME:ALIAS, and moving the alias moves them all. With a weight a share of the\ninvocations goes to a second version.",
		Example: "  ledge alias set hello live 3\n  ledge alias set hello live 3 --weight 4=0.1\n  ledge alias ls hello",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.aliasSetCommand(), a.aliasListCommand(), a.aliasRemoveCommand())
	return cmd
}

func (a *app) aliasSetCommand() *cobra.Command {
	var weight, description string
	cmd := &cobra.Command{
		Use:     "set NAME ALIAS VERSION",
		Short:   "Make an alias or move it",
		Long:    "Make an alias, or move it to a version. Without --weight all invocations of the\nalias go to VERSION, whatever weights it had.",
		Example: "  ledge alias set hello live 3\n  ledge alias set hello live 3 --weight 4=0.1",
		Args:    arguments("NAME", "ALIAS", "VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := parseTarget(args[0] + ":" + args[1])
			if err != nil {
				return err
			}
			switch {
			case isNumber(args[1]) || args[1] == "$LATEST":
				return usagef("%q is a version; an alias needs a name, such as live", args[1])
			case !isNumber(args[2]) && args[2] != "$LATEST":
				return &usageError{Message: fmt.Sprintf("%q is not a version", args[2]), Hint: "use a number or $LATEST; see which there are: ledge ls " + t.Name}
			}
			share := map[string]float64{}
			if weight != "" {
				if share, err = parseWeight(weight); err != nil {
					return err
				}
			}
			// An empty map removes the weights, no map keeps them.
			body := map[string]any{
				"FunctionVersion": args[2],
				"RoutingConfig":   map[string]any{"AdditionalVersionWeights": share},
			}
			if cmd.Flags().Changed("description") {
				body["Description"] = description
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.aliasSet(cmd.Context(), c, t, body)
		},
		ValidArgsFunction: a.completeAlias,
	}
	textFlag(cmd.Flags(), &weight, "weight", "VERSION=SHARE", "send this share of the invocations to another version: 4=0.1")
	textFlag(cmd.Flags(), &description, "description", "TEXT", "what the alias is for")
	return cmd
}

// parseWeight reads "4=0.1".
func parseWeight(text string) (map[string]float64, error) {
	version, share, found := strings.Cut(text, "=")
	number, err := parseDecimal(share)
	if !found || err != nil || !isNumber(version) || number > 1 {
		return nil, &usageError{Message: fmt.Sprintf("--weight: %q is not a version and its share", text), Hint: "write 4=0.1 for a tenth of the invocations to version 4"}
	}
	return map[string]float64{version: number}, nil
}

func aliasesPath(function string) string {
	return pathFunctions + url.PathEscape(function) + "/aliases"
}

// aliasSet changes the alias or, where there is none, makes it. It looks first,
// so that the node's log of changes has no failure in it.
func (a *app) aliasSet(ctx context.Context, c *client, t target, body map[string]any) error {
	path := aliasesPath(t.Name) + "/" + url.PathEscape(t.Qualifier)
	verb, method := "moved", http.MethodPut
	_, err := c.call(ctx, request{method: http.MethodGet, path: path}, replyTimeout, nil)
	if _, missing := isCode(err, awsNotFound); missing {
		verb, method, path, err = "made", http.MethodPost, aliasesPath(t.Name), nil
		body["Name"] = t.Qualifier
	}
	if err != nil {
		return err
	}
	r, err := jsonRequest(method, path, body)
	if err != nil {
		return err
	}
	var set alias
	raw, err := c.call(ctx, r, replyTimeout, &set)
	if e, missing := isCode(err, awsNotFound); missing {
		return &Error{Code: e.Code, Message: strings.TrimRight(e.Message, ".\n"), Hint: "see its versions: ledge ls " + t.Name, Err: err}
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(json.RawMessage(raw))
	}
	text := fmt.Sprintf("%s %s: version %s", verb, t, set.FunctionVersion)
	if weights := set.weights(); weights != "" {
		text += ", and " + weights
	}
	return a.write([]byte(oneLine(text) + "\n"))
}

// aliases returns all aliases of a function, each as the node sent it.
func (c *client) aliases(ctx context.Context, function string) ([]json.RawMessage, error) {
	return c.pages(ctx, aliasesPath(function), "Aliases")
}

func (a *app) aliasListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls NAME",
		Short:   "List the aliases of a function",
		Long:    "List the aliases of a function and the versions that they lead to.",
		Example: "  ledge alias ls hello",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := parseName(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			raw, err := c.aliases(cmd.Context(), name)
			if err != nil {
				return missingFunction(err, target{Name: name})
			}
			if a.json {
				return a.writeJSON(map[string]any{"Aliases": raw})
			}
			list, err := decodeEach[alias](c, raw)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				a.note("no aliases yet; make one with: ledge alias set %s ALIAS VERSION", name)
				return nil
			}
			rows := [][]string{{"ALIAS", "VERSION", "WEIGHTS", "DESCRIPTION"}}
			for _, one := range list {
				rows = append(rows, []string{one.Name, one.FunctionVersion, one.weights(), one.Description})
			}
			return a.write(table(rows))
		},
		ValidArgsFunction: a.completeFunction,
	}
}

func (a *app) aliasRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NAME ALIAS...",
		Short:   "Remove aliases",
		Long:    "Remove aliases of a function; the versions stay. It stops at the first that cannot\nbe removed.",
		Example: "  ledge alias rm hello canary",
		Args:    arguments("NAME", "ALIAS..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			removals := make([]removal, len(args)-1)
			for i, name := range args[1:] { // all of them before the first goes
				t, err := parseTarget(args[0] + ":" + name)
				if err != nil {
					return err
				}
				removals[i] = removal{"alias", t.String(), aliasesPath(t.Name) + "/" + url.PathEscape(t.Qualifier), "ledge alias ls " + t.Name}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.removeEach(cmd.Context(), c, removals)
		},
		ValidArgsFunction: a.completeAlias,
	}
}

// completeAlias completes a function, then one of its aliases.
func (a *app) completeAlias(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.functionNames(cmd)
	}
	if len(args) > 1 && cmd.Name() == "set" {
		return nil, cobra.ShellCompDirectiveNoFileComp // a version's number is quicker typed
	}
	return a.ask(cmd, func(ctx context.Context, c *client) []string {
		if _, err := parseName(args[0]); err != nil {
			return nil
		}
		raw, err := c.aliases(ctx, args[0])
		if err != nil {
			return nil
		}
		list, err := decodeEach[alias](c, raw)
		if err != nil {
			return nil
		}
		var names []string
		for _, one := range list {
			if !slices.Contains(args[1:], one.Name) {
				names = append(names, one.Name)
			}
		}
		return names
	})
}
