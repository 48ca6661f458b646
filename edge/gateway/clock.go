package gateway

import (
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// clock formats the time of requests, once per second. It keeps no timer of
// its own (fasthttp's date header would: an idle appliance must not wake up
// every second), and follows a system clock that is set back.
type clock struct{ last atomic.Pointer[stamp] }

// stamp is one second in the two forms in which it is needed.
type stamp struct {
	second int64  // since 1970
	log    []byte // as in a Common Log Format line: 12/Mar/2020:19:03:58 +0000
	date   []byte // IMF-fixdate (RFC 9110, section 5.6.7)
}

// at returns the stamp of t. The caller must not change it.
func (c *clock) at(t time.Time) *stamp {
	second := t.Unix()
	if s := c.last.Load(); s != nil && s.second == second {
		return s
	}
	t = t.UTC()
	s := &stamp{
		second: second,
		log:    t.AppendFormat(nil, "02/Jan/2006:15:04:05 -0700"),
		date:   fasthttp.AppendHTTPDate(nil, t),
	}
	c.last.Store(s)
	return s
}
