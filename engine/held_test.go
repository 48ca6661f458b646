package engine

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"ledge/engine/capi"
	"ledge/engine/outbound"
)

// What host calls keep beside their Instances counts in the node's budget, is refused
// where that is used up, and is given back.
func TestHeld(t *testing.T) {
	const large = 1 << 20
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, large))
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()
	url := fmt.Sprintf(`{"url":"http://%s/"}`, listener.Addr())

	h, data := bareHost(t, Function{Name: "f", AllowHosts: []string{listener.Addr().String()}, AllowInvoke: []string{"g"}})
	r := h.runtime
	r.outbound = outbound.New()
	defer r.outbound.Close()
	for i := range 4 {
		data.put(t, "function.f", fmt.Sprint("large/", i), make([]byte, large/5))
	}
	value := fmt.Sprintf(`[{"put":"k","value":"%s"}]`, strings.Repeat("x", large))
	calls := map[string]func() (int, error){
		"transaction": func() (int, error) {
			reply, err := h.Call(callKVWrite, []byte(`{"writes":`+value+`}`), nil)
			return reply.Status, err
		},
		"list": func() (int, error) {
			reply, err := h.Call(callKVList, []byte(`{"prefix":"large/","items":true}`), nil)
			return reply.Status, err
		},
		"plug-in's transaction": func() (int, error) {
			reply, err := h.User(capi.UserCall{Op: capi.UserTransact, Args: [4][]byte{[]byte(value)}})
			return reply.Status, err
		},
		"plug-in's list": func() (int, error) {
			reply, err := h.User(capi.UserCall{Op: capi.UserList, Args: [4][]byte{1: []byte(`{"prefix":"large/","items":true}`)}})
			return reply.Status, err
		},
	}
	for _, test := range []struct {
		budget int64
		want   int
	}{{0, callDone}, {64 << 20, callDone}, {large / 2, callFailed}} {
		r.node = capi.NewNode(test.budget, false)
		for name, call := range calls {
			if status, err := call(); err != nil || status != test.want {
				t.Errorf("%s with a budget of %d: %d, %v", name, test.budget, status, err)
			}
		}
		for name, body := range map[string][]byte{"reply": nil, "request": bytes.Repeat([]byte("x"), large)} {
			kept := held{runtime: r}
			_, _, _, err := r.outbound.Exchange(t.Context(), h.function.AllowHosts, []byte(url), body, kept.take)
			kept.release()
			if (err == nil) != (test.want == callDone) {
				t.Errorf("HTTP %s with a budget of %d: %v", name, test.budget, err)
			}
		}
		if used := r.node.Used(); used != 0 {
			t.Errorf("%d bytes of a budget of %d were not given back", used, test.budget)
		}
	}
}
