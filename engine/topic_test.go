package engine

import (
	"strings"
	"testing"
)

// The examples of OASIS MQTT 5.0, section 4.7, and what else may be between two
// slashes.
func TestMatchesTopic(t *testing.T) {
	for _, test := range []struct {
		filter, topic string
		want          bool
	}{
		{"sport/tennis/player1/#", "sport/tennis/player1", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
		{"sport/tennis/player1/#", "sport/tennis/player11", false},
		{"sport/tennis/player1/#", "sport/tennis", false},
		{"sport/#", "sport", true},
		{"sport/#", "sports", false},
		{"#", "a", true},
		{"#", "a/b/c", true},
		{"#", "/", true},
		{"sport/tennis/+", "sport/tennis/player1", true},
		{"sport/tennis/+", "sport/tennis/player1/ranking", false},
		{"sport/tennis/+", "sport/tennis", false},
		{"sport/+", "sport", false},
		{"sport/+", "sport/", true},
		{"+/+", "/finance", true},
		{"/+", "/finance", true},
		{"+", "/finance", false},
		{"+", "finance", true},
		{"+/tennis/#", "sport/tennis", true},
		{"+/tennis/#", "sport/tennis/x/y", true},
		{"+/tennis/#", "tennis", false},
		{"a/+/c", "a/b/c", true},
		{"a/+/c", "a//c", true},
		{"a/+/c", "a/b/d", false},
		{"a/+/c", "a/b", false},
		{"a/+/+/#", "a/b/c", true},
		{"a/+/+/#", "a/b", false},
		{"a/b", "a/b", true},
		{"a/b", "a/B", false},
		{"a/b", "a/b/", false},
		{"a/b/", "a/b", false},
		{"/", "/", true},
		{"//", "/", false},
		{"#", "$SYS/x", false},
		{"+/x", "$SYS/x", false},
		{"+", "$SYS", false},
		{"$SYS/#", "$SYS/x", true},
		{"$SYS/+", "$SYS/x", true},
		{"$SYS/x", "$SYS/x", true},
		{"a/#", "a/$SYS", true},
		{"a/+", "a/$SYS", true},
		{"Accounts payable", "Accounts payable", true},
		{"ö/+", "ö/😀", true},
	} {
		if got := matchesTopic(test.filter, test.topic); got != test.want {
			t.Errorf("%q matches %q: %v", test.filter, test.topic, got)
		}
	}
}

func TestCheckTopic(t *testing.T) {
	long := strings.Repeat("x", maxTopic)
	for _, test := range []struct {
		text          string
		filter, topic bool // whether it is a valid one
	}{
		{"a", true, true},
		{"/", true, true},
		{"a//b", true, true},
		{" ", true, true},
		{"$SYS/x", true, true},
		{"ö", true, true},
		{long, true, true},
		{"#", true, false},
		{"+", true, false},
		{"a/#", true, false},
		{"+/a/+/#", true, false},
		{"", false, false},
		{"a#", false, false},
		{"a/b#", false, false},
		{"#/a", false, false},
		{"a/#/b", false, false},
		{"a+", false, false},
		{"+a/b", false, false},
		{"a/+b", false, false},
		{"++", false, false},
		{"##", false, false},
		{"a\x00", false, false},
		{long + "x", false, false},
	} {
		if err := checkFilter(test.text); (err == nil) != test.filter {
			t.Errorf("filter %.40q: %v", test.text, err)
		}
		if err := checkTopic(test.text); (err == nil) != test.topic {
			t.Errorf("topic %.40q: %v", test.text, err)
		}
	}
}

// matchesSlowly is matchesTopic as the standard says it, level by level.
func matchesSlowly(filter, topic []string) bool {
	switch {
	case len(filter) == 1 && filter[0] == "#":
		return true
	case len(filter) == 0 || len(topic) == 0:
		return len(filter) == len(topic)
	case filter[0] != "+" && filter[0] != topic[0]:
		return false
	}
	return matchesSlowly(filter[1:], topic[1:])
}

func FuzzMatchesTopic(f *testing.F) {
	for _, seed := range [][2]string{{"a/+/c", "a/b/c"}, {"#", "a/b"}, {"a/#", "a"}, {"+/+", "/"}, {"$a/#", "$a"}, {"#", "$a"}, {"a//+", "a//"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, filter, topic string) {
		if checkFilter(filter) != nil || checkTopic(topic) != nil {
			return
		}
		want := matchesSlowly(strings.Split(filter, "/"), strings.Split(topic, "/"))
		if topic[0] == '$' && (filter[0] == '+' || filter[0] == '#') {
			want = false
		}
		if got := matchesTopic(filter, topic); got != want {
			t.Errorf("%q matches %q: %v, want %v", filter, topic, got, want)
		}
	})
}
