"""Says why an import cannot work here, and what to do instead."""

import os
import sys
from importlib import machinery

SOCKETS = (
    "functions have no sockets here. Use ledge.http(method, url) for requests, "
    "which the function's settings must allow"
)
PROCESSES = "functions cannot start processes or threads here"
LIBRARIES = "native libraries cannot be loaded here. Use a pure-Python package"

# Modules of the standard library that are left out, by the reason.
ABSENT = {
    SOCKETS: "socket _socket ssl _ssl socketserver http.client http.server http.cookiejar "
    "urllib.request urllib.robotparser ftplib imaplib poplib smtplib telnetlib nntplib "
    "xmlrpc xmlrpc.client xmlrpc.server webbrowser wsgiref.simple_server",
    PROCESSES: "multiprocessing _multiprocessing _posixsubprocess pty",
    LIBRARIES: "ctypes _ctypes",
    "it has no use without a terminal or a screen": "tkinter _tkinter turtle curses _curses "
    "readline idlelib pdb bdb cmd doctest pydoc venv ensurepip",
    "the sandbox has no such system calls": "fcntl mmap pwd grp resource termios tty syslog "
    "dbm _dbm _gdbm mailbox",
}
REASONS = {name: reason for reason, names in ABSENT.items() for name in names.split()}


class Finder:
    """The last finder of sys.meta_path: gives a missing module its reason.

    A module of that name that the function brings along is found before.
    """

    @staticmethod
    def find_spec(name, path=None, target=None):
        reason = REASONS.get(name)
        if reason is None:
            return None
        raise ModuleNotFoundError(f"No module named '{name}': {reason}", name=name)


def install():
    sys.meta_path.append(Finder)
    # Shared libraries are not modules: what falls back to Python code then does, and
    # what does not is explained by for_import.
    sys.path_hooks[-1] = machinery.FileFinder.path_hook(
        (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )
    sys.path_importer_cache.clear()


def for_import(error, folder):
    """Returns what to add to the message of an ImportError, or ""."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        name = getattr(error, "name", None)
        if isinstance(error, ImportError) and name and name not in REASONS:
            library = native_library(name, folder)
            if library:
                return (
                    f". The code holds the C extension {library}, and C extensions cannot be "
                    "loaded here: use a pure-Python package instead"
                )
        error = error.__cause__ or error.__context__
    return ""


def native_library(name, folder):
    """Returns the shared library of module name in the function's code, or None."""
    package, _, module = name.rpartition(".")
    for base in (package.replace(".", "/"), name.replace(".", "/"), name.partition(".")[0]):
        try:
            files = sorted(os.listdir(os.path.join(folder, base)))
        except OSError:
            continue
        libraries = [f for f in files if f.endswith((".so", ".pyd"))]
        exact = [f for f in libraries if f.partition(".")[0] == module]
        if exact:
            return os.path.join(base, exact[0])
        if libraries and base:
            return os.path.join(base, libraries[0])
    return None


def for_reply(message):
    if "coroutine" in message:
        return (
            ". The handler is async, and AWS Lambda awaits no coroutine either: "
            "write def lambda_handler(event, context): return asyncio.run(main(event))"
        )
    return ""
