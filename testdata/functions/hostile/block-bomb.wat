;; block-bomb takes blocks of the host's memory until it gets none. Then it traps.
(module $block_bomb
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (memory (export "memory") 1)
  (func $handle (export "handle") (result i32)
    (loop $again
      (br_if $again (i64.ne (call $alloc (i64.const 65536)) (i64.const 0))))
    unreachable))
