package wasmbin

import (
	"fmt"
)

// Kind says what an import or export is, as the byte of the binary format.
type Kind byte

// The kinds of imports and exports.
const (
	KindFunc   Kind = 0
	KindTable  Kind = 1
	KindMemory Kind = 2
	KindGlobal Kind = 3
	KindTag    Kind = 4
)

func (k Kind) String() string {
	switch k {
	case KindFunc:
		return "function"
	case KindTable:
		return "table"
	case KindMemory:
		return "memory"
	case KindGlobal:
		return "global"
	case KindTag:
		return "tag"
	}
	return fmt.Sprintf("kind(%d)", byte(k))
}

// Import is something that a module needs from its host.
type Import struct {
	Module, Name string
	Kind         Kind
	Index        uint32 // in the index space of its kind
	// Type is a compact form of its type: "(i32,i64)->(i32)" for a function,
	// "1..16" for a memory, "funcref 1..1" for a table, "mut i32" for a global.
	Type string
}

// Export is something that a module gives to its host.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32 // in the index space of its kind
	Type  string // as in Import
}

// Module is what Parse read. It borrows from the bytes that were parsed, which
// must not change while the Module is in use. It is never modified, so that
// any number of goroutines may read it.
type Module struct {
	wasm     []byte
	sections []section // in the order of the file

	types     []FuncType
	typeTexts []string // FuncType.String by type, filled in as imports and exports need it
	imports   []Import
	exports   []Export

	// The index spaces: what is imported comes first.
	funcs    []uint32 // type indices
	tables   []table
	memories []Limits
	globals  []global
	tags     []uint32 // type indices
	imported [5]int   // how many of each Kind are imported

	hasStart  bool
	start     uint32 // function index
	elements  int    // number of element segments
	hasCount  bool   // there is a data count section
	dataCount uint32
	segments  []segment
}

type section struct {
	id   byte
	name string // of a custom section
	at   int    // offset of body in the module
	body []byte // of a custom section: without its name
}

type table struct {
	elem   ValType
	limits Limits
}

type global struct {
	kind    ValType
	mutable bool
	init    []byte // constant expression with its end; nil when imported
}

// segment is one data segment.
type segment struct {
	passive bool
	memory  uint32
	offset  []byte // of an active segment: constant expression with its end
	at      int    // offset of that expression in the module
	init    []byte
	raw     []byte // all of the segment as it was encoded
}

// Imports returns what the module imports, in its order. The slice is the
// Module's; do not modify it.
func (m *Module) Imports() []Import { return m.imports }

// Exports returns what the module exports, in its order. The slice is the
// Module's; do not modify it.
func (m *Module) Exports() []Export { return m.exports }

// Export returns the export of that name.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}

// Memory returns the limits of the module's first memory, its own or imported,
// in pages of PageSize bytes. It returns false when there is none.
func (m *Module) Memory() (Limits, bool) {
	if len(m.memories) == 0 {
		return Limits{}, false
	}
	return m.memories[0], true
}

// ImportsMemory reports whether Memory is imported rather than the module's own.
func (m *Module) ImportsMemory() bool { return m.imported[KindMemory] > 0 }

// HasStart reports whether the module runs a function by itself when it is
// instantiated.
func (m *Module) HasStart() bool { return m.hasStart }

// Functions returns how many functions the module defines itself.
func (m *Module) Functions() int { return len(m.funcs) - m.imported[KindFunc] }

// ElementSegments returns how many segments fill the module's tables.
func (m *Module) ElementSegments() int { return m.elements }

// DataSegments returns how many active and passive segments fill its memory.
func (m *Module) DataSegments() (active, passive int) {
	for _, s := range m.segments {
		if s.passive {
			passive++
		}
	}
	return len(m.segments) - passive, passive
}

// FuncType returns the type of the function with that index; imported
// functions have the first indices.
func (m *Module) FuncType(index uint32) (FuncType, bool) {
	if uint64(index) >= uint64(len(m.funcs)) {
		return FuncType{}, false
	}
	return m.types[m.funcs[index]], true // Parse checked the type index
}

// Custom returns the content of the first custom section of that name,
// borrowed from the module.
func (m *Module) Custom(name string) ([]byte, bool) {
	for _, s := range m.sections {
		if s.id == idCustom && s.name == name {
			return s.body, true
		}
	}
	return nil, false
}

// body returns the content of the section with that number, nil if there is none.
func (m *Module) body(id byte) []byte {
	for _, s := range m.sections {
		if s.id == id {
			return s.body
		}
	}
	return nil
}

// typeText describes the type of an import or export that exists.
func (m *Module) typeText(kind Kind, index uint32) string {
	switch kind {
	case KindFunc:
		return m.funcTypeText(m.funcs[index])
	case KindTag:
		return m.funcTypeText(m.tags[index])
	case KindTable:
		return m.tables[index].elem.String() + " " + m.tables[index].limits.String()
	case KindMemory:
		return m.memories[index].String()
	}
	if m.globals[index].mutable {
		return "mut " + m.globals[index].kind.String()
	}
	return m.globals[index].kind.String()
}

// funcTypeText remembers the text of each type: thousands of imports and
// exports may share one long type, and would cost memory out of proportion.
func (m *Module) funcTypeText(index uint32) string {
	if m.typeTexts == nil {
		m.typeTexts = make([]string, len(m.types))
	}
	if m.typeTexts[index] == "" {
		m.typeTexts[index] = m.types[index].String()
	}
	return m.typeTexts[index]
}

// size returns how many entries the index space of kind has.
func (m *Module) size(kind Kind) int {
	switch kind {
	case KindFunc:
		return len(m.funcs)
	case KindTable:
		return len(m.tables)
	case KindMemory:
		return len(m.memories)
	case KindGlobal:
		return len(m.globals)
	case KindTag:
		return len(m.tags)
	}
	return 0
}
