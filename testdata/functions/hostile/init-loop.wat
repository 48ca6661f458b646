;; init-loop never ends in its initialisation. The deploy must fail, and in good time.
(module $init_loop
  (memory (export "memory") 1)
  (func $init (export "_initialize") (loop $again (br $again)))
  (func $handle (export "handle") (result i32) (i32.const 0)))
