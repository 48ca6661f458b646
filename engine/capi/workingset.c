// The working set of a snapshot: the pages that an invocation writes to. A fresh
// instance takes a fault for each of them, and on a machine with several
// processors each fault that replaces a page of the image interrupts the others.
// What one invocation wrote the next ones will write too, mostly, so those pages
// are copied in one go before the guest runs. The idea is REAP's (Ustiugov et
// al., "Benchmarking, Analysis, and Optimization of Serverless Function
// Snapshots", ASPLOS 2021), here for copy-on-write memory instead of disk.
#define _GNU_SOURCE
#include "ledge.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14
#endif

enum { PAGES_AT_A_TIME = 512 };

// A page that a private mapping has a copy of of its own: present or swapped
// out, and neither file-backed nor shared (Documentation/admin-guide/mm/pagemap.rst).
static bool is_own(uint64_t entry) {
  return (entry >> 62 & 3) != 0 && (entry >> 61 & 1) == 0;
}

bool ledge_working_set(ledge_instance *in, ledge_range *ranges, size_t *n, size_t max_pages) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), room = *n, total = 0;
  uintptr_t base = (uintptr_t)ledge_memory_data(in);
  size_t pages = (size_t)ledge_memory_size(in) / page;
  *n = 0;
  int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  uint64_t entries[PAGES_AT_A_TIME];
  bool ok = true;
  for (size_t at = 0; ok && at < pages;) {
    size_t want = pages - at < PAGES_AT_A_TIME ? pages - at : PAGES_AT_A_TIME;
    ssize_t got = pread(fd, entries, want * 8, (off_t)((base / page + at) * 8));
    if (got <= 0) {
      ok = false;
      break;
    }
    for (size_t i = 0; i < (size_t)got / 8; i++) {
      if (!is_own(entries[i])) continue;
      uint64_t offset = (uint64_t)(at + i) * page;
      if (++total > max_pages) ok = false; // a guest that writes everywhere gains nothing
      else if (*n > 0 && ranges[*n - 1].offset + ranges[*n - 1].len == offset) ranges[*n - 1].len += page;
      else if (*n == room) ok = false;
      else ranges[(*n)++] = (ledge_range){offset, page};
    }
    at += (size_t)got / 8;
  }
  close(fd);
  return ok;
}

void ledge_prefault(ledge_instance *in) {
  const ledge_prefault_set *set = atomic_load_explicit(&in->template->prefault, memory_order_acquire);
  if (!set) return;
  uint8_t *base = wasmtime_memory_data(in->context, &in->memory);
  uint64_t size = wasmtime_memory_data_size(in->context, &in->memory);
  for (size_t i = 0; i < set->n; i++) {
    const ledge_range *r = &set->ranges[i];
    if (r->offset > size || r->len > size - r->offset) continue; // what the guest will grow into
    // A kernel that cannot do it leaves it to the faults.
    if (madvise(base + r->offset, r->len, MADV_POPULATE_WRITE) != 0 && errno == EINVAL) return;
  }
}
