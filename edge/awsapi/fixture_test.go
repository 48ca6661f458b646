package awsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ledge/edge"
	"ledge/edge/gateway"
	"ledge/engine"
	"ledge/persist"
)

// fakeEngine checks settings as the engine does and runs nothing.
type fakeEngine struct {
	deploy error // of Deploy, before it commits
	notes  []string
	invoke func(ctx context.Context, inv *engine.Invocation, res *engine.Result) error

	concurrency string         // the last that was set, with its function
	provisioned map[string]int // by version
	stuck       string         // why no more instances come
}

func (e *fakeEngine) Deploy(_ context.Context, fn engine.Function, commit func() error) (engine.Deployment, error) {
	if err := fn.Validate(); err != nil {
		return engine.Deployment{}, err
	}
	if e.deploy != nil {
		return engine.Deployment{}, e.deploy
	}
	d := engine.Deployment{Compiled: true, CompileTime: 1500 * time.Microsecond, Snapshot: true, ImageBytes: 4096, Notes: e.notes}
	if commit == nil {
		return d, nil
	}
	return d, commit()
}

func (e *fakeEngine) Invoke(ctx context.Context, inv *engine.Invocation, res *engine.Result) error {
	return e.invoke(ctx, inv, res)
}

func (e *fakeEngine) Register(engine.Function) error                            { return nil }
func (e *fakeEngine) Remove(string, string) error                               { return nil }
func (e *fakeEngine) SetAlias(string, string, string, map[string]float64) error { return nil }
func (e *fakeEngine) RemoveAlias(string, string) error                          { return nil }

func (e *fakeEngine) SetConcurrency(name string, n int) error {
	e.concurrency = fmt.Sprint(name, " ", n)
	return nil
}

func (e *fakeEngine) SetProvisioned(_, version string, n int) error {
	if n > engine.DefaultLimits().Concurrency {
		return &engine.DeployError{Op: "provisioned concurrency", Why: "too many"}
	}
	if e.provisioned == nil {
		e.provisioned = map[string]int{}
	}
	e.provisioned[version] = n
	return nil
}

// Provisioned has one instance ready and one in the making.
func (e *fakeEngine) Provisioned(_, version string) (requested, available, allocated int, reason string) {
	n := e.provisioned[version]
	return n, min(n, 1), min(n, 2), e.stuck
}

// fakeQueue takes events.
type fakeQueue struct {
	events []string // function, qualifier and payload
	ids    []string
	err    error          // of InvokeAsync; where there is one, the others find the queue full
	store  *persist.Store // of what is not sent with InvokeAsync
	woken  int
}

func (q *fakeQueue) InvokeAsync(function, qualifier string, id engine.RequestID, payload []byte) error {
	if q.err != nil {
		return q.err
	}
	q.events = append(q.events, fmt.Sprintf("%s:%s %s", function, qualifier, payload))
	q.ids = append(q.ids, id.String())
	return nil
}

func (q *fakeQueue) Submit(job persist.Job) (persist.Job, error) {
	stored, errs := q.SubmitAll([]persist.Job{job})
	return stored[0], errs[0]
}

func (q *fakeQueue) SubmitAll(jobs []persist.Job) ([]persist.Job, []error) {
	limits := persist.DefaultQueueLimits()
	if q.err != nil {
		limits = persist.QueueLimits{}
	}
	return q.store.EnqueueAll(jobs, limits)
}

func (q *fakeQueue) RetryDeadLetter(number uint64) (persist.Job, error) {
	limits := persist.DefaultQueueLimits()
	if q.err != nil {
		limits = persist.QueueLimits{}
	}
	return q.store.RetryDeadLetter(number, limits)
}

func (q *fakeQueue) DeleteJob(number uint64) error { return q.store.DeleteJob(number) }

func (q *fakeQueue) PurgeJobs(_ context.Context, function string) (int, error) {
	removed, _, err := q.store.PurgeJobs(function)
	return removed, err
}

func (q *fakeQueue) Wake() { q.woken++ }

// fakeExpressions takes what begins as an expression does.
type fakeExpressions struct{}

func (fakeExpressions) Check(expression, _ string) error {
	if !strings.HasPrefix(expression, "* ") && !strings.HasPrefix(expression, "rate(") {
		return errors.New("it is not one")
	}
	return nil
}

// fakePatterns takes what is an object.
type fakePatterns struct{}

func (fakePatterns) Check(pattern string) error {
	var object map[string]any
	if err := json.Unmarshal([]byte(pattern), &object); err != nil || object == nil {
		return errors.New("it must be a JSON object")
	}
	return nil
}

type fakeGateway struct{}

func (fakeGateway) SetTable(*gateway.Table) {}
func (fakeGateway) SetAPIs(*gateway.APIs)   {}

// faultyStore is the real store with a switch.
type faultyStore struct {
	*persist.Store
	put, read error
}

func (s *faultyStore) PutFunction(fn persist.Function, expect string, routes []persist.Route) (persist.Function, error) {
	if s.put != nil {
		return persist.Function{}, fmt.Errorf("commit: %w", s.put)
	}
	return s.Store.PutFunction(fn, expect, routes)
}

func (s *faultyStore) Functions(after string, limit int) ([]persist.Function, bool, error) {
	if s.read != nil {
		return nil, false, s.read
	}
	return s.Store.Functions(after, limit)
}

// node is a control plane over a real store and log, and a fake engine.
type node struct {
	t       testing.TB
	url     string
	store   *faultyStore
	logs    *persist.Logs
	engine  *fakeEngine
	queue   *fakeQueue
	api     *api
	handler http.Handler
	alarm   []string
	changed []string // schedules and mappings that those who run them were told of
}

func newNode(t testing.TB) *node {
	t.Helper()
	dir := t.TempDir()
	store, err := persist.Open(dir, persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	code, err := persist.OpenCode(dir, persist.CodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	logs, err := persist.OpenLogs(dir, persist.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, store: &faultyStore{Store: store}, logs: logs, engine: &fakeEngine{}, queue: &fakeQueue{store: store}}
	n.api = newAPI(Config{
		Reconciler:      edge.New(edge.Config{Engine: n.engine, Store: n.store, Code: code, Gateway: fakeGateway{}}),
		Store:           n.store,
		Invoker:         n.engine,
		Logs:            logs,
		Async:           n.queue,
		Data:            store.Data(),
		Expressions:     fakeExpressions{},
		ScheduleChanged: func(group, name string) { n.changed = append(n.changed, group+"/"+name) },
		FeedChanged:     func(mapping string) { n.changed = append(n.changed, mapping) },
		Patterns:        fakePatterns{},
		Region:          "eu-north-1",
		Version:         Version{Version: "1.2.3", HTTP: "127.0.0.1:8080"},
		Problems:        func() []string { return n.alarm },
		Now:             func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
	})
	n.handler = n.api.handler(n.api.trust)
	server := httptest.NewServer(n.handler)
	n.url = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := logs.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// reply is a response that was read to its end.
type reply struct {
	*http.Response
	body []byte
}

// text returns the value at a path such as "Configuration.Version", as text.
func (r reply) text(t testing.TB, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("reply is not JSON: %v: %s", err, r.body)
	}
	for part := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		v = object[part]
	}
	return fmt.Sprint(v)
}

// into decodes the reply.
func (r reply) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("decode %s: %v", r.body, err)
	}
}

// call sends a request. body is sent as it is if it is a string or bytes, else
// as JSON. headers are pairs.
func (n *node) call(method, path string, body any, headers ...string) reply {
	n.t.Helper()
	var content []byte
	switch b := body.(type) {
	case nil:
	case string:
		content = []byte(b)
	case []byte:
		content = b
	default:
		var err error
		if content, err = json.Marshal(b); err != nil {
			n.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, bytes.NewReader(content))
	if err != nil {
		n.t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return reply{resp, text}
}

// want is call for a status.
func (n *node) want(status int, method, path string, body any, headers ...string) reply {
	n.t.Helper()
	r := n.call(method, path, body, headers...)
	if r.StatusCode != status {
		n.t.Fatalf("%s %s: status %d, want %d: %s", method, path, r.StatusCode, status, r.body)
	}
	return r
}

// refused is call for an error.
func (n *node) refused(status int, code, says, method, path string, body any, headers ...string) {
	n.t.Helper()
	r := n.call(method, path, body, headers...)
	if r.StatusCode != status || r.Header.Get("x-amzn-ErrorType") != code || !strings.Contains(string(r.body), says) {
		n.t.Errorf("%s %s: %d %s %s, want %d %s and %q", method, path, r.StatusCode, r.Header.Get("x-amzn-ErrorType"), r.body, status, code, says)
	}
	member := "message"
	if code == codeNotFound || code == codeService {
		member = "Message"
	}
	var fields map[string]any
	if err := json.Unmarshal(r.body, &fields); err != nil || fields[member] == nil || fields["Type"] == nil {
		n.t.Errorf("%s %s: the body of the error is %s", method, path, r.body)
	}
}

// state is what is stored.
func (n *node) state() persist.State {
	n.t.Helper()
	s, err := n.store.Load()
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

// unchanged fails where what runs in it changes the store.
func (n *node) unchanged(run func()) {
	n.t.Helper()
	before := n.state()
	run()
	if after := n.state(); !reflect.DeepEqual(before, after) {
		n.t.Errorf("stored state changed from %+v to %+v", before, after)
	}
}

const functions = "/2015-03-31/functions"

// object is a JSON object in a request.
type object = map[string]any

// create makes a function with the defaults.
func (n *node) create(name string) reply {
	n.t.Helper()
	return n.want(http.StatusCreated, "POST", functions, object{
		"FunctionName": name, "Runtime": "provided.al2023", "Role": "arn:aws:iam::000000000000:role/r",
		"Handler": "bootstrap", "Code": object{"ZipFile": command(name)},
	})
}

// command is a Wasm module that exports _start; its custom section makes it
// another module for another text.
func command(unlike string) []byte {
	wasm := []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00" + "\x07\x0a\x01\x06_start\x00\x00" + "\x0a\x04\x01\x02\x00\x0b")
	return append(append(wasm, 0, byte(len(unlike)+2), 1, 'n'), unlike...)
}
