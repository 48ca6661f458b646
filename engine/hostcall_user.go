package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"ledge/engine/capi"
)

// The host interface of Extism plug-ins: the functions of extism:host/user that
// testdata/functions/ledge.h describes. What they do is what the calls of languages
// do; here is only how a plug-in says it.

// User answers a plug-in. A result of 0 says nothing: the guest asks for the status.
func (h *host) User(call capi.UserCall) (capi.UserReply, error) {
	reply, err := h.user(call)
	if err == nil {
		return reply, nil
	}
	text, err := h.failure(err)
	return capi.UserReply{Status: callFailed, Error: text}, err
}

func (h *host) user(call capi.UserCall) (reply capi.UserReply, err error) {
	if err := h.count(); err != nil {
		return reply, err
	}
	if call.Wild {
		return reply, badRequest("an argument is no block of memory of the host's")
	}
	a := call.Args
	if err := checkNames(namesOf(&call)...); err != nil {
		return reply, err
	}
	switch call.Op {
	case capi.UserGet:
		return h.userGet(string(a[0]), string(a[1]))
	case capi.UserPut:
		return h.userWrite(Write{Bucket: string(a[0]), Key: string(a[1]), Kind: WritePut, Value: notNil(a[2])}, a[3])
	case capi.UserDelete:
		return h.userWrite(Write{Bucket: string(a[0]), Key: string(a[1]), Kind: WriteDelete}, a[2])
	case capi.UserCAS:
		w := Write{Bucket: string(a[0]), Key: string(a[1]), Kind: WritePut, Value: notNil(a[3]), If: Condition{Kind: IfValue, Value: a[2]}}
		if a[2] == nil {
			w.If = Condition{Kind: IfAbsent}
		}
		return h.userWrite(w, nil)
	case capi.UserIncrement:
		return h.userWrite(Write{Bucket: string(a[0]), Key: string(a[1]), Kind: WriteIncrement, By: call.Number}, a[2])
	case capi.UserList:
		return h.userList(string(a[0]), a[1])
	case capi.UserTransact:
		return h.userTransact(a[0])
	case capi.UserPublish:
		err = h.publish(string(a[0]), a[1], int(call.Number))
		return capi.UserReply{Number: 1}, err
	case capi.UserInvoke:
		return h.userInvoke(string(a[0]), a[1], a[2])
	}
	return reply, badRequest("this node has no host call %d", call.Op)
}

// maxBlockName bounds what a plug-in gives as the name of a bucket, key, topic or
// function. What those may really have is less and looked at later; a block may be as
// large as the function's memory.
const maxBlockName = 64 << 10

// namesOf returns the arguments of a call that are names.
func namesOf(call *capi.UserCall) [][]byte {
	switch call.Op {
	case capi.UserTransact:
		return nil
	case capi.UserList, capi.UserPublish, capi.UserInvoke:
		return call.Args[:1]
	}
	return call.Args[:2]
}

func checkNames(names ...[]byte) error {
	for _, name := range names {
		if len(name) > maxBlockName {
			return overLimit("a name has %d bytes, at most %d are read", len(name), maxBlockName)
		}
	}
	return nil
}

// unmet reports whether err says that a condition did not hold.
func unmet(err error) bool {
	var condition *ConditionError
	return errors.As(err, &condition)
}

// notNil is the value of a block: that of no block is empty.
func notNil(block []byte) []byte {
	if block == nil {
		return []byte{}
	}
	return block
}

func (h *host) userGet(bucket, key string) (reply capi.UserReply, err error) {
	item, err := h.get(bucket, key)
	if err != nil {
		return reply, err
	}
	if item.Value == nil {
		return capi.UserReply{Status: callAbsent}, nil
	}
	return capi.UserReply{Block: item.Value, Sequence: int64(item.Sequence)}, nil
}

// userOptions are the members of a writeCall that are not its key or value, and so
// can be an option of a function that has those as arguments.
type userOptions struct {
	TTL                 *float64
	IfAbsent, IfPresent bool
	IfValue             *string
	IfBase64            []byte
	IfSequence          *uint64
}

// userWrite does one write. Where its condition does not hold that is no failure.
func (h *host) userWrite(w Write, options []byte) (reply capi.UserReply, err error) {
	kept := held{runtime: h.runtime}
	defer kept.release()
	if err := kept.takeWrites(options, w.Value); err != nil {
		return reply, err
	}
	if options != nil {
		var want userOptions
		if err := readCall(options, &want, maxWriteHead); err != nil {
			return reply, err
		}
		if want.TTL != nil && w.Kind == WriteDelete {
			return reply, badRequest("only put and increment have a ttl")
		}
		if want.TTL != nil {
			if w.TTL, err = ttl(*want.TTL); err != nil {
				return reply, badRequest("%s", err)
			}
		}
		given := writeCall{IfAbsent: want.IfAbsent, IfPresent: want.IfPresent, IfValue: want.IfValue, IfBase64: want.IfBase64, IfSequence: want.IfSequence}
		if _, err := given.readCondition(&w, nil); err != nil {
			return reply, badRequest("%s", err)
		}
	}
	written, err := h.write(w)
	if unmet(err) {
		return capi.UserReply{Status: callAbsent}, nil
	}
	if err != nil {
		return reply, err
	}
	reply.Sequence = int64(written[0].Sequence)
	switch w.Kind {
	case WriteIncrement:
		if reply.Number, err = strconv.ParseInt(string(written[0].Value), 10, 64); err != nil {
			return reply, badRequest("the sum is no number: %s", err)
		}
	case WriteDelete:
		if written[0].Existed {
			reply.Number = 1
		}
	default:
		reply.Number = reply.Sequence
	}
	return reply, nil
}

func (h *host) userList(bucket string, options []byte) (reply capi.UserReply, err error) {
	var want listCall
	if options != nil {
		if err := readCall(options, &want, maxHead); err != nil {
			return reply, err
		}
	}
	want.Bucket = bucket
	items, more, err := h.list(&want)
	if err != nil {
		return reply, err
	}
	kept := held{runtime: h.runtime}
	defer kept.release()
	if err := kept.takeItems(items); err != nil {
		return reply, err
	}
	reply.Block, err = json.Marshal(pageOf(&want, items, more, true))
	return reply, err
}

func (h *host) userTransact(text []byte) (reply capi.UserReply, err error) {
	kept := held{runtime: h.runtime}
	defer kept.release()
	if err := kept.takeWrites(text, nil); err != nil {
		return reply, err
	}
	var calls writeCalls
	if err := readCall(bytes.TrimSpace(text), &calls, maxWriteHead); err != nil {
		return reply, err
	}
	writes, err := calls.read(nil)
	if err != nil {
		return reply, err
	}
	written, err := h.write(writes...)
	if unmet(err) {
		text, err := h.failure(err)
		return capi.UserReply{Status: callAbsent, Error: text}, err
	}
	if err != nil {
		return reply, err
	}
	reply.Block, err = json.Marshal(headsOf(written))
	return reply, err
}

func (h *host) userInvoke(function string, event, options []byte) (reply capi.UserReply, err error) {
	var want struct {
		Qualifier string
		Async     bool
	}
	if options != nil {
		if err := readCall(options, &want, maxHead); err != nil {
			return reply, err
		}
	}
	reply.Block, err = h.invoke(invokeCall{Function: function, Qualifier: want.Qualifier, Async: want.Async}, event)
	return reply, err
}
