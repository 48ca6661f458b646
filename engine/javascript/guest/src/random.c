// Math.random and the bytes of crypto. The state of Math.random is seeded by the
// kernel when the runtime starts, when a function is loaded and after each
// restore: QuickJS' own would continue the same sequence in every Instance.
#include <unistd.h>
#include "guest.h"

static uint64_t state[2];

void random_seed(void) {
  do
    getentropy(state, sizeof state);
  while (!(state[0] | state[1]));
}

// xorshift128+, as V8's: fast, and not for secrets.
static JSValue math_random(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint64_t a = state[0], b = state[1];
  state[0] = b;
  a ^= a << 23;
  a ^= a >> 17;
  a ^= b ^ b >> 26;
  state[1] = a;
  return JS_NewFloat64(ctx, (double)((a + b) >> 11) * 0x1p-53);
}

// randomFill(view): fills it from the kernel, 256 bytes a call at most.
static JSValue random_fill(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint8_t *p;
  size_t n;
  if (!bytes_of(ctx, argv[0], &p, &n)) return JS_ThrowTypeError(ctx, "not a buffer");
  for (size_t i = 0; i < n; i += 256)
    if (getentropy(p + i, n - i < 256 ? n - i : 256)) return JS_ThrowInternalError(ctx, "no randomness");
  return JS_DupValue(ctx, argv[0]);
}

// randomUUID(): version 4 of RFC 9562.
static JSValue random_uuid(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  static const char hex[] = "0123456789abcdef";
  uint8_t b[16];
  char text[36], *t = text;
  if (getentropy(b, sizeof b)) return JS_ThrowInternalError(ctx, "no randomness");
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *t++ = '-';
    *t++ = hex[b[i] >> 4];
    *t++ = hex[b[i] & 15];
  }
  return JS_NewStringLen(ctx, text, sizeof text);
}

void random_define(JSContext *ctx, JSValueConst native) {
  random_seed();
  JSValue global = JS_GetGlobalObject(ctx), math = JS_GetPropertyStr(ctx, global, "Math");
  JS_DefinePropertyValueStr(ctx, math, "random", JS_NewCFunction(ctx, math_random, "random", 0),
                            JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
  JS_FreeValue(ctx, math);
  JS_FreeValue(ctx, global);
  JS_SetPropertyStr(ctx, native, "randomFill", JS_NewCFunction(ctx, random_fill, "randomFill", 1));
  JS_SetPropertyStr(ctx, native, "randomUUID", JS_NewCFunction(ctx, random_uuid, "randomUUID", 0));
}
