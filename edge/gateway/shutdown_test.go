package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"ledge/engine"
)

func TestShutdownDrains(t *testing.T) {
	p := newPolling()
	s := newServer(t, Config{Invoker: p}, raw(route(t, "ANY /")))
	addr := listen(t, s)
	idle, busy := dial(t, addr), dial(t, addr)
	idle.send(t, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
	idle.receive(t, "GET")
	busy.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	await(t, p.started)
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	idle.ends(t) // by then it no longer accepts
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("a connection was accepted")
	}
	close(p.release)
	if resp, body := busy.receive(t, "GET"); resp.StatusCode != 200 || body != "done" || !resp.Close {
		t.Errorf("got %d %q, close %v", resp.StatusCode, body, resp.Close)
	}
	busy.ends(t)
	if err := await(t, done); err != nil {
		t.Error(err)
	}
}

func TestShutdownCancelsWhenItsContextEnds(t *testing.T) {
	p := newPolling()
	s := newServer(t, Config{Invoker: p}, raw(route(t, "ANY /")))
	addr := listen(t, s)
	busy, silent := dial(t, addr), dial(t, addr)
	busy.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	await(t, p.started)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// It waited for what it cancelled: the engine can be closed now.
	select {
	case err := <-p.ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the invocation got %v", err)
		}
	default:
		t.Error("the invocation still runs")
	}
	silent.ends(t) // it never sent anything, and is closed all the same
}

func TestServeEndsWithItsContext(t *testing.T) {
	s := newServer(t, Config{Invoker: invokerFunc(echo)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	dial(t, l.Addr().String())
	cancel()
	if err := await(t, done); err != nil {
		t.Errorf("serve: %v", err)
	}
}

// TestTableSwapFailsNoRequest swaps routes under load: every request is served
// by one of the two tables.
func TestTableSwapFailsNoRequest(t *testing.T) {
	s := newServer(t, Config{Invoker: invokerFunc(func(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
		res.Payload = append(res.Payload[:0], inv.Function...)
		return nil
	})})
	tables := [2]*Table{}
	for i, function := range []string{"old", "new"} {
		r := raw(route(t, "GET /x"))
		r.Function = function
		tables[i] = mustTable(t, r)
	}
	s.SetTable(tables[0])
	addr := listen(t, s)
	var clients sync.WaitGroup
	var seen [2]atomic.Int64
	for range 4 {
		clients.Go(func() {
			w := dial(t, addr)
			for range 300 {
				if _, err := io.WriteString(w, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
					t.Error(err)
					return
				}
				resp, err := http.ReadResponse(w.r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				switch {
				case err != nil || resp.StatusCode != 200:
					t.Errorf("got %d, %v", resp.StatusCode, err)
					return
				case bytes.Equal(body, []byte("old")):
					seen[0].Add(1)
				default:
					seen[1].Add(1)
				}
			}
		})
	}
	stop := make(chan struct{})
	swapped := make(chan struct{})
	go func() {
		defer close(swapped)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
				s.SetTable(tables[i%2])
			}
		}
	}()
	clients.Wait()
	close(stop)
	<-swapped
	if total := seen[0].Load() + seen[1].Load(); total != 1200 {
		t.Errorf("%d of 1200 requests were served", total)
	}
}
