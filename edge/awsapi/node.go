package awsapi

import (
	"cmp"
	"maps"
	"net/http"

	"ledge/edge/awsapi/restjson"
)

// nodeOp declares an operation of the node's own: what AWS has no API for, under
// /v1/. Paths with {name} are about that function.
func nodeOp(name, route string, access restjson.Access, serve restjson.Handler, note string) restjson.Operation {
	op := lambdaOp(name, route, access, serve, note)
	op.Service = restjson.ServiceNode
	return op
}

// nodeOperations are the node's own about itself, functions and routes.
func (a *api) nodeOperations() []restjson.Operation {
	return []restjson.Operation{
		nodeOp("GetVersion", "GET /v1/version", restjson.Read, a.getVersion, ""),
		nodeOp("GetHealth", "GET /v1/health", restjson.Read, a.getHealth, ""),
		nodeOp("ListOperations", "GET /v1/operations", restjson.Read, a.listOperations, ""),
		large(nodeOp("Deploy", "PUT /v1/functions/{name}", restjson.Deploy, a.deploy, "code, settings and routes of a function in one step, and the schedules and feeds that run it"), MaxUpload),
		nodeOp("ReadLogs", "GET /v1/functions/{name}/logs", restjson.Read, a.readLogs, ""),
		inBody(nodeOp("PutRoute", "PUT /v1/routes", restjson.Deploy, a.putRoute, "")),
		inBody(nodeOp("DeleteRoute", "DELETE /v1/routes", restjson.Deploy, a.deleteRoute, "")),
		nodeOp("ListRoutes", "GET /v1/routes", restjson.Read, a.listRoutes, ""),
	}
}

// namedFunction is the function of a path's {name}, for keys that are
// restricted to some. What is no name is for the operation to refuse.
func namedFunction(r *http.Request) string {
	name, _, err := parseName(r.PathValue("name"))
	if err != nil {
		return r.PathValue("name")
	}
	return name
}

// getVersion is GET /v1/version.
func (a *api) getVersion(w http.ResponseWriter, _ *http.Request) error {
	return restjson.WriteJSON(w, http.StatusOK, a.Version)
}

// getHealth is GET /v1/health. A node with problems still serves, so it answers
// 200 and lists them.
func (a *api) getHealth(w http.ResponseWriter, _ *http.Request) error {
	reply := struct {
		Status   string // "ok" or "degraded"
		Problems []string
		Refused  map[string]uint64 `json:",omitempty"` // requests without sufficient credentials since the start, by reason
	}{Status: "ok", Problems: append([]string{}, a.Problems()...)}
	if a.Keys != nil {
		reply.Problems = append(reply.Problems, a.Keys.Problems()...)
		reply.Refused = a.Keys.Refusals()
		maps.DeleteFunc(reply.Refused, func(_ string, n uint64) bool { return n == 0 })
	}
	if len(reply.Problems) > 0 {
		reply.Status = "degraded"
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

// listOperations is GET /v1/operations: what this node can do, so that a tool
// need not find out by trying.
func (a *api) listOperations(w http.ResponseWriter, _ *http.Request) error {
	type operation struct {
		Service, Name, Support string // Support is "supported" or "refused"
		Note                   string `json:",omitempty"`
	}
	reply := struct{ Operations []operation }{make([]operation, 0, len(a.operations))}
	for _, op := range a.operations {
		support := "supported"
		if op.Serve == nil {
			support = "refused"
		}
		reply.Operations = append(reply.Operations, operation{op.Service, op.Name, support, op.Note})
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

func byName(a, b restjson.Operation) int {
	return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name))
}
