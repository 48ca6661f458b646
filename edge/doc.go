// Package edge joins what is stored to what runs.
//
// Its Reconciler is the only code that turns stored state into live state: at
// boot for everything, and for each change of a function, version, alias or
// route after that. A change is checked whole before it is stored, is stored in
// one transaction, and is live when the call returns. A change that fails
// leaves both the store and the node as they were.
//
// FunctionData, FunctionJobs and FunctionLogs hand the store's data, the queue
// and the logs to the engine, which knows none of them.
//
// The packages below it face networks and people: gateway serves routes,
// awsapi is the control plane, cli its client.
//
// What it does not do: it runs no function itself (engine does) and keeps no
// record of its own (persist does), so it can be rebuilt from the store at any
// moment. Changes of one node are serialised; a compile therefore delays other
// changes, never an invocation.
package edge
