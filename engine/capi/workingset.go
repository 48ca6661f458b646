package capi

// #include "ledge.h"
// #include <stdatomic.h>
//
// static void set_prefault(ledge_template *t, const ledge_prefault_set *set) {
//   atomic_store_explicit(&t->prefault, set, memory_order_release);
// }
import "C"

import "unsafe"

// Range is a part of a linear memory, in whole pages of the host.
type Range struct{ Offset, Len uint64 }

const (
	maxRanges       = C.LEDGE_MAX_RANGES
	maxWorkingPages = 1024 // 4 MiB: beyond it copying ahead costs more than faults
)

// WorkingSet returns the pages of the Instance's memory that are its own and no
// longer its image's: those that were written to. It is false where they cannot
// be told, or are too many for Prefault to pay.
func (in *Instance) WorkingSet() ([]Range, bool) {
	var ranges [maxRanges]C.ledge_range
	n := C.size_t(maxRanges)
	if !bool(C.ledge_working_set(in.c, &ranges[0], &n, maxWorkingPages)) {
		return nil, false
	}
	list := make([]Range, n)
	for i := range list {
		list[i] = Range{uint64(ranges[i].offset), uint64(ranges[i].len)}
	}
	return list, true
}

// Prefault makes Instances that are restored from now on copy these pages of
// the image before the guest runs, instead of one by one when it writes to
// them. content is what the image has there, one range behind the other; it is
// copied. It may be called once for a Template, while Instances are made.
func (t *Template) Prefault(ranges []Range, content []byte) {
	set := (*C.ledge_prefault_set)(t.alloc(C.sizeof_ledge_prefault_set))
	set.n = C.size_t(len(ranges))
	set.ranges = (*C.ledge_range)(t.alloc(len(ranges) * C.sizeof_ledge_range))
	size := 0
	for i, r := range ranges {
		unsafe.Slice(set.ranges, len(ranges))[i] = C.ledge_range{offset: C.uint64_t(r.Offset), len: C.uint64_t(r.Len)}
		size += int(r.Len)
	}
	if size > 0 && size == len(content) {
		room := t.alloc(size)
		copy(unsafe.Slice((*byte)(room), size), content)
		set.content = (*C.uint8_t)(room)
	}
	C.set_prefault(t.c, set)
}
