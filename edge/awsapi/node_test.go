package awsapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/engine"
	"ledge/persist"
)

func TestDeploy(t *testing.T) {
	n := newNode(t)
	n.engine.notes = []string{"a note"}
	r := n.want(http.StatusCreated, "PUT", "/v1/functions/hello", object{
		"Code": object{"ZipFile": command("")}, "TimeoutMillis": 250, "MemorySize": 16, "Isolation": "fresh",
		"Environment": object{"Variables": object{"K": "v"}},
		"Routes": []object{
			{"Route": "GET /hello"},
			{"Route": "$default", "Payload": "raw", "ContentType": "text/plain", "CORS": object{"AllowOrigins": []string{"*"}, "MaxAge": 5}},
		},
	})
	var got deployReply
	if err := json.Unmarshal(r.body, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Created || got.Function.Timeout != 1 || got.Function.Ledge.TimeoutMillis != 250 || got.Function.Ledge.Isolation != "fresh" {
		t.Errorf("created %s", r.body)
	}
	if want := (deployment{Compiled: true, CompileMillis: 1.5, Snapshot: true, ImageBytes: 4096, Notes: []string{"a note"}}); !reflect.DeepEqual(got.Deployment, want) {
		t.Errorf("deployment %+v", got.Deployment)
	}
	if want := []route{
		{Route: "GET /hello", Function: "hello", Payload: "2.0"},
		{Route: "$default", Function: "hello", Payload: "raw", ContentType: "text/plain", CORS: &cors{AllowOrigins: []string{"*"}, MaxAge: 5}},
	}; !reflect.DeepEqual(got.Routes, want) {
		t.Errorf("routes %+v", got.Routes)
	}

	r = n.want(http.StatusOK, "PUT", "/v1/functions/hello", object{"MemorySize": 32, "Publish": true, "RevisionId": got.Function.RevisionId})
	var second deployReply
	if err := json.Unmarshal(r.body, &second); err != nil {
		t.Fatal(err)
	}
	f := second.Function
	if second.Created || f.Version != "1" || f.MemorySize != 32 || f.Ledge.TimeoutMillis != 250 || f.Ledge.Isolation != "fresh" ||
		f.CodeSha256 != got.Function.CodeSha256 || f.Environment.Variables["K"] != "v" || len(second.Routes) != 2 {
		t.Errorf("updated %s", r.body)
	}
}

func TestDeployIsAtomic(t *testing.T) {
	n := newNode(t)
	n.want(http.StatusCreated, "PUT", "/v1/functions/hello", object{"Code": object{"ZipFile": command("")}, "Routes": []object{{"Route": "GET /hello"}}})
	n.want(http.StatusCreated, "PUT", "/v1/functions/other", object{"Code": object{"ZipFile": command("")}})
	change := func(with object) object {
		body := object{"Code": object{"ZipFile": command("2")}, "Description": "changed"}
		for k, v := range with {
			body[k] = v
		}
		return body
	}
	for _, test := range []struct {
		name      string
		put, slow error
		body      object
		function  string
		status    int
		code      string
	}{
		{name: "commit fails", put: errors.New("broken"), body: change(nil), status: 500, code: codeService},
		{name: "disk full", put: syscall.ENOSPC, body: change(nil), status: 507, code: "InsufficientStorageException"},
		{name: "quota", put: syscall.EDQUOT, body: change(nil), status: 507, code: "InsufficientStorageException"},
		{name: "engine refuses", slow: &engine.DeployError{Op: "link", Why: "unknown import"}, body: change(nil), status: 400, code: codeInvalid},
		{name: "disk full while compiling", slow: &engine.DeployError{Op: "compile", Why: "write artifact", Err: syscall.ENOSPC}, body: change(nil), status: 507, code: "InsufficientStorageException"},
		{name: "no memory", slow: engine.ErrOverloaded, body: change(nil), status: 503, code: codeService},
		{name: "stopping", slow: engine.ErrClosed, body: change(nil), status: 503, code: codeService},
		{name: "bad route", body: change(object{"Routes": []object{{"Route": "GET hello"}}}), status: 400, code: codeInvalid},
		{name: "duplicate route", body: change(object{"Routes": []object{{"Route": "GET /x"}, {"Route": "GET /x"}}}), status: 400, code: codeInvalid},
		{name: "route of another", body: change(object{"Routes": []object{{"Route": "GET /hello"}}}), function: "other", status: 409, code: codeConflict},
		{name: "route to another", body: change(object{"Routes": []object{{"Route": "GET /x", "Function": "other"}}}), status: 400, code: codeInvalid},
		{name: "bad payload", body: change(object{"Routes": []object{{"Route": "GET /x", "Payload": "3.0"}}}), status: 400, code: codeInvalid},
		{name: "bad CORS", body: change(object{"Routes": []object{{"Route": "GET /x", "CORS": object{"AllowOrigins": []string{"x"}}}}}), status: 400, code: codeInvalid},
		{name: "bad setting", body: change(object{"Isolation": "none"}), status: 400, code: codeInvalid},
		{name: "wrong type", body: change(object{"Routes": "GET /x"}), status: 400, code: codeContent},
		{name: "revision", body: change(object{"RevisionId": "x"}), status: 412, code: codePrecondition},
		{name: "revision of nothing", body: change(object{"RevisionId": "x"}), function: "nobody", status: 404, code: codeNotFound},
		{name: "no code", body: object{}, function: "nobody", status: 400, code: codeInvalid},
		{name: "qualified", body: change(nil), function: "hello:1", status: 400, code: codeInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			n.t = t
			n.store.put, n.engine.deploy = test.put, test.slow
			if test.function == "" {
				test.function = "hello"
			}
			n.unchanged(func() { n.refused(test.status, test.code, "", "PUT", "/v1/functions/"+test.function, test.body) })
		})
	}
}

func TestRoutes(t *testing.T) {
	n := newNode(t)
	n.create("a")
	n.create("b")
	r := n.want(http.StatusOK, "PUT", "/v1/routes", object{"Route": "GET /a/{id}", "Function": "a", "Payload": "raw", "ContentType": "text/html"})
	if r.text(t, "Route") != "GET /a/{id}" || r.text(t, "Payload") != "raw" || r.text(t, "ContentType") != "text/html" {
		t.Errorf("route %s", r.body)
	}
	n.want(http.StatusOK, "PUT", "/v1/routes", object{"Route": "$default", "Function": "arn:aws:lambda:eu-north-1:000000000000:function:b"})
	n.unchanged(func() {
		n.refused(409, codeConflict, "", "PUT", "/v1/routes", object{"Route": "GET /a/{id}", "Function": "b"})
		n.refused(400, codeInvalid, "", "PUT", "/v1/routes", object{"Route": "GET /a/{x}", "Function": "b"})
		n.refused(400, codeInvalid, "", "PUT", "/v1/routes", object{"Route": "/a", "Function": "b"})
		n.refused(400, codeInvalid, "", "PUT", "/v1/routes", object{"Route": "GET /x", "Function": "b:1", "Qualifier": "2"})
		n.refused(400, codeInvalid, "", "PUT", "/v1/routes", object{"Route": "GET /x", "Function": "b", "Qualifier": "é"})
		n.refused(404, codeNotFound, "Function not found", "PUT", "/v1/routes", object{"Route": "GET /x", "Function": "c"})
		n.refused(404, codeNotFound, "Function not found", "PUT", "/v1/routes", object{"Route": "GET /x", "Function": "b", "Qualifier": "live"})
		n.refused(400, codeValidation, "functionName", "PUT", "/v1/routes", object{"Route": "GET /x"})
		n.refused(400, codeInvalid, "missing", "DELETE", "/v1/routes", nil)
		n.refused(404, codeNotFound, "GET /nothing", "DELETE", "/v1/routes?route=GET%20/nothing", nil)
		n.refused(404, codeNotFound, "Function not found", "GET", "/v1/routes?function=c", nil)
		n.refused(400, codeContent, `\"Route\"`, "PUT", "/v1/routes", object{"Route": 1})
	})
	n.want(http.StatusOK, "PUT", "/v1/routes", object{"Route": "GET /a/{id}", "Function": "b", "Replace": true})
	list := n.want(http.StatusOK, "GET", "/v1/routes", nil)
	if want := `{"Routes":[{"Route":"$default","Function":"b","Payload":"2.0"},{"Route":"GET /a/{id}","Function":"b","Payload":"2.0"}]}`; string(list.body) != want {
		t.Errorf("routes %s", list.body)
	}
	for _, async := range []string{"never", "always"} {
		if r := n.want(http.StatusOK, "PUT", "/v1/routes", object{"Route": "GET /a/{id}", "Function": "b", "Replace": true, "Async": async}); r.text(t, "Async") != async {
			t.Errorf("route %s", r.body)
		}
	}
	n.refused(400, codeInvalid, "become events", "PUT", "/v1/routes", object{"Route": "GET /x", "Function": "b", "Async": "often"})
	if of := n.want(http.StatusOK, "GET", "/v1/routes?function=a", nil); string(of.body) != `{"Routes":[]}` {
		t.Errorf("routes of a: %s", of.body)
	}
	for _, key := range []string{"$default", "GET /a/{id}"} {
		n.want(http.StatusNoContent, "DELETE", "/v1/routes?route="+url.QueryEscape(key), nil)
	}
	if s := n.state(); len(s.Routes) != 0 {
		t.Errorf("left over: %+v", s.Routes)
	}
}

func TestNode(t *testing.T) {
	n := newNode(t)
	if r := n.want(http.StatusOK, "GET", "/v1/version", nil); string(r.body) != `{"Version":"1.2.3","HTTP":"127.0.0.1:8080"}` {
		t.Errorf("version %s", r.body)
	}
	if r := n.want(http.StatusOK, "GET", "/v1/health", nil); string(r.body) != `{"Status":"ok","Problems":[]}` {
		t.Errorf("health %s", r.body)
	}
	n.alarm = []string{"the disk is old"}
	if r := n.want(http.StatusOK, "GET", "/v1/health", nil); string(r.body) != `{"Status":"degraded","Problems":["the disk is old"]}` {
		t.Errorf("health %s", r.body)
	}
	n.want(http.StatusOK, "HEAD", "/v1/health", nil)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	n := newNode(t)
	n.refused(501, "NotImplementedException", "/2017-03-31/nothing/x", "GET", "/2017-03-31/nothing/x", nil)
	n.refused(501, "NotImplementedException", "CreateCodeSigningConfig is not implemented by this node: there is no AWS Signer", "POST", "/2020-04-22/code-signing-configs", nil)
	n.refused(404, "UnknownOperationException", "/nothing", "GET", "/nothing", nil)
	n.refused(404, "UnknownOperationException", "", "POST", "/", "{}")
	n.refused(405, "MethodNotAllowedException", "DELETE, GET", "PATCH", functions+"/hello", "{}")
	if r := n.call("PATCH", functions, "{}"); r.Header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %q", r.Header.Get("Allow"))
	}
	n.store.read = errors.New("broken")
	n.refused(500, codeService, "broken", "GET", functions, nil)
}

func TestTooLargeBodies(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.refused(413, codeEntityTooLarge, "Request must be smaller than 1048576 bytes for the UpdateFunctionConfiguration operation", "PUT", functions+"/hello/configuration", make([]byte, restjson.MaxSettings+1))
	// A body without a length is cut at the limit.
	r, w := httptest.NewRequest("PUT", functions+"/hello/configuration", strings.NewReader(strings.Repeat(" ", restjson.MaxSettings+1))), httptest.NewRecorder()
	r.ContentLength = -1
	if n.handler.ServeHTTP(w, r); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	// A length over the limit is refused before a byte is read.
	r, w = httptest.NewRequest("POST", functions, unreadable{t}), httptest.NewRecorder()
	r.ContentLength = MaxUpload + 1
	if n.handler.ServeHTTP(w, r); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, errors.New("read")
}

// TestUploadSlots: a large upload that waits for a slot ends with its client,
// and slots come back.
func TestUploadSlots(t *testing.T) {
	n := newNode(t)
	large := func() *http.Request {
		return httptest.NewRequest("POST", functions, strings.NewReader(`{"FunctionName":"`+strings.Repeat("x", largeBody)+`"}`))
	}
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 * maxUploads {
		// One that is refused after it was decoded, and one that is no JSON.
		cut := large()
		cut.Body = io.NopCloser(io.LimitReader(cut.Body, largeBody))
		for _, r := range []*http.Request{large(), cut} {
			w := httptest.NewRecorder()
			if n.handler.ServeHTTP(w, r.WithContext(ctx)); w.Code != http.StatusBadRequest {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
		}
	}
	full := rooms{uploads: make(chan struct{}), payloads: make(chan struct{}, 1), wait: time.Hour}
	leave, err := full.enter(ctx, large(), MaxUpload-1)
	if err != nil {
		t.Fatalf("a payload waits for an upload: %v", err)
	}
	cancel()
	for _, limit := range []int64{MaxUpload, MaxUpload - 1} {
		if _, err := full.enter(ctx, large(), limit); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting ended with %v", err)
		}
	}
	leave()
	full.wait = 0
	var refused *fault
	if _, err := full.enter(t.Context(), large(), MaxUpload); !errors.As(err, &refused) || refused.Status != http.StatusTooManyRequests {
		t.Errorf("waiting in vain ended with %v", err)
	}
}

// TestSlowUpload: a client that sends a byte now and then is cut off, too.
func TestSlowUpload(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		read        int64
		after, want time.Duration
	}{
		{0, 0, 30 * time.Second},
		{8, 29 * time.Second, 30*time.Second + time.Second/1024},
		{slowestBody, 29 * time.Second, 31 * time.Second},
		{100 * slowestBody, 29 * time.Second, 59 * time.Second},
		{100 * slowestBody, 129 * time.Second, 130 * time.Second},
	} {
		b := steadyBody{pause: 30 * time.Second, begun: begun, read: test.read}
		if got := b.deadline(begun.Add(test.after)).Sub(begun); got != test.want {
			t.Errorf("%d bytes after %s: cut off after %s, want %s", test.read, test.after, got, test.want)
		}
	}
}

// TestStuckUpload: a client that stops in the middle of an upload gives its slot
// back.
func TestStuckUpload(t *testing.T) {
	slot := rooms{uploads: make(chan struct{}, 1), wait: time.Hour}
	serve := func(pause time.Duration) *httptest.Server {
		a := &api{rooms: slot, bodyPause: pause}
		upload := &restjson.Operation{MaxBody: MaxUpload, Serve: func(w http.ResponseWriter, r *http.Request) error {
			if err := restjson.ReadJSON(r, &createFunctionRequest{}); err != nil {
				return err
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		}}
		server := httptest.NewServer(a.handle(func(w http.ResponseWriter, r *http.Request) error {
			return a.serve(w, r, upload, a.trust)
		}))
		t.Cleanup(server.Close)
		return server
	}
	server := serve(time.Millisecond)
	for _, body := range []string{`{"FunctionName":"`, ""} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", largeBody+1, body); err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewReader(conn)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusBadRequest || !resp.Close {
			t.Errorf("status %d, close %t", resp.StatusCode, resp.Close)
		}
		if _, err := io.Copy(io.Discard, answers); err != nil {
			t.Errorf("the connection is not closed: %v", err)
		}
	}
	chunks := iotest.OneByteReader(strings.NewReader(`{"FunctionName":"x"}`))
	resp, err := http.Post(serve(bodyPause).URL, "application/json", chunks)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("the next upload: status %d", resp.StatusCode)
	}
}

func TestLogs(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.create("other")
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) // of the node's clock
	for i := range 5 {
		n.logs.Append("hello", "$LATEST", fmt.Sprintf("id%d", i), now.Add(time.Duration(i-5)*time.Minute), fmt.Appendf(nil, "line %d\n", i))
	}
	n.logs.Append("other", "$LATEST", "id", now, []byte("not this\n"))
	read := func(query string) (texts []string) {
		t.Helper()
		r := n.want(http.StatusOK, "GET", "/v1/functions/hello/logs?"+query, nil)
		if r.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("Content-Type %s", r.Header.Get("Content-Type"))
		}
		for line := range strings.Lines(string(r.body)) {
			var rec logRecord
			if err := json.Unmarshal([]byte(line), &rec); err != nil {
				t.Fatal(err)
			}
			if rec.Function != "hello" || rec.Version != "$LATEST" || !strings.HasPrefix(rec.RequestID, "id") || rec.At.IsZero() {
				t.Errorf("record %+v", rec)
			}
			texts = append(texts, rec.Text)
		}
		return texts
	}
	for query, want := range map[string][]string{
		"":                           {"line 0\n", "line 1\n", "line 2\n", "line 3\n", "line 4\n"},
		"limit=2":                    {"line 3\n", "line 4\n"},
		"since=3m":                   {"line 2\n", "line 3\n", "line 4\n"},
		"since=2026-01-02T03:03:05Z": {"line 4\n"},
		"since=0s":                   nil,
	} {
		if got := read(query); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
	for _, bad := range []string{"since=yesterday", "since=-1m", "limit=0", "limit=x", "follow=maybe"} {
		n.refused(400, codeInvalid, "", "GET", "/v1/functions/hello/logs?"+bad, nil)
	}
	n.refused(404, codeNotFound, "", "GET", "/v1/functions/nobody/logs", nil)
}

// brokenLogs fails after one record.
type brokenLogs struct{ Logs }

func (brokenLogs) Read(_ context.Context, _ persist.Query, each func(persist.Record) error) error {
	if err := each(persist.Record{Text: []byte("one")}); err != nil {
		return err
	}
	return errors.New("broken")
}

// TestBrokenLogStream: a stream that fails on its way does not look complete.
func TestBrokenLogStream(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	_, handler := New(Config{Store: n.store, Logs: brokenLogs{}})
	server := httptest.NewServer(handler)
	defer server.Close()
	resp, err := http.Get(server.URL + "/v1/functions/hello/logs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil || !strings.Contains(string(text), "one") || strings.Contains(string(text), "broken") {
		t.Errorf("read %q, %v", text, err)
	}
}

func TestFollowedLogs(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", n.url+"/v1/functions/hello/logs?follow=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req) // returns before there is any record
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		text := fmt.Sprintf("line %d", i)
		n.logs.Append("hello", "1", "id", time.Now(), []byte(text))
		line, err := lines.ReadString('\n')
		if err != nil || !strings.Contains(line, text) {
			t.Fatalf("read %q, %v; want %q", line, err, text)
		}
	}
	cancel()
	if _, err := lines.ReadString('\n'); !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ended with %v", err)
	}
}
