package awsapi

import (
	"encoding/json"
	"fmt"
	"regexp"

	"ledge/engine"
	"ledge/persist"
)

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
	Layers      *[]string // ARNs of layer versions
	SnapStart   *struct{ ApplyOn string }
	Ledge       *ledgeSettings
	refusedSettings
}

// ledgeSettings is ledge in a request. Its Runtime is only shown.
type ledgeSettings struct {
	Isolation     *string
	TimeoutMillis *int64
	Concurrency   *int64
	AllowHosts    *[]string
	AllowInvoke   *[]string
	AllowPublish  *[]string
	AllowBuckets  *[]string
	NoSnapshot    *bool
}

// Bounds of Lambda's own on texts, in characters.
const (
	maxDescription = 256
	maxHandler     = 128
	maxRole        = 2048
)

var (
	handlerPattern = regexp.MustCompile(`^[^\s]+$`)
	rolePattern    = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$`)
)

// check holds the members to the constraints of Lambda's service model, apart
// from MemorySize, whose bounds are the node's. The error is a *fault.
func (s *settings) check() error {
	var bad violations
	if s.Description != nil {
		bad.Length(*s.Description, "description", 0, maxDescription)
	}
	if s.Handler != nil && *s.Handler != "" {
		bad.Length(*s.Handler, "handler", 0, maxHandler)
		bad.Matches(*s.Handler, "handler", handlerPattern)
	}
	if s.Role != nil && *s.Role != "" {
		bad.Length(*s.Role, "role", 1, maxRole)
		bad.Matches(*s.Role, "role", rolePattern)
	}
	if s.Timeout != nil {
		bad.Between(*s.Timeout, "timeout", 1, int64(engine.MaxTimeout.Seconds()))
	}
	if s.MemorySize != nil {
		bad.Between(*s.MemorySize, "memorySize", engine.MinMemory>>20, engine.MaxMemory>>20)
	}
	if s.Layers != nil {
		for _, arn := range *s.Layers {
			bad.Matches(arn, "layers", layerVersionArn)
		}
	}
	if s.SnapStart != nil && s.SnapStart.ApplyOn != "" {
		bad.OneOf(s.SnapStart.ApplyOn, "snapStart.applyOn", snapStartPublished, snapStartNone)
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if err := s.refuse(); err != nil {
		return err
	}
	if s.Environment != nil {
		return checkEnvironment(s.Environment.Variables)
	}
	return nil
}

// Values of SnapStart's ApplyOn. Every function here starts from a snapshot, so
// both mean the same and are only shown.
const (
	snapStartPublished = "PublishedVersions"
	snapStartNone      = "None"
)

// apply changes fn. The error is a *fault; fn is then half changed and of no
// use. It checks what could not be stored faithfully; the engine checks the
// rest when it deploys.
func (a *api) apply(s *settings, fn *persist.Function) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.LoggingConfig != nil {
		if group := s.LoggingConfig.LogGroup; group != "" && group != logGroup(fn.Name) {
			return unsupported("LoggingConfig.LogGroup", "a function's log is always "+logGroup(fn.Name))
		}
	}
	set(&fn.Description, s.Description)
	set(&fn.Handler, s.Handler)
	set(&fn.Role, s.Role)
	set(&fn.RequestedRuntime, s.Runtime)
	if s.Timeout != nil {
		fn.TimeoutMillis = *s.Timeout * 1000
	}
	if s.MemorySize != nil {
		fn.MemoryMB = int(*s.MemorySize)
	}
	if s.Environment != nil && s.Environment.Variables != nil {
		fn.Env = s.Environment.Variables
	}
	if s.SnapStart != nil {
		fn.SnapStart = s.SnapStart.ApplyOn
		if fn.SnapStart == snapStartNone {
			fn.SnapStart = ""
		}
	}
	if s.Layers != nil {
		layers, err := a.layerRefs(*s.Layers, fn.Layers)
		if err != nil {
			return err
		}
		fn.Layers = layers
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
		if *s.Concurrency < engine.NoConcurrency || *s.Concurrency > engine.MaxConcurrency {
			return invalid(fmt.Sprintf("Concurrency must be 1 to 1000, 0 for the default, or -1 for none, not %d", *s.Concurrency))
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
	set(&fn.AllowBuckets, s.AllowBuckets)
	set(&fn.NoSnapshot, s.NoSnapshot)
	return nil
}

// refusedSettings are members of AWS Lambda for what the node cannot do. They
// are taken where they say what is so here anyway, as tools send them, and
// refused where they ask for more.
type refusedSettings struct {
	TracingConfig          *tracingConfig
	EphemeralStorage       *ephemeralStorage
	LoggingConfig          *loggingSettings
	VpcConfig              *struct{ SubnetIds, SecurityGroupIds []string }
	KMSKeyArn              *string
	DeadLetterConfig       *struct{ TargetArn string }
	FileSystemConfigs      []json.RawMessage
	ImageConfig            *struct{ Command, EntryPoint []string }
	DurableConfig          *json.RawMessage
	TenancyConfig          *json.RawMessage
	CapacityProviderConfig *json.RawMessage
}

type loggingSettings struct{ LogFormat, LogGroup, ApplicationLogLevel, SystemLogLevel string }

func (s *refusedSettings) refuse() error {
	var bad violations
	if s.TracingConfig != nil && s.TracingConfig.Mode != "" {
		bad.OneOf(s.TracingConfig.Mode, "tracingConfig.mode", "Active", "PassThrough")
	}
	if s.EphemeralStorage != nil {
		bad.Between(int64(s.EphemeralStorage.Size), "ephemeralStorage.size", defaultStorage, 10240)
	}
	if s.LoggingConfig != nil && s.LoggingConfig.LogFormat != "" {
		bad.OneOf(s.LoggingConfig.LogFormat, "loggingConfig.logFormat", "JSON", "Text")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	switch {
	case s.TracingConfig != nil && s.TracingConfig.Mode == "Active":
		return unsupported("TracingConfig Active", "there is no X-Ray; use PassThrough")
	case s.EphemeralStorage != nil && s.EphemeralStorage.Size != defaultStorage:
		return unsupported("EphemeralStorage", "functions have no disk of their own; leave it at 512")
	case s.LoggingConfig != nil && (s.LoggingConfig.LogFormat == "JSON" || s.LoggingConfig.ApplicationLogLevel != "" || s.LoggingConfig.SystemLogLevel != ""):
		return unsupported("LoggingConfig JSON", "logs are text, as functions write them")
	case s.VpcConfig != nil && len(s.VpcConfig.SubnetIds)+len(s.VpcConfig.SecurityGroupIds) > 0:
		return unsupported("VpcConfig", "a function may reach the hosts of Ledge.AllowHosts")
	case s.KMSKeyArn != nil && *s.KMSKeyArn != "":
		return unsupported("KMSKeyArn", "there is no KMS")
	case s.DeadLetterConfig != nil && s.DeadLetterConfig.TargetArn != "":
		return unsupported("DeadLetterConfig", "there are no SQS queues and SNS topics; give a function as the on-failure destination with PutFunctionEventInvokeConfig")
	case len(s.FileSystemConfigs) > 0:
		return unsupported("FileSystemConfigs", "there is no EFS")
	case s.ImageConfig != nil && len(s.ImageConfig.Command)+len(s.ImageConfig.EntryPoint) > 0:
		return unsupported("ImageConfig", "there are no container images")
	case given(s.DurableConfig):
		return unsupported("DurableConfig", "there are no durable executions")
	case given(s.TenancyConfig):
		return unsupported("TenancyConfig", `use the isolation "fresh" of the member Ledge`)
	case given(s.CapacityProviderConfig):
		return unsupported("CapacityProviderConfig", "a node has only itself")
	}
	return nil
}

// given reports whether a member is there and is not null.
func given(member *json.RawMessage) bool { return member != nil && string(*member) != "null" }

// set keeps what is there where the request has no such member.
func set[T any](at *T, value *T) {
	if value != nil {
		*at = *value
	}
}

// checkDescription holds the description of a version, an alias or a layer to
// Lambda's bounds.
func checkDescription(text *string) error {
	var bad violations
	if text != nil {
		bad.Length(*text, "description", 0, maxDescription)
	}
	return bad.Err()
}

// checkArchitectures checks what a request says its code is built for. WebAssembly
// and scripts run on either, so it is only shown.
func checkArchitectures(given []string) error {
	var bad violations
	if given == nil {
		return nil
	}
	bad.Items(len(given), "architectures", 1, 1)
	for _, a := range given {
		bad.OneOf(a, "architectures", architectures()...)
	}
	return bad.Err()
}

func architectures() []string { return []string{"x86_64", "arm64"} }
