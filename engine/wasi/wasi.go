// Package wasi is the contract of the runtime "wasi": a WASI preview 1 command
// finds its event on standard input, writes its reply to standard output and
// its log to standard error, and reads AWS Lambda's environment variables. It
// says which module is such a command and what environment a function sees;
// the system calls themselves are engine/capi's.
package wasi

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"ledge/engine/wasmbin"
)

// Entry is the export that a command starts with.
const Entry = "_start"

// RequestIDVariable holds the id of the Invocation that a command serves.
const RequestIDVariable = "LEDGE_REQUEST_ID"

// CheckCommand returns an error that names the missing export where m is no
// command.
func CheckCommand(m *wasmbin.Module) error {
	e, ok := m.Export(Entry)
	if !ok {
		return fmt.Errorf("it does not export %s", Entry)
	}
	if e.Kind != wasmbin.KindFunc || e.Type != "()->()" {
		return fmt.Errorf("its export %s is a %s %s, not a function ()->()", Entry, e.Kind, e.Type)
	}
	return nil
}

// Facts are what a function is told of itself in variables.
type Facts struct {
	Region, Function, Version, Handler string
	Execution                          string // AWS_EXECUTION_ENV
	Memory                             int64  // limit in bytes
}

// Environment returns the variables that a function sees as "NAME=value": its
// own in the order of their names, then those that AWS Lambda sets
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
func Environment(f Facts, own map[string]string) []string {
	env := make([]string, 0, len(own)+10)
	for _, key := range slices.Sorted(maps.Keys(own)) {
		env = append(env, key+"="+own[key])
	}
	return append(env,
		"_HANDLER="+f.Handler,
		"AWS_EXECUTION_ENV="+f.Execution,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE="+strconv.FormatInt(f.Memory>>20, 10),
		"AWS_LAMBDA_FUNCTION_NAME="+f.Function,
		"AWS_LAMBDA_FUNCTION_VERSION="+f.Version,
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/"+f.Function,
		"AWS_LAMBDA_LOG_STREAM_NAME="+f.Version,
		"AWS_REGION="+f.Region,
		"AWS_DEFAULT_REGION="+f.Region,
		"LAMBDA_TASK_ROOT=/var/task",
	)
}
