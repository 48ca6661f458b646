package persist

import (
	"encoding/binary"
	"fmt"
)

// A change lies under its sequence number in the stream of its bucket, as
//
//	version 1 · flags 1 · time 8 · depth uvarint · by · key · old · new
//
// where by, key, old and new are a uvarint length and bytes; old and new are there
// where the flags say so, and the kind follows from that: both are MODIFY, new alone
// is INSERT. Damage can cost a REMOVE its old image.
const (
	changeVersion = 1

	changeHasOld  = 0x01
	changeHasNew  = 0x02
	changeExpired = 0x04
	changeFlags   = changeHasOld | changeHasNew | changeExpired
)

// sequenceBytes is the size of the key of a change.
const sequenceBytes = 8

// storedBytes returns what the change takes of its stream's limit.
func (c *Change) storedBytes() int64 {
	n := sequenceBytes + 10 + uvarintSize(uint64(c.Depth))
	for _, part := range []int{len(c.By), len(c.Key)} {
		n += uvarintSize(uint64(part)) + part
	}
	for _, image := range [][]byte{c.Old, c.New} {
		if image != nil {
			n += uvarintSize(uint64(len(image))) + len(image)
		}
	}
	return int64(n)
}

func uvarintSize(n uint64) (size int) {
	for size = 1; n >= 0x80; size++ {
		n >>= 7
	}
	return size
}

// encode returns the change in new bytes, without its sequence.
func (c *Change) encode() []byte {
	flags := byte(0)
	if c.Old != nil {
		flags |= changeHasOld
	}
	if c.New != nil {
		flags |= changeHasNew
	}
	if c.Expired {
		flags |= changeExpired
	}
	b := append(make([]byte, 0, c.storedBytes()-sequenceBytes), changeVersion, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(toMilli(c.Time)))
	b = binary.AppendUvarint(b, uint64(c.Depth))
	b = append(binary.AppendUvarint(b, uint64(len(c.By))), c.By...)
	b = append(binary.AppendUvarint(b, uint64(len(c.Key))), c.Key...)
	for _, image := range [][]byte{c.Old, c.New} {
		if image != nil {
			b = append(binary.AppendUvarint(b, uint64(len(image))), image...)
		}
	}
	return b
}

// decodeChange undoes encode. Old and New are parts of b. The error is ErrDamaged.
func decodeChange(sequence uint64, b []byte) (Change, error) {
	if len(b) < 10 || b[0] != changeVersion || b[1]&^changeFlags != 0 {
		return Change{}, errChange(sequence)
	}
	flags := b[1]
	c := Change{Sequence: sequence, Time: fromMilli(int64(binary.BigEndian.Uint64(b[2:]))), Expired: flags&changeExpired != 0}
	depth, n := binary.Uvarint(b[10:])
	if n <= 0 || depth > 1<<31-1 {
		return Change{}, errChange(sequence)
	}
	c.Depth = int(depth)
	rest, ok := b[10+n:], true
	next := func() (part []byte) {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			ok = false
			return nil
		}
		part, rest = rest[n:n+int(size):n+int(size)], rest[n+int(size):]
		return part
	}
	c.By = string(next())
	c.Key = string(next())
	if flags&changeHasOld != 0 {
		c.Old = next()
	}
	if flags&changeHasNew != 0 {
		c.New = next()
	}
	if !ok || len(rest) > 0 {
		return Change{}, errChange(sequence)
	}
	switch {
	case c.New == nil:
		c.Kind = ChangeRemove
	case c.Old == nil:
		c.Kind = ChangeInsert
	default:
		c.Kind = ChangeModify
	}
	return c, nil
}

func errChange(sequence uint64) error {
	return fmt.Errorf("%w: change %d cannot be read", ErrDamaged, sequence)
}

// changeTime returns when a change happened, in Unix milliseconds; long ago where it
// cannot be read.
func changeTime(b []byte) int64 {
	if len(b) < 10 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b[2:]))
}
