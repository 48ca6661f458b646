"""API Gateway with boto3: REST APIs and HTTP APIs
(https://docs.aws.amazon.com/apigateway/latest/api/,
https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/)."""

import json
import unittest

from botocore.exceptions import ClientError

import node


def integration_uri(function_arn):
    return f"arn:aws:apigateway:{node.REGION}:lambda:path/2015-03-31/functions/{function_arn}/invocations"


class API(node.Case):
    def function(self, name, code=node.WEB):
        client = node.client("lambda")
        self.addCleanup(client.delete_function, FunctionName=name)
        return node.create(client, name, code)


class REST(API):
    @classmethod
    def setUpClass(cls):
        cls.client = node.client("apigateway")

    def api(self, name):
        api = self.client.create_rest_api(name=name, description="made by a test", tags={"team": "edge"})
        self.addCleanup(self.client.delete_rest_api, restApiId=api["id"])
        root = self.client.get_resources(restApiId=api["id"])["items"][0]
        self.assertEqual(root["path"], "/")
        return api["id"], root["id"]

    def method(self, api, resource, uri, http_method="GET", **settings):
        settings.setdefault("authorizationType", "NONE")
        self.client.put_method(restApiId=api, resourceId=resource, httpMethod=http_method, **settings)
        self.client.put_integration(restApiId=api, resourceId=resource, httpMethod=http_method, type="AWS_PROXY",
                                    integrationHttpMethod="POST", uri=uri)

    def test_proxy(self):
        arn = self.function("rest-proxy")
        api, root = self.api("proxy")
        users = self.client.create_resource(restApiId=api, parentId=root, pathPart="users")
        user = self.client.create_resource(restApiId=api, parentId=users["id"], pathPart="{id}")
        self.assertEqual(user["path"], "/users/{id}")
        self.assertRefused("ConflictException", self.client.create_resource, restApiId=api, parentId=root, pathPart="users")
        self.assertRefused("BadRequestException", self.client.create_deployment, restApiId=api)  # no methods yet
        self.method(api, user["id"], integration_uri(arn), "ANY")
        deployment = self.client.create_deployment(restApiId=api, stageName="prod", variables={"colour": "blue"})
        status, _, body = node.http(f"/_aws/execute-api/{api}/prod/users/7?x=1&x=2", headers={"X-Own": "y"})
        event = json.loads(body)
        self.assertEqual(status, 200)
        self.assertEqual((event["resource"], event["path"], event["httpMethod"]), ("/users/{id}", "/users/7", "GET"))
        self.assertEqual(event["pathParameters"], {"id": "7"})
        self.assertEqual(event["multiValueQueryStringParameters"], {"x": ["1", "2"]})
        self.assertEqual(event["stageVariables"], {"colour": "blue"})
        self.assertEqual((event["requestContext"]["stage"], event["requestContext"]["apiId"]), ("prod", api))
        self.assertEqual(event["body"], None)
        self.assertEqual({k.lower(): v for k, v in event["headers"].items()}["x-own"], "y")

        stage = self.client.get_stage(restApiId=api, stageName="prod")
        self.assertEqual((stage["deploymentId"], stage["variables"]), (deployment["id"], {"colour": "blue"}))
        self.client.update_stage(restApiId=api, stageName="prod", patchOperations=[
            {"op": "replace", "path": "/variables/colour", "value": "red"}])
        self.assertEqual(json.loads(node.http(f"/_aws/execute-api/{api}/prod/users/7")[2])["stageVariables"], {"colour": "red"})

    def test_changes_wait_for_a_deployment(self):
        arn = self.function("rest-wait")
        api, root = self.api("wait")
        self.method(api, root, integration_uri(arn))
        self.client.create_deployment(restApiId=api, stageName="prod")
        new = self.client.create_resource(restApiId=api, parentId=root, pathPart="new")
        self.method(api, new["id"], integration_uri(arn))
        where = f"/_aws/execute-api/{api}/prod/new"
        self.assertEqual(node.http(where)[0], 403)
        self.client.create_deployment(restApiId=api, stageName="prod")
        self.assertEqual(node.http(where)[0], 200)
        self.assertEqual(len(self.client.get_deployments(restApiId=api)["items"]), 2)

    def test_mock_for_cors(self):
        api, root = self.api("mock")
        self.client.put_method(restApiId=api, resourceId=root, httpMethod="OPTIONS", authorizationType="NONE")
        self.client.put_integration(restApiId=api, resourceId=root, httpMethod="OPTIONS", type="MOCK",
                                    requestTemplates={"application/json": '{"statusCode": 200}'})
        self.client.put_method_response(restApiId=api, resourceId=root, httpMethod="OPTIONS", statusCode="200",
                                        responseParameters={"method.response.header.Access-Control-Allow-Origin": False})
        self.client.put_integration_response(restApiId=api, resourceId=root, httpMethod="OPTIONS", statusCode="200",
                                             responseParameters={"method.response.header.Access-Control-Allow-Origin": "'*'"},
                                             responseTemplates={"application/json": '{"ok": true}'})
        self.client.create_deployment(restApiId=api, stageName="v1")
        status, headers, body = node.http(f"/_aws/execute-api/{api}/v1", method="OPTIONS")
        self.assertEqual((status, headers["Access-Control-Allow-Origin"], json.loads(body)), (200, "*", {"ok": True}))

    def test_api_key_and_usage_plan(self):
        arn = self.function("rest-key")
        api, root = self.api("keys")
        self.method(api, root, integration_uri(arn), apiKeyRequired=True)
        self.client.create_deployment(restApiId=api, stageName="prod")
        key = self.client.create_api_key(name="partner", enabled=True)
        self.addCleanup(self.client.delete_api_key, apiKey=key["id"])
        value = self.client.get_api_key(apiKey=key["id"], includeValue=True)["value"]
        self.assertNotIn("value", self.client.get_api_key(apiKey=key["id"]))
        plan = self.client.create_usage_plan(name="small", apiStages=[{"apiId": api, "stage": "prod"}],
                                             throttle={"rateLimit": 100, "burstLimit": 100}, quota={"limit": 2, "period": "DAY"})

        def drop_plan():  # AWS wants a plan to have no stages before it goes
            self.client.update_usage_plan(usagePlanId=plan["id"], patchOperations=[
                {"op": "remove", "path": "/apiStages", "value": f"{api}:prod"}])
            self.client.delete_usage_plan(usagePlanId=plan["id"])
        self.addCleanup(drop_plan)
        self.client.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
        where = f"/_aws/execute-api/{api}/prod"
        self.assertEqual(node.http(where)[0], 403)
        self.assertEqual(node.http(where, headers={"x-api-key": "guess" * 8})[0], 403)
        self.assertEqual([node.http(where, headers={"x-api-key": value})[0] for _ in range(3)], [200, 200, 429])

    def test_pages(self):
        for i in range(5):
            self.api(f"page {i}")
        pages = list(self.client.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 2}))
        self.assertGreaterEqual(sum(len(p["items"]) for p in pages), 5)
        api, root = self.api("resources")
        for i in range(5):
            self.client.create_resource(restApiId=api, parentId=root, pathPart=f"r{i}")
        pages = self.client.get_paginator("get_resources").paginate(restApiId=api, PaginationConfig={"PageSize": 2})
        self.assertEqual(sorted(r["path"] for p in pages for r in p["items"]), ["/", "/r0", "/r1", "/r2", "/r3", "/r4"])

    def test_refused(self):
        self.assertRefused("NotFoundException", self.client.get_rest_api, restApiId="nobody1234")
        self.assertRefused("NotFoundException", self.client.delete_rest_api, restApiId="nobody1234")
        api, root = self.api("refused")
        self.assertRefused("BadRequestException", self.client.create_resource, restApiId=api, parentId=root, pathPart="a b")
        self.assertRefused("NotFoundException", self.client.get_method, restApiId=api, resourceId=root, httpMethod="GET")
        self.assertRefused("NotImplementedException", self.client.get_domain_names)


class HTTP(API):
    @classmethod
    def setUpClass(cls):
        cls.client = node.client("apigatewayv2")

    def api(self, **settings):
        api = self.client.create_api(ProtocolType="HTTP", **settings)
        self.addCleanup(self.client.delete_api, ApiId=api["ApiId"])
        return api

    def test_routes(self):
        arn = self.function("http-routes")
        api = self.api(Name="routes", CorsConfiguration={"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"]})
        identifier = api["ApiId"]
        self.assertIn(identifier, api["ApiEndpoint"])
        integration = self.client.create_integration(ApiId=identifier, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0")
        target = "integrations/" + integration["IntegrationId"]
        route = self.client.create_route(ApiId=identifier, RouteKey="GET /pets/{pet}", Target=target)
        self.assertRefused("ConflictException", self.client.create_route, ApiId=identifier, RouteKey="GET /pets/{pet}", Target=target)
        self.client.create_stage(ApiId=identifier, StageName="$default", AutoDeploy=True)
        self.client.create_stage(ApiId=identifier, StageName="test", AutoDeploy=True, StageVariables={"v": "1"})
        status, headers, body = node.http(f"/_aws/execute-api/{identifier}/pets/rex?a=1", headers={"Origin": "https://a.example"})
        event = json.loads(body)
        self.assertEqual((status, event["version"], event["routeKey"], event["rawPath"]), (200, "2.0", "GET /pets/{pet}", "/pets/rex"))
        self.assertEqual((event["pathParameters"], event["requestContext"]["apiId"]), ({"pet": "rex"}, identifier))
        self.assertEqual(headers["Access-Control-Allow-Origin"], "https://a.example")
        event = json.loads(node.http(f"/_aws/execute-api/{identifier}/test/pets/rex")[2])
        self.assertEqual((event["rawPath"], event["requestContext"]["stage"], event["stageVariables"]), ("/test/pets/rex", "test", {"v": "1"}))
        self.assertEqual(node.http(f"/_aws/execute-api/{identifier}/nothing")[0], 404)
        preflight = node.http(f"/_aws/execute-api/{identifier}/pets/rex", method="OPTIONS",
                              headers={"Origin": "https://a.example", "Access-Control-Request-Method": "GET"})
        self.assertEqual((preflight[0], preflight[1]["Access-Control-Allow-Methods"]), (204, "GET"))

        self.client.update_route(ApiId=identifier, RouteId=route["RouteId"], RouteKey="GET /animals/{pet}")
        self.assertEqual(node.http(f"/_aws/execute-api/{identifier}/animals/rex")[0], 200)
        self.assertEqual(node.http(f"/_aws/execute-api/{identifier}/pets/rex")[0], 404)
        self.client.delete_route(ApiId=identifier, RouteId=route["RouteId"])
        self.assertEqual(self.client.get_routes(ApiId=identifier)["Items"], [])

    def test_format_1(self):
        arn = self.function("http-one")
        api = self.api(Name="one")["ApiId"]
        integration = self.client.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="1.0")
        self.client.create_route(ApiId=api, RouteKey="$default", Target="integrations/" + integration["IntegrationId"])
        self.client.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        event = json.loads(node.http(f"/_aws/execute-api/{api}/x")[2])
        self.assertEqual((event["version"], event["httpMethod"], event["path"]), ("1.0", "GET", "/x"))

    def test_lambda_authorizer(self):
        page = self.function("http-guarded")
        guard = self.function("http-guard", node.make_zip({"app.py": """
def handler(event, context):
    return {"isAuthorized": event["identitySource"][0] == "open sesame", "context": {"who": "Ali"}}
"""}))
        api = self.api(Name="guarded")["ApiId"]
        authorizer = self.client.create_authorizer(
            ApiId=api, Name="guard", AuthorizerType="REQUEST", AuthorizerUri=integration_uri(guard), AuthorizerPayloadFormatVersion="2.0",
            EnableSimpleResponses=True, IdentitySource=["$request.header.Authorization"], AuthorizerResultTtlInSeconds=0)
        integration = self.client.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=page, PayloadFormatVersion="2.0")
        self.client.create_route(ApiId=api, RouteKey="GET /cave", Target="integrations/" + integration["IntegrationId"],
                                 AuthorizationType="CUSTOM", AuthorizerId=authorizer["AuthorizerId"])
        self.client.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        where = f"/_aws/execute-api/{api}/cave"
        self.assertEqual(node.http(where)[0], 401)
        self.assertEqual(node.http(where, headers={"Authorization": "open barley"})[0], 403)
        status, _, body = node.http(where, headers={"Authorization": "open sesame"})
        self.assertEqual((status, json.loads(body)["requestContext"]["authorizer"]), (200, {"lambda": {"who": "Ali"}}))

    def test_pages(self):
        for i in range(3):
            self.api(Name=f"page {i}")
        seen, token = 0, {}
        while True:
            page = self.client.get_apis(MaxResults="2", **token)
            self.assertLessEqual(len(page["Items"]), 2)
            seen += len(page["Items"])
            if not page.get("NextToken"):
                break
            token = {"NextToken": page["NextToken"]}
        self.assertGreaterEqual(seen, 3)

    def test_refused(self):
        self.assertRefused("NotFoundException", self.client.get_api, ApiId="nobody1234")
        self.assertRefused("BadRequestException", self.client.create_route, ApiId=self.api(Name="r")["ApiId"], RouteKey="GET nowhere")
        with self.assertRaises(ClientError) as caught:
            self.client.create_api(Name="socket", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
        self.assertIn(caught.exception.response["Error"]["Code"], ("NotImplementedException", "BadRequestException"))


if __name__ == "__main__":
    unittest.main()
