;; trap traps three calls deep, as a command and as a handler. The backtrace must
;; name $open_valve, $regulate and $main or $handle, in this order.
(module $trap
  (memory (export "memory") 1)
  (func $open_valve unreachable)
  (func $regulate (call $open_valve))
  (func $main (export "_start") (call $regulate))
  (func $handle (export "handle") (result i32) (call $regulate) (i32.const 0)))
