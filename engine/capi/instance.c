#define _GNU_SOURCE
#include "ledge.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { STORE_INSTANCES = 2, STORE_TABLES = 16, STORE_MEMORIES = 1, STORE_TABLE_ELEMENTS = 100000 };
enum { KEEP_OUTPUT = 64 << 10 };          // of a buffer between calls
enum { RENICE_AFTER_TICKS = 3, NICE = 10 }; // a call that lasts this long yields to short ones
enum { MAX_FRAMES = 32 };

int64_t ledge_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

ledge_instance *ledge_instance_alloc(const ledge_template *t, uint64_t host) {
  ledge_instance *in = calloc(1, sizeof *in);
  if (!in) return NULL;
  in->template = t;
  in->host = host;
  in->output.max = t->output_limit;
  in->log.max = t->log_limit;
  in->kernel.max = t->kernel_limit;
  return in;
}

static void forget_outcome(ledge_instance *in) {
  free(in->message);
  free(in->frames);
  in->message = in->frames = NULL;
  in->message_len = in->frames_len = 0;
  in->outcome = LEDGE_OK;
  in->unwound = false;
  in->exit_status = 0;
  in->exited = false;
  in->trap_code = -1;
  in->reply = NULL;
  in->reply_len = 0;
}

void ledge_instance_free(ledge_instance *in) {
  ledge_drop(in);
  forget_outcome(in);
  ledge_kernel_free(&in->kernel);
  free(in->details);
  free(in->output.data);
  free(in->log.data);
  free(in);
}

uint8_t *ledge_details(ledge_instance *in, size_t len) {
  if (len > in->details_cap) {
    free(in->details); // of a call that is over
    in->details_len = in->details_cap = 0;
    in->details = malloc(len);
    if (!in->details) return NULL;
    in->details_cap = len;
  }
  in->details_len = len;
  return in->details;
}

// Bytes that the instance holds beside its linear memory, as far as a guest can
// make them many.
static int64_t buffers(const ledge_instance *in) {
  return (int64_t)(in->kernel.cap + in->kernel.blocks_cap * sizeof(ledge_block) + in->output.cap + in->log.cap);
}

bool ledge_affordable(const ledge_instance *in, uint64_t bytes) {
  const ledge_node *node = in->template->node;
  if (node->budget == 0) return true;
  int64_t used = atomic_load_explicit(&node->used, memory_order_relaxed);
  return used < node->budget && bytes <= (uint64_t)(node->budget - used);
}

// Brings the node's books up to date with what the instance has. Returns false
// where it grew and the node has no more to give.
static bool recharge(ledge_instance *in) {
  ledge_node *node = in->template->node;
  int64_t size = 0;
  if (in->store) size = (in->starting ? in->template->memory_limit : ledge_memory_size(in)) + buffers(in);
  int64_t grown = size - in->charged;
  if (grown == 0) return true;
  in->charged = size;
  int64_t used = atomic_fetch_add_explicit(&node->used, grown, memory_order_relaxed) + grown;
  return grown < 0 || node->budget == 0 || used <= node->budget;
}

void ledge_drop(ledge_instance *in) {
  if (!in->store) return;
  wasmtime_store_delete(in->store);
  in->store = NULL;
  in->context = NULL;
  in->has_memory = false;
  in->pristine = false;
  ledge_files_end(in);
  recharge(in);
}

int64_t ledge_memory_size(const ledge_instance *in) {
  return in->has_memory ? (int64_t)wasmtime_memory_data_size(in->context, &in->memory) : 0;
}

const uint8_t *ledge_memory_data(const ledge_instance *in) {
  return in->has_memory ? wasmtime_memory_data(in->context, &in->memory) : NULL;
}

// Runs at every epoch, on the thread that runs the guest: the only place where
// a guest that does not return can be stopped.
static wasmtime_error_t *on_epoch(wasmtime_context_t *context, void *data, uint64_t *delta,
                                  wasmtime_update_deadline_kind_t *kind) {
  ledge_instance *in = data;
  *delta = 1;
  *kind = WASMTIME_UPDATE_DEADLINE_CONTINUE;
  if (ledge_now() >= in->deadline)
    atomic_store_explicit(&in->stop, LEDGE_TIMEOUT, memory_order_relaxed);
  else if (in->wanting && !ledge_affordable(in, 0))
    atomic_store_explicit(&in->stop, LEDGE_NO_MEMORY, memory_order_relaxed);
  else
    in->wanting = !recharge(in); // until the next epoch the node may find idle memory
  if (atomic_load_explicit(&in->stop, memory_order_relaxed) != 0) return wasmtime_error_new("stopped by the node");
  if (++in->ticks == RENICE_AFTER_TICKS && in->template->node->renice) {
    id_t thread = (id_t)syscall(SYS_gettid);
    in->nice = getpriority(PRIO_PROCESS, thread);
    in->reniced = setpriority(PRIO_PROCESS, thread, in->nice + NICE) == 0;
  }
  return NULL;
}

bool ledge_over(ledge_instance *in) {
  if (atomic_load_explicit(&in->stop, memory_order_relaxed) == 0 && ledge_now() >= in->deadline)
    atomic_store_explicit(&in->stop, LEDGE_TIMEOUT, memory_order_relaxed);
  return atomic_load_explicit(&in->stop, memory_order_relaxed) != 0;
}

static void begin(ledge_instance *in, const uint8_t *input, size_t input_len, int64_t timeout_ns) {
  forget_outcome(in);
  in->input = input;
  in->input_len = input_len;
  in->input_at = 0;
  in->output.len = in->output.refused = 0;
  in->log.len = in->log.refused = 0;
  in->ticks = 0;
  in->wanting = false;
  in->init_ns = 0;
  in->http_status = 0;
  in->user_status = 0;
  in->user_sequence = 0;
  in->user_error = 0;
  in->http_headers = 0;
  in->host_body = in->host_head = 0;
  in->failed = false;
  atomic_store_explicit(&in->stop, 0, memory_order_relaxed);
  in->started = ledge_now();
  in->deadline = in->started + timeout_ns;
}

static void trim(ledge_buffer *b) {
  if (b->cap <= KEEP_OUTPUT) return;
  free(b->data);
  b->data = NULL;
  b->len = b->cap = 0;
}

void ledge_trim(ledge_instance *in) {
  in->reply = NULL;
  in->reply_len = 0;
  trim(&in->output);
  trim(&in->log);
  ledge_kernel_reset(&in->kernel);
  recharge(in);
}

static int end(ledge_instance *in) {
  in->ended = ledge_now();
  in->memory_bytes = ledge_memory_size(in);
  in->input = NULL;
  in->input_len = 0;
  if (in->reniced) {
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), in->nice);
    in->reniced = false;
  }
  recharge(in);
  return in->outcome;
}

// Appends "name" or "func[N]" and the place in the module, a line a frame.
static void describe_frames(ledge_instance *in, const wasm_frame_vec_t *frames) {
  ledge_buffer text = {.max = 16 << 10};
  for (size_t i = 0; i < frames->size && i < MAX_FRAMES; i++) {
    char place[64];
    const wasm_name_t *name = wasmtime_frame_func_name(frames->data[i]);
    int n;
    if (name) ledge_append(&text, name->data, name->size);
    else {
      n = snprintf(place, sizeof place, "func[%u]", wasm_frame_func_index(frames->data[i]));
      ledge_append(&text, place, (size_t)n);
    }
    size_t offset = wasm_frame_module_offset(frames->data[i]);
    n = offset == SIZE_MAX ? snprintf(place, sizeof place, "\n") : snprintf(place, sizeof place, " (0x%zx)\n", offset);
    ledge_append(&text, place, (size_t)n);
  }
  in->frames = (char *)text.data;
  in->frames_len = text.len;
}

void ledge_set_message(ledge_instance *in, const char *text, size_t len, size_t max) {
  free(in->message);
  while (len > 0 && text[len - 1] == 0) len--; // a trap's message counts its end
  if (len > max) len = max;                    // a guest's own may be as long as its memory
  in->message = malloc(len + 1);
  if (in->message) memcpy(in->message, text, len);
  in->message_len = in->message ? len : 0;
}

// Takes error and trap, of which at most one is set, and says what they mean.
static int conclude(ledge_instance *in, wasmtime_error_t *error, wasm_trap_t *trap, int otherwise) {
  uint32_t stop = atomic_load_explicit(&in->stop, memory_order_relaxed);
  if (!error && !trap) // a guest may return although a host function refused it something
    return in->outcome = stop == LEDGE_TOO_LARGE || stop == LEDGE_NO_MEMORY ? (int)stop : LEDGE_OK;
  wasm_frame_vec_t frames = {0};
  in->unwound = true;
  in->outcome = otherwise;
  if (in->exited) { // our own unwinding: nothing to describe, which is slow
    in->outcome = in->exit_status == 0 && in->template->abi != LEDGE_ABI_LANGUAGE ? LEDGE_OK : LEDGE_EXIT;
  } else if (trap) {
    wasmtime_trap_code_t code;
    if (wasmtime_trap_code(trap, &code)) in->trap_code = code;
    in->outcome = LEDGE_TRAP;
    wasm_message_t text;
    wasm_trap_message(trap, &text);
    ledge_set_message(in, text.data, text.size, LEDGE_MESSAGE);
    wasm_byte_vec_delete(&text);
    wasm_trap_trace(trap, &frames);
  } else {
    wasmtime_error_wasm_trace(error, &frames);
  }
  // The frames borrow from the trap or error, so they go first.
  if (in->outcome != LEDGE_OK && frames.size > 0) describe_frames(in, &frames);
  if (frames.data) wasm_frame_vec_delete(&frames);
  if (trap) wasm_trap_delete(trap);
  if (error && in->exited) {
    wasmtime_error_delete(error);
  } else if (error) {
    free(in->message);
    in->message = ledge_take_error(error, &in->message_len);
  }
  if (stop != 0) in->outcome = (int)stop; // whatever the guest made of being stopped
  return in->outcome;
}

static int fail(ledge_instance *in, const char *text) {
  ledge_set_message(in, text, strlen(text), LEDGE_MESSAGE);
  return in->outcome = LEDGE_ERROR;
}

static bool export_func(ledge_instance *in, const char *name, size_t len, wasmtime_func_t *func) {
  wasmtime_extern_t item;
  if (!wasmtime_instance_export_get(in->context, &in->instance, name, len, &item)) return false;
  if (item.kind != WASMTIME_EXTERN_FUNC) return false;
  *func = item.of.func;
  return true;
}

static void find_memory(ledge_instance *in, const wasmtime_instance_t *instance) {
  wasmtime_extern_t item;
  if (in->has_memory || !wasmtime_instance_export_get(in->context, instance, "memory", 6, &item)) return;
  if (item.kind != WASMTIME_EXTERN_MEMORY) return;
  in->memory = item.of.memory;
  in->has_memory = true;
}

static int set_globals(ledge_instance *in) {
  const ledge_template *t = in->template;
  for (size_t i = 0; i < t->nglobals; i++) {
    wasmtime_extern_t item;
    const ledge_global *g = &t->globals[i];
    if (!wasmtime_instance_export_get(in->context, &in->instance, g->name, g->name_len, &item) ||
        item.kind != WASMTIME_EXTERN_GLOBAL)
      return fail(in, "a global of the snapshot is missing");
    wasmtime_error_t *error = wasmtime_global_set(in->context, &item.of.global, &g->value);
    if (error) return conclude(in, error, NULL, LEDGE_ERROR);
  }
  return LEDGE_OK;
}

enum { MAX_IMPORTS = 256 };

// Instantiates the image, then the code with the image's memory, and puts the
// globals back.
static int restore(ledge_instance *in) {
  const ledge_template *t = in->template;
  wasm_trap_t *trap = NULL;
  wasmtime_instance_t image;
  wasmtime_error_t *error = wasmtime_instance_pre_instantiate(t->image_pre, in->context, &image, &trap);
  if (error || trap) return conclude(in, error, trap, LEDGE_ERROR);
  find_memory(in, &image);
  if (t->npatches > 0 && !ledge_overlay(in)) return fail(in, "no memory for the function's own pages");
  if (t->nimports > MAX_IMPORTS) return fail(in, "the module has more than 256 imports");
  wasmtime_extern_t imports[MAX_IMPORTS];
  for (size_t i = 0; i < t->nimports; i++) {
    const ledge_import *want = &t->imports[i];
    if (want->memory) {
      imports[i].kind = WASMTIME_EXTERN_MEMORY;
      imports[i].of.memory = in->memory;
    } else if (!wasmtime_linker_get(t->linker, in->context, want->module, want->module_len, want->name,
                                    want->name_len, &imports[i])) {
      return fail(in, "an import is missing");
    }
  }
  error = wasmtime_instance_new(in->context, t->code, imports, t->nimports, &in->instance, &trap);
  if (error || trap) return conclude(in, error, trap, LEDGE_ERROR);
  if (set_globals(in) != LEDGE_OK) return in->outcome;
  in->restored_size = wasmtime_memory_data_size(in->context, &in->memory);
  ledge_prefault(in);
  return LEDGE_OK;
}

// An initialiser takes at most two parameters, which are 0 (Haskell's hs_init).
enum { CALL_VALUES = 2 };

static int call(ledge_instance *in, const wasmtime_func_t *func, wasmtime_val_raw_t values[CALL_VALUES]) {
  wasm_trap_t *trap = NULL;
  wasmtime_context_set_epoch_deadline(in->context, 1);
  wasmtime_error_t *error = wasmtime_func_call_unchecked(in->context, func, values, CALL_VALUES, &trap);
  return conclude(in, error, trap, LEDGE_TRAP);
}

// Gives the shell a store with an instance in which nothing has run but a start
// function.
static int place(ledge_instance *in) {
  const ledge_template *t = in->template;
  in->created = in->started;
  in->store = wasmtime_store_new(t->engine, in, NULL);
  in->context = wasmtime_store_context(in->store);
  wasmtime_store_limiter(in->store, t->memory_limit, STORE_TABLE_ELEMENTS, STORE_INSTANCES, STORE_TABLES,
                         STORE_MEMORIES);
  wasmtime_store_epoch_deadline_callback(in->store, on_epoch, in, NULL);
  wasmtime_context_set_epoch_deadline(in->context, 1);
  ledge_kernel_reset(&in->kernel);
  in->closed = 0;
  if (!ledge_files_begin(in)) return fail(in, "out of memory");
  if (!t->pre) return restore(in);
  wasm_trap_t *trap = NULL;
  in->starting = t->starts; // for all that is known it takes what it may
  wasmtime_error_t *error = wasmtime_instance_pre_instantiate(t->pre, in->context, &in->instance, &trap);
  in->starting = false;
  if (error || trap) return conclude(in, error, trap, LEDGE_ERROR);
  find_memory(in, &in->instance);
  return LEDGE_OK;
}

static int initialise(ledge_instance *in) {
  const ledge_template *t = in->template;
  for (size_t i = 0; i < t->ninit; i++) {
    wasmtime_func_t func;
    wasmtime_val_raw_t none[CALL_VALUES] = {0};
    if (!export_func(in, t->init[i], strlen(t->init[i]), &func)) return fail(in, "an initialiser is missing");
    if (call(in, &func, none) != LEDGE_OK) return in->outcome;
    if (in->failed) return in->outcome = LEDGE_FAILED;
  }
  if (!export_func(in, t->entry, t->entry_len, &in->entry)) return fail(in, "the handler's export is missing");
  if (!recharge(in)) return in->outcome = LEDGE_NO_MEMORY;
  return LEDGE_OK;
}

static int make(ledge_instance *in) { return place(in) == LEDGE_OK ? initialise(in) : in->outcome; }

// Makes a live instance what it was before anything ran in it. Returns false where
// it must be dropped instead.
static bool put_back(ledge_instance *in) {
  const ledge_template *t = in->template;
  if (!t->resettable || !t->image_pre || in->unwound || (in->outcome != LEDGE_OK && in->outcome != LEDGE_FAILED)) return false;
  int outcome = in->outcome;
  bool done = ledge_put_back(in) && set_globals(in) == LEDGE_OK;
  in->outcome = outcome;
  if (!done) return false;
  ledge_files_end(in);
  in->closed = 0;
  return ledge_files_begin(in);
}

// The reply of an Extism call, or what it says went wrong.
static void collect_extism(ledge_instance *in, int32_t code) {
  ledge_kernel *k = &in->kernel;
  if (code != 0 || k->has_error) {
    size_t len = 0;
    for (size_t i = 0; i < k->nblocks; i++)
      if (k->blocks[i].offset == k->error_offset && !k->blocks[i].free) len = k->blocks[i].len;
    ledge_set_message(in, len ? (const char *)k->data + k->error_offset : "", len, LEDGE_MESSAGE);
    in->exit_status = code;
    in->outcome = LEDGE_FAILED;
    return;
  }
  if (!k->has_output || k->output_len == 0) return;
  if (k->output_offset > k->top || k->output_len > k->top - k->output_offset) return; // freed since
  if (k->output_len > in->output.max) {
    in->outcome = LEDGE_TOO_LARGE;
    return;
  }
  in->reply = k->data + k->output_offset;
  in->reply_len = k->output_len;
}

static int enter(ledge_instance *in) {
  const ledge_template *t = in->template;
  wasmtime_val_raw_t values[CALL_VALUES] = {0};
  if (call(in, &in->entry, values) != LEDGE_OK) return in->outcome;
  if (t->abi == LEDGE_ABI_EXTISM) {
    collect_extism(in, t->entry_returns ? values[0].i32 : 0);
  } else if (in->failed) {
    in->outcome = LEDGE_FAILED;
  } else if (in->output.refused > 0) {
    in->outcome = LEDGE_TOO_LARGE;
  } else {
    in->reply = in->output.data;
    in->reply_len = in->output.len;
  }
  return in->outcome;
}

int ledge_instantiate(ledge_instance *in, const uint8_t *input, size_t input_len, int64_t timeout_ns) {
  begin(in, input, input_len, timeout_ns);
  make(in);
  end(in);
  in->init_ns = in->ended - in->started;
  if (in->outcome != LEDGE_OK) ledge_drop(in);
  return in->outcome;
}

int ledge_run(ledge_instance *in, const char *name, size_t len, const uint8_t *input, size_t input_len,
              int64_t timeout_ns) {
  wasmtime_func_t func;
  wasmtime_val_raw_t none[CALL_VALUES] = {0};
  begin(in, input, input_len, timeout_ns);
  if (!export_func(in, name, len, &func)) fail(in, "an initialiser is missing");
  else if (call(in, &func, none) == LEDGE_OK && in->failed) in->outcome = LEDGE_FAILED;
  return end(in);
}

int ledge_call(ledge_instance *in, const uint8_t *input, size_t input_len, int64_t timeout_ns) {
  begin(in, input, input_len, timeout_ns);
  trim(&in->output);
  trim(&in->log);
  ledge_kernel_reset(&in->kernel);
  enter(in);
  return end(in);
}

int ledge_call_fresh(ledge_instance *in, const uint8_t *input, size_t input_len, int64_t timeout_ns) {
  begin(in, input, input_len, timeout_ns);
  trim(&in->output);
  trim(&in->log);
  in->created = in->started; // the clock of a guest that was put back starts again
  if ((in->pristine ? initialise(in) : make(in)) == LEDGE_OK) {
    in->init_ns = ledge_now() - in->started;
    enter(in);
  }
  end(in);
  in->pristine = put_back(in);
  if (!in->pristine) ledge_drop(in);
  return in->outcome;
}

int ledge_restore(ledge_instance *in, int64_t timeout_ns) {
  begin(in, NULL, 0, timeout_ns);
  in->pristine = place(in) == LEDGE_OK;
  end(in);
  if (in->outcome != LEDGE_OK) ledge_drop(in);
  return in->outcome;
}

bool ledge_global_read(ledge_instance *in, const char *name, size_t len, wasmtime_val_t *value) {
  wasmtime_extern_t item;
  if (!wasmtime_instance_export_get(in->context, &in->instance, name, len, &item)) return false;
  if (item.kind != WASMTIME_EXTERN_GLOBAL) return false;
  wasmtime_global_get(in->context, &item.of.global, value);
  return true;
}

bool ledge_table_hash(ledge_instance *in, const char *name, size_t len, uint64_t *hash) {
  wasmtime_extern_t item;
  if (!wasmtime_instance_export_get(in->context, &in->instance, name, len, &item)) return false;
  if (item.kind != WASMTIME_EXTERN_TABLE) return false;
  uint64_t size = wasmtime_table_size(in->context, &item.of.table);
  uint64_t h = 14695981039346656037u ^ size; // FNV-1a, a word at a time
  for (uint64_t i = 0; i < size; i++) {
    wasmtime_val_t value;
    if (!wasmtime_table_get(in->context, &item.of.table, i, &value) || value.kind != WASMTIME_FUNCREF) return false;
    uint64_t word = value.of.funcref.store_id ? (uint64_t)(uintptr_t)value.of.funcref.__private : 0;
    h = (h ^ word) * 1099511628211u;
  }
  *hash = h;
  return true;
}
