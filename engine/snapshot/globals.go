package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"

	"ledge/engine/wasmbin"
)

// ErrFormat is wrapped by the errors of ParseGlobals. A caller's way out is to
// capture the snapshot anew.
var ErrFormat = errors.New("not a list of globals")

// Bounds of the encoding. Engines allow a module more globals; one that
// declares more mutable ones than this has no use for a snapshot.
const (
	MaxGlobals    = 1 << 16
	MaxNameLength = 1 << 8
)

// The encoding starts with this byte. Change it with the format: an old list
// is then refused and made anew.
const globalsVersion = 1

// AppendGlobals appends an encoding of globals to b:
//
//	version  1 byte
//	count    4 bytes, little endian
//	then for each global
//	  name   2 bytes of length, little endian, and the bytes
//	  kind   1 byte, as in the Wasm binary format
//	  bits   as many bytes as the kind has
//
// A list has only one encoding. AppendGlobals returns an error for what
// ParseGlobals would not take back: too many globals, a name that is too long,
// a kind that is not a number, bits past the kind's size.
func AppendGlobals(b []byte, globals []Global) ([]byte, error) {
	if len(globals) > MaxGlobals {
		return nil, fmt.Errorf("encode globals: %d are more than %d", len(globals), MaxGlobals)
	}
	b = append(b, globalsVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(globals)))
	for _, g := range globals {
		size := g.Kind.Size()
		switch {
		case len(g.Name) > MaxNameLength:
			return nil, fmt.Errorf("encode globals: a name of %d bytes is longer than %d", len(g.Name), MaxNameLength)
		case size == 0:
			return nil, fmt.Errorf("encode globals: %s is not a type of numbers", g.Kind)
		case g.Bits != firstBytes(g.Bits[:size]):
			return nil, fmt.Errorf("encode globals: %s has bits past the %d bytes of %s", g.Name, size, g.Kind)
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(len(g.Name)))
		b = append(b, g.Name...)
		b = append(b, byte(g.Kind))
		b = append(b, g.Bits[:size]...)
	}
	return b, nil
}

// ParseGlobals reads what AppendGlobals wrote, all of b. Its result shares
// nothing with b. Errors wrap ErrFormat.
func ParseGlobals(b []byte) ([]Global, error) {
	const header = 1 + 4
	if len(b) < header {
		return nil, fmt.Errorf("%w: truncated header", ErrFormat)
	}
	if b[0] != globalsVersion {
		return nil, fmt.Errorf("%w: version %d, want %d", ErrFormat, b[0], globalsVersion)
	}
	const smallest = 2 + 1 + 4
	n := binary.LittleEndian.Uint32(b[1:])
	b = b[header:]
	if n > MaxGlobals || int(n) > len(b)/smallest {
		return nil, fmt.Errorf("%w: %d entries cannot fit in %d bytes", ErrFormat, n, len(b))
	}
	globals := make([]Global, 0, n)
	for i := range n {
		g, rest, err := parseGlobal(b)
		if err != nil {
			return nil, fmt.Errorf("%w: entry %d: %s", ErrFormat, i, err)
		}
		globals, b = append(globals, g), rest
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrFormat, len(b))
	}
	return globals, nil
}

// parseGlobal reads one entry from the start of b and returns what follows it.
func parseGlobal(b []byte) (g Global, rest []byte, err error) {
	truncated := errors.New("truncated")
	if len(b) < 2 {
		return g, nil, truncated
	}
	length := int(binary.LittleEndian.Uint16(b))
	if length > MaxNameLength {
		return g, nil, fmt.Errorf("a name of %d bytes is longer than %d", length, MaxNameLength)
	}
	if b = b[2:]; len(b) < length+1 {
		return g, nil, truncated
	}
	g.Name, g.Kind, b = string(b[:length]), wasmbin.ValType(b[length]), b[length+1:]
	size := g.Kind.Size()
	if size == 0 {
		return g, nil, fmt.Errorf("%s is not a type of numbers", g.Kind)
	}
	if len(b) < size {
		return g, nil, truncated
	}
	g.Bits = firstBytes(b[:size])
	return g, b[size:], nil
}

// firstBytes returns a value that starts with b and is zero after it.
func firstBytes(b []byte) (bits [16]byte) {
	copy(bits[:], b)
	return bits
}
