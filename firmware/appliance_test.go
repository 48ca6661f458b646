package firmware_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// These tests drive the real binary from outside, as its users do. make builds
// it and the example functions first.

const (
	binary    = root + "/bin/ledge"
	functions = root + "/build/functions"
)

// node is a running appliance.
type node struct {
	t       *testing.T
	data    string
	public  string // base URL of the gateway
	control string // host:port of the control plane
	cmd     *exec.Cmd
	log     *syncBuffer
	ended   chan struct{}
	err     error // of the process, once ended is closed
}

// syncBuffer is a bytes.Buffer for two goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serveCommand returns the command that serves data on free addresses.
func serveCommand(t *testing.T, data string, extra ...string) (cmd *exec.Cmd, public, control string) {
	t.Helper()
	// Opening the binary makes it part of what go test takes as this test's input.
	file, err := os.Open(binary)
	if err != nil {
		t.Fatal("run make build first: ", err)
	}
	file.Close()
	public, control = freeAddress(t), freeAddress(t)
	args := append([]string{"serve", "--data", data, "--http", public, "--control", control}, extra...)
	return exec.Command(binary, args...), public, control
}

// start runs an appliance on data until the test ends.
func start(t *testing.T, data string, extra ...string) *node {
	t.Helper()
	cmd, public, control := serveCommand(t, data, extra...)
	return startCommand(t, cmd, data, public, control)
}

func startCommand(t *testing.T, cmd *exec.Cmd, data, public, control string) *node {
	t.Helper()
	n := &node{t: t, data: data, public: "http://" + public, control: control, cmd: cmd, log: &syncBuffer{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = n.log, n.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		n.err = cmd.Wait()
		close(n.ended)
	}()
	t.Cleanup(n.kill)
	for deadline := time.Now().Add(20 * time.Second); ; {
		if reply, err := http.Get(n.public + "/"); err == nil {
			reply.Body.Close()
			return n
		}
		select {
		case <-n.ended:
			t.Fatalf("the appliance ended: %v\n%s", n.err, n.log)
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the appliance does not answer\n%s", n.log)
		}
	}
}

// kill ends the process as a power cut does.
func (n *node) kill() {
	_ = n.cmd.Process.Kill() // it may have ended
	<-n.ended
}

// stop asks the process to end and returns when it did.
func (n *node) stop() error {
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-n.ended:
		return n.err
	case <-time.After(30 * time.Second):
		return errors.New("it does not end")
	}
}

// ledge runs a command against the node.
func (n *node) ledge(args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command(binary, append(args, "--data", n.data)...)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	err = cmd.Run()
	return out.String(), bad.String(), err
}

func (n *node) must(args ...string) string {
	n.t.Helper()
	out, bad, err := n.ledge(args...)
	if err != nil {
		n.t.Fatalf("ledge %s: %v\n%s%s\nlog:\n%s", strings.Join(args, " "), err, out, bad, n.log)
	}
	return out
}

// request returns the status and body of a reply of the gateway.
func (n *node) request(method, path, body string) (int, string) {
	n.t.Helper()
	r, err := http.NewRequest(method, n.public+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	client := http.Client{Timeout: time.Minute} // a reply that never comes fails the test
	reply, err := client.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return reply.StatusCode, string(text)
}

func module(name string) string { return filepath.Join(functions, name+".wasm") }

// Every example is deployed as its README line says, answers, and answers again
// after a power cut without any help.
func TestExamplesSurvivePowerCut(t *testing.T) {
	data := t.TempDir()
	n := start(t, data)
	examples := []struct {
		name, route, path, body, want string
		flags                         []string
		after                         string // what it answers after the cut, where that is something else
	}{
		{"hello", "GET /hello", "/hello", "", `{"message":"Hello from the edge"}`, nil, ""},
		{"hello-go", "GET /hello-go/{name}", "/hello-go/Ada", "", "Hello, Ada", nil, ""},
		{"greet-extism-go", "POST /greet", "/greet", `{"name":"Hopper"}`, "Hopper!", []string{"--handler", "greet", "--env", "GREETING=Hi", "--payload", "raw"}, ""},
		{"thermostat-c", "POST /thermostat", "/thermostat", `{"sensor":"hall","celsius":17.5}`, `"heat"`, []string{"--env", "TARGET=21", "--payload", "raw"}, ""},
		{"hello-c-reactor", "POST /hello-c", "/hello-c", "Ada", "Ada", []string{"--payload", "raw"}, ""},
		{"kv-extism-go", "POST /kv", "/kv", `{"id":"7f3a","sensor":"hall","celsius":17.5}`, `"visits":1,"new":true`,
			[]string{"--handler", "visit", "--allow-bucket", "readings", "--payload", "raw"}, `"visits":2,"new":false`},
		{"debounce-c", "POST /alarm", "/alarm", "hall", "alarm", []string{"--payload", "raw"}, "held back"},
		{"hello-as", "POST /hello-as", "/hello-as", "the quick brown fox", "QUICK", []string{"--payload", "raw"}, ""},
		{"echo", "POST /echo", "/echo", "over and out", "over and out", []string{"--payload", "raw"}, ""},
	}
	for _, e := range examples {
		n.must(append([]string{"deploy", e.name, module(e.name), "--route", e.route}, e.flags...)...)
	}
	for _, round := range []string{"before", "after"} {
		for _, e := range examples {
			method, _, _ := strings.Cut(e.route, " ")
			status, got := n.request(method, e.path, e.body)
			want := e.want
			if round == "after" {
				want = cmp.Or(e.after, want)
			}
			if status != 200 || !strings.Contains(got, want) {
				t.Errorf("%s the cut: %s: %d %q; want %q", round, e.name, status, got, want)
			}
		}
		if round == "before" {
			n.kill()
			n = start(t, data)
		}
	}
	if err := n.stop(); err != nil {
		t.Errorf("it was told to stop and ended with %v\n%s", err, n.log)
	}
}

// functions returns the CodeSha256 of each function that the node lists.
func (n *node) functions() map[string]string {
	n.t.Helper()
	reply, err := n.socket().Get("http://localhost/2015-03-31/functions/")
	if err != nil {
		n.t.Fatal(err)
	}
	defer reply.Body.Close()
	var list struct {
		Functions []struct{ FunctionName, CodeSha256 string }
	}
	if err := json.NewDecoder(reply.Body).Decode(&list); err != nil {
		n.t.Fatal(err)
	}
	found := map[string]string{}
	for _, f := range list.Functions {
		found[f.FunctionName] = f.CodeSha256
	}
	return found
}

// folder returns a path of the data folder that leads through the process, which may
// have mounted a disk of its own.
func (n *node) folder() string {
	return filepath.Join("/proc", strconv.Itoa(n.cmd.Process.Pid), "root", n.data)
}

// socket returns a client of the control plane's Unix socket.
func (n *node) socket() *http.Client {
	path := filepath.Join(n.folder(), "control.sock")
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}

// post sends a value as JSON to the control plane, with the headers that are given.
func (n *node) post(method, path string, value any, headers ...string) (status int, text string) {
	n.t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		n.t.Fatal(err)
	}
	r, err := http.NewRequest(method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	reply, err := n.socket().Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer reply.Body.Close()
	answer, err := io.ReadAll(reply.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return reply.StatusCode, string(answer)
}

// What stands in the way of a start is named, with what to do about it.
func TestStartRefused(t *testing.T) {
	first := start(t, t.TempDir())
	taken := strings.TrimPrefix(first.public, "http://")
	tests := []struct {
		name, data string
		flags      []string
		code       int
		says       []string
	}{
		{"folder in use", first.data, nil, 1, []string{"another appliance (process ", "--data"}},
		{"port in use", t.TempDir(), []string{"--http", taken}, 1, []string{taken + " is in use", "--http"}},
		{"control port in use", t.TempDir(), []string{"--control", first.control}, 1, []string{"is in use", "--control"}},
		{"long path", filepath.Join(t.TempDir(), strings.Repeat("x", 120)), nil, 1, []string{"too long", "shorter path"}},
		{"no address", t.TempDir(), []string{"--http", "nonsense"}, 2, []string{"nonsense"}},
		{"folder that is a file", module("hello"), nil, 1, []string{"not a directory"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd, _, _ := serveCommand(t, test.data, test.flags...)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != test.code {
				t.Errorf("it ended with %v, want %d", err, test.code)
			}
			for _, part := range test.says {
				if !strings.Contains(string(out), part) {
					t.Errorf("it does not say %q:\n%s", part, out)
				}
			}
		})
	}
	first.must("ls") // and the first one still serves
}

// A request under way is finished when the appliance is told to stop.
func TestDrain(t *testing.T) {
	n := start(t, t.TempDir())
	n.must("deploy", "sleep", module("hostile/sleep"), "--route", "GET /sleep", "--payload", "raw", "--timeout", "3s", "--concurrency", "1")
	conn := n.hold("/sleep")
	defer conn.Close()
	if err := n.stop(); err != nil {
		t.Errorf("%v\n%s", err, n.log)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request under way was cut off: %v", err)
	}
	reply.Body.Close()
	if reply.StatusCode != 504 {
		t.Errorf("the request under way got %d, not its function's timeout", reply.StatusCode)
	}
}

// hold sends a request for a function that does not answer soon, and returns its
// connection once the function runs. A function that is busy is asked again.
func (n *node) hold(path string) net.Conn {
	n.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		conn, err := net.Dial("tcp", strings.TrimPrefix(n.public, "http://"))
		if err != nil {
			n.t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			n.t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			n.t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			return conn
		}
		conn.Close() // it was throttled
	}
	n.t.Fatalf("%s is never free", path)
	return nil
}

// Functions that loop, allocate, write and recurse without end are stopped at
// their limits, with the status that API Gateway gives, and the others go on.
func TestHostileNeighbours(t *testing.T) {
	n := start(t, t.TempDir())
	n.must("deploy", "echo", module("echo"), "--route", "POST /echo", "--payload", "raw")
	hostile := []struct {
		name   string
		status int
		log    string
	}{
		{"loop", 504, "timed out"},
		{"block-bomb", 502, "unreachable"},
		{"log-bomb", 504, "more bytes were dropped"},
		{"fail", 502, "the valve is stuck"},
		{"http", 502, "--allow-host denied.example"},
		{"sleep", 504, "timed out"},
		{"recurse", 502, "stack"},
		{"memory-bomb", 502, "memory"},
		{"output-bomb", 502, "limit"},
		{"exit3", 502, "exit status 3"},
		{"trap", 502, "unreachable"},
		{"notjson", 502, "JSON"},
	}
	for _, h := range hostile {
		timeout := "1m" // whatever ends before it does so by itself, also on a busy machine
		if h.status == 504 {
			timeout = "300ms"
		}
		n.must("deploy", h.name, module("hostile/"+h.name), "--route", "GET /"+h.name, "--timeout", timeout)
	}
	var wg sync.WaitGroup
	for _, h := range hostile {
		wg.Go(func() {
			if status, body := n.request("GET", "/"+h.name, ""); status != h.status {
				t.Errorf("%s: %d %q, want %d", h.name, status, body, h.status)
			}
		})
		wg.Go(func() {
			if status, body := n.request("POST", "/echo", h.name); status != 200 || body != h.name {
				t.Errorf("its neighbour: %d %q", status, body)
			}
		})
	}
	wg.Wait()
	for _, h := range hostile {
		if log := n.must("logs", h.name); !strings.Contains(log, h.log) {
			t.Errorf("the log of %s does not say %q:\n%s", h.name, h.log, log)
		}
	}
}

// A client that hangs up frees its function: the next one is let in long before
// the function's timeout.
func TestHangUp(t *testing.T) {
	n := start(t, t.TempDir())
	n.must("deploy", "loop", module("hostile/loop"), "--route", "GET /loop", "--payload", "raw", "--timeout", "10m", "--concurrency", "1")
	for range 3 {
		conn := n.hold("/loop")
		if status, body := n.request("GET", "/loop", ""); status != 429 {
			t.Errorf("while one runs the next gets %d %q", status, body)
		}
		conn.Close()
	}
	if err := n.stop(); err != nil {
		t.Errorf("%v\n%s", err, n.log)
	}
}
