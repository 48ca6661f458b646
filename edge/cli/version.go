package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// versionTimeout bounds the question to the node: version must answer even
// where the node does not.
const versionTimeout = 2 * time.Second

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show the versions of this command and of the node",
		Long:    "Show the version of this command and, where one can be reached, of the node.\nThat none can be reached is no failure.",
		Example: "  ledge version\n  ledge version --endpoint http://gateway-17:9000 --json",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.version(cmd.Context(), c)
		},
	}
}

func (a *app) version(ctx context.Context, c *client) error {
	var node nodeVersion
	raw, err := c.call(ctx, request{method: http.MethodGet, path: pathVersion}, versionTimeout, &node)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if a.json {
		reply := struct {
			Client    Version
			Node      any
			NodeError string `json:",omitempty"`
		}{Client: a.env.Version}
		if err != nil {
			reply.NodeError = err.Error()
		} else {
			reply.Node = json.RawMessage(raw)
		}
		return a.writeJSON(reply)
	}
	v := a.env.Version
	var f fields
	f.add("ledge", describeVersion(v.Version, v.Commit, v.Wasmtime, v.Go, v.Platform))
	if err != nil {
		f.add("node", err.Error())
	} else {
		f.add("node", describeVersion(node.Version, node.Commit, node.Wasmtime, "", "")+" at "+c.node)
	}
	return a.write(f.b.Bytes())
}

func describeVersion(version, commit, wasmtime, goVersion, platform string) string {
	if version == "" {
		version = "(unknown)"
	}
	var parts []string
	if commit != "" {
		parts = append(parts, "commit "+commit)
	}
	if wasmtime != "" {
		parts = append(parts, "wasmtime "+wasmtime)
	}
	for _, part := range []string{goVersion, platform} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) > 0 {
		version += " (" + strings.Join(parts, ", ") + ")"
	}
	return version
}

// routesURL is where the node's HTTP routes answer, seen from here, and empty where
// the node does not say: a key for some functions may not ask, and a guess would send
// people to another server. It is for a line that a person may try, so no failure is
// worth reporting.
func (c *client) routesURL(ctx context.Context) string {
	var node nodeVersion
	if _, err := c.call(ctx, request{method: http.MethodGet, path: pathVersion}, versionTimeout, &node); err != nil {
		return ""
	}
	host, port, err := splitListen(node.HTTP)
	if err != nil {
		return ""
	}
	if host == "" {
		host = c.host
	}
	if port == "80" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return "http://" + host
	}
	return "http://" + net.JoinHostPort(host, port)
}

// controlURL is where the node's control plane answers over TCP, seen from
// here: what was asked for, or what the node says of itself to one who came
// through its socket.
func (c *client) controlURL(ctx context.Context) string {
	if c.base != socketBase {
		return c.base
	}
	var node nodeVersion
	if _, err := c.call(ctx, request{method: http.MethodGet, path: pathVersion}, versionTimeout, &node); err != nil {
		node.Control = ""
	}
	host, port, err := splitListen(node.Control)
	if err != nil {
		_, port, _ = splitListen(defaultSettings().Control)
	}
	return "http://" + net.JoinHostPort(cmp.Or(host, c.host), port)
}

// splitListen takes a listen address apart. A host that stands for all
// addresses is returned empty.
func splitListen(address string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(address)
	if err != nil {
		return "", "", err
	}
	if port == "" || strings.Trim(port, "0123456789") != "" {
		return "", "", errors.New("no port number")
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	return host, port, nil
}
