package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ledge/engine/capi"
)

// applyPatches is what the kernel makes of a delta: the pages of its file over
// those of the image.
func applyPatches(image, delta []byte, patches []capi.Patch) []byte {
	memory := bytes.Clone(image)
	for _, p := range patches {
		copy(memory[p.Offset:p.Offset+p.Len], delta[p.At:p.At+p.Len])
	}
	return memory
}

// checkDelta checks that the difference of the memories, from a page on, says what
// differs, and that the delta made of it restores the memory.
func checkDelta(t *testing.T, before, after []byte, from, page int) {
	t.Helper()
	patches := difference(before, after, from, page)
	if len(patches) > maxPatches {
		t.Fatalf("%d patches", len(patches))
	}
	end := uint64(from)
	for i, p := range patches {
		if p.Offset < end || i > 0 && p.Offset == end || p.Len == 0 || p.Offset%uint64(page) != 0 || p.Len%uint64(page) != 0 || p.Offset+p.Len > uint64(len(after)) {
			t.Fatalf("patch %d of %+v is out of place", i, patches)
		}
		end = p.Offset + p.Len
		// It is no longer than it must be.
		first, last := int(p.Offset), int(end)-page
		if bytes.Equal(before[first:first+page], after[first:first+page]) || bytes.Equal(before[last:last+page], after[last:last+page]) {
			t.Fatalf("patch %+v begins or ends with a page that did not change", p)
		}
	}
	data, state := encodeDelta(after, patches, page)
	if len(data)%page != 0 {
		t.Fatalf("the delta has %d bytes", len(data))
	}
	content := data[:len(data)-page]
	if mark := sha256.Sum256(content); mark != state.Mark {
		t.Error("the mark is not of the content")
	}
	got := applyPatches(before, data, state.Patches)
	last := len(after) - page
	if !bytes.Equal(got[from:last], after[from:last]) || !bytes.Equal(got[:from], before[:from]) {
		t.Errorf("%+v does not restore the memory", state.Patches)
	}
	if !bytes.HasPrefix(got[last:], state.Mark[:]) {
		t.Error("the mark is not on the last page")
	}
}

func TestDelta(t *testing.T) {
	const page = 64 // small, so that many memories are tried
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		pages := 2 + random.IntN(200)
		from := random.IntN(pages) * page
		before := make([]byte, pages*page)
		for i := range before {
			before[i] = byte(random.Uint32())
		}
		after := bytes.Clone(before)
		for range random.IntN(pages) {
			if at := random.IntN(len(after) - page); random.IntN(3) > 0 { // the last page is nobody's
				after[at]++
			}
		}
		checkDelta(t, before, after, from, page)
	}
}

func FuzzDelta(f *testing.F) {
	const page = 64
	f.Add([]byte{0, 1, 0, 1, 1, 0, 0}, uint8(0))
	f.Add(bytes.Repeat([]byte{1, 0}, 40), uint8(3))
	f.Add([]byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, changed []byte, from uint8) { // a byte for each page
		if len(changed) > 300 {
			return
		}
		before := make([]byte, (len(changed)+1)*page)
		after := bytes.Clone(before)
		for i, c := range changed {
			after[i*page+int(c)%page] = c
		}
		checkDelta(t, before, after, min(int(from), len(changed))*page, page)
	})
}

// join closes the smallest gaps, and no more than it must.
func TestJoin(t *testing.T) {
	at := func(ranges ...uint64) (list []capi.Patch) {
		for i := 0; i < len(ranges); i += 2 {
			list = append(list, capi.Patch{Offset: ranges[i], Len: ranges[i+1] - ranges[i]})
		}
		return list
	}
	for _, test := range []struct {
		list []capi.Patch
		n    int
		want []capi.Patch
	}{
		{nil, 3, nil},
		{at(0, 1), 1, at(0, 1)},
		{at(0, 1, 2, 3), 2, at(0, 1, 2, 3)},
		{at(0, 1, 2, 3), 1, at(0, 3)},
		{at(0, 1, 5, 6, 7, 8), 2, at(0, 1, 5, 8)},
		{at(0, 1, 2, 3, 9, 10), 2, at(0, 3, 9, 10)},
		{at(0, 1, 2, 3, 9, 10, 11, 12), 2, at(0, 3, 9, 12)},
		{at(0, 1, 2, 3, 4, 5, 6, 7), 1, at(0, 7)},
		{at(0, 1, 3, 4, 6, 7), 2, at(0, 4, 6, 7)}, // of equal gaps the first
	} {
		if got := join(slices.Clone(test.list), test.n); !slices.Equal(got, test.want) {
			t.Errorf("join %+v to %d: %+v, want %+v", test.list, test.n, got, test.want)
		}
	}
}

// sizes returns the bytes of the artifacts whose names end in suffix, by name.
func sizes(t *testing.T, dir, suffix string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = info.Size()
	}
	return found
}

// What a function adds on disk is its difference to the runtime: below 2 MB, also
// where it imports much.
func TestLanguageSnapshotSize(t *testing.T) {
	for name, f := range map[string]Function{
		"python hello":     pythonFunction(t, "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': json.dumps('hi')}\n"),
		"python imports":   pythonFunction(t, "import json, datetime, decimal, csv, sqlite3, logging\ndef handler(event, context):\n    return 1\n"),
		"javascript hello": javaScriptFunction(t, "export const handler = async () => ({ statusCode: 200 });"),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			r := open(t, cfg)
			d := deploy(t, r, f)
			if !d.Snapshot || len(sizes(t, cfg.ArtifactDir, deltaSuffix)) != 1 {
				t.Errorf("deployed as %+v; the deltas are %v", d, sizes(t, cfg.ArtifactDir, deltaSuffix))
			}
			for name, size := range sizes(t, cfg.ArtifactDir, deltaSuffix) {
				if size > 2<<20 {
					t.Errorf("%s has %d bytes", name, size)
				}
			}
		})
	}
}

// modified returns when each file below dir was written.
func modified(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	times := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			times[path] = info.ModTime()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return times
}

// stampFunctions count the captures of each language: they reply with a number
// that is drawn when the module is loaded.
func stampFunctions(t *testing.T) []Function {
	p := pythonFunction(t, "import os\nstamp = os.urandom(8).hex()\ndef handler(event, context):\n    return stamp\n")
	j := javaScriptFunction(t, "const stamp = crypto.randomUUID(); export const handler = async () => stamp;")
	p.Name, j.Name = "p", "j"
	return []Function{p, j}
}

// stamps registers the functions with a Runtime of their own and returns what
// they reply.
func stamps(t *testing.T, cfg Config, list []Function) map[string]string {
	t.Helper()
	r := open(t, cfg)
	replies := map[string]string{}
	for _, f := range list {
		if err := r.Register(f); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := invoke(r, f.Name, ``)
			if err != nil || len(got) < 10 {
				t.Fatalf("%s: %q, %v", f.Name, got, err)
			}
			if was := replies[f.Name]; was != "" && was != got {
				t.Errorf("%s replied %s, then %s", f.Name, was, got)
			}
			replies[f.Name] = got
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return replies
}

// A Runtime that starts again takes what is on disk, and writes nothing.
func TestLanguageRestart(t *testing.T) {
	cfg, list := testConfig(t), stampFunctions(t)
	first := stamps(t, cfg, list)
	before := modified(t, cfg.ArtifactDir)
	if second := stamps(t, cfg, list); !maps.Equal(first, second) {
		t.Errorf("stamps %v, then %v", first, second)
	}
	if after := modified(t, cfg.ArtifactDir); !maps.Equal(before, after) {
		t.Errorf("files changed: %d before, %d after", len(before), len(after))
	}
	cfg.DeviceKey[5]++
	if third := stamps(t, cfg, list); third["p"] == first["p"] || third["j"] == first["j"] {
		t.Error("a snapshot of another device's was used")
	}
}

// Whatever is damaged while no Runtime runs is noticed and made again.
func TestLanguageDamage(t *testing.T) {
	cfg, list := testConfig(t), stampFunctions(t)
	stamps(t, cfg, list)
	for _, kind := range []string{".delta", ".delta.mac", ".state", ".state.mac", "memory-*.cwasm", "code-*.cwasm", ".library/*"} {
		pattern := "*" + kind
		if strings.Contains(kind, "*.") || strings.HasPrefix(kind, ".library") {
			pattern = strings.TrimPrefix(pattern, "*")
		}
		if strings.HasPrefix(kind, ".library") {
			pattern = "*" + kind
		}
		for how, harm := range map[string]func(path string, data []byte) error{
			"flipped": func(path string, data []byte) error {
				data[len(data)/2] ^= 1
				return os.WriteFile(path, data, 0o600)
			},
			"cut":     func(path string, data []byte) error { return os.WriteFile(path, data[:len(data)/2], 0o600) },
			"removed": func(path string, _ []byte) error { return os.Remove(path) },
		} {
			t.Run(kind+" "+how, func(t *testing.T) {
				paths, err := filepath.Glob(filepath.Join(cfg.ArtifactDir, pattern))
				if err != nil || len(paths) == 0 {
					t.Fatalf("there is no %s: %v", pattern, err)
				}
				for _, path := range paths {
					data := read(t, path)
					if len(data) == 0 {
						continue
					}
					if err := harm(path, data); err != nil {
						t.Fatal(err)
					}
				}
				stamps(t, cfg, list)
				settled := modified(t, cfg.ArtifactDir)
				stamps(t, cfg, list)
				if again := modified(t, cfg.ArtifactDir); !maps.Equal(settled, again) {
					t.Error("it was not made again for good")
				}
			})
		}
	}
}

// Collect keeps what live functions and the languages need, and nothing else.
func TestLanguageCollect(t *testing.T) {
	cfg, list := testConfig(t), stampFunctions(t)
	r := open(t, cfg)
	for _, f := range list {
		deploy(t, r, f)
	}
	was, err := invoke(r, "p", ``)
	if err != nil {
		t.Fatal(err)
	}
	before := modified(t, cfg.ArtifactDir)
	if removed, err := r.Collect(); removed != 0 || err != nil {
		t.Errorf("%d of what lives was removed, %v", removed, err)
	}
	old := pythonFunction(t, "x = 1\ndef handler(event, context):\n    return 'old'\n")
	old.Name = "old"
	deploy(t, r, old)
	grown := modified(t, cfg.ArtifactDir)
	if len(grown) <= len(before) {
		t.Errorf("%d files, then %d", len(before), len(grown))
	}
	if err := r.Remove("old", ""); err != nil {
		t.Fatal(err)
	}
	if after := modified(t, cfg.ArtifactDir); !maps.Equal(before, after) { // its Snapshot went with it
		t.Errorf("%d files, then %d", len(before), len(after))
	}
	if err := os.WriteFile(filepath.Join(cfg.ArtifactDir, "image-0"+deltaSuffix), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if removed, err := r.Collect(); removed != want || err != nil {
			t.Errorf("%d removed, %v", removed, err)
		}
	}
	if after := modified(t, cfg.ArtifactDir); !maps.Equal(before, after) {
		t.Errorf("%d files, then %d", len(before), len(after))
	}
	if got, err := invoke(r, "p", ``); err != nil || got != was {
		t.Errorf("got %s, %v; it was %s", got, err, was)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if again := stamps(t, cfg, list); again["p"] != was {
		t.Errorf("after a restart: %s; it was %s", again["p"], was)
	}
}

// Functions that share few slots and one image get their own memory each time,
// however fast they take turns.
func TestLanguageHammer(t *testing.T) {
	cfg := testConfig(t)
	cfg.MaxInstances = 4
	r := open(t, cfg)
	const workers, turns = 32, 40
	var functions []Function
	for i := range 6 {
		f := pythonFunction(t, fmt.Sprintf("me = %d\npad = [me] * %d\nseen = []\ndef handler(event, context):\n    seen.append(event)\n    return [me, event, sum(pad) == me * len(pad)]\n", i, i*20000))
		if i%2 == 1 {
			f = javaScriptFunction(t, fmt.Sprintf("const me = %d; const pad = new Array(%d).fill(me); export const handler = async (event) => [me, event, pad.every((x) => x === me)];", i, i*20000))
		}
		f.Name = fmt.Sprint("f", i)
		f.Isolation = bothIsolations[i/2%2]
		functions = append(functions, f)
		deploy(t, r, f)
	}
	var all sync.WaitGroup
	failures := make([]error, workers)
	served := make([]int, workers)
	for w := range workers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for turn := range turns {
				i := random.IntN(len(functions))
				var res Result
				err := r.Invoke(context.Background(), &Invocation{Function: functions[i].Name, Payload: fmt.Append(nil, turn)}, &res)
				if errors.Is(err, ErrOverloaded) {
					continue
				}
				if got, want := strings.ReplaceAll(string(res.Payload), " ", ""), fmt.Sprintf("[%d,%d,true]", i, turn); err != nil || got != want {
					failures[w] = fmt.Errorf("turn %d: got %s, %w; want %s", turn, got, err, want)
					return
				}
				served[w]++
			}
		})
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, n := range served {
		total += n
	}
	if total < workers {
		t.Errorf("%d of %d were served", total, workers*turns)
	}
}
