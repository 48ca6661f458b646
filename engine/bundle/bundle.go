// Package bundle is how a language runtime lies inside the binary: its code and
// its first memory as separate Wasm modules, its library of files, and a manifest
// that says what the engine must know of them without reading them. All but the
// manifest is compressed with zstd and read only when the runtime is first used
// on a node.
//
// A bundle is written by `make runtimes` (package pack) and never committed. A
// binary that was built without one says so when a function asks for the
// language; see ErrMissing.
package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"ledge/engine/wasmbin"

	"github.com/klauspost/compress/zstd"
)

// Names of the files of a bundle.
const (
	ManifestFile = "manifest.json"
	CodeFile     = "code.wasm"  // wasmbin.Parts.Code
	ImageFile    = "image.wasm" // wasmbin.Parts.Image
	Suffix       = ".zst"       // of every file but the manifest
)

// ErrMissing says that the binary was built without this language.
var ErrMissing = errors.New("this build has no such language runtime; build it with make")

// maxFile bounds what one file of a bundle may have uncompressed, in bytes.
const maxFile = 256 << 20

// Manifest describes a runtime.
type Manifest struct {
	Name    string `json:"name"`    // python, javascript
	Version string `json:"version"` // of the interpreter
	Recipe  string `json:"recipe"`  // key of the recipe that it was built by
	Imports []Import
	Globals []wasmbin.GlobalExport
	Tables  []string
	Memory  wasmbin.Limits
	// StartExport is wasmbin.Parts.StartExport.
	StartExport string
	Resettable  bool            // wasmbin.Module.Resettable
	Files       map[string]File // by name, the library's below "library/"
}

// Import names an import of the code, in its order.
type Import struct{ Module, Name string }

// File is one file of a bundle before it was compressed.
type File struct {
	Size   int64
	SHA256 string // lower-case hex
}

// Bundle is an opened bundle. It is safe for concurrent use.
type Bundle struct {
	Manifest
	files fs.FS
}

// Open reads the manifest of the bundle in files. It returns ErrMissing where
// there is none.
func Open(files fs.FS) (*Bundle, error) {
	text, err := fs.ReadFile(files, ManifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	b := &Bundle{files: files}
	if err := json.Unmarshal(text, &b.Manifest); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	for _, name := range []string{CodeFile, ImageFile} {
		if _, ok := b.Files[name]; !ok {
			return nil, fmt.Errorf("the manifest of %s lacks %s", b.Name, name)
		}
	}
	return b, nil
}

// Read returns a file of the bundle, uncompressed and checked. The caller owns it.
func (b *Bundle) Read(name string) ([]byte, error) {
	want, ok := b.Files[name]
	if !ok || want.Size < 0 || want.Size > maxFile {
		return nil, fmt.Errorf("the bundle of %s has no %s", b.Name, name)
	}
	packed, err := b.files.Open(name + Suffix)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer packed.Close()
	data, err := Decompress(packed, want.Size)
	if err != nil {
		return nil, fmt.Errorf("unpack %s of %s: %w", name, b.Name, err)
	}
	if have := Describe(data); have != want {
		return nil, fmt.Errorf("unpack %s of %s: it is not what the manifest says", name, b.Name)
	}
	return data, nil
}

// Decompress returns what was compressed into r, which must be size bytes.
func Decompress(r io.Reader, size int64) ([]byte, error) {
	// One worker: the memory that it needs counts more than its speed.
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFile), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	data := make([]byte, size)
	if _, err := io.ReadFull(d, data); err != nil {
		return nil, err
	}
	return data, nil
}

// Describe returns size and hash of data.
func Describe(data []byte) File {
	sum := sha256.Sum256(data)
	return File{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}
