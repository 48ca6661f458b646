"""What a Lambda function has beside its code, with boto3
(https://docs.aws.amazon.com/lambda/latest/api/)."""

import json
import unittest

from botocore.exceptions import ClientError

import node


class Settings(node.LambdaCase):
    def test_concurrency(self):
        self.create("busy")
        self.assertNotIn("ReservedConcurrentExecutions", self.client.get_function_concurrency(FunctionName="busy"))
        self.assertEqual(self.client.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=0)["ReservedConcurrentExecutions"], 0)
        with self.assertRaises(self.client.exceptions.TooManyRequestsException) as caught:
            self.client.invoke(FunctionName="busy")
        self.assertEqual(caught.exception.response["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")
        self.client.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=2)
        self.assertEqual(self.client.get_function(FunctionName="busy")["Concurrency"], {"ReservedConcurrentExecutions": 2})
        self.assertEqual(node.invoke(self.client, "busy")["StatusCode"], 200)
        self.client.delete_function_concurrency(FunctionName="busy")
        self.assertNotIn("Concurrency", self.client.get_function(FunctionName="busy"))

    def test_provisioned_concurrency(self):
        self.create("ready", Publish=True)
        self.assertRefused("ProvisionedConcurrencyConfigNotFoundException", self.client.get_provisioned_concurrency_config,
                           FunctionName="ready", Qualifier="1")
        self.assertRefused("InvalidParameterValueException", self.client.put_provisioned_concurrency_config,
                           FunctionName="ready", Qualifier="$LATEST", ProvisionedConcurrentExecutions=1)
        put = self.client.put_provisioned_concurrency_config(FunctionName="ready", Qualifier="1", ProvisionedConcurrentExecutions=1)
        self.assertEqual((put["RequestedProvisionedConcurrentExecutions"], put["Status"] in ("IN_PROGRESS", "READY")), (1, True))
        node.eventually(lambda: self.client.get_provisioned_concurrency_config(FunctionName="ready", Qualifier="1")["Status"] == "READY")
        listed = self.client.list_provisioned_concurrency_configs(FunctionName="ready")["ProvisionedConcurrencyConfigs"]
        self.assertEqual(len(listed), 1)
        self.client.delete_provisioned_concurrency_config(FunctionName="ready", Qualifier="1")

    def test_event_invoke_config(self):
        self.create("retry")
        self.assertRefused("ResourceNotFoundException", self.client.get_function_event_invoke_config, FunctionName="retry")
        put = self.client.put_function_event_invoke_config(FunctionName="retry", MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60)
        self.assertEqual((put["MaximumRetryAttempts"], put["MaximumEventAgeInSeconds"]), (0, 60))
        updated = self.client.update_function_event_invoke_config(FunctionName="retry", MaximumRetryAttempts=1)
        self.assertEqual((updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]), (1, 60))
        self.assertEqual(len(self.client.list_function_event_invoke_configs(FunctionName="retry")["FunctionEventInvokeConfigs"]), 1)
        self.client.delete_function_event_invoke_config(FunctionName="retry")

    def test_destination(self):
        keeper = self.create("keeper", node.make_zip({"app.py": """
import json, ledge

def handler(event, context):
    if "requestContext" in event:
        ledge.kv.put("record", json.dumps(event))
    return json.loads(ledge.kv.get("record") or "null")
"""}))
        self.create("source")
        self.client.put_function_event_invoke_config(FunctionName="source", DestinationConfig={"OnSuccess": {"Destination": keeper}})
        self.client.invoke(FunctionName="source", InvocationType="Event", Payload=b'{"n": 1}')
        record = node.eventually(lambda: node.invoke(self.client, "keeper")["Payload"])
        self.assertEqual((record["version"], record["requestContext"]["condition"], record["requestPayload"]), ("1.0", "Success", {"n": 1}))
        self.assertEqual(record["responsePayload"]["event"], {"n": 1})

    def test_function_url(self):
        arn = self.create("page", node.WEB)
        url = self.client.create_function_url_config(FunctionName="page", AuthType="NONE", Cors={"AllowOrigins": ["https://a.example"]})
        self.assertEqual((url["FunctionArn"], url["AuthType"]), (arn, "NONE"))
        self.assertRefused("ResourceConflictException", self.client.create_function_url_config, FunctionName="page", AuthType="NONE")
        host = url["FunctionUrl"].split("//")[1].split("/")[0]
        status, headers, body = node.http("/some/path?x=1", host=host, headers={"Origin": "https://a.example"})
        event = json.loads(body)
        self.assertEqual((status, event["version"], event["rawPath"], event["rawQueryString"]), (200, "2.0", "/some/path", "x=1"))
        self.assertEqual(headers["Access-Control-Allow-Origin"], "https://a.example")
        self.assertEqual(node.http(f"/_aws/lambda-url/{host.split('.')[0]}/other")[0], 200)
        self.assertEqual(len(self.client.list_function_url_configs(FunctionName="page")["FunctionUrlConfigs"]), 1)
        self.client.update_function_url_config(FunctionName="page", AuthType="AWS_IAM")
        self.assertEqual(node.http("/", host=host)[0], 403)
        self.client.delete_function_url_config(FunctionName="page")
        self.assertRefused("ResourceNotFoundException", self.client.get_function_url_config, FunctionName="page")
        self.assertEqual(node.http(f"/_aws/lambda-url/{host.split('.')[0]}/")[0], 404)

    def test_layers(self):
        layer = node.make_zip({"python/greeting.py": "def hello(name): return 'Hello ' + name"})
        one = self.client.publish_layer_version(LayerName="greeting", Content={"ZipFile": layer}, CompatibleRuntimes=["python3.12"], Description="d")
        self.assertEqual((one["Version"], one["LayerVersionArn"]), (1, one["LayerArn"] + ":1"))
        self.addCleanup(self.client.delete_layer_version, LayerName="greeting", VersionNumber=2)
        code = node.make_zip({"app.py": "import greeting\ndef handler(event, context): return greeting.hello(event['name'])"})
        created = self.create("layered", code, Layers=[one["LayerVersionArn"]])
        self.assertTrue(created)
        self.assertEqual(node.invoke(self.client, "layered", {"name": "Ada"})["Payload"], "Hello Ada")
        two = self.client.publish_layer_version(LayerName="greeting", Content={"ZipFile": layer})
        self.assertEqual(two["Version"], 2)
        self.assertEqual(self.client.get_layer_version_by_arn(Arn=two["LayerVersionArn"])["Version"], 2)
        pages = self.client.get_paginator("list_layer_versions").paginate(LayerName="greeting", PaginationConfig={"PageSize": 1})
        self.assertEqual([v["Version"] for page in pages for v in page["LayerVersions"]], [2, 1])
        self.assertEqual([l["LayerName"] for l in self.client.list_layers()["Layers"]], ["greeting"])
        self.client.delete_layer_version(LayerName="greeting", VersionNumber=1)
        self.assertRefused("ResourceNotFoundException", self.client.get_layer_version, LayerName="greeting", VersionNumber=1)
        self.assertEqual(node.invoke(self.client, "layered", {"name": "Bo"})["Payload"], "Hello Bo", "functions keep what they have")
        got = self.client.get_function_configuration(FunctionName="layered")["Layers"]
        self.assertEqual([l["Arn"] for l in got], [one["LayerVersionArn"]])

    def test_event_source_mapping(self):
        self.create("feed")
        stream = f"arn:aws:dynamodb:{node.REGION}:000000000000:table/orders/stream/2026-11-23T00:00:00.000"
        made = self.client.create_event_source_mapping(FunctionName="feed", EventSourceArn=stream, StartingPosition="LATEST", BatchSize=10)
        self.addCleanup(self.client.delete_event_source_mapping, UUID=made["UUID"])
        self.assertEqual((made["EventSourceArn"], made["BatchSize"]), (stream, 10))
        self.assertNotEqual(made["State"], "Enabled", "the node has no feeds yet and must not say that it has")
        self.assertEqual(self.client.get_event_source_mapping(UUID=made["UUID"])["UUID"], made["UUID"])
        listed = self.client.get_paginator("list_event_source_mappings").paginate(FunctionName="feed")
        self.assertEqual([m["UUID"] for page in listed for m in page["EventSourceMappings"]], [made["UUID"]])
        with self.assertRaises(ClientError):
            self.client.create_event_source_mapping(FunctionName="feed", EventSourceArn="arn:aws:sqs:us-east-1:000000000000:queue")

    def test_what_the_node_has_not(self):
        self.assertRefused("NotImplementedException", self.client.list_code_signing_configs)


if __name__ == "__main__":
    unittest.main()
