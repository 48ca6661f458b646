package identity

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ledge/engine"
)

// Access is what a key may do.
type Access string

const (
	Read   Access = "read"   // list and get everything but keys and the audit log
	Invoke Access = "invoke" // invoke functions, and nothing else
	Deploy Access = "deploy" // read, invoke, and change functions, APIs and schedules
	Admin  Access = "admin"  // everything, keys and the audit log too
)

// Valid reports whether a is one of the four.
func (a Access) Valid() bool {
	return slices.Contains([]Access{Read, Invoke, Deploy, Admin}, a)
}

// Covers reports whether a key with access a may do what needs need.
func (a Access) Covers(need Access) bool {
	switch a {
	case Read, Invoke:
		return need == a
	case Deploy:
		return need == Read || need == Invoke || need == Deploy
	case Admin:
		return need.Valid()
	}
	return false
}

func arn(name string) string { return "arn:aws:iam::" + engine.AccountID + ":user/" + name }

// Caller is who sent a request.
type Caller struct {
	KeyID  string
	Name   string // of the key
	ARN    string // arn:aws:iam::000000000000:user/NAME
	Access Access
	// Body is what the request's body says, without the framing of aws-chunked. It
	// is nil where Request.Body was. The caller of Authenticate owns it.
	Body []byte

	functions []string // patterns; none: all
	replay    [32]byte // signature to forget when the request fails
	replayed  bool     // replay is set
}

// limited reports whether the caller is limited to some functions.
func (c Caller) limited() bool { return len(c.functions) > 0 }

// Allows reports whether the caller may do what needs that access to the function
// of that name, without ARN and qualifier. An empty function stands for what
// concerns more than one, such as an API: that is not for limited callers.
func (c Caller) Allows(need Access, function string) bool {
	if !c.Access.Covers(need) {
		return false
	}
	if !c.limited() {
		return true
	}
	return function != "" && slices.ContainsFunc(c.functions, func(pattern string) bool {
		if prefix, open := strings.CutSuffix(pattern, "*"); open {
			return strings.HasPrefix(function, prefix)
		}
		return function == pattern
	})
}

// Authorize returns nil where the caller is allowed, and AWS's *Error otherwise,
// which it counts. action is as in AWS's policies, such as
// "lambda:CreateFunction"; resource is the ARN or "*".
func (k *Keyring) Authorize(c Caller, need Access, function, action, resource string) error {
	if c.Allows(need, function) {
		return nil
	}
	return k.refuse(refusedAccess, forbidden(CodeDenied, fmt.Sprintf(
		"User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
		c.ARN, action, resource, action)))
}

// maxFunctions is how many patterns a key can have.
const maxFunctions = 100

// functionPattern is a function's name, or the beginning of names.
var functionPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,140}\*?$`)

// checkFunctions returns patterns in the form that is stored.
func checkFunctions(patterns []string) ([]string, error) {
	if len(patterns) > maxFunctions {
		return nil, invalid("A key can be limited to %d functions or patterns, not %d.", maxFunctions, len(patterns))
	}
	if slices.Contains(patterns, "*") {
		return nil, nil
	}
	for _, p := range patterns {
		if !functionPattern.MatchString(p) {
			return nil, invalid("%q is neither a function's name nor the beginning of one followed by *.", p)
		}
	}
	sorted := slices.Sorted(slices.Values(patterns))
	return slices.Compact(sorted), nil
}
