package gateway

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"ledge/engine"
	"ledge/persist"

	"github.com/valyala/fasthttp"
)

// queueFunc is a queue that a test writes.
type queueFunc func(persist.Job) (persist.Job, error)

func (f queueFunc) Submit(job persist.Job) (persist.Job, error) { return f(job) }

// takesEvents is a server with a route of each kind and a URL, whose functions
// answer with a text.
func takesEvents(t *testing.T, queue Queue) *Server {
	t.Helper()
	never, always, event := raw(route(t, "POST /never")), raw(route(t, "ANY /always")), route(t, "POST /event/{id}")
	never.Events, always.Events = EventsNever, EventsAlways
	always.Qualifier = "live"
	always.CORS = &CORS{AllowOrigins: []string{"*"}}
	s := newServer(t, Config{Invoker: replies(`"ran"`), Queue: queue}, raw(route(t, "POST /raw")), never, always, event)
	plain := func(r Route) Route { return r }
	guarded := func(r Route) Route { r.KeyRequired = true; return r }
	apis, err := NewAPIs(Published{APIs: []API{
		{ID: "url1", Kind: KindURL, Stages: []Stage{stageOf(t, "$default", plain, "$default")}},
		{ID: "http1", Kind: KindHTTP, Stages: []Stage{stageOf(t, "$default", plain, "$default")}},
		{ID: "closed", Kind: KindURL, Stages: []Stage{stageOf(t, "$default", guarded, "$default")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.SetAPIs(apis)
	return s
}

// post is a request with a header line, and a body.
func post(path, header, body string) string {
	if header != "" {
		header += "\r\n"
	}
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n%s", path, header, len(body), body)
}

const eventHeader = "X-Amz-Invocation-Type: Event"

func TestEvents(t *testing.T) {
	var job *persist.Job
	s := takesEvents(t, queueFunc(func(j persist.Job) (persist.Job, error) {
		j.Payload = append([]byte{}, j.Payload...)
		job = &j
		return j, nil
	}))
	for _, test := range []struct {
		path, header string
		status       int
		queued       string // payload; empty: nothing was queued
	}{
		{"/raw", "", 200, ""},
		{"/raw", "X-Amz-Invocation-Type: RequestResponse", 200, ""},
		{"/raw", eventHeader, 202, "body"},
		{"/raw", "x-amz-invocation-type: Event", 202, "body"},
		{"/raw", "X-Amz-Invocation-Type: DryRun", 400, ""},
		{"/raw", "X-Amz-Invocation-Type: event", 400, ""},
		{"/never", "", 200, ""},
		{"/never", eventHeader, 403, ""},
		{"/never", "X-Amz-Invocation-Type: Other", 400, ""},
		{"/always", "", 202, "body"},
		{"/always", "X-Amz-Invocation-Type: RequestResponse", 202, "body"},
		{"/event/7", eventHeader, 202, `"pathParameters":{"id":"7"}`},
		{"/_aws/lambda-url/url1/", eventHeader, 202, `"version":"2.0"`},
		{"/_aws/lambda-url/closed/", eventHeader, 403, ""}, // what guards it comes first
		{"/_aws/execute-api/http1/", eventHeader, 200, ""}, // as on AWS: it is the function's to see
	} {
		t.Run(test.path+" "+test.header, func(t *testing.T) {
			job = nil
			ctx := newCtx(t, post(test.path, test.header, "body"))
			s.handle(ctx)
			out := &ctx.Response
			if out.StatusCode() != test.status {
				t.Fatalf("status %d, want %d: %s", out.StatusCode(), test.status, out.Body())
			}
			if (job != nil) != (test.queued != "") {
				t.Fatalf("queued %+v", job)
			}
			if job == nil {
				return
			}
			if !strings.Contains(string(job.Payload), test.queued) || job.Function != "f" || job.Priority != persist.UsualPriority || job.Depth != 0 {
				t.Errorf("queued %+v with %s", job, job.Payload)
			}
			if id := string(out.Header.Peek("X-Amzn-Requestid")); id != job.ID || len(out.Body()) != 0 {
				t.Errorf("answered with ID %s and %q, queued as %s", id, out.Body(), job.ID)
			}
		})
	}

	ctx := newCtx(t, post("/always", "Origin: https://b.example\r\nX-Ledge-Dedup-Id: d\r\nX-Ledge-Order-Key: o", ""))
	s.handle(ctx)
	if job.DedupID != "d" || job.OrderKey != "o" || job.Qualifier != "live" || string(ctx.Response.Header.Peek("Access-Control-Allow-Origin")) != "*" {
		t.Errorf("queued %+v, answered %s", job, &ctx.Response.Header)
	}
}

// TestEventsThatAreNotTaken: nothing but what is on disk is answered with 202.
func TestEventsThatAreNotTaken(t *testing.T) {
	large := strings.Repeat("\xff", persist.MaxJobPayload*7/8) // more in base64
	const earlier = "01234567-89ab-cdef-0123-456789abcdef"
	for _, test := range []struct {
		name   string
		err    error
		body   string
		status int
		retry  string
	}{
		{"full", fmt.Errorf("submit: %w", persist.ErrQueueFull), "", 429, "5"},
		{"stopping", persist.ErrClosed, "", 503, "5"},
		{"engine stopping", engine.ErrClosed, "", 503, "5"},
		{"no function", persist.ErrNotFound, "", 404, ""},
		{"bad header", persist.ErrInvalid, "", 400, ""},
		{"broken", errors.New("secret"), "", 500, ""},
		{"too large", errors.New("submitted"), large, 413, ""},
		{"double", nil, "", 202, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := takesEvents(t, queueFunc(func(j persist.Job) (persist.Job, error) {
				j.ID = earlier
				return j, test.err
			}))
			ctx := newCtx(t, post("/event/1", eventHeader, test.body))
			s.handle(ctx)
			out := &ctx.Response
			if out.StatusCode() != test.status || string(out.Header.Peek("Retry-After")) != test.retry || strings.Contains(string(out.Body()), "secret") {
				t.Errorf("answered %d, Retry-After %s: %s", out.StatusCode(), out.Header.Peek("Retry-After"), out.Body())
			}
			if test.status == 413 && !strings.Contains(string(out.Body()), "1048576") {
				t.Errorf("the limit is not said: %s", out.Body())
			}
			if id := string(out.Header.Peek("X-Amzn-Requestid")); (id == earlier) != (test.err == nil) {
				t.Errorf("request ID %s", id)
			}
		})
	}
	s := takesEvents(t, nil)
	ctx := newCtx(t, post("/raw", eventHeader, ""))
	if s.handle(ctx); ctx.Response.StatusCode() != fasthttp.StatusNotImplemented {
		t.Errorf("without a queue: %d", ctx.Response.StatusCode())
	}
}

func TestEventsOfRoutesAreChecked(t *testing.T) {
	bad := route(t, "GET /a")
	bad.Events = eventsOfAWS
	if _, err := NewTable([]Route{bad}); err == nil {
		t.Error("a route of the node with the setting of APIs is taken")
	}
	bad.Events = EventsAlways
	api := API{ID: "url1", Kind: KindURL, Stages: []Stage{{Name: "$default", Routes: []Route{bad}}}}
	if _, err := NewAPIs(Published{APIs: []API{api}}); err == nil {
		t.Error("a route of an API that says what becomes of events is taken")
	}
}
