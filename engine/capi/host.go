package capi

// #include "ledge.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// ledgeHostCall answers a guest's call that needs the node. It returns nil or
// the reason for ending the invocation, which C frees. A panic must not unwind
// through C, so it becomes such a reason.
//
//export ledgeHostCall
func ledgeHostCall(c *C.ledge_instance, op C.int, request *C.uint8_t, requestLen C.size_t, extra *C.uint8_t, extraLen C.size_t, reply *C.uint64_t) (refused *C.char) {
	defer func() {
		if p := recover(); p != nil {
			refused = C.CString(fmt.Sprintf("host call panicked: %v", p))
		}
	}()
	in := cgo.Handle(c.host).Value().(*Instance)
	if op >= C.LEDGE_HOST_LANGUAGE {
		if err := in.answerLanguage(int(op)-C.LEDGE_HOST_LANGUAGE, goBytes(request, requestLen), goBytes(extra, extraLen), reply); err != nil {
			return C.CString(err.Error())
		}
		return nil
	}
	value, err := in.answer(int(op), goBytes(request, requestLen), goBytes(extra, extraLen))
	if err != nil {
		return C.CString(err.Error())
	}
	offset, err := in.place(nil, value)
	if err != nil {
		return C.CString(err.Error())
	}
	*reply = offset
	return nil
}

func goBytes(p *C.uint8_t, n C.size_t) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), int(n))
}

func (in *Instance) answer(op int, request, extra []byte) ([]byte, error) {
	switch op {
	case C.LEDGE_HOST_VAR_GET:
		return in.host.VarGet(request)
	case C.LEDGE_HOST_VAR_SET:
		return nil, in.host.VarSet(request, extra)
	case C.LEDGE_HOST_VAR_DELETE:
		return nil, in.host.VarDelete(request)
	case C.LEDGE_HOST_HTTP:
		status, headers, reply, err := in.host.HTTP(request, extra)
		if err != nil {
			return nil, err
		}
		at, err := in.place(nil, headers)
		if err != nil {
			return nil, err
		}
		in.c.http_status = C.uint32_t(status)
		in.c.http_headers = at
		return reply, nil
	}
	return nil, fmt.Errorf("no host call %d", op)
}

var errKernelFull = errors.New("the reply of a host call does not fit into the function's memory limit")

// place copies head and body, one behind the other, into a block of the guest's kernel;
// nothing gives 0.
func (in *Instance) place(head, body []byte) (C.uint64_t, error) {
	n := len(head) + len(body)
	if n == 0 {
		return 0, nil
	}
	offset := C.ledge_kernel_alloc(in.c, C.uint64_t(n))
	if offset == 0 {
		return 0, errKernelFull
	}
	to := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(in.c.kernel.data), uintptr(offset))), n)
	copy(to[copy(to, head):], body)
	return offset, nil
}

// ledgeUserCall answers a plug-in's call of extism:host/user, as ledgeHostCall.
//
//export ledgeUserCall
func ledgeUserCall(c *C.ledge_instance, op C.int, blocks *C.ledge_bytes, number C.int64_t, result *C.int64_t) (refused *C.char) {
	defer func() {
		if p := recover(); p != nil {
			refused = C.CString(fmt.Sprintf("host call panicked: %v", p))
		}
	}()
	in := cgo.Handle(c.host).Value().(*Instance)
	call := UserCall{Op: UserOp(op), Number: int64(number)}
	for i, block := range unsafe.Slice(blocks, C.LEDGE_USER_BLOCKS) {
		if block.data != nil {
			call.Args[i] = goBytes(block.data, block.len)
		} else if block.given {
			call.Wild = true
		}
	}
	if err := in.answerUser(call, result); err != nil {
		return C.CString(err.Error())
	}
	return nil
}

// answerUser places the reply after the arguments were used: the kernel's memory may
// move for it.
func (in *Instance) answerUser(call UserCall, result *C.int64_t) error {
	reply, err := in.host.User(call)
	if err != nil {
		return err
	}
	in.c.user_status = C.int32_t(reply.Status)
	in.c.user_sequence = C.int64_t(reply.Sequence)
	if in.c.user_error, err = in.place(nil, reply.Error); err != nil {
		return err
	}
	*result = C.int64_t(reply.Number)
	if reply.Block != nil {
		offset, err := in.place(nil, reply.Block)
		*result = C.int64_t(offset)
		return err
	}
	return nil
}

// answerLanguage answers a call of a language runtime: the reply's head and body
// lie behind each other in one block of the kernel.
func (in *Instance) answerLanguage(op int, head, body []byte, at *C.uint64_t) error {
	reply, err := in.host.Call(op, head, body)
	if err != nil {
		return err
	}
	in.c.host_status = C.uint32_t(reply.Status)
	if *at, err = in.place(reply.Head, reply.Body); err != nil {
		return err
	}
	in.c.host_head, in.c.host_body = C.uint64_t(len(reply.Head)), C.uint64_t(len(reply.Body))
	return nil
}
