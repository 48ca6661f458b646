"""What a function may ask of the appliance it runs on.

Each call needs the function's permission; PermissionDenied says which setting
gives it.
"""

import json as _json

import _ledge

__all__ = "kv publish invoke http log Response Error PermissionDenied Unavailable LimitExceeded HTTPError InvokeError InvalidRequest".split()


class Error(Exception):
    """The base of all errors of this module."""


class PermissionDenied(Error):
    """The function's settings do not allow the call."""


class Unavailable(Error):
    """This node has no such service."""


class LimitExceeded(Error):
    """A value, a request or a rate is over its limit."""


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
    for kind in (PermissionDenied, Unavailable, LimitExceeded, HTTPError, InvokeError, InvalidRequest)
}

_DONE, _ABSENT = 0, 1


def _call(op, head, body=b""):
    status, head, body = _ledge.call(op, _json.dumps(head), body)
    if status in (_DONE, _ABSENT):
        return status, head, body
    failure = _json.loads(head)
    kind = _ERRORS.get(failure["type"], Error)
    if kind is InvokeError:
        raise InvokeError(
            failure["message"], failure.get("errorType", ""), failure.get("errorMessage", "")
        )
    raise kind(failure["message"])


def _bytes(value):
    if isinstance(value, str):
        return value.encode("utf-8")
    return value


class _KV:
    """The function's key-value store. Keys are str, values bytes."""

    __slots__ = ()

    def get(self, key, default=None):
        status, _, value = _call(1, {"key": key})
        return default if status == _ABSENT else value

    def get_text(self, key, default=None):
        value = self.get(key)
        return default if value is None else value.decode("utf-8")

    def get_json(self, key, default=None):
        value = self.get(key)
        return default if value is None else _json.loads(value)

    def put(self, key, value):
        """Stores value: bytes, or str as UTF-8."""
        _call(2, {"key": key}, _bytes(value))

    def put_json(self, key, value):
        self.put(key, _json.dumps(value))

    def delete(self, key):
        """Removes key; it is no error when it is not there."""
        _call(3, {"key": key})

    def list(self, prefix="", limit=None):
        """Yields the keys that begin with prefix, in order, at most limit of them."""
        after = ""
        while limit is None or limit > 0:
            page = 1000 if limit is None else min(limit, 1000)
            _, head, _ = _call(4, {"prefix": prefix, "after": after, "limit": page})
            reply = _json.loads(head)
            yield from reply["keys"]
            if not reply["more"] or not reply["keys"]:
                return
            after = reply["keys"][-1]
            if limit is not None:
                limit -= len(reply["keys"])

    def compare_and_set(self, key, expected, value):
        """Stores value if the key holds expected, or if expected is None and there is no key.

        Returns whether it did.
        """
        old = b"" if expected is None else bytes(_bytes(expected))
        head = {"key": key, "expected": len(old), "absent": expected is None}
        status, _, _ = _call(5, head, old + bytes(_bytes(value)))
        return status == _DONE


kv = _KV()


def publish(topic, payload, qos=0):
    """Publishes payload (bytes, or str as UTF-8) to an MQTT topic."""
    _call(6, {"topic": topic, "qos": qos}, _bytes(payload))


def invoke(function, event, qualifier=None):
    """Invokes another function of this node and returns its decoded reply."""
    head = {"function": function, "qualifier": qualifier or ""}
    _, _, reply = _call(7, head, _json.dumps(event).encode("utf-8"))
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
    head = {"method": method, "url": url, "headers": dict(headers or {})}
    _, head, reply = _call(8, head, b"" if body is None else _bytes(body))
    head = _json.loads(head)
    return Response(head["status"], head.get("headers") or {}, reply)


def log(message, level="INFO"):
    """Writes a line to the function's log. level is TRACE, DEBUG, INFO, WARN or ERROR."""
    _call(9, {"level": level}, str(message).encode("utf-8", "backslashreplace"))
