package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Functions that invoke each other from as deep as their interpreter lets them do
// not use up a thread's stack: each has one of its own.
func TestLanguageInvokesFromDeep(t *testing.T) {
	r := open(t, testConfig(t))
	f := javaScriptFunction(t, `
		function via(n, f) { if (n <= 0) return f(); let r; [1].forEach(() => { r = via(n - 1, f) }); return r }
		function deepest() {
		  let low = 0, high = 1 << 16;
		  while (low + 1 < high) { const n = (low + high) >> 1; try { via(n, () => 1); low = n } catch { high = n } }
		  return Math.floor(low * 0.9);
		}
		export const handler = async ({ left, depth }) => {
		  if (left === 0) return depth;
		  depth ??= deepest();
		  return await via(depth, () => ledge.invoke('f', { left: left - 1, depth }));
		}`)
	f.AllowInvoke = []string{"f"}
	f.Limits.Timeout = MaxTimeout
	deploy(t, r, f)
	reply, _, err := invokeKnown(r, `{"left":7}`)
	if err != nil || len(reply) < 2 {
		t.Errorf("%s, %v", reply, err)
	}
}

// Code that is being loaded cannot invoke functions: the reply would be part of the
// Snapshot, and a function that waits for itself would wait for ever.
func TestLanguageInvokesWhileLoading(t *testing.T) {
	r := open(t, testConfig(t))
	f := pythonFunction(t, "import ledge\ntry:\n    ledge.invoke('f', {})\n    said = 'done'\nexcept ledge.Unavailable as e:\n    said = str(e)\ndef handler(event, context):\n    return said\n")
	f.AllowInvoke = []string{"*"}
	deploy(t, r, f)
	if reply, _, err := invokeKnown(r, "{}"); err != nil || !strings.Contains(reply, "do it in the handler") {
		t.Errorf("%s, %v", reply, err)
	}
}

// What a function opens it may open often.
func TestLanguageOpensFiles(t *testing.T) {
	r := open(t, testConfig(t))
	f := pythonFunction(t, "def handler(event, context):\n    files = [open('/var/task/app.py') for _ in range(100)]\n    return len({f.read() for f in files}), len({f.fileno() for f in files})\n")
	for _, f.Isolation = range bothIsolations {
		deploy(t, r, f)
		for range 3 {
			if reply, _, err := invokeKnown(r, "{}"); err != nil || reply != "[1, 100]" {
				t.Errorf("%s: %s, %v", f.Isolation, reply, err)
			}
		}
	}
}

// The variable TZ is the function's where it sets one.
func TestLanguageTimeZone(t *testing.T) {
	r := open(t, testConfig(t))
	f := pythonFunction(t, "import os\ndef handler(event, context):\n    return os.environ['TZ']\n")
	for _, zone := range []string{"", "Europe/Berlin"} {
		f.Env = nil
		want := `":UTC"`
		if zone != "" {
			f.Env, want = map[string]string{"TZ": zone}, `"`+zone+`"`
		}
		deploy(t, r, f)
		if reply, _, err := invokeKnown(r, "{}"); err != nil || reply != want {
			t.Errorf("%s, %v, want %s", reply, err, want)
		}
	}
}

// What is lost of the artifacts while the node runs is made again.
func TestLanguageHeals(t *testing.T) {
	cfg := testConfig(t)
	r := open(t, cfg)
	for i, pattern := range []string{"memory-*", "base-*.library", "*.state", "*.delta", "*.mac", "*"} {
		f := pythonFunction(t, "N = "+string(rune('1'+i))+"\ndef handler(event, context):\n    return N\n")
		deploy(t, r, f)
		lost, err := filepath.Glob(filepath.Join(cfg.ArtifactDir, pattern))
		if err != nil || len(lost) == 0 {
			t.Fatalf("%s: %v, %v", pattern, lost, err)
		}
		for _, path := range lost {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
		other := pythonFunction(t, "N = "+string(rune('1'+i))+"0\ndef handler(event, context):\n    return N\n")
		for _, other.Isolation = range bothIsolations {
			if _, err := r.Deploy(context.Background(), other, nil); err != nil {
				t.Errorf("without %s: %v", pattern, err)
				continue
			}
			if reply, _, err := invokeKnown(r, "{}"); err != nil || reply != string(rune('1'+i))+"0" {
				t.Errorf("without %s: %s, %v", pattern, reply, err)
			}
		}
	}
}

// A delta and a state of two captures, each with a good MAC, are not put together.
func TestLanguageMixedCaptures(t *testing.T) {
	cfg := testConfig(t)
	f := pythonFunction(t, "import random\nN = [random.random() for _ in range(1000)]\ndef handler(event, context):\n    return N == sorted(N, key=N.index)\n")
	capture := func() string {
		r := open(t, cfg)
		deploy(t, r, f)
		if reply, _, err := invokeKnown(r, "{}"); err != nil || reply != "true" {
			t.Errorf("%s, %v", reply, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		states, err := filepath.Glob(filepath.Join(cfg.ArtifactDir, "image-*"+stateSuffix))
		if err != nil || len(states) != 1 {
			t.Fatal(states, err)
		}
		return states[0]
	}
	state := capture()
	old, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	mac, err := os.ReadFile(state + macSuffix)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{state, strings.TrimSuffix(state, stateSuffix) + deltaSuffix} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	capture()
	for path, data := range map[string][]byte{state: old, state + macSuffix: mac} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	capture()
}

// Collect leaves alone what a language is being made ready with.
func TestLanguageCollectMeanwhile(t *testing.T) {
	r := open(t, testConfig(t))
	f := pythonFunction(t, "def handler(event, context):\n    return 1\n")
	if err := r.Register(f); err != nil {
		t.Fatal(err)
	}
	s := r.begin(context.Background(), r.languages[RuntimePython])
	for ready := false; !ready; {
		select {
		case <-s.done:
			ready = true
		default:
		}
		if _, err := r.Collect(); err != nil {
			t.Fatal(err)
		}
	}
	if reply, _, err := invokeKnown(r, "{}"); err != nil || reply != "1" {
		t.Errorf("%s, %v", reply, err)
	}
}

func TestRaised(t *testing.T) {
	for _, test := range []struct{ object, kind string }{
		{`{"errorType":"E","errorMessage":"m","stackTrace":["a"]}`, "E"},
		{`{"errorType":5}`, "Runtime.Unknown"},
		{`null`, "Runtime.Unknown"},
		{`[]`, "Runtime.Unknown"},
		{`{}`, "Runtime.Unknown"},
		{`{"errorType":"E"`, "Runtime.Unknown"},
		{"", "Runtime.Unknown"},
	} {
		got := raised(test.object)
		if got.Type != test.kind || (got.Object != nil) != (test.kind == "E") {
			t.Errorf("%s: %+v", test.object, got)
		}
	}
}

// A function that sets PYTHONHASHSEED has an interpreter of its own: with that seed,
// or with one that nobody else has. The others share the node's.
func TestPythonHashSeed(t *testing.T) {
	r := open(t, testConfig(t))
	seen := map[string]string{}
	for _, test := range []struct{ code, seed, as string }{
		{"", "", ""}, {"# other", "", ""},
		{"", "0", ""}, {"# other", "0", "0"},
		{"", "random", ""}, {"# other", "random", "other"},
	} {
		f := pythonFunction(t, test.code+"\ndef handler(event, context):\n    return [hash('ledge'), hash(b'edge')]\n")
		if test.seed != "" {
			f.Env = map[string]string{hashSeed: test.seed}
		}
		for _, f.Isolation = range bothIsolations {
			deploy(t, r, f)
			reply, _, err := invokeKnown(r, "{}")
			if err != nil {
				t.Fatal(err)
			}
			key := test.seed + test.as
			if test.seed == "0" {
				key = "0"
			}
			if before, ok := seen[key]; ok && before != reply {
				t.Errorf("seed %q: %s, and before %s", key, reply, before)
			}
			seen[key] = reply
		}
	}
	distinct := map[string]bool{}
	for _, reply := range seen {
		distinct[reply] = true
	}
	if len(distinct) != len(seen) || len(seen) != 4 {
		t.Errorf("not all different: %v", seen)
	}
}
