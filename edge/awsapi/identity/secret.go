package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
)

const (
	idPrefix    = "LDGE" // where AWS has AKIA
	idLength    = 20
	tokenPrefix = "ledge_"

	secretLength = 40 // as AWS's; 238 bits
	randomLength = 43 // of tokens; 256 bits

	base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	// base62 needs no quotes in shells, URLs and headers. AWS's secrets have + and / too.
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

func newID() string     { return idPrefix + randomText(base32, idLength-len(idPrefix)) }
func newSecret() string { return randomText(base62, secretLength) }

func newToken(id string) string { return tokenPrefix + id + "_" + randomText(base62, randomLength) }

// randomText returns n characters of an alphabet of at most 64, each as likely as
// the others.
func randomText(alphabet string, n int) string {
	text := make([]byte, 0, n)
	var random [64]byte
	for len(text) < n {
		rand.Read(random[:]) // it never fails, see its documentation
		for _, b := range random {
			if i := int(b & 63); i < len(alphabet) && len(text) < n {
				text = append(text, alphabet[i])
			}
		}
	}
	return string(text)
}

// isID reports whether text looks like an access key ID of this package.
func isID(text string) bool {
	rest, ok := strings.CutPrefix(text, idPrefix)
	return ok && len(text) == idLength && strings.Trim(rest, base32) == ""
}

// tokenID returns the access key ID within a bearer token.
func tokenID(token string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return "", false
	}
	id, random, ok := strings.Cut(rest, "_")
	return id, ok && isID(id) && len(random) == randomLength
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// errSealed: the secret was sealed with another device secret, or for another key.
var errSealed = errors.New("the secret cannot be decrypted with this node's device secret")

// sealedVersion begins what seal returns, so that it can change one day.
const sealedVersion = 1

// sealer encrypts secrets for the database.
type sealer struct{ aead cipher.AEAD }

// newSealer derives the key that encrypts from the device secret, so that other
// uses of it stay apart.
func newSealer(deviceSecret []byte) (sealer, error) {
	if len(deviceSecret) != 32 {
		return sealer{}, fmt.Errorf("the device secret has %d bytes, not 32", len(deviceSecret))
	}
	key, err := hkdf.Key(sha256.New, deviceSecret, nil, "ledge access key secrets 1", 32)
	if err != nil {
		return sealer{}, fmt.Errorf("derive key of secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, fmt.Errorf("prepare cipher of secrets: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealer{}, fmt.Errorf("prepare cipher of secrets: %w", err)
	}
	return sealer{aead}, nil
}

// seal encrypts the secret of the key with that ID. It can be opened for no other.
func (s sealer) seal(id, secret string) []byte {
	return s.aead.Seal([]byte{sealedVersion}, nil, []byte(secret), []byte(id))
}

func (s sealer) open(id string, sealed []byte) (string, error) {
	if len(sealed) == 0 || sealed[0] != sealedVersion {
		return "", errSealed
	}
	secret, err := s.aead.Open(nil, nil, sealed[1:], []byte(id))
	if err != nil { // it says nothing but that
		return "", errSealed
	}
	return string(secret), nil
}
