package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ledge/engine/capi"
	"ledge/engine/extism"
	"ledge/engine/wasi"
	"ledge/engine/wasmbin"
)

// afterRestore is an export that a module may have: it is called in each
// Instance that was restored from a Snapshot, for example to seed randomness.
const afterRestore = "ledge_after_restore"

const pageSize = 64 << 10

// plan is what inspecting a module tells about how to run it.
type plan struct {
	wasm   []byte
	module *wasmbin.Module
	parts  *wasmbin.Parts // how the module is split for a Snapshot; nil: it is not
	note   string         // why there is no Snapshot where one was expected

	abi     capi.ABI
	handler extism.Handler
	init    []string
	taskDir string
	minimum int64 // bytes of memory that an Instance starts with
}

// inspect reads the module of f and finds everything that is wrong with it
// before it is compiled. Its errors are *DeployError.
func (r *Runtime) inspect(f *Function) (*plan, error) {
	wasm, err := os.ReadFile(filepath.Join(f.CodeDir, ModuleFile))
	if err != nil {
		return nil, &DeployError{Op: "read module", Why: err.Error(), Hint: "deploy the code again", Err: err}
	}
	p := &plan{wasm: wasm}
	if p.module, err = wasmbin.Parse(wasm); err != nil {
		return nil, parseError(err)
	}
	if err := p.makeInterruptible(); err != nil {
		return nil, err
	}
	if p.taskDir, err = taskDir(f.CodeDir); err != nil {
		return nil, err
	}
	if missing := r.machine.linker.Missing(imports(p.module)); len(missing) > 0 {
		return nil, missingImports(missing)
	}
	if err := p.checkMemory(f, r.machine.layout.maxMemory); err != nil {
		return nil, err
	}
	if err := p.chooseABI(f); err != nil {
		return nil, err
	}
	if err := p.checkMemoryExport(); err != nil {
		return nil, err
	}
	if len(p.init) == 0 && !p.module.HasStart() || f.NoSnapshot || p.abi == capi.Command {
		return p, nil
	}
	if p.parts, err = p.module.Split(); err != nil {
		var unsupported *wasmbin.UnsupportedError
		if !errors.As(err, &unsupported) {
			return nil, parseError(err)
		}
		p.note = "no snapshot, each instance initialises itself: the module has " + unsupported.Why
	}
	return p, nil
}

// makeInterruptible sees to it that the module stops at its deadline: that it
// looks at the epoch before each bulk memory instruction. A threshold would let
// recursion through, which runs such instructions while its calls return.
func (p *plan) makeInterruptible() error {
	wasm, changed, err := p.module.Interruptible(0)
	if err != nil {
		var unsupported *wasmbin.UnsupportedError
		if !errors.As(err, &unsupported) {
			return parseError(err)
		}
		return &DeployError{Op: "read module", Why: "a function with bulk memory instructions cannot be made to stop at its timeout: " + unsupported.Why,
			Hint: "build without that feature, or split the function", Err: err}
	}
	if !changed {
		return nil
	}
	p.wasm = wasm
	if p.module, err = wasmbin.Parse(wasm); err != nil {
		return fmt.Errorf("read the module with epoch checks: %w", err)
	}
	return nil
}

func parseError(err error) error {
	hint := "build the module again, or upload it again if the file was cut off"
	switch {
	case errors.Is(err, wasmbin.ErrComponent):
		hint = "build for WASI preview 1 (wasip1), without componentizing"
	case errors.Is(err, wasmbin.ErrNotWasm):
		hint = "deploy a .wasm file, or a zip or folder with one"
	}
	return &DeployError{Op: "read module", Why: err.Error(), Hint: hint, Err: err}
}

func imports(m *wasmbin.Module) (list []capi.Import) {
	for _, i := range m.Imports() {
		list = append(list, capi.Import{Module: i.Module, Name: i.Name})
	}
	return list
}

func missingImports(missing []capi.Import) error {
	const enough = 8
	var names []string
	for _, i := range missing[:min(len(missing), enough)] {
		names = append(names, i.Module+"."+i.Name)
	}
	if len(missing) > enough {
		names = append(names, fmt.Sprintf("and %d more", len(missing)-enough))
	}
	hint := "functions may import WASI preview 1 (wasi_snapshot_preview1), the Extism kernel (extism:host/env) and this node's own functions (extism:host/user, see ledge.h)"
	if slices.ContainsFunc(missing, func(i capi.Import) bool { return i.Module == "env" && i.Name == "memory" }) {
		hint = "let the module define its memory instead of importing it"
	}
	return &DeployError{Op: "link", Why: "the node has no " + strings.Join(names, ", "), Hint: hint}
}

func (p *plan) checkMemory(f *Function, most uint64) error {
	memory, ok := p.module.Memory()
	switch {
	case f.Limits.Memory > int64(most):
		return memoryOfNode(f, most)
	case !ok:
		return nil
	case memory.Is64:
		return &DeployError{Op: "memory", Why: "the module has a 64-bit memory", Hint: "build for wasm32"}
	case memory.Shared:
		return &DeployError{Op: "memory", Why: "the module has a shared memory", Hint: "build without threads"}
	}
	p.minimum = int64(min(memory.Min, 1<<16)) * pageSize
	if p.minimum > f.Limits.Memory {
		return &DeployError{Op: "memory", Why: fmt.Sprintf("the module starts with %d MB, the function may have %d MB", (p.minimum+1<<20-1)>>20, f.Limits.Memory>>20),
			Hint: fmt.Sprintf("raise --memory to at least %d", (p.minimum+1<<20-1)>>20)}
	}
	return nil
}

func memoryOfNode(f *Function, most uint64) error {
	return &DeployError{Op: "memory", Why: fmt.Sprintf("the limit of %d MB is more than the %d MB that this node can give one instance", f.Limits.Memory>>20, most>>20), Hint: "lower --memory"}
}

// checkMemoryExport returns an error where the engine could not see how large the
// memory of an Instance is, and so not hold it to the node's budget.
func (p *plan) checkMemoryExport() error {
	if _, ok := p.module.Memory(); !ok {
		return nil
	}
	if e, ok := p.module.Export("memory"); ok && e.Kind == wasmbin.KindMemory {
		return nil
	}
	return &DeployError{Op: "link", Why: `the module does not export its memory as "memory"`, Hint: "compilers do so unless told otherwise; in the text format write (memory (export \"memory\") 1)"}
}

func (p *plan) chooseABI(f *Function) error {
	if f.Runtime == RuntimeWASI {
		p.abi = capi.Command
		p.handler = extism.Handler{Name: wasi.Entry}
		if err := wasi.CheckCommand(p.module); err != nil {
			return &DeployError{Op: "link", Why: "the module is no WASI command: " + err.Error(), Hint: "build a program with a main function, or deploy it with --runtime extism", Err: err}
		}
		return nil
	}
	var err error
	p.abi = capi.Extism
	if p.handler, err = extism.FindHandler(p.module, f.Handler); err != nil {
		return &DeployError{Op: "link", Why: "the module has no handler: " + err.Error(), Hint: "name the export to call with --handler", Err: err}
	}
	p.init = extism.Initialisers(p.module)
	return nil
}

// taskDir returns the folder that guests see, or "" where it holds nothing but
// the module: opening it for every Instance is not free.
func taskDir(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", &DeployError{Op: "read code", Why: err.Error(), Hint: "deploy the code again", Err: err}
	}
	if len(entries) == 1 && entries[0].Name() == ModuleFile {
		return "", nil
	}
	return dir, nil
}
