package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ledge/engine/capi"
)

// instance is one running copy of a program, or an empty shell for one. It
// serves one Invocation at a time.
type instance struct {
	shell    *capi.Instance
	lastUsed time.Duration // on the monotonic clock; the Pool's
	serving  bool          // the guest runs for an Invocation, and not to be loaded or proved
	depth    int           // the Invocation's
	calls    int           // host calls that it made

	// What the ticker must know of the running Invocation. mu guards ctx: the
	// ticker asks it while it is held, so that end returns only after that.
	mu    sync.Mutex
	ctx   context.Context // nil: idle
	turn  uint64          // counts Invocations
	seen  uint64          // the ticker's: the turn that it saw last
	index int             // the ticker's: place in its list
}

func newInstance(template *capi.Template, r *Runtime, f *Function) (*instance, error) {
	in := &instance{}
	var err error
	if in.shell, err = template.NewInstance(&host{runtime: r, function: f, instance: in, own: OwnBucket(f.Name)}); err != nil {
		return nil, err
	}
	r.ticker.add(in)
	return in, nil
}

// serve says that the guest runs for an Invocation now.
func (in *instance) serve(inv *Invocation) { in.serving, in.depth, in.calls = true, inv.Depth, 0 }

// close frees the instance, which is not running.
func (in *instance) close(t *ticker) {
	t.remove(in)
	in.shell.Close()
}

// failure turns the outcome of a call into the error of an Invocation. timeout
// is what the call was given.
func (in *instance) failure(ctx context.Context, outcome capi.Outcome, timeout time.Duration) error {
	s := in.shell
	switch outcome {
	case capi.OK:
		return nil
	case capi.Exited:
		return &ExitError{Status: s.ExitStatus()}
	case capi.Failed:
		message := s.Message()
		if s.ABI() == capi.Language {
			return raised(message)
		}
		if message == "" {
			message = fmt.Sprintf("the handler returned %d", s.ExitStatus())
		}
		return &FunctionError{Type: "HandlerError", Message: message}
	case capi.TimedOut:
		return &TimeoutError{After: timeout}
	case capi.Cancelled:
		if err := ctx.Err(); err != nil {
			return err
		}
		return context.Canceled
	case capi.OutOfBudget:
		return ErrOverloaded
	case capi.TooLarge:
		return &FunctionError{Type: "Function.ResponseSizeTooLarge", Message: "the reply exceeds the function's limit"}
	case capi.Trapped:
		return &TrapError{Code: trapCode(s.TrapCode()), Message: lastLine(s.Message()), Frames: lines(s.Frames())}
	}
	return errors.New("instantiate: " + lastLine(s.Message()))
}

// trapCodes are the codes of wasmtime/trap.h that a core module can meet.
var trapCodes = [...]string{
	0: "stack overflow", 1: "memory out of bounds", 2: "unaligned atomic", 3: "table out of bounds",
	4: "indirect call to null", 5: "bad signature", 6: "integer overflow", 7: "integer division by zero",
	8: "bad conversion to integer", 9: "unreachable", 10: "interrupt", 11: "out of fuel",
}

func trapCode(code int) string {
	if code >= 0 && code < len(trapCodes) {
		return trapCodes[code]
	}
	return "host call"
}

// lastLine returns the cause out of libwasmtime's messages, which put it last.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	s = strings.TrimSpace(s)
	if number, cause, ok := strings.Cut(s, ": "); ok && strings.Trim(number, "0123456789") == "" {
		s = cause // one of several, which it numbers
	}
	return strings.TrimPrefix(s, "wasm trap: ")
}

func lines(s string) []string {
	if s = strings.TrimSpace(s); s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// callAndLearn is CallFresh for the first Invocation of a program whose
// Instances are restored: it looks at which pages of the Snapshot were written
// to; see learn. init is what making the Instance took.
func (in *instance) callAndLearn(p *program, event []byte, timeout time.Duration) (outcome capi.Outcome, init time.Duration, written []capi.Range) {
	defer in.shell.Drop()
	outcome = in.shell.Instantiate(timeout)
	started, ended, _ := in.shell.Times()
	init = ended - started
	if outcome == capi.OK {
		outcome = in.shell.Call(event, timeout-init)
	}
	if outcome != capi.OK {
		p.learning.Store(false) // it may have ended early; the next one shows more
		return outcome, init, nil
	}
	written, _ = in.shell.WorkingSet()
	// libwasmtime keeps these pages itself, whether they were written to or not.
	return outcome, init, slices.DeleteFunc(written, func(r capi.Range) bool { return r.Offset < keepResident })
}

// learn sees to it that later Instances have the pages that an Invocation wrote to
// copied ahead, or put back after it. in is an empty shell, whose last call is
// forgotten.
func (in *instance) learn(p *program, written []capi.Range, timeout time.Duration) {
	var size uint64
	for _, r := range written {
		size += r.Len
	}
	if len(written) == 0 || size < minWorkingSet && !p.resettable {
		return
	}
	var content []byte
	if p.resettable && in.shell.Restore(timeout) == capi.OK {
		defer in.shell.Drop()
		memory := in.shell.View()
		for _, r := range written {
			if end := r.Offset + r.Len; end <= uint64(len(memory)) {
				content = append(content, memory[r.Offset:end]...)
			}
		}
	}
	p.template.Prefault(written, content)
}

// minWorkingSet is the size in bytes from which copying a working set ahead is
// faster than taking its faults.
const minWorkingSet = 128 << 10
