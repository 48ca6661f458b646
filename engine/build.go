package engine

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"ledge/engine/capi"
	"ledge/engine/wasi"
	"ledge/engine/wasmbin"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// Deployment says what a Deploy did.
type Deployment struct {
	Compiled    bool          // false: the artifact was there already
	CompileTime time.Duration // of the code and the Snapshot
	InitTime    time.Duration // of the module's initialisation, paid once
	Snapshot    bool          // Instances are restored instead of initialised
	ImageBytes  int64         // bytes of the Snapshot that are not zero
	Notes       []string      // what the operator should know
}

// program is a function version that is ready to run.
type program struct {
	template   *capi.Template
	command    bool        // every Invocation is a new Instance
	requests   bool        // the guest asks for the id of its Invocation
	restored   bool        // Instances come from a Snapshot
	resettable bool        // Instances can be put back to what they were restored as
	minimum    int64       // bytes that a new Instance takes
	learning   atomic.Bool // an Invocation has shown, or is showing, which pages it writes to
	modules    []*wasmtime.Module
	delta      *os.File // open for the template
	snapshot   string   // name among the artifacts; "": none
	arn        string   // of the function, for guests that are told what was invoked; "": they are not
}

// close frees the program. No Instance of it may exist any more.
func (p *program) close() {
	if p.template != nil {
		p.template.Close()
	}
	for _, m := range p.modules {
		m.Close()
	}
	if p.delta != nil {
		p.delta.Close() // it was only read
	}
}

// build turns the code of f into a program, from artifacts where they exist.
func (r *Runtime) build(ctx context.Context, f *Function) (*program, Deployment, error) {
	var d Deployment
	if f.LayerDir != "" {
		if _, err := os.Stat(f.LayerDir); err != nil {
			return nil, d, &DeployError{Op: "read layers", Why: err.Error(), Hint: "deploy the function again", Err: err}
		}
	}
	if f.language() {
		return r.buildLanguage(ctx, f)
	}
	plan, err := r.inspect(f)
	if err != nil {
		return nil, d, err
	}
	if plan.note != "" {
		d.Notes = append(d.Notes, plan.note)
	}
	command := plan.abi == capi.Command
	p := &program{command: command, requests: command, minimum: plan.minimum}
	cfg := r.templateConfig(f, plan)
	if plan.parts != nil {
		err = r.addSnapshot(ctx, f, plan, p, &cfg, &d)
	}
	if err == nil && cfg.Code == nil {
		cfg.Init = plan.init
		cfg.Code, err = r.compile(ctx, p, r.moduleName(plan), plan.wasm, &d)
	}
	if err == nil {
		p.template, err = r.newTemplate(cfg)
	}
	if err != nil {
		p.close()
		return nil, d, err
	}
	return p, d, nil
}

func (r *Runtime) newTemplate(cfg capi.TemplateConfig) (*capi.Template, error) {
	template, err := capi.NewTemplate(r.machine.linker, r.node, cfg)
	if err != nil {
		return nil, &DeployError{Op: "link", Why: firstLine(err.Error()), Hint: "build the module for WASI preview 1 or with an Extism PDK", Err: err}
	}
	return template, nil
}

// compile gives p the module of that name.
func (r *Runtime) compile(ctx context.Context, p *program, name string, wasm []byte, d *Deployment) (*wasmtime.Module, error) {
	started := time.Now()
	module, compiled, err := r.artifacts.compile(ctx, name, wasm)
	if compiled {
		d.Compiled = true
		d.CompileTime += time.Since(started)
	}
	if err != nil {
		return nil, err
	}
	p.modules = append(p.modules, module)
	return module, nil
}

func (r *Runtime) templateConfig(f *Function, p *plan) capi.TemplateConfig {
	return capi.TemplateConfig{
		ABI:          p.abi,
		Entry:        p.handler.Name,
		EntryReturns: p.handler.Returns,
		Starts:       p.module.HasStart(),
		Env:          r.environment(f, "AWS_Lambda_ledge"),
		RequestID:    wasi.RequestIDVariable,
		Argv0:        f.Name,
		Mounts:       mounts(p.taskDir, f.LayerDir),
		MemoryLimit:  f.Limits.Memory,
		OutputLimit:  f.Limits.ResponseBytes,
		LogLimit:     f.Limits.LogBytes,
	}
}

// mounts are the folders that there are: to open one for every Instance is not free.
func mounts(taskDir, layerDir string) (list []capi.Mount) {
	if taskDir != "" {
		list = append(list, capi.Mount{Guest: taskRoot, Dir: taskDir})
	}
	if layerDir != "" {
		list = append(list, capi.Mount{Guest: layerRoot, Dir: layerDir})
	}
	return list
}

// Where guests find the files of their code and of their layers, as on AWS Lambda.
const (
	taskRoot  = "/var/task"
	layerRoot = "/opt"
)

// addSnapshot makes cfg restore Instances. It leaves cfg.Code unset where the
// module's initialisation does something that a Snapshot does not hold.
func (r *Runtime) addSnapshot(ctx context.Context, f *Function, plan *plan, p *program, cfg *capi.TemplateConfig, d *Deployment) error {
	code, err := r.compile(ctx, p, r.codeName(plan), plan.parts.Code, d)
	if err != nil {
		return err
	}
	split := *cfg
	split.Code = code
	split.MemoryImport = capi.Import{Module: wasmbin.ImportModule, Name: wasmbin.ImportMemory}
	split.Imports = append(imports(plan.module), split.MemoryImport)

	name := r.imageName(f, plan, cfg.Env)
	image, state, err := r.openImage(name)
	if err != nil {
		return err
	}
	if image == nil {
		s, err := r.capture(ctx, f, plan, split, d)
		if s == nil || err != nil {
			return err
		}
		if image, state, err = r.storeImage(ctx, name, s, d); err != nil {
			return err
		}
	}
	p.modules = append(p.modules, image)
	p.restored, p.minimum, p.resettable = true, state.Memory, state.Resettable
	split.Resettable = p.resettable
	d.Snapshot = true
	state.restoring(&split, image)
	if e, ok := plan.module.Export(afterRestore); ok && e.Kind == wasmbin.KindFunc && e.Type == "()->()" {
		split.Init = []string{afterRestore}
	}
	*cfg = split
	return nil
}

var globalKinds = map[wasmbin.ValType]capi.Kind{
	wasmbin.I32: capi.I32, wasmbin.I64: capi.I64, wasmbin.F32: capi.F32, wasmbin.F64: capi.F64, wasmbin.V128: capi.V128,
}
