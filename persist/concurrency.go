package persist

import (
	"fmt"
	"maps"
	"time"

	bolt "go.etcd.io/bbolt"
)

// PutConcurrency sets how many Invocations of a function may run at the same
// time, all its versions together: 0 is the engine's default, -1 none. It
// changes the record of every version and nobody's revision. ErrNotFound.
func (s *Store) PutConcurrency(function string, n int) error {
	err := s.update(0, func(c *change) error {
		if err := functionExists(c.tx, function); err != nil {
			return err
		}
		return c.putConcurrency(function, n)
	})
	if err != nil {
		return fmt.Errorf("store concurrency of function %s: %w", function, err)
	}
	return nil
}

func (c *change) putConcurrency(function string, n int) error {
	versions, err := members[Function](c.tx, bucketFunctions, function)
	if err != nil {
		return err
	}
	for _, fn := range versions {
		if fn.Concurrency == n {
			continue
		}
		fn.Concurrency = n
		number, _ := versionNumber(fn.Version)
		if err := c.put(bucketFunctions, versionKey(function, number), fn); err != nil {
			return err
		}
	}
	return nil
}

// Provisioned is how many Instances of a version are to be kept ready.
type Provisioned struct {
	Function     string    `json:"function"`
	Qualifier    string    `json:"qualifier"` // a published version, or an alias
	Count        int       `json:"count"`
	LastModified time.Time `json:"lastModified"`
}

// PutProvisioned stores p and returns it; a zero LastModified means now. ErrNotFound
// where the version or alias does not exist; ErrInvalid for Latest, for an alias
// that points at it, and for a Count below 1.
func (s *Store) PutProvisioned(p Provisioned) (Provisioned, error) {
	if p.LastModified.IsZero() {
		p.LastModified = milli(s.now())
	}
	err := s.update(0, func(c *change) error {
		if err := qualifierExists(c.tx, p.Function, p.Qualifier); err != nil {
			return err
		}
		version := p.Qualifier
		if _, isVersion := versionNumber(version); !isVersion {
			alias, err := aliasOf(c.tx, p.Function, p.Qualifier)
			if err != nil {
				return err
			}
			version = alias.Version
		}
		if version == "" || version == Latest {
			return invalid("%s is not published", Latest)
		}
		if p.Count < 1 {
			return invalid("%d instances are fewer than one", p.Count)
		}
		return c.put(bucketProvisioned, configKey(p.Function, p.Qualifier), p)
	})
	if err != nil {
		return Provisioned{}, fmt.Errorf("store provisioned concurrency of function %s: %w", p.Function, err)
	}
	return p, nil
}

const whatProvisioned = "provisioned concurrency"

// GetProvisioned returns what was stored for a version or an alias, or
// ErrNotFound.
func (s *Store) GetProvisioned(function, qualifier string) (p Provisioned, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		p, err = config[Provisioned](tx, bucketProvisioned, whatProvisioned, function, qualifier)
		return err
	})
	return p, err
}

// ProvisionedOf returns those of a function in order of their qualifiers.
// ErrNotFound where there is no such function.
func (s *Store) ProvisionedOf(function string) ([]Provisioned, error) {
	return configsOf[Provisioned](s, bucketProvisioned, function)
}

// DeleteProvisioned removes one, or returns ErrNotFound.
func (s *Store) DeleteProvisioned(function, qualifier string) error {
	return deleteConfig(s, bucketProvisioned, whatProvisioned, function, qualifier)
}

// TagFunction sets tags of a function and removes others, and changes no
// revision. check sees what the tags would be, may run more than once and
// decides whether that is allowed. ErrNotFound.
func (s *Store) TagFunction(function string, set map[string]string, remove []string, check func(map[string]string) error) error {
	return s.update(0, func(c *change) error {
		fn, err := one[Function](c.tx, bucketFunctions, versionKey(function, 0), "function "+function)
		if err != nil {
			return err
		}
		if fn.Tags, err = retagged(fn.Tags, set, remove, check); err != nil {
			return err
		}
		return c.put(bucketFunctions, versionKey(function, 0), fn)
	})
}

func retagged(tags, set map[string]string, remove []string, check func(map[string]string) error) (map[string]string, error) {
	next := make(map[string]string, len(tags)+len(set))
	maps.Copy(next, tags)
	maps.Copy(next, set)
	for _, key := range remove {
		delete(next, key)
	}
	return next, check(next)
}
