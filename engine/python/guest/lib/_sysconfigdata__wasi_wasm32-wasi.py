"""What sysconfig reads. CPython's own would tell of the machine that built it."""

build_time_vars = {
    "ABIFLAGS": "",
    "EXT_SUFFIX": ".cpython-313-wasm32-wasi.so",
    "MULTIARCH": "wasm32-wasi",
    "Py_DEBUG": 0,
    "Py_ENABLE_SHARED": 0,
    "Py_GIL_DISABLED": 0,
    "SIZEOF_VOID_P": 4,
    "SOABI": "cpython-313-wasm32-wasi",
    "TZPATH": "/usr/lib/ledge/zoneinfo",
    "VERSION": "3.13",
    "prefix": "/usr/lib/ledge",
}
