;; fail sets an error and returns 1: a handler that fails as the Extism ABI means it.
(module $fail
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "error_set" (func $error_set (param i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "the valve is stuck") ;; 18 bytes
  (func $handle (export "handle") (result i32)
    (local $block i64) (local $i i32)
    (local.set $block (call $alloc (i64.const 18)))
    (loop $copy
      (call $store_u8
        (i64.add (local.get $block) (i64.extend_i32_u (local.get $i)))
        (i32.load8_u (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $copy (i32.lt_u (local.get $i) (i32.const 18))))
    (call $error_set (local.get $block))
    (i32.const 1)))
