package engine

import "ledge/engine/wasi"

// DefaultRegion stands in ARNs and in AWS_REGION where Config.Region is empty.
const DefaultRegion = "us-east-1"

// AccountID is the account in ARNs: a node has only one, which is none of AWS's.
const AccountID = "000000000000"

// FunctionARN returns the ARN of a function, or of one of its versions or aliases
// where qualifier is not empty.
func FunctionARN(region, name, qualifier string) string {
	arn := "arn:aws:lambda:" + region + ":" + AccountID + ":function:" + name
	if qualifier != "" {
		arn += ":" + qualifier
	}
	return arn
}

// ReservedEnv reports whether users cannot set the variable of that name: those that
// AWS Lambda reserves, and those that only this node sets.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
func ReservedEnv(name string) bool {
	switch name {
	case "_HANDLER", "_X_AMZN_TRACE_ID",
		"AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
		"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
		"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
		wasi.RequestIDVariable:
		return true
	}
	return false
}

// checkReserved refuses a function to be deployed that sets reserved variables. One
// that was deployed by a release which reserved fewer is served as it is.
func (f Function) checkReserved() error {
	for name := range f.Env {
		if ReservedEnv(name) {
			return invalid("environment", name+" is reserved", "choose another name; the node sets this one")
		}
	}
	return nil
}

// environment returns what f sees as "NAME=value". execution names how its code is
// run, as AWS_EXECUTION_ENV does.
func (r *Runtime) environment(f *Function, execution string) []string {
	return wasi.Environment(wasi.Facts{Region: r.cfg.Region, Function: f.Name, Version: f.Version, Handler: f.Handler,
		Execution: execution, Memory: f.Limits.Memory}, f.Env)
}
