package cli

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const sharedConfig = `
[default]
region = eu-west-1

[profile edge]
endpoint_url = http://edge.example:9000
region = eu-central-1

[profile plain]
region = us-west-2

[profile sso]
endpoint_url = http://edge.example:9000
sso_session = work

[profile half]
endpoint_url = http://edge.example:9000

[profile inline]
endpoint_url = http://inline.example:9000/
aws_access_key_id = CONFIGKEY
aws_secret_access_key = configsecret
`

const sharedCredentials = `
[default]
aws_access_key_id = DEFAULTKEY
aws_secret_access_key = defaultsecret

[edge]
aws_access_key_id = EDGEKEY
aws_secret_access_key = edge/secret

[half]
aws_access_key_id = HALFKEY
`

// home makes a home folder with AWS's shared files.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, ".aws", "config"), sharedConfig)
	writeFile(t, filepath.Join(dir, ".aws", "credentials"), sharedCredentials)
	return dir
}

func TestWhichNodeAndWhoCalls(t *testing.T) {
	type vars = map[string]string
	keys := vars{"AWS_ACCESS_KEY_ID": "ENVKEY", "AWS_SECRET_ACCESS_KEY": "envsecret"}
	for _, c := range []struct {
		name                    string
		flags                   app
		env                     vars
		node, key, token, where string
		region                  string
	}{
		{name: "nothing", node: "./ledge-data/control.sock"},
		{name: "data folder", flags: app{data: "/d"}, env: keys, node: "/d/control.sock"},
		{name: "data folder from the environment", env: vars{"LEDGE_DATA": "/d", "AWS_PROFILE": "edge", "AWS_ENDPOINT_URL": "http://aws.example"}, node: "/d/control.sock"},
		{name: "a profile of AWS that is not for a node", env: vars{"AWS_PROFILE": "plain"}, node: "./ledge-data/control.sock"},
		{name: "endpoint with the default profile's key", flags: app{endpoint: "gw:9000"}, node: "http://gw:9000", key: "DEFAULTKEY", where: "the profile default", region: "eu-west-1"},
		{name: "endpoint with the key in the environment", flags: app{endpoint: "gw:9000"}, env: keys, node: "http://gw:9000", key: "ENVKEY", where: "AWS_ACCESS_KEY_ID", region: "us-east-1"},
		{name: "region in the environment", flags: app{endpoint: "gw:9000"}, env: vars{"AWS_REGION": "sa-east-1", "AWS_DEFAULT_REGION": "x"}, node: "http://gw:9000", key: "DEFAULTKEY", where: "the profile default", region: "sa-east-1"},
		{name: "profile", flags: app{profile: "edge"}, env: keys, node: "http://edge.example:9000", key: "EDGEKEY", where: "the profile edge", region: "eu-central-1"},
		{name: "profile beats token", flags: app{profile: "edge"}, env: vars{"LEDGE_TOKEN": "t"}, node: "http://edge.example:9000", key: "EDGEKEY", where: "the profile edge", region: "eu-central-1"},
		{name: "profile in the environment", env: vars{"LEDGE_PROFILE": "inline", "AWS_ACCESS_KEY_ID": "x", "LEDGE_DATA": "/d"}, node: "http://inline.example:9000", key: "CONFIGKEY", where: "the profile inline", region: "us-east-1"},
		{name: "endpoint for a profile", flags: app{endpoint: "https://gw", profile: "edge"}, env: vars{"LEDGE_ENDPOINT": "http://other"}, node: "https://gw", key: "EDGEKEY", where: "the profile edge", region: "eu-central-1"},
		{name: "AWS_PROFILE with an endpoint", env: vars{"AWS_PROFILE": "edge", "AWS_ENDPOINT_URL": "http://aws.example"}, node: "http://edge.example:9000", key: "EDGEKEY", where: "the profile edge", region: "eu-central-1"},
		{name: "AWS_ENDPOINT_URL", env: vars{"AWS_PROFILE": "plain", "AWS_ENDPOINT_URL": "http://aws.example", "AWS_ACCESS_KEY_ID": "ENVKEY", "AWS_SECRET_ACCESS_KEY": "s"}, node: "http://aws.example", key: "ENVKEY", where: "AWS_ACCESS_KEY_ID", region: "us-east-1"},
		{name: "token", flags: app{endpoint: "localhost:9000"}, env: vars{"LEDGE_TOKEN": "ledge_x_y"}, node: "http://localhost:9000", token: "ledge_x_y", where: "LEDGE_TOKEN", region: "us-east-1"},
		{name: "token through TLS", flags: app{endpoint: "https://gw"}, env: vars{"LEDGE_TOKEN": "ledge_x_y"}, node: "https://gw", token: "ledge_x_y", where: "LEDGE_TOKEN", region: "us-east-1"},
		{name: "profile without keys", flags: app{profile: "sso", endpoint: "gw"}, env: vars{"AWS_CONFIG_FILE": "~/.aws/none", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/config", "LEDGE_PROFILE": "x"},
			node: "the profile", where: "there is no profile"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := vars{"HOME": home(t)}
			maps.Copy(env, c.env)
			a := c.flags
			a.env.Getenv = func(name string) string { return env[name] }
			a.now = time.Now
			got, err := a.client()
			if err != nil {
				if c.node != "the profile" || !strings.Contains(err.Error(), c.where) {
					t.Fatal(err)
				}
				return
			}
			if got.node != c.node || got.as.keyID != c.key || got.as.token != c.token || got.as.source != c.where || got.as.region != c.region {
				t.Errorf("got %s, %+v", got.node, got.as)
			}
		})
	}
}

func TestWhatIsWrongWithAProfile(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		env    map[string]string
		exit   int
		stderr string // HOME stands for the home folder
	}{
		{"misspelt", []string{"--profile", "egde"}, nil, 1,
			"ledge: --profile: there is no profile \"egde\" in HOME/.aws/config or HOME/.aws/credentials\n  did you mean edge?\n"},
		{"unknown", nil, map[string]string{"LEDGE_PROFILE": "elsewhere"}, 1,
			"ledge: LEDGE_PROFILE: there is no profile \"elsewhere\" in HOME/.aws/config or HOME/.aws/credentials\n" +
				"  make a key on the node with: ledge keys create NAME; what it prints belongs under [profile elsewhere] in the first file\n"},
		{"no endpoint", []string{"--profile", "plain"}, nil, 1,
			"ledge: --profile: the profile \"plain\" names no node\n  add the line endpoint_url = http://HOST:9000 to it in HOME/.aws/config, or give --endpoint too\n"},
		{"single sign-on", []string{"--profile", "sso"}, nil, 1,
			"ledge: the profile \"sso\" gets its credentials with sso_session, which a node knows nothing of\n" +
				"  make a key on the node with: ledge keys create NAME; write it to HOME/.aws/credentials\n"},
		{"half a key", []string{"--profile", "half"}, nil, 1,
			"ledge: the profile \"half\" has only one of aws_access_key_id and aws_secret_access_key\n  write both to HOME/.aws/credentials\n"},
		{"half a key in the environment", []string{"--endpoint", "x"}, map[string]string{"AWS_ACCESS_KEY_ID": "K"}, 2, "*"},
		{"two nodes", []string{"--profile", "edge", "--data", "x"}, nil, 2, "*"},
		{"token that everybody can read", []string{"--endpoint", "gw:9000"}, map[string]string{"LEDGE_TOKEN": "t"}, 1,
			"ledge: LEDGE_TOKEN would go to http://gw:9000 unencrypted, where anybody on the way can read and use it\n" +
				"  use an access key, which signs requests and is not sent: on the node, ledge keys create NAME --env; or an https:// endpoint, or a tunnel through ssh\n"},
		{"token with a line break", []string{"--endpoint", "localhost:9"}, map[string]string{"LEDGE_TOKEN": "a\nb"}, 2, "*"},
		{"broken file", []string{"--profile", "edge"}, map[string]string{"AWS_CONFIG_FILE": "~/broken"}, 1,
			"ledge: HOME/broken: line 2: this is neither \"[section]\" nor \"name = value\"\n" +
				"  it is in the format of AWS's shared files: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html\n"},
		{"folder for a file", []string{"--profile", "edge"}, map[string]string{"AWS_CONFIG_FILE": "~/.aws"}, 1, "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := home(t)
			writeFile(t, filepath.Join(dir, "broken"), "[x]\nhunter2\n")
			env := map[string]string{"HOME": dir}
			maps.Copy(env, c.env)
			commandLine{args: append([]string{"ls"}, c.args...), env: env}.run(t).
				want(t, c.exit, "", strings.ReplaceAll(c.stderr, "HOME", dir))
		})
	}
}

// remote is a node over TCP that answers every request in the same way.
func remote(t *testing.T, answer http.HandlerFunc) (endpoint string, seen func() []http.Header) {
	t.Helper()
	n := &node{t: t, answers: map[string]http.HandlerFunc{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		n.mu.Lock()
		n.got = append(n.got, call{Header: r.Header.Clone()})
		n.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() (headers []http.Header) {
		for _, c := range n.calls() {
			headers = append(headers, c.Header)
		}
		return headers
	}
}

func TestRequestsAreSigned(t *testing.T) {
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "ENVKEY", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-north-1"}
	endpoint, seen := remote(t, reply(200, `{"Functions":[],"Routes":[],"Version":"1"}`))
	for command, scope := range map[string]string{"ls": "lambda", "route ls": "ledge", "invoke hello --payload {}": "lambda"} {
		before := len(seen())
		args := append(strings.Fields(command), "--endpoint", endpoint)
		if o := (commandLine{args: args, env: keys}).run(t); o.exit != 0 {
			t.Fatalf("%s: %s", command, o.stderr)
		}
		got := seen()[before].Get("Authorization")
		if !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=ENVKEY/") || !strings.Contains(got, "/eu-north-1/"+scope+"/aws4_request") {
			t.Errorf("%s: Authorization %q", command, got)
		}
	}
	commandLine{args: []string{"ls", "--endpoint", endpoint}, env: map[string]string{"LEDGE_TOKEN": "ledge_x"}}.run(t).want(t, 0, "", "*")
	if got := seen()[len(seen())-1].Get("Authorization"); got != "Bearer ledge_x" {
		t.Errorf("token: Authorization %q", got)
	}
	commandLine{args: []string{"ls", "--endpoint", endpoint}}.run(t).want(t, 0, "", "*")
	if got := seen()[len(seen())-1]["Authorization"]; got != nil {
		t.Errorf("nobody: Authorization %q", got)
	}
	for path, service := range map[string]string{"/v1/keys": "ledge", "/v2/apis": "apigateway", "/restapis/x": "apigateway", "/2015-03-31/functions/": "lambda", "/2021-10-31/functions/x/url": "lambda"} {
		if got := serviceOf(path); got != service {
			t.Errorf("%s is signed for %s", path, got)
		}
	}
}

// A clock that is off by years does not keep anybody out: the request is signed
// once more with the node's time, and no oftener.
func TestClockOfAnotherMachine(t *testing.T) {
	theirs := time.Now().Add(-3 * 365 * 24 * time.Hour).UTC()
	for name, accepts := range map[string]bool{"accepted": true, "refused again": false} {
		t.Run(name, func(t *testing.T) {
			endpoint, seen := remote(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", theirs.Format(http.TimeFormat))
				if accepts && r.Header.Get("X-Amz-Date") == theirs.Format("20060102T150405Z") {
					reply(200, `{"Functions":[]}`)(w, r)
					return
				}
				failure(403, awsBadSignature, "Signature not yet current")(w, r)
			})
			env := map[string]string{"AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "s"}
			o := commandLine{args: []string{"ls", "--endpoint", endpoint}, env: env}.run(t)
			if accepts != (o.exit == 0) || len(seen()) != 2 {
				t.Errorf("exit %d after %d requests: %s", o.exit, len(seen()), o.stderr)
			}
		})
	}
	// A signature that is wrong for another reason is not sent again.
	endpoint, seen := remote(t, failure(403, awsBadSignature, "no match"))
	commandLine{args: []string{"ls", "--endpoint", endpoint}, env: map[string]string{"AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "s"}}.run(t).want(t, 1, "",
		"ledge: no match\n  what was sent is from AWS_ACCESS_KEY_ID; compare the secret with the one that ledge keys create printed, and the clocks of both machines\n")
	if len(seen()) != 1 {
		t.Errorf("%d requests", len(seen()))
	}
}

func TestRefusedCredentials(t *testing.T) {
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "s"}
	for code, c := range map[string]struct {
		env  map[string]string
		hint string
	}{
		awsMissingKey: {nil, "make a key where the node runs: eval \"$(ledge keys create NAME --env)\",\n  or name a profile that has one with --profile; on the node itself use its socket: --data DIR"},
		awsUnknownKey: {keys, "what was sent is from AWS_ACCESS_KEY_ID; the node has no such key, or it is disabled: see ledge keys ls there"},
		awsExpiredKey: {keys, "what was sent is from AWS_ACCESS_KEY_ID; the key has expired: make a key where the node runs: eval \"$(ledge keys create NAME --env)\""},
		awsSlowDown:   {keys, "what was sent is from AWS_ACCESS_KEY_ID; too many requests with wrong credentials came from here: correct them, then wait 8 s"},
		awsDenied:     {keys, "what was sent is from AWS_ACCESS_KEY_ID; see what the key may do: ledge keys ls on the node"},
	} {
		endpoint, _ := remote(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "8")
			failure(403, code, "No.")(w, r)
		})
		commandLine{args: []string{"ls", "--endpoint", endpoint}, env: c.env}.run(t).want(t, 1, "", "ledge: No\n  "+c.hint+"\n")
	}
}

func TestProfilesAreCompleted(t *testing.T) {
	o := commandLine{args: []string{"__complete", "ls", "--profile", ""}, env: map[string]string{"HOME": home(t)}}.run(t)
	o.want(t, 0, "default\nedge\nhalf\ninline\nplain\nsso\n:4\n", "*")
}
