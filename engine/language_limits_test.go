package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ledge/engine/bundle"
)

// Whatever does not end is stopped at the function's timeout, and the next event
// is served by a new Instance.
func TestLanguageTimeout(t *testing.T) {
	r := open(t, testConfig(t))
	python := []struct{ name, code string }{
		{"loop", "while True: pass"},
		{"loop that catches", "while True:\n        try:\n            while True: pass\n        except BaseException: pass"},
		{"pattern", "import re; re.match('(a+)+$', 'a' * 60 + 'b')"},
		{"power", "x = 7 ** (10 ** 8)"},
		{"number as text", "import sys; sys.set_int_max_str_digits(0); str(1 << 20000000)"},
		{"slow comparison", "import functools\n    def slow(a, b):\n        for _ in range(10 ** 6): pass\n        return a - b\n    sorted(range(10 ** 6, 0, -1), key=functools.cmp_to_key(slow))"},
		{"join", "''.join('' for _ in iter(int, 1))"},
		{"sum", "sum(iter(int, 1))"},
		{"contains", "1 in iter(int, 1)"},
		{"list of nothing", "import itertools, collections; collections.deque(itertools.repeat(0), maxlen=0)"},
		{"factorial", "import math; math.factorial(10 ** 8)"},
		{"hash", "import hashlib; h = hashlib.sha256(); b = bytes(1 << 20)\n    while True: h.update(b)"},
		{"sleep", "import time; time.sleep(3600)"},
		{"sleep of asyncio", "import asyncio; asyncio.run(asyncio.sleep(3600))"},
		{"lock", "import threading; l = threading.Lock(); l.acquire(); l.acquire()"},
		{"event", "import threading; threading.Event().wait()"},
		{"SQL", "import sqlite3; sqlite3.connect(':memory:').execute('with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c').fetchall()"},
		{"reads", "while True: open('app.py').read()"},
		{"prints", "while True: print('x' * 1000)"},
		{"exits in vain", "import os\n    while True:\n        try: os._exit(1)\n        except BaseException: pass"},
	}
	javaScript := []struct{ name, code string }{
		{"loop", "for (;;) {}"},
		{"loop that catches", "for (;;) { try { for (;;) {} } catch {} finally { continue } }"},
		{"pattern", "/^(a+)+$/.test('a'.repeat(60) + 'b')"},
		{"power", "7n ** (10n ** 8n)"},
		{"slow comparison", "new Array(1e6).fill(0).map((_, i) => -i).sort((a, b) => { for (let i = 0; i < 1e6; i++); return a - b })"},
		{"join", "new Array(2 ** 31).join('')"},
		{"indexOf", "const a = []; a.length = 2 ** 32 - 1; for (;;) Array.prototype.indexOf.call({ length: 2 ** 53 }, 1)"},
		{"getter", "const o = { get length() { for (;;) {} } }; Array.from(o)"},
		{"promises", "const f = () => Promise.resolve().then(f); await f()"},
		{"microtasks", "const f = () => queueMicrotask(f); f(); await new Promise(() => {})"},
		{"timer", "await new Promise((done) => setTimeout(done, 3600000))"},
		{"interval", "setInterval(() => {}, 1); await new Promise(() => {})"},
		{"immediates", "const f = () => setImmediate(f); f(); await new Promise(() => {})"},
		{"iterator", "const o = { [Symbol.iterator]() { return this }, next() { return {} } }; for (const _ of o);"},
		{"Proxy", "const p = new Proxy({}, { ownKeys() { for (;;) {} } }); Object.keys(p)"},
		{"console", "for (;;) console.log('x'.repeat(1000))"},
		{"exits in vain", "for (;;) { try { process.exit(1) } catch {} }"},
	}
	var b strings.Builder
	for i, c := range python {
		fmt.Fprintf(&b, "def case_%d():\n    %s\n", i, c.code)
	}
	f := pythonFunction(t, b.String()+"def handler(event, context):\n    return 'ok' if event == 'ok' else globals()[event]()\n")
	b.Reset()
	for i, c := range javaScript {
		fmt.Fprintf(&b, "async case_%d() { %s },\n", i, c.code)
	}
	g := javaScriptFunction(t, "const cases = {\n"+b.String()+"};\nexport const handler = async (event) => event === 'ok' ? 'ok' : cases[event]();\n")
	run := func(f Function, cases []struct{ name, code string }) {
		f.Limits.Timeout, f.Limits.LogBytes = 60*time.Millisecond, 1000
		for _, f.Isolation = range bothIsolations {
			deploy(t, r, f)
			for i, test := range cases {
				t.Run(fmt.Sprintf("%s %s %s", f.Runtime, f.Isolation, test.name), func(t *testing.T) {
					_, err := invoke(r, "f", fmt.Sprintf(`"case_%d"`, i))
					exits := test.name == "exits in vain" && raisedObject(err) != nil && raisedObject(err).Type == "Runtime.ExitError"
					if !errors.Is(err, ErrTimeout) && !exits {
						t.Errorf("ended with %.1000v", err)
					}
					wantServes(t, r)
				})
			}
		}
	}
	run(f, python)
	run(g, javaScript)
}

// A synchronous handler replies although timers of its own would go on for ever,
// as callbacks do that say so.
func TestJavaScriptTimersGoOn(t *testing.T) {
	r := open(t, testConfig(t))
	f := languageFunction(t, RuntimeJavaScript, "app.handler", map[string]string{
		"app.js": "let ticks = 0; setInterval(() => ticks++, 1).unref(); exports.handler = async () => { const was = ticks; await new Promise((done) => setTimeout(done, 5)); return [was >= 0, ticks > was] };"})
	deploy(t, r, f)
	for range 3 {
		if got, err := invoke(r, "f", ``); err != nil || got != "[true,true]" {
			t.Errorf("got %s, %v", got, err)
		}
	}
}

// Replies, logs and events are bounded by the function's limits.
func TestLanguageLimits(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{
		"def handler(event, context):\n    if event == 'ok':\n        return 'ok'\n    for _ in range(event.get('lines', 0)):\n        print('x' * 99)\n    return 'y' * event.get('reply', 0)\n",
		"export const handler = async (event) => { if (event === 'ok') return 'ok'; for (let i = 0; i < (event.lines ?? 0); i++) console.log('x'.repeat(99)); return 'y'.repeat(event.reply ?? 0) };",
	}, func(t *testing.T, f Function) {
		f.Limits.ResponseBytes, f.Limits.LogBytes, f.Limits.RequestBytes = 1000, 2000, 100
		deploy(t, r, f)
		if got, err := invoke(r, "f", `{"reply":998}`); err != nil || len(got) != 1000 {
			t.Errorf("a reply at the limit: %d bytes, %v", len(got), err)
		}
		if _, err := invoke(r, "f", `{"reply":999}`); failureText(err) != `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"the reply exceeds the function's limit"}` {
			t.Errorf("a reply over the limit: %s", failureText(err))
		}
		wantServes(t, r)
		var res Result
		if err := r.Invoke(context.Background(), &Invocation{Function: "f", Payload: []byte(`{"lines":100}`)}, &res); err != nil {
			t.Error(err)
		}
		if log := string(res.Log); len(log) > 2200 || !strings.Contains(log, "more bytes were dropped: the limit is 2000]") {
			t.Errorf("a log of %d bytes ends with %q", len(log), log[max(0, len(log)-100):])
		}
		if _, err := invoke(r, "f", `"`+strings.Repeat("x", 99)+`"`); !errors.Is(err, ErrTooLarge) {
			t.Errorf("an event over the limit: %v", err)
		}
		wantServes(t, r)
	})
}

// A function may not have less memory than its language needs to start.
func TestLanguageNeedsMemory(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{"def handler(event, context):\n    return 'ok'\n", "export const handler = async () => 'ok';"}, func(t *testing.T, f Function) {
		deploy(t, r, f)
		f.Limits.Memory = 1 << 20
		_, err := r.Deploy(context.Background(), f, nil)
		var refused *DeployError
		if f.Runtime == RuntimePython && (!errors.As(err, &refused) || refused.Op != "memory" || !strings.Contains(refused.Hint, "--memory")) {
			t.Errorf("deployed with 1 MB: %v", err)
		}
		wantServes(t, r)
	})
}

// What the interpreter prints while code is loaded goes to the function's log.
func TestLanguageLoadLog(t *testing.T) {
	cfg := testConfig(t)
	logs := &memoryLogs{}
	cfg.Logs = logs
	r := open(t, cfg)
	eachLanguage(t, pair{"print('loading python')\nhandler = print\n", "console.log('loading javascript'); export const handler = () => {};"}, func(t *testing.T, f Function) {
		deploy(t, r, f)
		name := strings.TrimPrefix(t.Name(), "TestLanguageLoadLog/")
		if got := logs.String(); !strings.Contains(got, "f $LATEST: ") || !strings.Contains(got, "loading "+name+"\n") {
			t.Errorf("log %q", got)
		}
	})
}

// Functions that are the first of their language, all at the same time, wait for
// one start of it.
func TestLanguageFirstDeploys(t *testing.T) {
	cfg := testConfig(t)
	r := open(t, cfg)
	var all sync.WaitGroup
	failures := make([]error, 12)
	for i := range failures {
		f := pythonFunction(t, fmt.Sprintf("def handler(event, context):\n    return %d\n", i))
		if i%2 == 1 {
			f = javaScriptFunction(t, fmt.Sprintf("export const handler = async () => %d;", i))
		}
		f.Name = fmt.Sprint("f", i)
		all.Go(func() {
			if _, failures[i] = r.Deploy(context.Background(), f, nil); failures[i] != nil {
				return
			}
			if got, err := invoke(r, f.Name, ``); err != nil || got != fmt.Sprint(i) {
				failures[i] = fmt.Errorf("%s: %s, %w", f.Name, got, err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]int{"base-*.state": 2, "memory-*.cwasm": 2, "code-*.cwasm": 2, "image-*.delta": len(failures)} {
		if found, err := filepath.Glob(filepath.Join(cfg.ArtifactDir, pattern)); err != nil || len(found) != want {
			t.Errorf("%d files %s, %v; want %d", len(found), pattern, err, want)
		}
	}
}

// A caller that goes away while the language starts gets its context's error, and
// the next one gets the language.
func TestLanguageStartGoesOn(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{"def handler(event, context):\n    return 'ok'\n", "export const handler = async () => 'ok';"}, func(t *testing.T, f Function) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := r.Deploy(ctx, f, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("deployed with %v", err)
		}
		deploy(t, r, f)
		wantServes(t, r)
	})
}

// A build without the language says so, and what to do.
func TestLanguageMissing(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{"handler = print\n", "export const handler = () => {};"}, func(t *testing.T, f Function) {
		r.languages[f.Runtime].bundle, r.languages[f.Runtime].missing = nil, bundle.ErrMissing
		_, err := r.Deploy(context.Background(), f, nil)
		var refused *DeployError
		if !errors.As(err, &refused) || !errors.Is(err, bundle.ErrMissing) || refused.Op != "runtime" || !strings.Contains(refused.Hint, "make runtimes") {
			t.Errorf("deployed with %v", err)
		}
		if _, err := r.Collect(); err != nil {
			t.Errorf("collect: %v", err)
		}
	})
}

// Where the disk is full nothing changes: the old version serves, and a deploy that
// comes after there is room again succeeds.
func TestLanguageFullDisk(t *testing.T) {
	r := open(t, testConfig(t))
	full := errors.New("no space left")
	write := r.artifacts.write
	eachLanguage(t, pair{"def handler(event, context):\n    return 'ok'\n", "export const handler = async () => 'ok';"}, func(t *testing.T, f Function) {
		deploy(t, r, f)
		for i, suffix := range []string{deltaSuffix, deltaSuffix + macSuffix, stateSuffix, stateSuffix + macSuffix} {
			next := f
			next.Env = map[string]string{"TRY": fmt.Sprint(i)}
			r.artifacts.write = func(path string, data []byte) error {
				if strings.HasSuffix(path, suffix) {
					return full
				}
				return write(path, data)
			}
			if _, err := r.Deploy(context.Background(), next, nil); !errors.Is(err, full) {
				t.Errorf("%s: deployed with %v", suffix, err)
			}
			wantServes(t, r)
			r.artifacts.write = write
			deploy(t, r, next)
			wantServes(t, r)
		}
	})
}
