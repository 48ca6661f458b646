package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// fakeEngine runs functions as the test says and notes when they ran.
type fakeEngine struct {
	mu    sync.Mutex
	start time.Time
	runs  []string // "function:qualifier event after"
	busy  map[string]int
	most  map[string]int // of busy, ever

	all, mostAll int // the same for all functions

	serve func(ctx context.Context, inv *engine.Invocation, res *engine.Result) error
}

func (f *fakeEngine) Invoke(ctx context.Context, inv *engine.Invocation, res *engine.Result) error {
	f.mu.Lock()
	f.runs = append(f.runs, fmt.Sprintf("%s:%s %s %s", inv.Function, inv.Qualifier, inv.Payload, time.Since(f.start).Round(time.Second)))
	f.busy[inv.Function]++
	f.most[inv.Function] = max(f.most[inv.Function], f.busy[inv.Function])
	f.all++
	f.mostAll = max(f.mostAll, f.all)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.busy[inv.Function]--
		f.all--
		f.mu.Unlock()
	}()
	res.Version = "3"
	return f.serve(ctx, inv, res)
}

func (f *fakeEngine) ran() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.runs)
}

// waits returns after how long each run began, in minutes.
func (f *fakeEngine) waits() []time.Duration {
	var waits []time.Duration
	for _, run := range f.ran() {
		d, _ := time.ParseDuration(run[strings.LastIndexByte(run, ' ')+1:])
		waits = append(waits, d)
	}
	return waits
}

type queueTest struct {
	*testing.T
	store  *persist.Store
	engine *fakeEngine
	queue  *Queue
	stop   func() error
}

// inBubble runs test in fake time with a store, an engine that serves as given,
// and a Queue that runs.
func inBubble(t *testing.T, cfg QueueConfig, serve func(context.Context, *engine.Invocation, *engine.Result) error, test func(*queueTest)) {
	synctest.Test(t, func(t *testing.T) {
		store, err := persist.Open(t.TempDir(), persist.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}()
		for _, name := range []string{"f", "g", "ok", "lost"} {
			if _, err := store.PutFunction(persist.Function{Name: name}, "", nil); err != nil {
				t.Fatal(err)
			}
		}
		q := &queueTest{T: t, store: store}
		q.engine = &fakeEngine{start: time.Now(), busy: map[string]int{}, most: map[string]int{}, serve: serve}
		cfg.Region = "local"
		cfg.Store, cfg.Invoker = store, q.engine
		q.queue = NewQueue(cfg)
		q.run()
		test(q)
		if q.stop != nil {
			if err := q.stop(); err != nil {
				t.Errorf("Run: %v", err)
			}
		}
	})
}

// run starts the Queue.
func (t *queueTest) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- t.queue.Run(ctx) }()
	synctest.Wait()
	t.stop = func() error {
		cancel()
		t.stop = nil
		return <-ended
	}
}

func (t *queueTest) send(function, event string) {
	t.Helper()
	if err := t.queue.InvokeAsync(function, "", engine.RequestID{}, []byte(event)); err != nil {
		t.Fatal(err)
	}
}

func (t *queueTest) stats() persist.QueueStats {
	t.Helper()
	stats, err := t.store.QueueStats()
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// letters returns the dead letters as "function event: reason; last error".
func (t *queueTest) letters() (texts []string) {
	t.Helper()
	letters, _, err := t.store.DeadLetters(0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		l, err := t.store.GetDeadLetter(l.Sequence)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, fmt.Sprintf("%s %s: %s; %s", l.Job.Function, l.Job.Payload, l.Reason, l.Job.LastError))
	}
	return texts
}

func succeed(context.Context, *engine.Invocation, *engine.Result) error { return nil }

func fail(context.Context, *engine.Invocation, *engine.Result) error { return valueError() }

func valueError() error {
	return fmt.Errorf("f: %w", &engine.FunctionError{Type: "ValueError", Message: "no"})
}

func (f *fakeEngine) ranAfter(wait func()) []string {
	wait()
	return f.ran()
}

// failingStore refuses some calls.
type failingStore struct {
	*persist.Store
	mu    sync.Mutex
	fails int // of the next calls
}

func (s *failingStore) failNext(calls int) {
	s.mu.Lock()
	s.fails = calls
	s.mu.Unlock()
}

func (s *failingStore) fail() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails == 0 {
		return nil
	}
	s.fails--
	return errors.New("disk full")
}

func (s *failingStore) Settle(ends []persist.Settlement) []error {
	if err := s.fail(); err != nil {
		return slices.Repeat([]error{err}, len(ends))
	}
	return s.Store.Settle(ends)
}

func (s *failingStore) ReleaseLeases() (int, error) {
	if err := s.fail(); err != nil {
		return 0, err
	}
	return s.Store.ReleaseLeases()
}

func (s *failingStore) Lease(req persist.LeaseRequest) (persist.Leased, error) {
	if err := s.fail(); err != nil {
		return persist.Leased{}, err
	}
	return s.Store.Lease(req)
}

type countingStore struct {
	*persist.Store
	leases atomic.Int64
}

func (s *countingStore) Lease(req persist.LeaseRequest) (persist.Leased, error) {
	s.leases.Add(1)
	return s.Store.Lease(req)
}

type invokerFunc func()

func (f invokerFunc) Invoke(context.Context, *engine.Invocation, *engine.Result) error {
	f()
	return nil
}
