// Bytes and text: what TextEncoder, TextDecoder, Buffer, atob and crypto are made of.
#include <stdlib.h>
#include <string.h>
#include "guest.h"

bool bytes_of(JSContext *ctx, JSValueConst v, uint8_t **p, size_t *n) {
  size_t offset = 0, length = 0, each, whole;
  if (!JS_IsObject(v)) return false;
  JSValue buffer = JS_GetTypedArrayBuffer(ctx, v, &offset, &length, &each);
  if (!JS_IsException(buffer)) {
    uint8_t *base = JS_GetArrayBuffer(ctx, &whole, buffer);
    JS_FreeValue(ctx, buffer);
    if (!base) {
      JS_FreeValue(ctx, JS_GetException(ctx)); // detached
      base = (uint8_t *)"";
      offset = length = 0;
    }
    *p = base + offset;
    *n = length;
    return true;
  }
  JS_FreeValue(ctx, JS_GetException(ctx));
  uint8_t *base = JS_GetArrayBuffer(ctx, &whole, v);
  if (base) {
    *p = base;
    *n = whole;
    return true;
  }
  JS_FreeValue(ctx, JS_GetException(ctx));
  return false;
}

static void release(JSRuntime *rt, void *opaque, void *p) { js_free_rt(rt, p); }

// Gives p, from js_malloc, to a new Uint8Array.
static JSValue take_bytes(JSContext *ctx, uint8_t *p, size_t n) {
  JSValue buffer = JS_NewArrayBuffer(ctx, p, n, release, NULL, false);
  if (JS_IsException(buffer)) return buffer;
  JSValue args[3] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
  JSValue view = JS_NewTypedArray(ctx, 3, args, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(ctx, buffer);
  return view;
}

// The length of the valid UTF-8 sequence at p, 0 if there is none; *bad is then the
// length of the "maximal subpart" that one U+FFFD stands for (Encoding Standard).
static size_t sequence(const uint8_t *p, size_t n, size_t *bad) {
  uint8_t c = p[0], low = 0x80, high = 0xbf;
  size_t need;
  *bad = 1;
  if (c < 0x80) return 1;
  if (c < 0xc2 || c > 0xf4) return 0;
  need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  if (c == 0xe0) low = 0xa0;
  if (c == 0xed) high = 0x9f;
  if (c == 0xf0) low = 0x90;
  if (c == 0xf4) high = 0x8f;
  for (size_t i = 1; i <= need; i++) {
    if (i >= n || p[i] < low || p[i] > high) {
      *bad = i;
      return 0;
    }
    low = 0x80, high = 0xbf;
  }
  return need + 1;
}

// utf8Decode(bytes, fatal): bytes that are no UTF-8 become U+FFFD, or undefined is returned.
static JSValue utf8_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint8_t *p;
  size_t n, bad, k;
  if (!bytes_of(ctx, argv[0], &p, &n)) return JS_ThrowTypeError(ctx, "not a buffer");
  size_t wrong = 0;
  for (size_t i = 0; i < n; i += k ? k : bad) {
    if (p[i] < 0x80) {
      k = 1;
      continue;
    }
    k = sequence(p + i, n - i, &bad);
    if (!k) wrong++;
  }
  if (!wrong) return JS_NewStringLen(ctx, (char *)p, n);
  if (JS_ToBool(ctx, argv[1])) return JS_UNDEFINED;
  char *text = js_malloc(ctx, n + 3 * wrong), *t = text;
  if (!text) return JS_EXCEPTION;
  for (size_t i = 0; i < n; i += k ? k : bad) {
    k = sequence(p + i, n - i, &bad);
    if (k) {
      memcpy(t, p + i, k);
      t += k;
    } else {
      memcpy(t, "\xef\xbf\xbd", 3);
      t += 3;
    }
  }
  JSValue s = JS_NewStringLen(ctx, text, (size_t)(t - text));
  js_free(ctx, text);
  return s;
}

// A string as UTF-8 with U+FFFD for lone surrogates. QuickJS writes those as three
// bytes, as many as U+FFFD has, so they are replaced in place. js_malloc.
static uint8_t *utf8_of(JSContext *ctx, JSValueConst v, size_t *n) {
  const char *s = JS_ToCStringLen(ctx, n, v);
  if (!s) return NULL;
  uint8_t *p = js_malloc(ctx, *n + 1);
  if (p) {
    memcpy(p, s, *n + 1);
    for (size_t i = 0; i + 2 < *n; i++)
      if (p[i] == 0xed && p[i + 1] >= 0xa0) memcpy(p + i, "\xef\xbf\xbd", 3);
  }
  JS_FreeCString(ctx, s);
  return p;
}

// utf8Encode(string)
static JSValue utf8_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  size_t n;
  uint8_t *p = utf8_of(ctx, argv[0], &n);
  return p ? take_bytes(ctx, p, n) : JS_EXCEPTION;
}

static JSValue utf8_length(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  size_t n;
  const char *s = JS_ToCStringLen(ctx, &n, argv[0]);
  if (!s) return JS_EXCEPTION;
  JS_FreeCString(ctx, s);
  return JS_NewInt64(ctx, (int64_t)n);
}

// Writes the code point c as UTF-8, surrogates as they are.
static char *put(char *t, uint32_t c) {
  if (c < 0x80) {
    *t++ = (char)c;
  } else if (c < 0x800) {
    *t++ = (char)(0xc0 | c >> 6);
    *t++ = (char)(0x80 | (c & 63));
  } else if (c < 0x10000) {
    *t++ = (char)(0xe0 | c >> 12);
    *t++ = (char)(0x80 | (c >> 6 & 63));
    *t++ = (char)(0x80 | (c & 63));
  } else {
    *t++ = (char)(0xf0 | c >> 18);
    *t++ = (char)(0x80 | (c >> 12 & 63));
    *t++ = (char)(0x80 | (c >> 6 & 63));
    *t++ = (char)(0x80 | (c & 63));
  }
  return t;
}

// latin1Decode(bytes, mask): one character a byte.
static JSValue latin1_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint8_t *p;
  size_t n;
  int mask = 0xff;
  if (!bytes_of(ctx, argv[0], &p, &n)) return JS_ThrowTypeError(ctx, "not a buffer");
  if (JS_IsNumber(argv[1])) JS_ToInt32(ctx, &mask, argv[1]);
  char *text = js_malloc(ctx, 2 * n + 1), *t = text;
  if (!text) return JS_EXCEPTION;
  for (size_t i = 0; i < n; i++) t = put(t, p[i] & (uint32_t)mask);
  JSValue s = JS_NewStringLen(ctx, text, (size_t)(t - text));
  js_free(ctx, text);
  return s;
}

// The next code unit(s) of the UTF-8 that QuickJS gives for a string.
static uint32_t next(const uint8_t **s) {
  const uint8_t *p = *s;
  uint32_t c = *p++;
  int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  if (more) c &= 0x3fu >> more;
  while (more--) c = c << 6 | (*p++ & 63);
  *s = p;
  return c;
}

// latin1Encode(string): the low byte of each code unit.
static JSValue latin1_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  size_t n;
  const char *s = JS_ToCStringLen(ctx, &n, argv[0]);
  if (!s) return JS_EXCEPTION;
  uint8_t *out = js_malloc(ctx, n + 1), *o = out;
  const uint8_t *p = (const uint8_t *)s, *end = p + n;
  while (out && p < end) {
    uint32_t c = next(&p);
    if (c >= 0x10000) {
      c -= 0x10000;
      *o++ = (uint8_t)(0xd800 + (c >> 10));
      c = 0xdc00 + (c & 0x3ff);
    }
    *o++ = (uint8_t)c;
  }
  JS_FreeCString(ctx, s);
  return out ? take_bytes(ctx, out, (size_t)(o - out)) : JS_EXCEPTION;
}

// utf16Decode(bytes): little endian; a pair of surrogates becomes one code point.
static JSValue utf16_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint8_t *p;
  size_t n;
  if (!bytes_of(ctx, argv[0], &p, &n)) return JS_ThrowTypeError(ctx, "not a buffer");
  char *text = js_malloc(ctx, n / 2 * 3 + 1), *t = text;
  if (!text) return JS_EXCEPTION;
  for (size_t i = 0; i + 1 < n; i += 2) {
    uint32_t c = p[i] | (uint32_t)p[i + 1] << 8;
    if (c >= 0xd800 && c < 0xdc00 && i + 3 < n && (p[i + 3] & 0xfc) == 0xdc) {
      c = 0x10000 + ((c & 0x3ff) << 10) + ((p[i + 2] | (uint32_t)p[i + 3] << 8) & 0x3ff);
      i += 2;
    }
    t = put(t, c);
  }
  JSValue s = JS_NewStringLen(ctx, text, (size_t)(t - text));
  js_free(ctx, text);
  return s;
}

// utf16Encode(string): little endian.
static JSValue utf16_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  size_t n;
  const char *s = JS_ToCStringLen(ctx, &n, argv[0]);
  if (!s) return JS_EXCEPTION;
  uint8_t *out = js_malloc(ctx, 2 * n + 1), *o = out;
  const uint8_t *p = (const uint8_t *)s, *end = p + n;
  while (out && p < end) {
    uint32_t c = next(&p);
    if (c >= 0x10000) {
      c -= 0x10000;
      uint32_t high = 0xd800 + (c >> 10);
      *o++ = (uint8_t)high;
      *o++ = (uint8_t)(high >> 8);
      c = 0xdc00 + (c & 0x3ff);
    }
    *o++ = (uint8_t)c;
    *o++ = (uint8_t)(c >> 8);
  }
  JS_FreeCString(ctx, s);
  return out ? take_bytes(ctx, out, (size_t)(o - out)) : JS_EXCEPTION;
}

static JSValue hex_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  static const char digits[] = "0123456789abcdef";
  uint8_t *p;
  size_t n;
  if (!bytes_of(ctx, argv[0], &p, &n)) return JS_ThrowTypeError(ctx, "not a buffer");
  char *text = js_malloc(ctx, 2 * n + 1);
  if (!text) return JS_EXCEPTION;
  for (size_t i = 0; i < n; i++) {
    text[2 * i] = digits[p[i] >> 4];
    text[2 * i + 1] = digits[p[i] & 15];
  }
  JSValue s = JS_NewStringLen(ctx, text, 2 * n);
  js_free(ctx, text);
  return s;
}

static int hex_digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// hexDecode(string): up to the first pair that is none, as Buffer.from does.
static JSValue hex_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  size_t n, m = 0;
  const char *s = JS_ToCStringLen(ctx, &n, argv[0]);
  if (!s) return JS_EXCEPTION;
  uint8_t *out = js_malloc(ctx, n / 2 + 1);
  for (; out && 2 * m + 1 < n; m++) {
    int high = hex_digit(s[2 * m]), low = hex_digit(s[2 * m + 1]);
    if (high < 0 || low < 0) break;
    out[m] = (uint8_t)(high << 4 | low);
  }
  JS_FreeCString(ctx, s);
  return out ? take_bytes(ctx, out, m) : JS_EXCEPTION;
}

// base64Encode(bytes, url): with url the alphabet for URLs and no padding.
static JSValue base64_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint8_t *p;
  size_t n;
  if (!bytes_of(ctx, argv[0], &p, &n)) return JS_ThrowTypeError(ctx, "not a buffer");
  bool url = JS_ToBool(ctx, argv[1]);
  const char *alphabet = url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *text = js_malloc(ctx, n / 3 * 4 + 5), *t = text;
  if (!text) return JS_EXCEPTION;
  for (size_t i = 0; i < n; i += 3) {
    size_t have = n - i < 3 ? n - i : 3;
    uint32_t v = (uint32_t)p[i] << 16 | (have > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (have > 2 ? p[i + 2] : 0);
    for (size_t k = 0; k < 4; k++)
      if (k <= have)
        *t++ = alphabet[v >> (18 - 6 * k) & 63];
      else if (!url)
        *t++ = '=';
  }
  JSValue s = JS_NewStringLen(ctx, text, (size_t)(t - text));
  js_free(ctx, text);
  return s;
}

static int base64_digit(uint8_t c) {
  return c >= 'A' && c <= 'Z'   ? c - 'A'
         : c >= 'a' && c <= 'z' ? c - 'a' + 26
         : c >= '0' && c <= '9' ? c - '0' + 52
         : c == '+' || c == '-' ? 62
         : c == '/' || c == '_' ? 63
                                : -1;
}

// base64Decode(string, strict): either alphabet, other characters are skipped and "="
// ends it, as Buffer.from does. strict is atob's "forgiving-base64 decode" (Infra
// Standard): undefined if the text is wrong.
static JSValue base64_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  size_t n, digits = 0, m = 0, pads = 0;
  bool strict = JS_ToBool(ctx, argv[1]), wrong = false;
  const char *s = JS_ToCStringLen(ctx, &n, argv[0]);
  if (!s) return JS_EXCEPTION;
  uint8_t *out = js_malloc(ctx, n / 4 * 3 + 4);
  uint32_t v = 0;
  for (size_t i = 0; out && i < n; i++) {
    uint8_t c = (uint8_t)s[i];
    int d = base64_digit(c);
    if (strict) {
      if (c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r') continue;
      if (c == '=') {
        pads++;
        continue;
      }
      wrong |= d < 0 || pads || c == '-' || c == '_';
    } else if (c == '=') {
      break;
    }
    if (d < 0) continue;
    v = v << 6 | (uint32_t)d;
    if (++digits % 4 == 0) {
      out[m++] = (uint8_t)(v >> 16);
      out[m++] = (uint8_t)(v >> 8);
      out[m++] = (uint8_t)v;
    }
  }
  JS_FreeCString(ctx, s);
  if (!out) return JS_EXCEPTION;
  if (digits % 4 == 2) out[m++] = (uint8_t)(v >> 4);
  if (digits % 4 == 3) {
    out[m++] = (uint8_t)(v >> 10);
    out[m++] = (uint8_t)(v >> 2);
  }
  wrong |= strict && (digits % 4 == 1 || (pads && (pads > 2 || (digits + pads) % 4)));
  if (wrong) {
    js_free(ctx, out);
    return JS_UNDEFINED;
  }
  return take_bytes(ctx, out, m);
}

// compare(a, b): -1, 0 or 1, byte by byte.
static JSValue compare(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint8_t *a, *b;
  size_t n, m;
  if (!bytes_of(ctx, argv[0], &a, &n) || !bytes_of(ctx, argv[1], &b, &m)) return JS_ThrowTypeError(ctx, "not a buffer");
  int c = memcmp(a, b, n < m ? n : m);
  return JS_NewInt32(ctx, c ? (c < 0 ? -1 : 1) : n == m ? 0 : n < m ? -1 : 1);
}

// find(haystack, needle, from): index or -1.
static JSValue find(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint8_t *a, *b;
  size_t n, m;
  int32_t from = 0;
  if (!bytes_of(ctx, argv[0], &a, &n) || !bytes_of(ctx, argv[1], &b, &m)) return JS_ThrowTypeError(ctx, "not a buffer");
  JS_ToInt32(ctx, &from, argv[2]);
  for (size_t i = from < 0 ? 0 : (size_t)from; m <= n && i <= n - m; i++)
    if (!m || (a[i] == b[0] && !memcmp(a + i, b, m))) return JS_NewInt64(ctx, (int64_t)i);
  return JS_NewInt32(ctx, -1);
}

// digest(algorithm, bytes): undefined for an unknown algorithm.
static JSValue js_digest(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint8_t *p, out[DIGEST_MAX];
  size_t n;
  if (!bytes_of(ctx, argv[1], &p, &n)) return JS_ThrowTypeError(ctx, "not a buffer");
  const char *algorithm = JS_ToCString(ctx, argv[0]);
  if (!algorithm) return JS_EXCEPTION;
  size_t size = digest(algorithm, p, n, out);
  JS_FreeCString(ctx, algorithm);
  if (!size) return JS_UNDEFINED;
  uint8_t *copy = js_malloc(ctx, size);
  if (!copy) return JS_EXCEPTION;
  memcpy(copy, out, size);
  return take_bytes(ctx, copy, size);
}

void natives_define(JSContext *ctx, JSValueConst native) {
  static const JSCFunctionListEntry list[] = {
      JS_CFUNC_DEF("utf8Decode", 2, utf8_decode),     JS_CFUNC_DEF("utf8Encode", 1, utf8_encode),
      JS_CFUNC_DEF("utf8Length", 1, utf8_length),     JS_CFUNC_DEF("latin1Decode", 2, latin1_decode),
      JS_CFUNC_DEF("latin1Encode", 1, latin1_encode), JS_CFUNC_DEF("utf16Decode", 1, utf16_decode),
      JS_CFUNC_DEF("utf16Encode", 1, utf16_encode),   JS_CFUNC_DEF("hexEncode", 1, hex_encode),
      JS_CFUNC_DEF("hexDecode", 1, hex_decode),       JS_CFUNC_DEF("base64Encode", 2, base64_encode),
      JS_CFUNC_DEF("base64Decode", 2, base64_decode), JS_CFUNC_DEF("compare", 2, compare),
      JS_CFUNC_DEF("find", 3, find),                  JS_CFUNC_DEF("digest", 2, js_digest),
  };
  JS_SetPropertyFunctionList(ctx, native, list, sizeof list / sizeof *list);
}
