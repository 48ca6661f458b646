package persist

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// maxSettingBytes bounds the value of a setting.
const maxSettingBytes = 64 << 10

// Load returns what State has, as it was at one moment.
func (s *Store) Load() (State, error) {
	var state State
	err := s.view(func(tx *bolt.Tx) (err error) {
		state.Generation = readGeneration(tx)
		if state.Functions, err = all[Function](tx, bucketFunctions); err != nil {
			return err
		}
		if state.Aliases, err = all[Alias](tx, bucketAliases); err != nil {
			return err
		}
		if state.Routes, err = all[Route](tx, bucketRoutes); err != nil {
			return err
		}
		if state.URLs, err = all[FunctionURL](tx, bucketURLs); err != nil {
			return err
		}
		if state.Provisioned, err = all[Provisioned](tx, bucketProvisioned); err != nil {
			return err
		}
		state.Layers, err = all[LayerVersion](tx, bucketLayers)
		return err
	})
	if err != nil {
		return State{}, fmt.Errorf("load state: %w", err)
	}
	return state, nil
}

// all returns the records of bucket in order of their keys.
func all[T any](tx *bolt.Tx, bucket string) (records []T, err error) {
	err = tx.Bucket([]byte(bucket)).ForEach(func(k, v []byte) error {
		record, err := decode[T](bucket, k, v)
		if err != nil {
			return err
		}
		records = append(records, record)
		return nil
	})
	return records, err
}

// countKeys returns how many records a bucket has.
func countKeys(b *bolt.Bucket) (n int) {
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	return n
}

// one returns the record under key, or ErrNotFound for what.
func one[T any](tx *bolt.Tx, bucket string, key []byte, what string) (T, error) {
	record, found, err := get[T](tx, bucket, key)
	if err == nil && !found {
		err = fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return record, err
}

// allRecords is all in a transaction of its own.
func allRecords[T any](s *Store, bucket string) (records []T, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		records, err = all[T](tx, bucket)
		return err
	})
	return records, err
}

// oneRecord is one in a transaction of its own.
func oneRecord[T any](s *Store, bucket string, key []byte, what string) (record T, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		record, err = one[T](tx, bucket, key, what)
		return err
	})
	return record, err
}

// Setting returns the value of a setting, or ErrNotFound.
func (s *Store) Setting(key string) (value string, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		v := tx.Bucket([]byte(bucketSettings)).Get([]byte(key))
		if v == nil {
			return fmt.Errorf("setting %s: %w", key, ErrNotFound)
		}
		value = string(v)
		return nil
	})
	return value, err
}

// PutSetting stores a small value, at most 64 KiB, under key.
func (s *Store) PutSetting(key, value string) error {
	if err := checkName("setting", key); err != nil {
		return err
	}
	if len(value) > maxSettingBytes {
		return invalid("setting %s has %d bytes, at most %d are stored", key, len(value), maxSettingBytes)
	}
	err := s.update(len(value), func(c *change) error {
		return c.putBytes(bucketSettings, []byte(key), []byte(value))
	})
	if err != nil {
		return fmt.Errorf("store setting %s: %w", key, err)
	}
	return nil
}
