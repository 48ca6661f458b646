;; notjson replies with something that begins like JSON and is not.
(module $notjson
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00" "\11\00\00\00") ;; one iovec: 17 bytes at address 16
  (data (i32.const 16) "{\"statusCode\":200")
  (func $main (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
