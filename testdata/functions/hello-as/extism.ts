// The host's functions, as far as this plug-in needs them, and strings on top.
// Bytes live in blocks of the host's memory, addressed by 64-bit offsets:
// https://extism.org/docs/concepts/pdk

// @ts-ignore: decorator
@external("extism:host/env", "input_length")
declare function input_length(): u64;
// @ts-ignore: decorator
@external("extism:host/env", "input_load_u8")
declare function input_load_u8(at: u64): u32;
// @ts-ignore: decorator
@external("extism:host/env", "alloc")
declare function host_alloc(length: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "store_u8")
declare function store_u8(at: u64, byte: u32): void;
// @ts-ignore: decorator
@external("extism:host/env", "output_set")
declare function output_set(block: u64, length: u64): void;
// @ts-ignore: decorator
@external("extism:host/env", "error_set")
declare function error_set(block: u64): void;
// @ts-ignore: decorator
@external("extism:host/env", "log_info")
declare function log_info(block: u64): void;

/** The event, decoded as UTF-8. */
export function input(): string {
  const bytes = new Uint8Array(<i32>input_length());
  for (let i = 0; i < bytes.length; i++) bytes[i] = <u8>input_load_u8(i);
  return String.UTF8.decode(bytes.buffer);
}

/** Copies text as UTF-8 into a new block of the host; 0 for an empty text. */
function block(text: string): u64 {
  const bytes = Uint8Array.wrap(String.UTF8.encode(text));
  const at = host_alloc(bytes.length);
  for (let i = 0; at != 0 && i < bytes.length; i++) store_u8(at + i, bytes[i]);
  return at;
}

/** Makes text the reply. */
export function output(text: string): void {
  output_set(block(text), String.UTF8.byteLength(text));
}

/** Makes text the error that the caller sees when the handler does not return 0. */
export function fail(text: string): void {
  error_set(block(text));
}

/** Appends text to the function's log. */
export function log(text: string): void {
  log_info(block(text));
}

/** Replaces AssemblyScript's own abort, which would be one more import (see asconfig.json). */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  fail(message ? message : "aborted");
  unreachable();
}
