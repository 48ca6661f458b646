// The Extism host environment: module "extism:host/env" of the Extism PDKs
// (https://extism.org/docs/concepts/pdk). Plug-ins exchange bytes with the host
// through blocks of a memory of the host's, the kernel, that they address with
// 64-bit offsets. A guest's offsets are never trusted: what lies outside of the
// kernel reads as zero and is not written.
#include "ledge.h"
#include "_cgo_export.h"
#include <stdlib.h>
#include <string.h>

enum { FIRST_OFFSET = 16 }; // 0 is no block
enum { MAX_BLOCKS = 1 << 20, KEEP_BYTES = 1 << 16, KEEP_BLOCKS = 1 << 10 };
enum { SLOW_BYTES = 1 << 16 }; // to zero so many takes longer than to look at the clock
enum { SUDDEN_BYTES = 16 << 20 }; // growth for which the node's budget is not left to the next epoch

void ledge_kernel_free(ledge_kernel *k) {
  free(k->data);
  free(k->blocks);
  uint64_t max = k->max;
  memset(k, 0, sizeof *k);
  k->max = max;
}

void ledge_kernel_reset(ledge_kernel *k) {
  if (k->cap > KEEP_BYTES || k->blocks_cap > KEEP_BLOCKS) ledge_kernel_free(k);
  k->top = FIRST_OFFSET;
  k->nblocks = k->nfree = 0;
  k->output_offset = k->output_len = k->error_offset = k->input_offset = 0;
  k->has_output = k->has_error = false;
}

static uint64_t reuse(ledge_kernel *k, uint64_t len) {
  for (size_t i = 0; i < k->nblocks; i++) {
    ledge_block *b = &k->blocks[i];
    if (!b->free || b->cap < len) continue;
    b->free = false;
    b->len = len;
    k->nfree--;
    memset(k->data + b->offset, 0, len);
    return b->offset;
  }
  return 0;
}

uint64_t ledge_kernel_alloc(ledge_instance *in, uint64_t len) {
  ledge_kernel *k = &in->kernel;
  if (len == 0 || len > k->max) return 0;
  if (k->nfree > 0) {
    uint64_t offset = reuse(k, len);
    if (offset) return offset;
  }
  if (k->top > k->max - len || k->nblocks == MAX_BLOCKS) return 0;
  if (k->nblocks == k->blocks_cap) {
    size_t cap = k->blocks_cap ? 2 * k->blocks_cap : 16;
    ledge_block *grown = realloc(k->blocks, cap * sizeof *grown);
    if (!grown) return 0;
    k->blocks = grown;
    k->blocks_cap = cap;
  }
  if (k->top + len > k->cap) {
    uint64_t cap = k->cap ? k->cap : 1024;
    while (cap < k->top + len) cap *= 2;
    if (cap - k->cap > SUDDEN_BYTES && !ledge_affordable(in, cap - k->cap)) {
      atomic_store_explicit(&in->stop, LEDGE_NO_MEMORY, memory_order_relaxed);
      return 0;
    }
    uint8_t *grown = realloc(k->data, cap);
    if (!grown) return 0;
    k->data = grown;
    k->cap = cap;
  }
  uint64_t offset = k->top;
  memset(k->data + offset, 0, len);
  k->blocks[k->nblocks++] = (ledge_block){.offset = offset, .len = len, .cap = len};
  k->top += len;
  return offset;
}

// Returns the live block that starts at offset, or NULL.
static ledge_block *find(ledge_kernel *k, uint64_t offset) {
  size_t low = 0, high = k->nblocks;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    if (k->blocks[mid].offset < offset) low = mid + 1;
    else high = mid;
  }
  if (low == k->nblocks || k->blocks[low].offset != offset || k->blocks[low].free) return NULL;
  return &k->blocks[low];
}

static bool inside(const ledge_kernel *k, uint64_t offset, uint64_t n) {
  return offset <= k->top && n <= k->top - offset;
}

const uint8_t *ledge_kernel_content(ledge_kernel *k, uint64_t offset, size_t *len) {
  ledge_block *b = find(k, offset);
  *len = b ? b->len : 0;
  return b ? k->data + b->offset : NULL;
}

static uint64_t put(ledge_instance *in, const void *data, size_t len) {
  uint64_t offset = ledge_kernel_alloc(in, len);
  if (offset) memcpy(in->kernel.data + offset, data, len);
  return offset;
}

static wasm_trap_t *trap(const char *message) { return wasmtime_trap_new(message, strlen(message)); }

#define HOST(name)                                                                                   \
  static wasm_trap_t *name(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t n)
#define IN ledge_instance *in = ledge_caller(caller)

HOST(env_alloc) {
  IN;
  uint64_t len = (uint64_t)args[0].i64;
  if (len > SLOW_BYTES && ledge_over(in)) return trap("stopped while allocating");
  args[0].i64 = (int64_t)ledge_kernel_alloc(in, len);
  if (atomic_load_explicit(&in->stop, memory_order_relaxed) == LEDGE_NO_MEMORY) return trap("the node has no memory left");
  return NULL;
}

HOST(env_free) {
  IN;
  ledge_kernel *k = &in->kernel;
  ledge_block *b = find(k, (uint64_t)args[0].i64);
  if (!b) return NULL;
  if (b == &k->blocks[k->nblocks - 1]) { // the last one gives its bytes back
    k->top = b->offset;
    k->nblocks--;
  } else {
    b->free = true;
    k->nfree++;
  }
  return NULL;
}

HOST(env_length) {
  IN;
  ledge_block *b = find(&in->kernel, (uint64_t)args[0].i64);
  args[0].i64 = b ? (int64_t)b->len : 0;
  return NULL;
}

HOST(env_load_u8) {
  IN;
  uint64_t at = (uint64_t)args[0].i64;
  args[0].i32 = inside(&in->kernel, at, 1) && at >= FIRST_OFFSET ? in->kernel.data[at] : 0;
  return NULL;
}

HOST(env_load_u64) {
  IN;
  uint64_t at = (uint64_t)args[0].i64;
  int64_t value = 0;
  if (inside(&in->kernel, at, 8) && at >= FIRST_OFFSET) memcpy(&value, in->kernel.data + at, 8);
  args[0].i64 = value;
  return NULL;
}

HOST(env_store_u8) {
  IN;
  uint64_t at = (uint64_t)args[0].i64;
  if (inside(&in->kernel, at, 1) && at >= FIRST_OFFSET) in->kernel.data[at] = (uint8_t)args[1].i32;
  return NULL;
}

HOST(env_store_u64) {
  IN;
  uint64_t at = (uint64_t)args[0].i64;
  if (inside(&in->kernel, at, 8) && at >= FIRST_OFFSET) memcpy(in->kernel.data + at, &args[1].i64, 8);
  return NULL;
}

// The event is read where Go keeps it; only a guest that asks for its place in
// the kernel gets a copy there.
HOST(env_input_offset) {
  IN;
  if (!in->kernel.input_offset && in->input_len > 0)
    in->kernel.input_offset = put(in, in->input, in->input_len);
  args[0].i64 = (int64_t)in->kernel.input_offset;
  return NULL;
}

HOST(env_input_length) {
  IN;
  args[0].i64 = (int64_t)in->input_len;
  return NULL;
}

HOST(env_input_load_u8) {
  IN;
  uint64_t at = (uint64_t)args[0].i64;
  args[0].i32 = at < in->input_len ? in->input[at] : 0;
  return NULL;
}

HOST(env_input_load_u64) {
  IN;
  uint64_t at = (uint64_t)args[0].i64;
  int64_t value = 0;
  if (at < in->input_len && in->input_len - at >= 8) memcpy(&value, in->input + at, 8);
  args[0].i64 = value;
  return NULL;
}

HOST(env_output_set) {
  IN;
  ledge_kernel *k = &in->kernel;
  uint64_t at = (uint64_t)args[0].i64, len = (uint64_t)args[1].i64;
  k->has_output = len == 0 || (at >= FIRST_OFFSET && inside(k, at, len));
  k->output_offset = k->has_output ? at : 0;
  k->output_len = k->has_output ? len : 0;
  return NULL;
}

HOST(env_error_set) {
  IN;
  in->kernel.error_offset = (uint64_t)args[0].i64;
  in->kernel.has_error = args[0].i64 != 0;
  return NULL;
}

// The function's environment variables are a plug-in's configuration.
HOST(env_config_get) {
  IN;
  const ledge_template *t = in->template;
  size_t len;
  const uint8_t *key = ledge_kernel_content(&in->kernel, (uint64_t)args[0].i64, &len);
  args[0].i64 = 0;
  for (size_t i = 0; key && i + 1 < t->nenv; i++) {
    if (strlen(t->env_names[i]) != len || memcmp(t->env_names[i], key, len) != 0) continue;
    args[0].i64 = (int64_t)put(in, t->env_values[i], strlen(t->env_values[i]));
    break;
  }
  return NULL;
}

// Asks Go. A call that Go refuses ends the invocation with Go's reason.
static wasm_trap_t *ask(ledge_instance *in, int op, const uint8_t *request, size_t request_len,
                        const uint8_t *extra, size_t extra_len, int64_t *reply) {
  if (ledge_over(in)) return trap("stopped before a host call");
  uint64_t offset = 0;
  char *refused = ledgeHostCall(in, op, (uint8_t *)request, request_len, (uint8_t *)extra, extra_len, &offset);
  if (reply) *reply = (int64_t)offset;
  if (!refused) return NULL;
  ledge_over(in); // Go may have given up for that
  wasm_trap_t *t = trap(refused);
  free(refused);
  return t;
}

HOST(env_var_get) {
  IN;
  size_t len;
  const uint8_t *key = ledge_kernel_content(&in->kernel, (uint64_t)args[0].i64, &len);
  return ask(in, LEDGE_HOST_VAR_GET, key, len, NULL, 0, &args[0].i64);
}

HOST(env_var_set) {
  IN;
  size_t key_len, value_len;
  const uint8_t *key = ledge_kernel_content(&in->kernel, (uint64_t)args[0].i64, &key_len);
  const uint8_t *value = ledge_kernel_content(&in->kernel, (uint64_t)args[1].i64, &value_len);
  int op = args[1].i64 == 0 ? LEDGE_HOST_VAR_DELETE : LEDGE_HOST_VAR_SET;
  return ask(in, op, key, key_len, value, value_len, NULL);
}

HOST(env_http_request) {
  IN;
  size_t request_len, body_len;
  const uint8_t *request = ledge_kernel_content(&in->kernel, (uint64_t)args[0].i64, &request_len);
  const uint8_t *body = ledge_kernel_content(&in->kernel, (uint64_t)args[1].i64, &body_len);
  in->http_status = 0;
  in->http_headers = 0;
  return ask(in, LEDGE_HOST_HTTP, request, request_len, body, body_len, &args[0].i64);
}

HOST(env_http_status_code) {
  IN;
  args[0].i32 = (int32_t)in->http_status;
  return NULL;
}

HOST(env_http_headers) {
  IN;
  args[0].i64 = (int64_t)in->http_headers;
  return NULL;
}

static wasm_trap_t *write_log(wasmtime_caller_t *caller, wasmtime_val_raw_t *args, const char *level) {
  IN;
  size_t len;
  const uint8_t *text = ledge_kernel_content(&in->kernel, (uint64_t)args[0].i64, &len);
  if (!text) return NULL;
  ledge_append(&in->log, level, strlen(level));
  ledge_append(&in->log, text, len);
  ledge_append(&in->log, "\n", 1);
  return NULL;
}

HOST(env_log_trace) { return NULL; } // below the level that env_get_log_level states
HOST(env_log_debug) { return NULL; }
HOST(env_log_info) { return write_log(caller, args, "[INFO] "); }
HOST(env_log_warn) { return write_log(caller, args, "[WARN] "); }
HOST(env_log_error) { return write_log(caller, args, "[ERROR] "); }

HOST(env_get_log_level) {
  args[0].i32 = 2; // trace 0, debug 1, info 2, warn 3, error 4
  return NULL;
}

wasmtime_error_t *ledge_define_extism(wasmtime_linker_t *linker) {
  static const ledge_host_func funcs[] = {
      {"alloc", "l", "l", env_alloc},
      {"free", "l", "", env_free},
      {"length", "l", "l", env_length},
      {"length_unsafe", "l", "l", env_length},
      {"load_u8", "l", "i", env_load_u8},
      {"load_u64", "l", "l", env_load_u64},
      {"store_u8", "li", "", env_store_u8},
      {"store_u64", "ll", "", env_store_u64},
      {"input_offset", "", "l", env_input_offset},
      {"input_length", "", "l", env_input_length},
      {"input_load_u8", "l", "i", env_input_load_u8},
      {"input_load_u64", "l", "l", env_input_load_u64},
      {"output_set", "ll", "", env_output_set},
      {"error_set", "l", "", env_error_set},
      {"config_get", "l", "l", env_config_get},
      {"var_get", "l", "l", env_var_get},
      {"var_set", "ll", "", env_var_set},
      {"http_request", "ll", "l", env_http_request},
      {"http_status_code", "", "i", env_http_status_code},
      {"http_headers", "", "l", env_http_headers},
      {"log_trace", "l", "", env_log_trace},
      {"log_debug", "l", "", env_log_debug},
      {"log_info", "l", "", env_log_info},
      {"log_warn", "l", "", env_log_warn},
      {"log_error", "l", "", env_log_error},
      {"get_log_level", "", "i", env_get_log_level},
  };
  return ledge_define(linker, "extism:host/env", funcs, sizeof funcs / sizeof *funcs);
}
