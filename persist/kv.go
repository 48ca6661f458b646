package persist

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Limits of key-value data.
const (
	MaxKeyBytes   = 1 << 10
	MaxValueBytes = 1 << 20
)

// SizeError says that a key, a value or an event is too small or too large to be stored.
type SizeError struct {
	What  string // "key", "value" or "event"
	Size  int    // bytes
	Limit int    // bytes; a key has at least one
}

func (e *SizeError) Error() string {
	if e.Size == 0 {
		return "the " + e.What + " is empty"
	}
	return fmt.Sprintf("the %s has %d bytes, at most %d are stored", e.What, e.Size, e.Limit)
}

// LimitExceeded tells this error from those of the store itself.
func (e *SizeError) LimitExceeded() bool { return true }

// KV is the data of functions: each has its own keys, which go with it. Its
// methods may be called concurrently.
type KV struct{ store *Store }

// KV returns the key-value data of the store. It is usable until Close.
func (s *Store) KV() *KV { return &KV{store: s} }

// Get returns a copy of the value, which the caller owns, or nil where function
// has no such key. An empty value is not nil.
func (kv *KV) Get(function, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	var value []byte
	err := kv.store.view(func(tx *bolt.Tx) error {
		if b := tx.Bucket([]byte(bucketKV)).Bucket([]byte(function)); b != nil {
			if v := b.Get([]byte(key)); v != nil {
				value = append(make([]byte, 0, len(v)), v...)
			}
		}
		return nil
	})
	return value, err
}

// List returns the keys of function that begin with prefix and are greater than
// after, at most limit of them and in order. more says that there are others.
func (kv *KV) List(function, prefix, after string, limit int) (keys []string, more bool, err error) {
	err = kv.store.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketKV)).Bucket([]byte(function))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		k, _ := c.Seek([]byte(max(prefix, after)))
		if k != nil && after != "" && string(k) == after {
			k, _ = c.Next()
		}
		for ; k != nil && strings.HasPrefix(string(k), prefix); k, _ = c.Next() {
			if len(keys) >= limit {
				more = true
				return nil
			}
			keys = append(keys, string(k))
		}
		return nil
	})
	return keys, more, err
}

// CompareAndSet stores a copy of value where key holds expected, or is absent
// where expected is nil, and reports whether it did. Otherwise as Put.
func (kv *KV) CompareAndSet(function, key string, expected, value []byte) (stored bool, err error) {
	err = kv.put(function, key, value, func(now []byte) bool {
		stored = (now == nil) == (expected == nil) && bytes.Equal(now, expected)
		return stored
	})
	return stored && err == nil, err
}

// Put stores a copy of value and returns after it is on disk; Puts at the same
// time share a commit. A key or value out of bounds is a *SizeError, a function
// that is not stored is ErrNotFound: an invocation that outlives its function
// must not leave data to the next one of that name.
func (kv *KV) Put(function, key string, value []byte) error {
	return kv.put(function, key, value, func([]byte) bool { return true })
}

// put stores value where allowed says so of what the key holds now. It may be
// asked again when a commit is tried again.
func (kv *KV) put(function, key string, value []byte, allowed func(now []byte) bool) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(value) > MaxValueBytes {
		return &SizeError{What: "value", Size: len(value), Limit: MaxValueBytes}
	}
	return kv.store.update(len(key)+len(value), func(c *change) error {
		if err := functionExists(c.tx, function); err != nil {
			return err
		}
		data := c.tx.Bucket([]byte(bucketKV))
		var now []byte
		if b := data.Bucket([]byte(function)); b != nil {
			now = b.Get([]byte(key))
		}
		if !allowed(now) {
			return nil
		}
		c.wrote = true
		b, err := data.CreateBucketIfNotExists([]byte(function))
		if err != nil {
			return fmt.Errorf("create bucket of function %s: %w", function, err)
		}
		if err := b.Put([]byte(key), value); err != nil {
			return fmt.Errorf("write value: %w", err)
		}
		return nil
	})
}

// Delete removes the key and returns after that is on disk. An absent key is
// no error and costs no write.
func (kv *KV) Delete(function, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return kv.store.update(len(key), func(c *change) error {
		b := c.tx.Bucket([]byte(bucketKV)).Bucket([]byte(function))
		if b == nil || b.Get([]byte(key)) == nil {
			return nil
		}
		c.wrote = true
		if err := b.Delete([]byte(key)); err != nil {
			return fmt.Errorf("delete value: %w", err)
		}
		return nil
	})
}

func checkKey(key string) error {
	if len(key) == 0 || len(key) > MaxKeyBytes {
		return &SizeError{What: "key", Size: len(key), Limit: MaxKeyBytes}
	}
	return nil
}

// dropData removes the data of a function.
func (c *change) dropData(function string) error {
	c.wrote = true
	err := c.tx.Bucket([]byte(bucketKV)).DeleteBucket([]byte(function))
	if err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
		return fmt.Errorf("delete data of function %s: %w", function, err)
	}
	return nil
}
