// JSON for the common case, included by quickjs.c: what needs no code of the function
// and has nothing wrong. For anything else (getters, toJSON, replacers, errors, ...)
// these functions give up without a trace, and QuickJS' own do it from the start.

// Keys of JSON objects, by content. They and the shapes are kept, so that events of one kind
// do not make them again and again.
enum { LEDGE_KEYS = 256, LEDGE_KEY_MAX = 64, LEDGE_SHAPES = 128, LEDGE_SHAPE_MAX = 64 };
static struct { uint32_t hash; JSAtom atom; } ledge_keys[LEDGE_KEYS];
static JSShape *ledge_shapes[LEDGE_SHAPES];

// Of the eight characters: the high bit of each that a JSON string does not have as it is
// or that is not ASCII. Right up to the first such character.
static inline uint64_t ledge_special(uint64_t x) {
  const uint64_t ones = 0x0101010101010101u, high = ones << 7;
  uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\';
  return (x | (x - ones * 0x20) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & high;
}

// The values and keys of the objects and arrays that are being read.
typedef struct { JSValue value; JSAtom key; } LedgeEntry;
static struct { LedgeEntry *entries; uint32_t count, size; } ledge_stack;

typedef struct {
  JSContext *ctx;
  const uint8_t *p, *end; // *end is 0
  BOOL surrogates;        // halves of pairs may be in the text, encoded like characters
} LedgeText;

static const uint8_t *ledge_skip(const uint8_t *p) {
  while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') p++;
  return p;
}

// Where the plain characters end.
static inline const uint8_t *ledge_plain(const uint8_t *p, const uint8_t *end) {
  while (end - p >= 8) {
    uint64_t x;
    memcpy(&x, p, 8);
    if ((x = ledge_special(x))) return p + (__builtin_ctzll(x) >> 3);
    p += 8;
  }
  while (*p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') p++;
  return p;
}

static int ledge_hex4(const uint8_t *p) {
  int v = 0;
  for (int i = 0; i < 4; i++) {
    int d = from_hex(p[i]);
    if (d < 0) return -1; // also at the end of the text
    v = v << 4 | d;
  }
  return v;
}

// The next character of UTF-8 that is not ASCII; U+FFFD for each piece that is none.
static uint32_t ledge_utf8(const uint8_t **pp, BOOL surrogates) {
  const uint8_t *p = *pp;
  uint32_t c = *p++;
  int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
  uint8_t low = 0x80, high = 0xbf; // of the second byte
  if (c < 0xc2 || c > 0xf4) {
    *pp = p;
    return 0xfffd;
  }
  if (c == 0xe0) low = 0xa0;
  if (c == 0xed && !surrogates) high = 0x9f;
  if (c == 0xf0) low = 0x90;
  if (c == 0xf4) high = 0x8f;
  c &= 0x3f >> more;
  for (; more; more--, low = 0x80, high = 0xbf) {
    if (*p < low || *p > high) { // *end is 0
      *pp = p;
      return 0xfffd;
    }
    c = c << 6 | (*p++ & 0x3f);
  }
  *pp = p;
  return c;
}

// A string with escapes or other than ASCII, from after its quote on.
static JSValue ledge_parse_escaped(LedgeText *t) {
  const uint8_t *p = t->p, *end;
  BOOL wide = FALSE;
  for (end = p;;) {
    end = ledge_plain(end, t->end);
    if (*end == '"') break;
    if (*end < 0x20) return JS_EXCEPTION;
    if (*end == '\\') {
      if (end[1] == 'u') wide |= end[2] != '0' || end[3] != '0';
      if (end[1] < 0x20) return JS_EXCEPTION;
      end += 2;
    } else {
      wide |= ledge_utf8(&end, t->surrogates) >= 0x100;
    }
  }
  if (end - p > JS_STRING_LEN_MAX) return JS_EXCEPTION;
  JSString *s = js_alloc_string(t->ctx, end - p, wide);
  if (!s) return JS_EXCEPTION;
  uint32_t n = 0;
  while (p < end) {
    uint32_t c = *p;
    if (c >= 0x80) {
      c = ledge_utf8(&p, t->surrogates);
    } else if (c != '\\') {
      p++;
    } else {
      c = p[1];
      p += 2;
      switch (c) {
      case '"': case '\\': case '/': break;
      case 'b': c = '\b'; break;
      case 'f': c = '\f'; break;
      case 'n': c = '\n'; break;
      case 'r': c = '\r'; break;
      case 't': c = '\t'; break;
      case 'u': {
        int v = ledge_hex4(p);
        if (v >= 0) {
          c = v;
          p += 4;
          break;
        }
      }
      // fall through
      default:
        js_free_string(t->ctx->rt, s);
        return JS_EXCEPTION;
      }
    }
    if (!wide) {
      s->u.str8[n++] = c;
    } else if (c < 0x10000) {
      s->u.str16[n++] = c;
    } else {
      s->u.str16[n++] = get_hi_surrogate(c);
      s->u.str16[n++] = get_lo_surrogate(c);
    }
  }
  t->p = end + 1;
  if (n >= s->len / 2) {
    s->len = n;
    if (!wide) s->u.str8[n] = 0;
    return JS_MKPTR(JS_TAG_STRING, s);
  }
  // Much shorter than it was written.
  JSValue v = js_sub_string(t->ctx, s, 0, n);
  js_free_string(t->ctx->rt, s);
  return v;
}

// A string, from after its quote on.
static JSValue ledge_parse_string(LedgeText *t) {
  const uint8_t *p = t->p, *end = ledge_plain(p, t->end);
  if (*end != '"') return ledge_parse_escaped(t);
  if (end - p > JS_STRING_LEN_MAX) return JS_EXCEPTION;
  t->p = end + 1;
  return js_new_string8_len(t->ctx, (const char *)p, end - p);
}

// The key of a member, from after its quote on; JS_ATOM_NULL to give up.
static JSAtom ledge_parse_key(LedgeText *t) {
  const uint8_t *p = t->p, *start = p;
  uint32_t hash = 0;
  for (; *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80; p++) hash = (hash ^ *p) * 0x9e3779b1u;
  uint32_t n = p - start;
  if (*p != '"') {
    JSValue v = ledge_parse_escaped(t);
    if (JS_IsException(v)) return JS_ATOM_NULL;
    return JS_NewAtomStr(t->ctx, JS_VALUE_GET_STRING(v));
  }
  t->p = p + 1;
  JSAtom *kept = &ledge_keys[hash >> 24].atom;
  if (*kept && ledge_keys[hash >> 24].hash == hash) {
    const JSAtomStruct *s = t->ctx->rt->atom_array[*kept];
    uint32_t i = 0;
    if (s->len == n && !s->is_wide_char) {
      while (i < n && s->u.str8[i] == start[i]) i++;
      if (i == n) return JS_DupAtom(t->ctx, *kept);
    }
  }
  JSAtom key = JS_NewAtomLen(t->ctx, (const char *)start, n);
  if (key != JS_ATOM_NULL && n <= LEDGE_KEY_MAX && !__JS_AtomIsTaggedInt(key)) {
    JS_FreeAtom(t->ctx, *kept);
    *kept = JS_DupAtom(t->ctx, key);
    ledge_keys[hash >> 24].hash = hash;
  }
  return key;
}

// Exact: whole numbers below 2^53 and powers of ten up to 10^22 are doubles, and a
// division of doubles rounds right.
static const double ledge_tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static JSValue ledge_parse_number(LedgeText *t) {
  const uint8_t *p = t->p, *start = p;
  BOOL negative = *p == '-', exponent = FALSE;
  uint64_t v = 0;
  int digits = 0, fraction = 0;
  p += negative;
  if (*p == '0' && is_digit(p[1])) return JS_EXCEPTION;
  if (!is_digit(*p)) return JS_EXCEPTION;
  for (; is_digit(*p); p++, digits++)
    if (digits < 16) v = v * 10 + (*p - '0');
  if (*p == '.') {
    if (!is_digit(*++p)) return JS_EXCEPTION;
    for (; is_digit(*p); p++, digits++, fraction++)
      if (digits < 16) v = v * 10 + (*p - '0');
  }
  if (*p == 'e' || *p == 'E') {
    exponent = TRUE;
    p++;
    if (*p == '+' || *p == '-') p++;
    if (!is_digit(*p)) return JS_EXCEPTION;
    while (is_digit(*p)) p++;
  }
  t->p = p;
  if (digits > 15 || exponent) {
    const char *end;
    JSValue number = js_atof(t->ctx, (const char *)start, &end, 10, 0);
    if (!JS_IsException(number) && (const uint8_t *)end == p) return number;
    JS_FreeValue(t->ctx, number);
    return JS_EXCEPTION;
  }
  if (!fraction && v <= INT32_MAX && !(negative && !v)) return JS_NewInt32(t->ctx, negative ? -(int32_t)v : (int32_t)v);
  double d = (double)v / ledge_tens[fraction];
  return JS_NewFloat64(t->ctx, negative ? -d : d);
}

static int ledge_push(LedgeText *t, JSValue value, JSAtom key) {
  if (unlikely(ledge_stack.count == ledge_stack.size)) {
    uint32_t size = ledge_stack.size ? ledge_stack.size * 2 : 64;
    LedgeEntry *entries = js_realloc_rt(t->ctx->rt, ledge_stack.entries, size * sizeof *entries);
    if (!entries) return -1;
    ledge_stack.entries = entries;
    ledge_stack.size = size;
  }
  ledge_stack.entries[ledge_stack.count++] = (LedgeEntry){value, key};
  return 0;
}

// Frees the entries from base on.
static void ledge_drop(JSContext *ctx, uint32_t base) {
  while (ledge_stack.count > base) {
    LedgeEntry *e = &ledge_stack.entries[--ledge_stack.count];
    JS_FreeValue(ctx, e->value);
    JS_FreeAtom(ctx, e->key);
  }
}

// An object of the members from base on, which it takes off the stack.
static JSValue ledge_object(JSContext *ctx, uint32_t base) {
  LedgeEntry *members = ledge_stack.entries + base;
  uint32_t n = ledge_stack.count - base, hash = n;
  JSObject *proto = JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_OBJECT]);
  if (!n) return JS_NewObject(ctx);
  for (uint32_t i = 0; i < n; i++) hash = (hash ^ members[i].key) * 0x9e3779b1u;
  JSShape **kept = &ledge_shapes[hash >> 25], *sh = *kept;
  if (sh && (uint32_t)sh->prop_count == n && sh->proto == proto) {
    uint32_t i = 0;
    while (i < n && sh->prop[i].atom == members[i].key) i++;
    if (i == n) {
      JSValue v = JS_NewObjectFromShape(ctx, js_dup_shape(sh), JS_CLASS_OBJECT);
      if (JS_IsException(v)) {
        ledge_drop(ctx, base);
        return v;
      }
      JSProperty *prop = JS_VALUE_GET_OBJ(v)->prop;
      for (i = 0; i < n; i++) {
        prop[i].u.value = members[i].value;
        JS_FreeAtom(ctx, members[i].key);
      }
      ledge_stack.count = base;
      return v;
    }
  }
  JSValue v = JS_NewObject(ctx);
  for (uint32_t i = 0; i < n && !JS_IsException(v); i++) {
    JSValue value = members[i].value;
    members[i].value = JS_UNDEFINED;
    if (JS_DefinePropertyValue(ctx, v, members[i].key, value, JS_PROP_C_W_E) < 0) {
      JS_FreeValue(ctx, v);
      v = JS_EXCEPTION;
    }
  }
  ledge_drop(ctx, base);
  if (JS_IsException(v)) return v;
  sh = JS_VALUE_GET_OBJ(v)->shape;
  if (n <= LEDGE_SHAPE_MAX && sh->is_hashed && (uint32_t)sh->prop_count == n && !sh->deleted_prop_count) {
    js_free_shape_null(ctx->rt, *kept);
    *kept = js_dup_shape(sh);
  }
  return v;
}

static JSValue ledge_array(JSContext *ctx, uint32_t base) {
  uint32_t n = ledge_stack.count - base;
  JSValue v = JS_NewArray(ctx), *values;
  if (JS_IsException(v) || !n) return v;
  if (!(values = js_malloc(ctx, n * sizeof *values))) {
    JS_FreeValue(ctx, v);
    return JS_EXCEPTION;
  }
  for (uint32_t i = 0; i < n; i++) values[i] = ledge_stack.entries[base + i].value;
  ledge_stack.count = base;
  JSObject *p = JS_VALUE_GET_OBJ(v);
  p->u.array.u.values = values;
  p->u.array.count = p->u.array.u1.size = n;
  p->prop[0].u.value = JS_NewInt32(ctx, n);
  return v;
}

static JSValue ledge_parse_value(LedgeText *t) {
  JSContext *ctx = t->ctx;
  uint32_t base = ledge_stack.count;
  const uint8_t *p = t->p = ledge_skip(t->p);
  switch (*p) {
  case '"':
    t->p++;
    return ledge_parse_string(t);
  case '{':
    if (js_check_stack_overflow(ctx->rt, 0)) return JS_EXCEPTION;
    t->p = ledge_skip(p + 1);
    if (*t->p == '}') {
      t->p++;
      return JS_NewObject(ctx);
    }
    for (;;) {
      if (*t->p++ != '"') break;
      JSAtom key = ledge_parse_key(t);
      if (key == JS_ATOM_NULL) break;
      t->p = ledge_skip(t->p);
      JSValue value = *t->p++ == ':' ? ledge_parse_value(t) : JS_EXCEPTION;
      if (JS_IsException(value) || ledge_push(t, value, key)) {
        JS_FreeValue(ctx, value);
        JS_FreeAtom(ctx, key);
        break;
      }
      p = ledge_skip(t->p);
      t->p = p + 1;
      if (*p == '}') return ledge_object(ctx, base);
      if (*p != ',') break;
      t->p = ledge_skip(t->p);
    }
    break;
  case '[':
    if (js_check_stack_overflow(ctx->rt, 0)) return JS_EXCEPTION;
    t->p = ledge_skip(p + 1);
    if (*t->p == ']') {
      t->p++;
      return JS_NewArray(ctx);
    }
    for (;;) {
      JSValue value = ledge_parse_value(t);
      if (JS_IsException(value)) break;
      if (ledge_push(t, value, JS_ATOM_NULL)) {
        JS_FreeValue(ctx, value);
        break;
      }
      p = ledge_skip(t->p);
      t->p = p + 1;
      if (*p == ']') return ledge_array(ctx, base);
      if (*p != ',') break;
    }
    break;
  case 't':
    if (p[1] != 'r' || p[2] != 'u' || p[3] != 'e') return JS_EXCEPTION;
    t->p += 4;
    return JS_TRUE;
  case 'f':
    if (p[1] != 'a' || p[2] != 'l' || p[3] != 's' || p[4] != 'e') return JS_EXCEPTION;
    t->p += 5;
    return JS_FALSE;
  case 'n':
    if (p[1] != 'u' || p[2] != 'l' || p[3] != 'l') return JS_EXCEPTION;
    t->p += 4;
    return JS_NULL;
  default:
    return ledge_parse_number(t);
  }
  ledge_drop(ctx, base);
  return JS_EXCEPTION;
}

// The value of JSON text, after which there is a 0. An exception without a pending
// exception means to give up.
static JSValue ledge_parse(JSContext *ctx, const uint8_t *text, size_t n, BOOL surrogates) {
  LedgeText t = {ctx, text, text + n, surrogates};
  uint32_t base = ledge_stack.count;
  JSValue v = ledge_parse_value(&t);
  if (!JS_IsException(v) && ledge_skip(t.p) == t.end) return v;
  JS_FreeValue(ctx, v);
  ledge_drop(ctx, base);
  JS_FreeValue(ctx, JS_GetException(ctx));
  return JS_EXCEPTION;
}

// Text that is being written, as UTF-8. The memory is kept for the next one.
static struct { uint8_t *text; uint32_t n, size; BOOL ascii; } ledge_out;
enum { LEDGE_OUT_KEPT = 64 << 10, LEDGE_DEPTH = 100 };

static no_inline int ledge_grow(JSContext *ctx, uint32_t more) {
  uint64_t size = (uint64_t)ledge_out.size * 2;
  if (size < (uint64_t)ledge_out.n + more) size = (uint64_t)ledge_out.n + more;
  if (size < 1024) size = 1024;
  uint8_t *text = size > INT32_MAX ? NULL : js_realloc_rt(ctx->rt, ledge_out.text, size);
  if (!text) return -1;
  ledge_out.text = text;
  ledge_out.size = size;
  return 0;
}

// Room for that many bytes.
static inline int ledge_room(JSContext *ctx, uint32_t more) {
  return unlikely(ledge_out.size - ledge_out.n < more) ? ledge_grow(ctx, more) : 0;
}

static uint8_t *ledge_put_escape(uint8_t *o, uint32_t c) {
  static const char hex[] = "0123456789abcdef";
  *o++ = '\\';
  switch (c) {
  case '"': case '\\': *o++ = c; break;
  case '\b': *o++ = 'b'; break;
  case '\f': *o++ = 'f'; break;
  case '\n': *o++ = 'n'; break;
  case '\r': *o++ = 'r'; break;
  case '\t': *o++ = 't'; break;
  default:
    *o++ = 'u';
    for (int i = 12; i >= 0; i -= 4) *o++ = hex[c >> i & 15];
  }
  return o;
}

static int ledge_put_wide(JSContext *ctx, const JSString *s) {
  if (ledge_room(ctx, 2) || ledge_room(ctx, (uint64_t)s->len * 6 + 2 > INT32_MAX ? INT32_MAX : s->len * 6 + 2)) return -1;
  uint8_t *o = ledge_out.text + ledge_out.n;
  *o++ = '"';
  for (uint32_t i = 0; i < s->len; i++) {
    uint32_t c = s->u.str16[i];
    if (is_hi_surrogate(c) && i + 1 < s->len && is_lo_surrogate(s->u.str16[i + 1]))
      o += unicode_to_utf8(o, from_surrogate(c, s->u.str16[++i]));
    else if (c < 0x20 || c == '"' || c == '\\' || is_surrogate(c))
      o = ledge_put_escape(o, c);
    else
      o += unicode_to_utf8(o, c);
  }
  *o++ = '"';
  ledge_out.n = o - ledge_out.text;
  ledge_out.ascii = FALSE;
  return 0;
}

// A string in quotes.
static int ledge_put_string(JSContext *ctx, const JSString *s) {
  if (s->is_wide_char) return ledge_put_wide(ctx, s);
  const uint8_t *p = s->u.str8, *end = p + s->len;
  if (ledge_room(ctx, 8)) return -1;
  ledge_out.text[ledge_out.n++] = '"';
  while (p < end) {
    // In pieces, so that room for escapes is not needed for all of it at once.
    const uint8_t *stop = end - p > 256 ? p + 256 : end;
    if (ledge_room(ctx, (stop - p) * 6 + 16)) return -1;
    uint8_t *o = ledge_out.text + ledge_out.n;
    while (p < stop) {
      uint64_t x;
      if (stop - p >= 8) {
        memcpy(&x, p, 8);
        memcpy(o, &x, 8);
        x = ledge_special(x);
        if (!x) {
          p += 8;
          o += 8;
          continue;
        }
        int plain = __builtin_ctzll(x) >> 3;
        p += plain;
        o += plain;
      }
      uint32_t c = *p++;
      if (c >= 0x80) {
        *o++ = 0xc0 | c >> 6;
        *o++ = 0x80 | (c & 0x3f);
        ledge_out.ascii = FALSE;
      } else if (c < 0x20 || c == '"' || c == '\\') {
        o = ledge_put_escape(o, c);
      } else {
        *o++ = c;
      }
    }
    ledge_out.n = o - ledge_out.text;
  }
  ledge_out.text[ledge_out.n++] = '"'; // there is room: see 8 and 16 above
  return 0;
}

static int ledge_put_int(JSContext *ctx, int64_t v) {
  char digits[24];
  int n = 0;
  uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
  do digits[n++] = '0' + u % 10;
  while (u /= 10);
  if (v < 0) digits[n++] = '-';
  if (ledge_room(ctx, 24)) return -1;
  while (n) ledge_out.text[ledge_out.n++] = digits[--n];
  return 0;
}

static int ledge_put_double(JSContext *ctx, double d) {
  double a = fabs(d);
  if (ledge_room(ctx, 64)) return -1;
  if (!isfinite(d)) {
    memcpy(ledge_out.text + ledge_out.n, "null", 4);
    ledge_out.n += 4;
    return 0;
  }
  // With 15 digits or fewer there is but one decimal number for a double, so if the first
  // that is found reads as d it is the shortest.
  if (a == 0 || (a >= 1e-3 && a < 1e9)) {
    for (int k = 0; k <= 5; k++) {
      uint64_t m = (uint64_t)(a * ledge_tens[k] + 0.5);
      if ((double)m / ledge_tens[k] != a) continue;
      if (ledge_put_int(ctx, d < 0 ? -(int64_t)(m / (uint64_t)ledge_tens[k]) : (int64_t)(m / (uint64_t)ledge_tens[k]))) return -1;
      if (!k) return 0;
      if (ledge_room(ctx, 24)) return -1;
      uint8_t *o = ledge_out.text + ledge_out.n;
      if (d < 0 && a < 1) { // "-0" is written as "0"
        o[-1] = '-';
        *o++ = '0';
      }
      m %= (uint64_t)ledge_tens[k];
      *o = '.';
      for (int i = k; i; i--, m /= 10) o[i] = '0' + m % 10;
      ledge_out.n = o + k + 1 - ledge_out.text;
      return 0;
    }
  }
  char buf[64];
  JSDTOATempMem mem;
  if (js_dtoa_max_len(d, 10, 0, JS_DTOA_FORMAT_FREE) > (int)sizeof buf - 1) return -1;
  int n = js_dtoa(buf, d, 10, 0, JS_DTOA_FORMAT_FREE, &mem);
  if (ledge_room(ctx, n)) return -1;
  memcpy(ledge_out.text + ledge_out.n, buf, n);
  ledge_out.n += n;
  return 0;
}

// Whether an object that is no exotic one, or its prototypes, could have a toJSON method.
static BOOL ledge_may_have_toJSON(JSContext *ctx, JSObject *p) {
  JSProperty *pr;
  JSObject *plain = JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_OBJECT]);
  for (; p; p = p->shape->proto) {
    if (p == plain) return FALSE; // seen before
    if (p->is_exotic || find_own_property(&pr, p, JS_ATOM_toJSON)) return TRUE;
  }
  return FALSE;
}

static int ledge_put_value(JSContext *ctx, JSValueConst v, int depth);

static int ledge_put_object(JSContext *ctx, JSObject *p, int depth) {
  JSShape *sh = p->shape;
  BOOL first = TRUE;
  if (p->is_exotic || ledge_may_have_toJSON(ctx, p) || ledge_room(ctx, 1)) return -1;
  ledge_out.text[ledge_out.n++] = '{';
  for (int i = 0; i < sh->prop_count; i++) {
    JSAtom atom = sh->prop[i].atom;
    if (atom == JS_ATOM_NULL || !(sh->prop[i].flags & JS_PROP_ENUMERABLE)) continue;
    if (__JS_AtomIsTaggedInt(atom)) return -1; // these come first
    const JSAtomStruct *name = ctx->rt->atom_array[atom];
    if (name->atom_type != JS_ATOM_TYPE_STRING) continue; // symbols and private names
    if (name->len && is_digit(name->is_wide_char ? name->u.str16[0] : name->u.str8[0])) return -1;
    if ((sh->prop[i].flags & JS_PROP_TMASK) != JS_PROP_NORMAL) return -1;
    JSValueConst v = p->prop[i].u.value;
    if (JS_IsUndefined(v) || JS_VALUE_GET_TAG(v) == JS_TAG_SYMBOL || JS_IsFunction(ctx, v)) continue;
    if (ledge_room(ctx, 1)) return -1;
    if (!first) ledge_out.text[ledge_out.n++] = ',';
    first = FALSE;
    if (ledge_put_string(ctx, name) || ledge_room(ctx, 1)) return -1;
    ledge_out.text[ledge_out.n++] = ':';
    if (ledge_put_value(ctx, v, depth)) return -1;
  }
  if (ledge_room(ctx, 1)) return -1;
  ledge_out.text[ledge_out.n++] = '}';
  return 0;
}

static int ledge_put_array(JSContext *ctx, JSObject *p, int depth) {
  // With that shape it has the usual prototype and nothing but a length.
  if (!p->fast_array || p->shape != ctx->array_shape || ledge_room(ctx, 1)) return -1;
  if (JS_VALUE_GET_TAG(p->prop[0].u.value) != JS_TAG_INT || (uint32_t)JS_VALUE_GET_INT(p->prop[0].u.value) != p->u.array.count) return -1;
  ledge_out.text[ledge_out.n++] = '[';
  for (uint32_t i = 0; i < p->u.array.count; i++) {
    JSValueConst v = p->u.array.u.values[i];
    if (i) {
      if (ledge_room(ctx, 1)) return -1;
      ledge_out.text[ledge_out.n++] = ',';
    }
    if (JS_IsUndefined(v) || JS_VALUE_GET_TAG(v) == JS_TAG_SYMBOL || JS_IsFunction(ctx, v)) v = JS_NULL;
    if (ledge_put_value(ctx, v, depth)) return -1;
  }
  if (ledge_room(ctx, 1)) return -1;
  ledge_out.text[ledge_out.n++] = ']';
  return 0;
}

static int ledge_put_value(JSContext *ctx, JSValueConst v, int depth) {
  switch (JS_VALUE_GET_NORM_TAG(v)) {
  case JS_TAG_STRING:
    return ledge_put_string(ctx, JS_VALUE_GET_STRING(v));
  case JS_TAG_STRING_ROPE: {
    JSValue flat = js_linearize_string_rope(ctx, JS_DupValue(ctx, v));
    if (JS_IsException(flat)) return -1;
    int failed = ledge_put_string(ctx, JS_VALUE_GET_STRING(flat));
    JS_FreeValue(ctx, flat);
    return failed;
  }
  case JS_TAG_INT:
    return ledge_put_int(ctx, JS_VALUE_GET_INT(v));
  case JS_TAG_FLOAT64:
    return ledge_put_double(ctx, JS_VALUE_GET_FLOAT64(v));
  case JS_TAG_BOOL:
  case JS_TAG_NULL: {
    const char *s = JS_IsNull(v) ? "null" : JS_VALUE_GET_BOOL(v) ? "true" : "false";
    if (ledge_room(ctx, 5)) return -1;
    while (*s) ledge_out.text[ledge_out.n++] = *s++;
    return 0;
  }
  case JS_TAG_OBJECT: {
    // Deeper ones, and so cycles, are left to QuickJS.
    if (depth >= LEDGE_DEPTH || js_check_stack_overflow(ctx->rt, 0)) return -1;
    JSObject *p = JS_VALUE_GET_OBJ(v);
    if (p->class_id == JS_CLASS_OBJECT) return ledge_put_object(ctx, p, depth + 1);
    if (p->class_id == JS_CLASS_ARRAY) return ledge_put_array(ctx, p, depth + 1);
    return -1;
  }
  default:
    return -1;
  }
}

// The JSON text of a value, in ledge_out until the next call. Not 0: give up; no exception is
// pending.
static int ledge_stringify(JSContext *ctx, JSValueConst v) {
  JSProperty *pr;
  JSObject *plain = JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_OBJECT]);
  JSObject *array = JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_ARRAY]);
  ledge_out.n = 0;
  ledge_out.ascii = TRUE;
  if (find_own_property(&pr, plain, JS_ATOM_toJSON) || find_own_property(&pr, array, JS_ATOM_toJSON) ||
      plain->shape->proto || array->shape->proto != plain)
    return -1;
  if (!ledge_put_value(ctx, v, 0)) return 0;
  JS_FreeValue(ctx, JS_GetException(ctx));
  return -1;
}

// Gives back the memory of a long text.
static void ledge_out_trim(JSContext *ctx) {
  if (ledge_out.size <= LEDGE_OUT_KEPT) return;
  js_free_rt(ctx->rt, ledge_out.text);
  ledge_out.text = NULL;
  ledge_out.size = ledge_out.n = 0;
}

// JSON.stringify without replacer and space. JS_UNINITIALIZED: give up.
static JSValue ledge_json_stringify(JSContext *ctx, JSValueConst v) {
  JSValue s = JS_UNINITIALIZED;
  if (!ledge_stringify(ctx, v))
    s = ledge_out.ascii ? js_new_string8_len(ctx, (char *)ledge_out.text, ledge_out.n)
                        : JS_NewStringLen(ctx, (char *)ledge_out.text, ledge_out.n);
  ledge_out_trim(ctx);
  return s;
}

// JSON.parse without reviver. JS_UNINITIALIZED: give up.
static JSValue ledge_json_parse(JSContext *ctx, JSValueConst text) {
  JSValue v = JS_EXCEPTION;
  size_t n;
  const char *s;
  if (JS_VALUE_GET_TAG(text) != JS_TAG_STRING) return JS_UNINITIALIZED;
  if ((s = JS_ToCStringLen(ctx, &n, text))) { // ASCII is not copied
    v = ledge_parse(ctx, (const uint8_t *)s, n, TRUE);
    JS_FreeCString(ctx, s);
  } else {
    JS_FreeValue(ctx, JS_GetException(ctx));
  }
  return JS_IsException(v) ? JS_UNINITIALIZED : v;
}

// For the guest, see guest.h.
JSValue ledge_parse_event(JSContext *ctx, const char *text, size_t n) {
  return ledge_parse(ctx, (const uint8_t *)text, n, FALSE);
}

const char *ledge_reply_text(JSContext *ctx, JSValueConst v, size_t *n) {
  if (ledge_stringify(ctx, v)) return NULL;
  *n = ledge_out.n;
  return (const char *)ledge_out.text;
}

void ledge_reply_done(JSContext *ctx) { ledge_out_trim(ctx); }

// An object like this one: a plain object with nothing but values.
JSValue ledge_copy(JSContext *ctx, JSValueConst from) {
  JSObject *p = JS_VALUE_GET_OBJ(from);
  JSValue v = JS_NewObjectFromShape(ctx, js_dup_shape(p->shape), JS_CLASS_OBJECT);
  if (JS_IsException(v)) return v;
  JSProperty *to = JS_VALUE_GET_OBJ(v)->prop;
  for (int i = 0; i < p->shape->prop_count; i++) to[i].u.value = JS_DupValue(ctx, p->prop[i].u.value);
  return v;
}
