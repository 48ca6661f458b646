package cli

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestListFollowsPages(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /2015-03-31/functions/?MaxItems=50":              reply(200, `{"Functions":[`+helloConfig+`],"NextMarker":"a/b"}`),
		"GET /2015-03-31/functions/?Marker=a%2Fb&MaxItems=50": reply(200, `{"Functions":[{"FunctionName":"other","Runtime":"extism","MemorySize":64,"Timeout":3,"Version":"$LATEST","LastModified":"whenever"}]}`),
		"GET /v1/routes": reply(200, someRoutes),
	})
	n.run("ls").want(t, 0, ""+
		"NAME   RUNTIME  MEMORY  TIMEOUT  VERSION  MODIFIED              ROUTES\n"+
		"hello  wasi     128 MB  150ms    $LATEST  2026-11-23T10:00:00Z  GET /hello, POST /raw\n"+
		"other  extism   64 MB   3s       $LATEST  whenever              $default\n", "")
}

func TestListEmpty(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /2015-03-31/functions/?MaxItems=50": reply(200, `{"Functions":[]}`),
	})
	n.run("ls").want(t, 0, "", "no functions yet; deploy one with: ledge deploy NAME PATH\n")
	n.run("ls", "--json").want(t, 0, "{\n  \"Functions\": []\n}\n", "")
}

func TestListThatDoesNotEnd(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /2015-03-31/functions/?MaxItems=50":          reply(200, `{"Functions":[],"NextMarker":"x"}`),
		"GET /2015-03-31/functions/?Marker=x&MaxItems=50": reply(200, `{"Functions":[],"NextMarker":"x"}`),
	})
	o := n.run("ls")
	o.want(t, 1, "", "ledge: the list of functions of "+n.data+"/control.sock does not end\n")
}

func TestGet(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /2015-03-31/functions/hello?Qualifier=live": reply(200, `{"Configuration":`+helloConfig+`,"Code":{}}`),
		"GET /v1/routes": reply(200, someRoutes),
	})
	n.run("get", "hello:live").want(t, 0, `name:         hello
arn:          arn:aws:lambda:us-east-1:000000000000:function:hello
description:  says hello
version:      $LATEST
runtime:      wasi
memory:       128 MB
timeout:      150ms
isolation:    reuse
concurrency:  8
code:         2.0 KB
code sha256:  q83vEjRWeJA=
modified:     2026-11-23T10:00:00Z
allow host:   example.com
allow invoke: *
allow publish: state/+
allow publish: log
allow bucket: orders
allow bucket: stock:read
env:          A=1\x1b[31m
env:          B=2
route:        GET /hello
route:        POST /raw to live (raw)
`, "")

	o := n.run("get", "hello:live", "--json")
	var got struct {
		Configuration map[string]any
		Routes        []route
	}
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil || o.exit != 0 {
		t.Fatalf("exit %d, %v: %s", o.exit, err, o.stdout)
	}
	if got.Configuration["Description"] != "says hello" || len(got.Routes) != 2 {
		t.Errorf("got %+v", got)
	}
}

// TestRestrictedKey: a key for some functions may see neither the routes nor the node's
// address; it shows and removes what is its own.
func TestRestrictedKey(t *testing.T) {
	denied := failure(403, awsDenied, "User: key/r is not authorized to perform: ledge:ListRoutes on resource: this node")
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /2015-03-31/functions/hello":      reply(200, `{"Configuration":`+helloConfig+`,"Code":{}}`),
		"DELETE /2015-03-31/functions/hello":   reply(204, ""),
		"GET /v1/routes":                       denied,
		"PUT /v1/routes":                       reply(200, `{"Route":"GET /c","Function":"hello"}`),
		"GET /v1/version":                      denied,
		"POST /2021-10-31/functions/hello/url": reply(201, `{"FunctionUrl":"http://abc.lambda-url.us-east-1.localhost:8080/"}`),
	})
	if o := n.run("get", "hello"); o.exit != 0 || !strings.Contains(o.stdout, "says hello") || strings.Contains(o.stdout, "route:") {
		t.Errorf("exit %d: %s%s", o.exit, o.stdout, o.stderr)
	}
	if o := n.run("get", "hello", "--json"); o.exit != 0 || strings.Contains(o.stdout, "Routes") {
		t.Errorf("exit %d: %s%s", o.exit, o.stdout, o.stderr)
	}
	n.run("rm", "hello").want(t, 0, "removed hello\n", "")
	n.run("route", "add", "GET /c", "hello").want(t, 0, "added route GET /c to hello\n", "")
	n.run("url", "create", "hello").want(t, 0, "http://abc.lambda-url.us-east-1.localhost:8080/\n", "")
	reply := deployReply{Created: true, Routes: []route{{Route: "GET /c", Function: "hello"}}}
	if text := string(describeDeploy(reply, "hello", "", "")); strings.Contains(text, "curl") || !strings.HasSuffix(text, "route:        GET /c\n") {
		t.Errorf("deploy says %s", text)
	}
}

func TestRemove(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/routes":                                 reply(200, someRoutes),
		"DELETE /2015-03-31/functions/hello":             reply(204, ""),
		"DELETE /2015-03-31/functions/other?Qualifier=3": reply(204, ""),
		"DELETE /2015-03-31/functions/gone":              failure(404, awsNotFound, "Function not found: arn"),
	})
	n.run("rm", "hello", "other:3").want(t, 0,
		"removed hello\nremoved route GET /hello\nremoved route POST /raw\nremoved other:3\n", "")
	n.run("rm", "hello", "gone", "other:3").want(t, 1,
		"removed hello\nremoved route GET /hello\nremoved route POST /raw\n",
		"ledge: function gone not found\n  see what is there: ledge ls\n")
	if o := n.run("rm", "other:3", "--json"); o.exit != 0 || !strings.Contains(o.stdout, `"Qualifier": "3"`) {
		t.Errorf("exit %d: %s", o.exit, o.stdout)
	}
	// A bad name must be found before anything is removed.
	before := len(n.calls())
	for bad, why := range map[string]string{"a b": "is not a function name", "other:live": "is no published version"} {
		if o := n.run("rm", "hello", bad); o.exit != 2 || !strings.Contains(o.stderr, why) {
			t.Errorf("rm %s: exit %d: %s", bad, o.exit, o.stderr)
		}
	}
	if after := len(n.calls()); after != before {
		t.Errorf("%d requests were made for command lines with a bad name", after-before)
	}
}

func TestInvoke(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Executed-Version", "3")
		w.Header().Set("X-Amzn-Requestid", "0123-4567")
		if r.Header.Get("X-Amz-Log-Type") == "Tail" {
			w.Header().Set("X-Amz-Log-Result", "U1RBUlQKaGkbWzMxbQpFTkQK") // START, hi ESC[31m, END
		}
		reply(200, `{"hello":"<Ada>"}`)(w, r)
	}
	const live = "POST /2015-03-31/functions/hello/invocations?Qualifier=live"
	answers := map[string]http.HandlerFunc{
		live: answer,
		"POST /2015-03-31/functions/hello/invocations": answer,
	}
	event := t.TempDir() + "/event.json"
	writeFile(t, event, `{"from":"file"}`)

	for _, c := range []struct {
		name           string
		args           []string
		stdin          string
		terminal       bool
		stdout, stderr string
		target, body   string
	}{
		{"literal", []string{"invoke", "hello", "--payload", `{"a":1}`}, "", false,
			`{"hello":"<Ada>"}`, "", "POST /2015-03-31/functions/hello/invocations", `{"a":1}`},
		{"none", []string{"invoke", "hello:live"}, "ignored", false, `{"hello":"<Ada>"}`, "", live, ""},
		{"qualifier flag", []string{"invoke", "hello", "--qualifier=live"}, "", false, `{"hello":"<Ada>"}`, "", live, ""},
		{"arn", []string{"invoke", "arn:aws:lambda:eu-west-1:000000000000:function:hello:live"}, "", false, `{"hello":"<Ada>"}`, "", live, ""},
		{"file", []string{"invoke", "hello:live", "--payload", "@" + event}, "", false, `{"hello":"<Ada>"}`, "", live, `{"from":"file"}`},
		{"stdin", []string{"invoke", "hello:live", "--payload", "-"}, "piped", false, `{"hello":"<Ada>"}`, "", live, "piped"},
		{"terminal", []string{"invoke", "hello:live"}, "", true, `{"hello":"<Ada>"}`, "\n", live, ""},
		{"tail", []string{"invoke", "hello:live", "--tail"}, "", false, `{"hello":"<Ada>"}`, "START\nhi\\x1b[31m\nEND\n", live, ""},
		{"json", []string{"invoke", "hello:live", "--json", "--tail"}, "", true, `{
  "StatusCode": 200,
  "ExecutedVersion": "3",
  "RequestID": "0123-4567",
  "LogResult": "START\nhi\u001b[31m\nEND\n",
  "Payload": {
    "hello": "<Ada>"
  }
}
`, "", live, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, answers)
			commandLine{args: append(c.args, "--data", n.data), stdin: c.stdin, terminal: c.terminal}.
				run(t).want(t, 0, c.stdout, c.stderr)
			got := n.only(c.target)
			if got.Body != c.body {
				t.Errorf("event %q, want %q", got.Body, c.body)
			}
			if kind := got.Header.Get("X-Amz-Invocation-Type"); kind != "RequestResponse" {
				t.Errorf("invocation type %q", kind)
			}
		})
	}
}

func TestInvokeFunctionError(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"POST /2015-03-31/functions/hello/invocations": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			reply(200, `{"errorType":"Oops"}`)(w, r)
		},
	})
	n.run("invoke", "hello").want(t, 1, `{"errorType":"Oops"}`,
		"ledge: function error: Unhandled\n  see what it logged: ledge logs hello\n")
	o := n.run("invoke", "hello", "--json")
	o.want(t, 1, "*", `{"error":{"code":"FunctionError","message":"function error: Unhandled","hint":"see what it logged: ledge logs hello"}}`+"\n")
	if !strings.Contains(o.stdout, `"FunctionError": "Unhandled"`) {
		t.Errorf("stdout: %s", o.stdout)
	}
}

func TestInvokeJSONOfAnyPayload(t *testing.T) {
	for payload, want := range map[string]string{
		"":         `"Payload": null`,
		"12":       `"Payload": 12`,
		"plain":    `"Payload": "plain"`,
		"\xff\xfe": `"PayloadBase64": "//4="`,
	} {
		n := newNode(t, map[string]http.HandlerFunc{
			"POST /2015-03-31/functions/hello/invocations": reply(200, payload),
		})
		if o := n.run("invoke", "hello", "--json"); o.exit != 0 || !strings.Contains(o.stdout, want) {
			t.Errorf("payload %q: exit %d, %s, want %s", payload, o.exit, o.stdout, want)
		}
	}
}

func TestRoutes(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/routes": reply(200, someRoutes),
		"PUT /v1/routes": reply(200, `{"Route":"GET /users/{id}"}`),
		"DELETE /v1/routes?route=GET+%2Fusers%2F%7Bid%7D": reply(204, ""),
		"DELETE /v1/routes?route=GET+%2Fgone":             failure(404, awsNotFound, "no"),
		"GET /v1/version":                                 reply(200, `{"Version":"1.2.3","HTTP":"0.0.0.0:80"}`),
	})
	n.run("route", "ls").want(t, 0, ""+
		"ROUTE       FUNCTION    PAYLOAD  EVENTS  CORS ORIGINS\n"+
		"GET /hello  hello       2.0      allow   -\n"+
		"POST /raw   hello:live  raw      allow   -\n"+
		"$default    other       2.0      allow   https://a.example, https://b.example\n", "")

	n.run("route", "add", "GET /users/{id}", "hello:live", "--replace",
		"--cors-origin", "https://a.example", "--cors-max-age", "1h", "--cors-credentials").want(t, 0,
		"added route GET /users/{id} to hello:live\n\n  curl http://localhost/users/id\n", "")
	const want = `{"Route":"GET /users/{id}","Function":"hello","Qualifier":"live",` +
		`"CORS":{"AllowOrigins":["https://a.example"],"MaxAge":3600,"AllowCredentials":true},"Replace":true}`
	if got := n.only("PUT /v1/routes").Body; got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}

	n.run("route", "rm", "GET /users/{id}").want(t, 0, "removed route GET /users/{id}\n", "")
	n.run("route", "rm", "GET /gone").want(t, 1, "",
		"ledge: no route \"GET /gone\"\n  see what is there: ledge route ls\n")
	for flag, want := range map[string]string{"--async": "always", "--no-async": "never"} {
		if o := n.run("route", "add", "GET /users/{id}", "hello", flag); o.exit != 0 {
			t.Errorf("%s: exit %d: %s", flag, o.exit, o.stderr)
		}
		calls := n.calls()
		sent := calls[len(calls)-2] // then it asks for the address
		if !strings.Contains(sent.Body, `"Async":"`+want+`"`) {
			t.Errorf("%s: sent %s", flag, sent.Body)
		}
	}
	if o := n.run("route", "add", "GET /x", "hello", "--async", "--no-async"); o.exit != 2 {
		t.Errorf("both: exit %d: %s", o.exit, o.stderr)
	}
	if o := n.run("route", "add", "GET /x", "hello", "--cors-method", "GET"); o.exit != 2 {
		t.Errorf("CORS without an origin: exit %d, want 2", o.exit)
	}
}

func TestRouteConflict(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"PUT /v1/routes": failure(409, awsConflict, "route GET /x belongs to function other."),
	})
	n.run("route", "add", "GET /x", "hello").want(t, 1, "",
		"ledge: route GET /x belongs to function other\n  see who has it: ledge route ls; take it with --replace\n")
}

func TestVersion(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/version": reply(200, `{"Version":"1.3.0","Wasmtime":"44.0.0","Extra":1}`),
	})
	n.run("version").want(t, 0, ""+
		"ledge:        1.2.3 (commit abc1234, go1.26)\n"+
		"node:         1.3.0 (wasmtime 44.0.0) at "+n.data+"/control.sock\n", "")
	if o := n.run("version", "--json"); !strings.Contains(o.stdout, `"Extra": 1`) {
		t.Errorf("the node's members are not passed on: %s", o.stdout)
	}

	none := t.TempDir()
	commandLine{args: []string{"version", "--data", none}}.run(t).want(t, 0, ""+
		"ledge:        1.2.3 (commit abc1234, go1.26)\n"+
		"node:         cannot reach the appliance at "+none+"/control.sock: connect: no such file or directory\n", "")
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		o := commandLine{args: []string{"completion", shell}}.run(t)
		if o.exit != 0 || !strings.Contains(o.stdout, "__complete") || o.stderr != "" {
			t.Errorf("%s: exit %d, %d bytes, %s", shell, o.exit, len(o.stdout), o.stderr)
		}
	}
	if o := (commandLine{args: []string{"completion", "tcsh"}}).run(t); o.exit != 2 {
		t.Errorf("tcsh: exit %d, want 2", o.exit)
	}
}

func TestCompletionAsksTheNode(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /2015-03-31/functions/?MaxItems=50": reply(200, `{"Functions":[{"FunctionName":"hello"},{"FunctionName":"$(rm)"}]}`),
		"GET /v1/routes":                         reply(200, someRoutes),
	})
	for line, want := range map[string]string{
		"invoke|":               "hello\n:4\n",
		"rm|x|":                 "hello\n:4\n",
		"route|add|GET /x|":     "hello\n:4\n",
		"route|rm|":             "GET /hello\nPOST /raw\n$default\n:4\n",
		"deploy|x|--isolation|": "reuse\nfresh\n:4\n",
		"completion|":           "bash\nzsh\nfish\n:4\n",
	} {
		args := append([]string{"__complete", "--data", n.data}, strings.Split(line, "|")...)
		if o := (commandLine{args: args}).run(t); o.exit != 0 || o.stdout != want {
			t.Errorf("%s: exit %d, %q, want %q", line, o.exit, o.stdout, want)
		}
	}
	// Nobody there: no names, and no noise either.
	o := commandLine{args: []string{"__complete", "--data", t.TempDir(), "invoke", ""}}.run(t)
	if o.exit != 0 || o.stdout != ":4\n" {
		t.Errorf("without a node: exit %d, %q", o.exit, o.stdout)
	}
}
