package scheduler

import (
	"errors"
	"fmt"
	"strconv"
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
// Scheduler (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html):
//
//	at(2026-11-23T08:00:00)    once
//	rate(5 minutes)            every so often, counted from a start
//	cron(0 8 ? * MON-FRI *)    by the calendar; see cronFields
//
// All three are exact to the second, and understood in a time zone. Where the
// zone changes its clocks:
//   - cron does not run for a time that is left out, and runs once for a time
//     that comes twice: the first time. So cron(0/5 * * * ? *) pauses for the
//     hour that comes twice, as AWS documents.
//   - at takes a time that is left out as if the clocks had not been changed yet,
//     and of a time that comes twice the first.
//   - rate counts real time: a day has 24 hours.
type Expression struct {
	text string
	zone *time.Location
	at   time.Time // of at
	rate time.Duration
	cron *cronFields
}

// maxRate bounds a rate; one that is longer would never come.
const maxRate = 100 * 366 * 24 * time.Hour

// maxZoneName is AWS's bound of the name of a time zone.
const maxZoneName = 50

// ParseExpression reads an expression. zone is a name of the IANA time zone
// database, empty for UTC. The error is an *ExpressionError.
func ParseExpression(text, zone string) (*Expression, error) {
	location, err := loadZone(zone)
	if err != nil {
		return nil, err
	}
	e := &Expression{text: text, zone: location}
	kind, rest, found := strings.Cut(text, "(")
	body, closed := strings.CutSuffix(rest, ")")
	if !found || !closed {
		return nil, badExpression(text, "it must be cron(...), rate(...) or at(...)")
	}
	switch kind {
	case "at":
		e.at, err = parseAt(body, location)
	case "rate":
		e.rate, err = parseRate(body)
	case "cron":
		e.cron, err = parseCron(body)
	default:
		return nil, badExpression(text, "it must be cron(...), rate(...) or at(...)")
	}
	if err != nil {
		return nil, badExpression(text, err.Error())
	}
	return e, nil
}

// Expressions judges expressions for those who keep them.
type Expressions struct{}

// Check returns the reason for which ParseExpression refuses an expression or a
// time zone.
func (Expressions) Check(expression, zone string) error {
	_, err := ParseExpression(expression, zone)
	var bad *ExpressionError
	if errors.As(err, &bad) {
		return errors.New(bad.Why)
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
		return nil, badExpression(name, "it is not the name of a time zone")
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, badExpression(name, "there is no such time zone; use a name such as Europe/Berlin")
	}
	return location, nil
}

// String returns the expression as it was written.
func (e *Expression) String() string { return e.text }

// Once reports whether the expression names a single time.
func (e *Expression) Once() bool { return e.rate == 0 && e.cron == nil }

// Next returns the first time after after, zero where there is none. A rate is
// counted from start, which is the first of its times; the others ignore start.
// The result is in UTC.
func (e *Expression) Next(start, after time.Time) time.Time {
	switch {
	case e.cron != nil:
		return e.cron.next(after, e.zone).UTC()
	case e.rate > 0:
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
// there is none: of many runs that were missed it is the one to make up for.
func (e *Expression) Last(start, after, now time.Time) time.Time {
	switch {
	case now.Before(after):
		return time.Time{}
	case e.rate > 0:
		if now.Before(start) {
			return time.Time{}
		}
		if last := start.Add(now.Sub(start) / e.rate * e.rate); last.After(after) {
			return last.UTC()
		}
		return time.Time{}
	}
	// Look back further and further: most schedules have a run within a day.
	for back := time.Hour; ; back *= 8 {
		from := now.Add(-back)
		if from.Before(after) || back > maxRate {
			from = after
		}
		var last time.Time
		for t := e.Next(start, from); !t.IsZero() && !t.After(now); t = e.Next(start, t) {
			last = t
		}
		if !last.IsZero() || from.Equal(after) {
			return last
		}
	}
}

// parseAt reads yyyy-mm-ddThh:mm:ss.
func parseAt(text string, zone *time.Location) (time.Time, error) {
	wall, err := time.Parse("2006-01-02T15:04:05", text)
	if err != nil || len(text) != len("2006-01-02T15:04:05") {
		return time.Time{}, fmt.Errorf("at takes a date and time such as 2026-11-23T08:00:00, not %.64q", text)
	}
	t, _ := inZone(wall, zone)
	return t, nil
}

// inZone returns when the clocks of zone first show wall, which is given in UTC.
// exists is false where they never do, because they are set forward over it; the
// result is then what it would have been without.
func inZone(wall time.Time, zone *time.Location) (t time.Time, exists bool) {
	// No zone changes its clocks twice within these two days.
	_, before := wall.Add(-24 * time.Hour).In(zone).Zone()
	_, after := wall.Add(24 * time.Hour).In(zone).Zone()
	for _, offset := range [...]int{max(before, after), min(before, after)} { // the larger comes first
		t := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, actual := t.Zone(); actual == offset {
			return t, true
		}
	}
	return wall.Add(-time.Duration(before) * time.Second).In(zone), false
}

// parseRate reads a number and a unit.
func parseRate(text string) (time.Duration, error) {
	const usage = "rate takes a whole number above 0 and minutes, hours or days, as in rate(5 minutes)"
	fields := strings.Fields(text)
	if len(fields) != 2 || strings.TrimLeft(fields[0], "0123456789") != "" {
		return 0, errors.New(usage)
	}
	n, err := strconv.ParseInt(fields[0], 10, 32)
	if err != nil || n < 1 {
		return 0, errors.New(usage)
	}
	var unit time.Duration
	switch strings.TrimSuffix(fields[1], "s") {
	case "minute":
		unit = time.Minute
	case "hour":
		unit = time.Hour
	case "day":
		unit = 24 * time.Hour
	default:
		return 0, errors.New(usage)
	}
	if n > int64(maxRate/unit) {
		return 0, errors.New("a rate is at most 100 years")
	}
	return time.Duration(n) * unit, nil
}
