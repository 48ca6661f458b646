;; memory-bomb takes all the memory that it can get, at once and without touching
;; it, as a command and as a handler. Then it traps.
(module $memory_bomb
  (memory (export "memory") 1)
  (func $grow
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    unreachable)
  (func $main (export "_start") (call $grow))
  (func $handle (export "handle") (result i32) (call $grow) (i32.const 0)))
