;; echo is the smallest warm function: an Extism plug-in, written by hand, whose
;; output is its input. It stays in memory, so a call costs what is below and no
;; more.
;;
;; What it shows:
;;   - a handler is an export without parameters that returns 0 when all is well;
;;   - the input is read, and blocks of the host's memory are written, eight
;;     bytes at a time and the rest one by one, as the Extism PDKs do it;
;;   - output_set names the block that is the output.
;;
;; The ABI: https://extism.org/docs/concepts/pdk
;;
;;   wat2wasm --debug-names -o echo.wasm echo.wat
;;   ledge deploy echo echo.wasm --route 'POST /echo' --payload raw
;;   curl -d 'over and out' localhost:8080/echo
(module $echo
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "input_load_u64" (func $input_load_u64 (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))

  (func $handle (export "handle") (result i32)
    (local $length i64) (local $block i64) (local $at i64)
    (local.set $length (call $input_length))
    (if (i64.eqz (local.get $length))
      (then (call $output_set (i64.const 0) (i64.const 0)) (return (i32.const 0))))
    (local.set $block (call $alloc (local.get $length)))
    (if (i64.eqz (local.get $block))
      (then (return (i32.const 1)))) ;; the host has no memory left for us

    (block $words_done
      (loop $words
        (br_if $words_done (i64.lt_u (i64.sub (local.get $length) (local.get $at)) (i64.const 8)))
        (call $store_u64
          (i64.add (local.get $block) (local.get $at))
          (call $input_load_u64 (local.get $at)))
        (local.set $at (i64.add (local.get $at) (i64.const 8)))
        (br $words)))

    (block $bytes_done
      (loop $bytes
        (br_if $bytes_done (i64.eq (local.get $at) (local.get $length)))
        (call $store_u8
          (i64.add (local.get $block) (local.get $at))
          (call $input_load_u8 (local.get $at)))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $bytes)))

    (call $output_set (local.get $block) (local.get $length))
    (i32.const 0)))
