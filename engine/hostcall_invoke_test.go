package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCallInvoke(t *testing.T) {
	r := open(t, testConfig(t))
	callee := pythonFunction(t, "import time\ndef handler(event, context):\n    if event == 'fail':\n        raise KeyError('gone')\n    if event == 'sleep':\n        time.sleep(3600)\n    if event == 'exit':\n        raise SystemExit(3)\n    if event == 'none':\n        return None\n    return [event, context.aws_request_id != '']\n")
	callee.Name, callee.Limits.Timeout = "callee", 400*time.Millisecond
	deploy(t, r, callee)
	denied := callee
	denied.Name = "other"
	deploy(t, r, denied)
	evaluate(t, r, func(f *Function) { f.AllowInvoke = []string{"callee", "nobody"} }, []expression{
		{"reply", "ledge.invoke('callee', {'a': 'ö'})", "ledge.invoke('callee', { a: 'ö' })", `[{"a":"ö"},true]`},
		{"no reply", "ledge.invoke('callee', 'none')", "ledge.invoke('callee', 'none')", `null`},
		{"latest", "ledge.invoke('callee', 1, '$LATEST')", "ledge.invoke('callee', 1, '$LATEST')", `[1,true]`},
		{"large event", "len(ledge.invoke('callee', 'x' * 1000000)[0])", "ledge.invoke('callee', 'x'.repeat(1000000)).then((x) => x[0].length)", `1000000`},
		{"fails", "ledge.invoke('callee', 'fail')", "ledge.invoke('callee', 'fail')", `["InvokeError","callee: KeyError: 'gone'",true]`},
		{"exits", "ledge.invoke('callee', 'exit')", "ledge.invoke('callee', 'exit')", `["InvokeError","callee: Runtime.ExitError: Runtime exited with error: exit status 3",true]`},
		{"times out", "ledge.invoke('callee', 'sleep')", "ledge.invoke('callee', 'sleep')", `["InvokeError","callee: Sandbox.Timedout: Task timed out after 0.40 seconds",true]`},
		{"denied", "ledge.invoke('other', 1)", "ledge.invoke('other', 1)", `["PermissionDenied","f may not invoke other; allow it with --allow-invoke other",true]`},
		{"unknown", "ledge.invoke('nobody', 1)", "ledge.invoke('nobody', 1)", `["InvokeError","nobody: function not found",true]`},
		{"unknown version", "ledge.invoke('callee', 1, '7')", "ledge.invoke('callee', 1, '7')", `["InvokeError","callee:7: function not found",true]`},
		{"too large", "ledge.invoke('callee', 'x' * 7000000)", "ledge.invoke('callee', 'x'.repeat(7000000))", `["InvokeError","callee: 7000002 bytes: payload exceeds the size limit",true]`},
	})
	evaluate(t, r, func(f *Function) { f.AllowInvoke = []string{"*"} }, []expression{{"all", "ledge.invoke('other', 1)", "ledge.invoke('other', 1)", `[1,true]`}})
}

// The error of the function that was invoked is in the exception.
func TestCallInvokeErrorMembers(t *testing.T) {
	r := open(t, testConfig(t))
	callee := pythonFunction(t, "def handler(event, context):\n    raise KeyError('gone')\n")
	callee.Name = "callee"
	deploy(t, r, callee)
	eachLanguage(t, pair{
		"import ledge\ndef handler(event, context):\n    try:\n        ledge.invoke('callee', 1)\n    except ledge.InvokeError as e:\n        return [e.error_type, e.error_message]\n",
		"export const handler = async () => { try { await ledge.invoke('callee', 1) } catch (e) { return [e.errorType, e.errorMessage] } };",
	}, func(t *testing.T, f Function) {
		f.AllowInvoke = []string{"callee"}
		deploy(t, r, f)
		if got, err := invoke(r, "f", ``); err != nil || strings.ReplaceAll(got, " ", "") != `["KeyError","'gone'"]` {
			t.Errorf("got %s, %v", got, err)
		}
	})
}

// A function that invokes itself ends at the depth limit, and no Instance stays
// behind.
func TestCallInvokeDepth(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{
		"import ledge\ndef handler(event, context):\n    try:\n        return 1 + ledge.invoke('f', event)\n    except ledge.LimitExceeded as e:\n        return 1\n",
		"export const handler = async (event) => { try { return 1 + await ledge.invoke('f', event) } catch (e) { if (e.name !== 'LimitExceeded') throw e; return 1 } };",
	}, func(t *testing.T, f Function) {
		f.AllowInvoke = []string{"f"}
		for _, f.Isolation = range bothIsolations {
			deploy(t, r, f)
			for range 2 {
				if got, err := invoke(r, "f", `0`); err != nil || got != fmt.Sprint(maxDepth+1) {
					t.Errorf("got %s, %v", got, err)
				}
			}
			f.Limits.Concurrency = 3
			deploy(t, r, f)
			_, err := invoke(r, "f", `0`)
			wantRaised(t, err, "InvokeError", ErrThrottled.Error())
			f.Limits.Concurrency = 0
		}
	})
}

// The callee gets no more time than its caller has left, and stops with it.
func TestCallInvokeDeadline(t *testing.T) {
	r := open(t, testConfig(t))
	callee := pythonFunction(t, "while_true = 1\ndef handler(event, context):\n    while True: pass\n")
	callee.Name, callee.Limits.Timeout = "callee", time.Minute
	deploy(t, r, callee)
	eachLanguage(t, pair{"import ledge\ndef handler(event, context):\n    return ledge.invoke('callee', 1)\n", "export const handler = async () => ledge.invoke('callee', 1);"}, func(t *testing.T, f Function) {
		f.AllowInvoke, f.Limits.Timeout = []string{"callee"}, 100*time.Millisecond
		deploy(t, r, f)
		if _, err := invoke(r, "f", ``); !errors.Is(err, ErrTimeout) {
			t.Errorf("ended with %v", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		f.Limits.Timeout = time.Minute
		deploy(t, r, f)
		go func() {
			defer cancel()
			waitRunning(t, r, 2)
		}()
		var res Result
		if err := r.Invoke(ctx, &Invocation{Function: "f"}, &res); !errors.Is(err, context.Canceled) {
			t.Errorf("without its caller: %v", err)
		}
	})
}

// memoryAsync notes the events that functions leave.
type memoryAsync struct {
	mu   sync.Mutex
	left []string
	err  error
}

func (a *memoryAsync) InvokeAsync(event AsyncEvent) (RequestID, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return RequestID{}, a.err
	}
	a.left = append(a.left, fmt.Sprintf("%s:%s %s %d", event.Function, event.Qualifier, event.Payload, event.Depth))
	return RequestID{1}, nil
}

func TestCallInvokeAsync(t *testing.T) {
	const id = `"01000000-0000-0000-0000-000000000000"`
	cfg := testConfig(t)
	async := &memoryAsync{}
	cfg.Async = async
	r := open(t, cfg)
	allowed := func(f *Function) { f.AllowInvoke = []string{"callee"} }
	evaluate(t, r, allowed, []expression{
		{"id", "ledge.invoke('callee', {'a': 1}, asynchronous=True)", "ledge.invoke('callee', { a: 1 }, { async: true })", id},
		{"of a version", "ledge.invoke('callee', None, 'v1', asynchronous=True)", "ledge.invoke('callee', null, { qualifier: 'v1', async: true })", id},
		{"denied", "ledge.invoke('other', 1, asynchronous=True)", "ledge.invoke('other', 1, { async: true })", `["PermissionDenied","f may not invoke other; allow it with --allow-invoke other",true]`},
	})
	want := `[callee: {"a":1} 1 callee:v1 null 1]`
	if got := strings.ReplaceAll(fmt.Sprint(async.left[:2]), ": 1", ":1"); got != want || len(async.left) != 4 {
		t.Errorf("left %s and so on, %d", got, len(async.left))
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("callee: %w", ErrNotFound), `["InvokeError","callee: function not found",true]`},
		{tooLarge{}, `["LimitExceeded","callee: the value has more than 10 bytes",true]`},
		{errors.New("the disk is full"), `["Unavailable","the disk is full",true]`},
	} {
		async.err = test.err
		evaluate(t, r, allowed, []expression{{"refused", "ledge.invoke('callee', 1, asynchronous=True)", "ledge.invoke('callee', 1, { async: true })", test.want}})
	}
	cfg = testConfig(t)
	evaluate(t, open(t, cfg), allowed, []expression{{"no queue", "ledge.invoke('callee', 1, asynchronous=True)", "ledge.invoke('callee', 1, { async: true })",
		`["Unavailable","this node has no queue of asynchronous invocations",true]`}})
}

// How many events led to an Invocation goes with its writes, with what it invokes and
// with the events that it leaves, one more, up to a limit.
func TestCallDepth(t *testing.T) {
	cfg := testConfig(t)
	async, data := &memoryAsync{}, &memoryData{}
	cfg.Async, cfg.Data = async, data
	r := open(t, cfg)
	eachLanguage(t, pair{
		"import ledge\ndef handler(event, context):\n    ledge.kv.put('k', 'v')\n    if event == 'leave':\n        return ledge.invoke('f', 1, asynchronous=True)\n    if event == 'nest':\n        ledge.invoke('f', 'end')\n",
		"export const handler = async (event) => { await ledge.kv.put('k', 'v'); if (event === 'leave') return ledge.invoke('f', 1, { async: true }); if (event === 'nest') await ledge.invoke('f', 'end'); };",
	}, func(t *testing.T, f Function) {
		f.AllowInvoke = []string{"f"}
		deploy(t, r, f)
		for _, depth := range []int{0, 3, maxCaused - 1} {
			data.origins, async.left = nil, nil
			for _, event := range []string{`"leave"`, `"nest"`} {
				var res Result
				if err := r.Invoke(context.Background(), &Invocation{Function: "f", Payload: []byte(event), Depth: depth}, &res); err != nil {
					t.Fatal(err)
				}
			}
			want := Origin{"f", depth}
			if len(data.origins) != 3 || data.origins[0] != want || data.origins[1] != want || data.origins[2] != want {
				t.Errorf("%d: written by %v", depth, data.origins)
			}
			if fmt.Sprint(async.left) != fmt.Sprintf("[f: 1 %d]", depth+1) {
				t.Errorf("%d: left %q", depth, async.left)
			}
		}
		var res Result
		err := r.Invoke(context.Background(), &Invocation{Function: "f", Payload: []byte(`"leave"`), Depth: maxCaused}, &res)
		wantRaised(t, err, "LimitExceeded", "16 events led to this one")
	})
}
