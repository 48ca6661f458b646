// What the exports (runtime.c) and the module _ledge (module.c) share.
#ifndef RUNTIME_H
#define RUNTIME_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

// The Python objects that the exports call. The bootstrap sets them with
// _ledge.bind; those that it has not set are NULL.
struct ledge_runtime {
  PyObject *load;          // load(request: str)
  PyObject *describe;      // describe(exception, phase) -> str, an error object
  PyObject *restored;      // restored(), or NULL where there is nothing to do
  PyObject *handler;       // the function's handler(event, context)
  PyObject *context;       // context(request_id) -> the handler's context
  PyObject *detailed;      // detailed(request_id, details) -> the same
  PyObject *scan;          // json's C scanner
  PyObject *decode_slowly; // decode_slowly(text), for its exceptions
  PyObject *encode;        // json's C encoder
  PyObject *encode_slowly; // encode_slowly(value) -> str, for all that encode is not enough for
  PyObject *streams[2];    // stdout and stderr as they were opened
  PyObject *flush;         // "flush"
  PyObject *zero;          // 0
  int named_tuple;         // whether encode has met an instance of a class of tuples
};

extern struct ledge_runtime *ledge_module_runtime;

PyObject *ledge_module(void);

extern PyMethodDef ledge_settle_method;
void ledge_fill_gaps(void);

enum { WASM_PAGE = 1 << 16 };

#endif
