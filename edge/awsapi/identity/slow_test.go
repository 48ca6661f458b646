package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"ledge/edge/awsapi/sigv4"
)

// A thousand strangers who guess do not keep anybody out who has the key.
func TestStrangers(t *testing.T) {
	n := newNode(t)
	wrong := sigv4.Credentials{KeyID: n.root.KeyID, Secret: "guess"}
	slowed := 0
	for round := range 10 {
		for i := range 1000 {
			r := n.signed(t, wrong, fmt.Sprint(round))
			r.Peer, r.Body = stranger(i), noBody(t)
			var failure *Error
			if _, err := n.Authenticate(r); !errors.As(err, &failure) {
				t.Fatalf("a guess was accepted: %v", err)
			}
			if failure.Code == CodeThrottled {
				slowed++
				if failure.Status != 429 || failure.Retry < time.Second || failure.Retry > longestDelay || failure.Retry%time.Second != 0 {
					t.Fatalf("refused with %+v", failure)
				}
			}
		}
		for _, peer := range []netip.Addr{clean, loopback, {}} {
			r := n.plain(n.root, "")
			r.Peer = peer
			if _, err := n.Authenticate(r); err != nil {
				t.Fatalf("round %d: the owner at %v is refused: %v", round, peer, err)
			}
		}
	}
	// The first hundred had five guesses before the key was known to be attacked,
	// all others two.
	if slowed < 7000 {
		t.Errorf("%d of 10000 guesses were slowed down", slowed)
	}
	if got := n.Refusals()["slowed-down"]; got != uint64(slowed) {
		t.Errorf("%d are counted, %d were slowed down", got, slowed)
	}
}

// The delay doubles from one second to five minutes, and what is refused during it
// does not lengthen it.
func TestDelayDoubles(t *testing.T) {
	n := newNode(t)
	wrong := sigv4.Credentials{KeyID: n.root.KeyID, Secret: "guess"}
	guess := func() error {
		_, err := n.Authenticate(n.signed(t, wrong, ""))
		return err
	}
	for range freeFailures {
		wantCode(t, "free guess", guess(), 403, sigv4.CodeInvalid, "does not match")
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		want *= time.Second
		for range 3 {
			err := guess()
			wantCode(t, "guess", err, 429, CodeThrottled, fmt.Sprintf("Try again in %s.", want))
			if failure := (*Error)(nil); !errors.As(err, &failure) || failure.Retry != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		// The owner too has to wait at this address, but with this key only.
		_, err := n.Authenticate(n.plain(n.root, ""))
		wantCode(t, "owner", err, 429, CodeThrottled, "Try again")
		n.advance(want - time.Millisecond)
		wantCode(t, "a little early", guess(), 429, CodeThrottled, "Try again in 1s.")
		n.advance(time.Millisecond)
		wantCode(t, "when told to", guess(), 403, sigv4.CodeInvalid, "does not match")
	}
	ci := n.create(t, Order{Name: "ci", Access: Read, Secret: true})
	if _, err := n.Authenticate(n.plain(ci.credentials(), "")); err != nil {
		t.Errorf("another key from the same address: %v", err)
	}

	// Success ends it, and so does quiet.
	n.advance(longestDelay)
	if _, err := n.Authenticate(n.plain(n.root, "")); err != nil {
		t.Error(err)
	}
	for range freeFailures {
		wantCode(t, "after success", guess(), 403, sigv4.CodeInvalid, "does not match")
	}
	wantCode(t, "one too many", guess(), 429, CodeThrottled, "")
	n.advance(quietTime + time.Second)
	for range freeFailures {
		wantCode(t, "after a while", guess(), 403, sigv4.CodeInvalid, "does not match")
	}
	wantCode(t, "one too many again", guess(), 429, CodeThrottled, "")
	n.advance(-24 * time.Hour) // a clock that is set back locks nobody out
	if _, err := n.Authenticate(n.plain(n.root, "")); err != nil {
		t.Error(err)
	}
}

// Guessing tokens and key IDs is slowed down too; being wrong about the time is not.
func TestWhatIsSlowedDown(t *testing.T) {
	n := newNode(t)
	person := n.create(t, Order{Name: "person", Access: Read, Secret: true, Token: true})
	skewed := n.plain(n.root, "")
	n.advance(time.Hour)
	for name, test := range map[string]struct {
		request Request
		peer    string
		slowed  bool
	}{
		"wrong token":       {withToken(newToken(person.ID)), "127.0.0.1", true},
		"unknown token":     {withToken("x"), "127.0.0.2", true},
		"unknown key":       {n.plain(sigv4.Credentials{KeyID: newID()}, ""), "192.0.2.2", true},
		"wrong signature":   {n.plain(sigv4.Credentials{KeyID: n.root.KeyID}, ""), "192.0.2.3", true},
		"clock skew":        {skewed, "192.0.2.4", false},
		"token without TLS": {withToken(person.Token), "192.0.2.5", false},
		"malformed":         {Request{Request: &sigv4.Request{Header: map[string][]string{"Authorization": {"x"}}}}, "192.0.2.6", false},
		"no credentials":    {Request{Request: &sigv4.Request{}}, "192.0.2.7", false},
	} {
		test.request.Peer = netip.MustParseAddr(test.peer)
		var failure *Error
		for range freeFailures + 1 {
			if _, err := n.Authenticate(test.request); !errors.As(err, &failure) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if slowed := failure.Code == CodeThrottled; slowed != test.slowed {
			t.Errorf("%s: %v", name, failure)
		}
	}
}

func TestOrigin(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"127.0.0.1", "::1", false},
	} {
		a, b := origin(netip.MustParseAddr(test.a)), origin(netip.MustParseAddr(test.b))
		if (a == b) != test.same {
			t.Errorf("%s and %s: %v and %v", test.a, test.b, a, b)
		}
	}
	if origin(netip.Addr{}).IsValid() {
		t.Error("an unknown peer has an origin")
	}
}

// Where nothing is known of the peers, one must not lock out the others.
func TestUnknownPeersAreNotSlowedDown(t *testing.T) {
	b := brake{}
	at := time.Unix(1e9, 0)
	for range 1000 {
		b.failed(netip.Addr{}, "k", at)
	}
	if wait := b.wait(netip.Addr{}, "k", at); wait != 0 || len(b.pairs) > 0 {
		t.Errorf("the wait is %s", wait)
	}
}

// Memory is bounded, and those who fail most recently are remembered.
func TestBrakeIsBounded(t *testing.T) {
	b := brake{capacity: 64}
	at := time.Unix(1e9, 0)
	for i := range 10000 {
		at = at.Add(time.Millisecond)
		b.failed(stranger(i), fmt.Sprint(i%200), at)
		if len(b.pairs) > 64 || len(b.peers) > 64 || len(b.keys) > 64 {
			t.Fatalf("%d pairs, %d peers, %d keys", len(b.pairs), len(b.peers), len(b.keys))
		}
	}
	for range freeFailures {
		b.failed(clean, "k", at)
	}
	if b.wait(clean, "k", at) == 0 {
		t.Error("the last is forgotten")
	}
}

// One address that tries many keys, known ones, has one guess for each.
func TestManyKeysFromOneAddress(t *testing.T) {
	b := brake{}
	at := time.Unix(1e9, 0)
	for i := range manyFailures {
		b.failed(clean, fmt.Sprint(i), at)
		if b.wait(clean, fmt.Sprint(i), at) > 0 {
			t.Fatalf("slowed down after %d failures", i)
		}
	}
	b.failed(clean, "another", at)
	if b.wait(clean, "another", at) != firstDelay {
		t.Error("the address is not slowed down")
	}
	if b.wait(clean, "a key that did not fail", at) != 0 {
		t.Error("a key that did not fail is refused")
	}
}
