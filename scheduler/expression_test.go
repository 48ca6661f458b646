package scheduler

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // as in main: the machine may have none
)

func mustParse(t testing.TB, text, zone string) *Expression {
	t.Helper()
	e, err := ParseExpression(text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const stamp = "2006-01-02T15:04:05Z07:00"

func mustTime(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(stamp, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// The examples of AWS's pages, the corners of each field, and what happens when
// the clocks are changed.
func TestExpressionNext(t *testing.T) {
	const berlin, newYork, lordHowe = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
	for _, test := range []struct {
		text, zone, after string
		want              string // space-separated, local time of the zone
	}{
		// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
		{"cron(0 10 * * ? *)", "", "2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z 2026-11-25T10:00:00Z"},
		{"cron(15 12 * * ? *)", "", "2026-11-23T10:00:00Z", "2026-11-23T12:15:00Z"},
		{"cron(0 18 ? * MON-FRI *)", "", "2026-11-26T19:00:00Z", "2026-11-27T18:00:00Z 2026-11-30T18:00:00Z"},
		{"cron(0 8 1 * ? *)", "", "2026-11-23T10:00:00Z", "2026-12-01T08:00:00Z 2027-01-01T08:00:00Z"},
		{"cron(0/15 * * * ? *)", "", "2026-11-23T10:07:30Z", "2026-11-23T10:15:00Z 2026-11-23T10:30:00Z"},
		{"cron(0/10 * ? * MON-FRI *)", "", "2026-11-27T23:50:00Z", "2026-11-30T00:00:00Z"},
		{"cron(0/5 8-17 ? * MON-FRI *)", "", "2026-11-27T17:55:00Z", "2026-11-30T08:00:00Z"},
		{"cron(0/30 20-2 ? * MON-FRI *)", "", "2026-11-23T02:30:00Z", "2026-11-23T20:00:00Z"},
		{"cron(15 10 ? * 6L 2022-2030)", "", "2026-11-01T00:00:00Z", "2026-11-27T10:15:00Z 2026-12-25T10:15:00Z"},
		{"cron(0 9 ? * 2#1 *)", "", "2026-11-01T00:00:00Z", "2026-11-02T09:00:00Z 2026-12-07T09:00:00Z"},
		{"cron(0 9 ? * MON#5 *)", "", "2026-11-01T00:00:00Z", "2026-11-30T09:00:00Z 2027-03-29T09:00:00Z"},
		{"cron(0 0 L * ? *)", "", "2027-01-31T00:00:00Z", "2027-02-28T00:00:00Z 2027-03-31T00:00:00Z"},
		{"cron(0 0 ? * L *)", "", "2026-11-23T00:00:00Z", "2026-11-28T00:00:00Z"},
		{"cron(0 0 ? * SUNL *)", "", "2026-11-23T00:00:00Z", "2026-11-29T00:00:00Z"},
		{"cron(0 0 3W * ? *)", "", "2026-09-30T00:00:00Z", "2026-10-02T00:00:00Z 2026-11-03T00:00:00Z 2026-12-03T00:00:00Z"},
		{"cron(0 0 1W * ? *)", "", "2026-07-31T00:00:00Z", "2026-08-03T00:00:00Z 2026-09-01T00:00:00Z"},
		{"cron(0 0 31W * ? *)", "", "2027-01-01T00:00:00Z", "2027-01-29T00:00:00Z 2027-03-31T00:00:00Z"},
		{"cron(0 0 15W * ? *)", "", "2026-11-01T00:00:00Z", "2026-11-16T00:00:00Z"},
		{"cron(0 0 LW * ? *)", "", "2027-01-01T00:00:00Z", "2027-01-29T00:00:00Z 2027-02-26T00:00:00Z"},
		{"cron(0 0 31 * ? *)", "", "2026-10-31T00:00:00Z", "2026-12-31T00:00:00Z"},
		{"cron(0 0 29 2 ? *)", "", "2026-11-23T00:00:00Z", "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z"},
		{"cron(0 0 30 feb ? *)", "", "2026-11-23T00:00:00Z", ""}, // Check refuses it
		{"cron(0 0 1 1 ? 2026)", "", "2026-01-01T00:00:00Z", ""},
		{"cron(59 23 31 12 ? 2199)", "", "2026-01-01T00:00:00Z", "2199-12-31T23:59:00Z"},
		{"cron(0 0 1 1 ? 2027/2)", "", "2027-06-01T00:00:00Z", "2029-01-01T00:00:00Z 2031-01-01T00:00:00Z"},
		{"cron(0 0 ? * FRI-MON *)", "", "2026-11-23T00:00:00Z", "2026-11-27T00:00:00Z 2026-11-28T00:00:00Z 2026-11-29T00:00:00Z 2026-11-30T00:00:00Z"},
		{"cron(5,10-12/2,58/1 0 1 jan,MAR ? *)", "", "2026-12-31T00:00:00Z", "2027-01-01T00:05:00Z 2027-01-01T00:10:00Z 2027-01-01T00:12:00Z 2027-01-01T00:58:00Z 2027-01-01T00:59:00Z 2027-03-01T00:05:00Z"},
		{"cron(0 22-1/2 ? * * *)", "", "2026-11-23T00:00:00Z", "2026-11-23T22:00:00Z 2026-11-24T00:00:00Z"},
		{"cron(  0  8\t1 * ? * )", "", "2026-11-23T10:00:00Z", "2026-12-01T08:00:00Z"},
		{"cron(0 0 1 1 ? *)", "", "1969-06-01T00:00:00Z", "1970-01-01T00:00:00Z"},

		// The clocks of Berlin skip 02:00 to 03:00 on 29 March 2026, and show that
		// hour twice on 25 October.
		{"cron(30 2 * * ? *)", berlin, "2026-03-28T00:00:00Z", "2026-03-28T02:30:00+01:00 2026-03-30T02:30:00+02:00"},
		{"cron(30 2 * * ? *)", berlin, "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00"},
		{"cron(0/30 * * * ? *)", berlin, "2026-03-29T00:29:00Z", "2026-03-29T01:30:00+01:00 2026-03-29T03:00:00+02:00"},
		{"cron(0/30 * * * ? *)", berlin, "2026-10-25T00:29:00Z", "2026-10-25T02:30:00+02:00 2026-10-25T03:00:00+01:00"},
		{"cron(0/30 * * * ? *)", berlin, "2026-10-25T01:10:00Z", "2026-10-25T03:00:00+01:00"},
		{"cron(0 8 * * ? *)", newYork, "2026-03-07T14:00:00Z", "2026-03-08T08:00:00-04:00"},
		{"cron(0 0 30 12 ? 2011)", "Pacific/Apia", "2011-01-01T00:00:00Z", ""}, // a day that Samoa left out
		{"cron(0 0 ? * * *)", "Asia/Kathmandu", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00+05:45"},
		{"at(2026-03-29T02:30:00)", berlin, "2026-01-01T00:00:00Z", "2026-03-29T03:30:00+02:00"},
		{"at(2026-10-25T02:30:00)", berlin, "2026-01-01T00:00:00Z", "2026-10-25T02:30:00+02:00"},

		// https://pkg.go.dev/github.com/robfig/cron/v3
		{"30 * * * *", "", "2026-11-23T10:30:00Z", "2026-11-23T11:30:00Z"},
		{"30 3-6,20-23 * * *", "", "2026-11-23T06:30:00Z", "2026-11-23T20:30:00Z"},
		{"5 30 4 * * *", "", "2026-11-23T04:30:04Z", "2026-11-23T04:30:05Z 2026-11-24T04:30:05Z"},
		{"*/20 * * * * *", "", "2026-11-23T04:30:04Z", "2026-11-23T04:30:20Z 2026-11-23T04:30:40Z 2026-11-23T04:31:00Z"},
		{"0 8 13 * fri", "", "2026-11-08T08:00:00Z", "2026-11-13T08:00:00Z 2026-11-20T08:00:00Z"}, // either day
		{"0 8 13 * *", "", "2026-11-08T08:00:00Z", "2026-11-13T08:00:00Z 2026-12-13T08:00:00Z"},
		{"0 8 ? * 0", "", "2026-11-08T08:00:00Z", "2026-11-15T08:00:00Z"},
		{"0 0 29 2 *", "", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"}, // more than five years away
		{"@yearly", "", "2026-11-23T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"@monthly", berlin, "2026-11-23T00:00:00Z", "2026-12-01T00:00:00+01:00"},
		{"@weekly", "", "2026-11-23T00:00:00Z", "2026-11-29T00:00:00Z"},
		{"@midnight", "", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"},
		{"@hourly", "", "2026-11-23T00:00:00Z", "2026-11-23T01:00:00Z"},
		{"CRON_TZ=America/New_York 0 8 * * *", "America/New_York", "2026-11-23T00:00:00Z", "2026-11-23T08:00:00-05:00"},
		{"TZ=Asia/Kathmandu @daily", "Asia/Kathmandu", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00+05:45"},
		// They begin after the start, which is 2026-01-01T00:00:30Z here.
		{"@every 90s", "", "2025-12-31T00:00:00Z", "2026-01-01T00:02:00Z 2026-01-01T00:03:30Z"},
		{"@every 1h30m10.9s", "", "2026-01-01T00:00:30Z", "2026-01-01T01:30:40Z"},

		// What names its hours does not run in those that are left out, and once in those
		// that come twice; what runs in every hour runs in all.
		{"30 2 * * *", berlin, "2026-03-28T00:00:00Z", "2026-03-28T02:30:00+01:00 2026-03-30T02:30:00+02:00"},
		{"30 2 * * *", berlin, "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00"},
		{"30 1 * * *", newYork, "2026-10-31T12:00:00Z", "2026-11-01T01:30:00-04:00 2026-11-02T01:30:00-05:00"},
		{"30 2 * * *", newYork, "2026-03-07T12:00:00Z", "2026-03-09T02:30:00-04:00"},
		{"*/30 * * * *", berlin, "2026-03-29T00:29:00Z", "2026-03-29T01:30:00+01:00 2026-03-29T03:00:00+02:00"},
		{"*/30 * * * *", berlin, "2026-10-24T23:59:59Z", "2026-10-25T02:00:00+02:00 2026-10-25T02:30:00+02:00 2026-10-25T02:00:00+01:00 2026-10-25T02:30:00+01:00 2026-10-25T03:00:00+01:00"},
		{"@hourly", newYork, "2026-11-01T04:30:00Z", "2026-11-01T01:00:00-04:00 2026-11-01T01:00:00-05:00 2026-11-01T02:00:00-05:00"},
		{"15 */2 * * *", berlin, "2026-10-24T22:30:00Z", "2026-10-25T02:15:00+02:00 2026-10-25T04:15:00+01:00"},
		// Lord Howe skips 02:00 to 02:30 on 4 October 2026, and shows 01:30 to 02:00 twice
		// on 5 April.
		{"15 2 * * *", lordHowe, "2026-10-03T00:00:00Z", "2026-10-05T02:15:00+11:00"},
		{"45 2 * * *", lordHowe, "2026-10-03T00:00:00Z", "2026-10-04T02:45:00+11:00"},
		{"45 1 * * *", lordHowe, "2026-04-04T00:00:00Z", "2026-04-05T01:45:00+11:00 2026-04-06T01:45:00+10:30"},
		{"15 * * * *", lordHowe, "2026-10-03T14:30:00Z", "2026-10-04T01:15:00+10:30 2026-10-04T03:15:00+11:00"},
		{"45 * * * *", lordHowe, "2026-04-04T14:00:00Z", "2026-04-05T01:45:00+11:00 2026-04-05T01:45:00+10:30 2026-04-05T02:45:00+10:30"},
		{"cron(45 * * * ? *)", lordHowe, "2026-04-04T14:00:00Z", "2026-04-05T01:45:00+11:00 2026-04-05T02:45:00+10:30"},

		{"at(2026-11-23T08:00:01)", "", "2026-11-23T08:00:00Z", "2026-11-23T08:00:01Z"},
		{"at(2026-11-23T08:00:01)", "", "2026-11-23T08:00:01Z", ""},
		{"at(2026-11-23T08:00:00)", newYork, "2026-01-01T00:00:00Z", "2026-11-23T08:00:00-05:00"},

		// Rates are counted from start, which is 2026-01-01T00:00:30Z here.
		{"rate(1 minute)", "", "2025-12-31T00:00:00Z", "2026-01-01T00:00:30Z 2026-01-01T00:01:30Z"},
		{"rate(5 minutes)", "", "2026-01-01T00:00:30Z", "2026-01-01T00:05:30Z"},
		{"rate(1 hour)", "", "2026-11-23T08:00:00Z", "2026-11-23T08:00:30Z 2026-11-23T09:00:30Z"},
		{"rate(7 days)", "", "2026-01-05T00:00:00Z", "2026-01-08T00:00:30Z"},
		{"rate(1 day)", berlin, "2026-03-28T12:00:00Z", "2026-03-29T01:00:30+01:00 2026-03-30T02:00:30+02:00"},
	} {
		e := mustParse(t, test.text, test.zone)
		zone, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		start := mustTime(t, "2026-01-01T00:00:30Z")
		wants := strings.Fields(test.want)
		if len(wants) == 0 {
			wants = []string{""}
		}
		at := mustTime(t, test.after)
		for i, want := range wants {
			at = e.Next(start, at)
			got := ""
			if !at.IsZero() {
				got = at.In(zone).Format(stamp)
			}
			if got != want {
				t.Errorf("%s in %q after %s: time %d is %s, want %s", test.text, test.zone, test.after, i, got, want)
				break
			}
		}
	}
}

func TestExpressionLast(t *testing.T) {
	start := mustTime(t, "2026-01-01T00:00:30Z")
	for _, test := range []struct{ text, after, now, want string }{
		{"cron(0/5 * * * ? *)", "2026-11-23T08:00:00Z", "2026-11-23T09:59:59Z", "2026-11-23T09:55:00Z"},
		{"cron(0/5 * * * ? *)", "2020-01-01T00:00:00Z", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"},
		{"cron(0/5 * * * ? *)", "2026-11-23T09:55:00Z", "2026-11-23T09:59:59Z", ""},
		{"cron(0 0 1 1 ? *)", "2000-01-01T00:00:00Z", "2026-11-23T10:00:00Z", "2026-01-01T00:00:00Z"},
		{"cron(0 0 1 1 ? 1980)", "1970-01-01T00:00:00Z", "2026-11-23T10:00:00Z", "1980-01-01T00:00:00Z"},
		{"cron(0 0 1 1 ? 2030)", "1970-01-01T00:00:00Z", "2026-11-23T10:00:00Z", ""},
		{"at(2026-11-23T08:00:00)", "2026-11-23T07:00:00Z", "2026-11-23T09:00:00Z", "2026-11-23T08:00:00Z"},
		{"at(2026-11-23T08:00:00)", "2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z", ""},
		{"at(2026-11-23T08:00:00)", "2026-11-23T07:00:00Z", "2026-11-23T07:59:59Z", ""},
		{"* * * * * *", "1970-01-01T00:00:00Z", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"},
		{"* * * * 1 *", "2000-01-01T00:00:00Z", "2026-11-23T10:00:00Z", "2026-01-31T23:59:59Z"}, // millions of times, long ago
		{"0 0 29 2 *", "1970-01-01T00:00:00Z", "2026-11-23T10:00:00Z", "2024-02-29T00:00:00Z"},
		{"@every 90s", "2026-01-01T00:00:00Z", "2026-01-01T00:02:10Z", "2026-01-01T00:02:00Z"},
		{"@every 90s", "2026-01-01T00:00:00Z", "2026-01-01T00:01:50Z", ""},
		{"rate(1 hour)", "2026-11-23T07:00:00Z", "2026-11-23T09:30:00Z", "2026-11-23T09:00:30Z"},
		{"rate(1 hour)", "2026-11-23T09:00:30Z", "2026-11-23T09:30:00Z", ""},
		{"rate(1 hour)", "2020-11-23T09:00:30Z", "2025-11-23T09:30:00Z", ""},
		{"rate(1 hour)", "2026-11-23T09:00:30Z", "2026-11-23T08:00:00Z", ""},
	} {
		got := mustParse(t, test.text, "").Last(start, mustTime(t, test.after), mustTime(t, test.now))
		text := ""
		if !got.IsZero() {
			text = got.Format(stamp)
		}
		if text != test.want {
			t.Errorf("%s after %s until %s: got %s, want %s", test.text, test.after, test.now, text, test.want)
		}
	}
}

func TestExpressionRefuses(t *testing.T) {
	for _, text := range []string{
		"", "cron", "cron()", "cron(0 0 1 1 ? *", "every(5 minutes)", "CRON(0 0 1 1 ? *)",
		"0 0 1 1 ? *", "0 0 ? 1 MON *", "? 0 1 1 *", // of AWS, without cron()
		"* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 7", "5-1 * * * *", "*/0 * * * *", ", * * * *", "1-2-3 * * * *", "1/2/3 * * * *", "-1 * * * *", "x * * * *",
		"@", "@never", "@reboot", "@every", "@every ", "@every 0s", "@every 999ms", "@every -5m", "@every x", "@every 900000h",
		"TZ=", "TZ= ", "TZ=UTC", "CRON_TZ=UTC", "CRON_TZ= * * * * *", "TZ=UTC rate(1 day)", "TZ=UTC TZ=UTC * * * * *", "TZ=UTC CRON_TZ=UTC @daily", strings.Repeat("1,", 200) + "1 * * * *",
		"cron(0 0 1 1 *)", "cron(0 0 1 1 ? * *)", "cron(0 0 1 1 * *)", "cron(0 0 ? 1 ? *)", "cron(0 0 * * * *)",
		"cron(60 0 1 1 ? *)", "cron(0 24 1 1 ? *)", "cron(0 0 0 1 ? *)", "cron(0 0 32 1 ? *)", "cron(0 0 1 13 ? *)",
		"cron(0 0 1 0 ? *)", "cron(0 0 ? 1 0 *)", "cron(0 0 ? 1 8 *)", "cron(0 0 1 1 ? 1969)", "cron(0 0 1 1 ? 2200)",
		"cron(0 0 1 1 ? 2030-2026)", "cron(? 0 1 1 ? *)", "cron(0 ? 1 1 ? *)", "cron(0 0 1 ? ? *)", "cron(0 0 1 1 ? ?)",
		"cron(-1 0 1 1 ? *)", "cron(1- 0 1 1 ? *)", "cron(1-2-3 0 1 1 ? *)", "cron(, 0 1 1 ? *)", "cron(1, 0 1 1 ? *)",
		"cron(*/0 0 1 1 ? *)", "cron(*/60 0 1 1 ? *)", "cron(*/ 0 1 1 ? *)", "cron(/5 0 1 1 ? *)", "cron(1/2/3 0 1 1 ? *)",
		"cron(L 0 1 1 ? *)", "cron(0 0 W 1 ? *)", "cron(0 0 32W 1 ? *)", "cron(0 0 1W,15W 1 ? *)", "cron(0 0 L-3 1 ? *)",
		"cron(0 0 ? 1 2#6 *)", "cron(0 0 ? 1 2#0 *)", "cron(0 0 ? 1 #1 *)", "cron(0 0 ? 1 3#1,6#3 *)", "cron(0 0 ? 1 9L *)", "cron(0 0 ? 1 2W *)",
		"cron(0 0 1 JANFEB ? *)", "cron(0 0 1 ANF ? *)", "cron(0 0 ? 1 XYZ *)", "cron(00000 0 1 1 ? *)",
		"cron(" + strings.Repeat("1,", 64) + "1 0 1 1 ? *)",
		"rate(0 minutes)", "rate(-1 minutes)", "rate(1.5 hours)", "rate(5)", "rate(minutes)", "rate(5 seconds)", "rate(1 week)",
		"rate(+5 minutes)", "rate(99999999999 minutes)", "rate(40000 days)", "rate(5 minutes 3)", "rate(5minutes)", "rate(5 minutess)",
		"at(2026-11-23)", "at(2026-11-23T08:00)", "at(2026-02-30T08:00:00)", "at(2026-11-23T08:00:00Z)", "at(2026-11-23T08:00:00.5)", "at(2026-11-23 08:00:00)", "at()",
	} {
		var bad *ExpressionError
		if e, err := ParseExpression(text, ""); !errors.As(err, &bad) || bad.Text != text || bad.Why == "" {
			t.Errorf("%q: got %v and error %v", text, e, err)
		}
		if err := (Expressions{}).Check(text, ""); err == nil || err.Error() != bad.Why {
			t.Errorf("%q: Check says %v", text, err)
		}
	}
	for _, zone := range []string{"Local", "Mars/Olympus", "../../etc/passwd"} {
		if err := (Expressions{}).Check("CRON_TZ="+zone+" @daily", ""); err == nil || !strings.Contains(err.Error(), zone) {
			t.Errorf("zone %s: got error %v", zone, err)
		}
	}
	const two = "it names the time zone Asia/Tokyo, and the schedule names Europe/Berlin; give one of them only"
	for _, test := range []struct{ text, zone, want string }{
		{"CRON_TZ=Asia/Tokyo @daily", "Europe/Berlin", two},
		{"TZ=Asia/Tokyo 0 8 * * *", "Europe/Berlin", two},
		{"CRON_TZ=Asia/Tokyo @daily", "Asia/Tokyo", ""},
		{"CRON_TZ=Asia/Tokyo @daily", "UTC", ""}, // what a schedule without one is shown with
		{"CRON_TZ=Asia/Tokyo @daily", "", ""},
	} {
		var got string
		if err := (Expressions{}).Check(test.text, test.zone); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s in %q: Check says %q, want %q", test.text, test.zone, got, test.want)
		}
	}
	for text, ok := range map[string]bool{
		"rate(1 day)": true, "@every 5s": true, "at(1999-01-01T00:00:00)": true, "cron(0 0 1 1 ? 1999)": true, "0 0 29 2 *": true, "0 0 31 1-3 *": true,
		"cron(0 0 30 2 ? *)": false, "0 0 30 2 *": false, "0 0 31 4,6,9,11 *": false, "cron(0 0 29 2 ? 2001)": false, "CRON_TZ=UTC 0 0 0 31 feb ?": false,
	} {
		if err := (Expressions{}).Check(text, "Europe/Berlin"); (err == nil) != ok {
			t.Errorf("%s: Check says %v", text, err)
		}
	}
	for _, zone := range []string{"Local", "Berlin", "Europe/Nowhere", "../../etc/passwd", "/etc/localtime", "UTC+1", strings.Repeat("x", 51)} {
		var bad *ExpressionError
		if _, err := ParseExpression("rate(1 day)", zone); !errors.As(err, &bad) || bad.Text != zone {
			t.Errorf("zone %q: got error %v", zone, err)
		}
	}
}

// TestCronAgainstTheCalendar compares with walking from minute to minute and
// looking at the clock.
func TestCronAgainstTheCalendar(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	zones := []string{"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"} // the last changes by half an hour
	field := func(low, high int) (string, func(int) bool) {
		a, b := low+random.IntN(high-low+1), low+random.IntN(high-low+1)
		switch random.IntN(4) {
		case 0:
			return "*", func(int) bool { return true }
		case 1:
			return fmt.Sprintf("%d,%d", a, b), func(n int) bool { return n == a || n == b }
		case 2:
			a, b := min(a, b), max(a, b)
			return fmt.Sprintf("%d-%d", a, b), func(n int) bool { return n >= a && n <= b }
		default:
			step := 1 + random.IntN(high/2)
			return fmt.Sprintf("%d/%d", a, step), func(n int) bool { return n >= a && (n-a)%step == 0 }
		}
	}
	for range 120 {
		zone, err := time.LoadLocation(zones[random.IntN(len(zones))])
		if err != nil {
			t.Fatal(err)
		}
		minutes, inMinutes := field(0, 59)
		hours, inHours := field(0, 23)
		days, inDays := field(1, 31)
		weekdays, inWeekdays := "?", func(int) bool { return true }
		if random.IntN(2) == 0 {
			days, inDays = "?", inWeekdays
			weekdays, inWeekdays = field(1, 7)
		}
		text, twice, either := fmt.Sprintf("cron(%s %s %s * %s *)", minutes, hours, days, weekdays), false, false
		if random.IntN(2) == 0 { // crontab's form, in which Sunday is 0
			days, inDays = field(1, 31)
			weekday, in := field(0, 6)
			inWeekdays = func(n int) bool { return in(n - 1) }
			text = fmt.Sprintf("%s %s %s * %s", minutes, hours, days, weekday)
			either = days != "*" && weekday != "*"
			twice = true
			for h := range 24 {
				twice = twice && inHours(h)
			}
		}
		e := mustParse(t, text, zone.String())
		// Around the days on which clocks are changed.
		month := []time.Month{time.March, time.April, time.October, time.November}[random.IntN(4)]
		from := time.Date(2026, month, 1+random.IntN(28), random.IntN(24), random.IntN(60), random.IntN(60), 0, time.UTC)
		until := from.Add(4 * 24 * time.Hour)
		shown := map[string]bool{}
		next := e.Next(from, from)
		for at := from.Truncate(time.Minute).Add(-2 * time.Hour); at.Before(until); at = at.Add(time.Minute) {
			local := at.In(zone)
			wall := local.Format("2006-01-02 15:04")
			first := !shown[wall]
			shown[wall] = true
			ofMonth, ofWeek := inDays(local.Day()), inWeekdays(int(local.Weekday())+1)
			matches := (first || twice) && inMinutes(local.Minute()) && inHours(local.Hour()) && (ofMonth && ofWeek || either && (ofMonth || ofWeek))
			if !at.After(from) {
				continue
			}
			if matches != at.Equal(next) {
				t.Fatalf("%s in %s from %s: at %s it is due %t, Next says %s", text, zone, from, local, matches, next.In(zone))
			}
			if matches {
				next = e.Next(from, next)
			}
		}
		if last := e.Last(from, from, until); !last.IsZero() && !e.Next(from, last).After(until) {
			t.Errorf("%s in %s: Last is %s, but then comes %s before %s", text, zone, last, e.Next(from, last), until)
		}
	}
}

// Recent and Count are what repeated calls of Next give.
func TestExpressionRecent(t *testing.T) {
	start := mustTime(t, "2026-01-01T00:00:30Z")
	now := mustTime(t, "2026-10-25T04:00:00Z") // Berlin's clocks have just been set back
	for _, text := range []string{"*/15 * * * *", "30 2 * * *", "cron(0/7 * * * ? *)", "rate(13 minutes)", "@every 90s", "at(2026-10-25T02:30:00)", "0 0 1 1 *"} {
		e := mustParse(t, text, "Europe/Berlin")
		after := now.Add(-5 * time.Hour)
		var all []time.Time
		for at := e.Next(start, after); !at.IsZero() && !at.After(now); at = e.Next(start, at) {
			all = append(all, at)
		}
		for _, limit := range []int{0, 1, 3, 1000} {
			want := all[len(all)-min(limit, len(all)):]
			if got := e.Recent(start, after, now, limit); !slices.EqualFunc(got, want, time.Time.Equal) {
				t.Errorf("%s: the last %d are %s, want %s", text, limit, got, want)
			}
			if got := e.Count(start, after, now, limit); got != min(limit, len(all)) {
				t.Errorf("%s: counted %d of %d", text, got, len(all))
			}
		}
	}
}

// The time-zone database is in the program, which a device without one of its own needs:
// main imports it, as this test does, and zones load from it where the machine has none.
func TestZonesAreInside(t *testing.T) {
	for _, file := range []string{"../main.go", "expression_test.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(parsed.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"time/tzdata"` }) {
			t.Errorf("%s does not import time/tzdata", file)
		}
	}
	t.Setenv("ZONEINFO", "")
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		if _, err := loadZone(zone); err != nil {
			t.Error(err)
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, text := range []string{"cron(0/15 10 ? * 6L 2022-2030)", "cron(0 0 LW * ? *)", "rate(5 minutes)", "at(2026-11-23T08:00:00)", "cron(5,10-12/2 22-1 1W jan ? *)", "cron(0 9 ? * MON#5 *)",
		"*/5 1-3 29 2 *", "30 0 8 * * MON-FRI", "@hourly", "@every 90s", "CRON_TZ=Australia/Lord_Howe 45 * * * *", "TZ=", "* * * * 1 *"} {
		f.Add(text, "Europe/Berlin", int64(1_764_000_000))
	}
	f.Fuzz(func(t *testing.T, text, zone string, unix int64) {
		e, err := ParseExpression(text, zone)
		if err != nil {
			var bad *ExpressionError
			if !errors.As(err, &bad) {
				t.Errorf("error %v", err)
			}
			return
		}
		start := time.Unix(1_700_000_000, 0)
		at := time.Unix(unix%(1<<33), 0)
		for range 3 {
			next := e.Next(start, at)
			if next.IsZero() {
				break
			}
			if !next.After(at) {
				t.Fatalf("%s: after %s comes %s", text, at, next)
			}
			if last := e.Last(start, at, next); !last.Equal(next) {
				t.Fatalf("%s: after %s comes %s, and the last until then is %s", text, at, next, last)
			}
			far := next.Add(40 * 366 * 24 * time.Hour)
			if last := e.Last(start, at, far); last.Before(next) || last.After(far) || !e.Next(start, last).After(far) && !e.Next(start, last).IsZero() {
				t.Fatalf("%s: the last until %s is %s", text, far, last)
			}
			at = next
		}
	})
}

func BenchmarkCronNext(b *testing.B) {
	for _, text := range []string{"cron(0/15 * * * ? *)", "cron(0 9 ? * MON#5 *)", "cron(0 0 30 2 ? *)"} {
		b.Run(text, func(b *testing.B) {
			e := mustParse(b, text, "Europe/Berlin")
			at := time.Date(2026, 11, 23, 10, 7, 0, 0, time.UTC)
			for b.Loop() {
				e.Next(at, at)
			}
		})
	}
}
