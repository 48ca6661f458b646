;; loop never ends, as a command and as a handler. The timeout must stop it.
(module $loop
  (memory (export "memory") 1)
  (func $spin (loop $again (br $again)))
  (func $main (export "_start") (call $spin))
  (func $handle (export "handle") (result i32) (call $spin) (i32.const 0)))
