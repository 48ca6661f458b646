package gateway

import (
	"fmt"
	"iter"
	"net/netip"
	"time"
)

// Kind says what an API is, and with it its addresses, its events and the texts
// of its errors.
type Kind uint8

const (
	KindHTTP Kind = iota // an HTTP API (API Gateway v2)
	KindREST             // a REST API (API Gateway v1)
	KindURL              // a function URL of Lambda
)

// API is an API of API Gateway, or a function URL, as NewAPIs takes it. NewAPIs
// keeps what it points to: it must not change afterwards.
type API struct {
	// ID is the first label of Host and a segment of the path: 1 to 63 letters
	// in lower case, digits and -, no - at either end.
	ID     string
	Name   string // for errors only
	Kind   Kind
	Stages []Stage // of a KindURL exactly one, named $default

	// KeyFromAuthorizer takes the API key from the usageIdentifierKey that a
	// Lambda authorizer returns, and not from x-api-key: apiKeySource AUTHORIZER
	// of REST APIs.
	KeyFromAuthorizer bool
}

// DefaultStage is the stage of an HTTP API that has no name in the path.
const DefaultStage = "$default"

// Stage is one stage of an API: what is deployed there.
type Stage struct {
	Name      string            // "$default", or 1 to 128 letters, digits, - and _
	Variables map[string]string // stage variables, shown in the event
	Routes    []Route
	// CORS answers preflights for every path of the stage without a function,
	// and sets the CORS headers of all responses in place of the function's.
	// Nil: the functions see OPTIONS requests. Not of a KindREST.
	CORS *CORS
	// BinaryTypes are the binaryMediaTypes of a REST API, such as "image/png",
	// "image/*" and "*/*": request bodies of these types are base64 in events.
	BinaryTypes []string
}

// Mock answers without a function.
type Mock struct {
	Status  int         // 200 to 599
	Headers [][2]string // names and values
	Body    []byte
}

// Throttle is a token bucket: Rate requests a second, and up to Burst at once.
// Both zero: no limit. A Burst of zero with a Rate refuses everything, as in API
// Gateway; so does a Rate of zero once Burst requests were served.
type Throttle struct {
	Rate  float64
	Burst int
}

// Authorizer decides who may use a route: exactly one of JWT, Lambda and IAM.
// Routes of one API that share it may share the pointer, and their cached
// answers are shared by its ID.
type Authorizer struct {
	ID, Name string
	JWT      *JWT
	Lambda   *LambdaAuthorizer
	IAM      bool // signed by a key of the node: Config.Authorize decides
}

// JWT is a JWT authorizer of an HTTP API with its keys given.
type JWT struct {
	Issuer   string   // what iss must be
	Audience []string // one of them must be in aud, or client_id where aud is absent
	// IdentitySource is $request.header.NAME or $request.querystring.NAME. Empty
	// means $request.header.Authorization. "Bearer " before the token is optional.
	IdentitySource string
	// Keys is a JWK Set (RFC 7517) of public keys, at most 256 KiB. Keys for
	// something other than signatures, and of unknown types, are left out.
	Keys []byte
}

// LambdaAuthorizer asks a function.
type LambdaAuthorizer struct {
	Function, Qualifier string
	// Payload is PayloadV1 or PayloadV2, the latter of HTTP APIs only.
	Payload Payload
	Simple  bool // PayloadV2: the answer is isAuthorized and context, not a policy
	Token   bool // a TOKEN authorizer of REST APIs: exactly one identity source, a header
	// IdentitySources are where the identity is in a request; where one is
	// missing or empty the answer is 401 without the function. HTTP APIs write
	// $request.header.NAME, $request.querystring.NAME, $context.NAME and
	// $stageVariables.NAME; REST APIs method.request.header.NAME,
	// method.request.querystring.NAME, context.NAME and stageVariables.NAME. See
	// NewAPIs for the names of context variables.
	IdentitySources []string
	// TTL is how long an answer is kept for the same identity, up to an hour.
	// Zero, or no IdentitySources: not at all.
	TTL time.Duration
	// Validation is the regular expression (Go's RE2 syntax) that all of a TOKEN
	// authorizer's token must match; otherwise the answer is 401. Empty: any.
	Validation string
}

// Key is an API key with the usage plans that take it. A usage plan is listed
// once for each stage that it covers; what it limits is shared by those, and no
// two plans of a key may cover the same stage.
type Key struct {
	ID, Name string
	Value    string // 1 to 128 bytes; what the client sends in x-api-key
	Plans    []Plan
}

// Plan is a usage plan as far as it covers one stage of one API.
type Plan struct {
	ID         string
	API, Stage string
	Throttle   Throttle
	// Quota is the number of requests in a Period, 0 for no quota. Requests are
	// counted in memory: a node that starts again starts from zero.
	Quota  int
	Period string // DAY, WEEK (from Sunday) or MONTH, in UTC
}

// Root names the stage that serves what no route of the node matches. Zero: none.
type Root struct{ API, Stage string }

// Published is everything that NewAPIs makes ready.
type Published struct {
	APIs []API
	Keys []Key
	Root Root
}

// Bounds of what NewAPIs accepts.
const (
	MaxAPIs      = 1000
	MaxStages    = 50 // of an API
	MaxVariables = 100
	MaxKeys      = 10000
	MaxPlans     = 100 // of a Key
	MaxJWKS      = 256 << 10
)

// APIError says which API or key is wrong, and why. Err may be a *RouteError.
type APIError struct {
	API string // its ID, or that of the key
	Err error
}

func (e *APIError) Error() string { return fmt.Sprintf("API %q: %v", e.API, e.Err) }

func (e *APIError) Unwrap() error { return e.Err }

// IAMRequest is what Config.Authorize decides about. All of it is borrowed until
// Authorize returns.
type IAMRequest struct {
	Method              string
	RawPath, RawQuery   string // as they were sent, also where the path names an API
	Header              iter.Seq2[string, string]
	Body                []byte
	Peer                netip.Addr // who is at the other end of the connection; zero: unknown
	TLS                 bool       // the connection is encrypted up to this node
	Service             string     // that the signature is for: "execute-api" or "lambda"
	Function, Qualifier string     // behind the route; no Function behind a Mock
	ARN                 string     // of the method: arn:aws:execute-api:...; empty for a function URL
}

// Caller is who signed a request, as the event shows it.
type Caller struct {
	AccessKey string // the ID of the key
	UserID    string
	ARN       string
}

// Denied is an error of Config.Authorize that chooses the answer.
type Denied struct {
	Status  int    // 400 to 599
	Message string // for the client
}

func (e *Denied) Error() string { return e.Message }
