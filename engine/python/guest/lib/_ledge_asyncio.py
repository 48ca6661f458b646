"""Makes asyncio work without sockets: an event loop that only waits for time.

asyncio imports socket, which a function has no use for; so do logging.handlers
and logging.config, whose other parts many do use. While these are imported
stand-ins take its place; afterwards a function that imports socket is told that
there is none.
"""

import sys
import time
import types


class Absent(type):
    """A class for any name that asyncio asks of a stand-in while it is imported."""


def stand_in(name):
    module = types.ModuleType(name)
    module.__file__ = "<ledge>"
    module.__getattr__ = lambda attribute: absent(name, attribute)
    return module


def absent(module, attribute):
    if attribute.startswith("__") or attribute in ("AF_INET6", "AF_UNIX", "TCP_NODELAY"):
        raise AttributeError(attribute)
    return Absent(attribute, (OSError,), {"__module__": module})


def import_with_stand_ins():
    names = ("socket", "ssl", "socketserver")
    for name in names:
        sys.modules[name] = stand_in(name)
    try:
        import asyncio
        import logging.config
        import logging.handlers
    finally:
        for name in names:
            del sys.modules[name]
    return asyncio


asyncio = import_with_stand_ins()


class Clock:
    """Stands where other loops have a selector: it only lets time pass."""

    def select(self, timeout):
        if timeout is None:
            raise RuntimeError(
                "the event loop waits for something that can never happen: "
                "nothing is scheduled, and there are no sockets or threads"
            )
        if timeout > 0:
            time.sleep(timeout)
        return ()


class EventLoop(asyncio.BaseEventLoop):
    def __init__(self):
        super().__init__()
        self._selector = Clock()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass

    def run_in_executor(self, executor, func, *args):
        """Calls func at once: there are no threads."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class EventLoopPolicy(asyncio.events.BaseDefaultEventLoopPolicy):
    _loop_factory = EventLoop


asyncio.EventLoop = EventLoop
asyncio.SelectorEventLoop = EventLoop
asyncio.DefaultEventLoopPolicy = EventLoopPolicy
asyncio.set_event_loop_policy(EventLoopPolicy())
