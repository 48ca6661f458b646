package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"ledge/edge/gateway"
	"ledge/engine"
	"ledge/persist"
)

// Engine is the part of the engine's runtime that makes functions live.
type Engine interface {
	// Deploy compiles fn, proves that it starts, calls commit (nil: nothing to
	// commit) and, if that succeeds, makes fn live and drains what it replaces.
	// After an error nothing has changed.
	Deploy(ctx context.Context, fn engine.Function, commit func() error) (engine.Deployment, error)
	// Register makes fn live without loading it.
	Register(fn engine.Function) error
	// Remove takes a version, or all of them where version is empty, out of service.
	Remove(name, version string) error
	SetAlias(name, alias, version string, weights map[string]float64) error
	RemoveAlias(name, alias string) error
	// SetConcurrency bounds the Invocations of all versions of a function together:
	// 0 is the default, engine.NoConcurrency none.
	SetConcurrency(name string, n int) error
	// SetProvisioned keeps n Instances of a version ready; 0 none.
	SetProvisioned(name, version string, n int) error
	// Provisioned returns how many are asked for, ready, and in the making or
	// ready, and why there are no more.
	Provisioned(name, version string) (requested, available, allocated int, reason string)
}

// Store is the part of persist.Store that holds what must be live. Every
// method that changes something returns after the change is on disk.
type Store interface {
	Load() (persist.State, error)
	// Incomplete reports whether records were lost whose code should be kept.
	Incomplete() bool
	PutFunction(fn persist.Function, expectRevision string, routes []persist.Route) (persist.Function, error)
	GetFunction(name, qualifier string) (persist.Function, error)
	DeleteFunction(name string) (persist.State, error)
	Publish(name, description, expectRevision string) (fn persist.Function, created bool, err error)
	DeleteVersion(name, version string) error
	PutAlias(a persist.Alias, expectRevision string) (persist.Alias, error)
	GetAlias(function, name string) (persist.Alias, error)
	DeleteAlias(function, name string) error
	PutRoute(r persist.Route, replace bool) error
	DeleteRoute(key string) error
	Routes() ([]persist.Route, error)
	configStore
	// LiveAPIs returns what of API Gateway would be live after a change.
	LiveAPIs(persist.APIChange) (persist.LiveAPIs, error)
	ChangeAPIs(persist.APIChange) error
	FunctionURLs() ([]persist.FunctionURL, error)
}

// CodeStore keeps the code of functions in folders named after their content.
type CodeStore interface {
	// Put unpacks blob, a Wasm module or a zip, which it does not keep.
	Put(blob []byte, kind persist.CodeKind) (persist.CodeInfo, error)
	// Path returns the folder of a hash.
	Path(hash string) string
	// Size returns the bytes of the files in a folder.
	Size(hash string) (int64, error)
	// Merge makes one folder of several; of files with the same path the last is
	// taken. It returns the bytes of its files too.
	Merge(hashes []string) (hash string, size int64, err error)
	// WriteZip writes a folder as a zip archive.
	WriteZip(w io.Writer, hash string) error
	// Collect removes the folders whose hash is not in use.
	Collect(inUse map[string]bool) (removed int, freed int64, err error)
}

// Gateway is what serves the routes and the APIs.
type Gateway interface {
	// SetTable replaces the route table; requests under way keep theirs.
	SetTable(*gateway.Table)
	// SetAPIs replaces the APIs in the same way.
	SetAPIs(*gateway.APIs)
}

var (
	_ Store     = (*persist.Store)(nil)
	_ CodeStore = (*persist.Code)(nil)
	_ Gateway   = (*gateway.Server)(nil)
)

// ErrRevision says that a record is not at the revision that the caller named:
// someone else changed it since the caller read it. Nothing was changed.
var ErrRevision = errors.New("revision does not match")

// Config is what a Reconciler works with. Engine, Store, Code and Gateway are
// required.
type Config struct {
	Engine  Engine
	Store   Store
	Code    CodeStore
	Gateway Gateway

	// Log takes what has no caller to return to: records that Boot skipped and
	// code that could not be removed. Nil discards it.
	Log *slog.Logger
	// Now is the clock; nil means time.Now. It only decides when the code that
	// a deploy replaced is old enough to be removed.
	Now func() time.Time
}

// Reconciler turns stored state into live state. Its methods are safe for
// concurrent use.
//
// Lock order: turn (one change at a time), then the engine's locks, then the
// store's write lock: the engine calls commit under its own lock, and the store
// calls nobody. Invocations never wait for turn, so a long compile under it
// delays only other changes.
type Reconciler struct {
	engine  Engine
	store   Store
	code    CodeStore
	gateway Gateway
	log     *slog.Logger
	now     func() time.Time

	// turn holds one token; who has it may change things. It is a channel and
	// not a mutex so that a caller who hangs up does not wait for its turn.
	turn chan struct{}
	// retired are the hashes of code that left service, and when its last
	// invocation must have ended. Guarded by turn.
	retired map[string]time.Time
}

// New returns a Reconciler that has made nothing live yet: see Boot.
func New(cfg Config) *Reconciler {
	r := &Reconciler{
		engine: cfg.Engine, store: cfg.Store, code: cfg.Code, gateway: cfg.Gateway,
		log: cfg.Log, now: cfg.Now,
		turn:    make(chan struct{}, 1),
		retired: make(map[string]time.Time),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// begin waits for this caller's turn to change things; the caller ends it with end.
func (r *Reconciler) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil { // select would choose at random
		return fmt.Errorf("wait for other changes: %w", err)
	}
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for other changes: %w", ctx.Err())
	}
}

func (r *Reconciler) end() { <-r.turn }

// Boot makes everything live that is stored. It loads no module, so that it is
// quick; a module is opened at its first invocation. A record that cannot be
// made live is logged and skipped, and the rest serves: only a store that
// cannot be read is an error. Boot is idempotent.
func (r *Reconciler) Boot(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()

	state, err := r.store.Load()
	if err != nil {
		return fmt.Errorf("load stored state: %w", err)
	}
	for _, fn := range state.Functions {
		if err := r.engine.Register(r.engineFunction(fn)); err != nil {
			r.log.Error("function skipped at boot", "function", fn.Name, "version", fn.Version, "error", err)
		}
	}
	for _, a := range state.Aliases {
		if err := r.engine.SetAlias(a.Function, a.Name, a.Version, a.Weights); err != nil {
			r.log.Error("alias skipped at boot", "function", a.Function, "alias", a.Name, "error", err)
		}
	}
	for function, wanted := range provisionedVersions(state) {
		for version, n := range wanted {
			if err := r.engine.SetProvisioned(function, version, n); err != nil {
				r.log.Error("provisioned concurrency skipped at boot", "function", function, "version", version, "error", err)
			}
		}
	}
	r.gateway.SetTable(r.usableTable(state.Routes))
	if err := r.serveStoredAPIs(); err != nil {
		return fmt.Errorf("serve stored APIs: %w", err)
	}
	if r.store.Incomplete() {
		r.log.Warn("unused code is kept, because the store lost records: restore it, or remove ledge.db.damaged-* from the data folder and start again")
	}
	if _, _, err := r.collect(state); err != nil {
		r.log.Warn("unused code is not removed", "error", err)
	}
	return nil
}

// retire notes that the code of fn left service. An invocation that began
// before may read its files until it times out.
func (r *Reconciler) retire(fn persist.Function) {
	until := r.now().Add(time.Duration(fn.TimeoutMillis)*time.Millisecond + retireMargin)
	for _, hash := range []string{fn.CodeHash, fn.LayerHash} {
		if hash != "" && until.After(r.retired[hash]) {
			r.retired[hash] = until
		}
	}
}

// retireMargin is the time that the engine may need to end an invocation that
// timed out.
const retireMargin = 5 * time.Second

// Collect removes the code that nothing uses any more, and returns the number
// of its folders and their bytes. Boot and every deploy of code do that too. It
// removes nothing while the store is Incomplete.
func (r *Reconciler) Collect(ctx context.Context) (removed int, freed int64, err error) {
	if err := r.begin(ctx); err != nil {
		return 0, 0, err
	}
	defer r.end()
	state, err := r.store.Load()
	if err != nil {
		return 0, 0, fmt.Errorf("load stored state: %w", err)
	}
	return r.collect(state)
}

// makeRoom removes superfluous code before new code is stored, if there is
// likely to be any. A failure is logged: what follows may succeed all the same.
func (r *Reconciler) makeRoom() {
	now := r.now()
	due := false
	for _, until := range r.retired {
		due = due || until.Before(now)
	}
	if !due {
		return
	}
	state, err := r.store.Load()
	if err == nil {
		_, _, err = r.collect(state)
	}
	if err != nil {
		r.log.Warn("unused code is not removed", "error", err)
	}
}

// collect removes the code that neither state names nor a running invocation
// can be using. Where the store lost records, or is new, it removes none:
// whoever brings the records back needs the code.
func (r *Reconciler) collect(state persist.State) (removed int, freed int64, err error) {
	if state.Generation == 0 || r.store.Incomplete() {
		return 0, 0, nil
	}
	inUse := make(map[string]bool, len(state.Functions)+len(r.retired))
	for _, fn := range state.Functions {
		inUse[fn.CodeHash], inUse[fn.LayerHash] = true, true
	}
	for _, layer := range state.Layers {
		inUse[layer.CodeHash] = true
	}
	now := r.now()
	for hash, until := range r.retired {
		if now.Before(until) {
			inUse[hash] = true
		} else {
			delete(r.retired, hash)
		}
	}
	if removed, freed, err = r.code.Collect(inUse); err != nil {
		return removed, freed, fmt.Errorf("remove unused code: %w", err)
	}
	return removed, freed, nil
}
