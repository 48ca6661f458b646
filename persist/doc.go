// Package persist keeps what the node must still have after a power cut.
//
// It has three parts that share nothing but the data folder:
//
//   - Store is one bbolt file, ledge.db: functions with their versions,
//     aliases, routes and what else is configured for them, layers, settings;
//     buckets of data with the streams of their changes; the queue of events;
//     how far schedules and feeds have come. See schema.go for all of it.
//   - Code holds the files of functions and layers, one folder per content, named
//     by hash.
//   - Logs holds what functions wrote, in segment files of bounded size.
//
// # Promises
//
// A write to Store or Code that returned nil is on disk: the files were synced
// and survive a power cut on hardware that obeys fsync. An operation of Store
// is one transaction: after a crash all of it is there or none. An operation
// that returned one of the package's sentinel errors changed nothing. Any other
// error of a write, such as a failing disk, leaves open whether the write is
// there: read it back. Concurrent writers share a commit, so many of them cost
// one fsync and not many.
//
// A damaged database never stops the node: Open sets it aside, goes on with the
// last good backup, or an empty one where there is none, and says in
// Store.Recovered what that means. Code that was damaged is whole again after the
// same code is Put again.
//
// On a full disk nothing is stored, and functions can still be deleted: Store keeps
// 512 KiB for that, in ledge.reserve, where the file system can allocate it.
//
// Logs promise less, to spare flash memory and never to hold up a function.
// They reach the file after at most a second and the disk when the kernel
// writes them back, so a power cut can cost the last half minute. When records
// come faster than the disk takes them, some are dropped and counted.
//
// # What it does not do
//
// It does not judge settings: whoever writes a Function has validated it.
// It does not know whether the code that a Function names is there. A Route or
// an Alias may outlive what its qualifier names; whoever serves it finds out.
// It does not keep two appliances off one folder beyond bbolt's lock on
// ledge.db, which makes Open return ErrLocked. Its backup lies beside the
// database and helps against damage, not against the loss of the disk.
//
// bbolt maps the file into memory: a Store needs as much address space as its
// file is large, and the file never shrinks, it only reuses freed pages.
package persist
