package scheduler

import (
	"context"
	"log/slog"
	"time"

	"ledge/persist"
)

// report gathers what is to be told of many schedules at once, as on a full disk, into
// one line, and does not repeat that with each attempt.
type report struct {
	log  *slog.Logger
	news []news
	told map[string]time.Time // when, by what
}

type news struct {
	level slog.Level
	what  string
	first persist.ScheduleName
	count int
	err   error
}

// toldFor is how long something is not told again.
const toldFor = 10 * time.Minute

// note gathers. The values of what are few.
func (r *report) note(level slog.Level, what string, name persist.ScheduleName, count int, err error) {
	for i := range r.news {
		if r.news[i].what == what {
			r.news[i].count += count
			return
		}
	}
	r.news = append(r.news, news{level, what, name, count, err})
}

// tell logs what was gathered.
func (r *report) tell() {
	for _, n := range r.news {
		if last, told := r.told[n.what]; told && time.Since(last) < toldFor {
			continue
		}
		r.told[n.what] = time.Now()
		args := []any{"schedules", n.count, "one of them", n.first}
		if n.err != nil {
			args = append(args, "error", n.err)
		}
		r.log.Log(context.Background(), n.level, n.what, args...)
	}
	r.news = nil
}
