package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// pathURLs is where Lambda has function URLs
// (https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunctionUrlConfig.html).
const pathURLs = "/2021-10-31/functions/"

// functionURL is AWS Lambda's FunctionUrlConfig.
type functionURL struct {
	FunctionArn string
	FunctionURL string `json:"FunctionUrl"`
	AuthType    string // "NONE" or "AWS_IAM"
	InvokeMode  string
}

func (a *app) urlCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "url",
		Short:   "Give functions addresses of their own",
		Long:    "A function URL is an address that leads to one function, or to one of its aliases,\nwhatever the path and the method. It has a host name of its own, as AWS has it, and\na path at the node's address, which works where that name leads nowhere.",
		Example: "  ledge url create hello\n  ledge url create shop:live --iam\n  ledge url ls",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.urlCreateCommand(), a.urlListCommand(), a.urlRemoveCommand())
	return cmd
}

// byPath is the same address by the node's own name: what serves a host name
// serves the path too, and no resolver needs to know it. Without a name it is only the
// path.
func (u functionURL) byPath(node string) string {
	address, err := url.Parse(u.FunctionURL)
	if err != nil {
		return u.FunctionURL
	}
	id, _, _ := strings.Cut(address.Hostname(), ".")
	return node + "/_aws/lambda-url/" + url.PathEscape(id) + "/"
}

func urlPath(t target) (path string, query url.Values) {
	query = url.Values{}
	if t.Qualifier != "" {
		query.Set("Qualifier", t.Qualifier)
	}
	return pathURLs + url.PathEscape(t.Name) + "/url", query
}

func (a *app) urlCreateCommand() *cobra.Command {
	var iam bool
	cmd := &cobra.Command{
		Use:     "create NAME[:ALIAS]",
		Short:   "Give a function a URL",
		Long:    "Give a function, or one of its aliases, a URL. Anybody who reaches the node may call\nit, unless --iam is given: then requests must be signed with a key of the node.",
		Example: "  ledge url create hello\n  ledge url create shop:live --iam",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			if isNumber(t.Qualifier) {
				return &usageError{
					Message: fmt.Sprintf("%s is a version, and a URL leads to a function or to one of its aliases", t),
					Hint:    fmt.Sprintf("give the version an alias: ledge alias set %s live %s", t.Name, t.Qualifier),
				}
			}
			auth := "NONE"
			if iam {
				auth = "AWS_IAM"
			}
			path, query := urlPath(t)
			r, err := jsonRequest(http.MethodPost, path, map[string]string{"AuthType": auth})
			if err != nil {
				return err
			}
			r.query = query
			c, err := a.client()
			if err != nil {
				return err
			}
			var made functionURL
			raw, err := c.call(cmd.Context(), r, replyTimeout, &made)
			if err != nil {
				if e, exists := isCode(err, awsConflict); exists {
					told := e.explain()
					told.Hint = "see it with: ledge url ls " + t.Name + "; remove it with: ledge url rm " + t.String()
					return told
				}
				return missingFunction(err, t)
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			node := c.routesURL(cmd.Context())
			address := oneLine(shellQuote(made.byPath(node)))
			text := oneLine(made.FunctionURL) + "\n"
			switch {
			case node == "": // nothing that could be tried from here
			case iam:
				text += "\n  curl --aws-sigv4 aws:amz:" + defaultRegion + ":lambda " +
					`--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" ` + address + "\n"
			default:
				text += "\n  curl " + address + "\n"
			}
			return a.write([]byte(text))
		},
		ValidArgsFunction: a.completeFunction,
	}
	cmd.Flags().BoolVar(&iam, "iam", false, "only for requests that are signed with a key of the node")
	return cmd
}

func (a *app) urlListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls [NAME...]",
		Short:   "List function URLs",
		Long:    "List the URLs of functions; without a name, of all functions.",
		Example: "  ledge url ls\n  ledge url ls hello",
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, arg := range args {
				if _, err := parseName(arg); err != nil {
					return err
				}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.urlList(cmd.Context(), c, args)
		},
		ValidArgsFunction: a.completeFunctions,
	}
}

func (a *app) urlList(ctx context.Context, c *client, names []string) error {
	if len(names) == 0 {
		raw, err := c.functions(ctx)
		if err != nil {
			return err
		}
		list, err := c.decodeFunctions(raw)
		if err != nil {
			return err
		}
		for _, f := range list {
			names = append(names, f.FunctionName)
		}
	}
	all := []json.RawMessage{}
	for _, name := range names {
		raw, err := c.pages(ctx, pathURLs+url.PathEscape(name)+"/urls", "FunctionUrlConfigs")
		if err != nil {
			return missingFunction(err, target{Name: name})
		}
		all = append(all, raw...)
	}
	if a.json {
		return a.writeJSON(map[string]any{"FunctionUrlConfigs": all})
	}
	list, err := decodeEach[functionURL](c, all)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		a.note("no function URLs; make one with: ledge url create NAME")
		return nil
	}
	rows := [][]string{{"FUNCTION", "CALLERS", "URL", "OR"}}
	node := c.routesURL(ctx)
	for _, u := range list {
		callers := "anybody"
		if u.AuthType == "AWS_IAM" {
			callers = "with a key"
		}
		function := u.FunctionArn
		if t, err := parseTarget(u.FunctionArn); err == nil {
			function = t.String()
		}
		rows = append(rows, []string{function, callers, u.FunctionURL, u.byPath(node)})
	}
	return a.write(table(rows))
}

func (a *app) urlRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NAME[:ALIAS]",
		Short:   "Remove the URL of a function",
		Long:    "Remove the URL of a function or of one of its aliases.",
		Example: "  ledge url rm hello",
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
			path, query := urlPath(t)
			if _, err := c.call(cmd.Context(), request{method: http.MethodDelete, path: path, query: query}, replyTimeout, nil); err != nil {
				if e, missing := isCode(err, awsNotFound); missing {
					return &Error{Code: e.Code, Message: t.String() + " has no URL", Hint: "see which there are: ledge url ls", Err: err}
				}
				return err
			}
			if a.json {
				return a.writeJSON(map[string]string{"Removed": t.String()})
			}
			return a.write([]byte("removed the URL of " + t.String() + "\n"))
		},
		ValidArgsFunction: a.completeFunction,
	}
}
