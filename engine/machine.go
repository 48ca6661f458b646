package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strings"

	"ledge/engine/capi"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

const (
	// maxInstances leaves room below 10000 threads, with which Go ends a process: a
	// running Instance has one.
	maxInstances = 8000
	// wasmStack leaves room below capi.ThreadStack for what calls and is called by a
	// guest. An interpreter that recurses needs more than compiled code.
	wasmStack = 4 << 20
	// keepResident bytes of a freed memory are zeroed by hand instead of being
	// given back to the kernel, which costs more for small guests.
	keepResident = 128 << 10
	warmSlots    = 32
)

// layout divides the process's address space among Instances.
type layout struct {
	instances   int
	maxMemory   uint64 // bytes that a linear memory may grow to
	reservation uint64 // bytes of address space for one
	guard       uint64
}

// tables is the address space in bytes that capi.Configure reserves for the tables
// of one Instance.
const tables = 8 * 100000 * 8

// Wide reservations let Wasmtime leave out bounds checks, which is a quarter of
// the time of memory-heavy code: every 32-bit address lies inside 4 GiB. A
// 39-bit kernel (Raspberry Pi OS) has 512 GiB in all, which is room for few of
// those, so there the slots are as large as a function's memory may get.
var (
	wide    = layout{instances: 1000, maxMemory: 4 << 30, reservation: 4 << 30, guard: 32 << 20}
	bounded = layout{instances: 256, maxMemory: 512 << 20, reservation: 512 << 20, guard: 64 << 10}
)

// chooseLayout picks the layout for a process with so many address bits, and
// for 0 bits asks the kernel.
func chooseLayout(bits, instances int, canReserve func(uint64) bool) (layout, error) {
	candidates := []layout{wide, bounded}
	if bits != 0 && bits < 47 {
		candidates = candidates[1:]
	}
	for _, l := range candidates {
		if instances != 0 {
			l.instances = instances
		}
		need := uint64(l.instances) * (l.reservation + l.guard + tables)
		if bits != 0 && need > 1<<(bits-1) {
			continue
		}
		if canReserve(need) {
			return l, nil
		}
	}
	return layout{}, fmt.Errorf("no address space for %d instances; ask for fewer, or lift the limit on virtual memory (ulimit -v)",
		max(instances, bounded.instances))
}

// machine is the compiler and the allocator: one per process.
type machine struct {
	layout layout
	engine *wasmtime.Engine
	linker *capi.Linker
	// id names everything that a compiled artifact depends on but its code.
	id string
}

func newMachine(cfg Config) (*machine, error) {
	if err := capi.StackLimit(); err != nil {
		return nil, err
	}
	l, err := chooseLayout(cfg.AddressBits, cfg.MaxInstances, capi.CanReserve)
	if err != nil {
		return nil, err
	}
	m := &machine{layout: l, engine: wasmtime.NewEngineWithConfig(l.settings())}
	if m.linker, err = capi.NewLinker(m.engine); err != nil {
		m.engine.Close()
		return nil, err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "wasmtime 44.0.0 %s %s %+v stack %d pages %d settings 2\n%s",
		runtime.GOOS, runtime.GOARCH, l, wasmStack, os.Getpagesize(), cpuFeatures()))
	m.id = hex.EncodeToString(sum[:])
	return m, nil
}

// settings are those of the compiler and of the allocator.
func (l layout) settings() *wasmtime.Config {
	config := wasmtime.NewConfig()
	config.SetEpochInterruption(true)
	config.SetCraneliftOptLevel(wasmtime.OptLevelSpeed)
	config.SetMemoryInitCOWSet(true)
	// Guests with garbage collection or 64-bit memories are not served yet, and
	// a feature that is off cannot be attacked.
	config.SetGCSupport(false)
	config.SetWasmGC(false)
	config.SetWasmFunctionReferences(false)
	config.SetWasmMemory64(false)
	config.SetWasmMultiMemory(false)
	config.SetWasmReferenceTypes(true)
	capi.Configure(config, capi.PoolConfig{
		Instances:    uint32(l.instances),
		MaxMemory:    l.maxMemory,
		Reservation:  l.reservation,
		Guard:        l.guard,
		KeepResident: keepResident,
		WarmSlots:    warmSlots,
		WasmStack:    wasmStack,
	})
	return config
}

func (m *machine) close() {
	m.linker.Close()
	m.engine.Close()
}

// cpuFeatures returns the kernel's list of what the processor can do. Code is
// compiled for this very processor, so an artifact goes with its features.
func cpuFeatures() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "flags") || strings.HasPrefix(line, "Features") {
			return line
		}
	}
	return ""
}
