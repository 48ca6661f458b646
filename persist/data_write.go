package persist

import (
	"errors"
	"time"
)

// WriteKind is what a Write does.
type WriteKind uint8

// Kinds of writes.
const (
	WritePut       WriteKind = iota // stores Value
	WriteDelete                     // removes the key; an absent one costs nothing
	WriteIncrement                  // adds By to the number that the key holds, 0 where it is absent
	WriteCheck                      // changes nothing, for its Condition
)

// ConditionKind is what a Condition asks of a key.
type ConditionKind uint8

// Kinds of conditions.
const (
	Always     ConditionKind = iota
	IfAbsent                 // it holds nothing
	IfPresent                // it holds something
	IfValue                  // it holds Value
	IfSequence               // the write with Sequence made it what it is; 0: it holds nothing
)

// Condition is what must hold of a key for a write to happen.
type Condition struct {
	Kind     ConditionKind
	Value    []byte
	Sequence uint64
}

// Write is one step of a transaction.
type Write struct {
	Bucket, Key string
	Kind        WriteKind
	Value       []byte        // of WritePut; the caller keeps it and must not change it before Write returns
	By          int64         // of WriteIncrement
	TTL         time.Duration // until it expires, at least; 0: never. An increment keeps what the key has and uses it where it makes the key
	If          Condition
}

// Written is what became of a Write.
type Written struct {
	// Sequence of the write, counted by its bucket. Where nothing was written it is
	// that of the key as it is, 0 where that is absent.
	Sequence uint64
	Value    []byte // after an increment: the number in decimal
	Existed  bool   // the key held something before
}

// Origin says who writes.
type Origin struct {
	Function string // empty: an operator
	Depth    int    // of the events that led to the write
}

// Write does all writes, over buckets, or none of them, and returns after that is on
// disk; calls at the same time share a commit. Each is judged by what was there
// before the transaction, which may have a key once. What is written gets the next
// number of its bucket, and where that has a stream a Change, in the same transaction.
//
// A *ConditionError says which condition did not hold, a *NumberError that a key
// cannot be incremented, a *QuotaError that a bucket is full and a *StreamFullError
// its stream; a *SizeError and ErrInvalid that a write can never be made, and
// ErrNotFound that the bucket is the own one of a function that does not exist: an
// invocation that outlives its function must not leave data to the next one of that
// name. All of them changed nothing.
func (d *Data) Write(origin Origin, writes []Write) ([]Written, error) {
	if err := checkWrites(writes); err != nil {
		return nil, err
	}
	for {
		written, err := d.write(origin, writes)
		var full *QuotaError
		if !errors.As(err, &full) || full.What == quotaBuckets {
			return written, err
		}
		// Perhaps of what has expired and is only not removed yet. Each turn removes
		// some of that, so it ends.
		removed, _, expireErr := d.expire(full.Bucket, expireBatch)
		if expireErr != nil || removed == 0 {
			return nil, errors.Join(err, expireErr)
		}
	}
}

func (d *Data) write(origin Origin, writes []Write) ([]Written, error) {
	var done *transaction
	run := func(c *change) error {
		t := newTransaction(c.tx, origin, d.store.now())
		if err := t.plan(writes); err != nil {
			return err
		}
		done = t
		return t.commit(c)
	}
	size, removals := 0, true
	for i := range writes {
		size += len(writes[i].Key) + 2*len(writes[i].Value)
		removals = removals && writes[i].Kind == WriteDelete
	}
	var err error
	if removals {
		err = d.store.makeRoom(run)
	} else {
		err = d.store.update(size, run)
	}
	if err != nil {
		return nil, err
	}
	d.store.announce(done)
	return done.written, nil
}

// announce tells whoever listens which streams a transaction wrote to.
func (s *Store) announce(t *transaction) {
	if s.onChange == nil {
		return
	}
	for _, b := range t.buckets {
		if b.changed {
			s.onChange(b.name)
		}
	}
}
