package identity

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"ledge/edge/awsapi/sigv4"
)

func TestReplay(t *testing.T) {
	n := newNode(t)
	change := func(connection uint64) Request {
		r := n.plain(n.root, "{}")
		r.Changes, r.Connection = true, connection
		return r
	}
	accept := func(what string, r Request) Caller {
		t.Helper()
		c, err := n.Authenticate(r)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return c
	}
	refuse := func(what string, r Request) {
		t.Helper()
		_, err := n.Authenticate(r)
		wantCode(t, what, err, 429, CodeThrottled, "accepted before")
	}
	first := accept("first", change(1))
	accept("again over the same connection", change(1))
	refuse("another connection", change(2))
	refuse("unknown connection", change(0))
	read := change(2)
	read.Changes = false
	accept("what changes nothing", read)

	n.Finish(first, 200)
	refuse("after success", change(2))
	n.Finish(first, 409)
	refuse("after a client's error", change(2))
	for connection, status := range []int{500, 503, 429} {
		n.Finish(first, status)
		again := change(uint64(connection + 10))
		accept(fmt.Sprintf("after status %d", status), again)
		refuse("and then again", change(2))
	}
	n.Finish(Caller{}, 500) // has nothing to forget
	refuse("after another caller's failure", change(2))

	n.advance(time.Second)
	unknown := change(0)
	accept("unknown connection, another second", unknown)
	refuse("unknown connection again", unknown)

	// A refused request is not remembered: its signature was not used.
	n.advance(time.Second)
	bad := change(5)
	bad.Body = bodyOf("other")
	if _, err := n.Authenticate(bad); err == nil {
		t.Error("another body was accepted")
	}
	accept("the right body afterwards", change(6))

	// It is remembered until it is too old to be accepted anyway.
	late := change(7)
	for range 5 {
		n.advance(time.Minute)
		refuse("a minute later", late)
	}
	n.advance(2 * time.Second)
	_, err := n.Authenticate(late)
	wantCode(t, "when it is too old", err, 403, sigv4.CodeInvalid, "expired")
}

func TestReplayMemoryIsBounded(t *testing.T) {
	r := replays{capacity: 100}
	at := time.Unix(1e9, 0)
	signature := func(i int) [32]byte { return [32]byte{byte(i), byte(i >> 8)} }
	for i := range 100 {
		if got := r.admit(signature(i), []string{"a", "b"}[i%2], 1, at.Add(time.Duration(i)*time.Second), at); got != admitted {
			t.Fatalf("%d: %d", i, got)
		}
	}
	if got := r.admit(signature(100), "c", 1, at.Add(time.Hour), at); got != noRoom {
		t.Errorf("one more: %d", got)
	}
	if got := r.admit(signature(50), "c", 2, at.Add(time.Hour), at); got != seenElsewhere {
		t.Errorf("what is known is %d when there is no room", got)
	}
	at = at.Add(purgeInterval)
	if got := r.admit(signature(100), "c", 1, at.Add(time.Hour), at); got != admitted || len(r.seen) != 41 {
		t.Errorf("after a minute: %d, %d are kept", got, len(r.seen))
	}
	if got := r.admit(signature(0), "c", 2, at.Add(-time.Hour), at.Add(-time.Hour)); got != admitted {
		t.Errorf("after the clock was set back: %d", got)
	}
	r.forget(signature(0))
	r.forget(signature(0))
	if want := map[string]int{"a": 20, "b": 20, "c": 1}; !maps.Equal(r.of, want) {
		t.Errorf("%v are of the keys, want %v", r.of, want)
	}

	greedy := replays{capacity: 100}
	for i := range 60 {
		want := admitted
		if i >= 50 {
			want = noRoom
		}
		if got := greedy.admit(signature(i), "a", 1, at.Add(time.Hour), at); got != want {
			t.Errorf("%d of one key: %d", i, got)
		}
	}
	if got := greedy.admit(signature(60), "b", 1, at.Add(time.Hour), at); got != admitted {
		t.Errorf("of another key: %d", got)
	}

	n := newNode(t)
	n.replays.capacity = 1
	for i, code := range []string{"", CodeThrottled} {
		request := n.signed(t, n.root, fmt.Sprint(i))
		request.Changes = true
		if _, err := n.Authenticate(request); code == "" {
			if err != nil {
				t.Error(err)
			}
		} else {
			wantCode(t, "no room", err, 429, code, "Try again")
		}
	}
}
