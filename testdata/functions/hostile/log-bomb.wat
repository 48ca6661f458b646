;; log-bomb writes lines to standard error for ever and takes no error for an answer.
(module $log_bomb
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00" "\10\00\00\00") ;; one iovec: 16 bytes at address 16
  (data (i32.const 16) "all is lost now\n")
  (func $main (export "_start")
    (loop $again
      (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br $again))))
