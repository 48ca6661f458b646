package awsapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"ledge/edge/awsapi/identity"
	"ledge/persist"
)

func bucketARN(bucket string) string {
	return "arn:aws:dynamodb:eu-north-1:000000000000:table/" + bucket + "/stream/LATEST"
}

func TestListFeeds(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	if r := n.want(http.StatusOK, "GET", "/v1/feeds", nil); strings.TrimSpace(string(r.body)) != `{"Feeds":[]}` {
		t.Errorf("no feeds are %s", r.body)
	}
	id := n.want(http.StatusAccepted, "POST", mappingsPath, object{"FunctionName": "hello", "EventSourceArn": bucketARN("orders"), "StartingPosition": "LATEST", "ParallelizationFactor": 2}).text(t, "UUID")
	n.want(http.StatusAccepted, "POST", mappingsPath, object{"FunctionName": "hello", "EventSourceArn": topic})
	n.refused(http.StatusConflict, codeConflict, "ledge feed rm "+id, "PUT", "/v1/kv/orders", object{"Stream": false})
	n.refused(http.StatusConflict, codeConflict, "ledge feed rm "+id, "DELETE", "/v1/kv/orders", nil)
	for _, key := range []string{"a", "b", "c"} {
		if _, err := n.store.Data().Write(persist.Origin{}, []persist.Write{{Bucket: "orders", Key: key, Kind: persist.WritePut, Value: []byte(key)}}); err != nil {
			t.Fatal(err)
		}
	}
	failed := persist.FeedLane{After: 1, Failures: 2, FirstFailed: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), LastError: "no"}
	for lane, to := range []persist.FeedLane{{After: 2}, failed} {
		step := persist.FeedStep{Mapping: id, Lane: lane, Lanes: 2, To: to, Delivered: 1, GivenUp: lane, Result: "PROBLEM: no", Run: time.Now()}
		if err := n.store.SettleFeed(step); err != nil {
			t.Fatal(err)
		}
	}
	changes, _, err := n.store.Changes("orders", 0, 10, 1000)
	if err != nil {
		t.Fatal(err)
	}
	n.api.Now = func() time.Time { return changes[1].Time.Add(90 * time.Second) }
	running, passed := false, uint64(0)
	n.api.FeedStatus = func(string) (bool, uint64) { return running, passed }
	get := func() shownFeed {
		t.Helper()
		var reply struct{ Feeds []shownFeed }
		if n.want(http.StatusOK, "GET", "/v1/feeds", nil).into(t, &reply); len(reply.Feeds) != 1 {
			t.Fatalf("feeds %+v", reply.Feeds)
		}
		return reply.Feeds[0]
	}
	f := get()
	if f.UUID != id || f.Function != "hello" || f.Bucket != "orders" || f.State != "Enabling" || f.LagRecords != 2 || f.LagSeconds != 90 ||
		f.Delivered != 2 || f.GivenUp != 1 || f.Failures != 2 || f.LastError != "no" || f.LastResult != "PROBLEM: no" || f.LastRun == nil ||
		len(f.Lanes) != 2 || f.Lanes[1].Passed != 1 || !f.Lanes[1].FirstFailed.Equal(failed.FirstFailed) {
		t.Errorf("feed %+v", f)
	}
	// What it has passed and not stored counts, and a clock that is behind does not.
	running, passed = true, 2
	n.api.Now = func() time.Time { return changes[0].Time.Add(-time.Hour) }
	if f := get(); f.State != "Enabled" || f.LagRecords != 1 || f.LagSeconds != 0 {
		t.Errorf("feed %+v", f)
	}
	passed = 3
	if f := get(); f.LagRecords != 0 || f.LagSeconds != 0 {
		t.Errorf("feed %+v", f)
	}
}

// TestFeedOwnsStream: what a feed turned on ends with it, but for a stream that a client
// has asked for; a client that sets something else has not.
func TestFeedOwnsStream(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	for _, test := range []struct {
		settings object
		want     bool
	}{{object{"MaxKeys": 7}, false}, {object{"Stream": true}, true}} {
		id := n.want(http.StatusAccepted, "POST", mappingsPath, object{"FunctionName": "hello", "EventSourceArn": bucketARN("orders"), "StartingPosition": "LATEST"}).text(t, "UUID")
		var b dataBucket
		if n.want(http.StatusOK, "PUT", "/v1/kv/orders", test.settings).into(t, &b); !b.Stream {
			t.Errorf("%v: with a feed the stream is off", test.settings)
		}
		n.want(http.StatusAccepted, "DELETE", mappingsPath+"/"+id, nil)
		if n.want(http.StatusOK, "GET", "/v1/kv/orders", nil).into(t, &b); b.Stream != test.want {
			t.Errorf("%v: the stream is on: %t, want %t", test.settings, b.Stream, test.want)
		}
	}
}

// TestFeedAccess: who has the changes of a bucket delivered can read the bucket.
func TestFeedAccess(t *testing.T) {
	g := newGuarded(t)
	for _, name := range []string{"mine", "mine2", "other"} {
		g.deploy(name)
	}
	key := g.issue(identity.Order{Name: "mine", Access: identity.Deploy, Functions: []string{"mine*"}})
	for _, test := range []struct {
		bucket, function string
		status           int
	}{
		{"function.mine", "mine", http.StatusAccepted},
		{"function.mine", "mine2", http.StatusBadRequest}, // not even with a key for both: it is mine's own
		{"function.mine", "other", http.StatusForbidden},
		{"function.other", "mine", http.StatusForbidden},
		{"shared", "mine", http.StatusForbidden},
	} {
		body := `{"FunctionName":"` + test.function + `","EventSourceArn":"` + bucketARN(test.bucket) + `","StartingPosition":"LATEST"}`
		if r := g.send(key, "lambda", "POST", mappingsPath, body); r.StatusCode != test.status {
			t.Errorf("%s to %s: status %d, want %d: %s", test.bucket, test.function, r.StatusCode, test.status, r.body)
		}
	}
	body := `{"FunctionName":"mine","EventSourceArn":"` + bucketARN("shared") + `","StartingPosition":"LATEST"}`
	shared := g.send(g.root, "lambda", "POST", mappingsPath, body).text(t, "UUID")
	for _, test := range []struct {
		service, method, path, body string
		status                      int
	}{
		{"lambda", "GET", mappingsPath + "/" + shared, "", http.StatusOK},
		{"lambda", "PUT", mappingsPath + "/" + shared, `{"FunctionName":"mine2"}`, http.StatusForbidden},
		{"ledge", "GET", "/v1/feeds", "", http.StatusForbidden},
		{"lambda", "DELETE", mappingsPath + "/" + shared, "", http.StatusAccepted},
	} {
		if r := g.send(key, test.service, test.method, test.path, test.body); r.StatusCode != test.status {
			t.Errorf("%s %s: status %d, want %d: %s", test.method, test.path, r.StatusCode, test.status, r.body)
		}
	}
}
