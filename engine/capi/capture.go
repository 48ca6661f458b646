package capi

// #include "ledge.h"
import "C"

import (
	"bytes"
	"fmt"
	"unsafe"
)

// Memory returns a copy of the Instance's linear memory.
func (in *Instance) Memory() []byte {
	return bytes.Clone(in.View())
}

// View borrows the Instance's linear memory: it is good until the Instance runs
// again, and must not be written to.
func (in *Instance) View() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(C.ledge_memory_data(in.c))), int(C.ledge_memory_size(in.c)))
}

// Grow adds pages of 64 KiB to the linear memory.
func (in *Instance) Grow(pages int) error {
	if !bool(C.ledge_grow(in.c, C.uint64_t(pages))) {
		return ErrNoMemory
	}
	return nil
}

// Files lists what the guest has open.
func (in *Instance) Files() []File {
	list := make([]File, in.c.nfiles)
	for i, f := range unsafe.Slice(in.c.files, len(list)) {
		if f.open {
			list[i] = File{Open: true, Directory: bool(f.directory), Mount: int(f.mount), Offset: uint64(f.offset), Path: C.GoString(f.path)}
		}
	}
	return list
}

// Global reads an exported global of a number type.
func (in *Instance) Global(name string) (Global, error) {
	var value C.wasmtime_val_t
	text, n := cbytes(name)
	if !bool(C.ledge_global_read(in.c, text, n, &value)) {
		return Global{}, fmt.Errorf("no exported global %q", name)
	}
	if value.kind > C.WASMTIME_V128 {
		return Global{}, fmt.Errorf("global %q is a reference", name)
	}
	g := Global{Name: name, Kind: Kind(value.kind)}
	size := map[Kind]int{I32: 4, I64: 8, F32: 4, F64: 8, V128: 16}[g.Kind]
	copy(g.Bits[:size], unsafe.Slice((*byte)(unsafe.Pointer(&value.of)), size))
	return g, nil
}

// TableHash returns a number that changes when the content of an exported table
// of functions does. It is false where there is no such table.
func (in *Instance) TableHash(name string) (uint64, bool) {
	var hash C.uint64_t
	text, n := cbytes(name)
	ok := bool(C.ledge_table_hash(in.c, text, n, &hash))
	return uint64(hash), ok
}

// Clock is the guest's monotonic clock now.
func (in *Instance) Clock() uint64 { return uint64(C.ledge_guest_clock(in.c)) }

// cbytes borrows the bytes of s for one C call.
func cbytes(s string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}
