package awsapi

import (
	"net/http"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/engine"
	"ledge/persist"
)

// serviceLambda is AWS Lambda
// (https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html).
const serviceLambda = "lambda"

// configStore is the part of the Store for what is configured beside functions.
// Nothing live depends on it, so that it is changed here and not by the
// Reconciler.
type configStore interface {
	AddStatement(function, qualifier string, statement persist.Statement, expectRevision string) error
	RemoveStatement(function, qualifier, id, expectRevision string) error
	PutAsyncConfig(config persist.AsyncConfig) (persist.AsyncConfig, error)
	DeleteAsyncConfig(function, qualifier string) error
	GetFunctionURL(function, qualifier string) (persist.FunctionURL, error)
	GetMapping(id string) (persist.EventSourceMapping, error)
	PutMapping(m persist.EventSourceMapping) (persist.EventSourceMapping, error)
	DeleteMapping(id string) (persist.EventSourceMapping, error)
	TagMapping(id string, set map[string]string, remove []string, check func(map[string]string) error) error
}

// lambdaOperations are AWS Lambda's, those too that the node refuses, and the
// downloads that links of Lambda's replies lead to.
func (a *api) lambdaOperations() []restjson.Operation {
	return append(refusedLambda(), a.servedLambda()...)
}

// lambdaOp declares an operation of Lambda's. Paths with {name} are about that
// function.
func lambdaOp(name, route string, access restjson.Access, serve restjson.Handler, note string) restjson.Operation {
	method, path, _ := strings.Cut(route, " ")
	op := restjson.Operation{Service: serviceLambda, Name: name, Method: method, Path: path, Access: access, Serve: serve, Note: note}
	if strings.Contains(path, "{name}") {
		op.Function = namedFunction
	}
	return op
}

// inBody is an operation that learns from its body, or from what is stored, which
// function it is about.
func inBody(op restjson.Operation) restjson.Operation {
	op.InBody = true
	return op
}

// large is an operation whose body is bounded by max bytes.
func large(op restjson.Operation, max int64) restjson.Operation {
	op.MaxBody = max
	return op
}

// chosen are two operations with one path, of which the first has a value of a
// parameter.
func chosen(with, without restjson.Operation, parameter, value string) (restjson.Operation, restjson.Operation) {
	has := func(r *http.Request) bool { return r.URL.Query().Get(parameter) == value }
	with.Matches = has
	without.Matches = func(r *http.Request) bool { return !has(r) }
	return with, without
}

func (a *api) servedLambda() []restjson.Operation {
	const (
		read, run, deploy = restjson.Read, restjson.Invoke, restjson.Deploy

		functions   = "/2015-03-31/functions"
		function    = functions + "/{name}"
		alias       = function + "/aliases/{alias}"
		mappings    = "/2015-03-31/event-source-mappings"
		tags        = "/2017-03-31/tags/{resource}"
		layers      = "/2018-10-31/layers"
		layer       = layers + "/{layer}/versions"
		eventInvoke = "/2019-09-25/functions/{name}/event-invoke-config"
		provision   = "/2019-09-30/functions/{name}/provisioned-concurrency"
		urls        = "/2021-10-31/functions/{name}/url"
		managed     = "/2021-07-20/functions/{name}/runtime-management-config"
		recursive   = "/2024-08-31/functions/{name}/recursion-config"
		reserved    = "/2017-10-31/functions/{name}/concurrency"
	)
	op := lambdaOp
	maxPayload := engine.DefaultLimits().RequestBytes
	listProvisioned, getProvisioned := chosen(
		op("ListProvisionedConcurrencyConfigs", "GET "+provision, read, a.listProvisionedConcurrency, ""),
		op("GetProvisionedConcurrencyConfig", "GET "+provision, read, a.getProvisionedConcurrency, ""), "List", "ALL")
	layerByArn, listLayers := chosen(
		op("GetLayerVersionByArn", "GET "+layers, read, a.getLayerVersionByArn, "of layers on this node, whatever region and account the ARN has"),
		op("ListLayers", "GET "+layers, read, a.listLayers, ""), "find", "LayerVersion")
	return []restjson.Operation{
		nodeOp("GetFunctionCode", "GET /v1/functions/{name}/code", read, a.getFunctionCode, "a function's files as a zip, whose hash is not CodeSha256"),
		nodeOp("GetLayerContent", "GET /v1/layers/{layer}/versions/{version}/content", read, a.getLayerContent, "a layer's files as a zip, whose hash is not CodeSha256"),

		large(inBody(op("CreateFunction", "POST "+functions, deploy, a.createFunction, noteCreate)), MaxUpload),
		large(op("UpdateFunctionCode", "PUT "+function+"/code", deploy, a.updateFunctionCode, "code only as ZipFile"), MaxUpload),
		op("UpdateFunctionConfiguration", "PUT "+function+"/configuration", deploy, a.updateFunctionConfiguration, noteSettings),
		op("DeleteFunction", "DELETE "+function, deploy, a.deleteFunction, "with everything that belongs to the function: routes, URLs, policies, waiting events, its data"),
		op("GetFunction", "GET "+function, read, a.getFunction, "Code.Location is a link to the files as a zip, good for some minutes; the zip is not the uploaded one"),
		op("GetFunctionConfiguration", "GET "+function+"/configuration", read, a.getFunctionConfiguration, "State is always Active: a deploy that returns has succeeded"),
		op("ListFunctions", "GET "+functions, read, a.listFunctions, "FunctionVersion=ALL too; MasterRegion is refused"),
		op("GetAccountSettings", "GET /2016-08-19/account-settings", read, a.getAccountSettings, "the disk is the limit of TotalCodeSize"),

		large(op("Invoke", "POST "+function+"/invocations", run, a.invoke, noteInvoke), maxPayload),
		large(op("InvokeAsync", "POST /2014-11-13/functions/{name}/invoke-async", run, a.invokeAsync, "as Invoke with InvocationType Event"), maxPayload),
		large(op("InvokeWithResponseStream", "POST /2021-11-15/functions/{name}/response-streaming-invocations", run, a.invokeStream, "the reply is sent as a stream, but when it is complete"), maxPayload),

		op("PublishVersion", "POST "+function+"/versions", deploy, a.publishVersion, ""),
		op("ListVersionsByFunction", "GET "+function+"/versions", read, a.listVersions, ""),
		op("CreateAlias", "POST "+function+"/aliases", deploy, a.createAlias, ""),
		op("GetAlias", "GET "+alias, read, a.getAlias, ""),
		op("ListAliases", "GET "+function+"/aliases", read, a.listAliases, ""),
		op("UpdateAlias", "PUT "+alias, deploy, a.updateAlias, ""),
		op("DeleteAlias", "DELETE "+alias, deploy, a.deleteAlias, ""),

		op("PutFunctionConcurrency", "PUT "+reserved, deploy, a.putFunctionConcurrency, "a bound of all versions together; nothing is kept from other functions"),
		op("GetFunctionConcurrency", "GET /2019-09-30/functions/{name}/concurrency", read, a.getFunctionConcurrency, ""),
		op("DeleteFunctionConcurrency", "DELETE "+reserved, deploy, a.deleteFunctionConcurrency, ""),
		op("PutProvisionedConcurrencyConfig", "PUT "+provision, deploy, a.putProvisionedConcurrency, "of a version and its aliases together"),
		listProvisioned, getProvisioned,
		op("DeleteProvisionedConcurrencyConfig", "DELETE "+provision, deploy, a.deleteProvisionedConcurrency, ""),

		op("PutFunctionEventInvokeConfig", "PUT "+eventInvoke, deploy, a.putEventInvokeConfig, "destinations are functions of the node"),
		op("UpdateFunctionEventInvokeConfig", "POST "+eventInvoke, deploy, a.updateEventInvokeConfig, "destinations are functions of the node"),
		op("GetFunctionEventInvokeConfig", "GET "+eventInvoke, read, a.getEventInvokeConfig, ""),
		op("ListFunctionEventInvokeConfigs", "GET "+eventInvoke+"/list", read, a.listEventInvokeConfigs, ""),
		op("DeleteFunctionEventInvokeConfig", "DELETE "+eventInvoke, deploy, a.deleteEventInvokeConfig, ""),
		op("PutFunctionRecursionConfig", "PUT "+recursive, deploy, a.putRecursionConfig, "Terminate only: functions that wait for each other end at the eighth"),
		op("GetFunctionRecursionConfig", "GET "+recursive, read, a.getRecursionConfig, ""),
		op("PutRuntimeManagementConfig", "PUT "+managed, deploy, a.putRuntimeManagement, "Auto only: runtimes change with the appliance"),
		op("GetRuntimeManagementConfig", "GET "+managed, read, a.getRuntimeManagement, ""),
		op("GetFunctionCodeSigningConfig", "GET /2020-06-30/functions/{name}/code-signing-config", read, a.getCodeSigning, "always empty"),

		op("CreateFunctionUrlConfig", "POST "+urls, deploy, a.createURL, noteURL),
		op("UpdateFunctionUrlConfig", "PUT "+urls, deploy, a.updateURL, "InvokeMode RESPONSE_STREAM is refused"),
		op("GetFunctionUrlConfig", "GET "+urls, read, a.getURL, ""),
		op("ListFunctionUrlConfigs", "GET "+urls+"s", read, a.listURLs, ""),
		op("DeleteFunctionUrlConfig", "DELETE "+urls, deploy, a.deleteURL, ""),

		inBody(op("CreateEventSourceMapping", "POST "+mappings, deploy, a.createMapping, noteMapping)),
		inBody(op("UpdateEventSourceMapping", "PUT "+mappings+"/{uuid}", deploy, a.updateMapping, "")),
		inBody(op("GetEventSourceMapping", "GET "+mappings+"/{uuid}", read, a.getMapping, "")),
		inBody(op("ListEventSourceMappings", "GET "+mappings, read, a.listMappings, "")),
		inBody(op("DeleteEventSourceMapping", "DELETE "+mappings+"/{uuid}", deploy, a.deleteMapping, "")),

		op("AddPermission", "POST "+function+"/policy", deploy, a.addPermission, "kept and shown, and nothing asks it: routes, APIs and URLs call their functions without"),
		op("GetPolicy", "GET "+function+"/policy", read, a.getPolicy, ""),
		op("RemovePermission", "DELETE "+function+"/policy/{statement}", deploy, a.removePermission, ""),

		inBody(op("TagResource", "POST "+tags, deploy, a.tagResource, "functions and event source mappings")),
		inBody(op("UntagResource", "DELETE "+tags, deploy, a.untagResource, "")),
		inBody(op("ListTags", "GET "+tags, read, a.listTags, "")),

		large(op("PublishLayerVersion", "POST "+layer, deploy, a.publishLayerVersion, "content only as ZipFile; what it is compatible with is shown and not checked"), MaxUpload),
		op("GetLayerVersion", "GET "+layer+"/{version}", read, a.getLayerVersion, ""),
		layerByArn, listLayers,
		op("ListLayerVersions", "GET "+layer, read, a.listLayerVersions, ""),
		op("DeleteLayerVersion", "DELETE "+layer+"/{version}", deploy, a.deleteLayerVersion, "functions that have it keep its files"),
	}
}

// Notes that do not fit into a line.
const (
	noteSettings = "MemorySize is 1 to 4096 MB and Role may be missing; Architectures, SnapStart and Role are only shown; " +
		"tracing, JSON logs, EphemeralStorage other than 512, VPC, KMS, EFS, DeadLetterConfig and ImageConfig are refused"
	noteCreate = "PackageType Zip with ZipFile only: python3.x and nodejsNN.x run on the node's own Python and JavaScript, " +
		"provided.* takes bootstrap.wasm; " + noteSettings
	noteInvoke = "an event may have 1 MB; the payload must be JSON for the languages and may be any bytes for wasi and extism; " +
		"X-Amz-Function-Error is always Unhandled, as of Lambda's current runtimes"
	noteURL = "answers at http://{id}.lambda-url.{region}.localhost:PORT/ and under /_aws/lambda-url/{id}/ of the gateway; " +
		"InvokeMode RESPONSE_STREAM is refused"
	noteMapping = "sources are change feeds (arn:aws:dynamodb:REGION:000000000000:table/BUCKET/stream/LABEL) and MQTT topics " +
		"(arn:aws:iot:REGION:000000000000:topicfilter/FILTER); mappings of topics are stored and stay Enabling until a release that reads them; TumblingWindowInSeconds is refused"
)
