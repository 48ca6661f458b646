// Ledge is Lambda at the edge: one binary that turns a Raspberry Pi or a
// gateway into a serverless appliance. This file opens the parts in order,
// hands each what it needs of the others, and closes them in reverse.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
	_ "time/tzdata" // schedules have time zones, and the machine may have none

	"ledge/edge"
	"ledge/edge/awsapi"
	"ledge/edge/awsapi/apigateway"
	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/schedules"
	"ledge/edge/cli"
	"ledge/edge/gateway"
	"ledge/engine"
	"ledge/firmware"
	"ledge/persist"
	"ledge/scheduler"

	"golang.org/x/sys/unix"
)

// Set by the build: -ldflags "-X main.version=... -X main.commit=...".
var version, commit string

const wasmtimeVersion = "44.0.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run does what the arguments ask for and returns the exit code: 0 ok, 1
// failed, 2 usage.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	_, notTerminal := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
	return cli.Run(ctx, cli.Env{
		Args: args, Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Getenv:     os.Getenv,
		IsTerminal: notTerminal == nil,
		Version: cli.Version{
			Version:  cmp.Or(version, "dev"),
			Commit:   commit,
			Wasmtime: wasmtimeVersion,
			Go:       runtime.Version(),
			Platform: runtime.GOOS + "/" + runtime.GOARCH,
		},
	}, func(ctx context.Context, s cli.ServeSettings) error { return serve(ctx, s, stderr) })
}

// appliance collects what serve opened, to close it in reverse.
type appliance struct {
	log    *slog.Logger
	drains []func() error
	closes []func() error
}

func (a *appliance) onClose(f func() error) { a.closes = append(a.closes, f) }

// onDrain is for what takes no more work and then waits for the work that it has,
// up to the drain timeout. All of them wait at the same time, before anything is closed.
func (a *appliance) onDrain(f func() error) { a.drains = append(a.drains, f) }

// close drains and closes everything and returns the first error.
func (a *appliance) close() (first error) {
	drained := make(chan error)
	for _, f := range a.drains {
		go func() { drained <- f() }()
	}
	for range a.drains {
		if err := <-drained; err != nil && first == nil {
			first = err
		}
	}
	for _, f := range slices.Backward(a.closes) {
		if err := f(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// serve runs the appliance until ctx is done.
func serve(ctx context.Context, s cli.ServeSettings, stderr io.Writer) (err error) {
	a := &appliance{log: newLogger(s, stderr)}
	defer func() {
		if closing := a.close(); err == nil {
			err = closing
		}
	}()

	unix.Umask(0o077) // what the appliance makes is its user's alone
	claim, err := firmware.ClaimFolder(s.Data)
	if err != nil {
		return explain(err)
	}
	a.onClose(claim.Release)
	// Listening comes early: a port that is taken is the commonest mistake.
	public, err := listen("http", s.HTTP)
	if err != nil {
		return err
	}
	a.onClose(ignoreClosed(public.Close))
	controls, err := a.listenControl(s)
	if err != nil {
		return err
	}

	store, code, logs, err := a.openData(s.Data)
	if err != nil {
		return explain(err)
	}
	secret, err := firmware.DeviceKey(s.Data)
	if err != nil {
		return explain(err)
	}
	keys, err := a.openKeys(s, store, secret[:])
	if err != nil {
		return explain(err)
	}
	var events edge.FunctionJobs
	functions, err := a.openEngine(s, store, logs, &events, secret)
	if err != nil {
		return err
	}
	limits := persist.QueueLimits{Jobs: s.Queue.Jobs, Bytes: s.Queue.Bytes, WhenFull: s.Queue.WhenFull}.WithDefaults()
	drain := max(s.DrainTimeout, 1)
	queue := scheduler.NewQueue(scheduler.QueueConfig{Store: store, Invoker: functions, Log: a.log, Limits: limits, Drain: drain})
	events.Connect(queue)
	timetable := scheduler.NewSchedules(scheduler.SchedulesConfig{
		Store: store, Wake: queue.Wake, Log: a.log, Limits: limits, ClockWait: s.ClockWait, Built: scheduler.BuildTime(),
	})
	feeds := scheduler.NewFeeds(scheduler.FeedsConfig{Store: store, Invoker: functions, Wake: queue.Wake, Log: a.log, Drain: drain})
	store.OnChange(feeds.Notify)
	data, err := gateway.New(gateway.Config{
		Invoker:   functions,
		Queue:     queue,
		Authorize: awsapi.AuthorizeIAM(keys),
		Logf:      func(format string, args ...any) { a.log.Warn(fmt.Sprintf(format, args...)) },
		OnBadReply: func(function string, id engine.RequestID, reason string) {
			logs.Append(function, "", id.String(), time.Now(), []byte("ERROR the gateway cannot use the reply: "+reason+"\n"))
		},
	})
	if err != nil {
		return err
	}
	reconciler := edge.New(edge.Config{Engine: functions, Store: store, Code: code, Gateway: data, Log: a.log})
	started := time.Now()
	if err := reconciler.Boot(ctx); err != nil {
		return explain(err)
	}
	a.log.Debug("stored functions are live", "took", time.Since(started))

	a.start("asynchronous invocations", queue.Run)
	a.start("schedules", timetable.Run)
	a.start("change feeds", feeds.Run)
	failed := make(chan error, 3)
	network, socket := awsapi.New(awsapi.Config{
		Reconciler: reconciler,
		Store:      store,
		Invoker:    functions,
		Async:      queue,
		Data:       store.Data(),
		Logs:       logs,
		Stopping:   ctx.Done(),
		Keys:       keys,
		Audit:      store,

		Expressions: scheduler.Expressions{}, ScheduleChanged: timetable.Changed,
		Patterns: scheduler.Patterns{}, FeedChanged: feeds.Changed, FeedStatus: feeds.Status,
		Services: slices.Concat(
			apigateway.Operations(apigateway.Config{Changer: reconciler, Store: store, Public: public.Addr().String()}),
			schedules.Operations(schedules.Config{Store: store, Expressions: scheduler.Expressions{}, Runner: timetable}),
		),
		Log: a.log,
		Version: awsapi.Version{
			Version: cmp.Or(version, "dev"), Commit: commit, Wasmtime: wasmtimeVersion,
			Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
			HTTP: public.Addr().String(), Control: controls[0].Addr().String(),
		},
		Problems: func() []string { return edge.Problems(store, logs) },
	})
	a.startControl(controls, failed, s, []http.Handler{network, socket})
	a.startGateway(data, public, failed, s)
	a.startChores(functions, reconciler, store, feeds)

	a.log.Info("serving", "http", public.Addr().String(), "control", controls[0].Addr().String(), "data", s.Data, "version", cmp.Or(version, "dev"))
	notify := os.Getenv("NOTIFY_SOCKET")
	if err := firmware.Notify(notify, firmware.Ready); err != nil {
		a.log.Warn("the service manager was not told", "error", err)
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.log.Info("stopping", "drain", s.DrainTimeout)
	_ = firmware.Notify(notify, firmware.Stopping) // it was worth a warning at start, not two
	return nil
}

func newLogger(s cli.ServeSettings, w io.Writer) *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(s.LogLevel)) != nil {
		level = slog.LevelInfo // the command line has checked it
	}
	options := &slog.HandlerOptions{Level: level}
	if s.JSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// openData opens everything that is kept.
func (a *appliance) openData(dir string) (*persist.Store, *persist.Code, *persist.Logs, error) {
	store, err := persist.Open(dir, persist.Options{})
	if err != nil {
		return nil, nil, nil, err
	}
	a.onClose(store.Close)
	if what := store.Recovered(); what != "" {
		a.log.Error("the store was damaged", "what", what)
	}
	code, err := persist.OpenCode(dir, persist.CodeLimits{})
	if err != nil {
		return nil, nil, nil, err
	}
	logs, err := persist.OpenLogs(dir, persist.LogOptions{})
	if err != nil {
		return nil, nil, nil, err
	}
	a.onClose(logs.Close)
	return store, code, logs, nil
}

// openKeys opens the keyring, and says where the root key is that it made.
func (a *appliance) openKeys(s cli.ServeSettings, store *persist.Store, secret []byte) (*identity.Keyring, error) {
	keys, made, err := identity.Open(identity.Config{Store: store, DeviceSecret: secret, Dir: s.Data, Log: a.log})
	if err != nil {
		return nil, err
	}
	a.onClose(func() error { keys.Close(); return nil })
	if made {
		a.log.Info("the root key was made; keep its file safe, and make others with: ledge keys create", "file", filepath.Join(s.Data, identity.RootKeyFile))
	}
	return keys, nil
}

func (a *appliance) openEngine(s cli.ServeSettings, store *persist.Store, logs *persist.Logs, events engine.Async, key [32]byte) (*engine.Runtime, error) {
	cfg := engine.DefaultConfig()
	cfg.ArtifactDir = filepath.Join(s.Data, "artifacts")
	cfg.DeviceKey = key
	cfg.MemoryBudget = s.MemoryBudget
	cfg.MaxInstances = s.MaxInstances
	cfg.AddressBits = s.AddressBits
	cfg.IdleTimeout = s.IdleTimeout
	cfg.Logs = edge.FunctionLogs{Logs: logs}
	cfg.Data = edge.NewFunctionData(store.Data())
	cfg.Async = events
	cfg.Log = a.log
	functions, err := engine.Open(cfg)
	if err != nil {
		return nil, explain(err)
	}
	a.onClose(functions.Close)
	stats := functions.Stats()
	a.log.Debug("engine is open", "instances", stats.MaxInstances, "budgetMB", stats.MemoryBudget>>20, "addressBits", stats.AddressBits)
	return functions, nil
}

// controlSocket is the name of the control plane's socket in the data folder.
const controlSocket = "control.sock"

// listenControl listens on TCP, first, and on the Unix socket, whose file only
// the owner may open.
func (a *appliance) listenControl(s cli.ServeSettings) ([]net.Listener, error) {
	tcp, err := listen("control", s.Control)
	if err != nil {
		return nil, err
	}
	tcp = awsapi.LimitListener(tcp, awsapi.MaxConnections)
	a.onClose(ignoreClosed(tcp.Close))
	if ip := tcp.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		a.log.Warn("the control plane listens for other machines without TLS: requests must be signed, but who can see the traffic can read them", "control", tcp.Addr().String())
	}
	path := filepath.Join(s.Data, controlSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // the claim says that it is nobody's
		return nil, explain(err)
	}
	socket, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EINVAL) {
		return nil, &cli.Error{Code: "PathTooLong", Message: fmt.Sprintf("the path of the control socket is too long: %s has %d bytes, the system takes 107", path, len(path)),
			Hint: "use a data folder with a shorter path with --data", Err: err}
	}
	if err != nil {
		return nil, explain(fmt.Errorf("listen on the control socket: %w", err))
	}
	a.onClose(ignoreClosed(socket.Close))
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, explain(err)
	}
	return []net.Listener{tcp, socket}, nil
}

// startControl serves the control plane, to each listener its handler.
func (a *appliance) startControl(listeners []net.Listener, failed chan<- error, s cli.ServeSettings, handlers []http.Handler) {
	ctx, cancel := context.WithCancel(context.Background()) // of all requests
	a.onClose(func() error { cancel(); return nil })
	for i, l := range listeners {
		server := awsapi.NewServer(ctx, handlers[i])
		go func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve control plane: %w", err)
			}
		}()
		a.onDrain(func() error {
			limit, done := context.WithTimeout(context.Background(), s.DrainTimeout)
			defer done()
			if server.Shutdown(limit) == nil {
				return nil
			}
			cancel()
			return server.Close()
		})
	}
}

func (a *appliance) startGateway(server *gateway.Server, l net.Listener, failed chan<- error, s cli.ServeSettings) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(ctx, l); err != nil {
			failed <- fmt.Errorf("serve http: %w", err)
		}
	}()
	a.onDrain(func() error {
		limit, done := context.WithTimeout(context.Background(), s.DrainTimeout)
		defer done()
		err := server.Shutdown(limit)
		cancel()
		<-served
		if errors.Is(err, context.DeadlineExceeded) {
			a.log.Warn("requests were cut off: they ran longer than the drain timeout")
			return nil
		}
		return err
	})
}

// start runs a part until the appliance stops.
func (a *appliance) start(part string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := run(ctx); err != nil {
			a.log.Error(part+" stopped", "error", err)
		}
	}()
	a.onDrain(func() error { cancel(); <-stopped; return nil })
}

// maxExpired is how many keys are removed in a minute, so that it is no load.
const maxExpired = 20_000

// startChores does what the node does for itself.
func (a *appliance) startChores(functions *engine.Runtime, reconciler *edge.Reconciler, store *persist.Store, feeds *scheduler.Feeds) {
	chores := []scheduler.Chore{{
		Name: "remove unused artifacts",
		Spec: "30 3 * * *",
		Run: func(context.Context) error {
			removed, err := functions.Collect()
			a.log.Debug("unused artifacts are removed", "files", removed)
			return err
		},
	}, {
		Name: "remove unused code",
		Spec: "30 3 * * *",
		Run: func(ctx context.Context) error {
			// A store that is rebuilt from the backup needs the code that it names.
			if last, err := store.LastBackup(); err == nil && last.Generation != store.Generation() {
				a.log.Debug("unused code is kept until the store is backed up again")
				return nil
			}
			removed, freed, err := reconciler.Collect(ctx)
			a.log.Debug("unused code is removed", "functions", removed, "bytes", freed)
			return err
		},
	}, {
		Name: "remove data that has expired",
		Spec: "* * * * *",
		Run: func(context.Context) error {
			_, _, err := store.Data().Expire(maxExpired)
			return err
		},
	}, {
		Name: "trim streams of changes",
		Spec: "10 * * * *",
		Run: func(context.Context) error {
			feeds.Checkpoint()
			removed, err := store.TrimChanges(time.Now())
			a.log.Debug("streams of changes are trimmed", "changes", removed)
			return err
		},
	}, {
		Name: "back up the store",
		Spec: "*/5 * * * *",
		Run: func(ctx context.Context) error {
			_, made, err := store.BackupIfDue(ctx)
			if made {
				a.log.Debug("the store is backed up")
			}
			return err
		},
	}}
	a.start("chores", func(ctx context.Context) error {
		return scheduler.RunChores(ctx, chores, func(c scheduler.Chore, err error) {
			if err != nil {
				a.log.Error("chore failed", "chore", c.Name, "error", err)
			}
		})
	})
}

// listen returns a listener, or an error that says which setting to change.
func listen(setting, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &cli.Error{Code: "PortInUse", Message: "the address " + address + " is in use", Err: err,
			Hint: fmt.Sprintf("stop what listens there, or choose another address with --%s", setting)}
	case errors.Is(err, syscall.EACCES):
		return nil, &cli.Error{Code: "PortNotAllowed", Message: "this user may not listen on " + address, Err: err,
			Hint: fmt.Sprintf("choose a port above 1023 with --%s, or grant CAP_NET_BIND_SERVICE", setting)}
	}
	return nil, &cli.Error{Code: "Listen", Message: err.Error(), Err: err,
		Hint: fmt.Sprintf("--%s takes an address of this machine such as 127.0.0.1:8080 or :8080", setting)}
}

// explain adds to an error what the operator can do about it.
func explain(err error) error {
	hint := ""
	var claimed *firmware.ClaimedError
	switch {
	case errors.As(err, &claimed):
		return &cli.Error{Code: "DataFolderInUse", Message: err.Error(), Err: err}
	case errors.Is(err, syscall.ENOSPC):
		hint = "the disk is full: free some space and start again; nothing that was stored is lost"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		hint = "the data folder must be writable for the user that runs the appliance; choose another with --data"
	}
	return &cli.Error{Code: "StartFailed", Message: err.Error(), Hint: hint, Err: err}
}

// ignoreClosed closes a listener that its server may have closed before.
func ignoreClosed(closeListener func() error) func() error {
	return func() error {
		if err := closeListener(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}
