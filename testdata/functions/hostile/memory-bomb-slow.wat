;; memory-bomb-slow grows slowly and writes to every page that it gets, as a command
;; and as a handler: what a leak looks like. Each step of 64 KiB takes about as
;; long as it takes to count to a million. Then it traps.
(module $memory_bomb_slow
  (memory (export "memory") 1)
  (func $wait (local $i i32)
    (loop $again
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 1000000)))))
  (func $grow (local $page i32)
    (loop $again
      (local.set $page (memory.grow (i32.const 1)))
      (if (i32.eq (local.get $page) (i32.const -1)) (then unreachable))
      (memory.fill (i32.shl (local.get $page) (i32.const 16)) (i32.const 0xa5) (i32.const 65536))
      (call $wait)
      (br $again)))
  (func $main (export "_start") (call $grow))
  (func $handle (export "handle") (result i32) (call $grow) (i32.const 0)))
