package snapshot

import (
	"fmt"

	"ledge/engine/wasmbin"
)

// Snapshot is the state of one initialised module that wasmbin.Split took apart.
type Snapshot struct {
	// Memory is a copy of the whole linear memory, a whole number of pages. The
	// snapshot owns it.
	Memory []byte
	// MaxPages is the maximum that the memory shall have after a restore, nil
	// for none. It must not be more than the module declares.
	MaxPages *uint32
	// Globals are the mutable globals, by index.
	Globals []Global
}

// Global is the value of one mutable global.
type Global struct {
	Name string // as the split code exports it
	Kind wasmbin.ValType
	// Bits is the value, little endian, in its first Kind.Size() bytes; the
	// rest is zero.
	Bits [16]byte
}

// Image returns the memory as a Wasm module that defines and exports it and
// does nothing else; see wasmbin.EncodeImage for its errors. The result shares
// nothing with the snapshot.
func (s *Snapshot) Image() ([]byte, error) {
	image, err := wasmbin.EncodeImage(s.Memory, s.MaxPages)
	if err != nil {
		return nil, fmt.Errorf("make snapshot image: %w", err)
	}
	return image, nil
}

// Stats are sizes of a Snapshot, for reports and budgets.
type Stats struct {
	Pages   int   // size of the memory in units of wasmbin.PageSize
	Content int64 // bytes in pages of 4 KiB that are not all zero: what an image costs
	Globals int
}

// Stats reads through the memory, at the speed of memory.
func (s *Snapshot) Stats() Stats {
	return Stats{
		Pages:   len(s.Memory) / wasmbin.PageSize,
		Content: wasmbin.ContentSize(s.Memory),
		Globals: len(s.Globals),
	}
}
