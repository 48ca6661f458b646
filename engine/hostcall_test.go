package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
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
