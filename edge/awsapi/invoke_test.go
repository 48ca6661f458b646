package awsapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"ledge/engine"
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
	n.refused(501, "NotImplementedException", "Event", "POST", invocations, "{}", "X-Amz-Invocation-Type", "Event")
	n.refused(400, codeInvalid, "Later", "POST", invocations, "{}", "X-Amz-Invocation-Type", "Later")
	n.refused(400, codeInvalid, "Head", "POST", invocations, "{}", "X-Amz-Log-Type", "Head")
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
