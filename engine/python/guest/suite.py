"""A handler that runs CPython's own tests: an event is the name of a module.

The folder test, which CPython's sources have, must lie beside it.
"""

import io
import sys
import tempfile
import unittest

import test.support
from _ledge_asyncio import stand_in

# What the modules of tests import for a few tests that cannot pass here.
for name in "socket ssl socketserver http.client http.server wsgiref.simple_server".split():
    sys.modules[name] = stand_in(name)
sys.modules["socket"].AF_INET6 = 10
test.support.has_socket_support = True  # or all tests of asyncio are skipped


def in_memory(mode="w+b", buffering=-1, encoding=None, newline=None, **rest):
    if "b" in mode:
        return io.BytesIO()
    return io.TextIOWrapper(io.BytesIO(), encoding, newline=newline)


# There is nowhere to write. What is tested with a temporary file is another thing.
tempfile.TemporaryFile = in_memory


class Result(unittest.TestResult):
    passed = 0

    def addSuccess(self, test):
        self.passed += 1

    def addExpectedFailure(self, test, error):
        self.passed += 1

    def addUnexpectedSuccess(self, test):
        self.failures.append((test, "it is expected to fail, and passed"))


def name_of(test):
    """The name of a test, or of that which a subtest belongs to, without "test."."""
    return getattr(test, "test_case", test).id().removeprefix("test.")


def last_line(text):
    return text.strip().rpartition("\n")[2][:200]


def handler(module, context):
    result = Result()
    unittest.defaultTestLoader.loadTestsFromName("test." + module).run(result)
    failed = result.failures + result.errors
    return {
        "passed": result.passed,
        "failed": {name_of(test): last_line(text) for test, text in failed},
        "skipped": {name_of(test): reason for test, reason in result.skipped},
    }
