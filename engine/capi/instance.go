package capi

// #include "ledge.h"
import "C"

import (
	"errors"
	"runtime/cgo"
	"sync/atomic"
	"time"
	"unsafe"
)

// Outcome says how a call ended.
type Outcome int

const (
	OK          Outcome = C.LEDGE_OK
	Trapped     Outcome = C.LEDGE_TRAP      // the guest trapped
	Exited      Outcome = C.LEDGE_EXIT      // a command left with a status other than 0
	Failed      Outcome = C.LEDGE_FAILED    // the handler reported an error
	TimedOut    Outcome = C.LEDGE_TIMEOUT   // the timeout passed
	Cancelled   Outcome = C.LEDGE_CANCELLED // Cancel was called
	OutOfBudget Outcome = C.LEDGE_NO_MEMORY // the Node's budget is used up
	TooLarge    Outcome = C.LEDGE_TOO_LARGE // the reply passed its limit
	Refused     Outcome = C.LEDGE_ERROR     // libwasmtime could not instantiate
)

// ErrNoMemory is returned when C memory cannot be had.
var ErrNoMemory = errors.New("out of C memory")

// Host answers the host calls that need the node. Its methods run on the
// goroutine of the call, while the guest waits. The slices are borrowed. An
// error ends the Invocation with its text as the trap's message.
type Host interface {
	VarGet(key []byte) (value []byte, err error) // nil: absent
	VarSet(key, value []byte) error
	VarDelete(key []byte) error
	// HTTP takes the Extism request object and body.
	HTTP(request, body []byte) (status int, headers, reply []byte, err error)
	// User answers a plug-in's call of extism:host/user. What the guest shall hear of
	// goes into the reply; an error ends the Invocation.
	User(call UserCall) (UserReply, error)
	// Call answers a language runtime: an operation, its JSON object and its
	// bytes. What the guest shall hear of goes into the reply; an error ends the
	// Invocation.
	Call(op int, head, body []byte) (Reply, error)
}

// UserOp is what a UserCall asks for.
type UserOp int

// What plug-ins may ask for; testdata/functions/ledge.h describes it.
const (
	UserGet       UserOp = C.LEDGE_USER_GET
	UserPut       UserOp = C.LEDGE_USER_PUT
	UserDelete    UserOp = C.LEDGE_USER_DELETE
	UserCAS       UserOp = C.LEDGE_USER_CAS
	UserIncrement UserOp = C.LEDGE_USER_INCREMENT
	UserList      UserOp = C.LEDGE_USER_LIST
	UserTransact  UserOp = C.LEDGE_USER_TRANSACT
	UserPublish   UserOp = C.LEDGE_USER_PUBLISH
	UserInvoke    UserOp = C.LEDGE_USER_INVOKE
)

// UserCall is a call of extism:host/user. Its bytes are borrowed.
type UserCall struct {
	Op     UserOp
	Args   [C.LEDGE_USER_BLOCKS][]byte // in order; nil: the offset 0
	Number int64                       // the argument that is no block
	Wild   bool                        // an argument is neither 0 nor the offset of a block
}

// UserReply answers a UserCall. The slices are copied.
type UserReply struct {
	Status   int    // as the guest gets it
	Error    []byte // what it is told of a failure
	Block    []byte // the result; where it is nil the result is Number
	Number   int64
	Sequence int64 // of what the call read or wrote; 0: nothing
}

// Reply answers Host.Call. The slices are copied.
type Reply struct {
	Status     int // as the guest gets it
	Head, Body []byte
}

// Instance is a shell that holds a store with a function in it, or is empty.
// It serves one call at a time; only Cancel may be called while it does.
type Instance struct {
	c      *C.ledge_instance
	handle cgo.Handle
	host   Host

	requestVariable string // "NAME="
}

// NewInstance returns an empty shell.
func (t *Template) NewInstance(host Host) (*Instance, error) {
	in := &Instance{host: host, requestVariable: t.cfg.RequestID + "="}
	in.handle = cgo.NewHandle(in)
	in.c = C.ledge_instance_alloc(t.c, C.uint64_t(in.handle))
	if in.c == nil {
		in.handle.Delete()
		return nil, ErrNoMemory
	}
	in.SetRequestID(nil)
	return in, nil
}

// Close frees the shell and what it holds.
func (in *Instance) Close() {
	C.ledge_instance_free(in.c)
	in.c = nil
	in.handle.Delete()
}

// Instantiate puts the function into the shell and runs its initialisers. On
// any Outcome but OK the shell is empty.
func (in *Instance) Instantiate(timeout time.Duration) Outcome {
	return Outcome(C.ledge_instantiate(in.c, nil, 0, C.int64_t(timeout)))
}

// Run calls another export, of type () -> (), of a live Instance. The input,
// which may be nil, is borrowed until it returns.
func (in *Instance) Run(name string, input []byte, timeout time.Duration) Outcome {
	text, n := cbytes(name)
	return Outcome(C.ledge_run(in.c, text, n, (*C.uint8_t)(unsafe.SliceData(input)), C.size_t(len(input)), C.int64_t(timeout)))
}

// Call calls the entry of a live Instance. The event is borrowed until it
// returns. After any Outcome but OK and Failed, and where Unwound says so, the
// Instance must be dropped.
func (in *Instance) Call(event []byte, timeout time.Duration) Outcome {
	return Outcome(C.ledge_call(in.c, (*C.uint8_t)(unsafe.SliceData(event)), C.size_t(len(event)), C.int64_t(timeout)))
}

// CallFresh instantiates, calls and drops, or puts the Instance back to what it was
// before: see Pristine. The reply and the log stay readable.
func (in *Instance) CallFresh(event []byte, timeout time.Duration) Outcome {
	return Outcome(C.ledge_call_fresh(in.c, (*C.uint8_t)(unsafe.SliceData(event)), C.size_t(len(event)), C.int64_t(timeout)))
}

// Pristine reports whether the shell holds an Instance in which nothing has run
// since it was restored or put back. Only CallFresh may be called on it.
func (in *Instance) Pristine() bool { return bool(in.c.pristine) }

// Restore puts the function into the shell and runs nothing in it. On any Outcome
// but OK the shell is empty.
func (in *Instance) Restore(timeout time.Duration) Outcome {
	return Outcome(C.ledge_restore(in.c, C.int64_t(timeout)))
}

// Drop empties the shell and gives its memory back.
func (in *Instance) Drop() { C.ledge_drop(in.c) }

// keepBytes of a buffer stay between calls; KEEP_BYTES and the like of the C half.
const keepBytes = 64 << 10

// Trim gives back the buffers of the last call where they are large. Reply and
// Log are gone then.
func (in *Instance) Trim() {
	c := in.c
	if c.output.cap > keepBytes || c.log.cap > keepBytes || c.kernel.cap > keepBytes || c.kernel.blocks_cap > keepBytes/C.sizeof_ledge_block {
		C.ledge_trim(c)
	}
}

// ABI is the Template's.
func (in *Instance) ABI() ABI { return ABI(in.c.template.abi) }

// Unwound reports whether the last call did not return: the guest trapped,
// exited or was stopped, which leaves its stack pointer where it was.
func (in *Instance) Unwound() bool { return bool(in.c.unwound) }

// Cancel asks a running call to end with Cancelled at the next epoch. It is
// the one method that may be called from another goroutine.
func (in *Instance) Cancel() {
	atomic.CompareAndSwapUint32((*uint32)(unsafe.Pointer(&in.c.stop)), 0, uint32(Cancelled))
}

// AppendLog adds a line to the log of the running call.
func (in *Instance) AppendLog(text []byte) {
	C.ledge_append(&in.c.log, unsafe.Pointer(unsafe.SliceData(text)), C.size_t(len(text)))
}

// SetRequestID sets what a command finds in its environment as the variable
// TemplateConfig.RequestID, and a language as its request; at most 36 bytes.
func (in *Instance) SetRequestID(id []byte) {
	room := unsafe.Slice((*byte)(unsafe.Pointer(&in.c.request_variable)), len(in.c.request_variable))
	n := copy(room, in.requestVariable)
	n += copy(room[n:min(n+36, len(room)-1)], id)
	room[n] = 0
}

// Details returns room for n bytes that a language's guest may read of its
// Invocation beside the request's id, until Details is called again; the caller
// fills it. It is nil for 0 bytes, and where C memory cannot be had.
func (in *Instance) Details(n int) []byte {
	if n == 0 {
		in.c.details_len = 0 // the usual call, and no crossing
		return nil
	}
	room := C.ledge_details(in.c, C.size_t(n))
	if room == nil {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(room)), n)
}

// Reply is the reply of the last call. It is C memory: copy it before the next
// call.
func (in *Instance) Reply() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(in.c.reply)), int(in.c.reply_len))
}

// Log is what the last call logged, and how many bytes more it wanted to. The
// slice is C memory: copy it before the next call.
func (in *Instance) Log() (text []byte, dropped int) {
	b := &in.c.log
	return unsafe.Slice((*byte)(unsafe.Pointer(b.data)), int(b.len)), int(b.refused)
}

// Message is the reason of the last Outcome but OK.
// It has at most 64 KiB, and 1 MiB where it is the error object of a language.
func (in *Instance) Message() string { return C.GoStringN(in.c.message, C.int(in.c.message_len)) }

// Frames is the guest's backtrace of the last trap, a line for each frame.
func (in *Instance) Frames() string { return C.GoStringN(in.c.frames, C.int(in.c.frames_len)) }

// ExitStatus is a command's status, or what an Extism handler returned.
func (in *Instance) ExitStatus() int { return int(in.c.exit_status) }

// TrapCode is libwasmtime's code of the last trap (wasmtime/trap.h), or -1.
func (in *Instance) TrapCode() int { return int(in.c.trap_code) }

// Times of the last call: when it started and ended on the monotonic clock, and
// how long of that it took to get the function into the shell.
func (in *Instance) Times() (started, ended, init time.Duration) {
	return time.Duration(in.c.started), time.Duration(in.c.ended), time.Duration(in.c.init_ns)
}

// Deadline is when the running call must end, on the monotonic clock.
func (in *Instance) Deadline() time.Duration { return time.Duration(in.c.deadline) }

// MemoryBytes is the linear memory that the last call ended with.
func (in *Instance) MemoryBytes() int64 { return int64(in.c.memory_bytes) }

// Now is the host's monotonic clock, which Times counts on.
func Now() time.Duration { return time.Duration(C.ledge_now()) }

// Hold counts bytes that are kept for an Instance beside those that Instances count
// themselves, unless the budget is used up: then it returns false. A negative number
// gives them back.
func (n *Node) Hold(bytes int64) bool {
	used := (*int64)(unsafe.Pointer(&n.c.used))
	now, budget := atomic.AddInt64(used, bytes), int64(n.c.budget)
	if bytes > 0 && budget != 0 && now > budget {
		atomic.AddInt64(used, -bytes)
		return false
	}
	return true
}

// Used is what all Instances of the node hold, in bytes.
func (n *Node) Used() int64 {
	return atomic.LoadInt64((*int64)(unsafe.Pointer(&n.c.used)))
}
