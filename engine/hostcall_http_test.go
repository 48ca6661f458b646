package engine

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// testSite answers as its paths say.
func testSite(t *testing.T, elsewhere string) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Got", r.Header.Get("X-Sent"))
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.Write(body)
	})
	mux.HandleFunc("/404", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusNotFound) })
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"a":["ö"]}`) })
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 3000000)) })
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) })
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/json", http.StatusFound) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestCallHTTP(t *testing.T) {
	r := open(t, testConfig(t))
	other := testSite(t, "")
	site := testSite(t, other.URL+"/json")
	host := strings.TrimPrefix(site.URL, "http://")
	otherHost := strings.TrimPrefix(other.URL, "http://")
	u := func(format string) string {
		return strings.ReplaceAll(strings.ReplaceAll(format, "OTHER", other.URL), "SITE", site.URL)
	}
	cases := []expression{
		{"get", "(lambda r: [r.status, r.body.decode(), r.headers['x-method']])(ledge.http('GET', 'SITE/echo'))", "ledge.http('GET', 'SITE/echo').then((r) => [r.status, r.text(), String(r.headers['x-method'])])", `[200,"","GET"]`},
		{"post", "(lambda r: [r.text(), r.headers['x-got'], r.headers['x-method'], r.headers['x-two']])(ledge.http('POST', 'SITE/echo', {'X-Sent': 'h'}, 'bö'))",
			"fetch('SITE/echo', { method: 'POST', headers: { 'X-Sent': 'h' }, body: 'bö' }).then(async (r) => [await r.text(), r.headers.get('x-got'), r.headers.get('x-method'), r.headers.get('X-Two')])", `["bö","h","POST","1, 2"]`},
		{"bytes", "list(ledge.http('PUT', 'SITE/echo', body=b'\\x00\\xff').body)", "fetch('SITE/echo', { method: 'PUT', body: new Uint8Array([0, 255]) }).then(async (r) => [...new Uint8Array(await r.arrayBuffer())])", `[0,255]`},
		{"large", "len(ledge.http('GET', 'SITE/big').body)", "fetch('SITE/big').then(async (r) => (await r.arrayBuffer()).byteLength)", `3000000`},
		{"large request", "len(ledge.http('POST', 'SITE/echo', body=b'x' * 3000000).body)", "fetch('SITE/echo', { method: 'POST', body: 'x'.repeat(3000000) }).then(async (r) => (await r.text()).length)", `3000000`},
		{"not found", "(lambda r: [r.status, r.text()])(ledge.http('GET', 'SITE/404'))", "fetch('SITE/404').then(async (r) => [r.status, await r.text()])", `[404,"no\n"]`},
		{"JSON", "ledge.http('GET', 'SITE/json').json()", "fetch('SITE/json').then((r) => r.json())", `{"a":["ö"]}`},
		{"redirect", "ledge.http('GET', 'SITE/here').json()", "fetch('SITE/here').then((r) => r.json())", `{"a":["ö"]}`},
	}
	for i := range cases {
		cases[i].python, cases[i].javaScript = u(cases[i].python), u(cases[i].javaScript)
	}
	evaluate(t, r, func(f *Function) { f.AllowHosts = []string{host} }, cases)

	// What is refused: the message says what to do, whichever way it was asked for.
	for _, test := range []struct{ name, url, types, message string }{
		{"another host", "OTHER/json", "PermissionDenied", otherHost},
		{"redirect to another host", "SITE/away", "PermissionDenied", otherHost},
		{"no URL", "nonsense", "HTTPError|InvalidRequest|PermissionDenied|TypeError", ""},
		{"a file", "file:///etc/passwd", "HTTPError|InvalidRequest|PermissionDenied|TypeError", ""},
		{"credentials that look like the host", "http://" + host + "@" + otherHost + "/json", "PermissionDenied|HTTPError|TypeError", ""},
		{"nobody listens", "http://" + host + "1/", "PermissionDenied|HTTPError", ""},
		{"an address of the node by a name that is allowed", "http://localhost.localdomain:" + host[strings.IndexByte(host, ':')+1:] + "/", "PermissionDenied|HTTPError", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachLanguage(t, pair{
				"import ledge\ndef handler(event, context):\n    return ledge.http('GET', event).status\n",
				"export const handler = async (event) => (await ledge.http('GET', event)).status;",
			}, func(t *testing.T, f Function) {
				f.AllowHosts = []string{host}
				deploy(t, r, f)
				_, err := invoke(r, "f", fmt.Sprintf("%q", u(test.url)))
				wantRaised(t, err, test.types, test.message)
			})
		})
	}
	t.Run("fetch rejects", func(t *testing.T) {
		f := javaScriptFunction(t, "export const handler = async (event) => { try { await fetch(event) } catch (e) { return [e instanceof Error, `${e.message} ${e.cause?.message}`] } };")
		f.AllowHosts = []string{host}
		deploy(t, r, f)
		if got, err := invoke(r, "f", fmt.Sprintf("%q", other.URL)); err != nil || !strings.HasPrefix(got, "[true,") || !strings.Contains(got, "allow") {
			t.Errorf("got %s, %v", got, err)
		}
	})
	t.Run("hangs", func(t *testing.T) {
		eachLanguage(t, pair{
			"import ledge\ndef handler(event, context):\n    return 'ok' if event == 'ok' else ledge.http('GET', event).status\n",
			"export const handler = async (event) => event === 'ok' ? 'ok' : (await fetch(event)).status;",
		}, func(t *testing.T, f Function) {
			f.AllowHosts, f.Limits.Timeout = []string{host}, 60*time.Millisecond
			deploy(t, r, f)
			if _, err := invoke(r, "f", fmt.Sprintf("%q", site.URL+"/hang")); !errors.Is(err, ErrTimeout) {
				t.Errorf("ended with %v", err)
			}
			wantServes(t, r)
		})
	})
	t.Run("many at the same time", func(t *testing.T) {
		eachLanguage(t, pair{
			"import ledge\ndef handler(event, context):\n    return ledge.http('GET', event).json()\n",
			"export const handler = async (event) => (await fetch(event)).json();",
		}, func(t *testing.T, f Function) {
			f.AllowHosts = []string{host}
			deploy(t, r, f)
			for _, got := range many(t, r, 20, fmt.Sprintf("%q", site.URL+"/json")) {
				if compactJSON(t, got) != `{"a":["ö"]}` {
					t.Errorf("got %s", got)
				}
			}
		})
	})
}
