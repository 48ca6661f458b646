package cli

import (
	"cmp"
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

const routeLong = `A route sends HTTP requests to a function. It is a method and a path, as in API
Gateway's HTTP APIs: 'GET /hello', 'POST /users/{id}', 'ANY /api/{proxy+}', or
'$default' for all that no other route takes. The most specific route wins.`

func (a *app) routeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "route",
		Short:   "Add, list and remove HTTP routes",
		Long:    routeLong,
		Example: "  ledge route add 'GET /hello' hello\n  ledge route ls\n  ledge route rm 'GET /hello'",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.routeAddCommand(), a.routeListCommand(), a.routeRemoveCommand())
	return cmd
}

// routes returns all routes of the node.
func (c *client) routes(ctx context.Context) ([]route, error) {
	var reply routesReply
	if _, err := c.call(ctx, request{method: http.MethodGet, path: pathRoutes}, replyTimeout, &reply); err != nil {
		return nil, err
	}
	return reply.Routes, nil
}

// visibleRoutes returns the routes, nil where the key may not see them: those of a
// node are of all functions, and a key may be for some.
func (c *client) visibleRoutes(ctx context.Context) ([]route, error) {
	all, err := c.routes(ctx)
	if _, denied := isCode(err, awsDenied); denied {
		return nil, nil
	}
	if err == nil && all == nil {
		all = []route{}
	}
	return all, err
}

// routesOf returns the routes to one function, never nil.
func routesOf(all []route, function string) []route {
	own := []route{}
	for _, r := range all {
		if r.Function == function {
			own = append(own, r)
		}
	}
	return own
}

func routeNames(all []route, function string) []string {
	var names []string
	for _, r := range routesOf(all, function) {
		names = append(names, r.Route)
	}
	return names
}

// describe shows a route with what is unusual about it.
func (r route) describe() string {
	text := r.Route
	if r.Qualifier != "" {
		text += " to " + r.Qualifier
	}
	if r.Payload == "raw" {
		text += " (raw)"
	}
	switch r.Async {
	case "never":
		text += " (no events)"
	case "always":
		text += " (events)"
	}
	return text
}

const routeAddExample = `  ledge route add 'GET /hello' hello
  ledge route add 'ANY /api/{proxy+}' shop:live --replace
  ledge route add 'POST /vote' vote --cors-origin https://example.com --cors-max-age 1h
  ledge route add 'POST /hook' import --async`

func (a *app) routeAddCommand() *cobra.Command {
	var payload, contentType, maxAge string
	var replace, always, never bool
	var policy cors
	cmd := &cobra.Command{
		Use:     "add ROUTE NAME[:QUALIFIER]",
		Short:   "Add a route to a function",
		Long:    routeLong + "\n\nA route that exists is left as it is, unless --replace is given.",
		Example: routeAddExample,
		Args:    arguments("ROUTE", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := parseTarget(args[1])
			if err != nil {
				return err
			}
			if err := checkPayload(payload, contentType); err != nil {
				return err
			}
			added := route{Route: args[0], Function: t.Name, Qualifier: t.Qualifier, Payload: payload, ContentType: contentType}
			switch {
			case always && never:
				return usagef("--async and --no-async cannot both hold")
			case always:
				added.Async = "always"
			case never:
				added.Async = "never"
			}
			if maxAge != "" {
				age, err := parseDuration(maxAge)
				if err != nil {
					return usagef("--cors-max-age: %s", err)
				}
				policy.MaxAge = int(age / time.Second)
			}
			switch {
			case len(policy.AllowOrigins) > 0:
				added.CORS = &policy
			case slices.ContainsFunc(changedFlags(cmd), func(flag string) bool { return strings.HasPrefix(flag, "cors-") }):
				return usagef("a CORS policy needs --cors-origin")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.routeAdd(cmd.Context(), c, added, t, replace)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return a.functionNames(cmd)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	flags := cmd.Flags()
	textFlag(flags, &payload, "payload", "FORMAT", "2.0 (API Gateway events) or raw (body in, body out) (default 2.0)")
	textFlag(flags, &contentType, "content-type", "TYPE", "of what a raw route answers")
	flags.BoolVar(&always, "async", false, "queue every request and answer 202 at once; the node tries again where the function fails")
	flags.BoolVar(&never, "no-async", false, "refuse requests that ask to be queued, with the header X-Amz-Invocation-Type: Event")
	flags.BoolVar(&replace, "replace", false, "replace the route where it exists")
	listFlag(flags, &policy.AllowOrigins, "cors-origin", "ORIGIN", "origin whose pages may call the route: https://example.com or *")
	listFlag(flags, &policy.AllowMethods, "cors-method", "METHOD", "method that pages may use")
	listFlag(flags, &policy.AllowHeaders, "cors-header", "HEADER", "request header that pages may send")
	listFlag(flags, &policy.ExposeHeaders, "cors-expose", "HEADER", "response header that pages may read")
	textFlag(flags, &maxAge, "cors-max-age", "DURATION", "how long browsers may remember the policy")
	flags.BoolVar(&policy.AllowCredentials, "cors-credentials", false, "pages may send cookies")
	choices(cmd, "payload", "2.0", "raw")
	return cmd
}

func (a *app) routeAdd(ctx context.Context, c *client, added route, t target, replace bool) error {
	body := struct {
		route
		Replace bool `json:",omitempty"`
	}{added, replace}
	r, err := jsonRequest(http.MethodPut, pathRoutes, body)
	if err != nil {
		return err
	}
	raw, err := c.call(ctx, r, replyTimeout, nil)
	if err != nil {
		if e, taken := isCode(err, awsConflict); taken {
			told := e.explain()
			told.Hint = "see who has it: ledge route ls; take it with --replace"
			return told
		}
		return missingFunction(err, t)
	}
	if a.json {
		if !json.Valid(raw) {
			return a.writeJSON(added)
		}
		return a.writeJSON(json.RawMessage(raw))
	}
	text := "added route " + oneLine(added.Route) + " to " + t.String() + "\n"
	if node := c.routesURL(ctx); node != "" {
		text += "\n  " + oneLine(curlLine(node, added)) + "\n"
	}
	return a.write([]byte(text))
}

func (a *app) routeListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the routes",
		Long:    "List all routes of the node.",
		Example: "  ledge route ls\n  ledge route ls --json",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var reply routesReply
			raw, err := c.call(cmd.Context(), request{method: http.MethodGet, path: pathRoutes}, replyTimeout, &reply)
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			if len(reply.Routes) == 0 {
				a.note("no routes yet; add one with: ledge route add 'GET /hello' NAME")
				return nil
			}
			rows := [][]string{{"ROUTE", "FUNCTION", "PAYLOAD", "EVENTS", "CORS ORIGINS"}}
			for _, r := range reply.Routes {
				payload := r.Payload
				if payload == "" {
					payload = "2.0"
				}
				var origins string
				if r.CORS != nil {
					origins = strings.Join(r.CORS.AllowOrigins, ", ")
				}
				rows = append(rows, []string{r.Route, target{r.Function, r.Qualifier}.String(), payload, cmp.Or(r.Async, "allow"), origins})
			}
			return a.write(table(rows))
		},
	}
}

func (a *app) routeRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm ROUTE...",
		Short:   "Remove routes",
		Long:    "Remove routes; their functions stay. It stops at the first route that cannot be\nremoved.",
		Example: "  ledge route rm 'GET /hello'\n  ledge route rm '$default'",
		Args:    arguments("ROUTE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.routeRemove(cmd.Context(), c, args)
		},
		ValidArgsFunction: a.completeRoutes,
	}
}

func (a *app) routeRemove(ctx context.Context, c *client, routes []string) error {
	for _, name := range routes {
		r := request{method: http.MethodDelete, path: pathRoutes, query: url.Values{"route": {name}}}
		if _, err := c.call(ctx, r, replyTimeout, nil); err != nil {
			if e, missing := isCode(err, awsNotFound); missing {
				return &Error{Code: e.Code, Message: fmt.Sprintf("no route %q", name), Hint: "see what is there: ledge route ls", Err: err}
			}
			return err
		}
		if !a.json {
			if err := a.write([]byte("removed route " + oneLine(name) + "\n")); err != nil {
				return err
			}
		}
	}
	if a.json {
		return a.writeJSON(map[string]any{"Removed": routes})
	}
	return nil
}
