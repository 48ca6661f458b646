// What the two halves of WASI preview 1 share: wasi.c, which all functions get,
// and wasistdio.c, for functions without files.
#ifndef LEDGE_WASI_H
#define LEDGE_WASI_H

#include "ledge.h"

#define LEDGE_WASI "wasi_snapshot_preview1"

enum {
  ERRNO_BADF = 8,
  ERRNO_FAULT = 21,
  ERRNO_FBIG = 22,
  ERRNO_INVAL = 28,
  ERRNO_IO = 29,
  ERRNO_NOSYS = 52,
  ERRNO_SPIPE = 70,
};
enum { MAX_IOVECS = 1024 };

// Returns the n bytes at a guest's address, or NULL where they are not all
// inside its memory.
uint8_t *ledge_guest(ledge_instance *, uint64_t at, uint64_t n);

#endif
