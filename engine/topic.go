package engine

import (
	"errors"
	"strings"
)

// Topic names and filters are MQTT's: OASIS MQTT 5.0, section 4.7.

const maxTopic = 65535 // bytes

// checkFilter says what is wrong with a topic filter.
func checkFilter(filter string) error {
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch {
		case level == "#" && i == len(levels)-1 || level == "+":
		case strings.ContainsAny(level, "#+"):
			return errors.New("# must be the last level and + a level of its own")
		}
	}
	return checkTopicText(filter)
}

// checkTopic says what is wrong with a topic name.
func checkTopic(topic string) error {
	if strings.ContainsAny(topic, "#+") {
		return errors.New("a topic to publish to has no # and no +")
	}
	return checkTopicText(topic)
}

func checkTopicText(text string) error {
	switch {
	case text == "":
		return errors.New("it is empty")
	case len(text) > maxTopic:
		return errors.New("it is longer than 65535 bytes")
	case strings.IndexByte(text, 0) >= 0:
		return errors.New("it holds a zero byte")
	}
	return nil
}

// matchesTopic reports whether topic is one of filter's. Topics that begin with
// $ are the broker's own and match no wildcard at the first level.
func matchesTopic(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (filter[0] == '#' || filter[0] == '+') {
		return false
	}
	for {
		want, restOfFilter, more := strings.Cut(filter, "/")
		if want == "#" {
			return true
		}
		have, rest, deeper := strings.Cut(topic, "/")
		if want != "+" && want != have {
			return false
		}
		if !more || !deeper {
			return more == deeper || restOfFilter == "#"
		}
		filter, topic = restOfFilter, rest
	}
}
