package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestErrorsOfTheNode(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		stderr string
	}{
		{"missing", failure(404, awsNotFound, "Function not found: arn:aws:lambda:x"),
			"ledge: function hello not found\n  see what is there: ledge ls\n"},
		{"small message", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("x-amzn-ErrorType", "com.amazonaws.lambda#TooManyRequestsException:http://x")
			reply(429, `{"message":"Rate Exceeded."}`)(w, r)
		}, "ledge: Rate Exceeded\n  all of the function's concurrency is in use: try again, or deploy it with a higher --concurrency\n"},
		{"code in the body", reply(412, `{"__type":"PreconditionFailedException","message":"revision"}`),
			"ledge: revision\n  somebody changed it in the meantime: look at it with ledge get, then try again\n"},
		{"code only", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("x-amzn-ErrorType", awsTooLarge)
			reply(413, `{}`)(w, r)
		}, "ledge: the node answered RequestTooLargeException\n  send less, or put large data into the function's code or behind a URL\n"},
		{"overloaded", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "2")
			failure(503, awsServiceFailed, "node is out of memory budget")(w, r)
		}, "ledge: node is out of memory budget\n  the node is overloaded: try again in 2 s\n"},
		{"full disk", failure(507, awsServiceFailed, "no space left"),
			"ledge: no space left\n  make room on the disk of the data folder, then try again\n"},
		{"broken", failure(500, awsServiceFailed, "it broke"),
			"ledge: it broke\n  this is a failure of the node, not of your request: see its output\n"},
		{"forbidden", reply(403, `{"Message":"not from here"}`),
			"ledge: not from here\n  the node does not take this from here; on the node itself use its socket: --data DIR\n"},
		{"unknown operation", failure(501, awsNotSupported, "no such operation"),
			"ledge: no such operation\n  the node may be older than this command: compare them with ledge version\n"},
		{"full queue", failure(429, awsThrottled, "Rate Exceeded: queue is full: it holds 5 events"),
			"ledge: Rate Exceeded: queue is full: it holds 5 events\n  see what waits: ledge queue ls; remove what nobody needs: ledge queue purge;\n" +
				"  or start the node with more room: ledge serve --queue-jobs N --queue-bytes SIZE, or with --queue-when-full drop-oldest\n"},
		{"a name with a dot", failure(400, "InvalidParameterValueException", "a name does not begin with function."),
			"ledge: a name does not begin with function.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, map[string]http.HandlerFunc{"GET /2015-03-31/functions/hello": c.answer})
			n.run("get", "hello").want(t, 1, "", c.stderr)
		})
	}
}

// raw answers with exactly these bytes and hangs up.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

func TestHostileAnswers(t *testing.T) {
	const confused = "\n  is something else listening there, or a node of another version? ask it: ledge version\n"
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		stderr string // NODE stands for the socket
	}{
		{"not JSON", reply(200, "<html>hi</html>"),
			"ledge: the answer of NODE to GET /2015-03-31/functions/hello is not what a Ledge node sends: \"<html>hi</html>\"" + confused},
		{"wrong types", reply(200, `{"Configuration":[1]}`),
			"ledge: the answer of NODE holds no configuration: \"{\\\"Configuration\\\":[1]}\"\n"},
		{"no configuration", reply(200, `{}`),
			"ledge: the answer of NODE holds no configuration: \"{}\"\n"},
		{"empty", reply(200, ""),
			"ledge: the answer of NODE to GET /2015-03-31/functions/hello is not what a Ledge node sends: it is empty" + confused},
		{"error that is HTML", reply(502, "<h1>Bad\x1b[2J Gateway</h1>"),
			"ledge: NODE answered 502 Bad Gateway and not as a Ledge node does: \"<h1>Bad\\x1b[2J Gateway</h1>\"" + confused},
		{"the port of the routes", reply(404, `{"message":"Not Found"}`),
			"ledge: NODE answered 404 Not Found and not as a Ledge node does: \"{\\\"message\\\":\\\"Not Found\\\"}\"" + confused},
		{"error that is long", reply(500, strings.Repeat("x", 1000)),
			"ledge: NODE answered 500 Internal Server Error and not as a Ledge node does: \"" + strings.Repeat("x", 80) + "\"..." + confused},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
		},
			"ledge: NODE answered 301 Moved Permanently and not as a Ledge node does: \"<a href=\\\"/elsewhere\\\">Moved Permanently</a>.\\n\\n\"" + confused},
		{"truncated", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Conf"),
			"ledge: the answer of NODE broke off: the other side closed it\n  the appliance may have stopped; see its output, and: ledge version\n"},
		{"truncated error", raw("HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\n{\"Mess"),
			"ledge: the answer of NODE broke off: the other side closed it\n  the appliance may have stopped; see its output, and: ledge version\n"},
		{"hang-up", raw(""),
			"ledge: lost the connection to the appliance at NODE: the other side closed it\n  it may have stopped; see its output, and: ledge version\n"},
		{"full queue", failure(429, awsThrottled, "Rate Exceeded: queue is full: it holds 5 events"),
			"ledge: Rate Exceeded: queue is full: it holds 5 events\n  see what waits: ledge queue ls; remove what nobody needs: ledge queue purge;\n" +
				"  or start the node with more room: ledge serve --queue-jobs N --queue-bytes SIZE, or with --queue-when-full drop-oldest\n"},
		{"a name with a dot", failure(400, "InvalidParameterValueException", "a name does not begin with function."),
			"ledge: a name does not begin with function.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, map[string]http.HandlerFunc{"GET /2015-03-31/functions/hello": c.answer})
			n.run("get", "hello").want(t, 1, "", strings.ReplaceAll(c.stderr, "NODE", n.data+"/control.sock"))
		})
	}
	t.Run("not HTTP", func(t *testing.T) {
		n := newNode(t, map[string]http.HandlerFunc{"GET /2015-03-31/functions/hello": raw("SSH-2.0-OpenSSH_9.2\r\n")})
		o := n.run("get", "hello")
		if o.exit != 1 || !strings.Contains(o.stderr, "lost the connection to the appliance at "+n.data+"/control.sock: ") {
			t.Errorf("exit %d: %s", o.exit, o.stderr)
		}
	})
}

func TestAnswerThatIsTooLarge(t *testing.T) {
	c := &client{node: "NODE", now: time.Now}
	for size, want := range map[int]string{1024: "", 1025: "the answer of NODE is larger than 1.0 KB"} {
		resp := &http.Response{Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size)))}
		text, err := c.readReply(t.Context(), resp, 1024)
		if want == "" && (err != nil || len(text) != size) || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%d bytes: got %d bytes, %v", size, len(text), err)
		}
	}
}

func TestCallTimesOut(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/version": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	})
	c := (&app{now: time.Now}).socketClient(n.data)
	_, err := c.call(t.Context(), request{method: http.MethodGet, path: pathVersion}, time.Millisecond, nil)
	if err == nil || !strings.HasSuffix(err.Error(), "did not answer in time") {
		t.Errorf("got %v", err)
	}
}

func TestCancelledCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := newNode(t, map[string]http.HandlerFunc{
		"POST /2015-03-31/functions/hello/invocations": func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		},
	})
	commandLine{args: []string{"invoke", "hello", "--data", n.data}, ctx: ctx}.run(t).want(t, 1, "", "ledge: cancelled\n")
}

func TestEndpoint(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != "/prefix/v1/version" {
			t.Errorf("got %s", r.RequestURI)
		}
		reply(200, `{"Version":"9"}`)(w, r)
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	for _, c := range []commandLine{
		{args: []string{"version", "--endpoint", server.URL + "/prefix/"}},
		{args: []string{"--endpoint", address + "/prefix", "version"}},
		{args: []string{"version"}, env: map[string]string{"LEDGE_ENDPOINT": server.URL + "/prefix", "LEDGE_DATA": "/none"}},
	} {
		c.run(t).want(t, 0, "ledge:        1.2.3 (commit abc1234, go1.26)\nnode:         9 at http://"+address+"/prefix\n", "")
	}

	// A flag for the data folder wins over an endpoint in the environment.
	c := commandLine{args: []string{"ls", "--data", "/none"}, env: map[string]string{"LEDGE_ENDPOINT": server.URL}}
	if o := c.run(t); !strings.Contains(o.stderr, "/none/control.sock") {
		t.Errorf("stderr: %s", o.stderr)
	}
}

func TestEndpointThatNobodyListensAt(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	commandLine{args: []string{"ls", "--endpoint", address}}.run(t).want(t, 1, "",
		"ledge: cannot reach the appliance at http://"+address+": connect: connection refused\n"+
			"  is it running, and does its --control address accept connections from here?\n")
}

func TestSocketPathThatIsTooLong(t *testing.T) {
	data := "/tmp/" + strings.Repeat("x", 120)
	commandLine{args: []string{"ls", "--data", data}}.run(t).want(t, 1, "", fmt.Sprintf(
		"ledge: cannot reach the appliance at %s/control.sock: connect: invalid argument\n"+
			"  the path of a socket may have 107 bytes at most; use a shorter --data path\n", data))
}

func TestRoutesURL(t *testing.T) {
	for listen, want := range map[string]string{
		`":8080"`: "http://localhost:8080", `"0.0.0.0:9"`: "http://localhost:9", `"[::]:80"`: "http://localhost",
		`"10.1.2.3:80"`: "http://10.1.2.3", `"[fd00::1]:80"`: "http://[fd00::1]", `"[fd00::1]:81"`: "http://[fd00::1]:81",
		`""`: "", `"nonsense"`: "", `":x"`: "", `5`: "", // not known, so not guessed
	} {
		n := newNode(t, map[string]http.HandlerFunc{"GET /v1/version": reply(200, `{"HTTP":`+listen+`}`)})
		if got := (&app{now: time.Now}).socketClient(n.data).routesURL(t.Context()); got != want {
			t.Errorf("%s: got %s, want %s", listen, got, want)
		}
	}
}

func TestCurlLine(t *testing.T) {
	for r, want := range map[string]string{
		"GET /":               "curl http://h/",
		"ANY /a/{proxy+}":     "curl http://h/a/proxy",
		"HEAD /a":             "curl --head http://h/a",
		"DELETE /u/{id}/x":    "curl -X DELETE http://h/u/id/x",
		"PUT /it's":           `curl -X PUT -H 'Content-Type: application/json' -d '{}' 'http://h/it'\''s'`,
		"$default":            "curl http://h/",
		"GET /a;rm -rf $HOME": "curl 'http://h/a;rm -rf $HOME'",
	} {
		if got := curlLine("http://h", route{Route: r}); got != want {
			t.Errorf("%s: got %s, want %s", r, got, want)
		}
	}
}
