package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// Versions of a function share its concurrency, and changing it needs no deploy.
func TestConcurrencyOfVersions(t *testing.T) {
	r := open(t, testConfig(t))
	f := function(t, "f", spin)
	f.Limits = Limits{Concurrency: 2, Timeout: time.Minute}
	deploy(t, r, f)
	f.Version, f.Limits.Concurrency = "1", 50 // counts for nothing
	deploy(t, r, f)
	if err := r.SetAlias("f", "live", "1", nil); err != nil {
		t.Fatal(err)
	}
	deploy(t, r, function(t, "other", echoModule))

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	run := func(qualifier string) {
		wg.Go(func() {
			var res Result
			if err := r.Invoke(ctx, &Invocation{Function: "f", Qualifier: qualifier}, &res); !errors.Is(err, context.Canceled) {
				t.Errorf("%q ended with %v", qualifier, err)
			}
		})
	}
	throttled := func(when string) {
		t.Helper()
		for _, qualifier := range []string{"", "1", "live"} {
			var res Result
			if err := r.Invoke(context.Background(), &Invocation{Function: "f", Qualifier: qualifier}, &res); !errors.Is(err, ErrThrottled) {
				t.Errorf("%s, %q: %v", when, qualifier, err)
			}
		}
	}
	set := func(n int) {
		t.Helper()
		if err := r.SetConcurrency("f", n); err != nil {
			t.Fatal(err)
		}
	}
	run("")
	run("live")
	waitRunning(t, r, 2)
	throttled("full")
	set(3)
	run("1")
	waitRunning(t, r, 3)
	throttled("full again")
	set(1)
	throttled("fewer than run")
	set(0)
	run("")
	waitRunning(t, r, 4)
	set(NoConcurrency)
	throttled("none")
	if got, err := invoke(r, "other", "x"); err != nil || got != "x" {
		t.Errorf("another function: %q, %v", got, err)
	}
	// A new deploy of the latest says it again; Invocations of the old one count.
	f.Version, f.Limits.Concurrency = Latest, 4
	deploy(t, r, f)
	throttled("redeployed")
	cancel()
	wg.Wait()
	if n := r.table.view("f").quota.running.Load(); n != 0 {
		t.Errorf("%d invocations are still counted", n)
	}
}

func TestSetConcurrencyRefuses(t *testing.T) {
	r := open(t, testConfig(t))
	f := function(t, "f", echoModule)
	f.Limits.Concurrency = NoConcurrency
	deploy(t, r, f)
	if _, err := invoke(r, "f", "x"); !errors.Is(err, ErrThrottled) {
		t.Errorf("deployed with no concurrency: %v", err)
	}
	for _, n := range []int{-2, MaxConcurrency + 1} {
		var bad *DeployError
		if err := r.SetConcurrency("f", n); !errors.As(err, &bad) || bad.Op != "concurrency" {
			t.Errorf("%d: %v", n, err)
		}
	}
	if err := r.SetConcurrency("nobody", 1); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	for _, n := range []int{1, MaxConcurrency, 0} {
		if err := r.SetConcurrency("f", n); err != nil {
			t.Error(err)
		}
		if got, err := invoke(r, "f", "x"); err != nil || got != "x" {
			t.Errorf("with %d: %q, %v", n, got, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.SetConcurrency("f", 1); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
