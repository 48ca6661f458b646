package scheduler

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

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

// cutZone takes the zone off text that begins with one. robfig/cron would take the zone
// of the machine too, and panics where nothing follows.
func cutZone(text string) (zone, rest string, err error) {
	name, rest, found := strings.Cut(text, " ")
	zone, prefixed := strings.CutPrefix(strings.TrimPrefix(name, "CRON_"), "TZ=")
	switch {
	case !prefixed:
		return "", text, nil
	case !found || zone == "":
		return "", "", badExpression(text, "a time zone and then an expression follow TZ=, as in TZ=Europe/Berlin 0 8 * * *")
	}
	return zone, strings.TrimSpace(rest), nil
}

// parseStandard reads five fields, six with seconds first, or a name, with the parser
// of robfig/cron:
//
//	seconds       0-59             , - * /      may be left out: 0
//	minutes       0-59             , - * /
//	hours         0-23             , - * /
//	day of month  1-31             , - * / ?
//	month         1-12 or JAN-DEC  , - * /
//	day of week   0-6 or SUN-SAT   , - * / ?
//
// Where both days are given either is enough, as in crontab(5). It does not use what
// finds the times there: that looks at most five years ahead, and goes astray where
// clocks are changed by half an hour.
func (e *Expression) parseStandard(text string) error {
	if strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ=") {
		return errors.New("it names two time zones")
	}
	// robfig/cron takes ? for anything: an expression of AWS without its cron(...) would
	// run at the wrong times.
	fields := strings.Fields(text)
	for i, field := range fields {
		if strings.Contains(field, "?") && i != len(fields)-3 && i != len(fields)-1 {
			return errors.New("? stands for one of the two days only; write cron(...) around the six fields of AWS")
		}
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	parsed, err := parser.Parse(text)
	if err != nil {
		return fmt.Errorf("it must be cron(...), rate(...), at(...) or cron fields such as 0 8 * * *: %w", err)
	}
	switch parsed := parsed.(type) {
	case cron.ConstantDelaySchedule:
		e.rate, e.later = parsed.Delay, true
		asked, err := time.ParseDuration(strings.TrimPrefix(text, "@every "))
		if err != nil || asked < time.Second || asked > maxRate {
			return errors.New("@every takes a duration from one second to 100 years, as in @every 1h30m")
		}
		return nil
	case *cron.SpecSchedule:
		e.cron, err = fromStandard(parsed)
		return err
	}
	return fmt.Errorf("%.64q is not understood", text)
}

// fromStandard returns the fields that robfig/cron has read. It marks a field that is
// every value in the topmost bit.
func fromStandard(parsed *cron.SpecSchedule) (*cronFields, error) {
	const star = 1 << 63
	c := &cronFields{
		seconds: parsed.Second &^ star, minutes: parsed.Minute &^ star, hours: parsed.Hour &^ star, months: parsed.Month &^ star,
		twice: parsed.Hour&^star == 1<<24-1,
	}
	for i := range c.years {
		c.years[i] = ^uint64(0)
	}
	for _, field := range []uint64{c.seconds, c.minutes, c.hours, c.months, parsed.Dom &^ star, parsed.Dow &^ star} {
		if field == 0 { // a list of nothing
			return nil, errors.New("a field has no value")
		}
	}
	both := (parsed.Dom|parsed.Dow)&star != 0
	c.days = func(m monthDays) (days uint32) {
		for day := 1; day <= m.length; day++ {
			ofMonth, ofWeek := parsed.Dom>>day&1 != 0, parsed.Dow>>m.weekday(day)&1 != 0
			if ofMonth && ofWeek || !both && (ofMonth || ofWeek) {
				days |= 1 << day
			}
		}
		return days
	}
	return c, nil
}
