package awsapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/sigv4"
)

// TestNewSecretsStayPrivate: a secret is not made for whom it could only reach in
// the clear, and a key that would be rotated so goes on to work.
func TestNewSecretsStayPrivate(t *testing.T) {
	g := newGuarded(t)
	ci := g.issue(identity.Order{Name: "ci", Access: identity.Admin})
	network, socket := g.api.handler(g.api.identify), g.api.handler(g.api.trust)
	for name, test := range map[string]struct {
		handler http.Handler
		from    string
		tls     bool
		refused bool
	}{
		"another-machine":          {network, "192.0.2.1:7", false, true},
		"another-machine-over-TLS": {network, "192.0.2.1:7", true, false},
		"another-machine-IPv6":     {network, "[2001:db8::1]:7", false, true},
		"unknown":                  {network, "", false, true},
		"this-machine":             {network, "127.0.0.1:7", false, false},
		"this-machine-IPv4-in-6":   {network, "[::ffff:127.0.0.1]:7", false, false},
		"the-socket":               {socket, "@", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/v1/keys", "/v1/keys/" + ci.KeyID + "/rotate"} {
				body := `{"Name":"` + name + `","Access":"read"}`
				if strings.HasSuffix(path, "/rotate") {
					body = ""
				}
				g.now = g.now.Add(time.Second) // a signature of a change is good once
				r := httptest.NewRequest("POST", path, strings.NewReader(body))
				r.RemoteAddr = test.from
				if test.tls {
					r.TLS = &tls.ConnectionState{}
				}
				if test.from == "@" {
					r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "control.sock"}))
				}
				if err := sigv4.Sign(r, sigv4.HashPayload([]byte(body)), g.root, "us-east-1", "ledge", g.now); err != nil {
					t.Fatal(err)
				}
				before := len(g.keys.List())
				w := httptest.NewRecorder()
				test.handler.ServeHTTP(w, r)
				if !test.refused {
					var made key
					if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || made.SecretAccessKey == "" {
						t.Errorf("%s: %d %s", path, w.Code, w.Body)
					}
					if made.Id == ci.KeyID {
						ci.Secret = made.SecretAccessKey
					}
					continue
				}
				if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "use https") {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
				if after := len(g.keys.List()); after != before {
					t.Errorf("%s: %d keys, before %d", path, after, before)
				}
				if r := g.send(ci, "lambda", "GET", functions, ""); r.StatusCode != http.StatusOK {
					t.Errorf("%s: the key does not work any more: %d %s", path, r.StatusCode, r.body)
				}
			}
		})
	}
}
