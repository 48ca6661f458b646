// Package apigateway is the control plane of Amazon API Gateway: REST APIs (v1,
// https://docs.aws.amazon.com/apigateway/latest/api/) and HTTP APIs (v2,
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/), with API keys
// and usage plans, and what a node needs beside them under /v1/: the keys of
// token issuers, the node's root, and a list of all APIs with their addresses.
//
// It promises API Gateway's paths, members, error codes and statuses for the
// operations that it has, and names the others with the reason why it refuses
// them. A member that would change what is served, and is not supported, is
// refused with a NotImplementedException; members that it does not know are
// ignored, as API Gateway does. A request that is refused has changed nothing.
//
// # Drafts and deployments
//
// What requests change of an API is its draft. A deployment is a picture of it,
// a stage names the deployment that it serves. Changes of a draft are served
// after the next deployment; a stage of an HTTP API with AutoDeploy makes one for
// each change. A node keeps the 20 newest deployments of an API that no stage
// names, since each is a copy of the whole API.
//
// # Where it differs from AWS, on purpose
//
//   - Integrations are AWS_PROXY to functions of this node, and MOCK in REST APIs.
//     ARNs of any partition, region and account name the function on this node. A
//     function need not exist when an integration is made, as on AWS.
//   - Mapping templates of a MOCK integration are fixed text, those for
//     application/json are used. Templates with references or directives are
//     refused.
//   - APIs are not made from OpenAPI documents; PutRestApi takes one without
//     methods, which empties an API, as tools do before they make it anew.
//   - No permission is asked for: whoever may change an API may have it call any
//     function, with or without Lambda's AddPermission. Roles and credentials of
//     integrations and authorizers are kept and shown, not used.
//   - The keys of a JWT issuer are given to the node, which does not fetch them.
//   - Stages have no limits of requests unless they are set; AWS has those of the
//     account.
//   - Settings for logging and metrics of methods are kept and shown, not used.
//   - Quotas of usage plans are counted in memory, see gateway.Plan.
//
// # Addresses
//
// An API answers at http://ID.execute-api.HOST:PORT/, which is its apiEndpoint,
// and at http://HOST:PORT/_aws/execute-api/ID/, for clients that cannot resolve
// such names. Stages other than $default follow as the first segment of the path.
//
// It does not authenticate: restjson and whoever serves its Operations do.
package apigateway
