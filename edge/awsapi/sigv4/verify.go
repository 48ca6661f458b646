package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// MaxSkew is how far the signer's clock may be from ours, as with AWS.
const MaxSkew = 5 * time.Minute

// Check makes sure that the signature is meant for now and for one of services,
// the signing names that the operation goes by. Any region is good. Its errors are
// *Error; SDKs correct their clock by them.
func (c *Claim) Check(now time.Time, services ...string) error {
	now = now.UTC()
	if !slices.Contains(services, c.Scope.Service) {
		want := ""
		if len(services) > 0 {
			want = services[0]
		}
		return invalid(Misscoped, "Credential should be scoped to correct service: '%s'.", want)
	}
	if limit := now.Add(MaxSkew); c.At.After(limit) {
		return invalid(Skewed, "Signature not yet current: %s is still later than %s (%s + 5 min.)",
			c.At.Format(timestamp), limit.Format(timestamp), now.Format(timestamp))
	}
	if c.Presigned {
		if end := c.ValidUntil(); now.After(end) {
			return invalid(Skewed, "Signature expired: %s is now earlier than %s", end.Format(timestamp), now.Format(timestamp))
		}
		return nil
	}
	if limit := now.Add(-MaxSkew); c.At.Before(limit.Truncate(time.Second)) {
		return invalid(Skewed, "Signature expired: %s is now earlier than %s (%s - 5 min.)",
			c.At.Format(timestamp), limit.Format(timestamp), now.Format(timestamp))
	}
	return nil
}

// ValidUntil returns the moment after which Check refuses the signature.
func (c *Claim) ValidUntil() time.Time {
	if c.Presigned {
		return c.At.Add(c.Expires)
	}
	return c.At.Add(MaxSkew + time.Second) // At has no fractions, the clock that it is compared with has
}

// Verify compares the signature with the one that key gives r, in constant time.
// key must be that of the claim's Scope. bodyHash is HashPayload of the body where
// Payload is Whole, and not used otherwise. Its errors are *Error.
//
// Where Payload is Hashed the body must still pass CheckBody, and where it is
// Encoded it must be read through Decode. A caller that does not want Unsigned
// bodies refuses them.
func (c *Claim) Verify(r *Request, key Key, bodyHash string) error {
	payload := c.payload
	if c.Payload == Whole {
		payload = bodyHash
	}
	want, err := c.signature(r, &key, payload)
	if err != nil {
		return err
	}
	if !hmac.Equal(want[:], c.Signature[:]) {
		return mismatch()
	}
	return nil
}

// CheckBody compares a body with the hash that the signature covers. It returns
// nil where Payload is not Hashed.
func (c *Claim) CheckBody(body []byte) error {
	if c.Payload != Hashed || HashPayload(body) == c.payload {
		return nil
	}
	return invalid(Mismatch, "The provided 'x-amz-content-sha256' header does not match what was computed.")
}

// signature returns the one that r should have.
func (c *Claim) signature(r *Request, key *Key, payload string) ([sha256.Size]byte, error) {
	var scratch [1024]byte
	canonical, err := r.appendCanonical(scratch[:0], c, payload)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return key.sign(c.stringToSign(canonical)), nil
}

// stringToSign binds the canonical request to its time and Scope.
func (c *Claim) stringToSign(canonical []byte) []byte {
	sum := sha256.Sum256(canonical)
	b := c.appendContext(make([]byte, 0, 256), algorithm)
	return hex.AppendEncode(b, sum[:])
}

// appendContext appends the lines that begin all that is signed.
func (c *Claim) appendContext(b []byte, kind string) []byte {
	b = append(b, kind...)
	b = append(b, '\n')
	b = c.At.AppendFormat(b, timestamp)
	b = append(b, '\n')
	b = c.Scope.append(b)
	return append(b, '\n')
}
