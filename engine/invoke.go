package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ledge/engine/capi"
)

// Invoke runs one Invocation. It is the only way to run a function. The result
// is in res, also where the function failed: its log and Report are valid then.
//
// Errors: ErrNotFound, ErrThrottled, ErrOverloaded, ErrTooLarge, ErrClientContext and
// ErrClosed say that nothing ran. ErrTimeout, *TrapError, *ExitError and *FunctionError
// are failures of the function; see AsFunctionError. The context's own error
// is returned when the caller went away, which is noticed within some
// milliseconds. No deadline of ctx extends the function's Timeout.
func (r *Runtime) Invoke(ctx context.Context, inv *Invocation, res *Result) error {
	res.Payload, res.Log = res.Payload[:0], res.Log[:0]
	res.Report = Report{}
	if inv.ClientContext != nil {
		if err := checkClientContext(inv.ClientContext); err != nil {
			return fmt.Errorf("%s: %w", inv.Function, err)
		}
	}
	v, err := r.enter(inv)
	if err != nil {
		return err
	}
	defer v.exit()
	f := &v.function
	res.Version = f.Version
	if int64(len(inv.Payload)) > f.Limits.RequestBytes {
		return fmt.Errorf("%s: %d bytes: %w", f.Name, len(inv.Payload), ErrTooLarge)
	}
	if inv.RequestID == (RequestID{}) {
		inv.RequestID = NewRequestID()
	}
	p, err := v.load(ctx)
	if err != nil {
		return err
	}
	if v.fresh(p) {
		err = r.invokeFresh(ctx, v, p, inv, res)
	} else {
		err = r.invokeWarm(ctx, v, p, inv, res)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return nil
}

// enter finds the version and counts the Invocation in.
func (r *Runtime) enter(inv *Invocation) (*version, error) {
	for {
		if r.closed.Load() {
			return nil, ErrClosed
		}
		v, err := r.table.find(inv.Function, inv.Qualifier)
		if err != nil {
			return nil, err
		}
		gone, err := v.enter()
		if err != nil {
			return nil, err
		}
		if !gone {
			return v, nil
		}
	}
}

// invokeFresh runs the Invocation in an Instance that is as it was restored, and
// that exists only for it or, which is the same to its guest, is put back after it.
func (r *Runtime) invokeFresh(ctx context.Context, v *version, p *program, inv *Invocation, res *Result) error {
	in := v.take()
	if in == nil {
		if err := v.admit(p.minimum); err != nil {
			return err
		}
		var err error
		if in, err = v.shell(p); err != nil {
			v.vacate()
			v.refill()
			return err
		}
	}
	if err := p.tell(in, &v.function, inv); err != nil {
		v.discard(in)
		v.refill()
		return err
	}
	in.serve(inv)
	timeout := v.function.Limits.Timeout
	r.ticker.begin(ctx, in)
	var outcome capi.Outcome
	var written []capi.Range
	if p.restored && p.learning.CompareAndSwap(false, true) {
		in.shell.Drop() // a provisioned one shows as little as one that was put back
		outcome, res.Report.Init, written = in.callAndLearn(p, inv.Payload, timeout)
		res.Report.Restored = true
	} else {
		outcome = in.shell.CallFresh(inv.Payload, timeout)
	}
	r.ticker.end(in)
	err := r.finish(ctx, v, p, in, inv, res, outcome, timeout)
	if in.shell.Pristine() {
		_, ended, _ := in.shell.Times()
		v.put(in, ended)
		return err
	}
	in.learn(p, written, timeout)
	v.putShell(in)
	v.vacate()
	v.refill()
	return err
}

// tell gives the guest what it may ask of its Invocation.
func (p *program) tell(in *instance, f *Function, inv *Invocation) error {
	if !p.requests {
		return nil
	}
	var text [36]byte
	id, _ := inv.RequestID.AppendText(text[:0]) // it never fails
	in.shell.SetRequestID(id)
	return p.tellDetails(in, f, inv)
}

// invokeWarm runs the Invocation in an idle Instance, or in a new one that then
// stays. One that failed in any way that could have left it broken is discarded.
func (r *Runtime) invokeWarm(ctx context.Context, v *version, p *program, inv *Invocation, res *Result) error {
	in := v.take()
	if in == nil {
		var err error
		if in, err = r.start(ctx, v, p, inv, res); err != nil {
			v.refill()
			return err
		}
		v.replenish() // it may have been one of those that are provisioned
	}
	keep := false
	defer func() {
		if !keep {
			v.discard(in)
			v.refill()
		}
	}()
	if err := p.tell(in, &v.function, inv); err != nil {
		return err
	}
	in.serve(inv)
	r.ticker.begin(ctx, in)
	outcome := in.shell.Call(inv.Payload, v.function.Limits.Timeout)
	r.ticker.end(in)
	err := r.finish(ctx, v, p, in, inv, res, outcome, v.function.Limits.Timeout)
	if keep = !in.shell.Unwound() && (outcome == capi.OK || outcome == capi.Failed) && !spent(err); keep {
		_, ended, _ := in.shell.Times()
		v.put(in, ended)
	}
	return err
}

// spent reports whether an interpreter should serve no more events after err. Code
// that asked for the end of its process gets it, as on AWS Lambda; one that ran out
// of memory may be full of what filled it.
func spent(err error) bool {
	if err == nil {
		return false
	}
	var failed *FunctionError
	return errors.As(err, &failed) && slices.Contains(spentTypes, failed.Type)
}

var spentTypes = []string{"Runtime.ExitError", "Runtime.OutOfMemory", "MemoryError"}

// start makes a new live Instance. As on AWS Lambda, initialising it has a time
// limit of its own.
func (r *Runtime) start(ctx context.Context, v *version, p *program, inv *Invocation, res *Result) (*instance, error) {
	if err := v.admit(p.minimum); err != nil {
		return nil, err
	}
	in, err := newInstance(p.template, r, &v.function)
	if err != nil {
		v.vacate()
		return nil, err
	}
	if err := p.tell(in, &v.function, inv); err != nil {
		v.discard(in)
		return nil, err
	}
	in.serve(inv)
	r.ticker.begin(ctx, in)
	outcome := in.shell.Instantiate(r.cfg.InitTimeout)
	r.ticker.end(in)
	started, ended, _ := in.shell.Times()
	res.Report.Init, res.Report.Restored = ended-started, p.restored
	if outcome != capi.OK {
		defer v.discard(in)
		return nil, r.finish(ctx, v, p, in, inv, res, outcome, r.cfg.InitTimeout)
	}
	return in, nil
}

// finish copies what the call, which was given timeout, left in the shell into
// res, and logs.
func (r *Runtime) finish(ctx context.Context, v *version, p *program, in *instance, inv *Invocation, res *Result, outcome capi.Outcome, timeout time.Duration) error {
	started, ended, init := in.shell.Times()
	report := &res.Report
	if init > 0 {
		report.Init, report.Restored = init, p.restored
		report.Duration = ended - started
	} else {
		report.Duration = report.Init + ended - started
	}
	report.Billed = (report.Duration + time.Millisecond - 1).Truncate(time.Millisecond)
	report.Memory = in.shell.MemoryBytes()
	res.Payload = append(res.Payload, in.shell.Reply()...)

	err := in.failure(ctx, outcome, timeout)
	if trap, ok := err.(*TrapError); ok {
		blameMemory(trap, report.Memory, v.function.Limits.Memory)
	}
	text, dropped := in.shell.Log()
	if len(text) > 0 || err != nil {
		res.Log = append(res.Log, text...)
		r.log(v, inv, res, dropped, err)
	}
	return err
}

// blameMemory says so when a guest gave up because it could not have more
// memory. A guest does not tell; one that stops itself at its limit did.
func blameMemory(trap *TrapError, used, limit int64) {
	if trap.Code == "unreachable" && used >= limit-limit/8 {
		trap.Code = TrapOutOfMemory
		trap.Message = fmt.Sprintf("out of memory: %d of %d MB are used", used>>20, limit>>20)
	}
}

// log completes res.Log and hands it on.
func (r *Runtime) log(v *version, inv *Invocation, res *Result, dropped int, err error) {
	end := func() {
		if n := len(res.Log); n > 0 && res.Log[n-1] != '\n' {
			res.Log = append(res.Log, '\n')
		}
	}
	if dropped > 0 {
		end()
		res.Log = fmt.Appendf(res.Log, "[%d more bytes were dropped: the limit is %d]\n", dropped, v.function.Limits.LogBytes)
	}
	if err != nil && !errors.Is(err, ErrOverloaded) {
		end()
		res.Log = append(res.Log, "ERROR "...)
		res.Log = append(res.Log, err.Error()...)
	}
	end()
	if r.cfg.Logs != nil && len(res.Log) > 0 {
		r.cfg.Logs.AppendLog(v.function.Name, v.function.Version, inv.RequestID, time.Now(), res.Log)
	}
}
