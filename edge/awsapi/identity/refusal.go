package identity

import "sync/atomic"

// refusal is why a request was refused.
type refusal uint8

const (
	refusedMissing refusal = iota
	refusedMalformed
	refusedUnknown
	refusedUnusable
	refusedSignature
	refusedToken
	refusedExpired
	refusedClock
	refusedScope
	refusedPlainBearer
	refusedUnsignedBody
	refusedReplay
	refusedSlowed
	refusedAccess
	refusals
)

func (r refusal) String() string {
	return [refusals]string{
		refusedMissing:      "no-credentials",
		refusedMalformed:    "malformed",
		refusedUnknown:      "unknown-key",
		refusedUnusable:     "disabled-key",
		refusedSignature:    "wrong-signature",
		refusedToken:        "wrong-token",
		refusedExpired:      "expired-key",
		refusedClock:        "clock-skew",
		refusedScope:        "wrong-scope",
		refusedPlainBearer:  "token-without-tls",
		refusedUnsignedBody: "unsigned-body",
		refusedReplay:       "replayed",
		refusedSlowed:       "slowed-down",
		refusedAccess:       "access-denied",
	}[r]
}

// tally counts refusals since the start.
type tally [refusals]atomic.Uint64

// Refusals returns how many requests were refused since Open, by reason. All
// reasons are there, also those that never occurred.
func (k *Keyring) Refusals() map[string]uint64 {
	counts := make(map[string]uint64, refusals)
	for r := range refusals {
		counts[r.String()] = k.tally[r].Load()
	}
	return counts
}

// refuse counts err and returns it.
func (k *Keyring) refuse(why refusal, err *Error) error {
	k.tally[why].Add(1)
	return err
}
