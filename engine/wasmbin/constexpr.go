package wasmbin

import (
	"errors"
	"fmt"
)

// Instructions that a constant expression may hold (core spec, validation,
// constant expressions; the arithmetic came with the extended-const proposal).
const (
	opEnd       = 0x0b
	opGlobalGet = 0x23
	opI32Const  = 0x41
	opI64Const  = 0x42
	opF32Const  = 0x43
	opF64Const  = 0x44
	opI32Add    = 0x6a
	opI32Sub    = 0x6b
	opI32Mul    = 0x6c
	opI64Add    = 0x7c
	opI64Sub    = 0x7d
	opI64Mul    = 0x7e
	opRefNull   = 0xd0
	opRefFunc   = 0xd2
	opGC        = 0xfb
	opSIMD      = 0xfd
)

// simdV128Const is the number after opSIMD of the only vector constant.
const simdV128Const = 12

// constExpr reads a constant expression and returns its bytes with its end.
func (r *reader) constExpr() []byte {
	start := r.pos
	for r.err == nil {
		at := r.pos
		switch op := r.byte("constant expression"); op {
		case opEnd:
			return r.data[start:r.pos]
		case opI32Const:
			r.signed(32, "i32.const")
		case opI64Const:
			r.signed(64, "i64.const")
		case opF32Const:
			r.bytes(4, "f32.const")
		case opF64Const:
			r.bytes(8, "f64.const")
		case opGlobalGet, opRefFunc:
			r.u32("index")
		case opRefNull:
			r.signed(33, "heap type")
		case opI32Add, opI32Sub, opI32Mul, opI64Add, opI64Sub, opI64Mul:
		case opGC:
			r.unsupported("instructions of the GC proposal")
		case opSIMD:
			if r.u32("vector instruction") != simdV128Const {
				r.fail(at, "the vector instruction is not a constant")
			}
			r.bytes(16, "v128.const")
		default:
			r.fail(at, "instruction %#x is not constant", op)
		}
	}
	return nil
}

// maxConstDepth bounds how far evalI32 follows globals that are defined by
// other globals. Toolchains do not nest them at all.
const maxConstDepth = 8

// evalI32 computes an expression that constExpr read and that must give an
// i32. It returns an *UnsupportedError when the value is known only when the
// module is instantiated, and another error when the expression is not valid.
func (m *Module) evalI32(expr []byte, depth int) (int32, error) {
	var stack []int32
	r := &reader{data: expr, end: len(expr), section: "constant expression"}
	for r.err == nil {
		switch op := r.byte("instruction"); op {
		case opI32Const:
			stack = append(stack, int32(r.signed(32, "i32.const")))
		case opGlobalGet:
			v, err := m.evalGlobal(r.u32("global index"), depth)
			if err != nil {
				return 0, err
			}
			stack = append(stack, v)
		case opI32Add, opI32Sub, opI32Mul:
			n := len(stack)
			if n < 2 {
				return 0, errors.New("an operand is missing")
			}
			a, b := stack[n-2], stack[n-1]
			switch op {
			case opI32Add:
				a += b
			case opI32Sub:
				a -= b
			case opI32Mul:
				a *= b
			}
			stack = append(stack[:n-2], a)
		case opEnd:
			if len(stack) != 1 {
				return 0, fmt.Errorf("%d values where one is due", len(stack))
			}
			return stack[0], nil
		default:
			return 0, fmt.Errorf("instruction %#x does not give an i32", op)
		}
	}
	return 0, r.err
}

// evalGlobal returns the value that an immutable i32 global of the module's
// own will have.
func (m *Module) evalGlobal(index uint32, depth int) (int32, error) {
	switch {
	case uint64(index) >= uint64(len(m.globals)):
		return 0, fmt.Errorf("global %d does not exist; there are %d", index, len(m.globals))
	case m.globals[index].init == nil:
		return 0, &UnsupportedError{Why: fmt.Sprintf("an offset that depends on the imported global %d", index)}
	case m.globals[index].mutable:
		return 0, fmt.Errorf("global %d is mutable, so it is not constant", index)
	case depth >= maxConstDepth:
		return 0, &UnsupportedError{Why: "globals nested too deeply in constant expressions"}
	}
	return m.evalI32(m.globals[index].init, depth+1)
}
