package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// addLayer gives f a layer with these files.
func addLayer(t testing.TB, f *Function, files map[string]string) {
	t.Helper()
	layer := languageFunction(t, f.Runtime, "", files)
	f.LayerDir, f.LayerHash = layer.CodeDir, layer.CodeHash
}

// Packages of layers are found where AWS Lambda finds them, behind the function's own
// and before the runtime's, and their files are at /opt, to read and for nothing else:
// https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
func TestLayers(t *testing.T) {
	const package_ = `{"name":"x","type":"module","exports":{".":"./main.js"}}`
	for _, test := range []struct {
		runtime     string
		code, layer map[string]string
		reply       string
	}{
		{RuntimePython, map[string]string{
			"app.py": `import calendar, dep.core, json, os, own, shared, site_only
words = open('/opt/data/words.txt')
words.readline()
def handler(event, context):
    line = words.readline()  # where the deploy left off
    words.seek(4)
    try:
        open('/opt/new', 'w')
    except OSError as e:
        refused = type(e).__name__
    return [dep.core.__file__, shared.where, site_only.where, own.where, calendar.mine, json.loads('1'), line, sorted(os.listdir('/opt')), os.path.exists('/opt/../etc'), refused]
`, "own.py": "where = 'task'\n"}, map[string]string{
			"python/own.py":      "where = 'layer'\n",
			"python/calendar.py": "mine = 'mine'\n", "python/dep/__init__.py": "", "python/dep/core.py": "",
			"python/shared.py": "where = 'python'\n", "python/lib/python3.13/site-packages/shared.py": "where = 'site'\n",
			"python/lib/python3.13/site-packages/site_only.py": "where = 'site'\n",
			"data/words.txt": "one\ntwo\n", "bin/tool": "",
		}, `["/opt/python/dep/core.py", "site", "site", "task", "mine", 1, "two\n", ["bin", "data", "python"], false, "OSError"]`},

		{RuntimeJavaScript, map[string]string{
			"app.mjs": `import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import esm from 'esm';
import sub from '@scope/pkg/sub.js';
import own from 'own';
const require = createRequire(import.meta.url);
export const handler = async () => {
  let refused;
  try { writeFileSync('/opt/new', 'x'); } catch (e) { refused = e.code; }
  return [esm, sub, own, require('both'), require('old'), (await import('single')).default, readFileSync('/opt/data/words.txt', 'utf8'), readdirSync('/opt').sort(), refused, process.env.NODE_PATH.startsWith('/opt/nodejs/node22/node_modules:')];
};
`, "node_modules/own/index.js": "module.exports = 'task';"}, map[string]string{
			"nodejs/node_modules/esm/package.json": package_, "nodejs/node_modules/esm/main.js": "export default import.meta.url;",
			"nodejs/node_modules/@scope/pkg/sub.js": "module.exports = require('../../both');",
			"nodejs/node_modules/own/index.js":      "module.exports = 'layer';",
			"nodejs/node_modules/both/index.js":     "module.exports = 'any';", "nodejs/node22/node_modules/both/index.js": "module.exports = 'node22';",
			"nodejs/node20/node_modules/old/index.js": "module.exports = 'node20';",
			"nodejs/node_modules/single.js":           "module.exports = 'single';",
			"data/words.txt":                          "one", "bin/tool": "",
		}, `["file:///opt/nodejs/node_modules/esm/main.js","any","task","node22","node20","single","one",["bin","data","nodejs"],"EROFS",true]`},
	} {
		t.Run(test.runtime, func(t *testing.T) {
			cfg := testConfig(t)
			f := languageFunction(t, test.runtime, "app.handler", test.code)
			bare := f
			addLayer(t, &f, test.layer)
			r := open(t, cfg)
			for _, f.Isolation = range bothIsolations {
				deploy(t, r, f)
				for range 2 {
					if got, err := invoke(r, "f", "0"); err != nil || got != test.reply {
						t.Errorf("%s: got %s, %v\nwant %s", f.Isolation, got, err, test.reply)
					}
				}
			}
			if _, err := r.Deploy(context.Background(), bare, nil); err == nil || !strings.Contains(err.Error(), "Runtime.ImportModuleError") {
				t.Errorf("without its layer it deployed with %v", err)
			}
			if _, err := r.Collect(); err != nil {
				t.Error(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			// After a restart the Snapshot is there, with the files that it has open.
			r = open(t, cfg)
			if d := deploy(t, r, f); d.InitTime != 0 {
				t.Errorf("the handler was loaded again: %+v", d)
			}
			if got, err := invoke(r, "f", "0"); err != nil || got != test.reply {
				t.Errorf("after a restart: got %s, %v", got, err)
			}
		})
	}
}

// Another layer is another function, although the code is the same.
func TestLayerChanges(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{
		"import lib\ndef handler(event, context):\n    return lib.value\n",
		"import value from 'lib'; export const handler = async () => value;",
	}, func(t *testing.T, f Function) {
		f.Name = strings.ReplaceAll(f.Runtime, ".", "-")
		for _, value := range []string{"1", "2"} {
			addLayer(t, &f, map[string]string{"python/lib.py": "value = " + value + "\n", "nodejs/node_modules/lib/index.js": "module.exports = " + value + ";"})
			deploy(t, r, f)
			if got, err := invoke(r, f.Name, "0"); err != nil || got != value {
				t.Errorf("layer %s: %s, %v", value, got, err)
			}
		}
	})
}

// A command finds the folder among those that it is given, with files of its own and
// without.
func TestWASILayers(t *testing.T) {
	const code = `(module
	  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
	  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
	  (memory (export "memory") 1)
	  (data (i32.const 512) "data.txt")
	  (func $print (param $at i32) (param $n i32)
	    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $n))
	    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))
	  ;; each folder's name and what its data.txt has
	  (func (export "_start") (local $fd i32) (local.set $fd (i32.const 3))
	    (block $done (loop $next
	      (br_if $done (call $prestat (local.get $fd) (i32.const 8)))
	      (drop (call $name (local.get $fd) (i32.const 1024) (i32.const 64)))
	      (call $print (i32.const 1024) (i32.load (i32.const 12)))
	      (if (i32.eqz (call $open (local.get $fd) (i32.const 0) (i32.const 512) (i32.const 8) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32))) (then
	        (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const 100))
	        (drop (call $read (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 16)))
	        (call $print (i32.const 4096) (i32.load (i32.const 16)))))
	      (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
	      (br $next)))))`
	for _, test := range []struct {
		name        string
		file, layer bool
		want        string
	}{
		{"neither", false, false, ""},
		{"files", true, false, "/var/task own"},
		{"layer", false, true, "/opt layer"},
		{"both", true, true, "/var/task own/opt layer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := function(t, "files", code)
			if test.file {
				if err := os.WriteFile(filepath.Join(f.CodeDir, "data.txt"), []byte(" own"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if test.layer {
				addLayer(t, &f, map[string]string{"data.txt": " layer"})
			}
			if got, err := runProgram(t, f, ""); err != nil || got != test.want {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
		})
	}
}
