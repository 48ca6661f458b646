;; init-trap traps in its initialisation. The deploy must fail and say where.
(module $init_trap
  (memory (export "memory") 1)
  (func $load_settings unreachable)
  (func $init (export "_initialize") (call $load_settings))
  (func $handle (export "handle") (result i32) (i32.const 0)))
