;; hello is the smallest function: a WASI command, written by hand, that writes
;; one JSON value and ends. Read it to see what every other language's compiler
;; produces in the end.
;;
;; What it shows:
;;   - a command is a module that exports its memory and a function _start;
;;   - output is a call of fd_write: the address of a pointer and a length goes
;;     in, an error number comes back;
;;   - a reply without a statusCode is the body of a 200 response.
;;
;;   wat2wasm --debug-names -o hello.wasm hello.wat
;;   ledge deploy hello hello.wasm --route 'GET /hello'
;;   curl localhost:8080/hello
(module $hello
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param $fd i32) (param $iovs i32) (param $n i32) (param $written i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00" "\21\00\00\00") ;; one iovec: 33 bytes at address 16
  (data (i32.const 16) "{\"message\":\"Hello from the edge\"}")

  (func $main (export "_start")
    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
      (then unreachable))))
