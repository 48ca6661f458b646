// What a Snapshot is worth depends on how few pages an Invocation writes to: a
// fresh Instance copies each of them, and a function stores those in which it
// differs from the base image. CPython writes to an object's page whenever it counts
// a reference, and fills gaps that are all over the heap. So, before memory is
// captured, the objects that stay are made immortal (PEP 683: they are no longer
// counted), and the gaps are filled, so that what comes next is allocated side by
// side.
#include "runtime.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// ---- immortal objects

// Objects whose members are still to be visited. Large enough for all that the
// base image has several times over; what does not fit stays mortal, which works.
enum { MAX_PENDING = 1 << 18, LARGE = 4096 };

static struct {
  PyObject **list;
  size_t count;
} pending;

static void set_immortal(PyObject *op) {
  if (PyUnicode_Check(op)) { // or interning it again would write that it is
    PyASCIIObject *text = (PyASCIIObject *)op;
    if (text->state.interned == SSTATE_INTERNED_MORTAL)
      text->state.interned = SSTATE_INTERNED_IMMORTAL;
  }
  op->ob_refcnt = _Py_IMMORTAL_REFCNT;
}

// A visitproc: makes op immortal, and later what it refers to.
static int keep(PyObject *op, void *none) {
  (void)none;
  if (op == NULL || _Py_IsImmortal(op))
    return 0;
  set_immortal(op);
  if ((Py_TYPE(op)->tp_traverse != NULL || PyCode_Check(op)) && pending.count < MAX_PENDING)
    pending.list[pending.count++] = op;
  return 0;
}

static void keep_members(PyObject *op) {
  if (PyCode_Check(op)) { // the garbage collector does not know code
    PyCodeObject *code = (PyCodeObject *)op;
    PyObject *members[] = {code->co_consts,          code->co_names,     code->co_exceptiontable,
                           code->co_localsplusnames, code->co_name,      code->co_localspluskinds,
                           code->co_qualname,        code->co_linetable, code->co_filename};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(members); i++)
      keep(members[i], NULL);
  } else if (PyType_Check(op) && !(((PyTypeObject *)op)->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
    PyTypeObject *type = (PyTypeObject *)op; // nor types that C code declares
    PyObject *members[] = {PyType_GetDict(type), type->tp_bases, type->tp_mro};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(members); i++)
      keep(members[i], NULL);
  } else {
    PyObject *name, *value;
    for (Py_ssize_t at = 0; PyDict_Check(op) && PyDict_Next(op, &at, &name, &value);)
      keep(name, NULL); // nor names, which cannot be part of a cycle
    Py_TYPE(op)->tp_traverse(op, keep, NULL);
  }
}

static void keep_pending(void) {
  while (pending.count > 0)
    keep_members(pending.list[--pending.count]);
}

static int keep_object(PyObject *op, void *none) {
  keep(op, none);
  keep_pending();
  return 1; // go on
}

// Whether op is a value that cannot refer to others, and not so large that a
// function may count on its being freed.
static int is_plain(PyObject *op) {
  if (PyUnicode_CheckExact(op))
    return PyUnicode_GET_LENGTH(op) < LARGE;
  if (PyBytes_CheckExact(op))
    return PyBytes_GET_SIZE(op) < LARGE;
  return PyFloat_CheckExact(op) || PyLong_CheckExact(op);
}

// Of the function's own objects those are made immortal that a module has for as
// long as it is there: an object that the handler replaces or deletes must be freed
// as ever, for the memory and for its finaliser.
static int keep_definition(PyObject *op, void *none) {
  if (PyFunction_Check(op)) {
    PyFunctionObject *function = (PyFunctionObject *)op;
    keep(function->func_code, none);
    keep(function->func_name, none);
    keep(function->func_qualname, none);
    set_immortal(op);
  } else if (PyType_Check(op)) {
    PyTypeObject *type = (PyTypeObject *)op;
    if (type->tp_mro != NULL)
      set_immortal(type->tp_mro);
    set_immortal(op);
  } else if (PyModule_Check(op)) {
    PyObject *name, *value;
    for (Py_ssize_t at = 0; PyDict_Next(PyModule_GetDict(op), &at, &name, &value);) {
      if (is_plain(name))
        keep(name, none);
      if (is_plain(value))
        keep(value, none);
    }
    set_immortal(op);
  }
  keep_pending();
  return 1;
}

static int begin_keeping(void) {
  pending.list = malloc(MAX_PENDING * sizeof *pending.list);
  pending.count = 0;
  return pending.list != NULL;
}

static void end_keeping(void) {
  memset(pending.list, 0, MAX_PENDING * sizeof *pending.list); // spare memory is all zero
  free(pending.list);
  pending.list = NULL;
}

// ---- gaps

static int may_grow = 1;

// In place of wasi-libc's, for malloc, which calls nothing else for more memory.
void *sbrk(intptr_t increment) {
  if (increment == 0)
    return (void *)(__builtin_wasm_memory_size(0) * WASM_PAGE);
  size_t before = may_grow && increment > 0 && increment % WASM_PAGE == 0
                      ? __builtin_wasm_memory_grow(0, (size_t)increment / WASM_PAGE)
                      : SIZE_MAX;
  if (before == SIZE_MAX) {
    errno = ENOMEM;
    return (void *)-1;
  }
  return (void *)(before * WASM_PAGE);
}

// Overwrites what is not zero, without writing to what is.
static void clear(void *from, size_t size) {
  enum { STEP = 256 };
  static const char zero[STEP];
  for (char *at = from, *end = at + size; at < end; at += STEP) {
    size_t n = end - at < STEP ? (size_t)(end - at) : STEP;
    if (memcmp(at, zero, n) != 0)
      memset(at, 0, n);
  }
}

// Leaves of the free memory only what is in large pieces, all zero: what follows is
// allocated side by side there. Small gaps between objects are given up.
void ledge_fill_gaps(void) {
  enum { GAP = 2048 };
  struct piece {
    struct piece *next;
  } *taken = NULL, *piece;
  may_grow = 0;
  for (size_t size = 1 << 24; size >= GAP; size -= size / 16) {
    while ((piece = malloc(size)) != NULL) {
      clear(piece, size);
      piece->next = taken;
      taken = piece;
    }
  }
  for (size_t size = GAP; size > 0; size -= 8) {
    void *volatile gap; // volatile: or clang takes it that malloc succeeds
    do
      gap = malloc(size);
    while (gap != NULL);
  }
  while ((piece = taken) != NULL) {
    taken = piece->next;
    piece->next = NULL;
    free(piece);
  }
  may_grow = 1;
}

PyDoc_STRVAR(settle_doc, "settle(types): makes objects immortal that no Invocation should count:\n"
                         "all, with these types; those that a module defines, when it is None.");

static PyObject *settle(PyObject *self, PyObject *types) {
  if (!begin_keeping())
    return PyErr_NoMemory();
  if (types == Py_None) {
    PyUnstable_GC_VisitObjects(keep_definition, NULL);
  } else {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(types); i++) {
      PyTypeObject *type = (PyTypeObject *)PyList_GET_ITEM(types, i);
      if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        keep_members((PyObject *)type);
        keep_pending();
      }
    }
    PyUnstable_GC_VisitObjects(keep_object, NULL);
  }
  end_keeping();
  Py_RETURN_NONE;
}

PyMethodDef ledge_settle_method = {"settle", settle, METH_O, settle_doc};
