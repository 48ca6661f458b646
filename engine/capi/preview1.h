// What the parts of WASI preview 1 share: wasi.c (clocks, waiting, and the table
// of calls), wasistdio.c (streams, arguments, environment) and wasifiles.c.
#ifndef LEDGE_WASI_H
#define LEDGE_WASI_H

#include "ledge.h"

#define LEDGE_WASI "wasi_snapshot_preview1"

enum {
  ERRNO_ACCES = 2,
  ERRNO_BADF = 8,
  ERRNO_FAULT = 21,
  ERRNO_FBIG = 22,
  ERRNO_INVAL = 28,
  ERRNO_IO = 29,
  ERRNO_ISDIR = 31,
  ERRNO_LOOP = 32,
  ERRNO_MFILE = 33,
  ERRNO_NAMETOOLONG = 37,
  ERRNO_NOENT = 44,
  ERRNO_NOMEM = 48,
  ERRNO_NOSYS = 52,
  ERRNO_NOTDIR = 54,
  ERRNO_PERM = 63,
  ERRNO_ROFS = 69,
  ERRNO_SPIPE = 70,
};
enum { MAX_IOVECS = 1024 };

// Returns the n bytes at a guest's address, or NULL where they are not all
// inside its memory.
uint8_t *ledge_guest(ledge_instance *, uint64_t at, uint64_t n);

// wasistdio.c
wasmtime_error_t *ledge_define_stdio(wasmtime_linker_t *);

// wasifiles.c: all return an errno. Pointers are to the guest's memory, checked.
int32_t ledge_file_check(ledge_instance *, uint32_t fd); // 0 where fd is open
int32_t ledge_file_close(ledge_instance *, uint32_t fd);
int32_t ledge_file_renumber(ledge_instance *, uint32_t from, uint32_t to);
// Reads at *at, or where the file is when at is NULL. Stops early when the
// invocation is over.
int32_t ledge_file_read(ledge_instance *, uint32_t fd, const uint8_t *iovs, uint32_t n, const uint64_t *at, uint32_t *total);
int32_t ledge_file_seek(ledge_instance *, uint32_t fd, int64_t by, uint32_t whence, uint64_t *now);
int32_t ledge_file_stat(ledge_instance *, uint32_t fd, uint8_t *out);   // 64 bytes
int32_t ledge_file_fdstat(ledge_instance *, uint32_t fd, uint8_t *out); // 24 bytes
int32_t ledge_file_prestat(ledge_instance *, uint32_t fd, uint8_t *out); // 8 bytes
int32_t ledge_file_prestat_name(ledge_instance *, uint32_t fd, uint8_t *out, uint32_t room);
int32_t ledge_file_readdir(ledge_instance *, uint32_t fd, uint8_t *out, uint32_t room, uint64_t cookie, uint32_t *used);
int32_t ledge_path_open(ledge_instance *, uint32_t dir, const uint8_t *path, uint32_t len, uint32_t flags, uint64_t rights, uint32_t *opened);
int32_t ledge_path_stat(ledge_instance *, uint32_t dir, const uint8_t *path, uint32_t len, uint8_t *out); // 64 bytes

#endif
