package persist

import (
	"fmt"
	"math"
	"time"
)

// Limits of what a key and a write may hold.
const (
	MaxKeyBytes   = 1 << 10
	MaxValueBytes = 1 << 20

	// MaxWrites and MaxWriteBytes bound one transaction; the bytes are of keys and
	// values (DynamoDB's TransactWriteItems has the same two).
	MaxWrites     = 100
	MaxWriteBytes = 4 << 20

	// MaxTTL is the longest time to live: a hundred years.
	MaxTTL = 100 * 365 * 24 * time.Hour

	maxBucketName = 63
)

// Defaults of a DataBucket, for a small device, and the most shared buckets that a
// node has.
const (
	DefaultBucketBytes = 64 << 20
	DefaultBucketKeys  = 100_000
	DefaultStreamBytes = 32 << 20
	MaxBuckets         = 1000
)

// SizeError says that a key, a value, an event or a transaction is too small or too
// large to be stored.
type SizeError struct {
	What  string // "key", "value", "event" or "transaction"
	Size  int    // bytes
	Limit int    // bytes; a key has at least one
}

func (e *SizeError) Error() string {
	if e.Size == 0 {
		return "the " + e.What + " is empty"
	}
	return fmt.Sprintf("the %s has %d bytes, at most %d are stored", e.What, e.Size, e.Limit)
}

// Is makes it an ErrInvalid where there is nothing to store: no limit is exceeded then.
func (e *SizeError) Is(target error) bool { return target == ErrInvalid && e.Size == 0 }

// LimitExceeded tells this error from those of the store itself.
func (e *SizeError) LimitExceeded() bool { return true }

// What a QuotaError is about.
const (
	quotaBytes   = "bytes"
	quotaKeys    = "keys"
	quotaBuckets = "buckets"
)

// QuotaError says that a bucket, or the node, holds as much as it may. Nothing was
// written.
type QuotaError struct {
	Bucket string
	What   string // "bytes" or "keys" of the bucket, "buckets" of the node
	Used   int64  // now
	Needed int64  // more, for this write
	Limit  int64
}

func (e *QuotaError) Error() string {
	if e.What == quotaBuckets {
		return fmt.Sprintf("bucket %s cannot be made: the node has %d shared buckets and at most %d; delete one that is not needed",
			e.Bucket, e.Used, e.Limit)
	}
	return fmt.Sprintf("bucket %s is full: it holds %d %s of at most %d and this write needs %d more; delete keys, let them expire, or raise the bucket's limit",
		e.Bucket, e.Used, e.What, e.Limit, e.Needed)
}

// LimitExceeded tells this error from those of the store itself.
func (e *QuotaError) LimitExceeded() bool { return true }

// ConditionError says that the Condition of a write did not hold. Nothing was
// written.
type ConditionError struct {
	Index int    // of the write
	Now   Item   // what its key holds
	Why   string // what was expected
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("write %d was refused and with it the transaction: key %q %s", e.Index, clipText(e.Now.Key, 100), e.Why)
}

// Is makes a condition that does not hold an ErrConflict.
func (e *ConditionError) Is(target error) bool { return target == ErrConflict }

// NumberError says that a key cannot be incremented: it holds no number, or the sum
// would not fit.
type NumberError struct {
	Bucket, Key string
	Why         string
}

func (e *NumberError) Error() string {
	return fmt.Sprintf("key %q of bucket %s cannot be incremented: %s", clipText(e.Key, 100), e.Bucket, e.Why)
}

// Is makes it an ErrInvalid.
func (e *NumberError) Is(target error) bool { return target == ErrInvalid }

func checkKey(key string) error {
	if len(key) == 0 || len(key) > MaxKeyBytes {
		return &SizeError{What: "key", Size: len(key), Limit: MaxKeyBytes}
	}
	return nil
}

// checkWrites refuses what no state of the store could make right.
func checkWrites(writes []Write) error {
	if len(writes) == 0 || len(writes) > MaxWrites {
		return invalid("a transaction has 1 to %d writes, not %d", MaxWrites, len(writes))
	}
	size := 0
	for i := range writes {
		w := &writes[i]
		if err := w.check(); err != nil {
			if len(writes) == 1 {
				return err
			}
			return fmt.Errorf("write %d: %w", i, err)
		}
		size += len(w.Key) + len(w.Value)
	}
	if size > MaxWriteBytes {
		return &SizeError{What: "transaction", Size: size, Limit: MaxWriteBytes}
	}
	if len(writes) == 1 {
		return nil
	}
	type place struct{ bucket, key string }
	seen := make(map[place]int, len(writes))
	for i, w := range writes {
		if before, twice := seen[place{w.Bucket, w.Key}]; twice {
			return invalid("writes %d and %d of the transaction have the same key; put the condition on the write itself", before, i)
		}
		seen[place{w.Bucket, w.Key}] = i
	}
	return nil
}

func (w *Write) check() error {
	if err := CheckBucket(w.Bucket); err != nil {
		return err
	}
	if err := checkKey(w.Key); err != nil {
		return err
	}
	if len(w.Value) > MaxValueBytes {
		return &SizeError{What: "value", Size: len(w.Value), Limit: MaxValueBytes}
	}
	switch {
	case w.Kind > WriteCheck:
		return invalid("there is no kind of write %d", w.Kind)
	case w.If.Kind > IfSequence:
		return invalid("there is no kind of condition %d", w.If.Kind)
	case w.TTL < 0 || w.TTL > MaxTTL:
		return invalid("the time to live %v is not from 0, which is for ever, to %v", w.TTL, MaxTTL)
	case len(w.If.Value) > MaxValueBytes:
		return &SizeError{What: "value", Size: len(w.If.Value), Limit: MaxValueBytes}
	}
	return nil
}

// expiry returns when what is written now expires, in Unix milliseconds and not
// before its time to live is over; 0 is never.
func expiry(now time.Time, ttl time.Duration) int64 {
	if ttl == 0 {
		return 0
	}
	return max(now.Add(ttl+time.Millisecond-1).UnixMilli(), 1)
}

// orDefault returns limit, or standard where limit is 0.
func orDefault[N int | int64](limit, standard N) N {
	if limit == 0 {
		return standard
	}
	return limit
}

// sum adds without wrapping around.
func sum(a, b int64) (total int64, fits bool) {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return 0, false
	}
	return a + b, true
}
