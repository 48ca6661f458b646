package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Global state persists under reuse and never under fresh, however many
// Invocations there are at the same time.
func TestLanguageState(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{
		"count = 0\nseen = []\ndef handler(event, context):\n    global count\n    count += 1\n    seen.append(event)\n    return [count, len(seen)]\n",
		"let count = 0; globalThis.seen = []; export const handler = async (event) => { seen.push(event); return [++count, seen.length] };",
	}, func(t *testing.T, f Function) {
		compact := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		deploy(t, r, f)
		for want := range 100 {
			if got, err := invoke(r, "f", `1`); err != nil || compact(got) != fmt.Sprintf("[%d,%d]", want+1, want+1) {
				t.Fatalf("reuse, event %d: %s, %v", want, got, err)
			}
		}
		f.Isolation = IsolationFresh
		deploy(t, r, f)
		for range 100 {
			if got, err := invoke(r, "f", `1`); err != nil || compact(got) != "[1,1]" {
				t.Fatalf("fresh: %s, %v", got, err)
			}
		}
		for range 2 { // all 100 at once would be more than the node has instances
			for _, got := range many(t, r, 50, `1`) {
				if compact(got) != "[1,1]" {
					t.Errorf("fresh, at the same time: %s", got)
				}
			}
		}
	})
}

// What a function changes outside of its own variables does not outlive a fresh
// Instance, and does not reach another function.
func TestLanguageDamageStays(t *testing.T) {
	r := open(t, testConfig(t))
	for _, test := range []struct {
		name string
		pair
	}{
		{"builtins", pair{"import builtins\ndef handler(event, context):\n    was = hasattr(builtins, 'mine')\n    builtins.mine = 1\n    builtins.len = None\n    return was\n",
			"export const handler = async () => { const was = 'mine' in Object.prototype; Object.prototype.mine = 1; Array.prototype.map = null; return was };"}},
		{"environment", pair{"import os\ndef handler(event, context):\n    was = 'MINE' in os.environ\n    os.environ['MINE'] = '1'\n    os.putenv('MINE', '1')\n    return was\n",
			"export const handler = async () => { const was = 'MINE' in process.env; process.env.MINE = '1'; return was };"}},
		{"modules", pair{"import sys, json\ndef handler(event, context):\n    was = hasattr(json, 'mine')\n    json.mine = 1\n    sys.path.insert(0, '/nowhere')\n    sys.modules['decimal'] = None\n    return was\n",
			"export const handler = async () => { const was = 'mine' in ledge; ledge.mine = 1; return was };"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachLanguage(t, test.pair, func(t *testing.T, f Function) {
				f.Isolation = IsolationFresh
				deploy(t, r, f)
				for range 3 {
					if got, err := invoke(r, "f", `1`); err != nil || got != "false" {
						t.Errorf("got %s, %v", got, err)
					}
				}
			})
		})
	}
}

// A file that was opened when the module was loaded is at its offset in every
// Instance, and no Instance moves another's.
func TestLanguageOpenFile(t *testing.T) {
	r := open(t, testConfig(t))
	f := languageFunction(t, RuntimePython, "app.handler", map[string]string{
		"app.py":   "f = open('data.txt', 'rb', buffering=0)\nhead = f.read(3)\nt = open('data.txt')\nt.readline()\ndef handler(event, context):\n    return [head.decode(), f.tell(), f.read(3).decode(), t.readline()]\n",
		"data.txt": "abcdefghi\nsecond\nthird\n"})
	for _, f.Isolation = range bothIsolations {
		deploy(t, r, f)
		got, err := invoke(r, "f", ``)
		if want := `["abc", 3, "def", "second\n"]`; err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", f.Isolation, got, err, want)
		}
		want := `["abc", 6, "ghi", "third\n"]`
		if f.Isolation == IsolationFresh {
			want = got
		}
		if got, err = invoke(r, "f", ``); err != nil || got != want {
			t.Errorf("%s, again: %s, %v; want %s", f.Isolation, got, err, want)
		}
	}
}

// Environment variables are those of the last deploy, and of this function.
func TestLanguageEnvironment(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{
		"import os\nat_load = os.environ.get('WHO')\ndef handler(event, context):\n    return [at_load, os.environ.get('WHO'), os.environ.get('OLD')]\n",
		"const atLoad = process.env.WHO; export const handler = async () => [atLoad, process.env.WHO, process.env.OLD ?? null];",
	}, func(t *testing.T, f Function) {
		g := f
		g.Name, g.Env = "g", map[string]string{"WHO": "g"}
		deploy(t, r, g)
		for _, who := range []string{"one", "two", "one"} {
			f.Env = map[string]string{"WHO": who, "OLD": "x"}
			if who == "two" {
				delete(f.Env, "OLD")
			}
			deploy(t, r, f)
			old := map[bool]string{true: `"x"`, false: "null"}[who == "one"]
			want := fmt.Sprintf(`["%s","%s",%s]`, who, who, old)
			if got, err := invoke(r, "f", ``); err != nil || strings.ReplaceAll(got, " ", "") != want {
				t.Errorf("f with %s: %s, %v", who, got, err)
			}
			if got, err := invoke(r, "g", ``); err != nil || strings.ReplaceAll(got, " ", "") != `["g","g",null]` {
				t.Errorf("g: %s, %v", got, err)
			}
		}
	})
}

// Clocks show the time of now and not of the deploy, and monotonic ones never go
// back, from the load over the restore to later events.
func TestLanguageClock(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{
		"import time, datetime\nloaded = [time.monotonic_ns(), time.perf_counter_ns(), time.time_ns()]\ndef handler(event, context):\n    return [loaded, [time.monotonic_ns(), time.perf_counter_ns(), time.time_ns()], int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1e9)]\n",
		"const now = () => [Math.round(performance.now() * 1e6), Number(process.hrtime.bigint()), Date.now() * 1e6]; const loaded = now(); export const handler = async () => [loaded, now(), new Date().getTime() * 1e6];",
	}, func(t *testing.T, f Function) {
		for _, f.Isolation = range bothIsolations {
			deploy(t, r, f)
			last := make([]float64, 3)
			for turn := range 3 {
				before := float64(time.Now().UnixNano())
				got, err := invoke(r, "f", ``)
				after := float64(time.Now().UnixNano())
				var loaded, now []float64
				var date float64
				if err != nil || json.Unmarshal([]byte(got), &[]any{&loaded, &now, &date}) != nil {
					t.Fatalf("%s, %v", got, err)
				}
				const rounding = 2e6 // JavaScript's clock has milliseconds
				for _, clock := range []float64{now[2], date} {
					if clock < before-rounding || clock > after+rounding {
						t.Errorf("%s: the time is %.0f, not between %.0f and %.0f", f.Isolation, clock, before, after)
					}
				}
				for i := range now {
					if now[i] < loaded[i] || f.Isolation == IsolationReuse && now[i] < last[i] {
						t.Errorf("%s, event %d: clock %d was %.0f at load, %.0f at the last event, and is %.0f", f.Isolation, turn, i, loaded[i], last[i], now[i])
					}
				}
				last = now
			}
		}
	})
}

// No two Instances give the same random values, whatever they are asked for and
// whatever was drawn before the Snapshot.
func TestLanguageRandomness(t *testing.T) {
	cfg := testConfig(t)
	r := open(t, cfg)
	eachLanguage(t, pair{`import random, uuid, secrets, os, tempfile, hashlib
drawn = [random.random(), random.gauss(0, 1), uuid.uuid4(), uuid.uuid1(), secrets.token_hex(), next(tempfile._get_candidate_names())]
def handler(event, context):
    return {
        'random': random.random(), 'gauss': random.gauss(0, 1), 'getrandbits': random.getrandbits(64), 'shuffle': random.sample(range(100), 20),
        'system': random.SystemRandom().random(), 'new': random.Random().random(), 'uuid4': str(uuid.uuid4()), 'uuid1': str(uuid.uuid1()),
        'token': secrets.token_urlsafe(), 'urandom': os.urandom(16).hex(), 'getrandom': secrets.randbits(64),
        'tempfile': next(tempfile._get_candidate_names()),
    }
`, `
Math.random(); crypto.randomUUID();
export const handler = async () => ({
  random: Math.random(), uuid: crypto.randomUUID(), values: [...crypto.getRandomValues(new Uint8Array(16))],
});`}, func(t *testing.T, f Function) {
		seen := map[string]string{}
		check := func(how string, replies []string) {
			for _, reply := range replies {
				var values map[string]any
				if err := json.Unmarshal([]byte(reply), &values); err != nil {
					t.Fatalf("%s: %v", reply, err)
				}
				for name, value := range values {
					key := fmt.Sprint(name, value)
					if was, ok := seen[key]; ok {
						t.Errorf("%s: %s gave %v, as it did %s", how, name, value, was)
					}
					seen[key] = how
				}
			}
		}
		f.Isolation = IsolationFresh
		deploy(t, r, f)
		for range 20 {
			check("fresh", many(t, r, 1, ``))
		}
		check("fresh at the same time", many(t, r, 20, ``))
		f.Isolation = IsolationReuse
		deploy(t, r, f)
		for range 5 {
			check("reuse", many(t, r, 1, ``))
		}
		check("reuse at the same time", many(t, r, 20, ``))
	})
}

// The secret of hash() is another on each node.
func TestPythonHashSecret(t *testing.T) {
	seen := map[string]bool{}
	f := pythonFunction(t, "def handler(event, context):\n    return hash('ledge')\n")
	for range 2 {
		r := open(t, testConfig(t))
		deploy(t, r, f)
		first, err := invoke(r, "f", ``)
		if again, _ := invoke(r, "f", ``); err != nil || again != first || seen[first] {
			t.Errorf("hash is %s, then %s, %v; others had %v", first, again, err, seen)
		}
		seen[first] = true
	}
}

// Hooks run in the order of AWS Lambda SnapStart's: those before the Snapshot in
// reverse, once; those after the restore as registered, in every Instance.
func TestLanguageHooks(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{`from snapshot_restore_py import register_before_snapshot, register_after_restore
calls = []
def note(*args, **kwargs):
    calls.append([*args, *kwargs.values()])
register_before_snapshot(note, 'before', 1)
register_before_snapshot(note, 'before', n=2)
register_after_restore(note, 'after', 1)
@register_after_restore
def third():
    calls.append(['after', 2])
def handler(event, context):
    return calls
`, `
const calls = [];
ledge.registerBeforeSnapshot(() => { calls.push(['before', 1]) });
ledge.registerBeforeSnapshot(async () => { await null; calls.push(['before', 2]) });
ledge.registerAfterRestore(async () => { await new Promise((done) => setTimeout(done, 1)); calls.push(['after', 1]) });
ledge.registerAfterRestore(() => { calls.push(['after', 2]) });
export const handler = async () => calls;`}, func(t *testing.T, f Function) {
		for _, f.Isolation = range bothIsolations {
			deploy(t, r, f)
			for range 2 {
				got, err := invoke(r, "f", ``)
				if want := `[["before",2],["before",1],["after",1],["after",2]]`; err != nil || strings.ReplaceAll(got, " ", "") != want {
					t.Errorf("%s: %s, %v; want %s", f.Isolation, got, err, want)
				}
			}
		}
	})
}

// A hook that fails after the restore is noticed at deploy; one that fails later
// fails the event, with its own error, and the next Instance may do better.
func TestLanguageFailingHook(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{
		"import ledge, snapshot_restore_py\ndef bad():\n    if ledge.kv.get('fail'):\n        raise ValueError('no restore')\nsnapshot_restore_py.register_after_restore(bad)\ndef handler(event, context):\n    if event is not None:\n        ledge.kv.put('fail', 'x')\n    return 'ok'\n",
		"ledge.registerAfterRestore(async () => { if (await ledge.kv.get('fail')) throw new RangeError('no restore') }); export const handler = async (event) => { if (event) await ledge.kv.put('fail', 'x'); return 'ok' };",
	}, func(t *testing.T, f Function) {
		f.Isolation = IsolationFresh
		deploy(t, r, f)
		wantServes(t, r) // and fails all that come
		for range 2 {
			_, err := invoke(r, "f", `null`)
			wantRaised(t, err, "ValueError|RangeError", "no restore")
		}
		_, err := r.Deploy(context.Background(), f, nil)
		var refused *DeployError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "no restore") {
			t.Errorf("deployed with %v", err)
		}
		remove(t, r.cfg.Data, OwnBucket("f"), "fail")
		if got, err := invoke(r, "f", `null`); err != nil || got != `"ok"` {
			t.Errorf("got %s, %v", got, err)
		}
	})
}
