package firmware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// AWS's own clients, as their users have them, each against an appliance of its
// own: a Debian system's AWS CLI and boto3, the SDKs for Go and JavaScript, curl.
// make clients installs them. What they do is in testdata/clients; it is written
// after AWS's documentation and knows nothing of the node but its addresses.
func TestClients(t *testing.T) {
	clients, err := filepath.Abs(root + "/testdata/clients")
	if err != nil {
		t.Fatal(err)
	}
	built, err := filepath.Abs(root + "/build/clients")
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []struct {
		name    string
		needs   string // a file that make clients installs
		dir     string
		command []string
	}{
		{"AWS CLI", "/usr/bin/aws", clients, []string{"bash", "tutorial.sh"}},
		{"boto3", "/usr/bin/python3", filepath.Join(clients, "boto3"), []string{"/usr/bin/python3", "-W", "ignore::ResourceWarning", "-m", "unittest", "-v"}},
		{"Go SDK", filepath.Join(built, "go.test"), filepath.Join(clients, "go"), []string{filepath.Join(built, "go.test"), "-test.v", "-test.timeout=2m"}},
		{"JavaScript SDK", filepath.Join(built, "js/node_modules"), filepath.Join(built, "js"), []string{"node", "--test", "clients.test.mjs"}},
		{"curl", "/usr/bin/curl", clients, []string{"bash", "curl.sh"}},
	} {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(client.needs); err != nil {
				t.Fatal("run make clients first: ", err)
			}
			n := start(t, t.TempDir())
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // a client that waits for ever fails the test
			defer cancel()
			cmd := exec.CommandContext(ctx, client.command[0], client.command[1:]...)
			cmd.Dir = client.dir
			cmd.Env = n.clientEnvironment(t.TempDir())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s\nlog of the appliance:\n%s", err, out, n.log)
			}
			if left := n.functionNames(); len(left) > 0 {
				t.Errorf("functions %q were left behind", left)
			}
			if err := n.stop(); err != nil {
				t.Errorf("%v\n%s", err, n.log)
			}
		})
	}
}

// clientEnvironment makes keys for a client and returns its whole environment.
func (n *node) clientEnvironment(home string) []string {
	n.t.Helper()
	key := n.key("keys", "create", "tests", "--access", "deploy")
	token := n.key("keys", "create", "token", "--access", "deploy", "--token")
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1",
		"AWS_ENDPOINT_URL=http://" + n.control, "AWS_ACCESS_KEY_ID=" + key.Id, "AWS_SECRET_ACCESS_KEY=" + key.SecretAccessKey,
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"LEDGE_TOKEN=" + token.Token, "GATEWAY_URL=" + n.public,
	}
}

// functionNames returns the names of the functions that the node has.
func (n *node) functionNames() (names []string) {
	n.t.Helper()
	var list struct {
		Functions []struct{ FunctionName string }
	}
	if err := json.Unmarshal([]byte(n.must("ls", "--json")), &list); err != nil {
		n.t.Fatal(err)
	}
	for _, f := range list.Functions {
		names = append(names, f.FunctionName)
	}
	return names
}

// The command line reaches a node over TCP with what "keys create --env" printed,
// with a token, and with a profile; a key does what its access says and no more,
// and nothing once it is disabled.
func TestKeys(t *testing.T) {
	n := start(t, t.TempDir())
	n.must("deploy", "echo", module("echo"), "--runtime", "extism", "--route", "POST /echo", "--payload", "raw")
	n.must("deploy", "other", module("echo"), "--runtime", "extism")

	remote := func(environment []string, args ...string) (string, error) {
		cmd := exec.Command(binary, args...)
		cmd.Env = append([]string{"HOME=" + t.TempDir()}, environment...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	allowed := func(environment []string, args ...string) {
		t.Helper()
		if out, err := remote(environment, args...); err != nil {
			t.Errorf("ledge %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	refused := func(says string, environment []string, args ...string) {
		t.Helper()
		if out, err := remote(environment, args...); err == nil || !strings.Contains(out, says) {
			t.Errorf("ledge %s: %v, and it does not say %q:\n%s", strings.Join(args, " "), err, says, out)
		}
	}
	made := 0
	environment := func(flags ...string) []string {
		t.Helper()
		made++
		var variables []string
		for line := range strings.Lines(n.must(append([]string{"keys", "create", fmt.Sprint("key-", made), "--env"}, flags...)...)) {
			if setting, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
				variables = append(variables, strings.ReplaceAll(setting, "'", ""))
			}
		}
		return variables
	}

	endpoint := []string{"LEDGE_ENDPOINT=http://" + n.control}
	refused("ledge keys create", endpoint, "ls") // nobody
	all := environment("--access", "admin")
	allowed(all, "ls")
	allowed(all, "keys", "ls")
	allowed(environment("--token"), "ls")
	reader := environment("--access", "read")
	allowed(reader, "get", "echo")
	refused("AccessDenied", reader, "--json", "invoke", "echo")
	refused("AccessDenied", reader, "--json", "rm", "echo")
	refused("AccessDenied", environment(), "--json", "keys", "ls")
	caller := environment("--access", "invoke", "--function", "ec*")
	allowed(caller, "invoke", "echo", "--payload", "{}")
	refused("AccessDenied", caller, "--json", "invoke", "other")
	refused("AccessDenied", caller, "--json", "ls")

	// A profile of AWS's tools, until its key is disabled, rotated, removed.
	first := n.key("keys", "create", "profile", "--access", "read")
	home := t.TempDir()
	profile := []string{"HOME=" + home, "LEDGE_PROFILE=edge"}
	write := func(secret string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"config":      "[profile edge]\nendpoint_url = http://" + n.control + "\nregion = eu-central-1\n",
			"credentials": "[edge]\naws_access_key_id = " + first.Id + "\naws_secret_access_key = " + secret + "\n",
		} {
			if err := os.WriteFile(filepath.Join(home, ".aws", name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(first.SecretAccessKey)
	allowed(profile, "ls")
	n.must("keys", "disable", first.Id)
	refused("UnrecognizedClient", profile, "--json", "ls")
	n.must("keys", "enable", first.Id)
	allowed(profile, "ls")
	rotated := n.key("keys", "rotate", first.Id)
	refused("InvalidSignature", profile, "--json", "ls")
	write(rotated.SecretAccessKey)
	allowed(profile, "ls")
	n.must("keys", "rm", first.Id)
	refused("UnrecognizedClient", profile, "--json", "ls")

	// All changes are in the log, with who made them; nothing else is.
	allowed(all, "rm", "other")
	log := n.must("audit")
	for _, part := range []string{"CreateKey", "DeleteKey", "lambda:DeleteFunction", "other"} {
		if !strings.Contains(log, part) {
			t.Errorf("%s is not in the audit log:\n%s", part, log)
		}
	}
	if strings.Contains(log, "Invoke") || strings.Contains(log, rotated.SecretAccessKey) {
		t.Errorf("the audit log has too much in it:\n%s", log)
	}
	// The key that the node made at its first start may do all.
	found, err := os.ReadFile(filepath.Join(n.data, "root-key"))
	if err != nil {
		t.Fatal(err)
	}
	rootKey := []string{"AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(n.data, "root-key"), endpoint[0]}
	if !strings.Contains(n.log.String(), "root-key") || len(found) == 0 {
		t.Errorf("the node does not say where its first key is:\n%s", n.log)
	}
	allowed(rootKey, "keys", "ls")
	// Pages of a browser cannot use a node that listens on the same machine.
	request, err := http.NewRequest(http.MethodGet, "http://"+n.control+"/2015-03-31/functions/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", "https://evil.example")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if reply.StatusCode != http.StatusForbidden || reply.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another site's page: %d %v", reply.StatusCode, reply.Header)
	}
}

// What AWS has commands for and people do often is short here: versions, aliases,
// URLs, events that nobody waits for.
func TestShortCommands(t *testing.T) {
	n := start(t, t.TempDir())
	n.must("deploy", "echo", module("echo"), "--runtime", "extism")
	libs := t.TempDir()
	if err := os.WriteFile(filepath.Join(libs, "words.txt"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, says string }{
		{"layer publish libs " + libs, "published libs:1"},
		{"layer ls", "libs:1"},
		{"deploy echo " + module("echo") + " --layer libs:1", "echo updated"},
		{"get echo", "layer:        libs:1"},
		{"layer rm libs:1", "removed libs:1"},
		{"deploy echo " + module("echo") + " --memory 64 --layer libs:1", "echo updated"}, // it has it still
		{"publish echo", "published echo:1"},
		{"alias set echo live 1", "made echo:live: version 1"},
		{"deploy echo " + module("hello-c-reactor") + " --publish", "version:      2"},
		{"alias set echo live 1 --weight 2=0.5", "moved echo:live: version 1, and 2=0.5"},
		{"ls echo", "live (0.5)"},
		{"alias set echo live 2", "moved echo:live: version 2\n"},
		{"alias ls echo", "live   2        -"},
		{"invoke echo:live --payload x", "x"},
		{"invoke echo --async --payload {}", "queued as "},
		{"url create echo", "/_aws/lambda-url/"},
		{"url ls", "anybody"},
		{"url rm echo", "removed the URL of echo"},
		{"alias rm echo live", "removed echo:live"},
		{"api root", "no API answers"},
		{"rm echo", "removed echo"},
	} {
		if out := n.must(strings.Fields(c.args)...); !strings.Contains(out, c.says) {
			t.Errorf("ledge %s does not say %q:\n%s", c.args, c.says, out)
		}
	}
	if _, said, err := n.ledge("alias", "set", "echo", "live", "1"); err == nil || !strings.Contains(said, "not found") {
		t.Errorf("an alias of nothing: %v\n%s", err, said)
	}
}

// What the control plane has acknowledged is there after a power cut: keys, APIs,
// function URLs, aliases, and events that nobody waits for.
func TestControlSurvivesPowerCut(t *testing.T) {
	data := t.TempDir()
	n := start(t, data)
	code := filepath.Join(t.TempDir(), "app.py")
	err := os.WriteFile(code, []byte(`import ledge

def handler(event, context):
    if "add" in event:
        ledge.kv.put(str(event["add"]), "1")
    return {"statusCode": 200, "body": str(len(list(ledge.kv.list(""))))}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	n.must("deploy", "count", code, "--publish")
	n.must("alias", "set", "count", "live", "1")
	n.must("url", "create", "count:live")
	key := n.key("keys", "create", "remote", "--access", "deploy")
	reply, err := n.socket().Post("http://localhost/v2/apis", "application/json", strings.NewReader(
		`{"name":"quick","protocolType":"HTTP","target":"arn:aws:lambda:us-east-1:000000000000:function:count"}`))
	if err != nil {
		t.Fatal(err)
	}
	var api struct{ ApiID string }
	if err := json.NewDecoder(reply.Body).Decode(&api); err != nil || reply.StatusCode != http.StatusCreated {
		t.Fatalf("%d, %v", reply.StatusCode, err)
	}
	reply.Body.Close()
	n.must("api", "root", api.ApiID)

	const events = 20
	for i := range events {
		n.must("invoke", "count", "--async", "--payload", fmt.Sprintf(`{"add":%d}`, i))
	}
	n.kill()
	n = start(t, data)

	cmd := exec.Command(binary, "ls", "count", "--endpoint", n.control)
	cmd.Env = []string{"AWS_ACCESS_KEY_ID=" + key.Id, "AWS_SECRET_ACCESS_KEY=" + key.SecretAccessKey}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "live") {
		t.Errorf("the key: %v\n%s", err, out)
	}
	var urls struct {
		FunctionURLConfigs []struct {
			FunctionURL string `json:"FunctionUrl"`
		} `json:"FunctionUrlConfigs"`
	}
	if err := json.Unmarshal([]byte(n.must("url", "ls", "--json")), &urls); err != nil || len(urls.FunctionURLConfigs) != 1 {
		t.Fatalf("%v, %+v", err, urls)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(urls.FunctionURLConfigs[0].FunctionURL, "http://"), ".")
	for _, path := range []string{"/", "/_aws/execute-api/" + api.ApiID + "/", "/_aws/lambda-url/" + id + "/"} {
		if status, body := n.request("GET", path, ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	// The queue gives no sign when it is done; the function counts.
	deadline := time.Now().Add(30 * time.Second)
	for {
		_, body := n.request("GET", "/", "")
		if body == strconv.Itoa(events) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s of %d events were delivered\n%s", body, events, n.log)
		}
	}
}

// accessKey is a key as the node shows it when it is first.
type accessKey struct{ Id, SecretAccessKey, Token string }

// key runs a command whose reply has a secret.
func (n *node) key(args ...string) (k accessKey) {
	n.t.Helper()
	if err := json.Unmarshal([]byte(n.must(append(args, "--json")...)), &k); err != nil || k.Id == "" {
		n.t.Fatalf("%v, %+v", err, k)
	}
	return k
}
