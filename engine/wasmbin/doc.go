// Package wasmbin reads and rewrites WebAssembly core modules in the binary
// format (https://webassembly.github.io/spec/core/binary/).
//
// It is for three things. Parse looks into a module before it is compiled, so
// that a deploy can say what is wrong with it or what it wants from its host.
// Split and EncodeImage take a module's memory out of its code: the code is
// compiled once, and each initialised memory becomes a module that is nothing
// but a memory, which wasmtime maps copy-on-write into new instances.
// Interruptible puts checks before instructions that would otherwise run past a
// deadline.
//
// Parse never panics, reads its input once and allocates memory in proportion
// to its length only, whatever the counts in it claim. What it cannot read it
// refuses with a *SyntaxError that says where, or with an *UnsupportedError
// when the module uses a form that this package has not learned.
//
// The package is not a validator: it checks the structure of the sections, reads
// instructions only where Interruptible changes something, and leaves the rest to
// the engine that compiles the module.
// It never runs or compiles anything.
package wasmbin
