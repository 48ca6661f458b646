;; tally counts how often it was given each event: a queue runs an event at least
;; once, and this function shows when it was more than once. Of a change feed's event
;; it counts each record by the key that was changed.
;;
;; What it shows:
;;   - var_get and var_set: the function's own data, which outlives invocations and
;;     power cuts. What var_set wrote is on disk when it returns;
;;   - a key made from the event. Its value grows by one byte each time;
;;   - the keys of a feed's records found without reading JSON: a quote within a text
;;     is escaped, so that what is looked for can only be what it looks like.
;;
;; The ABI: https://extism.org/docs/concepts/pdk
;;
;;   wat2wasm --debug-names -o tally.wasm tally.wat
;;   ledge deploy tally tally.wasm
;;   ledge invoke tally --async --payload '"order 17"'
;;   ledge feed add tally orders
(module $tally
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
  (import "extism:host/env" "var_set" (func $var_set (param i64 i64)))

  ;; What is before the key of a record, see https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
  (memory (export "memory") 1)
  (data (i32.const 0) "\22Keys\22:{\22key\22:{\22S\22:\22")
  (global $marker i64 (i64.const 20)) ;; bytes of it

  ;; is says whether the marker lies there in the event.
  (func $is (param $at i64) (result i32)
    (local $n i64)
    (if (i64.gt_u (i64.add (local.get $at) (global.get $marker)) (call $input_length)) (then (return (i32.const 0))))
    (loop $bytes
      (if (i32.ne (call $input_load_u8 (i64.add (local.get $at) (local.get $n))) (i32.load8_u (i32.wrap_i64 (local.get $n))))
        (then (return (i32.const 0))))
      (local.set $n (i64.add (local.get $n) (i64.const 1)))
      (br_if $bytes (i64.lt_u (local.get $n) (global.get $marker))))
    (i32.const 1))

  ;; quote returns where the next quote is, the event's end where there is none.
  (func $quote (param $at i64) (result i64)
    (block $done
      (loop $bytes
        (br_if $done (i64.ge_u (local.get $at) (call $input_length)))
        (br_if $done (i32.eq (call $input_load_u8 (local.get $at)) (i32.const 0x22)))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $bytes)))
    (local.get $at))

  ;; part returns a block with a part of the event, 0 where there is no memory left.
  (func $part (param $from i64) (param $to i64) (result i64)
    (local $block i64) (local $at i64)
    (local.set $block (call $alloc (i64.sub (local.get $to) (local.get $from))))
    (if (i64.eqz (local.get $block)) (then (return (i64.const 0))))
    (local.set $at (local.get $from))
    (block $done
      (loop $bytes
        (br_if $done (i64.eq (local.get $at) (local.get $to)))
        (call $store_u8
          (i64.add (local.get $block) (i64.sub (local.get $at) (local.get $from)))
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

  ;; count adds a stroke to the key that is a part of the event. It returns 1 where it
  ;; cannot.
  (func $count (param $from i64) (param $to i64) (result i32)
    (local $key i64) (local $old i64) (local $new i64)
    (if (i64.ge_u (local.get $from) (local.get $to)) (then (return (i32.const 1)))) ;; it has no name
    (local.set $key (call $part (local.get $from) (local.get $to)))
    (if (i64.eqz (local.get $key)) (then (return (i32.const 1))))
    (local.set $old (call $var_get (local.get $key))) ;; 0 the first time, and its length too
    (local.set $new (call $strokes (i64.add (call $length (local.get $old)) (i64.const 1))))
    (if (i64.eqz (local.get $new)) (then (return (i32.const 1))))
    (call $var_set (local.get $key) (local.get $new))
    (i32.const 0))

  (func (export "handle") (result i32)
    (local $at i64) (local $end i64) (local $records i32)
    (block $done
      (loop $bytes
        (br_if $done (i64.ge_u (local.get $at) (call $input_length)))
        (if (call $is (local.get $at))
          (then
            (local.set $records (i32.const 1))
            (local.set $at (i64.add (local.get $at) (global.get $marker)))
            (local.set $end (call $quote (local.get $at)))
            (if (call $count (local.get $at) (local.get $end)) (then (return (i32.const 1))))
            (local.set $at (local.get $end))))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $bytes)))
    (if (local.get $records) (then (return (i32.const 0))))
    (call $count (i64.const 0) (call $input_length))))
