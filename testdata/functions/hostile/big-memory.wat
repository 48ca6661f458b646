;; big-memory asks for 8192 pages, 512 MiB, before its first instruction.
(module $big_memory
  (memory (export "memory") 8192)
  (func $main (export "_start"))
  (func $handle (export "handle") (result i32) (i32.const 0)))
