package wasmbin

import "encoding/binary"

// appendUnsigned appends v as unsigned LEB128 in its shortest form.
func appendUnsigned(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// appendSigned appends v as signed LEB128 in its shortest form.
func appendSigned(b []byte, v int64) []byte {
	for {
		group := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && group&0x40 == 0) || (v == -1 && group&0x40 != 0) {
			return append(b, group)
		}
		b = append(b, group|0x80)
	}
}

func appendName(b []byte, name string) []byte {
	return append(appendUnsigned(b, uint64(len(name))), name...)
}

// appendSection appends a section whose content is the parts put together.
func appendSection(b []byte, id byte, parts ...[]byte) []byte {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	b = appendUnsigned(append(b, id), uint64(size))
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func appendExport(b []byte, name string, kind Kind, index uint32) []byte {
	return appendUnsigned(append(appendName(b, name), byte(kind)), uint64(index))
}

// appendMemoryType appends the limits of a 32-bit, unshared memory.
func appendMemoryType(b []byte, l Limits) []byte {
	if !l.HasMax {
		return appendUnsigned(append(b, 0), l.Min)
	}
	return appendUnsigned(appendUnsigned(append(b, 1), l.Min), l.Max)
}

// unsignedSize returns how many bytes appendUnsigned appends.
func unsignedSize(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
