package awsapi

import (
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"ledge/engine"
	"ledge/persist"
)

// configuration is Lambda's FunctionConfiguration
// (https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html)
// with the member Ledge for what Lambda has no words for.
type configuration struct {
	FunctionName     string
	FunctionArn      string
	Runtime          string
	Role             string
	Handler          string
	CodeSize         int64
	Description      string
	Timeout          int64 // seconds, rounded up; Ledge.TimeoutMillis is exact
	MemorySize       int   // MB
	LastModified     string
	CodeSha256       string
	Version          string
	Environment      *environment `json:",omitempty"`
	TracingConfig    tracingConfig
	RevisionId       string
	State            string
	LastUpdateStatus string
	PackageType      string
	Architectures    []string
	EphemeralStorage ephemeralStorage
	SnapStart        snapStart
	LoggingConfig    loggingConfig
	Ledge            ledge
}

type (
	environment      struct{ Variables map[string]string }
	tracingConfig    struct{ Mode string }
	ephemeralStorage struct{ Size int } // MB
	snapStart        struct{ ApplyOn, OptimizationStatus string }
	loggingConfig    struct{ LogFormat, LogGroup string }
)

// ledge is what only this node has.
type ledge struct {
	Runtime       string // what runs the code: "wasi", "extism", "python3.13", "javascript"
	Isolation     string
	TimeoutMillis int64
	Concurrency   int
	AllowHosts    []string `json:",omitempty"`
	AllowInvoke   []string `json:",omitempty"`
	AllowPublish  []string `json:",omitempty"`
	NoSnapshot    bool
}

// lastModified is the layout of Lambda's times.
const lastModified = "2006-01-02T15:04:05.000-0700"

// configurationOf shows fn under the ARN with that qualifier.
func (a *api) configurationOf(fn persist.Function, qualifier string) configuration {
	c := configuration{
		FunctionName:     fn.Name,
		FunctionArn:      a.arn(fn.Name, qualifier),
		Runtime:          fn.RequestedRuntime,
		Role:             fn.Role,
		Handler:          fn.Handler,
		CodeSize:         fn.CodeSize,
		Description:      fn.Description,
		Timeout:          (fn.TimeoutMillis + 999) / 1000,
		MemorySize:       fn.MemoryMB,
		LastModified:     fn.LastModified.UTC().Format(lastModified),
		CodeSha256:       fn.CodeSha256,
		Version:          fn.Version,
		TracingConfig:    tracingConfig{Mode: "PassThrough"},
		RevisionId:       fn.RevisionID,
		State:            "Active",
		LastUpdateStatus: "Successful",
		PackageType:      "Zip",
		Architectures:    []string{architecture()},
		EphemeralStorage: ephemeralStorage{Size: 512},
		SnapStart:        snapStart{ApplyOn: "None", OptimizationStatus: "Off"},
		LoggingConfig:    loggingConfig{LogFormat: "Text", LogGroup: "/aws/lambda/" + fn.Name},
		Ledge: ledge{
			Runtime:       fn.Runtime,
			Isolation:     fn.Isolation,
			TimeoutMillis: fn.TimeoutMillis,
			Concurrency:   fn.Concurrency,
			AllowHosts:    fn.AllowHosts,
			AllowInvoke:   fn.AllowInvoke,
			AllowPublish:  fn.AllowPublish,
			NoSnapshot:    fn.NoSnapshot,
		},
	}
	if c.Runtime == "" {
		c.Runtime = fn.Runtime
	}
	if c.Ledge.Concurrency == 0 {
		c.Ledge.Concurrency = engine.DefaultLimits().Concurrency
	}
	if len(fn.Env) > 0 {
		c.Environment = &environment{Variables: fn.Env}
	}
	return c
}

// architecture is the node's own in Lambda's words. Wasm code runs on both.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// settings are the members by which a request changes a function. A nil member
// keeps what the function has.
type settings struct {
	Runtime     *string
	Handler     *string
	Role        *string
	Description *string
	Timeout     *int64 // seconds
	MemorySize  *int64 // MB
	Environment *environment
	Ledge       *ledgeSettings

	// What the node cannot do. To ignore these would be to pretend.
	PackageType       *string
	Layers            []any
	FileSystemConfigs []any
	DeadLetterConfig  *struct{ TargetArn string }
}

// ledgeSettings is ledge in a request. Its Runtime is only shown.
type ledgeSettings struct {
	Isolation     *string
	TimeoutMillis *int64
	Concurrency   *int64
	AllowHosts    *[]string
	AllowInvoke   *[]string
	AllowPublish  *[]string
	NoSnapshot    *bool
}

// Bounds of Lambda's own on texts, in characters.
const (
	maxDescription = 256
	maxHandler     = 128
	maxRole        = 2048
)

// apply changes fn. The error is a *fault; fn is then half changed and of no
// use. It checks what could not be stored faithfully; the engine checks the
// rest when it deploys.
func (s *settings) apply(fn *persist.Function) error {
	switch {
	case s.PackageType != nil && *s.PackageType != "Zip":
		return invalid(fmt.Sprintf("PackageType %q is not supported by this node; use Zip", *s.PackageType))
	case len(s.Layers) > 0:
		return invalid("Layers are not supported by this node; put everything into the zip")
	case len(s.FileSystemConfigs) > 0:
		return invalid("FileSystemConfigs are not supported by this node")
	case s.DeadLetterConfig != nil && s.DeadLetterConfig.TargetArn != "":
		return invalid("DeadLetterConfig is not supported by this node yet")
	}
	if err := errFirst(
		setText("Description", &fn.Description, s.Description, maxDescription),
		setText("Handler", &fn.Handler, s.Handler, maxHandler),
		setText("Role", &fn.Role, s.Role, maxRole),
	); err != nil {
		return err
	}
	if strings.ContainsAny(fn.Handler, " \t\r\n\v\f") {
		return invalid("Handler must not contain white space")
	}
	set(&fn.RequestedRuntime, s.Runtime)
	if s.Timeout != nil {
		if *s.Timeout < 1 || *s.Timeout > int64(engine.MaxTimeout.Seconds()) {
			return invalid(fmt.Sprintf("Timeout must be 1 to 900 seconds, not %d", *s.Timeout))
		}
		fn.TimeoutMillis = *s.Timeout * 1000
	}
	if s.MemorySize != nil {
		if *s.MemorySize < engine.MinMemory>>20 || *s.MemorySize > engine.MaxMemory>>20 {
			return invalid(fmt.Sprintf("MemorySize must be 1 to 4096 MB, not %d", *s.MemorySize))
		}
		fn.MemoryMB = int(*s.MemorySize)
	}
	if s.Environment != nil && s.Environment.Variables != nil {
		fn.Env = s.Environment.Variables
	}
	if s.Ledge != nil {
		return s.Ledge.apply(fn)
	}
	return nil
}

func (s *ledgeSettings) apply(fn *persist.Function) error {
	if s.TimeoutMillis != nil {
		if *s.TimeoutMillis < engine.MinTimeout.Milliseconds() || *s.TimeoutMillis > engine.MaxTimeout.Milliseconds() {
			return invalid(fmt.Sprintf("TimeoutMillis must be 1 to 900000, not %d", *s.TimeoutMillis))
		}
		fn.TimeoutMillis = *s.TimeoutMillis
	}
	if s.Concurrency != nil {
		if *s.Concurrency < 0 || *s.Concurrency > engine.MaxConcurrency {
			return invalid(fmt.Sprintf("Concurrency must be 1 to 1000, or 0 for the default, not %d", *s.Concurrency))
		}
		fn.Concurrency = int(*s.Concurrency)
	}
	set(&fn.Isolation, s.Isolation)
	if fn.Isolation == "" {
		fn.Isolation = string(engine.IsolationReuse)
	}
	set(&fn.AllowHosts, s.AllowHosts)
	set(&fn.AllowInvoke, s.AllowInvoke)
	set(&fn.AllowPublish, s.AllowPublish)
	set(&fn.NoSnapshot, s.NoSnapshot)
	return nil
}

// set keeps what is there where the request has no such member.
func set[T any](at *T, value *T) {
	if value != nil {
		*at = *value
	}
}

func setText(name string, at *string, value *string, max int) error {
	if value != nil && utf8.RuneCountInString(*value) > max {
		return invalid(fmt.Sprintf("%s must have at most %d characters", name, max))
	}
	set(at, value)
	return nil
}

func errFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
