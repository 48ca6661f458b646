package persist

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// boltMeta is what a meta page says.
type boltMeta struct {
	pageSize, root, freelist, pages, tx uint64
}

// newestMeta returns the meta page of the newest transaction. It looks for the
// second where bbolt does: after a first page of any size from 1 KiB to 16 MiB.
func newestMeta(r io.ReaderAt, size int64) (newest boltMeta, err error) {
	found := false
	for _, at := range metaOffsets(r, size) {
		var b [pageHead + metaSize]byte
		if _, err := r.ReadAt(b[:], at); err != nil {
			continue // cut off
		}
		if m, ok := parseMeta(b[pageHead:]); ok && (!found || m.tx > newest.tx) {
			newest, found = m, true
		}
	}
	if !found {
		return boltMeta{}, fmt.Errorf("%w: it is not a database, or both of its meta pages are lost", ErrDamaged)
	}
	return newest, nil
}

// metaOffsets returns where meta pages may be.
func metaOffsets(r io.ReaderAt, size int64) []int64 {
	var b [pageHead + metaSize]byte
	if _, err := r.ReadAt(b[:], 0); err == nil {
		if m, ok := parseMeta(b[pageHead:]); ok {
			return []int64{0, int64(m.pageSize)}
		}
	}
	var offsets []int64
	for at := int64(1 << 10); at <= 16<<20 && at < size; at *= 2 {
		offsets = append(offsets, at)
	}
	return offsets
}

func parseMeta(b []byte) (m boltMeta, ok bool) {
	le := binary.LittleEndian
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	if le.Uint32(b) != boltMagic || le.Uint32(b[4:]) != boltVersion || le.Uint64(b[metaSize-8:]) != sum.Sum64() {
		return boltMeta{}, false
	}
	m = boltMeta{
		pageSize: uint64(le.Uint32(b[8:])),
		root:     le.Uint64(b[16:]),
		freelist: le.Uint64(b[32:]),
		pages:    le.Uint64(b[40:]),
		tx:       le.Uint64(b[48:]),
	}
	return m, m.pageSize >= 1<<10 && m.pageSize <= 16<<20
}
