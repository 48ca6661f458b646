package apigateway

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"ledge/edge"
	"ledge/persist"
)

// resource is API Gateway's Resource
// (https://docs.aws.amazon.com/apigateway/latest/api/API_Resource.html).
type resource struct {
	ID              string         `json:"id"`
	ParentID        string         `json:"parentId,omitempty"`
	PathPart        string         `json:"pathPart,omitempty"`
	Path            string         `json:"path"`
	ResourceMethods map[string]any `json:"resourceMethods,omitempty"`
}

// showResource returns a resource with its methods as a whole, or only their
// names, as API Gateway does unless it is asked to embed them.
func showResource(res persist.APIResource, path string, embed bool) resource {
	shown := resource{ID: res.ID, ParentID: res.Parent, PathPart: res.PathPart, Path: path}
	for name, m := range res.Methods {
		if shown.ResourceMethods == nil {
			shown.ResourceMethods = make(map[string]any)
		}
		shown.ResourceMethods[name] = struct{}{}
		if embed {
			shown.ResourceMethods[name] = showMethod(name, &m, res.ID)
		}
	}
	return shown
}

// embeds reports whether a request asks for methods to be embedded.
func embeds(r *http.Request) bool {
	for _, value := range r.URL.Query()["embed"] {
		if slices.Contains(strings.Split(value, ","), "methods") {
			return true
		}
	}
	return false
}

// resourceOf returns the resource of a definition that a request names.
func resourceOf(r *http.Request, def *persist.APIDefinition) (*persist.APIResource, error) {
	return resourceByID(def, r.PathValue("resource"))
}

func resourceByID(def *persist.APIDefinition, id string) (*persist.APIResource, error) {
	for i := range def.Resources {
		if def.Resources[i].ID == id {
			return &def.Resources[i], nil
		}
	}
	return nil, notFound("Invalid Resource identifier specified")
}

// pathPart is what stands between two slashes of a resource's path.
var pathPart = regexp.MustCompile(`^(?:[a-zA-Z0-9._\-:]+|\{[a-zA-Z0-9._\-:]+\+?\})$`)

// checkResource looks at a resource among its siblings.
func checkResource(def *persist.APIDefinition, res *persist.APIResource) error {
	if !pathPart.MatchString(res.PathPart) || res.PathPart == "." || res.PathPart == ".." {
		return badRequest("Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.")
	}
	parent, err := resourceByID(def, res.Parent)
	if err != nil {
		return err
	}
	if isGreedy(parent.PathPart) {
		return badRequest("Cannot create a child of a resource with a greedy path variable: %s", parent.PathPart)
	}
	variable := strings.HasPrefix(res.PathPart, "{")
	for i := range def.Resources {
		other := &def.Resources[i]
		switch {
		case other.ID == res.ID || other.Parent != res.Parent:
		case other.PathPart == res.PathPart:
			return conflict("Another resource with the same parent already has this name: %s", res.PathPart)
		case variable && strings.HasPrefix(other.PathPart, "{"):
			return badRequest("A sibling (%s) of this resource already has a variable path part -- only one unique variable path part is allowed", other.PathPart)
		}
	}
	if isGreedy(res.PathPart) && slices.ContainsFunc(def.Resources, func(other persist.APIResource) bool { return other.Parent == res.ID }) {
		return badRequest("A resource with children cannot have a greedy path variable: %s", res.PathPart)
	}
	return checkTree(def)
}

func isGreedy(part string) bool { return strings.HasSuffix(part, "+}") }

// checkTree makes sure that every resource has a path, and that it is one that
// can be served.
func checkTree(def *persist.APIDefinition) error {
	paths, err := edge.ResourcePaths(def.Resources)
	if err != nil {
		return badRequest("%s: use at most %d segments", err, edge.MaxPathDepth)
	}
	for _, path := range paths {
		seen := make(map[string]bool)
		for part := range strings.SplitSeq(path, "/") {
			if !strings.HasPrefix(part, "{") {
				continue
			}
			name := strings.Trim(part, "{+}")
			if seen[name] {
				return badRequest("The path %s has the variable {%s} twice", path, name)
			}
			seen[name] = true
		}
	}
	return nil
}

func (s *service) createResource(r *http.Request) (any, error) {
	var req struct{ PathPart string }
	if err := read(r, &req); err != nil {
		return nil, err
	}
	var made resource
	err := s.edit(r, persist.ProtocolREST, func(e *editing) error {
		parent, err := resourceOf(r, e.def)
		if err != nil {
			return err
		}
		if len(e.def.Resources) >= maxResources {
			return limitExceeded("Maximum number of resources for this API has been reached: %d", maxResources)
		}
		res := persist.APIResource{ID: newID(), Parent: parent.ID, PathPart: req.PathPart}
		e.def.Resources = append(e.def.Resources, res)
		if err := checkResource(e.def, &res); err != nil {
			return err
		}
		made, err = shownResource(e.def, res, false)
		return err
	})
	return made, err
}

func shownResource(def *persist.APIDefinition, res persist.APIResource, embed bool) (resource, error) {
	paths, err := edge.ResourcePaths(def.Resources)
	return showResource(res, paths[res.ID], embed), err
}

func (s *service) getResources(r *http.Request) (any, error) {
	_, draft, err := s.draftOf(r, persist.ProtocolREST)
	if err != nil {
		return nil, err
	}
	paths, err := edge.ResourcePaths(draft.Definition.Resources)
	if err != nil {
		return nil, err
	}
	embed := embeds(r)
	return listOf(r, draft.Definition.Resources,
		func(res persist.APIResource) string { return paths[res.ID] },
		func(res persist.APIResource) resource { return showResource(res, paths[res.ID], embed) })
}

func (s *service) getResource(r *http.Request) (any, error) {
	_, draft, err := s.draftOf(r, persist.ProtocolREST)
	if err != nil {
		return nil, err
	}
	res, err := resourceOf(r, &draft.Definition)
	if err != nil {
		return nil, err
	}
	return shownResource(&draft.Definition, *res, embeds(r))
}

func (s *service) updateResource(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var shown resource
	err = s.edit(r, persist.ProtocolREST, func(e *editing) error {
		res, err := resourceOf(r, e.def)
		if err != nil {
			return err
		}
		if res.Parent == "" && len(patches) > 0 {
			return badRequest("The root resource cannot be changed")
		}
		if err := patch(patches, []patchRule{text("/pathPart", &res.PathPart), text("/parentId", &res.Parent)}); err != nil {
			return err
		}
		if len(patches) > 0 {
			err = checkResource(e.def, res)
		}
		if err == nil {
			shown, err = shownResource(e.def, *res, false)
		}
		return err
	})
	return shown, err
}

// deleteResource deletes a resource and all below it.
func (s *service) deleteResource(r *http.Request) (any, error) {
	return nil, s.edit(r, persist.ProtocolREST, func(e *editing) error {
		res, err := resourceOf(r, e.def)
		if err != nil {
			return err
		}
		if res.Parent == "" {
			return badRequest("The root resource cannot be deleted")
		}
		gone := map[string]bool{res.ID: true}
		for before := 0; before != len(gone); { // each round goes one level down
			before = len(gone)
			for _, other := range e.def.Resources {
				if gone[other.Parent] {
					gone[other.ID] = true
				}
			}
		}
		e.def.Resources = slices.DeleteFunc(e.def.Resources, func(other persist.APIResource) bool { return gone[other.ID] })
		return nil
	})
}

// methodNames are the methods that a resource can have.
func methodNames() []string {
	return []string{"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"}
}
