package gateway

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// issuerKeys are the keys of a test's issuer. Making RSA keys takes a while, so
// all tests share them.
type issuerKeys struct {
	rsa     *rsa.PrivateKey
	ec, ec3 *ecdsa.PrivateKey
	ed      ed25519.PrivateKey
	foreign *ecdsa.PrivateKey // not in the set
	jwks    []byte
}

var issuer = sync.OnceValue(func() (k issuerKeys) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.ec3, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	k.foreign, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{KeyID: "rsa", Key: &k.rsa.PublicKey, Use: "sig"},
		{KeyID: "rs256", Key: &k.rsa.PublicKey, Algorithm: "RS256"},
		{KeyID: "ec", Key: &k.ec.PublicKey},
		{KeyID: "ec3", Key: &k.ec3.PublicKey},
		{KeyID: "ed", Key: k.ed.Public()},
		{KeyID: "enc", Key: &k.rsa.PublicKey, Use: "enc"},
	}}
	k.jwks, err = json.Marshal(set)
	must(err)
	return k
})

// goodClaims are those of a token that passes at testTime.
func goodClaims() map[string]any {
	now := testTime.Unix()
	return map[string]any{"iss": "https://issuer.example", "aud": "app", "sub": "bob", "exp": now + 300, "iat": now, "scope": "read write", "groups": []string{"a", "b"}, "admin": true, "level": 7}
}

// sign makes a token by hand, so that it can be wrong in any way. key is a
// private key, or the bytes of an HMAC's, or nil for no signature.
func sign(t testing.TB, algorithm, kid string, key any, claims any) string {
	t.Helper()
	header := map[string]any{"alg": algorithm, "typ": "JWT"}
	if kid != "" {
		header["kid"] = kid
	}
	return signWith(t, header, key, claims)
}

func signWith(t testing.TB, header map[string]any, key any, claims any) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := claims.([]byte)
	if !ok {
		if c, err = json.Marshal(claims); err != nil {
			t.Fatal(err)
		}
	}
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature(t, header["alg"].(string), key, text))
}

func signature(t testing.TB, algorithm string, key any, text string) []byte {
	t.Helper()
	hash := crypto.SHA256
	if strings.HasSuffix(algorithm, "384") {
		hash = crypto.SHA384
	} else if strings.HasSuffix(algorithm, "512") {
		hash = crypto.SHA512
	}
	h := hash.New()
	h.Write([]byte(text))
	var sig []byte
	var err error
	switch key := key.(type) {
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	case *rsa.PrivateKey:
		if algorithm[0] == 'P' {
			sig, err = rsa.SignPSS(rand.Reader, key, hash, h.Sum(nil), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			sig, err = rsa.SignPKCS1v15(nil, key, hash, h.Sum(nil))
		}
	case *ecdsa.PrivateKey:
		size := (key.Params().BitSize + 7) / 8
		r, s, failed := ecdsa.Sign(rand.Reader, key, h.Sum(nil))
		sig, err = make([]byte, 2*size), failed
		r.FillBytes(sig[:size])
		s.FillBytes(sig[size:])
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, []byte(text))
	}
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func with(claims map[string]any, name string, value any) map[string]any {
	claims = maps.Clone(claims)
	if value == nil {
		delete(claims, name)
	} else {
		claims[name] = value
	}
	return claims
}

// signWith2 takes the header as JSON text.
func signWith2(t testing.TB, header string, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(c)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature(t, "ES256", key, text))
}
