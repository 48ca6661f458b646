package edge_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"ledge/edge"
	"ledge/edge/gateway"
	"ledge/engine"
	"ledge/persist"
)

// eventQueue counts what is submitted.
type eventQueue struct{ jobs atomic.Int32 }

func (q *eventQueue) Submit(job persist.Job) (persist.Job, error) {
	q.jobs.Add(1)
	return job, nil
}

type answering struct{}

func (answering) Invoke(context.Context, *engine.Invocation, *engine.Result) error { return nil }

// TestRoutesThatTakeEvents: what is stored of a route decides what becomes of its
// requests.
func TestRoutesThatTakeEvents(t *testing.T) {
	n := newNode(t)
	var routes []persist.Route
	for _, async := range []string{"", edge.AsyncAllow, edge.AsyncNever, edge.AsyncAlways} {
		routes = append(routes, persist.Route{Method: "POST", Path: "/a" + async, Payload: edge.PayloadRaw, Async: async})
	}
	n.deploy(t, edge.Change{Name: "a", Code: command("a"), Routes: routes, Edit: buckets("orders", "stock:read")})
	n.check(t)

	queue := &eventQueue{}
	server, err := gateway.New(gateway.Config{Invoker: answering{}, Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	server.SetTable(n.gateway.table)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, test := range []struct {
		route, kind string
		status      int
	}{
		{"/a", "", 200}, {"/a", "Event", 202}, {"/aallow", "Event", 202}, {"/anever", "Event", 403}, {"/anever", "", 200}, {"/aalways", "", 202},
	} {
		before := queue.jobs.Load()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprint("http://", l.Addr(), test.route), strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if test.kind != "" {
			r.Header.Set("X-Amz-Invocation-Type", test.kind)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if queued := queue.jobs.Load() > before; resp.StatusCode != test.status || queued != (test.status == 202) {
			t.Errorf("%s with %q: %d, queued %v", test.route, test.kind, resp.StatusCode, queued)
		}
	}
}
