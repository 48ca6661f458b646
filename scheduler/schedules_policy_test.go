package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ledge/persist"
)

// state returns what became of a schedule.
func (t *scheduleTest) state(name string) persist.ScheduleState {
	t.Helper()
	status, err := t.store.GetScheduleStatus(persist.DefaultScheduleGroup, name)
	if err != nil {
		t.Fatal(err)
	}
	return status.State
}

// ack ends all jobs, as if their functions had succeeded, and returns how many.
func (t *scheduleTest) ack() int {
	t.Helper()
	jobs := t.jobs()
	for _, job := range jobs {
		if err := t.store.Ack(job); err != nil {
			t.Fatal(err)
		}
	}
	return len(jobs)
}

// Times that pass while the node is off are each schedule's own policy's.
func TestMissedRuns(t *testing.T) {
	const ever = 1 << 30 // seconds
	for _, test := range []struct {
		what     string
		schedule persist.Schedule
		off      time.Duration // from 0:25
		want     string
		missed   uint64
	}{
		{"once", persist.Schedule{}, 40 * time.Minute, "a 1h0m0s", 3},
		{"once, by name", persist.Schedule{Missed: persist.MissedOnce}, 40 * time.Minute, "a 1h0m0s", 3},
		{"skip", persist.Schedule{Missed: persist.MissedSkip}, 40 * time.Minute, "a 1h0m0s -", 4},
		{"skip, and one is just due", persist.Schedule{Missed: persist.MissedSkip}, 35*time.Minute + 30*time.Second, "a 1h0m0s", 3},
		{"all", persist.Schedule{Missed: persist.MissedAll}, 40 * time.Minute, "a 1h0m0s 4", 0},
		{"all, at most three", persist.Schedule{Missed: persist.MissedAll, MissedMax: 3}, 40 * time.Minute, "a 1h0m0s 3", 1},
		{"all, one after the other", persist.Schedule{Missed: persist.MissedAll, Overlap: persist.OverlapForbid}, 40 * time.Minute, "a 1h0m0s 4", 0},
		{"all that are not too old", persist.Schedule{Missed: persist.MissedAll, Target: persist.ScheduleTarget{MaxAgeSeconds: 1000}}, 40 * time.Minute, "a 1h0m0s 2", 2},
		{"all, with large events", persist.Schedule{Missed: persist.MissedAll, MissedMax: 100, Target: persist.ScheduleTarget{Input: strings.Repeat("1", 256<<10)}}, 100 * time.Hour, "a 100h20m0s 64", 600 - 64},
		{"all of a month", persist.Schedule{Missed: persist.MissedAll, MissedMax: 1000, Target: persist.ScheduleTarget{MaxAgeSeconds: ever}}, 31 * 24 * time.Hour, "a 744h20m0s 1000", 31*144 - 1000},
		{"all of years", persist.Schedule{Missed: persist.MissedAll, MissedMax: 1000, Target: persist.ScheduleTarget{MaxAgeSeconds: ever}}, 1095 * 24 * time.Hour, "a 26280h20m0s 1000", maxCounted},
	} {
		t.Run(test.what, func(t *testing.T) {
			inScheduleBubble(t, func(t *scheduleTest) {
				test.schedule.Name, test.schedule.Expression = "a", "0/10 * * * *"
				t.create(test.schedule)
				for range 5 {
					time.Sleep(5 * time.Minute)
					t.ack()
				}
				t.wantTicks("a 0s", "a 10m0s", "a 20m0s")
				t.stop()
				time.Sleep(test.off)
				t.run()
				t.wantTicks(test.want)
				if got := t.state("a"); got.Missed != test.missed || got.Ran != 3 {
					t.Errorf("missed %d, want %d; ran %d", got.Missed, test.missed, got.Ran)
				}
				if jobs := t.jobs(); test.schedule.Overlap == persist.OverlapForbid && len(jobs) != 1 {
					t.Errorf("%d jobs at the same time", len(jobs))
				}
			})
		})
	}
}

// Of many schedules that are behind together less is counted of each, so that none
// waits for the counting.
func TestMissedRunsOfMany(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		const many = maxCounted / minCounted
		for i := range many {
			t.create(persist.Schedule{Name: fmt.Sprint(i), Expression: "* * * * *", Missed: persist.MissedSkip})
		}
		time.Sleep(time.Second)
		t.stop()
		time.Sleep(2 * minCounted * time.Minute)
		t.run()
		t.jobs()
		for i := range many {
			if got := t.state(fmt.Sprint(i)).Missed; got != minCounted {
				t.Fatalf("schedule %d has missed %d, want %d counted", i, got, minCounted)
			}
		}
	})
}

// A run whose schedule forbids overlaps is left out while the one before waits or runs.
func TestOverlap(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "forbid", Expression: "@every 10s", Overlap: persist.OverlapForbid})
		t.create(persist.Schedule{Name: "allow", Expression: "@every 10s", Overlap: persist.OverlapAllow})
		time.Sleep(35 * time.Second)
		t.wantSorted("allow 10s", "allow 20s", "allow 30s", "forbid 10s", "forbid 20s -", "forbid 30s -")
		if got := t.state("forbid"); got.Skipped != 2 || got.LastLeftOut.Outcome != persist.RunSkipped || len(got.Pending) != 1 || !got.LastRun.Due.Equal(t.start.Add(10*time.Second)) {
			t.Errorf("forbid: %+v", got)
		}
		if got := t.state("allow"); got.Skipped != 0 || len(got.Pending) != 3 {
			t.Errorf("allow: %+v", got)
		}
		if n := t.ack(); n != 4 {
			t.Errorf("%d jobs", n)
		}
		if got := t.state("forbid"); got.Ran != 1 || got.LastRun.Outcome != persist.RunOK {
			t.Errorf("forbid: %+v", got)
		}
		time.Sleep(10 * time.Second)
		t.wantSorted("allow 40s", "forbid 40s")
	})
}

// A tick whose job has not run when the node stops runs once, and no other for it.
func TestRestartBetweenTickAndRun(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "a", Expression: "0 1 * * *", Overlap: persist.OverlapForbid})
		time.Sleep(time.Hour)
		t.wantTicks("a 1h0m0s")
		leased := t.jobs()
		t.stop()
		if _, err := t.store.ReleaseLeases(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		t.run()
		t.wantTicks()
		if again := t.jobs(); len(again) != 1 || len(leased) != 1 || again[0].ID != leased[0].ID {
			t.Errorf("ran %+v, then %+v", leased, again)
		}
		time.Sleep(24 * time.Hour)
		t.wantTicks("a 25h0m0s -") // it still runs
	})
}

// Many that are due together wait for few commits.
func TestManySchedulesAtOnce(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		for i := range 1000 {
			t.create(persist.Schedule{Name: fmt.Sprint(i), Expression: "0 1 * * *"})
		}
		t.forget()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(t.store.ticks) != 1000 || t.store.commits > 1000/pageSize+1 {
			t.Errorf("%d ticks in %d commits", len(t.store.ticks), t.store.commits)
		}
		if jobs := t.jobs(); len(jobs) != 1000 {
			t.Errorf("%d jobs", len(jobs))
		}
	})
}

// A full disk is told in one line, however many schedules it stops and how often.
func TestManySchedulesOnAFullDisk(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		for i := range 300 {
			t.create(persist.Schedule{Name: fmt.Sprint(i), Expression: "0 1 * * *"})
		}
		t.store.mu.Lock()
		t.store.fails = 50
		t.store.mu.Unlock()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if len(t.store.ticks) != 300 {
			t.Errorf("%d ticks", len(t.store.ticks))
		}
		if lines := strings.Split(strings.TrimSpace(t.log.String()), "\n"); len(lines) != 1 || !strings.Contains(lines[0], "disk full") || !strings.Contains(lines[0], "schedules=300") {
			t.Errorf("logged %q", lines)
		}
	})
}

func TestRunNow(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "a", Expression: "0 1 * * *", State: persist.ScheduleDisabled, JitterSeconds: 3600, Target: persist.ScheduleTarget{Input: "1"}})
		id, err := t.schedules.RunNow("default", "a")
		if err != nil {
			t.Fatal(err)
		}
		jobs := t.jobs()
		if len(jobs) != 1 || jobs[0].ID != id || !jobs[0].Due.Equal(t.start) || string(jobs[0].Payload) != "1" || jobs[0].Schedule != "default/a" {
			t.Errorf("jobs %+v", jobs)
		}
		if got := t.state("a"); !got.LastTick.IsZero() || got.LastRun.RequestID != id {
			t.Errorf("state %+v", got)
		}
		if _, err := t.schedules.RunNow("default", "b"); err == nil {
			t.Error("a schedule runs that does not exist")
		}
		time.Sleep(2 * time.Hour)
		t.wantTicks()
	})
}

// Pausing and resuming is no pause of the node: what passed is not missed.
func TestPauseAndResume(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "a", Expression: "0/10 * * * *", Missed: persist.MissedAll})
		set := func(state string) {
			if _, err := t.store.SetScheduleState("default", "a", state); err != nil {
				t.Fatal(err)
			}
			t.schedules.Changed("default", "a")
		}
		next := func() time.Time {
			status, err := t.store.GetScheduleStatus("default", "a")
			if err != nil {
				t.Fatal(err)
			}
			return t.schedules.Next(status)
		}
		time.Sleep(15 * time.Minute)
		set(persist.ScheduleDisabled)
		time.Sleep(time.Hour)
		if at := next(); !at.IsZero() {
			t.Errorf("paused, and next %s", at)
		}
		set(persist.ScheduleEnabled)
		if at := next(); !at.Equal(t.start.Add(80 * time.Minute)) {
			t.Errorf("next %s", at)
		}
		time.Sleep(10 * time.Minute)
		t.wantTicks("a 0s", "a 10m0s", "a 1h20m0s")
	})
}

func TestJitter(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "a", Expression: "@every 60s", JitterSeconds: 30})
		time.Sleep(50*time.Minute + time.Second)
		var due []time.Duration
		for i, job := range t.jobs() {
			late := job.Due.Sub(t.start) - time.Duration(i+1)*time.Minute
			if late < 0 || late >= 30*time.Second {
				t.Errorf("job %d is due %s late", i, late)
			}
			due = append(due, late)
		}
		slices.Sort(due)
		if len(due) != 50 || len(slices.Compact(due)) < 10 {
			t.Errorf("late are %s", due)
		}
	})
}

// Schedules run by the clocks of their zone, also where those are changed.
func TestSchedulesWhereClocksChange(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		// 26 March 2000, 01:00 UTC: from 2:00 to 3:00 in Berlin; 29 October back.
		day := 24 * time.Hour
		spring := time.Date(2000, 3, 26, 0, 0, 0, 0, time.UTC).Sub(t.start)
		autumn := time.Date(2000, 10, 29, 0, 0, 0, 0, time.UTC).Sub(t.start)
		time.Sleep(spring - day)
		t.create(persist.Schedule{Name: "half past two", Expression: "30 2 * * *", Timezone: "Europe/Berlin"})
		t.create(persist.Schedule{Name: "hourly", Expression: "CRON_TZ=Europe/Berlin 30 * 26,29 3,10 *"})
		time.Sleep(2*day - time.Hour)
		named := func(name string, times ...time.Duration) (ticks []string) {
			for _, at := range times {
				ticks = append(ticks, name+" "+at.String())
			}
			return ticks
		}
		var hours []time.Duration
		for h := range 23 { // the day has 23 hours
			hours = append(hours, spring+time.Duration(h)*time.Hour-30*time.Minute)
		}
		t.wantSorted(append(named("half past two", spring-day+90*time.Minute), named("hourly", hours...)...)...)
		t.stop()
		time.Sleep(autumn - spring - day - 3*time.Hour)
		t.run()
		t.forget()
		time.Sleep(2*day + 3*time.Hour)
		hours = nil
		for h := range 25 {
			hours = append(hours, autumn+time.Duration(h)*time.Hour-90*time.Minute)
		}
		t.wantSorted(append(named("half past two", autumn+30*time.Minute, autumn+day+90*time.Minute), named("hourly", hours...)...)...)
	})
}
