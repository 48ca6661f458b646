package cli

import (
	"net/url"
	"time"
)

// The shapes of the control plane, as far as the command line reads them. The
// Lambda paths are AWS's (https://docs.aws.amazon.com/lambda/latest/api/);
// what is under /v1/ and the member Ledge is the node's own.

const (
	pathFunctions = "/2015-03-31/functions/"
	pathDeploy    = "/v1/functions/"
	pathRoutes    = "/v1/routes"
	pathVersion   = "/v1/version"
)

// functionPath escapes what it must not, names being checked already, so that
// a mistake here cannot become another path.
func functionPath(t target, rest string) (path string, query url.Values) {
	query = url.Values{}
	if t.Qualifier != "" {
		query.Set("Qualifier", t.Qualifier)
	}
	return pathFunctions + url.PathEscape(t.Name) + rest, query
}

// configuration is AWS Lambda's FunctionConfiguration.
type configuration struct {
	FunctionName string
	FunctionArn  string
	Runtime      string
	Handler      string
	CodeSize     int64
	Description  string
	Timeout      int // whole seconds, rounded up; Ledge.TimeoutMillis is exact
	MemorySize   int // MB
	LastModified string
	CodeSha256   string
	Version      string
	Environment  struct{ Variables map[string]string }
	Layers       []struct{ Arn string }
	Ledge        struct {
		Runtime       string
		Isolation     string
		TimeoutMillis int64
		Concurrency   int
		AllowHosts    []string
		AllowInvoke   []string
		AllowPublish  []string
		AllowBuckets  []string
		NoSnapshot    bool
	}
}

// runtime is what runs the function, where the node says it.
func (c configuration) runtime() string {
	if c.Ledge.Runtime != "" {
		return c.Ledge.Runtime
	}
	return c.Runtime
}

// describeRuntime says what runs the function, and under which name it was
// deployed where that is another language version than the node's.
func (c configuration) describeRuntime() string {
	if c.Runtime != c.runtime() && languageOf(c.runtime()) != nil {
		return c.runtime() + ", as " + c.Runtime
	}
	return c.runtime()
}

func (c configuration) timeout() time.Duration {
	if c.Ledge.TimeoutMillis > 0 {
		return time.Duration(c.Ledge.TimeoutMillis) * time.Millisecond
	}
	return time.Duration(c.Timeout) * time.Second
}

// route is an HTTP route, in requests and replies.
type route struct {
	Route       string `json:",omitempty"` // "GET /hello"
	Function    string `json:",omitempty"`
	Qualifier   string `json:",omitempty"`
	Payload     string `json:",omitempty"` // "2.0" or "raw"
	ContentType string `json:",omitempty"`
	CORS        *cors  `json:",omitempty"`
	Async       string `json:",omitempty"` // which requests become events: "allow" (default), "never", "always"
}

// cors has the members of API Gateway's Cors
// (https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid.html).
type cors struct {
	AllowOrigins     []string `json:",omitempty"`
	AllowMethods     []string `json:",omitempty"`
	AllowHeaders     []string `json:",omitempty"`
	ExposeHeaders    []string `json:",omitempty"`
	MaxAge           int      `json:",omitempty"` // seconds
	AllowCredentials bool     `json:",omitempty"`
}

// deployRequest creates a function or changes it. A nil member keeps what the
// function has.
type deployRequest struct {
	Code          struct{ ZipFile []byte } // a zip or a module; base64 in JSON
	Runtime       *string                  `json:",omitempty"`
	Handler       *string                  `json:",omitempty"`
	Description   *string                  `json:",omitempty"`
	TimeoutMillis *int64                   `json:",omitempty"`
	MemorySize    *int64                   `json:",omitempty"` // MB
	Environment   *environment             `json:",omitempty"`
	Layers        *[]string                `json:",omitempty"` // ARNs of versions
	Concurrency   *int                     `json:",omitempty"`
	Isolation     *string                  `json:",omitempty"`
	AllowHosts    *[]string                `json:",omitempty"`
	AllowInvoke   *[]string                `json:",omitempty"`
	AllowPublish  *[]string                `json:",omitempty"`
	AllowBuckets  *[]string                `json:",omitempty"`
	NoSnapshot    *bool                    `json:",omitempty"`
	Routes        []route                  `json:",omitempty"`
	Crons         []string                 `json:",omitempty"`
	Watches       []watch                  `json:",omitempty"`
	Publish       bool                     `json:",omitempty"`
}

type environment struct{ Variables map[string]string }

type deployReply struct {
	Function   configuration
	Created    bool
	Deployment struct {
		Compiled      bool // false: the same code was compiled before
		CompileMillis float64
		InitMillis    float64
		Snapshot      bool
		ImageBytes    int64
		Notes         []string
	}
	Routes    []route
	Schedules []struct {
		Name       string
		Expression string
		Created    bool
	}
	Watches []struct {
		UUID     string
		Bucket   string
		Prefixes []string
		Created  bool
	}
}

// watch is a bucket whose changes run a function.
type watch struct {
	Bucket string
	Prefix string `json:",omitempty"` // of keys
	Start  string `json:",omitempty"` // "oldest" or "newest"
}

type routesReply struct{ Routes []route }

// logRecord is one line of the log stream: what one write of an invocation
// logged, one or more lines of text.
type logRecord struct {
	At        time.Time
	Function  string
	Version   string
	RequestID string
	Text      string
}

// nodeVersion is what a node says of itself.
type nodeVersion struct {
	Version  string
	Commit   string
	Wasmtime string
	HTTP     string // listen address of its routes
	Control  string // listen address of the control plane
}
