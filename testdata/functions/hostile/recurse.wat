;; recurse calls itself for ever, as a command and as a handler. The guest's stack
;; must overflow, not the node's.
(module $recurse
  (memory (export "memory") 1)
  (func $down (param $depth i32) (result i32)
    (i32.add (call $down (i32.add (local.get $depth) (i32.const 1))) (local.get $depth)))
  (func $main (export "_start") (drop (call $down (i32.const 0))))
  (func $handle (export "handle") (result i32) (call $down (i32.const 0))))
