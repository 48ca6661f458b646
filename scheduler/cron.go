package scheduler

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// cronFields is a cron expression of AWS: six fields
// (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based).
//
//	minutes       0-59               , - * /
//	hours         0-23               , - * /
//	day of month  1-31               , - * ? / L W
//	month         1-12 or JAN-DEC    , - * /
//	day of week   1-7 or SUN-SAT     , - * ? L #
//	year          1970-2199          , - * /
//
// One of the two days is ?, and the other is not. L is the last day of the
// month, or Saturday; 6L the last Friday of the month; 15W the weekday nearest to
// the 15th, in the same month; LW the last weekday of the month; 6#3 its third
// Friday. A month without such a day is left out: cron(0 0 31 * ? *) runs seven
// times a year.
//
// A range may go over the end, as in FRI-MON or 22-2, except for years.
type cronFields struct {
	seconds, minutes, hours, months uint64 // bit n is value n
	years                           [4]uint64
	days                            func(month monthDays) uint32 // bit n is day n
	// twice says that a time runs both times where the clocks show it twice. All hours
	// are in hours then.
	twice bool
}

const (
	firstYear = 1970
	lastYear  = 2199
)

// monthDays is what choosing days of a month takes.
type monthDays struct {
	length int
	first  time.Weekday // of day 1
}

func (m monthDays) weekday(day int) time.Weekday {
	return (m.first + time.Weekday(day-1)) % 7
}

// parseCron reads the six fields.
func parseCron(text string) (*cronFields, error) {
	fields := strings.Fields(text)
	if len(fields) != 6 {
		return nil, fmt.Errorf("cron takes six fields (minutes hours day-of-month month day-of-week year), not %d", len(fields))
	}
	for i, field := range fields {
		fields[i] = strings.ToUpper(field)
	}
	c := cronFields{seconds: 1}
	var err error
	if c.minutes, err = parseSet(fields[0], fieldRange{name: "minutes", low: 0, high: 59}); err != nil {
		return nil, err
	}
	if c.hours, err = parseSet(fields[1], fieldRange{name: "hours", low: 0, high: 23}); err != nil {
		return nil, err
	}
	if c.months, err = parseSet(fields[3], fieldRange{name: "month", low: 1, high: 12, names: "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"}); err != nil {
		return nil, err
	}
	if err := c.parseYears(fields[5]); err != nil {
		return nil, err
	}
	switch ofMonth, ofWeek := fields[2], fields[4]; {
	case ofMonth == "?" && ofWeek == "?":
		return nil, fmt.Errorf("day-of-month and day-of-week are both ?; one of them must say a day, or *")
	case ofWeek == "?":
		c.days, err = parseMonthDays(ofMonth)
	case ofMonth == "?":
		c.days, err = parseWeekDays(ofWeek)
	default:
		return nil, fmt.Errorf("day-of-month and day-of-week are both given; one of them must be ?")
	}
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// fieldRange is what values a field takes.
type fieldRange struct {
	name      string
	low, high int
	names     string // of three letters each, from low on
}

// maxFieldItems bounds a list; more say nothing new.
const maxFieldItems = 64

// parseSet reads a list of values, ranges and steps into a set. The values are
// below 64.
func parseSet(text string, r fieldRange) (set uint64, err error) {
	size := r.high - r.low + 1
	err = eachItem(text, r, func(from, to, step int) {
		for n := 0; n <= (to-from+size)%size; n += step { // maybe over the end
			set |= 1 << (r.low + (from-r.low+n)%size)
		}
	})
	return set, err
}

func (c *cronFields) parseYears(text string) error {
	r := fieldRange{name: "year", low: firstYear, high: lastYear}
	backwards := false
	err := eachItem(text, r, func(from, to, step int) {
		backwards = backwards || from > to
		for n := from; n <= to; n += step {
			c.years[(n-firstYear)/64] |= 1 << ((n - firstYear) % 64)
		}
	})
	if err == nil && backwards {
		return r.wrong(text)
	}
	return err
}

// eachItem calls each with the items of a list.
func eachItem(text string, r fieldRange, each func(from, to, step int)) error {
	items := strings.Split(text, ",")
	if len(items) > maxFieldItems {
		return r.wrong(text)
	}
	for _, item := range items {
		values, stepText, stepped := strings.Cut(item, "/")
		step := 1
		if stepped {
			var ok bool
			if step, ok = number(stepText); !ok || step < 1 || step > r.high {
				return r.wrong(item)
			}
		}
		from, to := r.low, r.high
		if values != "*" {
			low, high, ranged := strings.Cut(values, "-")
			var ok bool
			if from, ok = r.value(low); !ok {
				return r.wrong(item)
			}
			switch {
			case ranged:
				if to, ok = r.value(high); !ok {
					return r.wrong(item)
				}
			case !stepped:
				to = from
			}
		}
		each(from, to, step)
	}
	return nil
}

func (r fieldRange) wrong(item string) error {
	return fmt.Errorf("%.32q is not a value of the field %s, which takes %d to %d", item, r.name, r.low, r.high)
}

// value reads a number or a name.
func (r fieldRange) value(text string) (n int, ok bool) {
	if len(text) == 3 {
		if at := strings.Index(r.names, text); at >= 0 && at%3 == 0 {
			return r.low + at/3, true
		}
	}
	n, ok = number(text)
	return n, ok && n >= r.low && n <= r.high
}

// number reads digits, at most four.
func number(text string) (n int, ok bool) {
	if text == "" || len(text) > 4 || strings.TrimLeft(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// parseMonthDays reads the field day-of-month.
func parseMonthDays(text string) (func(monthDays) uint32, error) {
	r := fieldRange{name: "day-of-month", low: 1, high: 31}
	switch {
	case text == "L":
		return func(m monthDays) uint32 { return 1 << m.length }, nil
	case text == "LW":
		return func(m monthDays) uint32 { return 1 << nearestWeekday(m, m.length) }, nil
	case strings.HasSuffix(text, "W"):
		day, ok := r.value(strings.TrimSuffix(text, "W"))
		if !ok {
			return nil, r.wrong(text)
		}
		return func(m monthDays) uint32 {
			if day > m.length {
				return 0
			}
			return 1 << nearestWeekday(m, day)
		}, nil
	}
	set, err := parseSet(text, r)
	if err != nil {
		return nil, err
	}
	return func(m monthDays) uint32 { return uint32(set) & (1<<(m.length+1) - 1) }, nil
}

// nearestWeekday returns the day from Monday to Friday that is nearest to day
// and in the same month.
func nearestWeekday(m monthDays, day int) int {
	switch m.weekday(day) {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == m.length {
			return day - 2
		}
		return day + 1
	}
	return day
}

// parseWeekDays reads the field day-of-week, in which Sunday is 1.
func parseWeekDays(text string) (func(monthDays) uint32, error) {
	r := fieldRange{name: "day-of-week", low: 1, high: 7, names: "SUNMONTUEWEDTHUFRISAT"}
	if dayText, nthText, found := strings.Cut(text, "#"); found {
		day, ok := r.value(dayText)
		nth, isNumber := number(nthText)
		if !ok || !isNumber || nth < 1 || nth > 5 {
			return nil, fmt.Errorf("%.32q is not a value of the field day-of-week: 6#3 is the third Friday, and 5 the most", text)
		}
		return func(m monthDays) uint32 {
			if at := firstOn(m, time.Weekday(day-1)) + 7*(nth-1); at <= m.length {
				return 1 << at
			}
			return 0
		}, nil
	}
	if text == "L" {
		text = "7"
	}
	if dayText, found := strings.CutSuffix(text, "L"); found {
		day, ok := r.value(dayText)
		if !ok {
			return nil, r.wrong(text)
		}
		return func(m monthDays) uint32 {
			at := firstOn(m, time.Weekday(day-1))
			return 1 << (at + (m.length-at)/7*7)
		}, nil
	}
	set, err := parseSet(text, r)
	if err != nil {
		return nil, err
	}
	return func(m monthDays) (days uint32) {
		for day := 1; day <= m.length; day++ {
			if set>>(m.weekday(day)+1)&1 != 0 {
				days |= 1 << day
			}
		}
		return days
	}, nil
}

// firstOn returns the first day of the month that is that day of the week.
func firstOn(m monthDays, weekday time.Weekday) int {
	return 1 + int(weekday-m.first+7)%7
}

// next returns the first time after after, zero where there is none.
func (c *cronFields) next(after time.Time, zone *time.Location) time.Time {
	if !c.twice {
		return c.nextShown(after, zone)
	}
	// From one change of the clocks to the next every time is shown once.
	for {
		first := after.Add(1).In(zone) // that may be it
		_, end := first.ZoneBounds()
		_, offset := first.Zone()
		t := c.nextShown(after, time.FixedZone("", offset))
		if t.IsZero() || end.IsZero() || t.Before(end) {
			return t
		}
		after = end.Add(-1)
	}
}

// nextShown is next where a time that clocks show twice counts the first time.
func (c *cronFields) nextShown(after time.Time, zone *time.Location) time.Time {
	// The clocks' time, as if it were UTC: there every time comes once.
	local := after.In(zone)
	year, month, day := local.Date()
	from := time.Date(year, month, day, local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
	for ; year <= lastYear; year, month = year+1, time.January {
		if year < firstYear {
			year = firstYear - 1
			continue
		}
		if !c.hasYear(year) {
			continue
		}
		for ; month <= time.December; month++ {
			if c.months>>month&1 == 0 {
				continue
			}
			first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
			m := monthDays{length: first.AddDate(0, 1, -1).Day(), first: first.Weekday()}
			for days := c.days(m); days != 0; days &= days - 1 {
				midnight := first.AddDate(0, 0, bits.TrailingZeros32(days)-1)
				if t := c.onDay(midnight, from, after, zone); !t.IsZero() {
					return t
				}
			}
		}
	}
	return time.Time{}
}

func (c *cronFields) hasYear(year int) bool {
	n := year - firstYear
	return c.years[n/64]>>(n%64)&1 != 0
}

// onDay returns the first time of a day that is after after, zero where there
// is none. Times before from need not be looked at.
func (c *cronFields) onDay(midnight, from, after time.Time, zone *time.Location) time.Time {
	if !midnight.Add(24 * time.Hour).After(from) {
		return time.Time{}
	}
	for hours := c.hours; hours != 0; hours &= hours - 1 {
		hour := midnight.Add(time.Duration(bits.TrailingZeros64(hours)) * time.Hour)
		if !hour.Add(time.Hour).After(from) {
			continue
		}
		for minutes := c.minutes; minutes != 0; minutes &= minutes - 1 {
			wall := hour.Add(time.Duration(bits.TrailingZeros64(minutes)) * time.Minute)
			if !wall.Add(time.Minute).After(from) {
				continue
			}
			// Clocks are changed at full minutes.
			minute, exists := inZone(wall, zone)
			if !exists || !minute.Add(time.Minute).After(after) {
				continue
			}
			for seconds := c.seconds; seconds != 0; seconds &= seconds - 1 {
				if t := minute.Add(time.Duration(bits.TrailingZeros64(seconds)) * time.Second); t.After(after) {
					return t
				}
			}
		}
	}
	return time.Time{}
}
