package gateway

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// jwk is one public key that tokens may be signed with.
type jwk struct {
	id        string // kid; may be empty
	algorithm string // alg; empty: whatever fits the key
	key       any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// Bounds of a JWK Set. Smaller RSA keys are not safe any more (NIST SP
// 800-131A); larger ones only make checks slow.
const (
	maxJWKs    = 100
	minRSABits = 2048
	maxRSABits = 8192
)

// parseJWKS reads a JWK Set (RFC 7517). As its section 5 says, it leaves out keys
// of types that it does not know; and those that are not for signatures. A set
// that holds something secret is refused: it has no place here.
func parseJWKS(text []byte) ([]jwk, error) {
	if len(text) > MaxJWKS {
		return nil, fmt.Errorf("the JWKS has %d bytes: use at most %d", len(text), MaxJWKS)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("read the JWKS, a JSON object with the member keys: %w", err)
	}
	if len(set.Keys) > maxJWKs {
		return nil, fmt.Errorf("the JWKS has %d keys: use at most %d", len(set.Keys), maxJWKs)
	}
	var keys []jwk
	for i, raw := range set.Keys {
		var in jose.JSONWebKey
		if err := in.UnmarshalJSON(raw); errors.Is(err, jose.ErrUnsupportedKeyType) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("read key %d of the JWKS: %w", i, err)
		}
		switch key := in.Key.(type) {
		case *rsa.PublicKey:
			if n := key.N.BitLen(); n < minRSABits || n > maxRSABits {
				return nil, fmt.Errorf("key %d of the JWKS is RSA of %d bits: use %d to %d", i, n, minRSABits, maxRSABits)
			}
		case *ecdsa.PublicKey, ed25519.PublicKey:
		case []byte, *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
			return nil, fmt.Errorf("key %d of the JWKS is secret: give public keys only", i)
		default:
			continue
		}
		if in.Use == "" || in.Use == "sig" {
			keys = append(keys, jwk{in.KeyID, in.Algorithm, in.Key})
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the JWKS has no public key for signatures: RSA, EC and Ed25519 are known")
	}
	return keys, nil
}

// CheckJWKS reports why a JWK Set cannot be the Keys of a JWT.
func CheckJWKS(text []byte) error {
	_, err := parseJWKS(text)
	return err
}

// maxSameKID bounds the keys that one token is tried with. A set should have no
// two keys of one ID; some have one for each algorithm.
const maxSameKID = 4

// candidates returns the keys that a token may be signed with: those with its
// kid, or the only key of the set if it has none.
func candidates(keys []jwk, kid, algorithm string) []jwk {
	if kid == "" {
		if len(keys) != 1 {
			return nil
		}
		kid = keys[0].id
	}
	var fit []jwk
	for _, k := range keys {
		if k.id == kid && (k.algorithm == "" || k.algorithm == algorithm) && len(fit) < maxSameKID {
			fit = append(fit, k)
		}
	}
	return fit
}
