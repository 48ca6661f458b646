package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // as in main: the machine may have none
)

const (
	schedulePoll = `{"GroupName":"default","Name":"poll","ScheduleExpression":"@every 90s","ScheduleExpressionTimezone":"UTC","State":"ENABLED",` +
		`"Target":{"Arn":"arn:aws:lambda:us-east-1:000000000000:function:hello:live","Input":"{\"a\":1}"},"Ledge":{"Missed":"all","MissedMax":3,"Overlap":"forbid","JitterSeconds":90},` +
		`"NextRun":"2026-11-23T10:01:30Z","LastRun":{"Due":"2026-11-23T10:00:00Z","Outcome":"failed","Error":"boom\u001b","RequestId":"r1"},` +
		`"LastLeftOut":{"Due":"2026-11-23T09:58:30Z","Outcome":"skipped","Error":"the run before has not ended"},"Waiting":1,"Ran":2,"Failed":3,"Skipped":4,"Missed":5}`
	scheduleOff = `{"GroupName":"g","Name":"off","ScheduleExpression":"rate(1 day)","ScheduleExpressionTimezone":"Europe/Berlin","State":"DISABLED","Target":{"Arn":"arn:x"},` +
		`"LastLeftOut":{"Due":"2026-11-23T09:00:00Z","Outcome":"missed"}}`
)

func TestScheduleShow(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/schedules":                      reply(200, `{"Schedules":[`+schedulePoll+`],"More":true}`),
		"GET /v1/schedules?after=default%2Fpoll": reply(200, `{"Schedules":[`+scheduleOff+`]}`),
		"GET /v1/schedules/default/poll":         reply(200, schedulePoll),
		"GET /v1/schedules/default/gone":         failure(404, awsNotFound, "no"),
	})
	n.run("schedule", "ls").want(t, 0, ""+
		"SCHEDULE  EXPRESSION   FUNCTION    NEXT                  LAST                  OUTCOME\n"+
		"poll      @every 90s   hello:live  2026-11-23T10:01:30Z  2026-11-23T10:00:00Z  failed\n"+
		"g/off     rate(1 day)  arn:x       paused                2026-11-23T09:00:00Z  missed\n", "")
	n.run("schedule", "get", "poll").want(t, 0, ""+
		"Schedule:     poll\n"+
		"Expression:   @every 90s in UTC\n"+
		"Function:     hello:live\n"+
		"Input:        {\"a\":1}\n"+
		"Missed:       all=3\n"+
		"Overlap:      forbid\n"+
		"Jitter:       1m30s\n"+
		"Next run:     2026-11-23T10:01:30Z\n"+
		"Last run:     2026-11-23T10:00:00Z, failed: boom\\x1b (request r1)\n"+
		"Left out:     2026-11-23T09:58:30Z, skipped: the run before has not ended\n"+
		"So far:       2 ok, 3 failed, 4 skipped, 5 missed, 1 waiting\n", "")
	n.run("schedule", "get", "gone").want(t, 1, "", "ledge: there is no schedule gone\n  see which there are: ledge schedule ls\n")
	if o := n.run("schedule", "ls", "--json"); o.exit != 0 || !json.Valid([]byte(o.stdout)) {
		t.Errorf("exit %d: %s", o.exit, o.stdout)
	}
	commandLine{args: []string{"__complete", "--data", n.data, "schedule", "rm", ""}}.run(t).want(t, 0, "poll\ng/off\n:4\n", "*")
}

func TestNoSchedules(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{"GET /v1/schedules": reply(200, `{"Schedules":[]}`)})
	n.run("schedule", "ls").want(t, 0, "", "no schedules yet; add one with: ledge schedule add NAME '0 8 * * *' FUNCTION\n")
	n.run("schedule", "ls", "--json").want(t, 0, "{\n  \"Schedules\": []\n}\n", "")
	for _, page := range []string{`{"Schedules":[],"More":true}`, `{"Schedules":["x"],"More":true}`} {
		n := newNode(t, map[string]http.HandlerFunc{"GET /v1/schedules": reply(200, page)})
		if o := n.run("schedule", "ls"); o.exit != 1 {
			t.Errorf("%s: exit %d", page, o.exit)
		}
	}
}

func TestScheduleAdd(t *testing.T) {
	exists := reply(200, `{"FunctionName":"hello"}`)
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /2015-03-31/functions/hello/configuration":                exists,
		"GET /2015-03-31/functions/gone/configuration":                 failure(404, awsNotFound, "no"),
		"GET /2015-03-31/functions/hello/configuration?Qualifier=live": exists,
		"GET /2015-03-31/functions/hello/configuration?Qualifier=old":  failure(404, awsNotFound, "no"),
		"POST /schedules/poll":                                         reply(200, `{"ScheduleArn":"arn"}`),
		"POST /schedules/taken":                                        failure(409, awsTaken, "Schedule taken already exists."),
		"PUT /schedules/taken":                                         reply(200, `{"ScheduleArn":"arn"}`),
		"GET /v1/schedules/default/poll":                               reply(200, schedulePoll),
		"GET /v1/schedules/g/taken":                                    reply(200, scheduleOff),
	})
	n.run("schedule", "add", "poll", "@every 90s", "hello:live", "--input", `{"a":1}`, "--tz", "Europe/Berlin", "--missed", "all=3", "--overlap", "forbid",
		"--jitter", "90", "--start", "2026-12-01T00:00:00Z", "--end", "2027-01-01T00:00:00+01:00", "--retries", "1", "--max-age", "1h", "--paused").
		want(t, 0, "added schedule poll for hello:live, next run 2026-11-23T10:01:30Z\n", "")
	var got, want any
	for text, into := range map[string]*any{
		n.only("POST /schedules/poll").Body: &got,
		`{"GroupName":"default","ScheduleExpression":"@every 90s","ScheduleExpressionTimezone":"Europe/Berlin","StartDate":1796083200,"EndDate":1798758000,"State":"DISABLED",
			"FlexibleTimeWindow":{"Mode":"OFF"},"Target":{"Arn":"arn:aws:lambda:us-east-1:000000000000:function:hello:live","Input":"{\"a\":1}",
			"RetryPolicy":{"MaximumEventAgeInSeconds":3600,"MaximumRetryAttempts":1}},"Ledge":{"Missed":"all","MissedMax":3,"Overlap":"forbid","JitterSeconds":90}}`: &want,
	} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sent %v\nwant %v", got, want)
	}
	n.run("schedule", "add", "taken", "@daily", "hello").want(t, 1, "", "ledge: there is a schedule taken already\n  look at it: ledge schedule get taken; replace it with --replace\n")
	n.run("schedule", "add", "g/taken", "@daily", "hello", "--replace").want(t, 0, "replaced schedule g/taken for hello, next run paused\n", "")
	if body := n.only("PUT /schedules/taken").Body; !strings.Contains(body, `"GroupName":"g"`) {
		t.Errorf("sent %s", body)
	}
	n.run("schedule", "add", "poll", "@daily", "gone").want(t, 1, "", "ledge: function gone not found\n  see what is there: ledge ls\n")
	n.run("schedule", "add", "poll", "@daily", "hello:old").want(t, 1, "", "ledge: function hello has no version or alias old\n  see its versions: ledge ls hello; its aliases: ledge alias ls hello\n")
	n.run("schedule", "add", "poll", "at(9999-01-01T00:00:00)", "hello", "--tz", "Asia/Tokyo").want(t, 0, "added schedule poll for hello, next run 2026-11-23T10:01:30Z\n", "")
	for _, bad := range [][]string{
		{"a", "at(2020-01-01T00:00:00)", "hello"}, {"a", "at(2020-01-01T00:00:00)", "hello", "--tz", "UTC", "--replace"},
		{"a b", "@daily", "hello"}, {"a/b/c", "@daily", "hello"}, {"..", "@daily", "hello"}, {"a", "@daily", "a/b"}, {"a", "@daily"},
		{"a", "@daily", "hello", "--missed", "all=0"}, {"a", "@daily", "hello", "--missed", "all=N"}, {"a", "@daily", "hello", "--missed", "al"},
		{"a", "@daily", "hello", "--overlap", "maybe"}, {"a", "@daily", "hello", "--jitter", "48h"}, {"a", "@daily", "hello", "--retries", "186"}, {"a", "@daily", "hello", "--retries", "-1"},
		{"a", "@daily", "hello", "--max-age", "59s"}, {"a", "@daily", "hello", "--max-age", "25h"}, {"a", "@daily", "hello", "--jitter", "x"}, {"a", "@daily", "hello", "--jitter", "100ms"}, {"a", "@daily", "hello", "--max-age", "90500ms"}, {"a", "@daily", "hello", "--start", "tomorrow"},
		{"a", "@daily", "hello", "--retries", "x"}, {"a", "@daily", "hello", "--max-age", "-1"},
	} {
		if o := n.run(append([]string{"schedule", "add"}, bad...)...); o.exit != 2 {
			t.Errorf("%q: exit %d: %s", bad, o.exit, o.stderr)
		}
	}
}

// A time that has passed in the schedule's zone is refused, and what only the node can
// understand is left to it.
func TestSchedulePast(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct{ expression, zone, want string }{
		{"at(2026-11-23T12:00:00)", "", "at(2026-11-23T12:00:00) has passed: it is 2026-11-23T12:00:00 in UTC now, and the schedule would never run"},
		{"at(2026-11-23T12:00:01)", "", ""},
		{"at(2026-11-23T20:00:00)", "Asia/Tokyo", "at(2026-11-23T20:00:00) has passed: it is 2026-11-23T21:00:00 in Asia/Tokyo now, and the schedule would never run"},
		{"at(2026-11-23T21:00:01)", "Asia/Tokyo", ""},
		{"at(2026-11-23T08:00:00)", "America/New_York", ""},
		{"at(2020-01-01T00:00:00)", "Mars/Olympus", ""},
		{"at(2020-13-01T00:00:00)", "", ""},
		{"at(2020-01-01T00:00:00", "", ""},
		{"rate(1 day)", "", ""},
	} {
		var bad *usageError
		got := ""
		if err := refusePast(test.expression, test.zone, now); errors.As(err, &bad) {
			got = bad.Message
		}
		if got != test.want {
			t.Errorf("%s in %q: %q, want %q", test.expression, test.zone, got, test.want)
		}
	}
}

func TestScheduleActions(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"POST /v1/schedules/default/poll/run":   reply(200, `{"RequestId":"r"}`),
		"POST /v1/schedules/g/off/pause":        reply(200, scheduleOff),
		"POST /v1/schedules/g/off/resume":       reply(200, scheduleOff),
		"POST /v1/schedules/default/gone/run":   failure(404, awsNotFound, "no"),
		"DELETE /schedules/off?groupName=g":     reply(200, `{}`),
		"DELETE /schedules/x?groupName=default": failure(404, awsNotFound, "no"),
	})
	n.run("schedule", "run", "poll", "gone").want(t, 1, "queued poll\n", "ledge: there is no schedule gone\n  see which there are: ledge schedule ls\n")
	n.run("schedule", "run", "poll", "--json").want(t, 0, "{\n  \"poll\": {\n    \"RequestId\": \"r\"\n  }\n}\n", "")
	n.run("schedule", "pause", "g/off").want(t, 0, "paused g/off\n", "")
	n.run("schedule", "resume", "g/off").want(t, 0, "resumed g/off\n", "")
	n.run("schedule", "rm", "g/off", "x").want(t, 1, "removed g/off\n", "ledge: there is no schedule x\n  see which there are: ledge schedule ls\n")
	if o := n.run("schedule", "rm", "a/b/c"); o.exit != 2 {
		t.Errorf("exit %d", o.exit)
	}
}

// With --replace a schedule that is not there yet is created.
func TestScheduleAddReplacesNone(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /2015-03-31/functions/hello/configuration":                reply(200, `{"FunctionName":"hello"}`),
		"GET /2015-03-31/functions/hello/configuration?Qualifier=live": reply(200, `{"FunctionName":"hello"}`),
		"PUT /schedules/hello":                                         failure(404, awsNotFound, "no"),
		"POST /schedules/hello":                                        reply(200, `{"ScheduleArn":"arn"}`),
		"GET /v1/schedules/default/hello":                              reply(200, scheduleOff),
	})
	n.run("schedule", "add", "hello", "@daily", "hello:live", "--tz", "Europe/Berlin", "--replace").want(t, 0, "added schedule hello for hello:live, next run paused\n", "")
	const want = `{"GroupName":"default","ScheduleExpression":"@daily","ScheduleExpressionTimezone":"Europe/Berlin","FlexibleTimeWindow":{"Mode":"OFF"},"Target":{"Arn":"arn:aws:lambda:us-east-1:000000000000:function:hello:live"},"Ledge":{}}`
	if got := n.only("POST /schedules/hello").Body; got != want {
		t.Errorf("sent %s", got)
	}
}
