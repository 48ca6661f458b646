package awsapi

import (
	"net/http"

	"ledge/edge"
	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// deployRequest is PUT /v1/functions/{name}: create the function or change it,
// with its routes, in one step, and with what else has it run. A member that is
// missing or null keeps what the function has. Routes, schedules and watches are
// added; a route that the function has is replaced, and so are the prefixes of a
// bucket that it watches.
type deployRequest struct {
	Code          code
	Runtime       *string
	Handler       *string
	Role          *string
	Description   *string
	TimeoutMillis *int64
	MemorySize    *int64 // MB
	Environment   *environment
	Layers        *[]string // ARNs of layer versions
	Concurrency   *int64
	Isolation     *string
	AllowHosts    *[]string
	AllowInvoke   *[]string
	AllowPublish  *[]string
	AllowBuckets  *[]string
	NoSnapshot    *bool
	Routes        []route
	Crons         []string // schedule expressions, each of a schedule of its own
	Watches       []watch
	Publish       bool
	RevisionId    string // that the function must have; empty means any
}

func (q *deployRequest) settings() settings {
	return settings{
		Runtime: q.Runtime, Handler: q.Handler, Role: q.Role, Description: q.Description,
		MemorySize: q.MemorySize, Environment: q.Environment, Layers: q.Layers,
		Ledge: &ledgeSettings{
			Isolation: q.Isolation, TimeoutMillis: q.TimeoutMillis, Concurrency: q.Concurrency,
			AllowHosts: q.AllowHosts, AllowInvoke: q.AllowInvoke, AllowPublish: q.AllowPublish, AllowBuckets: q.AllowBuckets, NoSnapshot: q.NoSnapshot,
		},
	}
}

// deployReply says what came of it.
type deployReply struct {
	Function   configuration
	Created    bool
	Deployment deployment
	Routes     []route // all routes of the function

	// Those that the request names.
	Schedules []deployedSchedule `json:",omitempty"`
	Watches   []deployedWatch    `json:",omitempty"`
}

// deployment is engine.Deployment in JSON.
type deployment struct {
	Compiled      bool // false: the same code was compiled before
	CompileMillis float64
	InitMillis    float64
	Snapshot      bool
	ImageBytes    int64
	Notes         []string
}

// changeOf checks what the request says of itself and returns the Change that
// it asks for.
func (a *api) changeOf(q *deployRequest, name string) (edge.Change, error) {
	if err := q.Code.check(); err != nil {
		return edge.Change{}, err
	}
	wanted := q.settings()
	c := edge.Change{Name: name, Revision: q.RevisionId, Publish: q.Publish,
		Edit: func(fn *persist.Function) error { return a.apply(&wanted, fn) }}
	if len(q.Code.ZipFile) > 0 {
		c.Code = q.Code.ZipFile
	}
	for i := range q.Routes {
		if owner := q.Routes[i].Function; owner != "" && owner != name {
			return edge.Change{}, invalid("a route in this request can only lead to " + name + ", not to " + owner)
		}
		stored, err := q.Routes[i].stored()
		if err != nil {
			return edge.Change{}, err
		}
		c.Routes = append(c.Routes, stored)
	}
	return c, nil
}

func (a *api) deploy(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	var req deployRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if err := req.settings().Ledge.permit(r.Context()); err != nil {
		return err
	}
	change, err := a.changeOf(&req, name)
	if err != nil {
		return err
	}
	also, err := a.triggersOf(r.Context(), &req, name)
	if err != nil {
		return err
	}
	done, err := a.Reconciler.Deploy(r.Context(), change)
	if err != nil {
		return a.functionNotFound(err, name, "")
	}
	schedules, err := a.storeTriggers(&also, name)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if done.Created {
		status = http.StatusCreated
	}
	d := done.Deployment
	reply := deployReply{
		Function: a.configurationOf(done.Function, published(done.Function)),
		Created:  done.Created,
		Deployment: deployment{
			Compiled: d.Compiled, CompileMillis: millis(d.CompileTime), InitMillis: millis(d.InitTime),
			Snapshot: d.Snapshot, ImageBytes: d.ImageBytes, Notes: append([]string{}, d.Notes...),
		},
		Routes: shownRoutes(done.Routes), Schedules: schedules, Watches: also.watches,
	}
	return restjson.WriteJSON(w, status, reply)
}
