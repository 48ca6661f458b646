package awsapi

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ledge/engine"
	"ledge/persist"
)

const invocations = functions + "/hello/invocations"

func TestInvoke(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	var got engine.Invocation
	n.engine.invoke = func(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
		got = *inv
		got.Payload = append([]byte(nil), inv.Payload...)
		res.Payload = append(res.Payload[:0], `{"ok":true}`...)
		res.Version = "$LATEST"
		return nil
	}
	r := n.want(http.StatusOK, "POST", invocations, `{"a":1}`)
	if string(r.body) != `{"ok":true}` || r.Header.Get("X-Amz-Executed-Version") != "$LATEST" || r.Header.Get("Content-Type") != "application/json" ||
		r.Header.Get("X-Amz-Function-Error") != "" || r.Header.Get("X-Amz-Log-Result") != "" {
		t.Errorf("reply %s, %v", r.body, r.Header)
	}
	if got.Function != "hello" || got.Qualifier != "" || string(got.Payload) != `{"a":1}` || got.Source != engine.SourceAPI ||
		got.RequestID.String() != r.Header.Get("X-Amzn-Requestid") {
		t.Errorf("invocation %+v", got)
	}
	n.want(http.StatusOK, "POST", functions+"/hello:7/invocations", "", "X-Amz-Invocation-Type", "RequestResponse")
	if got.Qualifier != "7" || string(got.Payload) != "{}" {
		t.Errorf("invocation %+v", got)
	}
	n.want(http.StatusOK, "POST", invocations+"?Qualifier=live", "\x00\xff")
	if got.Qualifier != "live" || string(got.Payload) != "\x00\xff" {
		t.Errorf("invocation %+v", got)
	}
}

func TestInvokeBinaryReply(t *testing.T) {
	n := newNode(t)
	n.engine.invoke = func(_ context.Context, _ *engine.Invocation, res *engine.Result) error {
		res.Payload = []byte("\xff\x00")
		return nil
	}
	if r := n.want(http.StatusOK, "POST", invocations, nil); string(r.body) != "\xff\x00" || r.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("reply %q as %s", r.body, r.Header.Get("Content-Type"))
	}
}

func TestInvokeLogTail(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	long := strings.Repeat("0123456789abcdef", 1000)
	for _, test := range []struct {
		name, log, want string
		report          engine.Report
	}{
		{"warm", "one\ntwo", `^START RequestId: (\S+) Version: \$LATEST\none\ntwo\nEND RequestId: (\S+)\nREPORT RequestId: (\S+)\tDuration: 1\.50 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 2 MB\t\n$`,
			engine.Report{Duration: 1500 * time.Microsecond, Billed: 2 * time.Millisecond, Memory: 1<<20 + 1}},
		{"cold", "", `^START .*\nEND .*\nREPORT .*\tInit Duration: 3\.00 ms\t\n$`, engine.Report{Init: 3 * time.Millisecond}},
		{"restored", "", `\tRestore Duration: 0\.05 ms\t\n$`, engine.Report{Init: 50 * time.Microsecond, Restored: true}},
		{"long", long, `^(0|1|2|3|4|5|6|7|8|9|[a-f])+\nEND .*\nREPORT .*\n$`, engine.Report{}},
	} {
		n.engine.invoke = func(_ context.Context, _ *engine.Invocation, res *engine.Result) error {
			res.Version, res.Log, res.Report = "$LATEST", []byte(test.log), test.report
			res.Payload = []byte("null")
			return nil
		}
		r := n.want(http.StatusOK, "POST", invocations, "{}", "X-Amz-Log-Type", "Tail")
		log, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-Log-Result"))
		if err != nil || !regexp.MustCompile(test.want).Match(log) || len(log) > 4096 {
			t.Errorf("%s: %d bytes of log, %v:\n%s", test.name, len(log), err, log)
		}
		if !strings.Contains(string(log), r.Header.Get("X-Amzn-Requestid")) {
			t.Errorf("%s: the log has another request ID", test.name)
		}
	}
}

// TestInvokeErrors is the error table of an invocation.
func TestInvokeErrors(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	for _, test := range []struct {
		name   string
		err    error
		status int
		code   string // or, of a function error, what the payload says
	}{
		{"not found", engine.ErrNotFound, 404, codeNotFound},
		{"throttled", engine.ErrThrottled, 429, codeThrottled},
		{"overloaded", engine.ErrOverloaded, 503, codeService},
		{"closed", engine.ErrClosed, 503, codeService},
		{"too large", engine.ErrTooLarge, 413, codeTooLarge},
		{"anything else", errors.New("broken"), 500, codeService},
		{"timeout", &engine.TimeoutError{After: 3 * time.Second}, 200, `{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 3.00 seconds"}`},
		{"trap", &engine.TrapError{Code: "unreachable", Message: "unreachable", Frames: []string{"f"}}, 200, `{"errorType":"Runtime.Trap","errorMessage":"unreachable","stackTrace":["f"]}`},
		{"memory", &engine.TrapError{Code: engine.TrapOutOfMemory, Message: "m"}, 200, `{"errorType":"Runtime.OutOfMemory","errorMessage":"m"}`},
		{"exit", &engine.ExitError{Status: 3}, 200, `{"errorType":"Runtime.ExitError","errorMessage":"Runtime exited with error: exit status 3"}`},
		{"handler", &engine.FunctionError{Type: "E", Message: "m"}, 200, `{"errorType":"E","errorMessage":"m"}`},
		{"handler of a language", &engine.FunctionError{Type: "KeyError", Message: "'x'", Object: json.RawMessage(`{"errorMessage":"'x'","errorType":"KeyError","requestId":"1-2","stackTrace":["  File \"/var/task/app.py\", line 2, in lambda_handler\n"]}`)}, 200,
			`{"errorMessage":"'x'","errorType":"KeyError","requestId":"1-2","stackTrace":["  File \"/var/task/app.py\", line 2, in lambda_handler\n"]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			n.t = t
			n.engine.invoke = func(_ context.Context, _ *engine.Invocation, res *engine.Result) error {
				res.Version = "$LATEST"
				return fmt.Errorf("hello: %w", test.err)
			}
			if test.status != http.StatusOK {
				n.refused(test.status, test.code, "", "POST", invocations, "{}")
				return
			}
			r := n.want(test.status, "POST", invocations, "{}", "X-Amz-Log-Type", "Tail")
			if string(r.body) != test.code || r.Header.Get("X-Amz-Function-Error") != "Unhandled" ||
				r.Header.Get("X-Amz-Executed-Version") != "$LATEST" || r.Header.Get("X-Amz-Log-Result") == "" {
				t.Errorf("reply %s, %v", r.body, r.Header)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	n := newNode(t)
	for _, err := range []error{engine.ErrThrottled, engine.ErrOverloaded} {
		n.engine.invoke = func(context.Context, *engine.Invocation, *engine.Result) error { return err }
		if r := n.call("POST", invocations, "{}"); r.Header.Get("Retry-After") != "1" {
			t.Errorf("%v: Retry-After %q", err, r.Header.Get("Retry-After"))
		}
	}
}

func TestInvocationTypes(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.engine.invoke = func(context.Context, *engine.Invocation, *engine.Result) error {
		t.Error("the function was invoked")
		return nil
	}
	n.want(http.StatusNoContent, "POST", invocations, "{}", "X-Amz-Invocation-Type", "DryRun")
	n.refused(404, codeNotFound, "Function not found", "POST", functions+"/nobody/invocations", "{}", "X-Amz-Invocation-Type", "DryRun")
	n.refused(501, "NotImplementedException", "durable", "POST", "/2025-12-01/durable-executions/arn%2Fx/stop", "{}")
	n.refused(400, codeValidation, "Later", "POST", invocations, "{}", "X-Amz-Invocation-Type", "Later")
	n.refused(400, codeValidation, "Head", "POST", invocations, "{}", "X-Amz-Log-Type", "Head")
	n.refused(413, codeTooLarge, "6291456", "POST", invocations, make([]byte, 6<<20+1))
}

// TestHangUpCancels: the context of an invocation ends with its client.
func TestHangUpCancels(t *testing.T) {
	n := newNode(t)
	began, ended := make(chan struct{}), make(chan error)
	n.engine.invoke = func(ctx context.Context, _ *engine.Invocation, _ *engine.Result) error {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", n.url+invocations, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := http.DefaultClient.Do(req)
		done <- err
	}()
	<-began
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the invocation ended with %v", err)
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the client ended with %v", err)
	}
}

// An event is on disk when its invocation is answered.
func TestEvents(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.want(http.StatusCreated, "POST", functions+"/hello/versions", nil)
	event := []string{"X-Amz-Invocation-Type", "Event"}
	r := n.want(http.StatusAccepted, "POST", invocations+"?Qualifier=1", `{"a":1}`, event...)
	if len(r.body) != 0 || r.Header.Get("X-Amz-Function-Error") != "" {
		t.Errorf("reply %s, %v", r.body, r.Header)
	}
	if last := n.want(http.StatusAccepted, "POST", "/2014-11-13/functions/hello/invoke-async", `{"b":2}`); string(last.body) != `{"Status":202}` {
		t.Errorf("InvokeAsync: %s", last.body)
	}
	n.want(http.StatusAccepted, "POST", invocations, "", event...)
	if want := []string{`hello:1 {"a":1}`, `hello: {"b":2}`, `hello: {}`}; !slices.Equal(n.queue.events, want) {
		t.Errorf("queued %q, want %q", n.queue.events, want)
	}
	if n.queue.ids[0] != r.Header.Get("X-Amzn-Requestid") {
		t.Errorf("request %s is queued as %s", r.Header.Get("X-Amzn-Requestid"), n.queue.ids[0])
	}
	n.want(http.StatusAccepted, "POST", invocations, []byte(`"`+strings.Repeat("x", MaxEvent-2)+`"`), event...)
	n.refused(413, codeTooLarge, "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)", "POST", invocations, []byte(`"`+strings.Repeat("x", MaxEvent-1)+`"`), event...)
	n.refused(404, codeNotFound, "Function not found", "POST", functions+"/nobody/invocations", "{}", event...)
	n.refused(404, codeNotFound, "function:hello:9", "POST", invocations+"?Qualifier=9", "{}", event...)
	n.queue.err = fmt.Errorf("store job: %w", persist.ErrQueueFull)
	n.refused(429, codeThrottled, "queue", "POST", invocations, "{}", event...)
	n.queue.err = errors.New("broken")
	n.refused(500, codeService, "broken", "POST", invocations, "{}", event...)
	n.api.Async = nil
	n.refused(501, "NotImplementedException", "no queue", "POST", invocations, "{}", event...)
}

// What goes with an invocation is checked before the function runs.
func TestInvocationHeaders(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.want(http.StatusCreated, "POST", functions, object{"FunctionName": "py", "Runtime": "python3.13", "Handler": "a.b", "Code": object{"ZipFile": zipOf(t, "a.py")}})
	var got engine.Invocation
	n.engine.invoke = func(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
		got = *inv
		if string(inv.ClientContext) == "[]" {
			return engine.ErrClientContext
		}
		res.Payload = []byte("null")
		return nil
	}
	client := func(text string) []string {
		return []string{"X-Amz-Client-Context", base64.StdEncoding.EncodeToString([]byte(text))}
	}
	if n.want(http.StatusOK, "POST", invocations, "{}", client(`{"custom":{"a":1}}`)...); string(got.ClientContext) != `{"custom":{"a":1}}` {
		t.Errorf("client context %q", got.ClientContext)
	}
	if n.want(http.StatusOK, "POST", invocations, "{}"); got.ClientContext != nil {
		t.Errorf("client context %q", got.ClientContext)
	}
	n.refused(400, codeContent, "Client context must be a valid Base64-encoded JSON object.", "POST", invocations, "{}", "X-Amz-Client-Context", "%")
	n.refused(400, codeContent, "Client context must be a valid Base64-encoded JSON object.", "POST", invocations, "{}", client("[]")...)
	n.refused(400, codeInvalid, "TenantId", "POST", invocations, "{}", "X-Amz-Tenant-Id", "t")
	n.refused(400, codeInvalid, "DurableExecutionName", "POST", invocations, "{}", "X-Amz-Durable-Execution-Name", "t")
	got.Function = ""
	n.refused(400, codeContent, "Could not parse request body into json: Could not parse payload into json: invalid character", "POST", functions+"/py/invocations", "not JSON")
	n.refused(400, codeContent, "Could not parse request body into json", "POST", functions+"/py/invocations", `{"a":`, "X-Amz-Invocation-Type", "Event")
	if got.Function != "" || len(n.queue.events) != 0 {
		t.Error("the function was invoked")
	}
	n.want(http.StatusOK, "POST", functions+"/py/invocations", " 1 ")
}

// An event stream, read back by the format's description.
func TestInvokeWithResponseStream(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	reply, failure := strings.Repeat("x", maxChunk+5), error(nil)
	n.engine.invoke = func(_ context.Context, _ *engine.Invocation, res *engine.Result) error {
		res.Version, res.Payload = "$LATEST", []byte(reply)
		return failure
	}
	const path = "/2021-11-15/functions/hello/response-streaming-invocations"
	events := func(b []byte) (names, payloads []string) {
		t.Helper()
		for len(b) > 0 {
			total, headers := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
			message := b[:total]
			if crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) || crc32.ChecksumIEEE(message[:total-4]) != binary.BigEndian.Uint32(message[total-4:]) {
				t.Fatal("a checksum is wrong")
			}
			values := map[string]string{}
			for h := message[12 : 12+headers]; len(h) > 0; {
				name := string(h[1 : 1+h[0]])
				h = h[1+h[0]:]
				if h[0] != 7 {
					t.Fatalf("header %s has type %d", name, h[0])
				}
				size := binary.BigEndian.Uint16(h[1:])
				values[name] = string(h[3 : 3+size])
				h = h[3+size:]
			}
			names = append(names, values[":message-type"]+" "+values[":event-type"]+" "+values[":content-type"])
			payloads = append(payloads, string(message[12+headers:total-4]))
			b = b[total:]
		}
		return names, payloads
	}
	r := n.want(http.StatusOK, "POST", path, "{}", "X-Amz-Log-Type", "Tail")
	names, payloads := events(r.body)
	const chunk, end = "event PayloadChunk application/octet-stream", "event InvokeComplete application/json"
	if !slices.Equal(names, []string{chunk, chunk, end}) || payloads[0]+payloads[1] != reply || !strings.HasPrefix(payloads[2], `{"LogResult":"`) {
		t.Errorf("events %q, end %q", names, payloads[len(payloads)-1])
	}
	if r.Header.Get("Content-Type") != "application/vnd.amazon.eventstream" || r.Header.Get("X-Amz-Executed-Version") != "$LATEST" {
		t.Errorf("headers %v", r.Header)
	}
	failure = &engine.FunctionError{Type: "E", Message: "m"}
	names, payloads = events(n.want(http.StatusOK, "POST", path, "{}").body)
	if !slices.Equal(names, []string{end}) || payloads[0] != `{"ErrorCode":"E","ErrorDetails":"{\"errorType\":\"E\",\"errorMessage\":\"m\"}"}` {
		t.Errorf("events %q %q", names, payloads)
	}
	n.want(http.StatusNoContent, "POST", path, "{}", "X-Amz-Invocation-Type", "DryRun")
	n.refused(400, codeValidation, "invocationType", "POST", path, "{}", "X-Amz-Invocation-Type", "Event")
	failure = engine.ErrThrottled
	n.refused(429, codeThrottled, "", "POST", path, "{}")
}
