package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const deployed = `{"Function":` + helloConfig + `,"Created":true,
	"Deployment":{"Compiled":true,"CompileMillis":41.7,"InitMillis":0.93,"Snapshot":true,"ImageBytes":196608,"Notes":["wrote a note\u0007"]},
	"Routes":[{"Route":"GET /hello/{name}","Function":"hello"},{"Route":"POST /in/{rest+}","Function":"hello"},{"Route":"$default","Function":"hello"}]}`

const configurationOfHello = "GET /2015-03-31/functions/hello/configuration"

// deployNode is a node that has no function hello yet.
func deployNode(t *testing.T, answer http.HandlerFunc) (n *node, module string) {
	n = newNode(t, map[string]http.HandlerFunc{
		"PUT /v1/functions/hello": answer,
		configurationOfHello:      failure(404, awsNotFound, "Function not found: arn"),
		"GET /v1/version":         reply(200, `{"Version":"1.2.3","HTTP":":8081"}`),
	})
	module = filepath.Join(t.TempDir(), "hello.wasm")
	writeFile(t, module, emptyModule)
	return n, module
}

func TestDeploy(t *testing.T) {
	n, module := deployNode(t, reply(200, deployed))
	n.run("deploy", "hello", module).want(t, 0, `hello created
version:      $LATEST
runtime:      wasi
code:         2.0 KB
compiled:     in 42 ms
start:        0.93 ms
snapshot:     192 KB
note:         wrote a note\x07

  curl http://localhost:8081/hello/name
  curl -X POST -H 'Content-Type: application/json' -d '{}' http://localhost:8081/in/rest
  curl http://localhost:8081/
`, "")
	// Nothing but the code: the node keeps what a function has.
	want := `{"Code":{"ZipFile":"` + base64.StdEncoding.EncodeToString([]byte(emptyModule)) + `"}}`
	if got := n.only("PUT /v1/functions/hello").Body; got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
}

func TestDeploySendsFlags(t *testing.T) {
	n, module := deployNode(t, reply(200, deployed))
	o := commandLine{
		args: []string{"deploy", "hello", "-", "--data", n.data, "--json",
			"--runtime", "extism", "--handler", "greet", "--memory", "1GiB", "--timeout", "1m30s",
			"--env", "A=1=2", "--env", "TOKEN", "--env", "EMPTY=", "--isolation", "fresh", "--concurrency", "7",
			"--allow-host", "example.com", "--allow-host", "*.example.org",
			"--allow-invoke", "*", "--allow-publish", "a/#", "--allow-publish", "b",
			"--route", "GET /a", "--route", "$default", "--payload", "raw", "--content-type", "image/png",
			"--no-snapshot=false", "--description", "d", "--publish"},
		stdin: emptyModule,
		env:   map[string]string{"TOKEN": "s3cret"},
	}.run(t)
	if o.exit != 0 || o.stderr != "" || !json.Valid([]byte(o.stdout)) {
		t.Fatalf("exit %d: %s%s", o.exit, o.stdout, o.stderr)
	}
	var got, want map[string]any
	const sent = `{"Runtime":"extism","Handler":"greet","Description":"d","TimeoutMillis":90000,"MemorySize":1024,
		"Environment":{"Variables":{"A":"1=2","TOKEN":"s3cret","EMPTY":""}},"Concurrency":7,"Isolation":"fresh",
		"AllowHosts":["example.com","*.example.org"],"AllowInvoke":["*"],"AllowPublish":["a/#","b"],"NoSnapshot":false,"Publish":true,
		"Routes":[{"Route":"GET /a","Payload":"raw","ContentType":"image/png"},{"Route":"$default","Payload":"raw","ContentType":"image/png"}]}`
	if err := json.Unmarshal([]byte(n.only("PUT /v1/functions/hello").Body), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "Code")
	if err := json.Unmarshal([]byte(sent), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sent %v\nwant %v", got, want)
	}

	// Empty values remove what there was, which null would keep.
	n2, _ := deployNode(t, reply(200, deployed))
	if o := n2.run("deploy", "hello", module, "--env", "", "--allow-host", "", "--allow-invoke", "", "--allow-publish", ""); o.exit != 0 {
		t.Fatal(o.stderr)
	}
	if body := n2.only("PUT /v1/functions/hello").Body; !strings.Contains(body, `"Variables":{}`) || !strings.Contains(body, `"AllowHosts":[],"AllowInvoke":[],"AllowPublish":[]`) {
		t.Errorf("sent %s", body)
	}
}

// TestDeployTriggers: what runs a function besides routes goes with the deploy,
// and what came of it is told.
func TestDeployTriggers(t *testing.T) {
	n, module := deployNode(t, reply(200, `{"Function":{"Version":"$LATEST","Runtime":"wasi","CodeSize":10},"Deployment":{"InitMillis":3},
		"Schedules":[{"Name":"hello-cron-1","Expression":"* * * * *","Created":true},{"Name":"hello-cron-2","Expression":"rate(1 day)"}],
		"Watches":[{"UUID":"u","Bucket":"orders","Prefixes":["new/","old/"],"Created":true},{"UUID":"v","Bucket":"all"}]}`))
	n.run("deploy", "hello", module, "--cron", "* * * * *", "--cron", "rate(1 day)", "--watch", "orders/new/", "--watch", "all", "--watch-start", "oldest",
		"--allow-bucket", "orders:read", "--allow-bucket", "bills").want(t, 0, `hello updated
version:      $LATEST
runtime:      wasi
code:         10 B
compiled:     before; the same code is used again
start:        3.0 ms
schedule:     * * * * *, as hello-cron-1 (added)
schedule:     rate(1 day), as hello-cron-2 (was there)
watch:        bucket orders, keys new/, old/ (added)
watch:        bucket all, all keys (was there)
`, "")
	const want = `"AllowBuckets":["orders:read","bills"],"Crons":["* * * * *","rate(1 day)"],` +
		`"Watches":[{"Bucket":"orders","Prefix":"new/","Start":"oldest"},{"Bucket":"all","Start":"oldest"}]}`
	if body := n.only("PUT /v1/functions/hello").Body; !strings.HasSuffix(body, want) {
		t.Errorf("sent %s", body)
	}
	cleared, _ := deployNode(t, reply(200, deployed))
	if o := cleared.run("deploy", "hello", module, "--allow-bucket", ""); o.exit != 0 || !strings.Contains(cleared.only("PUT /v1/functions/hello").Body, `"AllowBuckets":[]`) {
		t.Errorf("exit %d: %s", o.exit, o.stderr)
	}
}

func TestDeployWithoutRoute(t *testing.T) {
	n, module := deployNode(t, reply(200, `{"Function":{"Version":"7","Runtime":"wasi","CodeSize":10},"Deployment":{"InitMillis":3}}`))
	n.run("deploy", "hello", module).want(t, 0, `hello updated
version:      7
runtime:      wasi
code:         10 B
compiled:     before; the same code is used again
start:        3.0 ms

No route leads to it yet. Call it, or add a route:
  ledge invoke hello --payload '{}'
  ledge route add 'GET /hello' hello
`, "")
}

func TestDeployProgress(t *testing.T) {
	n, module := deployNode(t, reply(200, deployed))
	o := commandLine{args: []string{"deploy", "hello", module, "--data", n.data}, terminal: true}.run(t)
	const want = "\r\x1b[Kuploading hello.wasm, 8 B…\r\x1b[Kcompiling hello.wasm…\r\x1b[K"
	if o.exit != 0 || !strings.HasSuffix(o.stderr, want) {
		t.Errorf("exit %d, progress %q", o.exit, o.stderr)
	}
}

func TestDeployCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	n, module := deployNode(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel() // as Ctrl-C would, while the node compiles
		<-r.Context().Done()
		close(gone)
	})
	commandLine{args: []string{"deploy", "hello", module, "--data", n.data}, ctx: ctx}.run(t).want(t, 1, "",
		"ledge: cancelled\n  nothing is changed, unless the node had finished already: ledge get hello\n")
	<-gone // the node saw it too
}

func TestDeployRefusals(t *testing.T) {
	n, module := deployNode(t, failure(400, "InvalidParameterValueException", "link: unknown import env.foo; use WASI preview 1"))
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, content)
		return path
	}
	big := file("big.wasm", "")
	if err := os.Truncate(big, maxUpload+1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		stderr string
	}{
		{module, "ledge: link: unknown import env.foo; use WASI preview 1\n"},
		{dir + "/none.wasm", "ledge: cannot read " + dir + "/none.wasm: no such file or directory\n"},
		{file("a.wat", "(module)"), "ledge: " + dir + "/a.wat is WebAssembly text, not a module\n  compile it first: wat2wasm " + dir + "/a.wat -o " + dir + "/a.wasm\n"},
		{file("a.py", "x"), "ledge: " + dir + "/a.py has no function called lambda_handler or handler\n  say which to call: --handler a.FUNCTION\n  or write one: def lambda_handler(event, context): return {}\n"},
		{file("a.MJS", "x"), "ledge: " + dir + "/a.MJS has no function called lambda_handler or handler\n  say which to call: --handler a.FUNCTION\n  or write one: export const handler = async (event) => ({})\n"},
		{file("a.b.py", "x"), "ledge: " + dir + "/a.b.py cannot be named by a handler, which is FILE.FUNCTION\n  rename the file so that it has neither white space nor another dot\n"},
		{file("empty.py", ""), "ledge: " + dir + "/empty.py is empty\n  write a handler into it: def lambda_handler(event, context): return {}\n"},
		{file("a.go", "package main"), "ledge: " + dir + "/a.go is source code\n  compile it to WebAssembly first, for example: GOOS=wasip1 GOARCH=wasm go build -o hello.wasm .\n"},
		{file("a.ts", "x"), "ledge: " + dir + "/a.ts is TypeScript\n  compile it to JavaScript first, for example: npx esbuild " + dir + "/a.ts --bundle --format=esm --outfile=index.mjs\n"},
		{file("empty.wasm", ""), "ledge: " + dir + "/empty.wasm is empty\n"},
		{file("elf.wasm", "\x7fELF"), "ledge: " + dir + "/elf.wasm is neither a Wasm module nor a zip\n  deploy a .wasm, a .py, a .js or .mjs, a .zip, or a folder\n"},
		{big, "ledge: " + big + " is too large: at most 50 MB can be uploaded\n  leave out files that the function does not read, or strip the module (wasm-opt -O --strip-debug)\n"},
	} {
		n.run("deploy", "hello", c.path).want(t, 1, "", c.stderr)
	}
	uploads := 0
	for _, c := range n.calls() {
		if strings.HasPrefix(c.Target, "PUT ") {
			uploads++
		}
	}
	if uploads != 1 {
		t.Errorf("%d uploads, want only the one of a module", uploads)
	}
}

func TestDeployUsage(t *testing.T) {
	for _, args := range [][]string{
		{"--memory", "lots"}, {"--memory", "1KB"}, {"--memory", "0"}, {"--timeout", "-1s"}, {"--timeout", "0"},
		{"--concurrency", "0"}, {"--concurrency", "x"}, {"--isolation", "none"}, {"--payload", "3.0"},
		{"--payload", "raw"}, {"--content-type", "a/b", "--route", "GET /"}, {"--env", "=x"},
		{"--runtime", "wasi", "--handler", "run"},
		{"--layer", "libs"}, {"--env", "UNSET"}, {"--env", "A=1", "--env", "A=2"}, {"--topic", "x"},
		{"--cron", ""}, {"--watch", ""}, {"--watch", "/prefix"}, {"--watch", "b/\xff"}, {"--watch-start", "oldest"}, {"--watch", "b", "--watch-start", "middle"},
	} {
		o := commandLine{args: append([]string{"deploy", "hello", "x.wasm"}, args...)}.run(t)
		if o.exit != 2 || !strings.Contains(o.stderr, "usage: ledge deploy NAME PATH") {
			t.Errorf("%v: exit %d: %s", args, o.exit, o.stderr)
		}
	}
}

func TestDeployTooLargeForTheNode(t *testing.T) {
	n, module := deployNode(t, failure(413, awsTooLarge, "Request must be smaller than 70000000 bytes"))
	n.run("deploy", "hello", module).want(t, 1, "",
		"ledge: Request must be smaller than 70000000 bytes\n  send less, or put large data into the function's code or behind a URL\n")
}

func TestDeployOfARouteThatIsTaken(t *testing.T) {
	n, module := deployNode(t, failure(409, awsConflict, "GET /hello belongs to other"))
	n.run("deploy", "hello", module, "--route", "GET /hello").want(t, 1, "",
		"ledge: GET /hello belongs to other\n  see who has the route: ledge route ls; to move it, deploy without it, then: ledge route add --replace 'ROUTE' hello\n")
}

func TestUploadTellsOnceWhenAllIsSent(t *testing.T) {
	times := 0
	u := &upload{Reader: strings.NewReader("12345"), left: 5, sent: func() { times++ }}
	if _, err := io.ReadFull(u, make([]byte, 3)); err != nil || times != 0 {
		t.Errorf("after 3 of 5 bytes: told %d times, %v", times, err)
	}
	if _, err := io.ReadAll(u); err != nil || times != 1 {
		t.Errorf("after all bytes: told %d times, %v", times, err)
	}
}
