;; http asks the node to call a host that nobody allowed. Nothing may be sent.
(module $http
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "http_request" (func $http_request (param i64 i64) (result i64)))
  (import "extism:host/env" "http_status_code" (func $http_status_code (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "{\"method\":\"GET\",\"url\":\"http://denied.example/\"}") ;; 47 bytes
  (func $handle (export "handle") (result i32)
    (local $block i64) (local $i i32)
    (local.set $block (call $alloc (i64.const 47)))
    (loop $copy
      (call $store_u8
        (i64.add (local.get $block) (i64.extend_i32_u (local.get $i)))
        (i32.load8_u (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $copy (i32.lt_u (local.get $i) (i32.const 47))))
    (drop (call $http_request (local.get $block) (i64.const 0)))
    (i32.eqz (call $http_status_code)))) ;; 0, well, if somebody answered
