package sigv4

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Credentials are what a client signs with.
type Credentials struct {
	KeyID  string // access key ID
	Secret string // secret access key
	Token  string // session token; empty for keys that are not temporary
}

// Sign signs r in its headers: it sets X-Amz-Date, X-Amz-Content-Sha256, with a
// Token X-Amz-Security-Token, and Authorization. payload is HashPayload of the
// body or UnsignedPayload. r must be sent as it is then: Host, Content-Type,
// Content-Md5 and all X-Amz- headers are covered.
func Sign(r *http.Request, payload string, c Credentials, region, service string, at time.Time) error {
	at = at.UTC().Truncate(time.Second)
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Del("Authorization")
	r.Header.Del(headerToken)
	r.Header.Set(headerDate, at.Format(timestamp))
	r.Header.Set(headerPayload, payload)
	if c.Token != "" {
		r.Header.Set(headerToken, c.Token)
	}
	req := FromHTTP(r)
	signed := []string{"host"}
	for name := range r.Header {
		if isAmazon(name) || name == "Content-Type" || name == "Content-Md5" {
			signed = append(signed, strings.ToLower(name))
		}
	}
	claim := newClaim(c, region, service, at, signed)
	key := NewKey(c.Secret, claim.Scope)
	signature, err := claim.signature(req, &key, payload)
	if err != nil {
		return fmt.Errorf("sign request: %w", err)
	}
	r.Header.Set("Authorization", claim.header(signature[:]))
	return nil
}

// Presign returns u with a signature in its query, good for that method from at
// on for at most expires, which is whole seconds up to MaxExpires. Whoever has the
// URL can use it, as often as he likes. payload is EmptyPayload, HashPayload of
// the body, or UnsignedPayload.
func Presign(method string, u *url.URL, payload string, c Credentials, region, service string, at time.Time, expires time.Duration) (*url.URL, error) {
	at = at.UTC().Truncate(time.Second)
	if expires < time.Second || expires > MaxExpires {
		return nil, fmt.Errorf("presign URL: it cannot be valid for %s, only for 1s to %s", expires, MaxExpires)
	}
	claim := newClaim(c, region, service, at, []string{"host"})
	claim.Presigned = true
	signed := *u
	signed.Fragment, signed.RawFragment = "", ""
	parameters := []string{
		paramAlgorithm, algorithm,
		paramCredential, string(claim.Scope.append([]byte(c.KeyID + "/"))),
		paramDate, at.Format(timestamp),
		paramExpires, strconv.FormatInt(int64(expires/time.Second), 10),
		paramSignedHeaders, claim.signedText,
	}
	if payload != EmptyPayload { // which is what is assumed of a body that nothing is said about
		parameters = append(parameters, paramPayload, payload)
	}
	if c.Token != "" {
		parameters = append(parameters, paramToken, c.Token)
	}
	for i := 0; i < len(parameters); i += 2 {
		signed.RawQuery = join(signed.RawQuery, parameters[i], parameters[i+1])
	}
	req := &Request{Method: method, Path: signed.EscapedPath(), RawQuery: signed.RawQuery, Host: signed.Host, ContentLength: -1}
	key := NewKey(c.Secret, claim.Scope)
	signature, err := claim.signature(req, &key, payload)
	if err != nil {
		return nil, fmt.Errorf("presign URL: %w", err)
	}
	signed.RawQuery = join(signed.RawQuery, paramSignature, hex.EncodeToString(signature[:]))
	return &signed, nil
}

// join appends a parameter to a query.
func join(query, name, value string) string {
	if query != "" {
		query += "&"
	}
	return query + name + "=" + url.QueryEscape(value)
}

// newClaim returns what is going to be claimed.
func newClaim(c Credentials, region, service string, at time.Time, signed []string) *Claim {
	slices.Sort(signed)
	return &Claim{
		KeyID:      c.KeyID,
		Scope:      Scope{Date: at.Format("20060102"), Region: region, Service: service},
		At:         at,
		signed:     signed,
		signedText: strings.Join(signed, ";"),
	}
}

// header returns the value of Authorization.
func (c *Claim) header(signature []byte) string {
	return algorithm + " Credential=" + string(c.Scope.append([]byte(c.KeyID+"/"))) +
		", SignedHeaders=" + c.signedText + ", Signature=" + hex.EncodeToString(signature)
}
