// Package extism is the contract of the runtime "extism": a reactor module that
// was built with one of the Extism PDKs (https://extism.org/docs/concepts/pdk)
// and exports functions that take nothing and return an i32, 0 for success. It
// says which export serves events and how a module wants to be initialised. The
// kernel, the memory through which a plug-in and its host exchange bytes, is
// engine/capi's.
package extism

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ledge/engine/wasmbin"
)

// Module is the import module of the Extism kernel.
const Module = "extism:host/env"

// Imported reports whether m is a plug-in.
func Imported(m *wasmbin.Module) bool {
	return slices.ContainsFunc(m.Imports(), func(i wasmbin.Import) bool { return i.Module == Module })
}

// Handler is the export that serves events.
type Handler struct {
	Name    string
	Returns bool // its type is () -> i32; otherwise () -> ()
}

// notHandlers are exports of toolchains that are called for other reasons.
var notHandlers = map[string]bool{
	"_initialize": true, "__wasm_call_ctors": true, "hs_init": true, "_start": true,
	"ledge_after_restore": true, "__wasm_call_dtors": true, "__wasm_apply_data_relocs": true,
	"asyncify_stop_unwind": true, "asyncify_stop_rewind": true, "asyncify_get_state": true,
	"__collect": true, "go_scheduler": true, "resume": true,
}

// FindHandler returns the export of that name. Without a name it takes the only
// export that can be one, or that called "handle" or "handler" among several.
func FindHandler(m *wasmbin.Module, name string) (Handler, error) {
	var found []string
	byName := map[string]Handler{}
	for _, e := range m.Exports() {
		if e.Kind != wasmbin.KindFunc || (e.Type != "()->(i32)" && e.Type != "()->()") {
			continue
		}
		byName[e.Name] = Handler{e.Name, e.Type == "()->(i32)"}
		if !notHandlers[e.Name] {
			found = append(found, e.Name)
		}
	}
	if name != "" {
		h, ok := byName[name]
		if !ok {
			return h, fmt.Errorf("it does not export a function %q of type ()->(i32); it has %s", name, list(found))
		}
		return h, nil
	}
	switch {
	case len(found) == 1:
		return byName[found[0]], nil
	case len(found) == 0:
		return Handler{}, errors.New("it exports no function of type ()->(i32) that could be its handler")
	}
	for _, usual := range []string{"handle", "handler"} {
		if slices.Contains(found, usual) {
			return byName[usual], nil
		}
	}
	return Handler{}, fmt.Errorf("it exports several functions that could be its handler: %s", list(found))
}

func list(names []string) string {
	const enough = 12
	if len(names) == 0 {
		return "none"
	}
	if len(names) > enough {
		return strings.Join(names[:enough], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

// Initialisers returns the exports that must be called, in this order, before
// the handler: those of a WASI reactor or of a library with constructors, and
// that of the Haskell runtime.
func Initialisers(m *wasmbin.Module) []string {
	var init []string
	has := func(name string) bool {
		e, ok := m.Export(name)
		return ok && e.Kind == wasmbin.KindFunc && e.Type == "()->()"
	}
	switch {
	case has("_initialize"):
		init = append(init, "_initialize")
	case has("__wasm_call_ctors"):
		init = append(init, "__wasm_call_ctors")
	}
	if e, ok := m.Export("hs_init"); ok && e.Kind == wasmbin.KindFunc && e.Type == "(i32,i32)->()" {
		init = append(init, "hs_init")
	}
	return init
}
