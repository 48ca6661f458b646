package capi

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// A function's pages lie over the image that it shares, in every slot of the
// pool, whoever had the slot before; what an Instance writes goes with it; and
// nobody else sees them. It pins what overlay.c assumes of libwasmtime.
func TestOverlay(t *testing.T) {
	for _, start := range []int{0, 128 << 10} { // of the image in the memory
		t.Run(fmt.Sprint(start), func(t *testing.T) { testOverlay(t, start, NewNode(0, false)) })
	}
	// The process has no mappings left, or some.
	for _, maps := range []int{0, 10, 20} {
		t.Run(fmt.Sprint("maps ", maps), func(t *testing.T) {
			node := NewNode(0, false)
			node.c.max_maps = 0
			for range maps {
				node.c.max_maps++
			}
			testOverlay(t, 0, node)
		})
	}
}

func testOverlay(t *testing.T, start int, node *Node) {
	const pages, slots, functions, keep = 6, 3, 5, 64 << 10
	page := os.Getpagesize()
	config := wasmtime.NewConfig()
	config.SetEpochInterruption(true)
	config.SetMemoryInitCOWSet(true)
	Configure(config, PoolConfig{Instances: slots, MaxMemory: 1 << 30, Reservation: 4 << 30, Guard: 32 << 20,
		KeepResident: keep, WarmSlots: slots, WasmStack: 512 << 10})
	engine := wasmtime.NewEngineWithConfig(config)
	t.Cleanup(engine.Close)

	// The image is 1 everywhere, so that a page of zeros is seen too. Its last page
	// is nobody's.
	size := pages << 16
	image := bytes.Repeat([]byte{1}, size)
	clear(image[:start])
	text := fmt.Sprintf(`(module (memory (export "memory") %d) (data (i32.const %d) "%s"))`, pages, start, bytes.Repeat([]byte(`\01`), size-start))
	compiled := compile(t, engine, text)
	data, err := compiled.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	artifact := filepath.Join(t.TempDir(), "image.cwasm")
	if err := os.WriteFile(artifact, data, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() *wasmtime.Module {
		m, err := wasmtime.NewModuleDeserializeFile(engine, artifact)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	code := compile(t, engine, fmt.Sprintf(`(module (memory (import "ledge" "memory") %d) (func (export "entry"))
	  (func (export "scribble") (memory.fill (i32.const 0) (i32.const 7) (i32.const %d))))`, pages, size))
	memory := Import{"ledge", "memory"}
	config2 := TemplateConfig{ABI: Language, Code: code, Entry: "entry", Imports: []Import{memory}, MemoryImport: memory}

	var templates []*Template
	var want [][]byte
	add := func(patch func(memory []byte) *Delta) {
		cfg, memory := config2, bytes.Clone(image)
		cfg.Image = open()
		cfg.Delta = patch(memory)
		templates = append(templates, template(t, engine, node, cfg))
		want = append(want, memory)
	}
	add(func([]byte) *Delta { return nil })
	for i := range functions {
		add(func(memory []byte) *Delta {
			var content []byte
			d := &Delta{}
			for _, offset := range []int{max(start, keep) + i*page, max(start, keep) + 20*page, size - (2+i)*page} {
				d.Patches = append(d.Patches, Patch{Offset: uint64(offset), Len: uint64(page), At: uint64(len(content))})
				content = append(content, bytes.Repeat([]byte{byte(10 + i)}, page)...)
				copy(memory[offset:], content[len(content)-page:])
			}
			d.Mark = sha256.Sum256(content)
			d.Patches = append(d.Patches, Patch{Offset: uint64(size - page), Len: uint64(page), At: uint64(len(content))})
			content = append(content, d.Mark[:]...)
			content = append(content, make([]byte, page-len(d.Mark))...)
			clear(memory[size-page:])
			copy(memory[size-page:], d.Mark[:])
			path := filepath.Join(t.TempDir(), "delta")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if d.File, err = os.Open(path); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.File.Close() })
			return d
		})
	}
	var shells []*Instance
	for _, template := range templates {
		shells = append(shells, instance(t, template, noHost{}))
	}
	live := []int{} // shells with an Instance, at most as many as slots
	for turn := range 200 {
		i := turn * 7 % len(shells)
		if turn%3 == 0 {
			i = turn % 2 // the same one again
		}
		for len(live) > 0 && (len(live) == slots || live[0] == i || turn%5 == 0) {
			shells[live[0]].Drop()
			live = live[1:]
		}
		for _, j := range live {
			if j == i {
				shells[i].Drop()
			}
		}
		in := shells[i]
		if outcome := in.Instantiate(time.Second); outcome != OK {
			t.Fatalf("turn %d: outcome %d: %s", turn, outcome, in.Message())
		}
		if got := in.View(); !bytes.Equal(got, want[i]) {
			n := mismatch(got, want[i])
			t.Fatalf("turn %d: the memory of function %d has %d at %d, want %d", turn, i, got[n], n, want[i][n])
		}
		if outcome := in.Run("scribble", nil, time.Second); outcome != OK {
			t.Fatalf("turn %d: scribble: outcome %d: %s", turn, outcome, in.Message())
		}
		kept := live[:0]
		for _, j := range live {
			if j != i {
				kept = append(kept, j)
			}
		}
		live = append(kept, i)
	}
}

func mismatch(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}
