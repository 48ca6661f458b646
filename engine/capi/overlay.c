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

// Reports whether the memory at slot may have so many mappings more, and counts
// them in place of what the slot had. A slot that another image takes over is
// still counted: the books may say too many, never too few.
static bool afford(ledge_node *node, const uint8_t *slot, size_t maps) {
  bool ok = false;
  pthread_mutex_lock(&node->mapping);
  for (size_t tried = 0, at = (size_t)((uintptr_t)slot >> 16) * 11400714819323198485u >> 32; tried < node->nslots; tried++) {
    size_t i = (at + tried) % node->nslots;
    if (node->slots[i].slot && node->slots[i].slot != slot) continue;
    size_t total = node->maps - node->slots[i].maps + maps;
    if ((ok = total <= node->max_maps)) {
      node->slots[i].slot = slot;
      node->slots[i].maps = maps;
      node->maps = total;
    }
    break;
  }
  pthread_mutex_unlock(&node->mapping);
  return ok;
}

static bool copy_patch(int from, uint8_t *to, const ledge_patch *p) {
  for (uint64_t done = 0; done < p->len;) {
    ssize_t got = pread(from, to + done, p->len - done, (off_t)(p->at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += (uint64_t)got;
  }
  return true;
}

bool ledge_overlay(ledge_instance *in) {
  const ledge_template *t = in->template;
  uint8_t *base = wasmtime_memory_data(in->context, &in->memory);
  uint64_t size = wasmtime_memory_data_size(in->context, &in->memory);
  if (size < LEDGE_MARK || t->mark_at > size - LEDGE_MARK) return false;
  if (memcmp(base + t->mark_at, t->mark, LEDGE_MARK) == 0) return true;
  // A patch in the middle of a mapping makes two more of one. Where there are too
  // many the patches are copied: to this instance only, and the mark, which is in
  // the last one, with them, so that the next instance in this slot comes here again.
  bool copy = !afford(t->node, base, 2 * t->npatches);
  for (size_t i = 0; i < t->npatches; i++) {
    const ledge_patch *p = &t->patches[i];
    uint8_t *to = base + p->offset;
    if (p->offset > size || p->len > size - p->offset) return false;
    if (!copy && mmap(to, p->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, t->delta, (off_t)p->at) == MAP_FAILED) copy = true;
    if (copy && !copy_patch(t->delta, to, p)) return false;
  }
  return memcmp(base + t->mark_at, t->mark, LEDGE_MARK) == 0;
}

bool ledge_grow(ledge_instance *in, uint64_t pages) {
  uint64_t before;
  wasmtime_error_t *error = wasmtime_memory_grow(in->context, &in->memory, pages, &before);
  if (error) wasmtime_error_delete(error);
  return !error;
}
