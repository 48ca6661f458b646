;; echo-raw gives its input back without looking at it: the input's own block is
;; the output. It does nothing in the guest, so a benchmark of it measures what
;; the node itself adds to a warm call.
;;
;;   wat2wasm --debug-names -o echo-raw.wasm echo-raw.wat
;;   ledge deploy echo-raw echo-raw.wasm --route 'POST /echo-raw' --payload raw
;;   curl -d 'over and out' localhost:8080/echo-raw
(module $echo_raw
  (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))

  (func $handle (export "handle") (result i32)
    (call $output_set (call $input_offset) (call $input_length))
    (i32.const 0)))
