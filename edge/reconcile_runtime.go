package edge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ledge/engine"
	"ledge/engine/wasmbin"
	"ledge/persist"
)

// engineFunction is the one place where a stored record becomes what the
// engine runs. codeDir is the folder of the record's code.
func engineFunction(fn persist.Function, codeDir string) engine.Function {
	return engine.Function{
		Name:     fn.Name,
		Version:  fn.Version,
		Runtime:  fn.Runtime,
		Handler:  fn.Handler,
		CodeDir:  codeDir,
		CodeHash: fn.CodeHash,
		Env:      fn.Env,
		Limits: engine.Limits{
			Memory:      int64(fn.MemoryMB) << 20,
			Timeout:     time.Duration(fn.TimeoutMillis) * time.Millisecond,
			Concurrency: fn.Concurrency,
		},
		Isolation:  engine.Isolation(fn.Isolation),
		AllowHosts: fn.AllowHosts,
		NoSnapshot: fn.NoSnapshot,
	}
}

// chooseRuntime returns the name of the runtime that runs the code in codeDir
// when requested was asked for. AWS's names for "bring your own binary" and no
// name at all mean: look at the module. The error is a *engine.DeployError.
func chooseRuntime(requested, codeDir string) (string, error) {
	switch requested {
	case engine.RuntimeWASI, engine.RuntimeExtism:
		return requested, nil
	case "", "provided", "provided.al2", "provided.al2023":
		return detectRuntime(codeDir)
	}
	hint := "compile the function to Wasm and use provided.al2023, wasi or extism"
	if known := languageOf(requested); known != "" {
		hint = "compile the " + known + " code to Wasm and use provided.al2023, wasi or extism"
	}
	return "", &engine.DeployError{Op: "runtime", Why: fmt.Sprintf("%q is not a runtime of this node yet", requested), Hint: hint}
}

// languageOf names the language of one of AWS Lambda's runtime identifiers
// (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html), or
// nothing where name is not one.
func languageOf(name string) string {
	for _, l := range []struct{ prefix, language string }{
		{"python", "Python"}, {"nodejs", "JavaScript"}, {"javascript", "JavaScript"},
		{"java", "Java"}, {"dotnet", ".NET"}, {"ruby", "Ruby"}, {"go1.", "Go"},
	} {
		if strings.HasPrefix(name, l.prefix) {
			return l.language
		}
	}
	return ""
}

// detectRuntime tells an Extism plug-in from a WASI command by the module's
// imports and exports. Whether the module is complete is for the engine to say.
func detectRuntime(codeDir string) (string, error) {
	wasm, err := os.ReadFile(filepath.Join(codeDir, engine.ModuleFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", &engine.DeployError{Op: "read module", Why: "the code holds no " + engine.ModuleFile,
			Hint: "put the module into the zip under that name", Err: err}
	}
	if err != nil {
		return "", fmt.Errorf("read module: %w", err)
	}
	module, err := wasmbin.Parse(wasm)
	if err != nil {
		return "", &engine.DeployError{Op: "read module", Why: err.Error(), Err: err}
	}
	for _, imp := range module.Imports() {
		if imp.Module == extismModule {
			return engine.RuntimeExtism, nil
		}
	}
	if _, command := module.Export("_start"); command {
		return engine.RuntimeWASI, nil
	}
	for _, exp := range module.Exports() {
		// _initialize is how a reactor starts, not a function to call.
		callable := exp.Kind == wasmbin.KindFunc && strings.HasPrefix(exp.Type, "()")
		if callable && exp.Name != "_initialize" {
			return engine.RuntimeExtism, nil
		}
	}
	return engine.RuntimeWASI, nil
}

// extismModule is the import module of the Extism PDK ABI
// (https://extism.org/docs/concepts/pdk).
const extismModule = "extism:host/env"
