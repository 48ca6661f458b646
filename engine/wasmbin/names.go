package wasmbin

// nameSection is the custom section in which toolchains keep the names of
// functions (core spec, appendix, custom sections, name section).
const nameSection = "name"

// FuncName returns the name of the function with that index, for messages: the
// one that the toolchain noted, or else one under which it is exported or
// imported. It returns "" when there is none. A damaged name section counts as
// absent, as the specification asks.
//
// It searches from the start each time: call it for a backtrace, not for every
// function of a module.
func (m *Module) FuncName(index uint32) string {
	if name := m.notedName(index); name != "" {
		return name
	}
	for _, e := range m.exports {
		if e.Kind == KindFunc && e.Index == index {
			return e.Name
		}
	}
	for _, i := range m.imports {
		if i.Kind == KindFunc && i.Index == index {
			return i.Module + "." + i.Name
		}
	}
	return ""
}

// notedName looks index up in the name section.
func (m *Module) notedName(index uint32) string {
	const functionNames = 1
	content, ok := m.Custom(nameSection)
	if !ok {
		return ""
	}
	r := &reader{data: content, end: len(content), section: nameSection}
	for r.err == nil && r.left() > 0 {
		id := r.byte("subsection number")
		sub := r.bytes(uint64(r.u32("subsection size")), "subsection")
		if id != functionNames {
			continue
		}
		r = &reader{data: sub, end: len(sub), section: nameSection}
		for n := r.count(2, "name count"); n > 0 && r.err == nil; n-- {
			i, name := r.u32("function index"), r.nameBytes("function name")
			if i == index && r.err == nil {
				return string(name)
			}
		}
		return ""
	}
	return ""
}
