// Package identity knows who may use the control plane. It issues access keys,
// keeps them in the node's store, and tells which of them a request comes from and
// what that key may do.
//
// A key has a secret for AWS's signatures (package sigv4), a bearer token for
// people and scripts, or both; an access level; and optionally the functions that
// it is limited to and a time at which it expires. The first start of a node makes
// the root key and writes it to the file root-key of the data folder, in the
// form of AWS's credentials file.
//
// # Promises
//
// A copied database reveals no secret: secrets are encrypted (AES-256-GCM) under a
// key derived from the device secret, which lies in another file, and of tokens
// only the SHA-256 is kept, which is enough for 256 random bits. Who has both
// files, or the memory of the process, has the secrets.
//
// A stranger cannot make the node read a body: unknown keys, stale dates and wrong
// services are refused before, and so is a wrong signature where the client sends
// X-Amz-Content-Sha256. The AWS CLI and SDKs do not send it to Lambda, so who knows
// the ID of a key, which is no secret but is not published either, can have some
// bodies read and thrown away before he is slowed down.
//
// Guessing is slowed down by refusing, not by making requests wait: after five
// failures with a key from an address (a /64 for IPv6), further requests with that
// key from that address are refused for a time that doubles from 1 s to 5
// minutes. Unknown keys count as one key. When many addresses fail with the same
// key, or an address with many keys, the second failure counts already. A request
// from an address that has not failed with that key is never refused for
// what others did. Addresses are remembered for a quarter of an hour and at most
// 4096 of them at once; the secrets have more than 230 random bits, so that none of
// this is what keeps them from being guessed.
//
// A signed request that changes something is accepted once: its signature is
// remembered as long as it is valid, and refused when it comes over another
// connection. Over the same connection it is accepted again, since a client that
// sends two equal requests within a second gives them equal signatures; two
// clients with one key that do so are told to try again, which SDKs do by
// themselves, with a new signature. A restart forgets what was seen. At most 32768
// signatures are remembered, 54 a second for ten minutes, and of one key half as
// many; when there are more, requests that change something are refused until some
// expire. Those that Request.Allow refuses are not remembered. A presigned
// request that changes something may be valid for at most an hour. Requests with
// bearer tokens can be repeated by whoever sees them, which is why they must come
// over TLS or from this machine.
//
// A clock that is wrong shows: while the node's is in the past, as that of a
// Raspberry Pi before its time is set, signed requests are refused as from the future
// (SDKs then follow the node's clock), and keys that have expired work again.
//
// # What it does not do
//
// It has no users, groups, roles, policies or temporary credentials: a request with
// X-Amz-Security-Token is refused. It writes no audit log. It does not decide
// which operation needs which level: its callers do, with Keyring.Authorize.
package identity
