package edge

import (
	"errors"
	"fmt"
	"strings"

	"ledge/engine"
)

// ErrStageVariable says that a URI names a stage variable that the stage has
// not. API Gateway accepts that when an integration is made, and answers
// requests with 500.
var ErrStageVariable = errors.New("the stage has no such variable")

// FunctionOf returns the function that the URI of an integration or an
// authorizer of API Gateway names, in one of the forms
//
//	arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION/invocations
//	FUNCTION
//
// where FUNCTION is arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]
// (https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html#apigw-PutIntegration-request-uri).
// Partition, region and account may be any: the function is this node's.
// ${stageVariables.NAME} is replaced by its value; a variable that is missing is
// ErrStageVariable.
func FunctionOf(uri string, variables map[string]string) (name, qualifier string, err error) {
	resolved, err := withVariables(uri, func(variable string) (string, bool) {
		value, found := variables[variable]
		return value, found
	})
	if err != nil {
		return "", "", err
	}
	return functionOf(resolved)
}

// CheckFunctionURI reports what is wrong with a URI for FunctionOf, whatever
// the stage variables are going to be.
func CheckFunctionURI(uri string) error {
	const any = "x" // it can stand wherever a variable can
	resolved, err := withVariables(uri, func(string) (string, bool) { return any, true })
	if err != nil {
		return err
	}
	if resolved != uri {
		// The variable may hold the function's whole ARN.
		resolved = strings.Replace(resolved, "/functions/"+any+"/", "/functions/arn:aws:lambda:x:x:function:x/", 1)
	}
	_, _, err = functionOf(resolved)
	return err
}

// withVariables replaces ${stageVariables.NAME} in text.
func withVariables(text string, value func(name string) (string, bool)) (string, error) {
	const opening = "${"
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, opening)
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		reference, after, closed := strings.Cut(rest, "}")
		name, isVariable := strings.CutPrefix(reference, "stageVariables.")
		if !closed || !isVariable || name == "" {
			return "", fmt.Errorf("%.200q is not a reference to a stage variable; write ${stageVariables.NAME}", opening+reference)
		}
		v, found := value(name)
		if !found {
			return "", fmt.Errorf("stage variable %.200q: %w", name, ErrStageVariable)
		}
		out.WriteString(v)
		text = after
	}
}

// functionOf reads a URI without stage variables.
func functionOf(uri string) (name, qualifier string, err error) {
	function := uri
	if service, ok := arnOf(uri, "apigateway"); ok {
		// service is REGION:lambda:path/2015-03-31/functions/FUNCTION/invocations
		_, path, _ := strings.Cut(service, ":")
		path, isLambda := strings.CutPrefix(path, "lambda:path/")
		if !isLambda {
			return "", "", fmt.Errorf("%.400q is not for Lambda; write arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION-ARN/invocations", uri)
		}
		_, path, found := strings.Cut(path, "functions/")
		path, ends := strings.CutSuffix(path, "/invocations")
		if !found || !ends {
			return "", "", fmt.Errorf("%.400q does not end in functions/FUNCTION-ARN/invocations", uri)
		}
		function = path
	}
	lambda, ok := arnOf(function, "lambda")
	parts := strings.Split(lambda, ":") // REGION:ACCOUNT:function:NAME[:QUALIFIER]
	if !ok || len(parts) < 4 || len(parts) > 5 || parts[2] != "function" {
		return "", "", fmt.Errorf("%.400q is not the ARN of a function; write arn:aws:lambda:REGION:ACCOUNT:function:NAME", function)
	}
	if !engine.ValidName(parts[3]) {
		return "", "", fmt.Errorf("%.200q is not a function name", parts[3])
	}
	if len(parts) == 5 {
		qualifier = parts[4]
		if !validQualifier(qualifier) {
			return "", "", fmt.Errorf("%.200q is not a version or an alias", qualifier)
		}
	}
	return parts[3], qualifier, nil
}

// arnOf returns what follows the service in an ARN of that service, in any
// partition.
func arnOf(text, service string) (rest string, ok bool) {
	text, ok = strings.CutPrefix(text, "arn:aws")
	partition, text, found := strings.Cut(text, ":")
	if !ok || !found || strings.Trim(partition, "-abcdefghijklmnopqrstuvwxyz") != "" {
		return "", false
	}
	return strings.CutPrefix(text, service+":")
}

// validQualifier follows AWS Lambda's pattern for qualifiers.
func validQualifier(q string) bool {
	if q == engine.Latest {
		return true
	}
	ok := q != "" && len(q) <= 128
	for i := range len(q) {
		c := q[i]
		ok = ok && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_')
	}
	return ok
}
