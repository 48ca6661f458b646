package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ExpressionError says that an expression, or the name of a time zone, cannot be
// understood.
type ExpressionError struct {
	Text string // as it was given
	Why  string // a sentence without a full stop
}

func (e *ExpressionError) Error() string {
	return fmt.Sprintf("invalid schedule expression %.256q: %s", e.Text, e.Why)
}

// Expression says when something happens, in the language of Amazon EventBridge
// Scheduler (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html)
// or that of github.com/robfig/cron/v3 (https://pkg.go.dev/github.com/robfig/cron/v3):
//
//	at(2026-11-23T08:00:00)     once
//	rate(5 minutes)             every so often, counted from a start, which is the first time
//	cron(0 8 ? * MON-FRI *)     by the calendar; see cronFields
//	0 8 * * MON-FRI             by the calendar; see parseStandard
//	30 0 8 * * MON-FRI          with seconds, which come first
//	@hourly, @daily, @weekly    names of some of them
//	@every 90s                  every so often; the first time is that long after the start
//	CRON_TZ=Asia/Tokyo @daily   any of the last four with their time zone, where the schedule names no other
//
// All are exact to the second, and understood in a time zone. Where the zone changes
// its clocks:
//   - cron does not run for a time that is left out, and runs once for a time
//     that comes twice: the first time. So cron(0/5 * * * ? *) pauses for the
//     hour that comes twice, as AWS documents.
//   - Five or six fields do the same where they name hours, as 30 2 * * * does. Those
//     that run in every hour, as */5 * * * * and @hourly do, run both times: they do
//     not pause.
//   - at takes a time that is left out as if the clocks had not been changed yet,
//     and of a time that comes twice the first.
//   - rate and @every count real time: a day has 24 hours.
type Expression struct {
	text  string
	zone  *time.Location
	at    time.Time // of at
	rate  time.Duration
	later bool // a rate begins after its start, not with it
	cron  *cronFields
}

// maxExpression is AWS's bound of an expression, in bytes.
const maxExpression = 256

// maxRate bounds a rate; one that is longer would never come.
const maxRate = 100 * 366 * 24 * time.Hour

// maxZoneName is AWS's bound of the name of a time zone.
const maxZoneName = 50

// ParseExpression reads an expression. zone is a name of the IANA time zone
// database, empty for UTC. The error is an *ExpressionError.
func ParseExpression(text, zone string) (*Expression, error) {
	return parseExpression(text, zone, loadZone)
}

// parseExpression is ParseExpression with another source of time zones.
func parseExpression(text, zone string, load func(name string) (*time.Location, error)) (*Expression, error) {
	if len(text) > maxExpression {
		return nil, badExpression(text, fmt.Sprintf("it has %d bytes, at most %d are read", len(text), maxExpression))
	}
	own, rest, err := cutZone(text)
	if err != nil {
		return nil, err
	}
	// UTC beside another is none: that is what a schedule without a time zone is shown
	// with, and what clients send back that change another of its members.
	if own != "" && own != zone && zone != "" && zone != "UTC" {
		return nil, badExpression(text, fmt.Sprintf("it names the time zone %.50s, and the schedule names %.50s; give one of them only", own, zone))
	}
	location, err := load(zone)
	if err == nil && own != "" {
		location, err = load(own)
	}
	if err != nil {
		return nil, err
	}
	e := &Expression{text: text, zone: location}
	kind, body, found := strings.Cut(text, "(")
	body, closed := strings.CutSuffix(body, ")")
	switch {
	case !found || !closed || own != "":
		err = e.parseStandard(rest)
	case kind == "at":
		e.at, err = parseAt(body, location)
	case kind == "rate":
		e.rate, err = parseRate(body)
	case kind == "cron":
		e.cron, err = parseCron(body)
	default:
		err = errors.New("it must be cron(...), rate(...), at(...) or cron fields such as 0 8 * * *")
	}
	if err != nil {
		return nil, badExpression(text, err.Error())
	}
	return e, nil
}

// Expressions judges expressions for those who keep them.
type Expressions struct{}

// Check returns the reason for which ParseExpression refuses an expression or a
// time zone, or says that the expression names no time of any year, as that of 30
// February does. Times that have passed are times.
func (Expressions) Check(expression, zone string) error {
	e, err := ParseExpression(expression, zone)
	var bad *ExpressionError
	if errors.As(err, &bad) {
		return errors.New(bad.Why)
	}
	if err == nil && e.cron != nil && e.Next(time.Time{}, time.Date(firstYear-1, time.December, 31, 0, 0, 0, 0, time.UTC)).IsZero() {
		return errors.New("it names a date that never comes")
	}
	return err
}

func badExpression(text, why string) error { return &ExpressionError{Text: text, Why: why} }

// loadZone refuses what time.LoadLocation takes and AWS does not: the zone of
// the machine, which would make a schedule mean something else on each.
func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if name == "Local" || len(name) > maxZoneName {
		return nil, badExpression(name, fmt.Sprintf("%.50q is not the name of a time zone; use a name such as Europe/Berlin", name))
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, badExpression(name, fmt.Sprintf("there is no time zone %s; use a name such as Europe/Berlin", name))
	}
	return location, nil
}

// String returns the expression as it was written.
func (e *Expression) String() string { return e.text }

// Once reports whether the expression names a single time.
func (e *Expression) Once() bool { return e.rate == 0 && e.cron == nil }

// Next returns the first time after after, zero where there is none. A rate is
// counted from start; the others ignore it. The result is in UTC. It takes some
// microseconds, however far away the time is.
func (e *Expression) Next(start, after time.Time) time.Time {
	switch {
	case e.cron != nil:
		return e.cron.next(after, e.zone).UTC()
	case e.rate > 0:
		if e.later {
			start = start.Add(e.rate)
		}
		if after.Before(start) {
			return start.UTC()
		}
		// after-start may be more than a Duration holds only after 292 years.
		n := after.Sub(start)/e.rate + 1
		return start.Add(n * e.rate).UTC()
	case after.Before(e.at):
		return e.at.UTC()
	}
	return time.Time{}
}

// Last returns the latest time that is after after and not after now, zero where
// there is none: of many runs that were missed it is the one to make up for. Its work
// grows with the logarithm of the time between them.
func (e *Expression) Last(start, after, now time.Time) time.Time {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(now) }
	last := e.Next(start, after)
	if !due(last) {
		return time.Time{}
	}
	if e.rate > 0 {
		return last.Add(now.Sub(last) / e.rate * e.rate)
	}
	// Look back further and further, since most schedules have run lately; then halve
	// the time in which the last one must be. None is after end.
	end := now
	for back := time.Second; back < now.Sub(last); back *= 4 {
		from := now.Add(-back)
		if t := e.Next(start, from); due(t) {
			last = t
			break
		}
		end = from
	}
	for {
		next := e.Next(start, last)
		if !due(next) {
			return last
		}
		middle := last.Add(end.Sub(last) / 2)
		if t := e.Next(start, middle); due(t) {
			last = t
		} else {
			end, last = middle, next
		}
	}
}

// Recent returns the latest times that are after after and not after now, at most
// limit of them, oldest first.
func (e *Expression) Recent(start, after, now time.Time, limit int) (times []time.Time) {
	for len(times) < limit {
		last := e.Last(start, after, now)
		if last.IsZero() {
			break
		}
		times = append(times, last)
		now = last.Add(-1)
	}
	slices.Reverse(times)
	return times
}

// Count returns how many times are after after and not after now, at most limit.
func (e *Expression) Count(start, after, now time.Time, limit int) (n int) {
	for n < limit {
		if after = e.Next(start, after); after.IsZero() || after.After(now) {
			break
		}
		n++
	}
	return n
}
