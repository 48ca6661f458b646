package engine

import (
	"bytes"
	"debug/elf"
	"runtime"
	"strings"
	"testing"

	"ledge/engine/capi"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// TestPrecompileWithoutAddressMap: what the build compiles has no address map, is
// smaller for it, and runs, with names in its backtraces.
func TestPrecompileWithoutAddressMap(t *testing.T) {
	wasm, err := wasmtime.Wat2Wasm(`(module
		(func $deep (param i32) (result i32)
			local.get 0 i32.eqz if unreachable end
			i32.const 100 local.get 0 i32.div_u)
		(func (export "share") (param i32) (result i32) local.get 0 call $deep)
		(data (i32.const 0) "kept") (memory 1))`)
	if err != nil {
		t.Fatal(err)
	}
	l := layouts["wide"]
	l.instances = 1
	config := l.settings()
	if err := capi.Portable(config, runtime.GOARCH); err != nil {
		t.Fatal(err)
	}
	engine := wasmtime.NewEngineWithConfig(config)
	defer engine.Close()
	module, err := wasmtime.NewModule(engine, wasm)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := module.Serialize()
	module.Close()
	if err != nil {
		t.Fatal(err)
	}
	code, err := Precompile("wide", wasm)
	if err != nil {
		t.Fatal(err)
	}
	before, after := sectionsOf(t, whole), sectionsOf(t, code)
	if before[addressMap] == "" {
		t.Fatalf("wasmtime makes no section %s any more", addressMap)
	}
	for name, content := range before {
		if name == addressMap {
			content = ""
		}
		if after[name] != content {
			t.Errorf("section %s has %d bytes and not %d, or others", name, len(after[name]), len(content))
		}
	}

	module, err = wasmtime.NewModuleDeserialize(engine, code)
	if err != nil {
		t.Fatal(err)
	}
	defer module.Close()
	store := wasmtime.NewStore(engine)
	defer store.Close()
	store.SetEpochDeadline(1)
	instance, err := wasmtime.NewInstance(store, module, nil)
	if err != nil {
		t.Fatal(err)
	}
	share := instance.GetFunc(store, "share")
	if got, err := share.Call(store, 4); err != nil || got != int32(25) {
		t.Errorf("share(4): %v, %v", got, err)
	}
	if _, err := share.Call(store, 0); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("share(0): %v", err)
	}
}

// sectionsOf returns the contents of the sections of an artifact by name.
func sectionsOf(t *testing.T, artifact []byte) map[string]string {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(artifact))
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string]string{}
	for _, s := range file.Sections {
		if s.Addralign > 1 && s.Offset%s.Addralign != 0 {
			t.Errorf("section %s is at %#x, which is not a multiple of %#x", s.Name, s.Offset, s.Addralign)
		}
		data, err := s.Data()
		if err != nil && s.Type != elf.SHT_NULL {
			t.Fatalf("section %s: %s", s.Name, err)
		}
		contents[s.Name] = string(data)
	}
	return contents
}

// TestWithoutSection: whole multiples of the alignment go, and what is not such a file
// is refused.
func TestWithoutSection(t *testing.T) {
	wasm, err := wasmtime.Wat2Wasm(`(module (func (export "f")))`)
	if err != nil {
		t.Fatal(err)
	}
	code, err := Precompile("bounded", wasm)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"empty": nil, "text": []byte("not an artifact"), "cut": code[:len(code)/2]} {
		if _, err := withoutSection(bad, ".text"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if same, err := withoutSection(code, ".no such section"); err != nil || !bytes.Equal(same, code) {
		t.Errorf("no such section: %v", err)
	}
	less, err := withoutSection(code, ".text")
	if err != nil {
		t.Fatal(err)
	}
	if sections := sectionsOf(t, less); sections[".text"] != "" || len(less) > len(code) {
		t.Errorf("of %d bytes %d are left, %d of them code", len(code), len(less), len(sections[".text"]))
	}
}
