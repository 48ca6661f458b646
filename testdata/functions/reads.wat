;; reads gets ten keys of its own bucket in turn, a thousand times each. It is what
;; the bench measures reading data from a function with.
;;
;; What it shows:
;;   - ledge_kv_get, the host's function beside those of Extism (see ledge.h);
;;   - a block that the host has returned and that is given back when it is used.
;;
;;   wat2wasm --debug-names -o reads.wasm reads.wat
;;   ledge deploy reads reads.wasm
;;   for key in 0 1 2 3 4 5 6 7 8 9; do ledge kv put --function reads "$key" value; done
;;   ledge invoke reads
(module $reads
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "free" (func $free (param i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/user" "ledge_kv_get" (func $get (param i64 i64) (result i64)))

  (func (export "handle") (result i32)
    (local $key i64) (local $value i64) (local $left i32)
    (local.set $key (call $alloc (i64.const 1)))
    (if (i64.eqz (local.get $key)) (then (return (i32.const 1))))
    (local.set $left (i32.const 10000)) ;; as many calls as an invocation may make
    (loop $next
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (call $store_u8 (local.get $key)
        (i32.add (i32.const 0x30) (i32.rem_u (local.get $left) (i32.const 10)))) ;; 0 to 9
      (local.set $value (call $get (i64.const 0) (local.get $key)))
      (if (i64.eqz (local.get $value)) (then (return (i32.const 1)))) ;; it is absent
      (call $free (local.get $value))
      (br_if $next (local.get $left)))
    (i32.const 0)))
