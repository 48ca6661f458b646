// Package snapshot holds what a module is after its initialisation: its memory
// and its mutable globals. The engine captures it from one instance and builds
// from it the instances that need no initialisation.
//
// The two halves are stored apart. The memory becomes a module of its own
// (Snapshot.Image), which the engine compiles and maps copy-on-write. The
// globals are a few bytes that are set after each instantiation; AppendGlobals
// and ParseGlobals give them a form that can lie beside the image.
//
// The package does neither capture nor restore: both need the engine's handles.
// A snapshot is not encrypted or authenticated, and everything in it repeats in
// each instance restored from it, seeds of random numbers too.
package snapshot
