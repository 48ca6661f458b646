;; no-exports is a valid module that nobody can call. The refusal must say what is
;; missing.
(module $no_exports
  (memory 1)
  (func $main))
