// Package sigv4 signs requests with AWS Signature Version 4 and verifies such
// signatures
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
//
// A server verifies in three steps, each dearer than the one before, so that a
// stranger gets no further than the first:
//
//	claim, err := sigv4.Parse(req)       // what the request says of itself; no secret, no body
//	err = claim.Check(now, services...)  // clock and credential scope
//	err = claim.Verify(req, key, hash)   // the signature, in constant time
//
// Header and query (presigned) forms are understood, and all ways in which the
// body can be named: by its hash, by no hash (UNSIGNED-PAYLOAD), and in chunks
// that carry signatures or a checksum of their own (aws-chunked). Which of them
// are good enough is for the caller to say; see Payload.
//
// # What a signature covers
//
// Method, path, query, the headers that SignedHeaders lists, and the body's
// hash. Verify insists that Host is among the headers, and every x-amz-* header
// that the request has, since each of those may change what the request means.
// Other headers, such as Content-Type, are covered where the signer chose so.
//
// Paths are normalised as AWS does, so that /a//b, /a/./b and /a/b have the same
// signature. Whoever routes on the path as it was sent must not give them
// different meanings.
//
// # What it does not do
//
// It keeps no secrets but those of keys in Cache, knows nothing of users, and does
// not notice that a request is sent twice. Asymmetric signatures (SigV4A) and
// HTTP trailers as signed headers are refused.
//
// Requests are taken as a plain struct, so that the package serves callers that
// do not have a *http.Request; FromHTTP makes one from what net/http leaves.
package sigv4
