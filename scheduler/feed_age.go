package scheduler

import (
	"time"

	"ledge/persist"
)

// maxFeedAge is how long DynamoDB Streams keep a record, and a feed tries to deliver
// one.
const maxFeedAge = 24 * time.Hour

// feedClock says how old changes are, on a device whose clock may be set while it
// runs, and may be wrong when it starts.
type feedClock struct{ began time.Time } // with its monotonic reading

// age of a change is counted twice: by the clock on the wall, and by the time that
// has passed since the start, which no setting of the clock changes. The smaller one
// counts: after a jump forward what was written before it is not suddenly old. One
// that is negative tells nothing, for the clock was set in between.
func (c feedClock) age(written, now time.Time) time.Duration {
	return feedAge(written, now, c.began.Round(0).Add(now.Sub(c.began)))
}

// feedAge is age by a wall clock and by a steady one.
func feedAge(written, wall, steady time.Time) time.Duration {
	byWall, bySteady := wall.Round(0).Sub(written), steady.Sub(written)
	switch {
	case byWall < 0 && bySteady < 0:
		return 0
	case byWall < 0:
		return bySteady
	case bySteady < 0:
		return byWall
	}
	return min(byWall, bySteady)
}

// expired returns how many changes at the beginning of a batch are too old to be
// tried again. What was written before the start is not judged within the first
// hour: the clock may be wrong, or may have been when it was written, and the power
// was off for as long as it was.
func (c feedClock) expired(changes []persist.Change, limit time.Duration, now time.Time) (n int) {
	for n < len(changes) {
		written := changes[n].Time
		if written.Before(c.began.Round(0)) && now.Sub(c.began) < longestSleep || c.age(written, now) <= limit {
			break
		}
		n++
	}
	return n
}

// ageLimit is how old a change of a mapping may be when it is tried again.
func ageLimit(m *persist.EventSourceMapping) time.Duration {
	if m.MaxAgeSeconds <= 0 {
		return maxFeedAge
	}
	return min(time.Duration(m.MaxAgeSeconds)*time.Second, maxFeedAge)
}
