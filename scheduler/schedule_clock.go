package scheduler

import (
	"context"
	"fmt"
	"time"

	"ledge/persist"
)

// clockSlack is how far behind a time that was acted on the clock may be. Further
// behind, that time was a wrong clock's, and the schedule would wait for years; or the
// clock is wrong now, as it is on a device without a battery for it until it has asked
// the network. So nothing is changed before something keeps the clock right or the
// node has run for an hour.
const clockSlack = 3 * time.Hour

// seenSlack is how far behind the last noted time a clock may be that is believed: NTP
// sets a clock that runs fast back.
const seenSlack = time.Minute

// How often the clock is looked at while Run waits for it, and noted later.
const (
	clockPoll  = time.Second
	clockNoted = time.Hour
)

// trust is what Run thinks of the clock.
type trust struct {
	began    time.Time // when Run did, with a monotonic reading
	looked   time.Time // by the clock, when Run looked last
	believed bool      // at the start, or since
	settled  bool      // what it shows is right, whatever else was written down
	noted    time.Time // what the store has last been told
}

// doubt returns why the clock is not to be believed, empty where it is: something
// keeps it right, or it shows no time before one that it must be after.
func (s *Schedules) doubt() string {
	now := s.cfg.Clock.Now()
	switch {
	case s.cfg.Clock.Synchronised():
		return ""
	case now.Before(s.trust.noted.Add(-seenSlack)):
		return fmt.Sprintf("it shows %s, and has shown %s before", now.UTC().Format(time.RFC3339), s.trust.noted.Format(time.RFC3339))
	case now.Before(s.cfg.Built):
		return fmt.Sprintf("it shows %s, and this program was made at %s", now.UTC().Format(time.RFC3339), s.cfg.Built.UTC().Format(time.RFC3339))
	}
	return ""
}

// awaitClock waits until the clock is to be believed, at most ClockWait.
func (s *Schedules) awaitClock(ctx context.Context, set <-chan struct{}) {
	var err error
	if s.trust.noted, err = s.cfg.Store.ClockSeen(); err != nil {
		s.log.Error("what the clock has shown before cannot be read", "error", err)
	}
	why := s.doubt()
	if s.trust.believed = why == ""; s.trust.believed {
		return
	}
	if s.cfg.ClockWait > 0 {
		s.log.Info("schedules wait for the clock to be set", "why", why, "at most", s.cfg.ClockWait)
	}
	limit := time.NewTimer(s.cfg.ClockWait)
	defer limit.Stop()
	poll := time.NewTicker(clockPoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			s.log.Warn("the clock may be wrong, and schedules run by it; set it, or have NTP do so", "why", why)
			return
		case <-set:
		case <-poll.C:
		}
		if why = s.doubt(); why == "" {
			s.trust.believed = true
			s.log.Info("the clock is set; schedules run", "waited", time.Since(s.trust.began).Round(time.Second))
			return
		}
	}
}

// lookAtClock has planned anew what seems to be due long from now, after the clock was
// set back and when it is to be believed in spite of what was written down.
func (s *Schedules) lookAtClock() {
	now := s.cfg.Clock.Now()
	settled := s.cfg.Clock.Synchronised() || time.Since(s.trust.began) >= longestSleep
	late := now.Add(clockSlack).UnixMilli()
	switch {
	case now.Before(s.trust.looked.Add(-clockSlack)):
		s.change(s.agenda.matching(func(e *entry) bool { return e.due > late }))
	case settled && !s.trust.settled:
		s.change(s.agenda.matching(func(e *entry) bool { return e.ahead }))
	}
	s.trust.settled = s.trust.settled || settled
	s.trust.believed = s.trust.believed || settled
	s.trust.looked = now
}

// noteTime tells the store what the clock shows, once an hour and at the end. A clock
// that is in doubt is not noted.
func (s *Schedules) noteTime(end bool) {
	now := s.cfg.Clock.Now()
	if since := now.Sub(s.trust.noted).Abs(); !s.trust.believed || since < clockNoted && !end {
		return
	}
	s.trust.noted = now
	if err := s.cfg.Store.NoteClock(now); err != nil {
		s.log.Warn("the time could not be noted", "error", err)
	}
}

// isAhead reports whether a schedule has run at a time that is yet to come.
func isAhead(status persist.ScheduleStatus, expression *Expression, now time.Time) bool {
	return !expression.Once() && ticked(status).After(now.Add(clockSlack))
}
