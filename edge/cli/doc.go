// Package cli is Ledge's command line: a client of the control plane.
//
// Run parses the arguments and does one command. Every command but serve talks
// HTTP to a node, over the Unix socket in its data folder (--data) or over TCP
// (--endpoint, --profile), so that what a person does here a program can do with
// the same API: AWS's own where AWS has one, the paths under /v1/ for the rest.
// serve resolves the settings and calls the ServeFunc that main hands in; this
// package knows neither the engine nor the store.
//
// The socket needs no credentials. Requests over TCP are signed with the key that
// AWS's tools would use, from the environment or their shared files, or carry a
// bearer token; see identity.
//
// It promises:
//   - exit code 0 when the command did what it was asked, 1 when it failed, 2
//     when it was called wrongly;
//   - results on standard output, everything else on standard error;
//   - with --json, JSON on standard output, with the members that the node
//     sent, and errors as {"error":{"code","message","hint"}};
//   - errors that say what happened, why, and what to do next;
//   - no control characters from a node, a function or a file name in text
//     meant for a person, so that none of them can drive a terminal.
//     Payloads, values of keys and all JSON are the bytes as they are;
//   - no secret in an error message, and no bearer token over a connection that
//     others can read.
//
// It does not retry, unless the node's clock is another one and a signature needs
// its time; it does not ask questions, keep state on disk, use HTTP proxies or
// follow redirects.
package cli
