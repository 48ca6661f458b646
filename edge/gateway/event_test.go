package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// event is payload format 2.0 as functions know it.
type event struct {
	Version               string
	RouteKey              string
	RawPath               string
	RawQueryString        string
	Cookies               []string
	Headers               map[string]string
	QueryStringParameters map[string]string
	PathParameters        map[string]string
	RequestContext        struct {
		AccountID, APIID, DomainName, DomainPrefix, RequestID, RouteKey, Stage, Time string
		TimeEpoch                                                                    int64
		HTTP                                                                         struct{ Method, Path, Protocol, SourceIP, UserAgent string }
	}
	Body            *string
	IsBase64Encoded *bool
}

const testID = "01234567-89ab-4def-8123-456789abcdef"

var testTime = time.Date(2020, time.March, 12, 19, 3, 58, 390e6, time.UTC)

// encodeRequest returns the event of a request to a table.
func encodeRequest(t testing.TB, table *Table, req *fasthttp.Request) []byte {
	t.Helper()
	path, query, _ := bytes.Cut(req.Header.RequestURI(), []byte{'?'})
	var params captured
	found := table.match(methodOf(req.Header.Method()), path, &params)
	if found == nil {
		t.Fatalf("no route for %s", path)
	}
	pairs := newPairSet()
	return appendEvent(nil, &source{
		target: found, params: &params, header: &req.Header, path: path, query: query, body: req.Body(), id: []byte(testID),
		client: netip.MustParseAddrPort("192.0.2.7:4711"), server: netip.MustParseAddrPort("192.0.2.1:8443"), tls: true,
		now: testTime, time: new(clock).at(testTime),
	}, &pairs)
}

func decodeEvent(t testing.TB, text []byte) (e event) {
	t.Helper()
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return e
}

func TestEvent(t *testing.T) {
	var req fasthttp.Request
	readInto(t, &req, "POST /hello/J%c3%b6rg%2FX/a%20b/c?q=1&r=%26&q=2&empty&+p+=a+b HTTP/1.1\r\n"+
		"Host: api.example.com:8443\r\nUser-Agent: probe/\"1\"\r\nX-Many: one\r\nx-mANY: two\r\n"+
		"Cookie: a=1; b=\"2\"\r\nCookie: c=3;;\r\nX-Forwarded-For: 198.51.100.9\r\nX-Forwarded-Proto: gopher\r\n"+
		"Content-Type: Application/JSON; charset=utf-8\r\nContent-Length: 14\r\n\r\n{\"n\":\"\\\"\u00e9\n\"}\t")
	e := decodeEvent(t, encodeRequest(t, mustTable(t, route(t, "POST /hello/{name}/{rest+}")), &req))
	var want event
	want.Version, want.RouteKey = "2.0", "POST /hello/{name}/{rest+}"
	want.RawPath = "/hello/J%c3%b6rg%2FX/a%20b/c"
	want.RawQueryString = "q=1&r=%26&q=2&empty&+p+=a+b"
	want.Cookies = []string{"a=1", `b="2"`, "c=3"}
	want.Headers = map[string]string{
		"host": "api.example.com:8443", "user-agent": `probe/"1"`, "x-many": "one,two",
		"content-type": "Application/JSON; charset=utf-8", "content-length": "14",
		"x-forwarded-for": "198.51.100.9, 192.0.2.7", "x-forwarded-port": "8443", "x-forwarded-proto": "https",
	}
	want.QueryStringParameters = map[string]string{"q": "1,2", "r": "&", "empty": "", " p ": "a b"}
	want.PathParameters = map[string]string{"name": "J\u00f6rg/X", "rest": "a b/c"}
	c := &want.RequestContext
	c.AccountID, c.APIID, c.DomainName, c.DomainPrefix = "000000000000", "ledge", "api.example.com", "api"
	c.RequestID, c.RouteKey, c.Stage = testID, want.RouteKey, "$default"
	c.Time, c.TimeEpoch = "12/Mar/2020:19:03:58 +0000", 1584039838390
	c.HTTP.Method, c.HTTP.Path, c.HTTP.Protocol = "POST", want.RawPath, "HTTP/1.1"
	c.HTTP.SourceIP, c.HTTP.UserAgent = "192.0.2.7", `probe/"1"`
	body, encoded := "{\"n\":\"\\\"\u00e9\n\"}\t", false
	want.Body, want.IsBase64Encoded = &body, &encoded
	if !reflect.DeepEqual(e, want) {
		got, _ := json.MarshalIndent(e, "", " ")
		wanted, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("got %s\nwant %s", got, wanted)
	}
}

// TestEventLeavesOutWhatIsAbsent: functions test for the presence of members.
func TestEventLeavesOutWhatIsAbsent(t *testing.T) {
	var req fasthttp.Request
	readInto(t, &req, "GET /? HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n")
	text := encodeRequest(t, mustTable(t, route(t, "$default")), &req)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cookies", "queryStringParameters", "pathParameters", "body"} {
		if _, found := members[name]; found {
			t.Errorf("%s is in %s", name, text)
		}
	}
	if e := decodeEvent(t, text); e.RouteKey != "$default" || e.RequestContext.DomainName != "[::1]" || e.IsBase64Encoded == nil || *e.IsBase64Encoded {
		t.Errorf("%s", text)
	}
}

func TestEventBody(t *testing.T) {
	for _, test := range []struct {
		contentType, body string
		text              bool
	}{
		{"text/html", "a", true},
		{"TEXT/csv; charset=x", "a", true},
		{"application/json", "{}", true},
		{"application/problem+json", "{}", true},
		{"application/xml", "<a/>", true},
		{"image/svg+xml", "<a/>", true},
		{"application/javascript", "a", true},
		{"application/x-www-form-urlencoded", "a=b", true},
		{"application/json", "\xff", false},
		{"text/plain", "\xc3", false},
		{"application/octet-stream", "a", false},
		{"image/png", "\x89PNG", false},
		{"multipart/form-data; boundary=x", "--x--", false},
		{"application/jsonx", "a", false},
		{"", "a", false},
		{strings.Repeat("x", 70) + "+json", "a", false},
	} {
		var req fasthttp.Request
		readInto(t, &req, fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
			test.contentType, len(test.body), test.body))
		e := decodeEvent(t, encodeRequest(t, mustTable(t, route(t, "POST /")), &req))
		want := test.body
		if !test.text {
			want = base64.StdEncoding.EncodeToString([]byte(test.body))
		}
		if e.Body == nil || *e.Body != want || *e.IsBase64Encoded == test.text {
			t.Errorf("%q as %q: got %v, encoded %v", test.body, test.contentType, e.Body, *e.IsBase64Encoded)
		}
	}
}

// TestPairSet compares thousands of parameters with the plain way.
func TestPairSet(t *testing.T) {
	pairs := newPairSet()
	for _, size := range []int{1, 31, 32, 33, 5000, 3} {
		pairs.reset()
		want := map[string]string{}
		for i := range size {
			name, value := "n"+strconv.Itoa(i*i%97), strconv.Itoa(i)
			start := len(pairs.text)
			pairs.text = append(pairs.text, name...)
			middle := len(pairs.text)
			pairs.text = append(pairs.text, value...)
			pairs.add(start, middle)
			if old, found := want[name]; found {
				value = old + "," + value
			}
			want[name] = value
		}
		got := map[string]string{}
		for i := range pairs.list {
			if pairs.list[i].first {
				got[string(pairs.name(int32(i)))] = string(pairs.appendJoined(nil, int32(i)))
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d pairs: got %d names, want %d", size, len(got), len(want))
		}
	}
}

// FuzzEvent: an event is valid JSON whatever the request holds, and the body
// comes out of it as it went in.
func FuzzEvent(f *testing.F) {
	f.Add("/a/b", "q=1&q=2", "X-A", "v", "application/json", []byte(`{"a":"\u0000"}`))
	f.Add("/a/%ff", "%ff=%", "Cookie", "a=\xff; b", "text/plain", []byte{0xff, 0})
	f.Add("/a/\"", "a&&=&+", "x-forwarded-for", "\"\\\t", "image/png", []byte("\x1f\x8b"))
	table := mustTable(f, route(f, "POST /a/{x}"), route(f, "$default"))
	f.Fuzz(func(t *testing.T, path, query, name, value, contentType string, body []byte) {
		var wire bytes.Buffer
		fmt.Fprintf(&wire, "POST %s?%s HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s",
			path, query, contentType, name, value, len(body), body)
		var req fasthttp.Request
		if err := readRequest(&req, wire.Bytes()); err != nil {
			return // not a request
		}
		text := encodeRequest(t, table, &req)
		if !json.Valid(text) || !utf8.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		e := decodeEvent(t, text)
		sent := req.Body()
		switch {
		case len(sent) == 0:
			if e.Body != nil {
				t.Fatalf("a body appeared: %s", text)
			}
		case *e.IsBase64Encoded:
			got, err := base64.StdEncoding.DecodeString(*e.Body)
			if err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("body %q became %q", sent, *e.Body)
			}
		case *e.Body != string(sent):
			t.Fatalf("body %q became %q", sent, *e.Body)
		}
		sentPath, sentQuery, _ := strings.Cut(string(req.Header.RequestURI()), "?")
		if utf8.ValidString(sentPath) && e.RawPath != sentPath {
			t.Fatalf("path %q became %q", sentPath, e.RawPath)
		}
		values, err := url.ParseQuery(sentQuery)
		if err != nil || strings.ContainsAny(sentQuery, ";") {
			return // net/url is stricter
		}
		for name, value := range values {
			want := strings.Join(value, ",")
			if utf8.ValidString(name) && utf8.ValidString(want) && e.QueryStringParameters[name] != want {
				t.Fatalf("query %q: %q is %q, want %q", sentQuery, name, e.QueryStringParameters[name], want)
			}
		}
	})
}
