package persist

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// moveKV makes what functions kept before schema 3 the contents of their own
// buckets. When it was written is not known, and stays so.
func moveKV(tx *bolt.Tx) error {
	kv := tx.Bucket([]byte(bucketKV))
	err := kv.ForEachBucket(func(function []byte) error {
		b, err := openDataBucket(tx, OwnBucket(string(function)))
		if err != nil {
			return err
		}
		if err := b.create(tx, 0); err != nil {
			return err
		}
		err = kv.Bucket(function).ForEach(func(k, v []byte) error {
			if v == nil {
				return nil // a bucket, which is none of ours
			}
			sequence, err := b.items.NextSequence()
			if err != nil {
				return fmt.Errorf("number value: %w", err)
			}
			b.keys++
			b.bytes += int64(len(k) + len(v))
			return b.items.Put(k, itemRecord{value: v, sequence: sequence}.encode())
		})
		if err != nil {
			return fmt.Errorf("move the data of function %s: %w", function, err)
		}
		return b.save(tx)
	})
	if err != nil {
		return err
	}
	if err := tx.DeleteBucket([]byte(bucketKV)); err != nil {
		return fmt.Errorf("delete bucket %s: %w", bucketKV, err)
	}
	return nil
}
