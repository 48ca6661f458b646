# Holds an instance for a moment, so that requests at the same time need several.
import json
import time


def handler(event, context):
    time.sleep(0.3)
    return json.dumps({"n": 1})
