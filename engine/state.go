package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"ledge/engine/capi"
	"ledge/engine/snapshot"
	"ledge/engine/wasmbin"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// captured is a Snapshot with what the engine keeps beside it.
type captured struct {
	snapshot.Snapshot
	clock      uint64
	files      []capi.File
	resettable bool
}

// deadStack returns how much of the memory's start is stack that nobody is on: a
// language runtime is linked with its stack first, and with the stack pointer as
// its only mutable global.
func (c *captured) deadStack() int {
	if len(c.Globals) != 1 || c.Globals[0].Kind != wasmbin.I32 {
		return 0
	}
	return min(int(binary.LittleEndian.Uint32(c.Globals[0].Bits[:])), len(c.Memory))
}

// span makes the image of the memory reach from the end of the dead stack to the
// end of the memory, so that what functions change lies inside it: libwasmtime
// leaves zeros at both ends out. It changes the memory where nobody reads it.
func (c *captured) span() {
	dead := c.deadStack()
	clear(c.Memory[:dead])
	if dead > 0 {
		c.Memory[dead-1] = 1
	}
	c.Memory[len(c.Memory)-1] = 1
}

// imageState is the part of a Snapshot that is not its memory, as it is stored
// under the Snapshot's name. The image is an artifact that is named by its
// content, so that globals are never put on the memory of another run of the
// initialisation.
type imageState struct {
	Image   string      // artifact
	Delta   *deltaState // what goes on top of the image; nil: nothing
	Memory  int64       // bytes of linear memory
	Clock   uint64      // the guest's, in ns
	Globals []byte      // snapshot.AppendGlobals
	Files   []capi.File // that the guest has open
	// Resettable says that the code changes nothing but its memory and globals.
	Resettable bool

	globals []snapshot.Global
}

const (
	stateSuffix = ".state"
	imageKind   = "memory"
)

// loadState returns the state of that name. It is false where there is none that
// can be used.
func (a *artifacts) loadState(name string) (s imageState, ok bool, err error) {
	data, err := a.load(name + stateSuffix)
	if err != nil || data == nil {
		return s, false, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, false, nil // made by another version: capture again
	}
	if s.globals, err = snapshot.ParseGlobals(s.Globals); err != nil || s.Image == "" {
		return s, false, nil
	}
	return s, true, nil
}

func (a *artifacts) storeState(name string, s imageState) (err error) {
	if s.Globals, err = snapshot.AppendGlobals(nil, s.globals); err != nil {
		return err
	}
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	return a.store(name+stateSuffix, data)
}

func (r *Runtime) openImage(name string) (*wasmtime.Module, imageState, error) {
	s, ok, err := r.artifacts.loadState(name)
	if !ok || err != nil {
		return nil, s, err
	}
	module, err := r.artifacts.open(s.Image)
	return module, s, err
}

// storeImage stores a Snapshot with an image of its own.
func (r *Runtime) storeImage(ctx context.Context, name string, s *captured, d *Deployment) (*wasmtime.Module, imageState, error) {
	wasm, err := s.Image()
	if err != nil {
		return nil, imageState{}, fmt.Errorf("encode snapshot: %w", err)
	}
	d.ImageBytes = s.Stats().Content
	return r.storeEncoded(ctx, name, wasm, s, d)
}

func (r *Runtime) storeEncoded(ctx context.Context, name string, wasm []byte, s *captured, d *Deployment) (*wasmtime.Module, imageState, error) {
	state := imageState{Image: r.artifacts.name(imageKind, wasm), Memory: int64(len(s.Memory)), Clock: s.clock, Files: s.files, Resettable: s.resettable, globals: s.Globals}
	started := time.Now()
	image, _, err := r.artifacts.compile(ctx, state.Image, wasm)
	d.CompileTime += time.Since(started)
	if err != nil {
		return nil, state, err
	}
	if err := r.artifacts.storeState(name, state); err != nil {
		image.Close()
		return nil, state, err
	}
	return image, state, nil
}

// restoring makes cfg restore Instances from the state and its image.
func (s *imageState) restoring(cfg *capi.TemplateConfig, image *wasmtime.Module) {
	cfg.Image = image
	cfg.Clock = s.Clock
	cfg.Files = s.Files
	cfg.Globals = nil
	for _, g := range s.globals {
		cfg.Globals = append(cfg.Globals, capi.Global{Name: g.Name, Kind: globalKinds[g.Kind], Bits: g.Bits})
	}
}
