package awsapi

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// codeValidation is the code of what breaks a constraint of the service model,
// as a length or a pattern. What is wrong for other reasons is codeInvalid.
const codeValidation = "ValidationException"

// violations are the constraints of the service model that a request breaks,
// each in the words that AWS's services share:
//
//	1 validation error detected: Value '0' at 'timeout' failed to satisfy
//	constraint: Member must have value greater than or equal to 1
//
// Its zero value has none. at is the path of the member, as AWS writes it.
type violations []string

// maxViolations is how many are told: a list may have a hundred thousand.
const maxViolations = 10

func (v *violations) add(value any, at, constraint string) {
	if len(*v) == maxViolations {
		return
	}
	*v = append(*v, fmt.Sprintf("Value '%.200s' at '%s' failed to satisfy constraint: %s", fmt.Sprint(value), at, constraint))
}

// between holds a number to bounds that it may reach.
func (v *violations) between(value int64, at string, min, max int64) {
	switch {
	case value < min:
		v.add(value, at, fmt.Sprintf("Member must have value greater than or equal to %d", min))
	case value > max:
		v.add(value, at, fmt.Sprintf("Member must have value less than or equal to %d", max))
	}
}

// length holds a text to a number of characters.
func (v *violations) length(value, at string, min, max int) {
	switch n := utf8.RuneCountInString(value); {
	case n < min:
		v.add(value, at, fmt.Sprintf("Member must have length greater than or equal to %d", min))
	case n > max:
		v.add(value, at, fmt.Sprintf("Member must have length less than or equal to %d", max))
	}
}

// items holds a list to a number of members.
func (v *violations) items(n int, at string, min, max int) {
	switch {
	case n < min:
		v.add(fmt.Sprintf("[%d items]", n), at, fmt.Sprintf("Member must have length greater than or equal to %d", min))
	case n > max:
		v.add(fmt.Sprintf("[%d items]", n), at, fmt.Sprintf("Member must have length less than or equal to %d", max))
	}
}

// matches holds a text to a pattern, which must be anchored at both ends; the
// message has it without the anchors, as AWS's have.
func (v *violations) matches(value, at string, pattern *regexp.Regexp) {
	if !pattern.MatchString(value) {
		shown := strings.TrimSuffix(strings.TrimPrefix(pattern.String(), "^"), "$")
		v.add(value, at, "Member must satisfy regular expression pattern: "+shown)
	}
}

// oneOf holds a text to a set of values.
func (v *violations) oneOf(value, at string, values ...string) {
	if !slices.Contains(values, value) {
		v.add(value, at, "Member must satisfy enum value set: ["+strings.Join(values, ", ")+"]")
	}
}

// required notes a member that is not there.
func (v *violations) required(there bool, at string) {
	if !there {
		*v = append(*v, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", at))
	}
}

// err returns a *fault with all of them, or nil where there are none.
func (v violations) err() error {
	if len(v) == 0 {
		return nil
	}
	many := "s"
	if len(v) == 1 {
		many = ""
	}
	return &fault{Status: http.StatusBadRequest, Code: codeValidation,
		Message: fmt.Sprintf("%d validation error%s detected: %s", len(v), many, strings.Join(v, "; "))}
}

// notFound is the fault of something that does not exist.
func notFound(message string) *fault {
	return &fault{Status: http.StatusNotFound, Code: codeNotFound, Message: message}
}

// conflict is the fault of something that exists already or is in use.
func conflict(message string) *fault {
	return &fault{Status: http.StatusConflict, Code: codeConflict, Message: message}
}

// unsupported is the fault of a member that asks for what the node has not. To
// ignore it would be to pretend.
func unsupported(member, why string) *fault {
	return invalid(member + " is not supported by this node: " + why)
}
