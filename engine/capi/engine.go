package capi

// #include "ledge.h"
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// PoolConfig sizes the pooling allocator: how many Instances the process may
// hold and how much address space each gets.
type PoolConfig struct {
	Instances    uint32 // stores at the same time
	MaxMemory    uint64 // bytes that one linear memory may grow to
	Reservation  uint64 // bytes of address space for one memory; 4 GiB needs no bounds checks
	Guard        uint64 // bytes behind each reservation that trap
	KeepResident uint64 // bytes of a freed memory that stay mapped for the next
	WarmSlots    uint32 // freed memories that keep their image
	WasmStack    uint64 // bytes of stack for a guest
}

// Configure sets config up for the pooling allocator.
func Configure(config *wasmtime.Config, p PoolConfig) {
	C.ledge_configure((*C.wasm_config_t)(pointer(config)), &C.ledge_pool_config{
		instances:     C.uint32_t(p.Instances),
		max_memory:    C.uint64_t(p.MaxMemory),
		reservation:   C.uint64_t(p.Reservation),
		guard:         C.uint64_t(p.Guard),
		keep_resident: C.uint64_t(p.KeepResident),
		warm_slots:    C.uint32_t(p.WarmSlots),
		wasm_stack:    C.uint64_t(p.WasmStack),
	})
	runtime.KeepAlive(config)
}

// Portable makes config compile for every processor of an architecture that Ledge
// runs on, instead of for this very one: on amd64 x86-64-v2, which all have since
// 2009, on arm64 Armv8.0, which is the Raspberry Pi 3 and 4.
func Portable(config *wasmtime.Config, arch string) error {
	target, flags := "", []string(nil)
	switch arch {
	case "amd64":
		target, flags = "x86_64-unknown-linux-gnu", []string{"has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt", "has_cmpxchg16b"}
	case "arm64":
		target = "aarch64-unknown-linux-gnu"
	default:
		return fmt.Errorf("no processor %q", arch)
	}
	if err := config.SetTarget(target); err != nil {
		return err
	}
	for _, flag := range flags {
		config.EnableCraneliftFlag(flag)
	}
	return nil
}

// CanReserve reports whether the process can reserve so many bytes of address
// space. It reserves them for a moment and uses none.
func CanReserve(bytes uint64) bool { return bool(C.ledge_can_reserve(C.uint64_t(bytes))) }

// StackLimit returns an error where the process's threads cannot have the stack
// that guests may use.
func StackLimit() error {
	if bool(C.ledge_stacks_are_wide()) {
		return nil
	}
	return fmt.Errorf("the hard limit on the stack is below %d MB; raise it with ulimit -Hs %d", C.LEDGE_THREAD_STACK>>20, C.LEDGE_THREAD_STACK>>10)
}

// CanRenice reports whether a thread of this process may lower its priority
// and raise it again.
func CanRenice() bool { return bool(C.ledge_can_renice()) }

// pointer returns the C pointer inside a value of wasmtime-go: the first field
// of its Config, Engine and Module. TestPointers pins the assumption.
func pointer[T wasmtime.Config | wasmtime.Engine | wasmtime.Module](v *T) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(v))
}

// Linker has the host functions that guests may import: WASI preview 1, the
// Extism kernel and what language runtimes ask of the node. It is safe for
// concurrent use.
type Linker struct {
	c      *C.wasmtime_linker_t
	engine *wasmtime.Engine // outlives the linker
}

// NewLinker returns a Linker for modules of engine.
func NewLinker(engine *wasmtime.Engine) (*Linker, error) {
	var message *C.char
	var n C.size_t
	c := C.ledge_linker_new((*C.wasm_engine_t)(pointer(engine)), &message, &n)
	if c == nil {
		defer C.free(unsafe.Pointer(message))
		return nil, errors.New("define host functions: " + C.GoStringN(message, C.int(n)))
	}
	return &Linker{c: c, engine: engine}, nil
}

// Close frees the linker. No Template may use it any more.
func (l *Linker) Close() { C.wasmtime_linker_delete(l.c) }

// Node counts what all Instances use together.
type Node struct{ c *C.ledge_node }

// NewNode returns a Node, which lives as long as the process, with a budget in bytes of linear memory, 0 for none.
// With renice, threads that run long Invocations get a lower priority.
func NewNode(budget int64, renice bool) *Node {
	c := (*C.ledge_node)(C.calloc(1, C.sizeof_ledge_node))
	c.budget = C.int64_t(budget)
	c.renice = C.bool(renice)
	c.max_files = C.int64_t(openFiles() / 4)
	c.max_maps = C.size_t(mappings() / 2) // modules, stacks and memories have the others
	C.pthread_mutex_init(&c.mapping, nil)
	c.nslots = overlaySlots
	c.slots = (*C.struct_ledge_slot)(C.calloc(c.nslots, C.sizeof_struct_ledge_slot))
	return &Node{c: c}
}

// overlaySlots is how many places of memories a Node can count mappings of: twice
// the Instances that a process may have.
const overlaySlots = 1 << 14

// openFiles is how many descriptors the process may have.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return min(limit.Cur, 1<<20)
}

// mappings is how many mappings the kernel lets a process have.
func mappings() int {
	const usual = 65530
	text, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if err != nil {
		return usual
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n <= 0 {
		return usual
	}
	return n
}

// Missing returns those of imports that the linker does not have.
func (l *Linker) Missing(imports []Import) (missing []Import) {
	store := C.wasmtime_store_new((*C.wasm_engine_t)(pointer(l.engine)), nil, nil)
	defer C.wasmtime_store_delete(store)
	context := C.wasmtime_store_context(store)
	for _, want := range imports {
		var item C.wasmtime_extern_t
		module, moduleLen := cbytes(want.Module)
		name, nameLen := cbytes(want.Name)
		if !bool(C.wasmtime_linker_get(l.c, context, module, moduleLen, name, nameLen, &item)) {
			missing = append(missing, want)
		}
	}
	return missing
}
