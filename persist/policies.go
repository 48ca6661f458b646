package persist

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// MaxPolicyBytes bounds the statements of one policy, as AWS Lambda does
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const MaxPolicyBytes = 20 << 10

// ErrPolicyLength: a policy would have more than MaxPolicyBytes.
var ErrPolicyLength = errors.New("policy is too long")

// Policy is the resource-based policy of a function or of one of its versions
// or aliases. It is kept and shown; nothing on the node asks it.
type Policy struct {
	Function   string      `json:"function"`
	Qualifier  string      `json:"qualifier,omitempty"` // empty: the function
	Statements []Statement `json:"statements"`          // in the order in which they came
	RevisionID string      `json:"revisionId"`          // new with every write
}

// Statement is one of a policy.
type Statement struct {
	ID   string          `json:"id"`
	Text json.RawMessage `json:"text"` // the JSON object
}

// AddStatement adds a statement to a policy, which it makes where there is none.
// expectRevision is the policy's RevisionID that the caller has seen, or empty:
// otherwise ErrConflict. ErrExists where the policy has a statement of that ID,
// ErrPolicyLength, and ErrNotFound for the function or the qualifier.
func (s *Store) AddStatement(function, qualifier string, statement Statement, expectRevision string) error {
	return s.editPolicy(function, qualifier, expectRevision, func(p *Policy) error {
		size := len(statement.Text)
		for _, other := range p.Statements {
			if other.ID == statement.ID {
				return fmt.Errorf("statement %s: %w", statement.ID, ErrExists)
			}
			size += len(other.Text)
		}
		if size > MaxPolicyBytes {
			return fmt.Errorf("%w: %d bytes are more than %d", ErrPolicyLength, size, MaxPolicyBytes)
		}
		p.Statements = append(p.Statements, statement)
		return nil
	})
}

// RemoveStatement removes a statement, and with the last one the policy.
// expectRevision is as for AddStatement. ErrNotFound.
func (s *Store) RemoveStatement(function, qualifier, id, expectRevision string) error {
	return s.editPolicy(function, qualifier, expectRevision, func(p *Policy) error {
		i := slices.IndexFunc(p.Statements, func(other Statement) bool { return other.ID == id })
		if i < 0 {
			return fmt.Errorf("statement %s: %w", id, ErrNotFound)
		}
		p.Statements = slices.Delete(p.Statements, i, i+1)
		return nil
	})
}

func (s *Store) editPolicy(function, qualifier, expectRevision string, edit func(*Policy) error) error {
	return s.update(0, func(c *change) error {
		if err := qualifierExists(c.tx, function, qualifier); err != nil {
			return err
		}
		key := configKey(function, qualifier)
		p, exists, err := get[Policy](c.tx, bucketPolicies, key)
		if err != nil {
			return err
		}
		if exists {
			if err := checkRevision("policy of function "+function, exists, p.RevisionID, expectRevision); err != nil {
				return err
			}
		}
		if err := edit(&p); err != nil {
			return err
		}
		if len(p.Statements) == 0 {
			return c.delete(bucketPolicies, key)
		}
		p.Function, p.Qualifier, p.RevisionID = function, qualifier, newRevision()
		if qualifier == Latest {
			p.Qualifier = ""
		}
		return c.put(bucketPolicies, key, p)
	})
}

// GetPolicy returns the policy of a function, or of one of its versions or
// aliases, or ErrNotFound.
func (s *Store) GetPolicy(function, qualifier string) (p Policy, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		p, err = config[Policy](tx, bucketPolicies, "policy", function, qualifier)
		return err
	})
	return p, err
}
