# The handler of the benchmark: parse the event, build a dict, return JSON.
import json


def handler(event, context):
    reading = json.loads(event["body"])
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({
            "sensor": reading["sensor"],
            "fahrenheit": reading["celsius"] * 9 / 5 + 32,
            "alarm": reading["celsius"] > 30,
            "tags": {name: len(name) for name in reading["tags"]},
        }),
    }
