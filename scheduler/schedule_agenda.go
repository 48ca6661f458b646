package scheduler

import (
	"container/heap"
	"strings"
	"time"

	"ledge/persist"
)

// agenda says when to act on which schedule next, the soonest first. It keeps about a
// hundred bytes of each besides its name; everything else is read when it is due.
type agenda struct {
	byKey map[string]*entry
	order []*entry // a heap
}

type entry struct {
	key   string // group 00 name
	due   int64  // Unix milliseconds
	index int    // in agenda.order
	// ahead says that it has run at a time that was to come yet, by the clock of when
	// this was noted.
	ahead bool
}

func newAgenda() *agenda { return &agenda{byKey: map[string]*entry{}} }

func keyOf(name persist.ScheduleName) string { return name.Group + "\x00" + name.Name }

func (e *entry) name() persist.ScheduleName {
	group, name, _ := strings.Cut(e.key, "\x00")
	return persist.ScheduleName{Group: group, Name: name}
}

// set notes when a schedule is due, instead of what was noted before.
func (a *agenda) set(name persist.ScheduleName, due time.Time, ahead bool) {
	key := keyOf(name)
	if e, there := a.byKey[key]; there {
		e.due, e.ahead = due.UnixMilli(), ahead
		heap.Fix(a, e.index)
		return
	}
	e := &entry{key: key, due: due.UnixMilli(), ahead: ahead}
	a.byKey[key] = e
	heap.Push(a, e)
}

// drop forgets a schedule.
func (a *agenda) drop(name persist.ScheduleName) {
	if e, there := a.byKey[keyOf(name)]; there {
		heap.Remove(a, e.index)
	}
}

// next returns when the first is due, zero for never.
func (a *agenda) next() time.Time {
	if len(a.order) == 0 {
		return time.Time{}
	}
	return time.UnixMilli(a.order[0].due)
}

// take removes the schedules that are due, at most limit, and returns their names.
func (a *agenda) take(now time.Time, limit int) (names []persist.ScheduleName) {
	for len(a.order) > 0 && a.order[0].due <= now.UnixMilli() && len(names) < limit {
		names = append(names, heap.Pop(a).(*entry).name())
	}
	return names
}

// matching returns the names of those for which which says so.
func (a *agenda) matching(which func(*entry) bool) (names []persist.ScheduleName) {
	for _, e := range a.order {
		if which(e) {
			names = append(names, e.name())
		}
	}
	return names
}

// Len and what follows are heap.Interface.
func (a *agenda) Len() int           { return len(a.order) }
func (a *agenda) Less(i, j int) bool { return a.order[i].due < a.order[j].due }

// Swap is part of heap.Interface.
func (a *agenda) Swap(i, j int) {
	a.order[i], a.order[j] = a.order[j], a.order[i]
	a.order[i].index, a.order[j].index = i, j
}

// Push is part of heap.Interface.
func (a *agenda) Push(x any) {
	e := x.(*entry)
	e.index = len(a.order)
	a.order = append(a.order, e)
}

// Pop is part of heap.Interface.
func (a *agenda) Pop() any {
	last := len(a.order) - 1
	e := a.order[last]
	a.order[last] = nil
	a.order = a.order[:last]
	delete(a.byKey, e.key)
	return e
}

// of returns what is noted of a schedule, nil for nothing.
func (a *agenda) of(name persist.ScheduleName) *entry { return a.byKey[keyOf(name)] }
