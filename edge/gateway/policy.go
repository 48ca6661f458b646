package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// policy is what an IAM policy that a Lambda authorizer returned says of
// execute-api:Invoke (docs.aws.amazon.com, "Output from an API Gateway Lambda
// authorizer").
type policy struct{ deny, allow []string } // patterns of resources

// Bounds of a policy. One resource is compared in time in proportion to its
// length times that of the ARN.
const (
	maxStatements = 100
	maxResources  = 500 // of all statements
)

// invokeAction is the action that a policy must allow.
const invokeAction = "execute-api:Invoke"

// statement is a statement of a policy document as it comes. What Ledge does not
// evaluate is there to be refused: leaving it out could allow too much.
type statement struct {
	Effect                                                     string
	Action, Resource                                           oneOrMore
	NotAction, NotResource, Condition, Principal, NotPrincipal json.RawMessage
}

// oneOrMore is a string or a list of strings.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(o))
	}
	*o = make([]string, 1)
	return json.Unmarshal(b, &(*o)[0])
}

// parsePolicy reads a policy document.
func parsePolicy(text []byte) (*policy, error) {
	var document struct{ Statement json.RawMessage }
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("read its policyDocument: %w", err)
	}
	var statements []statement
	if s := document.Statement; len(s) > 0 && s[0] == '{' {
		statements = make([]statement, 1)
		if err := json.Unmarshal(s, &statements[0]); err != nil {
			return nil, fmt.Errorf("read the statement of its policyDocument: %w", err)
		}
	} else if err := json.Unmarshal(s, &statements); err != nil {
		return nil, fmt.Errorf("read the statements of its policyDocument: %w", err)
	}
	if len(statements) == 0 || len(statements) > maxStatements {
		return nil, fmt.Errorf("its policyDocument has %d statements: use 1 to %d", len(statements), maxStatements)
	}
	p := new(policy)
	for i := range statements {
		if err := p.add(&statements[i]); err != nil {
			return nil, fmt.Errorf("statement %d of its policyDocument: %w", i, err)
		}
	}
	if len(p.allow)+len(p.deny) > maxResources {
		return nil, fmt.Errorf("its policyDocument has more than %d resources", maxResources)
	}
	return p, nil
}

func (p *policy) add(s *statement) error {
	switch {
	case s.NotAction != nil || s.NotResource != nil || s.Condition != nil || s.Principal != nil || s.NotPrincipal != nil:
		return errors.New("it has a NotAction, NotResource, Condition or Principal, which is not supported")
	case s.Effect != "Allow" && s.Effect != "Deny":
		return fmt.Errorf("its Effect is %.20q: use Allow or Deny", s.Effect)
	case len(s.Action) == 0 || len(s.Resource) == 0:
		return errors.New("its Action or its Resource is missing")
	}
	for _, action := range s.Action {
		// Actions are compared without regard to case, resources with it.
		if !wildcard(strings.ToLower(action), []byte(strings.ToLower(invokeAction))) {
			continue
		}
		if s.Effect == "Deny" {
			p.deny = append(p.deny, s.Resource...)
		} else {
			p.allow = append(p.allow, s.Resource...)
		}
		break
	}
	return nil
}

// decision is the outcome of a policy.
type decision uint8

const (
	deniedImplicitly decision = iota // nothing allows it
	deniedExplicitly
	allowed
)

// decide evaluates the policy for the ARN of a method: a Deny beats every Allow.
func (p *policy) decide(arn []byte) decision {
	for _, pattern := range p.deny {
		if wildcard(pattern, arn) {
			return deniedExplicitly
		}
	}
	for _, pattern := range p.allow {
		if wildcard(pattern, arn) {
			return allowed
		}
	}
	return deniedImplicitly
}

// wildcard reports whether all of s fits a pattern, where * stands for any number
// of bytes, slashes too, and ? for one. It takes no more steps than the product
// of both lengths.
func wildcard(pattern string, s []byte) bool {
	p, i := 0, 0
	star, from := -1, 0 // the last * and where its part of s ends
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
