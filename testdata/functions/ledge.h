// What Ledge offers to Extism plug-ins beyond Extism's own host functions: data with
// conditions and transactions, messages, other functions. Any PDK can import these;
// in C include this file, in Go declare what you need as kv-extism-go does, in Rust
// write them into an extern "C" block with #[link(wasm_import_module =
// "extism:host/user")]. HTTP is Extism's http_request; Extism's variables (var_get,
// var_set) are the keys of the function's own bucket.
//
// How arguments and results go
//   - All are 64 bits wide. A ledge_block is the offset of a block of the host's
//     memory, as the PDKs allocate it; 0 is no block. A block that a call returns is
//     the plug-in's, to be freed if it runs for long; all go with the invocation.
//   - The block of a bucket holds its name; 0 is the function's own bucket, others must
//     be allowed (ledge deploy --allow-bucket NAME, or NAME:read). A key has at most
//     1 KB and should be text, which is how lists give it; a value any bytes, at most
//     1 MB; as a value 0 is the empty one.
//   - Options are a JSON object, or 0 for none. A member that does not exist is an
//     error.
//   - After each call ledge_status says how it went. Only what makes it impossible to
//     go on, such as the deadline, ends the invocation.
//
// A write is on disk when its call returns. An invocation makes at most 10 000 calls.
#ifndef LEDGE_H
#define LEDGE_H

#include <stdint.h>

#define LEDGE_USER(name) __attribute__((import_module("extism:host/user"), import_name(#name))) extern

typedef uint64_t ledge_block;

// How the last call went.
enum {
  LEDGE_DONE = 0,
  LEDGE_ABSENT = 1, // there is no such key, or the condition does not hold: nothing was written
  LEDGE_FAILED = 2, // see ledge_error
};
LEDGE_USER(ledge_status) int32_t ledge_status(void);

// Why the last call failed, 0 where it did not: {"type": "PermissionDenied", "message":
// "..."}. Types are PermissionDenied, Unavailable, LimitExceeded, InvalidRequest,
// InvokeError (with "errorType" and "errorMessage" of the other function) and, of a
// transaction, ConditionFailed (with the "index" of the write).
LEDGE_USER(ledge_error) ledge_block ledge_error(void);

// The value of a key; 0 where it is absent (LEDGE_ABSENT) or empty (LEDGE_DONE).
LEDGE_USER(ledge_kv_get) ledge_block ledge_kv_get(ledge_block bucket, ledge_block key);

// The sequence of what the last call read or wrote: the number of the write that made
// the key what it is, 0 where there is none or where nothing was written. It grows with
// every write to the bucket.
LEDGE_USER(ledge_kv_sequence) int64_t ledge_kv_sequence(void);

// Stores a value and returns the sequence of the write, 0 where nothing was written.
// Options: "ttl" in seconds, after which the key goes, and one of the conditions
// "ifAbsent": true, "ifPresent": true, "ifValue": "text" or "ifBase64": "...", and
// "ifSequence": number, where 0 means that there is no such key.
LEDGE_USER(ledge_kv_put)
int64_t ledge_kv_put(ledge_block bucket, ledge_block key, ledge_block value, ledge_block options);

// Removes a key. Returns 1 where there was one, else 0, which is no failure. Options: a
// condition.
LEDGE_USER(ledge_kv_delete)
int64_t ledge_kv_delete(ledge_block bucket, ledge_block key, ledge_block options);

// Compare and set: stores a value if the key holds expected, or if expected is 0 and
// there is no such key. Returns the sequence of the write, 0 where it did not.
LEDGE_USER(ledge_kv_cas)
int64_t ledge_kv_cas(ledge_block bucket, ledge_block key, ledge_block expected, ledge_block value);

// Adds by to the number that the key holds in decimal digits, 0 where there is no such
// key, and returns the sum. Options: "ttl" for a key that it makes, and a condition.
LEDGE_USER(ledge_kv_increment)
int64_t ledge_kv_increment(ledge_block bucket, ledge_block key, int64_t by, ledge_block options);

// Lists keys in order: {"keys": [...], "more": false}. Options: "prefix"; "start", the
// first key, and "end", the first beyond; "reverse": true; "limit", at most 1000;
// "items": true for {"items": [{"key", "value" in base64, "sequence", "modified" and
// "expires" in milliseconds since 1970}]}, where an empty value is left out. Where
// "more" is true there are others: ask again with "next" as the reply has it, or with
// "after", a key.
LEDGE_USER(ledge_kv_list) ledge_block ledge_kv_list(ledge_block bucket, ledge_block options);

// Does all writes or none, over buckets, at most 100 and 4 MB, a key once. writes is a
// JSON array of
//   {"put": key, "value": "text" or "base64": "...", "ttl": seconds}
//   {"delete": key}
//   {"increment": key, "by": number}
//   {"check": key}                      changes nothing
// each with a "bucket" where that is not the function's own, and perhaps with one of
// the conditions of ledge_kv_put. Returns an array of {"sequence", "existed", "value"
// after an increment}. Where a condition does not hold the status is LEDGE_ABSENT, and
// ledge_error says which.
LEDGE_USER(ledge_kv_transact) ledge_block ledge_kv_transact(ledge_block writes);

// Publishes to an MQTT topic that the function may publish to (--allow-publish), with
// quality of service 0, 1 or 2. Returns 1 when the message is accepted, else 0.
LEDGE_USER(ledge_publish) int64_t ledge_publish(ledge_block topic, ledge_block payload, int64_t qos);

// Invokes another function of the node (--allow-invoke) and returns its reply. Options:
// "qualifier", a version or alias; "async": true leaves the event, which then must be
// JSON, and returns its request id once it is on disk.
LEDGE_USER(ledge_invoke) ledge_block ledge_invoke(ledge_block function, ledge_block event, ledge_block options);

#endif
