package persist

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"
)

func TestItemLayout(t *testing.T) {
	for _, r := range []itemRecord{
		{value: []byte{}},
		{value: []byte("v"), sequence: 1, modified: 2},
		{value: []byte{itemExpiring}, sequence: math.MaxUint64, modified: math.MaxInt64, expires: 1, depth: maxStoredDepth},
	} {
		got, err := decodeItem(r.encode())
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v came back as %+v, %v", r, got, err)
		}
	}
	deep := itemRecord{expires: 1, depth: 1000}
	if got, err := decodeItem(deep.encode()); err != nil || got.depth != maxStoredDepth {
		t.Errorf("a depth of 1000 came back as %d, %v", got.depth, err)
	}
	if got := (itemRecord{modified: 0}).item("k"); !got.Modified.IsZero() || !got.Expires.IsZero() {
		t.Errorf("times that are not known came back as %+v", got)
	}
}

func TestChangeLayout(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_123).UTC()
	for _, c := range []Change{
		{Sequence: 1, Time: now, Kind: ChangeInsert, Key: "k", New: []byte{}},
		{Sequence: 2, Time: now, Kind: ChangeModify, Key: "\x00", Old: []byte{}, New: bytes.Repeat([]byte("n"), 200), Depth: 300, By: "f"},
		{Sequence: 3, Time: now, Kind: ChangeRemove, Key: "k", Old: []byte("o"), Expired: true, Depth: 1},
		{Sequence: 4, Time: now, Kind: ChangeRemove, Key: "k"},
	} {
		stored := c.encode()
		if int64(len(stored)+sequenceBytes) != c.storedBytes() {
			t.Errorf("%+v takes %d bytes, counted were %d", c, len(stored)+sequenceBytes, c.storedBytes())
		}
		got, err := decodeChange(c.Sequence, stored)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%+v came back as %+v, %v", c, got, err)
		}
		if changeTime(stored) != now.UnixMilli() {
			t.Errorf("the time is %d", changeTime(stored))
		}
		for n := range stored { // a part is none
			if got, err := decodeChange(c.Sequence, stored[:n]); !errors.Is(err, ErrDamaged) {
				t.Errorf("%d bytes of %d are %+v, %v", n, len(stored), got, err)
			}
		}
	}
}

// FuzzDataRecords decodes anything as each kind of record: what decodes is encoded to
// the same meaning again, the rest is ErrDamaged.
func FuzzDataRecords(f *testing.F) {
	change := Change{Time: time.UnixMilli(5), Key: "k", Old: []byte("o"), New: []byte("n"), Depth: 200, By: "f"}
	f.Add(change.encode())
	f.Add(itemRecord{value: []byte("v"), sequence: 1, modified: 2, expires: 3, depth: 4}.encode())
	f.Add(itemRecord{value: []byte("v"), sequence: 1}.encode())
	f.Add(bucketRecord{stream: true, dropOldest: true, maxBytes: 1, keys: 2}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		stored := bytes.Clone(b)
		check := func(err error, again func() []byte, same func([]byte) bool) {
			t.Helper()
			if err != nil {
				if !errors.Is(err, ErrDamaged) {
					t.Errorf("%x: %v", b, err)
				}
				return
			}
			if encoded := again(); !same(encoded) {
				t.Errorf("%x was encoded again as %x", b, encoded)
			}
		}
		item, err := decodeItem(b)
		check(err, item.encode, func(e []byte) bool {
			again, err := decodeItem(e)
			// An expiry of 0 is none, which the shorter form says.
			return err == nil && again.sequence == item.sequence && again.modified == item.modified &&
				again.expires == item.expires && bytes.Equal(again.value, item.value) && (item.expires == 0 || again.depth == item.depth)
		})
		record, err := decodeBucketRecord(b)
		check(err, record.encode, func(e []byte) bool { return bytes.Equal(e, b) })
		c, err := decodeChange(7, b)
		check(err, c.encode, func(e []byte) bool {
			again, err := decodeChange(7, e)
			return err == nil && reflect.DeepEqual(again, c)
		})
		if !bytes.Equal(b, stored) {
			t.Errorf("%x was written to", stored)
		}
	})
}
