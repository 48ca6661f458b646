;; sleep asks for an hour of sleep. It uses no processor, and the timeout must
;; stop it all the same.
(module $sleep
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param $in i32) (param $out i32) (param $n i32) (param $count i32) (result i32)))
  (memory (export "memory") 1)
  ;; One subscription of 48 bytes at address 0: userdata, the tag 0 for a clock,
  ;; clock 1 (monotonic) at 16, the time in nanoseconds at 24, relative at 40.
  (data (i32.const 16) "\01\00\00\00")
  (func $main (export "_start")
    (i64.store (i32.const 24) (i64.const 3600000000000))
    (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))
