// Package gateway is the data plane: it takes HTTP requests, finds the Route
// of each, turns the request into an event, invokes the function and turns the
// reply into a response.
//
// A Server matches requests in an immutable Table, the node's own routes, and in
// immutable APIs, those of API Gateway and function URLs. Both are behind atomic
// pointers, so new ones take over between two requests and none fails. The event
// is Amazon API Gateway's payload format 2.0 and the reply is read by its rules;
// routes of APIs may have format 1.0. A Route with PayloadRaw passes the body in
// and the reply out as they are.
//
// # Paths
//
// The path is matched as it was sent. These are the decisions:
//
//   - A trailing slash counts: /a/ is not /a. An empty segment never matches a
//     literal or a {param}, so // is not /. A {proxy+} takes what is left, at
//     least one byte, slashes included.
//   - %2F never separates segments. A literal is compared after
//     percent-decoding, a captured parameter is decoded in the event's
//     pathParameters, and rawPath stays as it was sent.
//   - Dot segments are not resolved: /a/../b has three segments, and a function
//     that turns a parameter into a file name must look at it first.
//   - Letters of paths are case-sensitive, as are methods (RFC 9110).
//   - A HEAD request is served by a HEAD route, else an ANY route, else the GET
//     route of the same path; the response's body is dropped.
//
// Of all routes that fit, one without {proxy+} comes first, then one with it,
// then $default, as in API Gateway's HTTP APIs; within each, literals beat
// {param} from the left, and a named method beats ANY. CONNECT and TRACE never
// match. Where nothing matches the answer is 404 {"message":"Not Found"}.
//
// # Events
//
// A request with "X-Amz-Invocation-Type: Event" for a route of the node or for a
// function URL becomes an event, as AWS Lambda's Invoke has it: it waits in the
// queue, and the answer is 202, without a body and with its ID, when it is on
// disk. X-Ledge-Dedup-Id and X-Ledge-Order-Key are the event's. What guards the
// route comes first. An event may have 1 MiB; more is 413, and 429 says that the
// queue is full. A route may refuse events, or make events of all its requests,
// see Events. In APIs of API Gateway the header means nothing, as on AWS: there
// it is for the caller of Lambda, which is the API.
//
// # APIs
//
// A request is for an API if its path begins with /_aws/execute-api/{id}, for a
// function URL with /_aws/lambda-url/{id}, which work with curl alone; or if the
// first label of its Host is the ID: {id}.execute-api.localhost:8080,
// {id}.anything, {id}. The node's own routes do not hide an API's path. The next
// segment is the stage; where an HTTP API has none of that name it is $default's
// path. Stages are compared as they were sent.
//
// What is neither for an API nor for one of the node's own routes is for the
// root API, if there is one. Its paths have no stage in them, as with a custom
// domain name of AWS.
//
// A request must pass, in this order, the route's authorizer, its API key, the
// route's throttle, the usage plan's throttle and the plan's quota. An authorizer
// is a JWT's (keys are given, never fetched; clocks may be a minute apart), a
// function's, or a signature that Config.Authorize decides about. Verified
// tokens are kept until they expire and functions' answers for their TTL, at most
// 1024 of each authorizer. Throttles, quotas and kept answers are in memory: they
// go on when APIs are published again, and a node that starts again begins anew.
//
// Where this differs from API Gateway, it is on purpose:
//
//   - A function is cancelled when its integration's timeout is over; on AWS it
//     runs on for nobody.
//   - A reply's isBase64Encoded decides alone; on AWS a REST API also asks which
//     media types are binary to it. A request body that is not UTF-8 is base64 in
//     the event, whatever its type.
//   - The ARN of a method that policies are evaluated for has the path
//     percent-decoded but for %2F, so that no other spelling evades a Deny.
//   - Policies of authorizers with NotAction, NotResource, Condition or Principal
//     are refused as errors, and tokens signed with an HMAC always.
//   - A header or query parameter that was sent several times is one identity
//     with all its values.
//   - 429 and 503 of the node reach the client; on AWS they become 500.
//
// # Promises
//
// An event is valid JSON whatever bytes the request holds: what is not UTF-8 in
// paths and headers becomes U+FFFD. A reply cannot inject headers or a second
// response. A client that hangs up cancels its Invocation. A served request
// allocates nothing here once its buffers are warm and what its authorizer said
// is kept, and buffers above 64 KiB are not kept. Secrets are not logged, and
// API keys and tokens are looked up by their hashes.
//
// # What it does not do
//
// It does not terminate TLS (hand Serve a TLS listener), compress, stream
// bodies, or speak HTTP/2 and WebSocket. It does not slow down who guesses API
// keys; those of AWS are 20 random characters and more. A request's body is in
// memory as a whole before its function starts, so Config.MaxConns times
// Config.MaxBody bounds what clients can make it hold.
package gateway
