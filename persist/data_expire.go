package persist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// expireBatch is how many keys one transaction removes, which keeps other writers
// waiting. Large values make it less: a stream's changes have them as old images.
const expireBatch = 200

// expireAgain is when to look again at a bucket whose stream has no room for the
// changes that removing would make.
const expireAgain = time.Minute

// Expire removes what has expired, at most limit keys, and says how many those were
// and when to call it next, zero where nothing is going to expire. Until then what
// has expired is absent, but takes room. A bucket with a stream gets a Change for each
// key, with Expired set; while the stream is full the keys stay.
func (d *Data) Expire(limit int) (removed int, next time.Time, err error) {
	for removed < limit {
		n, at, err := d.expire("", min(limit-removed, expireBatch))
		if err != nil {
			return removed, time.Time{}, err
		}
		removed, next = removed+n, at
		if n == 0 {
			break
		}
	}
	return removed, next, nil
}

// expire is Expire of one bucket, or of all where the name is empty, in one
// transaction.
func (d *Data) expire(bucket string, limit int) (removed int, next time.Time, err error) {
	var done *transaction
	err = d.store.makeRoom(func(c *change) error {
		t := newTransaction(c.tx, Origin{}, d.store.now())
		done = t
		var err error
		if removed, next, err = t.planExpiry(bucket, limit); err != nil {
			return err
		}
		return t.commit(c)
	})
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("remove what expired: %w", err)
	}
	d.store.announce(done)
	return removed, next, nil
}

// planExpiry finds what has expired, bucket by bucket.
func (t *transaction) planExpiry(only string, limit int) (removed int, next time.Time, err error) {
	now := t.now.UnixMilli()
	soon := func(at int64) {
		if at := fromMilli(at); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	err = t.tx.Bucket([]byte(bucketExpiries)).ForEachBucket(func(name []byte) error {
		if only != "" && string(name) != only {
			return nil
		}
		b, err := t.target(string(name))
		if errors.Is(err, ErrDamaged) { // which must not keep the others
			soon(now + expireAgain.Milliseconds())
			return nil
		}
		if err != nil {
			return err
		}
		due, later := b.due(now, limit-removed)
		n, err := t.planRemovals(b, due)
		if err != nil {
			return err
		}
		switch removed += n; {
		case n == len(due):
			soon(later)
		case n > 0:
			soon(now)
		default:
			soon(now + expireAgain.Milliseconds())
		}
		return nil
	})
	t.written = make([]Written, len(t.steps))
	for i := range t.steps {
		t.steps[i].index = i
	}
	return removed, next, err
}

// planRemovals plans what the first entries ask for and returns of how many: fewer
// than all where their changes are many bytes, or more than the stream has room for.
func (t *transaction) planRemovals(b *writeTarget, due [][]byte) (n int, err error) {
	for before := len(t.steps); len(due) > 0; due = due[:n/2] {
		for n = 0; n < len(due) && b.addChanges <= maxBatchBytes; n++ {
			t.planRemoval(b, due[n])
		}
		var full *StreamFullError
		if err := b.findRoom(t.tx, b.addChanges, &b.room); !errors.As(err, &full) {
			return n, err
		}
		t.steps = t.steps[:before]
		*b = writeTarget{openBucket: b.openBucket}
	}
	return 0, nil
}

// planRemoval plans what an entry of the expiries asks for. One that says otherwise
// than its key was left over by damage and goes alone.
func (t *transaction) planRemoval(b *writeTarget, entry []byte) {
	s := plannedWrite{target: b, key: entry[min(expiryBytes, len(entry)):]}
	err := t.look(&s)
	if err != nil || !s.expired || !bytes.Equal(entry, expiryKey(s.old.expires, s.key)) {
		b.orphans = append(b.orphans, entry)
		b.touched = true
		return
	}
	t.remove(&s, actionExpire)
	t.steps = append(t.steps, s)
}

// due returns copies of at most limit entries that are due, and when the next one is,
// 0 where there is none.
func (b *openBucket) due(now int64, limit int) (entries [][]byte, later int64) {
	c := b.expiries.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		expires := int64(0)
		if len(k) > expiryBytes {
			expires = int64(binary.BigEndian.Uint64(k))
		}
		if expires > now || len(entries) >= limit {
			return entries, expires
		}
		entries = append(entries, bytes.Clone(k))
	}
	return entries, 0
}
