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
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14
#endif

// linux/fs.h of Linux 6.7 (Documentation/admin-guide/mm/pagemap.rst, "PAGEMAP_SCAN").
typedef struct { uint64_t start, end, categories; } page_region;
typedef struct {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
} pm_scan_arg;
#define SCAN_PAGEMAP _IOWR('f', 16, pm_scan_arg)
enum { PAGE_IS_FILE = 1 << 2, PAGE_IS_PRESENT = 1 << 3, PAGE_IS_SWAPPED = 1 << 4 };

enum { PAGES_AT_A_TIME = 512 };

static int pagemap(void) {
  static _Atomic int shared = -1;
  int fd = atomic_load(&shared);
  if (fd >= 0) return fd;
  fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  int none = -1;
  if (fd >= 0 && !atomic_compare_exchange_strong(&shared, &none, fd)) {
    close(fd);
    fd = none;
  }
  return fd;
}

// A page that a private mapping has a copy of of its own: present or swapped
// out, and neither file-backed nor shared (Documentation/admin-guide/mm/pagemap.rst).
static bool is_own(uint64_t entry) {
  return (entry >> 62 & 3) != 0 && (entry >> 61 & 1) == 0;
}

// The way of kernels before 6.7: a word for each page.
static bool read_pagemap(int fd, uintptr_t base, size_t size, ledge_range *ranges, size_t *n, size_t max_pages) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), room = *n, total = 0, pages = size / page;
  uint64_t entries[PAGES_AT_A_TIME];
  *n = 0;
  for (size_t at = 0; at < pages;) {
    size_t want = pages - at < PAGES_AT_A_TIME ? pages - at : PAGES_AT_A_TIME;
    ssize_t got = pread(fd, entries, want * 8, (off_t)((base / page + at) * 8));
    if (got < 8) return false;
    for (size_t i = 0; i < (size_t)got / 8; i++) {
      if (!is_own(entries[i])) continue;
      uint64_t offset = (uint64_t)(at + i) * page;
      if (++total > max_pages) return false;
      if (*n > 0 && ranges[*n - 1].offset + ranges[*n - 1].len == offset) ranges[*n - 1].len += page;
      else if (*n == room) return false;
      else ranges[(*n)++] = (ledge_range){offset, page};
    }
    at += (size_t)got / 8;
  }
  return true;
}

static bool scan_pagemap(int fd, uintptr_t base, size_t size, ledge_range *ranges, size_t *n, size_t max_pages, bool *known) {
  page_region regions[LEDGE_MAX_RANGES];
  size_t room = *n < LEDGE_MAX_RANGES ? *n : LEDGE_MAX_RANGES, pages = 0, page = (size_t)sysconf(_SC_PAGESIZE);
  pm_scan_arg arg = {.size = sizeof arg, .start = base, .end = base + size, .vec = (uint64_t)(uintptr_t)regions, .vec_len = room,
                     .category_inverted = PAGE_IS_FILE, .category_mask = PAGE_IS_FILE,
                     .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED, .return_mask = PAGE_IS_FILE};
  int got = ioctl(fd, SCAN_PAGEMAP, &arg);
  *known = got >= 0;
  if (got < 0 || arg.walk_end != arg.end) return false;
  *n = (size_t)got;
  for (size_t i = 0; i < *n; i++) {
    ranges[i] = (ledge_range){regions[i].start - base, regions[i].end - regions[i].start};
    pages += ranges[i].len / page;
  }
  return pages <= max_pages;
}

static bool own_pages(uintptr_t base, size_t size, ledge_range *ranges, size_t *n, size_t max_pages) {
  static _Atomic bool missing;
  int fd = pagemap();
  if (fd < 0) return false;
  if (!atomic_load_explicit(&missing, memory_order_relaxed)) {
    bool known, ok = scan_pagemap(fd, base, size, ranges, n, max_pages, &known);
    if (known) return ok;
    atomic_store_explicit(&missing, true, memory_order_relaxed);
  }
  return read_pagemap(fd, base, size, ranges, n, max_pages);
}

// Under an emulator the kernel may be telling of another process's addresses. So
// it is asked once about two pages of which the answer is known.
static bool tells_the_truth(void) {
  static _Atomic int verdict; // 0: not asked, 1: yes, 2: no
  int v = atomic_load(&verdict);
  if (v) return v == 1;
  size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 2;
  ledge_range found[2];
  bool right = false;
  int fd = memfd_create("ledge", MFD_CLOEXEC);
  if (fd >= 0 && ftruncate(fd, (off_t)(2 * page)) == 0) {
    volatile uint8_t *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (at != MAP_FAILED) {
      (void)at[0];
      at[page] = 1;
      right = own_pages((uintptr_t)at, 2 * page, found, &n, 2) && n == 1 && found[0].offset == page && found[0].len == page;
      munmap((void *)at, 2 * page);
    }
  }
  if (fd >= 0) close(fd);
  atomic_store(&verdict, right ? 1 : 2);
  return right;
}

bool ledge_working_set(ledge_instance *in, ledge_range *ranges, size_t *n, size_t max_pages) {
  return in->has_memory && tells_the_truth() &&
         own_pages((uintptr_t)ledge_memory_data(in), (size_t)ledge_memory_size(in), ranges, n, max_pages);
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
