package wasmbin

// Instructions that have a part in the code below, and the prefixes of those
// whose number follows (core spec, binary format, instructions).
const (
	opLoop   = 0x03
	opMisc   = 0xfc
	opAtomic = 0xfe

	blockEmpty = 0x40 // the type of a block without parameters and results
)

// isBulk reports whether the instruction with that number after opMisc works
// on a stretch of memory or table whose length is an operand.
func isBulk(number uint32) bool {
	switch number {
	case 8, 10, 11, // memory.init, copy, fill
		12, 14, 15, 17: // table.init, copy, grow, fill
		return true
	}
	return false
}

// instruction reads one instruction of a function body and reports whether
// isBulk is true of it. It knows where each instruction of WebAssembly 3.0 and
// of the threads and wide-arithmetic proposals ends, and stops with an
// *UnsupportedError at any other: those of the GC proposal, and those that
// proposals may yet define. It checks no more than it needs to find the end.
func (r *reader) instruction() (bulk bool) {
	switch op := r.byte("instruction"); op {
	case 0x00, 0x01, // unreachable, nop
		0x05, 0x0a, opEnd, 0x0f, // else, throw_ref, end, return
		0x1a, 0x1b, // drop, select
		0xd1, 0xd4: // ref.is_null, ref.as_non_null
	case 0x02, opLoop, 0x04: // block, loop, if
		r.blockType()
	case 0x1f: // try_table
		r.blockType()
		r.catches()
	case 0x08, 0x0c, 0x0d, // throw, br, br_if
		0x10, 0x12, 0x14, 0x15, // call, return_call, call_ref, return_call_ref
		0x20, 0x21, 0x22, opGlobalGet, 0x24, 0x25, 0x26, // local, global and table; get, set, tee
		0x3f, 0x40, // memory.size, memory.grow
		opRefFunc, 0xd5, 0xd6: // ref.func, br_on_null, br_on_non_null
		r.u32("index")
	case 0x11, 0x13: // call_indirect, return_call_indirect
		r.u32("type index")
		r.u32("table index")
	case 0x0e: // br_table
		for n := r.count(1, "label count"); n > 0 && r.err == nil; n-- {
			r.u32("label")
		}
		r.u32("default label")
	case 0x1c: // select with types
		for n := r.count(1, "type count"); n > 0 && r.err == nil; n-- {
			r.operandType()
		}
	case opI32Const:
		r.signed(32, "i32.const")
	case opI64Const:
		r.signed(64, "i64.const")
	case opF32Const:
		r.bytes(4, "f32.const")
	case opF64Const:
		r.bytes(8, "f64.const")
	case opRefNull:
		r.heapType()
	case opMisc:
		return r.misc()
	case opSIMD:
		r.vector()
	case opAtomic:
		r.atomic()
	default:
		switch {
		case op >= 0x28 && op <= 0x3e: // loads and stores
			r.memArg()
		case op >= 0x45 && op <= 0xc4: // arithmetic
		default:
			r.unsupported("instruction %#x", op)
		}
	}
	return false
}

// misc reads the rest of an instruction that starts with opMisc.
func (r *reader) misc() (bulk bool) {
	number := r.u32("instruction number")
	switch number {
	case 0, 1, 2, 3, 4, 5, 6, 7, // saturating truncation
		19, 20, 21, 22: // wide arithmetic
	case 9, 11, // data.drop, memory.fill
		13, 15, 16, 17: // elem.drop; table.grow, size, fill
		r.u32("index")
	case 8, 10, // memory.init, memory.copy
		12, 14: // table.init, table.copy
		r.u32("index")
		r.u32("index")
	default:
		r.unsupported("instruction %#x %d", opMisc, number)
	}
	return isBulk(number)
}

// vector reads the rest of an instruction that starts with opSIMD.
func (r *reader) vector() {
	switch number := r.u32("instruction number"); {
	case number == simdV128Const, number == 13: // i8x16.shuffle
		r.bytes(16, "v128.const or i8x16.shuffle")
	case number <= 11, number == 92, number == 93: // loads and v128.store
		r.memArg()
	case number >= 21 && number <= 34: // extract_lane and replace_lane
		r.byte("lane")
	case number >= 84 && number <= 91: // loads and stores of a lane
		r.memArg()
		r.byte("lane")
	case number <= 255 && !vectorGap(number): // arithmetic
	case number >= 0x100 && number <= 0x113: // relaxed SIMD
	default:
		r.unsupported("instruction %#x %d", opSIMD, number)
	}
}

// vectorGap reports whether no instruction has that number, which is less than
// 256, after opSIMD.
func vectorGap(number uint32) bool {
	switch number {
	case 0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb,
		0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee:
		return true
	}
	return false
}

// atomic reads the rest of an instruction that starts with opAtomic.
func (r *reader) atomic() {
	switch number := r.u32("instruction number"); {
	case number <= 2, number >= 0x10 && number <= 0x4e:
		r.memArg()
	case number == 3: // atomic.fence
		r.byte("memory order")
	default:
		r.unsupported("instruction %#x %d", opAtomic, number)
	}
}

// memArg reads the alignment, memory and offset of a memory access.
func (r *reader) memArg() {
	const align, hasMemory = 0x1f, 0x40
	flags := r.u32("alignment")
	if flags&^(align|hasMemory) != 0 {
		r.unsupported("memory access with the flags %#x", flags)
	}
	if flags&hasMemory != 0 {
		r.u32("memory index")
	}
	r.unsigned(64, "offset") // a 32-bit memory wants less; a validator says so
}

// catches reads the handlers of a try_table.
func (r *reader) catches() {
	for n := r.count(2, "handler count"); n > 0 && r.err == nil; n-- {
		switch kind := r.byte("handler"); kind {
		case 0, 1: // catch, catch_ref
			r.u32("tag index")
		case 2, 3: // catch_all, catch_all_ref
		default:
			r.unsupported("exception handler %#x", kind)
		}
		r.u32("label")
	}
}

// blockType reads the type of a block: the index of a function type, or a
// value type, which is a negative number of one byte so that it can be told
// apart.
func (r *reader) blockType() {
	at := r.pos
	switch n := r.signed(33, "block type"); {
	case r.err != nil || n >= 0:
	case r.pos > at+1:
		r.unsupported("block type %d", n)
	case byte(n)&0x7f != blockEmpty:
		r.restOfType(byte(n) & 0x7f)
	}
}

// operandType reads a value type as instructions name it. Unlike valType it
// takes all kinds of reference, since it need not tell them apart.
func (r *reader) operandType() { r.restOfType(r.byte("type")) }

// restOfType reads what follows the first byte of a value type.
func (r *reader) restOfType(first byte) {
	const refNull, ref = 0x63, 0x64
	switch {
	case ValType(first).Size() != 0, isAbstractHeap(first):
	case first == refNull, first == ref:
		r.heapType()
	default:
		r.unsupported("type %#x", first)
	}
}

// heapType reads the index of a type or an abstract heap type.
func (r *reader) heapType() {
	at := r.pos
	n := r.signed(33, "heap type")
	if n < 0 && (r.pos > at+1 || !isAbstractHeap(byte(n)&0x7f)) {
		r.unsupported("heap type %d", n)
	}
}

// isAbstractHeap reports whether b is a heap type other than an index, which is
// also the short form of a reference to it: func, extern, any, exn, and so on.
func isAbstractHeap(b byte) bool { return b >= 0x68 && b <= 0x75 }
