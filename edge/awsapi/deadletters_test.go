package awsapi

import (
	"fmt"
	"net/http"
	"testing"

	"ledge/persist"
)

func TestDeadLetters(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	type list struct {
		DeadLetters []deadLetter
		More        bool
	}
	var none list
	n.want(http.StatusOK, "GET", "/v1/dead-letters", nil).into(t, &none)
	if none.DeadLetters == nil || len(none.DeadLetters) != 0 || none.More {
		t.Errorf("at first there are %+v", none)
	}
	for id, payload := range []string{`{"a":1}`, "\x00\xff", "3"} {
		job := persist.Job{ID: fmt.Sprint("id-", id), Function: "hello", Qualifier: "live", Source: "async", Payload: []byte(payload)}
		job, err := n.store.Enqueue(job, persist.DefaultQueueLimits(), true)
		if err != nil {
			t.Fatal(err)
		}
		job.LastError = "it failed"
		if err := n.store.Bury(job, "retries are used up"); err != nil {
			t.Fatal(err)
		}
	}
	var first, rest list
	n.want(http.StatusOK, "GET", "/v1/dead-letters?limit=2", nil).into(t, &first)
	if len(first.DeadLetters) != 2 || !first.More {
		t.Fatalf("the first two are %+v", first)
	}
	l := first.DeadLetters[0]
	if l.Number != 1 || l.Function != "hello" || l.Qualifier != "live" || l.RequestId != "id-0" || l.Source != "async" || l.Attempts != 1 ||
		l.Reason != "retries are used up" || l.LastError != "it failed" || l.Queued.IsZero() || l.GivenUp.IsZero() || l.Payload != nil {
		t.Errorf("the first is %+v", l)
	}
	n.want(http.StatusOK, "GET", "/v1/dead-letters?after=2", nil).into(t, &rest)
	if len(rest.DeadLetters) != 1 || rest.DeadLetters[0].Number != 3 || rest.More {
		t.Errorf("after the second there are %+v", rest)
	}
	var second deadLetter
	n.want(http.StatusOK, "GET", "/v1/dead-letters/2", nil).into(t, &second)
	if string(second.Payload) != "\x00\xff" {
		t.Errorf("the second has the event %q", second.Payload)
	}
	n.want(http.StatusNoContent, "DELETE", "/v1/dead-letters/2", nil)
	for _, method := range []string{"GET", "DELETE"} {
		n.refused(404, codeNotFound, "no dead letter 2", method, "/v1/dead-letters/2", nil)
		n.refused(400, codeInvalid, "has a number", method, "/v1/dead-letters/x", nil)
	}
	for _, bad := range []string{"limit=0", "limit=1001", "limit=x", "after=x", "after=-1"} {
		n.refused(400, codeInvalid, "", "GET", "/v1/dead-letters?"+bad, nil)
	}
}
