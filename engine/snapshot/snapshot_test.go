package snapshot

import (
	"strings"
	"testing"

	"ledge/engine/wasmbin"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

func TestImageRestoresMemory(t *testing.T) {
	maximum := uint32(4)
	s := &Snapshot{Memory: make([]byte, 3*wasmbin.PageSize), MaxPages: &maximum}
	s.Memory[5], s.Memory[70000] = 0xaa, 0xbb
	image, err := s.Image()
	if err != nil {
		t.Fatal(err)
	}
	clear(s.Memory) // the image must not depend on it

	engine := wasmtime.NewEngine()
	module, err := wasmtime.NewModule(engine, image)
	if err != nil {
		t.Fatal(err)
	}
	store := wasmtime.NewStore(engine)
	defer store.Close()
	instance, err := wasmtime.NewInstance(store, module, nil)
	if err != nil {
		t.Fatal(err)
	}
	memory := instance.GetExport(store, wasmbin.MemoryExport).Memory()
	data := memory.UnsafeData(store)
	if len(data) != 3*wasmbin.PageSize || data[5] != 0xaa || data[70000] != 0xbb || data[6] != 0 {
		t.Errorf("memory of %d bytes has %#x, %#x, %#x", len(data), data[5], data[70000], data[6])
	}
	if _, err := memory.Grow(store, 1); err != nil {
		t.Errorf("grow to the maximum: %v", err)
	}
	if _, err := memory.Grow(store, 1); err == nil {
		t.Error("the memory grew past its maximum")
	}
}

func TestImageError(t *testing.T) {
	maximum := uint32(1)
	s := &Snapshot{Memory: make([]byte, 2*wasmbin.PageSize), MaxPages: &maximum}
	if _, err := s.Image(); err == nil || !strings.Contains(err.Error(), "make snapshot image") {
		t.Errorf("error %v, want one for a maximum below the size", err)
	}
}

func TestStats(t *testing.T) {
	s := &Snapshot{Memory: make([]byte, 2*wasmbin.PageSize), Globals: make([]Global, 3)}
	s.Memory[0], s.Memory[4095], s.Memory[100000] = 1, 1, 1
	if got, want := s.Stats(), (Stats{Pages: 2, Content: 8192, Globals: 3}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}
