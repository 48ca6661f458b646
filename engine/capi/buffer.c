#include "ledge.h"
#include <stdlib.h>
#include <string.h>

void ledge_append(ledge_buffer *b, const void *data, size_t n) {
  size_t room = b->max - b->len;
  if (n > room) {
    b->refused += n - room;
    n = room;
  }
  if (n == 0) return;
  if (b->len + n > b->cap) {
    size_t cap = b->cap ? b->cap : 256;
    while (cap < b->len + n) cap *= 2;
    uint8_t *grown = realloc(b->data, cap);
    if (!grown) {
      b->refused += n;
      return;
    }
    b->data = grown;
    b->cap = cap;
  }
  memcpy(b->data + b->len, data, n);
  b->len += n;
}
