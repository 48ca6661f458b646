// Modules as QuickJS wants them. How names are resolved, and everything about
// CommonJS, is in js/modules.js; ES modules are named by their URL
// (file:///var/task/index.mjs), as in Node's stack traces.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guest.h"

extern int js_first_column; // see patches/quickjs.patch

static JSValue resolve_hook = JS_UNDEFINED; // (name, base) -> URL
static JSValue load_hook = JS_UNDEFINED;    // (URL) -> bytes of an ES module, or an object of exports

// ES modules by URL, so that require() and import find the same one.
static struct loaded {
  struct loaded *next;
  JSModuleDef *module;
  char url[];
} *all;

static JSModuleDef *loaded_find(const char *url) {
  for (struct loaded *l = all; l; l = l->next)
    if (!strcmp(l->url, url)) return l->module;
  return NULL;
}

static void loaded_add(const char *url, JSModuleDef *module) {
  struct loaded *l = malloc(sizeof *l + strlen(url) + 1);
  if (!l) return;
  strcpy(l->url, url);
  l->module = module;
  l->next = all;
  all = l;
}

static char *normalize(JSContext *ctx, const char *base, const char *name, void *opaque) {
  JSValue args[2] = {JS_NewString(ctx, name), JS_NewString(ctx, base)};
  JSValue url = JS_Call(ctx, resolve_hook, JS_UNDEFINED, 2, args);
  JS_FreeValue(ctx, args[0]);
  JS_FreeValue(ctx, args[1]);
  if (JS_IsException(url)) return NULL;
  const char *s = JS_ToCString(ctx, url);
  JS_FreeValue(ctx, url);
  char *copy = s ? js_strdup(ctx, s) : NULL;
  JS_FreeCString(ctx, s);
  return copy;
}

// Gives a module that is no ES module its exports: the enumerable properties of the
// object that the load hook gave, kept in the module's import.meta.
static int set_exports(JSContext *ctx, JSModuleDef *m) {
  JSValue meta = JS_GetImportMeta(ctx, m), exports = JS_GetPropertyStr(ctx, meta, "exports");
  JSPropertyEnum *names;
  uint32_t n;
  int failed = 0;
  if (JS_GetOwnPropertyNames(ctx, &names, &n, exports, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY)) return -1;
  for (uint32_t i = 0; i < n; i++) {
    const char *name = JS_AtomToCString(ctx, names[i].atom);
    JSValue v = failed ? JS_UNDEFINED : JS_GetProperty(ctx, exports, names[i].atom);
    if (!failed && (!name || JS_IsException(v) || JS_SetModuleExport(ctx, m, name, v))) failed = -1;
    JS_FreeCString(ctx, name);
    JS_FreeAtom(ctx, names[i].atom);
  }
  js_free(ctx, names);
  JS_FreeValue(ctx, exports);
  JS_FreeValue(ctx, meta);
  return failed;
}

static JSModuleDef *synthetic(JSContext *ctx, const char *url, JSValueConst exports) {
  JSModuleDef *m = JS_NewCModule(ctx, url, set_exports);
  if (!m) return NULL;
  JSPropertyEnum *names;
  uint32_t n;
  if (JS_GetOwnPropertyNames(ctx, &names, &n, exports, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY)) return NULL;
  for (uint32_t i = 0; i < n; i++) {
    const char *name = JS_AtomToCString(ctx, names[i].atom);
    if (name) JS_AddModuleExport(ctx, m, name);
    JS_FreeCString(ctx, name);
    JS_FreeAtom(ctx, names[i].atom);
  }
  js_free(ctx, names);
  JSValue meta = JS_GetImportMeta(ctx, m);
  JS_SetPropertyStr(ctx, meta, "exports", JS_DupValue(ctx, exports));
  JS_FreeValue(ctx, meta);
  return m;
}

// Compiles an ES module; its imports are loaded when it is resolved.
static JSModuleDef *compile(JSContext *ctx, const char *url, const uint8_t *source, size_t n) {
  char *text = js_malloc(ctx, n + 1); // JS_Eval wants a NUL after it
  if (!text) return NULL;
  memcpy(text, source, n);
  text[n] = 0;
  JSValue v = JS_Eval(ctx, text, n, url, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
  js_free(ctx, text);
  if (JS_IsException(v)) return NULL;
  JSModuleDef *m = JS_VALUE_GET_PTR(v);
  JS_FreeValue(ctx, v); // the context keeps it
  JSValue meta = JS_GetImportMeta(ctx, m);
  JS_SetPropertyStr(ctx, meta, "url", JS_NewString(ctx, url));
  if (!strncmp(url, "file://", 7)) {
    const char *path = url + 7, *end = strrchr(path, '/');
    JS_SetPropertyStr(ctx, meta, "filename", JS_NewString(ctx, path));
    JS_SetPropertyStr(ctx, meta, "dirname", JS_NewStringLen(ctx, path, end > path ? (size_t)(end - path) : 1));
  }
  JS_FreeValue(ctx, meta);
  loaded_add(url, m);
  return m;
}

static JSModuleDef *load(JSContext *ctx, const char *url, void *opaque) {
  JSValue arg = JS_NewString(ctx, url);
  JSValue got = JS_Call(ctx, load_hook, JS_UNDEFINED, 1, &arg);
  JS_FreeValue(ctx, arg);
  if (JS_IsException(got)) return NULL;
  uint8_t *p;
  size_t n;
  JSModuleDef *m = bytes_of(ctx, got, &p, &n) ? compile(ctx, url, p, n) : synthetic(ctx, url, got);
  JS_FreeValue(ctx, got);
  return m;
}

// requireModule(url, bytes): evaluates an ES module now and returns its namespace;
// undefined if it awaits something at its top level.
static JSValue require_module(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  const char *url = JS_ToCString(ctx, argv[0]);
  if (!url) return JS_EXCEPTION;
  JSModuleDef *m = loaded_find(url);
  uint8_t *p;
  size_t n;
  if (!m) m = bytes_of(ctx, argv[1], &p, &n) ? compile(ctx, url, p, n) : NULL;
  JS_FreeCString(ctx, url);
  if (!m) return JS_EXCEPTION;
  JSValue module = JS_MKPTR(JS_TAG_MODULE, m);
  if (JS_ResolveModule(ctx, module)) return JS_EXCEPTION;
  JSValue promise = JS_EvalFunction(ctx, JS_DupValue(ctx, module));
  if (JS_IsException(promise)) return promise;
  JSPromiseStateEnum state = JS_PromiseState(ctx, promise);
  JSValue result = JS_UNDEFINED;
  if (state == JS_PROMISE_REJECTED) {
    rejection_handled(ctx, promise); // by who catches what require throws
    result = JS_Throw(ctx, JS_PromiseResult(ctx, promise));
  } else if (state == JS_PROMISE_FULFILLED) {
    result = JS_GetModuleNamespace(ctx, m);
  }
  JS_FreeValue(ctx, promise);
  return result;
}

// importModule(url): a promise of the namespace.
static JSValue import_module(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  const char *url = JS_ToCString(ctx, argv[0]);
  if (!url) return JS_EXCEPTION;
  JSValue promise = JS_LoadModule(ctx, "file:///var/task/", url);
  JS_FreeCString(ctx, url);
  return promise;
}

// compileFunction(source, path): the function around a CommonJS module.
static JSValue compile_function(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  static const char before[] = "(function (exports, require, module, __filename, __dirname) { ";
  uint8_t *p;
  size_t n;
  if (!bytes_of(ctx, argv[0], &p, &n)) return JS_ThrowTypeError(ctx, "not a buffer");
  const char *path = JS_ToCString(ctx, argv[1]);
  if (!path) return JS_EXCEPTION;
  if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) p += 3, n -= 3;
  size_t head = sizeof before - 1;
  char *text = js_malloc(ctx, head + n + 4);
  JSValue f = JS_EXCEPTION;
  if (text) {
    memcpy(text, before, head);
    memcpy(text + head, p, n);
    if (n >= 2 && p[0] == '#' && p[1] == '!') memcpy(text + head, "//", 2);
    memcpy(text + head + n, "\n})", 4);
    js_first_column = (int)head;
    f = JS_Eval(ctx, text, head + n + 3, path, JS_EVAL_TYPE_GLOBAL);
    js_first_column = 0;
    js_free(ctx, text);
  }
  JS_FreeCString(ctx, path);
  return f;
}

// Whether a line starts with the word.
static bool has_statement(const char *text, const char *word) {
  size_t n = strlen(word);
  for (const char *at = text; (at = strstr(at, word)); at += n) {
    const char *before = at;
    while (before > text && (before[-1] == ' ' || before[-1] == '\t')) before--;
    bool starts = before == text || before[-1] == '\n' || before[-1] == ';';
    if (starts && strchr(" \t{*\"'", at[n]) && at[n]) return true;
  }
  return false;
}

// hasModuleSyntax(source, path): whether a file that nothing calls an ES module is one, as
// Node finds out: it does not compile as CommonJS, and does as an ES module, which is
// kept. One that does neither has errors of the kind that it looks like.
static JSValue has_module_syntax(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint8_t *p;
  size_t n;
  if (!bytes_of(ctx, argv[0], &p, &n)) return JS_ThrowTypeError(ctx, "not a buffer");
  if (!memmem(p, n, "import", 6) && !memmem(p, n, "export", 6) && !memmem(p, n, "await", 5)) return JS_FALSE;
  JSValue f = compile_function(ctx, JS_UNDEFINED, 2, argv);
  if (!JS_IsException(f)) {
    JS_FreeValue(ctx, f);
    return JS_FALSE;
  }
  JS_FreeValue(ctx, JS_GetException(ctx));
  const char *path = JS_ToCString(ctx, argv[1]);
  size_t room = path ? strlen(path) + sizeof "file://" : 0;
  char *url = path ? js_malloc(ctx, room) : NULL, *text = url ? js_malloc(ctx, n + 1) : NULL;
  bool found = false;
  if (text) {
    snprintf(url, room, "file://%s", path);
    memcpy(text, p, n);
    text[n] = 0;
    found = compile(ctx, url, p, n) || has_statement(text, "import") || has_statement(text, "export");
    JS_FreeValue(ctx, JS_GetException(ctx));
  }
  js_free(ctx, text);
  js_free(ctx, url);
  JS_FreeCString(ctx, path);
  return JS_NewBool(ctx, found);
}

// scriptName(levels): the file of the function that many calls up.
static JSValue script_name(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  int levels = 1;
  JS_ToInt32(ctx, &levels, argv[0]);
  JSAtom atom = JS_GetScriptOrModuleName(ctx, levels);
  if (atom == JS_ATOM_NULL) return JS_UNDEFINED;
  JSValue v = JS_AtomToString(ctx, atom);
  JS_FreeAtom(ctx, atom);
  return v;
}

void modules_define(JSContext *ctx, JSValueConst native) {
  static const JSCFunctionListEntry list[] = {
      JS_CFUNC_DEF("requireModule", 2, require_module),
      JS_CFUNC_DEF("importModule", 1, import_module),
      JS_CFUNC_DEF("compileFunction", 2, compile_function),
      JS_CFUNC_DEF("hasModuleSyntax", 2, has_module_syntax),
      JS_CFUNC_DEF("scriptName", 1, script_name),
  };
  JS_SetPropertyFunctionList(ctx, native, list, sizeof list / sizeof *list);
  JS_SetModuleLoaderFunc(JS_GetRuntime(ctx), normalize, load, NULL);
}

void modules_hooks(JSContext *ctx, JSValueConst internal) {
  resolve_hook = JS_GetPropertyStr(ctx, internal, "resolveImport");
  load_hook = JS_GetPropertyStr(ctx, internal, "loadImport");
}
