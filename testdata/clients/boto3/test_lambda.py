"""AWS Lambda with boto3, as its reference describes it
(https://docs.aws.amazon.com/lambda/latest/api/)."""

import base64
import hashlib
import io
import json
import unittest
import urllib.error
import urllib.request
import zipfile

from botocore.exceptions import ClientError, WaiterError

import node


class Functions(node.LambdaCase):
    def test_create_get_update_delete(self):
        reply = self.client.create_function(
            FunctionName="life", Runtime="python3.12", Role=node.ROLE, Handler="app.handler", Description="a life",
            Code={"ZipFile": node.ECHO}, Timeout=7, MemorySize=192, Environment={"Variables": {"STAGE": "one"}},
            Architectures=["arm64"], Tags={"team": "edge"})
        self.assertEqual(reply["ResponseMetadata"]["HTTPStatusCode"], 201)
        self.assertEqual((reply["Timeout"], reply["MemorySize"], reply["Version"], reply["PackageType"], reply["Role"]),
                         (7, 192, "$LATEST", "Zip", node.ROLE))
        self.assertEqual(reply["Environment"], {"Variables": {"STAGE": "one"}})
        self.assertEqual(reply["CodeSha256"], base64.b64encode(hashlib.sha256(node.ECHO).digest()).decode())
        self.assertEqual(reply["CodeSize"], len(node.ECHO))
        self.client.get_waiter("function_exists").wait(FunctionName="life")
        self.client.get_waiter("function_active").wait(FunctionName="life")
        self.client.get_waiter("function_active_v2").wait(FunctionName="life")

        got = self.client.get_function(FunctionName=reply["FunctionArn"])
        self.assertEqual(got["Tags"], {"team": "edge"})
        self.assertEqual(got["Configuration"]["RevisionId"], self.client.get_function_configuration(FunctionName="life")["RevisionId"])
        self.assertEqual(node.invoke(self.client, "life")["Payload"]["stage"], "one")

        updated = self.client.update_function_configuration(FunctionName="life", Environment={"Variables": {"STAGE": "two"}})
        self.client.get_waiter("function_updated").wait(FunctionName="life")
        self.client.get_waiter("function_updated_v2").wait(FunctionName="life")
        self.assertNotEqual(updated["RevisionId"], reply["RevisionId"])
        self.assertEqual((updated["Timeout"], updated["Description"]), (7, "a life"), "what is not given stays")
        self.assertEqual(node.invoke(self.client, "life")["Payload"]["stage"], "two")
        self.assertRefused("PreconditionFailedException", self.client.update_function_code,
                           FunctionName="life", ZipFile=node.ECHO, RevisionId=reply["RevisionId"])
        dry = self.client.update_function_code(FunctionName="life", ZipFile=node.WEB, DryRun=True)
        self.assertEqual(dry["CodeSha256"], base64.b64encode(hashlib.sha256(node.WEB).digest()).decode())
        self.assertEqual(self.client.get_function_configuration(FunctionName="life")["CodeSha256"], reply["CodeSha256"])

        self.assertEqual(self.client.delete_function(FunctionName="life")["ResponseMetadata"]["HTTPStatusCode"], 204)
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException) as caught:
            self.client.get_function(FunctionName="life")
        self.assertIn("Function not found: arn:aws:lambda:", str(caught.exception))
        with self.assertRaises(WaiterError):
            self.client.get_waiter("function_active_v2").wait(FunctionName="life", WaiterConfig={"MaxAttempts": 1})

    def test_code_can_be_downloaded(self):
        self.create("download")
        location = self.client.get_function(FunctionName="download")["Code"]
        with urllib.request.urlopen(location["Location"], timeout=30) as reply:
            with zipfile.ZipFile(io.BytesIO(reply.read())) as z:
                self.assertEqual(z.namelist(), ["app.py"])
                self.assertIn(b"as asked", z.read("app.py"))

    def test_presigned_url(self):
        """A signed request as a link, which whoever has it can use until it expires."""
        self.create("link")
        link = self.client.generate_presigned_url("get_function_configuration", Params={"FunctionName": "link"}, ExpiresIn=60)
        with urllib.request.urlopen(link, timeout=30) as reply:
            self.assertEqual(json.load(reply)["FunctionName"], "link")
        for bad in link.replace("functions/link", "functions/other"), link.replace("Expires=60", "Expires=90"), link.split("&X-Amz-Signature")[0]:
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(bad, timeout=30)
            self.assertEqual(caught.exception.code, 403)

    def test_validation(self):
        good = dict(FunctionName="bad", Runtime="python3.12", Role=node.ROLE, Handler="app.handler", Code={"ZipFile": node.ECHO})
        cases = [
            ("ValidationException", dict(FunctionName="a b")),
            ("ValidationException", dict(Timeout=901)),
            ("ValidationException", dict(MemorySize=10241)),
            ("ValidationException", dict(Handler="a handler")),
            ("ValidationException", dict(Role="me")),
            ("InvalidParameterValueException", dict(Runtime="cobol74")),
            ("InvalidParameterValueException", dict(Environment={"Variables": {"BIG": "x" * 4096}})),
            ("InvalidParameterValueException", dict(Environment={"Variables": {"AWS_REGION": "mars"}})),
            ("InvalidParameterValueException", dict(Code={"ZipFile": b"this is no zip"})),
        ]
        for code, change in cases:
            with self.subTest(change=next(iter(change))):
                if change.get("Runtime") == "cobol74":
                    # AWS has it both ways: the enumeration is checked by one layer, its meaning by another.
                    with self.assertRaises(ClientError) as caught:
                        self.client.create_function(**{**good, **change})
                    self.assertIn(caught.exception.response["Error"]["Code"], ("ValidationException", "InvalidParameterValueException"))
                    continue
                error = self.assertRefused(code, self.client.create_function, **{**good, **change})
                self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 400)
        self.assertEqual([f for f in self.client.list_functions()["Functions"] if f["FunctionName"] == "bad"], [])

    def test_invoke(self):
        self.create("call", Publish=True)
        reply = node.invoke(self.client, "call", {"a": ["ü", 1]}, LogType="Tail")
        self.assertEqual((reply["StatusCode"], reply["ExecutedVersion"]), (200, "$LATEST"))
        self.assertEqual(reply["Payload"]["event"], {"a": ["ü", 1]})
        log = base64.b64decode(reply["LogResult"]).decode()
        self.assertIn(f"START RequestId: {reply['ResponseMetadata']['RequestId']} Version: $LATEST", log)
        self.assertIn("the event is", log)

        self.assertEqual(node.invoke(self.client, "call:1")["Payload"]["version"], "1")
        self.assertEqual(node.invoke(self.client, "call", Qualifier="1")["ExecutedVersion"], "1")
        self.assertEqual(node.invoke(self.client, "call", InvocationType="DryRun")["StatusCode"], 204)

        failed = node.invoke(self.client, "call", {"fail": True})
        self.assertEqual((failed["StatusCode"], failed["FunctionError"]), (200, "Unhandled"))
        self.assertEqual((failed["Payload"]["errorType"], failed["Payload"]["errorMessage"]), ("ValueError", "as asked"))
        self.assertIn("stackTrace", failed["Payload"])

        self.assertRefused("InvalidRequestContentException", self.client.invoke, FunctionName="call", Payload=b"{half")
        self.assertRefused("RequestTooLargeException", self.client.invoke, FunctionName="call", Payload=json.dumps("x" * (6 << 20)))
        self.assertRefused("ResourceNotFoundException", self.client.invoke, FunctionName="call", Qualifier="7")
        self.assertRefused("ResourceNotFoundException", self.client.invoke, FunctionName="nobody")

    def test_client_context(self):
        self.create("context", node.make_zip({"app.py": "def handler(event, context): return context.client_context.custom['who']"}))
        context = base64.b64encode(json.dumps({"custom": {"who": "Ada"}}).encode()).decode()
        self.assertEqual(node.invoke(self.client, "context", ClientContext=context)["Payload"], "Ada")

    def test_event_invocation(self):
        count = node.make_zip({"app.py": """
import ledge

def handler(event, context):
    if "add" in event:
        ledge.kv.put("sum", str(int(ledge.kv.get("sum") or 0) + event["add"]))
    return int(ledge.kv.get("sum") or 0)
"""})
        self.create("later", count)
        reply = self.client.invoke(FunctionName="later", InvocationType="Event", Payload=b'{"add": 7}')
        self.assertEqual(reply["StatusCode"], 202)
        self.assertEqual(reply["Payload"].read(), b"")
        node.eventually(lambda: node.invoke(self.client, "later")["Payload"] == 7)
        self.assertRefused("RequestTooLargeException", self.client.invoke, FunctionName="later", InvocationType="Event",
                           Payload=json.dumps("x" * (2 << 20)))

    def test_versions_and_aliases(self):
        arn = self.create("parts")
        one = self.client.publish_version(FunctionName="parts", Description="first")
        self.assertEqual((one["Version"], one["Description"], one["FunctionArn"]), ("1", "first", arn + ":1"))
        self.client.get_waiter("published_version_active").wait(FunctionName="parts", Qualifier="1")
        self.assertEqual(self.client.publish_version(FunctionName="parts")["Version"], "1", "nothing has changed")
        self.client.update_function_code(FunctionName="parts", ZipFile=node.WEB, Publish=True)
        self.client.get_waiter("function_updated_v2").wait(FunctionName="parts")

        alias = self.client.create_alias(FunctionName="parts", Name="live", FunctionVersion="1", Description="d")
        self.assertEqual((alias["AliasArn"], alias["FunctionVersion"]), (arn + ":live", "1"))
        self.assertRefused("ResourceConflictException", self.client.create_alias, FunctionName="parts", Name="live", FunctionVersion="2")
        self.assertRefused("ResourceNotFoundException", self.client.create_alias, FunctionName="parts", Name="odd", FunctionVersion="9")
        alias = self.client.update_alias(FunctionName="parts", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}})
        self.assertEqual((alias["FunctionVersion"], alias["RoutingConfig"]), ("1", {"AdditionalVersionWeights": {"2": 0.25}}))
        self.assertRefused("InvalidParameterValueException", self.client.update_alias, FunctionName="parts", Name="live",
                           RoutingConfig={"AdditionalVersionWeights": {"$LATEST": 0.25}})
        self.assertEqual(self.client.get_alias(FunctionName="parts", Name="live")["RevisionId"], alias["RevisionId"])
        seen = {node.invoke(self.client, "parts:live")["ExecutedVersion"] for _ in range(100)}
        self.assertEqual(seen, {"1", "2"})
        self.assertRefused("ResourceConflictException", self.client.delete_function, FunctionName="parts", Qualifier="1")
        self.assertEqual([a["Name"] for a in self.client.list_aliases(FunctionName="parts", FunctionVersion="1")["Aliases"]], ["live"])
        self.client.delete_alias(FunctionName="parts", Name="live")
        self.client.delete_alias(FunctionName="parts", Name="live")  # as often as one likes
        self.client.delete_function(FunctionName="parts", Qualifier="1")
        versions = self.client.get_paginator("list_versions_by_function").paginate(FunctionName="parts", PaginationConfig={"PageSize": 1})
        self.assertEqual([v["Version"] for page in versions for v in page["Versions"]], ["$LATEST", "2"])

    def test_pages(self):
        for i in range(5):
            self.create(f"page-{i}")
        pages = list(self.client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
        names = [f["FunctionName"] for page in pages for f in page["Functions"] if f["FunctionName"].startswith("page-")]
        self.assertEqual(names, [f"page-{i}" for i in range(5)])
        self.assertGreater(len(pages), 2)
        self.client.publish_version(FunctionName="page-0")
        every = self.client.get_paginator("list_functions").paginate(FunctionVersion="ALL")
        arns = [f["FunctionArn"].split(":function:")[1] for page in every for f in page["Functions"]]
        self.assertIn("page-0:$LATEST", arns)
        self.assertIn("page-0:1", arns)

    def test_tags(self):
        arn = self.create("tagged", Tags={"a": "1"})
        self.client.tag_resource(Resource=arn, Tags={"b": "2", "c": "3"})
        self.client.untag_resource(Resource=arn, TagKeys=["a", "c"])
        self.assertEqual(self.client.list_tags(Resource=arn)["Tags"], {"b": "2"})
        self.assertRefused("InvalidParameterValueException", self.client.tag_resource, Resource=arn, Tags={"aws:x": "1"})

    def test_permissions(self):
        arn = self.create("guarded")
        self.assertRefused("ResourceNotFoundException", self.client.get_policy, FunctionName="guarded")
        statement = self.client.add_permission(FunctionName="guarded", StatementId="s3", Action="lambda:InvokeFunction",
                                               Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::bucket", SourceAccount="123456789012")
        statement = json.loads(statement["Statement"])
        self.assertEqual((statement["Sid"], statement["Effect"], statement["Principal"], statement["Resource"]),
                         ("s3", "Allow", {"Service": "s3.amazonaws.com"}, arn))
        self.assertRefused("ResourceConflictException", self.client.add_permission, FunctionName="guarded", StatementId="s3",
                           Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
        policy = json.loads(self.client.get_policy(FunctionName="guarded")["Policy"])
        self.assertEqual((policy["Version"], policy["Id"], policy["Statement"]), ("2012-10-17", "default", [statement]))
        self.client.remove_permission(FunctionName="guarded", StatementId="s3")
        self.assertRefused("ResourceNotFoundException", self.client.remove_permission, FunctionName="guarded", StatementId="s3")

    def test_account(self):
        settings = self.client.get_account_settings()
        self.assertGreater(settings["AccountLimit"]["ConcurrentExecutions"], 0)
        self.assertGreaterEqual(settings["AccountUsage"]["FunctionCount"], 0)

if __name__ == "__main__":
    unittest.main()
