package awsapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ledge/edge/awsapi/restjson"
)

// Table returns the operations of services, and those that every control plane
// has, as the Markdown tables of OPERATIONS.md.
func Table(services []restjson.Operation) string {
	var b strings.Builder
	byTitle := map[string][]restjson.Operation{}
	for _, op := range newAPI(Config{Services: services}).operations {
		byTitle[title(&op)] = append(byTitle[title(&op)], op)
	}
	for _, title := range slices.Sorted(maps.Keys(byTitle)) {
		fmt.Fprintf(&b, "\n## %s\n\n| operation | here | key needs | notes |\n|---|---|---|---|\n", title)
		for _, op := range byTitle[title] {
			support, access := "yes", op.Access.String()
			if op.Serve == nil {
				support, access = "refused", ""
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", op.Name, support, access, strings.ReplaceAll(op.Note, "|", `\|`))
		}
	}
	return b.String()
}

// title is what people call the service of an operation.
func title(op *restjson.Operation) string {
	switch op.Service {
	case serviceLambda:
		return "AWS Lambda"
	case "apigateway":
		if strings.HasPrefix(op.Path, "/v2/") {
			return "Amazon API Gateway v2: HTTP APIs"
		}
		return "Amazon API Gateway v1: REST APIs"
	case "scheduler":
		return "Amazon EventBridge Scheduler"
	case "sts":
		return "AWS STS"
	case restjson.ServiceNode:
		return "The node's own, under /v1/"
	}
	return op.Service
}
