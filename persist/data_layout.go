package persist

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Where the data of functions lies. Each of the four has one entry for each bucket
// of data:
//
//	databuckets  bucket -> its settings and totals
//	data         bucket -> bucket of key                           -> value
//	expiries     bucket -> bucket of uint64(expires) key           -> nothing
//	changes      bucket -> bucket of uint64(sequence)              -> change, see changes_layout.go
//
// Numbers are big-endian, times Unix milliseconds, 0 for none. A value is
//
//	version 1 · sequence 8 · modified 8 · bytes                    one that never expires
//	version 1 · sequence 8 · modified 8 · expires 8 · depth 1 · bytes
//
// where version is 1 or 2, and depth is the Origin's of the write: an expiry is a
// change too, and must not begin a chain of events anew. Settings and totals are
//
//	version 1 · flags 1 · bytes, keys and stream bytes at most, created, modified,
//	keys, bytes, stream bytes in use: 8 each
//
// in one record because each write needs all of it. Sequence numbers are bbolt's of
// the bucket in "data". That of "data" itself is the highest that a deleted bucket
// had: a later one goes on from there, so a feed never sees a number twice.
const (
	itemForever  = 1
	itemExpiring = 2

	foreverHead  = 1 + 8 + 8
	expiringHead = foreverHead + 8 + 1

	bucketRecordVersion = 1
	bucketRecordSize    = 2 + 8*8

	flagStream       = 0x01
	flagDropOldest   = 0x02
	flagStreamByFeed = 0x04
	bucketFlags      = flagStream | flagDropOldest | flagStreamByFeed
)

// maxStoredDepth is the largest depth that is remembered. Feeds stop long before.
const maxStoredDepth = math.MaxUint8

// itemRecord is a stored value. Its bytes are bbolt's, for one transaction.
type itemRecord struct {
	value    []byte
	sequence uint64
	modified int64 // Unix milliseconds, 0: not known
	expires  int64 // Unix milliseconds, 0: never
	depth    int
}

// decodeItem returns ErrDamaged for what is no stored value.
func decodeItem(stored []byte) (r itemRecord, err error) {
	switch {
	case len(stored) >= foreverHead && stored[0] == itemForever:
		r.value = stored[foreverHead:]
	case len(stored) >= expiringHead && stored[0] == itemExpiring:
		r.expires = int64(binary.BigEndian.Uint64(stored[foreverHead:]))
		r.depth = int(stored[expiringHead-1])
		r.value = stored[expiringHead:]
	default:
		return itemRecord{}, fmt.Errorf("%w: what is stored is no value", ErrDamaged)
	}
	r.sequence = binary.BigEndian.Uint64(stored[1:])
	r.modified = int64(binary.BigEndian.Uint64(stored[9:]))
	return r, nil
}

// encode undoes decodeItem, in new bytes.
func (r itemRecord) encode() []byte {
	head := foreverHead
	if r.expires != 0 {
		head = expiringHead
	}
	b := append(make([]byte, 0, head+len(r.value)), itemForever)
	b = binary.BigEndian.AppendUint64(b, r.sequence)
	b = binary.BigEndian.AppendUint64(b, uint64(r.modified))
	if r.expires != 0 {
		b[0] = itemExpiring
		b = binary.BigEndian.AppendUint64(b, uint64(r.expires))
		b = append(b, byte(min(r.depth, maxStoredDepth)))
	}
	return append(b, r.value...)
}

// item returns what callers get, with a copy of the value.
func (r itemRecord) item(key string) Item {
	return Item{
		Key: key, Value: append(make([]byte, 0, len(r.value)), r.value...), Sequence: r.sequence,
		Modified: fromMilli(r.modified), Expires: fromMilli(r.expires),
	}
}

// expired reports whether it is absent at a time in Unix milliseconds.
func (r itemRecord) expired(now int64) bool { return r.expires != 0 && r.expires <= now }

// fromMilli returns a stored time.
func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// toMilli undoes fromMilli.
func toMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// storedSize returns what a key and its stored value count against the bucket's
// limit: without what Ledge adds, unless the value is damaged.
func storedSize(keyBytes int, stored []byte) int64 {
	if r, err := decodeItem(stored); err == nil {
		stored = r.value
	}
	return int64(keyBytes + len(stored))
}

// bucketRecord is what "databuckets" has of a bucket.
type bucketRecord struct {
	stream, dropOldest             bool
	streamByFeed                   bool  // a feed turned stream on, and the last one turns it off
	maxBytes, maxKeys, streamBytes int64 // 0: the default
	created, modified              int64 // Unix milliseconds
	keys, bytes, streamUsed        int64
}

func (r bucketRecord) encode() []byte {
	b := append(make([]byte, 0, bucketRecordSize), bucketRecordVersion, 0)
	if r.stream {
		b[1] |= flagStream
	}
	if r.dropOldest {
		b[1] |= flagDropOldest
	}
	if r.streamByFeed {
		b[1] |= flagStreamByFeed
	}
	for _, n := range []int64{r.maxBytes, r.maxKeys, r.streamBytes, r.created, r.modified, r.keys, r.bytes, r.streamUsed} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// decodeBucketRecord returns ErrDamaged for what encode did not make.
func decodeBucketRecord(b []byte) (r bucketRecord, err error) {
	if len(b) != bucketRecordSize || b[0] != bucketRecordVersion || b[1]&^bucketFlags != 0 {
		return bucketRecord{}, fmt.Errorf("%w: what is stored are no settings of a bucket", ErrDamaged)
	}
	r.stream, r.dropOldest, r.streamByFeed = b[1]&flagStream != 0, b[1]&flagDropOldest != 0, b[1]&flagStreamByFeed != 0
	for i, n := range []*int64{&r.maxBytes, &r.maxKeys, &r.streamBytes, &r.created, &r.modified, &r.keys, &r.bytes, &r.streamUsed} {
		*n = int64(binary.BigEndian.Uint64(b[2+8*i:]))
		if *n < 0 {
			return bucketRecord{}, fmt.Errorf("%w: the settings of a bucket have a number below zero", ErrDamaged)
		}
	}
	return r, nil
}

// checkBucketRecord tells a good record of "databuckets" for setAsideRecords. A
// bucket without one has default settings and is counted again.
func checkBucketRecord(_, v []byte) error {
	_, err := decodeBucketRecord(v)
	return err
}

// settings returns what callers see of the record, limits filled in.
func (r bucketRecord) settings(name string) DataBucket {
	b := DataBucket{
		Name: name, Stream: r.stream, StreamByFeed: r.streamByFeed, WhenFull: WhenFullReject,
		MaxBytes: orDefault(r.maxBytes, DefaultBucketBytes), MaxKeys: int(orDefault(r.maxKeys, DefaultBucketKeys)),
		StreamBytes: orDefault(r.streamBytes, DefaultStreamBytes),
		Created:     fromMilli(r.created), LastModified: fromMilli(r.modified),
	}
	if r.dropOldest {
		b.WhenFull = WhenFullDropOldest
	}
	return b
}

// expiryBytes is the size of what comes before the key in the key of an expiry.
const expiryBytes = 8

// expiryKey sorts the keys of a bucket by when they expire.
func expiryKey(expires int64, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, expiryBytes+len(key)), uint64(expires)), key...)
}
