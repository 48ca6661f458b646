package awsapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ledge/edge/awsapi/restjson"
)

// place is one path of the API with the operations that it has.
type place struct {
	methods map[string][]*pathOperation
	allow   string // the methods, for 405
}

// pathOperation is an operation with its own names for the path's parameters.
type pathOperation struct {
	*restjson.Operation
	params []string
}

// register puts the operations on mux, each path with and without a slash at
// its end, as clients write both.
//
// Services share paths ("/tags/{arn}") and name the parameters differently,
// which http.ServeMux takes for a conflict; so it is given paths whose
// parameters are only numbered.
func register(mux *http.ServeMux, operations []restjson.Operation, handler func(*place) http.Handler) error {
	found, err := places(operations)
	if err != nil {
		return err
	}
	for shape, p := range found {
		h := handler(p)
		if shape != "/" {
			mux.Handle(shape, h)
		}
		if !strings.HasSuffix(shape, "...}") {
			mux.Handle(strings.TrimSuffix(shape, "/")+"/{$}", h)
		}
	}
	return nil
}

// places sorts operations by the shape of their paths.
func places(operations []restjson.Operation) (map[string]*place, error) {
	found := map[string]*place{}
	for i := range operations {
		op := &operations[i]
		shape, params, err := shapeOf(op.Path)
		if err != nil {
			return nil, fmt.Errorf("path of %s:%s: %w", op.Service, op.Name, err)
		}
		p := found[shape]
		if p == nil {
			p = &place{methods: map[string][]*pathOperation{}}
			found[shape] = p
		}
		with := &pathOperation{op, params}
		if op.Matches != nil { // before those that take every request
			p.methods[op.Method] = slices.Insert(p.methods[op.Method], 0, with)
		} else {
			p.methods[op.Method] = append(p.methods[op.Method], with)
		}
		p.allow = strings.Join(slices.Sorted(maps.Keys(p.methods)), ", ")
	}
	return found, nil
}

// shapeOf returns a path with its parameters numbered, and their names.
func shapeOf(path string) (shape string, params []string, err error) {
	if !strings.HasPrefix(path, "/") {
		return "", nil, fmt.Errorf("%q does not begin with a slash", path)
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		name, isParam := strings.CutPrefix(segment, "{")
		if !isParam {
			continue
		}
		name, closed := strings.CutSuffix(name, "}")
		if !closed || name == "" || name == "$" {
			return "", nil, fmt.Errorf("%q is not a parameter", segment)
		}
		rest := ""
		if greedy, ok := strings.CutSuffix(name, "..."); ok {
			name, rest = greedy, "..."
		}
		params = append(params, name)
		segments[i] = "{" + numbered(len(params)) + rest + "}"
	}
	return strings.Join(segments, "/"), params, nil
}

func numbered(n int) string { return "p" + strconv.Itoa(n) }

// find returns the operation for r and sets the values of its path, or nil;
// known says that the path has operations of that method.
func (p *place) find(r *http.Request) (op *restjson.Operation, known bool) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	for _, op := range p.methods[method] {
		for i, name := range op.params {
			r.SetPathValue(name, r.PathValue(numbered(i+1)))
		}
		if op.Matches == nil || op.Matches(r) {
			return op.Operation, true
		}
	}
	return nil, len(p.methods[method]) > 0
}
