// What the sources in js/ see of the world outside: the engine's services, files
// below /var/task, the environment, clocks and the function's log. All goes through
// functions of the engine; nothing here is kept over a Snapshot.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>
#include "guest.h"

// The type of a failed call's error is in the head of its reply: {"type","message",...}.
static JSValue throw_refused(JSContext *ctx, const char *head, size_t n) {
  JSValue error = JS_NewError(ctx), said = JS_ParseJSON(ctx, head, n, "reply");
  if (JS_IsException(said)) {
    JS_FreeValue(ctx, JS_GetException(ctx));
    said = JS_NewObject(ctx);
  }
  static const char *const from[] = {"type", "message", "errorType", "errorMessage", "index"};
  static const char *const to[] = {"name", "message", "errorType", "errorMessage", "index"};
  for (int i = 0; i < 5; i++) {
    JSValue v = JS_GetPropertyStr(ctx, said, from[i]);
    if (!JS_IsUndefined(v))
      JS_DefinePropertyValueStr(ctx, error, to[i], v, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE | (i > 1 ? JS_PROP_ENUMERABLE : 0));
  }
  JS_FreeValue(ctx, said);
  return JS_Throw(ctx, error);
}

// call(op, head, body): body is a string, bytes or undefined. Returns undefined for
// "absent", else {head, body} with head a string and body a Uint8Array. Throws what
// the engine refuses.
static JSValue call(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  uint32_t op, sizes[2] = {0, 0};
  size_t head_len, body_len = 0;
  uint8_t *body = NULL;
  const char *text = NULL;
  JSValue result = JS_EXCEPTION;
  if (JS_ToUint32(ctx, &op, argv[0])) return JS_EXCEPTION;
  const char *head = JS_ToCStringLen(ctx, &head_len, argv[1]);
  if (!head) return JS_EXCEPTION;
  if (!JS_IsUndefined(argv[2]) && !bytes_of(ctx, argv[2], &body, &body_len)) {
    text = JS_ToCStringLen(ctx, &body_len, argv[2]);
    if (!text) goto done;
    body = (uint8_t *)text;
  }
  uint32_t status = ledge_call(op, head, (uint32_t)head_len, body, (uint32_t)body_len, sizes);
  char *reply = js_malloc(ctx, (size_t)sizes[0] + sizes[1] + 1);
  if (!reply) goto done;
  if (sizes[0] || sizes[1]) ledge_reply(reply);
  if (status == 2) {
    reply[sizes[0]] = 0;
    result = throw_refused(ctx, reply, sizes[0]);
  } else if (status == 1) {
    result = JS_UNDEFINED;
  } else {
    JSValue buffer = JS_NewArrayBufferCopy(ctx, (uint8_t *)reply + sizes[0], sizes[1]);
    JSValue args[3] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
    result = JS_NewObject(ctx);
    JS_SetPropertyStr(ctx, result, "head", JS_NewStringLen(ctx, reply, sizes[0]));
    JS_SetPropertyStr(ctx, result, "body", JS_NewTypedArray(ctx, 3, args, JS_TYPED_ARRAY_UINT8));
    JS_FreeValue(ctx, buffer);
  }
  js_free(ctx, reply);
done:
  JS_FreeCString(ctx, text);
  JS_FreeCString(ctx, head);
  return result;
}

static JSValue request_id(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  char id[36];
  ledge_request(id);
  return JS_NewStringLen(ctx, id, sizeof id);
}

static JSValue remaining(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  return JS_NewInt64(ctx, ledge_remaining());
}

// write(text): to the function's log, in one piece.
static JSValue js_write(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  size_t n;
  const char *s = JS_ToCStringLen(ctx, &n, argv[0]);
  if (!s) return JS_EXCEPTION;
  for (size_t i = 0; i < n;) {
    ssize_t k = write(1, s + i, n - i);
    if (k <= 0) break; // a log that takes no more is no error of the function
    i += (size_t)k;
  }
  JS_FreeCString(ctx, s);
  return JS_UNDEFINED;
}

// now(): milliseconds of a clock that only runs forward.
static JSValue now(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return JS_NewFloat64(ctx, (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6);
}

void sleep_ms(double ms) {
  struct timespec t = {(time_t)(ms / 1e3), (long)((ms - 1e3 * (double)(time_t)(ms / 1e3)) * 1e6)};
  nanosleep(&t, NULL);
}

// environ(): what the engine says now; libc would keep what it saw first.
static JSValue js_environ(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  __wasi_size_t count = 0, size = 0;
  JSValue env = JS_NewObject(ctx);
  if (__wasi_environ_sizes_get(&count, &size) || !count) return env;
  uint8_t **vars = malloc(count * sizeof *vars), *text = malloc(size);
  if (vars && text && !__wasi_environ_get(vars, text))
    for (size_t i = 0; i < count; i++) {
      char *name = (char *)vars[i], *value = strchr(name, '=');
      if (!value) continue;
      JSAtom atom = JS_NewAtomLen(ctx, name, (size_t)(value - name));
      JS_SetProperty(ctx, env, atom, JS_NewString(ctx, value + 1));
      JS_FreeAtom(ctx, atom);
    }
  free(vars);
  free(text);
  return env;
}

// stat(path): undefined, or {file, directory, size, mtimeMs}.
static JSValue js_stat(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  struct stat st;
  const char *path = JS_ToCString(ctx, argv[0]);
  if (!path) return JS_EXCEPTION;
  int failed = stat(path, &st);
  JS_FreeCString(ctx, path);
  if (failed) return JS_UNDEFINED;
  JSValue v = JS_NewObject(ctx);
  JS_SetPropertyStr(ctx, v, "file", JS_NewBool(ctx, S_ISREG(st.st_mode)));
  JS_SetPropertyStr(ctx, v, "directory", JS_NewBool(ctx, S_ISDIR(st.st_mode)));
  JS_SetPropertyStr(ctx, v, "size", JS_NewInt64(ctx, st.st_size));
  JS_SetPropertyStr(ctx, v, "mtimeMs", JS_NewFloat64(ctx, (double)st.st_mtim.tv_sec * 1e3 + (double)st.st_mtim.tv_nsec / 1e6));
  return v;
}

uint8_t *file_read(const char *path, size_t *n) {
  struct stat st;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return NULL;
  uint8_t *p = NULL;
  size_t have = 0;
  if (fstat(fd, &st))
    ;
  else if (S_ISDIR(st.st_mode))
    errno = EISDIR;
  else
    p = malloc((size_t)st.st_size + 1);
  while (p && have < (size_t)st.st_size) {
    ssize_t k = read(fd, p + have, (size_t)st.st_size - have);
    if (k <= 0) break;
    have += (size_t)k;
  }
  int why = errno;
  close(fd);
  errno = why;
  if (!p) return NULL;
  p[have] = 0;
  *n = have;
  return p;
}

static const char *errno_name(int e) {
  switch (e) {
  case ENOENT: return "ENOENT";
  case EISDIR: return "EISDIR";
  case ENOTDIR: return "ENOTDIR";
  case EACCES: return "EACCES";
  case EPERM: case ENOTCAPABLE: return "EPERM";
  case EROFS: return "EROFS";
  case ELOOP: return "ELOOP";
  case ENAMETOOLONG: return "ENAMETOOLONG";
  case EMFILE: return "EMFILE";
  case ENOMEM: return "ENOMEM";
  default: return "EIO";
  }
}

// readFile(path): a Uint8Array, or the name of an error: "ENOENT".
static JSValue js_read_file(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  size_t n = 0;
  const char *path = JS_ToCString(ctx, argv[0]);
  if (!path) return JS_EXCEPTION;
  uint8_t *p = file_read(path, &n);
  JS_FreeCString(ctx, path);
  if (!p) return JS_NewString(ctx, errno_name(errno));
  JSValue buffer = JS_NewArrayBufferCopy(ctx, p, n);
  free(p);
  JSValue args[3] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
  JSValue view = JS_NewTypedArray(ctx, 3, args, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(ctx, buffer);
  return view;
}

// readDir(path): an array of names, or the name of an error.
static JSValue js_read_dir(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  const char *path = JS_ToCString(ctx, argv[0]);
  if (!path) return JS_EXCEPTION;
  DIR *dir = opendir(path);
  JS_FreeCString(ctx, path);
  if (!dir) return JS_NewString(ctx, errno_name(errno));
  JSValue names = JS_NewArray(ctx);
  uint32_t n = 0;
  for (struct dirent *e; (e = readdir(dir));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
      JS_SetPropertyUint32(ctx, names, n++, JS_NewString(ctx, e->d_name));
  closedir(dir);
  return names;
}

static JSValue memory(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  return JS_NewInt64(ctx, (int64_t)__builtin_wasm_memory_size(0) * 65536);
}

void system_define(JSContext *ctx, JSValueConst native) {
  static const JSCFunctionListEntry list[] = {
      JS_CFUNC_DEF("call", 3, call),          JS_CFUNC_DEF("requestId", 0, request_id),
      JS_CFUNC_DEF("remaining", 0, remaining), JS_CFUNC_DEF("write", 1, js_write),
      JS_CFUNC_DEF("now", 0, now),            JS_CFUNC_DEF("environ", 0, js_environ),
      JS_CFUNC_DEF("stat", 1, js_stat),       JS_CFUNC_DEF("readFile", 1, js_read_file),
      JS_CFUNC_DEF("readDir", 1, js_read_dir), JS_CFUNC_DEF("memory", 0, memory),
  };
  JS_SetPropertyFunctionList(ctx, native, list, sizeof list / sizeof *list);
}
