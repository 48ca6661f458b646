#define _GNU_SOURCE
#include "ledge.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// A guest runs on the stack of the thread that calls it, and nothing but the end
// of that stack would stop it if it were smaller than what libwasmtime is told
// (max_wasm_stack). How large stacks are is the user's setting (ulimit -s), which
// may be too little and, where it is unlimited, means 2 MiB for threads. So it is
// set here, before the Go runtime makes its first thread.
__attribute__((constructor)) static void widen_stacks(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < LEDGE_THREAD_STACK) { // the first thread's
    limit.rlim_cur = limit.rlim_max < LEDGE_THREAD_STACK ? limit.rlim_max : LEDGE_THREAD_STACK;
    setrlimit(RLIMIT_STACK, &limit);
  }
  pthread_attr_t attr;
  if (pthread_attr_init(&attr) != 0) return;
  if (pthread_attr_setstacksize(&attr, LEDGE_THREAD_STACK) == 0) pthread_setattr_default_np(&attr);
  pthread_attr_destroy(&attr);
}

bool ledge_stacks_are_wide(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= LEDGE_THREAD_STACK;
}

// Of one module. The pool has so many for each instance: modules with many must
// not take those of others.
enum { TABLES = 8 };

void ledge_configure(wasm_config_t *config, const ledge_pool_config *p) {
  wasmtime_config_max_wasm_stack_set(config, p->wasm_stack);
  wasmtime_config_async_stack_size_set(config, p->wasm_stack); // unused, but it must not be less
  wasmtime_config_memory_reservation_set(config, p->reservation);
  wasmtime_config_memory_guard_size_set(config, p->guard);
  // Memories live in slots of a fixed place, so code need not reload their base.
  wasmtime_config_memory_may_move_set(config, false);
  wasmtime_config_concurrency_support_set(config, false);

  wasmtime_pooling_allocation_config_t *pool = wasmtime_pooling_allocation_config_new();
  // A restored instance is two: the image's memory and the code on top of it.
  wasmtime_pooling_allocation_config_total_core_instances_set(pool, 2 * p->instances);
  wasmtime_pooling_allocation_config_total_memories_set(pool, p->instances);
  wasmtime_pooling_allocation_config_total_tables_set(pool, TABLES * p->instances);
  wasmtime_pooling_allocation_config_max_tables_per_module_set(pool, TABLES);
  wasmtime_pooling_allocation_config_table_elements_set(pool, 100000);
  wasmtime_pooling_allocation_config_max_core_instance_size_set(pool, 4 << 20);
  wasmtime_pooling_allocation_config_max_memory_size_set(pool, p->max_memory);
  wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, p->keep_resident);
  wasmtime_pooling_allocation_config_table_keep_resident_set(pool, 64 << 10);
  wasmtime_pooling_allocation_config_max_unused_warm_slots_set(pool, p->warm_slots);
  wasmtime_pooling_allocation_config_total_stacks_set(pool, 0);
  wasmtime_pooling_allocation_config_total_gc_heaps_set(pool, 0);
  wasmtime_pooling_allocation_strategy_set(config, pool);
  wasmtime_pooling_allocation_config_delete(pool);
}

bool ledge_can_reserve(uint64_t bytes) {
  void *at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return false;
  munmap(at, bytes);
  return true;
}

// Whoever lowers a thread's priority must be allowed to raise it again: root,
// CAP_SYS_NICE or RLIMIT_NICE.
bool ledge_can_renice(void) {
  if (geteuid() == 0) return true;
  struct rlimit limit;
  return getrlimit(RLIMIT_NICE, &limit) == 0 && limit.rlim_cur >= 20;
}

char *ledge_take_error(wasmtime_error_t *error, size_t *len) {
  wasm_name_t text;
  wasmtime_error_message(error, &text);
  wasmtime_error_delete(error);
  char *copy = malloc(text.size + 1);
  if (copy) memcpy(copy, text.data, text.size);
  *len = copy ? text.size : 0;
  wasm_byte_vec_delete(&text);
  return copy;
}

wasmtime_linker_t *ledge_linker_new(wasm_engine_t *engine, char **message, size_t *message_len) {
  wasmtime_linker_t *linker = wasmtime_linker_new(engine);
  wasmtime_error_t *error = ledge_define_wasi(linker);
  if (!error) error = ledge_define_extism(linker);
  if (!error) error = ledge_define_user(linker);
  if (!error) error = ledge_define_language(linker);
  if (!error) return linker;
  *message = ledge_take_error(error, message_len);
  wasmtime_linker_delete(linker);
  return NULL;
}

static wasm_functype_t *functype(const char *params, const char *results) {
  const char *spec[2] = {params, results};
  wasm_valtype_vec_t lists[2];
  for (int i = 0; i < 2; i++) {
    wasm_valtype_t *list[16];
    size_t n = 0;
    for (const char *c = spec[i]; *c && n < 16; c++) list[n++] = wasm_valtype_new(*c == 'i' ? WASM_I32 : WASM_I64);
    wasm_valtype_vec_new(&lists[i], n, list);
  }
  return wasm_functype_new(&lists[0], &lists[1]);
}

wasmtime_error_t *ledge_define(wasmtime_linker_t *linker, const char *module, const ledge_host_func *funcs,
                               size_t n) {
  for (size_t i = 0; i < n; i++) {
    const ledge_host_func *f = &funcs[i];
    wasm_functype_t *type = functype(f->params, f->results);
    wasmtime_error_t *error = wasmtime_linker_define_func_unchecked(
        linker, module, strlen(module), f->name, strlen(f->name), type, f->callback, NULL, NULL);
    wasm_functype_delete(type);
    if (error) return error;
  }
  return NULL;
}
