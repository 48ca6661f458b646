// AWS's JavaScript SDK v3 against a node, as an application uses it: all comes from
// the environment, which is that of eval "$(ledge keys create tests --env)", with
// GATEWAY_URL besides.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import * as lambda from '@aws-sdk/client-lambda';
import * as rest from '@aws-sdk/client-api-gateway';
import * as v2 from '@aws-sdk/client-apigatewayv2';
import * as scheduler from '@aws-sdk/client-scheduler';

const gateway = process.env.GATEWAY_URL;
const settings = { maxAttempts: 1 };
const functions = new lambda.LambdaClient(settings);
const Role = 'arn:aws:iam::123456789012:role/lambda-ex';
const patience = { client: functions, maxWaitTime: 20, minDelay: 1, maxDelay: 1 };

// A zip with one file, whose format is PKWARE's APPNOTE.TXT 4.3.
function makeZip(name, text) {
  const data = Buffer.from(text);
  const packed = zlib.deflateRawSync(data);
  const fields = Buffer.alloc(26); // what the file's own header and the directory's share
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(8, 4); // deflate
  fields.writeUInt16LE(0x21, 8); // 1 January 1980
  fields.writeUInt32LE(checksum(data), 10);
  fields.writeUInt32LE(packed.length, 14);
  fields.writeUInt32LE(data.length, 18);
  fields.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed]);
  const entry = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), fields, Buffer.alloc(14), Buffer.from(name)]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, entry, end]);
}

// CRC-32; older releases of Node.js do not have it.
function checksum(data) {
  if (zlib.crc32) return zlib.crc32(data);
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

const code = `export const handler = async (event, context) => {
  if (event.fail) throw new RangeError("as asked");
  if (event.rawPath ?? event.path) return { statusCode: 200, body: "at " + (event.rawPath ?? event.path) };
  return { hello: event.name ?? "world", version: context.functionVersion };
};`;

// fetch() does not let a request choose its Host.
function get(path, headers = {}) {
  return new Promise((resolve, reject) => {
    http.get(gateway + path, { headers, agent: false }, (reply) => {
      let body = '';
      reply.setEncoding('utf8').on('data', (text) => { body += text; });
      reply.on('end', () => resolve({ status: reply.statusCode, body })).on('error', reject);
    }).on('error', reject);
  });
}

let arn;

before(async () => {
  const made = await functions.send(new lambda.CreateFunctionCommand({
    FunctionName: 'js-hello', Runtime: 'nodejs22.x', Handler: 'index.handler', Role, Code: { ZipFile: makeZip('index.mjs', code) },
  }));
  arn = made.FunctionArn;
  await lambda.waitUntilFunctionExists(patience, { FunctionName: 'js-hello' });
  await lambda.waitUntilFunctionActiveV2(patience, { FunctionName: 'js-hello' });
});

after(() => functions.send(new lambda.DeleteFunctionCommand({ FunctionName: 'js-hello' })));

const parse = (reply) => JSON.parse(Buffer.from(reply.Payload).toString());

test('invoke', async () => {
  const reply = await functions.send(new lambda.InvokeCommand({ FunctionName: 'js-hello', Payload: JSON.stringify({ name: 'Ada' }), LogType: 'Tail' }));
  assert.equal(reply.StatusCode, 200);
  assert.deepEqual(parse(reply), { hello: 'Ada', version: '$LATEST' });
  assert.match(Buffer.from(reply.LogResult, 'base64').toString(), /REPORT RequestId: /);
  const failed = await functions.send(new lambda.InvokeCommand({ FunctionName: arn, Payload: '{"fail":true}' }));
  assert.equal(failed.FunctionError, 'Unhandled');
  assert.equal(parse(failed).errorType, 'RangeError');
  const queued = await functions.send(new lambda.InvokeCommand({ FunctionName: 'js-hello', InvocationType: 'Event' }));
  assert.equal(queued.StatusCode, 202);
});

test('update, versions and an alias', async () => {
  await functions.send(new lambda.UpdateFunctionConfigurationCommand({ FunctionName: 'js-hello', Description: 'from JavaScript' }));
  await lambda.waitUntilFunctionUpdatedV2(patience, { FunctionName: 'js-hello' });
  const { Version } = await functions.send(new lambda.PublishVersionCommand({ FunctionName: 'js-hello' }));
  assert.match(Version, /^[1-9]\d*$/); // numbers go on where a deleted function of that name had left off
  await functions.send(new lambda.CreateAliasCommand({ FunctionName: 'js-hello', Name: 'live', FunctionVersion: Version }));
  const reply = await functions.send(new lambda.InvokeCommand({ FunctionName: 'js-hello', Qualifier: 'live' }));
  assert.equal(reply.ExecutedVersion, Version);
  const names = [];
  for await (const page of lambda.paginateListAliases({ client: functions, pageSize: 1 }, { FunctionName: 'js-hello' })) {
    names.push(...page.Aliases.map((alias) => alias.Name));
  }
  assert.deepEqual(names, ['live']);
});

test('errors are classes', async () => {
  await assert.rejects(functions.send(new lambda.GetFunctionCommand({ FunctionName: 'nobody' })), (error) => {
    assert.ok(error instanceof lambda.ResourceNotFoundException, String(error));
    assert.equal(error.$metadata.httpStatusCode, 404);
    assert.ok(error.$metadata.requestId);
    assert.match(error.message, /Function not found/);
    return true;
  });
  const stranger = new lambda.LambdaClient({ ...settings, credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'x' } });
  await assert.rejects(stranger.send(new lambda.ListFunctionsCommand({})), { name: 'UnrecognizedClientException' });
  await assert.rejects(functions.send(new lambda.ListCodeSigningConfigsCommand({})), { name: 'NotImplementedException' });
});

test('a clock that is wrong', async () => {
  // A signature from the future is refused; the SDK sets its clock by the answer's Date.
  const early = new lambda.LambdaClient({ ...settings, systemClockOffset: 3_600_000 });
  const ask = () => early.send(new lambda.GetFunctionCommand({ FunctionName: 'js-hello' }));
  await assert.rejects(ask(), { name: 'InvalidSignatureException', message: /^Signature not yet current: / });
  assert.equal((await ask()).Configuration.FunctionName, 'js-hello');
});

test('REST API', async () => {
  const client = new rest.APIGatewayClient(settings);
  const api = await client.send(new rest.CreateRestApiCommand({ name: 'js' }));
  const restApiId = api.id;
  assert.ok(api.createdDate instanceof Date);
  const { items: [root] } = await client.send(new rest.GetResourcesCommand({ restApiId }));
  const { id: resourceId } = await client.send(new rest.CreateResourceCommand({ restApiId, parentId: root.id, pathPart: 'hello' }));
  await client.send(new rest.PutMethodCommand({ restApiId, resourceId, httpMethod: 'GET', authorizationType: 'NONE' }));
  await client.send(new rest.PutIntegrationCommand({
    restApiId, resourceId, httpMethod: 'GET', type: 'AWS_PROXY', integrationHttpMethod: 'POST',
    uri: `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${arn}/invocations`,
  }));
  await client.send(new rest.CreateDeploymentCommand({ restApiId, stageName: 'prod' }));
  assert.deepEqual(await get(`/_aws/execute-api/${restApiId}/prod/hello`), { status: 200, body: 'at /hello' });
  assert.deepEqual(await get('/prod/hello', { Host: `${restApiId}.execute-api.us-east-1.localhost` }), { status: 200, body: 'at /hello' });
  await client.send(new rest.DeleteRestApiCommand({ restApiId }));
  await assert.rejects(client.send(new rest.GetRestApiCommand({ restApiId })), (error) => error instanceof rest.NotFoundException);
});

test('HTTP API', async () => {
  const client = new v2.ApiGatewayV2Client(settings);
  const { ApiId } = await client.send(new v2.CreateApiCommand({ Name: 'js', ProtocolType: 'HTTP' }));
  const { IntegrationId } = await client.send(new v2.CreateIntegrationCommand({
    ApiId, IntegrationType: 'AWS_PROXY', IntegrationUri: arn, PayloadFormatVersion: '2.0',
  }));
  await client.send(new v2.CreateRouteCommand({ ApiId, RouteKey: 'ANY /{proxy+}', Target: `integrations/${IntegrationId}` }));
  await client.send(new v2.CreateStageCommand({ ApiId, StageName: '$default', AutoDeploy: true }));
  assert.deepEqual(await get(`/_aws/execute-api/${ApiId}/a/b`), { status: 200, body: 'at /a/b' });
  await client.send(new v2.DeleteApiCommand({ ApiId }));
  assert.equal((await get(`/_aws/execute-api/${ApiId}/a/b`)).status, 404);
});

test('schedules', async () => {
  const client = new scheduler.SchedulerClient(settings);
  await client.send(new scheduler.CreateScheduleCommand({
    Name: 'js', ScheduleExpression: 'rate(1 day)', FlexibleTimeWindow: { Mode: 'OFF' }, Target: { Arn: arn, RoleArn: Role },
  }));
  const names = [];
  for await (const page of scheduler.paginateListSchedules({ client }, {})) names.push(...page.Schedules.map((s) => s.Name));
  assert.deepEqual(names, ['js']);
  await client.send(new scheduler.DeleteScheduleCommand({ Name: 'js' }));
  await assert.rejects(client.send(new scheduler.GetScheduleCommand({ Name: 'js' })), (error) => error instanceof scheduler.ResourceNotFoundException);
});
