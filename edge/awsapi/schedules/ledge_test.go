package schedules

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"ledge/persist"
)

// own is minimal with the member Ledge.
func own(settings string) string {
	return `{"Ledge":` + settings + "," + minimal("rate(5 minutes)")[1:]
}

func TestLedgeSettings(t *testing.T) {
	a := newTestAPI(t)
	a.ok("POST", "/schedules/a", own(`{"Missed":"all","MissedMax":5,"Overlap":"forbid","JitterSeconds":30}`))
	want := map[string]any{"Missed": "all", "MissedMax": 5.0, "Overlap": "forbid", "JitterSeconds": 30.0}
	if got := a.ok("GET", "/schedules/a", "")["Ledge"]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	a.ok("PUT", "/schedules/a", minimal("rate(5 minutes)")) // as AWS's clients do
	if got := a.ok("GET", "/schedules/a", "")["Ledge"]; !reflect.DeepEqual(got, want) {
		t.Errorf("after an update without them: %v", got)
	}
	a.ok("PUT", "/schedules/a", strings.Replace(minimal("rate(5 minutes)"), `"Mode":"OFF"`, `"Mode":"FLEXIBLE","MaximumWindowInMinutes":5`, 1))
	delete(want, "JitterSeconds")
	if got := a.ok("GET", "/schedules/a", "")["Ledge"]; !reflect.DeepEqual(got, want) {
		t.Errorf("after an update with a window: %v", got)
	}
	a.ok("PUT", "/schedules/a", own(`{}`))
	if got := a.ok("GET", "/schedules/a", "")["Ledge"]; got != nil {
		t.Errorf("after an update to the defaults: %v", got)
	}
	for _, test := range []struct{ settings, text string }{
		{`{"Missed":"some"}`, "at 'ledge.missed' failed to satisfy constraint: Member must satisfy enum value set: [once, skip, all]"},
		{`{"Overlap":"queue"}`, "[allow, forbid]"},
		{`{"Missed":"all","MissedMax":1001}`, "at 'ledge.missedMax'"},
		{`{"Missed":"skip","MissedMax":1}`, "Ledge.MissedMax is for"},
		{`{"JitterSeconds":86401}`, "at 'ledge.jitterSeconds'"},
		{`{"JitterSeconds":-1}`, "at 'ledge.jitterSeconds'"},
		{`1`, `"Ledge" must be an object`},
	} {
		a.refused("POST", "/schedules/b", own(test.settings), http.StatusBadRequest, codeValidation, test.text)
	}
}

func TestScheduleRuns(t *testing.T) {
	a := newTestAPI(t)
	if _, err := a.store.PutFunction(persist.Function{Name: "f"}, "", nil); err != nil {
		t.Fatal(err)
	}
	a.ok("POST", "/schedules/a", own(`{"Overlap":"forbid"}`))
	a.ok("POST", "/schedules/b", minimal("rate(5 minutes)"))
	const one = "/v1/schedules/default/a"
	got := a.ok("GET", one, "")
	if got["NextRun"] != "2030-01-01T00:00:00Z" || got["LastRun"] != nil || got["Name"] != "a" || got["Waiting"] != 0.0 {
		t.Errorf("got %v", got)
	}
	id := a.ok("POST", one+"/run", "")["RequestId"]
	got = a.ok("GET", one, "")
	last, ok := got["LastRun"].(map[string]any)
	if !ok || last["Outcome"] != "queued" || last["RequestId"] != id || got["Waiting"] != 1.0 {
		t.Errorf("after a run: %v", got)
	}
	a.refused("POST", one+"/run", "", http.StatusConflict, codeConflict, "forbids overlaps")
	a.changed = nil
	if got = a.ok("POST", one+"/pause", ""); got["State"] != "DISABLED" || got["NextRun"] != nil {
		t.Errorf("paused: %v", got)
	}
	if got = a.ok("POST", one+"/resume", ""); got["State"] != "ENABLED" || got["NextRun"] == nil {
		t.Errorf("resumed: %v", got)
	}
	if want := []string{"default/a", "default/a"}; !reflect.DeepEqual(a.changed, want) {
		t.Errorf("told of %q", a.changed)
	}
	for _, path := range []string{"", "/run", "/pause"} {
		method := "POST"
		if path == "" {
			method = "GET"
		}
		a.refused(method, "/v1/schedules/default/x"+path, "", http.StatusNotFound, codeNotFound, "Schedule x does not exist")
	}
	list := a.ok("GET", "/v1/schedules?limit=1", "")
	if found := list["Schedules"].([]any); len(found) != 1 || list["More"] != true {
		t.Errorf("list %v", list)
	}
	list = a.ok("GET", "/v1/schedules?after=default/a", "")
	if found := list["Schedules"].([]any); len(found) != 1 || found[0].(map[string]any)["Name"] != "b" || list["More"] != false {
		t.Errorf("list %v", list)
	}

	// A key that is restricted to another function.
	a.caller = restricted("g")
	for _, request := range []string{"GET ", "POST /run", "POST /pause", "POST /resume"} {
		method, path, _ := strings.Cut(request, " ")
		if w := a.do(method, one+path, ""); w.Code != http.StatusForbidden {
			t.Errorf("%s: status %d", request, w.Code)
		}
	}
	if w := a.do("GET", "/v1/schedules", ""); w.Code != http.StatusForbidden {
		t.Errorf("list: status %d", w.Code)
	}
}
