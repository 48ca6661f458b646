package scheduler

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ledge/persist"
)

func TestSchedulesRun(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "cron", Expression: "cron(0/20 * * * ? *)"})
		t.create(persist.Schedule{Name: "rate", Expression: "rate(25 minutes)"})
		t.create(persist.Schedule{Name: "at", Expression: "at(2000-01-01T01:10:00)", Timezone: "Europe/Berlin", DeleteAfter: true})
		t.create(persist.Schedule{Name: "off", Expression: "rate(1 minute)", State: persist.ScheduleDisabled})
		t.create(persist.Schedule{Name: "past", Expression: "at(1999-01-01T00:00:00)"})
		t.create(persist.Schedule{Name: "window", Expression: "rate(1 minute)",
			Start: t.start.Add(30 * time.Minute), End: t.start.Add(32 * time.Minute)})
		time.Sleep(45*time.Minute + time.Second)
		t.wantTicks("cron 0s", "rate 0s", "at 10m0s", "cron 20m0s", "rate 25m0s", "window 30m0s", "window 31m0s", "cron 40m0s")
		if _, err := t.store.GetSchedule("default", "at"); !errors.Is(err, persist.ErrNotFound) {
			t.Errorf("what was to be deleted after its run: %v", err)
		}
		if _, err := t.store.GetSchedule("default", "window"); err != nil {
			t.Errorf("what was not to be deleted: %v", err)
		}
		if jobs := t.jobs(); len(jobs) != 8 {
			t.Errorf("%d jobs", len(jobs))
		}
	})
}

func TestSchedulesChange(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "a", Expression: "rate(10 minutes)"})
		time.Sleep(15 * time.Minute)
		t.wantTicks("a 0s", "a 10m0s")
		schedule, err := t.store.GetSchedule("default", "a")
		if err != nil {
			t.Fatal(err)
		}
		schedule.Expression = "rate(7 minutes)" // counted from when it was created
		if _, err := t.store.UpdateSchedule(schedule); err != nil {
			t.Fatal(err)
		}
		t.schedules.Changed("default", "a")
		time.Sleep(15 * time.Minute)
		t.wantTicks("a 21m0s", "a 28m0s")
		if err := t.store.DeleteSchedule("default", "a"); err != nil {
			t.Fatal(err)
		}
		t.schedules.Changed("default", "a")
		time.Sleep(time.Hour)
		t.wantTicks()
		// A change that nobody told of is noticed when it matters.
		t.create(persist.Schedule{Name: "b", Expression: "rate(1 hour)"})
		t.wantTicks("b 1h30m0s")
		if err := t.store.DeleteSchedule("default", "b"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		t.wantTicks()
	})
}

// Times that passed while the node was off are made up for once, if they are
// not too old.
func TestSchedulesAfterAPause(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "often", Expression: "cron(0/5 * * * ? *)"})
		t.create(persist.Schedule{Name: "once", Expression: "at(2000-01-01T00:30:00)"})
		t.create(persist.Schedule{Name: "soon", Expression: "at(2000-01-01T00:40:00)", Target: persist.ScheduleTarget{MaxAgeSeconds: 600}})
		t.create(persist.Schedule{Name: "later", Expression: "at(2000-01-01T04:00:00)"})
		time.Sleep(12 * time.Minute)
		t.wantTicks("often 0s", "often 5m0s", "often 10m0s")
		t.stop()
		time.Sleep(50*time.Minute + 30*time.Second)
		t.run()
		synctest.Wait()
		t.store.mu.Lock()
		slices.Sort(t.store.ticks)
		t.store.mu.Unlock()
		t.wantTicks("often 1h0m0s", "once 30m0s", "soon 40m0s -")
		time.Sleep(5 * time.Minute)
		t.wantTicks("often 1h5m0s")
		t.stop()
		time.Sleep(48 * time.Hour)
		t.run()
		t.store.mu.Lock()
		slices.Sort(t.store.ticks)
		t.store.mu.Unlock()
		t.wantTicks("later 4h0m0s -", "often 49h5m0s")
	})
}

// A clock that was years ahead for a while, when schedules were created and ran, does
// not keep them from running until those years are over.
func TestSchedulesAfterAWrongClock(t *testing.T) {
	dir := t.TempDir()
	inScheduleBubbleWith(t, dir, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "cron", Expression: "cron(0/30 * 1 1 ? *)"})
		time.Sleep(365 * 24 * time.Hour)
		t.create(persist.Schedule{Name: "rate", Expression: "rate(20 minutes)"})
		t.create(persist.Schedule{Name: "new", Expression: "cron(0/30 * * * ? *)"})
		t.create(persist.Schedule{Name: "once", Expression: "at(2000-01-01T00:50:00)"})
		t.forget()
	})
	inScheduleBubbleWith(t, dir, func(t *scheduleTest) { // it is 1 January 2000 again
		time.Sleep(time.Hour - time.Second) // the clock may yet be set
		t.wantTicks()
		time.Sleep(time.Second)
		t.wantSorted("cron 1h0m0s -", "new 1h0m0s -", "rate 1h0m0s -")
		time.Sleep(time.Hour)
		t.wantSorted("cron 1h30m0s", "cron 2h0m0s", "new 1h30m0s", "new 2h0m0s", "rate 1h20m0s", "rate 1h40m0s", "rate 2h0m0s")
	})
	inScheduleBubbleWith(t, dir, func(t *scheduleTest) { // and again: two hours back is too little
		time.Sleep(2 * time.Hour)
		t.wantTicks()
		time.Sleep(30 * time.Minute)
		t.wantSorted("cron 2h30m0s", "new 2h30m0s", "rate 2h20m0s")
	})
}

func TestSchedulesOnAFailingDisk(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.store.mu.Lock()
		t.store.fails = 2
		t.store.mu.Unlock()
		t.create(persist.Schedule{Name: "a", Expression: "cron(10/10 * * * ? *)"})
		time.Sleep(10*time.Minute + 2*storePause - time.Second)
		t.wantTicks()
		time.Sleep(time.Second)
		t.wantTicks("a 10m0s")
		time.Sleep(10 * time.Minute)
		t.wantTicks("a 20m0s")
	})
}

// A schedule of a function that is gone goes on: it may come back.
func TestSchedulesInVain(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "a", Expression: "rate(1 minute)", Target: persist.ScheduleTarget{Function: "g"}})
		t.create(persist.Schedule{Name: "bad", Expression: "rate(1 parsec)"})
		t.wantTicks("a 0s -")
		if _, err := t.store.PutFunction(persist.Function{Name: "g"}, "", nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		t.wantTicks("a 1m0s")
	})
}

func TestScheduleEvents(t *testing.T) {
	retries := 1
	for _, test := range []struct {
		what     string
		schedule persist.Schedule
		want     string // with ID in place of the job's id
	}{
		{"notification", persist.Schedule{Group: "g", Name: "a"},
			`{"version":"0","id":"ID","detail-type":"Scheduled Event","source":"aws.scheduler","account":"000000000000","time":"2000-01-01T00:00:00Z","region":"local","resources":["arn:aws:scheduler:local:000000000000:schedule/g/a"],"detail":"{}"}`},
		{"input", persist.Schedule{Group: "g", Name: "a", Target: persist.ScheduleTarget{Input: `{"a": 1}`}}, `{"a": 1}`},
		{"attributes", persist.Schedule{Group: "g", Name: "a", Target: persist.ScheduleTarget{
			Input: `["<aws.scheduler.schedule-arn>","<aws.scheduler.scheduled-time>","<aws.scheduler.execution-id>",<aws.scheduler.attempt-number>,"<aws.scheduler.x>"]`}},
			`["arn:aws:scheduler:local:000000000000:schedule/g/a","2000-01-01T00:00:00Z","ID",1,"<aws.scheduler.x>"]`},
		{"all settings", persist.Schedule{Group: "g", Name: "a", WindowMinutes: 10, Target: persist.ScheduleTarget{
			Input: "1", Qualifier: "live", MaxAgeSeconds: 60, MaxRetries: &retries, DeadLetterARN: "arn:x"}}, "1"},
	} {
		t.Run(test.what, func(t *testing.T) {
			inScheduleBubble(t, func(t *scheduleTest) {
				if _, err := t.store.CreateScheduleGroup(persist.ScheduleGroup{Name: "g"}); err != nil {
					t.Fatal(err)
				}
				test.schedule.Expression = "rate(1000 days)"
				t.create(test.schedule)
				jobs := t.jobs()
				if len(jobs) != 1 {
					t.Fatalf("jobs %+v", jobs)
				}
				job := jobs[0]
				if got := strings.ReplaceAll(string(job.Payload), job.ID, "ID"); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				target := test.schedule.Target
				if job.Source != "cron" || job.Qualifier != target.Qualifier || job.MaxAgeSeconds != target.MaxAgeSeconds ||
					fmt.Sprint(job.MaxRetries == nil) != fmt.Sprint(target.MaxRetries == nil) || job.OnFailure != target.DeadLetterARN {
					t.Errorf("job %+v", job)
				}
				window := time.Duration(test.schedule.WindowMinutes) * time.Minute
				if late := job.Due.Sub(t.start); late < 0 || late > window || !job.Enqueued.Equal(job.Due) {
					t.Errorf("due after %s, the window is %s", late, window)
				}
				if !json.Valid(job.Payload) {
					t.Errorf("not JSON: %s", job.Payload)
				}
			})
		})
	}
}

// An idle node sleeps until a schedule is due.
func TestSchedulesSleep(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "a", Expression: "cron(0 0 1 2 ? *)"})
		time.Sleep(31*24*time.Hour - time.Second)
		t.wantTicks()
		time.Sleep(time.Second)
		t.wantTicks("a 744h0m0s")
	})
}
