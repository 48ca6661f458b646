// Package capi is the thin layer of cgo over libwasmtime for what wasmtime-go
// does not expose or makes slow: the pooling allocator, pre-resolved instances,
// unchecked calls, the event as WASI's standard input, captured outputs, and an
// epoch callback that stops a guest without a crossing into Go.
//
// wasmtime-go still configures the engine and compiles modules; this package
// takes the C pointers out of its values. An Invocation is one crossing: the
// event goes in as a borrowed pointer, the reply comes out as a pointer into C
// memory. The host functions of WASI and of the Extism kernel are C, so that a
// guest's loads and stores cost nanoseconds; only those that need the node
// (variables, HTTP) call Go, through Host.
//
// The package promises memory safety for any guest, given modules that
// libwasmtime compiled itself. It does not know functions, pools or limits per
// node; package engine does.
package capi
