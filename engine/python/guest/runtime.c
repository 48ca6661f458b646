// CPython as a WASI reactor: the four exports that the engine calls.
//
// ledge_start starts the interpreter and imports _ledge_bootstrap, which does
// what is rare (loading a handler) in Python, as _ledge_errors describes errors. What happens
// for each event is here, and calls nothing but the C parts of json and the
// handler: every page that an Invocation writes to is a page that a fresh
// Instance has to copy.
//
// All state is in linear memory. The engine captures it after ledge_start and
// after ledge_load, and restores it any number of times.
#include "ledge.h"
#include "runtime.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The size of the memory at the end of ledge_start. What is not used of it is heap
// that was never written to, so that loading a function rarely grows the memory.
enum { START_SIZE = 32 << 19 };

static struct ledge_runtime runtime;

static const char home[] = "/usr/lib/ledge";
static const char library[] = "/usr/lib/ledge/python313.zip";

// An error that Python could not describe, by its class. It has no request ID
// because nothing may be allocated.
static void fail_plainly(PyObject *raised) {
  char json[512], name[64];
  const char *from = raised ? Py_TYPE(raised)->tp_name : "SystemError";
  size_t n = 0;
  for (; *from != '\0' && n < sizeof name - 1; from++) {
    if (*from > ' ' && *from < 0x7f && *from != '"' && *from != '\\')
      name[n++] = *from;
  }
  name[n] = '\0';
  PyErr_Clear();
  int size = snprintf(json, sizeof json,
                      "{\"errorMessage\": \"the interpreter could not describe the error of this "
                      "call: most likely the function's memory is used up\", "
                      "\"errorType\": \"%s\", \"requestId\": \"\", \"stackTrace\": []}",
                      name);
  ledge_fail(json, (uint32_t)size);
}

// Hands the raised exception to _ledge_errors, which returns the error object as
// JSON, and passes that to the engine. The exception is cleared.
static void fail(const char *phase) {
  PyObject *raised = PyErr_GetRaisedException();
  PyObject *json = NULL;
  int exhausted = raised != NULL && PyErr_GivenExceptionMatches(raised, PyExc_MemoryError);
  if (raised != NULL && runtime.describe != NULL) {
    json = PyObject_CallFunction(runtime.describe, "Os", raised, phase);
    if (json == NULL) { // for want of memory, which the frames may hold
      PyErr_Clear();
      PyException_SetTraceback(raised, Py_None);
      PyGC_Collect();
      json = PyObject_CallFunction(runtime.describe, "Os", raised, phase);
    }
  }
  Py_ssize_t size;
  const char *text = json ? PyUnicode_AsUTF8AndSize(json, &size) : NULL;
  if (text == NULL)
    fail_plainly(raised);
  else
    ledge_fail(text, (uint32_t)size);
  Py_XDECREF(json);
  Py_XDECREF(raised);
  if (exhausted) // what refers to itself would be there until the next event, and stop it
    PyGC_Collect();
}

// Writes out what print has left in the buffers. An error here (the log is
// gone) is not the function's: it is dropped.
static void flush_streams(void) {
  for (int i = 0; i < 2; i++) {
    if (runtime.streams[i] == NULL)
      continue;
    PyObject *none = PyObject_CallMethodNoArgs(runtime.streams[i], runtime.flush);
    if (none == NULL)
      PyErr_Clear();
    Py_XDECREF(none);
  }
}

// Returns the input of the running export as str, or NULL with an exception.
static PyObject *read_input(void) {
  char small[4096]; // most events; the stack's pages are written to anyway
  uint32_t size = ledge_input_size();
  char *text = size <= sizeof small ? small : PyMem_Malloc(size);
  if (text == NULL)
    return PyErr_NoMemory();
  ledge_input_read(text);
  PyObject *input = PyUnicode_DecodeUTF8(text, size, NULL);
  if (text != small)
    PyMem_Free(text);
  return input;
}

static int is_space(Py_UCS4 c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Decodes the event as json.loads does. Returns NULL with an exception when
// there is anything that the C scanner cannot say: decode_slowly is json.loads
// itself, which then raises what the author expects.
static PyObject *decode_event(PyObject *text) {
  Py_ssize_t end = PyUnicode_GET_LENGTH(text), at = 0;
  if (end == 0)
    Py_RETURN_NONE;
  while (at < end && is_space(PyUnicode_READ_CHAR(text, at)))
    at++;
  PyObject *start = PyLong_FromSsize_t(at);
  if (start == NULL)
    return NULL;
  PyObject *arguments[] = {text, start};
  PyObject *pair = PyObject_Vectorcall(runtime.scan, arguments, 2, NULL);
  Py_DECREF(start);
  if (pair != NULL) { // (value, index of the end)
    PyObject *value = Py_NewRef(PyTuple_GET_ITEM(pair, 0));
    at = PyLong_AsSsize_t(PyTuple_GET_ITEM(pair, 1));
    Py_DECREF(pair);
    while (at < end && is_space(PyUnicode_READ_CHAR(text, at)))
      at++;
    if (at == end)
      return value;
    Py_DECREF(value);
  } else if (PyErr_ExceptionMatches(PyExc_RecursionError)) {
    return NULL;
  }
  PyErr_Clear();
  return PyObject_CallOneArg(runtime.decode_slowly, text);
}

// Passes a reply to the engine as JSON, or as it is when it is bytes. Returns -1
// with an exception when it cannot be represented.
static int put_reply(PyObject *reply) {
  if (reply == Py_None) {
    ledge_output("null", 4);
    return 0;
  }
  if (PyBytes_Check(reply)) { // as AWS Lambda's runtime does
    ledge_output(PyBytes_AS_STRING(reply), (uint32_t)PyBytes_GET_SIZE(reply));
    return 0;
  }
  runtime.named_tuple = 0;
  PyObject *arguments[] = {reply, runtime.zero};
  PyObject *chunks = PyObject_Vectorcall(runtime.encode, arguments, 2, NULL);
  PyObject *text;
  const char *utf8 = NULL;
  Py_ssize_t size;
  if (chunks != NULL && !runtime.named_tuple && PyTuple_CheckExact(chunks) &&
      PyTuple_GET_SIZE(chunks) == 1) {
    text = Py_NewRef(PyTuple_GET_ITEM(chunks, 0));
    utf8 = PyUnicode_AsUTF8AndSize(text, &size); // fails for half a surrogate pair
  } else {
    text = NULL;
  }
  Py_XDECREF(chunks);
  if (utf8 == NULL) {
    Py_XDECREF(text);
    PyErr_Clear();
    text = PyObject_CallOneArg(runtime.encode_slowly, reply);
    utf8 = text ? PyUnicode_AsUTF8AndSize(text, &size) : NULL;
  }
  if (utf8 != NULL)
    ledge_output(utf8, (uint32_t)size);
  Py_XDECREF(text);
  return utf8 ? 0 : -1;
}

static PyObject *read_details(uint32_t size) {
  char *text = PyMem_Malloc(size);
  if (text == NULL)
    return PyErr_NoMemory();
  ledge_details(text);
  PyObject *details = PyUnicode_DecodeUTF8(text, size, NULL);
  PyMem_Free(text);
  return details;
}

static PyObject *new_context(void) {
  char id[LEDGE_REQUEST_SIZE];
  uint32_t more = ledge_request(id);
  PyObject *request = PyUnicode_FromStringAndSize(id, sizeof id);
  if (request == NULL)
    return NULL;
  PyObject *context = NULL;
  if (more == 0) {
    context = PyObject_CallOneArg(runtime.context, request);
  } else {
    PyObject *details = read_details(more);
    PyObject *arguments[] = {request, details};
    if (details != NULL)
      context = PyObject_Vectorcall(runtime.detailed, arguments, 2, NULL);
    Py_XDECREF(details);
  }
  Py_DECREF(request);
  return context;
}

LEDGE_EXPORT(ledge_invoke) {
  const char *phase = "unmarshal";
  PyObject *event = NULL, *context = NULL, *reply = NULL;
  PyObject *text = read_input();
  if (text == NULL)
    goto failed;
  event = decode_event(text);
  Py_CLEAR(text); // a large event need not be there twice while the handler runs
  if (event == NULL)
    goto failed;
  phase = "invoke";
  if ((context = new_context()) == NULL)
    goto failed;
  PyObject *arguments[] = {event, context};
  reply = PyObject_Vectorcall(runtime.handler, arguments, 2, NULL);
  if (reply == NULL)
    goto failed;
  phase = "marshal";
  if (put_reply(reply) < 0)
    goto failed;
  goto done;
failed:
  fail(phase);
done:
  Py_XDECREF(reply);
  Py_XDECREF(context);
  Py_XDECREF(event);
  flush_streams();
}

LEDGE_EXPORT(ledge_load) {
  PyObject *request = read_input();
  PyObject *none = request ? PyObject_CallOneArg(runtime.load, request) : NULL;
  Py_XDECREF(request);
  if (none == NULL)
    fail("load");
  Py_XDECREF(none);
  flush_streams();
  ledge_fill_gaps();
}

LEDGE_EXPORT(ledge_restored) {
  sqlite3_randomness(0, NULL); // forget the generator's state: it is seeded anew when used
  if (runtime.restored == NULL)
    return; // nothing to reseed, no hooks
  PyObject *none = PyObject_CallNoArgs(runtime.restored);
  if (none == NULL)
    fail("restored");
  Py_XDECREF(none);
  flush_streams();
}

// SQLite would look for /dev/urandom, and do with the time of day without it.
static int sqlite_random(sqlite3_vfs *vfs, int size, char *to) {
  (void)vfs;
  for (int at = 0; at < size; at += 256) { // getentropy's limit
    int n = size - at < 256 ? size - at : 256;
    if (getentropy(to + at, n) != 0)
      return at;
  }
  return size;
}

static void start_sqlite(void) {
  if (sqlite3_initialize() != SQLITE_OK)
    abort();
  // Without locks: WASI has none, and a function's files are read-only.
  sqlite3_vfs *vfs = sqlite3_vfs_find("unix-none");
  if (vfs == NULL || sqlite3_vfs_register(vfs, 1) != SQLITE_OK)
    abort();
  vfs->xRandomness = sqlite_random;
}

static void must(PyStatus status) {
  if (!PyStatus_Exception(status))
    return;
  // Only a broken build comes here: trap, with the reason in the log.
  if (status.err_msg != NULL) {
    write(2, status.err_msg, strlen(status.err_msg));
    write(2, "\n", 1);
  }
  abort();
}

static void start_interpreter(void) {
  PyPreConfig early;
  PyPreConfig_InitIsolatedConfig(&early);
  early.utf8_mode = 1;
  must(Py_PreInitialize(&early));

  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  config.write_bytecode = 0;
  // The base image has no environment: only a function that an interpreter is
  // started for alone can say anything here.
  const char *seed = getenv("PYTHONHASHSEED");
  config.use_hash_seed = seed != NULL && strcmp(seed, "random") != 0; // else random
  config.hash_seed = config.use_hash_seed ? strtoul(seed, NULL, 10) : 0;
  config.install_signal_handlers = 0;
  config.pathconfig_warnings = 0;
  config.module_search_paths_set = 1;
  must(PyConfig_SetBytesString(&config, &config.home, home));
  must(PyConfig_SetBytesString(&config, &config.program_name, "python3"));
  must(PyConfig_SetBytesString(&config, &config.executable, ""));
  must(PyConfig_SetBytesString(&config, &config.stdlib_dir, library));
  wchar_t *path = Py_DecodeLocale(library, NULL);
  if (path == NULL)
    abort();
  must(PyWideStringList_Append(&config.module_search_paths, path));
  PyMem_RawFree(path);
  must(Py_InitializeFromConfig(&config));
  PyConfig_Clear(&config);
}

static void leave_spare_heap(void) {
  size_t size = __builtin_wasm_memory_size(0) * WASM_PAGE;
  if (size >= START_SIZE)
    return;
  void *volatile spare = malloc(START_SIZE - size); // volatile: or it is optimised away
  free(spare);
}

LEDGE_EXPORT(ledge_start) {
  start_sqlite();
  if (PyImport_AppendInittab("_ledge", ledge_module) < 0)
    abort();
  start_interpreter();
  ledge_module_runtime = &runtime;
  runtime.flush = PyUnicode_InternFromString("flush");
  runtime.zero = PyLong_FromLong(0);
  PyObject *bootstrap = PyImport_ImportModule("_ledge_bootstrap");
  PyObject *none = bootstrap ? PyObject_CallMethod(bootstrap, "start", NULL) : NULL;
  if (none == NULL || runtime.flush == NULL || runtime.zero == NULL) {
    PyErr_Print();
    abort();
  }
  Py_DECREF(none);
  Py_DECREF(bootstrap);
  flush_streams();
  ledge_fill_gaps();
  leave_spare_heap();
}

// libbz2 asks its user for this when it is built without stdio.
void bz_internal_error(int code) {
  (void)code;
  abort();
}
