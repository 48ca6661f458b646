package gateway

import (
	"fmt"
	"sync"
	"time"
)

// quota counts the requests of one API key under one usage plan. It counts in
// memory: the first period after a start begins at zero.
type quota struct {
	limit  int
	period string
	count  *count // shared with the quotas that took over from this one
}

// count is the requests of one period.
type count struct {
	mu    sync.Mutex
	begun time.Time // the period's first moment
	used  int
}

// Periods of quotas, as API Gateway names them.
const (
	periodDay   = "DAY"
	periodWeek  = "WEEK"
	periodMonth = "MONTH"
)

func newQuota(limit int, period string) (*quota, error) {
	switch {
	case limit < 0:
		return nil, fmt.Errorf("a quota of %d is negative", limit)
	case period != periodDay && period != periodWeek && period != periodMonth:
		return nil, fmt.Errorf("%q is not the period of a quota: use DAY, WEEK or MONTH", period)
	}
	return &quota{limit: limit, period: period, count: new(count)}, nil
}

// take counts one request and reports whether the quota had room for it.
func (q *quota) take(now time.Time) bool {
	begun := beginOf(q.period, now)
	c := q.count
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun.Equal(begun) {
		c.begun, c.used = begun, 0
	}
	if c.used >= q.limit {
		return false
	}
	c.used++
	return true
}

// used returns the number of requests counted in the period of now.
func (q *quota) used(now time.Time) int {
	c := q.count
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun.Equal(beginOf(q.period, now)) {
		return 0
	}
	return c.used
}

// inherit goes on where old is. A changed limit counts what was used before it.
func (q *quota) inherit(old *quota) {
	if q.period == old.period {
		q.count = old.count
	}
}

// beginOf returns the first moment of the period of t, in UTC. A week begins on
// Sunday.
func beginOf(period string, t time.Time) time.Time {
	year, month, day := t.UTC().Date()
	switch period {
	case periodWeek:
		day -= int(t.UTC().Weekday())
	case periodMonth:
		day = 1
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}
