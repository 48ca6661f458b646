package capi

import (
	"os"
	"slices"
	"testing"
	"time"
)

// writer counts in its first page, which the image fills, and writes to the page
// at 128 KiB, which the image leaves empty.
const (
	writerImage = `(module (memory (export "memory") 4) (data (i32.const 0) "\05") (data (i32.const 70000) "unused"))`
	writerCode  = `(module (import "ledge" "memory" (memory 1)) (export "memory" (memory 0))
	  (func (export "handle") (result i32)
	    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
	    (i32.store (i32.const 131072) (i32.load (i32.const 70000)))
	    (i32.store (i32.const 131076) (i32.load (i32.const 0)))
	    (i32.const 0)))`
)

func writer(t testing.TB) *Template {
	engine := newEngine(t)
	memory := Import{"ledge", "memory"}
	return template(t, engine, NewNode(0, false), TemplateConfig{ABI: Extism, Code: compile(t, engine, writerCode), Entry: "handle", EntryReturns: true,
		Image: compile(t, engine, writerImage), Imports: []Import{memory}, MemoryImport: memory})
}

// The working set is the pages that were written to, not those that were read;
// an instance that has them ahead of time sees the same memory.
func TestWorkingSet(t *testing.T) {
	page := uint64(os.Getpagesize())
	template := writer(t)
	run := func(in *Instance) []byte {
		t.Helper()
		if in.Instantiate(time.Second) != OK || in.Call(nil, time.Second) != OK {
			t.Fatal(in.Message())
		}
		return in.Memory()
	}
	first := instance(t, template, noHost{})
	before := run(first)
	ranges, ok := first.WorkingSet()
	// The kernel may have given more than a page for a fault outside of the image.
	if !ok || !owns(ranges, 0) || !owns(ranges, 131072) || owns(ranges, 70000) {
		t.Fatalf("working set %v, %v; want the pages of 0 and 131072, not that of 70000", ranges, ok)
	}
	template.Prefault(append(ranges, Range{1 << 30, page}), nil) // the last is outside of the memory
	for range 3 {
		in := instance(t, template, noHost{})
		if after := run(in); !slices.Equal(before, after) || after[131076] != 6 {
			t.Fatal("a prefaulted instance is another")
		}
	}
	// Pages that were copied ahead are its own even before it runs.
	in := instance(t, template, noHost{})
	if in.Instantiate(time.Second) != OK {
		t.Fatal(in.Message())
	}
	if have, ok := in.WorkingSet(); !ok || !owns(have, 0) || !owns(have, 131072) || owns(have, 70000) {
		t.Errorf("before the call the instance owns %v, not %v", have, ranges)
	}
}

func owns(ranges []Range, at uint64) bool {
	return slices.ContainsFunc(ranges, func(r Range) bool { return at >= r.Offset && at-r.Offset < r.Len })
}

// A guest that writes to more pages than it pays to copy has no working set.
func TestWorkingSetTooLarge(t *testing.T) {
	engine := newEngine(t)
	memory := Import{"ledge", "memory"}
	in := instance(t, template(t, engine, NewNode(0, false), TemplateConfig{ABI: Extism, Entry: "handle",
		Code: compile(t, engine, `(module (import "ledge" "memory" (memory 1)) (export "memory" (memory 0))
		  (func (export "handle") (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x600000))))`),
		Image: compile(t, engine, `(module (memory (export "memory") 128))`), Imports: []Import{memory}, MemoryImport: memory}), noHost{})
	if in.Instantiate(time.Second) != OK || in.Call(nil, time.Second) != OK {
		t.Fatal(in.Message())
	}
	if ranges, ok := in.WorkingSet(); ok {
		t.Errorf("working set of %d ranges", len(ranges))
	}
}
