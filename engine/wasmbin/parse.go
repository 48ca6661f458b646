package wasmbin

import (
	"bytes"
	"fmt"
)

// Section numbers (core spec, binary format, modules). They do not come in
// numeric order: see sectionOrder.
const (
	idCustom    = 0
	idType      = 1
	idImport    = 2
	idFunction  = 3
	idTable     = 4
	idMemory    = 5
	idGlobal    = 6
	idExport    = 7
	idStart     = 8
	idElement   = 9
	idCode      = 10
	idData      = 11
	idDataCount = 12
	idTag       = 13
)

// sectionOrder lists the sections in the order in which a module must have
// them. Custom sections may stand anywhere.
var sectionOrder = [...]byte{
	idType, idImport, idFunction, idTable, idMemory, idTag, idGlobal,
	idExport, idStart, idElement, idDataCount, idCode, idData,
}

// sectionName returns how errors call a section.
func sectionName(id byte) string {
	names := [...]string{"custom", "type", "import", "function", "table", "memory", "global",
		"export", "start", "element", "code", "data", "data count", "tag"}
	if int(id) < len(names) {
		return names[id]
	}
	return fmt.Sprintf("unknown (%d)", id)
}

const preamble = "\x00asm\x01\x00\x00\x00"

// checkPreamble accepts the header of a core module only. A component differs
// in the layer, the upper half of the version field (component model, binary
// format).
func checkPreamble(wasm []byte) error {
	magic := []byte(preamble[:4])
	if !bytes.HasPrefix(wasm, magic) {
		return notWasm(wasm)
	}
	if len(wasm) < len(preamble) {
		return &SyntaxError{Offset: len(wasm), Section: "header", Why: "truncated: the version is missing"}
	}
	if wasm[6] == 1 && wasm[7] == 0 {
		return ErrComponent
	}
	if string(wasm[4:8]) != preamble[4:] {
		return &SyntaxError{Offset: 4, Section: "header", Why: fmt.Sprintf("version % x is not known", wasm[4:8])}
	}
	return nil
}

// Parse reads a core module. The Module borrows from wasm, which must not
// change while the Module is in use.
//
// It returns an error that wraps ErrNotWasm or ErrComponent when wasm is
// something else, a *SyntaxError when it is damaged, and an *UnsupportedError
// when it uses types of the GC or function-references proposals. That it
// returns no error does not mean that the module is valid.
func Parse(wasm []byte) (*Module, error) {
	if err := checkPreamble(wasm); err != nil {
		return nil, err
	}
	m := &Module{wasm: wasm}
	outer := &reader{data: wasm, pos: len(preamble), end: len(wasm), section: "module"}
	next := 0 // in sectionOrder
	for outer.left() > 0 {
		at := outer.pos
		id := outer.byte("section number")
		outer.section = sectionName(id)
		size := outer.u32("section size")
		start := outer.pos
		body := outer.bytes(uint64(size), "section")
		if outer.err != nil {
			return nil, outer.err
		}
		s := section{id: id, at: start, body: body}
		r := &reader{data: wasm, pos: start, end: start + len(body), section: outer.section}
		if id == idCustom {
			s.name = r.name("section name")
			s.at = r.pos // before bytes moves it: the order within one assignment is not specified
			s.body = r.bytes(uint64(r.left()), "section")
		} else {
			place := bytes.IndexByte(sectionOrder[next:], id)
			if place < 0 {
				r.fail(at, "the section is unknown, repeated or out of order")
			} else {
				next += place + 1
				m.readSection(r, id)
			}
		}
		if err := r.done(); err != nil {
			return nil, err
		}
		m.sections = append(m.sections, s)
	}
	return m, m.checkCounts()
}

// checkCounts checks what spans sections.
func (m *Module) checkCounts() error {
	fail := func(section, format string, args ...any) error {
		return &SyntaxError{Offset: len(m.wasm), Section: section, Why: fmt.Sprintf(format, args...)}
	}
	if m.body(idCode) == nil && m.Functions() > 0 {
		return fail("code", "%d functions have no code; the module may be truncated", m.Functions())
	}
	if m.hasCount && uint64(m.dataCount) != uint64(len(m.segments)) {
		return fail("data", "%d data segments were announced, there are %d", m.dataCount, len(m.segments))
	}
	return nil
}

// readSection reads all sections but the custom ones.
func (m *Module) readSection(r *reader, id byte) {
	switch id {
	case idType:
		m.readTypes(r)
	case idImport:
		m.readImports(r)
	case idFunction:
		n := r.count(1, "function count")
		m.funcs = grow(m.funcs, n)
		for i := 0; i < n && r.err == nil; i++ {
			m.funcs = append(m.funcs, m.typeIndex(r))
		}
	case idTable:
		m.readTables(r)
	case idMemory:
		n := r.count(2, "memory count")
		m.memories = grow(m.memories, n)
		for i := 0; i < n && r.err == nil; i++ {
			m.memories = append(m.memories, r.limits("memory"))
		}
	case idTag:
		n := r.count(2, "tag count")
		m.tags = grow(m.tags, n)
		for i := 0; i < n && r.err == nil; i++ {
			m.tags = append(m.tags, m.tagType(r))
		}
	case idGlobal:
		n := r.count(3, "global count")
		m.globals = grow(m.globals, n)
		for i := 0; i < n && r.err == nil; i++ {
			g := r.globalType()
			g.init = r.constExpr()
			m.globals = append(m.globals, g)
		}
	case idExport:
		m.readExports(r)
	case idStart:
		m.hasStart, m.start = true, m.index(r, KindFunc)
	case idElement:
		m.elements = r.count(2, "element segment count")
		r.pos = r.end // nothing here needs their content
	case idDataCount:
		m.hasCount, m.dataCount = true, r.u32("data segment count")
	case idCode:
		m.readCode(r)
	case idData:
		m.readData(r)
	}
}

// grow returns s with room for n more entries.
func grow[T any](s []T, n int) []T {
	return append(make([]T, 0, len(s)+n), s...)
}

func (m *Module) readTypes(r *reader) {
	n := r.count(1, "type count")
	m.types = make([]FuncType, 0, min(n, r.left()/3)) // a function type has at least 3 bytes
	for i := 0; i < n && r.err == nil; i++ {
		at := r.pos
		switch form := r.byte("type"); {
		case form == 0x60:
			m.types = append(m.types, FuncType{r.valTypes("parameter"), r.valTypes("result")})
		case form == 0x4d || form == 0x4e || form == 0x4f || form == 0x50 || form == 0x5e || form == 0x5f:
			r.unsupported("struct, array and recursive types of the GC proposal")
		default:
			r.fail(at, "%#x is not a type form", form)
		}
	}
}

func (m *Module) readImports(r *reader) {
	n := r.count(4, "import count")
	m.imports = make([]Import, 0, n)
	for i := 0; i < n && r.err == nil; i++ {
		imp := Import{Module: r.name("module name"), Name: r.name("import name")}
		at := r.pos
		imp.Kind = Kind(r.byte("import kind"))
		switch imp.Kind {
		case KindFunc:
			m.funcs = append(m.funcs, m.typeIndex(r))
		case KindTable:
			m.tables = append(m.tables, table{r.refType("table"), r.limits("table")})
		case KindMemory:
			m.memories = append(m.memories, r.limits("memory"))
		case KindGlobal:
			m.globals = append(m.globals, r.globalType())
		case KindTag:
			m.tags = append(m.tags, m.tagType(r))
		case 0x20:
			r.unsupported("imports of exact function types (custom-descriptors proposal)")
		case 0x7e, 0x7f:
			r.unsupported("groups of imports (compact-import-section proposal)")
		default:
			r.fail(at, "%s is not a kind of import", imp.Kind)
		}
		if r.err != nil {
			return
		}
		imp.Index = uint32(m.size(imp.Kind) - 1)
		imp.Type = m.typeText(imp.Kind, imp.Index)
		m.imported[imp.Kind]++
		m.imports = append(m.imports, imp)
	}
}

func (m *Module) readTables(r *reader) {
	n := r.count(3, "table count")
	m.tables = grow(m.tables, n)
	for i := 0; i < n && r.err == nil; i++ {
		// 0x40 0x00 starts a table whose elements have an initial value.
		filled := r.left() > 1 && r.data[r.pos] == 0x40 && r.data[r.pos+1] == 0
		if filled {
			r.pos += 2
		}
		m.tables = append(m.tables, table{r.refType("table"), r.limits("table")})
		if filled {
			r.constExpr()
		}
	}
}

func (m *Module) readExports(r *reader) {
	n := r.count(3, "export count")
	m.exports = make([]Export, 0, n)
	for i := 0; i < n && r.err == nil; i++ {
		e := Export{Name: r.name("export name")}
		at := r.pos
		e.Kind = Kind(r.byte("export kind"))
		if e.Kind > KindTag {
			r.fail(at, "%s is not a kind of export", e.Kind)
		}
		e.Index = m.index(r, e.Kind)
		if r.err != nil {
			return
		}
		e.Type = m.typeText(e.Kind, e.Index)
		m.exports = append(m.exports, e)
	}
}

// readCode checks that there is a body of plausible size for each function.
func (m *Module) readCode(r *reader) {
	at := r.pos
	n := r.count(1, "function body count")
	if r.err == nil && n != m.Functions() {
		r.fail(at, "%d functions are declared, %d have code", m.Functions(), n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		r.bytes(uint64(r.u32("function body size")), "function body")
	}
}

func (m *Module) readData(r *reader) {
	const passive, explicit = 1, 2
	n := r.count(2, "data segment count")
	m.segments = make([]segment, 0, n)
	for i := 0; i < n && r.err == nil; i++ {
		start := r.pos
		var s segment
		switch form := r.u32("data segment form"); form {
		case 0:
		case passive:
			s.passive = true
		case explicit:
			s.memory = m.index(r, KindMemory)
		default:
			r.fail(start, "%d is not a form of data segment", form)
		}
		if !s.passive {
			s.at = r.pos
			s.offset = r.constExpr()
		}
		s.init = r.bytes(uint64(r.u32("data segment size")), "data segment")
		s.raw = r.data[start:r.pos]
		m.segments = append(m.segments, s)
	}
}

// index reads an index into the space of kind and checks that it is in it.
func (m *Module) index(r *reader, kind Kind) uint32 {
	at := r.pos
	i := r.u32("index")
	if size := m.size(kind); r.err == nil && uint64(i) >= uint64(size) {
		r.fail(at, "%s %d does not exist; there are %d", kind, i, size)
	}
	return i
}

// typeIndex reads the index of a function type and checks that it exists.
func (m *Module) typeIndex(r *reader) uint32 {
	at := r.pos
	i := r.u32("type index")
	if r.err == nil && uint64(i) >= uint64(len(m.types)) {
		r.fail(at, "type %d does not exist; there are %d", i, len(m.types))
	}
	return i
}

// tagType reads the type of an exception tag.
func (m *Module) tagType(r *reader) uint32 {
	at := r.pos
	if attribute := r.byte("tag attribute"); attribute != 0 {
		r.fail(at, "%#x is not an attribute of tags", attribute)
	}
	return m.typeIndex(r)
}

func (r *reader) globalType() global {
	return global{kind: r.valType("global"), mutable: r.flag("mutability")}
}
