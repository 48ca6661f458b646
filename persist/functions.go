package persist

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// MustNotExist as the expected revision of a write means: create it, and
// return ErrExists where it is already there.
const MustNotExist = "!"

// PutFunction creates fn or replaces the code and settings of its Latest, and
// adds routes, replacing those with the same keys, in one transaction. It
// returns what it stored.
//
// expectRevision is the RevisionID that the caller has seen, empty for any, or
// MustNotExist. ErrConflict says that the revision is another, or that a route
// belongs to another function; ErrNotFound that a revision was expected of a
// function that does not exist.
//
// Of fn, Version, RevisionID, Created and LastModified are ignored and set. A
// route's empty Function means fn.
func (s *Store) PutFunction(fn Function, expectRevision string, routes []Route) (Function, error) {
	if err := checkName("function name", fn.Name); err != nil {
		return Function{}, err
	}
	owned := make([]Route, len(routes))
	for i, r := range routes {
		if r.Function == "" {
			r.Function = fn.Name
		}
		if r.Function != fn.Name {
			return Function{}, invalid("route %q is for function %s, not %s", r.Key(), r.Function, fn.Name)
		}
		if err := checkRoute(r); err != nil {
			return Function{}, err
		}
		owned[i] = r
	}
	fn.Version = Latest
	fn.LastModified = milli(s.now())

	var stored Function
	err := s.update(0, func(c *change) error {
		old, exists, err := get[Function](c.tx, bucketFunctions, versionKey(fn.Name, 0))
		if err != nil {
			return err
		}
		if err := checkRevision("function "+fn.Name, exists, old.RevisionID, expectRevision); err != nil {
			return err
		}
		for _, r := range owned {
			other, taken, err := get[Route](c.tx, bucketRoutes, []byte(r.Key()))
			if err != nil {
				return err
			}
			if taken && other.Function != fn.Name {
				return fmt.Errorf("route %q belongs to function %s: %w", r.Key(), other.Function, ErrConflict)
			}
		}
		next := fn
		next.RevisionID = newRevision()
		next.Created = next.LastModified
		if exists {
			next.Created = old.Created
		}
		if err := c.put(bucketFunctions, versionKey(fn.Name, 0), next); err != nil {
			return err
		}
		if exists && next.Concurrency != old.Concurrency {
			if err := c.putConcurrency(fn.Name, next.Concurrency); err != nil {
				return err
			}
		}
		for _, r := range owned {
			if err := c.put(bucketRoutes, []byte(r.Key()), r); err != nil {
				return err
			}
		}
		stored = next
		return nil
	})
	if err != nil {
		return Function{}, fmt.Errorf("store function %s: %w", fn.Name, err)
	}
	return stored, nil
}

// checkRevision compares what a caller expects with what is there.
func checkRevision(what string, exists bool, have, expect string) error {
	switch {
	case expect == MustNotExist && exists:
		return fmt.Errorf("%s: %w", what, ErrExists)
	case expect == "" || expect == MustNotExist:
		return nil
	case !exists:
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	case have != expect:
		return fmt.Errorf("%s changed, it now has revision %s: %w", what, have, ErrConflict)
	}
	return nil
}

// GetFunction returns the version of a function that qualifier names: a
// number, an alias, or Latest, which is also what empty means. Of an alias that
// splits traffic it returns the version that gets the rest. ErrNotFound says
// which of function, version and alias is missing.
func (s *Store) GetFunction(name, qualifier string) (Function, error) {
	var fn Function
	err := s.view(func(tx *bolt.Tx) error {
		number, isVersion := versionNumber(qualifier)
		if !isVersion {
			alias, err := aliasOf(tx, name, qualifier)
			if err != nil {
				return err
			}
			if number, isVersion = versionNumber(alias.Version); !isVersion {
				return fmt.Errorf("%w: alias %s of function %s names version %q", ErrDamaged, qualifier, name, alias.Version)
			}
		}
		var found bool
		var err error
		if fn, found, err = get[Function](tx, bucketFunctions, versionKey(name, number)); err != nil || found {
			return err
		}
		if err := functionExists(tx, name); err != nil {
			return err
		}
		return fmt.Errorf("version %s of function %s: %w", qualifier, name, ErrNotFound)
	})
	return fn, err
}

// functionExists returns ErrNotFound where there is no function name.
func functionExists(tx *bolt.Tx, name string) error {
	if tx.Bucket([]byte(bucketFunctions)).Get(versionKey(name, 0)) == nil {
		return fmt.Errorf("function %s: %w", name, ErrNotFound)
	}
	return nil
}

// Functions returns the Latest of the functions whose names sort after after,
// at most limit of them or all where limit is 0, in byte order of their names.
// more says that there are others; the last name is then the next after.
func (s *Store) Functions(after string, limit int) (fns []Function, more bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket([]byte(bucketFunctions)).Cursor()
		for k, v := c.Seek(memberEnd(after)); k != nil; {
			name, number, ok := splitVersionKey(k)
			if !ok {
				return fmt.Errorf("%w: function key %q", ErrDamaged, k)
			}
			if number == 0 {
				if limit > 0 && len(fns) == limit {
					more = true
					return nil
				}
				fn, err := decode[Function](bucketFunctions, k, v)
				if err != nil {
					return err
				}
				fns = append(fns, fn)
			}
			k, v = c.Seek(memberEnd(name)) // past its versions
		}
		return nil
	})
	return fns, more, err
}

// DeleteFunction removes a function in one transaction with all that belongs to
// it: versions, aliases, routes, URLs, permissions, its settings for provisioned
// and asynchronous invocations, its jobs, its event source mappings, the schedules
// that deploys made for it and its data. It returns what State has of it. The count of
// published versions stays, so that a later function of that name does not use their
// numbers again, as in AWS Lambda. Where the function has very many jobs most of them
// go before: after an error, or a crash, it may be there without them.
func (s *Store) DeleteFunction(name string) (State, error) {
	if err := s.thinJobs(name); err != nil {
		return State{}, fmt.Errorf("delete function %s: %w", name, err)
	}
	var removed State
	err := s.makeRoom(func(c *change) error {
		if err := functionExists(c.tx, name); err != nil {
			return err
		}
		var gone State
		var err error
		if gone.Functions, err = members[Function](c.tx, bucketFunctions, name); err != nil {
			return err
		}
		if gone.Aliases, err = members[Alias](c.tx, bucketAliases, name); err != nil {
			return err
		}
		if gone.Routes, err = routesOf(c.tx, name); err != nil {
			return err
		}
		if gone.URLs, err = members[FunctionURL](c.tx, bucketURLs, name); err != nil {
			return err
		}
		if gone.Provisioned, err = members[Provisioned](c.tx, bucketProvisioned, name); err != nil {
			return err
		}
		for _, r := range gone.Routes {
			if err := c.delete(bucketRoutes, []byte(r.Key())); err != nil {
				return err
			}
		}
		for _, bucket := range append(configBuckets(), bucketFunctions, bucketAliases) {
			if err := c.dropMembers(bucket, name); err != nil {
				return err
			}
		}
		if err := c.dropMappings(name); err != nil {
			return err
		}
		if err := c.dropDeployedSchedules(name); err != nil {
			return err
		}
		if err := c.dropJobs(name); err != nil {
			return err
		}
		if err := c.dropData(name); err != nil {
			return err
		}
		removed = gone
		return nil
	})
	if err != nil {
		return State{}, fmt.Errorf("delete function %s: %w", name, err)
	}
	return removed, nil
}

// members returns the records of bucket that belong to owner, by key.
func members[T any](tx *bolt.Tx, bucket, owner string) (records []T, err error) {
	prefix := memberPrefix(owner)
	c := tx.Bucket([]byte(bucket)).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		record, err := decode[T](bucket, k, v)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

// dropMembers removes the records of bucket that belong to owner.
func (c *change) dropMembers(bucket, owner string) error {
	for _, key := range keysWith(c.tx.Bucket([]byte(bucket)), memberPrefix(owner)) {
		if err := c.delete(bucket, key); err != nil {
			return err
		}
	}
	return nil
}

// keysWith returns copies of the keys that begin with prefix, in order: a deletion
// would move a cursor.
func keysWith(b *bolt.Bucket, prefix []byte) (keys [][]byte) {
	c := b.Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}
