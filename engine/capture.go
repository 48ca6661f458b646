package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"ledge/engine/capi"
	"ledge/engine/snapshot"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// captured is a Snapshot with what the engine keeps beside it.
type captured struct {
	snapshot.Snapshot
	clock uint64
}

// imageState is the part of a Snapshot that is not its memory, as it is stored:
// 8 bytes of the guest's clock, 8 bytes of memory size, 71 bytes of the image's
// name, the globals. The image is named by its content, so that globals are never
// put on the memory of another run of the initialisation.
type imageState struct {
	clock   uint64
	memory  int64
	image   string
	globals []snapshot.Global
}

const (
	stateSuffix = ".state"
	imageKind   = "memory"
	stateHead   = 16 + len(imageKind) + 1 + 2*sha256.Size // bytes before the globals
)

// loadState returns the state of that name. It is false where there is none that
// can be used.
func (a *artifacts) loadState(name string) (s imageState, ok bool, err error) {
	data, err := a.load(name + stateSuffix)
	if err != nil || len(data) < stateHead {
		return s, false, err
	}
	s.clock = binary.LittleEndian.Uint64(data)
	s.memory = int64(binary.LittleEndian.Uint64(data[8:]))
	s.image = string(data[16:stateHead])
	if s.globals, err = snapshot.ParseGlobals(data[stateHead:]); err != nil {
		return s, false, nil // made by another version: capture again
	}
	return s, true, nil
}

func (r *Runtime) openImage(name string) (*wasmtime.Module, imageState, error) {
	s, ok, err := r.artifacts.loadState(name)
	if !ok || err != nil {
		return nil, s, err
	}
	module, err := r.artifacts.open(s.image)
	return module, s, err
}

func (r *Runtime) storeImage(ctx context.Context, name string, s *captured, d *Deployment) (*wasmtime.Module, imageState, error) {
	wasm, err := s.Image()
	if err != nil {
		return nil, imageState{}, fmt.Errorf("encode snapshot: %w", err)
	}
	state := imageState{clock: s.clock, memory: int64(len(s.Memory)), image: r.artifacts.name(imageKind, wasm), globals: s.Globals}
	data := binary.LittleEndian.AppendUint64(nil, state.clock)
	data = binary.LittleEndian.AppendUint64(data, uint64(state.memory))
	data = append(data, state.image...)
	if data, err = snapshot.AppendGlobals(data, s.Globals); err != nil {
		return nil, state, err
	}
	d.ImageBytes = s.Stats().Content
	started := time.Now()
	image, _, err := r.artifacts.compile(ctx, state.image, wasm)
	d.CompileTime += time.Since(started)
	if err != nil {
		return nil, state, err
	}
	if err := r.artifacts.store(name+stateSuffix, data); err != nil {
		image.Close()
		return nil, state, err
	}
	return image, state, nil
}

// capture runs the module's initialisation in an Instance of its own and takes
// what it left. It returns nil where a table was changed, which only running
// the code again would repeat.
func (r *Runtime) capture(ctx context.Context, f *Function, plan *plan, cfg capi.TemplateConfig, d *Deployment) (*captured, error) {
	image, err := wasmtime.NewModule(r.machine.engine, plan.parts.Image)
	if err != nil {
		return nil, &DeployError{Op: "compile", Why: firstLine(err.Error()), Hint: "check the module with wasm-validate", Err: err}
	}
	defer image.Close()
	cfg.Image = image
	template, err := r.newTemplate(cfg)
	if err != nil {
		return nil, err
	}
	defer template.Close()
	if err := r.admit(plan.minimum); err != nil {
		return nil, err
	}
	defer r.leave()
	in, err := newInstance(template, r, f)
	if err != nil {
		return nil, err
	}
	defer in.close(r.ticker)
	r.ticker.begin(ctx, in)
	defer r.ticker.end(in)

	failed := func(outcome capi.Outcome) error {
		return startError("initialise", in.failure(ctx, outcome, r.cfg.InitTimeout))
	}
	started := time.Now()
	if outcome := in.shell.Instantiate(r.cfg.InitTimeout); outcome != capi.OK {
		return nil, failed(outcome)
	}
	before := make([]uint64, len(plan.parts.Tables))
	for i, name := range plan.parts.Tables {
		before[i], _ = in.shell.TableHash(name)
	}
	init := plan.init
	if plan.parts.StartExport != "" {
		init = append([]string{plan.parts.StartExport}, init...)
	}
	for _, name := range init {
		if outcome := in.shell.Run(name, r.cfg.InitTimeout); outcome != capi.OK {
			return nil, failed(outcome)
		}
	}
	d.InitTime = time.Since(started)
	for i, name := range plan.parts.Tables {
		if after, ok := in.shell.TableHash(name); !ok || after != before[i] {
			d.Notes = append(d.Notes, "no snapshot, each instance initialises itself: the module's start-up changes a table")
			return nil, nil
		}
	}
	return takeSnapshot(in, plan)
}

// takeSnapshot copies the state of an initialised Instance.
func takeSnapshot(in *instance, plan *plan) (*captured, error) {
	s := &captured{clock: in.shell.Clock()}
	s.Memory = in.shell.Memory()
	if memory := plan.parts.Memory; memory.HasMax {
		most := uint32(memory.Max)
		s.MaxPages = &most
	}
	for _, want := range plan.parts.Globals {
		value, err := in.shell.Global(want.Name)
		if err != nil {
			return nil, fmt.Errorf("capture: %w", err)
		}
		s.Globals = append(s.Globals, snapshot.Global{Name: want.Name, Kind: want.Type, Bits: value.Bits})
	}
	return s, nil
}
