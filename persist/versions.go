package persist

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// Publish copies a function's Latest to its next version number, which was
// never used before. description, where it is not empty, replaces that of
// Latest in the copy. expectRevision is the RevisionID that Latest must have,
// or empty; ErrConflict says that it has another.
//
// Where code and settings are those of the version published last, that one is
// returned and created is false, as AWS Lambda does.
func (s *Store) Publish(name, description, expectRevision string) (fn Function, created bool, err error) {
	err = s.update(0, func(c *change) error {
		latest, err := one[Function](c.tx, bucketFunctions, versionKey(name, 0), "function "+name)
		if err != nil {
			return err
		}
		if expectRevision == MustNotExist {
			return invalid("a version cannot be published of a function that must not exist")
		}
		if err := checkRevision("function "+name, true, latest.RevisionID, expectRevision); err != nil {
			return err
		}
		last := lastNumber(c.tx, bucketPublished, bucketFunctions, name)
		if last > 0 {
			before, found, err := get[Function](c.tx, bucketFunctions, versionKey(name, last))
			if err != nil {
				return err
			}
			if found && sameVersion(before, latest) {
				fn, created = before, false
				return nil
			}
		}
		next := latest
		next.Version = versionName(last + 1)
		if description != "" {
			next.Description = description
		}
		next.RevisionID = newRevision()
		next.LastModified = milli(s.now())
		next.Created = next.LastModified
		if err := c.put(bucketFunctions, versionKey(name, last+1), next); err != nil {
			return err
		}
		if err := c.putBytes(bucketPublished, []byte(name), binary.BigEndian.AppendUint64(nil, last+1)); err != nil {
			return err
		}
		fn, created = next, true
		return nil
	})
	if err != nil {
		return Function{}, false, fmt.Errorf("publish function %s: %w", name, err)
	}
	return fn, created, nil
}

// lastNumber returns the highest number that a version of name ever had, of the
// counts in one bucket and the versions in the other. Versions are looked at too: a
// count that was lost to damage must not have one overwritten.
func lastNumber(tx *bolt.Tx, counts, versions, name string) (last uint64) {
	if v := tx.Bucket([]byte(counts)).Get([]byte(name)); len(v) == 8 {
		last = binary.BigEndian.Uint64(v)
	}
	c := tx.Bucket([]byte(versions)).Cursor()
	k, _ := c.Seek(memberEnd(name))
	if k == nil {
		k, _ = c.Last()
	} else {
		k, _ = c.Prev()
	}
	if number, found := bytes.CutPrefix(k, memberPrefix(name)); found && len(number) == 8 {
		last = max(last, binary.BigEndian.Uint64(number))
	}
	return last
}

// sameVersion reports whether publishing b after a would only give a another
// number. Description and tags describe a function and do not make a version;
// Concurrency is of the function and not of a version.
func sameVersion(a, b Function) bool {
	return a.Runtime == b.Runtime && a.RequestedRuntime == b.RequestedRuntime &&
		a.Handler == b.Handler && a.Role == b.Role &&
		a.CodeHash == b.CodeHash && a.CodeSha256 == b.CodeSha256 && a.CodeSize == b.CodeSize &&
		maps.Equal(a.Env, b.Env) &&
		a.MemoryMB == b.MemoryMB && a.TimeoutMillis == b.TimeoutMillis &&
		a.Isolation == b.Isolation && a.SnapStart == b.SnapStart &&
		slices.Equal(a.Architectures, b.Architectures) && slices.Equal(a.Layers, b.Layers) && a.LayerHash == b.LayerHash &&
		slices.Equal(a.AllowHosts, b.AllowHosts) && slices.Equal(a.AllowInvoke, b.AllowInvoke) &&
		slices.Equal(a.AllowPublish, b.AllowPublish) && slices.Equal(a.AllowBuckets, b.AllowBuckets) && a.NoSnapshot == b.NoSnapshot
}

// Versions returns the versions of a function in the order Latest, 1, 2, 3 and
// so on, from the one after the version after, which may be empty, at most
// limit of them or all where limit is 0. more says that there are others; the
// last version is then the next after.
func (s *Store) Versions(name, after string, limit int) (fns []Function, more bool, err error) {
	start := versionKey(name, 0)
	if after != "" {
		if start, err = keyAfter(name, after); err != nil {
			return nil, false, err
		}
	}
	err = s.view(func(tx *bolt.Tx) error {
		if err := functionExists(tx, name); err != nil {
			return err
		}
		fns, more, err = versionsFrom(tx, start, memberPrefix(name), limit)
		return err
	})
	return fns, more, err
}

// keyAfter returns the key of the version after a version of function name.
func keyAfter(name, version string) ([]byte, error) {
	number, isVersion := versionNumber(version)
	if !isVersion || number == noVersion {
		return nil, invalid("%q is not a version", version)
	}
	return versionKey(name, number+1), nil
}

// versionsFrom returns the versions from the key start on, as far as their keys begin
// with prefix.
func versionsFrom(tx *bolt.Tx, start, prefix []byte, limit int) (fns []Function, more bool, err error) {
	c := tx.Bucket([]byte(bucketFunctions)).Cursor()
	for k, v := c.Seek(start); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if limit > 0 && len(fns) == limit {
			return fns, true, nil
		}
		fn, err := decode[Function](bucketFunctions, k, v)
		if err != nil {
			return fns, false, err
		}
		fns = append(fns, fn)
	}
	return fns, false, nil
}

// DeleteVersion removes a published version with what is configured for it:
// permissions, provisioned and asynchronous settings. ErrConflict names the alias that
// still points at it. Latest goes only with its function: ErrInvalid.
func (s *Store) DeleteVersion(name, version string) error {
	number, isVersion := versionNumber(version)
	if !isVersion || number == 0 {
		return fmt.Errorf("delete version %q of function %s: %w", version, name, invalid("it is not a published version"))
	}
	err := s.makeRoom(func(c *change) error {
		if err := functionExists(c.tx, name); err != nil {
			return err
		}
		if c.tx.Bucket([]byte(bucketFunctions)).Get(versionKey(name, number)) == nil {
			return fmt.Errorf("version %s: %w", version, ErrNotFound)
		}
		aliases, err := members[Alias](c.tx, bucketAliases, name)
		if err != nil {
			return err
		}
		for _, a := range aliases {
			if _, shared := a.Weights[version]; shared || a.Version == version {
				return fmt.Errorf("%w: alias %s points at it; change or delete that first", ErrConflict, a.Name)
			}
		}
		if err := c.delete(bucketFunctions, versionKey(name, number)); err != nil {
			return err
		}
		return c.dropQualifier(name, version)
	})
	if err != nil {
		return fmt.Errorf("delete version %s of function %s: %w", version, name, err)
	}
	return nil
}

// AllVersions returns the versions of all functions, by name and then as
// Versions does, from the one after the version after of function name; both
// may be empty. limit and more are those of Versions.
func (s *Store) AllVersions(name, after string, limit int) (fns []Function, more bool, err error) {
	start := memberEnd(name)
	if after != "" {
		if start, err = keyAfter(name, after); err != nil {
			return nil, false, err
		}
	}
	err = s.view(func(tx *bolt.Tx) error {
		fns, more, err = versionsFrom(tx, start, nil, limit)
		return err
	})
	return fns, more, err
}
