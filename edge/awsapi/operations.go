package awsapi

import (
	"fmt"
	"strings"

	"ledge/edge/awsapi/restjson"
)

// Table returns the operations of services, and those that every control plane
// has, as the Markdown tables of OPERATIONS.md.
func Table(services []restjson.Operation) string {
	var b strings.Builder
	service := ""
	for _, op := range newAPI(Config{Services: services}).operations {
		if op.Service != service {
			service = op.Service
			fmt.Fprintf(&b, "\n## %s\n\n| operation | here | key needs | notes |\n|---|---|---|---|\n", title(service))
		}
		support, access := "yes", op.Access.String()
		if op.Serve == nil {
			support, access = "refused", ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", op.Name, support, access, strings.ReplaceAll(op.Note, "|", `\|`))
	}
	return b.String()
}

// title is what people call a service.
func title(service string) string {
	switch service {
	case serviceLambda:
		return "AWS Lambda"
	case "apigateway":
		return "Amazon API Gateway: REST APIs (v1) and HTTP APIs (v2)"
	case "scheduler":
		return "Amazon EventBridge Scheduler"
	case "sts":
		return "AWS STS"
	case serviceNode:
		return "The node's own, under /v1/"
	}
	return service
}
