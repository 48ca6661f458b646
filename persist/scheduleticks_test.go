package persist

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// tickOne is Ticks of one.
func tickOne(t *testing.T, s *Store, tick Tick) Ticked {
	t.Helper()
	done, err := s.Ticks([]Tick{tick})
	noErr(t, err)
	return done[0]
}

func TestTick(t *testing.T) {
	s, now := queueStore(t, "f")
	schedule := testSchedule("default", "a")
	schedule.Overlap = OverlapAllow
	schedule, err := s.CreateSchedule(schedule)
	noErr(t, err)
	job := testJob("f", "j")
	tick := Tick{Group: "default", Name: "a", Revision: schedule.Revision, At: now, Jobs: []Job{job}, Limits: DefaultQueueLimits()}
	generation := s.Generation()
	for _, test := range []struct {
		what  string
		edit  func(*Tick)
		acted bool
		err   error
		jobs  int
		last  time.Time
	}{
		{"another revision", func(tick *Tick) { tick.Revision = "x" }, false, nil, 0, time.Time{}},
		{"another schedule", func(tick *Tick) { tick.Name = "b" }, false, nil, 0, time.Time{}},
		{"no such function", func(tick *Tick) { tick.Jobs = []Job{testJob("none", "j")} }, false, ErrNotFound, 0, time.Time{}},
		{"no such job", func(tick *Tick) { tick.Jobs = []Job{{}} }, false, ErrInvalid, 0, time.Time{}},
		{"no room", func(tick *Tick) { tick.Limits.Jobs = 0 }, false, ErrQueueFull, 0, time.Time{}},
		{"due", func(*Tick) {}, true, nil, 1, now},
		{"the same again", func(*Tick) {}, false, nil, 1, now},
		{"without a job", func(tick *Tick) { tick.After, tick.At, tick.Jobs = now, now.Add(time.Second), nil }, true, nil, 1, now.Add(time.Second)},
		{"after the clock was set back", func(tick *Tick) { tick.After, tick.At, tick.Jobs = now.Add(time.Second), now.Add(-time.Hour), nil }, true, nil, 1, now.Add(-time.Hour)},
		{"two, and room for one", func(tick *Tick) {
			tick.After, tick.At, tick.Jobs, tick.Limits.Jobs = now.Add(-time.Hour), now, []Job{testJob("f", "k"), testJob("f", "l")}, 2
		}, true, nil, 2, now},
	} {
		tick := tick
		test.edit(&tick)
		done := tickOne(t, s, tick)
		if done.Acted != test.acted || !errors.Is(done.Err, test.err) {
			t.Errorf("%s: %+v", test.what, done)
		}
		stats, err := s.QueueStats()
		noErr(t, err)
		got, err := s.GetScheduleStatus("default", "a")
		noErr(t, err)
		if stats.Jobs != test.jobs || !got.State.LastTick.Equal(test.last) || got.Schedule.Revision != schedule.Revision {
			t.Errorf("%s: %d jobs, schedule %+v", test.what, stats.Jobs, got)
		}
	}
	if s.Generation() != generation {
		t.Error("a tick counts in the generation")
	}
	done := tickOne(t, s, Tick{Group: "default", Name: "a", Revision: schedule.Revision, After: now, At: now.Add(time.Minute), Done: true})
	_, err = s.GetSchedule("default", "a")
	if !done.Acted || !errors.Is(err, ErrNotFound) {
		t.Errorf("after the last tick: %+v, error %v", done, err)
	}
}

// A schedule that removes itself stays where its last event came to nothing: nothing
// else would tell.
func TestLastTick(t *testing.T) {
	s, now := queueStore(t, "f")
	for _, test := range []struct {
		what   string
		missed string // the policy
		edit   func(*Tick)
		stays  string // with that outcome; empty: it is gone
	}{
		{"queued", MissedOnce, func(tick *Tick) { tick.Jobs = []Job{testJob("f", "j")} }, ""},
		{"the last of many", MissedOnce, func(tick *Tick) { tick.Jobs, tick.Missed, tick.MissedAt = []Job{testJob("f", "k")}, 3, now }, ""},
		{"refused", MissedOnce, func(tick *Tick) { tick.Refused = "no such function" }, RunFailed},
		{"too old", MissedOnce, func(tick *Tick) { tick.Missed, tick.MissedAt = 1, now }, RunMissed},
		{"not wanted late", MissedSkip, func(tick *Tick) { tick.Missed, tick.MissedAt = 1, now }, ""},
	} {
		schedule := testSchedule("default", "a")
		schedule.Missed, schedule.MissedMax, schedule.Overlap = test.missed, 0, OverlapAllow
		schedule, err := s.CreateSchedule(schedule)
		noErr(t, err)
		tick := Tick{Group: "default", Name: "a", Revision: schedule.Revision, At: now, RunAt: now, Done: true, Limits: DefaultQueueLimits()}
		test.edit(&tick)
		if done := tickOne(t, s, tick); !done.Acted || done.Err != nil {
			t.Errorf("%s: %+v", test.what, done)
		}
		status, err := s.GetScheduleStatus("default", "a")
		if test.stays == "" {
			wantErr(t, test.what, err, ErrNotFound)
			continue
		}
		noErr(t, err)
		if status.State.LastLeftOut.Outcome != test.stays {
			t.Errorf("%s: %+v", test.what, status.State)
		}
		noErr(t, s.DeleteSchedule("default", "a"))
	}
}

// Many ticks are one commit, and what is wrong with one of them is its own.
func TestTicksTogether(t *testing.T) {
	commits := 0
	s := openStore(t, t.TempDir(), Options{faults: &faults{before: func(at step) error {
		if at == stepCommit {
			commits++
		}
		return nil
	}}})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	now := time.Now()
	var ticks []Tick
	for i := range 100 {
		schedule, err := s.CreateSchedule(testSchedule("default", fmt.Sprint(i)))
		noErr(t, err)
		function := "f"
		if i == 50 {
			function = "none"
		}
		ticks = append(ticks, Tick{Group: "default", Name: schedule.Name, Revision: schedule.Revision, At: now,
			Jobs: []Job{testJob(function, fmt.Sprint(i))}, Limits: DefaultQueueLimits()})
	}
	commits = 0
	done, err := s.Ticks(ticks)
	noErr(t, err)
	if commits != 1 {
		t.Errorf("%d commits", commits)
	}
	for i, d := range done {
		if d.Acted != (i != 50) || errors.Is(d.Err, ErrNotFound) != (i == 50) {
			t.Errorf("tick %d: %+v", i, d)
		}
	}
	stats, err := s.QueueStats()
	noErr(t, err)
	if stats.Jobs != 99 {
		t.Errorf("%d jobs", stats.Jobs)
	}
}

// What becomes of the runs of a schedule is noted with them.
func TestScheduleStates(t *testing.T) {
	s, now := queueStore(t, "f")
	schedule, err := s.CreateSchedule(testSchedule("default", "a")) // forbids overlaps
	noErr(t, err)
	last := time.Time{}
	tick := func(id string) {
		t.Helper()
		at := last.Add(time.Minute)
		if last.IsZero() {
			at = now
		}
		done := tickOne(t, s, Tick{Group: "default", Name: "a", Revision: schedule.Revision, After: last, At: at, RunAt: at,
			Jobs: []Job{testJob("f", id)}, Limits: DefaultQueueLimits()})
		if !done.Acted || done.Err != nil {
			t.Fatalf("tick %s: %+v", id, done)
		}
		last = at
	}
	take := func() Job {
		t.Helper()
		jobs := lease(t, s, LeaseRequest{Now: now.Add(time.Hour), Limit: 1, PerFunction: 1}).Jobs
		if len(jobs) != 1 {
			t.Fatalf("leased %+v", jobs)
		}
		return jobs[0]
	}
	want := func(what, outcome, text, leftOut string, pending int, ran, failed, skipped uint64) {
		t.Helper()
		status, err := s.GetScheduleStatus("default", "a")
		noErr(t, err)
		got := status.State
		if got.LastRun.Outcome != outcome || got.LastRun.Error != text || got.LastLeftOut.Outcome != leftOut || len(got.Pending) != pending ||
			got.Ran != ran || got.Failed != failed || got.Skipped != skipped {
			t.Errorf("%s: %+v", what, got)
		}
	}
	tick("1")
	want("queued", RunQueued, "", "", 1, 0, 0, 0)
	tick("2")
	want("overlap of one that waits", RunQueued, "", RunSkipped, 1, 0, 0, 1)
	job := take()
	tick("3")
	want("overlap of one that runs", RunQueued, "", RunSkipped, 1, 0, 0, 2)
	wantErr(t, "RunSchedule", s.RunSchedule("default", "a", schedule.Revision, testJob("f", "m"), DefaultQueueLimits()), ErrConflict)
	job.LastError = "boom"
	noErr(t, s.Retry(job, now))
	want("retried", RunRetried, "boom", RunSkipped, 1, 0, 0, 2)
	noErr(t, s.Ack(take()))
	want("done", RunOK, "", RunSkipped, 0, 1, 0, 2)
	tick("4")
	job = take()
	job.LastError = "bang"
	noErr(t, s.Bury(job, "retries are used up"))
	want("given up", RunFailed, "bang", RunSkipped, 0, 1, 1, 2)
	noErr(t, s.RunSchedule("default", "a", schedule.Revision, testJob("f", "m"), DefaultQueueLimits()))
	want("by hand", RunQueued, "", RunSkipped, 1, 1, 1, 2)
	wantErr(t, "RunSchedule of an old one", s.RunSchedule("default", "a", "x", testJob("f", "n"), DefaultQueueLimits()), ErrConflict)
	wantErr(t, "RunSchedule of none", s.RunSchedule("default", "b", "x", testJob("f", "n"), DefaultQueueLimits()), ErrNotFound)

	// A pause, and a function that goes with its jobs.
	paused, err := s.SetScheduleState("default", "a", ScheduleDisabled)
	noErr(t, err)
	again, err := s.SetScheduleState("default", "a", ScheduleDisabled)
	noErr(t, err)
	if paused.State != ScheduleDisabled || paused.Revision == schedule.Revision || again.Revision != paused.Revision {
		t.Errorf("paused %+v, again %+v", paused, again)
	}
	_, err = s.SetScheduleState("default", "a", "OFF")
	wantErr(t, "SetScheduleState", err, ErrInvalid)
	_, err = s.SetScheduleState("default", "b", ScheduleEnabled)
	wantErr(t, "SetScheduleState", err, ErrNotFound)
	_, err = s.DeleteFunction("f")
	noErr(t, err)
	want("without the function", RunQueued, "", RunSkipped, 0, 1, 1, 2)
	status, err := s.GetScheduleStatus("default", "a")
	noErr(t, err)
	if !status.State.LastTick.IsZero() {
		t.Errorf("after a change times count from %s", status.State.LastTick)
	}
	noErr(t, s.DeleteSchedule("default", "a"))
	_, err = s.CreateSchedule(testSchedule("default", "a"))
	noErr(t, err)
	want("created anew", "", "", "", 0, 0, 0, 0)
}

// Schedules are counted without looking at them all.
func TestCountSchedules(t *testing.T) {
	s, _ := queueStore(t)
	_, err := s.CreateScheduleGroup(ScheduleGroup{Name: "g"})
	noErr(t, err)
	for _, name := range []string{"a", "b", "c"} {
		_, err = s.CreateSchedule(testSchedule("g", name))
		noErr(t, err)
		_, err = s.CreateSchedule(testSchedule("default", name))
		noErr(t, err)
	}
	count := func(want uint64) {
		t.Helper()
		noErr(t, s.view(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucketSchedules))
			if n := b.Sequence(); n != want || countKeys(b) != int(want) || countKeys(tx.Bucket([]byte(bucketScheduleStates))) != int(want) {
				t.Errorf("counted %d of %d, want %d", n, countKeys(b), want)
			}
			return nil
		}))
	}
	_, err = s.UpdateSchedule(testSchedule("g", "a"))
	noErr(t, err)
	count(6)
	noErr(t, s.DeleteSchedule("default", "a"))
	count(5)
	noErr(t, s.DeleteScheduleGroup("g"))
	count(2)
	noErr(t, s.update(0, func(c *change) error { return c.countSchedules(MaxSchedules - 2) }))
	_, err = s.CreateSchedule(testSchedule("default", "x"))
	wantErr(t, "one too many", err, ErrTooMany)
}

// A record that cannot be decoded costs itself, when it is read.
func TestDamagedSchedule(t *testing.T) {
	s, now := queueStore(t, "f")
	for _, name := range []string{"a", "b", "c"} {
		_, err := s.CreateSchedule(testSchedule("default", name))
		noErr(t, err)
	}
	noErr(t, s.update(0, func(c *change) error {
		return errors.Join(
			c.putBytes(bucketSchedules, memberKey("default", "b"), []byte("[")),
			c.putBytes(bucketScheduleStates, memberKey("default", "c"), []byte("[")))
	}))
	if done := tickOne(t, s, Tick{Group: "default", Name: "b", At: now}); done.Acted || done.Err != nil {
		t.Errorf("ticked %+v", done)
	}
	page, err := s.ScheduleStatuses(ScheduleQuery{})
	noErr(t, err)
	if len(page.Schedules) != 2 || !slices.Equal(page.SetAside, []string{"default/b"}) {
		t.Errorf("page %+v", page)
	}
	page, err = s.ScheduleStatuses(ScheduleQuery{})
	noErr(t, err)
	if len(page.Schedules) != 2 || page.SetAside != nil {
		t.Errorf("the second time: %+v", page)
	}
	_, err = s.GetSchedule("default", "b")
	wantErr(t, "GetSchedule", err, ErrNotFound)
	noErr(t, s.view(func(tx *bolt.Tx) error {
		if string(tx.Bucket([]byte(bucketDamaged)).Get([]byte("schedules\x00default\x00b"))) != "[" {
			t.Error("the record is not there to be looked at")
		}
		return nil
	}))
}

// Schema 2 had the last tick in the schedule.
func TestSplitScheduleStates(t *testing.T) {
	s, now := queueStore(t)
	schedule, err := s.CreateSchedule(testSchedule("default", "a"))
	noErr(t, err)
	_, err = s.CreateSchedule(testSchedule("default", "b"))
	noErr(t, err)
	noErr(t, s.update(0, func(c *change) error {
		old := struct {
			Schedule
			LastTick time.Time `json:"lastTick,omitzero"`
		}{schedule, now}
		return errors.Join(c.put(bucketSchedules, memberKey("default", "a"), old), c.countSchedules(-2),
			c.delete(bucketScheduleStates, memberKey("default", "a")), splitScheduleStates(c.tx))
	}))
	for name, want := range map[string]time.Time{"a": now, "b": {}} {
		status, err := s.GetScheduleStatus("default", name)
		noErr(t, err)
		if !status.State.LastTick.Equal(want) {
			t.Errorf("%s: %+v, want %s", name, status.State, want)
		}
	}
	noErr(t, s.view(func(tx *bolt.Tx) error {
		if n := tx.Bucket([]byte(bucketSchedules)).Sequence(); n != 2 {
			t.Errorf("counted %d", n)
		}
		return nil
	}))
}

func TestNoteClock(t *testing.T) {
	s, now := queueStore(t)
	seen, err := s.ClockSeen()
	noErr(t, err)
	if !seen.IsZero() {
		t.Errorf("at first %s", seen)
	}
	generation := s.Generation()
	noErr(t, s.NoteClock(now))
	seen, err = s.ClockSeen()
	noErr(t, err)
	if !seen.Equal(now.Truncate(time.Millisecond)) || s.Generation() != generation {
		t.Errorf("noted %s, want %s", seen, now)
	}
}

// A tick and its job, a forwarded job and what it leads to: after a commit that
// failed both are there or none.
func TestQueueIsWholeOrNothing(t *testing.T) {
	for at, there := range map[step]bool{stepCommit: false, stepCommitted: true} {
		t.Run(string(at), func(t *testing.T) {
			dir := t.TempDir()
			failing := false
			s := openStore(t, dir, Options{faults: armed(&failing, at)})
			_, err := s.PutFunction(testFunction("f"), "", nil)
			noErr(t, err)
			schedule, err := s.CreateSchedule(testSchedule("default", "a"))
			noErr(t, err)
			forwarded, err := s.Enqueue(testJob("f", "forwarded"), DefaultQueueLimits(), true)
			noErr(t, err)
			buried, err := s.Enqueue(testJob("f", "buried"), DefaultQueueLimits(), true)
			noErr(t, err)

			failing = true
			job := testJob("f", "ticked")
			_, err = s.Ticks([]Tick{{Group: "default", Name: "a", Revision: schedule.Revision, At: time.Now(), Jobs: []Job{job}, Limits: DefaultQueueLimits()}})
			wantErr(t, "Ticks", err, errFault)
			wantErr(t, "Forward", s.Forward(forwarded, testJob("f", "next"), true), errFault)
			wantErr(t, "Bury", s.Bury(buried, "x"), errFault)
			failing = false
			closeStore(t, s)

			s = openStore(t, dir, Options{})
			checkQueue(t, s)
			_, err = s.ReleaseLeases()
			noErr(t, err)
			status, err := s.GetScheduleStatus("default", "a")
			noErr(t, err)
			letters, _, err := s.DeadLetters(0, 9)
			noErr(t, err)
			got := ids(lease(t, s, LeaseRequest{Now: time.Now(), Limit: 9, PerFunction: 9}).Jobs)
			want := "forwarded buried"
			if there {
				want = "ticked next"
			}
			if got != want || status.State.LastTick.IsZero() == there || len(letters) == 1 != there {
				t.Errorf("there is %q, want %q; ticked %s; dead letters %+v", got, want, status.State.LastTick, letters)
			}
		})
	}
}
