package engine

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// A version that cannot start says why.
func TestProvisionedFailure(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitTimeout = 50 * time.Millisecond
	r := open(t, cfg)
	f := function(t, "f", `(module (func (export "_initialize") (loop $l (br $l))) (func (export "handle") (result i32) (i32.const 0)))`)
	f.NoSnapshot = true
	if err := r.Register(f); err != nil {
		t.Fatal(err)
	}
	setProvisioned(t, r, "f", Latest, 1)
	if got := settled(t, r, "f", Latest); !strings.HasPrefix(got, "1 0 0") || !strings.Contains(got, "did not end within") {
		t.Error(got)
	}
	f = function(t, "f", echoModule)
	deploy(t, r, f) // has as many, and is better
	if got := settled(t, r, "f", Latest); got != "1 1 1" {
		t.Error(got)
	}
	if err := r.Remove("f", ""); err != nil {
		t.Fatal(err)
	}
	deploy(t, r, f)
	if got := settled(t, r, "f", Latest); got != "0 0 0" {
		t.Errorf("a function that was removed has %s", got)
	}
}

func TestSetProvisionedRefuses(t *testing.T) {
	r := open(t, testConfig(t)) // with 64 Instances
	f := function(t, "f", echoModule)
	f.Limits.Concurrency = 10
	for _, f.Version = range []string{Latest, "1", "2"} {
		deploy(t, r, f)
	}
	wide := function(t, "wide", echoModule)
	wide.Limits.Concurrency = 100
	deploy(t, r, wide)
	if err := r.SetAlias("f", "live", "1", nil); err != nil {
		t.Fatal(err)
	}
	setProvisioned(t, r, "f", "1", 7)
	for _, test := range []struct {
		name, version string
		n             int
		missing       bool
		why           string // "": it is taken
	}{
		{"f", "2", 3, false, ""},
		{"f", "2", 4, false, "0 to 3"},
		{"f", "2", -1, false, "0 to 3"},
		{"f", "1", 8, false, "0 to 7"},
		{"f", "1", 6, false, ""},
		{"f", Latest, 1, false, ""},
		{"f", Latest, 2, false, "0 to 1"},
		{"f", "3", 1, true, "f:3"},
		{"f", "live", 1, true, "f:live"},
		{"nobody", "1", 1, true, "nobody:1"},
		{"wide", Latest, 65, false, "0 to 64"},
	} {
		err := r.SetProvisioned(test.name, test.version, test.n)
		if test.why == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		var bad *DeployError
		if err == nil || !strings.Contains(err.Error(), test.why) || errors.Is(err, ErrNotFound) != test.missing || errors.As(err, &bad) == test.missing {
			t.Errorf("%d of %s:%s: %v, want %q", test.n, test.name, test.version, err, test.why)
		}
	}
	if err := r.SetConcurrency("f", NoConcurrency); err != nil {
		t.Fatal(err)
	}
	setProvisioned(t, r, "f", "2", 0)  // always
	setProvisioned(t, r, "f", "2", 20) // for later
	if got := settled(t, r, "f", "2"); !strings.HasPrefix(got, "20 ") || !strings.Contains(got, "concurrency is less") {
		t.Errorf("with no concurrency: %s", got) // there are as many as were made before
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.SetProvisioned("f", "1", 1); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// Everything at once: no Instance is lost or freed twice, which open checks, and no
// goroutine outlives Close.
func TestProvisionedUnderChange(t *testing.T) {
	cfg := testConfig(t)
	cfg.MaxInstances = 8
	cfg.IdleTimeout = time.Millisecond
	r := open(t, cfg)
	f := function(t, "f", echoModule)
	f.Limits.Concurrency = 6
	deploy(t, r, f)
	var wg sync.WaitGroup
	event := bytes.Repeat([]byte("x"), 100)
	for range 4 {
		wg.Go(func() {
			var res Result
			for range 300 {
				err := r.Invoke(context.Background(), &Invocation{Function: "f", Payload: event}, &res)
				if err != nil && !errors.Is(err, ErrThrottled) && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrOverloaded) {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 100 {
			if err := r.SetProvisioned("f", Latest, i%5); err != nil && !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
			r.Provisioned("f", Latest)
		}
	})
	wg.Go(func() {
		for i := range 20 {
			if i%5 == 4 {
				if err := r.Remove("f", ""); err != nil {
					t.Error(err)
				}
			}
			if _, err := r.Deploy(context.Background(), f, nil); err != nil && !errors.Is(err, ErrOverloaded) {
				t.Error(err)
			}
			if err := r.SetConcurrency("f", 5+i%2); err != nil && !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if err := r.SetProvisioned("f", Latest, 5); err != nil && !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := r.Close(); err != nil { // while they are being made
		t.Error(err)
	}
}
