// The built-in module _ledge: the host's functions for _ledge_bootstrap and ledge,
// as thin as they can be.
#include "ledge.h"
#include "runtime.h"

#include <stddef.h>
#include <string.h>
#include <wasi/libc-environ.h>

extern char **environ;

struct ledge_runtime *ledge_module_runtime;

// The members of struct ledge_runtime that bind sets, by name.
static const struct {
  const char *name;
  size_t offset;
} members[] = {
#define MEMBER(name) {#name, offsetof(struct ledge_runtime, name)}
    MEMBER(load),   MEMBER(describe), MEMBER(restored),      MEMBER(handler),
    MEMBER(context), MEMBER(detailed), MEMBER(scan),         MEMBER(decode_slowly),
    MEMBER(encode),  MEMBER(encode_slowly),
    {"stdout", offsetof(struct ledge_runtime, streams)},
    {"stderr", offsetof(struct ledge_runtime, streams) + sizeof(PyObject *)},
#undef MEMBER
};

PyDoc_STRVAR(bind_doc, "bind(name, value): sets what the exports call; None unsets it.");

static PyObject *bind(PyObject *self, PyObject *args) {
  const char *name;
  PyObject *value;
  if (!PyArg_ParseTuple(args, "sO:bind", &name, &value))
    return NULL;
  for (size_t i = 0; i < Py_ARRAY_LENGTH(members); i++) {
    if (strcmp(members[i].name, name) != 0)
      continue;
    PyObject **at = (PyObject **)((char *)ledge_module_runtime + members[i].offset);
    PyObject *old = *at;
    *at = value == Py_None ? NULL : Py_NewRef(value);
    Py_XDECREF(old);
    Py_RETURN_NONE;
  }
  return PyErr_Format(PyExc_KeyError, "bind: the exports know no %s", name);
}

PyDoc_STRVAR(call_doc, "call(op, head: str, body: bytes-like) -> (status, head: bytes, body: bytes)");

static PyObject *call(PyObject *self, PyObject *args) {
  unsigned int op;
  const char *head;
  Py_ssize_t head_size;
  Py_buffer body;
  if (!PyArg_ParseTuple(args, "Is#y*:call", &op, &head, &head_size, &body))
    return NULL;
  uint32_t sizes[2] = {0, 0};
  uint32_t status = ledge_call(op, head, (uint32_t)head_size, body.buf,
                               (uint32_t)body.len, sizes);
  PyBuffer_Release(&body);
  if (sizes[0] == 0) { // the common case: the reply is one piece, read in place
    PyObject *reply = PyBytes_FromStringAndSize(NULL, sizes[1]);
    if (reply == NULL)
      return NULL;
    if (sizes[1] > 0)
      ledge_reply(PyBytes_AS_STRING(reply));
    return Py_BuildValue("Iy#N", status, "", (Py_ssize_t)0, reply);
  }
  char *both = PyMem_Malloc((size_t)sizes[0] + sizes[1]);
  if (both == NULL)
    return PyErr_NoMemory();
  ledge_reply(both);
  PyObject *reply = Py_BuildValue("Iy#y#", status, both, (Py_ssize_t)sizes[0],
                                  both + sizes[0], (Py_ssize_t)sizes[1]);
  PyMem_Free(both);
  return reply;
}

PyDoc_STRVAR(request_doc, "request() -> the ID of the running Invocation");

static PyObject *request(PyObject *self, PyObject *none) {
  char id[LEDGE_REQUEST_SIZE];
  ledge_request(id);
  return PyUnicode_DecodeASCII(id, sizeof id, "replace");
}

PyDoc_STRVAR(remaining_doc, "remaining() -> milliseconds until the deadline");

static PyObject *remaining(PyObject *self, PyObject *none) {
  return PyLong_FromLongLong(ledge_remaining());
}

PyDoc_STRVAR(environment_doc,
             "environment() -> {name: value} in bytes, read anew from the host");

static PyObject *environment(PyObject *self, PyObject *none) {
  // libc has read it when the base image was made, for another function.
  __wasilibc_deinitialize_environ();
  __wasilibc_initialize_environ();
  PyObject *all = PyDict_New();
  if (all == NULL)
    return NULL;
  for (char **at = environ; at != NULL && *at != NULL; at++) {
    const char *equals = strchr(*at, '=');
    if (equals == NULL)
      continue;
    PyObject *name = PyBytes_FromStringAndSize(*at, equals - *at);
    PyObject *value = PyBytes_FromString(equals + 1);
    int failed = name == NULL || value == NULL || PyDict_SetItem(all, name, value) < 0;
    Py_XDECREF(name);
    Py_XDECREF(value);
    if (failed) {
      Py_DECREF(all);
      return NULL;
    }
  }
  return all;
}

PyDoc_STRVAR(watch_doc, "watch(dict): from now on met_named_tuple tells what is put into it");

static int note_named_tuple(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value) {
  if (event == PyDict_EVENT_ADDED && PyTuple_Check(value) && !PyTuple_CheckExact(value))
    ledge_module_runtime->named_tuple = 1;
  return 0;
}

static PyObject *watch(PyObject *self, PyObject *dict) {
  int watcher = PyDict_AddWatcher(note_named_tuple);
  if (watcher < 0 || PyDict_Watch(watcher, dict) < 0)
    return NULL;
  Py_RETURN_NONE;
}

PyDoc_STRVAR(met_named_tuple_doc, "met_named_tuple() -> whether a reply has one");

static PyObject *met_named_tuple(PyObject *self, PyObject *none) {
  return PyBool_FromLong(ledge_module_runtime->named_tuple);
}

static PyMethodDef methods[] = {
    {"bind", bind, METH_VARARGS, bind_doc},
    {"call", call, METH_VARARGS, call_doc},
    {"request", request, METH_NOARGS, request_doc},
    {"remaining", remaining, METH_NOARGS, remaining_doc},
    {"environment", environment, METH_NOARGS, environment_doc},
    {"watch", watch, METH_O, watch_doc},
    {"met_named_tuple", met_named_tuple, METH_NOARGS, met_named_tuple_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_ledge", .m_size = -1, .m_methods = methods,
};

PyObject *ledge_module(void) {
  PyObject *module = PyModule_Create(&definition);
  PyObject *settle = PyCFunction_New(&ledge_settle_method, NULL);
  if (module == NULL || settle == NULL || PyModule_Add(module, "settle", settle) < 0)
    return NULL;
  return module;
}
