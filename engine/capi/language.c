// The host side of a language runtime: module "ledge". An interpreter takes its
// input, gives its reply and asks the node for things through these few calls;
// engine/python/guest and engine/javascript/guest are the other side.
#include "ledge.h"
#include "preview1.h"
#include "_cgo_export.h"
#include <stdlib.h>
#include <string.h>

enum { REQUEST_ID = 36 };
enum { MAX_CALL = 64 << 20 }; // bytes of a host call's arguments

static wasm_trap_t *trap(const char *message) { return wasmtime_trap_new(message, strlen(message)); }

#define HOST(name)                                                                                   \
  static wasm_trap_t *name(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t n)
#define U32(i) ((uint32_t)args[i].i32)
#define OUTSIDE trap("a pointer of the language runtime is outside of its memory")

HOST(input_size) {
  args[0].i32 = (int32_t)ledge_caller(caller)->input_len;
  return NULL;
}

HOST(input_read) {
  ledge_instance *in = ledge_caller(caller);
  uint8_t *to = ledge_guest(in, U32(0), in->input_len);
  if (!to) return OUTSIDE;
  if (in->input_len > 0) memcpy(to, in->input, in->input_len);
  return NULL;
}

HOST(output) {
  ledge_instance *in = ledge_caller(caller);
  const uint8_t *text = ledge_guest(in, U32(0), U32(1));
  if (!text) return OUTSIDE;
  in->output.len = in->output.refused = 0;
  ledge_append(&in->output, text, U32(1));
  return NULL;
}

HOST(fail) {
  ledge_instance *in = ledge_caller(caller);
  const uint8_t *text = ledge_guest(in, U32(0), U32(1));
  if (!text) return OUTSIDE;
  in->failed = true;
  ledge_set_message(in, (const char *)text, U32(1), LEDGE_ERROR_OBJECT);
  return NULL;
}

HOST(request) {
  ledge_instance *in = ledge_caller(caller);
  uint8_t *to = ledge_guest(in, U32(0), REQUEST_ID);
  if (!to) return OUTSIDE;
  const char *id = strchr(in->request_variable, '=') + 1;
  if (strlen(id) != REQUEST_ID) id = "00000000-0000-0000-0000-000000000000"; // nobody asked yet
  memcpy(to, id, REQUEST_ID);
  args[0].i32 = (int32_t)in->details_len;
  return NULL;
}

HOST(details) {
  ledge_instance *in = ledge_caller(caller);
  uint8_t *to = ledge_guest(in, U32(0), in->details_len);
  if (!to) return OUTSIDE;
  if (in->details_len > 0) memcpy(to, in->details, in->details_len);
  return NULL;
}

HOST(remaining) {
  ledge_instance *in = ledge_caller(caller);
  int64_t left = (in->deadline - ledge_now()) / 1000000;
  args[0].i64 = left > 0 ? left : 0;
  return NULL;
}

HOST(call) {
  ledge_instance *in = ledge_caller(caller);
  const uint8_t *head = ledge_guest(in, U32(1), U32(2)), *body = ledge_guest(in, U32(3), U32(4));
  uint8_t *sizes = ledge_guest(in, U32(5), 8);
  if (!head || !body || !sizes || U32(0) >= LEDGE_HOST_LANGUAGE) return OUTSIDE;
  if (ledge_over(in)) return trap("stopped before a host call");
  if (U32(2) > MAX_CALL || U32(4) > MAX_CALL) return trap("the arguments of a host call are larger than 64 MB");
  ledge_kernel_reset(&in->kernel); // the last reply goes
  in->host_status = 0;
  in->host_head = in->host_body = 0;
  char *refused = ledgeHostCall(in, LEDGE_HOST_LANGUAGE + (int)U32(0), (uint8_t *)head, U32(2), (uint8_t *)body, U32(4), &in->host_reply);
  if (refused) {
    ledge_over(in); // Go may have given up for that
    wasm_trap_t *t = trap(refused);
    free(refused);
    return t;
  }
  uint32_t lengths[2] = {(uint32_t)in->host_head, (uint32_t)in->host_body};
  memcpy(sizes, lengths, sizeof lengths);
  args[0].i32 = (int32_t)in->host_status;
  return NULL;
}

HOST(reply) {
  ledge_instance *in = ledge_caller(caller);
  uint64_t size = in->host_head + in->host_body;
  uint8_t *to = ledge_guest(in, U32(0), size);
  if (!to) return OUTSIDE;
  if (size > 0) memcpy(to, in->kernel.data + in->host_reply, size);
  return NULL;
}

wasmtime_error_t *ledge_define_language(wasmtime_linker_t *linker) {
  static const ledge_host_func funcs[] = {
      {"input_size", "", "i", input_size},
      {"input_read", "i", "", input_read},
      {"output", "ii", "", output},
      {"fail", "ii", "", fail},
      {"request", "i", "i", request},
      {"details", "i", "", details},
      {"remaining", "", "l", remaining},
      {"call", "iiiiii", "i", call},
      {"reply", "i", "", reply},
  };
  return ledge_define(linker, "ledge", funcs, sizeof funcs / sizeof *funcs);
}
