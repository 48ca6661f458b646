package wasmbin

import (
	"fmt"
	"strconv"
	"strings"
)

// Names that Split adds to a module. A module that uses them itself is refused.
const (
	ImportModule = "ledge"  // the code imports its memory from here
	ImportMemory = "memory" // under this name

	reservedPrefix = "ledge:"
	startExport    = reservedPrefix + "start"
	globalPrefix   = reservedPrefix + "global:" // and the global's index
	tablePrefix    = reservedPrefix + "table:"  // and the table's index
)

// Parts is a module taken apart by Split. Its slices are the caller's and keep
// no reference to the original.
type Parts struct {
	// Code is the original module, except that
	//   - it imports its memory as ImportModule, ImportMemory, with the limits
	//     that it declared. The memory that it is given must have at least that
	//     minimum, and where there is a maximum, one that is no larger;
	//   - its active data segments do nothing;
	//   - it has no start function: that is exported as StartExport;
	//   - its mutable globals and its tables are exported, see Globals and Tables;
	//   - custom sections are gone, but for the names of functions.
	// Exports and the indices of functions, globals and tables are unchanged.
	Code []byte

	// Image is a module that defines the memory with the content of the active
	// data segments, as the original has it before its start function runs. It
	// exports it as MemoryExport, with the declared limits.
	Image []byte

	Memory  Limits         // as declared, in pages
	Globals []GlobalExport // all mutable globals, by index
	Tables  []string       // names under which all tables are exported, by index

	// StartExport is the name of the former start function, of type ()->(), or
	// empty. Call it once for an instance on Image, and never for an instance
	// on a captured memory.
	StartExport string
}

// GlobalExport is a mutable global that Code exports for capture and restore.
type GlobalExport struct {
	Name  string // "ledge:global:" and the index
	Index uint32
	Type  ValType // a number, never a reference
}

// Split takes a module apart into code and memory, so that the code is
// compiled once and used with many memories. An instance of Code on an
// instance of Image, whose StartExport has been called, behaves as an instance
// of the original. It gives every piece of state that a snapshot needs an
// exported name: the memory, the mutable globals and the tables.
//
// Not restored with those are the segments that the code dropped (data.drop,
// elem.drop): a restored instance has them again. Code can tell only by using a
// segment that it dropped, which traps in the original. Toolchains fill memory
// from passive segments in a start function and drop them, and neither call it
// nor use them twice. Tables are filled again by Code itself; the caller must
// see to it that initialisation left them as they were.
//
// Errors are those of Parse, a *SyntaxError for data that lies outside the
// memory, and an *UnsupportedError for a module that has no memory, several, or
// one that is imported, shared or addressed by 64 bits; a table that is
// imported; mutable globals that hold references or are imported; data at an
// offset that depends on an import; or a reserved name. A module that is refused
// as unsupported may run well unsplit.
func Split(wasm []byte) (*Parts, error) {
	m, err := Parse(wasm)
	if err != nil {
		return nil, err
	}
	return m.Split()
}

// Split is the function Split for a module that was parsed before.
func (m *Module) Split() (*Parts, error) {
	if why := m.unsplittable(); why != "" {
		return nil, &UnsupportedError{Why: why}
	}
	runs, err := m.initialRuns()
	if err != nil {
		return nil, err
	}
	p := &Parts{
		Image:  encodeMemoryModule(m.memories[0], runs),
		Memory: m.memories[0],
	}
	for i, g := range m.globals {
		if g.mutable {
			p.Globals = append(p.Globals, GlobalExport{globalPrefix + strconv.Itoa(i), uint32(i), g.kind})
		}
	}
	for i := range m.tables {
		p.Tables = append(p.Tables, tablePrefix+strconv.Itoa(i))
	}
	if m.hasStart {
		p.StartExport = startExport
	}
	p.Code = m.encodeCode(p)
	return p, nil
}

// unsplittable says why Split refuses the module, or "".
func (m *Module) unsplittable() string {
	switch {
	case len(m.memories) == 0:
		return "a module without a memory"
	case len(m.memories) > 1:
		return fmt.Sprintf("%d memories", len(m.memories))
	case m.ImportsMemory():
		return "an imported memory"
	case m.memories[0].Shared:
		return "a shared memory"
	case m.memories[0].Is64:
		return "a 64-bit memory"
	case m.memories[0].Min > MaxPages:
		return fmt.Sprintf("a memory of %d pages", m.memories[0].Min)
	case m.imported[KindTable] > 0:
		return "an imported table"
	}
	for i, g := range m.globals {
		if g.mutable && g.init == nil {
			return fmt.Sprintf("the imported mutable global %d", i)
		}
		if g.mutable && g.kind.IsRef() {
			return fmt.Sprintf("the mutable global %d of type %s", i, g.kind)
		}
	}
	for _, e := range m.exports {
		if strings.HasPrefix(e.Name, reservedPrefix) {
			return fmt.Sprintf("an export with the reserved name %q", e.Name)
		}
	}
	for _, i := range m.imports {
		if i.Module == ImportModule && i.Name == ImportMemory {
			return fmt.Sprintf("an import with the reserved name %s.%s", i.Module, i.Name)
		}
	}
	return ""
}

// encodeCode writes Parts.Code. Sections come out in the order that the format
// demands, with those that are new in their place.
func (m *Module) encodeCode(p *Parts) []byte {
	extra := 256 + 32*(len(p.Globals)+len(p.Tables))
	out := append(make([]byte, 0, len(m.wasm)+extra), preamble...)
	for _, id := range sectionOrder {
		body := m.body(id)
		switch {
		case id == idMemory || id == idStart:
		case id == idImport:
			count, entries := vector(body)
			memory := appendName(appendName(nil, ImportModule), ImportMemory)
			memory = appendMemoryType(append(memory, byte(KindMemory)), p.Memory)
			out = appendSection(out, id, appendUnsigned(nil, count+1), entries, memory)
		case id == idExport:
			count, entries := vector(body)
			added, more := m.newExports(p)
			if count+more > 0 {
				out = appendSection(out, id, appendUnsigned(nil, count+more), entries, added)
			}
		case id == idData:
			if m.hasCount {
				out = appendSection(out, id, m.inertData())
			}
		case body != nil:
			out = appendSection(out, id, body)
		}
	}
	for _, s := range m.sections {
		if s.id == idCustom && s.name == nameSection {
			out = appendSection(out, idCustom, appendName(nil, s.name), s.body)
		}
	}
	return out
}

// newExports encodes the exports that Split adds, and counts them.
func (m *Module) newExports(p *Parts) (encoded []byte, n uint64) {
	for _, g := range p.Globals {
		encoded = appendExport(encoded, g.Name, KindGlobal, g.Index)
	}
	for i, name := range p.Tables {
		encoded = appendExport(encoded, name, KindTable, uint32(i))
	}
	n = uint64(len(p.Globals) + len(p.Tables))
	if p.StartExport != "" {
		encoded = appendExport(encoded, p.StartExport, KindFunc, m.start)
		n++
	}
	return encoded, n
}

// inertData encodes a data section without active segments, for code that
// refers to segments by index (only such code needs a data count section). An
// active segment counts as dropped after instantiation, and to such code an
// empty passive one behaves the same.
func (m *Module) inertData() []byte {
	out := appendUnsigned(nil, uint64(len(m.segments)))
	for _, s := range m.segments {
		if s.passive {
			out = append(out, s.raw...)
		} else {
			out = append(out, 1, 0) // passive, no bytes
		}
	}
	return out
}

// vector splits a section that Parse has read into its count and its entries.
// An absent section is an empty vector.
func vector(body []byte) (count uint64, entries []byte) {
	if body == nil {
		return 0, nil
	}
	r := &reader{data: body, end: len(body)}
	count = r.unsigned(32, "count")
	return count, body[r.pos:]
}
