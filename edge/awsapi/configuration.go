package awsapi

import (
	"runtime"

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
	Layers           []layer      `json:",omitempty"`
	TracingConfig    tracingConfig
	RevisionId       string
	State            string // always "Active": a deploy that returns has succeeded
	LastUpdateStatus string // always "Successful"
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

	layer struct {
		Arn      string
		CodeSize int64
	}
)

// defaultStorage is Lambda's default of EphemeralStorage, in MB.
const defaultStorage = 512

// logGroup is the name of a function's log in AWS's words.
func logGroup(function string) string { return "/aws/lambda/" + function }

// ledge is what only this node has.
type ledge struct {
	Runtime       string // what runs the code: "wasi", "extism", "python3.13", "javascript"
	Isolation     string
	TimeoutMillis int64
	Concurrency   int      // of all versions together; -1: none may run
	AllowHosts    []string `json:",omitempty"`
	AllowInvoke   []string `json:",omitempty"`
	AllowPublish  []string `json:",omitempty"`
	AllowBuckets  []string `json:",omitempty"`
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
		EphemeralStorage: ephemeralStorage{Size: defaultStorage},
		SnapStart:        snapStart{ApplyOn: snapStartNone, OptimizationStatus: "Off"},
		LoggingConfig:    loggingConfig{LogFormat: "Text", LogGroup: logGroup(fn.Name)},
		Ledge: ledge{
			Runtime:       fn.Runtime,
			Isolation:     fn.Isolation,
			TimeoutMillis: fn.TimeoutMillis,
			Concurrency:   fn.Concurrency,
			AllowHosts:    fn.AllowHosts,
			AllowInvoke:   fn.AllowInvoke,
			AllowPublish:  fn.AllowPublish,
			AllowBuckets:  fn.AllowBuckets,
			NoSnapshot:    fn.NoSnapshot,
		},
	}
	if c.Runtime == "" {
		c.Runtime = fn.Runtime
	}
	if c.Ledge.Concurrency == 0 {
		c.Ledge.Concurrency = engine.DefaultLimits().Concurrency
	}
	if len(fn.Architectures) > 0 {
		c.Architectures = fn.Architectures
	}
	if fn.SnapStart != "" {
		c.SnapStart.ApplyOn = fn.SnapStart
		if fn.Version != persist.Latest {
			c.SnapStart.OptimizationStatus = "On"
		}
	}
	for _, ref := range fn.Layers {
		c.Layers = append(c.Layers, layer{a.layerArn(ref.Name, ref.Version), ref.Size})
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
