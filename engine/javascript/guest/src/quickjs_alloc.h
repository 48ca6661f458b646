// QuickJS' memory, included by quickjs.c. An Invocation allocates and frees hundreds
// of small blocks, for which a general malloc does too much: merging neighbours,
// looking for a fit, asking for the size of a block.
//
// Small blocks come in multiples of 16 bytes. Freed ones go to a list of their
// size, new ones are cut from a chunk one after another, so those of an Invocation
// lie together, and a fresh Instance touches few pages. Larger blocks are malloc's,
// as chunks are: they are given back when malloc has no more. The four bytes before
// a block say which it is.
#include <stdlib.h>

enum {
  LEDGE_GRAIN = 16,
  LEDGE_CLASSES = 32, // small blocks have up to LEDGE_CLASSES grains, the header included
  LEDGE_HEADER = 4,
  LEDGE_SMALL = LEDGE_CLASSES * LEDGE_GRAIN - LEDGE_HEADER,
  LEDGE_LARGE_HEADER = 8, // keeps the alignment of JSValue
  LEDGE_CHUNK = 64 << 10, // at a multiple of this
  LEDGE_CHUNK_SIZE = LEDGE_CHUNK - 16, // leaves room for malloc's header of the next
};

struct ledge_block { struct ledge_block *next; };

struct ledge_chunk {
  struct ledge_chunk *next;
  uint32_t cut, free; // bytes: ever cut; in lists, while ledge_reclaim counts
};

static struct {
  struct ledge_block *lists[LEDGE_CLASSES + 1]; // by number of grains
  struct ledge_block *older[LEDGE_CLASSES + 1]; // what was free at the Snapshot
  struct ledge_chunk *chunks;                   // the first is the one that is cut
  size_t chunk_bytes, large_bytes;              // in chunks, in large blocks
  size_t remained;                              // in lists after ledge_reclaim
} ledge_heap;

// A small block has its number of grains here, a large one its usable size, which is more.
#define LEDGE_KIND(p) (((uint32_t *)(p))[-1])

static inline size_t ledge_usable_size(const void *p) {
  uint32_t kind = LEDGE_KIND(p);
  return kind <= LEDGE_CLASSES ? kind * LEDGE_GRAIN - LEDGE_HEADER : kind;
}

static struct ledge_chunk *ledge_chunk_of(const void *p) {
  return (struct ledge_chunk *)((uintptr_t)p & ~(uintptr_t)(LEDGE_CHUNK - 1));
}

// Gives back the chunks that have only free blocks. False if it is not worth it: there is
// hardly more than the last time left.
static no_inline int ledge_reclaim(JSMallocState *s) {
  size_t in_lists = ledge_heap.chunk_bytes - (s->malloc_size - ledge_heap.large_bytes), before = ledge_heap.chunk_bytes;
  if (in_lists < ledge_heap.remained + 4 * LEDGE_CHUNK) return 0;
  for (struct ledge_chunk *c = ledge_heap.chunks; c; c = c->next) c->free = 0;
  for (int i = 1; i <= LEDGE_CLASSES; i++) {
    for (struct ledge_block *b = ledge_heap.lists[i]; b; b = b->next) ledge_chunk_of(b)->free += i * LEDGE_GRAIN;
    for (struct ledge_block *b = ledge_heap.older[i]; b; b = b->next) ledge_chunk_of(b)->free += i * LEDGE_GRAIN;
  }
  for (int i = 1; i <= LEDGE_CLASSES; i++)
    for (int old = 0; old < 2; old++)
      for (struct ledge_block **at = old ? &ledge_heap.older[i] : &ledge_heap.lists[i]; *at;) {
        struct ledge_chunk *c = ledge_chunk_of(*at);
        if (c->free == c->cut)
          *at = (*at)->next;
        else
          at = &(*at)->next;
      }
  for (struct ledge_chunk **at = &ledge_heap.chunks; *at;) {
    struct ledge_chunk *c = *at;
    if (c->free == c->cut) {
      *at = c->next;
      ledge_heap.chunk_bytes -= LEDGE_CHUNK;
      free(c);
    } else {
      at = &c->next;
    }
  }
  ledge_heap.remained = ledge_heap.chunk_bytes - (s->malloc_size - ledge_heap.large_bytes);
  return ledge_heap.chunk_bytes < before;
}

static int ledge_new_chunk(void) {
  struct ledge_chunk *c = aligned_alloc(LEDGE_CHUNK, LEDGE_CHUNK_SIZE);
  if (!c) return 0;
  *c = (struct ledge_chunk){ledge_heap.chunks, 0, 0};
  ledge_heap.chunks = c;
  ledge_heap.chunk_bytes += LEDGE_CHUNK;
  return 1;
}

// A small block that no list has.
static no_inline void *ledge_cut(JSMallocState *s, uint32_t grains) {
  struct ledge_chunk *c = ledge_heap.chunks;
  const uint32_t from = LEDGE_GRAIN + LEDGE_LARGE_HEADER; // behind struct ledge_chunk, aligned as JSValue
  if (!c || from + c->cut + (grains + 1) * LEDGE_GRAIN > LEDGE_CHUNK_SIZE) {
    struct ledge_block *b = ledge_heap.older[grains];
    if (b) {
      ledge_heap.older[grains] = b->next;
      return b;
    }
    if (!ledge_new_chunk() && !(ledge_reclaim(s) && ledge_new_chunk())) return NULL;
    c = ledge_heap.chunks;
  }
  void *p = (uint8_t *)c + from + c->cut;
  c->cut += grains * LEDGE_GRAIN;
  LEDGE_KIND(p) = grains;
  return p;
}

// A large block, instead of an old one if there is one.
static no_inline void *ledge_large(JSMallocState *s, void *old, size_t size) {
  if (size > SIZE_MAX / 2) return NULL;
  size_t was = old ? LEDGE_KIND(old) : 0;
  void *from = old ? (uint8_t *)old - LEDGE_LARGE_HEADER : NULL;
  uint8_t *base = realloc(from, size + LEDGE_LARGE_HEADER);
  if (!base && ledge_reclaim(s)) base = realloc(from, size + LEDGE_LARGE_HEADER);
  if (!base) return NULL;
  void *p = base + LEDGE_LARGE_HEADER;
  LEDGE_KIND(p) = malloc_usable_size(base) - LEDGE_LARGE_HEADER;
  s->malloc_size += LEDGE_KIND(p) - was;
  ledge_heap.large_bytes += LEDGE_KIND(p) - was;
  return p;
}

static inline void *ledge_malloc(JSMallocState *s, size_t size) {
  if (unlikely(size > LEDGE_SMALL)) return ledge_large(s, NULL, size);
  uint32_t grains = (size + LEDGE_HEADER + LEDGE_GRAIN - 1) / LEDGE_GRAIN;
  struct ledge_block *b = ledge_heap.lists[grains];
  if (likely(b))
    ledge_heap.lists[grains] = b->next;
  else if (!(b = ledge_cut(s, grains)))
    return NULL;
  s->malloc_size += grains * LEDGE_GRAIN;
  return b;
}

static inline void ledge_free(JSMallocState *s, void *p) {
  if (!p) return;
  uint32_t kind = LEDGE_KIND(p);
  if (likely(kind <= LEDGE_CLASSES)) {
    struct ledge_block *b = p;
    b->next = ledge_heap.lists[kind];
    ledge_heap.lists[kind] = b;
    s->malloc_size -= kind * LEDGE_GRAIN;
  } else {
    s->malloc_size -= kind;
    ledge_heap.large_bytes -= kind;
    free((uint8_t *)p - LEDGE_LARGE_HEADER);
  }
}

static void *ledge_realloc(JSMallocState *s, void *p, size_t size) {
  if (!p) return size ? ledge_malloc(s, size) : NULL;
  if (!size) {
    ledge_free(s, p);
    return NULL;
  }
  size_t usable = ledge_usable_size(p);
  int small = usable <= LEDGE_SMALL;
  if (small && size <= usable && size + 2 * LEDGE_GRAIN > usable) return p;
  if (!small && size > LEDGE_SMALL) return ledge_large(s, p, size);
  void *q = ledge_malloc(s, size);
  if (!q) return NULL;
  memcpy(q, p, size < usable ? size : usable);
  ledge_free(s, p);
  return q;
}

// Before the Snapshot: what is free between the objects of the load is left alone, and
// Invocations cut their blocks from pages that nobody has written to.
void ledge_heap_settle(void) {
  for (int i = 1; i <= LEDGE_CLASSES; i++) {
    struct ledge_block **end = &ledge_heap.lists[i];
    while (*end) end = &(*end)->next;
    *end = ledge_heap.older[i];
    ledge_heap.older[i] = ledge_heap.lists[i];
    ledge_heap.lists[i] = NULL;
  }
  ledge_new_chunk(); // if there is no memory for it, it is tried again
}
