package cli

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	pyLambda  = "import json\n\ndef lambda_handler(event, context):\n    return {}\n"
	pyHandler = "async def handler(event, context): ...\n"
	jsHandler = "export const handler = async (event) => ({});\n"
)

// deployFolder runs ledge deploy of a folder with these files against a node
// that answers with now when asked for the function's settings; "" is none.
// It returns the members of the request other than the code.
func deployFolder(t *testing.T, files map[string]string, now string, flags ...string) (sent map[string]any, o outcome) {
	t.Helper()
	n, _ := deployNode(t, reply(200, deployed))
	if now != "" {
		n.answers[configurationOfHello] = reply(200, now)
	}
	dir := t.TempDir()
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	o = n.run(append([]string{"deploy", "hello", dir}, flags...)...)
	o.stderr = strings.ReplaceAll(o.stderr, dir, "DIR")
	for _, c := range n.calls() {
		if c.Target == "PUT /v1/functions/hello" {
			if err := json.Unmarshal([]byte(c.Body), &sent); err != nil {
				t.Fatal(err)
			}
		}
	}
	delete(sent, "Code")
	return sent, o
}

// What the code says where no flag and no earlier deploy does.
func TestDeployFindsRuntimeAndHandler(t *testing.T) {
	const python, javascript = "python3.13", "javascript"
	for name, c := range map[string]struct {
		files            map[string]string
		runtime, handler string // "": not sent
	}{
		"AWS Lambda's default": {map[string]string{"lambda_function.py": pyLambda, "app.py": pyHandler}, python, "lambda_function.lambda_handler"},
		"app.py":               {map[string]string{"app.py": pyLambda, "lib/main.py": pyLambda}, python, "app.lambda_handler"},
		"main.py":              {map[string]string{"main.py": pyHandler, "README": ""}, python, "main.handler"},
		"handler.py":           {map[string]string{"handler.py": pyHandler}, python, "handler.handler"},
		"both names":           {map[string]string{"app.py": pyHandler + pyLambda}, python, "app.lambda_handler"},
		"the usual files first": {map[string]string{"app.py": pyHandler, "other.py": pyHandler},
			python, "app.handler"},
		"another file":         {map[string]string{"thermostat.py": pyHandler, "app.py": "x = 1"}, python, "thermostat.handler"},
		"assigned":             {map[string]string{"app.py": "lambda_handler = Router().run\n"}, python, "app.lambda_handler"},
		"annotated":            {map[string]string{"app.py": "handler: Callable = Router()\n"}, python, "app.handler"},
		"imported":             {map[string]string{"app.py": "from lib.x import a, handler\n"}, python, "app.handler"},
		"index.mjs":            {map[string]string{"index.mjs": jsHandler}, javascript, "index.handler"},
		"index.js":             {map[string]string{"index.js": "'use strict';\nexports.handler = async () => {}"}, javascript, "index.handler"},
		"index.cjs":            {map[string]string{"index.cjs": "module.exports.handler=()=>{}"}, javascript, "index.handler"},
		"function":             {map[string]string{"index.mjs": "export async function handler(event) {}"}, javascript, "index.handler"},
		"list":                 {map[string]string{"index.mjs": "const h = 1;export {\n  h as x, handler };"}, javascript, "index.handler"},
		"object":               {map[string]string{"index.js": "module.exports = {\n  other, handler,\n}"}, javascript, "index.handler"},
		"index.js and .mjs":    {map[string]string{"index.js": "exports.handler = 1", "index.mjs": jsHandler}, javascript, "index.handler"},
		"package.json":         {map[string]string{"package.json": `{"main":"./dist/run"}`, "dist/run.js": "exports.handler = 1", "index.js": "exports.handler = 1"}, javascript, "dist/run.handler"},
		"package.json, folder": {map[string]string{"package.json": `{"main":"dist"}`, "dist/index.js": "exports.handler = 1"}, javascript, "dist/index.handler"},
		"package.json without": {map[string]string{"package.json": `{"main":"gone.js"}`, "index.js": "exports.handler = 1"}, javascript, "index.handler"},
		"settings of tools":    {map[string]string{"jest.config.js": "exports.handler = 1", "run.js": "exports.handler = 1"}, javascript, "run.handler"},
		"a module":             {map[string]string{"hello.wasm": emptyModule, "app.py": pyLambda}, "", ""},
		"bootstrap":            {map[string]string{"bootstrap.wasm": emptyModule, "b.wasm": "", "index.js": "exports.handler = 1"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			sent, o := deployFolder(t, c.files, "")
			runtime, _ := sent["Runtime"].(string)
			handler, _ := sent["Handler"].(string)
			if o.exit != 0 || runtime != c.runtime || handler != c.handler {
				t.Errorf("exit %d, %q %q, want %q %q\n%s", o.exit, runtime, handler, c.runtime, c.handler, o.stderr)
			}
		})
	}
}

func TestDeployFindsNoHandler(t *testing.T) {
	const looked = "say which to call: --handler FILE.FUNCTION, such as app.lambda_handler for app.py\n" +
		"  without it, a function called lambda_handler or handler is looked for in lambda_function.py, app.py, main.py, handler.py, index.js and the other files at the top\n"
	for name, c := range map[string]struct {
		files  map[string]string
		flags  []string
		stderr string
	}{
		"nothing":        {map[string]string{"README": "x", "data/x.csv": ""}, nil, "DIR holds no Wasm module at its top, and no Python or JavaScript\n  it holds README, data/x.csv; put a bootstrap.wasm, an app.py or an index.mjs at its top\n"},
		"a module below": {map[string]string{"dist/a.wasm": emptyModule}, nil, "DIR holds no Wasm module at its top, and no Python or JavaScript\n  it holds dist/a.wasm; put a bootstrap.wasm, an app.py or an index.mjs at its top\n"},
		"two modules":    {map[string]string{"a.wasm": emptyModule, "b.wasm": emptyModule}, nil, "DIR holds several modules: a.wasm, b.wasm\n  name the one to run bootstrap.wasm\n"},
		"source code":    {map[string]string{"main.go": "package main"}, nil, "DIR holds no code that can run, and main.go is source code\n  compile it to WebAssembly first, for example: GOOS=wasip1 GOARCH=wasm go build -o hello.wasm .\n"},
		"no function":    {map[string]string{"app.py": "def run(e, c): ...", "lib/x.py": "y = 1"}, nil, "found no handler in DIR, which holds app.py, lib/x.py\n  " + looked},
		"inside a class": {map[string]string{"app.py": "class A:\n    def handler(self): ...\n"}, nil, "found no handler in DIR, which holds app.py\n  " + looked},
		"two files":      {map[string]string{"app.py": pyLambda, "main.py": pyHandler}, nil, "DIR has several handlers: app.lambda_handler in app.py, main.handler in main.py\n  say which to call: --handler app.lambda_handler\n"},
		"two languages":  {map[string]string{"app.py": pyLambda, "index.mjs": jsHandler}, nil, "DIR has several handlers: app.lambda_handler in app.py, index.handler in index.mjs\n  say which to call: --handler app.lambda_handler\n"},
		"a handler that is not there": {map[string]string{"app.py": pyLambda}, []string{"--handler", "main.run"},
			"the handler main.run is in no file of DIR, which holds app.py\n  write FILE.FUNCTION, such as app.lambda_handler for app.py or src/index.handler for src/index.js\n"},
		"a handler without a file": {map[string]string{"app.py": pyLambda}, []string{"--handler", "app"},
			"the handler app is in no file of DIR, which holds app.py\n  write FILE.FUNCTION, such as app.lambda_handler for app.py or src/index.handler for src/index.js\n"},
		"a handler in two languages": {map[string]string{"app.py": pyLambda, "app.js": jsHandler}, []string{"--handler", "app.run"},
			"the handler app.run is in files of several languages in DIR\n  choose one: --runtime python3.13 or --runtime javascript\n"},
	} {
		t.Run(name, func(t *testing.T) {
			sent, o := deployFolder(t, c.files, "", c.flags...)
			o.want(t, 1, "", "ledge: "+c.stderr)
			if sent != nil {
				t.Errorf("sent %v", sent)
			}
		})
	}
	many := map[string]string{}
	for _, name := range strings.Fields("a b c d e f g h i j") {
		many["lib/"+name+".js"] = ""
	}
	_, o := deployFolder(t, many, "")
	if want := "which holds lib/a.js, lib/b.js, lib/c.js, lib/d.js, lib/e.js, lib/f.js, lib/g.js, lib/h.js and 2 more\n"; !strings.Contains(o.stderr, want) {
		t.Errorf("many files: %s", o.stderr)
	}
}

// Flags win over what a function has, and that over what is found.
func TestDeployKeepsRuntimeAndHandler(t *testing.T) {
	python := func(runtime, handler string) string {
		return `{"Runtime":"` + runtime + `","Handler":"` + handler + `","Ledge":{"Runtime":"python3.13"}}`
	}
	const wasm = `{"Runtime":"extism","Handler":"greet","Ledge":{"Runtime":"extism"}}`
	app := map[string]string{"app.py": pyLambda, "main.py": pyHandler}
	for name, c := range map[string]struct {
		files map[string]string
		now   string
		flags []string
		want  map[string]any
	}{
		"kept":                      {app, python("python3.12", "main.other"), nil, map[string]any{}},
		"kept, in a package":        {map[string]string{"a/b/__init__.py": ""}, python("python3.12", "a.b.run"), nil, map[string]any{}},
		"kept beside a module":      {map[string]string{"app.py": "", "data.wasm": ""}, python("python3.12", "app.run"), nil, map[string]any{}},
		"its file is gone":          {map[string]string{"app.py": pyLambda}, python("python3.12", "old.run"), nil, map[string]any{"Handler": "app.lambda_handler"}},
		"another handler":           {app, python("python3.12", "app.run"), []string{"--handler", "main.run"}, map[string]any{"Handler": "main.run"}},
		"another runtime":           {app, python("python3.12", "app.run"), []string{"--runtime", "python3.9"}, map[string]any{"Runtime": "python3.9"}},
		"another language":          {map[string]string{"index.mjs": jsHandler}, python("python3.12", "app.run"), nil, map[string]any{"Runtime": "javascript", "Handler": "index.handler"}},
		"from Wasm":                 {map[string]string{"app.py": pyLambda}, wasm, nil, map[string]any{"Runtime": "python3.13", "Handler": "app.lambda_handler"}},
		"from Wasm, with a handler": {map[string]string{"app.py": pyLambda}, wasm, []string{"--handler", "app.x"}, map[string]any{"Runtime": "python3.13", "Handler": "app.x"}},
		"to Wasm":                   {map[string]string{"a.wasm": emptyModule}, python("python3.12", "app.run"), nil, map[string]any{"Runtime": "", "Handler": ""}},
		"to Wasm, with flags":       {map[string]string{"a.wasm": emptyModule}, python("python3.12", "app.run"), []string{"--runtime", "extism"}, map[string]any{"Runtime": "extism", "Handler": ""}},
		"to Wasm, with a handler":   {map[string]string{"a.wasm": emptyModule}, python("python3.12", "app.run"), []string{"--handler", "greet"}, map[string]any{"Runtime": "", "Handler": "greet"}},
		"stays Wasm":                {map[string]string{"a.wasm": emptyModule}, wasm, nil, map[string]any{}},
		"a runtime chooses":         {map[string]string{"app.py": pyLambda, "index.mjs": jsHandler}, "", []string{"--runtime", "nodejs22.x"}, map[string]any{"Runtime": "nodejs22.x", "Handler": "index.handler"}},
		"a runtime beats a module":  {map[string]string{"app.py": pyLambda, "a.wasm": ""}, "", []string{"--runtime", "python3.11"}, map[string]any{"Runtime": "python3.11", "Handler": "app.lambda_handler"}},
		"a handler chooses":         {map[string]string{"app.py": pyLambda, "src/index.mjs": ""}, "", []string{"--handler", "src/index.a.b"}, map[string]any{"Runtime": "javascript", "Handler": "src/index.a.b"}},
		"a runtime of no language":  {app, "", []string{"--runtime", "java21"}, map[string]any{"Runtime": "java21"}},
		"both flags ask nothing":    {app, "", []string{"--runtime", "python3.12", "--handler", "x.y"}, map[string]any{"Runtime": "python3.12", "Handler": "x.y"}},
	} {
		t.Run(name, func(t *testing.T) {
			sent, o := deployFolder(t, c.files, c.now, c.flags...)
			if got, want := mustJSON(t, sent), mustJSON(t, c.want); o.exit != 0 || got != want {
				t.Errorf("exit %d, sent %s, want %s\n%s", o.exit, got, want, o.stderr)
			}
		})
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDeployOfOneFile(t *testing.T) {
	n, _ := deployNode(t, reply(200, `{"Created":true,"Deployment":{"InitMillis":103,"Snapshot":true,"ImageBytes":65536,"Notes":["a note"]},
		"Function":{"Version":"$LATEST","Runtime":"python3.13","Handler":"app.lambda_handler","CodeSize":300,"Ledge":{"Runtime":"python3.13"}},
		"Routes":[{"Route":"GET /hello","Function":"hello"}]}`))
	path := filepath.Join(t.TempDir(), "app.PY")
	writeFile(t, path, pyLambda)
	n.run("deploy", "hello", path, "--route", "GET /hello").want(t, 0, `hello created
version:      $LATEST
runtime:      python3.13
handler:      app.lambda_handler, found in app.py
code:         300 B
start:        103 ms
snapshot:     64 KB
note:         a note

  curl http://localhost:8081/hello
`, "")
	var sent struct{ Code struct{ ZipFile []byte } }
	if err := json.Unmarshal([]byte(n.only("PUT /v1/functions/hello").Body), &sent); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(sent.Code.ZipFile), int64(len(sent.Code.ZipFile)))
	if err != nil || len(r.File) != 1 || r.File[0].Name != "app.py" || r.File[0].Mode() != 0o644 {
		t.Fatalf("sent %v, %v", r, err)
	}
	// The same file is the same code, whether it is alone or in a folder.
	dir := t.TempDir()
	writeFile(t, dir+"/app.py", pyLambda)
	if folder, err := zipFolder(t.Context(), dir); err != nil || !bytes.Equal(folder, sent.Code.ZipFile) {
		t.Errorf("a folder gives another zip, %v", err)
	}
	if o := n.run("deploy", "hello", path, "--runtime", "wasi"); o.exit != 2 || !strings.Contains(o.stderr, "app.PY is Python, and --runtime is wasi") {
		t.Errorf("Python as wasi: exit %d: %s", o.exit, o.stderr)
	}
}

// A single .js has no package.json beside it that says what kind of module it is.
func TestDeployOfOneESModule(t *testing.T) {
	for text, want := range map[string]string{
		jsHandler: "a.mjs", "export {handler}\nconst handler = 1": "a.mjs", "exports.handler = 1": "a.js",
		"module.exports = { handler() {} }\n// or\nexport const handler = 1": "a.js",
	} {
		path := filepath.Join(t.TempDir(), "a.js")
		writeFile(t, path, text)
		a := app{}
		c, err := a.readCode(t.Context(), path)
		if err != nil || len(c.tree.paths) != 1 || c.tree.paths[0] != want {
			t.Errorf("%q is packed as %v, want %s; %v", text, c.tree, want, err)
			continue
		}
		if p, err := c.program(nil, nil, nil); err != nil || *p.handler != "a.handler" {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
}

func TestDeployOfTheSameAgain(t *testing.T) {
	fn := configuration{Version: "$LATEST", Runtime: "javascript", Handler: "index.handler"}
	var same deployReply
	same.Function, same.Deployment.Snapshot = fn, true
	if text := string(describeDeploy(same, "hello", "", "")); !strings.Contains(text, "start:        before; the same snapshot is used again\n") || strings.Contains(text, "snapshot: ") {
		t.Errorf("got %s", text)
	}
}

func TestDeployTellsTheNameOfARuntime(t *testing.T) {
	fn := configuration{Runtime: "python3.12", Handler: "app.run"}
	fn.Ledge.Runtime = "python3.13"
	for _, text := range [][]byte{describeFunction(fn, nil), describeDeploy(deployReply{Function: fn}, "hello", "", "")} {
		if !strings.Contains(string(text), "runtime:      python3.13, as python3.12\nhandler:      app.run\n") {
			t.Errorf("got %s", text)
		}
	}
}

// A zip is looked into as a folder is; one that cannot be read is the node's to
// judge.
func TestDeployOfAZip(t *testing.T) {
	n, _ := deployNode(t, reply(200, deployed))
	dir := t.TempDir()
	writeFile(t, dir+"/f/app.py", pyLambda)
	blob, err := zipFolder(t.Context(), dir+"/f")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir+"/good.zip", string(blob))
	writeFile(t, dir+"/bad.zip", string(blob[:len(blob)/2]))
	for _, path := range []string{"good.zip", "bad.zip"} {
		if o := n.run("deploy", "hello", filepath.Join(dir, path)); o.exit != 0 {
			t.Errorf("%s: %s", path, o.stderr)
		}
	}
	if o := (commandLine{args: []string{"deploy", "hello", "-", "--data", n.data}, stdin: string(blob)}).run(t); o.exit != 0 {
		t.Errorf("standard input: %s", o.stderr)
	}
	var handlers []any
	for _, c := range n.calls() {
		if sent := map[string]any{}; strings.HasPrefix(c.Target, "PUT ") {
			if err := json.Unmarshal([]byte(c.Body), &sent); err != nil {
				t.Fatal(err)
			}
			handlers = append(handlers, sent["Handler"])
		}
	}
	if !slices.Equal(handlers, []any{"app.lambda_handler", nil, "app.lambda_handler"}) {
		t.Errorf("handlers %v", handlers)
	}
}

func TestDeployWhereTheNodeDoesNotTell(t *testing.T) {
	n, module := deployNode(t, reply(200, deployed))
	n.answers[configurationOfHello] = func(w http.ResponseWriter, r *http.Request) {
		failure(503, awsServiceFailed, "the node is stopping")(w, r)
	}
	if o := n.run("deploy", "hello", module); o.exit != 1 || !strings.Contains(o.stderr, "the node is stopping") {
		t.Errorf("exit %d: %s", o.exit, o.stderr)
	}
}

// FuzzProgram: whatever is in a zip, it has a program or an *Error that says why
// not, and a handler that was found is one that can be found again.
func FuzzProgram(f *testing.F) {
	dir := f.TempDir()
	for name, text := range map[string]string{"app.py": pyLambda, "index.mjs": jsHandler, "package.json": `{"main":"./x.js"}`, "x.js": "module.exports = {handler}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
		blob, err := zipFolder(f.Context(), dir)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(blob)
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		c, err := checkCode("x.zip", blob, nil)
		if err != nil {
			return
		}
		p, err := c.program(nil, nil, nil)
		var told *Error
		if err != nil && (!errors.As(err, &told) || told.Hint == "") {
			t.Fatalf("error %v", err)
		}
		if err == nil && p.found != "" && (languageOf(*p.runtime).holds(c.tree, *p.handler) == "" || c.tree.files[p.found] == nil) {
			t.Fatalf("%s is not in %s", *p.handler, p.found)
		}
	})
}
