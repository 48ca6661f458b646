package wasmbin

import (
	"fmt"
	"unicode/utf8"
)

// reader is a cursor over one section of a module. Its first error sticks and
// moves it to the end, after which every read returns zero: callers check err
// once per loop instead of once per field.
type reader struct {
	data    []byte // the whole module, so that offsets count from its start
	pos     int
	end     int // reading stops here
	section string
	err     error
}

func (r *reader) left() int { return r.end - r.pos }

// fail records a *SyntaxError at the offset at, unless there is an error already.
func (r *reader) fail(at int, format string, args ...any) {
	r.stop(&SyntaxError{Offset: at, Section: r.section, Why: fmt.Sprintf(format, args...)})
}

// unsupported records an *UnsupportedError, unless there is an error already.
func (r *reader) unsupported(format string, args ...any) {
	r.stop(&UnsupportedError{Why: fmt.Sprintf(format, args...)})
}

func (r *reader) stop(err error) {
	if r.err == nil {
		r.err = err
	}
	r.pos = r.end
}

func (r *reader) byte(what string) byte {
	if r.pos >= r.end {
		r.fail(r.pos, "truncated: %s is missing", what)
		return 0
	}
	b := r.data[r.pos]
	r.pos++
	return b
}

// bytes returns the next n bytes, borrowed from the module.
func (r *reader) bytes(n uint64, what string) []byte {
	if n > uint64(r.left()) {
		r.fail(r.pos, "truncated: %s needs %d bytes, %d are left", what, n, r.left())
		return nil
	}
	b := r.data[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// unsigned reads an unsigned LEB128 number of at most bits bits. The format
// allows padding with zero groups up to the width, and no further
// (core spec, binary format, values).
func (r *reader) unsigned(bits uint, what string) uint64 {
	at := r.pos
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b := r.byte(what)
		if shift+7 > bits && b>>(bits-shift) != 0 { // covers the continuation bit too
			r.fail(at, "%s does not fit in %d bits", what, bits)
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return v
		}
	}
}

// signed reads a signed LEB128 number of at most bits bits. In the last group
// the bits past the width must repeat the sign.
func (r *reader) signed(bits uint, what string) int64 {
	at := r.pos
	var v int64
	for shift := uint(0); ; shift += 7 {
		b := r.byte(what)
		if shift+7 > bits {
			rest := int8(b<<1) >> (bits - shift)
			if b&0x80 != 0 || (rest != 0 && rest != -1) {
				r.fail(at, "%s does not fit in %d bits", what, bits)
				return 0
			}
		}
		v |= int64(b&0x7f) << shift
		if b&0x80 == 0 {
			if shift += 7; shift < 64 && b&0x40 != 0 {
				v |= -1 << shift
			}
			return v
		}
	}
}

func (r *reader) u32(what string) uint32 { return uint32(r.unsigned(32, what)) }

// count reads the length of a vector. Each of its entries takes at least size
// bytes, so a count that cannot be true is refused before anything is
// allocated for it.
func (r *reader) count(size int, what string) int {
	at := r.pos
	n := r.u32(what)
	if uint64(n)*uint64(size) > uint64(r.left()) {
		r.fail(at, "truncated: %d entries cannot fit in the %d bytes left", n, r.left())
		return 0
	}
	return int(n)
}

// nameBytes reads a name, which the format requires to be UTF-8. The bytes are
// borrowed from the module.
func (r *reader) nameBytes(what string) []byte {
	n := r.u32(what)
	at := r.pos
	b := r.bytes(uint64(n), what)
	if !utf8.Valid(b) {
		r.fail(at, "%s is not valid UTF-8", what)
		return nil
	}
	return b
}

func (r *reader) name(what string) string { return string(r.nameBytes(what)) }

// flag reads a byte that must be 0 or 1.
func (r *reader) flag(what string) bool {
	at := r.pos
	b := r.byte(what)
	if b > 1 {
		r.fail(at, "%s must be 0 or 1, not %#x", what, b)
	}
	return b == 1
}

// done returns the error of the section, or one if bytes of it were not read.
func (r *reader) done() error {
	if r.err == nil && r.pos != r.end {
		r.fail(r.pos, "%d bytes too many", r.left())
	}
	return r.err
}
