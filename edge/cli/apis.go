package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

const (
	pathAPIs = "/v1/apis"
	pathRoot = "/v1/root"
)

// nodeAPI is an API of the node: a REST API, an HTTP API or a function URL.
type nodeAPI struct {
	ID     string `json:"ApiId"`
	Name   string
	Kind   string
	Stages []nodeStage
}

// nodeStage is a stage of an API with where it answers.
type nodeStage struct {
	Name string
	URL  string `json:"Url"`     // by the API's own host name
	Path string `json:"PathUrl"` // by the node's address, for curl alone
	Root bool
}

// apiRoot is the API that serves what no route of the node takes.
type apiRoot struct {
	ApiId string
	Stage string `json:",omitempty"`
}

const apiLong = `APIs are made with AWS's tools: "aws apigateway" for REST APIs, "aws apigatewayv2"
for HTTP APIs, Terraform, or an SDK. Here is what AWS has no command for: where they
answer on this node, which of them answers at the node's root, and the keys that
JWT authorizers check tokens with.`

func (a *app) apiCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "api",
		Short:   "Show APIs, choose the node's root, give keys of JWT issuers",
		Long:    apiLong,
		Example: "  ledge api ls\n  ledge api root a1b2c3d4e5/prod\n  ledge api jwks put https://login.example jwks.json",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.apiListCommand(), a.apiRootCommand(), a.jwksCommand())
	return cmd
}

// apis returns all APIs of the node, and the reply as it came.
func (c *client) apis(ctx context.Context) ([]nodeAPI, []byte, error) {
	var reply struct{ Apis []nodeAPI }
	raw, err := c.call(ctx, request{method: http.MethodGet, path: pathAPIs}, replyTimeout, &reply)
	return reply.Apis, raw, err
}

func (a *app) apiListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the APIs and where they answer",
		Long:    "List the APIs and their stages, with an address that works with curl alone.",
		Example: "  ledge api ls\n  ledge api ls --json",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			apis, raw, err := c.apis(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(json.RawMessage(raw))
			}
			if len(apis) == 0 {
				a.note("no APIs yet; make one with aws apigateway create-rest-api, or serve a function with: ledge route add 'GET /hello' NAME")
				return nil
			}
			rows := [][]string{{"API", "KIND", "NAME", "STAGE", "ADDRESS"}}
			for _, api := range apis {
				if len(api.Stages) == 0 {
					rows = append(rows, []string{api.ID, api.Kind, api.Name, "", "not deployed"})
				}
				for _, stage := range api.Stages {
					address := stage.Path
					if stage.Root {
						address += ", and the node's root"
					}
					rows = append(rows, []string{api.ID, api.Kind, api.Name, stage.Name, address})
				}
			}
			return a.write(table(rows))
		},
	}
}

func (a *app) apiRootCommand() *cobra.Command {
	var off bool
	cmd := &cobra.Command{
		Use:   "root [API[/STAGE]]",
		Short: "Show or choose the API that answers at the node's root",
		Long: `Let a stage of an API answer what no route of the node takes, at paths that have no
stage in them, as a custom domain name does on AWS. Without an argument it shows which one
it is; --off ends it. The stage may be left out where it is $default.`,
		Example: "  ledge api root a1b2c3d4e5/prod\n  ledge api root\n  ledge api root --off",
		Args:    arguments("[API]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if off && len(args) > 0 {
				return usagef("--off does not take an API")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			r := request{method: http.MethodGet, path: pathRoot}
			switch {
			case off:
				r.method = http.MethodDelete
			case len(args) == 1:
				id, stage, _ := strings.Cut(args[0], "/")
				if r, err = jsonRequest(http.MethodPut, pathRoot, apiRoot{id, stage}); err != nil {
					return err
				}
			}
			return a.apiRoot(cmd.Context(), c, r)
		},
		ValidArgsFunction: a.completeStage,
	}
	cmd.Flags().BoolVar(&off, "off", false, "no API at the node's root")
	return cmd
}

func (a *app) apiRoot(ctx context.Context, c *client, r request) error {
	var root apiRoot
	into := any(&root)
	if r.method == http.MethodDelete {
		into = nil // it answers with nothing
	}
	raw, err := c.call(ctx, r, replyTimeout, into)
	if e, missing := isCode(err, "NotFoundException"); missing && r.method == http.MethodPut {
		told := e.explain()
		told.Hint = "see which APIs and stages there are: ledge api ls"
		return told
	} else if missing {
		raw, err = []byte("{}"), nil
	}
	if err != nil {
		return err
	}
	if a.json {
		if len(raw) == 0 {
			raw = []byte("{}")
		}
		return a.writeJSON(json.RawMessage(raw))
	}
	if root.ApiId == "" {
		return a.write([]byte("no API answers at the node's root\n"))
	}
	where := "the node's root"
	if node := c.routesURL(ctx); node != "" {
		where = node + "/"
	}
	text := fmt.Sprintf("%s/%s answers at %s", root.ApiId, root.Stage, where)
	return a.write([]byte(oneLine(text) + "\n"))
}

// completeStage completes API/STAGE.
func (a *app) completeStage(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.ask(cmd, func(ctx context.Context, c *client) []string {
		apis, _, err := c.apis(ctx)
		if err != nil {
			return nil
		}
		var names []string
		for _, api := range apis {
			for _, stage := range api.Stages {
				if stage.Name == "$default" {
					names = append(names, api.ID)
				} else {
					names = append(names, api.ID+"/"+stage.Name)
				}
			}
		}
		return names
	})
}
