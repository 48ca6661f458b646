package awsapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ledge/persist"
)

func TestQueueEvent(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	var first, second queued
	r := n.want(http.StatusAccepted, "POST", "/v1/queue/hello?order=a&dedup=x&priority=9&delay=60", []byte(`{"a":1}`))
	r.into(t, &first)
	if first.RequestId == "" || r.Header.Get("X-Amzn-Requestid") != first.RequestId || first.Duplicate {
		t.Errorf("got %+v", first)
	}
	n.want(http.StatusAccepted, "POST", "/v1/queue/hello?dedup=x", []byte(`{}`)).into(t, &second)
	if second.RequestId != first.RequestId || !second.Duplicate {
		t.Errorf("a duplicate is %+v", second)
	}
	n.want(http.StatusAccepted, "POST", "/v1/queue/hello?order=a", nil)

	var list struct {
		Jobs []queuedJob
		Next string
	}
	n.want(http.StatusOK, "GET", "/v1/queue/hello?limit=1", nil).into(t, &list)
	if len(list.Jobs) != 1 || list.Next == "" {
		t.Fatalf("got %+v", list)
	}
	j := list.Jobs[0]
	if j.State != "waiting" || j.Function != "hello" || j.RequestId != first.RequestId || j.OrderKey != "a" || j.DedupId != "x" || j.Priority != 9 ||
		time.Until(j.Due) < 50*time.Second || j.Size != 7 || j.Payload != nil {
		t.Errorf("the first is %+v", j)
	}
	next := list.Next
	list.Next = ""
	n.want(http.StatusOK, "GET", "/v1/queue-jobs?after="+url.QueryEscape(next), nil).into(t, &list)
	if len(list.Jobs) != 1 || list.Jobs[0].State != "held" || list.Jobs[0].Priority != persist.UsualPriority || list.Next != "" {
		t.Errorf("after it there are %+v", list)
	}
	var one queuedJob
	n.want(http.StatusOK, "GET", fmt.Sprint("/v1/queue-jobs/", j.Number), nil).into(t, &one)
	if string(one.Payload) != `{"a":1}` {
		t.Errorf("its event is %q", one.Payload)
	}
	var stats struct {
		Jobs      int
		Functions []functionQueue
	}
	n.want(http.StatusOK, "GET", "/v1/queue", nil).into(t, &stats)
	if stats.Jobs != 2 || len(stats.Functions) != 1 || stats.Functions[0].Waiting != 2 || stats.Functions[0].Held != 1 {
		t.Errorf("the queue is %+v", stats)
	}
	n.want(http.StatusNoContent, "DELETE", fmt.Sprint("/v1/queue-jobs/", j.Number), nil)
	n.refused(404, codeNotFound, "no event", "DELETE", fmt.Sprint("/v1/queue-jobs/", j.Number), nil)
	var gone purged
	n.want(http.StatusOK, "DELETE", "/v1/queue/hello", nil).into(t, &gone)
	if gone.Removed != 1 {
		t.Errorf("purged %d", gone.Removed)
	}
	n.want(http.StatusOK, "DELETE", "/v1/queue", nil).into(t, &gone)

	for _, bad := range []string{"priority=10", "priority=-1", "priority=x", "delay=x", "delay=-1", "delay=86401", "delay=99999999999999999999",
		"order=" + strings.Repeat("k", 257), "order=%00", "order=%FF", "dedup=" + strings.Repeat("k", 129), "dedup=%0a"} {
		n.refused(400, codeInvalid, "", "POST", "/v1/queue/hello?"+bad, []byte(`{}`))
	}
	n.refused(400, "ValidationException", "qualifier", "POST", "/v1/queue/hello?Qualifier=%20", []byte(`{}`))
	n.refused(404, codeNotFound, "", "POST", "/v1/queue/nobody", []byte(`{}`))
	n.refused(404, codeNotFound, "", "GET", "/v1/queue/nobody", nil)
	n.refused(404, codeNotFound, "", "DELETE", "/v1/queue/nobody", nil)
	for _, bad := range []string{"limit=0", "limit=1001", "after=%21", "after=eA"} {
		n.refused(400, codeInvalid, "", "GET", "/v1/queue-jobs?"+bad, nil)
	}
	n.refused(400, codeInvalid, "has a number", "GET", "/v1/queue-jobs/x", nil)
	n.queue.err = persist.ErrQueueFull
	n.refused(429, codeThrottled, "full", "POST", "/v1/queue/hello", []byte(`{}`))
}

func TestQueueEvents(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	var reply struct{ Results []entryOutcome }
	n.want(http.StatusOK, "POST", "/v1/queue/hello/batch", []byte(`{"Entries":[
		{"Payload":{"a":1},"OrderKey":"k","Priority":0},
		{"Priority":10},
		{"Payload":1,"PayloadBase64":"AA=="},
		{"PayloadBase64":"?"},
		{"Payload":null,"DedupId":"x"},
		{"DedupId":"x"},
		{"Qualifier":"none"},
		{"Qualifier":"?"},
		{"DelaySeconds":-1}]}`)).into(t, &reply)
	var got []string
	for _, r := range reply.Results {
		switch {
		case r.Error != "":
			got = append(got, r.Error)
		case r.Duplicate:
			got = append(got, "duplicate")
		default:
			got = append(got, "ok")
		}
		if (r.RequestId == "") != (r.Error != "") || (r.Message == "") != (r.Error == "") {
			t.Errorf("an outcome is %+v", r)
		}
	}
	const want = "ok " + codeInvalid + " " + codeInvalid + " " + codeInvalid + " ok duplicate " + codeNotFound + " " + codeInvalid + " " + codeInvalid
	if list := strings.Join(got, " "); list != want {
		t.Errorf("got  %s\nwant %s", list, want)
	}
	jobs, _, err := n.store.Jobs(persist.JobQuery{Limit: 10})
	if err != nil || len(jobs) != 2 {
		t.Fatalf("queued %+v, %v", jobs, err)
	}
	for _, bad := range []string{`{}`, `{"Entries":[]}`, `{"Entries":[` + strings.Repeat("{},", 100) + `{}]}`} {
		n.refused(400, codeInvalid, "1 to 100", "POST", "/v1/queue/hello/batch", []byte(bad))
	}
	n.refused(400, "InvalidRequestContentException", "", "POST", "/v1/queue/hello/batch", []byte(`{"Entries":[{"Priority":"x"}]}`))
}

func TestQueueSettings(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	ordered := func() bool {
		t.Helper()
		var s queueSettings
		n.want(http.StatusOK, "GET", "/v1/queue/hello/settings", nil).into(t, &s)
		return s.Ordered
	}
	if ordered() {
		t.Error("it is ordered at first")
	}
	n.want(http.StatusOK, "PUT", "/v1/queue/hello/settings", []byte(`{"Ordered":true}`))
	// AWS's operations leave it as it is, and do not show it as a configuration of theirs.
	const config = "/2019-09-25/functions/hello/event-invoke-config"
	for _, method := range []string{"GET", "DELETE"} {
		n.refused(404, codeNotFound, "doesn't have an EventInvokeConfig", method, config, nil)
	}
	if r := n.want(http.StatusOK, "GET", config+"/list", nil); strings.Contains(string(r.body), "FunctionArn") {
		t.Errorf("the list is %s", r.body)
	}
	n.want(http.StatusOK, "PUT", config, []byte(`{"MaximumRetryAttempts":1}`))
	n.want(http.StatusNoContent, "DELETE", config, nil)
	n.refused(404, codeNotFound, "doesn't have", "GET", config, nil)
	n.want(http.StatusOK, "PUT", config, []byte(`{"MaximumRetryAttempts":1}`))
	if !ordered() {
		t.Error("it is not ordered")
	}
	n.want(http.StatusOK, "PUT", "/v1/queue/hello/settings", []byte(`{"Ordered":false}`))
	c, err := n.store.GetAsyncConfig("hello", "")
	if err != nil || c.Ordered || *c.MaxRetries != 1 {
		t.Errorf("the configuration is %+v, %v", c, err)
	}
	n.refused(400, codeInvalid, "Ordered", "PUT", "/v1/queue/hello/settings", []byte(`{}`))
	n.want(http.StatusOK, "PUT", "/v1/queue/hello/settings", []byte(`{"BatchSize":100,"BatchWindowSeconds":5}`))
	n.want(http.StatusNoContent, "DELETE", config, nil)
	n.refused(404, codeNotFound, "doesn't have", "GET", config, nil)
	n.want(http.StatusOK, "PUT", config, []byte(`{"MaximumRetryAttempts":0}`))
	for _, step := range []struct {
		put  string
		want queueSettings
	}{
		{`{"Ordered":true}`, queueSettings{true, 100, 5}},
		{`{"BatchWindowSeconds":0,"Ordered":false}`, queueSettings{false, 100, 0}},
		{`{"BatchWindowSeconds":300}`, queueSettings{false, 100, 300}},
		{`{"BatchSize":1000}`, queueSettings{false, 1000, 300}},
		{`{"BatchSize":1}`, queueSettings{false, 1, 0}},
		{`{"BatchSize":2}`, queueSettings{false, 2, 0}},
		{`{"BatchSize":0}`, queueSettings{false, 1, 0}},
	} {
		for _, r := range []reply{
			n.want(http.StatusOK, "PUT", "/v1/queue/hello/settings", []byte(step.put)), n.want(http.StatusOK, "GET", "/v1/queue/hello/settings", nil),
		} {
			var got queueSettings
			r.into(t, &got)
			if got != step.want {
				t.Errorf("after %s there is %+v, want %+v", step.put, got, step.want)
			}
		}
	}
	woken := n.queue.woken
	if woken != 10 { // a batch that waits for its window may be ready with each of them
		t.Errorf("the queue was woken %d times", woken)
	}
	for _, bad := range []string{`{"BatchSize":1001}`, `{"BatchSize":-1}`, `{"BatchSize":2,"BatchWindowSeconds":301}`, `{"BatchSize":2,"BatchWindowSeconds":-1}`, `{"BatchWindowSeconds":5}`} {
		n.refused(400, codeInvalid, "batch", "PUT", "/v1/queue/hello/settings", []byte(bad))
	}
	n.refused(404, codeNotFound, "", "PUT", "/v1/queue/nobody/settings", []byte(`{"Ordered":true}`))
	n.refused(404, codeNotFound, "", "GET", "/v1/queue/nobody/settings", nil)
	if n.queue.woken != woken {
		t.Error("the queue was woken for settings that were refused")
	}
}

func TestRetryDeadLetter(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	bury := func() {
		t.Helper()
		job, err := n.store.Enqueue(persist.Job{ID: "id", Function: "hello", Payload: []byte("1")}, persist.DefaultQueueLimits(), true)
		if err == nil {
			err = n.store.Bury(job, "no use")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	bury()
	n.queue.err = persist.ErrQueueFull
	n.refused(429, codeThrottled, "full", "POST", "/v1/dead-letters/1/retry", nil)
	n.queue.err = nil
	var reply struct {
		Number    uint64
		RequestId string
	}
	n.want(http.StatusAccepted, "POST", "/v1/dead-letters/1/retry", nil).into(t, &reply)
	if reply.Number == 0 || reply.RequestId != "id" {
		t.Errorf("got %+v", reply)
	}
	n.refused(404, codeNotFound, "no dead letter 1", "POST", "/v1/dead-letters/1/retry", nil)
	n.refused(400, codeInvalid, "has a number", "POST", "/v1/dead-letters/x/retry", nil)
	bury()
	var gone purged
	for function, want := range map[string]int{"?function=other": 0, "?function=hello": 1} {
		n.want(http.StatusOK, "DELETE", "/v1/dead-letters"+function, nil).into(t, &gone)
		if gone.Removed != want {
			t.Errorf("purged %d of %s", gone.Removed, function)
		}
	}
}

// FuzzQueueEvents sends any batch: each entry has an outcome, or all are refused.
func FuzzQueueEvents(f *testing.F) {
	f.Add([]byte(`{"Entries":[{"Payload":1,"Priority":3,"DelaySeconds":5},{"PayloadBase64":"AAA=","OrderKey":"k"}]}`))
	f.Add([]byte(`{"Entries":[{"Payload":` + strings.Repeat("[", 1000) + `}]}`))
	n := newNode(f)
	n.create("hello")
	f.Fuzz(func(t *testing.T, body []byte) {
		n.t = t
		r := n.call("POST", "/v1/queue/hello/batch", body)
		var asked struct{ Entries []json.RawMessage }
		var reply struct{ Results []entryOutcome }
		switch r.StatusCode {
		case http.StatusOK:
			r.into(t, &reply)
			if err := json.Unmarshal(body, &asked); err != nil || len(asked.Entries) != len(reply.Results) {
				t.Errorf("%d outcomes for %s: %v", len(reply.Results), body, err)
			}
		case http.StatusBadRequest:
		default:
			t.Errorf("status %d: %s", r.StatusCode, r.body)
		}
		if _, _, err := n.store.PurgeJobs(""); err != nil {
			t.Error(err)
		}
	})
}
