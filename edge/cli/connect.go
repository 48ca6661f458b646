package cli

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client talks to one node.
type client struct {
	http *http.Client
	base string // URL without a final slash
	node string // how messages name the node: a path or a URL
	hint string // what to do when it cannot be reached
	host string // where its HTTP routes are expected: "localhost" or a remote host
	as   identity
	now  func() time.Time
}

// client finds the node and what to call it with.
func (a *app) client() (*client, error) {
	switch {
	case a.data != "" && a.endpoint != "":
		return nil, usagef("--data and --endpoint both name a node; give one of them")
	case a.data != "" && a.profile != "":
		return nil, usagef("--data and --profile both name a node; give one of them")
	}
	n, err := a.findNode()
	if err != nil {
		return nil, err
	}
	if n.endpoint == "" {
		return a.socketClient(n.data), nil
	}
	c, err := a.endpointClient(n.endpoint, n.source)
	if err != nil {
		return nil, err
	}
	c.as, err = a.identity(n.files, n.profile, n.profileFrom, c.base)
	return c, err
}

// whereabouts is what names a node: a data folder, or an endpoint with all that
// may say who calls it.
type whereabouts struct {
	data        string
	endpoint    string
	source      string // of endpoint, for messages
	files       awsFiles
	profile     profile // that was asked for by name; zero: none was
	profileFrom string  // the flag or variable with that name; empty: none
}

// findNode takes the first of these that is there: --data, --endpoint or
// --profile; LEDGE_ENDPOINT, LEDGE_PROFILE or LEDGE_DATA; what AWS's tools would
// use, which are a profile in AWS_PROFILE that has an endpoint, and
// AWS_ENDPOINT_URL; the default data folder. Variables of AWS come last so that
// those that are there for AWS itself do not lead a command about this node astray.
func (a *app) findNode() (n whereabouts, err error) {
	getenv := a.env.Getenv
	n.endpoint, n.source = a.endpoint, "--endpoint"
	if n.endpoint == "" && a.profile == "" {
		n.endpoint, n.source = getenv("LEDGE_ENDPOINT"), "LEDGE_ENDPOINT"
	}
	named := cmp.Or(a.profile, getenv("LEDGE_PROFILE"))
	ofAWS := getenv("AWS_PROFILE") != "" || getenv("AWS_ENDPOINT_URL") != ""
	switch {
	case a.data != "":
		return whereabouts{data: a.data}, nil
	case n.endpoint != "" || named != "":
	case getenv("LEDGE_DATA") != "" || !ofAWS: // the files of AWS's tools are not even read
		return whereabouts{data: a.dataFolder()}, nil
	}
	if n.files, err = readAWSFiles(getenv); err != nil {
		return n, err
	}
	if named != "" {
		n.profileFrom = "--profile"
		if a.profile == "" {
			n.profileFrom = "LEDGE_PROFILE"
		}
		if n.profile, err = n.files.must(named, n.profileFrom); err != nil {
			return n, err
		}
	}
	if n.endpoint != "" {
		return n, nil
	}
	if named == "" {
		if p, _ := n.files.find(getenv("AWS_PROFILE")); p.endpoint != "" {
			n.endpoint, n.source = p.endpoint, "endpoint_url of the profile "+p.name
		} else {
			n.endpoint, n.source = getenv("AWS_ENDPOINT_URL"), "AWS_ENDPOINT_URL"
		}
		n.data = defaultData // where AWS_PROFILE is for AWS alone
		return n, nil
	}
	n.endpoint, n.source = n.profile.endpoint, "endpoint_url of the profile "+named
	if n.endpoint == "" {
		return n, &Error{
			Code:    codeBadSetting,
			Message: fmt.Sprintf("%s: the profile %q names no node", n.profileFrom, named),
			Hint:    fmt.Sprintf("add the line endpoint_url = http://HOST:9000 to it in %s, or give --endpoint too", n.files.configPath),
		}
	}
	return n, nil
}

// socketBase is the URL that requests over the socket are made for.
const socketBase = "http://localhost"

// socketClient needs no key: who may open the socket may do all.
func (a *app) socketClient(data string) *client {
	socket := inFolder(data, socketName)
	dialer := net.Dialer{Timeout: dialTimeout}
	return &client{
		http: httpClient(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}),
		base: socketBase,
		node: socket,
		hint: "is it running? start it with: ledge serve --data " + shellQuote(data),
		host: "localhost",
		now:  a.now,
	}
}

func (a *app) endpointClient(text, source string) (*client, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, &usageError{
			Message: fmt.Sprintf("%s: %q is not the URL of a node", source, text),
			Hint:    "write http://HOST:PORT",
		}
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	base := strings.TrimRight(u.String(), "/")
	return &client{
		http: httpClient(dialer.DialContext),
		base: base,
		node: base,
		hint: "is it running, and does its --control address accept connections from here?",
		host: u.Hostname(),
		now:  a.now,
	}, nil
}

func httpClient(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dial,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // the network is short, the node's CPU slow
			TLSHandshakeTimeout:    dialTimeout,
		},
		// A node never redirects; whatever does is something else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
