package cli

import (
	"net/http"
	"strings"
	"testing"
)

func TestFailed(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/dead-letters?after=0":  reply(200, `{"DeadLetters":[{"Number":5,"Function":"hello","Qualifier":"live","Reason":"retries are used up","LastError":"boom\u001b","Attempts":3,"GivenUp":"2026-11-23T10:00:00.5Z"}],"More":true}`),
		"GET /v1/dead-letters?after=5":  reply(200, `{"DeadLetters":[{"Number":7,"Function":"other","GivenUp":"2026-11-23T11:00:00Z"}]}`),
		"GET /v1/dead-letters/5":        reply(200, `{"Number":5,"Payload":"eyJhIjoxfQ=="}`),
		"DELETE /v1/dead-letters/5":     reply(204, ""),
		"GET /v1/dead-letters/9":        failure(404, awsNotFound, "There is no dead letter 9."),
		"POST /v1/dead-letters/9/retry": failure(404, awsNotFound, "There is no dead letter 9."),
	})
	n.run("failed", "ls").want(t, 0, ""+
		"NUMBER  GIVEN UP              FUNCTION    ATTEMPTS  WHY                  LAST ERROR\n"+
		"5       2026-11-23T10:00:00Z  hello:live  3         retries are used up  boom\\x1b\n"+
		"7       2026-11-23T11:00:00Z  other       0         -                    -\n", "")
	n.run("failed", "get", "5").want(t, 0, `{"a":1}`, "")
	if o := n.run("failed", "get", "5", "--json"); o.exit != 0 || !strings.Contains(o.stdout, `"Payload": "eyJhIjoxfQ=="`) {
		t.Errorf("exit %d: %s", o.exit, o.stdout)
	}
	const missing = "ledge: there is no failed event 9\n  see which there are: ledge failed ls\n"
	n.run("failed", "get", "9").want(t, 1, "", missing)
	n.run("failed", "rm", "5", "9").want(t, 1, "removed 5\n", missing)
	n.run("queue", "retry", "9").want(t, 1, "", "ledge: There is no dead letter 9\n  see which events were given up: ledge failed ls\n")
	for _, bad := range []string{"x", "-1", "5/6", ""} {
		if o := n.run("failed", "rm", "5", bad); o.exit != 2 {
			t.Errorf("rm %q: exit %d: %s", bad, o.exit, o.stderr)
		}
	}
	if got := n.only("DELETE /v1/dead-letters/5"); got.Body != "" {
		t.Errorf("sent %s", got.Body)
	}
	commandLine{args: []string{"__complete", "--data", n.data, "failed", "rm", ""}}.run(t).want(t, 0, "5\n7\n:4\n", "*")
}

func TestNothingFailed(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{"GET /v1/dead-letters?after=0": reply(200, `{"DeadLetters":[]}`)})
	n.run("failed", "ls").want(t, 0, "", "no event was given up\n")
	n.run("failed", "ls", "--json").want(t, 0, "{\n  \"DeadLetters\": []\n}\n", "")
}

// TestFailedEndless: a node that repeats itself is told from one with many letters.
func TestFailedEndless(t *testing.T) {
	for _, page := range []string{`{"DeadLetters":[],"More":true}`, `{"DeadLetters":[{"Number":0}],"More":true}`, `{"DeadLetters":["x"],"More":true}`} {
		n := newNode(t, map[string]http.HandlerFunc{"GET /v1/dead-letters?after=0": reply(200, page)})
		if o := n.run("failed", "ls"); o.exit != 1 || !strings.Contains(o.stderr, "is not one") {
			t.Errorf("%s: exit %d: %s", page, o.exit, o.stderr)
		}
	}
}
