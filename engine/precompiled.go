package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	"ledge/engine/bundle"
	"ledge/engine/capi"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// layouts are those that code is compiled for, by the names of the files.
var layouts = map[string]layout{"wide": wide, "bounded": bounded}

// Precompile compiles a module for any processor of this architecture, for one of
// the layouts "wide" and "bounded" of the address space. It is for builds: the
// result goes into the binary, see engine/bundle.
func Precompile(layoutName string, wasm []byte) ([]byte, error) {
	l, ok := layouts[layoutName]
	if !ok {
		return nil, fmt.Errorf("no layout %q", layoutName)
	}
	l.instances = 1 // the compiler's settings do not depend on it
	config := l.settings()
	if err := capi.Portable(config, runtime.GOARCH); err != nil {
		return nil, err
	}
	engine := wasmtime.NewEngineWithConfig(config)
	defer engine.Close()
	module, err := wasmtime.NewModule(engine, wasm)
	if err != nil {
		return nil, err
	}
	defer module.Close()
	artifact, err := module.Serialize()
	if err != nil {
		return nil, err
	}
	return withoutSection(artifact, addressMap)
}

// PrecompileKey changes when Precompile would give something else for the same
// module.
func PrecompileKey(layoutName string) string {
	return fmt.Sprintf("wasmtime 44.0.0 %s %+v settings 3", runtime.GOARCH, layouts[layoutName])
}

// readPrecompiled returns what the build compiled for this machine, or nil.
func readPrecompiled(l *language, have layout) ([]byte, error) {
	for name, l2 := range layouts {
		if l2.reservation != have.reservation {
			continue
		}
		compiled, err := bundle.OpenCompiled(l.precompiled, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil || compiled.Code != l.bundle.Files[bundle.CodeFile].SHA256 {
			return nil, err // of another build
		}
		return compiled.Read()
	}
	return nil, nil
}
