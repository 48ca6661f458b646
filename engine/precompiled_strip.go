package engine

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// addressMap is the section of wasmtime's that tells which instruction of a module
// each one of the machine code was made of
// (https://docs.rs/wasmtime/latest/wasmtime/struct.Config.html#method.generate_address_map).
// It serves offsets in backtraces, which say nothing to the author of a Python function,
// and it is a third of the machine code. libwasmtime's C interface has no setting that
// leaves it out; without the section wasmtime does without it.
const addressMap = ".wasmtime.addrmap"

// Where a 64-bit ELF file has what withoutSection changes (the ELF-64 object file
// format, version 1.5, figures 2 and 7).
const (
	elfSectionTable = 0x28 // 8 bytes: offset of the table
	sectionHeader   = 0x40
	sectionOffset   = 0x18 // 8 bytes, of a header
	sectionSize     = 0x20 // 8 bytes
)

// withoutSection returns an artifact whose section name is empty. What follows it moves
// ahead by whole multiples of the largest alignment in the file, so less than one of
// these remains as zeros.
func withoutSection(artifact []byte, name string) ([]byte, error) {
	file, err := elf.NewFile(bytes.NewReader(artifact))
	if err != nil {
		return nil, fmt.Errorf("read artifact: %w", err)
	}
	section := file.Section(name)
	if section == nil {
		return artifact, nil
	}
	if file.Class != elf.ELFCLASS64 || file.ByteOrder != binary.LittleEndian || len(file.Progs) > 0 {
		return nil, errors.New("an artifact of wasmtime's is a 64-bit little-endian file of sections")
	}
	align := uint64(1)
	for _, s := range file.Sections {
		align = max(align, s.Addralign)
	}
	table := binary.LittleEndian.Uint64(artifact[elfSectionTable:])
	begin, end := section.Offset, section.Offset+section.FileSize
	cut := section.FileSize / align * align
	if end > uint64(len(artifact)) || table < end || table+uint64(len(file.Sections))*sectionHeader > uint64(len(artifact)) {
		return nil, fmt.Errorf("section %s is not before the table of sections", name)
	}

	out := make([]byte, 0, uint64(len(artifact))-cut)
	out = append(out, artifact[:begin]...)
	out = append(out, make([]byte, section.FileSize-cut)...)
	out = append(out, artifact[end:]...)
	table -= cut
	binary.LittleEndian.PutUint64(out[elfSectionTable:], table)
	for i, s := range file.Sections {
		header := out[table+uint64(i)*sectionHeader:]
		switch {
		case s == section:
			binary.LittleEndian.PutUint64(header[sectionSize:], 0)
		case s.Offset >= end:
			binary.LittleEndian.PutUint64(header[sectionOffset:], s.Offset-cut)
		case s.Offset > begin:
			return nil, fmt.Errorf("section %s lies inside of %s", s.Name, name)
		}
	}
	return out, nil
}
