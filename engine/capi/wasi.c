// WASI preview 1 for guests. It is our own and not libwasmtime's, which costs two
// to four microseconds for each store and 80 µs for a captured write, sleeps past
// deadlines, and knows neither snapshots' clocks nor their open files.
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
#include "ledge.h"
#include "preview1.h"
#include <string.h>
#include <time.h>

enum { CLOCK_ID_REALTIME, CLOCK_ID_MONOTONIC };
enum { EVENT_CLOCK };
enum { SUBSCRIPTION_SIZE = 48, EVENT_SIZE = 32, MAX_SUBSCRIPTIONS = 1024 };
enum { SLICE_NS = 5000000 }; // how soon a sleeper notices that it was cancelled

static int64_t realtime(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint64_t ledge_guest_clock(const ledge_instance *in) {
  return in->template->clock + (uint64_t)(ledge_now() - in->created);
}

uint8_t *ledge_guest(ledge_instance *in, uint64_t at, uint64_t n) {
  if (!in->has_memory) return NULL;
  uint64_t size = wasmtime_memory_data_size(in->context, &in->memory);
  if (at > size || n > size - at) return NULL;
  return wasmtime_memory_data(in->context, &in->memory) + at;
}

static wasm_trap_t *clock_time_get(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t n) {
  ledge_instance *in = ledge_caller(caller);
  uint32_t id = (uint32_t)args[0].i32;
  uint8_t *out = ledge_guest(in, (uint32_t)args[2].i32, 8);
  uint64_t now = id == CLOCK_ID_REALTIME ? (uint64_t)realtime() : ledge_guest_clock(in);
  args[0].i32 = !out ? ERRNO_FAULT : id > CLOCK_ID_MONOTONIC ? ERRNO_INVAL : 0;
  if (args[0].i32 == 0) memcpy(out, &now, 8);
  return NULL;
}

// Sleeps until the host's monotonic clock shows until. Returns a trap when the
// invocation is over before that.
static wasm_trap_t *sleep_until(ledge_instance *in, int64_t until) {
  for (;;) {
    if (ledge_over(in)) return wasmtime_trap_new("stopped while sleeping", strlen("stopped while sleeping"));
    int64_t now = ledge_now();
    if (now >= until) return NULL;
    int64_t wait = until - now;
    if (wait > in->deadline - now) wait = in->deadline - now;
    if (wait > SLICE_NS) wait = SLICE_NS;
    struct timespec t = {wait / 1000000000, wait % 1000000000};
    nanosleep(&t, NULL);
  }
}

// Files, the event on standard input and the outputs are always ready, so a
// poll with any of them returns at once; otherwise it waits for its clocks.
static wasm_trap_t *poll_oneoff(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t nargs) {
  ledge_instance *in = ledge_caller(caller);
  uint32_t from = (uint32_t)args[0].i32, to = (uint32_t)args[1].i32, n = (uint32_t)args[2].i32;
  uint32_t count_at = (uint32_t)args[3].i32;
  if (n == 0 || n > MAX_SUBSCRIPTIONS) {
    args[0].i32 = ERRNO_INVAL;
    return NULL;
  }
  const uint8_t *subs = ledge_guest(in, from, (uint64_t)n * SUBSCRIPTION_SIZE);
  uint8_t *events = ledge_guest(in, to, (uint64_t)n * EVENT_SIZE), *count = ledge_guest(in, count_at, 4);
  if (!subs || !events || !count) {
    args[0].i32 = ERRNO_FAULT;
    return NULL;
  }

  // The guest cannot change its memory while it is in here, but the two arrays
  // may overlap, so what is needed is read before anything is written.
  struct { uint64_t user; int64_t due; uint8_t tag; } wanted[MAX_SUBSCRIPTIONS];
  bool ready = false;
  int64_t now = ledge_now(), first = INT64_MAX;
  for (uint32_t i = 0; i < n; i++) {
    const uint8_t *s = subs + (size_t)i * SUBSCRIPTION_SIZE;
    memcpy(&wanted[i].user, s, 8);
    wanted[i].tag = s[8];
    if (s[8] != EVENT_CLOCK) {
      ready = true;
      continue;
    }
    uint32_t id;
    uint64_t timeout;
    uint16_t flags;
    memcpy(&id, s + 16, 4);
    memcpy(&timeout, s + 24, 8);
    memcpy(&flags, s + 40, 2);
    if (flags & 1) { // absolute
      uint64_t clock = id == CLOCK_ID_REALTIME ? (uint64_t)realtime() : ledge_guest_clock(in);
      timeout = timeout > clock ? timeout - clock : 0;
    }
    int64_t due = timeout > (uint64_t)(INT64_MAX - now) ? INT64_MAX : now + (int64_t)timeout;
    wanted[i].due = due;
    if (due < first) first = due;
  }
  if (!ready) {
    wasm_trap_t *trap = sleep_until(in, first);
    if (trap) return trap;
    now = ledge_now();
  }
  uint32_t written = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (wanted[i].tag == EVENT_CLOCK && wanted[i].due > now) continue;
    uint8_t *e = events + (size_t)written++ * EVENT_SIZE;
    memset(e, 0, EVENT_SIZE);
    memcpy(e, &wanted[i].user, 8);
    e[10] = wanted[i].tag;
  }
  memcpy(count, &written, 4);
  args[0].i32 = 0;
  return NULL;
}

// Standard output and error are captured; a function has nothing else that it
// could write to, since its files are read-only.
static wasm_trap_t *fd_write(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t nargs) {
  ledge_instance *in = ledge_caller(caller);
  uint32_t fd = (uint32_t)args[0].i32, iovs_at = (uint32_t)args[1].i32, n = (uint32_t)args[2].i32;
  uint32_t written_at = (uint32_t)args[3].i32;
  if (fd != 1 && fd != 2) {
    args[0].i32 = ERRNO_BADF;
    return NULL;
  }
  if (n > MAX_IOVECS) {
    args[0].i32 = ERRNO_INVAL;
    return NULL;
  }
  const uint8_t *iovs = ledge_guest(in, iovs_at, (uint64_t)n * 8);
  uint8_t *written = ledge_guest(in, written_at, 4);
  if (!iovs || !written) {
    args[0].i32 = ERRNO_FAULT;
    return NULL;
  }
  bool output = fd == 1 && in->template->abi == LEDGE_ABI_COMMAND;
  ledge_buffer *to = output ? &in->output : &in->log;
  uint32_t total = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t at, len;
    memcpy(&at, iovs + 8 * (size_t)i, 4);
    memcpy(&len, iovs + 8 * (size_t)i + 4, 4);
    const uint8_t *bytes = ledge_guest(in, at, len);
    if (!bytes) {
      args[0].i32 = ERRNO_FAULT;
      return NULL;
    }
    if (len > UINT32_MAX - total) len = UINT32_MAX - total;
    ledge_append(to, bytes, len);
    total += len;
  }
  // A log that is full takes the bytes and forgets them: a chatty function is
  // not a broken one. A reply that is too long is.
  if (output && to->refused > 0) {
    atomic_store_explicit(&in->stop, LEDGE_TOO_LARGE, memory_order_relaxed);
    args[0].i32 = ERRNO_FBIG;
    return NULL;
  }
  memcpy(written, &total, 4);
  args[0].i32 = 0;
  return NULL;
}

wasmtime_error_t *ledge_define_wasi(wasmtime_linker_t *linker) {
  static const ledge_host_func funcs[] = {
      {"clock_time_get", "ili", "i", clock_time_get},
      {"fd_write", "iiii", "i", fd_write},
      {"poll_oneoff", "iiii", "i", poll_oneoff},
  };
  wasmtime_error_t *error = ledge_define_stdio(linker);
  return error ? error : ledge_define(linker, LEDGE_WASI, funcs, sizeof funcs / sizeof *funcs);
}
