// Package engine turns bytes into running functions.
//
// A Runtime has two doors. Deploy takes a Function, compiles its module,
// captures a Snapshot of its initialised memory and makes it live. Invoke runs
// one Invocation of a live function in an Instance from the function's Pool.
// Everything that holds for every Invocation is here once: limits, admission,
// metering, logs, the mapping of traps, and the release of Instances.
//
// The package promises that a function cannot exceed its Limits or see
// another's memory, that an Instance that trapped, timed out or exceeded its
// memory never serves again, and that a failed Deploy changes nothing. It does
// not keep functions across restarts: whoever deploys them does.
//
// A function may run as many Invocations at a time as its concurrency says, over all
// its versions (SetConcurrency). Instances are made when they are needed and dropped
// when they are not, but for those that are provisioned (SetProvisioned).
//
// It imports no sibling. What it needs of the node (logs, data) it declares as
// small interfaces, such as LogSink and Data, and main hands them in.
package engine
