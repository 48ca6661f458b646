package edge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ledge/engine"
	"ledge/engine/wasmbin"
	"ledge/persist"
)

// engineFunction is the one place where a stored record becomes what the
// engine runs.
func (r *Reconciler) engineFunction(fn persist.Function) engine.Function {
	return engine.Function{
		Name:      fn.Name,
		Version:   fn.Version,
		Runtime:   fn.Runtime,
		Handler:   fn.Handler,
		CodeDir:   r.code.Path(fn.CodeHash),
		CodeHash:  fn.CodeHash,
		LayerDir:  r.code.Path(fn.LayerHash),
		LayerHash: fn.LayerHash,
		Env:       fn.Env,
		Limits: engine.Limits{
			Memory:      int64(fn.MemoryMB) << 20,
			Timeout:     time.Duration(fn.TimeoutMillis) * time.Millisecond,
			Concurrency: fn.Concurrency,
		},
		Isolation:    engine.Isolation(fn.Isolation),
		AllowHosts:   fn.AllowHosts,
		AllowInvoke:  fn.AllowInvoke,
		AllowPublish: fn.AllowPublish,
		AllowBuckets: fn.AllowBuckets,
		NoSnapshot:   fn.NoSnapshot,
	}
}

// language is a language whose interpreter the node has inside, with the names
// that mean it: its own and those of AWS Lambda
// (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html).
type language struct {
	runtime string // the engine's name
	prefix  string // of AWS's names, those too that are not accepted
	others  []string
	says    string // what functions with another name run on
	example string // of a handler
}

func languages() []language {
	return []language{
		{engine.RuntimePython, "python", []string{"python3.9", "python3.10", "python3.11", "python3.12", "python3.14"},
			"this node's Python 3.13", "app.lambda_handler"},
		{engine.RuntimeJavaScript, "nodejs", []string{"nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"},
			"this node's JavaScript, which is not Node.js", "index.handler"},
	}
}

// runtimeChoice is what a function's requested runtime means.
type runtimeChoice struct {
	runtime string           // the engine's name; empty: found from the module
	code    persist.CodeKind // that it takes
	example string           // of a handler, where the runtime needs one
	note    string           // for who deploys; may be empty
}

// chooseRuntime returns what a requested runtime means. AWS's names for "bring
// your own binary" and no name at all mean: look at the module. The error is a
// *engine.DeployError.
func chooseRuntime(requested string) (runtimeChoice, error) {
	switch requested {
	case engine.RuntimeWASI, engine.RuntimeExtism:
		return runtimeChoice{runtime: requested}, nil
	case "", "provided", "provided.al2", "provided.al2023":
		return runtimeChoice{}, nil
	}
	hint := "build the function for wasip1 and deploy it as wasi or provided.al2023"
	for _, l := range languages() {
		c := runtimeChoice{runtime: l.runtime, code: persist.CodeFiles, example: l.example}
		if requested == l.runtime {
			return c, nil
		}
		if slices.Contains(l.others, requested) {
			c.note = fmt.Sprintf("runtime %s runs on %s", requested, l.says)
			return c, nil
		}
		if strings.HasPrefix(requested, l.prefix) {
			hint = "use " + l.runtime
		}
	}
	if known := compiledLanguage(requested); known != "" {
		hint = "build the " + known + " code for wasip1 and deploy it as wasi or provided.al2023"
	}
	return runtimeChoice{}, &engine.DeployError{Op: "runtime", Why: fmt.Sprintf("%q is not a runtime of this node", requested), Hint: hint}
}

// compiledLanguage names the language of those of AWS's runtime identifiers
// whose code can run here as Wasm, or nothing where name is none of them.
func compiledLanguage(name string) string {
	for _, l := range []struct{ prefix, language string }{
		{"java", "Java"}, {"dotnet", ".NET"}, {"ruby", "Ruby"}, {"go1.", "Go"},
	} {
		if strings.HasPrefix(name, l.prefix) {
			return l.language
		}
	}
	return ""
}

// checkHandler refuses a function in a language that does not say what to call,
// before its code is stored.
func (c runtimeChoice) checkHandler(fn persist.Function) error {
	if c.example == "" || fn.Handler != "" {
		return nil
	}
	return &engine.DeployError{Op: "handler", Why: "a function for " + fn.RequestedRuntime + " needs one",
		Hint: "name the file and what to call in it, such as " + c.example}
}

// find returns the runtime for the code in codeDir.
func (c runtimeChoice) find(codeDir string) (string, error) {
	switch {
	case c.code == persist.CodeFiles:
		return c.runtime, nil
	case c.runtime == "":
		return detectRuntime(codeDir)
	}
	// Code that was stored for a language may hold no module, and the engine
	// takes it for granted.
	if _, err := os.Stat(filepath.Join(codeDir, engine.ModuleFile)); err != nil {
		return "", moduleError(err)
	}
	return c.runtime, nil
}

// notes are what who deployed fn should know of its runtime.
func (c runtimeChoice) notes(fn persist.Function) []string {
	var notes []string
	if c.note != "" {
		notes = append(notes, c.note)
	}
	if fn.Runtime == engine.RuntimeWASI && fn.Handler != "" {
		notes = append(notes, fmt.Sprintf("the handler %s is not used: a wasi function starts at its main", fn.Handler))
	}
	return notes
}

// detectRuntime tells an Extism plug-in from a WASI command by the module's
// imports and exports. Whether the module is complete is for the engine to say.
func detectRuntime(codeDir string) (string, error) {
	wasm, err := os.ReadFile(filepath.Join(codeDir, engine.ModuleFile))
	if err != nil {
		return "", moduleError(err)
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

// moduleError explains why a module could not be read.
func moduleError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &engine.DeployError{Op: "read module", Why: "the code holds no " + engine.ModuleFile,
			Hint: "deploy a module or a zip with one, or choose the runtime of the code's language", Err: err}
	}
	return fmt.Errorf("read module: %w", err)
}

// extismModule is the import module of the Extism PDK ABI
// (https://extism.org/docs/concepts/pdk).
const extismModule = "extism:host/env"
