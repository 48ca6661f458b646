// Package awsapi is the control plane: an http.Handler that speaks AWS Lambda's
// REST API (https://docs.aws.amazon.com/lambda/latest/api/), so that what can
// deploy to Lambda can deploy to a node, and the node's own API under /v1/ for
// what Lambda has no words for.
//
// It promises Lambda's paths, JSON shapes, error codes and statuses for the
// operations that it has. What it has not it refuses with a
// NotImplementedException; it never pretends. Members of a request that it does
// not know are ignored, as Lambda does; those that ask for what the node cannot
// do (layers, images, code in S3) are refused. A bad request is answered with
// 4xx and changes nothing.
//
// Where it differs from Lambda, on purpose:
//   - Role may be missing and is only kept and shown.
//   - Names of Python's and Node.js's versions all mean the one interpreter of
//     each that the node has; the name that was given is kept and shown.
//   - MemorySize is 1 to 4096 MB; Timeout may be given in milliseconds.
//   - FunctionConfiguration has a further member, Ledge, which SDKs skip.
//   - The payload of an invocation need not be JSON for the runtimes wasi and
//     extism, whose contract is bytes.
//   - ARNs of any region and account name the function on this node.
//
// It does not authenticate. A Unix socket is protected by its file permissions;
// a TCP listener needs LocalOnly in front.
package awsapi
