package wasmbin

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
)

// epochCheck is an empty loop. Wasmtime looks at the epoch where a function
// starts and where a loop does, even one that does nothing. It takes nothing
// from the stack and has no branch, so that it may stand before any instruction
// without changing what the instruction means.
const epochCheck = "\x03\x40\x0b" // loop, blockEmpty, end

// maxFunctionSize is the limit in bytes that engines put on a function body
// (WebAssembly JavaScript interface, implementation-defined limits).
const maxFunctionSize = 7_654_321

// maxChecks is how many checks a function may get. Cranelift takes time in
// proportion to more than the number of blocks: about half a second for this
// many, five for four times as many. No compiler writes such functions.
const maxChecks = 10_000

// Interruptible returns the module with an epoch check before each bulk
// instruction of those functions that have more than most of them; a negative
// most counts as 0. Bulk instructions are memory.init, memory.copy,
// memory.fill, table.init, table.copy, table.grow and table.fill: a single one
// may take tens of milliseconds, and wasmtime looks at the epoch only at
// function entries and loops, so that a long line of them runs on past any
// deadline. With most 0, one of them at most comes between two looks at the
// epoch, whatever the code does.
//
// A larger most gives up that promise for code that means harm: a function
// that calls itself and then has a single bulk instruction runs one for each
// call as the calls return, and looks at the epoch at none. It only keeps the
// honest, who have long lines of them by accident, interruptible.
//
// Nothing else changes: indices, types, label depths and results are the same,
// and so is every byte of the other functions and sections. Only what refers to
// places in the code (DWARF, branch hints, names of labels) is no longer exact
// for the functions that changed. When none does, wasm is the slice that was
// parsed and changed is false; otherwise wasm is the caller's.
//
// Functions are decoded only if a scan for the bytes of bulk instructions finds
// more than most, so that an ordinary module costs that scan. Interruptible
// returns an *UnsupportedError when such a function uses an instruction that
// this package does not know, has more than 10,000 bulk instructions, or would
// become too long for an engine, and a *SyntaxError when it is damaged.
func (m *Module) Interruptible(most int) (wasm []byte, changed bool, err error) {
	most = max(most, 0)
	place := slices.IndexFunc(m.sections, func(s section) bool { return s.id == idCode })
	if place < 0 {
		return m.wasm, false, nil
	}
	s := m.sections[place]
	r := &reader{data: m.wasm, pos: s.at, end: s.at + len(s.body), section: sectionName(idCode)}
	var code []byte // the new content of the section, as far as copied
	copied := s.at
	var places []int // reused for each function
	for i := range r.count(1, "function body count") {
		start := r.pos
		body := r.bytes(uint64(r.u32("function body size")), "function body")
		if r.err != nil {
			return nil, false, r.err
		}
		if !mayExceed(body, most) {
			continue
		}
		index := m.imported[KindFunc] + i
		places, err = m.bulkPlaces(places[:0], r.pos-len(body), r.pos)
		var unknown *UnsupportedError
		switch {
		case errors.As(err, &unknown):
			return nil, false, &UnsupportedError{Why: fmt.Sprintf("%s in function %d", unknown.Why, index)}
		case err != nil:
			return nil, false, err
		case len(places) <= most:
			continue
		}
		size := len(body) + len(places)*len(epochCheck)
		if len(places) > maxChecks || size > maxFunctionSize {
			return nil, false, &UnsupportedError{Why: fmt.Sprintf("%d bulk instructions in function %d of %d bytes", len(places), index, len(body))}
		}
		code = append(code, m.wasm[copied:start]...)
		code = appendUnsigned(code, uint64(size))
		code = appendChecks(code, body, places)
		copied = r.pos
	}
	if err := r.done(); err != nil {
		return nil, false, err
	}
	if code == nil {
		return m.wasm, false, nil
	}
	code = append(code, m.wasm[copied:r.end]...)
	wasm, err = m.replaceSection(place, code)
	return wasm, err == nil, err
}

// mayExceed reports whether body could have more than most bulk instructions:
// whether it has so many bytes that are their prefix, with their number in the
// byte after. The number may be padded, so the bit for more to come is ignored.
func mayExceed(body []byte, most int) bool {
	for n := 0; ; {
		at := bytes.IndexByte(body, opMisc)
		if at < 0 || at+1 == len(body) {
			return false
		}
		body = body[at+1:]
		if isBulk(uint32(body[0] & 0x7f)) {
			if n++; n > most {
				return true
			}
		}
	}
}

// bulkPlaces decodes the function body m.wasm[start:end] and appends to places
// where in it each bulk instruction begins, in bytes from start.
func (m *Module) bulkPlaces(places []int, start, end int) ([]int, error) {
	r := &reader{data: m.wasm, pos: start, end: end, section: sectionName(idCode)}
	for n := r.count(2, "local count"); n > 0 && r.err == nil; n-- {
		r.u32("number of locals")
		r.operandType()
	}
	for r.left() > 0 {
		at := r.pos
		if r.instruction() && r.err == nil {
			places = append(places, at-start)
		}
	}
	return places, r.err
}

// appendChecks appends body with an epochCheck at each of places.
func appendChecks(b, body []byte, places []int) []byte {
	from := 0
	for _, at := range places {
		b = append(b, body[from:at]...)
		b = append(b, epochCheck...)
		from = at
	}
	return append(b, body[from:]...)
}

// replaceSection returns a copy of the module in which the section at that
// place, not a custom one, has the given content.
func (m *Module) replaceSection(place int, content []byte) ([]byte, error) {
	if uint64(len(content)) > math.MaxUint32 {
		return nil, &UnsupportedError{Why: "a section of more than 4 GiB"}
	}
	r := &reader{data: m.wasm, pos: len(preamble), end: len(m.wasm), section: "module"}
	start := r.pos
	for range place + 1 { // Parse has read them before, so there are no errors
		start = r.pos
		r.byte("section number")
		r.bytes(uint64(r.u32("section size")), "section")
	}
	const header = 1 + 5 // number and size, at most
	out := make([]byte, 0, start+header+len(content)+r.left())
	out = append(out, m.wasm[:start]...)
	out = appendSection(out, m.sections[place].id, content)
	return append(out, m.wasm[r.pos:]...), nil
}
