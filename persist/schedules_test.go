package persist

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"
)

func testSchedule(group, name string) Schedule {
	retries := 3
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	return Schedule{
		Group: group, Name: name, Description: "d", Expression: "rate(1 day)", Timezone: "Europe/Berlin",
		Start: at, End: at.AddDate(1, 0, 0), JitterSeconds: 5, Missed: MissedAll, MissedMax: 3, Overlap: OverlapForbid, State: ScheduleEnabled, DeleteAfter: true, KMSKeyARN: "k",
		ClientToken: "t", RequestHash: "h",
		Target: ScheduleTarget{ARN: "arn", Function: "f", Qualifier: "live", RoleARN: "role", Input: "{}",
			MaxAgeSeconds: 60, MaxRetries: &retries, DeadLetterARN: "dead"},
	}
}

func TestSchedules(t *testing.T) {
	s, now := queueStore(t, "f")
	want := testSchedule("default", "a")
	stored, err := s.CreateSchedule(want)
	noErr(t, err)
	want.Created, want.LastModified, want.Revision = now, now, stored.Revision
	got, err := s.GetSchedule("default", "a")
	noErr(t, err)
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(stored, want) {
		t.Errorf("stored %+v, got %+v, want %+v", stored, got, want)
	}
	fields := reflect.ValueOf(got)
	for i := range fields.NumField() {
		if name := fields.Type().Field(i).Name; fields.Field(i).IsZero() && name != "WindowMinutes" && name != "Deployed" { // not beside a jitter; a deploy's
			t.Errorf("%s has no value in this test", name)
		}
	}
	_, err = s.CreateSchedule(want)
	wantErr(t, "CreateSchedule again", err, ErrExists)
	_, err = s.CreateSchedule(testSchedule("none", "a"))
	wantErr(t, "CreateSchedule in no group", err, ErrNotFound)
	_, err = s.CreateSchedule(testSchedule("default", "\x00"))
	wantErr(t, "CreateSchedule without a name", err, ErrInvalid)
	_, err = s.UpdateSchedule(testSchedule("default", "b"))
	wantErr(t, "UpdateSchedule of none", err, ErrNotFound)
	for what, edit := range map[string]func(*Schedule){
		"missed":             func(s *Schedule) { s.Missed = "none" },
		"missed runs":        func(s *Schedule) { s.MissedMax = MaxMissedRuns + 1 },
		"negative":           func(s *Schedule) { s.MissedMax = -1 },
		"missed runs of one": func(s *Schedule) { s.Missed = MissedOnce },
		"overlap":            func(s *Schedule) { s.Overlap = "queue" },
		"jitter":             func(s *Schedule) { s.JitterSeconds = MaxJitterSeconds + 1 },
		"jitter and window":  func(s *Schedule) { s.WindowMinutes = 1 },
		"slash in a group":   func(s *Schedule) { s.Group = "a/b" },
	} {
		bad := testSchedule("default", "a")
		edit(&bad)
		_, err = s.UpdateSchedule(bad)
		wantErr(t, what, err, ErrInvalid)
	}
	want.State = ScheduleDisabled
	updated, err := s.UpdateSchedule(want)
	noErr(t, err)
	if updated.Revision == stored.Revision || updated.State != ScheduleDisabled {
		t.Errorf("updated %+v", updated)
	}
	noErr(t, s.DeleteSchedule("default", "a"))
	wantErr(t, "DeleteSchedule", s.DeleteSchedule("default", "a"), ErrNotFound)
	_, err = s.GetSchedule("default", "a")
	wantErr(t, "GetSchedule", err, ErrNotFound)
}

func TestListSchedules(t *testing.T) {
	s, _ := queueStore(t)
	for _, group := range []string{"g", "g-"} {
		_, err := s.CreateScheduleGroup(ScheduleGroup{Name: group})
		noErr(t, err)
	}
	for i, key := range []string{"default/a", "g/a", "g/ab", "g/b", "g-/a", "g/c"} {
		group, name, _ := strings.Cut(key, "/")
		schedule := testSchedule(group, name)
		if i%2 == 1 {
			schedule.State = ScheduleDisabled
		}
		_, err := s.CreateSchedule(schedule)
		noErr(t, err)
	}
	for _, test := range []struct {
		query ScheduleQuery
		want  string
		more  bool
	}{
		{ScheduleQuery{}, "default/a g/a g/ab g/b g/c g-/a", false},
		{ScheduleQuery{Limit: 2}, "default/a g/a", true},
		{ScheduleQuery{Limit: 6}, "default/a g/a g/ab g/b g/c g-/a", false},
		{ScheduleQuery{AfterGroup: "g", AfterName: "ab", Limit: 2}, "g/b g/c", true},
		{ScheduleQuery{AfterGroup: "g", AfterName: "aa"}, "g/ab g/b g/c g-/a", false},
		{ScheduleQuery{Group: "g"}, "g/a g/ab g/b g/c", false},
		{ScheduleQuery{Group: "g", AfterGroup: "g", AfterName: "b"}, "g/c", false},
		{ScheduleQuery{Group: "g", Prefix: "a"}, "g/a g/ab", false},
		{ScheduleQuery{Group: "g", Prefix: "a", Limit: 1}, "g/a", true},
		{ScheduleQuery{Prefix: "a"}, "default/a g/a g/ab g-/a", false},
		{ScheduleQuery{State: ScheduleDisabled}, "g/a g/b g/c", false},
		{ScheduleQuery{Group: "none"}, "", false},
	} {
		list, more, err := s.Schedules(test.query)
		noErr(t, err)
		var names []string
		for _, schedule := range list {
			names = append(names, schedule.Group+"/"+schedule.Name)
		}
		if got := strings.Join(names, " "); got != test.want || more != test.more {
			t.Errorf("%+v: got %q, more %t; want %q, %t", test.query, got, more, test.want, test.more)
		}
	}
	noErr(t, s.DeleteScheduleGroup("g"))
	list, _, err := s.Schedules(ScheduleQuery{})
	noErr(t, err)
	if len(list) != 2 || list[1].Group != "g-" {
		t.Errorf("without the group there are %+v", list)
	}
}

func TestScheduleGroups(t *testing.T) {
	s, now := queueStore(t)
	group, err := s.CreateScheduleGroup(ScheduleGroup{Name: "g", Tags: map[string]string{"a": "1"}, ClientToken: "t"})
	noErr(t, err)
	got, err := s.GetScheduleGroup("g")
	noErr(t, err)
	if !reflect.DeepEqual(got, group) || !group.Created.Equal(now) {
		t.Errorf("got %+v, stored %+v", got, group)
	}
	for _, name := range []string{"g", DefaultScheduleGroup} {
		_, err = s.CreateScheduleGroup(ScheduleGroup{Name: name})
		wantErr(t, "CreateScheduleGroup again", err, ErrExists)
	}
	noErr(t, s.TagScheduleGroup("g", map[string]string{"b": "2"}, []string{"a", "c"}))
	noErr(t, s.TagScheduleGroup(DefaultScheduleGroup, map[string]string{"d": "3"}, nil))
	wantErr(t, "TagScheduleGroup", s.TagScheduleGroup("none", nil, nil), ErrNotFound)
	many := map[string]string{}
	for i := range MaxGroupTags + 1 {
		many[fmt.Sprint(i)] = ""
	}
	wantErr(t, "too many tags", s.TagScheduleGroup("g", many, nil), ErrTooMany)
	_, err = s.CreateScheduleGroup(ScheduleGroup{Name: "x", Tags: many})
	wantErr(t, "too many tags", err, ErrTooMany)
	for _, test := range []struct {
		prefix, after string
		limit         int
		want          string
		more          bool
	}{
		{"", "", 9, "default g", false}, {"", "", 1, "default", true}, {"", "default", 1, "g", false}, {"g", "", 9, "g", false}, {"x", "", 9, "", false},
	} {
		groups, more, err := s.ScheduleGroups(test.prefix, test.after, test.limit)
		noErr(t, err)
		var names []string
		for _, g := range groups {
			names = append(names, g.Name)
			if want := map[string]map[string]string{"g": {"b": "2"}, "default": {"d": "3"}}[g.Name]; !maps.Equal(g.Tags, want) {
				t.Errorf("%s has tags %v", g.Name, g.Tags)
			}
		}
		if got := strings.Join(names, " "); got != test.want || more != test.more {
			t.Errorf("%+v: got %q, %t", test, got, more)
		}
	}
	wantErr(t, "DeleteScheduleGroup", s.DeleteScheduleGroup(DefaultScheduleGroup), ErrInvalid)
	noErr(t, s.DeleteScheduleGroup("g"))
	wantErr(t, "DeleteScheduleGroup", s.DeleteScheduleGroup("g"), ErrNotFound)
	_, err = s.GetScheduleGroup("g")
	wantErr(t, "GetScheduleGroup", err, ErrNotFound)
	if _, err := s.GetScheduleGroup(DefaultScheduleGroup); err != nil {
		t.Error(err)
	}
}
