package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"ledge/engine/bundle"
	"ledge/engine/capi"
	"ledge/engine/wasi"
	"ledge/engine/wasmbin"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// baseMemory bounds an interpreter while it starts, in bytes.
const baseMemory = 256 << 20

// baseConfig is what all Instances of a language have in common.
func (r *Runtime) baseConfig(l *language, s *start) capi.TemplateConfig {
	cfg := capi.TemplateConfig{
		ABI:          capi.Language,
		Code:         s.code,
		MemoryImport: capi.Import{Module: wasmbin.ImportModule, Name: wasmbin.ImportMemory},
		Entry:        languageInvoke,
		RequestID:    wasi.RequestIDVariable,
		Argv0:        l.name,
		Mounts:       []capi.Mount{mountTask: {Guest: taskRoot}, mountLibrary: {Guest: libraryRoot, Dir: s.library}, mountLayers: {Guest: layerRoot}},
		MemoryLimit:  min(baseMemory, int64(r.machine.layout.maxMemory)),
		LogLimit:     64 << 10,
	}
	for _, i := range l.bundle.Imports {
		cfg.Imports = append(cfg.Imports, capi.Import(i))
	}
	return cfg
}

// The folders that every Instance of a language has, so that functions with layers and
// without share a base image.
const (
	mountTask = iota
	mountLibrary
	mountLayers
)

func (r *Runtime) languageEnvironment(f *Function, l *language) []string {
	env := r.environment(f, "AWS_Lambda_"+l.name)
	if _, own := f.Env["TZ"]; !own {
		env = append(env, "TZ=:UTC")
	}
	return env
}

// captureBase starts the interpreter and stores its base image.
func (r *Runtime) captureBase(ctx context.Context, l *language, s *start) error {
	return r.runBase(ctx, l, s, func(in *instance, d *Deployment) error {
		// The last page belongs to nobody: see deltaState.
		if err := in.shell.Grow(1); err != nil {
			return err
		}
		c, err := takeSnapshot(in, l.bundle.Memory, l.bundle.Globals)
		if err != nil {
			return err
		}
		c.span()
		image, err := c.Image()
		if err != nil {
			return err
		}
		module, state, err := r.storeEncoded(ctx, s.name, image, c, d)
		if err != nil {
			return err
		}
		s.base = state
		module.Close() // each function opens it for itself
		return nil
	})
}

// runBase starts the interpreter and hands it to use.
func (r *Runtime) runBase(ctx context.Context, l *language, s *start, use func(*instance, *Deployment) error) error {
	return r.runStart(ctx, &Function{Name: l.name, Version: Latest}, l, r.baseConfig(l, s), nil, use)
}

// runStart starts an interpreter with the given configuration, takes more steps and
// hands it to use.
func (r *Runtime) runStart(ctx context.Context, f *Function, l *language, cfg capi.TemplateConfig, more []step, use func(*instance, *Deployment) error) error {
	wasm, err := l.bundle.Read(bundle.ImageFile)
	if err != nil {
		return err
	}
	first, err := wasmtime.NewModule(r.machine.engine, wasm)
	if err != nil {
		return fmt.Errorf("compile its first memory: %w", err)
	}
	defer first.Close()
	cfg.Image = first
	var steps []step
	if l.bundle.StartExport != "" {
		steps = append(steps, step{export: l.bundle.StartExport})
	}
	steps = append(append(steps, step{export: languageInitialize}, step{export: languageStart}), more...)
	return r.runOnce(ctx, f, cfg, int64(l.bundle.Memory.Min)*pageSize, steps, use)
}

// hashSeed is the variable by which a Python function asks for an interpreter that
// is started for it, with the seed of hashes that it names or, for "random", one
// that no other function has. The base image has one seed for all, which is in
// nearly every page of it, so that such a function has an image of its own.
const hashSeed = "PYTHONHASHSEED"

func (f *Function) startsAlone() bool {
	_, set := f.Env[hashSeed]
	return set && f.Runtime == RuntimePython
}

// captureAlone starts an interpreter for the function, loads the handler and stores
// what came of it.
func (r *Runtime) captureAlone(ctx context.Context, f *Function, l *language, cfg capi.TemplateConfig, input []byte, name string, d *Deployment) (state imageState, err error) {
	began := time.Now()
	err = r.runStart(ctx, f, l, cfg, []step{{export: languageLoad, input: input}}, func(in *instance, _ *Deployment) error {
		d.InitTime = time.Since(began)
		c, err := takeSnapshot(in, l.bundle.Memory, l.bundle.Globals)
		if err != nil {
			return err
		}
		c.resettable = l.bundle.Resettable
		var module *wasmtime.Module
		if module, state, err = r.storeImage(ctx, name, c, d); err == nil {
			module.Close()
			d.Notes = append(d.Notes, fmt.Sprintf("%s is set, so the interpreter was started for this function alone: its snapshot takes %d MB", hashSeed, d.ImageBytes>>20))
		}
		return err
	})
	return state, err
}

// errBaseGone says that a file of the language is missing that was there when it
// was made ready.
var errBaseGone = errors.New("the runtime's base image is gone from the artifacts")

// captureFunction loads the handler into a restored interpreter and stores what
// that changed.
func (r *Runtime) captureFunction(ctx context.Context, f *Function, l *language, s *start, cfg capi.TemplateConfig, name string, d *Deployment) (state imageState, err error) {
	input, err := r.encodeLoadInput(f)
	if err != nil {
		return state, err
	}
	if f.startsAlone() {
		return r.captureAlone(ctx, f, l, cfg, input, name, d)
	}
	image, err := r.artifacts.open(s.base.Image)
	if err != nil {
		return state, err
	}
	if image == nil {
		return state, errBaseGone
	}
	defer image.Close()
	s.base.restoring(&cfg, image)
	began := time.Now()
	var c *captured
	err = r.runOnce(ctx, f, cfg, s.base.Memory, []step{{export: languageLoad, input: input}}, func(in *instance, _ *Deployment) error {
		d.InitTime = time.Since(began)
		if c, err = takeSnapshot(in, l.bundle.Memory, l.bundle.Globals); err != nil {
			return err
		}
		c.resettable = l.bundle.Resettable
		c.Memory, err = offHeap(c.Memory)
		return err
	})
	if err != nil {
		return state, err
	}
	defer func() {
		if freeing := syscall.Munmap(c.Memory); err == nil {
			err = freeing
		}
	}()
	d.ImageBytes = c.Stats().Content
	// What the base looks like is seen in another Instance.
	err = r.runOnce(ctx, f, cfg, s.base.Memory, nil, func(base *instance, _ *Deployment) error {
		var fits bool
		if state, fits, err = r.storeDelta(name, s.base.Image, base.shell.View(), c); fits || err != nil {
			return err
		}
		var module *wasmtime.Module
		if module, state, err = r.storeImage(ctx, name, c, d); err == nil {
			module.Close()
			d.Notes = append(d.Notes, fmt.Sprintf("the snapshot has a whole image, %d MB: loading the code needed more memory than the runtime has spare", d.ImageBytes>>20))
		}
		return err
	})
	return state, err
}

// offHeap returns a copy of data that the garbage collector does not know of, so
// that a deploy leaves none of it behind. syscall.Munmap frees it.
func offHeap(data []byte) ([]byte, error) {
	room, err := syscall.Mmap(-1, 0, len(data), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("make room for a snapshot: %w", err)
	}
	const page = 4096
	zeros := make([]byte, page)
	for at := 0; at < len(data); at += page { // zeros are there already, and cost nothing
		if part := data[at:min(at+page, len(data))]; !bytes.Equal(part, zeros[:len(part)]) {
			copy(room[at:], part)
		}
	}
	return room, nil
}

// step is one export to call.
type step struct {
	export string
	input  []byte
}

// runOnce makes an Instance, calls exports of it and hands it to use before it is
// discarded. memory is what it starts with, in bytes. What the code of f printed
// goes to its log.
func (r *Runtime) runOnce(ctx context.Context, f *Function, cfg capi.TemplateConfig, memory int64, steps []step, use func(*instance, *Deployment) error) error {
	template, err := r.newTemplate(cfg)
	if err != nil {
		return err
	}
	defer template.Close()
	if err := r.admit(memory); err != nil {
		return err
	}
	defer r.leave()
	in, err := newInstance(template, r, f)
	if err != nil {
		return err
	}
	defer in.close(r.ticker)
	r.ticker.begin(ctx, in)
	defer r.ticker.end(in)
	if outcome := in.shell.Instantiate(r.cfg.InitTimeout); outcome != capi.OK {
		return startError("initialise", in.failure(ctx, outcome, r.cfg.InitTimeout))
	}
	for _, s := range steps {
		outcome := in.shell.Run(s.export, s.input, r.cfg.InitTimeout)
		err := in.failure(ctx, outcome, r.cfg.InitTimeout)
		if text, _ := in.shell.Log(); len(text) > 0 && r.cfg.Logs != nil {
			r.cfg.Logs.AppendLog(f.Name, f.Version, RequestID{}, time.Now(), text)
		}
		if err != nil {
			return loadError(err)
		}
	}
	return use(in, &Deployment{})
}

// loadError says why code did not load.
func loadError(err error) error {
	var raised *FunctionError
	if !errors.As(err, &raised) {
		return startError("load", err)
	}
	return &DeployError{Op: "load", Why: raised.Error(), Err: err}
}
