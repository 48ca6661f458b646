package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// pathLayers is AWS Lambda's
// (https://docs.aws.amazon.com/lambda/latest/api/API_ListLayers.html).
const pathLayers = "/2018-10-31/layers"

// layerName is AWS Lambda's pattern, for what stands in no ARN.
var layerName = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,140}$`)

// layerVersion is one version of a layer as people name it, NAME:VERSION, and in
// JSON AWS Lambda's LayerVersionsListItem as far as it is shown.
type layerVersion struct {
	Name        string `json:"-"`
	Version     uint64
	Description string
	CreatedDate string
}

func (l layerVersion) String() string { return l.Name + ":" + strconv.FormatUint(l.Version, 10) }

func (l layerVersion) path() string {
	return layerVersionsPath(l.Name) + "/" + strconv.FormatUint(l.Version, 10)
}

// arn is what a deploy names the layer by. A node takes any region and account.
func (l layerVersion) arn() string {
	return "arn:aws:lambda:" + defaultRegion + ":000000000000:layer:" + l.String()
}

func layerVersionsPath(name string) string {
	return pathLayers + "/" + url.PathEscape(name) + "/versions"
}

// parseLayerName checks the name here because it becomes a part of a URL's path.
func parseLayerName(text string) (string, error) {
	if !layerName.MatchString(text) {
		return "", &usageError{Message: fmt.Sprintf("%q is not a layer name", text), Hint: "use 1 to 140 letters, digits, - and _"}
	}
	return text, nil
}

// parseLayerVersion reads NAME:VERSION or the ARN of a layer version.
func parseLayerVersion(text string) (layerVersion, error) {
	rest := text
	if strings.HasPrefix(text, "arn:") {
		_, rest, _ = strings.Cut(text, ":layer:")
	}
	name, number, _ := strings.Cut(rest, ":")
	version, err := strconv.ParseUint(number, 10, 63)
	if err != nil || version == 0 || !layerName.MatchString(name) {
		return layerVersion{}, &usageError{
			Message: fmt.Sprintf("%q is not a version of a layer", text),
			Hint:    "write NAME:VERSION or its ARN; see which there are: ledge layer ls",
		}
	}
	return layerVersion{Name: name, Version: version}, nil
}

// layerArns returns what a deploy sends for --layer. An empty value removes what
// there was.
func layerArns(values []string) (*[]string, error) {
	arns := withoutEmpty(values)
	for i, text := range *arns {
		l, err := parseLayerVersion(text)
		if err != nil {
			return nil, err
		}
		(*arns)[i] = l.arn()
	}
	return arns, nil
}

const layerLong = `A layer is a set of files that functions share, such as libraries: a function that is
deployed with --layer NAME:VERSION has them at /opt. Python imports from /opt/python,
and JavaScript from /opt/nodejs/node_modules. A version never changes; functions
keep the one that they have until they are deployed with another.`

func (a *app) layerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "layer",
		Short:   "Publish, list and remove layers",
		Long:    layerLong,
		Example: "  pip install --target libs/python requests && ledge layer publish libs libs\n  ledge deploy hello app.py --layer libs:1\n  ledge layer ls",
		Args:    noSuchCommand,
		RunE:    needsCommand,
	}
	cmd.AddCommand(a.layerPublishCommand(), a.layerListCommand(), a.layerRemoveCommand())
	return cmd
}

func (a *app) layerPublishCommand() *cobra.Command {
	var description string
	cmd := &cobra.Command{
		Use:     "publish NAME PATH",
		Short:   "Publish files as the next version of a layer",
		Long:    layerLong + "\n\nPATH is a folder, a zip, or - for a zip on standard input. What is at its top is at the\ntop of /opt.",
		Example: "  ledge layer publish libs ./libs\n  ledge layer publish libs libs.zip --description 'requests 2.32'",
		Args:    arguments("NAME", "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := parseLayerName(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.layerPublish(cmd.Context(), c, name, args[1], description)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.layerNames(cmd)
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	textFlag(cmd.Flags(), &description, "description", "TEXT", "what the layer has, or what is new in it")
	return cmd
}

func (a *app) layerPublish(ctx context.Context, c *client, name, path, description string) error {
	content, err := a.readLayer(ctx, path)
	if err != nil {
		return err
	}
	body := struct {
		Content     struct{ ZipFile []byte }
		Description string `json:",omitempty"`
	}{Description: description}
	body.Content.ZipFile = content.blob
	r, err := jsonRequest(http.MethodPost, layerVersionsPath(name), body)
	if err != nil {
		return err
	}
	published := layerVersion{Name: name}
	raw, err := c.call(ctx, r, 0, &published)
	if err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(json.RawMessage(raw))
	}
	if content.tree != nil && !content.tree.hasFolder("python", "nodejs") {
		a.note("Functions read these files at /opt. To import modules from it, put them under python/ or nodejs/node_modules/.")
	}
	return a.write([]byte("published " + published.String() + "\n\n  ledge deploy NAME PATH --layer " + published.String() + "\n"))
}

// readLayer reads what PATH names: a folder, which it packs, or a zip.
func (a *app) readLayer(ctx context.Context, path string) (code, error) {
	if languageOfFile(path) != nil {
		if info, err := os.Stat(path); err == nil && !info.IsDir() { // what is not there at all, readCode says
			return code{}, notLayer(path)
		}
	}
	content, err := a.readCode(ctx, path)
	var told *Error
	switch {
	case errors.Is(err, errNothing) && errors.As(err, &told):
		return code{}, badCode(told.Message, layerHint)
	case err != nil:
		return code{}, err
	case !bytes.HasPrefix(content.blob, []byte("PK")):
		return code{}, notLayer(content.name)
	}
	return content, nil
}

const layerHint = "put files into a folder: modules of Python into python/, packages of JavaScript into nodejs/node_modules/; " +
	"then publish the folder that has those"

func notLayer(name string) error {
	return badCode(name+" is no layer, which is a folder or a zip", layerHint)
}

// layers returns the layers with their newest versions, each as the node sent it.
func (c *client) layers(ctx context.Context) ([]json.RawMessage, error) {
	return c.pages(ctx, pathLayers, "Layers")
}

// layerItem is one of ListLayers.
type layerItem struct {
	LayerName             string
	LatestMatchingVersion layerVersion
}

func (a *app) layerListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls [NAME]",
		Short:   "List the layers, or the versions of one",
		Long:    "List the layers with their newest versions; or, with a name, all versions of that\nlayer, the newest first.",
		Example: "  ledge layer ls\n  ledge layer ls libs",
		Args:    arguments("[NAME]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				var err error
				if name, err = parseLayerName(args[0]); err != nil {
					return err
				}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.layerList(cmd.Context(), c, name)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.layerNames(cmd)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func (a *app) layerList(ctx context.Context, c *client, name string) error {
	path, member := pathLayers, "Layers"
	if name != "" {
		path, member = layerVersionsPath(name), "LayerVersions"
	}
	raw, err := c.pages(ctx, path, member)
	if err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(map[string]any{member: raw})
	}
	var list []layerVersion
	if name != "" {
		list, err = decodeEach[layerVersion](c, raw)
		for i := range list {
			list[i].Name = name
		}
	} else {
		list, err = newestLayers(c, raw)
	}
	if err != nil {
		return err
	}
	if len(list) == 0 {
		if name != "" {
			a.note("there is no layer %s; publish it with: ledge layer publish %s PATH", name, name)
		} else {
			a.note("no layers yet; publish one with: ledge layer publish NAME PATH")
		}
		return nil
	}
	rows := [][]string{{"LAYER", "CREATED", "DESCRIPTION"}}
	for _, l := range list {
		rows = append(rows, []string{l.String(), shortTime(l.CreatedDate), l.Description})
	}
	return a.write(table(rows))
}

// newestLayers reads what layers returned.
func newestLayers(c *client, raw []json.RawMessage) ([]layerVersion, error) {
	items, err := decodeEach[layerItem](c, raw)
	list := make([]layerVersion, len(items))
	for i, item := range items {
		list[i] = item.LatestMatchingVersion
		list[i].Name = item.LayerName
	}
	return list, err
}

func (a *app) layerRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NAME:VERSION...",
		Short:   "Remove versions of layers",
		Long:    "Remove versions of layers. Functions that have one keep its files. It stops at the\nfirst that cannot be removed.",
		Example: "  ledge layer rm libs:1 libs:2",
		Args:    arguments("NAME:VERSION..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			removals := make([]removal, len(args))
			for i, arg := range args { // all of them before the first goes
				l, err := parseLayerVersion(arg)
				if err != nil {
					return err
				}
				removals[i] = removal{"layer", l.String(), l.path(), "ledge layer ls " + l.Name}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.removeEach(cmd.Context(), c, removals)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			names, directive := a.layerVersions(cmd, args, word)
			return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(args, name) }), directive
		},
	}
}

// layerVersions completes NAME:VERSION with the newest version of each layer.
func (a *app) layerVersions(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completeLayers(cmd, layerVersion.String)
}

// layerNames completes NAME.
func (a *app) layerNames(cmd *cobra.Command) ([]string, cobra.ShellCompDirective) {
	return a.completeLayers(cmd, func(l layerVersion) string { return l.Name })
}

func (a *app) completeLayers(cmd *cobra.Command, word func(layerVersion) string) ([]string, cobra.ShellCompDirective) {
	return a.ask(cmd, func(ctx context.Context, c *client) []string {
		raw, err := c.layers(ctx)
		if err != nil {
			return nil
		}
		list, err := newestLayers(c, raw)
		if err != nil {
			return nil
		}
		words := make([]string, len(list))
		for i, l := range list {
			words[i] = word(l)
		}
		return words
	})
}
