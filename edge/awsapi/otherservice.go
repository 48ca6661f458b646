package awsapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/restjson"
	"ledge/edge/awsapi/sigv4"
)

// otherService returns the service that r says it is signed for, if this node
// has no such service: tools send everything to one endpoint where
// AWS_ENDPOINT_URL is set, and ask IAM or CloudFormation there. The signature is
// not looked at, since there is nothing to allow.
func (a *api) otherService(r *http.Request) string {
	claim, err := sigv4.Parse(identity.FromHTTP(r).Request)
	if err != nil || slices.Contains(a.services(), claim.Scope.Service) {
		return ""
	}
	return claim.Scope.Service
}

// services are the names of those that the node has, in order.
func (a *api) services() []string {
	var names []string
	for i := range a.operations { // by service
		if name := a.operations[i].Service; len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// noOtherService is the fault of a request to a service that the node has not,
// and nil for all others.
func (a *api) noOtherService(r *http.Request) error {
	service := a.otherService(r)
	if service == "" {
		return nil
	}
	return restjson.NotImplemented(fmt.Sprintf("%.64q is no service of this node, which has %s", service, strings.Join(a.services(), ", ")))
}
