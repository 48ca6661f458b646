package schedules

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestScheduleLife(t *testing.T) {
	a := newTestAPI(t)
	full := `{
		"ActionAfterCompletion": "DELETE", "ClientToken": "token", "Description": "every morning",
		"EndDate": 1900000000.5, "StartDate": 1800000000,
		"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
		"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1",
		"ScheduleExpression": "cron(0 8 * * ? *)", "ScheduleExpressionTimezone": "Europe/Berlin", "State": "DISABLED",
		"Target": {
			"Arn": "` + arn + `:live", "RoleArn": "arn:aws:iam::123456789012:role/r", "Input": "{\"a\": 1}",
			"RetryPolicy": {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0},
			"DeadLetterConfig": {"Arn": "` + arn + `"}
		},
		"GroupName": "default", "Unknown": true
	}`
	before := float64(time.Now().UnixMilli()) / 1000
	created := a.ok("POST", "/schedules/a", full)
	const scheduleARN = "arn:aws:scheduler:eu-north-1:000000000000:schedule/default/a"
	if !reflect.DeepEqual(created, map[string]any{"ScheduleArn": scheduleARN}) {
		t.Errorf("created %v", created)
	}
	got := a.ok("GET", "/schedules/a?groupName=default", "")
	var want map[string]any
	if err := json.Unmarshal([]byte(full), &want); err != nil {
		t.Fatal(err)
	}
	delete(want, "ClientToken")
	delete(want, "Unknown")
	want["Name"], want["Arn"] = "a", scheduleARN
	for _, date := range []string{"CreationDate", "LastModificationDate"} {
		if at, ok := got[date].(float64); !ok || at < before || at > before+60 {
			t.Errorf("%s is %v, now is %v", date, got[date], before)
		}
		want[date] = got[date]
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}

	// What an update does not name goes back to its default.
	a.ok("PUT", "/schedules/a", minimal("rate(5 minutes)"))
	got = a.ok("GET", "/schedules/a", "")
	want = map[string]any{
		"ActionAfterCompletion": "NONE", "Arn": scheduleARN, "Name": "a", "GroupName": "default",
		"CreationDate": want["CreationDate"], "LastModificationDate": got["LastModificationDate"],
		"FlexibleTimeWindow": map[string]any{"Mode": "OFF"},
		"ScheduleExpression": "rate(5 minutes)", "ScheduleExpressionTimezone": "UTC", "State": "ENABLED",
		"Target": map[string]any{"Arn": arn, "RetryPolicy": map[string]any{"MaximumEventAgeInSeconds": 86400.0, "MaximumRetryAttempts": 185.0}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if reply := a.ok("DELETE", "/schedules/a?clientToken=x", ""); len(reply) != 0 {
		t.Errorf("deleted: %v", reply)
	}
	for _, method := range []string{"GET", "DELETE"} {
		a.refused(method, "/schedules/a", "", 404, codeNotFound, "Schedule a does not exist.")
	}
	a.refused("PUT", "/schedules/a", minimal("rate(5 minutes)"), 404, codeNotFound, "Schedule a does not exist.")
	if want := []string{"default/a", "default/a", "default/a"}; !slices.Equal(a.changed, want) {
		t.Errorf("told of %q, want %q", a.changed, want)
	}
}

func TestScheduleRefusals(t *testing.T) {
	a := newTestAPI(t)
	with := func(member, value string) string {
		var req map[string]json.RawMessage
		if err := json.Unmarshal([]byte(minimal("rate(5 minutes)")), &req); err != nil {
			t.Fatal(err)
		}
		if value == "" {
			delete(req, member)
		} else {
			req[member] = json.RawMessage(value)
		}
		text, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	target := func(members string) string { return with("Target", `{"Arn":"`+arn+`",`+members+`}`) }
	for _, test := range []struct {
		name, body string
		text       string
	}{
		{"a%20b", minimal("rate(5 minutes)"), "Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$"},
		{strings.Repeat("x", 65), minimal("rate(5 minutes)"), "at 'name' failed to satisfy constraint: Member must have length less than or equal to 64"},
		{"a", "", "3 validation errors detected: Value null at 'scheduleExpression' failed to satisfy constraint: Member must not be null; Value null at 'flexibleTimeWindow'"},
		{"a", "[]", "it must be an object"},
		{"a", `{"State": 1}`, `"State" must be a string`},
		{"a", "{", "unexpected end"},
		{"a", "\xff", "UTF-8"},
		{"a", with("Target", ""), "Value null at 'target'"},
		{"a", with("Target", "null"), "Value null at 'target'"},
		{"a", with("Target", "{}"), "Value null at 'target.arn'"},
		{"a", with("Target", `{"Arn":"f"}`), "not in correct format"},
		{"a", with("Target", `{"Arn":"arn:aws:lambda:us-east-1:123456789012:layer:f"}`), "not in correct format"},
		{"a", target(`"RoleArn":"me"`), "at 'target.roleArn'"},
		{"a", target(`"Input":""`), "at 'target.input'"},
		{"a", target(`"Input":"{"`), "well-formed JSON"},
		{"a", target(`"Input":"` + strings.Repeat("é", 200<<10) + `"`), "at most 262144"},
		{"a", target(`"Input":{}`), `"Target.Input" must be a string`},
		{"a", target(`"RetryPolicy":{"MaximumRetryAttempts":186}`), "at 'target.retryPolicy.maximumRetryAttempts' failed to satisfy constraint: Member must have value less than or equal to 185"},
		{"a", target(`"RetryPolicy":{"MaximumEventAgeInSeconds":59}`), "greater than or equal to 60"},
		{"a", target(`"DeadLetterConfig":{"Arn":"x"}`), "Target.DeadLetterConfig.Arn: the provided ARN x is not in correct format"},
		{"a", with("ScheduleExpression", `"rate(5 parsecs)"`), "Invalid Schedule Expression rate(5 parsecs) in time zone UTC: no such expression."},
		{"a", with("ScheduleExpression", `"`+strings.Repeat("x", 257)+`"`), "at 'scheduleExpression'"},
		{"a", with("ScheduleExpressionTimezone", `"Mars/Olympus"`), "no such time zone"},
		{"a", with("ScheduleExpressionTimezone", `"`+strings.Repeat("x", 51)+`"`), "at 'scheduleExpressionTimezone'"},
		{"a", with("FlexibleTimeWindow", `{}`), "Value null at 'flexibleTimeWindow.mode'"},
		{"a", with("FlexibleTimeWindow", `{"Mode":"ON"}`), "Member must satisfy enum value set: [OFF, FLEXIBLE]"},
		{"a", with("FlexibleTimeWindow", `{"Mode":"FLEXIBLE"}`), "MaximumWindowInMinutes must be given"},
		{"a", with("FlexibleTimeWindow", `{"Mode":"OFF","MaximumWindowInMinutes":5}`), "MaximumWindowInMinutes must not be given"},
		{"a", with("FlexibleTimeWindow", `{"Mode":"FLEXIBLE","MaximumWindowInMinutes":0}`), "greater than or equal to 1"},
		{"a", with("FlexibleTimeWindow", `{"Mode":"FLEXIBLE","MaximumWindowInMinutes":1441}`), "less than or equal to 1440"},
		{"a", with("State", `"ON"`), "Member must satisfy enum value set: [ENABLED, DISABLED]"},
		{"a", with("ActionAfterCompletion", `"STOP"`), "Member must satisfy enum value set: [NONE, DELETE]"},
		{"a", with("Description", `"`+strings.Repeat("é", 513)+`"`), "at 'description'"},
		{"a", with("GroupName", `"a/b"`), "at 'groupName'"},
		{"a", with("ClientToken", `"a b"`), "at 'clientToken'"},
		{"a", with("KmsKeyArn", `"x"`), "at 'kmsKeyArn'"},
		{"a", with("StartDate", `-1`), "at 'startDate'"},
		{"a", with("EndDate", `1e300`), "at 'endDate'"},
		{"a", with("EndDate", `"2026-01-01"`), `"EndDate" must be a number`},
		{"a", `{"StartDate":2,"EndDate":2,` + minimal("rate(5 minutes)")[1:], "EndDate must come after"},
	} {
		a.refused("POST", "/schedules/"+test.name, test.body, http.StatusBadRequest, codeValidation, test.text)
		a.refused("PUT", "/schedules/"+test.name, test.body, http.StatusBadRequest, codeValidation, test.text)
	}
	for _, test := range []struct{ body, text string }{
		{with("Target", `{"Arn":"arn:aws:sqs:us-east-1:123456789012:queue"}`), "Target.Arn: this node has no sqs"},
		{with("Target", `{"Arn":"arn:aws:scheduler:::aws-sdk:lambda:invoke"}`), "universal targets"},
		{target(`"DeadLetterConfig":{"Arn":"arn:aws:sqs:us-east-1:123456789012:queue"}`), "Target.DeadLetterConfig.Arn: this node has no sqs"},
		{target(`"SqsParameters":{"MessageGroupId":"x"}`), "Target.SqsParameters is not supported"},
		{target(`"EcsParameters":{}`), "Target.EcsParameters is not supported"},
	} {
		a.refused("POST", "/schedules/a", test.body, http.StatusNotImplemented, "NotImplementedException", test.text)
	}
	a.refused("POST", "/schedules/a", with("GroupName", `"none"`), 404, codeNotFound, "Schedule Group none does not exist.")
	for _, test := range []struct{ query, text string }{
		{"MaxResults=0", "at 'maxResults'"}, {"MaxResults=101", "at 'maxResults'"}, {"MaxResults=x", "whole number"},
		{"NextToken=!", "NextToken is not valid"}, {"NextToken=nonsense", "NextToken is not valid"}, {"State=ON", "at 'state'"}, {"NamePrefix=a%20", "at 'namePrefix'"}, {"ScheduleGroup=a%20", "at 'groupName'"},
	} {
		a.refused("GET", "/schedules?"+test.query, "", http.StatusBadRequest, codeValidation, test.text)
	}
	a.refused("GET", "/schedules?ScheduleGroup=none", "", 404, codeNotFound, "Schedule Group none does not exist.")
	if len(a.changed) != 0 {
		t.Errorf("refused requests changed %q", a.changed)
	}
	if reply := a.ok("GET", "/schedules", ""); len(reply["Schedules"].([]any)) != 0 {
		t.Errorf("refused requests left %v", reply)
	}
}

func TestCreateIsIdempotent(t *testing.T) {
	a := newTestAPI(t)
	token := func(token, expression string) string {
		return `{"ClientToken":"` + token + `",` + minimal(expression)[1:]
	}
	a.ok("POST", "/schedules/a", token("t", "rate(5 minutes)"))
	a.ok("POST", "/schedules/a", token("t", "rate(5 minutes)"))
	for _, body := range []string{token("t", "cron(0 8 * * ? *)"), token("u", "rate(5 minutes)"), minimal("rate(5 minutes)")} {
		a.refused("POST", "/schedules/a", body, 409, codeConflict, "Schedule a already exists.")
	}
	a.ok("POST", "/schedules/b", minimal("rate(5 minutes)"))
	a.refused("POST", "/schedules/b", minimal("rate(5 minutes)"), 409, codeConflict, "already exists")

	a.ok("POST", "/schedule-groups/g", `{"ClientToken":"t","Tags":[{"Key":"a","Value":"1"}]}`)
	a.ok("POST", "/schedule-groups/g", `{"ClientToken":"t","Tags":[{"Key":"a","Value":"1"}]}`)
	for _, body := range []string{`{"ClientToken":"t"}`, `{"ClientToken":"u","Tags":[{"Key":"a","Value":"1"}]}`, ""} {
		a.refused("POST", "/schedule-groups/g", body, 409, codeConflict, "Schedule Group g already exists.")
	}
	a.refused("POST", "/schedule-groups/default", "", 409, codeConflict, "already exists")
}

// TestPageSize: where a request does not say, a page has AWS's greatest size.
func TestPageSize(t *testing.T) {
	for query, want := range map[string]int{"": 100, "?MaxResults=1": 1, "?MaxResults=100": 100} {
		_, limit, err := page(httptest.NewRequest("GET", "/schedules"+query, nil), new(violations))
		if err != nil || limit != want {
			t.Errorf("%q: %d, %v; want %d", query, limit, err, want)
		}
	}
}

// names follows NextToken through all pages of a list.
func (a *api) names(path, member string, pages int) (names []string) {
	a.Helper()
	next := ""
	for n := 1; ; n++ {
		reply := a.ok("GET", path+"&NextToken="+next, "")
		for _, item := range reply[member].([]any) {
			item := item.(map[string]any)
			name := item["Name"].(string)
			if group, ok := item["GroupName"]; ok {
				name = group.(string) + "/" + name
			}
			names = append(names, name)
		}
		more, ok := reply["NextToken"]
		if !ok {
			if n != pages {
				a.Errorf("%s has %d pages, want %d", path, n, pages)
			}
			return names
		}
		next = more.(string)
	}
}

func TestLists(t *testing.T) {
	a := newTestAPI(t)
	a.ok("POST", "/schedule-groups/g", "")
	a.ok("POST", "/schedule-groups/h", "")
	for i := range 5 {
		state := []string{"ENABLED", "DISABLED"}[i%2]
		a.ok("POST", fmt.Sprintf("/schedules/a%d", i), `{"State":"`+state+`","GroupName":"g",`+minimal("rate(5 minutes)")[1:])
	}
	a.ok("POST", "/schedules/b", minimal("rate(5 minutes)"))
	for _, test := range []struct {
		path, member string
		pages        int
		want         string
	}{
		{"/schedules?MaxResults=2", "Schedules", 3, "default/b g/a0 g/a1 g/a2 g/a3 g/a4"},
		{"/schedules?x", "Schedules", 1, "default/b g/a0 g/a1 g/a2 g/a3 g/a4"},
		{"/schedules?MaxResults=3&ScheduleGroup=g", "Schedules", 2, "g/a0 g/a1 g/a2 g/a3 g/a4"},
		{"/schedules?MaxResults=1&State=DISABLED", "Schedules", 2, "g/a1 g/a3"},
		{"/schedules?NamePrefix=b", "Schedules", 1, "default/b"},
		{"/schedules?ScheduleGroup=h", "Schedules", 1, ""},
		{"/schedule-groups?MaxResults=2", "ScheduleGroups", 2, "default g h"},
		{"/schedule-groups?NamePrefix=g", "ScheduleGroups", 1, "g"},
	} {
		if got := strings.Join(a.names(test.path, test.member, test.pages), " "); got != test.want {
			t.Errorf("%s: got %q, want %q", test.path, got, test.want)
		}
	}
	first := a.ok("GET", "/schedules?MaxResults=1", "")["Schedules"].([]any)[0].(map[string]any)
	members := slices.Sorted(maps.Keys(first))
	if want := []string{"Arn", "CreationDate", "GroupName", "LastModificationDate", "Name", "State", "Target"}; !slices.Equal(members, want) {
		t.Errorf("a list tells %q, want %q", members, want)
	}
}

func TestGroups(t *testing.T) {
	a := newTestAPI(t)
	reply := a.ok("POST", "/schedule-groups/g", `{"Tags":[{"Key":"b","Value":"2"},{"Key":"a","Value":"1"}]}`)
	if reply["ScheduleGroupArn"] != "arn:aws:scheduler:eu-north-1:000000000000:schedule-group/g" {
		t.Errorf("created %v", reply)
	}
	got := a.ok("GET", "/schedule-groups/g", "")
	if got["State"] != "ACTIVE" || got["Name"] != "g" || got["CreationDate"] == nil || got["Arn"] != reply["ScheduleGroupArn"] {
		t.Errorf("got %v", got)
	}
	if got := a.ok("GET", "/schedule-groups/default", ""); got["State"] != "ACTIVE" || got["CreationDate"] != nil {
		t.Errorf("default is %v", got)
	}
	a.ok("POST", tagsPath("g"), `{"Tags":[{"Key":"c","Value":"3"},{"Key":"b","Value":"4"}]}`)
	a.ok("DELETE", tagsPath("g")+"?TagKeys=a&TagKeys=none", "")
	if got := fmt.Sprint(a.ok("GET", tagsPath("g"), "")); got != "map[Tags:[map[Key:b Value:4] map[Key:c Value:3]]]" {
		t.Errorf("tags %s", got)
	}
	if got := fmt.Sprint(a.ok("GET", tagsPath("default"), "")); got != "map[Tags:[]]" {
		t.Errorf("tags %s", got)
	}
	a.ok("POST", "/schedules/a", `{"GroupName":"g",`+minimal("rate(5 minutes)")[1:])
	a.ok("DELETE", "/schedule-groups/g", "")
	a.refused("GET", "/schedules/a?groupName=g", "", 404, codeNotFound, "Schedule a does not exist.")
	for _, method := range []string{"GET", "DELETE"} {
		a.refused(method, "/schedule-groups/g", "", 404, codeNotFound, "Schedule Group g does not exist.")
	}
	a.refused("DELETE", "/schedule-groups/default", "", 400, codeValidation, "Cannot delete")
	a.refused("GET", tagsPath("g"), "", 404, codeNotFound, "Schedule Group g does not exist.")
	a.refused("POST", "/schedule-groups/a%20b", "", 400, codeValidation, "at 'name'")
	many := strings.Repeat(`{"Key":"a","Value":"1"},`, 201)
	for _, test := range []struct{ body, text string }{
		{`{}`, "Value null at 'tags'"},
		{`{"Tags":[{"Key":"","Value":"1"}]}`, "at 'tags.member.key'"},
		{`{"Tags":[{"Key":"a"}]}`, "at 'tags.member.value'"},
		{`{"Tags":[{"Key":"AWS:a","Value":"1"}]}`, "reserved"},
		{`{"Tags":[{"Key":"a","Value":"1"},{"Key":"a","Value":"2"}]}`, "must be unique"},
		{`{"Tags":[` + many[:len(many)-1] + `]}`, "less than or equal to 200"},
	} {
		a.refused("POST", tagsPath("default"), test.body, 400, codeValidation, test.text)
	}
	a.refused("DELETE", tagsPath("default"), "", 400, codeValidation, "Value null at 'tagKeys'")
	a.refused("GET", "/tags/arn:aws:scheduler:eu-north-1:000000000000:schedule%2Fdefault%2Fa", "", 400, codeValidation, "at 'resourceArn'")
	if w := a.do("GET", "/tags/arn:aws:apigateway:eu-north-1::%2Fapis%2Fx", ""); w.Code != http.StatusNotFound {
		t.Errorf("an ARN of another service: %d", w.Code)
	}
}

// A key for one function does not reach schedules of others.
func TestRestrictedKeys(t *testing.T) {
	a := newTestAPI(t)
	of := func(function string) string {
		return strings.Replace(minimal("rate(5 minutes)"), ":function:f", ":function:"+function, 1)
	}
	a.ok("POST", "/schedules/other", of("other"))
	a.caller = restricted("mine")
	a.ok("POST", "/schedules/mine", of("mine"))
	a.ok("GET", "/schedules/mine", "")
	const denied = "AccessDeniedException"
	a.refused("POST", "/schedules/x", of("other"), 403, denied, "scheduler:CreateSchedule")
	a.refused("GET", "/schedules/other", "", 403, denied, "function other")
	a.refused("PUT", "/schedules/other", of("mine"), 403, denied, "function other")
	a.refused("PUT", "/schedules/mine", of("other"), 403, denied, "function other")
	a.refused("DELETE", "/schedules/other", "", 403, denied, "function other")
	failing := strings.Replace(of("mine"), `"Target":{`, `"Target":{"DeadLetterConfig":{"Arn":"arn:aws:lambda:eu-north-1:000000000000:function:other"},`, 1)
	a.refused("POST", "/schedules/failing", failing, 403, denied, "invoke function other")
	a.refused("PUT", "/schedules/mine", failing, 403, denied, "invoke function other")
	a.refused("GET", "/schedules", "", 403, denied, "this node")
	a.refused("DELETE", "/schedule-groups/g", "", 403, denied, "this node")
	a.ok("DELETE", "/schedules/mine", "")
}

// Whatever a request holds, it is the client's fault or done.
func FuzzRequests(f *testing.F) {
	a := newTestAPI(f)
	for _, body := range []string{minimal("rate(5 minutes)"), `{"Tags":[{"Key":"a","Value":"1"}]}`, `{"EndDate":1e308}`, "{", "\xff"} {
		f.Add("a", "groupName=default&MaxResults=1", body)
	}
	f.Fuzz(func(t *testing.T, name, query, body string) {
		for _, c := range name + query {
			if c <= ' ' || c > '~' || strings.ContainsRune("#?%/", c) {
				return
			}
		}
		if name == "" || name == "." || name == ".." {
			return
		}
		a.TB = t
		for _, method := range []string{"POST", "PUT", "GET", "DELETE"} {
			for _, path := range []string{"/schedules/" + name, "/schedule-groups/" + name, "/schedules", tagsPath("default")} {
				if w := a.do(method, path+"?"+query, body); w.Code >= 500 && w.Code != http.StatusNotImplemented {
					t.Errorf("%s %s?%s %q: %d %s", method, path, query, body, w.Code, w.Body)
				}
			}
		}
	})
}
