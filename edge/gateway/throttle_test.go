package gateway

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	for _, test := range []struct {
		limit Throttle
		steps string // at each millisecond that a step names, whether there was a token
	}{
		{Throttle{10, 2}, "0y 0y 0n 99n 100y 100n 200y 1000y 1000y 1000n"},
		{Throttle{10, 1}, "0y 50n 100y 150n 200y"},
		{Throttle{1000, 3}, "0y 0y 0y 0n 1y 1n 2y"},
		{Throttle{0.5, 1}, "0y 1999n 2000y"},
		{Throttle{5, 0}, "0n 1000n"},
		{Throttle{0, 2}, "0y 0y 0n 99999999n"},
		{Throttle{10, 1}, "500y 400n 500n 600y"}, // a caller that looked at the clock before another
	} {
		b, err := newBucket(test.limit)
		if err != nil {
			t.Fatal(err)
		}
		for step := range strings.FieldsSeq(test.steps) {
			at, err := time.ParseDuration(step[:len(step)-1] + "ms")
			if err != nil {
				t.Fatal(err)
			}
			if got, want := b.take(at), step[len(step)-1] == 'y'; got != want {
				t.Errorf("%v: %s: got %v", test.limit, step, got)
			}
		}
	}
}

// TestBucketConcurrently: no token is given out twice.
func TestBucketConcurrently(t *testing.T) {
	b, err := newBucket(Throttle{1, 100})
	if err != nil {
		t.Fatal(err)
	}
	var got atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if b.take(time.Hour) {
					got.Add(1)
				}
			}
		})
	}
	all.Wait()
	if got.Load() != 100 {
		t.Errorf("%d tokens, want 100", got.Load())
	}
}

func TestQuotaPeriods(t *testing.T) {
	day := func(text string) time.Time {
		d, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, test := range []struct{ period, now, begun string }{
		{"DAY", "2026-03-01T23:59:59Z", "2026-03-01T00:00:00Z"},
		{"DAY", "2026-03-02T01:00:00+02:00", "2026-03-01T00:00:00Z"},
		{"WEEK", "2026-11-23T12:00:00Z", "2026-11-22T00:00:00Z"}, // a Monday
		{"WEEK", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z"}, // a Sunday
		{"WEEK", "2026-03-03T12:00:00Z", "2026-03-01T00:00:00Z"},
		{"WEEK", "2026-01-01T12:00:00Z", "2025-12-28T00:00:00Z"},
		{"MONTH", "2026-02-28T23:00:00-02:00", "2026-03-01T00:00:00Z"},
	} {
		if got := beginOf(test.period, day(test.now)); !got.Equal(day(test.begun)) {
			t.Errorf("%s of %s begins at %s, want %s", test.period, test.now, got, test.begun)
		}
	}
}

// TestThrottledRoute: throttles go on when APIs are published again, unless
// their limit changed.
func TestThrottledRoute(t *testing.T) {
	published := func(limit Throttle) Published {
		limited := route(t, "GET /limited")
		limited.Throttle = limit
		return Published{APIs: []API{
			{ID: "web1", Stages: []Stage{{Name: "$default", Routes: []Route{limited, route(t, "GET /free")}}}},
			{ID: "rest1", Kind: KindREST, Stages: []Stage{{Name: "p", Routes: []Route{v1(limited)}}}},
		}}
	}
	s := publish(t, Config{Invoker: replies(`{"statusCode":200}`)}, published(Throttle{1, 2}))
	now := s.started
	s.now = func() time.Time { return now }
	get := func(host, path string, want int) {
		t.Helper()
		status, header, body := ask(t, s, wireOf(host, "GET "+path))
		if status != want {
			t.Errorf("%s%s: got %d, want %d", host, path, status, want)
		}
		if status == 429 && (strings.TrimSpace(body) != `{"message":"Too Many Requests"}` || host == "rest1" && header("X-Amzn-Errortype") != "TooManyRequestsException") {
			t.Errorf("%s%s: got %s", host, path, body)
		}
	}
	get("web1", "/limited", 200)
	get("web1", "/limited", 200)
	get("web1", "/limited", 429)
	get("web1", "/free", 200)
	get("rest1", "/p/limited", 200) // a bucket of its own
	get("rest1", "/p/limited", 200)
	get("rest1", "/p/limited", 429)
	s.SetAPIs(mustAPIs(t, published(Throttle{1, 2})))
	get("web1", "/limited", 429)
	now = now.Add(time.Second)
	get("web1", "/limited", 200)
	get("web1", "/limited", 429)
	s.SetAPIs(mustAPIs(t, published(Throttle{1, 1})))
	get("web1", "/limited", 200)
	get("web1", "/limited", 429)
}
