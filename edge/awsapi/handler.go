package awsapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"ledge/edge"
	"ledge/engine"
	"ledge/persist"
)

// Store is the part of persist.Store that the control plane reads. Changes go
// through the Reconciler.
type Store interface {
	GetFunction(name, qualifier string) (persist.Function, error)
	Functions(after string, limit int) (fns []persist.Function, more bool, err error)
	Versions(name, after string, limit int) (fns []persist.Function, more bool, err error)
	GetAlias(function, name string) (persist.Alias, error)
	Aliases(function string) ([]persist.Alias, error)
	Routes() ([]persist.Route, error)
	FunctionRoutes(function string) ([]persist.Route, error)
}

// Logs is the part of persist.Logs that the control plane reads.
type Logs interface {
	// Read gives each the records that match, oldest first.
	Read(ctx context.Context, q persist.Query, each func(persist.Record) error) error
	// Follow goes on with new ones until ctx is done or each returns an error.
	Follow(ctx context.Context, q persist.Query, each func(persist.Record) error) error
}

// Invoker is the engine's other door.
type Invoker interface {
	Invoke(ctx context.Context, inv *engine.Invocation, res *engine.Result) error
}

var (
	_ Store = (*persist.Store)(nil)
	_ Logs  = (*persist.Logs)(nil)
)

// Version is what GET /v1/version tells.
type Version struct {
	Version  string // of the appliance
	Commit   string `json:",omitempty"`
	Wasmtime string `json:",omitempty"`
	Go       string `json:",omitempty"`
	OS       string `json:",omitempty"`
	Arch     string `json:",omitempty"`
	HTTP     string `json:",omitempty"` // the gateway's listen address
}

// DefaultRegion stands in ARNs where the Config names no region.
const DefaultRegion = "us-east-1"

// Config is what the control plane works with. Reconciler, Store, Invoker and
// Logs are required.
type Config struct {
	Reconciler *edge.Reconciler
	Store      Store
	Invoker    Invoker
	Logs       Logs

	Region  string // in ARNs; empty means DefaultRegion
	Version Version
	// Problems returns what the operator should know now, one sentence each;
	// none means healthy. Nil means never any.
	Problems func() []string
	// Log takes failures of the node itself, which the client is told too. Nil
	// discards them.
	Log *slog.Logger
	// Now is the clock for "logs since"; nil means time.Now.
	Now func() time.Time
}

// api is the handler. It holds no state of its own but the upload slots.
type api struct {
	Config
	// uploads bounds how many large bodies are in memory at the same time: one
	// takes up to MaxUpload and three quarters of it again, decoded.
	uploads   chan struct{}
	bodyPause time.Duration // bodyPause, or a test's
}

// maxUploads is the number of large bodies that are read at the same time.
const maxUploads = 2

// operation answers one request. An error that it returns is written as an
// AWS error, unless the response has begun: then the connection is cut.
type operation func(w http.ResponseWriter, r *http.Request) error

// New returns the control plane's handler. It is safe for concurrent use. The
// server it runs in should set a ReadHeaderTimeout and no WriteTimeout:
// invocations and followed logs take their time.
func New(cfg Config) http.Handler {
	if cfg.Region == "" {
		cfg.Region = DefaultRegion
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Problems == nil {
		cfg.Problems = func() []string { return nil }
	}
	return (&api{Config: cfg, uploads: make(chan struct{}, maxUploads), bodyPause: bodyPause}).handler()
}

// handler returns the API's paths.
func (a *api) handler() http.Handler {
	const functions = "/2015-03-31/functions"
	list := map[string]operation{"GET": a.listFunctions, "POST": a.createFunction}
	settings := map[string]operation{"GET": a.getAccountSettings}
	mux := http.NewServeMux()
	for path, methods := range map[string]map[string]operation{
		functions:                             list,
		functions + "/{$}":                    list, // as the AWS CLI writes it
		functions + "/{name}":                 {"GET": a.getFunction, "DELETE": a.deleteFunction},
		functions + "/{name}/code":            {"PUT": a.updateFunctionCode},
		functions + "/{name}/configuration":   {"GET": a.getFunctionConfiguration, "PUT": a.updateFunctionConfiguration},
		functions + "/{name}/invocations":     {"POST": a.invoke},
		functions + "/{name}/versions":        {"GET": a.listVersions, "POST": a.publishVersion},
		functions + "/{name}/aliases":         {"GET": a.listAliases, "POST": a.createAlias},
		functions + "/{name}/aliases/{alias}": {"GET": a.getAlias, "PUT": a.updateAlias, "DELETE": a.deleteAlias},
		"/2016-08-19/account-settings":        settings,
		"/2016-08-19/account-settings/{$}":    settings,
		"/v1/version":                         {"GET": a.getVersion},
		"/v1/health":                          {"GET": a.getHealth},
		"/v1/functions/{name}":                {"PUT": a.deploy},
		"/v1/functions/{name}/logs":           {"GET": a.readLogs},
		"/v1/routes":                          {"GET": a.listRoutes, "PUT": a.putRoute, "DELETE": a.deleteRoute},
	} {
		mux.Handle(path, a.byMethod(methods))
	}
	mux.Handle("/", a.handle(unknownPath))
	return mux
}

// byMethod chooses the operation; a method without one is told which have.
func (a *api) byMethod(methods map[string]operation) http.Handler {
	allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
	return a.handle(func(w http.ResponseWriter, r *http.Request) error {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet // net/http leaves the body out
		}
		op, known := methods[method]
		if !known {
			w.Header().Set("Allow", allow)
			return &fault{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowedException",
				Message: fmt.Sprintf("%s is not a method of %s; use %s", r.Method, r.URL.Path, allow)}
		}
		return op(w, r)
	})
}

// handle runs op and turns its error into a response.
func (a *api) handle(op operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Requestid", engine.NewRequestID().String())
		w.Header().Set("X-Content-Type-Options", "nosniff")
		out := &response{ResponseWriter: w}
		err := op(out, r)
		if err == nil {
			return
		}
		if out.begun { // too late for a status: the client must not take this for the whole
			panic(http.ErrAbortHandler)
		}
		f := faultOf(err)
		if r.Context().Err() != nil && f.Status >= http.StatusInternalServerError {
			f = &fault{Status: http.StatusServiceUnavailable, Code: codeService, Message: "the request was cancelled"}
		} else if f.Status == http.StatusInternalServerError || f.Status == http.StatusInsufficientStorage {
			a.Log.Error("control plane request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		f.write(out)
	})
}

// response remembers whether a status was sent.
type response struct {
	http.ResponseWriter
	begun bool
}

func (w *response) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// unknownPath answers what is no path of this node. AWS's paths begin with the
// date of their API, so that an operation of AWS that is missing here can be
// told from a mistake.
func unknownPath(_ http.ResponseWriter, r *http.Request) error {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if _, err := time.Parse(time.DateOnly, first); err == nil {
		return &fault{Status: http.StatusNotImplemented, Code: "NotImplementedException",
			Message: fmt.Sprintf("%s %s is not implemented by this node", r.Method, r.URL.Path)}
	}
	return &fault{Status: http.StatusNotFound, Code: "UnknownOperationException",
		Message: fmt.Sprintf("%s %s is not a path of this API", r.Method, r.URL.Path)}
}

// functionNotFound names the function by its ARN, as Lambda does, where err is
// the store's or the engine's "not found".
func (a *api) functionNotFound(err error, name, qualifier string) error {
	if errors.Is(err, persist.ErrNotFound) || errors.Is(err, engine.ErrNotFound) {
		return &fault{Status: http.StatusNotFound, Code: codeNotFound,
			Message: "Function not found: " + a.arn(name, qualifier)}
	}
	return err
}
