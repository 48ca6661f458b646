"""What a function may ask of the appliance it runs on.

Each call needs the function's permission; PermissionDenied says which setting
gives it.
"""

import json as _json

import _ledge

__all__ = "kv publish invoke http log Item Response Error PermissionDenied Unavailable LimitExceeded ConditionFailed HTTPError InvokeError InvalidRequest".split()


class Error(Exception):
    """The base of all errors of this module."""


class PermissionDenied(Error):
    """The function's settings do not allow the call."""


class Unavailable(Error):
    """This node has no such service."""


class LimitExceeded(Error):
    """A value, a request or a rate is over its limit."""


class ConditionFailed(Error):
    """A condition of a transaction did not hold, that of the write at index; nothing was written."""

    def __init__(self, message, index=0):
        super().__init__(message)
        self.index = index


class HTTPError(Error):
    """There was no response: no connection, no such host, or no time left."""


class InvokeError(Error):
    """The invoked function failed: error_type and error_message are its own."""

    def __init__(self, message, error_type="", error_message=""):
        super().__init__(message)
        self.error_type = error_type
        self.error_message = error_message


class InvalidRequest(Error):
    """An argument is not what the call takes."""


_ERRORS = {
    kind.__name__: kind
    for kind in (PermissionDenied, Unavailable, LimitExceeded, ConditionFailed, HTTPError, InvokeError, InvalidRequest)
}

_DONE, _ABSENT = 0, 1
_KV_GET, _KV_LIST, _KV_WRITE, _PUBLISH, _INVOKE, _HTTP, _LOG = range(1, 8)


def _call(op, head, body=b""):
    status, head, body = _ledge.call(op, _json.dumps(head, allow_nan=False), body)
    if status in (_DONE, _ABSENT):
        return status, head, body
    failure = _json.loads(head)
    kind = _ERRORS.get(failure["type"], Error)
    if kind is InvokeError:
        raise InvokeError(
            failure["message"], failure.get("errorType", ""), failure.get("errorMessage", "")
        )
    if kind is ConditionFailed:
        raise ConditionFailed(failure["message"], failure.get("index", 0))
    raise kind(failure["message"])


def _bytes(value, what, instead="json.dumps"):
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes):
        return value
    try:
        return bytes(memoryview(value))
    except TypeError:
        kind = type(value).__name__
        raise InvalidRequest(f"{what} is {kind}, and not bytes or str; make it one, for example with {instead}") from None


def _key(key, what="the key"):
    if not isinstance(key, str):
        raise InvalidRequest(f"{what} is {type(key).__name__}, and not str")
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidRequest(f"{what} has half of a character") from None
    return key


class Item:
    """A key and what it holds.

    value is bytes; sequence is the number of the write that made it so, which grows
    with every write to the bucket; modified and expires are datetimes, or None.
    """

    __slots__ = ("key", "value", "sequence", "_modified", "_expires")

    def __init__(self, key, value, head):
        self.key = key
        self.value = value
        self.sequence = head["sequence"]
        self._modified = head["modified"]
        self._expires = head["expires"]

    @property
    def modified(self):
        return _time(self._modified)

    @property
    def expires(self):
        return _time(self._expires)

    def text(self, encoding="utf-8"):
        return self.value.decode(encoding)

    def json(self):
        return _json.loads(self.value)

    def __repr__(self):
        return f"<ledge.Item {self.key!r}, {len(self.value)} bytes, sequence {self.sequence}>"


def _time(milliseconds):
    if not milliseconds:
        return None
    import datetime

    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)


# What a write of a transaction may have, beside its key and values, and how the node
# calls it.
_OPTIONS = {"bucket": "bucket", "by": "by", "ttl": "ttl", "if_absent": "ifAbsent", "if_present": "ifPresent", "if_sequence": "ifSequence"}
_KINDS = ("put", "delete", "increment", "check")
_ALWAYS = object()  # None would be taken for no condition where it is a mistake
_PLAIN = (bool, int, float, str)  # of which JSON is made; the node says what is wrong with others


class _KV:
    """A bucket of keys and values. Keys are str, values bytes.

    kv is the function's own bucket, kv.bucket(name) one that functions share. ttl is
    in seconds: a key that is not written again within it goes.
    """

    __slots__ = ("_bucket",)

    def __init__(self, bucket=""):
        self._bucket = bucket

    def bucket(self, name):
        """The shared bucket of that name, which the function must be allowed to use."""
        if not name or not isinstance(name, str):
            raise InvalidRequest("the name of a bucket is a str that is not empty")
        return _KV(name)

    def get(self, key, default=None):
        status, _, value = _call(_KV_GET, {"bucket": self._bucket, "key": _key(key)})
        return default if status == _ABSENT else value

    def get_text(self, key, default=None):
        value = self.get(key)
        return default if value is None else value.decode("utf-8")

    def get_json(self, key, default=None):
        value = self.get(key)
        return default if value is None else _json.loads(value)

    def get_item(self, key):
        """The Item of a key: its value, sequence, modified and expires. None if there is none."""
        status, head, value = _call(_KV_GET, {"bucket": self._bucket, "key": _key(key), "item": True})
        return None if status == _ABSENT else Item(key, value, _json.loads(head))

    def put(self, key, value, ttl=None, *, if_absent=False, if_present=False, if_sequence=_ALWAYS):
        """Stores value: bytes, or str as UTF-8. Returns the sequence of the write.

        With a condition, which is that there is no such key, that there is one, or that
        it has that sequence still (0: there is none), returns None where that does not hold.
        """
        write = {"put": key, "value": value, "ttl": ttl, "if_absent": if_absent, "if_present": if_present}
        if if_sequence is not _ALWAYS:
            write["if_sequence"] = if_sequence
        written = self._one(write)
        return written and written["sequence"]

    def put_json(self, key, value, ttl=None, **conditions):
        return self.put(key, _json.dumps(value), ttl, **conditions)

    def delete(self, key, *, if_sequence=_ALWAYS):
        """Removes key; it is no error when it is not there. Returns whether it was removed."""
        write = {"delete": key}
        if if_sequence is not _ALWAYS:
            write["if_sequence"] = if_sequence
        written = self._one(write)
        return written is not None and written["existed"]

    def increment(self, key, by=1, ttl=None):
        """Adds by to the number that key holds, 0 if there is no such key, and returns the sum.

        The value is the number in decimal digits. A key keeps the ttl that it was made with.
        """
        return int(self._one({"increment": key, "by": by, "ttl": ttl})["value"])

    def compare_and_set(self, key, expected, value, ttl=None):
        """Stores value if the key holds expected, or if expected is None and there is no key.

        Returns whether it did.
        """
        write = {"put": key, "value": value, "ttl": ttl}
        if expected is None:
            write["if_absent"] = True
        else:
            write["if_value"] = expected
        return self._one(write) is not None

    def transact(self, writes):
        """Does all writes or none of them, and returns a list of {"sequence", "existed"}.

        A write is a dict: {"put": key, "value": value, "ttl": seconds}, {"delete": key},
        {"increment": key, "by": 1}, whose result has "value" too, or {"check": key}, which
        changes nothing. Each may have a "bucket" and one condition: "if_absent": True,
        "if_present": True, "if_value": value or "if_sequence": number. Raises
        ConditionFailed where one does not hold. A transaction has at most 100 writes, and a
        key once.
        """
        results = self._write([dict(write) for write in writes])
        for result in results:
            if "value" in result:
                result["value"] = int(result["value"])
        return results

    def list(self, prefix="", limit=None, *, start="", end="", after="", reverse=False):
        """Yields the keys that begin with prefix, in order, at most limit of them.

        start is the first key, end the first beyond; after is a key from which to go on.
        """
        for page, _ in self._pages(False, prefix, limit, start, end, after, reverse):
            yield from page["keys"]

    def items(self, prefix="", limit=None, *, start="", end="", after="", reverse=False):
        """Yields an Item for each key that list would."""
        for page, values in self._pages(True, prefix, limit, start, end, after, reverse):
            at = 0
            for head in page["items"]:
                yield Item(head["key"], values[at : at + head["size"]], head)
                at += head["size"]

    def _pages(self, items, prefix, limit, start, end, after, reverse):
        head = {
            "bucket": self._bucket, "prefix": _key(prefix, "prefix"), "start": _key(start, "start"),
            "end": _key(end, "end"), "after": _key(after, "after"), "reverse": bool(reverse), "items": items,
        }
        while limit is None or limit > 0:
            head["limit"] = 1000 if limit is None else min(limit, 1000)
            _, reply, values = _call(_KV_LIST, head)
            page = _json.loads(reply)
            yield page, values
            if not page["more"]:
                return
            head["next"] = page["next"]
            if limit is not None:
                limit -= len(page["items" if items else "keys"])

    def _one(self, write):
        """What became of a write, or None where its condition did not hold."""
        try:
            return self._write([write])[0]
        except ConditionFailed:
            return None

    def _write(self, writes):
        heads, body = [], []
        for write in writes:
            head = {"bucket": self._bucket}
            for kind in _KINDS:
                if kind in write:
                    head[kind] = _key(write.pop(kind))
            for name, size in (("value", "size"), ("if_value", "ifSize")):
                if name in write:
                    value = _bytes(write.pop(name), name, "put_json" if name == "value" else "json.dumps")
                    head[size] = len(value)
                    body.append(value)
            for name, value in write.items():
                if name not in _OPTIONS:
                    raise InvalidRequest(f"a write has no {name!r}")
                if name == "if_sequence" and value is None:
                    raise InvalidRequest("if_sequence is None: it is 0 for a key that is not there")
                if value is not None and value is not False:
                    head[_OPTIONS[name]] = value if isinstance(value, _PLAIN) else str(value)
            heads.append(head)
        _, reply, _ = _call(_KV_WRITE, {"writes": heads}, b"".join(body))
        return _json.loads(reply)["written"]


kv = _KV()


def publish(topic, payload, qos=0):
    """Publishes payload (bytes, or str as UTF-8) to an MQTT topic."""
    _call(_PUBLISH, {"topic": topic, "qos": qos}, _bytes(payload, "the payload"))


def invoke(function, event, qualifier=None, *, asynchronous=False):
    """Invokes another function of this node and returns its decoded reply.

    asynchronous leaves the event for it instead, and returns the request ID once the
    event is on disk: the function then runs at least once, or the event is a dead letter.
    """
    head = {"function": function, "qualifier": qualifier or "", "async": bool(asynchronous)}
    _, _, reply = _call(_INVOKE, head, _json.dumps(event).encode("utf-8"))
    if asynchronous:
        return reply.decode("ascii")
    return _json.loads(reply) if reply else None


class Response:
    """The response to http: status, headers (names in lower case) and body (bytes)."""

    __slots__ = ("status", "headers", "all_headers", "body")

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name: ", ".join(values) for name, values in headers.items()}
        self.all_headers = headers
        self.body = body

    def text(self, encoding="utf-8"):
        return self.body.decode(encoding)

    def json(self):
        return _json.loads(self.body)

    def __repr__(self):
        return f"<ledge.Response {self.status}, {len(self.body)} bytes>"


def http(method, url, headers=None, body=None):
    """Sends a request and returns its Response, whatever the status is."""
    headers = {name: str(value) for name, value in dict(headers or {}).items()}
    head = {"method": method, "url": url, "headers": headers}
    _, head, reply = _call(_HTTP, head, b"" if body is None else _bytes(body, "the body"))
    head = _json.loads(head)
    return Response(head["status"], head.get("headers") or {}, reply)


def log(message, level="INFO"):
    """Writes a line to the function's log. level is TRACE, DEBUG, INFO, WARN or ERROR."""
    _call(_LOG, {"level": level}, str(message).encode("utf-8", "backslashreplace"))
