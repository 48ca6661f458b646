"""What the tests share: clients of one node, zips, and HTTP requests to its gateway.

The environment is that of `eval "$(ledge keys create tests --env)"`, with
GATEWAY_URL besides.
"""

import io
import json
import os
import time
import unittest
import urllib.error
import urllib.request
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
GATEWAY = os.environ["GATEWAY_URL"]
REGION = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
ROLE = "arn:aws:iam::123456789012:role/lambda-ex"


def client(service):
    """A client as an application makes it; Debian's boto3 is older than AWS_ENDPOINT_URL."""
    config = Config(retries={"max_attempts": 1}, read_timeout=60)
    return boto3.client(service, endpoint_url=ENDPOINT, region_name=REGION, config=config)


def make_zip(files):
    """A zip of {name: text} as bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in files.items():
            z.writestr(name, text)
    return out.getvalue()


ECHO = make_zip({"app.py": """
import json, os

def handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    print("the event is", json.dumps(event))
    return {"event": event, "version": context.function_version, "arn": context.invoked_function_arn,
            "stage": os.environ.get("STAGE")}
"""})

WEB = make_zip({"app.py": """
import json

def handler(event, context):
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(event)}
"""})


def create(lambda_client, name, code=ECHO, **settings):
    """Creates a function, waits until it is active, and returns its ARN."""
    settings.setdefault("Runtime", "python3.12")
    settings.setdefault("Handler", "app.handler")
    reply = lambda_client.create_function(FunctionName=name, Role=ROLE, Code={"ZipFile": code}, **settings)
    lambda_client.get_waiter("function_active_v2").wait(FunctionName=name)
    return reply["FunctionArn"]


def invoke(lambda_client, name, event=None, **more):
    """The reply of Invoke with its payload decoded."""
    reply = lambda_client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **more)
    reply["Payload"] = json.loads(reply["Payload"].read() or "null")
    return reply


def http(path, host=None, method="GET", body=None, headers=None):
    """Status, headers and text of the gateway's answer."""
    request = urllib.request.Request(GATEWAY + path, data=body, method=method, headers=headers or {})
    if host:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.headers, reply.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read().decode()


def eventually(look, seconds=20):
    """Looks again and again until there is something; what happens in the background has no other sign."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"nothing after {seconds} s")


class Case(unittest.TestCase):
    """A test of errors too."""

    def assertRefused(self, code, call, **arguments):
        """The call must fail with that error; it is returned."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, caught.exception)
        self.assertTrue(error["Message"], "an error says why")
        return caught.exception


class LambdaCase(Case):
    """A test that creates functions, which go when it ends."""

    @classmethod
    def setUpClass(cls):
        cls.client = client("lambda")

    def create(self, name, code=ECHO, **settings):
        self.addCleanup(self.client.delete_function, FunctionName=name)
        return create(self.client, name, code, **settings)
