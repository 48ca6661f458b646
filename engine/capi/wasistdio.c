// The part of WASI preview 1 that comes from the instance itself: three standard
// streams, arguments, environment and randomness; and the calls on descriptors,
// which wasifiles.c answers for files.
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
#include "ledge.h"
#include "preview1.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { STREAMS = LEDGE_FIRST_FILE }; // file descriptors 0, 1 and 2
enum { RIGHT_READ = 1 << 1, RIGHT_WRITE = 1 << 6 };
enum { RANDOM_AT_A_TIME = 1 << 20 };

static bool is_file(uint32_t fd) { return fd >= LEDGE_FIRST_FILE; }
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

// Standard input. A command reads its event; a reactor gets its own another way.
static int32_t read_input(ledge_instance *in, uint32_t fd, const uint8_t *iovs, uint32_t n, uint32_t *total) {
  if (!is_open(in, fd) || fd != 0) return ERRNO_BADF;
  size_t end = in->template->abi == LEDGE_ABI_COMMAND ? in->input_len : 0;
  for (uint32_t i = 0; i < n && in->input_at < end; i++) {
    uint32_t at, len;
    memcpy(&at, iovs + 8 * (size_t)i, 4);
    memcpy(&len, iovs + 8 * (size_t)i + 4, 4);
    if (len > end - in->input_at) len = (uint32_t)(end - in->input_at);
    uint8_t *to = ledge_guest(in, at, len);
    if (!to) return ERRNO_FAULT;
    memcpy(to, in->input + in->input_at, len);
    in->input_at += len;
    *total += len;
  }
  return 0;
}

static wasm_trap_t *stopped(void) { return wasmtime_trap_new("stopped", strlen("stopped")); }

static wasm_trap_t *read_into(ledge_instance *in, wasmtime_val_raw_t *args, uint32_t total_at, const uint64_t *offset) {
  uint32_t fd = U32(0), n = U32(2), total = 0;
  if (n > MAX_IOVECS) return answer(args, ERRNO_INVAL);
  const uint8_t *iovs = ledge_guest(in, U32(1), (uint64_t)n * 8);
  uint8_t *read_at = ledge_guest(in, total_at, 4);
  if (!iovs || !read_at) return answer(args, ERRNO_FAULT);
  int32_t error = is_file(fd) ? ledge_file_read(in, fd, iovs, n, offset, &total) : read_input(in, fd, iovs, n, &total);
  if (is_file(fd) && ledge_over(in)) return stopped();
  if (error) return answer(args, error);
  memcpy(read_at, &total, 4);
  return answer(args, 0);
}

CALL(fd_read) { return read_into(ledge_caller(caller), args, U32(3), NULL); }

CALL(fd_pread) {
  ledge_instance *in = ledge_caller(caller);
  uint64_t offset = (uint64_t)args[3].i64;
  if (!is_file(U32(0))) return answer(args, is_open(in, U32(0)) ? ERRNO_SPIPE : ERRNO_BADF);
  return read_into(in, args, U32(4), &offset);
}

CALL(fd_close) {
  ledge_instance *in = ledge_caller(caller);
  if (is_file(U32(0))) return answer(args, ledge_file_close(in, U32(0)));
  if (!is_open(in, U32(0))) return answer(args, ERRNO_BADF);
  in->closed |= (uint8_t)(1 << U32(0));
  return answer(args, 0);
}

CALL(fd_fdstat_get) {
  ledge_instance *in = ledge_caller(caller);
  uint8_t *stat = ledge_guest(in, U32(1), 24);
  if (!is_file(U32(0)) && !is_open(in, U32(0))) return answer(args, ERRNO_BADF);
  if (!stat) return answer(args, ERRNO_FAULT);
  if (is_file(U32(0))) return answer(args, ledge_file_fdstat(in, U32(0), stat));
  uint64_t rights = U32(0) == 0 ? RIGHT_READ : RIGHT_WRITE;
  memset(stat, 0, 24); // of an unknown type, without flags
  memcpy(stat + 8, &rights, 8);
  return answer(args, 0);
}

CALL(fd_filestat_get) {
  ledge_instance *in = ledge_caller(caller);
  uint8_t *stat = ledge_guest(in, U32(1), 64);
  if (!is_file(U32(0)) && !is_open(in, U32(0))) return answer(args, ERRNO_BADF);
  if (!stat) return answer(args, ERRNO_FAULT);
  if (is_file(U32(0))) return answer(args, ledge_file_stat(in, U32(0), stat));
  memset(stat, 0, 64);
  return answer(args, 0);
}

static wasm_trap_t *move(ledge_instance *in, wasmtime_val_raw_t *args, int64_t by, uint32_t whence, uint32_t out) {
  uint8_t *to = ledge_guest(in, out, 8);
  uint64_t now;
  if (!is_file(U32(0))) return answer(args, is_open(in, U32(0)) ? ERRNO_SPIPE : ERRNO_BADF);
  if (!to) return answer(args, ledge_file_check(in, U32(0)) ? ERRNO_BADF : ERRNO_FAULT);
  int32_t error = ledge_file_seek(in, U32(0), by, whence, &now);
  if (!error) memcpy(to, &now, 8);
  return answer(args, error);
}

CALL(fd_seek) { return move(ledge_caller(caller), args, args[1].i64, U32(2), U32(3)); }
CALL(fd_tell) { return move(ledge_caller(caller), args, 0, 1, U32(1)); } // from here

CALL(fd_prestat_get) {
  ledge_instance *in = ledge_caller(caller);
  uint8_t *out = ledge_guest(in, U32(1), 8);
  if (ledge_file_check(in, U32(0))) return answer(args, ERRNO_BADF);
  return answer(args, out ? ledge_file_prestat(in, U32(0), out) : ERRNO_FAULT);
}

CALL(fd_prestat_dir_name) {
  ledge_instance *in = ledge_caller(caller);
  uint8_t *out = ledge_guest(in, U32(1), U32(2));
  if (ledge_file_check(in, U32(0))) return answer(args, ERRNO_BADF);
  return answer(args, out ? ledge_file_prestat_name(in, U32(0), out, U32(2)) : ERRNO_FAULT);
}

CALL(fd_readdir) {
  ledge_instance *in = ledge_caller(caller);
  uint8_t *out = ledge_guest(in, U32(1), U32(2)), *used_at = ledge_guest(in, U32(4), 4);
  uint32_t used;
  if (ledge_file_check(in, U32(0))) return answer(args, ERRNO_BADF);
  if (!out || !used_at) return answer(args, ERRNO_FAULT);
  int32_t error = ledge_file_readdir(in, U32(0), out, U32(2), (uint64_t)args[3].i64, &used);
  if (ledge_over(in)) return stopped();
  if (!error) memcpy(used_at, &used, 4);
  return answer(args, error);
}

CALL(fd_renumber) { return answer(args, ledge_file_renumber(ledge_caller(caller), U32(0), U32(1))); }

CALL(path_open) {
  ledge_instance *in = ledge_caller(caller);
  const uint8_t *path = ledge_guest(in, U32(2), U32(3));
  uint8_t *fd_at = ledge_guest(in, U32(8), 4);
  uint32_t fd;
  if (ledge_file_check(in, U32(0))) return answer(args, ERRNO_BADF);
  if (!path || !fd_at) return answer(args, ERRNO_FAULT);
  if (ledge_over(in)) return stopped();
  int32_t error = ledge_path_open(in, U32(0), path, U32(3), U32(4), (uint64_t)args[5].i64, &fd);
  if (!error) memcpy(fd_at, &fd, 4);
  return answer(args, error);
}

CALL(path_filestat_get) {
  ledge_instance *in = ledge_caller(caller);
  const uint8_t *path = ledge_guest(in, U32(2), U32(3));
  uint8_t *out = ledge_guest(in, U32(4), 64);
  if (ledge_file_check(in, U32(0))) return answer(args, ERRNO_BADF);
  if (!path || !out) return answer(args, ERRNO_FAULT);
  if (ledge_over(in)) return stopped();
  return answer(args, ledge_path_stat(in, U32(0), path, U32(3), out));
}

// What may be asked of any descriptor and changes nothing.
static int32_t check(ledge_instance *in, uint32_t fd) {
  return is_file(fd) ? ledge_file_check(in, fd) : is_open(in, fd) ? 0 : ERRNO_BADF;
}
CALL(on_any) { return answer(args, check(ledge_caller(caller), U32(0))); }
// Advice about files, which streams cannot follow.
CALL(fd_advise) {
  ledge_instance *in = ledge_caller(caller);
  return answer(args, is_file(U32(0)) ? ledge_file_check(in, U32(0)) : is_open(in, U32(0)) ? ERRNO_SPIPE : ERRNO_BADF);
}
// What would change a file, and nothing can.
CALL(fd_change) {
  ledge_instance *in = ledge_caller(caller);
  return answer(args, is_file(U32(0)) ? ledge_file_check(in, U32(0)) ? ERRNO_BADF : ERRNO_ROFS : is_open(in, U32(0)) ? ERRNO_SPIPE : ERRNO_BADF);
}
CALL(path_change) { return answer(args, ledge_file_check(ledge_caller(caller), U32(0)) ? ERRNO_BADF : ERRNO_ROFS); }
CALL(path_symlink) { return answer(args, ledge_file_check(ledge_caller(caller), U32(2)) ? ERRNO_BADF : ERRNO_ROFS); }
CALL(path_readlink) { return answer(args, ledge_file_check(ledge_caller(caller), U32(0)) ? ERRNO_BADF : ERRNO_INVAL); } // there are none
CALL(no_socket) { return answer(args, ERRNO_BADF); }

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
    if (ledge_over(in)) return stopped();
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
      {"fd_pread", "iiili", "i", fd_pread},
      {"fd_close", "i", "i", fd_close},
      {"fd_fdstat_get", "ii", "i", fd_fdstat_get},
      {"fd_filestat_get", "ii", "i", fd_filestat_get},
      {"fd_seek", "ilii", "i", fd_seek},
      {"fd_tell", "ii", "i", fd_tell},
      {"fd_readdir", "iiili", "i", fd_readdir},
      {"fd_renumber", "ii", "i", fd_renumber},
      {"fd_prestat_get", "ii", "i", fd_prestat_get},
      {"fd_prestat_dir_name", "iii", "i", fd_prestat_dir_name},
      {"fd_fdstat_set_flags", "ii", "i", on_any},
      {"fd_fdstat_set_rights", "ill", "i", on_any},
      {"fd_datasync", "i", "i", on_any},
      {"fd_sync", "i", "i", on_any},
      {"fd_advise", "illi", "i", fd_advise},
      {"fd_allocate", "ill", "i", fd_change},
      {"fd_pwrite", "iiili", "i", fd_change},
      {"fd_filestat_set_size", "il", "i", fd_change},
      {"fd_filestat_set_times", "illi", "i", fd_change},
      {"path_open", "iiiiillii", "i", path_open},
      {"path_filestat_get", "iiiii", "i", path_filestat_get},
      {"path_readlink", "iiiiii", "i", path_readlink},
      {"path_create_directory", "iii", "i", path_change},
      {"path_filestat_set_times", "iiiilli", "i", path_change},
      {"path_link", "iiiiiii", "i", path_change},
      {"path_remove_directory", "iii", "i", path_change},
      {"path_rename", "iiiiii", "i", path_change},
      {"path_symlink", "iiiii", "i", path_symlink},
      {"path_unlink_file", "iii", "i", path_change},
      {"sock_accept", "iii", "i", no_socket},
      {"sock_recv", "iiiiii", "i", no_socket},
      {"sock_send", "iiiii", "i", no_socket},
      {"sock_shutdown", "ii", "i", no_socket},
  };
  return ledge_define(linker, LEDGE_WASI, funcs, sizeof funcs / sizeof *funcs);
}
