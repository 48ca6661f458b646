package gateway

import (
	"sync/atomic"
	"time"
)

// clock formats the time of requests, once per second. It keeps no timer of
// its own, and follows a system clock that is set back.
type clock struct{ last atomic.Pointer[stamp] }

// stamp is one second as in a Common Log Format line: 12/Mar/2020:19:03:58 +0000.
type stamp struct {
	second int64 // since 1970
	text   []byte
}

// at returns the stamp of t. The caller must not change it.
func (c *clock) at(t time.Time) *stamp {
	second := t.Unix()
	if s := c.last.Load(); s != nil && s.second == second {
		return s
	}
	s := &stamp{second: second, text: t.UTC().AppendFormat(nil, "02/Jan/2006:15:04:05 -0700")}
	c.last.Store(s)
	return s
}
