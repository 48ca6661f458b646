;; missing-import needs a host function that no node has. The refusal must name it.
(module $missing_import
  (import "env" "nope" (func $nope (param i32) (result i32)))
  (memory (export "memory") 1)
  (func $main (export "_start") (drop (call $nope (i32.const 1)))))
