package persist

import (
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Data is what functions keep: buckets of keys and binary values. A function has
// a bucket of its own, which goes with it; others are shared by name. Its methods
// may be called concurrently.
//
// Times are the node's clock. A value that was given a time to live while the
// clock was wrong expires when the clock says so.
type Data struct{ store *Store }

// Data returns the data of functions. It is usable until Close.
func (s *Store) Data() *Data { return &Data{store: s} }

// ownPrefix begins the names of functions' own buckets.
const ownPrefix = "function."

// OwnBucket names the bucket of a function that goes with it.
func OwnBucket(function string) string { return ownPrefix + function }

// CheckBucket returns ErrInvalid for what cannot be the name of a bucket: that
// of a shared one is [a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}, that of a function's own
// "function." and the function's name.
func CheckBucket(name string) error {
	if function, own := strings.CutPrefix(name, ownPrefix); own {
		return checkName("function name of the bucket", function)
	}
	if name == "" || len(name) > maxBucketName {
		return invalid("the name of a bucket has 1 to %d characters, not %d", maxBucketName, len(name))
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '_' && c != '.' && c != '-') {
			return invalid("the bucket name %q has other characters than letters, digits, _ . and -, or does not begin with a letter or digit", name)
		}
	}
	return nil
}

// Item is a key and what it holds. Value belongs to whoever got the Item.
type Item struct {
	Key      string
	Value    []byte    // nil where the key is absent; an empty value is not nil
	Sequence uint64    // of the write that made it what it is, counted by its bucket; 0 where absent
	Modified time.Time // zero where it is not known
	Expires  time.Time // zero where it never does
}

// Get returns what key holds. What is absent, or expired, has no Value and is no
// error, in a bucket that does not exist too. A key out of bounds is a *SizeError;
// ErrDamaged says that the disk lost the value, and that another may be put.
func (d *Data) Get(bucket, key string) (Item, error) {
	if err := checkKey(key); err != nil {
		return Item{}, err
	}
	item := Item{Key: key}
	err := d.store.view(func(tx *bolt.Tx) error {
		items := tx.Bucket([]byte(bucketData)).Bucket([]byte(bucket))
		if items == nil {
			return nil
		}
		stored := items.Get([]byte(key))
		if stored == nil {
			return nil
		}
		record, err := decodeItem(stored)
		if err != nil {
			return fmt.Errorf("key %q of bucket %s: %w", key, bucket, err)
		}
		if record.expired(d.store.now().UnixMilli()) {
			return nil
		}
		item = record.item(key)
		return nil
	})
	return item, err
}
