package persist

import (
	"bytes"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// openBucket is one bucket of data in one transaction. The parts that were never
// needed are nil.
type openBucket struct {
	name string
	bucketRecord
	exists                   bool // it has a record, or should
	items, expiries, changes *bolt.Bucket
}

// openDataBucket returns a bucket, also one that does not exist. Where the record
// was lost to damage its contents are counted. With ErrDamaged, which says that the
// record is there and cannot be read, the bucket can be dropped and nothing else.
func openDataBucket(tx *bolt.Tx, name string) (*openBucket, error) {
	b := &openBucket{
		name:     name,
		items:    tx.Bucket([]byte(bucketData)).Bucket([]byte(name)),
		expiries: tx.Bucket([]byte(bucketExpiries)).Bucket([]byte(name)),
		changes:  tx.Bucket([]byte(bucketChanges)).Bucket([]byte(name)),
	}
	stored := tx.Bucket([]byte(bucketDataBuckets)).Get([]byte(name))
	if stored != nil {
		var err error
		b.exists = true
		if b.bucketRecord, err = decodeBucketRecord(stored); err != nil {
			return b, fmt.Errorf("bucket %s: %w", name, err)
		}
		return b, nil
	}
	if b.items != nil {
		b.exists = true
		b.stream = b.changes != nil // a feed may need it
		b.streamByFeed = b.stream
		b.count()
	}
	return b, nil
}

// count walks over the contents.
func (b *openBucket) count() {
	b.keys, b.bytes, b.streamUsed = 0, 0, 0
	c := b.items.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		b.keys++
		b.bytes += storedSize(len(k), v)
	}
	if b.changes == nil {
		return
	}
	c = b.changes.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		b.streamUsed += int64(len(k) + len(v))
	}
}

// create makes what a bucket needs to be written to, at now.
func (b *openBucket) create(tx *bolt.Tx, now int64) (err error) {
	if !b.exists {
		b.exists = true
		b.created, b.modified = now, now
	}
	if b.items == nil {
		data := tx.Bucket([]byte(bucketData))
		if b.items, err = data.CreateBucket([]byte(b.name)); err != nil {
			return fmt.Errorf("create bucket %s: %w", b.name, err)
		}
		if err := b.items.SetSequence(data.Sequence()); err != nil {
			return fmt.Errorf("create bucket %s: %w", b.name, err)
		}
	}
	if b.stream && b.changes == nil {
		if b.changes, err = tx.Bucket([]byte(bucketChanges)).CreateBucketIfNotExists([]byte(b.name)); err != nil {
			return fmt.Errorf("create stream of bucket %s: %w", b.name, err)
		}
	}
	return nil
}

// save writes settings and totals.
func (b *openBucket) save(tx *bolt.Tx) error {
	if err := tx.Bucket([]byte(bucketDataBuckets)).Put([]byte(b.name), b.encode()); err != nil {
		return fmt.Errorf("write settings of bucket %s: %w", b.name, err)
	}
	return nil
}

// drop removes the bucket with all that is in it.
func (b *openBucket) drop(tx *bolt.Tx) error {
	if b.items != nil {
		data := tx.Bucket([]byte(bucketData))
		if err := data.SetSequence(max(data.Sequence(), b.items.Sequence())); err != nil {
			return fmt.Errorf("keep sequence of bucket %s: %w", b.name, err)
		}
	}
	for _, of := range []string{bucketData, bucketExpiries, bucketChanges} {
		err := tx.Bucket([]byte(of)).DeleteBucket([]byte(b.name))
		if err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
			return fmt.Errorf("delete %s of bucket %s: %w", of, b.name, err)
		}
	}
	if err := tx.Bucket([]byte(bucketDataBuckets)).Delete([]byte(b.name)); err != nil {
		return fmt.Errorf("delete bucket %s: %w", b.name, err)
	}
	return nil
}

// dropPast removes the changes of a stream that is off and about to be turned on, if
// the bucket was written to in between: a feed that begins at the oldest change must
// not see a past with a hole in it.
func (b *openBucket) dropPast(tx *bolt.Tx) error {
	if b.changes == nil {
		return nil
	}
	last, _ := b.changes.Cursor().Last()
	if b.items != nil && bytes.Equal(last, sequenceKey(b.items.Sequence())) {
		return nil
	}
	b.changes, b.streamUsed = nil, 0
	if err := tx.Bucket([]byte(bucketChanges)).DeleteBucket([]byte(b.name)); err != nil {
		return fmt.Errorf("delete old stream of bucket %s: %w", b.name, err)
	}
	return nil
}

// putExpiry notes when key expires.
func (b *openBucket) putExpiry(tx *bolt.Tx, expires int64, key []byte) (err error) {
	if b.expiries == nil {
		if b.expiries, err = tx.Bucket([]byte(bucketExpiries)).CreateBucketIfNotExists([]byte(b.name)); err != nil {
			return fmt.Errorf("create expiries of bucket %s: %w", b.name, err)
		}
	}
	if err := b.expiries.Put(expiryKey(expires, key), nil); err != nil {
		return fmt.Errorf("write expiry: %w", err)
	}
	return nil
}

func (b *openBucket) deleteExpiry(expires int64, key []byte) error {
	if b.expiries == nil {
		return nil
	}
	if err := b.expiries.Delete(expiryKey(expires, key)); err != nil {
		return fmt.Errorf("delete expiry: %w", err)
	}
	return nil
}
