package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
)

// Scope is what a signing key is good for.
type Scope struct {
	Date    string // YYYYMMDD, UTC
	Region  string
	Service string // "lambda", "apigateway", ...
}

// terminator ends every scope of version 4.
const terminator = "aws4_request"

func (s Scope) append(b []byte) []byte {
	b = append(b, s.Date...)
	b = append(b, '/')
	b = append(b, s.Region...)
	b = append(b, '/')
	b = append(b, s.Service...)
	b = append(b, '/')
	return append(b, terminator...)
}

// Key signs for one Scope. It is as secret as what it was made from.
type Key [sha256.Size]byte

// NewKey derives the signing key of a secret access key. It costs four HMACs;
// Cache spares them.
func NewKey(secret string, s Scope) Key {
	k := mac([]byte("AWS4"+secret), s.Date)
	k = mac(k[:], s.Region)
	k = mac(k[:], s.Service)
	return mac(k[:], terminator)
}

func (k *Key) sign(text []byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, k[:])
	h.Write(text)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}

func mac(key []byte, text string) (sum Key) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	h.Sum(sum[:0])
	return sum
}

// HashPayload returns the name of a body in a signature: its SHA-256 in
// hexadecimal.
func HashPayload(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// cacheSize is the number of keys in one generation of a Cache. A node has a
// handful of users, each with some services, for one or two dates.
const cacheSize = 128

// Cache remembers the keys that were used last, at most 256 of them. The zero
// value is empty and ready; its methods may be called concurrently.
type Cache struct {
	mu       sync.Mutex
	new, old map[cacheKey]Key
}

// cacheKey has the secret and not its ID, so that a secret that was replaced is
// not found again.
type cacheKey struct {
	secret string
	scope  Scope
}

// Key returns NewKey(secret, s).
func (c *Cache) Key(secret string, s Scope) Key {
	id := cacheKey{secret, s}
	c.mu.Lock()
	key, found := c.new[id]
	if !found {
		if key, found = c.old[id]; found {
			c.add(id, key)
		}
	}
	c.mu.Unlock()
	if found {
		return key
	}
	key = NewKey(secret, s)
	// What is kept must not hold on to the request that it was cut from.
	id.scope = Scope{strings.Clone(s.Date), strings.Clone(s.Region), strings.Clone(s.Service)}
	c.mu.Lock()
	c.add(id, key)
	c.mu.Unlock()
	return key
}

// Clear forgets all keys, and with them the secrets.
func (c *Cache) Clear() {
	c.mu.Lock()
	c.new, c.old = nil, nil
	c.mu.Unlock()
}

// add stores a key. A full generation becomes the old one, whose keys live on
// only if they are asked for. Caller holds mu.
func (c *Cache) add(id cacheKey, key Key) {
	if c.new == nil || len(c.new) >= cacheSize {
		c.old, c.new = c.new, make(map[cacheKey]Key)
	}
	c.new[id] = key
}
