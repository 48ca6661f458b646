package restjson

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Violations are the constraints of a service's model that a request breaks, each
// in the words that AWS's services share:
//
//	1 validation error detected: Value '0' at 'timeout' failed to satisfy
//	constraint: Member must have value greater than or equal to 1
//
// Its zero value has none. at is the path of the member, as AWS writes it.
type Violations []string

// maxViolations is how many are told: a list may have a hundred thousand.
const maxViolations = 10

// Add notes that the value at a member breaks a constraint.
func (v *Violations) Add(value any, at, constraint string) {
	if len(*v) == maxViolations {
		return
	}
	*v = append(*v, fmt.Sprintf("Value '%.200s' at '%s' failed to satisfy constraint: %s", fmt.Sprint(value), at, constraint))
}

// Between holds a number to bounds that it may reach.
func (v *Violations) Between(value int64, at string, min, max int64) {
	switch {
	case value < min:
		v.Add(value, at, fmt.Sprintf("Member must have value greater than or equal to %d", min))
	case value > max:
		v.Add(value, at, fmt.Sprintf("Member must have value less than or equal to %d", max))
	}
}

// Length holds a text to a number of characters, and reports whether it has that.
func (v *Violations) Length(value, at string, min, max int) bool {
	return v.size(value, utf8.RuneCountInString(value), at, min, max)
}

// Items holds a list to a number of members.
func (v *Violations) Items(n int, at string, min, max int) {
	v.size(fmt.Sprintf("[%d items]", n), n, at, min, max)
}

func (v *Violations) size(value string, n int, at string, min, max int) bool {
	switch {
	case n < min:
		v.Add(value, at, fmt.Sprintf("Member must have length greater than or equal to %d", min))
	case n > max:
		v.Add(value, at, fmt.Sprintf("Member must have length less than or equal to %d", max))
	default:
		return true
	}
	return false
}

// Matches holds a text to a pattern, which must be anchored at both ends; the
// message has it without the anchors, as those of most services have.
func (v *Violations) Matches(value, at string, pattern *regexp.Regexp) {
	if !pattern.MatchString(value) {
		shown := strings.TrimSuffix(strings.TrimPrefix(pattern.String(), "^"), "$")
		v.Add(value, at, "Member must satisfy regular expression pattern: "+shown)
	}
}

// OneOf holds a text to a set of values.
func (v *Violations) OneOf(value, at string, values ...string) {
	if !slices.Contains(values, value) {
		v.Add(value, at, "Member must satisfy enum value set: ["+strings.Join(values, ", ")+"]")
	}
}

// Required notes a member that is not there.
func (v *Violations) Required(there bool, at string) {
	if !there && len(*v) < maxViolations {
		*v = append(*v, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", at))
	}
}

// Err returns a *Fault with all of them, or nil where there are none.
func (v Violations) Err() error {
	if len(v) == 0 {
		return nil
	}
	many := "s"
	if len(v) == 1 {
		many = ""
	}
	return &Fault{Status: http.StatusBadRequest, Code: CodeValidation,
		Message: fmt.Sprintf("%d validation error%s detected: %s", len(v), many, strings.Join(v, "; "))}
}
