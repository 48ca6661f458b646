package cli

import (
	"net/http"
	"strings"
	"testing"
)

func TestQueueCommands(t *testing.T) {
	const job = `{"Number":5,"State":"waiting","Function":"hello","Qualifier":"live","OrderKey":"k","Priority":5,"Attempts":1,"LastError":"boom\u001b","Due":"2026-11-23T10:00:00.5Z"}`
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/queue-jobs?limit=100":                reply(200, `{"Jobs":[`+job+`],"Next":"YQ"}`),
		"GET /v1/queue-jobs?after=YQ&limit=99":        reply(200, `{"Jobs":[{"Number":7,"State":"held","Function":"other","Due":"2026-11-23T11:00:00Z"}]}`),
		"GET /v1/queue/hello?limit=1":                 reply(200, `{"Jobs":[`+job+`],"Next":"YQ"}`),
		"GET /v1/queue/none?limit=100":                reply(200, `{"Jobs":[]}`),
		"GET /v1/queue-jobs/5":                        reply(200, `{"Number":5,"Payload":"eyJhIjoxfQ=="}`),
		"GET /v1/queue-jobs/9":                        failure(404, awsNotFound, "There is no event 9 in the queue."),
		"DELETE /v1/queue-jobs/5":                     reply(204, ""),
		"GET /v1/queue":                               reply(200, `{"Jobs":3,"Running":1,"Bytes":2097152,"DeadLetters":2,"Dropped":4,"Functions":[{"Function":"hello","Waiting":10000,"Held":1,"Running":1,"AtLeast":true,"NextDue":"2026-11-23T10:00:00Z"}]}`),
		"POST /v1/dead-letters/5/retry":               reply(202, `{"Number":8}`),
		"POST /v1/dead-letters/7/retry":               failure(429, "TooManyRequestsException", "the queue is full"),
		"GET /v1/dead-letters?after=0":                reply(200, `{"DeadLetters":[{"Number":5,"Function":"hello"},{"Number":7,"Function":"other"}]}`),
		"DELETE /v1/queue":                            reply(200, `{"Removed":12}`),
		"DELETE /v1/queue/hello":                      reply(200, `{"Removed":3}`),
		"DELETE /v1/dead-letters":                     reply(200, `{"Removed":2}`),
		"DELETE /v1/dead-letters?function=hello":      reply(200, `{"Removed":1}`),
		"PUT /v1/queue/hello/settings":                reply(200, `{"Ordered":true}`),
		"PUT /v1/queue/hello/settings?Qualifier=live": reply(200, `{"Ordered":false}`),
	})
	n.run("queue", "ls").want(t, 0, ""+
		"NUMBER  STATE    FUNCTION    DUE                   ATTEMPTS  PRIORITY  ORDER  LAST ERROR\n"+
		"5       waiting  hello:live  2026-11-23T10:00:00Z  1         5         k      boom\\x1b\n"+
		"7       held     other       2026-11-23T11:00:00Z  0         0         -      -\n", "")
	if o := n.run("queue", "ls", "hello", "--limit", "1"); o.exit != 0 || !strings.Contains(o.stderr, "there are more") {
		t.Errorf("exit %d: %s%s", o.exit, o.stdout, o.stderr)
	}
	if o := n.run("queue", "ls", "hello", "--limit", "1", "--json"); o.exit != 0 || !strings.Contains(o.stdout, `"More": true`) {
		t.Errorf("exit %d: %s%s", o.exit, o.stdout, o.stderr)
	}
	n.run("queue", "ls", "none").want(t, 0, "", "no event waits\n")
	n.run("queue", "peek", "5").want(t, 0, `{"a":1}`, "")
	const missing = "ledge: there is no event 9 in the queue\n  see which there are: ledge queue ls\n"
	n.run("queue", "peek", "9").want(t, 1, "", missing)
	n.run("queue", "rm", "5").want(t, 0, "removed 5\n", "")
	n.run("queue", "stats").want(t, 0, ""+
		"events:       3, 1 of them running\nsize:         2.0 MB\ngiven up:     2\ndropped:      4, because the queue was full\n\n"+
		"FUNCTION  WAITING  HELD  RUNNING  NEXT DUE\nhello     10000+   1     1        2026-11-23T10:00:00Z\n", "")
	n.run("queue", "retry", "5").want(t, 0, "moved 1 back into the queue\n", "")
	n.run("queue", "retry", "--all", "--function", "hello").want(t, 0, "moved 1 back into the queue\n", "")
	n.run("queue", "retry", "--all", "--function", "nobody").want(t, 0, "", "no event was given up\n")
	if o := n.run("queue", "retry", "--all"); o.exit != 1 || !strings.Contains(o.stderr, "moved 1 of 2 events") || !strings.Contains(o.stderr, "the queue is full") {
		t.Errorf("exit %d: %s%s", o.exit, o.stdout, o.stderr)
	}
	n.run("queue", "purge", "--yes").want(t, 0, "removed 12\n", "")
	n.run("queue", "purge", "--yes", "--function", "hello").want(t, 0, "removed 3\n", "")
	n.run("queue", "purge", "--yes", "--dead").want(t, 0, "removed 2\n", "")
	n.run("queue", "purge", "--yes", "--dead", "--function", "hello").want(t, 0, "removed 1\n", "")
	n.run("queue", "order", "hello", "on").want(t, 0, "order of hello: on\n", "")
	n.run("queue", "order", "hello:live", "off").want(t, 0, "order of hello:live: off\n", "")
	if got := n.only("PUT /v1/queue/hello/settings"); got.Body != `{"Ordered":true}` {
		t.Errorf("sent %s", got.Body)
	}
}

func TestQueueBatch(t *testing.T) {
	for _, c := range []struct{ args, out, sent string }{
		{"hello 100", "batches of hello: up to 100 events\n", `{"BatchSize":100,"BatchWindowSeconds":0}`},
		{"hello 2 --window 5m", "batches of hello: up to 2 events, waiting up to 5m0s\n", `{"BatchSize":2,"BatchWindowSeconds":300}`},
		{"hello off", "batches of hello: off\n", `{"BatchSize":0}`},
		{"hello off --json", "{\n  \"Ordered\": false,\n  \"BatchSize\": 1\n}\n", `{"BatchSize":0}`},
	} {
		n := newNode(t, map[string]http.HandlerFunc{"PUT /v1/queue/hello/settings": reply(200, `{"Ordered":false,"BatchSize":1}`)})
		n.run(append([]string{"queue", "batch"}, strings.Fields(c.args)...)...).want(t, 0, c.out, "")
		if got := n.only("PUT /v1/queue/hello/settings"); got.Body != c.sent {
			t.Errorf("%s: sent %s", c.args, got.Body)
		}
	}
}

func TestQueueOfNobody(t *testing.T) {
	missing := failure(404, awsNotFound, "Function not found: arn:aws:lambda:eu-north-1:000000000000:function:nobody")
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/queue/nobody?limit=100": missing, "DELETE /v1/queue/nobody": missing, "PUT /v1/queue/nobody/settings": missing,
	})
	for _, args := range [][]string{{"ls", "nobody"}, {"purge", "--function", "nobody", "--yes"}, {"order", "nobody", "on"}, {"batch", "nobody", "5"}} {
		n.run(append([]string{"queue"}, args...)...).want(t, 1, "", "ledge: function nobody not found\n  see what is there: ledge ls\n")
	}
}

// An event whose function is gone keeps no other from being tried again.
func TestQueueRetryAll(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/dead-letters?after=0":  reply(200, `{"DeadLetters":[{"Number":5,"Function":"gone"},{"Number":7,"Function":"hello"}]}`),
		"POST /v1/dead-letters/5/retry": failure(404, awsNotFound, "There is no function gone any more."),
		"POST /v1/dead-letters/7/retry": reply(202, `{"Number":8}`),
	})
	o := n.run("queue", "retry", "--all")
	if o.exit != 1 || !strings.Contains(o.stderr, "moved 1 of 2 events") || !strings.Contains(o.stderr, "no function gone") {
		t.Errorf("exit %d: %s%s", o.exit, o.stdout, o.stderr)
	}
	if o := n.run("queue", "retry", "5", "7"); o.exit != 1 || strings.Contains(o.stderr, "moved") {
		t.Errorf("exit %d: %s%s", o.exit, o.stdout, o.stderr)
	}
}

// What is wrong is told before the node is asked, above all what would destroy much.
func TestQueueUsage(t *testing.T) {
	n := newNode(t, nil)
	for _, args := range [][]string{
		{"purge"}, {"purge", "--dead"}, {"purge", "--function", "hello"}, {"purge", "--function", "hello:live", "--yes"}, {"purge", "x"},
		{"retry"}, {"retry", "5", "--all"}, {"retry", "5", "--function", "f"}, {"retry", "x"}, {"retry", "5/6"},
		{"rm"}, {"rm", "x"}, {"rm", "5", "-1"}, {"peek"}, {"peek", ""}, {"peek", "5/6"},
		{"ls", "hello:live"}, {"ls", "a", "b"}, {"ls", "--limit", "0"}, {"order", "hello"}, {"order", "hello", "yes"}, {"order", "a/b", "on"},
		{"batch", "hello"}, {"batch", "hello", "1"}, {"batch", "hello", "1001"}, {"batch", "hello", "on"}, {"batch", "a/b", "5"}, {"batch", "hello", "off", "--window", "5s"},
		{"batch", "hello", "5", "--window", "301s"}, {"batch", "hello", "5", "--window", "1500ms"}, {"batch", "hello", "5", "--window=-1s"},
	} {
		if o := n.run(append([]string{"queue"}, args...)...); o.exit != 2 || o.stdout != "" {
			t.Errorf("%q: exit %d: %s%s", args, o.exit, o.stdout, o.stderr)
		}
	}
}

// TestQueueEndless: a node that repeats itself is told from one with many events.
func TestQueueEndless(t *testing.T) {
	for _, page := range []string{`{"Jobs":[],"Next":"YQ"}`, `{"Jobs":["x"],"Next":""}`} {
		n := newNode(t, map[string]http.HandlerFunc{"GET /v1/queue-jobs?limit=100": reply(200, page)})
		if o := n.run("queue", "ls"); o.exit != 1 || !strings.Contains(o.stderr, "is not one") {
			t.Errorf("%s: exit %d: %s", page, o.exit, o.stderr)
		}
	}
}
