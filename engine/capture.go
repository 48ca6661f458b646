package engine

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"ledge/engine/capi"
	"ledge/engine/snapshot"
	"ledge/engine/wasmbin"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

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
		if outcome := in.shell.Run(name, nil, r.cfg.InitTimeout); outcome != capi.OK {
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
	s, err := takeSnapshot(in, plan.parts.Memory, plan.parts.Globals)
	if err != nil {
		return nil, err
	}
	s.Memory = bytes.Clone(s.Memory) // the instance goes
	if s.resettable, err = plan.module.Resettable(); err != nil {
		return nil, parseError(err)
	}
	return s, nil
}

// takeSnapshot takes the state of an initialised Instance. The memory is borrowed
// from it.
func takeSnapshot(in *instance, memory wasmbin.Limits, globals []wasmbin.GlobalExport) (*captured, error) {
	s := &captured{clock: in.shell.Clock(), files: in.shell.Files()}
	s.Memory = in.shell.View()
	if memory.HasMax {
		most := uint32(memory.Max)
		s.MaxPages = &most
	}
	for _, want := range globals {
		value, err := in.shell.Global(want.Name)
		if err != nil {
			return nil, fmt.Errorf("capture: %w", err)
		}
		s.Globals = append(s.Globals, snapshot.Global{Name: want.Name, Kind: want.Type, Bits: value.Bits})
	}
	return s, nil
}
