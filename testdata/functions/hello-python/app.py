"""Greets, and counts its greetings: an ordinary AWS Lambda handler, and the
node's key-value store.

What it shows:
  - the event of an HTTP request, in API Gateway's payload format 2.0, and the
    reply in the same format;
  - code of the module, which runs once, at deploy: every instance is restored
    from what it left in memory;
  - ledge.kv, which outlives instances and power cuts, and a counter in it that
    loses no count when two instances count at a time;
  - print, which goes to the function's log.

    ledge deploy hello-python app.py --route 'GET /hello-python/{name}'
    curl localhost:8080/hello-python/Ada
"""

import json
import os

import ledge

GREETING = os.environ.get("GREETING", "Hello")


def count(key):
    """Adds one to a number in the store and returns it."""
    while True:
        before = ledge.kv.get(key)
        now = int(before or 0) + 1
        if ledge.kv.compare_and_set(key, before, str(now)):
            return now


def lambda_handler(event, context):
    name = (event.get("pathParameters") or {}).get("name", "world")
    greetings = count("greetings")
    print(f"greeting {greetings} is for {name}")
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"message": f"{GREETING} {name}", "greetings": greetings}),
    }
