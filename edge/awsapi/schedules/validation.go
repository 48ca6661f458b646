package schedules

import (
	"regexp"

	"ledge/edge/awsapi/restjson"
)

// Patterns of the service model.
var (
	namePattern  = regexp.MustCompile(`^[0-9a-zA-Z-_.]+$`)
	keyPattern   = regexp.MustCompile(`^[0-9a-zA-Z-_.]+(/[0-9a-zA-Z-_.]+)?$`) // of a group or a schedule, in a NextToken
	tokenPattern = regexp.MustCompile(`^[a-zA-Z0-9-_]+$`)
	rolePattern  = regexp.MustCompile(`^arn:aws(-[a-z]+)?:iam::\d{12}:role\/[\w+=,.@\/-]+$`)
	kmsPattern   = regexp.MustCompile(`^arn:aws(-[a-z]+)?:kms:[a-z0-9\-]+:\d{12}:(key|alias)\/[0-9a-zA-Z-_]*$`)
	groupPattern = regexp.MustCompile(`^arn:aws(-[a-z]+)?:scheduler:[a-z0-9\-]+:\d{12}:schedule-group\/[0-9a-zA-Z-_.]+$`)
)

// violations are restjson.Violations for members most of which may be missing.
type violations struct{ restjson.Violations }

// text holds a text to a number of characters, and to a pattern unless it is nil,
// which the message has as the service model has it.
func (v *violations) text(value, at string, min, max int, pattern *regexp.Regexp) {
	if v.Length(value, at, min, max) && pattern != nil && !pattern.MatchString(value) {
		v.Add(value, at, "Member must satisfy regular expression pattern: "+pattern.String())
	}
}

// optional is text for a member that may be missing.
func (v *violations) optional(value, at string, min, max int, pattern *regexp.Regexp) {
	if value != "" {
		v.text(value, at, min, max, pattern)
	}
}

// between holds a number to bounds that it may reach; nil is missing.
func (v *violations) between(value *int, at string, min, max int) {
	if value != nil {
		v.Between(int64(*value), at, int64(min), int64(max))
	}
}

// oneOf holds a text to a set of values; empty is missing.
func (v *violations) oneOf(value, at string, values ...string) {
	if value != "" {
		v.OneOf(value, at, values...)
	}
}
