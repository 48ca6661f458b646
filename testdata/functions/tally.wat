;; tally counts how often it was given each event: a queue runs an event at least
;; once, and this function shows when it was more than once.
;;
;; What it shows:
;;   - var_get and var_set: the function's own data, which outlives invocations and
;;     power cuts. What var_set wrote is on disk when it returns;
;;   - a key made from the event. Its value grows by one byte each time.
;;
;; The ABI: https://extism.org/docs/concepts/pdk
;;
;;   wat2wasm --debug-names -o tally.wasm tally.wat
;;   ledge deploy tally tally.wasm
;;   ledge invoke tally --async --payload '"order 17"'
(module $tally
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
  (import "extism:host/env" "var_set" (func $var_set (param i64 i64)))

  ;; key returns a block with the event, 0 where there is no memory left.
  (func $key (result i64)
    (local $length i64) (local $block i64) (local $at i64)
    (local.set $length (call $input_length))
    (local.set $block (call $alloc (local.get $length)))
    (if (i64.eqz (local.get $block)) (then (return (i64.const 0))))
    (block $done
      (loop $bytes
        (br_if $done (i64.eq (local.get $at) (local.get $length)))
        (call $store_u8
          (i64.add (local.get $block) (local.get $at))
          (call $input_load_u8 (local.get $at)))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $bytes)))
    (local.get $block))

  ;; strokes returns a block of that many bytes, 0 where there is no memory left.
  (func $strokes (param $count i64) (result i64)
    (local $block i64) (local $at i64)
    (local.set $block (call $alloc (local.get $count)))
    (if (i64.eqz (local.get $block)) (then (return (i64.const 0))))
    (block $done
      (loop $bytes
        (br_if $done (i64.eq (local.get $at) (local.get $count)))
        (call $store_u8 (i64.add (local.get $block) (local.get $at)) (i32.const 0x7c)) ;; |
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $bytes)))
    (local.get $block))

  (func (export "handle") (result i32)
    (local $key i64) (local $old i64) (local $new i64)
    (if (i64.eqz (call $input_length)) (then (return (i32.const 1)))) ;; an event without a name
    (local.set $key (call $key))
    (if (i64.eqz (local.get $key)) (then (return (i32.const 1))))
    (local.set $old (call $var_get (local.get $key))) ;; 0 the first time, and its length too
    (local.set $new (call $strokes (i64.add (call $length (local.get $old)) (i64.const 1))))
    (if (i64.eqz (local.get $new)) (then (return (i32.const 1))))
    (call $var_set (local.get $key) (local.get $new))
    (i32.const 0)))
