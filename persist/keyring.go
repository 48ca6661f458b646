package persist

import (
	"fmt"
	"time"
)

// Key is an access key of the control plane. The store never sees its secret:
// Sealed is encrypted under a key that is not in the database.
type Key struct {
	ID        string    `json:"id"` // access key ID, 20 characters
	Name      string    `json:"name"`
	Sealed    []byte    `json:"sealed,omitempty"`    // the secret access key, encrypted; none: it signs nothing
	TokenHash []byte    `json:"tokenHash,omitempty"` // SHA-256 of the bearer token; none: it has no token
	Access    string    `json:"access"`              // "read", "invoke", "deploy", "admin"
	Functions []string  `json:"functions,omitempty"` // names, "*" at the end allowed; none: all
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"`  // zero: never
	LastUsed  time.Time `json:"lastUsed,omitzero"` // to the hour or so, see TouchKey
	Disabled  bool      `json:"disabled,omitempty"`
}

// touchInterval is how old LastUsed may become in the database: flash memory is
// worn by writes, and nobody asks for the minute.
const touchInterval = time.Hour

// PutKey creates a key or replaces the one with its ID.
func (s *Store) PutKey(k Key) error {
	if err := checkName("access key ID", k.ID); err != nil {
		return err
	}
	k.Created, k.Expires, k.LastUsed = milli(k.Created), milli(k.Expires), milli(k.LastUsed)
	err := s.update(0, func(c *change) error {
		return c.putQuietly(bucketKeys, []byte(k.ID), k)
	})
	if err != nil {
		return fmt.Errorf("store access key %s: %w", k.ID, err)
	}
	return nil
}

// Key returns the key with that ID, or ErrNotFound.
func (s *Store) Key(id string) (Key, error) {
	return oneRecord[Key](s, bucketKeys, []byte(id), "access key "+id)
}

// Keys returns all keys in order of their IDs. A node has at most some hundreds.
func (s *Store) Keys() ([]Key, error) { return allRecords[Key](s, bucketKeys) }

// DeleteKey removes a key, or returns ErrNotFound.
func (s *Store) DeleteKey(id string) error {
	return s.update(0, func(c *change) error {
		if _, err := one[Key](c.tx, bucketKeys, []byte(id), "access key "+id); err != nil {
			return err
		}
		c.wrote = true
		if err := c.tx.Bucket([]byte(bucketKeys)).Delete([]byte(id)); err != nil {
			return fmt.Errorf("delete access key %s: %w", id, err)
		}
		return nil
	})
}

// TouchKey notes that a key was used at that time. It writes nothing where the
// database knows of a use within the hour before, or does not know the key.
func (s *Store) TouchKey(id string, at time.Time) error {
	at = milli(at)
	return s.update(0, func(c *change) error {
		k, found, err := get[Key](c.tx, bucketKeys, []byte(id))
		if err != nil || !found || at.Sub(k.LastUsed) < touchInterval {
			return err
		}
		k.LastUsed = at
		return c.putQuietly(bucketKeys, []byte(id), k)
	})
}

// putQuietly is put for records that are not made live and so do not count in
// the store's generation.
func (c *change) putQuietly(bucket string, key []byte, record any) error {
	value, err := encode(record)
	if err != nil {
		return err
	}
	c.wrote = true
	if err := c.tx.Bucket([]byte(bucket)).Put(key, value); err != nil {
		return fmt.Errorf("write to %s: %w", bucket, err)
	}
	return nil
}
