package apigateway

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"ledge/persist"
)

// putRestAPI makes a REST API what a document says. Of OpenAPI documents the node
// takes those without methods: tools such as claudia send one to empty an API
// before they make its resources one by one. The API keeps its ID, its root
// resource, its stages and what is deployed
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/import-api-overwrite.html).
func (s *service) putRestAPI(r *http.Request) (any, error) {
	if mode := r.URL.Query().Get("mode"); mode != "overwrite" {
		return nil, notImplemented("PutRestApi with mode %.20q is not supported by this node: use overwrite; %s", mode, whyNoOpenAPI)
	}
	var document map[string]json.RawMessage
	if err := read(r, &document); err != nil {
		return nil, err
	}
	about, err := blankDocument(document)
	if err != nil {
		return nil, err
	}
	var api persist.API
	err = s.edit(r, persist.ProtocolREST, func(e *editing) error {
		e.api.Name, e.api.Version, e.api.Description = about.Title, about.Version, about.Description
		e.api.BinaryTypes, e.api.APIKeySource = nil, "HEADER"
		*e.def = persist.APIDefinition{Resources: []persist.APIResource{{ID: e.api.RootResource}}}
		api = e.api
		e.change.PutAPIs = append(e.change.PutAPIs, api)
		return checkRestAPI(&api)
	})
	return showRestAPI(api), err
}

// openAPIInfo is what a document says of an API as a whole.
type openAPIInfo struct{ Title, Version, Description string }

// blankDocument refuses documents that describe more than an API without methods.
func blankDocument(document map[string]json.RawMessage) (openAPIInfo, error) {
	var about openAPIInfo
	var paths map[string]map[string]json.RawMessage
	for _, name := range slices.Sorted(maps.Keys(document)) {
		switch name {
		case "swagger", "openapi", "host", "basePath", "schemes": // an API has its own address here, as on AWS
			continue
		case "info":
			if err := json.Unmarshal(document[name], &about); err != nil {
				return about, badRequest("Unable to parse API definition because of a malformed OpenAPI document: info: %s", err)
			}
		case "paths":
			if err := json.Unmarshal(document[name], &paths); err != nil {
				return about, badRequest("Unable to parse API definition because of a malformed OpenAPI document: paths: %s", err)
			}
		default:
			return about, notImplemented("%.100q of an OpenAPI document is not supported by this node: %s", name, whyNoOpenAPI)
		}
	}
	if document["swagger"] == nil && document["openapi"] == nil {
		return about, badRequest("Invalid OpenAPI input: neither swagger nor openapi says its version")
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if path != "/" || len(paths[path]) > 0 {
			return about, notImplemented("the path %.200q of an OpenAPI document is not supported by this node: %s", path, whyNoOpenAPI)
		}
	}
	return about, nil
}
