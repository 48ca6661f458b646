package awsapi

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ledge/edge/awsapi/identity"
	"ledge/persist"
)

// TestDeployTriggers: what a deploy names is there once, however often it is
// deployed, and what another one does not name stays.
func TestDeployTriggers(t *testing.T) {
	n := newNode(t)
	deploy := func(body object) (got deployReply) {
		t.Helper()
		body["Code"] = object{"ZipFile": command("")}
		r := n.call("PUT", "/v1/functions/hello", body)
		if r.StatusCode/100 != 2 {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		r.into(t, &got)
		return got
	}
	stored := func() (schedules []persist.Schedule, mappings []persist.EventSourceMapping) {
		t.Helper()
		schedules, _, err := n.store.Schedules(persist.ScheduleQuery{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		if mappings, err = n.store.Mappings(); err != nil {
			t.Fatal(err)
		}
		return schedules, mappings
	}
	first := object{
		"Crons": []string{"* * * * *", "rate(5 minutes)", "* * * * *"},
		"Watches": []object{{"Bucket": "orders", "Prefix": "new/"}, {"Bucket": "orders", "Prefix": "a\"b"}, {"Bucket": "all", "Prefix": "x", "Start": "oldest"},
			{"Bucket": "all"}, {"Bucket": "function.hello"}},
		"AllowBuckets": []string{"orders", "all:read"},
	}
	got := deploy(first)
	if len(got.Schedules) != 2 || !got.Schedules[0].Created || got.Schedules[0].Expression != "* * * * *" || !strings.HasPrefix(got.Schedules[0].Name, "hello-cron-") {
		t.Errorf("schedules %+v", got.Schedules)
	}
	if w := got.Watches; len(w) != 3 || !slices.Equal(w[0].Prefixes, []string{"new/", `a"b`}) || w[1].Prefixes != nil || !w[2].Created || w[2].UUID == "" {
		t.Errorf("watches %+v", got.Watches)
	}
	if !slices.Equal(got.Function.Ledge.AllowBuckets, []string{"orders", "all:read"}) {
		t.Errorf("buckets %q", got.Function.Ledge.AllowBuckets)
	}
	schedules, mappings := stored()
	if len(schedules) != 2 || len(mappings) != 3 || len(n.changed) != 5 {
		t.Fatalf("stored %+v and %+v, told of %q", schedules, mappings, n.changed)
	}
	for _, s := range schedules {
		if s.Group != "default" || s.Target.Function != "hello" || s.Target.ARN != "arn:aws:lambda:eu-north-1:000000000000:function:hello" || s.State != persist.ScheduleEnabled {
			t.Errorf("stored %+v", s)
		}
	}
	for _, m := range mappings {
		switch bucket, _ := m.Bucket(); bucket {
		case "orders":
			want := []string{`{"dynamodb":{"Keys":{"key":{"S":[{"prefix":"new/"}]}}}}`, `{"dynamodb":{"Keys":{"key":{"S":[{"prefix":"a\"b"}]}}}}`}
			if !slices.Equal(m.Filters, want) || m.Start != startLatest || !m.Enabled || m.BatchSize != 100 {
				t.Errorf("stored %+v", m)
			}
		case "all":
			if m.Filters != nil || m.Start != startOldest {
				t.Errorf("stored %+v", m)
			}
		}
	}
	if b := n.want(200, "GET", "/v1/kv/orders", nil); b.text(t, "Stream") != "true" {
		t.Errorf("the bucket has no stream: %s", b.body)
	}

	again := deploy(first)
	if again.Schedules[0].Created || again.Watches[0].Created || again.Watches[0].UUID != got.Watches[0].UUID {
		t.Errorf("again: %+v %+v", again.Schedules, again.Watches)
	}
	if s, m := stored(); !reflect.DeepEqual(s, schedules) || !reflect.DeepEqual(m, mappings) || len(n.changed) != 5 {
		t.Errorf("again: stored %+v and %+v", s, m)
	}
	other := deploy(object{"Crons": []string{"rate(1 hour)"}, "Watches": []object{{"Bucket": "orders", "Prefix": "old/"}}})
	if len(other.Schedules) != 1 || !other.Schedules[0].Created || other.Watches[0].Created {
		t.Errorf("another: %+v %+v", other.Schedules, other.Watches)
	}
	s, m := stored()
	if len(s) != 3 || len(m) != 3 {
		t.Errorf("another: stored %+v and %+v", s, m)
	}
	if i := slices.IndexFunc(m, func(m persist.EventSourceMapping) bool { return m.ID == other.Watches[0].UUID }); i < 0 || len(m[i].Filters) != 1 {
		t.Errorf("another: stored %+v", m)
	}
	n.want(204, "DELETE", "/2015-03-31/functions/hello", nil)
	if s, m := stored(); len(s) > 0 || len(m) > 0 {
		t.Errorf("after the function: stored %+v and %+v", s, m)
	}
}

// TestBadTriggers: what is wrong with a trigger keeps the whole deploy from
// happening.
func TestBadTriggers(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.create("other")
	taken := persist.Schedule{Group: persist.DefaultScheduleGroup, Name: cronName("hello", "* 1 * * *"), Expression: "rate(1 day)",
		State: persist.ScheduleEnabled, Target: persist.ScheduleTarget{Function: "other"}}
	if _, err := n.store.CreateSchedule(taken); err != nil {
		t.Fatal(err)
	}
	watching := func(w ...object) object { return object{"Watches": w} }
	for _, test := range []struct {
		says string
		with object
	}{
		{"not one", object{"Crons": []string{"* * * * *", "nonsense"}}},
		{"1 to 256", object{"Crons": []string{""}}},
		{"1 to 256", object{"Crons": []string{"* " + strings.Repeat("*", 255)}}},
		{"runs function other", object{"Crons": []string{"* 1 * * *"}}},
		{"at most 100", object{"Crons": slices.Repeat([]string{"* * * * *"}, 101)}},
		{"name", watching(object{"Bucket": ""})},
		{"name", watching(object{"Bucket": "a/b"})},
		{"other's own", watching(object{"Bucket": "function.other"})},
		{"oldest or the newest", watching(object{"Bucket": "b", "Start": "middle"})},
		{"at most 1024 bytes", watching(object{"Bucket": "b", "Prefix": strings.Repeat("p", 1025)})},
		{"too long", watching(object{"Bucket": "b", "Prefix": strings.Repeat("\x01", 1024)})},
		{"at most 5 prefixes", watching(object{"Bucket": "b", "Prefix": "1"}, object{"Bucket": "b", "Prefix": "2"}, object{"Bucket": "b", "Prefix": "3"},
			object{"Bucket": "b", "Prefix": "4"}, object{"Bucket": "b", "Prefix": "5"}, object{"Bucket": "b", "Prefix": "6"})},
		{"not a shared bucket", object{"AllowBuckets": []string{"function.other"}}},
	} {
		body := object{"Code": object{"ZipFile": command("2")}, "Description": "changed"}
		for k, v := range test.with {
			body[k] = v
		}
		status, code := http.StatusBadRequest, codeInvalid
		if strings.HasPrefix(test.says, "runs") {
			status, code = http.StatusConflict, codeConflict
		}
		n.unchanged(func() { n.refused(status, code, test.says, "PUT", "/v1/functions/hello", body) })
	}
	if m, err := n.store.Mappings(); err != nil || len(m) > 0 || len(n.changed) > 0 {
		t.Errorf("stored %+v, told of %q, error %v", m, n.changed, err)
	}
	n.api.Expressions = nil
	n.refused(501, "NotImplementedException", "without schedules", "PUT", "/v1/functions/hello", object{"Crons": []string{"* * * * *"}})
}

// TestTriggersOfRestrictedKeys: a key for some functions gives them no data that
// it does not reach itself.
func TestTriggersOfRestrictedKeys(t *testing.T) {
	g := newGuarded(t)
	g.api.Expressions = fakeExpressions{}
	g.deploy("hello")
	some := g.issue(identity.Order{Name: "some", Access: identity.Deploy, Functions: []string{"hello"}})
	for _, test := range []struct {
		body   string
		status int
	}{
		{`{"Watches":[{"Bucket":"shared"}]}`, 403},
		{`{"AllowBuckets":["shared"]}`, 403},
		{`{"AllowBuckets":["shared:read"]}`, 403},
		{`{"AllowBuckets":[],"Watches":[{"Bucket":"function.hello"}],"Crons":["rate(1 day)"]}`, 200},
	} {
		if r := g.send(some, "ledge", "PUT", "/v1/functions/hello", test.body); r.StatusCode != test.status {
			t.Errorf("%s: %d %s, want %d", test.body, r.StatusCode, r.body, test.status)
		}
	}
	r := g.send(some, "lambda", "PUT", "/2015-03-31/functions/hello/configuration", `{"Ledge":{"AllowBuckets":["shared"]}}`)
	if r.StatusCode != 403 {
		t.Errorf("configuration: %d %s", r.StatusCode, r.body)
	}
}

func TestCronName(t *testing.T) {
	long := strings.Repeat("f", 64)
	names := []string{cronName("hello", "a"), cronName("hello", "b"), cronName("hell", "oa"), cronName(long, "a"), cronName(long[1:], "a")}
	for i, name := range names {
		if len(name) > 64 || slices.Contains(names[:i], name) {
			t.Errorf("names %q", names)
		}
	}
	if !strings.HasPrefix(names[0], "hello-cron-") || names[0] != cronName("hello", "a") {
		t.Errorf("names %q", names)
	}
}

// TestFeedChangedDuringDeploy: what becomes of a feed while the code is compiled stays.
func TestFeedChangedDuringDeploy(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	request := func(prefix string) *deployRequest {
		return &deployRequest{Watches: []watch{{Bucket: "orders", Prefix: prefix}}}
	}
	for _, prefix := range []string{"a", "b"} {
		also, err := n.api.triggersOf(t.Context(), request(prefix), "hello")
		if err != nil {
			t.Fatal(err)
		}
		if id := also.watches[0].UUID; id != "" {
			n.want(202, "PUT", "/2015-03-31/event-source-mappings/"+id, object{"Enabled": false, "BatchSize": 7})
		}
		if _, err := n.api.storeTriggers(&also, "hello"); err != nil {
			t.Fatal(err)
		}
	}
	mappings, err := n.store.Mappings()
	if err != nil || len(mappings) != 1 {
		t.Fatalf("stored %+v, %v", mappings, err)
	}
	if m := mappings[0]; m.Enabled || m.BatchSize != 7 || !strings.Contains(m.Filters[0], `"b"`) {
		t.Errorf("stored %+v", m)
	}
}
