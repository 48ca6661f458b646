package gateway

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// rendered is a response with its header fields, one "Name: value" a line.
func rendered(t testing.TB, payload string) (status int, fields []string, body string, err error) {
	t.Helper()
	var out fasthttp.Response
	out.Header.SetNoDefaultContentType(true)
	if _, err = respond(&out, []byte(payload), nil); err != nil {
		return 0, nil, "", err
	}
	for name, value := range out.Header.All() {
		fields = append(fields, string(name)+": "+string(value))
	}
	slices.Sort(fields)
	return out.StatusCode(), fields, string(out.Body()), nil
}

func TestReply(t *testing.T) {
	const plain = "Content-Type: text/plain; charset=utf-8"
	for _, test := range []struct {
		payload string
		status  int
		fields  string // joined by |
		body    string
	}{
		// without a statusCode the reply is the body
		{`{"a":1}`, 200, "Content-Type: application/json", `{"a":1}`},
		{" [1, 2]\n", 200, "Content-Type: application/json", `[1, 2]`},
		{`null`, 200, "Content-Type: application/json", `null`},
		{`12.5e3`, 200, "Content-Type: application/json", `12.5e3`},
		{`"hi \"you\""`, 200, "Content-Type: application/json", `hi "you"`},
		{`{"statusCode":null,"body":"x"}`, 200, "Content-Type: application/json", `{"statusCode":null,"body":"x"}`},
		{`{"a":{"statusCode":404}}`, 200, "Content-Type: application/json", `{"a":{"statusCode":404}}`},
		// with one it says what the response is
		{`{"statusCode":201}`, 201, "", ""},
		{`{"statusCode":"404","body":"no"}`, 404, plain, "no"},
		{`{"body":"x","statusCode":200,"body":"y"}`, 200, plain, "y"},
		{`{"statusCode":200,"body":null}`, 200, "", ""},
		{`{"statusCode":200,"body":""}`, 200, "", ""},
		{`{"statusCode":200,"body":"\u00e9\ud83d\ude00\ud800x\"\\\/\b\f\n\r\t"}`, 200, plain, "\u00e9\U0001F600\uFFFDx\"\\/\b\f\n\r\t"},
		{`{"statusCode":200,"body":"\udead\ud83d"}`, 200, plain, "\uFFFD\uFFFD"},
		{`{"statusCode":200,"isBase64Encoded":false,"body":"AAH/"}`, 200, plain, "AAH/"},
		{`{"statusCode":200,"isBase64Encoded":true,"body":"AAH/","headers":{"content-type":"image/png"}}`, 200, "Content-Type: image/png", "\x00\x01\xff"},
		{`{"statusCode":200,"isBase64Encoded":true,"body":"AAH\/","headers":{"content-type":"image/png"}}`, 200, "Content-Type: image/png", "\x00\x01\xff"},
		{`{"statusCode":204,"body":"dropped"}`, 204, "", ""},
		{`{"statusCode":304,"body":"dropped","headers":{"etag":"x"}}`, 304, "Etag: x", ""},
		// headers
		{`{"statusCode":200,"headers":{"X-A":"1","x-n":2,"x-b":true,"x-null":null}}`, 200, "X-A: 1|X-B: true|X-N: 2", ""},
		{`{"statusCode":200,"multiValueHeaders":{"x-a":["1","2"],"x-e":[]}}`, 200, "X-A: 1|X-A: 2", ""},
		{`{"statusCode":200,"headers":{"x-a":"0","x-b":"1"},"multiValueHeaders":{"X-A":["1","2"]}}`, 200, "X-A: 0|X-A: 1|X-A: 2|X-B: 1", ""},
		{`{"statusCode":200,"cookies":["a=1; Path=/","a=2; Path=/b"]}`, 200, "Set-Cookie: a=1; Path=/|Set-Cookie: a=2; Path=/b", ""},
		{`{"statusCode":200,"headers":{"set-cookie":"a=1"},"cookies":["b=2"]}`, 200, "Set-Cookie: a=1|Set-Cookie: b=2", ""},
		{`{"statusCode":302,"headers":{"location":"\/a?b=\u0063"}}`, 302, "Location: /a?b=c", ""},
		// what is the server's business is dropped
		{`{"statusCode":200,"headers":{"Connection":"close","keep-alive":"1","TE":"x","Trailer":"X","transfer-encoding":"chunked","upgrade":"h2c","proxy-connection":"x","content-length":"99"},"body":"x"}`,
			200, plain, "x"},
	} {
		status, fields, body, err := rendered(t, test.payload)
		got := strings.Join(slices.DeleteFunc(fields, func(f string) bool { return strings.HasPrefix(f, "Content-Length:") }), "|")
		if err != nil || status != test.status || got != test.fields || body != test.body {
			t.Errorf("%s:\n got %d %q %q, %v\nwant %d %q %q", test.payload, status, got, body, err, test.status, test.fields, test.body)
		}
	}
}

func TestReplyRefuses(t *testing.T) {
	reply := func(members string) string { return `{"statusCode":200,` + members + `}` }
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, `,"x-%d":"v"`, i)
	}
	for _, test := range []struct{ payload, why string }{
		{"", "empty"},
		{" \n", "empty"},
		{"hello", "not JSON"},
		{`{"statusCode":200`, "not JSON"},
		{`{"statusCode":200}x`, "not JSON"},
		{`{"statusCode":200,}`, "not JSON"},
		{"\"a\nb\"", "not JSON"},
		{strings.Repeat("[", 10001) + strings.Repeat("]", 10001), "not JSON"},
		{`{"statusCode":99}`, "statusCode"},
		{`{"statusCode":101}`, "statusCode"},
		{`{"statusCode":600}`, "statusCode"},
		{`{"statusCode":-200}`, "statusCode"},
		{`{"statusCode":200.5}`, "statusCode"},
		{`{"statusCode":1e2}`, "statusCode"},
		{`{"statusCode":"OK!"}`, "statusCode"},
		{`{"statusCode":""}`, "statusCode"},
		{`{"statusCode":{}}`, "statusCode"},
		{`{"statusCode":[]}`, "statusCode"},
		{`{"statusCode":true}`, "statusCode"},
		{reply(`"body":{}`), "body"},
		{reply(`"body":1`), "body"},
		{reply(`"body":"!","isBase64Encoded":true`), "base64"},
		{reply(`"headers":[]`), "headers"},
		{reply(`"headers":"x"`), "headers"},
		{reply(`"headers":{"x":{}}`), "header"},
		{reply(`"headers":{"x":["a"]}`), "header"},
		{reply(`"headers":{"":"a"}`), "name of a header"},
		{reply(`"headers":{"a b":"c"}`), "name of a header"},
		{reply(`"headers":{"a:":"c"}`), "name of a header"},
		{reply(`"headers":{"a\r\nb":"c"}`), "name of a header"},
		{reply(`"headers":{"x":"a\r\nset-cookie: b"}`), "control"},
		{reply(`"headers":{"x":"a\nb"}`), "control"},
		{reply(`"headers":{"x":"a\u0000"}`), "control"},
		{reply(`"headers":{"content-type":"a\r\n\r\n<script>"}`), "control"},
		{reply(`"multiValueHeaders":{"x":"a"}`), "array"},
		{reply(`"multiValueHeaders":{"x":["a\rb"]}`), "control"},
		{reply(`"multiValueHeaders":[]`), "multiValueHeaders"},
		{reply(`"cookies":{}`), "array"},
		{reply(`"cookies":["a=b\r\nx: y"]`), "control"},
		{reply(`"headers":{"x":"` + strings.Repeat("v", 1<<20) + `"}`), "header"},
		{reply(`"headers":{"y":"v"` + many.String() + `}`), "header"},
	} {
		status, fields, body, err := rendered(t, test.payload)
		if err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("%.80s: got %d, %d header fields, body %.80q, %v; want an error about %s",
				test.payload, status, len(fields), body, err, test.why)
		}
	}
}

// TestReplyNeverPanicsOnAPrefix cuts a reply that has everything in two.
func TestReplyNeverPanicsOnAPrefix(t *testing.T) {
	whole := `{"statusCode":200,"headers":{"a":"b","n":-1.5e+7},"multiValueHeaders":{"c":["d",true]},"cookies":["e"],"body":"\ud83d\ude00\n","isBase64Encoded":false}`
	for i := range whole {
		if _, _, _, err := rendered(t, whole[:i]); err == nil {
			t.Errorf("%q is no reply", whole[:i])
		}
	}
	if _, _, _, err := rendered(t, whole); err != nil {
		t.Error(err)
	}
}

// FuzzReply: what is JSON and what is not is as in encoding/json, a body comes
// out as encoding/json has it, and no reply forges a header.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		`{"statusCode":200,"body":"x"}`, `[1,-0.5e+3,true,false,null,"\u00e9"]`, "{\"a\": \"\xff\"}", `{"statusCode":"200","headers":{"a":"b\r\n"}}`,
		`{"a":}`, `01`, `-`, `"\u12"`, `{"statusCode":200,"multiValueHeaders":{"x":["a","b"]},"cookies":["c"]}`, `{"\u0061":1,}`, `[[[]],{}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		_, _, err := parseReply(payload)
		if valid := json.Valid(payload); valid != (err == nil) {
			t.Fatalf("%q: encoding/json says %v, we say %v", payload, valid, err)
		}
		if err != nil {
			return
		}
		var out fasthttp.Response
		out.Header.SetNoDefaultContentType(true)
		if _, err := respond(&out, payload, nil); err != nil {
			return
		}
		for name, value := range out.Header.All() {
			if !isToken(name) || !validFieldValue(value) {
				t.Fatalf("%q made the header %q: %q", payload, name, value)
			}
		}
	})
}

// FuzzUnquote compares strings with encoding/json's reading of them.
func FuzzUnquote(f *testing.F) {
	for _, seed := range []string{`a`, `\ud83d\ude00`, `\ud800`, `\ud800\ud800\udc00`, `\"\\\/\b\f\n\r\t`, `\u0000é`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, inside string) {
		var want string
		if json.Unmarshal([]byte(`"`+inside+`"`), &want) != nil {
			return
		}
		if got := strings.ToValidUTF8(string(appendUnquoted(nil, []byte(inside))), "\uFFFD"); got != strings.ToValidUTF8(want, "\uFFFD") && !strings.Contains(want, "\uFFFD") {
			t.Fatalf("%q: got %q, want %q", inside, got, want)
		}
		escaped := appendString(nil, []byte(want))
		var again string
		if err := json.Unmarshal(escaped, &again); err != nil || again != want {
			t.Fatalf("%q became %s", want, escaped)
		}
	})
}
