package persist

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// configBuckets returns the buckets whose records belong to one qualifier of a
// function: they go when the version, the alias or the function goes.
func configBuckets() []string {
	return []string{bucketPolicies, bucketURLs, bucketProvisioned, bucketAsync}
}

// configKey returns the key of what is configured for a qualifier. Empty and
// Latest both mean the function itself, and have one key.
func configKey(function, qualifier string) []byte {
	if qualifier == Latest {
		qualifier = ""
	}
	return memberKey(function, qualifier)
}

// qualifierExists returns ErrNotFound where the function has no such version or
// alias. An empty qualifier is the function itself.
func qualifierExists(tx *bolt.Tx, function, qualifier string) error {
	if err := functionExists(tx, function); err != nil {
		return err
	}
	number, isVersion := versionNumber(qualifier)
	if !isVersion {
		_, err := aliasOf(tx, function, qualifier)
		return err
	}
	if tx.Bucket([]byte(bucketFunctions)).Get(versionKey(function, number)) == nil {
		return fmt.Errorf("version %s of function %s: %w", qualifier, function, ErrNotFound)
	}
	return nil
}

// dropQualifier removes what is configured for a version or an alias.
func (c *change) dropQualifier(function, qualifier string) error {
	for _, bucket := range configBuckets() {
		key := configKey(function, qualifier)
		if c.tx.Bucket([]byte(bucket)).Get(key) == nil {
			continue
		}
		if err := c.delete(bucket, key); err != nil {
			return err
		}
	}
	return nil
}

// config returns the record of bucket for a qualifier of a function. ErrNotFound
// says which of the function, the qualifier and the record is missing; what
// names the record.
func config[T any](tx *bolt.Tx, bucket, what, function, qualifier string) (T, error) {
	record, found, err := get[T](tx, bucket, configKey(function, qualifier))
	if err != nil || found {
		return record, err
	}
	if err := qualifierExists(tx, function, qualifier); err != nil {
		return record, err
	}
	return record, fmt.Errorf("%s of function %s: %w", what, function, ErrNotFound)
}

// configsOf returns the records of bucket for all qualifiers of a function in
// their order, or ErrNotFound where there is no such function.
func configsOf[T any](s *Store, bucket, function string) (records []T, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		if err := functionExists(tx, function); err != nil {
			return err
		}
		var err error
		records, err = members[T](tx, bucket, function)
		return err
	})
	return records, err
}

// deleteConfig removes the record of bucket for a qualifier, as config finds it.
func deleteConfig(s *Store, bucket, what, function, qualifier string) error {
	return s.update(0, func(c *change) error {
		key := configKey(function, qualifier)
		if c.tx.Bucket([]byte(bucket)).Get(key) == nil {
			if err := qualifierExists(c.tx, function, qualifier); err != nil {
				return err
			}
			return fmt.Errorf("%s of function %s: %w", what, function, ErrNotFound)
		}
		return c.delete(bucket, key)
	})
}
