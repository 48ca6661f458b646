package wasmbin

import (
	"bytes"
	"errors"
	"fmt"
)

// Errors of Parse for input that is no core module. ErrNotWasm is wrapped with
// what the input looks like instead; test with errors.Is.
var (
	ErrNotWasm   = errors.New("not a WebAssembly module")
	ErrComponent = errors.New("this is a WebAssembly component; only core modules are supported yet")
)

// SyntaxError says that a module is damaged: where, and how.
type SyntaxError struct {
	Offset  int    // bytes from the start of the module
	Section string // for example "import", or "header"
	Why     string // for example "truncated: name needs 12 bytes, 3 are left"
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s section, offset %#x: %s", e.Section, e.Offset, e.Why)
}

// UnsupportedError says that a module may well be correct but uses something
// that the called function does not handle.
type UnsupportedError struct {
	Why string // a noun phrase, for example "two memories"
}

func (e *UnsupportedError) Error() string { return "unsupported: " + e.Why }

// notWasm returns ErrNotWasm wrapped with a guess at what data is, because the
// common mistake is to deploy the file next to the right one.
func notWasm(data []byte) error {
	return fmt.Errorf("%w: %s", ErrNotWasm, lookalike(data))
}

// lookalike names the format that data starts like.
func lookalike(data []byte) string {
	const enough = 512
	text := bytes.TrimLeft(data[:min(len(data), enough)], "\ufeff \t\r\n")
	lower := bytes.ToLower(text[:min(len(text), 16)])
	starts := func(prefix string) bool { return bytes.HasPrefix(data, []byte(prefix)) }
	switch {
	case len(data) == 0:
		return "the file is empty"
	case starts("\x7fELF"):
		return "it looks like a native ELF binary; compile for wasm32"
	case starts("\xcf\xfa\xed\xfe"), starts("\xca\xfe\xba\xbe"):
		return "it looks like a native macOS binary; compile for wasm32"
	case starts("MZ"):
		return "it looks like a Windows binary; compile for wasm32"
	case starts("PK\x03\x04"), starts("PK\x05\x06"):
		return "it looks like a zip archive"
	case starts("\x1f\x8b"):
		return "it looks like gzip; decompress it first"
	case starts("\x28\xb5\x2f\xfd"):
		return "it looks like zstd; decompress it first"
	case starts("!<arch>\n"):
		return "it looks like a static library; link it into a module"
	case starts("BC\xc0\xde"):
		return "it looks like LLVM bitcode; link it into a module"
	case starts("#!"):
		return "it looks like a script"
	case bytes.HasPrefix(text, []byte("(module")), bytes.HasPrefix(text, []byte("(;")), bytes.HasPrefix(text, []byte(";;")):
		return "it looks like WebAssembly text; convert it with wat2wasm"
	case bytes.HasPrefix(text, []byte("(component")):
		return "it looks like the text of a WebAssembly component"
	case bytes.HasPrefix(lower, []byte("<!doctype")), bytes.HasPrefix(lower, []byte("<html")):
		return "it looks like an HTML page, perhaps of a failed download"
	case bytes.HasPrefix(text, []byte("version https://git-lfs")):
		return "it looks like a Git LFS pointer; run git lfs pull"
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return "it looks like JSON"
	}
	return fmt.Sprintf("it starts with % x instead of 00 61 73 6d", data[:min(len(data), 4)])
}
