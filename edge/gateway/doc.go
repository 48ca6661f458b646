// Package gateway is the data plane: it takes HTTP requests, finds the Route
// of each, turns the request into an event, invokes the function and turns the
// reply into a response.
//
// A Server matches requests in an immutable Table behind an atomic pointer, so
// new routes take over between two requests and none fails. The event is Amazon
// API Gateway's payload format 2.0 and the reply is read by its rules; a Route
// with PayloadRaw passes the body in and the reply out as they are.
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
// # Promises
//
// An event is valid JSON whatever bytes the request holds: what is not UTF-8 in
// paths and headers becomes U+FFFD. A reply cannot inject headers or a second
// response. A client that hangs up cancels its Invocation. A served request
// allocates nothing here once its buffers are warm, and buffers above 64 KiB are
// not kept.
//
// # What it does not do
//
// It does not terminate TLS (hand Serve a TLS listener), authenticate,
// compress, stream bodies, or speak HTTP/2 and WebSocket. A request's body is
// in memory as a whole before its function starts, so Config.MaxConns times
// Config.MaxBody bounds what clients can make it hold.
package gateway
