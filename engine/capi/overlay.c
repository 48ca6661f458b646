// Snapshots as differences. The functions of a language share one image, the
// runtime's own, and each has a file with only the pages that loading its handler
// changed. Its instances map those pages over the shared image, copy-on-write as
// the image itself, so both are pages of files: the kernel has them once for all
// instances and may drop them.
//
// libwasmtime maps an image into a slot of its pool and leaves it there for the
// next instance of the same module; between two instances it drops what was
// written (MADV_DONTNEED), which shows a private file mapping as the file has it,
// and for another module it maps zeros over the whole range of the image. Patches
// lie inside that range, so they come and go with it. (The first bytes of the
// image, PoolConfig.KeepResident, it copies from the image instead: no patch may
// lie there.) This holds because each
// function opens the image as a module of its own, with which no other function
// shares slots. Whether a slot has the patches already is told by the page that
// was mapped last: it begins with the function's mark. TestOverlay pins all of
// this.
#define _GNU_SOURCE
#include "ledge.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool ledge_overlay(ledge_instance *in) {
  const ledge_template *t = in->template;
  uint8_t *base = wasmtime_memory_data(in->context, &in->memory);
  uint64_t size = wasmtime_memory_data_size(in->context, &in->memory);
  if (size < LEDGE_MARK || t->mark_at > size - LEDGE_MARK) return false;
  if (memcmp(base + t->mark_at, t->mark, LEDGE_MARK) == 0) return true;
  for (size_t i = 0; i < t->npatches; i++) {
    const ledge_patch *p = &t->patches[i];
    if (p->offset > size || p->len > size - p->offset) return false;
    void *at = base + p->offset;
    if (mmap(at, p->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, t->delta, (off_t)p->at) != MAP_FAILED) continue;
    // The process has too many mappings (vm.max_map_count). A copy does as well, but
    // only this instance has it: the mark goes with it, and the next one comes here.
    for (uint64_t done = 0; done < p->len;) {
      ssize_t got = pread(t->delta, (uint8_t *)at + done, p->len - done, (off_t)(p->at + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      done += (uint64_t)got;
    }
  }
  return memcmp(base + t->mark_at, t->mark, LEDGE_MARK) == 0;
}

bool ledge_grow(ledge_instance *in, uint64_t pages) {
  uint64_t before;
  wasmtime_error_t *error = wasmtime_memory_grow(in->context, &in->memory, pages, &before);
  if (error) wasmtime_error_delete(error);
  return !error;
}
