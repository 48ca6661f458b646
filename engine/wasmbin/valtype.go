package wasmbin

import (
	"fmt"
	"strings"
)

// ValType is the type of a value, as the byte that stands for it in the binary
// format (core spec, binary format, types).
type ValType byte

// The value types that this package knows.
const (
	I32       ValType = 0x7f
	I64       ValType = 0x7e
	F32       ValType = 0x7d
	F64       ValType = 0x7c
	V128      ValType = 0x7b
	FuncRef   ValType = 0x70
	ExternRef ValType = 0x6f
	ExnRef    ValType = 0x69
)

func (t ValType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	case ExnRef:
		return "exnref"
	}
	return fmt.Sprintf("type(%#x)", byte(t))
}

// Size returns how many bytes a number of this type takes in memory, and 0 for
// references, which have no representation there.
func (t ValType) Size() int {
	switch t {
	case I32, F32:
		return 4
	case I64, F64:
		return 8
	case V128:
		return 16
	}
	return 0
}

// IsRef reports whether t is a reference type.
func (t ValType) IsRef() bool { return t == FuncRef || t == ExternRef || t == ExnRef }

// FuncType is a function's type. The slices are owned by the Module.
type FuncType struct{ Params, Results []ValType }

// String returns the type in a compact form: "(i32,i64)->(i32)".
func (t FuncType) String() string {
	var b strings.Builder
	b.Grow(4 + 5*(len(t.Params)+len(t.Results)))
	list := func(types []ValType) {
		b.WriteByte('(')
		for i, v := range types {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(v.String())
		}
		b.WriteByte(')')
	}
	list(t.Params)
	b.WriteString("->")
	list(t.Results)
	return b.String()
}

// PageSize is the unit of memory sizes, in bytes.
const PageSize = 65536

// MaxPages is the largest size of a 32-bit memory, in pages: 4 GiB.
const MaxPages = 65536

// Limits are the size limits of a memory, in pages, or of a table, in elements.
type Limits struct {
	Min    uint64
	Max    uint64 // meaningful only where HasMax is set
	HasMax bool
	Shared bool // a memory that threads share
	Is64   bool // addressed by i64
}

// String returns the limits as "1..16", or "1.." without a maximum.
func (l Limits) String() string {
	text := fmt.Sprintf("%d..", l.Min)
	if l.HasMax {
		text += fmt.Sprint(l.Max)
	}
	if l.Shared {
		text += " shared"
	}
	if l.Is64 {
		text += " i64"
	}
	return text
}

// valType reads a value type.
func (r *reader) valType(what string) ValType {
	at := r.pos
	t := ValType(r.byte(what))
	switch {
	case r.err != nil:
	case t.Size() != 0 || t.IsRef():
		return t
	case t >= 0x63 && t <= 0x74:
		r.unsupported("reference types of the function-references and GC proposals")
	default:
		r.fail(at, "%#x is not a value type (%s)", byte(t), what)
	}
	return 0
}

// refType reads a value type that must be a reference.
func (r *reader) refType(what string) ValType {
	at := r.pos
	t := r.valType(what)
	if r.err == nil && !t.IsRef() {
		r.fail(at, "%s is not a reference type (%s)", t, what)
	}
	return t
}

// valTypes reads a vector of value types.
func (r *reader) valTypes(what string) []ValType {
	n := r.count(1, what)
	types := make([]ValType, 0, n)
	for range n {
		types = append(types, r.valType(what))
		if r.err != nil {
			return nil
		}
	}
	return types
}

// limits reads the limits of a memory or table.
func (r *reader) limits(what string) Limits {
	const hasMax, shared, is64, pageSize = 1, 2, 4, 8
	at := r.pos
	flags := r.byte(what)
	switch {
	case flags&^(hasMax|shared|is64|pageSize) != 0:
		r.fail(at, "%#x are not the flags of %s limits", flags, what)
	case flags&pageSize != 0:
		r.unsupported("memories with their own page size")
	}
	l := Limits{HasMax: flags&hasMax != 0, Shared: flags&shared != 0, Is64: flags&is64 != 0}
	width := uint(32)
	if l.Is64 {
		width = 64
	}
	l.Min = r.unsigned(width, what+" minimum")
	if l.HasMax {
		l.Max = r.unsigned(width, what+" maximum")
		if r.err == nil && l.Max < l.Min {
			r.fail(at, "%s maximum %d is less than its minimum %d", what, l.Max, l.Min)
		}
	}
	return l
}
