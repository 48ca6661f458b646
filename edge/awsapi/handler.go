package awsapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"ledge/edge"
	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/restjson"
	"ledge/engine"
	"ledge/persist"
)

// Store is the part of persist.Store that the control plane uses. What must be
// made live is changed through the Reconciler.
type Store interface {
	GetFunction(name, qualifier string) (persist.Function, error)
	Functions(after string, limit int) (fns []persist.Function, more bool, err error)
	Versions(name, after string, limit int) (fns []persist.Function, more bool, err error)
	GetAlias(function, name string) (persist.Alias, error)
	Aliases(function string) ([]persist.Alias, error)
	Routes() ([]persist.Route, error)
	FunctionRoutes(function string) ([]persist.Route, error)
	AllVersions(name, after string, limit int) (fns []persist.Function, more bool, err error)
	GetProvisioned(function, qualifier string) (persist.Provisioned, error)
	ProvisionedOf(function string) ([]persist.Provisioned, error)
	GetLayerVersion(name string, version uint64) (persist.LayerVersion, error)
	LayerVersions(name string) ([]persist.LayerVersion, error)
	Layers() ([]persist.LayerVersion, error)
	GetAsyncConfig(function, qualifier string) (persist.AsyncConfig, error)
	AsyncConfigs(function string) ([]persist.AsyncConfig, error)
	FunctionURLsOf(function string) ([]persist.FunctionURL, error)
	FunctionURLs() ([]persist.FunctionURL, error)
	GetPolicy(function, qualifier string) (persist.Policy, error)
	Mappings() ([]persist.EventSourceMapping, error)
	configStore
	feedStore
	letterStore
	jobStore
	triggerStore
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

// AsyncInvoker runs functions later: scheduler.Queue.
type AsyncInvoker interface {
	// InvokeAsync returns when the event is on disk. It borrows payload.
	InvokeAsync(function, qualifier string, id engine.RequestID, payload []byte) error
	jobQueue
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
	Control  string `json:",omitempty"` // the control plane's
}

// Config is what the control plane works with. Reconciler, Store, Invoker and
// Logs are required.
type Config struct {
	Reconciler *edge.Reconciler
	Store      Store
	Invoker    Invoker
	Logs       Logs

	// Stopping, once closed, ends the streams of followed logs: the node need not
	// wait for their readers. Nil never is.
	Stopping <-chan struct{}
	// Keys knows who may do what. Nil refuses everybody on the network; the
	// socket asks nobody.
	Keys *identity.Keyring
	// Audit keeps what was changed, and by whom. Nil keeps nothing.
	Audit AuditLog
	// Async takes invocations of type Event. Nil refuses them.
	Async AsyncInvoker
	// Data is what functions keep. Nil refuses operations on it.
	Data Data
	// Expressions judges the schedules that a deploy asks for. Nil refuses them.
	Expressions Expressions
	// ScheduleChanged and FeedChanged are told of the schedules and the event source
	// mappings that a deploy made or changed: scheduler.Schedules.Changed and
	// scheduler.Feeds.Changed. Nil where nobody runs them.
	ScheduleChanged func(group, name string)
	FeedChanged     func(mapping string)
	// FeedStatus tells whether a mapping's changes are being delivered, and up to which
	// number nothing of them is left: scheduler.Feeds.Status. Nil where nobody runs them.
	FeedStatus func(mapping string) (running bool, passed uint64)
	// Patterns judges the filters of event source mappings. Nil refuses filters.
	Patterns Patterns
	// Services are the operations of the services that are packages of their own.
	Services []restjson.Operation

	Region  string // in ARNs; empty means engine.DefaultRegion
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

// api is the control plane. It holds no state of its own but the room for bodies.
type api struct {
	Config
	operations []restjson.Operation // all, by service and name
	paths      *http.ServeMux       // of the operations; both handlers share it
	rooms      rooms
	bodyPause  time.Duration // bodyPause, or a test's
	linkKey    [32]byte      // signs links, as long as this process lives
	bucketTurn sync.Mutex    // of those that change the settings of buckets
}

// New returns the handlers of the control plane: network, which asks for
// credentials, and socket, which trusts whoever can open the node's Unix
// socket. Both are safe for concurrent use. NewServer makes the server that each is
// run in.
//
// It panics where two operations have the same path, which is a mistake in the
// program.
func New(cfg Config) (network, socket http.Handler) {
	a := newAPI(cfg)
	return a.handler(a.identify), a.handler(a.trust)
}

func newAPI(cfg Config) *api {
	if cfg.Region == "" {
		cfg.Region = engine.DefaultRegion
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
	if cfg.ScheduleChanged == nil {
		cfg.ScheduleChanged = func(string, string) {}
	}
	if cfg.FeedChanged == nil {
		cfg.FeedChanged = func(string) {}
	}
	if cfg.FeedStatus == nil {
		cfg.FeedStatus = func(string) (bool, uint64) { return false, 0 }
	}
	a := &api{Config: cfg, rooms: newRooms(), bodyPause: bodyPause}
	rand.Read(a.linkKey[:]) // it never fails, see its documentation
	a.operations = slices.Concat(a.lambdaOperations(), a.nodeOperations(), a.keyOperations(), a.letterOperations(), a.queueOperations(), a.feedOperations(), a.dataOperations(), a.stsOperations(), cfg.Services)
	slices.SortStableFunc(a.operations, byName)
	a.paths = a.newPaths()
	return a
}

// admissionKey is where a request's context has its admission.
type admissionKey struct{}

// handler serves the API's paths to those whom admit lets in.
func (a *api) handler(admit admission) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, ok := withKey(r.WithContext(context.WithValue(r.Context(), admissionKey{}, admit)))
		if !ok {
			a.handle(a.unknownPath).ServeHTTP(w, r)
			return
		}
		a.paths.ServeHTTP(w, r)
	})
}

func (a *api) newPaths() *http.ServeMux {
	mux := http.NewServeMux()
	err := register(mux, a.operations, func(p *place) http.Handler {
		return a.handle(func(w http.ResponseWriter, r *http.Request) error {
			op, known := p.find(r)
			switch {
			case op == nil && known:
				return a.unknownPath(w, r)
			case op == nil:
				if err := a.noOtherService(r); err != nil {
					return err
				}
				w.Header().Set("Allow", p.allow)
				return &fault{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowedException",
					Message: fmt.Sprintf("%s is not a method of %s; use %s", r.Method, sentPath(r), p.allow)}
			}
			return a.serve(w, r, op, r.Context().Value(admissionKey{}).(admission))
		})
	})
	if err != nil {
		panic(err)
	}
	mux.Handle("/", a.handle(a.unknownPath))
	return mux
}

// handle runs op and turns its error into a response.
func (a *api) handle(op restjson.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(requestIDHeader, engine.NewRequestID().String())
		w.Header().Set("X-Content-Type-Options", "nosniff")
		out := &response{ResponseWriter: w}
		err := op(out, r)
		if err == nil {
			return
		}
		if out.status != 0 { // too late for another: the client must not take this for the whole
			panic(http.ErrAbortHandler)
		}
		f := faultOf(err)
		if r.Context().Err() != nil && f.Status >= http.StatusInternalServerError {
			f = &fault{Status: http.StatusServiceUnavailable, Code: codeService, Message: "the request was cancelled"}
		} else if f.Status == http.StatusInternalServerError || f.Status == http.StatusInsufficientStorage {
			a.Log.Error("control plane request failed", "method", r.Method, "path", sentPath(r), "error", err)
		}
		writeFault(out, r, f)
	})
}

// requestIDHeader is where AWS's clients look for the ID of a request.
const requestIDHeader = "X-Amzn-Requestid"

// response remembers which status was sent; 0 is none yet.
type response struct {
	http.ResponseWriter
	status int
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// unknownPath answers what is no path of this node. AWS's paths begin with the
// date of their API, so that an operation of AWS that is missing here can be
// told from a mistake.
func (a *api) unknownPath(_ http.ResponseWriter, r *http.Request) error {
	if err := a.noOtherService(r); err != nil {
		return err
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if _, err := time.Parse(time.DateOnly, first); err == nil {
		return restjson.NotImplemented(fmt.Sprintf("%s %s is not implemented by this node", r.Method, r.URL.Path))
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

// lacking is what, where err is the store's "not found" about something of a
// function that is there, and otherwise as functionNotFound.
func (a *api) lacking(err error, name, qualifier string, what *fault) error {
	if !errors.Is(err, persist.ErrNotFound) {
		return err
	}
	if _, missing := a.Store.GetFunction(name, qualifier); missing != nil {
		return a.functionNotFound(missing, name, qualifier)
	}
	return what
}
