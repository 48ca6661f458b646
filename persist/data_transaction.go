package persist

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// transaction makes writes in two passes: plan only looks, so that a refusal costs
// the others of a commit nothing, and commit only writes.
type transaction struct {
	tx      *bolt.Tx
	origin  Origin
	clock   time.Time
	now     time.Time      // the same in whole milliseconds
	buckets []*writeTarget // few: a transaction has at most MaxWrites
	steps   []plannedWrite
	written []Written
}

// writeTarget is a bucket that a transaction writes to, and what becomes of it.
type writeTarget struct {
	*openBucket
	addKeys, addBytes, addChanges int64
	room                          streamRoom
	orphans                       [][]byte // entries of the expiries that have no key
	touched                       bool     // it is written to
	changed                       bool     // and its stream too
}

// plannedWrite is one write and what lies there now.
type plannedWrite struct {
	index   int
	target  *writeTarget
	key     []byte
	stored  []byte     // nil: nothing lies there
	old     itemRecord // zero where it is damaged
	live    bool       // old is what the key holds
	expired bool       // old is what it held
	action  writeAction
	value   []byte // of an actionPut
	expires int64
}

type writeAction uint8

const (
	actionNone writeAction = iota
	actionPut
	actionRemove
	actionExpire // remove because its time is over
)

func newTransaction(tx *bolt.Tx, origin Origin, clock time.Time) *transaction {
	origin.Depth = max(origin.Depth, 0)
	return &transaction{tx: tx, origin: origin, clock: clock, now: milli(clock)}
}

// target returns the bucket name, which is opened once.
func (t *transaction) target(name string) (*writeTarget, error) {
	for _, b := range t.buckets {
		if b.name == name {
			return b, nil
		}
	}
	opened, err := openDataBucket(t.tx, name)
	if err != nil {
		return nil, err
	}
	b := &writeTarget{openBucket: opened}
	t.buckets = append(t.buckets, b)
	return b, nil
}

// plan decides what each write does, or returns why the transaction cannot be.
func (t *transaction) plan(writes []Write) error {
	t.steps = make([]plannedWrite, len(writes))
	t.written = make([]Written, len(writes))
	for i := range writes {
		if err := t.planWrite(&t.steps[i], i, &writes[i]); err != nil {
			return err
		}
	}
	return t.fits()
}

func (t *transaction) planWrite(s *plannedWrite, index int, w *Write) (err error) {
	s.index, s.key = index, []byte(w.Key)
	if s.target, err = t.target(w.Bucket); err != nil {
		return err
	}
	if err := t.look(s); err != nil && (w.If.Kind != Always || w.Kind == WriteIncrement || w.Kind == WriteCheck) {
		return fmt.Errorf("key %q of bucket %s: %w", w.Key, w.Bucket, err)
	}
	if why := s.refuses(&w.If); why != "" {
		now := Item{Key: w.Key}
		if s.live {
			now = s.old.item(w.Key)
		}
		return &ConditionError{Index: index, Now: now, Why: why}
	}
	out := &t.written[index]
	out.Existed = s.live
	if s.live {
		out.Sequence = s.old.sequence
	}
	switch w.Kind {
	case WritePut:
		t.put(s, w.Value, expiry(t.clock, w.TTL))
	case WriteIncrement:
		if out.Value, err = s.increment(w); err != nil {
			return err
		}
		expires := expiry(t.clock, w.TTL)
		if s.live {
			expires = s.old.expires
		}
		t.put(s, out.Value, expires)
	case WriteDelete:
		if s.stored != nil && !s.expired { // what expired is for Expire
			t.remove(s, actionRemove)
		}
	}
	return nil
}

// look reads what lies under the key of s. The error is ErrDamaged; what is damaged
// can be replaced and removed.
func (t *transaction) look(s *plannedWrite) (err error) {
	if s.target.items == nil {
		return nil
	}
	if s.stored = s.target.items.Get(s.key); s.stored == nil {
		return nil
	}
	if s.old, err = decodeItem(s.stored); err != nil {
		return err
	}
	s.expired = s.old.expired(t.now.UnixMilli())
	s.live = !s.expired
	return nil
}

// refuses says why a condition does not hold, or nothing where it does.
func (s *plannedWrite) refuses(c *Condition) string {
	switch {
	case c.Kind == IfAbsent && s.live:
		return "should be absent and is there"
	case c.Kind == IfPresent && !s.live, c.Kind == IfValue && !s.live:
		return "should be there and is absent"
	case c.Kind == IfValue && !bytes.Equal(s.old.value, c.Value):
		return "holds another value than was expected"
	case c.Kind == IfSequence && s.live && s.old.sequence != c.Sequence:
		return fmt.Sprintf("has sequence %d and not %d", s.old.sequence, c.Sequence)
	case c.Kind == IfSequence && !s.live && c.Sequence != 0:
		return fmt.Sprintf("is absent and should have sequence %d", c.Sequence)
	}
	return ""
}

// increment returns the new number in decimal.
func (s *plannedWrite) increment(w *Write) ([]byte, error) {
	var number int64
	if s.live {
		text := string(s.old.value[:min(len(s.old.value), maxNumberBytes)])
		var err error
		if number, err = strconv.ParseInt(text, 10, 64); err != nil || len(s.old.value) > maxNumberBytes {
			return nil, &NumberError{Bucket: w.Bucket, Key: w.Key,
				Why: fmt.Sprintf("it holds %q and not a whole number from -2^63 to 2^63-1", clipText(text, maxNumberBytes))}
		}
	}
	total, fits := sum(number, w.By)
	if !fits {
		return nil, &NumberError{Bucket: w.Bucket, Key: w.Key,
			Why: fmt.Sprintf("%d and %d are more than a number of 64 bits can hold", number, w.By)}
	}
	return strconv.AppendInt(nil, total, 10), nil
}

// maxNumberBytes is what the longest number has, with some leading zeros.
const maxNumberBytes = 32

// put plans that the key of s gets value.
func (t *transaction) put(s *plannedWrite, value []byte, expires int64) {
	if value == nil {
		value = []byte{} // it is there, and empty
	}
	s.action, s.value, s.expires = actionPut, value, expires
	b := s.target
	b.touched = true
	b.addBytes += int64(len(s.key)+len(value)) - s.size()
	if s.stored == nil {
		b.addKeys++
	}
	if s.expired {
		t.note(s, &Change{Old: s.old.value, Expired: true})
	}
	t.note(s, &Change{Old: s.image(), New: value})
}

// remove plans that the key of s goes.
func (t *transaction) remove(s *plannedWrite, how writeAction) {
	s.action = how
	b := s.target
	b.touched = true
	b.addBytes -= s.size()
	b.addKeys--
	t.note(s, &Change{Old: s.old.value, Expired: how == actionExpire})
}

// note counts what a change will take of the stream.
func (t *transaction) note(s *plannedWrite, c *Change) {
	if !s.target.stream {
		return
	}
	t.complete(s, c)
	s.target.changed = true
	s.target.addChanges += c.storedBytes()
}

// complete fills in what all changes of a step have.
func (t *transaction) complete(s *plannedWrite, c *Change) {
	c.Time, c.Key = t.now, string(s.key)
	if c.Expired {
		c.Depth = s.old.depth
	} else {
		c.Depth, c.By = t.origin.Depth, t.origin.Function
	}
}

// size returns what lies under the key counts now.
func (s *plannedWrite) size() int64 {
	if s.stored == nil {
		return 0
	}
	return storedSize(len(s.key), s.stored)
}

// image returns what the key holds before the write, nil where it is absent.
func (s *plannedWrite) image() []byte {
	if !s.live {
		return nil
	}
	return s.old.value
}

// fits checks that all buckets may take what is planned.
func (t *transaction) fits() error {
	made := 0 // shared buckets
	for _, b := range t.buckets {
		if !b.touched {
			continue
		}
		if !b.exists {
			if err := checkBucketCount(t.tx, b.name, made); err != nil {
				return err
			}
			if !strings.HasPrefix(b.name, ownPrefix) {
				made++
			}
		}
		if function, own := strings.CutPrefix(b.name, ownPrefix); own {
			if err := functionExists(t.tx, function); err != nil {
				return err
			}
		}
		if err := b.fits(); err != nil {
			return err
		}
		if b.changed {
			if err := b.findRoom(t.tx, b.addChanges, &b.room); err != nil {
				return err
			}
		}
	}
	return nil
}

// fits returns a *QuotaError where the bucket grows beyond its limits. One that is
// beyond already may shrink.
func (b *writeTarget) fits() error {
	limits := b.settings(b.name)
	if total := b.bytes + b.addBytes; b.addBytes > 0 && total > limits.MaxBytes {
		return &QuotaError{Bucket: b.name, What: quotaBytes, Used: b.bytes, Needed: b.addBytes, Limit: limits.MaxBytes}
	}
	if total := b.keys + b.addKeys; b.addKeys > 0 && total > int64(limits.MaxKeys) {
		return &QuotaError{Bucket: b.name, What: quotaKeys, Used: b.keys, Needed: b.addKeys, Limit: int64(limits.MaxKeys)}
	}
	return nil
}

// commit writes what was planned.
func (t *transaction) commit(c *change) error {
	for _, b := range t.buckets {
		if !b.touched {
			continue
		}
		c.wrote = true
		if err := b.create(t.tx, t.now.UnixMilli()); err != nil {
			return err
		}
		if err := c.makeStreamRoom(b.openBucket, &b.room); err != nil {
			return err
		}
	}
	for _, b := range t.buckets {
		for _, entry := range b.orphans {
			if err := b.expiries.Delete(entry); err != nil {
				return fmt.Errorf("delete expiry: %w", err)
			}
		}
	}
	for i := range t.steps {
		if err := t.apply(&t.steps[i]); err != nil {
			return err
		}
	}
	for _, b := range t.buckets {
		if !b.touched {
			continue
		}
		// Totals that were lost to damage must not make a bucket look full for ever.
		b.keys, b.bytes = max(b.keys+b.addKeys, 0), max(b.bytes+b.addBytes, 0)
		if err := b.save(t.tx); err != nil {
			return err
		}
	}
	return nil
}

// apply does one step.
func (t *transaction) apply(s *plannedWrite) error {
	if s.action == actionNone {
		return nil
	}
	b := s.target
	if s.old.expires != 0 && (s.action != actionPut || s.expires != s.old.expires) {
		if err := b.deleteExpiry(s.old.expires, s.key); err != nil {
			return err
		}
	}
	if s.action != actionPut {
		sequence, err := t.record(s, &Change{Old: s.old.value, Expired: s.action == actionExpire})
		if err != nil {
			return err
		}
		t.written[s.index].Sequence = sequence
		if err := b.items.Delete(s.key); err != nil {
			return fmt.Errorf("delete value: %w", err)
		}
		return nil
	}
	if s.expired {
		if _, err := t.record(s, &Change{Old: s.old.value, Expired: true}); err != nil {
			return err
		}
	}
	sequence, err := t.record(s, &Change{Old: s.image(), New: s.value})
	if err != nil {
		return err
	}
	t.written[s.index].Sequence = sequence
	if s.expires != 0 && s.expires != s.old.expires {
		if err := b.putExpiry(t.tx, s.expires, s.key); err != nil {
			return err
		}
	}
	record := itemRecord{value: s.value, sequence: sequence, modified: t.now.UnixMilli(), expires: s.expires, depth: t.origin.Depth}
	if err := b.items.Put(s.key, record.encode()); err != nil {
		return fmt.Errorf("write value: %w", err)
	}
	return nil
}

// record numbers a change and writes it to the stream, where there is one.
func (t *transaction) record(s *plannedWrite, c *Change) (sequence uint64, err error) {
	b := s.target
	if sequence, err = b.items.NextSequence(); err != nil {
		return 0, fmt.Errorf("number write: %w", err)
	}
	if !b.stream {
		return sequence, nil
	}
	t.complete(s, c)
	stored := c.encode()
	if err := b.changes.Put(sequenceKey(sequence), stored); err != nil {
		return 0, fmt.Errorf("write change: %w", err)
	}
	b.streamUsed += int64(sequenceBytes + len(stored))
	return sequence, nil
}
