// Package javascript is the runtime "javascript": QuickJS as a WASI reactor, built
// from source by guest/build, with entry points of our own (guest/*.c) that load
// a handler and call it as AWS Lambda does. The package only carries the
// runtime; engine restores it and guest/DIFFERENCES.md says what differs from
// Lambda's Node.js.
package javascript

import (
	"embed"
	"io/fs"

	"ledge/engine/bundle"
)

//go:embed all:bundle
var files embed.FS

// Open returns the runtime, or bundle.ErrMissing where the binary was built
// without it.
func Open() (*bundle.Bundle, error) { return bundle.Open(below(files, "bundle")) }

// Precompiled returns the folder of the runtime's code compiled for this
// architecture, which may hold nothing.
func Precompiled() fs.FS { return below(compiled, compiledDir) }

func below(files embed.FS, dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}
