package persist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Kinds of changes, as DynamoDB Streams names them
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html).
const (
	ChangeInsert = "INSERT"
	ChangeModify = "MODIFY"
	ChangeRemove = "REMOVE"
)

// Change is one write as the log of its bucket remembers it. Its bytes belong to
// whoever got it.
type Change struct {
	Sequence uint64 // of the write, counted by the bucket
	Time     time.Time
	Kind     string // ChangeInsert, ChangeModify, ChangeRemove
	Key      string
	Old, New []byte // nil: none; an empty value is not nil
	Depth    int    // of the events that led to the write
	By       string // the function that wrote; empty: an operator, or the clock
	Expired  bool   // its time to live was over
}

// OnChange has notify called after each commit of changes to a bucket's stream. Set
// it once, before the store is used. notify must not block.
func (s *Store) OnChange(notify func(bucket string)) { s.onChange = notify }

// Bounds of what Changes returns.
const (
	maxChanges     = 10_000
	maxChangeBytes = 16 << 20
)

// Changes returns what happened to a bucket after a sequence number, in order: at
// most limit changes of maxBytes altogether, and one where there is one, however
// large. more says that there are others. A stream that does not exist is empty.
//
// A change that the disk lost is moved out of the way, and counted in the Lost of the
// feeds that had not passed it.
func (s *Store) Changes(bucket string, after uint64, limit, maxBytes int) (changes []Change, more bool, err error) {
	limit, maxBytes = min(max(limit, 1), maxChanges), min(maxBytes, maxChangeBytes)
	for {
		changes, more, err = s.readChanges(bucket, after, limit, maxBytes)
		var lost *damagedChange
		if !errors.As(err, &lost) {
			break
		}
		if err := s.setChangeAside(bucket, lost.key); err != nil {
			return nil, false, err
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("read changes of bucket %s: %w", bucket, err)
	}
	return changes, more, nil
}

// damagedChange says that the next change cannot be read.
type damagedChange struct{ key []byte }

func (e *damagedChange) Error() string { return fmt.Sprintf("change %x is damaged", e.key) }

func (s *Store) readChanges(bucket string, after uint64, limit, maxBytes int) (changes []Change, more bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketChanges)).Bucket([]byte(bucket))
		if b == nil || after == math.MaxUint64 {
			return nil
		}
		size := 0
		c := b.Cursor()
		for k, v := c.Seek(sequenceKey(after + 1)); k != nil; k, v = c.Next() {
			size += len(v)
			if len(changes) == limit || len(changes) > 0 && size > maxBytes {
				more = true
				return nil
			}
			var change Change
			err := errChange(0)
			if len(k) == sequenceBytes {
				change, err = decodeChange(binary.BigEndian.Uint64(k), bytes.Clone(v))
			}
			if err != nil && len(changes) > 0 {
				more = true // and the damaged one is the first of the next page
				return nil
			}
			if err != nil {
				return &damagedChange{bytes.Clone(k)}
			}
			changes = append(changes, change)
		}
		return nil
	})
	return changes, more, err
}

// setChangeAside moves a change to the bucket "damaged", as Open does with records.
func (s *Store) setChangeAside(bucket string, key []byte) error {
	err := s.update(sequenceBytes, func(c *change) error {
		b, err := openDataBucket(c.tx, bucket)
		if err != nil {
			return err
		}
		if b.changes == nil || b.changes.Get(key) == nil {
			return nil
		}
		c.wrote = true
		if len(key) == sequenceBytes {
			if err := c.feedsMiss(bucket, binary.BigEndian.Uint64(key)); err != nil {
				return err
			}
		}
		aside := append([]byte(bucketChanges+"\x00"+bucket+"\x00"), key...)
		if err := c.tx.Bucket([]byte(bucketDamaged)).Put(aside, bytes.Clone(b.changes.Get(key))); err != nil {
			return fmt.Errorf("set change aside: %w", err)
		}
		if err := b.forgetChanges([][]byte{key}); err != nil {
			return err
		}
		return b.save(c.tx)
	})
	if err != nil {
		return fmt.Errorf("set change of bucket %s aside: %w", bucket, err)
	}
	return nil
}

// StreamBounds returns the sequence numbers of the oldest change that is kept, 0
// where none is, and of the bucket's last write, 0 where there was none: what is
// written later comes after newest.
func (s *Store) StreamBounds(bucket string) (oldest, newest uint64, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b, err := openDataBucket(tx, bucket)
		if err != nil {
			return err
		}
		oldest, newest = b.streamBounds()
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("read bounds of the stream of bucket %s: %w", bucket, err)
	}
	return oldest, newest, nil
}

func (b *openBucket) streamBounds() (oldest, newest uint64) {
	if b.changes != nil {
		if k, _ := b.changes.Cursor().First(); len(k) == sequenceBytes {
			oldest = binary.BigEndian.Uint64(k)
		}
	}
	if b.items != nil {
		newest = b.items.Sequence()
	}
	return oldest, newest
}

// forgetChanges removes changes and takes them off the totals.
func (b *openBucket) forgetChanges(keys [][]byte) error {
	for _, key := range keys {
		stored := b.changes.Get(key)
		b.streamUsed = max(b.streamUsed-int64(len(key)+len(stored)), 0)
		if err := b.changes.Delete(key); err != nil {
			return fmt.Errorf("delete change: %w", err)
		}
	}
	return nil
}
