package wasmbin

import (
	"bytes"
	"fmt"
	"slices"
)

// MemoryExport is the name under which an image module exports its memory.
const MemoryExport = "memory"

// MaxImageData is the largest number of non-zero bytes that EncodeImage turns
// into an image. An image is for starting instances fast; a gigabyte of state
// is not a start-up state.
const MaxImageData = 1 << 30

// imagePage is the grain at which an image tells zeros from content: the page
// of most kernels, and a divisor of the others'.
const imagePage = 4096

// Wasmtime maps an image copy-on-write only if it is dense: more than half of
// the range from its first to its last byte is data, or the range is under
// denseRange (Config::memory_guaranteed_dense_image_size, which the C API does
// not offer). Otherwise it copies the segments into every instance. EncodeImage
// pads an image with zeros to the density, which costs no more than the
// artifact, dense anyway, does; but not beyond maxPaddedRange, where the
// artifact would wear the flash for little.
const (
	denseRange     = 16 << 20
	maxPaddedRange = 64 << 20
	// rangeSlack covers the range being rounded to the kernel's pages.
	rangeSlack = 2 * PageSize
)

// maxDataSegments is the limit that engines put on a module (WebAssembly
// JavaScript interface, implementation-defined limits).
const maxDataSegments = 100_000

// run is a stretch of memory that holds content.
type run struct {
	at   int // bytes from the start of the memory
	data []byte
}

func (r run) end() int { return r.at + len(r.data) }

// EncodeImage returns a module that is nothing but a memory with the content
// of memory, exported as MemoryExport. It imports nothing and has no code.
//
// The memory's minimum is its present size, so that trailing zeros keep their
// place. max is its maximum in pages, nil for none; give the one that the
// module which will import the memory declares, or a smaller one.
//
// The result is the caller's and keeps no reference to memory. EncodeImage
// returns an error when memory is not a whole number of pages or more than
// MaxPages, when max is less than its size, and when more than MaxImageData of
// it is not zero.
func EncodeImage(memory []byte, max *uint32) ([]byte, error) {
	limits := Limits{Min: uint64(len(memory) / PageSize)}
	if max != nil {
		limits.Max, limits.HasMax = uint64(*max), true
	}
	switch {
	case len(memory)%PageSize != 0:
		return nil, fmt.Errorf("encode memory image: %d bytes are not a whole number of pages", len(memory))
	case limits.Min > MaxPages:
		return nil, fmt.Errorf("encode memory image: %d pages are more than %d", limits.Min, MaxPages)
	case limits.HasMax && limits.Max < limits.Min:
		return nil, fmt.Errorf("encode memory image: %d pages are more than the maximum of %d", limits.Min, limits.Max)
	}
	runs := contentRuns(memory)
	if n := dataSize(runs); n > MaxImageData {
		return nil, fmt.Errorf("encode memory image: %d bytes of content are more than %d", n, MaxImageData)
	}
	return encodeMemoryModule(limits, joinRuns(memory, runs)), nil
}

// contentRuns returns the stretches of pages of memory that are not zero, in
// order. They borrow from memory.
func contentRuns(memory []byte) []run {
	var zero [imagePage]byte
	var runs []run
	start := -1
	for at := 0; at < len(memory); at += imagePage {
		page := memory[at:min(at+imagePage, len(memory))]
		switch blank := bytes.Equal(page, zero[:len(page)]); {
		case blank && start >= 0:
			runs = append(runs, run{start, memory[start:at]})
			start = -1
		case !blank && start < 0:
			start = at
		}
	}
	if start >= 0 {
		runs = append(runs, run{start, memory[start:]})
	}
	return runs
}

func dataSize(runs []run) int {
	n := 0
	for _, r := range runs {
		n += len(r.data)
	}
	return n
}

// joinRuns fills gaps between runs with the zeros that memory has there, the
// smallest gaps first, until there are few enough runs for a module and enough
// data for wasmtime to call the image dense. It changes runs in place.
func joinRuns(memory []byte, runs []run) []run {
	if len(runs) < 2 {
		return runs
	}
	joins := max(0, len(runs)-maxDataSegments)
	padding := 0
	if extent := runs[len(runs)-1].end() - runs[0].at; extent >= denseRange-rangeSlack && extent <= maxPaddedRange {
		padding = max(0, extent/2+rangeSlack-dataSize(runs))
	}
	if joins == 0 && padding == 0 {
		return runs
	}

	gap := func(i int) int { return runs[i+1].at - runs[i].end() } // after run i
	order := make([]int, len(runs)-1)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return gap(a) - gap(b) })
	fill := make([]int, len(order)) // how much of the gap after each run
	for _, i := range order {
		if joins <= 0 && padding <= 0 {
			break
		}
		fill[i] = gap(i)
		if joins <= 0 { // only bytes are wanted: no more than needed
			fill[i] = min(fill[i], (padding+imagePage-1)/imagePage*imagePage)
		}
		joins--
		padding -= fill[i]
	}

	joined := runs[:1]
	for i, filled := range fill {
		last, next := &joined[len(joined)-1], runs[i+1]
		last.data = memory[last.at : last.end()+filled]
		if last.end() == next.at {
			last.data = memory[last.at:next.end()]
		} else {
			joined = append(joined, next)
		}
	}
	return joined
}

// encodeMemoryModule returns a module that defines and exports a memory of
// those limits with the content of runs, in one allocation.
func encodeMemoryModule(limits Limits, runs []run) []byte {
	const perSegment = 1 + 1 + 5 + 1 // form, i32.const, its operand at most, end
	size := 64
	for _, r := range runs {
		size += perSegment + unsignedSize(uint64(len(r.data))) + len(r.data)
	}
	out := append(make([]byte, 0, size), preamble...)
	out = appendSection(out, idMemory, appendMemoryType([]byte{1}, limits))
	out = appendSection(out, idExport, appendExport([]byte{1}, MemoryExport, KindMemory, 0))
	if len(runs) == 0 {
		return out
	}

	// The size of the section comes first, so it is computed before its content
	// is written; the headers are small, the content is copied once.
	heads := make([]byte, 0, len(runs)*(perSegment+5))
	ends := make([]int, 0, len(runs))
	for _, r := range runs {
		heads = append(heads, 0, opI32Const)
		heads = appendSigned(heads, int64(int32(uint32(r.at))))
		heads = append(heads, opEnd)
		heads = appendUnsigned(heads, uint64(len(r.data)))
		ends = append(ends, len(heads))
	}
	content := unsignedSize(uint64(len(runs))) + len(heads) + dataSize(runs)
	out = appendUnsigned(append(out, idData), uint64(content))
	out = appendUnsigned(out, uint64(len(runs)))
	start := 0
	for i, r := range runs {
		out = append(out, heads[start:ends[i]]...)
		out = append(out, r.data...)
		start = ends[i]
	}
	return out
}

// ContentSize returns how many bytes of memory lie in pages of 4 KiB that are
// not all zero: about what an image of it takes.
func ContentSize(memory []byte) int64 { return int64(dataSize(contentRuns(memory))) }
