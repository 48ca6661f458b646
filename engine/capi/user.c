// The node's services for Extism plug-ins: module "extism:host/user", where an
// Extism host keeps what it offers beyond the kernel. testdata/functions/ledge.h
// tells plug-ins' authors of them. Bytes go in and out as blocks of the kernel; what
// a plug-in gives is looked at here and decided on in Go.
#include "ledge.h"
#include "_cgo_export.h"
#include <stdlib.h>
#include <string.h>

static wasm_trap_t *trap(const char *message) { return wasmtime_trap_new(message, strlen(message)); }

// spec has a letter for each argument: b for a block, n for a number. A call that
// fails is no trap: the plug-in asks ledge_status and ledge_error.
static wasm_trap_t *user(wasmtime_caller_t *caller, int op, const char *spec, wasmtime_val_raw_t *args) {
  ledge_instance *in = ledge_caller(caller);
  ledge_bytes blocks[LEDGE_USER_BLOCKS] = {{0}};
  int64_t number = 0;
  size_t n = 0;
  for (size_t i = 0; spec[i]; i++) {
    uint64_t at = (uint64_t)args[i].i64;
    if (spec[i] == 'n') {
      number = args[i].i64;
      continue;
    }
    blocks[n].given = at != 0;
    blocks[n].data = ledge_kernel_content(&in->kernel, at, &blocks[n].len);
    n++;
  }
  if (ledge_over(in)) return trap("stopped before a host call");
  in->user_status = 0;
  in->user_error = 0;
  int64_t result = 0;
  char *refused = ledgeUserCall(in, op, blocks, number, &result);
  args[0].i64 = result;
  if (!refused) return NULL;
  ledge_over(in); // Go may have given up for that
  wasm_trap_t *t = trap(refused);
  free(refused);
  return t;
}

#define HOST(name)                                                                                   \
  static wasm_trap_t *name(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t n)
#define USER(name, op, spec) \
  HOST(name) { return user(caller, op, spec, args); }

USER(kv_get, LEDGE_USER_GET, "bb")
USER(kv_put, LEDGE_USER_PUT, "bbbb")
USER(kv_delete, LEDGE_USER_DELETE, "bbb")
USER(kv_cas, LEDGE_USER_CAS, "bbbb")
USER(kv_increment, LEDGE_USER_INCREMENT, "bbnb")
USER(kv_list, LEDGE_USER_LIST, "bb")
USER(kv_transact, LEDGE_USER_TRANSACT, "b")
USER(publish, LEDGE_USER_PUBLISH, "bbn")
USER(invoke, LEDGE_USER_INVOKE, "bbb")

HOST(kv_sequence) {
  args[0].i64 = ledge_caller(caller)->user_sequence;
  return NULL;
}

HOST(status) {
  args[0].i32 = ledge_caller(caller)->user_status;
  return NULL;
}

HOST(error) {
  args[0].i64 = (int64_t)ledge_caller(caller)->user_error;
  return NULL;
}

wasmtime_error_t *ledge_define_user(wasmtime_linker_t *linker) {
  static const ledge_host_func funcs[] = {
      {"ledge_kv_get", "ll", "l", kv_get},
      {"ledge_kv_put", "llll", "l", kv_put},
      {"ledge_kv_delete", "lll", "l", kv_delete},
      {"ledge_kv_cas", "llll", "l", kv_cas},
      {"ledge_kv_increment", "llll", "l", kv_increment},
      {"ledge_kv_list", "ll", "l", kv_list},
      {"ledge_kv_transact", "l", "l", kv_transact},
      {"ledge_kv_sequence", "", "l", kv_sequence},
      {"ledge_publish", "lll", "l", publish},
      {"ledge_invoke", "lll", "l", invoke},
      {"ledge_status", "", "i", status},
      {"ledge_error", "", "l", error},
  };
  return ledge_define(linker, "extism:host/user", funcs, sizeof funcs / sizeof *funcs);
}
