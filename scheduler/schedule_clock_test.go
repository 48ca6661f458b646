package scheduler

import (
	"context"
	"strings"
	"testing"
	"time"

	"ledge/persist"
)

// A clock that jumps forward starts no burst, and what is due is noticed at once.
func TestClockJumpsForward(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		for name, schedule := range map[string]persist.Schedule{
			"all": {Missed: persist.MissedAll, MissedMax: 7}, "once": {}, "skip": {Missed: persist.MissedSkip},
		} {
			schedule.Name, schedule.Expression = name, "*/10 * * * *"
			t.create(schedule)
		}
		t.create(persist.Schedule{Name: "monthly", Expression: "30 0 4 * *"})
		time.Sleep(25 * time.Minute)
		t.forget()
		t.clock.jump(3*24*time.Hour+10*time.Minute, true)
		t.wantSorted("all 72h30m0s 7", "monthly 72h30m0s", "once 72h30m0s", "skip 72h30m0s -")
		time.Sleep(5 * time.Minute)
		t.wantSorted("all 72h40m0s", "once 72h40m0s", "skip 72h40m0s")
	})
}

// Without anything that tells of it a jump is noticed within the hour.
func TestClockJumpsSilently(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "a", Expression: "0 12 * * *"})
		t.clock.mu.Lock()
		t.clock.offset = 12 * time.Hour
		t.clock.mu.Unlock()
		time.Sleep(longestSleep - time.Second)
		t.wantTicks()
		time.Sleep(time.Second)
		t.wantTicks("a 12h0m0s")
	})
}

// A clock that is set back neither repeats runs nor stops them for long.
func TestClockJumpsBack(t *testing.T) {
	for _, test := range []struct {
		what   string
		back   time.Duration
		atOnce []string
		wait   time.Duration // until the first that runs
		first  string
	}{
		{"an hour: it waits until that is over", time.Hour, nil, 70 * time.Minute, "a 10h10m0s"},
		{"half a day: it goes on from there", 12 * time.Hour, []string{"a -2h0m0s -"}, 10 * time.Minute, "a -1h50m0s"},
	} {
		t.Run(test.what, func(t *testing.T) {
			inScheduleBubble(t, func(t *scheduleTest) {
				t.create(persist.Schedule{Name: "a", Expression: "*/10 * * * *"})
				time.Sleep(10 * time.Hour) // so that the clock is believed
				t.forget()
				t.clock.jump(-test.back, false)
				t.wantTicks(test.atOnce...)
				time.Sleep(test.wait - time.Second)
				t.wantTicks()
				time.Sleep(time.Second)
				t.wantTicks(test.first)
			})
		})
	}
}

// A node without a battery for its clock starts in the past.
func TestUntrustedClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, test := range []struct {
		what  string
		wait  time.Duration
		off   time.Duration // of the clock at the start
		built time.Duration // after the bubble's start
		set   time.Duration // after which the clock is set right; 0: never
		runs  time.Duration // when the schedule that is due at 1:00 runs, after the start; below 0: not within the day
		log   string
	}{
		{"plausible, and nothing sets it", time.Minute, 0, 0, 0, time.Hour, ""},
		{"in the past, and set at once", 10 * time.Minute, -10 * year, 0, 20 * time.Second, time.Hour, "the clock is set"},
		{"in the past, and set late", time.Minute, -10 * year, 0, 10 * time.Minute, time.Hour, "the clock may be wrong"},
		{"in the past, and set after the time", 3 * time.Hour, -10 * year, 0, 2 * time.Hour, 2 * time.Hour, "the clock is set"},
		{"in the past, and never set", time.Minute, -10 * year, 0, 0, -1, "and has shown 2000-01-01T00:00:00Z before"},
		{"before this program was made", time.Minute, 0, year, 0, time.Hour, "and this program was made at 2000-12-31"},
		{"in the past, and no wait", 0, -10 * year, 0, 10 * time.Minute, time.Hour, "the clock may be wrong"},
	} {
		t.Run(test.what, func(t *testing.T) {
			inScheduleBubble(t, func(t *scheduleTest) {
				t.create(persist.Schedule{Name: "a", Expression: "0 1 * * *"})
				t.stop()
				if err := t.store.NoteClock(t.start); err != nil {
					t.Fatal(err)
				}
				t.clock.offset = test.off
				t.cfg.ClockWait, t.cfg.Built = test.wait, t.start.Add(test.built)
				t.run()
				if test.set > 0 {
					time.Sleep(test.set)
					t.clock.jump(-test.off, true)
				}
				if test.runs < 0 {
					// After an hour the clock is taken for right, and the schedule goes on by it.
					time.Sleep(30 * time.Minute)
					t.wantTicks()
				} else {
					if rest := test.runs - test.set; rest > 0 {
						time.Sleep(rest - time.Second)
						t.wantTicks()
						time.Sleep(time.Second)
					}
					t.wantTicks("a 1h0m0s")
				}
				if got := t.log.String(); !strings.Contains(got, test.log) || test.log == "" && got != "" {
					t.Errorf("logged %s", got)
				}
			})
		})
	}
}

// The clock is noted once an hour and at the end, but not while it is in doubt.
func TestClockIsNoted(t *testing.T) {
	inScheduleBubble(t, func(t *scheduleTest) {
		t.create(persist.Schedule{Name: "a", Expression: "*/5 * * * *"})
		time.Sleep(150 * time.Minute)
		t.stop()
		if n := len(t.store.seen); n != 4 { // at the start, twice, at the end
			t.Errorf("noted %s", t.store.seen)
		}
		t.clock.offset = -24 * time.Hour
		t.run()
		time.Sleep(30 * time.Minute)
		t.stop()
		if n := len(t.store.seen); n != 4 {
			t.Errorf("a wrong clock was noted: %s", t.store.seen)
		}
	})
}

// What the machine's own clock can be asked works here, or says that it does not.
func TestSystemClock(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	set := SystemClock{}.Watch(ctx)
	if set == nil {
		t.Fatal("the kernel does not tell when the clock is set")
	}
	select {
	case <-set:
		t.Error("the clock was set, so it says")
	default:
	}
	cancel()
	timer, err := newSetTimer()
	if err != nil {
		t.Fatal(err)
	}
	if err := timer.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Errorf("a read of it does not end with a deadline, so not with Close either: %v", err)
	}
	if err := timer.Close(); err != nil {
		t.Error(err)
	}
	SystemClock{}.Synchronised()
	if now := (SystemClock{}).Now(); now != now.Round(0) {
		t.Error("the time has a monotonic reading")
	}
	if built := BuildTime(); built.After(time.Now()) {
		t.Errorf("built at %s", built)
	}
}
