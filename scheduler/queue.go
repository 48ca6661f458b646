package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// QueueStore is the part of persist.Store that a Queue needs.
type QueueStore interface {
	Enqueue(job persist.Job, limits persist.QueueLimits, lease bool) (persist.Job, error)
	EnqueueAll(jobs []persist.Job, limits persist.QueueLimits) ([]persist.Job, []error)
	Lease(persist.LeaseRequest) (persist.Leased, error)
	ReleaseLeases() (int, error)
	ExpireLeases([]persist.Job) (expired int, err error)
	Settle([]persist.Settlement) []error
	RetryDeadLetter(number uint64, limits persist.QueueLimits) (persist.Job, error)
	DeleteJob(number uint64) error
	PurgeJobs(function string) (removed int, more bool, err error)
	GetAsyncConfig(function, qualifier string) (persist.AsyncConfig, error)
	GetFunction(name, qualifier string) (persist.Function, error)
}

// Invoker runs functions; engine.Runtime is one.
type Invoker interface {
	Invoke(context.Context, *engine.Invocation, *engine.Result) error
}

// QueueConfig sets up a Queue. Store and Invoker are needed, the zero value of
// the rest is the default.
type QueueConfig struct {
	Store   QueueStore
	Invoker Invoker
	Log     *slog.Logger
	// Workers is how many events are worked on at the same time; 0 means 16. One
	// function has at most half of them.
	Workers int
	Limits  persist.QueueLimits // of what waits or runs, with the defaults for what is 0
	// Drain is how long Run waits, once it is to stop, for functions that run;
	// then they are stopped and their events handed back. 0 means 5 s.
	Drain time.Duration
	// Region stands in the ARNs of invocation records; empty means engine.DefaultRegion.
	Region string
}

// storePause is how long the Queue waits after the store failed.
const storePause = 5 * time.Second

// Queue runs functions on events that nobody waits for, as AWS Lambda does for
// the invocation type Event
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
// The package comment says how.
type Queue struct {
	cfg QueueConfig
	log *slog.Logger

	wake  chan struct{}    // something changed; holds one
	ready chan persist.Job // leased by InvokeAsync, each with its worker

	mu      sync.Mutex // guards what follows; never held while the store is called
	open    bool       // Run takes from ready
	leasing bool       // Run is asking for events: the workers that are free may be for them
	busy    int        // workers that have an event or are promised to one
	more    bool       // events were due that found no worker
	last    string     // the function whose turn came last
	lanes   map[string]*lane
	leases  map[uint64]lease // of what workers have, by the Job.Number of the first
}

// NewQueue returns a Queue that keeps events from now on and runs them in Run.
func NewQueue(cfg QueueConfig) *Queue {
	cfg.Workers = cmp.Or(cfg.Workers, 16)
	cfg.Drain = cmp.Or(cfg.Drain, 5*time.Second)
	cfg.Region = cmp.Or(cfg.Region, engine.DefaultRegion)
	cfg.Limits = cfg.Limits.WithDefaults()
	q := &Queue{
		cfg: cfg, log: cfg.Log,
		wake:  make(chan struct{}, 1),
		ready: make(chan persist.Job, cfg.Workers),
		lanes: map[string]*lane{}, leases: map[uint64]lease{},
	}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	return q
}

// InvokeAsync is Submit for an event of which nothing more is to be said. A zero id
// has one chosen.
func (q *Queue) InvokeAsync(function, qualifier string, id engine.RequestID, payload []byte) error {
	if id == (engine.RequestID{}) {
		id = engine.NewRequestID()
	}
	_, err := q.Submit(persist.Job{
		ID: id.String(), Function: function, Qualifier: qualifier, Payload: payload, Priority: persist.UsualPriority,
	})
	return err
}

// Submit keeps an event for a function and returns it, as it was stored, when it is on
// disk. The function runs as soon as the job says, under its ID as the request id, and
// possibly more than once. An empty ID has one chosen, an empty Source is "async". The
// payload is borrowed until Submit returns. An event whose DedupID was there before
// comes back as a Duplicate, with the ID of the first.
//
// Errors: persist.ErrQueueFull, persist.ErrNotFound where there is no such function,
// persist.ErrInvalid, *persist.SizeError; otherwise the disk failed. It does not look
// whether the version or alias is there.
func (q *Queue) Submit(job persist.Job) (persist.Job, error) {
	complete(&job)
	// Where a worker is free the event is leased as it is stored, which saves a
	// commit.
	promised := job.Due.IsZero() && q.promise(job.Function)
	stored, err := q.cfg.Store.Enqueue(job, q.cfg.Limits, promised)
	switch {
	case err == nil && promised && stored.Leased():
		work := stored
		work.Payload = append([]byte(nil), job.Payload...)
		q.ready <- work // there is a place for each worker
		return stored, nil
	case promised: // it was refused, or others are before it, or it goes in a batch
		q.free(job.Function)
	}
	if err == nil && !stored.Duplicate {
		q.Wake()
	}
	return stored, err
}

// SubmitAll is Submit for up to persist.MaxJobBatch events at once, in one transaction.
// Each has its own outcome, at its index: one that is refused keeps no other out.
func (q *Queue) SubmitAll(jobs []persist.Job) ([]persist.Job, []error) {
	jobs = slices.Clone(jobs)
	for i := range jobs {
		complete(&jobs[i])
	}
	stored, errs := q.cfg.Store.EnqueueAll(jobs, q.cfg.Limits)
	if slices.Contains(errs, nil) {
		q.Wake()
	}
	return stored, errs
}

// complete gives an event what its sender left to us.
func complete(job *persist.Job) {
	if job.ID == "" {
		job.ID = engine.NewRequestID().String()
	}
	job.Source = cmp.Or(job.Source, engine.SourceAsync.String())
}

// Wake has Run look for events that are due. Call it after one was stored by other means
// than InvokeAsync, and after a persist.AsyncConfig was: what waits for the window of a
// batch may be ready now.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run works on events until ctx is done, and then until those that run have
// ended or are handed back. It fails where the store is closed. Call it once.
func (q *Queue) Run(ctx context.Context) error {
	if err := q.takeBack(ctx); err != nil {
		return err
	}
	// Functions that run outlive ctx for a while.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var workers sync.WaitGroup
	start := func(d delivery) {
		q.holdLease(d)
		workers.Go(func() {
			q.work(running, d)
			q.free(d.function())
		})
	}
	q.setOpen(true)
	err := q.dispatch(ctx, start)
	q.setOpen(false)
	q.drain(start, &workers, stop)
	return err
}

// takeBack has the events run again that the process before was working on. Where
// the disk fails, or is full, it goes on trying until ctx is done: events are
// promised meanwhile, and somebody must run them.
func (q *Queue) takeBack(ctx context.Context) error {
	for ctx.Err() == nil {
		left, err := q.cfg.Store.ReleaseLeases()
		switch {
		case errors.Is(err, persist.ErrClosed):
			return fmt.Errorf("the queue stops: %w", err)
		case err == nil && left > 0:
			q.log.Warn("events were being worked on when the node went down; they are run again", "events", left)
			return nil
		case err == nil:
			return nil
		}
		q.log.Error("the queue cannot be started; it is tried again", "in", storePause, "error", err)
		pause(ctx, storePause)
	}
	return nil
}

// pause waits that long, or until ctx is done.
func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// dispatch leases events and starts them until ctx is done.
func (q *Queue) dispatch(ctx context.Context, start func(delivery)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var next time.Time // when to look again for what is due
	var err error      // of the last look
	for look := true; ; {
		if look {
			err = q.expireLeases()
			if err == nil {
				next, err = q.leaseDue(start)
			}
			switch {
			case errors.Is(err, persist.ErrClosed):
				return fmt.Errorf("the queue stops: %w", err)
			case err != nil:
				q.log.Error("the queue cannot be read; it is tried again", "in", storePause, "error", err)
				next = time.Now().Add(storePause)
			}
		}
		timer.Stop()
		at := next
		if err == nil { // else a lease may be over already that could not be taken back
			at = earlier(next, q.firstExpiry())
		}
		if !at.IsZero() {
			// The clock may be set forward, which a timer does not notice.
			timer.Reset(min(max(time.Until(at), 0), longestSleep))
		}
		look = true
		select {
		case job := <-q.ready: // what else is due has not changed
			start(single(job))
			look = false
		case <-q.wake:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// leaseDue starts what is due, as far as there are workers, and returns when to
// look again without being woken: zero where nothing waits for a time.
func (q *Queue) leaseDue(start func(delivery)) (next time.Time, err error) {
	for {
		req, held := q.request()
		if req.Limit == 0 { // a worker that gets free wakes us
			return time.Time{}, nil
		}
		leased, err := q.cfg.Store.Lease(req)
		q.noteLease(req, leased, err)
		if err != nil {
			return time.Time{}, err
		}
		for _, job := range leased.Jobs {
			start(single(job))
		}
		for _, jobs := range leased.Batches {
			start(delivery{jobs: jobs, batch: true})
		}
		if leased.More { // it took some, or set damaged ones aside
			continue
		}
		return earlier(leased.Next, held), nil
	}
}

// drain waits for the functions that run and stops them when it took too long.
func (q *Queue) drain(start func(delivery), workers *sync.WaitGroup, stop func()) {
	timer := time.AfterFunc(q.cfg.Drain, stop)
	defer timer.Stop()
	for {
		q.mu.Lock()
		busy := q.busy
		q.mu.Unlock()
		if busy == 0 {
			break
		}
		select {
		case job := <-q.ready: // stored while we stopped, and promised a worker
			start(single(job))
		case <-q.wake:
		}
	}
	workers.Wait()
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
