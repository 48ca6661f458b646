package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// callFunctions are a function in each language whose handler evaluates the
// event, a piece of its language, and replies with the value or with the name and
// message of what that raised.
func callFunctions(t *testing.T) (python, javaScript Function) {
	t.Helper()
	python = pythonFunction(t, `import ledge, json
def handler(event, context):
    try:
        return eval(event)
    except ledge.Error as e:
        return [type(e).__name__, str(e), isinstance(e, Exception)]
`)
	javaScript = javaScriptFunction(t, `export const handler = async (event) => {
  try { return await (0, eval)(event) } catch (e) { return [e.name, e.message, e instanceof Error] }
};`)
	return python, javaScript
}

// expression is what handlers of callFunctions evaluate, in both languages.
type expression struct{ name, python, javaScript, want string }

// evaluate checks what the expressions give through functions that change makes
// of callFunctions.
func evaluate(t *testing.T, r *Runtime, change func(f *Function), cases []expression) {
	python, javaScript := callFunctions(t)
	for _, f := range []Function{python, javaScript} {
		change(&f)
		deploy(t, r, f)
		for _, test := range cases {
			code := test.python
			if f.Runtime == RuntimeJavaScript {
				code = test.javaScript
			}
			t.Run(f.Runtime+" "+test.name, func(t *testing.T) {
				event, err := json.Marshal(code)
				if err != nil {
					t.Fatal(err)
				}
				got, err := invoke(r, "f", string(event))
				if err != nil || compactJSON(t, got) != compactJSON(t, test.want) {
					t.Errorf("got %.500s, %v; want %s", got, err, test.want)
				}
			})
		}
	}
}

// compactJSON returns text without what has no meaning.
func compactJSON(t *testing.T, text string) string {
	t.Helper()
	var v any
	if text == "" {
		return ""
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestCallKV(t *testing.T) {
	cfg := testConfig(t)
	kv := cfg.KV
	r := open(t, cfg)
	for i := range 2500 {
		if err := kv.Put("f", fmt.Sprintf("many/%04d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := kv.Put("g", "secret", []byte("g's")); err != nil {
		t.Fatal(err)
	}
	if err := kv.Put("f", "binary", []byte{0, 255, 254, 'a'}); err != nil {
		t.Fatal(err)
	}
	evaluate(t, r, func(f *Function) {}, []expression{
		{"absent", "ledge.kv.get('nope')", "ledge.kv.get('nope')", `null`},
		{"absent with a default", "ledge.kv.get('nope', 7)", "ledge.kv.get('nope').then((x) => x ?? 7)", `7`},
		{"another function's", "ledge.kv.get('secret')", "ledge.kv.get('secret')", `null`},
		{"put and get", "[ledge.kv.put('k', b'v'), ledge.kv.get('k').decode()]", "ledge.kv.put('k', 'v').then(async (x) => [x ?? null, await ledge.kv.getText('k')])", `[null,"v"]`},
		{"replaced", "[ledge.kv.put('k', 'w'), ledge.kv.get_text('k')]", "ledge.kv.put('k', 'w').then(async () => [null, await ledge.kv.getText('k')])", `[null,"w"]`},
		{"unicode", "[ledge.kv.put('ключ 😀\\n', 'ö'), ledge.kv.get_text('ключ 😀\\n')]", "ledge.kv.put('ключ 😀\\n', 'ö').then(async () => [null, await ledge.kv.getText('ключ 😀\\n')])", `[null,"ö"]`},
		{"JSON", "[ledge.kv.put_json('j', {'a': [1, 'ö']}), ledge.kv.get_json('j')]", "ledge.kv.putJSON('j', { a: [1, 'ö'] }).then(async () => [null, await ledge.kv.getJSON('j')])", `[null,{"a":[1,"ö"]}]`},
		{"bytes", "list(ledge.kv.get('binary'))", "ledge.kv.get('binary').then((b) => [...b])", `[0,255,254,97]`},
		{"empty value", "[ledge.kv.put('e', b''), list(ledge.kv.get('e'))]", "ledge.kv.put('e', '').then(async () => [null, [...await ledge.kv.get('e')]])", `[null,[]]`},
		{"large value", "[ledge.kv.put('big', b'x' * 3000000), len(ledge.kv.get('big')), ledge.kv.delete('big')]", "ledge.kv.put('big', new Uint8Array(3000000)).then(async () => [null, (await ledge.kv.get('big')).length, await ledge.kv.delete('big') ?? null])", `[null,3000000,null]`},
		{"delete", "[ledge.kv.put('d', '1'), ledge.kv.delete('d'), ledge.kv.get('d'), ledge.kv.delete('d')]", "ledge.kv.put('d', '1').then(async () => [null, await ledge.kv.delete('d') ?? null, await ledge.kv.get('d') ?? null, await ledge.kv.delete('d') ?? null])", `[null,null,null,null]`},
		{"list of all pages", "[len(k := list(ledge.kv.list('many/'))), k[0], k[999], k[1000], k[-1], k == sorted(k)]", "ledge.kv.list('many/').then((k) => [k.length, k[0], k[999], k[1000], k.at(-1), true])", `[2500,"many/0000","many/0999","many/1000","many/2499",true]`},
		{"list with a limit", "[len(list(ledge.kv.list('many/', n))) for n in (0, 1, 999, 1000, 1001, 2500, 9999)]", "Promise.all([0, 1, 999, 1000, 1001, 2500, 9999].map(async (n) => (await ledge.kv.list('many/', n)).length))", `[0,1,999,1000,1001,2500,2500]`},
		{"list of nothing", "list(ledge.kv.list('nothing'))", "ledge.kv.list('nothing')", `[]`},
		{"compare and set", "[ledge.kv.compare_and_set('c', None, '1'), ledge.kv.compare_and_set('c', None, '2'), ledge.kv.compare_and_set('c', '0', '2'), ledge.kv.compare_and_set('c', b'1', b'22'), ledge.kv.get_text('c'), ledge.kv.delete('c')]",
			"(async () => [await ledge.kv.compareAndSet('c', null, '1'), await ledge.kv.compareAndSet('c', null, '2'), await ledge.kv.compareAndSet('c', '0', '2'), await ledge.kv.compareAndSet('c', '1', '22'), await ledge.kv.getText('c'), await ledge.kv.delete('c') ?? null])()", `[true,false,false,true,"22",null]`},
		{"compare and set of empty values", "[ledge.kv.compare_and_set('ce', None, ''), ledge.kv.compare_and_set('ce', None, 'x'), ledge.kv.compare_and_set('ce', '', 'x'), ledge.kv.get_text('ce'), ledge.kv.delete('ce')]",
			"(async () => [await ledge.kv.compareAndSet('ce', undefined, ''), await ledge.kv.compareAndSet('ce', undefined, 'x'), await ledge.kv.compareAndSet('ce', '', 'x'), await ledge.kv.getText('ce'), await ledge.kv.delete('ce') ?? null])()", `[true,false,true,"x",null]`},
	})
}

// limitedKV refuses what is too large, as a store on disk does.
type limitedKV struct{ KV }

type tooLarge struct{}

func (tooLarge) Error() string       { return "the value has more than 10 bytes" }
func (tooLarge) LimitExceeded() bool { return true }

func (limitedKV) Put(string, string, []byte) error    { return fmt.Errorf("put: %w", tooLarge{}) }
func (limitedKV) Get(string, string) ([]byte, error)  { return nil, errors.New("the disk is gone") }
func (k limitedKV) Delete(function, key string) error { return k.KV.Delete(function, key) }
func (limitedKV) CompareAndSet(string, string, []byte, []byte) (bool, error) {
	return false, tooLarge{}
}

// A failure of the store becomes an exception with a class of its own, and what
// the languages refuse themselves is one too.
func TestCallKVFails(t *testing.T) {
	cfg := testConfig(t)
	cfg.KV = limitedKV{&memoryKV{}}
	r := open(t, cfg)
	evaluate(t, r, func(*Function) {}, []expression{
		{"too large", "ledge.kv.put('k', 'x' * 11)", "ledge.kv.put('k', 'x')", `["LimitExceeded","put: the value has more than 10 bytes",true]`},
		{"too large to compare", "ledge.kv.compare_and_set('k', None, 'x' * 11)", "ledge.kv.compareAndSet('k', null, 'x')", `["LimitExceeded","the value has more than 10 bytes",true]`},
		{"broken", "ledge.kv.get('k')", "ledge.kv.get('k')", `["Unavailable","the disk is gone",true]`},
		{"fine", "ledge.kv.delete('k')", "ledge.kv.delete('k')", `null`},
	})
	cfg = testConfig(t)
	cfg.KV = nil
	r = open(t, cfg)
	evaluate(t, r, func(*Function) {}, []expression{
		{"no store", "ledge.kv.get('k')", "ledge.kv.get('k')", `["Unavailable","this node keeps no variables",true]`},
		{"no list", "list(ledge.kv.list())", "ledge.kv.list()", `["Unavailable","this node keeps no variables",true]`},
		{"no broker", "ledge.publish('t', 'x')", "ledge.publish('t', 'x')", `["PermissionDenied","f may not publish to t; allow it with --allow-publish t",true]`},
	})
}

// atomicKV is memoryKV whose CompareAndSet holds under concurrency.
type atomicKV struct {
	memoryKV
	one sync.Mutex
}

func (k *atomicKV) CompareAndSet(function, key string, expected, value []byte) (bool, error) {
	k.one.Lock()
	defer k.one.Unlock()
	return k.memoryKV.CompareAndSet(function, key, expected, value)
}

// A counter that many Instances count up with compare_and_set adds up.
func TestCallCompareAndSetRace(t *testing.T) {
	cfg := testConfig(t)
	kv := &atomicKV{}
	cfg.KV = kv
	r := open(t, cfg)
	eachLanguage(t, pair{`import ledge
def handler(event, context):
    for _ in range(10):
        while True:
            was = ledge.kv.get('n')
            if ledge.kv.compare_and_set('n', was, str(int(was or 0) + 1)):
                break
`, `export const handler = async () => {
  for (let i = 0; i < 10; i++) {
    for (;;) {
      const was = await ledge.kv.getText('n');
      if (await ledge.kv.compareAndSet('n', was, String(Number(was ?? 0) + 1))) break;
    }
  }
};`}, func(t *testing.T, f Function) {
		f.Limits.Timeout = time.Minute
		deploy(t, r, f)
		if err := kv.Delete("f", "n"); err != nil {
			t.Fatal(err)
		}
		many(t, r, 16, ``)
		if got, err := kv.Get("f", "n"); err != nil || string(got) != "160" {
			t.Errorf("the counter is %s, %v", got, err)
		}
	})
}

// memoryPublisher notes what is published.
type memoryPublisher struct {
	mu   sync.Mutex
	sent []string
	err  error
}

func (p *memoryPublisher) Publish(ctx context.Context, function, topic string, payload []byte, qos int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, fmt.Sprintf("%s %s %q %d", function, topic, payload, qos))
	if p.err == nil {
		return ctx.Err()
	}
	return p.err
}

func (p *memoryPublisher) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent := p.sent
	p.sent = nil
	return sent
}

func TestCallPublish(t *testing.T) {
	cfg := testConfig(t)
	publisher := &memoryPublisher{}
	cfg.Publisher = publisher
	r := open(t, cfg)
	allowed := func(f *Function) { f.AllowPublish = []string{"a/+/c", "b/#"} }
	evaluate(t, r, allowed, []expression{
		{"text", "ledge.publish('a/x/c', 'ö')", "ledge.publish('a/x/c', 'ö')", `null`},
		{"bytes", "ledge.publish('b', b'\\x00\\xff', 1)", "ledge.publish('b', new Uint8Array([0, 255]), { qos: 1 })", `null`},
		{"empty", "ledge.publish('b/c/d', '', qos=2)", "ledge.publish('b/c/d', '', 2)", `null`},
		{"denied", "ledge.publish('a/x/d', 'x')", "ledge.publish('a/x/d', 'x')", `["PermissionDenied","f may not publish to a/x/d; allow it with --allow-publish a/x/d",true]`},
		{"the broker's own", "ledge.publish('$SYS/x', 'x')", "ledge.publish('$SYS/x', 'x')", `["PermissionDenied","f may not publish to $SYS/x; allow it with --allow-publish $SYS/x",true]`},
		{"wildcard", "ledge.publish('b/#', 'x')", "ledge.publish('b/#', 'x')", `["InvalidRequest","topic \"b/#\": a topic to publish to has no # and no +",true]`},
		{"empty topic", "ledge.publish('', 'x')", "ledge.publish('', 'x')", `["InvalidRequest","topic \"\": it is empty",true]`},
		{"zero byte", "ledge.publish('b/\\0', 'x')", "ledge.publish('b/\\0', 'x')", `["InvalidRequest","topic \"b/\\x00\": it holds a zero byte",true]`},
		{"qos", "ledge.publish('b', 'x', 3)", "ledge.publish('b', 'x', 3)", `["InvalidRequest","qos 3 is not 0, 1 or 2",true]`},
	})
	want := []string{`f a/x/c "ö" 0`, `f b "\x00\xff" 1`, `f b/c/d "" 2`}
	if got := publisher.take(); fmt.Sprint(got) != fmt.Sprint(append(want, want...)) {
		t.Errorf("published %q", got)
	}
	publisher.err = errors.New("the disk is full")
	evaluate(t, r, allowed, []expression{{"broker fails", "ledge.publish('b', 'x')", "ledge.publish('b', 'x')", `["Unavailable","the disk is full",true]`}})
	cfg = testConfig(t)
	evaluate(t, open(t, cfg), allowed, []expression{{"no broker", "ledge.publish('b', 'x')", "ledge.publish('b', 'x')", `["Unavailable","this node has no message broker",true]`}})
}

func TestCallInvoke(t *testing.T) {
	r := open(t, testConfig(t))
	callee := pythonFunction(t, "import time\ndef handler(event, context):\n    if event == 'fail':\n        raise KeyError('gone')\n    if event == 'sleep':\n        time.sleep(3600)\n    if event == 'exit':\n        raise SystemExit(3)\n    if event == 'none':\n        return None\n    return [event, context.aws_request_id != '']\n")
	callee.Name, callee.Limits.Timeout = "callee", 50*time.Millisecond
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
		{"times out", "ledge.invoke('callee', 'sleep')", "ledge.invoke('callee', 'sleep')", `["InvokeError","callee: Sandbox.Timedout: Task timed out after 0.05 seconds",true]`},
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

// testSite answers as its paths say.
func testSite(t *testing.T, elsewhere string) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Got", r.Header.Get("X-Sent"))
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.Write(body)
	})
	mux.HandleFunc("/404", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusNotFound) })
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"a":["ö"]}`) })
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 3000000)) })
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) })
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/json", http.StatusFound) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestCallHTTP(t *testing.T) {
	r := open(t, testConfig(t))
	other := testSite(t, "")
	site := testSite(t, other.URL+"/json")
	host := strings.TrimPrefix(site.URL, "http://")
	otherHost := strings.TrimPrefix(other.URL, "http://")
	u := func(format string) string {
		return strings.ReplaceAll(strings.ReplaceAll(format, "OTHER", other.URL), "SITE", site.URL)
	}
	cases := []expression{
		{"get", "(lambda r: [r.status, r.body.decode(), r.headers['x-method']])(ledge.http('GET', 'SITE/echo'))", "ledge.http('GET', 'SITE/echo').then((r) => [r.status, r.text(), String(r.headers['x-method'])])", `[200,"","GET"]`},
		{"post", "(lambda r: [r.text(), r.headers['x-got'], r.headers['x-method'], r.headers['x-two']])(ledge.http('POST', 'SITE/echo', {'X-Sent': 'h'}, 'bö'))",
			"fetch('SITE/echo', { method: 'POST', headers: { 'X-Sent': 'h' }, body: 'bö' }).then(async (r) => [await r.text(), r.headers.get('x-got'), r.headers.get('x-method'), r.headers.get('X-Two')])", `["bö","h","POST","1, 2"]`},
		{"bytes", "list(ledge.http('PUT', 'SITE/echo', body=b'\\x00\\xff').body)", "fetch('SITE/echo', { method: 'PUT', body: new Uint8Array([0, 255]) }).then(async (r) => [...new Uint8Array(await r.arrayBuffer())])", `[0,255]`},
		{"large", "len(ledge.http('GET', 'SITE/big').body)", "fetch('SITE/big').then(async (r) => (await r.arrayBuffer()).byteLength)", `3000000`},
		{"large request", "len(ledge.http('POST', 'SITE/echo', body=b'x' * 3000000).body)", "fetch('SITE/echo', { method: 'POST', body: 'x'.repeat(3000000) }).then(async (r) => (await r.text()).length)", `3000000`},
		{"not found", "(lambda r: [r.status, r.text()])(ledge.http('GET', 'SITE/404'))", "fetch('SITE/404').then(async (r) => [r.status, await r.text()])", `[404,"no\n"]`},
		{"JSON", "ledge.http('GET', 'SITE/json').json()", "fetch('SITE/json').then((r) => r.json())", `{"a":["ö"]}`},
		{"redirect", "ledge.http('GET', 'SITE/here').json()", "fetch('SITE/here').then((r) => r.json())", `{"a":["ö"]}`},
	}
	for i := range cases {
		cases[i].python, cases[i].javaScript = u(cases[i].python), u(cases[i].javaScript)
	}
	evaluate(t, r, func(f *Function) { f.AllowHosts = []string{host} }, cases)

	// What is refused: the message says what to do, whichever way it was asked for.
	for _, test := range []struct{ name, url, types, message string }{
		{"another host", "OTHER/json", "PermissionDenied", otherHost},
		{"redirect to another host", "SITE/away", "PermissionDenied", otherHost},
		{"no URL", "nonsense", "HTTPError|InvalidRequest|PermissionDenied|TypeError", ""},
		{"a file", "file:///etc/passwd", "HTTPError|InvalidRequest|PermissionDenied|TypeError", ""},
		{"credentials that look like the host", "http://" + host + "@" + otherHost + "/json", "PermissionDenied|HTTPError|TypeError", ""},
		{"nobody listens", "http://" + host + "1/", "PermissionDenied|HTTPError", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachLanguage(t, pair{
				"import ledge\ndef handler(event, context):\n    return ledge.http('GET', event).status\n",
				"export const handler = async (event) => (await ledge.http('GET', event)).status;",
			}, func(t *testing.T, f Function) {
				f.AllowHosts = []string{host}
				deploy(t, r, f)
				_, err := invoke(r, "f", fmt.Sprintf("%q", u(test.url)))
				wantRaised(t, err, test.types, test.message)
			})
		})
	}
	t.Run("fetch rejects", func(t *testing.T) {
		f := javaScriptFunction(t, "export const handler = async (event) => { try { await fetch(event) } catch (e) { return [e instanceof Error, `${e.message} ${e.cause?.message}`] } };")
		f.AllowHosts = []string{host}
		deploy(t, r, f)
		if got, err := invoke(r, "f", fmt.Sprintf("%q", other.URL)); err != nil || !strings.HasPrefix(got, "[true,") || !strings.Contains(got, "allow") {
			t.Errorf("got %s, %v", got, err)
		}
	})
	t.Run("hangs", func(t *testing.T) {
		eachLanguage(t, pair{
			"import ledge\ndef handler(event, context):\n    return 'ok' if event == 'ok' else ledge.http('GET', event).status\n",
			"export const handler = async (event) => event === 'ok' ? 'ok' : (await fetch(event)).status;",
		}, func(t *testing.T, f Function) {
			f.AllowHosts, f.Limits.Timeout = []string{host}, 60*time.Millisecond
			deploy(t, r, f)
			if _, err := invoke(r, "f", fmt.Sprintf("%q", site.URL+"/hang")); !errors.Is(err, ErrTimeout) {
				t.Errorf("ended with %v", err)
			}
			wantServes(t, r)
		})
	})
	t.Run("many at the same time", func(t *testing.T) {
		eachLanguage(t, pair{
			"import ledge\ndef handler(event, context):\n    return ledge.http('GET', event).json()\n",
			"export const handler = async (event) => (await fetch(event)).json();",
		}, func(t *testing.T, f Function) {
			f.AllowHosts = []string{host}
			deploy(t, r, f)
			for _, got := range many(t, r, 20, fmt.Sprintf("%q", site.URL+"/json")) {
				if compactJSON(t, got) != `{"a":["ö"]}` {
					t.Errorf("got %s", got)
				}
			}
		})
	})
}

func TestCallLog(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{
		"import ledge\ndef handler(event, context):\n    ledge.log('one ö')\n    for level in ('TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'):\n        ledge.log(level, level)\n    ledge.log('two\\nlines \\ud800')\n    try:\n        ledge.log('x', 'LOUD')\n    except ledge.InvalidRequest as e:\n        return str(e)\n",
		"export const handler = async () => { ledge.log('one ö'); for (const level of ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR']) ledge.log(level, level); ledge.log('two\\nlines'); try { ledge.log('x', 'LOUD') } catch (e) { return e.message } };",
	}, func(t *testing.T, f Function) {
		deploy(t, r, f)
		got, log, err := invokeKnown(r, ``)
		if err != nil || got != `"\"LOUD\" is not one of TRACE, DEBUG, INFO, WARN, ERROR"` {
			t.Errorf("got %s, %v", got, err)
		}
		if want := "[INFO] one ö\n[TRACE] TRACE\n[DEBUG] DEBUG\n[INFO] INFO\n[WARN] WARN\n[ERROR] ERROR\n[INFO] two\nlines"; !strings.Contains(log, want) {
			t.Errorf("log %q", log)
		}
	})
}

// A guest that does not keep to the interface gets an error and not the node's
// memory.
func TestHostCallArguments(t *testing.T) {
	cfg := testConfig(t)
	r := open(t, cfg)
	h := &host{runtime: r, function: &Function{Name: "f"}, instance: &instance{ctx: context.Background()}}
	for _, test := range []struct {
		op         int
		head, body string
		want       string // type of the error
	}{
		{0, `{}`, "", callBadRequest},
		{-1, `{}`, "", callBadRequest},
		{99, `{}`, "", callBadRequest},
		{callKVGet, ``, "", callBadRequest},
		{callKVGet, `{"key":1}`, "", callBadRequest},
		{callKVGet, `[]`, "", callBadRequest},
		{callKVGet, `{"key":"a"`, "", callBadRequest},
		{callKVList, `{"limit":"x"}`, "", callBadRequest},
		{callKVCompareAndSet, `{"key":"k","expected":5}`, "abc", callBadRequest},
		{callKVCompareAndSet, `{"key":"k","expected":-1}`, "abc", callBadRequest},
		{callKVCompareAndSet, `{"key":"k","expected":9223372036854775807}`, "abc", callBadRequest},
		{callKVCompareAndSet, `{"key":"k","expected":1e30}`, "abc", callBadRequest},
		{callPublish, `{"topic":5}`, "", callBadRequest},
		{callPublish, `{"topic":"a","qos":-1}`, "", callBadRequest},
		{callInvoke, `{"function":null}`, "", callDenied},
		{callInvoke, `{"function":["f"]}`, "", callBadRequest},
		{callLog, `{"level":"loud"}`, "", callBadRequest},
		{callLog, `{}`, "", callBadRequest},
	} {
		reply, err := h.Call(test.op, []byte(test.head), []byte(test.body))
		var failed callError
		if err != nil || reply.Status != callFailed || json.Unmarshal(reply.Head, &failed) != nil {
			t.Errorf("call %d of %s: %+v, %v", test.op, test.head, reply, err)
			continue
		}
		if !strings.Contains("|"+test.want+"|", "|"+failed.Type+"|") || failed.Message == "" {
			t.Errorf("call %d of %s: %+v; want %s", test.op, test.head, failed, test.want)
		}
	}
}
