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
	"time"

	"github.com/spf13/cobra"
)

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls [NAME]",
		Short:   "List the functions, or the versions of one",
		Long:    "List the node's functions, by name, with the routes that lead to them; or, with a\nname, the versions of that function with the aliases that lead to them.",
		Example: "  ledge ls\n  ledge ls hello\n  ledge ls --json | jq -r '.Functions[].FunctionName'",
		Args:    arguments("[NAME]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				var err error
				if name, err = parseName(args[0]); err != nil {
					return err
				}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if name != "" {
				return a.listVersions(cmd.Context(), c, name)
			}
			return a.list(cmd.Context(), c)
		},
		ValidArgsFunction: a.completeFunction,
	}
}

const (
	pageSize = 50     // AWS Lambda's largest page
	maxPages = 10_000 // a node that never ends a list must not keep us for ever
)

// pages returns all entries of one of Lambda's lists, each as the node sent it;
// member is the name of the list in a page.
func (c *client) pages(ctx context.Context, path, member string) ([]json.RawMessage, error) {
	all := []json.RawMessage{} // a list even where it is empty, not null
	marker := ""
	for range maxPages {
		query := url.Values{"MaxItems": {strconv.Itoa(pageSize)}}
		if marker != "" {
			query.Set("Marker", marker)
		}
		var page map[string]json.RawMessage
		r := request{method: http.MethodGet, path: path, query: query}
		raw, err := c.call(ctx, r, replyTimeout, &page)
		if err != nil {
			return nil, err
		}
		var entries []json.RawMessage
		var next string
		for name, into := range map[string]any{member: &entries, "NextMarker": &next} {
			if text, ok := page[name]; ok && json.Unmarshal(text, into) != nil {
				return nil, c.notAList(raw, nil)
			}
		}
		all = append(all, entries...)
		if next == "" {
			return all, nil
		}
		if next == marker {
			break
		}
		marker = next
	}
	return nil, &Error{Code: codeBadAnswer, Message: fmt.Sprintf("the list of %s of %s does not end", strings.ToLower(member), c.node)}
}

// functions returns all functions, each as the node sent it.
func (c *client) functions(ctx context.Context) ([]json.RawMessage, error) {
	return c.pages(ctx, pathFunctions, "Functions")
}

// decodeFunctions reads what functions returned.
func (c *client) decodeFunctions(raw []json.RawMessage) ([]configuration, error) {
	return decodeEach[configuration](c, raw)
}

// decodeEach reads what pages returned.
func decodeEach[T any](c *client, raw []json.RawMessage) ([]T, error) {
	list := make([]T, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &list[i]); err != nil {
			return nil, c.notAList(raw[i], err)
		}
	}
	return list, nil
}

func (c *client) notAList(text []byte, err error) error {
	return &Error{Code: codeBadAnswer, Message: fmt.Sprintf("the list that %s sent is not one: %s", c.node, excerpt(text)), Err: err}
}

func (a *app) list(ctx context.Context, c *client) error {
	raw, err := c.functions(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(map[string]any{"Functions": raw})
	}
	list, err := c.decodeFunctions(raw)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		a.note("no functions yet; deploy one with: ledge deploy NAME PATH")
		return nil
	}
	routes, err := c.routes(ctx)
	if err != nil {
		return err
	}
	rows := [][]string{{"NAME", "RUNTIME", "MEMORY", "TIMEOUT", "VERSION", "MODIFIED", "ROUTES"}}
	for _, f := range list {
		rows = append(rows, []string{
			f.FunctionName, f.runtime(), fmt.Sprintf("%d MB", f.MemorySize), f.timeout().String(),
			f.Version, shortTime(f.LastModified), strings.Join(routeNames(routes, f.FunctionName), ", "),
		})
	}
	return a.write(table(rows))
}

// listVersions lists a function's versions with the aliases that lead to them.
func (a *app) listVersions(ctx context.Context, c *client, name string) error {
	raw, err := c.pages(ctx, pathFunctions+url.PathEscape(name)+"/versions", "Versions")
	if err != nil {
		return missingFunction(err, target{Name: name})
	}
	rawAliases, err := c.aliases(ctx, name)
	if err != nil {
		return missingFunction(err, target{Name: name})
	}
	if a.json {
		return a.writeJSON(map[string]any{"Versions": raw, "Aliases": rawAliases})
	}
	versions, err := c.decodeFunctions(raw)
	if err != nil {
		return err
	}
	aliases, err := decodeEach[alias](c, rawAliases)
	if err != nil {
		return err
	}
	rows := [][]string{{"VERSION", "RUNTIME", "CODE", "MODIFIED", "ALIASES", "DESCRIPTION"}}
	for _, v := range versions {
		var leading []string
		for _, one := range aliases {
			share, also := one.RoutingConfig.AdditionalVersionWeights[v.Version]
			switch {
			case one.FunctionVersion == v.Version:
				leading = append(leading, one.Name)
			case also:
				leading = append(leading, fmt.Sprintf("%s (%g)", one.Name, share))
			}
		}
		rows = append(rows, []string{v.Version, v.runtime(), formatSize(v.CodeSize), shortTime(v.LastModified), strings.Join(leading, ", "), v.Description})
	}
	return a.write(table(rows))
}

// awsTime is the layout of AWS Lambda's LastModified.
const awsTime = "2006-01-02T15:04:05.000-0700"

// shortTime shows a time to the second, in UTC; what is no time stays as it is.
func shortTime(text string) string {
	t, err := time.Parse(awsTime, text)
	if err != nil {
		return text
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

func (a *app) getCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "get NAME[:QUALIFIER]",
		Short:   "Show a function's settings and routes",
		Long:    "Show the settings of a function, or of one of its versions or aliases, and the\nroutes that lead to it, which a key for some functions does not see.",
		Example: "  ledge get hello\n  ledge get hello:3 --json",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.get(cmd.Context(), c, t)
		},
		ValidArgsFunction: a.completeFunction,
	}
}

func (a *app) get(ctx context.Context, c *client, t target) error {
	path, query := functionPath(t, "")
	var reply struct{ Configuration json.RawMessage }
	raw, err := c.call(ctx, request{method: http.MethodGet, path: path, query: query}, replyTimeout, &reply)
	if err != nil {
		return missingFunction(err, t)
	}
	var f configuration
	if err := json.Unmarshal(reply.Configuration, &f); err != nil {
		return &Error{Code: codeBadAnswer, Message: fmt.Sprintf("the answer of %s holds no configuration: %s", c.node, excerpt(raw)), Err: err}
	}
	all, err := c.visibleRoutes(ctx)
	if err != nil {
		return err
	}
	routes := routesOf(all, t.Name)
	if a.json {
		shown := map[string]any{"Configuration": reply.Configuration}
		if all != nil {
			shown["Routes"] = routes
		}
		return a.writeJSON(shown)
	}
	return a.write(describeFunction(f, routes))
}

func describeFunction(f configuration, routes []route) []byte {
	var b fields
	b.add("name", f.FunctionName)
	b.add("arn", f.FunctionArn)
	b.add("description", f.Description)
	b.add("version", f.Version)
	b.add("runtime", f.describeRuntime())
	b.add("handler", f.Handler)
	b.add("memory", fmt.Sprintf("%d MB", f.MemorySize))
	b.add("timeout", f.timeout().String())
	b.add("isolation", f.Ledge.Isolation)
	if f.Ledge.Concurrency > 0 {
		b.add("concurrency", strconv.Itoa(f.Ledge.Concurrency))
	}
	if f.Ledge.NoSnapshot {
		b.add("snapshot", "off")
	}
	b.add("code", formatSize(f.CodeSize))
	b.add("code sha256", f.CodeSha256)
	b.add("modified", shortTime(f.LastModified))
	for _, l := range f.Layers {
		_, layer, _ := strings.Cut(l.Arn, ":layer:")
		b.add("layer", layer)
	}
	for _, host := range f.Ledge.AllowHosts {
		b.add("allow host", host)
	}
	for _, function := range f.Ledge.AllowInvoke {
		b.add("allow invoke", function)
	}
	for _, filter := range f.Ledge.AllowPublish {
		b.add("allow publish", filter)
	}
	for _, bucket := range f.Ledge.AllowBuckets {
		b.add("allow bucket", bucket)
	}
	names := make([]string, 0, len(f.Environment.Variables))
	for name := range f.Environment.Variables {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b.add("env", name+"="+f.Environment.Variables[name])
	}
	for _, r := range routes {
		b.add("route", r.describe())
	}
	return b.b.Bytes()
}

func (a *app) removeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME[:VERSION]...",
		Short: "Remove functions",
		Long: `Remove functions with their versions, aliases, routes, feeds, waiting events and data,
at once and without asking. Schedules go too that ledge deploy --cron made; those of
ledge schedule add stay. NAME:VERSION removes one published version only. It stops at
the first name that cannot be removed.`,
		Example: "  ledge rm hello\n  ledge rm hello:3 shop",
		Args:    arguments("NAME..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			targets := make([]target, len(args))
			for i, arg := range args { // all of them before the first goes
				t, err := parseTarget(arg)
				if err != nil {
					return err
				}
				if t.Qualifier != "" && !isNumber(t.Qualifier) {
					return &usageError{
						Message: fmt.Sprintf("%s is no published version", t),
						Hint:    "rm removes functions and their numbered versions; remove an alias with: ledge alias rm " + t.Name + " " + t.Qualifier,
					}
				}
				targets[i] = t
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.remove(cmd.Context(), c, targets)
		},
		ValidArgsFunction: a.completeFunctions,
	}
}

// removed says what went with a function.
type removed struct {
	Function  string
	Qualifier string `json:",omitempty"`
	Routes    []route
}

// remove stops at the first failure, and then still says what is gone.
func (a *app) remove(ctx context.Context, c *client, targets []target) error {
	gone := []removed{}
	failure := func() error {
		routes, err := c.visibleRoutes(ctx)
		if err != nil {
			return err
		}
		for _, t := range targets {
			path, query := functionPath(t, "")
			if _, err := c.call(ctx, request{method: http.MethodDelete, path: path, query: query}, replyTimeout, nil); err != nil {
				return missingFunction(err, t)
			}
			went := removed{Function: t.Name, Qualifier: t.Qualifier, Routes: []route{}}
			if t.Qualifier == "" {
				went.Routes = routesOf(routes, t.Name)
			}
			gone = append(gone, went)
		}
		return nil
	}()
	if a.json {
		if len(gone) == 0 && failure != nil {
			return failure
		}
		if err := a.writeJSON(map[string]any{"Removed": gone}); err != nil {
			return err
		}
		return failure
	}
	var text strings.Builder
	for _, went := range gone {
		text.WriteString("removed " + target{went.Function, went.Qualifier}.String() + "\n")
		for _, r := range went.Routes {
			text.WriteString("removed route " + oneLine(r.Route) + "\n")
		}
	}
	if err := a.write([]byte(text.String())); err != nil {
		return err
	}
	return failure
}
