package schedules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Patterns of the service model.
var (
	namePattern  = regexp.MustCompile(`^[0-9a-zA-Z-_.]+$`)
	tokenPattern = regexp.MustCompile(`^[a-zA-Z0-9-_]+$`)
	rolePattern  = regexp.MustCompile(`^arn:aws(-[a-z]+)?:iam::\d{12}:role\/[\w+=,.@\/-]+$`)
	kmsPattern   = regexp.MustCompile(`^arn:aws(-[a-z]+)?:kms:[a-z0-9\-]+:\d{12}:(key|alias)\/[0-9a-zA-Z-_]*$`)
	groupPattern = regexp.MustCompile(`^arn:aws(-[a-z]+)?:scheduler:[a-z0-9\-]+:\d{12}:schedule-group\/[0-9a-zA-Z-_.]+$`)
)

// violations are the constraints of the service model that a request breaks, in
// the words that AWS's services share. Its zero value has none.
type violations []string

func (v *violations) add(value any, at, constraint string) {
	*v = append(*v, fmt.Sprintf("Value '%.200s' at '%s' failed to satisfy constraint: %s", fmt.Sprint(value), at, constraint))
}

// text holds a text to a number of characters, and to a pattern unless it is nil.
func (v *violations) text(value, at string, min, max int, pattern *regexp.Regexp) {
	switch n := utf8.RuneCountInString(value); {
	case n < min:
		v.add(value, at, fmt.Sprintf("Member must have length greater than or equal to %d", min))
	case n > max:
		v.add(value, at, fmt.Sprintf("Member must have length less than or equal to %d", max))
	case pattern != nil && !pattern.MatchString(value):
		v.add(value, at, "Member must satisfy regular expression pattern: "+pattern.String())
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
	switch {
	case value == nil:
	case *value < min:
		v.add(*value, at, fmt.Sprintf("Member must have value greater than or equal to %d", min))
	case *value > max:
		v.add(*value, at, fmt.Sprintf("Member must have value less than or equal to %d", max))
	}
}

// oneOf holds a text to a set of values; empty is missing.
func (v *violations) oneOf(value, at string, values ...string) {
	if value != "" && !slices.Contains(values, value) {
		v.add(value, at, "Member must satisfy enum value set: ["+strings.Join(values, ", ")+"]")
	}
}

// required notes a member that is not there.
func (v *violations) required(there bool, at string) {
	if !there {
		*v = append(*v, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", at))
	}
}

// err returns a fault with all of them, or nil where there are none.
func (v violations) err() error {
	switch len(v) {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected: %s", v[0])
	}
	return invalid("%d validation errors detected: %s", len(v), strings.Join(v, "; "))
}
