package identity

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"ledge/edge/awsapi/sigv4"
)

// Request is what Authenticate judges.
type Request struct {
	*sigv4.Request
	// Peer is where it came from. The zero Addr means that this is not known: then
	// the peer is taken for another machine, and guessing is not slowed down.
	Peer netip.Addr
	TLS  bool // nobody on the way can read it
	// Connection is a number that no other connection of this process has; 0
	// means that it is not known.
	Connection uint64
	// Changes says that the operation changes something: its signature is accepted
	// once, see the package comment. Invoke does not count.
	Changes bool
	// Services are the signing names that the operation goes by, such as "lambda".
	// The first is what the client is told.
	Services []string
	// Allow judges whom the request comes from, nil allows everybody. It is called
	// once, when that is certain, which is before the body is read where the
	// signature can be verified without it. Whoever it refuses leaves nothing
	// behind: his signature is not remembered. Its error is that of Authenticate.
	Allow func(Caller) error
	// AllowUnsigned accepts signatures that do not cover the body.
	AllowUnsigned bool
	// Body reads the body, which it bounds. It is called at most once, and only
	// after all checks that do without; nil means that there is none.
	Body func() ([]byte, error)
}

// FromHTTP returns what net/http knows of r. The caller adds the rest.
func FromHTTP(r *http.Request) Request {
	request := Request{Request: sigv4.FromHTTP(r), TLS: r.TLS != nil}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		request.Peer = peer.Addr().Unmap()
	} else if _, unix := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr); unix {
		request.Peer = netip.IPv6Loopback() // its peers have no address and are on this machine
	}
	return request
}

// Authenticate returns who sent r. Its errors are *Error, or those of r.Body and r.Allow. When
// the operation has ended its caller calls Finish.
func (k *Keyring) Authenticate(r Request) (Caller, error) {
	if token, found := bearer(r.Header); found {
		return k.authenticateToken(r, token)
	}
	return k.authenticateSignature(r)
}

// Finish says with which HTTP status a request ended. After a failure of the node,
// or where it was too busy, the same signature is accepted again, so that a client can
// try again.
func (k *Keyring) Finish(c Caller, status int) {
	if c.replayed && (status >= http.StatusInternalServerError || status == http.StatusTooManyRequests) {
		k.replays.forget(c.replay)
	}
}

// bearer returns the token of an Authorization header (RFC 6750, section 2.1).
func bearer(h http.Header) (token string, found bool) {
	const scheme = "Bearer "
	values := h.Values("Authorization")
	if len(values) != 1 || len(values[0]) < len(scheme) || !strings.EqualFold(values[0][:len(scheme)], scheme) {
		return "", false
	}
	return strings.TrimSpace(values[0][len(scheme):]), true
}

// Private reports whether a secret may travel with r or its reply: over TLS, or on
// this machine.
func (r *Request) Private() bool { return r.TLS || r.Peer.Unmap().IsLoopback() }

// Signed reports whether r has a signature, if it has credentials, and not a token.
func (r *Request) Signed() bool {
	_, token := bearer(r.Header)
	return !token
}

func (k *Keyring) authenticateToken(r Request, token string) (Caller, error) {
	if !r.Private() {
		return Caller{}, k.refuse(refusedPlainBearer, forbidden(CodeDenied,
			"Bearer tokens are accepted over TLS or from the node itself only, because others on the network can read this one. "+
				"Take it for known to them: rotate the key. Then use https, or sign requests with the key's secret."))
	}
	now := k.cfg.Now()
	tokenOf, wellFormed := tokenID(token)
	e := k.entry(tokenOf)
	id := e.id()
	if err := k.slowed(r, id, now); err != nil {
		return Caller{}, err
	}
	if !wellFormed || e == nil || len(e.key.TokenHash) == 0 {
		return Caller{}, k.wrong(r, id, now, refusedUnknown, unrecognized())
	}
	if subtle.ConstantTimeCompare(hashToken(token), e.key.TokenHash) != 1 {
		return Caller{}, k.wrong(r, id, now, refusedToken, unrecognized())
	}
	if err := k.current(e, now); err != nil {
		return Caller{}, err
	}
	caller, err := k.accept(r, e, now)
	if err != nil {
		return Caller{}, err
	}
	if caller.Body, err = readBody(r); err != nil {
		return Caller{}, err
	}
	return caller, nil
}

func (k *Keyring) authenticateSignature(r Request) (Caller, error) {
	now := k.cfg.Now()
	claim, err := sigv4.Parse(r.Request)
	if err != nil {
		return Caller{}, k.refuseSignature(err)
	}
	e := k.entry(claim.KeyID)
	id := e.id()
	if err := k.slowed(r, id, now); err != nil {
		return Caller{}, err
	}
	if e == nil || claim.Token != "" { // no key of ours comes with a session token
		return Caller{}, k.wrong(r, id, now, refusedUnknown, unrecognized())
	}
	if e.secret == "" {
		return Caller{}, k.refuse(refusedUnusable, unrecognized())
	}
	if err := k.current(e, now); err != nil {
		return Caller{}, err
	}
	if err := claim.Check(now, r.Services...); err != nil {
		return Caller{}, k.refuseSignature(err)
	}
	if !claim.Payload.Signed() && !r.AllowUnsigned {
		return Caller{}, k.refuse(refusedUnsignedBody, forbidden(sigv4.CodeInvalid,
			"The signature does not cover the body, which this operation requires. Send the SHA-256 of the body in X-Amz-Content-Sha256."))
	}
	if r.Changes && claim.Presigned && claim.Expires > maxChangeValid {
		return Caller{}, k.refuse(refusedScope, forbidden(sigv4.CodeInvalid,
			"A presigned request that changes something may be valid for at most an hour here. Choose a smaller X-Amz-Expires."))
	}
	caller, err := k.verify(r, e, claim, now)
	if err != nil {
		return Caller{}, err
	}
	if r.Changes {
		if err := k.admit(r, e, claim, now); err != nil {
			return Caller{}, err
		}
	}
	caller.replay, caller.replayed = claim.Signature, r.Changes
	return caller, nil
}

// verify reads the body, verifies it and the signature, and asks r.Allow: the body
// comes last, where the signature can be verified without it.
func (k *Keyring) verify(r Request, e *entry, claim *sigv4.Claim, now time.Time) (caller Caller, err error) {
	key := k.signing.Key(e.secret, claim.Scope)
	if claim.Payload == sigv4.Whole {
		body, err := readBody(r)
		if err != nil {
			return Caller{}, err
		}
		if err := claim.Verify(r.Request, key, sigv4.HashPayload(body)); err != nil {
			return Caller{}, k.wrongSignature(r, e, now, err)
		}
		caller, err = k.accept(r, e, now)
		caller.Body = body
		return caller, err
	}
	if err := claim.Verify(r.Request, key, ""); err != nil {
		return Caller{}, k.wrongSignature(r, e, now, err)
	}
	if caller, err = k.accept(r, e, now); err != nil {
		return Caller{}, err
	}
	if caller.Body, err = readBody(r); err != nil {
		return Caller{}, err
	}
	if err := claim.CheckBody(caller.Body); err != nil {
		return Caller{}, k.refuseSignature(err)
	}
	if !claim.Payload.Encoded() {
		return caller, nil
	}
	if caller.Body, err = io.ReadAll(claim.Decode(key, bytes.NewReader(caller.Body))); err != nil {
		return Caller{}, k.refuseSignature(err)
	}
	return caller, nil
}

// admit remembers the signature of a request that changes something.
func (k *Keyring) admit(r Request, e *entry, claim *sigv4.Claim, now time.Time) error {
	switch k.replays.admit(claim.Signature, e.key.ID, r.Connection, claim.ValidUntil(), now) {
	case seenElsewhere:
		// For a client that sent two equal requests within a second over two
		// connections this is no more than throttling: SDKs wait and sign again.
		return k.refuse(refusedReplay, throttled(
			"A request with this signature has been accepted before, over another connection. Sign the request again in another second.", time.Second))
	case noRoom:
		return k.refuse(refusedReplay, throttled("The node has accepted more changes within minutes, with this key or with all of them, than it can remember. Try again later.", purgeInterval))
	}
	return nil
}

// readBody calls r.Body.
func readBody(r Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := r.Body()
	if err != nil {
		return nil, fmt.Errorf("read request body: %w", err)
	}
	return body, nil
}

// current refuses keys that are disabled or have expired.
func (k *Keyring) current(e *entry, now time.Time) error {
	switch {
	case e.key.Disabled:
		return k.refuse(refusedUnusable, unrecognized())
	case e.expired(now):
		return k.refuse(refusedExpired, forbidden(CodeExpired, "The security token included in the request is expired"))
	}
	return nil
}

// accept returns the caller that e belongs to, unless r.Allow refuses him.
func (k *Keyring) accept(r Request, e *entry, now time.Time) (Caller, error) {
	k.brake.succeeded(r.Peer, e.key.ID)
	k.touch(e, now)
	caller := Caller{
		KeyID: e.key.ID, Name: e.key.Name, ARN: arn(e.key.Name), Access: Access(e.key.Access),
		functions: e.key.Functions,
	}
	if r.Allow == nil {
		return caller, nil
	}
	return caller, r.Allow(caller)
}

// slowed refuses a request of somebody who guesses.
func (k *Keyring) slowed(r Request, id string, now time.Time) error {
	if wait := k.brake.wait(r.Peer, id, now); wait > 0 {
		err := throttled("", wait)
		err.Message = fmt.Sprintf("Too many requests with wrong credentials came from this address. Try again in %s.", err.Retry)
		return k.refuse(refusedSlowed, err)
	}
	return nil
}

// wrong counts wrong credentials, also against the peer.
func (k *Keyring) wrong(r Request, id string, now time.Time, why refusal, err *Error) error {
	k.brake.failed(r.Peer, id, now)
	return k.refuse(why, err)
}

func (k *Keyring) wrongSignature(r Request, e *entry, now time.Time, err error) error {
	k.brake.failed(r.Peer, e.id(), now)
	return k.refuseSignature(err)
}

// refuseSignature counts an error of package sigv4 and returns it as ours.
func (k *Keyring) refuseSignature(err error) error {
	var failure *sigv4.Error
	if !errors.As(err, &failure) {
		return err
	}
	why := map[sigv4.Reason]refusal{
		sigv4.Missing: refusedMissing, sigv4.Malformed: refusedMalformed, sigv4.Skewed: refusedClock,
		sigv4.Misscoped: refusedScope, sigv4.Mismatch: refusedSignature,
	}[failure.Reason]
	return k.refuse(why, forbidden(failure.Code, failure.Message))
}
