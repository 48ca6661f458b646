package persist

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Bounds of a page of List.
const (
	DefaultListItems = 1000
	MaxListItems     = 10_000
	MaxListBytes     = 4 << 20
)

// Range says which keys of a bucket to list. All that is set must hold.
type Range struct {
	Prefix string // of the keys
	From   string // the first key, in byte order, whichever way it goes
	To     string // the first key beyond
	After  string // a cursor: the last key of the page before

	Limit    int // items at most; 0: DefaultListItems, never more than MaxListItems
	MaxBytes int // of keys and values, if it is more than one item; 0 or more than that: MaxListBytes

	KeysOnly bool // leave out the values: Value is nil
	Reverse  bool // the last key first
}

// List returns the items of r that have not expired, in byte order of their keys.
// more says that there are others behind the last one. A bucket that does not exist
// is empty. ErrDamaged names a key that the disk lost: list around it, or put or
// delete it.
func (d *Data) List(bucket string, r Range) (items []Item, more bool, err error) {
	limit := min(orDefault(max(r.Limit, 0), DefaultListItems), MaxListItems)
	maxBytes := min(orDefault(max(r.MaxBytes, 0), MaxListBytes), MaxListBytes)
	err = d.store.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketData)).Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		now, size := d.store.now().UnixMilli(), 0
		walk := newRangeWalk(b.Cursor(), r)
		for k, v := walk.first(); k != nil; k, v = walk.next() {
			record, err := decodeItem(v)
			if err != nil {
				return fmt.Errorf("key %q of bucket %s: %w", k, bucket, err)
			}
			if record.expired(now) {
				continue
			}
			size += len(k)
			if r.KeysOnly {
				record.value = nil
			}
			size += len(record.value)
			if len(items) > 0 && (len(items) == limit || size > maxBytes) {
				more = true
				return nil
			}
			item := record.item(string(k))
			if r.KeysOnly {
				item.Value = nil
			}
			items = append(items, item)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("list bucket %s: %w", bucket, err)
	}
	return items, more, nil
}

// rangeWalk goes over the keys of a range, from low, which is in it, to high, which is
// not; nil is no bound.
type rangeWalk struct {
	cursor    *bolt.Cursor
	low, high []byte
	after     bool // low itself is a cursor, and not in the range
	reverse   bool
}

func newRangeWalk(c *bolt.Cursor, r Range) *rangeWalk {
	w := &rangeWalk{cursor: c, low: []byte(max(r.Prefix, r.From)), high: prefixEnd(r.Prefix), reverse: r.Reverse}
	if r.To != "" && (w.high == nil || r.To < string(w.high)) {
		w.high = []byte(r.To)
	}
	switch {
	case r.After == "":
	case r.Reverse && (w.high == nil || r.After < string(w.high)):
		w.high = []byte(r.After)
	case !r.Reverse && r.After >= string(w.low):
		w.low, w.after = []byte(r.After), true
	}
	return w
}

func (w *rangeWalk) first() (k, v []byte) {
	if !w.reverse {
		k, v = w.cursor.Seek(w.low)
		if w.after && k != nil && bytes.Equal(k, w.low) {
			k, v = w.cursor.Next()
		}
		return w.within(k, v)
	}
	if w.high == nil {
		return w.within(w.cursor.Last())
	}
	if k, _ = w.cursor.Seek(w.high); k == nil {
		return w.within(w.cursor.Last())
	}
	return w.within(w.cursor.Prev())
}

func (w *rangeWalk) next() (k, v []byte) {
	if w.reverse {
		return w.within(w.cursor.Prev())
	}
	return w.within(w.cursor.Next())
}

// within ends the walk at the other bound.
func (w *rangeWalk) within(k, v []byte) ([]byte, []byte) {
	switch {
	case k == nil,
		w.reverse && bytes.Compare(k, w.low) < 0,
		!w.reverse && w.high != nil && bytes.Compare(k, w.high) >= 0:
		return nil, nil
	}
	return k, v
}

// prefixEnd returns the first key after all that begin with prefix, nil where there
// is none.
func prefixEnd(prefix string) []byte {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
