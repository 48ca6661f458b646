// Package awsapi is the control plane: an http.Handler that speaks AWS Lambda's
// REST API (https://docs.aws.amazon.com/lambda/latest/api/), so that what can
// deploy to Lambda can deploy to a node, and the node's own API under /v1/ for
// what Lambda has no words for.
//
// It promises Lambda's paths, JSON shapes, error codes and statuses for the
// operations that it has. What it has not it refuses with a
// NotImplementedException; it never pretends. Members of a request that it does
// not know are ignored, as Lambda does; those that ask for what the node cannot
// do (container images, code in S3, X-Ray, VPCs, KMS, EFS) are refused. A bad request is answered with
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
//   - ARNs of any region and account name the function or the layer on this node.
//   - A deploy is done when its call returns: State is always Active and
//     LastUpdateStatus Successful, so waiters return at once.
//   - The code that GetFunction and GetLayerVersion link to is a zip of the same
//     files, not the one that was uploaded; its hash is not CodeSha256.
//   - Policies are kept and shown. Routes, APIs and URLs call functions without
//     asking them; this API asks the caller's key.
//   - Destinations are functions of the node.
//   - Event sources are change feeds, arn:aws:dynamodb:REGION:000000000000:table/BUCKET/stream/LABEL,
//     where BUCKET is a bucket of data, and MQTT topics,
//     arn:aws:iot:REGION:000000000000:topicfilter/FILTER, whose mappings are stored
//     and stay Enabling: the node has no broker yet.
//   - The error about an environment of more than 4 KB tells its size and not its
//     values, which may be secrets.
//
// On the network, a request is served for who has a key (package identity) that may
// do that, and what changes something is in the audit log before it happens. What
// can be refused without the body is refused before it is read. A Unix socket is
// protected by its file permissions alone.
//
// It does not encrypt: without TLS in front, who sees the traffic reads it, code and
// variables of functions too.
package awsapi
