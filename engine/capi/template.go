package capi

// #include "ledge.h"
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// ABI says how an Instance takes events and gives replies.
type ABI int

const (
	Command ABI = C.LEDGE_ABI_COMMAND // WASI command: standard input and output
	Extism  ABI = C.LEDGE_ABI_EXTISM  // Extism PDK: the kernel's memory
	// Language is an interpreter that imports the module "ledge".
	Language ABI = C.LEDGE_ABI_LANGUAGE
)

// Import names one import of a module, in the order in which it declares them.
type Import struct{ Module, Name string }

// Kind is the type of a Global.
type Kind uint8

// The kinds of Global, with the numbers that libwasmtime gives them.
const (
	I32  Kind = C.WASMTIME_I32
	I64  Kind = C.WASMTIME_I64
	F32  Kind = C.WASMTIME_F32
	F64  Kind = C.WASMTIME_F64
	V128 Kind = C.WASMTIME_V128
)

// Global is the value of an exported global: its bits, little-endian.
type Global struct {
	Name string
	Kind Kind
	Bits [16]byte
}

// Mount is a folder that guests read below the name Guest; without a Dir it is empty.
type Mount struct{ Guest, Dir string }

// File is an open file of a guest. The first files of an Instance, from
// descriptor 3 on, are its mounts.
type File struct {
	Open, Directory bool
	Mount           int // index of TemplateConfig.Mounts
	Offset          uint64
	Path            string // below the mount
}

// MarkSize is the size in bytes of a Delta's mark.
const MarkSize = C.LEDGE_MARK

// Delta is what a function changes of the Image that it shares with others:
// whole pages of the host that File has at Patch.At, none of them in the first
// PoolConfig.KeepResident bytes. The last Patch begins with Mark, where the image
// has something else.
type Delta struct {
	File    *os.File // must stay open as long as the Template lives
	Patches []Patch
	Mark    [MarkSize]byte
}

// Patch is one part of a Delta, in bytes.
type Patch struct{ Offset, Len, At uint64 }

// TemplateConfig is all that Instances of one function version have in common.
type TemplateConfig struct {
	ABI  ABI
	Code *wasmtime.Module

	// Image, where it is set, is a module that exports only a memory. Code then
	// imports it as MemoryImport, and Globals are set before anything runs.
	Image        *wasmtime.Module
	Imports      []Import // of Code; needed only with Image
	MemoryImport Import
	Globals      []Global
	Clock        uint64 // ns that the guest's monotonic clock starts from
	// Delta, where it is set, goes on top of Image, which must be a module of its
	// own: no other Template may have the same *wasmtime.Module.
	Delta *Delta

	Entry        string   // export to call
	EntryReturns bool     // it is () -> i32 and not () -> ()
	Init         []string // exports of type () -> () to call in each new Instance, in order

	Resettable bool     // Code changes nothing but its memory and Globals
	Starts     bool     // Code has a start function
	Env        []string // "NAME=value", for WASI and as an Extism plug-in's configuration
	RequestID  string   // name of the variable that holds a command's request id
	Argv0      string
	Mounts     []Mount
	Files      []File // that were open when the Image was taken; nil: only the mounts

	MemoryLimit int64 // bytes of linear memory
	OutputLimit int64 // bytes of reply
	LogLimit    int64 // bytes of log for one call; more is dropped
}

// Template makes Instances. It is immutable and safe for concurrent use.
type Template struct {
	c       *C.ledge_template
	cfg     TemplateConfig // keeps the modules from being collected
	linker  *Linker
	strings []unsafe.Pointer
	folders []*os.File
}

// NewTemplate resolves what can be resolved before an Instance exists. It
// fails where the module imports what the linker does not have.
func NewTemplate(linker *Linker, node *Node, cfg TemplateConfig) (*Template, error) {
	for _, s := range append([]string{cfg.Argv0}, cfg.Env...) {
		if strings.IndexByte(s, 0) >= 0 {
			return nil, fmt.Errorf("%q holds a zero byte", s)
		}
	}
	t := &Template{cfg: cfg, linker: linker}
	c := (*C.ledge_template)(t.alloc(C.sizeof_ledge_template))
	t.c = c
	c.engine = (*C.wasm_engine_t)(pointer(linker.engine))
	c.linker = linker.c
	c.node = node.c
	c.abi = C.int(cfg.ABI)
	c.starts = C.bool(cfg.Starts)
	c.resettable = C.bool(cfg.Resettable)
	c.clock = C.uint64_t(cfg.Clock)
	c.entry, c.entry_len = t.text(cfg.Entry)
	c.entry_returns = C.bool(cfg.EntryReturns)
	c.argv0, _ = t.text(cfg.Argv0)
	c.memory_limit = C.int64_t(cfg.MemoryLimit)
	c.output_limit = C.size_t(cfg.OutputLimit)
	c.log_limit = C.size_t(cfg.LogLimit)
	c.kernel_limit = C.size_t(cfg.MemoryLimit)

	c.ninit = C.size_t(len(cfg.Init))
	c.init = (**C.char)(t.alloc(len(cfg.Init) * int(unsafe.Sizeof(c.init))))
	for i, name := range cfg.Init {
		unsafe.Slice(c.init, len(cfg.Init))[i], _ = t.text(name)
	}
	t.setEnv()
	err := t.setFiles()
	if err != nil {
		t.Close()
		return nil, err
	}
	if cfg.Image == nil {
		c.pre, err = t.resolve(cfg.Code)
	} else {
		err = t.setImage()
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (t *Template) setEnv() {
	n := len(t.cfg.Env) + 1
	size := n * int(unsafe.Sizeof(t.c.env_names))
	t.c.nenv = C.size_t(n)
	t.c.env, t.c.env_names, t.c.env_values = (**C.char)(t.alloc(size)), (**C.char)(t.alloc(size)), (**C.char)(t.alloc(size))
	whole, names, values := unsafe.Slice(t.c.env, n), unsafe.Slice(t.c.env_names, n), unsafe.Slice(t.c.env_values, n)
	for i, entry := range t.cfg.Env {
		whole[i], _ = t.text(entry)
		name, value, _ := strings.Cut(entry, "=")
		names[i], _ = t.text(name)
		values[i], _ = t.text(value)
	}
	names[n-1], _ = t.text(t.cfg.RequestID)
	whole[n-1] = names[n-1]
}

func (t *Template) setImage() (err error) {
	if t.c.image_pre, err = t.resolve(t.cfg.Image); err != nil {
		return err
	}
	t.c.code = (*C.wasmtime_module_t)(pointer(t.cfg.Code))
	t.c.nimports = C.size_t(len(t.cfg.Imports))
	t.c.imports = (*C.ledge_import)(t.alloc(len(t.cfg.Imports) * C.sizeof_ledge_import))
	for i, want := range t.cfg.Imports {
		im := &unsafe.Slice(t.c.imports, len(t.cfg.Imports))[i]
		im.module, im.module_len = t.text(want.Module)
		im.name, im.name_len = t.text(want.Name)
		im.memory = C.bool(want == t.cfg.MemoryImport)
	}
	t.c.nglobals = C.size_t(len(t.cfg.Globals))
	t.c.globals = (*C.ledge_global)(t.alloc(len(t.cfg.Globals) * C.sizeof_ledge_global))
	for i, global := range t.cfg.Globals {
		g := &unsafe.Slice(t.c.globals, len(t.cfg.Globals))[i]
		g.name, g.name_len = t.text(global.Name)
		g.value.kind = C.wasmtime_valkind_t(global.Kind)
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&g.value.of)), 16), global.Bits[:])
	}
	c := t.c
	c.delta = -1
	if d := t.cfg.Delta; d != nil && len(d.Patches) > 0 {
		c.delta = C.int(d.File.Fd())
		c.npatches = C.size_t(len(d.Patches))
		c.patches = (*C.ledge_patch)(t.alloc(len(d.Patches) * C.sizeof_ledge_patch))
		for i, p := range d.Patches {
			unsafe.Slice((*C.ledge_patch)(unsafe.Pointer(c.patches)), len(d.Patches))[i] = C.ledge_patch{offset: C.uint64_t(p.Offset), len: C.uint64_t(p.Len), at: C.uint64_t(p.At)}
		}
		c.mark_at = C.uint64_t(d.Patches[len(d.Patches)-1].Offset)
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&c.mark)), MarkSize), d.Mark[:])
	}
	return nil
}

// setFiles opens the mounts and lists what an Instance has open from the start.
func (t *Template) setFiles() error {
	mounts, c := t.cfg.Mounts, t.c
	c.nmounts = C.size_t(len(mounts))
	list := (*C.ledge_mount)(t.alloc(len(mounts) * C.sizeof_ledge_mount))
	c.mounts = list
	for i, m := range mounts {
		at := &unsafe.Slice(list, len(mounts))[i]
		at.guest, _ = t.text(m.Guest)
		at.fd = -1
		if m.Dir == "" {
			continue
		}
		folder, err := os.Open(m.Dir)
		if err != nil {
			return fmt.Errorf("open the folder of the function's files: %w", err)
		}
		t.folders = append(t.folders, folder)
		at.fd = C.int(folder.Fd())
	}
	files := t.cfg.Files
	if files == nil {
		for i := range mounts {
			files = append(files, File{Open: true, Directory: true, Mount: i})
		}
	}
	c.nfiles = C.size_t(len(files))
	open := (*C.ledge_file)(t.alloc(len(files) * C.sizeof_ledge_file))
	c.files = open
	for i, f := range files {
		if f.Mount < 0 || f.Mount >= len(mounts) {
			return fmt.Errorf("file %d of the snapshot is in mount %d of %d", i, f.Mount, len(mounts))
		}
		at := &unsafe.Slice(open, len(files))[i]
		at.open, at.directory = C.bool(f.Open), C.bool(f.Directory)
		at.mount, at.offset, at.host = C.uint32_t(f.Mount), C.uint64_t(f.Offset), -1
		at.path, _ = t.text(f.Path)
	}
	return nil
}

func (t *Template) resolve(module *wasmtime.Module) (*C.wasmtime_instance_pre_t, error) {
	var pre *C.wasmtime_instance_pre_t
	err := C.wasmtime_linker_instantiate_pre(t.linker.c, (*C.wasmtime_module_t)(pointer(module)), &pre)
	if err != nil {
		return nil, takeError(err)
	}
	return pre, nil
}

func takeError(err *C.wasmtime_error_t) error {
	var n C.size_t
	text := C.ledge_take_error(err, &n)
	defer C.free(unsafe.Pointer(text))
	return errors.New(C.GoStringN(text, C.int(n)))
}

// alloc returns zeroed C memory that lives as long as the template.
func (t *Template) alloc(size int) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	p := C.calloc(1, C.size_t(size))
	t.strings = append(t.strings, p)
	return p
}

func (t *Template) text(s string) (*C.char, C.size_t) {
	p := C.CString(s)
	t.strings = append(t.strings, unsafe.Pointer(p))
	return p, C.size_t(len(s))
}

// Close frees the template, not the modules that it was given, which must live
// until then. No Instance of it may exist any more.
func (t *Template) Close() {
	if t.c == nil {
		return
	}
	if t.c.pre != nil {
		C.wasmtime_instance_pre_delete(t.c.pre)
	}
	if t.c.image_pre != nil {
		C.wasmtime_instance_pre_delete(t.c.image_pre)
	}
	for _, p := range t.strings {
		C.free(p)
	}
	for _, folder := range t.folders {
		folder.Close() // it was only read
	}
	t.c, t.strings, t.folders = nil, nil, nil
}
