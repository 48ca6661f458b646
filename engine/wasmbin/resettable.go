package wasmbin

import "errors"

// Resettable reports whether all state that the module's code can change is in
// its memory and its mutable globals: whether no instruction changes a table or
// drops a segment. An instance of such a module is as new when those are put
// back. Code that cannot be decoded counts as changing something. It reads every
// instruction, at some 100 MB/s.
func (m *Module) Resettable() (bool, error) {
	body := m.body(idCode)
	if body == nil {
		return true, nil
	}
	r := &reader{data: body, end: len(body), section: sectionName(idCode)}
	for range r.count(1, "function body count") {
		size := int(r.u32("function body size"))
		end := r.pos + size
		if r.err != nil || end > r.end || end < r.pos {
			break
		}
		for n := r.count(2, "local count"); n > 0 && r.err == nil; n-- {
			r.u32("number of locals")
			r.operandType()
		}
		for r.pos < end && r.err == nil {
			at := r.pos
			r.instruction()
			if r.err == nil && changesState(body[at:r.pos]) {
				return false, nil
			}
		}
	}
	var unknown *UnsupportedError
	err := r.done()
	if errors.As(err, &unknown) {
		return false, nil
	}
	return err == nil, err
}

// changesState reports whether the instruction changes a table or drops a segment.
func changesState(instruction []byte) bool {
	switch instruction[0] {
	case 0x26: // table.set
		return true
	case opMisc:
		number := (&reader{data: instruction, pos: 1, end: len(instruction)}).u32("instruction number")
		switch number {
		case 9, 13, // data.drop, elem.drop
			12, 14, 15, 17: // table.init, copy, grow, fill
			return true
		}
	}
	return false
}
