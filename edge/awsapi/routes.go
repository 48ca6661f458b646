package awsapi

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"ledge/edge"
	"ledge/edge/awsapi/restjson"
	"ledge/edge/gateway"
	"ledge/persist"
)

// route is an HTTP route in requests and replies.
type route struct {
	Route       string // "GET /hello/{name}" or "$default"
	Function    string
	Qualifier   string `json:",omitempty"`
	Payload     string // "2.0", the default, or "raw"
	ContentType string `json:",omitempty"` // of raw replies
	CORS        *cors  `json:",omitempty"`
	Async       string `json:",omitempty"` // which requests become events: "allow", the default, those that ask for it; "never"; "always"
}

// stored returns the record of a route that a client sent. The gateway checks
// the rest when the route is put into its table.
func (q *route) stored() (persist.Route, error) {
	method, path, err := gateway.ParseRoute(q.Route)
	if err != nil {
		return persist.Route{}, err
	}
	if path == gateway.DefaultPath {
		method = ""
	}
	if q.Qualifier != "" && !qualifierPattern.MatchString(q.Qualifier) {
		return persist.Route{}, invalid(fmt.Sprintf("%.200q is not a version or an alias", q.Qualifier))
	}
	record := persist.Route{
		Method: method, Path: path, Function: q.Function, Qualifier: q.Qualifier,
		Payload: q.Payload, ContentType: q.ContentType, CORS: q.CORS.stored(), Async: q.Async,
	}
	return record, nil
}

func shownRoute(r persist.Route) route {
	shown := route{
		Route: r.Key(), Function: r.Function, Qualifier: r.Qualifier,
		Payload: r.Payload, ContentType: r.ContentType, CORS: shownCORS(r.CORS), Async: r.Async,
	}
	if shown.Payload == "" {
		shown.Payload = edge.PayloadV2
	}
	return shown
}

func shownRoutes(routes []persist.Route) []route {
	shown := make([]route, 0, len(routes))
	for _, r := range routes {
		shown = append(shown, shownRoute(r))
	}
	return shown
}

// listRoutes is GET /v1/routes, of one function with ?function=NAME.
func (a *api) listRoutes(w http.ResponseWriter, r *http.Request) error {
	var routes []persist.Route
	var err error
	if name := r.URL.Query().Get("function"); name != "" {
		if routes, err = a.Store.FunctionRoutes(name); err != nil {
			return a.functionNotFound(err, name, "")
		}
	} else if routes, err = a.Store.Routes(); err != nil {
		return err
	}
	slices.SortFunc(routes, byPath)
	return restjson.WriteJSON(w, http.StatusOK, struct{ Routes []route }{shownRoutes(routes)})
}

// putRoute is PUT /v1/routes. A route that exists is a conflict, unless the
// request says Replace.
func (a *api) putRoute(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		route
		Replace bool
	}
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	name, qualifier, err := parseName(req.Function)
	if err != nil {
		return err
	}
	if qualifier != "" && req.Qualifier != "" && qualifier != req.Qualifier {
		return invalid("Function and Qualifier name different versions")
	}
	if err := restjson.Permit(r.Context(), name); err != nil {
		return err
	}
	req.Function = name
	if qualifier != "" {
		req.Qualifier = qualifier
	}
	record, err := req.stored()
	if err != nil {
		return err
	}
	if req.Replace {
		if err := a.mayTakeRoute(r, record.Key()); err != nil {
			return err
		}
	}
	if err := a.Reconciler.PutRoute(r.Context(), record, req.Replace); err != nil {
		return a.functionNotFound(err, name, req.Qualifier)
	}
	return restjson.WriteJSON(w, http.StatusOK, shownRoute(record))
}

// mayTakeRoute refuses to take a route away from a function that the caller may
// not change. The audit log still names the function that gets the route.
func (a *api) mayTakeRoute(r *http.Request, key string) error {
	stored, err := a.Store.Routes()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(stored, func(other persist.Route) bool { return other.Key() == key })
	if i < 0 {
		return nil
	}
	gets := restjson.ResourceOf(r.Context())
	err = restjson.Permit(r.Context(), stored[i].Function)
	restjson.About(r.Context(), gets)
	return err
}

// deleteRoute is DELETE /v1/routes?route=GET%20/hello. The key is taken as it
// is, so that a route which this node would no longer accept can be removed.
func (a *api) deleteRoute(w http.ResponseWriter, r *http.Request) error {
	key := r.URL.Query().Get("route")
	if key == "" {
		return invalid("the parameter route is missing, for example ?route=GET%20/hello")
	}
	stored, err := a.Store.Routes()
	if err != nil {
		return err
	}
	function := "" // a route that is not there is nobody's
	if i := slices.IndexFunc(stored, func(other persist.Route) bool { return other.Key() == key }); i >= 0 {
		function = stored[i].Function
	}
	if err := restjson.Permit(r.Context(), function); err != nil {
		return err
	}
	if err := a.Reconciler.DeleteRoute(r.Context(), key); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// byPath orders routes for people: the methods of a path stand together.
func byPath(a, b persist.Route) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
}
