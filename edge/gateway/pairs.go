package gateway

import (
	"bytes"
	"hash/maphash"
)

// pairSet collects name-value pairs and finds those of the same name, in time
// in proportion to their number: a query may hold thousands of them. It is
// used again for the next set and allocates nothing once it is warm.
type pairSet struct {
	text  []byte // all names and values, each value behind its name
	list  []pair
	table []int32 // open addressing: an index into list plus 1, or 0
	seed  maphash.Seed
}

// pair is one name with one value. Pairs of one name form a chain that begins
// at the first of them.
type pair struct {
	start, middle, end int32 // text[start:middle] is the name, text[middle:end] the value
	next               int32 // the next pair of this name, or 0
	last               int32 // in a first pair: the last of its chain
	first              bool
}

// minPairTable is a power of two, as every size of the table.
const minPairTable = 64

func newPairSet() pairSet {
	return pairSet{seed: maphash.MakeSeed(), table: make([]int32, minPairTable)}
}

// reset empties the set and drops buffers that an unusual request made large.
func (s *pairSet) reset() {
	s.text, s.list = keep(s.text), s.list[:0]
	if len(s.table) > maxKept/16 {
		s.list, s.table = nil, make([]int32, minPairTable)
		return
	}
	clear(s.table)
}

// add makes text[start:middle] a name and the text behind it its value.
func (s *pairSet) add(start, middle int) {
	if 2*len(s.list) >= len(s.table) {
		s.grow()
	}
	at := int32(len(s.list))
	s.list = append(s.list, pair{start: int32(start), middle: int32(middle), end: int32(len(s.text)), last: at})
	s.link(at)
}

// link puts a pair into the table, or at the end of its name's chain.
func (s *pairSet) link(at int32) {
	name := s.name(at)
	mask := uint64(len(s.table) - 1)
	for slot := maphash.Bytes(s.seed, name) & mask; ; slot = (slot + 1) & mask {
		head := s.table[slot] - 1
		if head < 0 {
			s.table[slot] = at + 1
			s.list[at].first = true
			return
		}
		if bytes.Equal(s.name(head), name) {
			s.list[s.list[head].last].next = at
			s.list[head].last = at
			return
		}
	}
}

// grow doubles the table. Chains stay as they are; only their heads move.
func (s *pairSet) grow() {
	s.table = make([]int32, 2*len(s.table))
	mask := uint64(len(s.table) - 1)
	for i := range s.list {
		if !s.list[i].first {
			continue
		}
		slot := maphash.Bytes(s.seed, s.name(int32(i))) & mask
		for s.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		s.table[slot] = int32(i) + 1
	}
}

// first returns the first pair of a name, or -1.
func (s *pairSet) first(name []byte) int32 {
	mask := uint64(len(s.table) - 1)
	for slot := maphash.Bytes(s.seed, name) & mask; ; slot = (slot + 1) & mask {
		head := s.table[slot] - 1
		if head < 0 || bytes.Equal(s.name(head), name) {
			return head
		}
	}
}

func (s *pairSet) name(at int32) []byte  { return s.text[s.list[at].start:s.list[at].middle] }
func (s *pairSet) value(at int32) []byte { return s.text[s.list[at].middle:s.list[at].end] }

// appendJoined appends the values of a chain, joined by commas, as the inside
// of a JSON string.
func (s *pairSet) appendJoined(b []byte, at int32) []byte {
	for {
		b = appendEscaped(b, s.value(at))
		if at = s.list[at].next; at == 0 {
			return b
		}
		b = append(b, ',')
	}
}

// addQuery makes the fields of a query the set, percent-decoded.
func (s *pairSet) addQuery(query []byte) {
	s.reset()
	for len(query) > 0 {
		var field []byte
		field, query, _ = bytes.Cut(query, []byte{'&'})
		if len(field) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(field, []byte{'='})
		start := len(s.text)
		s.text = appendUnescaped(s.text, name, true)
		middle := len(s.text)
		s.text = appendUnescaped(s.text, value, true)
		s.add(start, middle)
	}
}
