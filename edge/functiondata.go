package edge

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"

	"ledge/engine"
	"ledge/persist"
)

// FunctionData makes the store's data the engine's.
type FunctionData struct{ data *persist.Data }

// NewFunctionData returns the data of functions, usable until the store is closed.
func NewFunctionData(data *persist.Data) FunctionData { return FunctionData{data: data} }

// Get is persist.Data's.
func (d FunctionData) Get(bucket, key string) (engine.Item, error) {
	item, err := d.data.Get(bucket, key)
	return engine.Item(item), forGuests(err)
}

// List is persist.Data's.
func (d FunctionData) List(bucket string, r engine.Range) ([]engine.Item, bool, error) {
	found, more, err := d.data.List(bucket, persist.Range(r))
	if err != nil {
		return nil, false, forGuests(err)
	}
	items := make([]engine.Item, len(found))
	for i := range found {
		items[i] = engine.Item(found[i])
	}
	return items, more, nil
}

// Write is persist.Data's.
func (d FunctionData) Write(origin engine.Origin, writes []engine.Write) ([]engine.Written, error) {
	steps := make([]persist.Write, len(writes))
	for i, w := range writes {
		step := persist.Write{Bucket: w.Bucket, Key: w.Key, Value: w.Value, By: w.By, TTL: w.TTL}
		var err error
		if step.Kind, err = writeKind(w.Kind); err != nil {
			return nil, err
		}
		if step.If, err = condition(w.If); err != nil {
			return nil, err
		}
		steps[i] = step
	}
	done, err := d.data.Write(persist.Origin(origin), steps)
	if err != nil {
		return nil, forGuests(err)
	}
	written := make([]engine.Written, len(done))
	for i := range done {
		written[i] = engine.Written(done[i])
	}
	return written, nil
}

func writeKind(kind engine.WriteKind) (persist.WriteKind, error) {
	switch kind {
	case engine.WritePut:
		return persist.WritePut, nil
	case engine.WriteDelete:
		return persist.WriteDelete, nil
	case engine.WriteIncrement:
		return persist.WriteIncrement, nil
	case engine.WriteCheck:
		return persist.WriteCheck, nil
	}
	return 0, &engine.InvalidError{Err: fmt.Errorf("there is no kind of write %d", kind)}
}

func condition(c engine.Condition) (persist.Condition, error) {
	stored := persist.Condition{Value: c.Value, Sequence: c.Sequence}
	switch c.Kind {
	case engine.Always:
		stored.Kind = persist.Always
	case engine.IfAbsent:
		stored.Kind = persist.IfAbsent
	case engine.IfPresent:
		stored.Kind = persist.IfPresent
	case engine.IfValue:
		stored.Kind = persist.IfValue
	case engine.IfSequence:
		stored.Kind = persist.IfSequence
	default:
		return stored, &engine.InvalidError{Err: fmt.Errorf("there is no kind of condition %d", c.Kind)}
	}
	return stored, nil
}

// forGuests gives an error of the store the type that the engine tells guests of.
// Those about sizes and quotas have it already.
func forGuests(err error) error {
	var (
		disk  syscall.Errno
		unmet *persist.ConditionError
		limit interface{ LimitExceeded() bool }
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &disk): // first: such a failure can be a part of any other
		return &storeFailure{"the node's disk fails: " + disk.Error(), err}
	case errors.As(err, &unmet):
		return &engine.ConditionError{Index: unmet.Index, Now: engine.Item(unmet.Now), Err: err}
	case errors.Is(err, persist.ErrInvalid):
		return &engine.InvalidError{Err: err}
	case errors.As(err, &limit), errors.Is(err, persist.ErrNotFound), errors.Is(err, persist.ErrClosed), errors.Is(err, persist.ErrDamaged):
		return err
	}
	return &storeFailure{"the node's store fails", err}
}

// storeFailure is a failure of the node in words for guests: those of the cause have
// paths of the node's files.
type storeFailure struct {
	told  string
	cause error
}

func (e *storeFailure) Error() string { return e.told }

func (e *storeFailure) Unwrap() error { return e.cause }

// JobQueue takes events that are run later, see scheduler.Queue.
type JobQueue interface {
	Submit(job persist.Job) (persist.Job, error)
}

// FunctionJobs makes the queue the engine's Async. The queue is made after the
// engine, which it needs: until Connect functions cannot leave events. The zero value
// is ready.
type FunctionJobs struct{ queue atomic.Pointer[JobQueue] }

// Connect has events go to queue from now on.
func (j *FunctionJobs) Connect(queue JobQueue) { j.queue.Store(&queue) }

// InvokeAsync keeps the event in the queue and returns after it is on disk.
func (j *FunctionJobs) InvokeAsync(event engine.AsyncEvent) (engine.RequestID, error) {
	queue := j.queue.Load()
	if queue == nil {
		return engine.RequestID{}, errors.New("the queue is not open yet, try again")
	}
	id := engine.NewRequestID()
	_, err := (*queue).Submit(persist.Job{
		ID: id.String(), Function: event.Function, Qualifier: event.Qualifier, Source: engine.SourceAsync.String(),
		Payload: event.Payload, Depth: event.Depth, Priority: persist.UsualPriority,
	})
	switch {
	case errors.Is(err, persist.ErrNotFound):
		return id, fmt.Errorf("%s: %w", event.Function, engine.ErrNotFound)
	case errors.Is(err, persist.ErrQueueFull):
		return id, &queueFull{err}
	}
	return id, forGuests(err)
}

// queueFull is an error that the engine tells guests of as a limit.
type queueFull struct{ error }

func (*queueFull) LimitExceeded() bool { return true }

func (e *queueFull) Unwrap() error { return e.error }
