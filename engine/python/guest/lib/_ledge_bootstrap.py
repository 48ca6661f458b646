"""What the runtime does in Python: starting, logging, loading a handler.

The exports in runtime.c call start, load and restored. An event that
succeeds runs nothing of this module but Context.__init__.

Names, messages and formats are those of AWS Lambda's runtime interface client
for Python (awslambdaric), so that what people know about it holds here.
"""

import builtins
import gc
import importlib
import json
import json.decoder
import json.encoder
import logging
import os
import posix
import sys
import time
from _json import encode_basestring as quote
from _json import make_encoder, make_scanner

import _ledge
import _sitebuiltins

import _ledge_hints as hints
from _ledge_errors import Fault, describe
import snapshot_restore_py as hooks

TASK = "/var/task"
LAYERS = ["/opt/python/lib/python3.13/site-packages", "/opt/python"]

# What nearly every handler imports, and what many do. They are part of the base
# image: importing them in a function costs a look into sys.modules.
PRELOADED = """
    abc base64 binascii bisect calendar collections.abc contextlib copy csv
    dataclasses datetime decimal enum functools hashlib heapq hmac http
    inspect io itertools math numbers operator pathlib re string struct textwrap
    threading types typing unicodedata urllib.parse uuid warnings weakref zlib
    zoneinfo asyncio ledge
""".split()


# ---- the context object


class CognitoIdentity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self):
        self.cognito_identity_id = None
        self.cognito_identity_pool_id = None

    def __repr__(self):
        return "CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None])"


class Context:
    """The second argument of a handler. load sets what is the same for all."""

    function_name = function_version = invoked_function_arn = None
    memory_limit_in_mb = log_group_name = log_stream_name = None

    def __init__(self, request_id):
        self.aws_request_id = request_id
        self.client_context = None
        self.identity = CognitoIdentity()

    def get_remaining_time_in_millis(self):
        return _ledge.remaining()

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        names = (
            "aws_request_id log_group_name log_stream_name function_name memory_limit_in_mb "
            "function_version invoked_function_arn client_context identity"
        ).split()
        return "LambdaContext([%s])" % ",".join("%s=%s" % (n, getattr(self, n)) for n in names)


Context.__name__ = Context.__qualname__ = "LambdaContext"


class Client:
    """The application that invoked, as AWS's mobile SDKs describe it."""

    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

    def __init__(self, members):
        for name in self.__slots__:
            setattr(self, name, members.get(name))

    def __repr__(self):
        return "Client([%s])" % ",".join("%s=%s" % (n, getattr(self, n)) for n in self.__slots__)


class ClientContext:
    __slots__ = ("custom", "env", "client")

    def __init__(self, members):
        self.custom = members.get("custom")
        self.env = members.get("env")
        client = members.get("client")
        self.client = Client(client) if isinstance(client, dict) else client

    def __repr__(self):
        return f"ClientContext([custom={self.custom},env={self.env},client={self.client}])"


def detailed(request_id, details):
    """The context of an Invocation by an alias, or with a client context."""
    context = Context(request_id)
    context.invoked_function_arn, _, client = details.partition("\n")
    if client:
        context.client_context = ClientContext(json.loads(client))
    return context


# ---- JSON as awslambdaric reads and writes it


class Raw(str):
    """Text that the slow encoder writes as it is: a number of any precision."""

    __slots__ = ()


class NeedsRaw(Exception):
    """The C encoder met a value for which only the slow encoder has a form."""


def encode_other(value):
    if isinstance(value, bytes):
        return value.decode("utf-8")
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        raise NeedsRaw
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def encode_other_slowly(value):
    try:
        return encode_other(value)
    except NeedsRaw:
        return float("nan") if value.is_nan() else Raw(value)


def quote_or_raw(text):
    return str.__str__(text) if type(text) is Raw else quote(text)


# The containers that the C encoder is in, to notice one that is inside itself, and
# named tuples, which it takes for lists.
open_containers = {}
_ledge.watch(open_containers)


def new_encoder(other, quote, circular):
    # markers, default, encoder, indent, key_separator, item_separator, sort_keys,
    # skipkeys, allow_nan
    return make_encoder(circular, other, quote, None, ": ", ", ", False, False, True)


def encode_slowly(value):
    """Encodes what the C encoder could not, or raises what tells why."""
    open_containers.clear()  # it leaves them there when it fails
    text = encode_with(quote_or_raw, value)
    if _ledge.met_named_tuple():
        value = without_named_tuples(value)
        text = encode_with(quote_or_raw, value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair: JSON can say it, UTF-8 cannot
        text = encode_with(quote_ascii_or_raw, value)
    return text


def encode_with(quote, value):
    return "".join(new_encoder(encode_other_slowly, quote, open_containers)(value, 0))


def without_named_tuples(value):
    """Copies a value that was encoded before: it has no cycles and is not too deep."""
    if isinstance(value, tuple) and callable(getattr(value, "_asdict", None)):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: without_named_tuples(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_named_tuples(item) for item in value]
    return value


def quote_ascii_or_raw(text):
    if type(text) is Raw:
        return str.__str__(text)
    return json.encoder.encode_basestring_ascii(text)


# ---- logging


class Handler(logging.Handler):
    """Writes records to the function's log, each with its request ID."""

    def emit(self, record):
        try:
            sys.stdout.write(self.format(record))
        except Exception:
            self.handleError(record)


NO_REQUEST = "00000000-0000-0000-0000-000000000000"


def with_request_id(record):
    request = _ledge.request()
    record.aws_request_id = "" if request == NO_REQUEST else request
    return True


def start_logging():
    logging.Formatter.converter = time.gmtime
    handler = Handler()
    handler.setFormatter(
        logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
            "%Y-%m-%dT%H:%M:%S",
        )
    )
    handler.addFilter(with_request_id)
    logging.getLogger().addHandler(handler)


# ---- start: what the base image holds


def start():
    for stream in (sys.stdout, sys.stderr):
        # A line is in the log when it is complete, even if the function is then
        # stopped at its timeout.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    _ledge.bind("stdout", sys.stdout)
    _ledge.bind("stderr", sys.stderr)
    leave_by_exception()
    start_logging()
    sys.path[:0] = [TASK, *LAYERS]
    sys.argv = ["/var/runtime/bootstrap.py"]
    hints.install()
    import _ledge_asyncio  # makes asyncio importable
    import _ledge_pbkdf2  # completes hashlib

    before = set(sys.modules)
    for name in PRELOADED:
        importlib.import_module(name)
    rehearse()
    global replaceable
    replaceable = (set(sys.modules) - before) - set(sys.builtin_module_names)

    _ledge.bind("load", load)
    _ledge.bind("describe", describe)
    _ledge.bind("context", Context)
    _ledge.bind("detailed", detailed)
    _ledge.bind("scan", make_scanner(json.decoder.JSONDecoder()))
    _ledge.bind("decode_slowly", json.loads)
    _ledge.bind("encode", new_encoder(encode_other, quote, open_containers))
    _ledge.bind("encode_slowly", encode_slowly)
    for folder in (TASK, *LAYERS):  # what is known of them: that they are empty
        sys.path_importer_cache.pop(folder, None)
    gc.collect()
    _ledge.settle(all_types())
    gc.freeze()


def rehearse():
    """Does what most handlers do: CPython adapts code to what it is used for, and
    what has been adapted is not written to again."""
    event = '{"headers": {"host": "a"}, "path": ["b"], "n": -1.5e3, "body": "{\\"a\\": [1]}"}'
    record = logging.LogRecord("root", logging.INFO, "", 1, "%s", ("a",), None)
    handler = logging.getLogger().handlers[0]
    decimal = importlib.import_module("decimal")
    for turn in range(100):
        value = json.loads(event)
        context = Context(str(turn))
        body = json.loads(value["body"].encode())
        json.dumps({"a": body, "b": context.aws_request_id, "c": [turn, 1.5, None, True, "ä"]})
        json.dumps([body], indent=1, default=str)
        encode_slowly({"a": body, "b": decimal.Decimal("1.5")})
        with_request_id(record)
        handler.format(record)
        os.environ.get("TZ")
        sys.stdout.flush()


def all_types():
    types = [object]
    for kind in types:  # which grows
        types += (k for k in type.__subclasses__(kind) if k not in types)
    return types


class Exit(SystemExit):
    """os._exit and os.abort. It cannot be told from sys.exit by what it does."""


def leave_by_exception():
    def _exit(status):
        raise Exit(status)

    def abort():
        raise Exit(134)

    for name in ("exit", "quit"):  # which the module site would add
        setattr(builtins, name, _sitebuiltins.Quitter(name, ""))
    os._exit = posix._exit = _exit
    os.abort = posix.abort = abort


# ---- load: what a function's Snapshot holds


def load(request):
    request = json.loads(request)
    read_environment()
    Context.function_name = request["function"]
    Context.function_version = request["version"]
    Context.invoked_function_arn = request["arn"]
    Context.memory_limit_in_mb = str(request["memory"])
    Context.log_group_name = request["log_group"]
    Context.log_stream_name = request["log_stream"]
    os.chdir(TASK)
    for folder in (TASK, *LAYERS):
        give_way(folder)
    set_log_level()
    handler = find_handler(request["handler"])
    hooks.run_before_snapshot()
    _ledge.bind("handler", handler)
    if not sys.modules.keys().isdisjoint(("random", "tempfile")) or hooks.after_restore:
        _ledge.bind("restored", restored)
    settle()


def read_environment():
    values = _ledge.environment()
    os.environ._data.clear()
    os.environ._data.update(values)
    posix.environ.clear()
    posix.environ.update(values)


def set_log_level():
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = {"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "CRITICAL"}.get(level, level)
    if level in logging.getLevelNamesMapping():
        logging.getLogger().setLevel(level)


def give_way(folder):
    """Forgets preloaded modules of whose name the function has its own.

    On AWS Lambda /var/task and the layers come before the standard library, and a
    function may have a queue.py or a calendar.py.
    """
    try:
        names = {name.removesuffix(".py") for name in os.listdir(folder)}
    except OSError:
        return
    for name in names & {name.partition(".")[0] for name in replaceable}:
        for module in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
            del sys.modules[module]


def find_handler(handler):
    module_name, dot, function_name = handler.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1); "
            "a handler is named file.function, as in app.lambda_handler",
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module_name} as a handler module",
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault(
            "Runtime.ImportModuleError",
            f"Unable to import module '{module_name}': {error}{hints.for_import(error, TASK)}",
        ) from None
    except SyntaxError as error:
        raise Fault(
            "Runtime.UserCodeSyntaxError",
            f"Syntax error in module '{module_name}': {error}",
            ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)],
        ) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound",
            f"Handler '{function_name}' missing on module '{module_name}'",
        ) from None


def settle():
    """Leaves memory so that an Invocation writes to few pages of it."""
    linecache = sys.modules.get("linecache")
    if linecache is not None:
        linecache.clearcache()
    gc.collect()
    _ledge.settle(None)
    gc.freeze()


def restored():
    random = sys.modules.get("random")
    if random is not None and hasattr(random, "_inst"):
        random._inst.seed()
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile._name_sequence = None  # a generator of its own
    hooks.run_after_restore()
