package clients

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// signToken makes a JWT (RFC 7519) with RS256.
func signToken(t *testing.T, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed := encode(h) + "." + encode(c)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + encode(signature)
}

// A JWT authorizer with an issuer whose keys the node was given, since it may have
// no network to fetch them from.
func TestJWTAuthorizer(t *testing.T) {
	const issuer = "https://login.example/tenant"
	cfg := settings(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	arn := create(t, lambda.NewFromConfig(cfg), "go-jwt", `exports.handler = async (event) => event.requestContext.authorizer.jwt;`)
	c := apigatewayv2.NewFromConfig(cfg)
	api, err := c.CreateApi(t.Context(), &apigatewayv2.CreateApiInput{Name: aws.String("jwt"), ProtocolType: types.ProtocolTypeHttp})
	if err != nil {
		t.Fatal(err)
	}
	authorizer := &apigatewayv2.CreateAuthorizerInput{
		ApiId: api.ApiId, Name: aws.String("login"), AuthorizerType: types.AuthorizerTypeJwt, IdentitySource: []string{"$request.header.Authorization"},
		JwtConfiguration: &types.JWTConfiguration{Issuer: aws.String(issuer), Audience: []string{"shop"}},
	}
	if _, err := c.CreateAuthorizer(t.Context(), authorizer); err == nil || !strings.Contains(err.Error(), "ledge api jwks put") {
		t.Errorf("an issuer without keys: %v", err)
	}

	keys := map[string]any{"keys": []any{map[string]any{"kty": "RSA", "kid": "k1", "use": "sig", "alg": "RS256",
		"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes())}}}
	keySets := os.Getenv("AWS_ENDPOINT_URL") + "/v1/jwks?issuer=" + url.QueryEscape(issuer)
	body, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	request := func(method, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, keySets, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		status, text := send(t, cfg, r, "ledge")
		t.Logf("%s of the keys: %d %s", method, status, text)
		return status
	}
	if status := request(http.MethodPut, string(body)); status != 200 {
		t.Fatalf("the keys are not taken: %d", status)
	}

	made, err := c.CreateAuthorizer(t.Context(), authorizer)
	if err != nil {
		t.Fatal(err)
	}
	integration, err := c.CreateIntegration(t.Context(), &apigatewayv2.CreateIntegrationInput{
		ApiId: api.ApiId, IntegrationType: types.IntegrationTypeAwsProxy, IntegrationUri: &arn, PayloadFormatVersion: aws.String("2.0")})
	if err != nil {
		t.Fatal(err)
	}
	for path, scopes := range map[string][]string{"GET /open": nil, "GET /scoped": {"read", "write"}} {
		_, err = c.CreateRoute(t.Context(), &apigatewayv2.CreateRouteInput{
			ApiId: api.ApiId, RouteKey: aws.String(path), Target: aws.String("integrations/" + *integration.IntegrationId),
			AuthorizationType: types.AuthorizationTypeJwt, AuthorizerId: made.AuthorizerId, AuthorizationScopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.CreateStage(t.Context(), &apigatewayv2.CreateStageInput{ApiId: api.ApiId, StageName: aws.String("$default"), AutoDeploy: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}

	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]any{"alg": "RS256", "kid": "k1", "typ": "JWT"}
	claims := func(change map[string]any) map[string]any {
		good := map[string]any{"iss": issuer, "aud": "shop", "sub": "ada", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "scope": "read profile"}
		maps.Copy(good, change)
		return good
	}
	good := signToken(t, key, header, claims(nil))
	parts := strings.Split(good, ".")
	for _, test := range []struct {
		name, path, token string
		status            int
	}{
		{"good", "/open", "Bearer " + good, 200},
		{"good, without Bearer", "/open", good, 200},
		{"with a scope", "/scoped", "Bearer " + good, 200},
		{"without a scope", "/scoped", "Bearer " + signToken(t, key, header, claims(map[string]any{"scope": "other"})), 403},
		{"none", "/open", "", 401},
		{"expired", "/open", "Bearer " + signToken(t, key, header, claims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})), 401},
		{"another issuer", "/open", "Bearer " + signToken(t, key, header, claims(map[string]any{"iss": issuer + "/"})), 401},
		{"another audience", "/open", "Bearer " + signToken(t, key, header, claims(map[string]any{"aud": "bank"})), 401},
		{"another key", "/open", "Bearer " + signToken(t, stranger, header, claims(nil)), 401},
		{"unknown key id", "/open", "Bearer " + signToken(t, key, map[string]any{"alg": "RS256", "kid": "k2"}, claims(nil)), 401},
		{"unsigned", "/open", "Bearer " + encode([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", 401},
		{"changed claims", "/open", "Bearer " + parts[0] + "." + encode([]byte(`{"iss":"`+issuer+`","aud":"shop","exp":9999999999}`)) + "." + parts[2], 401},
		{"noise", "/open", "Bearer a.b.c", 401},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, os.Getenv("GATEWAY_URL")+"/_aws/execute-api/"+*api.ApiId+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.token != "" {
			r.Header.Set("Authorization", test.token)
		}
		status, text := do(t, r)
		var jwt struct{ Claims map[string]any }
		err = json.Unmarshal(text, &jwt)
		if status != test.status || err != nil || test.status == 200 && jwt.Claims["sub"] != "ada" {
			t.Errorf("%s: %d, want %d; %v, %v", test.name, status, test.status, jwt.Claims, err)
		}
	}

	if status := request(http.MethodDelete, ""); status != 409 {
		t.Errorf("keys that an authorizer needs are removed: %d", status)
	}
	if _, err := c.DeleteApi(t.Context(), &apigatewayv2.DeleteApiInput{ApiId: api.ApiId}); err != nil {
		t.Error(err)
	}
	if status := request(http.MethodDelete, ""); status != 204 {
		t.Errorf("keys that nobody needs are not removed: %d", status)
	}
}
