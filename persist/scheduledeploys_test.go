package persist

import (
	"strings"
	"testing"
)

// TestDeployedSchedulesGoWithTheirFunction, and no others do.
func TestDeployedSchedulesGoWithTheirFunction(t *testing.T) {
	long := strings.Repeat("f", 63)
	s, _ := queueStore(t, "f", "f-cron-x", long+"1", long+"2")
	add := func(function, tag string, deployed bool, edit func(*Schedule)) string {
		t.Helper()
		schedule := testSchedule(DefaultScheduleGroup, DeployedScheduleName(function, tag))
		schedule.Target.Function, schedule.Deployed = function, deployed
		_, err := s.CreateSchedule(schedule)
		noErr(t, err)
		if edit != nil {
			edit(&schedule)
			schedule.Deployed = !deployed // which is not for an update to say
			_, err := s.UpdateSchedule(schedule)
			noErr(t, err)
		}
		return schedule.Name
	}
	gone := map[string]string{
		"":        add("f", "1", true, nil),
		"updated": add("f", "2", true, func(s *Schedule) { s.Expression = "rate(2 days)" }),
		"long":    add(long+"1", "1", true, nil),
	}
	stays := map[string]string{
		"by hand":              add("f", "3", false, nil),
		"by hand and updated":  add("f", "4", false, func(s *Schedule) { s.Expression = "rate(2 days)" }),
		"for another":          add("f-cron-x", "1", true, nil),
		"for another by now":   add("f", "5", true, func(s *Schedule) { s.Target.Function = "f-cron-x" }),
		"of a name that long":  add(long+"2", "2", true, nil),
		"of the default group": testSchedule("default", "a").Name,
	}
	_, err := s.CreateSchedule(testSchedule("default", "a"))
	noErr(t, err)
	for _, function := range []string{"f", long + "1"} {
		_, err := s.DeleteFunction(function)
		noErr(t, err)
	}
	for what, name := range gone {
		_, err := s.GetSchedule(DefaultScheduleGroup, name)
		wantErr(t, what, err, ErrNotFound)
	}
	for what, name := range stays {
		if _, err := s.GetSchedule(DefaultScheduleGroup, name); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	page, err := s.ScheduleStatuses(ScheduleQuery{Limit: 100})
	noErr(t, err)
	if len(page.Schedules) != len(stays) {
		t.Errorf("%d schedules stay, want %d", len(page.Schedules), len(stays))
	}
	// The deploy's schedule comes after its function, which may be gone by then.
	late := testSchedule(DefaultScheduleGroup, DeployedScheduleName("f", "6"))
	late.Deployed = true
	_, err = s.CreateSchedule(late)
	wantErr(t, "a schedule of a function that is gone", err, ErrNotFound)
	late.Name, late.Target.Function = "other", "f-cron-x"
	_, err = s.CreateSchedule(late)
	wantErr(t, "a schedule with another name", err, ErrInvalid)
	if n := len(DeployedScheduleName(long, strings.Repeat("0", 16))); n != maxScheduleName {
		t.Errorf("the longest name has %d bytes", n)
	}
}
