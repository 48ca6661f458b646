package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// node is a fake control plane on a Unix socket. It is strict: a request that
// no answer was given for fails the test.
type node struct {
	t       *testing.T
	data    string
	answers map[string]http.HandlerFunc // by "METHOD /path?query"

	mu  sync.Mutex
	got []call
}

// call is a request that the node got.
type call struct {
	Target string // "METHOD /path?query"
	Header http.Header
	Body   string
}

func newNode(t *testing.T, answers map[string]http.HandlerFunc) *node {
	t.Helper()
	n := &node{t: t, data: t.TempDir(), answers: answers}
	listener, err := net.Listen("unix", filepath.Join(n.data, socketName))
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: n}}
	server.Start()
	t.Cleanup(server.Close)
	return n
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away; what it says is what the test looks at
	}
	target := r.Method + " " + r.RequestURI
	n.mu.Lock()
	n.got = append(n.got, call{target, r.Header.Clone(), string(body)})
	n.mu.Unlock()
	answer := n.answers[target]
	if answer == nil {
		n.t.Errorf("unexpected request %s", target)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	answer(w, r)
}

func (n *node) calls() []call {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]call(nil), n.got...)
}

// only returns the call with that target, of which there must be one.
func (n *node) only(target string) call {
	n.t.Helper()
	var found []call
	for _, c := range n.calls() {
		if c.Target == target {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		n.t.Fatalf("%d requests %s, want 1; got %v", len(found), target, n.calls())
	}
	return found[0]
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func failure(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("x-amzn-ErrorType", code)
		reply(status, `{"Type":"User","Message":"`+message+`"}`)(w, r)
	}
}

// outcome is what a run of the command line left behind.
type outcome struct {
	exit           int
	stdout, stderr string
}

// commandLine is a call of Run. The zero value has no input, no
// environment and no terminal.
type commandLine struct {
	args     []string
	stdin    string
	env      map[string]string
	terminal bool
	ctx      context.Context
	serve    ServeFunc
	stdout   io.Writer
}

func (c commandLine) run(t *testing.T) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := Env{
		Args:       c.args,
		Stdin:      strings.NewReader(c.stdin),
		Stdout:     &stdout,
		Stderr:     &stderr,
		Getenv:     func(name string) string { return c.env[name] },
		IsTerminal: c.terminal,
		Version:    Version{Version: "1.2.3", Commit: "abc1234", Go: "go1.26"},
	}
	if c.stdout != nil {
		env.Stdout = c.stdout
	}
	ctx := c.ctx
	if ctx == nil {
		ctx = t.Context()
	}
	serve := c.serve
	if serve == nil {
		serve = func(context.Context, ServeSettings) error { return errors.New("serve was called") }
	}
	exit := Run(ctx, env, serve)
	return outcome{exit, stdout.String(), stderr.String()}
}

// run runs a command against the node.
func (n *node) run(args ...string) outcome {
	n.t.Helper()
	return commandLine{args: append(args, "--data", n.data)}.run(n.t)
}

// want fails the test where an outcome is not as expected. Empty texts must be
// empty; "*" takes anything.
func (o outcome) want(t *testing.T, exit int, stdout, stderr string) {
	t.Helper()
	if o.exit != exit {
		t.Errorf("exit %d, want %d", o.exit, exit)
	}
	if stdout != "*" && o.stdout != stdout {
		t.Errorf("stdout:\n%s\nwant:\n%s", o.stdout, stdout)
	}
	if stderr != "*" && o.stderr != stderr {
		t.Errorf("stderr:\n%s\nwant:\n%s", o.stderr, stderr)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

const (
	emptyModule = "\x00asm\x01\x00\x00\x00"
	noRoutes    = `{"Routes":[]}`
	someRoutes  = `{"Routes":[
		{"Route":"GET /hello","Function":"hello"},
		{"Route":"POST /raw","Function":"hello","Qualifier":"live","Payload":"raw"},
		{"Route":"$default","Function":"other","Payload":"2.0","CORS":{"AllowOrigins":["https://a.example","https://b.example"]}}]}`
	helloConfig = `{"FunctionName":"hello","FunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:hello",
		"Runtime":"provided.al2023","CodeSize":2048,"Description":"says hello","Timeout":1,"MemorySize":128,
		"LastModified":"2026-11-23T10:00:00.123+0000","CodeSha256":"q83vEjRWeJA=","Version":"$LATEST",
		"Environment":{"Variables":{"B":"2","A":"1\u001b[31m"}},
		"Ledge":{"Runtime":"wasi","Isolation":"reuse","TimeoutMillis":150,"Concurrency":8,"AllowHosts":["example.com"],"AllowInvoke":["*"],"AllowPublish":["state/+","log"],"AllowBuckets":["orders","stock:read"]}}`
)
