package gateway

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // refuses members that are there twice
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/valyala/fasthttp"
)

// jwtAuthorizer checks JSON Web Tokens (RFC 7519) by the rules of HTTP APIs
// (docs.aws.amazon.com, "Control access to HTTP APIs with JWT authorizers"), with
// keys that it was given: it never fetches any.
type jwtAuthorizer struct {
	in     JWT
	source identitySource
	keys   []jwk
}

// leeway is how far the clocks of the node and of the issuer may be apart. A
// token is taken this much before its nbf and iat, and after its exp.
const leeway = time.Minute

// maxToken bounds a token in bytes: what does not fit into API Gateway's header
// fields is none.
const maxToken = 8 << 10

// signatures are the algorithms that tokens may have. "none" and the HMACs are
// not among them: with those, whoever knows a public key could sign.
func signatures() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

func newJWTAuthorizer(in *JWT) (*jwtAuthorizer, error) {
	switch {
	case in.Issuer == "":
		return nil, errors.New("the issuer is missing")
	case len(in.Audience) == 0:
		return nil, errors.New("the audience is missing")
	case slices.Contains(in.Audience, ""): // a token with neither aud nor client_id would have it
		return nil, errors.New("an audience is empty")
	}
	from := in.IdentitySource
	if from == "" {
		from = "$request.header.Authorization"
	}
	j := &jwtAuthorizer{in: *in}
	var err error
	if j.source, err = parseSource(from); err != nil {
		return nil, err
	}
	if j.source.in != inHeader && j.source.in != inQuery {
		return nil, errors.New("the identity source of a JWT is a header or a parameter of the query")
	}
	j.keys, err = parseJWKS(in.Keys)
	return j, err
}

// badToken is why a token is refused, as the client is told.
type badToken string

func (e badToken) Error() string { return string(e) }

// claims are those that decide.
type claims struct {
	jwt.Claims
	ClientID string     `json:"client_id"`
	Scope    scopeClaim `json:"scope"`
	Scp      scopeClaim `json:"scp"`
}

// scopeClaim is a list, or a string with spaces between (RFC 8693, section 4.2).
type scopeClaim []string

func (s *scopeClaim) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err == nil {
		*s = strings.Fields(text)
		return nil
	}
	return json.Unmarshal(b, (*[]string)(s))
}

// check verifies a token and returns what it grants. The error is a badToken.
func (j *jwtAuthorizer) check(token string, now time.Time) (*grant, error) {
	if len(token) > maxToken {
		return nil, badToken("the token is too large")
	}
	signed, err := jose.ParseSignedCompact(token, signatures())
	if err != nil {
		var algorithm *jose.ErrUnexpectedSignatureAlgorithm
		if errors.As(err, &algorithm) {
			return nil, badToken("the token's algorithm is not allowed")
		}
		return nil, badToken("the token is malformed")
	}
	// Only what the signature covers counts, and no key that the token brings.
	header := signed.Signatures[0].Protected
	payload := []byte(nil)
	for _, k := range candidates(j.keys, header.KeyID, header.Algorithm) {
		if payload, err = signed.Verify(k.key); err == nil {
			break
		}
		payload = nil
	}
	if payload == nil {
		return nil, badToken("the token's signature is not from a known key")
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, badToken("the token's claims are malformed")
	}
	if err := j.expect(&c, now); err != nil {
		return nil, err
	}
	g := &grant{jwt: true, scopes: append(c.Scope, c.Scp...), until: c.Expiry.Time().Add(leeway).UnixNano()}
	if g.shown, err = claimsJSON(payload); err != nil {
		return nil, badToken("the token's claims are malformed")
	}
	g.listed = stringsJSON(g.scopes)
	return g, nil
}

// expect compares the claims with what the authorizer wants.
func (j *jwtAuthorizer) expect(c *claims, now time.Time) error {
	audience := c.Audience
	if len(audience) == 0 { // as AWS: client_id counts only without aud
		audience = jwt.Audience{c.ClientID}
	}
	c.Audience = audience
	if c.Expiry == nil {
		return badToken("the token has no exp")
	}
	err := c.ValidateWithLeeway(jwt.Expected{Issuer: j.in.Issuer, AnyAudience: j.in.Audience, Time: now}, leeway)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrExpired):
		return badToken("the token has expired")
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return badToken("the token is not valid yet")
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return badToken("the token has another issuer")
	}
	return badToken("the token is for another audience")
}

// admitJWT lets a request pass whose token is good and has a scope of the route.
func (s *Server) admitJWT(x *exchange, g *guard, now time.Time) refusal {
	j, kind := g.authorizer.jwt, x.at.api.kind
	x.seen = j.source.append(x.seen[:0], &x.source)
	token := x.seen
	const scheme = "Bearer "
	if len(token) > len(scheme) && strings.EqualFold(string(token[:len(scheme)]), scheme) {
		token = token[len(scheme):]
	}
	no := kind.refuse(fasthttp.StatusUnauthorized, unauthorized)
	if len(token) == 0 {
		no.challenge = "Bearer"
		return no
	}
	key := sha256.Sum256(token)
	found, ok := g.authorizer.kept.get(key)
	if !ok || found.until <= now.UnixNano() {
		var err error
		if found, err = j.check(string(token), now); err != nil {
			no.challenge = `Bearer error="invalid_token" error_description="` + err.Error() + `"`
			return no
		}
		g.authorizer.kept.put(key, found)
	}
	if len(g.scopes) > 0 && !shareOne(g.scopes, found.scopes) {
		no = kind.refuse(fasthttp.StatusForbidden, forbidden)
		no.challenge = `Bearer error="insufficient_scope" scope="` + strings.Join(g.scopes, " ") + `"`
		return no
	}
	x.who.grant, x.who.scoped = found, len(g.scopes) > 0
	return refusal{}
}

// shareOne reports whether two lists have an element in common.
func shareOne(a, b []string) bool {
	for _, wanted := range a {
		for _, has := range b {
			if wanted == has {
				return true
			}
		}
	}
	return false
}
