// A fresh instance without a new one. After a call the pages that the guest wrote
// to are put back, so that the next invocation finds the snapshot and nothing
// else: what invocations usually write is copied from the snapshot, whatever else
// was written is given back to the kernel, which shows the image again. Compared
// with a new instance no page needs to be found and mapped again, which is most of
// the cost, and no other processor is interrupted.
//
// Which pages were written is the kernel's knowledge, not the guest's: those that
// the process has copies of of its own. A guest that has grown its memory, was
// unwound, or changed more than can be listed, is dropped instead.
#define _GNU_SOURCE
#include "ledge.h"
#include <string.h>
#include <sys/mman.h>

enum { MAX_PAGES = 4096 };
enum { MAX_BYTES = 256 << 20 }; // a memory that takes long to look through

bool ledge_put_back(ledge_instance *in) {
  const ledge_prefault_set *set = atomic_load_explicit(&in->template->prefault, memory_order_acquire);
  if (!set || !set->content || !in->has_memory || (uint64_t)ledge_memory_size(in) != in->restored_size) return false;
  if (in->restored_size > MAX_BYTES) return false;
  ledge_range own[LEDGE_MAX_RANGES];
  size_t n = LEDGE_MAX_RANGES;
  if (!ledge_working_set(in, own, &n, MAX_PAGES)) return false;
  uint8_t *base = wasmtime_memory_data(in->context, &in->memory);
  const uint8_t *content = set->content;
  size_t next = 0; // range of set
  for (size_t i = 0; i < n; i++) {
    uint64_t at = own[i].offset, end = at + own[i].len;
    while (at < end) {
      while (next < set->n && set->ranges[next].offset + set->ranges[next].len <= at) content += set->ranges[next++].len;
      const ledge_range *known = next < set->n ? &set->ranges[next] : NULL;
      uint64_t stop = end;
      if (known && known->offset <= at) {
        if (known->offset + known->len < stop) stop = known->offset + known->len;
        memcpy(base + at, content + (at - known->offset), stop - at);
      } else {
        if (known && known->offset < stop) stop = known->offset;
        if (madvise(base + at, stop - at, MADV_DONTNEED) != 0) return false;
      }
      at = stop;
    }
  }
  return true;
}
