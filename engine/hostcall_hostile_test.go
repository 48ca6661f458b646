package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ledge/engine/capi"
)

// bareHost is the host of a guest that a test speaks for.
func bareHost(t testing.TB, f Function) (*host, *memoryData) {
	cfg := testConfig(t)
	data := &memoryData{}
	cfg.Data = data
	f.Limits = DefaultLimits()
	return &host{runtime: &Runtime{cfg: cfg, node: capi.NewNode(0, false)}, function: &f, instance: &instance{ctx: context.Background(), serving: true}, own: OwnBucket(f.Name)}, data
}

// A guest that does not keep to the interface gets an error and not the node's
// memory.
func TestHostCallArguments(t *testing.T) {
	h, data := bareHost(t, Function{Name: "f", AllowInvoke: []string{"g"}})
	long := strings.Repeat("x", maxHead)
	for _, test := range []struct {
		op         int
		head, body string
		want       string // type of the error
	}{
		{0, `{}`, "", callBadRequest},
		{-1, `{}`, "", callBadRequest},
		{99, `{}`, "", callBadRequest},
		{callKVGet, ``, "", callBadRequest},
		{callKVGet, `{"key":1}`, "", callBadRequest},
		{callKVGet, `[]`, "", callBadRequest},
		{callKVGet, `{"key":"a"`, "", callBadRequest},
		{callKVGet, `{"key":"a"}{`, "", callBadRequest},
		{callKVGet, `{"key":"a","kei":"b"}`, "", callBadRequest},
		{callKVGet, `{"key":"` + long + `"}`, "", callLimit},
		{callKVGet, `{"bucket":"../g","key":"k"}`, "", callBadRequest},
		{callKVList, `{"limit":"x"}`, "", callBadRequest},
		{callKVList, `{"limit":1e30}`, "", callBadRequest},
		{callKVList, `{"next":"%"}`, "", callBadRequest},
		{callKVWrite, `{"writes":{}}`, "", callBadRequest},
		{callKVWrite, `{"writes":null}`, "", callBadRequest},
		{callKVWrite, `{"writes":[{}]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[null]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[` + strings.Repeat(`{},`, 1_000_000) + `{}]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[` + strings.Repeat(`{},`, 3_000_000) + `{}]}`, "", callLimit},
		{callKVWrite, `{"writes":[{"put":"k","size":5}]}`, "abc", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","size":-1}]}`, "abc", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","size":9223372036854775807}]}`, "abc", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","size":1e30}]}`, "abc", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","size":1}]}`, "abc", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","size":3,"value":"x"}]}`, "abc", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","base64":"a"}]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","size":2},{"put":"l","size":2}]}`, "abc", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","value":"v","ifSize":2}]}`, "a", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","value":"v","by":1}]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[{"delete":"k","ttl":1}]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","value":"v","ttl":-1}]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","value":"v","ttl":1e300}]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[{"increment":"k","by":9223372036854775808}]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[{"increment":"k","by":"x"}]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[{"increment":"k","by":{"a":"` + strings.Repeat("x", 1<<20) + `"}}]}`, "", callBadRequest},
		{callInvoke, `{"function":"g"}`, strings.Repeat("x", MaxPayload+1), callLimit},
		{callKVWrite, `{"writes":[{"increment":"k","ifSequence":-1}]}`, "", callBadRequest},
		{callKVWrite, `{"writes":[{"put":"k","value":"v","bucket":"function.g"}]}`, "", callDenied},
		{callPublish, `{"topic":5}`, "", callBadRequest},
		{callPublish, `{"topic":"a","qos":-1}`, "", callBadRequest},
		{callInvoke, `{"function":null}`, "", callDenied},
		{callInvoke, `{"function":["f"]}`, "", callBadRequest},
		{callLog, `{"level":"loud"}`, "", callBadRequest},
		{callLog, `{}`, "", callBadRequest},
	} {
		reply, err := h.Call(test.op, []byte(test.head), []byte(test.body))
		var failed callError
		if err != nil || reply.Status != callFailed || json.Unmarshal(reply.Head, &failed) != nil {
			t.Errorf("call %d of %.200s: %+v, %v", test.op, test.head, reply, err)
			continue
		}
		if failed.Type != test.want || failed.Message == "" || len(failed.Message) > 1000 {
			t.Errorf("call %d of %.200s: %.300v; want %s", test.op, test.head, failed, test.want)
		}
	}
	if len(data.origins) > 0 {
		t.Errorf("%d writes were done", len(data.origins))
	}
}

// Whatever a guest says, it is answered, in the form that it can read, and reaches no
// bucket but its own and those that it may.
func FuzzHostCall(f *testing.F) {
	for op, head := range map[int]string{
		callKVGet:   `{"bucket":"shared","key":"k","item":true}`,
		callKVList:  `{"prefix":"a","start":"a","end":"b","next":"YQ==","limit":3,"reverse":true,"items":true}`,
		callKVWrite: `{"writes":[{"put":"k","size":2,"ttl":1,"ifSize":1},{"increment":"n","by":"-5"},{"delete":"d","bucket":"seen"},{"check":"c","ifSequence":0}]}`,
		callPublish: `{"topic":"a/b","qos":1}`,
		callInvoke:  `{"function":"g","qualifier":"1","async":true}`,
	} {
		f.Add(op, []byte(head), []byte("abc"))
	}
	h, data := bareHost(f, Function{Name: "f", AllowBuckets: []string{"shared", "seen:read"}, AllowPublish: []string{"#"}})
	h.function.Limits.HostCalls = MaxHostCalls
	f.Fuzz(func(t *testing.T, op int, head, body []byte) {
		if op == callHTTP || op == callLog {
			return // it needs an instance
		}
		h.instance.calls, data.items = 0, nil
		reply, err := h.Call(op, head, body)
		if err != nil || reply.Status < callDone || reply.Status > callFailed || len(reply.Head) > 0 && !json.Valid(reply.Head) {
			t.Fatalf("%+v, %v", reply, err)
		}
		for bucket := range data.items {
			if bucket != "function.f" && bucket != "shared" {
				t.Fatalf("wrote to %q", bucket)
			}
		}
	})
}

// The same for plug-ins, which give bytes where languages give JSON.
func TestUserCallArguments(t *testing.T) {
	h, data := bareHost(t, Function{Name: "f"})
	b := func(texts ...string) (args [4][]byte) {
		for i, text := range texts {
			if text != "" {
				args[i] = []byte(text)
			}
		}
		return args
	}
	for _, test := range []struct {
		call capi.UserCall
		want string
	}{
		{capi.UserCall{Op: capi.UserGet, Args: b("", "k"), Wild: true}, callBadRequest},
		{capi.UserCall{Op: 99}, callBadRequest},
		{capi.UserCall{Op: -1}, callBadRequest},
		{capi.UserCall{Op: capi.UserGet, Args: b("function.g", "k")}, callDenied},
		{capi.UserCall{Op: capi.UserGet, Args: b("\xff", "k")}, callBadRequest},
		{capi.UserCall{Op: capi.UserPut, Args: b("other", "k", "v")}, callDenied},
		{capi.UserCall{Op: capi.UserGet, Args: b("", strings.Repeat("k", 1<<20))}, callLimit},
		{capi.UserCall{Op: capi.UserList, Args: b(strings.Repeat("k", 1<<20))}, callLimit},
		{capi.UserCall{Op: capi.UserPublish, Args: b(strings.Repeat("k", 1<<20), "v")}, callLimit},
		{capi.UserCall{Op: capi.UserInvoke, Args: b(strings.Repeat("k", 1<<20), "v")}, callLimit},
		{capi.UserCall{Op: capi.UserPut, Args: b("", "k", "v", `{"ttl":0}`)}, callBadRequest},
		{capi.UserCall{Op: capi.UserPut, Args: b("", "k", "v", `{"ifabsentt":true}`)}, callBadRequest},
		{capi.UserCall{Op: capi.UserPut, Args: b("", "k", "v", `{"ifAbsent":true,"ifPresent":true}`)}, callBadRequest},
		{capi.UserCall{Op: capi.UserPut, Args: b("", "k", "v", `{`)}, callBadRequest},
		{capi.UserCall{Op: capi.UserDelete, Args: b("", "k", `{"ttl":5}`)}, callBadRequest},
		{capi.UserCall{Op: capi.UserList, Args: b("", `[]`)}, callBadRequest},
		{capi.UserCall{Op: capi.UserTransact}, callBadRequest},
		{capi.UserCall{Op: capi.UserTransact, Args: b(`{}`)}, callBadRequest},
		{capi.UserCall{Op: capi.UserTransact, Args: b(`[]`)}, callBadRequest},
		{capi.UserCall{Op: capi.UserTransact, Args: b(`[{"put":"k","size":3}]`)}, callBadRequest},
		{capi.UserCall{Op: capi.UserPublish, Args: b("a", "b"), Number: 1 << 40}, callBadRequest},
		{capi.UserCall{Op: capi.UserPublish, Args: b("a", "b")}, callDenied},
		{capi.UserCall{Op: capi.UserInvoke, Args: b("g", "b")}, callDenied},
		{capi.UserCall{Op: capi.UserInvoke, Args: b("g", "b", "nonsense")}, callBadRequest},
	} {
		reply, err := h.User(test.call)
		var failed callError
		if err != nil || reply.Status != callFailed || json.Unmarshal(reply.Error, &failed) != nil || failed.Type != test.want || failed.Message == "" {
			t.Errorf("%d %q: %+v %s, %v; want %s", test.call.Op, test.call.Args, reply, reply.Error, err, test.want)
		}
		if reply.Number != 0 || reply.Block != nil {
			t.Errorf("%d %q: a result %+v", test.call.Op, test.call.Args, reply)
		}
	}
	if len(data.origins) > 0 {
		t.Errorf("%d writes were done", len(data.origins))
	}
	h.instance.calls = h.function.Limits.HostCalls
	if reply, err := h.User(capi.UserCall{Op: capi.UserGet, Args: b("", "k")}); err != nil || !strings.Contains(string(reply.Error), fmt.Sprintf("made %d calls", DefaultLimits().HostCalls)) {
		t.Errorf("%+v, %v", reply, err)
	}
}

func FuzzUserCall(f *testing.F) {
	f.Add(int(capi.UserPut), []byte("shared"), []byte("k"), []byte("v"), []byte(`{"ttl":1,"ifSequence":0}`), int64(0))
	f.Add(int(capi.UserTransact), []byte(`[{"put":"k","base64":"YQ==","ifValue":"x"},{"increment":"n","by":2}]`), []byte{}, []byte{}, []byte{}, int64(0))
	f.Add(int(capi.UserList), []byte(""), []byte(`{"items":true,"next":"YQ=="}`), []byte{}, []byte{}, int64(0))
	f.Add(int(capi.UserIncrement), []byte(""), []byte("n"), []byte(`{"ttl":5}`), []byte{}, int64(-7))
	h, data := bareHost(f, Function{Name: "f", AllowBuckets: []string{"shared", "seen:read"}})
	f.Fuzz(func(t *testing.T, op int, a, b, c, d []byte, number int64) {
		h.instance.calls, data.items = 0, nil
		reply, err := h.User(capi.UserCall{Op: capi.UserOp(op), Args: [4][]byte{a, b, c, d}, Number: number})
		if err != nil || reply.Status < callDone || reply.Status > callFailed || len(reply.Error) > 0 && !json.Valid(reply.Error) {
			t.Fatalf("%+v, %v", reply, err)
		}
		for bucket := range data.items {
			if bucket != "function.f" && bucket != "shared" {
				t.Fatalf("wrote to %q", bucket)
			}
		}
	})
}
