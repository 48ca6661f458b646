"""The error objects of calls that failed, as AWS Lambda's runtime describes them.

A function may have replaced what it likes, json.dumps or even builtins.str, and its
error must be told all the same. So this module has builtins of its own, and uses
nothing of other modules that it has not taken when it was imported.
"""

import builtins

__builtins__ = vars(builtins).copy()  # of the functions below

import linecache
import sys
from _json import encode_basestring_ascii as quote
from collections import deque

import _ledge

import _ledge_hints

explain_reply = _ledge_hints.for_reply
get_line = linecache.getline
get_request = _ledge.request

# What is longer is cut: the engine takes error objects up to 1 MiB, and a character
# may be 12 bytes of JSON.
MAX_TYPE = 500
MAX_MESSAGE = 32 << 10
MAX_FRAME = 2000
FIRST_FRAMES, LAST_FRAMES = 50, 150
MAX_TRACE = 100 << 10

LIBRARY = ("<frozen", "/usr/lib/ledge/")


class Fault(Exception):
    """An error with the type and message that are to be shown."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = list(trace)


def describe(error, phase):
    """Returns the error object of a call, as JSON, and writes it to the log."""
    request = get_request() if phase in ("unmarshal", "invoke", "marshal") else ""
    kind, message, trace = explain(error, phase)
    kind, message = shorten(kind, MAX_TYPE), shorten(message, MAX_MESSAGE)
    if request:
        log_error(kind, message, trace)
    # Not to hold the frames, and with them the event, until the next event.
    clear_frames(error.__traceback__)
    return '{"errorMessage": %s, "errorType": %s, "requestId": %s, "stackTrace": [%s]}' % (
        quote(message), quote(kind), quote(request), ", ".join(map(quote, trace)),
    )


def explain(error, phase):
    if phase == "unmarshal" and not isinstance(error, MemoryError):
        return "Runtime.UnmarshalError", f"Unable to unmarshal input: {message_of(error)}", []
    if phase == "marshal" and not isinstance(error, MemoryError):
        message = message_of(error)
        return "Runtime.MarshalError", f"Unable to marshal response: {message}{explain_reply(message)}", []
    if isinstance(error, Fault):
        return error.kind, error.message, error.trace
    if isinstance(error, SystemExit):
        status = exit_status(error.code)
        if isinstance(error.code, str):
            try:
                print(shorten(error.code, MAX_MESSAGE), file=sys.stderr)
            except Exception:
                pass  # the function has replaced sys.stderr
        return "Runtime.ExitError", f"Runtime exited with error: exit status {status}", []
    return type(error).__name__, message_of(error), trace_of(error)


def message_of(error):
    try:
        return str(error)
    except Exception:
        return f"<{type(error).__name__} whose __str__ fails>"


def shorten(text, most):
    if len(text) <= most:
        return text
    return f"{text[:most]}... ({len(text) - most} more characters)"


def exit_status(code):
    if code is None:
        return 0
    return code & 255 if isinstance(code, int) else 1


def trace_of(error):
    """The frames of the function's own code, formatted as Lambda does.

    Those of the library have no source lines to show, and are left out.
    """
    first, last, count = [], deque(maxlen=LAST_FRAMES), 0
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        if not code.co_filename.startswith(LIBRARY):
            (first if count < FIRST_FRAMES else last).append((code, at.tb_lineno))
            count += 1
        at = at.tb_next
    lines = [format_frame(*frame) for frame in first]
    left_out = count - len(first) - len(last)
    if left_out:
        lines.append(f"  [{left_out} more frames]\n")
    lines += (format_frame(*frame) for frame in last)
    return lines if sum(map(len, lines)) <= MAX_TRACE else lines[-1:]


def format_frame(code, number):
    text = f'  File "{code.co_filename}", line {number}, in {code.co_name}\n'
    try:
        line = get_line(code.co_filename, number or 0).strip()
    except Exception:
        line = ""
    if line:
        text += f"    {line}\n"
    return text if len(text) <= MAX_FRAME else shorten(text, MAX_FRAME) + "\n"


def clear_frames(traceback):
    while traceback is not None:
        try:
            traceback.tb_frame.clear()
        except RuntimeError:
            pass  # it runs still: a generator's
        traceback = traceback.tb_next


def log_error(kind, message, trace):
    lines = [f"[ERROR] {kind}: {message}" if message else f"[ERROR] {kind}"]
    if trace:
        lines.append("Traceback (most recent call last):")
        lines += (line.rstrip("\n") for line in trace)
    try:
        sys.stdout.write("\n".join(lines) + "\n")
    except Exception:
        pass  # the function has replaced sys.stdout; the error itself is told all the same
