package gateway

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func testJWT() *JWT {
	return &JWT{Issuer: "https://issuer.example", Audience: []string{"other", "app"}, Keys: issuer().jwks}
}

// TestJWTCheck has good tokens and the ways in which attackers and mistakes make
// bad ones.
func TestJWTCheck(t *testing.T) {
	k := issuer()
	j, err := newJWTAuthorizer(testJWT())
	if err != nil {
		t.Fatal(err)
	}
	good := goodClaims()
	now := testTime.Unix()
	ok := func(claims any) string { return sign(t, "ES256", "ec", k.ec, claims) }
	public, err := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	parts := strings.Split(ok(good), ".")
	const (
		algorithm = "the token's algorithm is not allowed"
		malformed = "the token is malformed"
		unknown   = "the token's signature is not from a known key"
		badClaims = "the token's claims are malformed"
		early     = "the token is not valid yet"
		expired   = "the token has expired"
		audience  = "the token is for another audience"
	)
	for name, test := range map[string]struct{ token, why string }{
		"RS256":                 {sign(t, "RS256", "rsa", k.rsa, good), ""},
		"RS384":                 {sign(t, "RS384", "rsa", k.rsa, good), ""},
		"RS512":                 {sign(t, "RS512", "rsa", k.rsa, good), ""},
		"PS256":                 {sign(t, "PS256", "rsa", k.rsa, good), ""},
		"ES256":                 {ok(good), ""},
		"ES384":                 {sign(t, "ES384", "ec3", k.ec3, good), ""},
		"EdDSA":                 {sign(t, "EdDSA", "ed", k.ed, good), ""},
		"the key's algorithm":   {sign(t, "RS256", "rs256", k.rsa, good), ""},
		"aud is a list":         {ok(with(good, "aud", []string{"x", "app"})), ""},
		"client_id without aud": {ok(with(with(good, "aud", nil), "client_id", "app")), ""},
		"expired within leeway": {ok(with(good, "exp", now-50)), ""},
		"nbf within leeway":     {ok(with(good, "nbf", now+50)), ""},
		"exp with a fraction":   {ok(with(good, "exp", float64(now)+0.5)), ""},

		"none":                      {sign(t, "none", "ec", nil, good), algorithm},
		"none in capitals":          {sign(t, "NONE", "ec", nil, good), algorithm},
		"none, signed":              {sign(t, "none", "rsa", k.rsa, good), algorithm},
		"HS256 with the public key": {sign(t, "HS256", "rsa", publicPEM, good), algorithm},
		"HS256 with its DER":        {sign(t, "HS256", "rsa", public, good), algorithm},
		"HS256 with the modulus":    {sign(t, "HS256", "rsa", k.rsa.N.Bytes(), good), algorithm},
		"HS256 with nothing":        {sign(t, "HS256", "", []byte{}, good), algorithm},
		"an unknown kid":            {sign(t, "ES256", "nobody", k.ec, good), unknown},
		"no kid, several keys":      {sign(t, "ES256", "", k.ec, good), unknown},
		"another's kid":             {sign(t, "RS256", "ec", k.rsa, good), unknown},
		"a key for encryption":      {sign(t, "RS256", "enc", k.rsa, good), unknown},
		"not the key's algorithm":   {sign(t, "PS256", "rs256", k.rsa, good), unknown},
		"an unknown key":            {sign(t, "ES256", "ec", k.foreign, good), unknown},
		"ES256 with P-384":          {sign(t, "ES256", "ec3", k.ec3, good), unknown},
		"a key of its own":          {signWith(t, map[string]any{"alg": "ES256", "jwk": jose.JSONWebKey{Key: &k.foreign.PublicKey}}, k.foreign, good), unknown},
		"a key to fetch":            {signWith(t, map[string]any{"alg": "ES256", "kid": "ec", "jku": "http://localhost/"}, k.foreign, good), unknown},
		"crit":                      {signWith(t, map[string]any{"alg": "ES256", "kid": "ec", "crit": []string{"x"}, "x": 1}, k.ec, good), unknown},
		"alg as a list":             {signWith2(t, `{"alg":["ES256"],"kid":"ec"}`, k.ec, good), algorithm},
		"two algs":                  {signWith2(t, `{"alg":"none","alg":"ES256","kid":"ec"}`, k.ec, good), malformed},

		"no signature":       {parts[0] + "." + parts[1] + ".", unknown},
		"another payload":    {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://issuer.example"}`)) + "." + parts[2], unknown},
		"two parts":          {parts[0] + "." + parts[1], malformed},
		"four parts":         {ok(good) + ".x", malformed},
		"five parts":         {ok(good) + ".x.y", malformed},
		"no base64":          {"!." + parts[1] + "." + parts[2], malformed},
		"a JSON token":       {`{"payload":"x"}`, malformed},
		"huge":               {ok(with(good, "x", strings.Repeat("x", maxToken))), "the token is too large"},
		"no JSON":            {ok([]byte("x")), badClaims},
		"a list":             {ok([]byte("[]")), badClaims},
		"two exp":            {ok([]byte(`{"iss":"https://issuer.example","aud":"app","exp":1,"exp":99999999999}`)), badClaims},
		"exp is text":        {ok(with(good, "exp", "tomorrow")), badClaims},
		"exp out of range":   {ok(with(good, "exp", 1e30)), badClaims},
		"aud is a number":    {ok(with(good, "aud", 7)), badClaims},
		"no exp":             {ok(with(good, "exp", nil)), "the token has no exp"},
		"exp is null":        {ok([]byte(`{"iss":"https://issuer.example","aud":"app","exp":null}`)), "the token has no exp"},
		"expired":            {ok(with(good, "exp", now-61)), expired},
		"nbf":                {ok(with(good, "nbf", now+61)), early},
		"iat":                {ok(with(good, "iat", now+61)), early},
		"another issuer":     {ok(with(good, "iss", "https://issuer.example/")), "the token has another issuer"},
		"no issuer":          {ok(with(good, "iss", nil)), "the token has another issuer"},
		"another audience":   {ok(with(good, "aud", "app2")), audience},
		"no audience":        {ok(with(good, "aud", nil)), audience},
		"client_id with aud": {ok(with(with(good, "aud", "x"), "client_id", "app")), audience},
		"audience in Aud":    {ok(with(with(good, "aud", nil), "AUD", "app")), audience},
	} {
		got, err := j.check(test.token, testTime)
		switch {
		case test.why == "" && err != nil:
			t.Errorf("%s: refused: %v", name, err)
		case test.why != "" && err == nil:
			t.Errorf("%s: accepted as %s", name, got.shown)
		case test.why != "" && err.Error() != test.why:
			t.Errorf("%s: got %v, want %s", name, err, test.why)
		}
	}
}

// TestJWTAudienceIsNotEmpty: an empty one would be that of a token which has none.
func TestJWTAudienceIsNotEmpty(t *testing.T) {
	in := testJWT()
	in.Audience = append(in.Audience, "")
	if _, err := newJWTAuthorizer(in); err == nil || !strings.Contains(err.Error(), "audience is empty") {
		t.Errorf("got %v", err)
	}
}

// TestJWTWithoutKID: a set of one key needs no kid.
func TestJWTWithoutKID(t *testing.T) {
	k := issuer()
	one, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "only", Key: &k.ec.PublicKey}}})
	if err != nil {
		t.Fatal(err)
	}
	in := testJWT()
	in.Keys = one
	j, err := newJWTAuthorizer(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.check(sign(t, "ES256", "", k.ec, goodClaims()), testTime); err != nil {
		t.Error(err)
	}
	if _, err := j.check(sign(t, "ES256", "other", k.ec, goodClaims()), testTime); err == nil {
		t.Error("another kid was accepted")
	}
}

func TestJWKSRefuses(t *testing.T) {
	k := issuer()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	set := func(keys ...any) []byte {
		list := jose.JSONWebKeySet{}
		for _, key := range keys {
			list.Keys = append(list.Keys, jose.JSONWebKey{Key: key})
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	many := make([]any, maxJWKs+1)
	for i := range many {
		many[i] = &k.ec.PublicKey
	}
	for why, text := range map[string][]byte{
		"read the JWKS":            []byte("x"),
		"no public key":            []byte(`{}`),
		"signatures: RSA, EC":      []byte(`{"keys":[{"kty":"new"},{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}]}`),
		"read key 0":               []byte(`{"keys":[{}]}`),
		"key 0 of the JWKS: go":    []byte(`{"keys":[{"kty":"RSA"}]}`),
		"RSA of 1024 bits":         set(&small.PublicKey),
		"key 1 of the JWKS is sec": set(&k.ec.PublicKey, k.ec),
		"is secret: give public":   set([]byte("symmetric")),
		"101 keys":                 set(many...),
		fmt.Sprint(MaxJWKS, "\n"):  nil,
	} {
		if text == nil {
			why, text = fmt.Sprintf("at most %d", MaxJWKS), make([]byte, MaxJWKS+1)
		}
		if _, err := parseJWKS(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60q: got %v, want %q", text, err, why)
		}
	}
	known, err := parseJWKS([]byte(strings.Replace(string(k.jwks), `{"keys":[`, `{"keys":[{"kty":"new","kid":"x"},`, 1)))
	if err != nil || len(known) != 5 {
		t.Errorf("a set with an unknown key: %d keys, %v", len(known), err)
	}
}

// TestJWTRoute is about what clients and functions see of a JWT authorizer.
func TestJWTRoute(t *testing.T) {
	k := issuer()
	guarded := func(text string, payload Payload, from string, scopes ...string) Route {
		r := route(t, text)
		in := testJWT()
		in.IdentitySource = from
		r.Payload, r.Scopes, r.Authorizer = payload, scopes, &Authorizer{ID: "jwt" + from, JWT: in}
		return r
	}
	p := Published{APIs: []API{{ID: "web1", Stages: []Stage{{Name: "$default", Routes: []Route{
		guarded("GET /plain", PayloadV2, ""),
		guarded("GET /old", PayloadV1, "", "admin", "write"),
		guarded("GET /scoped", PayloadV2, "", "admin", "write"),
		guarded("GET /shut", PayloadV2, "", "admin", "owner"),
		guarded("GET /query", PayloadV2, "$request.querystring.token"),
	}}}}}}
	s := publish(t, Config{Invoker: replies(`{"statusCode":200}`)}, p)
	s.now = func() time.Time { return testTime }
	token := sign(t, "ES256", "ec", k.ec, goodClaims())
	late := sign(t, "ES256", "ec", k.ec, with(goodClaims(), "exp", 1))
	scp := sign(t, "ES256", "ec", k.ec, with(with(goodClaims(), "scope", nil), "scp", []string{"owner"}))
	for _, test := range []struct {
		request string
		status  int
		headers string
	}{
		{"GET /plain|Authorization: Bearer " + token, 200, "Www-Authenticate="},
		{"GET /plain|Authorization: bearer " + token, 200, ""},
		{"GET /plain|Authorization: " + token, 200, ""},
		{"GET /plain", 401, "Www-Authenticate=Bearer"},
		{"GET /plain|Authorization: Bearer", 401, `Www-Authenticate=Bearer error="invalid_token" error_description="the token is malformed"`},
		{"GET /plain|Authorization: Basic YTpi", 401, ""},
		{"GET /plain|Authorization: Bearer " + token + "|Authorization: Bearer " + token, 401, ""}, // which one counts?
		{"GET /plain|Authorization: Bearer " + late, 401, `Www-Authenticate=Bearer error="invalid_token" error_description="the token has expired"`},
		{"GET /scoped|Authorization: Bearer " + token, 200, ""},
		{"GET /shut|Authorization: Bearer " + token, 403, `Www-Authenticate=Bearer error="insufficient_scope" scope="admin owner"`},
		{"GET /shut|Authorization: Bearer " + scp, 200, ""},
		{"GET /query?token=" + token, 200, ""},
		{"GET /query|Authorization: Bearer " + token, 401, ""},
	} {
		status, header, body := ask(t, s, wireOf("web1", test.request))
		if status != test.status {
			t.Errorf("%.60s: got %d %s, want %d", test.request, status, body, test.status)
		}
		want := map[int]string{200: "", 401: `{"message":"Unauthorized"}`, 403: `{"message":"Forbidden"}`}[status]
		if strings.TrimSpace(body) != want {
			t.Errorf("%.60s: got %s, want %s", test.request, body, want)
		}
		checkHeaders(t, header, test.headers)
	}
	const claims = `"claims":{"admin":"true","aud":"app","exp":"1584040138","groups":"[a b]","iat":"1584039838","iss":"https://issuer.example","level":"7","scope":"read write","sub":"bob"}`
	for path, want := range map[string]string{
		"/plain":  `"authorizer":{"jwt":{` + claims + `,"scopes":null}},`,
		"/scoped": `"authorizer":{"jwt":{` + claims + `,"scopes":["read","write"]}},`,
		"/old":    `"authorizer":{` + claims + `,"scopes":["read","write"]},`,
	} {
		event, _ := eventOf(t, s, wireOf("web1", "GET "+path+"|Authorization: Bearer "+token))
		if !json.Valid(event) || !strings.Contains(string(event), want) {
			t.Errorf("%s: got %s\nwant %s", path, event, want)
		}
	}
}

// TestJWTIsKept: a token is verified once, and not taken a moment longer for it.
func TestJWTIsKept(t *testing.T) {
	k := issuer()
	publishOne := func(in *JWT) Published {
		r := route(t, "GET /")
		r.Authorizer = &Authorizer{ID: "jwt", JWT: in}
		return Published{APIs: []API{{ID: "web1", Stages: []Stage{{Name: "$default", Routes: []Route{r}}}}}}
	}
	s := publish(t, Config{Invoker: replies(`{"statusCode":200}`)}, publishOne(testJWT()))
	now := testTime
	s.now = func() time.Time { return now }
	request := wireOf("web1", "GET /|Authorization: "+sign(t, "ES256", "ec", k.ec, goodClaims()))
	get := func(want int) {
		t.Helper()
		if status, _, body := ask(t, s, request); status != want {
			t.Errorf("got %d %s, want %d", status, body, want)
		}
	}
	kept := func() int {
		a := s.apis.Load().authorizers[authorizerName{"web1", "$default", "jwt"}]
		return len(a.kept.now)
	}
	get(200)
	get(200)
	if kept() != 1 {
		t.Errorf("%d tokens are kept", kept())
	}
	now = testTime.Add(300*time.Second + leeway)
	get(401)
	now = testTime
	s.SetAPIs(mustAPIs(t, publishOne(testJWT())))
	if kept() != 1 {
		t.Error("the same authorizer forgot its tokens")
	}
	other := testJWT()
	other.Audience = []string{"app2"}
	s.SetAPIs(mustAPIs(t, publishOne(other)))
	if kept() != 0 {
		t.Error("a changed authorizer kept its tokens")
	}
	get(401)
}

// FuzzJWT: whatever a client sends, nothing but what the issuer signed passes.
func FuzzJWT(f *testing.F) {
	k := issuer()
	j, err := newJWTAuthorizer(testJWT())
	if err != nil {
		f.Fatal(err)
	}
	good := sign(f, "ES256", "ec", k.ec, goodClaims())
	f.Add(good)
	f.Add(sign(f, "none", "ec", nil, goodClaims()))
	f.Add(sign(f, "HS256", "rsa", k.rsa.N.Bytes(), goodClaims()))
	f.Add(signWith(f, map[string]any{"alg": "ES256", "crit": []string{"b64"}, "b64": false}, k.foreign, goodClaims()))
	signed := good[:strings.LastIndexByte(good, '.')]
	f.Fuzz(func(t *testing.T, token string) {
		if g, err := j.check(token, testTime); err == nil && !strings.HasPrefix(token, signed+".") {
			t.Fatalf("%q passed as %s", token, g.shown)
		}
	})
}
