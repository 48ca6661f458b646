// WASI preview 1 for functions that have no files, which is most of them: three
// standard streams, arguments, environment, clocks and randomness, all from the
// instance itself. libwasmtime's WASI, which functions with files get, costs
// two to four microseconds for each store; this costs nothing until it is called.
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
#include "ledge.h"
#include "preview1.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { STREAMS = 3 }; // file descriptors 0, 1 and 2
enum { RIGHT_READ = 1 << 1, RIGHT_WRITE = 1 << 6 };
enum { RANDOM_AT_A_TIME = 1 << 20 };

static bool is_open(const ledge_instance *in, uint32_t fd) { return fd < STREAMS && !(in->closed >> fd & 1); }

static wasm_trap_t *answer(wasmtime_val_raw_t *args, int32_t error) {
  args[0].i32 = error;
  return NULL;
}

#define CALL(name) \
  static wasm_trap_t *name(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t nargs)
#define U32(i) ((uint32_t)args[i].i32)

// ---- arguments and environment

// Writes pointers to at and the strings they point to behind each other to text.
static int32_t write_strings(ledge_instance *in, uint32_t at, uint32_t text, size_t n, const char *(*get)(ledge_instance *, size_t, size_t *)) {
  for (size_t i = 0; i < n; i++) {
    size_t len;
    const char *value = get(in, i, &len);
    uint8_t *pointer = ledge_guest(in, (uint64_t)at + 4 * i, 4), *to = ledge_guest(in, text, len);
    if (!pointer || !to) return ERRNO_FAULT;
    memcpy(pointer, &text, 4);
    memcpy(to, value, len);
    text += (uint32_t)len;
  }
  return 0;
}

static int32_t write_sizes(ledge_instance *in, uint32_t count_at, uint32_t size_at, size_t n, const char *(*get)(ledge_instance *, size_t, size_t *)) {
  uint8_t *count = ledge_guest(in, count_at, 4), *size = ledge_guest(in, size_at, 4);
  if (!count || !size) return ERRNO_FAULT;
  uint32_t number = (uint32_t)n, total = 0;
  for (size_t i = 0; i < n; i++) {
    size_t len;
    get(in, i, &len);
    total += (uint32_t)len;
  }
  memcpy(count, &number, 4);
  memcpy(size, &total, 4);
  return 0;
}

static const char *argument(ledge_instance *in, size_t i, size_t *len) {
  *len = strlen(in->template->argv0) + 1;
  return in->template->argv0;
}

// The variables are kept as NAME=value; the request's id is written behind its
// name for each invocation.
static const char *variable(ledge_instance *in, size_t i, size_t *len) {
  const char *text = i + 1 == in->template->nenv ? in->request_variable : in->template->env[i];
  *len = strlen(text) + 1;
  return text;
}

static size_t variables(const ledge_instance *in) {
  size_t n = in->template->nenv;
  return in->template->abi == LEDGE_ABI_COMMAND ? n : n - 1; // a reactor outlives the request
}

CALL(args_get) { return answer(args, write_strings(ledge_caller(caller), U32(0), U32(1), 1, argument)); }
CALL(args_sizes_get) { return answer(args, write_sizes(ledge_caller(caller), U32(0), U32(1), 1, argument)); }

CALL(environ_get) {
  ledge_instance *in = ledge_caller(caller);
  return answer(args, write_strings(in, U32(0), U32(1), variables(in), variable));
}

CALL(environ_sizes_get) {
  ledge_instance *in = ledge_caller(caller);
  return answer(args, write_sizes(in, U32(0), U32(1), variables(in), variable));
}

// ---- streams

CALL(fd_read) {
  ledge_instance *in = ledge_caller(caller);
  uint32_t n = U32(2);
  if (!is_open(in, U32(0)) || U32(0) != 0) return answer(args, ERRNO_BADF);
  if (n > MAX_IOVECS) return answer(args, ERRNO_INVAL);
  const uint8_t *iovs = ledge_guest(in, U32(1), (uint64_t)n * 8);
  uint8_t *read_at = ledge_guest(in, U32(3), 4);
  if (!iovs || !read_at) return answer(args, ERRNO_FAULT);
  // A command reads its event; a reactor gets its own another way.
  size_t end = in->template->abi == LEDGE_ABI_COMMAND ? in->input_len : 0;
  uint32_t total = 0;
  for (uint32_t i = 0; i < n && in->input_at < end; i++) {
    uint32_t at, len;
    memcpy(&at, iovs + 8 * (size_t)i, 4);
    memcpy(&len, iovs + 8 * (size_t)i + 4, 4);
    if (len > end - in->input_at) len = (uint32_t)(end - in->input_at);
    uint8_t *to = ledge_guest(in, at, len);
    if (!to) return answer(args, ERRNO_FAULT);
    memcpy(to, in->input + in->input_at, len);
    in->input_at += len;
    total += len;
  }
  memcpy(read_at, &total, 4);
  return answer(args, 0);
}

CALL(fd_close) {
  ledge_instance *in = ledge_caller(caller);
  if (!is_open(in, U32(0))) return answer(args, ERRNO_BADF);
  in->closed |= (uint8_t)(1 << U32(0));
  return answer(args, 0);
}

CALL(fd_fdstat_get) {
  ledge_instance *in = ledge_caller(caller);
  uint8_t *stat = ledge_guest(in, U32(1), 24);
  if (!is_open(in, U32(0))) return answer(args, ERRNO_BADF);
  if (!stat) return answer(args, ERRNO_FAULT);
  uint64_t rights = U32(0) == 0 ? RIGHT_READ : RIGHT_WRITE;
  memset(stat, 0, 24); // of an unknown type, without flags
  memcpy(stat + 8, &rights, 8);
  return answer(args, 0);
}

CALL(fd_filestat_get) {
  ledge_instance *in = ledge_caller(caller);
  uint8_t *stat = ledge_guest(in, U32(1), 64);
  if (!is_open(in, U32(0))) return answer(args, ERRNO_BADF);
  if (!stat) return answer(args, ERRNO_FAULT);
  memset(stat, 0, 64);
  return answer(args, 0);
}

// What may be asked of a stream and changes nothing.
CALL(on_stream) { return answer(args, is_open(ledge_caller(caller), U32(0)) ? 0 : ERRNO_BADF); }
// What streams cannot do.
CALL(seek) { return answer(args, is_open(ledge_caller(caller), U32(0)) ? ERRNO_SPIPE : ERRNO_BADF); }
// What needs a file or a folder, and there is none.
CALL(no_file) { return answer(args, ERRNO_BADF); }

// ---- the rest

CALL(clock_res_get) {
  uint8_t *out = ledge_guest(ledge_caller(caller), U32(1), 8);
  uint64_t nanosecond = 1;
  if (U32(0) > 1) return answer(args, ERRNO_INVAL);
  if (!out) return answer(args, ERRNO_FAULT);
  memcpy(out, &nanosecond, 8);
  return answer(args, 0);
}

CALL(random_get) {
  ledge_instance *in = ledge_caller(caller);
  uint32_t n = U32(1);
  uint8_t *to = ledge_guest(in, U32(0), n);
  if (!to) return answer(args, ERRNO_FAULT);
  for (uint32_t done = 0; done < n;) {
    uint32_t want = n - done < RANDOM_AT_A_TIME ? n - done : RANDOM_AT_A_TIME;
    ssize_t got = getrandom(to + done, want, 0);
    if (got < 0 && errno != EINTR) return answer(args, ERRNO_IO);
    if (got > 0) done += (uint32_t)got;
    if (ledge_over(in)) return wasmtime_trap_new("stopped", 7);
  }
  return answer(args, 0);
}

CALL(proc_exit) {
  ledge_instance *in = ledge_caller(caller);
  in->exited = true;
  in->exit_status = args[0].i32;
  return wasmtime_trap_new("exit", 4);
}

CALL(proc_raise) { return answer(args, ERRNO_NOSYS); }
CALL(sched_yield_) { return answer(args, 0); }

wasmtime_error_t *ledge_define_stdio(wasmtime_linker_t *linker) {
  static const ledge_host_func funcs[] = {
      {"args_get", "ii", "i", args_get},
      {"args_sizes_get", "ii", "i", args_sizes_get},
      {"environ_get", "ii", "i", environ_get},
      {"environ_sizes_get", "ii", "i", environ_sizes_get},
      {"clock_res_get", "ii", "i", clock_res_get},
      {"random_get", "ii", "i", random_get},
      {"proc_exit", "i", "", proc_exit},
      {"proc_raise", "i", "i", proc_raise},
      {"sched_yield", "", "i", sched_yield_},
      {"fd_read", "iiii", "i", fd_read},
      {"fd_close", "i", "i", fd_close},
      {"fd_fdstat_get", "ii", "i", fd_fdstat_get},
      {"fd_filestat_get", "ii", "i", fd_filestat_get},
      {"fd_fdstat_set_flags", "ii", "i", on_stream},
      {"fd_fdstat_set_rights", "ill", "i", on_stream},
      {"fd_advise", "illi", "i", seek},
      {"fd_allocate", "ill", "i", seek},
      {"fd_datasync", "i", "i", on_stream},
      {"fd_sync", "i", "i", on_stream},
      {"fd_seek", "ilii", "i", seek},
      {"fd_tell", "ii", "i", seek},
      {"fd_pread", "iiili", "i", seek},
      {"fd_pwrite", "iiili", "i", seek},
      {"fd_filestat_set_size", "il", "i", seek},
      {"fd_filestat_set_times", "illi", "i", no_file},
      {"fd_prestat_get", "ii", "i", no_file},
      {"fd_prestat_dir_name", "iii", "i", no_file},
      {"fd_readdir", "iiili", "i", no_file},
      {"fd_renumber", "ii", "i", no_file},
      {"path_create_directory", "iii", "i", no_file},
      {"path_filestat_get", "iiiii", "i", no_file},
      {"path_filestat_set_times", "iiiilli", "i", no_file},
      {"path_link", "iiiiiii", "i", no_file},
      {"path_open", "iiiiillii", "i", no_file},
      {"path_readlink", "iiiiii", "i", no_file},
      {"path_remove_directory", "iii", "i", no_file},
      {"path_rename", "iiiiii", "i", no_file},
      {"path_symlink", "iiiii", "i", no_file},
      {"path_unlink_file", "iii", "i", no_file},
      {"sock_accept", "iii", "i", no_file},
      {"sock_recv", "iiiiii", "i", no_file},
      {"sock_send", "iiiii", "i", no_file},
      {"sock_shutdown", "ii", "i", no_file},
  };
  return ledge_define(linker, LEDGE_WASI, funcs, sizeof funcs / sizeof *funcs);
}
